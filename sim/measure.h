/* measure.h - what the world reports while it runs, gathered into a result: counts, latencies, shares over time, episodes. */
#ifndef ROTA_SIM_MEASURE_H
#define ROTA_SIM_MEASURE_H

#include "sim/result.h"

struct rota_sim_measure {
    const struct rota_sim_scenario *scenario;
    const struct rota_alloc *alloc;
    struct rota_sim_result *result;
    uint32_t *attempts; /* by window and server */
    uint32_t *listed;   /* how many servers, by window */
    uint32_t n_listed;
    uint32_t last_window; /* `listed` is filled in up to here */
};

/* Times are of the run: 0 at its start. */
rota_err rota_sim_measure_init(struct rota_sim_measure *measure, const struct rota_sim_scenario *scenario, const struct rota_alloc *alloc,
                               struct rota_sim_result *result);
void rota_sim_measure_fini(struct rota_sim_measure *measure);

void rota_sim_measure_attempt(struct rota_sim_measure *measure, uint32_t server, bool retry, int64_t now_ns);
void rota_sim_measure_served(struct rota_sim_measure *measure, uint32_t server, bool ok, int64_t now_ns);
void rota_sim_measure_call(struct rota_sim_measure *measure, int64_t started_ns, int64_t now_ns, enum rota_code code);
void rota_sim_measure_unfinished(struct rota_sim_measure *measure, int64_t started_ns, int64_t now_ns);
void rota_sim_measure_listed(struct rota_sim_measure *measure, uint32_t n_listed, int64_t now_ns); /* how many there are from now on */
uint32_t rota_sim_measure_bad(struct rota_sim_measure *measure, uint32_t server, enum rota_sim_verb verb, int64_t now_ns); /* an episode begins; returns 1 + its index, or 0 */
void rota_sim_measure_good(struct rota_sim_measure *measure, uint32_t episode, int64_t now_ns); /* it ends; 0 is fine */
void rota_sim_measure_finish(struct rota_sim_measure *measure, int64_t now_ns); /* works out what needs the whole run */

#endif
