/* round_robin.c - READY endpoints in turn (gRFC A61).
 *
 * Nothing stays IDLE: a leaf that lost its connection is told to connect again at once, and counts as CONNECTING meanwhile.
 * Elsewhere: leaves, what of them is READY and whose turn it is (petiole.c), connecting and re-resolution (pick_first.c).
 */
#include "lb/petiole.h"

struct round_robin {
    struct rota_petiole leaves;
    uint8_t state; /* as last reported */
};

static const struct rota_status no_endpoints = {ROTA_UNAVAILABLE, "no addresses: name resolution gave an empty list"};
static const struct rota_status no_memory = {ROTA_UNAVAILABLE, "out of memory while taking over the list of servers"};

static void report(struct round_robin *rr, enum rota_conn_state state, const struct rota_status *why, struct rota_lb_cmds *cmds)
{
    rr->state = (uint8_t)state;
    rota_lb_update(cmds, state, why);
}

/* news: something beside the state has changed, the READY set or the failure. */
static void report_leaves(struct round_robin *rr, bool news, struct rota_lb_cmds *cmds)
{
    enum rota_conn_state state = rota_petiole_state(&rr->leaves);

    if (news || state != rr->state)
        report(rr, state, &rr->leaves.failure, cmds);
}

static rota_err on_endpoints(void *state, const struct rota_endpoint *const *endpoints, size_t count, int64_t now_ns,
                             struct rota_lb_cmds *cmds)
{
    struct round_robin *rr = state;
    bool changed = false;
    rota_err err = rota_petiole_list(&rr->leaves, endpoints, count, cmds, &changed);

    (void)now_ns;
    if (rr->leaves.n_leaves > 0)
        report_leaves(rr, changed, cmds);
    else
        report(rr, ROTA_CONN_TRANSIENT_FAILURE, err < 0 ? &no_memory : &no_endpoints, cmds);
    return err == 0 && count == 0 ? ROTA_EINVAL : err;
}

static void on_resolver_error(void *state, const struct rota_status *why, int64_t now_ns, struct rota_lb_cmds *cmds)
{
    (void)now_ns;
    report(state, ROTA_CONN_TRANSIENT_FAILURE, why, cmds);
}

static void on_child(void *state, struct rota_lb_child *child, void *tag, enum rota_conn_state conn, const struct rota_status *why,
                     int64_t now_ns, struct rota_lb_cmds *cmds)
{
    struct round_robin *rr = state;
    struct rota_leaf *leaf = tag;
    bool changed;

    (void)now_ns;
    if (conn == ROTA_CONN_IDLE && !leaf->is_retired)
        rota_lb_child_exit_idle(cmds, child);
    changed = rota_petiole_child(&rr->leaves, leaf, conn, why, cmds);
    report_leaves(rr, changed || (conn == ROTA_CONN_TRANSIENT_FAILURE && rr->state == ROTA_CONN_TRANSIENT_FAILURE), cmds);
}

static void on_exit_idle(void *state, int64_t now_ns, struct rota_lb_cmds *cmds)
{
    (void)state, (void)now_ns, (void)cmds; /* no leaf is left IDLE */
}

static enum rota_pick_verdict pick(void *state, const struct rota_call_info *call, struct rota_pick *ret_pick)
{
    struct round_robin *rr = state;

    if (rr->leaves.n_ready == 0)
        return rr->state == ROTA_CONN_TRANSIENT_FAILURE ? ROTA_PICK_FAIL : ROTA_PICK_WAIT;
    return rota_lb_child_pick(rota_petiole_turn(&rr->leaves), call, ret_pick);
}

static rota_err init(void *state, const struct rota_lb_env *env, const void *config)
{
    struct round_robin *rr = state;

    (void)config;
    rr->state = ROTA_CONN_IDLE;
    return rota_petiole_init(&rr->leaves, env, 0);
}

static void fini(void *state)
{
    struct round_robin *rr = state;

    rota_petiole_fini(&rr->leaves);
}

const struct rota_lb_class rota_lb_round_robin = {
    .name = "round_robin",
    .state_size = sizeof(struct round_robin),
    .init = init,
    .fini = fini,
    .on_endpoints = on_endpoints,
    .on_resolver_error = on_resolver_error,
    .on_child = on_child,
    .on_exit_idle = on_exit_idle,
    .pick = pick,
};
