/* run.h - simulating one policy in a scenario. */
#ifndef ROTA_SIM_RUN_H
#define ROTA_SIM_RUN_H

#include "sim/result.h"
#include <rota/lb.h>

struct rota_sim_run_options {
    const struct rota_alloc *alloc;                 /* NULL: malloc */
    const struct rota_lb_class *const *policies;    /* what service configs may name; NULL-terminated */
    bool check;                                     /* the invariants after every event; slow */
};

/* result: a block of rota_sim_result_size(scenario) bytes, filled in either way. Errors, with a sentence in result->error: ROTA_EPARSE (the
 * service config), ROTA_ENOMEM. */
rota_err rota_sim_run(const struct rota_sim_scenario *scenario, const struct rota_sim_policy *policy, const struct rota_sim_run_options *options,
                      struct rota_sim_result *result);

#endif
