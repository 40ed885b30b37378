/* names.c - the names of connection states, and chance for policies written outside the library. */
#include "base/assert.h"
#include "base/rng.h"
#include <rota/lb.h>

static const char *const state_names[] = {
    [ROTA_CONN_IDLE] = "IDLE",
    [ROTA_CONN_CONNECTING] = "CONNECTING",
    [ROTA_CONN_READY] = "READY",
    [ROTA_CONN_TRANSIENT_FAILURE] = "TRANSIENT_FAILURE",
    [ROTA_CONN_SHUTDOWN] = "SHUTDOWN",
};

const char *rota_conn_state_name(enum rota_conn_state state)
{
    return (unsigned)state < ROTA_COUNT(state_names) ? state_names[state] : "UNKNOWN";
}

uint32_t rota_lb_random_below(const struct rota_lb_env *env, uint32_t bound)
{
    return rota_rng_below(env->rng, bound);
}

double rota_lb_random_unit(const struct rota_lb_env *env)
{
    return rota_rng_unit(env->rng);
}
