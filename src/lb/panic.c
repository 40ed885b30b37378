/* panic.c - while too few endpoints are healthy, health is not heeded: better a doubtful server than the load of all on the few that are left.
 *
 * Health is what outlier detection says, above this policy or below it, and what servers say of themselves (gRFC A17). Endpoints that cannot be
 * connected to count as unhealthy too, though nothing can be sent there; those of which nothing is known yet count as healthy (Envoy's panic threshold).
 * Elsewhere: counting them, and trust (census.c), the child's state (wrapper.c).
 */
#include "base/errinfo.h"
#include "base/log.h"
#include "lb/config_json.h"
#include "lb/wrapper.h"
#include <math.h>

#define THRESHOLD_DEFAULT_PERCENT 50

struct panic_config {
    struct rota_wrapper_config wrapper;
    uint32_t threshold_percent;
};

struct panic {
    struct rota_wrapper wrapper;
    uint32_t threshold_percent;
    bool panics;
};

static rota_err read_config(const struct rota_lb_env *env, const json_t *object, void *config, struct rota_errinfo *info)
{
    struct panic_config *c = config;
    rota_err err;

    c->threshold_percent = THRESHOLD_DEFAULT_PERCENT;
    err = rota_lb_json_u32(object, "thresholdPercent", &c->threshold_percent, info);
    if (err == 0 && c->threshold_percent > 100)
        err = rota_errinfo_set(info, ROTA_EPARSE, "\"thresholdPercent\" must be from 0 to 100");
    return err < 0 ? err : rota_wrapper_read_config(env, object, &c->wrapper, info);
}

static rota_err parse(const struct rota_lb_env *env, struct rota_slice json, void **ret_config, struct rota_errinfo *info)
{
    return rota_lb_json_config(env, json, sizeof(struct panic_config), read_config, rota_wrapper_free_config, ret_config, info);
}

static rota_err on_endpoints(void *state, const struct rota_endpoint *const *endpoints, size_t count, int64_t now_ns,
                             struct rota_lb_cmds *cmds)
{
    struct panic *p = state;
    bool fresh = p->wrapper.child == NULL;
    rota_err err = rota_wrapper_endpoints(&p->wrapper, endpoints, count, cmds);

    (void)now_ns;
    if (fresh && p->wrapper.child != NULL)
        rota_lb_child_count(cmds, p->wrapper.child);
    return err == 0 && count == 0 ? ROTA_EINVAL : err;
}

static void on_child(void *state, struct rota_lb_child *child, void *tag, enum rota_conn_state conn, const struct rota_status *why,
                     int64_t now_ns, struct rota_lb_cmds *cmds)
{
    struct panic *p = state;
    struct rota_lb_census census = rota_lb_child_census(child);
    uint32_t healthy = census.endpoints - census.bad;
    bool panics = (uint64_t)healthy * 100 < (uint64_t)p->threshold_percent * census.endpoints;

    if (panics != p->panics) {
        p->panics = panics;
        rota_lb_child_trust(cmds, child, panics);
        rota_log_write(p->wrapper.env->log, ROTA_LOG_WARN, "lb", "panic: %u of %u endpoints are healthy; %s", healthy, census.endpoints,
            panics ? "all are used" : "health is heeded again");
    }
    rota_wrapper_on_child(state, child, tag, conn, why, now_ns, cmds);
}

static enum rota_pick_verdict pick(void *state, const struct rota_call_info *call, struct rota_pick *ret_pick)
{
    struct panic *p = state;

    if (call->trace != NULL && p->wrapper.child != NULL) {
        struct rota_lb_census census = rota_lb_child_census(p->wrapper.child);
        rota_lb_trace(call, NULL, NAN, "%u of %u healthy%s", census.endpoints - census.bad, census.endpoints, p->panics ? ": too few, health is not heeded" : "");
    }
    return rota_wrapper_pick(state, call, ret_pick);
}

static rota_err init(void *state, const struct rota_lb_env *env, const void *config)
{
    struct panic *p = state;
    const struct panic_config *c = config;

    rota_wrapper_init(&p->wrapper, env, &c->wrapper);
    p->threshold_percent = c->threshold_percent;
    return 0;
}

const struct rota_lb_class rota_lb_panic = {
    .name = "panic",
    .state_size = sizeof(struct panic),
    .parse = parse,
    .free_config = rota_wrapper_free_config,
    .init = init,
    .fini = rota_wrapper_fini,
    .on_endpoints = on_endpoints,
    .on_resolver_error = rota_wrapper_on_resolver_error,
    .on_child = on_child,
    .on_exit_idle = rota_wrapper_on_exit_idle,
    .pick = pick,
};
