/* priority.h - what the policy's files share: its parameters. */
#ifndef ROTA_LB_PRIORITY_H
#define ROTA_LB_PRIORITY_H

#include <rota/lb.h>

struct rota_priority_level {
    char *name;
    struct rota_lb_config *child;
    bool muted; /* ignoreReresolutionRequests */
};

struct rota_priority_config {
    char *attribute;
    struct rota_priority_level *levels; /* the first is the best */
    size_t n_levels;
};

rota_err rota_priority_parse(const struct rota_lb_env *env, struct rota_slice json, void **ret_config, struct rota_errinfo *info);
void rota_priority_free_config(const struct rota_lb_env *env, void *config);

#endif
