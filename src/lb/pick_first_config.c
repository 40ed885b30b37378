/* pick_first_config.c - pick_first's parameters. RFC 8305, section 8: 250 ms between attempts, never below 100 ms or above 2 s. */
#include "base/alloc.h"
#include "lb/config_json.h"
#include "lb/pick_first.h"

#define MS INT64_C(1000000)
#define DELAY_DEFAULT_NS (250 * MS)
#define DELAY_MIN_NS (100 * MS)
#define DELAY_MAX_NS (2000 * MS)

static rota_err read_fields(const json_t *object, struct rota_pick_first_config *config, struct rota_errinfo *info)
{
    rota_err err = rota_lb_json_bool(object, "shuffleAddressList", &config->shuffle, info);

    if (err == 0)
        err = rota_lb_json_duration(object, "connectionAttemptDelay", &config->attempt_delay_ns, info);
    if (config->attempt_delay_ns < DELAY_MIN_NS)
        config->attempt_delay_ns = DELAY_MIN_NS;
    if (config->attempt_delay_ns > DELAY_MAX_NS)
        config->attempt_delay_ns = DELAY_MAX_NS;
    return err;
}

rota_err rota_pick_first_parse(const struct rota_lb_env *env, struct rota_slice json, void **ret_config, struct rota_errinfo *info)
{
    struct rota_pick_first_config *config;
    json_t *object;
    rota_err err = rota_lb_json_load(json, &object, info);

    if (err < 0)
        return err;
    config = rota_alloc_zero(env->alloc, 1, sizeof(*config));
    if (config == NULL) {
        err = ROTA_ENOMEM;
    } else {
        config->attempt_delay_ns = DELAY_DEFAULT_NS;
        err = read_fields(object, config, info);
    }
    json_decref(object);
    if (err < 0)
        rota_alloc_free(env->alloc, config);
    else
        *ret_config = config;
    return err;
}

void rota_pick_first_free_config(const struct rota_lb_env *env, void *config)
{
    rota_alloc_free(env->alloc, config);
}
