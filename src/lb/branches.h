/* branches.h - what policies that divide calls among several children share: a child's state as it counts, and what becomes of all of them.
 *
 * A child that failed counts as failed until it is READY; one that went IDLE is told to connect, and counts as CONNECTING. The functions with a
 * `state` stand in the policy's class table as they are; its state begins with struct rota_branches.
 */
#ifndef ROTA_LB_BRANCHES_H
#define ROTA_LB_BRANCHES_H

#include <rota/lb.h>

struct rota_branches {
    struct rota_status failure; /* the last of any child's */
    uint8_t state;              /* as last reported */
};

void rota_branches_init(struct rota_branches *b, const char *failure); /* until a child has one */

/* The policy's on_child, for a child that counted as *conn. False: it still does, and nothing is news. */
bool rota_branches_child(struct rota_branches *b, uint8_t *conn, struct rota_lb_child *child, enum rota_conn_state fresh, const struct rota_status *why,
                         struct rota_lb_cmds *cmds);
void rota_branches_report(struct rota_branches *b, enum rota_conn_state state, struct rota_lb_cmds *cmds);

/* The verdict of a pick while no child is READY. */
enum rota_pick_verdict rota_branches_none_ready(const struct rota_branches *b);

void rota_branches_on_resolver_error(void *state, const struct rota_status *why, int64_t now_ns, struct rota_lb_cmds *cmds);
void rota_branches_on_exit_idle(void *state, int64_t now_ns, struct rota_lb_cmds *cmds);

#endif
