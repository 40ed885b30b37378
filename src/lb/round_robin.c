/* round_robin.c - READY endpoints in turn (gRFC A61).
 *
 * Elsewhere: leaves, what of them is READY and whose turn it is (petiole.c), what becomes of their states (petiole_policy.c),
 * connecting and re-resolution (pick_first.c).
 */
#include "lb/config_json.h"
#include "lb/petiole_policy.h"
#include <math.h>

static enum rota_pick_verdict pick(void *state, const struct rota_call_info *call, struct rota_pick *ret_pick)
{
    struct rota_petiole_policy *rr = state;
    const struct rota_ready *winner;

    if (rr->leaves.n_ready == 0)
        return rota_petiole_none_ready(rr);
    winner = rota_petiole_next(&rr->leaves, call->now_ns);
    if (call->trace != NULL)
        rota_lb_trace(call, winner->leaf->endpoint, NAN, "turn %u of %u", (unsigned)(winner - rr->leaves.ready) + 1, (unsigned)rr->leaves.n_ready);
    return rota_petiole_ask(&rr->leaves, &winner, call, ret_pick);
}

static rota_err init(void *state, const struct rota_lb_env *env, const void *config)
{
    struct rota_petiole_policy *rr = state;

    rr->leaves.slow_start = *(const struct rota_slow_start *)config;
    return rota_petiole_policy_init(rr, env, NULL);
}

const struct rota_lb_class rota_lb_round_robin = {
    .name = "round_robin",
    .state_size = sizeof(struct rota_petiole_policy),
    .parse = rota_slow_start_parse,
    .free_config = rota_lb_json_config_free,
    .init = init,
    .fini = rota_petiole_policy_fini,
    .on_endpoints = rota_petiole_on_endpoints,
    .on_resolver_error = rota_petiole_on_resolver_error,
    .on_child = rota_petiole_on_child,
    .on_exit_idle = rota_petiole_on_exit_idle,
    .pick = pick,
};
