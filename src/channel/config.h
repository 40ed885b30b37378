/* config.h - a service config together with the policy it names: checked as a whole, immutable, shared by reference.
 *
 * Source: gRFC A2, A21, A24: one bad part makes all of it invalid; the first supported policy is taken; none named is pick_first.
 */
#ifndef ROTA_CHANNEL_CONFIG_H
#define ROTA_CHANNEL_CONFIG_H

#include "wire/service_config.h"
#include <rota/lb.h>

struct rota_channel_config {
    const struct rota_alloc *alloc;
    uint32_t refs;
    struct rota_service_config *service;
    struct rota_lb_config *lb;
};

/* env must outlive it. ROTA_EPARSE (info: what and where), ROTA_ENOMEM. */
rota_err rota_channel_config_parse(struct rota_slice json, const struct rota_lb_env *env, struct rota_channel_config **ret_config,
                                   struct rota_errinfo *info);
struct rota_channel_config *rota_channel_config_ref(struct rota_channel_config *config);
void rota_channel_config_unref(struct rota_channel_config *config); /* NULL is fine */

/* Whether both want the same policy with the same parameters, so that a running tree may stay. */
bool rota_channel_config_same_policy(const struct rota_channel_config *a, const struct rota_channel_config *b);

#endif
