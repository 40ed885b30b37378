/* json_write_special.c - Timestamp, Duration, FieldMask, Any and the wrappers as JSON text. */
#include "dynamic/json_write.h"

#include "base/errinfo.h"
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#define NS_PER_S 1000000000
#define MIN_TIMESTAMP_S INT64_C(-62135596800) /* 0001-01-01 */
#define MAX_TIMESTAMP_S INT64_C(253402300799) /* 9999-12-31 23:59:59 */
#define MAX_DURATION_S INT64_C(315576000000)

/* The last field of each of the two numbers that such types have. */
static rota_err read_two(struct rota_dyn_writer *w, const struct rota_dyn_message *type, struct rota_slice in, struct rota_pb *ret_two)
{
    ret_two[0] = ret_two[1] = (struct rota_pb){0};
    while (in.size > 0) {
        const struct rota_dyn_field *field;
        struct rota_pb at;

        if (!rota_pb_take_grouped(&in, &at))
            return rota_errinfo_set(w->info, ROTA_EPARSE, "%s: malformed or cut off", type->name);
        field = rota_dyn_field_numbered(type, at.number);
        if (field != NULL && at.wire == rota_dyn_wire_of(field->type))
            ret_two[at.number - 1] = at;
    }
    return 0;
}

/* ".5", ".250", ...: none, 3, 6 or 9 digits. */
static void format_fraction(char *out, size_t size, uint32_t nanos)
{
    if (nanos == 0)
        out[0] = '\0';
    else if (nanos % 1000000 == 0)
        snprintf(out, size, ".%03" PRIu32, nanos / 1000000);
    else if (nanos % 1000 == 0)
        snprintf(out, size, ".%06" PRIu32, nanos / 1000);
    else
        snprintf(out, size, ".%09" PRIu32, nanos);
}

/* Days since 1970-01-01 as a date of the proleptic Gregorian calendar: counted in years that begin in March, so that the leap
 * day is the last; 400 years are 146097 days. */
static void date_of(int64_t days, int *ret_year, int *ret_month, int *ret_day)
{
    int64_t since = days + 719468, era = (since >= 0 ? since : since - 146096) / 146097, day = since - era * 146097;
    int64_t year = (day - day / 1460 + day / 36524 - day / 146096) / 365, in_year = day - (365 * year + year / 4 - year / 100);
    int64_t month = (5 * in_year + 2) / 153;

    *ret_day = (int)(in_year - (153 * month + 2) / 5 + 1);
    *ret_month = (int)(month < 10 ? month + 3 : month - 9);
    *ret_year = (int)(year + era * 400 + (*ret_month <= 2));
}

static rota_err put_timestamp(struct rota_dyn_writer *w, int64_t seconds, int32_t nanos)
{
    int year, month, day, clock;
    char fraction[16], text[64];
    int64_t days;

    if (seconds < MIN_TIMESTAMP_S || seconds > MAX_TIMESTAMP_S || nanos < 0 || nanos >= NS_PER_S)
        return rota_errinfo_set(w->info, ROTA_EPARSE, "a Timestamp outside the years 1 to 9999");
    days = (seconds >= 0 ? seconds : seconds - 86399) / 86400;
    clock = (int)(seconds - days * 86400);
    date_of(days, &year, &month, &day);
    format_fraction(fraction, sizeof(fraction), (uint32_t)nanos);
    snprintf(text, sizeof(text), "\"%04d-%02d-%02dT%02d:%02d:%02d%sZ\"", year, month, day, clock / 3600, clock / 60 % 60, clock % 60, fraction);
    return rota_dyn_put(w, text);
}

static rota_err put_duration(struct rota_dyn_writer *w, int64_t seconds, int32_t nanos)
{
    bool mixed = (seconds < 0 && nanos > 0) || (seconds > 0 && nanos < 0), negative = seconds < 0 || nanos < 0;
    char fraction[16], text[48];

    if (seconds < -MAX_DURATION_S || seconds > MAX_DURATION_S || nanos <= -NS_PER_S || nanos >= NS_PER_S || mixed)
        return rota_errinfo_set(w->info, ROTA_EPARSE, "a Duration out of range");
    format_fraction(fraction, sizeof(fraction), (uint32_t)abs(nanos));
    snprintf(text, sizeof(text), "\"%s%" PRId64 "%ss\"", negative ? "-" : "", seconds < 0 ? -seconds : seconds, fraction);
    return rota_dyn_put(w, text);
}

/* Lower case, digits, dots, and underscores with a letter behind: what comes back from JSON as it was. */
static bool is_plain_path(struct rota_slice path)
{
    bool letter_next = false;

    for (size_t i = 0; i < path.size; i++) {
        uint8_t c = path.data[i];
        bool letter = c >= 'a' && c <= 'z';

        if (!letter && (letter_next || !(c == '_' || c == '.' || (c >= '0' && c <= '9'))))
            return false;
        letter_next = c == '_';
    }
    return path.size > 0 && !letter_next;
}

/* "foo_bar.baz" is fooBar.baz. */
static rota_err put_path(struct rota_dyn_writer *w, struct rota_slice path)
{
    char one[2] = {0};
    rota_err err = 0;

    if (!is_plain_path(path))
        return rota_errinfo_set(w->info, ROTA_EPARSE, "a FieldMask's path that has no form in JSON");
    for (size_t i = 0; err == 0 && i < path.size; i++) {
        uint8_t c = path.data[i];
        bool up = i > 0 && path.data[i - 1] == '_';

        if (c == '_')
            continue;
        one[0] = (char)(up ? c - 'a' + 'A' : c);
        err = rota_dyn_put(w, one);
    }
    return err;
}

static rota_err put_field_mask(struct rota_dyn_writer *w, const struct rota_dyn_message *type, struct rota_slice in)
{
    rota_err err = rota_dyn_put(w, "\"");
    bool first = true;

    while (err == 0 && in.size > 0) {
        struct rota_pb at;

        if (!rota_pb_take_grouped(&in, &at))
            return rota_errinfo_set(w->info, ROTA_EPARSE, "%s: malformed or cut off", type->name);
        if (at.number != 1 || at.wire != ROTA_PB_BYTES)
            continue;
        if (!first)
            err = rota_dyn_put(w, ",");
        first = false;
        if (err == 0)
            err = put_path(w, at.bytes);
    }
    return err < 0 ? err : rota_dyn_put(w, "\"");
}

static rota_err put_any(struct rota_dyn_writer *w, struct rota_slice url, struct rota_slice bytes)
{
    const struct rota_dyn_message *type = rota_pool_any_type(w->pool, url);
    bool first = false;
    rota_err err;

    if (url.size == 0 && bytes.size == 0)
        return rota_dyn_put(w, "{}");
    err = rota_dyn_put(w, "{\"@type\":");
    if (err == 0)
        err = rota_dyn_put_text(w, url);
    if (err == 0 && type != NULL && type->special == ROTA_DYN_PLAIN) {
        err = rota_dyn_write_members(w, type, bytes, &first);
    } else if (err == 0) {
        err = rota_dyn_put(w, ",\"value\":");
        if (err == 0)
            err = type == NULL ? rota_dyn_put_bytes(w, bytes) : rota_dyn_write_message(w, type, bytes);
    }
    return err < 0 ? err : rota_dyn_put(w, "}");
}

rota_err rota_dyn_write_special(struct rota_dyn_writer *w, const struct rota_dyn_message *type, struct rota_slice bytes)
{
    struct rota_pb two[2];
    rota_err err;

    if (type->special == ROTA_DYN_FIELD_MASK)
        return put_field_mask(w, type, bytes);
    err = read_two(w, type, bytes, two);
    if (err < 0)
        return err;
    switch (type->special) {
    case ROTA_DYN_TIMESTAMP: return put_timestamp(w, (int64_t)two[0].value, (int32_t)two[1].value);
    case ROTA_DYN_DURATION: return put_duration(w, (int64_t)two[0].value, (int32_t)two[1].value);
    case ROTA_DYN_ANY: return put_any(w, two[0].bytes, two[1].bytes);
    default: return rota_dyn_write_scalar(w, &type->fields[0], &two[0]);
    }
}
