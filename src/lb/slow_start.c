/* slow_start.c - contract in slow_start.h: how cold an endpoint is, and the parameters with their defaults. */
#include "lb/slow_start.h"
#include "base/errinfo.h"
#include "lb/config_json.h"
#include <math.h>

#define WINDOW_DEFAULT_NS INT64_C(30000000000)
#define LEAST_DEFAULT_PERCENT 10

double rota_slow_start_factor(const struct rota_slow_start *slow, int64_t age_ns)
{
    double factor;

    if (age_ns >= slow->window_ns)
        return 1;
    factor = age_ns > 0 ? (double)age_ns / (double)slow->window_ns : 0;
    if (slow->aggression != 1)
        factor = pow(factor, 1 / slow->aggression);
    return factor > slow->least ? factor : slow->least;
}

rota_err rota_slow_start_read(const json_t *object, struct rota_slow_start *slow, struct rota_errinfo *info)
{
    const json_t *parameters = NULL;
    uint32_t least_percent = LEAST_DEFAULT_PERCENT;
    rota_err err = rota_lb_json_object(object, "slowStartConfig", &parameters, info);

    if (err < 0 || parameters == NULL)
        return err;
    *slow = (struct rota_slow_start){.window_ns = WINDOW_DEFAULT_NS, .aggression = 1};
    err = rota_lb_json_duration(parameters, "slowStartWindow", &slow->window_ns, info);
    if (err == 0)
        err = rota_lb_json_number(parameters, "aggression", &slow->aggression, info);
    if (err == 0 && !(slow->aggression > 0))
        err = rota_errinfo_set(info, ROTA_EPARSE, "\"aggression\" must be more than 0");
    if (err == 0)
        err = rota_lb_json_u32(parameters, "minWeightPercent", &least_percent, info);
    if (err == 0 && least_percent > 100)
        err = rota_errinfo_set(info, ROTA_EPARSE, "\"minWeightPercent\" must be from 0 to 100");
    slow->least = least_percent / 100.0;
    return err;
}

static rota_err read_config(const struct rota_lb_env *env, const json_t *object, void *config, struct rota_errinfo *info)
{
    (void)env;
    return rota_slow_start_read(object, config, info);
}

rota_err rota_slow_start_parse(const struct rota_lb_env *env, struct rota_slice json, void **ret_config, struct rota_errinfo *info)
{
    return rota_lb_json_config(env, json, sizeof(struct rota_slow_start), read_config, rota_lb_json_config_free, ret_config, info);
}
