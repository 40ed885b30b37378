/* wrapper.c - contract in wrapper.h. */
#include "lb/wrapper.h"
#include "base/alloc.h"
#include "lb/config_json.h"

static void report(struct rota_wrapper *w, enum rota_conn_state conn, const struct rota_status *why, struct rota_lb_cmds *cmds)
{
    w->state = (uint8_t)conn;
    rota_lb_update(cmds, conn, why);
}

rota_err rota_wrapper_read_config(const struct rota_lb_env *env, const json_t *object, struct rota_wrapper_config *c, struct rota_errinfo *info)
{
    return rota_lb_json_policy(env, object, "childPolicy", &c->child, info);
}

void rota_wrapper_free_config(const struct rota_lb_env *env, void *config)
{
    struct rota_wrapper_config *c = config;

    rota_lb_config_free(c->child);
    rota_alloc_free(env->alloc, c);
}

void rota_wrapper_init(struct rota_wrapper *w, const struct rota_lb_env *env, const struct rota_wrapper_config *config)
{
    w->env = env;
    w->child_config = config->child;
    w->state = ROTA_CONN_IDLE;
}

void rota_wrapper_fini(void *state)
{
    (void)state; /* the child is the tree's to free */
}

rota_err rota_wrapper_endpoints(struct rota_wrapper *w, const struct rota_endpoint *const *endpoints, size_t count, struct rota_lb_cmds *cmds)
{
    bool fresh = w->child == NULL;
    rota_err err = fresh ? rota_lb_child_new(cmds, w->child_config, NULL, &w->child) : 0;

    if (err == 0) {
        err = rota_lb_child_endpoints(cmds, w->child, endpoints, count);
        if (err < 0 && fresh) {
            rota_lb_child_free(cmds, w->child);
            w->child = NULL;
        }
    }
    if (err < 0)
        rota_wrapper_refused(w, err, cmds);
    return err;
}

void rota_wrapper_refused(struct rota_wrapper *w, rota_err err, struct rota_lb_cmds *cmds)
{
    struct rota_status why;

    if (w->child != NULL)
        return;
    rota_status_set(&why, ROTA_UNAVAILABLE, "%s while taking over the list of servers", rota_err_text(err));
    report(w, ROTA_CONN_TRANSIENT_FAILURE, &why, cmds);
}

void rota_wrapper_on_resolver_error(void *state, const struct rota_status *why, int64_t now_ns, struct rota_lb_cmds *cmds)
{
    (void)now_ns;
    report(state, ROTA_CONN_TRANSIENT_FAILURE, why, cmds);
}

void rota_wrapper_on_child(void *state, struct rota_lb_child *child, void *tag, enum rota_conn_state conn, const struct rota_status *why,
                           int64_t now_ns, struct rota_lb_cmds *cmds)
{
    (void)child, (void)tag, (void)now_ns;
    report(state, conn, why, cmds);
}

void rota_wrapper_on_exit_idle(void *state, int64_t now_ns, struct rota_lb_cmds *cmds)
{
    struct rota_wrapper *w = state;

    (void)now_ns;
    if (w->child != NULL)
        rota_lb_child_exit_idle(cmds, w->child);
}

enum rota_pick_verdict rota_wrapper_pick(void *state, const struct rota_call_info *call, struct rota_pick *ret_pick)
{
    struct rota_wrapper *w = state;

    if (w->child == NULL)
        return w->state == ROTA_CONN_TRANSIENT_FAILURE ? ROTA_PICK_FAIL : ROTA_PICK_WAIT;
    return rota_lb_child_pick(w->child, call, ret_pick);
}
