/* json_read.c - members of JSON objects as numbers, texts and durations, or a sentence that names the member. */
#include "wire/json_read.h"
#include "base/errinfo.h"
#include "base/text.h"
#include <stdarg.h>
#include <stdio.h>

/* A number that no integer holds harms only who reads it: where there is one, all of them are read as floating point. */
static json_t *load(struct rota_slice text, json_error_t *error)
{
    const char *bytes = text.size == 0 ? "" : (const char *)text.data;
    json_t *json = json_loadb(bytes, text.size, JSON_REJECT_DUPLICATES, error);

    if (json == NULL && json_error_code(error) == json_error_numeric_overflow)
        json = json_loadb(bytes, text.size, JSON_REJECT_DUPLICATES | JSON_DECODE_INT_AS_REAL, error);
    return json;
}

rota_err rota_json_load(const char *what, struct rota_slice text, json_t **ret_json, struct rota_errinfo *info)
{
    json_error_t error;
    json_t *json = load(text, &error);

    if (json == NULL && json_error_code(&error) == json_error_out_of_memory)
        return rota_errinfo_set(info, ROTA_ENOMEM, "out of memory for %zu bytes of JSON", text.size);
    if (json == NULL)
        return rota_errinfo_set(info, ROTA_EPARSE, "%s is not JSON: line %d, column %d: %s", what, error.line, error.column, error.text);
    *ret_json = json;
    return 0;
}

/* --- The place --- */

size_t rota_json_enter(struct rota_json_reader *r, const char *key)
{
    size_t size = strlen(r->place);

    snprintf(r->place + size, sizeof(r->place) - size, "%s%s", size == 0 ? "" : ".", key);
    return size;
}

size_t rota_json_enter_index(struct rota_json_reader *r, size_t index)
{
    size_t size = strlen(r->place);

    snprintf(r->place + size, sizeof(r->place) - size, "[%zu]", index);
    return size;
}

void rota_json_leave(struct rota_json_reader *r, size_t mark)
{
    r->place[mark] = '\0';
}

rota_err rota_json_bad(struct rota_json_reader *r, const char *format, ...)
{
    char sentence[ROTA_ERRINFO_SIZE];
    va_list args;

    va_start(args, format);
    rota_text_format(sentence, sizeof(sentence), format, args);
    va_end(args);
    return rota_errinfo_set(r->info, ROTA_EPARSE, "%s%s%s", r->place, r->place[0] == '\0' ? "" : ": ", sentence);
}

rota_err rota_json_bad_member(struct rota_json_reader *r, const char *key, const char *sentence)
{
    size_t mark = rota_json_enter(r, key);
    rota_err err = rota_json_bad(r, "%s", sentence);

    rota_json_leave(r, mark);
    return err;
}

/* --- Members --- */

/* NULL when absent or null. */
static const json_t *member(const json_t *parent, const char *key)
{
    const json_t *json = json_object_get(parent, key);

    return json_is_null(json) ? NULL : json;
}

rota_err rota_json_object(struct rota_json_reader *r, const json_t *parent, const char *key, const json_t **ret_object)
{
    const json_t *json = member(parent, key);

    if (json == NULL)
        return 0;
    if (!json_is_object(json))
        return rota_json_bad_member(r, key, "expected an object");
    *ret_object = json;
    return 0;
}

rota_err rota_json_array(struct rota_json_reader *r, const json_t *parent, const char *key, const json_t **ret_array)
{
    const json_t *json = member(parent, key);

    if (json == NULL)
        return 0;
    if (!json_is_array(json))
        return rota_json_bad_member(r, key, "expected a list");
    *ret_array = json;
    return 0;
}

rota_err rota_json_text(struct rota_json_reader *r, const json_t *parent, const char *key, const char **ret_text)
{
    const json_t *json = member(parent, key);

    if (json == NULL)
        return 0;
    if (!json_is_string(json))
        return rota_json_bad_member(r, key, "expected a text");
    *ret_text = json_string_value(json);
    return 0;
}

rota_err rota_json_bool(struct rota_json_reader *r, const json_t *parent, const char *key, bool *ret_bool, bool *ret_seen)
{
    const json_t *json = member(parent, key);

    if (json == NULL)
        return 0;
    if (!json_is_boolean(json))
        return rota_json_bad_member(r, key, "expected true or false");
    *ret_bool = json_is_true(json);
    *ret_seen = true;
    return 0;
}

static bool parse_digits(const char *text, uint64_t *ret_number)
{
    uint64_t number = 0;

    if (*text == '\0')
        return false;
    for (; *text != '\0'; text++) {
        uint64_t digit = (uint64_t)*text - '0';

        if (*text < '0' || *text > '9' || number > (UINT64_MAX - digit) / 10)
            return false;
        number = number * 10 + digit;
    }
    *ret_number = number;
    return true;
}

/* A number, or the decimal text of one: in protobuf's JSON form they mean the same. */
static bool read_number(const json_t *json, double *ret_number)
{
    const char *text = json_string_value(json);

    if (!json_is_number(json))
        return text != NULL && rota_text_number(text, ret_number);
    *ret_number = json_number_value(json);
    return true;
}

static bool read_uint(const json_t *json, uint64_t *ret_number)
{
    double real;

    if (json_is_string(json) && parse_digits(json_string_value(json), ret_number))
        return true;
    if (json_is_integer(json)) {
        *ret_number = (uint64_t)json_integer_value(json);
        return json_integer_value(json) >= 0;
    }
    if (!read_number(json, &real) || !(real >= 0 && real < 9e15) || real != (double)(uint64_t)real)
        return false;
    *ret_number = (uint64_t)real;
    return true;
}

rota_err rota_json_uint(struct rota_json_reader *r, const json_t *parent, const char *key, uint64_t max, uint64_t *ret_number, bool *ret_seen)
{
    const json_t *json = member(parent, key);
    uint64_t number;

    if (json == NULL)
        return 0;
    if (!read_uint(json, &number) || number > max)
        return rota_json_bad_member(r, key, max == UINT32_MAX ? "expected a whole number from 0 to 4294967295" : "expected a whole number, not negative");
    *ret_number = number;
    *ret_seen = true;
    return 0;
}

rota_err rota_json_double(struct rota_json_reader *r, const json_t *parent, const char *key, double *ret_number, bool *ret_seen)
{
    const json_t *json = member(parent, key);

    if (json == NULL)
        return 0;
    if (!read_number(json, ret_number))
        return rota_json_bad_member(r, key, "expected a number");
    *ret_seen = true;
    return 0;
}

/* --- Durations --- */

#define NS_PER_S INT64_C(1000000000)
#define DURATION_MAX_S UINT64_C(315576000000) /* protobuf's: about 10,000 years */

static bool parse_duration(const char *text, int64_t *ret_ns)
{
    uint64_t seconds = 0;
    int64_t ns = 0, unit = NS_PER_S;
    size_t n_digits = 0;

    for (; *text >= '0' && *text <= '9'; text++, n_digits++) {
        seconds = seconds * 10 + (uint64_t)(*text - '0');
        if (seconds > DURATION_MAX_S)
            return false;
    }
    if (n_digits == 0)
        return false;
    if (*text == '.') {
        for (text++; *text >= '0' && *text <= '9' && unit > 1; text++) {
            unit /= 10;
            ns += (*text - '0') * unit;
        }
        if (unit == NS_PER_S)
            return false;
    }
    if (strcmp(text, "s") != 0)
        return false;
    *ret_ns = seconds > (uint64_t)(INT64_MAX / NS_PER_S) - 1 ? INT64_MAX : (int64_t)seconds * NS_PER_S + ns;
    return true;
}

rota_err rota_json_duration(struct rota_json_reader *r, const json_t *parent, const char *key, int64_t *ret_ns, bool *ret_seen)
{
    const json_t *json = member(parent, key);

    if (json == NULL)
        return 0;
    if (!json_is_string(json) || !parse_duration(json_string_value(json), ret_ns))
        return rota_json_bad_member(r, key, "expected a duration as in \"1.5s\", not negative");
    *ret_seen = true;
    return 0;
}
