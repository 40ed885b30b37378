/* outlier_detection_config.c - the parameters of gRFC A50 and their defaults, and those of a small cluster.
 *
 * With A50's defaults nothing is found among fewer than five hosts, and among three none can be 1.9 standard deviations off. So `smallCluster`,
 * ours, turns on the failures' rule with numbers that act from two hosts on, unless the config has that rule itself.
 */
#include "base/errinfo.h"
#include "lb/config_json.h"
#include "lb/outlier_detection.h"

#define S INT64_C(1000000000)

static const struct rota_outlier_rule success_rate_default = {true, 1900, 100, 5, 100};
static const struct rota_outlier_rule failures_default = {true, 85, 100, 5, 50};
static const struct rota_outlier_rule small_cluster = {true, 40, 100, 2, 10};

static rota_err read_percent(const json_t *object, const char *field, uint32_t *value, struct rota_errinfo *info)
{
    rota_err err = rota_lb_json_u32(object, field, value, info);

    return err == 0 && *value > 100 ? rota_errinfo_set(info, ROTA_EPARSE, "\"%s\" must be from 0 to 100", field) : err;
}

static rota_err read_rule(const json_t *object, const char *field, const char *limit, const struct rota_outlier_rule *defaults,
                          struct rota_outlier_rule *rule, struct rota_errinfo *info)
{
    const json_t *parameters = NULL;
    rota_err err = rota_lb_json_object(object, field, &parameters, info);

    if (err < 0 || parameters == NULL)
        return err;
    *rule = *defaults;
    if (strcmp(limit, "threshold") == 0)
        err = read_percent(parameters, limit, &rule->limit, info);
    else
        err = rota_lb_json_u32(parameters, limit, &rule->limit, info);
    if (err == 0)
        err = read_percent(parameters, "enforcementPercentage", &rule->enforcement_percent, info);
    if (err == 0)
        err = rota_lb_json_u32(parameters, "minimumHosts", &rule->minimum_hosts, info);
    return err < 0 ? err : rota_lb_json_u32(parameters, "requestVolume", &rule->request_volume, info);
}

static rota_err read_rules(const json_t *object, struct rota_outlier_config *c, struct rota_errinfo *info)
{
    bool small = false;
    rota_err err = rota_lb_json_bool(object, "smallCluster", &small, info);

    if (small)
        c->failures = small_cluster;
    if (err == 0)
        err = read_rule(object, "successRateEjection", "stdevFactor", &success_rate_default, &c->success_rate, info);
    return err < 0 ? err : read_rule(object, "failurePercentageEjection", "threshold", &failures_default, &c->failures, info);
}

static rota_err read_times(const json_t *object, struct rota_outlier_config *c, struct rota_errinfo *info)
{
    rota_err err = rota_lb_json_duration(object, "interval", &c->interval_ns, info);

    if (err == 0)
        err = rota_lb_json_duration(object, "baseEjectionTime", &c->base_ejection_ns, info);
    if (err == 0)
        err = rota_lb_json_duration(object, "maxEjectionTime", &c->max_ejection_ns, info);
    if (err == 0 && c->interval_ns == 0)
        return rota_errinfo_set(info, ROTA_EPARSE, "\"interval\" must be more than 0");
    return err < 0 ? err : read_percent(object, "maxEjectionPercent", &c->max_ejection_percent, info);
}

static rota_err read_config(const struct rota_lb_env *env, const json_t *object, void *config, struct rota_errinfo *info)
{
    struct rota_outlier_detection_config *c = config;
    rota_err err;

    c->sweep = (struct rota_outlier_config){
        .interval_ns = 10 * S, .base_ejection_ns = 30 * S, .max_ejection_ns = 300 * S, .max_ejection_percent = 10};
    err = read_times(object, &c->sweep, info);
    if (err == 0)
        err = read_rules(object, &c->sweep, info);
    return err < 0 ? err : rota_wrapper_read_config(env, object, &c->wrapper, info);
}

rota_err rota_outlier_detection_parse(const struct rota_lb_env *env, struct rota_slice json, void **ret_config, struct rota_errinfo *info)
{
    return rota_lb_json_config(env, json, sizeof(struct rota_outlier_detection_config), read_config, rota_wrapper_free_config, ret_config, info);
}
