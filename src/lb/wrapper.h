/* wrapper.h - all of a policy with one child below it but what it is for: the child's state is its own, picks are the child's.
 *
 * The functions stand in the policy's class table as they are; its state begins with struct rota_wrapper, its parameters with
 * struct rota_wrapper_config.
 */
#ifndef ROTA_LB_WRAPPER_H
#define ROTA_LB_WRAPPER_H

#include <jansson.h>
#include <rota/lb.h>

struct rota_wrapper_config {
    struct rota_lb_config *child;
};

struct rota_wrapper {
    const struct rota_lb_env *env;
    const struct rota_lb_config *child_config;
    struct rota_lb_child *child; /* NULL: no list has come */
    uint8_t state;               /* as last reported */
};

/* `childPolicy`, which has to be there. */
rota_err rota_wrapper_read_config(const struct rota_lb_env *env, const json_t *object, struct rota_wrapper_config *c, struct rota_errinfo *info);
void rota_wrapper_free_config(const struct rota_lb_env *env, void *config); /* of a policy whose other parameters own nothing */

void rota_wrapper_init(struct rota_wrapper *w, const struct rota_lb_env *env, const struct rota_wrapper_config *config);
void rota_wrapper_fini(void *state); /* fini, when the policy has nothing of its own */
/* Makes the child if need be. ROTA_ENOMEM and what rota_lb_child_new has. */
rota_err rota_wrapper_endpoints(struct rota_wrapper *w, const struct rota_endpoint *const *endpoints, size_t count, struct rota_lb_cmds *cmds);
/* A list could not be taken over: calls hear of it, unless there is a child that serves on. */
void rota_wrapper_refused(struct rota_wrapper *w, rota_err err, struct rota_lb_cmds *cmds);

void rota_wrapper_on_resolver_error(void *state, const struct rota_status *why, int64_t now_ns, struct rota_lb_cmds *cmds);
void rota_wrapper_on_child(void *state, struct rota_lb_child *child, void *tag, enum rota_conn_state conn, const struct rota_status *why,
                           int64_t now_ns, struct rota_lb_cmds *cmds);
void rota_wrapper_on_exit_idle(void *state, int64_t now_ns, struct rota_lb_cmds *cmds);
enum rota_pick_verdict rota_wrapper_pick(void *state, const struct rota_call_info *call, struct rota_pick *ret_pick);

#endif
