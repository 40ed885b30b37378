/* petiole_policy.c - contract in petiole_policy.h.
 *
 * Nothing stays IDLE: a leaf that lost its connection is told to connect again at once, and counts as CONNECTING meanwhile.
 */
#include "lb/petiole_policy.h"

static const struct rota_status no_endpoints = {ROTA_UNAVAILABLE, "no addresses: name resolution gave an empty list"};
static const struct rota_status no_memory = {ROTA_UNAVAILABLE, "out of memory while taking over the list of servers"};

static void report(struct rota_petiole_policy *policy, enum rota_conn_state state, const struct rota_status *why, struct rota_lb_cmds *cmds)
{
    policy->state = (uint8_t)state;
    rota_lb_update(cmds, state, why);
}

/* news: something beside the state has changed, the READY set or the failure. */
static void report_leaves(struct rota_petiole_policy *policy, bool news, struct rota_lb_cmds *cmds)
{
    enum rota_conn_state state = rota_petiole_state(&policy->leaves);

    if (news || state != policy->state)
        report(policy, state, &policy->leaves.failure, cmds);
}

rota_err rota_petiole_on_endpoints(void *state, const struct rota_endpoint *const *endpoints, size_t count, int64_t now_ns,
                             struct rota_lb_cmds *cmds)
{
    struct rota_petiole_policy *policy = state;
    bool changed = false;
    rota_err err = rota_petiole_list(&policy->leaves, endpoints, count, cmds, &changed);

    (void)now_ns;
    if (policy->leaves.n_leaves > 0)
        report_leaves(policy, changed, cmds);
    else
        report(policy, ROTA_CONN_TRANSIENT_FAILURE, err < 0 ? &no_memory : &no_endpoints, cmds);
    return err == 0 && count == 0 ? ROTA_EINVAL : err;
}

void rota_petiole_on_resolver_error(void *state, const struct rota_status *why, int64_t now_ns, struct rota_lb_cmds *cmds)
{
    (void)now_ns;
    report(state, ROTA_CONN_TRANSIENT_FAILURE, why, cmds);
}

void rota_petiole_on_child(void *state, struct rota_lb_child *child, void *tag, enum rota_conn_state conn, const struct rota_status *why,
                     int64_t now_ns, struct rota_lb_cmds *cmds)
{
    struct rota_petiole_policy *policy = state;
    struct rota_leaf *leaf = tag;
    bool changed;

    if (conn == ROTA_CONN_READY)
        rota_petiole_chill(&policy->leaves, leaf, now_ns);
    if (conn == ROTA_CONN_IDLE && !leaf->is_retired)
        rota_lb_child_exit_idle(cmds, child);
    changed = rota_petiole_child(&policy->leaves, leaf, conn, why, cmds);
    report_leaves(policy, changed || (conn == ROTA_CONN_TRANSIENT_FAILURE && policy->state == ROTA_CONN_TRANSIENT_FAILURE), cmds);
}

void rota_petiole_on_exit_idle(void *state, int64_t now_ns, struct rota_lb_cmds *cmds)
{
    (void)state, (void)now_ns, (void)cmds; /* no leaf is left IDLE */
}

rota_err rota_petiole_policy_init(struct rota_petiole_policy *policy, const struct rota_lb_env *env, const struct rota_leaf_hooks *hooks)
{
    policy->state = ROTA_CONN_IDLE;
    return rota_petiole_init(&policy->leaves, env, hooks);
}

void rota_petiole_policy_fini(void *state)
{
    struct rota_petiole_policy *policy = state;

    rota_petiole_fini(&policy->leaves);
}
