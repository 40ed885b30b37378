/* config_json.c - reading fields of a policy's JSON object. */
#include "lb/config_json.h"
#include "base/errinfo.h"

#define NS_PER_S INT64_C(1000000000)
#define DURATION_MAX_S INT64_C(9000000000) /* below what int64 nanoseconds hold */

rota_err rota_lb_json_load(struct rota_slice json, json_t **ret_object, struct rota_errinfo *info)
{
    json_error_t error;
    json_t *value = json_loadb((const char *)json.data, json.size, JSON_REJECT_DUPLICATES, &error);

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

    if (digits(&text, 11, &seconds) == 0 || seconds > DURATION_MAX_S)
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
    *ret_ns = seconds * NS_PER_S + fraction;
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
