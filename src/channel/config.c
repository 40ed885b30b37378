/* config.c - from service-config JSON to method configs and a policy (gRFC A2, A24). */
#include "channel/config.h"
#include "base/alloc.h"
#include "base/assert.h"
#include "base/errinfo.h"
#include <string.h>

#define DEFAULT_POLICY "pick_first"

static rota_err parse_policy(const struct rota_service_config *service, const struct rota_lb_env *env, struct rota_lb_config **ret_lb,
                             struct rota_errinfo *info)
{
    const char *name = service->lb_policy == NULL ? DEFAULT_POLICY : service->lb_policy;
    rota_err err;

    if (service->lb_config != NULL)
        return rota_lb_config_parse(env, rota_slice_str(service->lb_config), ret_lb, info);
    err = rota_lb_config_named(env, name, ret_lb);
    if (err == ROTA_ENOTFOUND)
        return rota_errinfo_set(info, ROTA_EPARSE, "service config: loadBalancingPolicy \"%s\" is not known", name);
    if (err == ROTA_EPARSE)
        return rota_errinfo_set(info, ROTA_EPARSE, "service config: loadBalancingPolicy \"%s\" needs parameters, which loadBalancingConfig can give it", name);
    return err;
}

rota_err rota_channel_config_parse(struct rota_slice json, const struct rota_lb_env *env, struct rota_channel_config **ret_config,
                                   struct rota_errinfo *info)
{
    struct rota_channel_config *config = rota_alloc_zero(env->alloc, 1, sizeof(*config));
    rota_err err;

    if (config == NULL)
        return ROTA_ENOMEM;
    config->alloc = env->alloc;
    config->refs = 1;
    err = rota_service_config_parse(json, env->alloc, &config->service, info);
    if (err == 0)
        err = parse_policy(config->service, env, &config->lb, info);
    if (err < 0) {
        rota_channel_config_unref(config);
        return err;
    }
    *ret_config = config;
    return 0;
}

struct rota_channel_config *rota_channel_config_ref(struct rota_channel_config *config)
{
    config->refs++;
    return config;
}

void rota_channel_config_unref(struct rota_channel_config *config)
{
    if (config == NULL)
        return;
    ROTA_ASSERT(config->refs > 0);
    if (--config->refs > 0)
        return;
    if (config->lb != NULL)
        rota_lb_config_free(config->lb);
    rota_service_config_free(config->alloc, config->service);
    rota_alloc_free(config->alloc, config);
}

static bool same_text(const char *a, const char *b)
{
    return a == b || (a != NULL && b != NULL && strcmp(a, b) == 0);
}

bool rota_channel_config_same_policy(const struct rota_channel_config *a, const struct rota_channel_config *b)
{
    if (a == b)
        return true;
    if (strcmp(rota_lb_config_name(a->lb), rota_lb_config_name(b->lb)) != 0)
        return false;
    return same_text(a->service->lb_config, b->service->lb_config);
}
