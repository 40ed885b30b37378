/* json_scalar.c - numbers and base64 as protobuf's JSON mapping takes them: liberally, but never losing a digit. */
#include "dynamic/json_read.h"

#include "wire/text.h"
#include <errno.h>
#include <math.h>
#include <stdlib.h>

#define TWO_63 9223372036854775808.0
#define TWO_64 18446744073709551616.0

/* Starts with a digit or a sign, as strtod's "inf", "0x" and leading blanks do not. */
static bool looks_numeric(const char *text, size_t size)
{
    size_t i = text[0] == '-';

    if (strlen(text) != size || text[i] < '0' || text[i] > '9')
        return false;
    return strspn(text + i, "0123456789.eE+-") == size - i;
}

static bool parse_text_real(const json_t *json, double *ret_value)
{
    const char *text = json_string_value(json);
    char *end;

    if (!looks_numeric(text, json_string_length(json)))
        return false;
    errno = 0;
    *ret_value = strtod(text, &end);
    return *end == '\0' && (errno == 0 || fabs(*ret_value) < 1);
}

bool rota_dyn_parse_real(const json_t *json, double *ret_value)
{
    const char *text = json_string_value(json);

    if (json_is_number(json)) {
        *ret_value = json_number_value(json);
        return true;
    }
    if (text == NULL)
        return false;
    if (strcmp(text, "NaN") == 0)
        *ret_value = (double)NAN;
    else if (strcmp(text, "Infinity") == 0 || strcmp(text, "-Infinity") == 0)
        *ret_value = text[0] == '-' ? -(double)INFINITY : (double)INFINITY;
    else
        return parse_text_real(json, ret_value);
    return true;
}

/* The whole number of a JSON number or text with a fraction or exponent. */
static bool parse_whole_real(const json_t *json, double low, double below, double *ret_value)
{
    double value;

    if (json_is_real(json))
        value = json_real_value(json);
    else if (!json_is_string(json) || !parse_text_real(json, &value))
        return false;
    if (!(value >= low && value < below) || value != floor(value))
        return false;
    *ret_value = value;
    return true;
}

/* Digits alone, which strtoll takes exactly. */
static bool is_digits(const json_t *json)
{
    const char *text = json_string_value(json);
    size_t i = text != NULL && text[0] == '-', size = json_string_length(json);

    return text != NULL && size > i && strlen(text) == size && strspn(text + i, "0123456789") == size - i;
}

bool rota_dyn_parse_signed(const json_t *json, int64_t low, int64_t high, int64_t *ret_value)
{
    double real;
    int64_t value;

    if (json_is_integer(json)) {
        value = json_integer_value(json);
    } else if (is_digits(json)) {
        errno = 0;
        value = strtoll(json_string_value(json), NULL, 10);
        if (errno != 0)
            return false;
    } else if (parse_whole_real(json, -TWO_63, TWO_63, &real)) {
        value = (int64_t)real;
    } else {
        return false;
    }
    *ret_value = value;
    return value >= low && value <= high;
}

bool rota_dyn_parse_unsigned(const json_t *json, uint64_t high, uint64_t *ret_value)
{
    double real;
    uint64_t value;

    if (json_is_integer(json)) {
        if (json_integer_value(json) < 0)
            return false;
        value = (uint64_t)json_integer_value(json);
    } else if (is_digits(json) && json_string_value(json)[0] != '-') {
        errno = 0;
        value = strtoull(json_string_value(json), NULL, 10);
        if (errno != 0)
            return false;
    } else if (parse_whole_real(json, 0, TWO_64, &real)) {
        value = (uint64_t)real;
    } else {
        return false;
    }
    *ret_value = value;
    return value <= high;
}

bool rota_dyn_parse_base64(struct rota_slice text, uint8_t *out, size_t *ret_size)
{
    uint8_t four[4], three[6];
    size_t size = 0;

    for (size_t i = 0; i < text.size; i += 4) {
        size_t n = text.size - i < 4 ? text.size - i : 4, got;

        for (size_t k = 0; k < n; k++) {
            uint8_t c = text.data[i + k];
            four[k] = c == '-' ? '+' : c == '_' ? '/' : c;
        }
        if (rota_base64_decode(rota_slice(four, n), three, &got) < 0 || (got < 3 && i + n < text.size))
            return false;
        memcpy(out + size, three, got);
        size += got;
    }
    *ret_size = size;
    return true;
}
