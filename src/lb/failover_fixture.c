/* failover_fixture.c - contract in failover_fixture.h. It includes rota/lb.h and the C library, and nothing else of rota. */
#include "failover_fixture.h"
#include <stdlib.h>
#include <string.h>

#define PATIENCE_NS INT64_C(1000000000)
#define RESERVE_WEIGHT 9

enum { MAIN, RESERVE, N_TIERS };

struct tier {
    struct rota_lb_child *child; /* NULL: not called up */
    enum rota_conn_state conn;
    struct rota_status why;
    const struct rota_endpoint **endpoints;
    size_t count;
};

struct failover {
    const struct rota_lb_env *env;
    const struct rota_lb_config *child_config;
    struct tier tiers[N_TIERS];
    bool unresolved; /* the resolver failed before any list came */
};

int failover_calls_out;

static rota_err parse(const struct rota_lb_env *env, struct rota_slice json, void **ret_config, struct rota_errinfo *info)
{
    const uint8_t *from = json.size == 0 ? NULL : memchr(json.data, '[', json.size);
    size_t size = from == NULL ? 0 : json.size - (size_t)(from - json.data);
    struct rota_lb_config *config;
    rota_err err;

    while (size > 0 && from[size - 1] != ']')
        size--;
    err = rota_lb_config_parse(env, rota_slice(from, size), &config, info);
    if (err == 0)
        *ret_config = config;
    return err;
}

static void free_config(const struct rota_lb_env *env, void *config)
{
    (void)env;
    rota_lb_config_free(config);
}

static rota_err init(void *state, const struct rota_lb_env *env, const void *config)
{
    struct failover *fo = state;

    fo->env = env;
    fo->child_config = config;
    return 0;
}

static void tier_clear(struct failover *fo, struct tier *tier)
{
    for (size_t i = 0; i < tier->count; i++)
        rota_endpoint_unref(tier->endpoints[i]);
    if (tier->endpoints != NULL)
        fo->env->alloc->resize(fo->env->alloc->ctx, tier->endpoints, 0);
    tier->endpoints = NULL;
    tier->count = 0;
}

static void fini(void *state)
{
    struct failover *fo = state;

    for (int i = 0; i < N_TIERS; i++)
        tier_clear(fo, &fo->tiers[i]);
}

static void report(struct failover *fo, struct rota_lb_cmds *cmds)
{
    struct tier *tier = &fo->tiers[MAIN];

    if (tier->conn != ROTA_CONN_READY && fo->tiers[RESERVE].child != NULL)
        tier = &fo->tiers[RESERVE];
    rota_lb_update(cmds, tier->conn, tier->conn == ROTA_CONN_TRANSIENT_FAILURE ? &tier->why : NULL);
}

static rota_err call_up(struct failover *fo, struct tier *tier, struct rota_lb_cmds *cmds)
{
    if (tier->child == NULL) {
        rota_err err = rota_lb_child_new(cmds, fo->child_config, tier, &tier->child);
        if (err < 0)
            return err;
        tier->conn = ROTA_CONN_CONNECTING;
    }
    return rota_lb_child_endpoints(cmds, tier->child, tier->endpoints, tier->count);
}

static rota_err take(struct failover *fo, struct tier *tier, bool reserve, const struct rota_endpoint *const *endpoints, size_t count)
{
    const struct rota_alloc *alloc = fo->env->alloc;
    const struct rota_endpoint **mine = alloc->resize(alloc->ctx, NULL, (count + 1) * sizeof(struct rota_endpoint *));

    if (mine == NULL)
        return ROTA_ENOMEM;
    tier_clear(fo, tier);
    tier->endpoints = mine;
    for (size_t i = 0; i < count; i++)
        if ((endpoints[i]->weight == RESERVE_WEIGHT) == reserve)
            mine[tier->count++] = rota_endpoint_ref(endpoints[i]);
    return 0;
}

static rota_err on_endpoints(void *state, const struct rota_endpoint *const *endpoints, size_t count, int64_t now_ns,
                             struct rota_lb_cmds *cmds)
{
    struct failover *fo = state;
    bool first = fo->tiers[MAIN].child == NULL;
    rota_err err = 0;

    for (int i = 0; i < N_TIERS && err == 0; i++)
        err = take(fo, &fo->tiers[i], i == RESERVE, endpoints, count);
    if (err == 0)
        err = call_up(fo, &fo->tiers[MAIN], cmds);
    if (err == 0 && fo->tiers[RESERVE].child != NULL)
        err = call_up(fo, &fo->tiers[RESERVE], cmds);
    if (fo->tiers[MAIN].child == NULL)
        return err;
    if (fo->tiers[MAIN].conn != ROTA_CONN_READY && fo->tiers[RESERVE].child == NULL)
        rota_lb_wake_at(cmds, now_ns + PATIENCE_NS);
    if (first)
        report(fo, cmds);
    return err < 0 ? err : count == 0 ? ROTA_EINVAL : 0;
}

static void on_resolver_error(void *state, const struct rota_status *why, int64_t now_ns, struct rota_lb_cmds *cmds)
{
    struct failover *fo = state;

    (void)now_ns;
    fo->unresolved = true;
    rota_lb_update(cmds, ROTA_CONN_TRANSIENT_FAILURE, why);
}

static void on_timer(void *state, int64_t now_ns, struct rota_lb_cmds *cmds)
{
    struct failover *fo = state;

    if (fo->tiers[MAIN].conn == ROTA_CONN_READY)
        return;
    if (call_up(fo, &fo->tiers[RESERVE], cmds) < 0)
        rota_lb_wake_at(cmds, now_ns + PATIENCE_NS);
    report(fo, cmds);
}

static void on_child(void *state, struct rota_lb_child *child, void *tag, enum rota_conn_state conn, const struct rota_status *why,
                     int64_t now_ns, struct rota_lb_cmds *cmds)
{
    struct failover *fo = state;
    struct tier *tier = tag, *reserve = &fo->tiers[RESERVE];

    (void)child;
    tier->conn = conn;
    if (why != NULL)
        tier->why = *why;
    if (tier != reserve) {
        rota_lb_wake_at(cmds, conn == ROTA_CONN_READY ? INT64_MAX : reserve->child == NULL ? now_ns + PATIENCE_NS : INT64_MAX);
        if (conn == ROTA_CONN_READY) {
            rota_lb_child_free(cmds, reserve->child);
            reserve->child = NULL;
        } else if (conn == ROTA_CONN_TRANSIENT_FAILURE && reserve->child == NULL) {
            on_timer(fo, now_ns, cmds);
            return;
        }
    }
    report(fo, cmds);
}

static void on_exit_idle(void *state, int64_t now_ns, struct rota_lb_cmds *cmds)
{
    struct failover *fo = state;

    (void)now_ns;
    for (int i = 0; i < N_TIERS; i++)
        if (fo->tiers[i].child != NULL)
            rota_lb_child_exit_idle(cmds, fo->tiers[i].child);
}

static enum rota_pick_verdict pick(void *state, const struct rota_call_info *call, struct rota_pick *ret_pick)
{
    struct failover *fo = state;
    struct tier *tier = &fo->tiers[MAIN];
    enum rota_pick_verdict verdict;

    if (tier->conn != ROTA_CONN_READY && fo->tiers[RESERVE].child != NULL)
        tier = &fo->tiers[RESERVE];
    if (tier->child == NULL)
        return fo->unresolved ? ROTA_PICK_FAIL : ROTA_PICK_WAIT;
    verdict = rota_lb_child_pick(tier->child, call, ret_pick);
    if (verdict == ROTA_PICK_OK) {
        ret_pick->cookie = (uint64_t)(tier - fo->tiers);
        failover_calls_out++;
    }
    return verdict;
}

static void on_done(void *state, uint64_t cookie, const struct rota_outcome *outcome)
{
    (void)state, (void)outcome;
    if (cookie >= N_TIERS)
        abort(); /* it was set in pick */
    failover_calls_out--;
}

const struct rota_lb_class failover_policy = {
    .name = "failover",
    .state_size = sizeof(struct failover),
    .parse = parse,
    .free_config = free_config,
    .init = init,
    .fini = fini,
    .on_endpoints = on_endpoints,
    .on_resolver_error = on_resolver_error,
    .on_child = on_child,
    .on_timer = on_timer,
    .on_exit_idle = on_exit_idle,
    .pick = pick,
    .on_done = on_done,
};
