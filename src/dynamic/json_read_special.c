/* json_read_special.c - Timestamp (RFC 3339, with capital letters only), Duration, FieldMask and Any from JSON. */
#include "dynamic/json_read.h"

#include "base/alloc.h"

#define MAX_DURATION_S INT64_C(315576000000)
#define MIN_TIMESTAMP_S INT64_C(-62135596800)
#define MAX_TIMESTAMP_S INT64_C(253402300799)

/* Seconds and nanoseconds, as both messages have them; zeros are left out. */
static rota_err add_two(struct rota_dyn_reader *r, int64_t seconds, int32_t nanos)
{
    rota_err err = 0;

    if (seconds != 0)
        err = rota_dyn_add_varint(r, 1 << 3);
    if (err == 0 && seconds != 0)
        err = rota_dyn_add_varint(r, (uint64_t)seconds);
    if (err == 0 && nanos != 0)
        err = rota_dyn_add_varint(r, 2 << 3);
    if (err == 0 && nanos != 0)
        err = rota_dyn_add_varint(r, (uint64_t)(int64_t)nanos);
    return err;
}

/* Exactly `digits` of them. */
static bool take_digits(const char **at, int digits, int *ret_number)
{
    int number = 0;

    for (int i = 0; i < digits; i++) {
        if (**at < '0' || **at > '9')
            return false;
        number = number * 10 + (*(*at)++ - '0');
    }
    *ret_number = number;
    return true;
}

static bool take_char(const char **at, const char *one_of)
{
    if (**at == '\0' || strchr(one_of, **at) == NULL)
        return false;
    (*at)++;
    return true;
}

/* ".5" to 9 digits, or nothing. */
static bool take_fraction(const char **at, int32_t *ret_nanos)
{
    int32_t nanos = 0, unit = 100000000;

    *ret_nanos = 0;
    if (**at != '.')
        return true;
    (*at)++;
    if (**at < '0' || **at > '9')
        return false;
    for (; **at >= '0' && **at <= '9'; (*at)++, unit /= 10) {
        if (unit == 0)
            return false;
        nanos += (**at - '0') * unit;
    }
    *ret_nanos = nanos;
    return true;
}

/* "Z", "+01:00", "-08:30": seconds east of UTC. */
static bool take_offset(const char **at, int *ret_offset_s)
{
    int sign = **at == '-' ? -1 : 1, hours, minutes;

    *ret_offset_s = 0;
    if (take_char(at, "Z"))
        return true;
    if (!take_char(at, "+-") || !take_digits(at, 2, &hours) || !take_char(at, ":") || !take_digits(at, 2, &minutes) || hours > 23 || minutes > 59)
        return false;
    *ret_offset_s = sign * (hours * 3600 + minutes * 60);
    return true;
}

static bool is_leap(int year)
{
    return (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
}

static int days_in(int year, int month)
{
    static const int days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};

    return month == 2 && is_leap(year) ? 29 : days[month - 1];
}

static int64_t days_since_1970(int year, int month, int day)
{
    int64_t before = (int64_t)year - 1, days = before * 365 + before / 4 - before / 100 + before / 400;

    for (int i = 1; i < month; i++)
        days += days_in(year, i);
    return days + day - 1 - 719162;
}

static bool take_date(const char **at, int64_t *ret_days)
{
    int year, month, day;

    if (!take_digits(at, 4, &year) || !take_char(at, "-") || !take_digits(at, 2, &month) || !take_char(at, "-") || !take_digits(at, 2, &day))
        return false;
    if (year < 1 || month < 1 || month > 12 || day < 1 || day > days_in(year, month))
        return false;
    *ret_days = days_since_1970(year, month, day);
    return true;
}

static bool take_clock(const char **at, int *ret_seconds)
{
    int hour, minute, second;

    if (!take_digits(at, 2, &hour) || !take_char(at, ":") || !take_digits(at, 2, &minute) || !take_char(at, ":") || !take_digits(at, 2, &second))
        return false;
    *ret_seconds = hour * 3600 + minute * 60 + second;
    return hour < 24 && minute < 60 && second < 60;
}

static rota_err read_timestamp(struct rota_dyn_reader *r, const char *text)
{
    int clock_s = 0, offset_s = 0;
    int64_t days = 0, seconds;
    int32_t nanos = 0;
    bool ok = take_date(&text, &days) && take_char(&text, "T") && take_clock(&text, &clock_s) && take_fraction(&text, &nanos) &&
              take_offset(&text, &offset_s) && *text == '\0';

    seconds = days * 86400 + clock_s - offset_s;
    if (!ok || seconds < MIN_TIMESTAMP_S || seconds > MAX_TIMESTAMP_S)
        return rota_json_bad(&r->place, "expected a time as in \"2006-01-02T15:04:05.5Z\"");
    return add_two(r, seconds, nanos);
}

static rota_err read_duration(struct rota_dyn_reader *r, const char *text)
{
    bool negative = text[0] == '-', ok;
    int64_t seconds = 0;
    int32_t nanos = 0;

    text += negative;
    ok = *text >= '0' && *text <= '9';
    for (; *text >= '0' && *text <= '9' && seconds <= MAX_DURATION_S; text++)
        seconds = seconds * 10 + (*text - '0');
    ok = ok && take_fraction(&text, &nanos) && strcmp(text, "s") == 0 && seconds <= MAX_DURATION_S;
    if (!ok)
        return rota_json_bad(&r->place, "expected a duration as in \"1.5s\"");
    return add_two(r, negative ? -seconds : seconds, negative ? -nanos : nanos);
}

static bool is_plain_path(struct rota_slice path)
{
    for (size_t i = 0; i < path.size; i++) {
        uint8_t c = path.data[i], lower = c | 0x20;
        if (!(lower >= 'a' && lower <= 'z') && !(c >= '0' && c <= '9') && c != '.')
            return false;
    }
    return path.size > 0;
}

/* fooBar.baz is "foo_bar.baz". */
static rota_err add_path(struct rota_dyn_reader *r, struct rota_slice path)
{
    size_t size = 0;
    uint8_t *snake = rota_alloc_get(r->alloc, 2 * path.size);
    rota_err err;

    if (snake == NULL)
        return rota_dyn_no_memory(r);
    for (size_t i = 0; i < path.size; i++) {
        uint8_t c = path.data[i];
        if (c >= 'A' && c <= 'Z') {
            snake[size++] = '_';
            c = (uint8_t)(c - 'A' + 'a');
        }
        snake[size++] = c;
    }
    err = is_plain_path(path) ? rota_dyn_add_bytes(r, 1, rota_slice(snake, size)) : rota_json_bad(&r->place, "expected names as in fooBar.baz");
    rota_alloc_free(r->alloc, snake);
    return err;
}

static rota_err read_field_mask(struct rota_dyn_reader *r, const char *text)
{
    bool more = *text != '\0';
    rota_err err = 0;

    while (err == 0 && more) {
        size_t size = strcspn(text, ",");

        err = add_path(r, rota_slice(text, size));
        more = text[size] == ',';
        text += size + more;
    }
    return err;
}

/* --- Any --- */

static rota_err read_unknown_any(struct rota_dyn_reader *r, const char *url, const struct rota_dyn_json *object)
{
    const struct rota_dyn_json *value = rota_dyn_json_get(object, "value");
    uint8_t *bytes;
    size_t size;
    rota_err err;

    if (value == NULL || value->kind != ROTA_DYN_TEXT || object->n != 2)
        return rota_json_bad(&r->place, "no type %s is known here; its bytes may be given as \"value\", in base64", url);
    bytes = rota_alloc_get(r->alloc, value->text.size);
    if (bytes == NULL)
        return rota_dyn_no_memory(r);
    if (rota_dyn_parse_base64(value->text, bytes, &size))
        err = rota_dyn_add_bytes(r, 2, rota_slice(bytes, size));
    else
        err = rota_json_bad_member(&r->place, "value", "expected bytes in base64");
    rota_alloc_free(r->alloc, bytes);
    return err;
}

static rota_err read_any(struct rota_dyn_reader *r, const struct rota_dyn_json *object)
{
    const struct rota_dyn_json *json_url = rota_dyn_json_get(object, "@type");
    struct rota_slice url = json_url != NULL && json_url->kind == ROTA_DYN_TEXT ? json_url->text : rota_slice(NULL, 0);
    const struct rota_dyn_message *type = rota_pool_any_type(r->pool, url);
    size_t start;
    rota_err err;

    if (object->n == 0)
        return 0;
    if (url.size == 0 || memchr(url.data, '/', url.size) == NULL)
        return rota_json_bad_member(&r->place, "@type", "expected a text as in \"type.googleapis.com/package.Message\"");
    err = rota_dyn_add_bytes(r, 1, url);
    if (err < 0)
        return err;
    if (type == NULL)
        return read_unknown_any(r, (const char *)url.data, object);
    start = rota_dyn_begin(r);
    if (type->special == ROTA_DYN_PLAIN)
        err = rota_dyn_read_members(r, type, object, "@type");
    else if (object->n != 2 || rota_dyn_json_get(object, "value") == NULL)
        err = rota_json_bad(&r->place, "expected \"value\" beside \"@type\" and nothing else");
    else
        err = rota_dyn_read_message(r, type, rota_dyn_json_get(object, "value"));
    return err < 0 ? err : rota_dyn_end(r, start, 2);
}

rota_err rota_dyn_read_special(struct rota_dyn_reader *r, const struct rota_dyn_message *type, const struct rota_dyn_json *json)
{
    const char *text = (const char *)json->text.data;

    if (type->special == ROTA_DYN_ANY)
        return json->kind == ROTA_DYN_OBJECT ? read_any(r, json) : rota_json_bad(&r->place, "expected an object with an \"@type\"");
    if (json->kind != ROTA_DYN_TEXT || strlen(text) != json->text.size)
        return rota_json_bad(&r->place, "expected a text");
    switch (type->special) {
    case ROTA_DYN_TIMESTAMP: return read_timestamp(r, text);
    case ROTA_DYN_DURATION: return read_duration(r, text);
    default: return read_field_mask(r, text);
    }
}
