/* random_subsetting.c - gives its child a subset of the endpoints, so that many clients of many servers need few connections (gRFC A68).
 *
 * Each instance keeps its own choice, made by a seed of its own; which endpoints a change of the list brings in or takes out
 * depends on nothing else. Elsewhere: the choice (subset.c), everything a child does by itself (wrapper.c).
 */
#include "base/alloc.h"
#include "base/errinfo.h"
#include "lb/config_json.h"
#include "lb/subset.h"
#include "lb/wrapper.h"
#include <math.h>

struct subsetting_config {
    struct rota_wrapper_config wrapper;
    uint32_t size;
};

struct random_subsetting {
    struct rota_wrapper wrapper;
    uint32_t size;
    uint64_t seed;
    size_t n_listed, n_kept;
};

static rota_err read_config(const struct rota_lb_env *env, const json_t *object, void *config, struct rota_errinfo *info)
{
    struct subsetting_config *c = config;
    rota_err err = rota_lb_json_u32(object, "subsetSize", &c->size, info);

    if (err == 0 && c->size == 0)
        err = rota_errinfo_set(info, ROTA_EPARSE, "\"subsetSize\" must be there, and more than 0");
    return err < 0 ? err : rota_wrapper_read_config(env, object, &c->wrapper, info);
}

static rota_err parse(const struct rota_lb_env *env, struct rota_slice json, void **ret_config, struct rota_errinfo *info)
{
    return rota_lb_json_config(env, json, sizeof(struct subsetting_config), read_config, rota_wrapper_free_config, ret_config, info);
}

static rota_err on_endpoints(void *state, const struct rota_endpoint *const *endpoints, size_t count, int64_t now_ns,
                             struct rota_lb_cmds *cmds)
{
    struct random_subsetting *rs = state;
    const struct rota_alloc *alloc = rs->wrapper.env->alloc;
    const struct rota_endpoint **mine = rota_alloc_zero(alloc, count, sizeof(const struct rota_endpoint *));
    size_t kept = 0;
    rota_err err = ROTA_ENOMEM;

    (void)now_ns;
    if (mine != NULL) {
        for (size_t i = 0; i < count; i++)
            mine[i] = endpoints[i];
        kept = rota_subset(alloc, mine, count, rs->size, rs->seed);
        rs->n_listed = count;
        rs->n_kept = kept;
    }
    if (kept > 0 || (count == 0 && mine != NULL))
        err = rota_wrapper_endpoints(&rs->wrapper, mine, kept, cmds);
    else
        rota_wrapper_refused(&rs->wrapper, ROTA_ENOMEM, cmds);
    rota_alloc_free(alloc, mine);
    return err == 0 && count == 0 ? ROTA_EINVAL : err;
}

static enum rota_pick_verdict pick(void *state, const struct rota_call_info *call, struct rota_pick *ret_pick)
{
    struct random_subsetting *rs = state;

    if (call->trace != NULL)
        rota_lb_trace(call, NULL, NAN, "a subset of %zu of %zu endpoints", rs->n_kept, rs->n_listed);
    return rota_wrapper_pick(state, call, ret_pick);
}

static rota_err init(void *state, const struct rota_lb_env *env, const void *config)
{
    struct random_subsetting *rs = state;
    const struct subsetting_config *c = config;

    rota_wrapper_init(&rs->wrapper, env, &c->wrapper);
    rs->size = c->size;
    rs->seed = (uint64_t)rota_lb_random_below(env, UINT32_MAX) << 32;
    rs->seed |= rota_lb_random_below(env, UINT32_MAX);
    return 0;
}

const struct rota_lb_class rota_lb_random_subsetting = {
    .name = "random_subsetting",
    .state_size = sizeof(struct random_subsetting),
    .parse = parse,
    .free_config = rota_wrapper_free_config,
    .init = init,
    .fini = rota_wrapper_fini,
    .on_endpoints = on_endpoints,
    .on_resolver_error = rota_wrapper_on_resolver_error,
    .on_child = rota_wrapper_on_child,
    .on_exit_idle = rota_wrapper_on_exit_idle,
    .pick = pick,
};
