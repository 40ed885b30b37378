/* config_json.c - reading fields of a policy's JSON object. */
#include "lb/config_json.h"
#include "base/alloc.h"
#include "base/errinfo.h"
#include "base/text.h"
#include <math.h>

#define NS_PER_S INT64_C(1000000000)
#define DURATION_MAX_S INT64_C(315576000000) /* protobuf's: about 10,000 years */
#define LONGEST_S INT64_C(9000000000)        /* longer ones count as this; a time of today and it fit into int64 nanoseconds */

json_t *rota_lb_json_parse(struct rota_slice text, json_error_t *error)
{
    json_t *json = json_loadb((const char *)text.data, text.size, JSON_REJECT_DUPLICATES, error);

    if (json == NULL && json_error_code(error) == json_error_numeric_overflow)
        json = json_loadb((const char *)text.data, text.size, JSON_REJECT_DUPLICATES | JSON_DECODE_INT_AS_REAL, error);
    return json;
}

rota_err rota_lb_json_load(struct rota_slice json, json_t **ret_object, struct rota_errinfo *info)
{
    json_error_t error;
    json_t *value = rota_lb_json_parse(json, &error);

    if (value == NULL && json_error_code(&error) == json_error_out_of_memory)
        return ROTA_ENOMEM;
    if (value == NULL)
        return rota_errinfo_set(info, ROTA_EPARSE, "not JSON: %s (line %d, column %d)", error.text, error.line, error.column);
    if (!json_is_object(value)) {
        json_decref(value);
        return rota_errinfo_set(info, ROTA_EPARSE, "expected a JSON object");
    }
    *ret_object = value;
    return 0;
}

rota_err rota_lb_json_bool(const json_t *object, const char *field, bool *ret_value, struct rota_errinfo *info)
{
    const json_t *value = json_object_get(object, field);

    if (value == NULL || json_is_null(value))
        return 0;
    if (!json_is_boolean(value))
        return rota_errinfo_set(info, ROTA_EPARSE, "\"%s\" must be true or false", field);
    *ret_value = json_is_true(value);
    return 0;
}

/* Digits at *at, at most `max` of them, as a number; *at is moved behind them. Returns how many. */
static int digits(const char **at, int max, int64_t *ret_number)
{
    int count = 0;

    for (*ret_number = 0; count < max && **at >= '0' && **at <= '9'; count++)
        *ret_number = *ret_number * 10 + (*(*at)++ - '0');
    return count;
}

static bool parse_duration(const char *text, int64_t *ret_ns)
{
    int64_t seconds, fraction = 0;
    int count;

    if (digits(&text, 18, &seconds) == 0 || seconds > DURATION_MAX_S)
        return false;
    if (*text == '.') {
        text++;
        count = digits(&text, 9, &fraction);
        if (count == 0)
            return false;
        for (; count < 9; count++)
            fraction *= 10;
    }
    if (text[0] != 's' || text[1] != '\0')
        return false;
    *ret_ns = seconds < LONGEST_S ? seconds * NS_PER_S + fraction : LONGEST_S * NS_PER_S;
    return true;
}

rota_err rota_lb_json_duration(const json_t *object, const char *field, int64_t *ret_ns, struct rota_errinfo *info)
{
    const json_t *value = json_object_get(object, field);

    if (value == NULL || json_is_null(value))
        return 0;
    if (!json_is_string(value) || !parse_duration(json_string_value(value), ret_ns))
        return rota_errinfo_set(info, ROTA_EPARSE, "\"%s\" must be a duration like \"1.5s\"", field);
    return 0;
}

/* False for what is neither a number nor the decimal text of one. */
static bool number_of(const json_t *value, double *ret_number)
{
    const char *text = json_string_value(value);

    if (!json_is_number(value))
        return text != NULL && rota_text_number(text, ret_number);
    *ret_number = json_number_value(value);
    return true;
}

rota_err rota_lb_json_u32(const json_t *object, const char *field, uint32_t *ret_value, struct rota_errinfo *info)
{
    const json_t *value = json_object_get(object, field);
    double number;

    if (value == NULL || json_is_null(value))
        return 0;
    if (!number_of(value, &number) || !(number >= 0 && number <= UINT32_MAX) || number != floor(number))
        return rota_errinfo_set(info, ROTA_EPARSE, "\"%s\" must be a whole number from 0 to 4294967295", field);
    *ret_value = (uint32_t)number;
    return 0;
}

rota_err rota_lb_json_number(const json_t *object, const char *field, double *ret_value, struct rota_errinfo *info)
{
    const json_t *value = json_object_get(object, field);
    double number;

    if (value == NULL || json_is_null(value))
        return 0;
    if (!number_of(value, &number))
        return rota_errinfo_set(info, ROTA_EPARSE, "\"%s\" must be a number", field);
    *ret_value = number;
    return 0;
}

rota_err rota_lb_json_text(const json_t *object, const char *field, const char **ret_text, struct rota_errinfo *info)
{
    const json_t *value = json_object_get(object, field);

    if (value == NULL || json_is_null(value))
        return 0;
    if (!json_is_string(value))
        return rota_errinfo_set(info, ROTA_EPARSE, "\"%s\" must be text", field);
    *ret_text = json_string_value(value);
    return 0;
}

rota_err rota_lb_json_object(const json_t *object, const char *field, const json_t **ret_object, struct rota_errinfo *info)
{
    const json_t *value = json_object_get(object, field);

    if (value == NULL || json_is_null(value))
        return 0;
    if (!json_is_object(value))
        return rota_errinfo_set(info, ROTA_EPARSE, "\"%s\" must be an object", field);
    *ret_object = value;
    return 0;
}

rota_err rota_lb_json_config(const struct rota_lb_env *env, struct rota_slice json, size_t size_bytes,
                             rota_err (*read)(const struct rota_lb_env *env, const json_t *object, void *config, struct rota_errinfo *info),
                             void (*free_config)(const struct rota_lb_env *env, void *config), void **ret_config, struct rota_errinfo *info)
{
    void *config;
    json_t *object;
    rota_err err = rota_lb_json_load(json, &object, info);

    if (err < 0)
        return err;
    config = rota_alloc_zero(env->alloc, 1, size_bytes);
    err = config == NULL ? ROTA_ENOMEM : read(env, object, config, info);
    json_decref(object);
    if (err == 0)
        *ret_config = config;
    else if (config != NULL)
        free_config(env, config);
    return err;
}

void rota_lb_json_config_free(const struct rota_lb_env *env, void *config)
{
    rota_alloc_free(env->alloc, config);
}
