/* words.c - contract in words.h. Numbers are read by hand: strtod follows the locale. */
#include "sim/words.h"
#include "base/assert.h"
#include "base/errinfo.h"
#include <stdarg.h>
#include <stdio.h>

#define SHOWN(slice) (int)((slice).size < 60 ? (slice).size : 60), (const char *)(slice).data

rota_err rota_sim_bad(struct rota_sim_words *words, const char *format, ...)
{
    char text[300];
    va_list args;

    va_start(args, format);
    vsnprintf(text, sizeof(text), format, args);
    va_end(args);
    return rota_errinfo_set(words->info, ROTA_EPARSE, "%s: %s", words->place, text);
}

static bool is_blank(uint8_t c)
{
    return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

static void skip_blanks(struct rota_sim_words *words)
{
    while (words->rest.size > 0 && is_blank(words->rest.data[0])) {
        words->rest.data++;
        words->rest.size--;
    }
}

struct rota_slice rota_sim_peek(struct rota_sim_words *words)
{
    size_t size = 0;

    skip_blanks(words);
    while (size < words->rest.size && !is_blank(words->rest.data[size]))
        size++;
    return rota_slice(words->rest.data, size);
}

static void drop(struct rota_sim_words *words, size_t size)
{
    words->rest.data += size;
    words->rest.size -= size;
}

bool rota_sim_words_end(struct rota_sim_words *words)
{
    return rota_sim_peek(words).size == 0;
}

struct rota_slice rota_sim_rest(struct rota_sim_words *words)
{
    struct rota_slice rest;

    skip_blanks(words);
    rest = words->rest;
    while (rest.size > 0 && is_blank(rest.data[rest.size - 1]))
        rest.size--;
    words->rest.size = 0;
    return rest;
}

bool rota_sim_take(struct rota_sim_words *words, const char *word)
{
    struct rota_slice next = rota_sim_peek(words);

    if (!rota_slice_equal(next, rota_slice_str(word)))
        return false;
    drop(words, next.size);
    return true;
}

rota_err rota_sim_word(struct rota_sim_words *words, const char *what, struct rota_slice *ret_word)
{
    struct rota_slice word = rota_sim_peek(words);

    if (word.size == 0)
        return rota_sim_bad(words, "%s is missing", what);
    drop(words, word.size);
    *ret_word = word;
    return 0;
}

rota_err rota_sim_end(struct rota_sim_words *words)
{
    struct rota_slice rest = rota_sim_peek(words);

    return rest.size == 0 ? 0 : rota_sim_bad(words, "\"%.*s\" is not expected here", SHOWN(rest));
}

bool rota_sim_split_number(struct rota_slice word, double *ret_number, struct rota_slice *ret_unit)
{
    uint64_t digits = 0, scale = 1;
    bool point = false;
    size_t i = 0, n_digits = 0;

    for (; i < word.size && n_digits < 18; i++) {
        uint8_t c = word.data[i];
        if (c >= '0' && c <= '9') {
            digits = digits * 10 + (c - '0');
            scale *= point ? 10 : 1;
            n_digits++;
        } else if (c == '.' && !point) {
            point = true;
        } else {
            break;
        }
    }
    if (n_digits == 0)
        return false;
    *ret_number = (double)digits / (double)scale;
    *ret_unit = rota_slice(word.data + i, word.size - i);
    return true;
}

rota_err rota_sim_number(struct rota_sim_words *words, const char *what, double low, double high, double *ret_number)
{
    struct rota_slice word = {0}, unit;
    double number;
    rota_err err = rota_sim_word(words, what, &word);

    if (err < 0)
        return err;
    if (!rota_sim_split_number(word, &number, &unit) || unit.size > 0 || number < low || number > high)
        return rota_sim_bad(words, "%s is \"%.*s\"; expected a number from %g to %g", what, SHOWN(word), low, high);
    *ret_number = number;
    return 0;
}

rota_err rota_sim_uint(struct rota_sim_words *words, const char *what, uint64_t low, uint64_t high, uint64_t *ret_number)
{
    struct rota_slice word = {0}, unit;
    double number;
    rota_err err = rota_sim_word(words, what, &word);

    if (err < 0)
        return err;
    if (!rota_sim_split_number(word, &number, &unit) || unit.size > 0 || number < (double)low || number > (double)high ||
        (double)(uint64_t)number != number)
        return rota_sim_bad(words, "%s is \"%.*s\"; expected a whole number from %llu to %llu", what, SHOWN(word), (unsigned long long)low,
                            (unsigned long long)high);
    *ret_number = (uint64_t)number;
    return 0;
}

rota_err rota_sim_percent(struct rota_sim_words *words, const char *what, double high, double *ret_share)
{
    struct rota_slice word = {0}, unit;
    double number;
    rota_err err = rota_sim_word(words, what, &word);

    if (err < 0)
        return err;
    if (!rota_sim_split_number(word, &number, &unit) || !rota_slice_equal(unit, ROTA_SLICE("%")) || number / 100 > high)
        return rota_sim_bad(words, "%s is \"%.*s\"; expected a percentage up to %g%%", what, SHOWN(word), high * 100);
    *ret_share = number / 100;
    return 0;
}

rota_err rota_sim_time(struct rota_sim_words *words, const char *what, int64_t *ret_ns)
{
    static const struct {
        const char *name;
        double ns;
    } units[] = {{"ns", 1}, {"us", 1e3}, {"ms", 1e6}, {"s", 1e9}, {"m", 6e10}};
    struct rota_slice word = {0}, unit;
    double number, ns = -1;
    rota_err err = rota_sim_word(words, what, &word);

    if (err < 0)
        return err;
    if (rota_sim_split_number(word, &number, &unit)) {
        for (size_t i = 0; i < ROTA_COUNT(units); i++)
            if (rota_slice_equal(unit, rota_slice_str(units[i].name)))
                ns = number * units[i].ns;
        if (unit.size == 0 && number == 0)
            ns = 0;
    }
    if (ns < 0 || ns > 3.6e12)
        return rota_sim_bad(words, "%s is \"%.*s\"; expected a time like 20us, 1.5ms, 3s or 2m, at most 60m", what, SHOWN(word));
    *ret_ns = (int64_t)(ns + 0.5);
    return 0;
}

rota_err rota_sim_code(struct rota_sim_words *words, enum rota_code *ret_code)
{
    struct rota_slice word = {0};
    rota_err err = rota_sim_word(words, "a status code", &word);
    char name[32];
    int code;

    if (err < 0)
        return err;
    snprintf(name, sizeof(name), "%.*s", SHOWN(word));
    code = rota_code_parse(name);
    if (code <= 0)
        return rota_sim_bad(words, "\"%.*s\" is no status code of an error; expected a name like UNAVAILABLE", SHOWN(word));
    *ret_code = (enum rota_code)code;
    return 0;
}

/* A whole number without anything behind it. */
static bool is_index(struct rota_slice text, uint32_t *ret_index)
{
    uint32_t index = 0;

    if (text.size == 0 || text.size > 8)
        return false;
    for (size_t i = 0; i < text.size; i++) {
        if (text.data[i] < '0' || text.data[i] > '9')
            return false;
        index = index * 10 + (uint32_t)(text.data[i] - '0');
    }
    *ret_index = index;
    return true;
}

rota_err rota_sim_range(struct rota_sim_words *words, const char *what, uint32_t count, uint32_t *ret_first, uint32_t *ret_last)
{
    struct rota_slice word = {0};
    uint32_t first, last;
    size_t dash = 0;
    rota_err err;

    if (rota_sim_take(words, "all")) {
        *ret_first = 0;
        *ret_last = count - 1;
        return 0;
    }
    err = rota_sim_word(words, what, &word);
    if (err < 0)
        return err;
    while (dash < word.size && word.data[dash] != '-')
        dash++;
    if (!is_index(rota_slice(word.data, dash), &first) ||
        !is_index(dash == word.size ? word : rota_slice(word.data + dash + 1, word.size - dash - 1), &last) || first > last)
        return rota_sim_bad(words, "%s is \"%.*s\"; expected a number like 3, a range like 0-4, or all", what, SHOWN(word));
    if (last >= count)
        return rota_sim_bad(words, "there is no %s %u: they are numbered from 0 to %u", what, last, count - 1);
    *ret_first = first;
    *ret_last = last;
    return 0;
}
