/* branches.c - contract in branches.h. */
#include "lb/branches.h"

void rota_branches_init(struct rota_branches *b, const char *failure)
{
    b->state = ROTA_CONN_IDLE;
    rota_status_set(&b->failure, ROTA_UNAVAILABLE, "%s", failure);
}

bool rota_branches_child(struct rota_branches *b, uint8_t *conn, struct rota_lb_child *child, enum rota_conn_state fresh, const struct rota_status *why,
                         struct rota_lb_cmds *cmds)
{
    if (why != NULL)
        b->failure = *why;
    if (fresh == ROTA_CONN_IDLE) {
        rota_lb_child_exit_idle(cmds, child);
        fresh = ROTA_CONN_CONNECTING;
    }
    if (*conn == ROTA_CONN_TRANSIENT_FAILURE && fresh == ROTA_CONN_CONNECTING)
        return false;
    *conn = (uint8_t)fresh;
    return true;
}

void rota_branches_report(struct rota_branches *b, enum rota_conn_state state, struct rota_lb_cmds *cmds)
{
    b->state = (uint8_t)state;
    rota_lb_update(cmds, state, &b->failure);
}

enum rota_pick_verdict rota_branches_none_ready(const struct rota_branches *b)
{
    return b->state == ROTA_CONN_TRANSIENT_FAILURE ? ROTA_PICK_FAIL : ROTA_PICK_WAIT;
}

void rota_branches_on_resolver_error(void *state, const struct rota_status *why, int64_t now_ns, struct rota_lb_cmds *cmds)
{
    struct rota_branches *b = state;

    (void)now_ns;
    b->state = ROTA_CONN_TRANSIENT_FAILURE;
    rota_lb_update(cmds, ROTA_CONN_TRANSIENT_FAILURE, why);
}

void rota_branches_on_exit_idle(void *state, int64_t now_ns, struct rota_lb_cmds *cmds)
{
    (void)state, (void)now_ns, (void)cmds; /* no child is left IDLE */
}
