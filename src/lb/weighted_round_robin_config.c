/* weighted_round_robin_config.c - weighted_round_robin's parameters and their defaults (gRFC A58, A114). */
#include "base/alloc.h"
#include "base/errinfo.h"
#include "lb/config_json.h"
#include "lb/weighted_round_robin.h"

#define S INT64_C(1000000000)
#define UPDATE_MIN_NS (S / 10)

void rota_wrr_free_config(const struct rota_lb_env *env, void *config)
{
    struct rota_wrr_config *c = config;

    for (size_t i = 0; i < c->n_metrics; i++)
        rota_alloc_free(env->alloc, c->names[i]);
    rota_alloc_free(env->alloc, c->names);
    rota_alloc_free(env->alloc, c->metrics);
    rota_alloc_free(env->alloc, c);
}

static rota_err read_names(const struct rota_lb_env *env, const json_t *object, struct rota_wrr_config *c, struct rota_errinfo *info)
{
    static const char field[] = "metricNamesForComputingUtilization";
    const json_t *list = json_object_get(object, field), *entry;
    size_t i;

    if (list == NULL || json_is_null(list))
        return 0;
    if (!json_is_array(list))
        return rota_errinfo_set(info, ROTA_EPARSE, "\"%s\" must be a list", field);
    c->names = rota_alloc_zero(env->alloc, json_array_size(list), sizeof(char *));
    c->metrics = rota_alloc_zero(env->alloc, json_array_size(list), sizeof(*c->metrics));
    if (c->names == NULL || c->metrics == NULL)
        return ROTA_ENOMEM;
    json_array_foreach (list, i, entry) {
        if (!json_is_string(entry))
            return rota_errinfo_set(info, ROTA_EPARSE, "\"%s\" must be a list of names", field);
        c->names[i] = rota_alloc_text(env->alloc, rota_slice(json_string_value(entry), json_string_length(entry)));
        if (c->names[i] == NULL)
            return ROTA_ENOMEM;
        c->metrics[c->n_metrics++] = rota_orca_metric(c->names[i]);
    }
    return 0;
}

static rota_err read_times(const json_t *object, struct rota_wrr_config *c, struct rota_errinfo *info)
{
    int64_t period_ns = 10 * S;
    bool out_of_band = false;
    rota_err err = rota_lb_json_bool(object, "enableOobLoadReport", &out_of_band, info);

    if (err == 0)
        err = rota_lb_json_duration(object, "oobReportingPeriod", &period_ns, info);
    if (out_of_band)
        c->report_ns = period_ns < 1 ? 1 : period_ns; /* the server has its own minimum */
    if (err == 0)
        err = rota_lb_json_duration(object, "blackoutPeriod", &c->blackout_ns, info);
    if (err == 0)
        err = rota_lb_json_duration(object, "weightExpirationPeriod", &c->expiration_ns, info);
    if (err == 0)
        err = rota_lb_json_duration(object, "weightUpdatePeriod", &c->update_ns, info);
    if (c->update_ns < UPDATE_MIN_NS)
        c->update_ns = UPDATE_MIN_NS;
    return err;
}

static rota_err read_config(const struct rota_lb_env *env, const json_t *object, void *config, struct rota_errinfo *info)
{
    struct rota_wrr_config *c = config;
    rota_err err;

    *c = (struct rota_wrr_config){.blackout_ns = 10 * S, .expiration_ns = 180 * S, .update_ns = S, .error_penalty = 1};
    err = read_times(object, c, info);
    if (err == 0)
        err = rota_lb_json_number(object, "errorUtilizationPenalty", &c->error_penalty, info);
    if (err == 0 && c->error_penalty < 0)
        err = rota_errinfo_set(info, ROTA_EPARSE, "\"errorUtilizationPenalty\" must not be negative");
    if (err == 0)
        err = rota_slow_start_read(object, &c->slow_start, info);
    return err < 0 ? err : read_names(env, object, c, info);
}

rota_err rota_wrr_parse(const struct rota_lb_env *env, struct rota_slice json, void **ret_config, struct rota_errinfo *info)
{
    return rota_lb_json_config(env, json, sizeof(struct rota_wrr_config), read_config, rota_wrr_free_config, ret_config, info);
}
