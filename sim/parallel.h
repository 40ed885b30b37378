/* parallel.h - all policies of a scenario, each in a process of its own, so many at a time. */
#ifndef ROTA_SIM_PARALLEL_H
#define ROTA_SIM_PARALLEL_H

#include "sim/run.h"

struct rota_sim_results {
    size_t count;
    const struct rota_sim_result *by_policy[ROTA_SIM_POLICIES_MAX];
    void *memory; /* shared with the processes */
    size_t memory_bytes;
};

/* processes: at a time; 1 makes none and runs all here. A policy that has no result has err and error set in it. ROTA_ENOMEM, ROTA_EIO. */
ROTA_MUST_USE rota_err rota_sim_run_all(const struct rota_sim_scenario *scenario, const struct rota_sim_run_options *options, unsigned processes,
                                        struct rota_sim_results *ret_results);
void rota_sim_results_free(struct rota_sim_results *results);

#endif
