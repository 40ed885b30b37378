/* json_scalar.c - numbers and base64 as protobuf's JSON mapping takes them: liberally, but never losing a digit. */
#include "dynamic/json_read.h"

#include "wire/text.h"
#include <math.h>
#include <stdlib.h>

/* A number as JSON writes it, bare or in quotes; it ends in a zero. NULL: it is none. */
static const char *number_of(const struct rota_dyn_json *json)
{
    if (json->kind == ROTA_DYN_NUMBER)
        return (const char *)json->text.data;
    if (json->kind == ROTA_DYN_TEXT && json->text.size > 0 && rota_dyn_json_number_size(json->text) == json->text.size)
        return (const char *)json->text.data;
    return NULL;
}

bool rota_dyn_parse_real(const struct rota_dyn_json *json, bool is_float, double *ret_value)
{
    const char *number = number_of(json);

    if (number != NULL) {
        *ret_value = is_float ? (double)strtof(number, NULL) : strtod(number, NULL);
        return isfinite(*ret_value);
    }
    if (json->kind != ROTA_DYN_TEXT)
        return false;
    if (rota_slice_equal(json->text, ROTA_SLICE("NaN")))
        *ret_value = (double)NAN;
    else if (rota_slice_equal(json->text, ROTA_SLICE("Infinity")))
        *ret_value = (double)INFINITY;
    else if (rota_slice_equal(json->text, ROTA_SLICE("-Infinity")))
        *ret_value = -(double)INFINITY;
    else
        return false;
    return true;
}

static bool shift(uint64_t *value, int64_t digits, uint64_t add)
{
    for (; digits > 0; digits--)
        if (__builtin_mul_overflow(*value, (uint64_t)10, value))
            return false;
    return !__builtin_add_overflow(*value, add, value);
}

/* Zeros at the end wait in `zeros` until another digit follows, so that what 64 bits do not hold is either too large or has a fraction. */
static bool parse_whole(const char *number, uint64_t *ret_magnitude)
{
    int64_t zeros = 0, fraction = 0, exponent;
    uint64_t value = 0;
    bool point = false;

    for (number += *number == '-'; *number != '\0' && (*number | 0x20) != 'e'; number++) {
        if (*number == '.') {
            point = true;
            continue;
        }
        fraction += point;
        if (*number == '0') {
            zeros += value != 0;
            continue;
        }
        if (!shift(&value, zeros + 1, (uint64_t)(*number - '0')))
            return false;
        zeros = 0;
    }
    exponent = *number == '\0' ? 0 : strtoll(number + 1, NULL, 10);
    if (value != 0 && (exponent > INT32_MAX || exponent < fraction - zeros || !shift(&value, zeros - fraction + exponent, 0)))
        return false;
    *ret_magnitude = value;
    return true;
}

bool rota_dyn_parse_signed(const struct rota_dyn_json *json, int64_t low, int64_t high, int64_t *ret_value)
{
    const char *number = number_of(json);
    uint64_t magnitude;

    if (number == NULL || !parse_whole(number, &magnitude))
        return false;
    if (magnitude > (uint64_t)INT64_MAX + (number[0] == '-'))
        return false;
    *ret_value = (int64_t)(number[0] == '-' ? -magnitude : magnitude);
    return *ret_value >= low && *ret_value <= high;
}

bool rota_dyn_parse_unsigned(const struct rota_dyn_json *json, uint64_t high, uint64_t *ret_value)
{
    const char *number = number_of(json);

    return number != NULL && parse_whole(number, ret_value) && *ret_value <= high && (number[0] != '-' || *ret_value == 0);
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
