/* petiole_policy.h - all of a policy over a petiole but its choice: for policies that differ only in which READY leaf they pick.
 *
 * The functions stand in the policy's class table as they are; its state begins with struct rota_petiole_policy (gRFC A61).
 */
#ifndef ROTA_LB_PETIOLE_POLICY_H
#define ROTA_LB_PETIOLE_POLICY_H

#include "lb/petiole.h"

struct rota_petiole_policy {
    struct rota_petiole leaves;
    uint8_t state; /* as last reported */
};

rota_err rota_petiole_policy_init(struct rota_petiole_policy *policy, const struct rota_lb_env *env, const struct rota_leaf_hooks *hooks);
void rota_petiole_policy_fini(void *state); /* fini, when the policy has nothing of its own */

rota_err rota_petiole_on_endpoints(void *state, const struct rota_endpoint *const *endpoints, size_t count, int64_t now_ns,
                                   struct rota_lb_cmds *cmds);
void rota_petiole_on_resolver_error(void *state, const struct rota_status *why, int64_t now_ns, struct rota_lb_cmds *cmds);
void rota_petiole_on_child(void *state, struct rota_lb_child *child, void *tag, enum rota_conn_state conn, const struct rota_status *why,
                           int64_t now_ns, struct rota_lb_cmds *cmds);
void rota_petiole_on_exit_idle(void *state, int64_t now_ns, struct rota_lb_cmds *cmds);

/* The verdict of a pick while no leaf is READY. */
static inline enum rota_pick_verdict rota_petiole_none_ready(const struct rota_petiole_policy *policy)
{
    return policy->state == ROTA_CONN_TRANSIENT_FAILURE ? ROTA_PICK_FAIL : ROTA_PICK_WAIT;
}

#endif
