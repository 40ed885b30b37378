/* requests.c - see requests.h. */
#include "requests.h"

#include "command.h"

#include "base/alloc.h"
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#define MAX_INPUT_BYTES ((size_t)1 << 30)
#define READ_BYTES 65536

static bool fail(const char *source, const char *why)
{
    rota_fail("call", "-d %s: %s", source, why);
    return false;
}

static bool add(struct rota_requests *requests, const struct rota_pool *pool, const struct rota_dyn_message *type, const json_t *json, const char *source)
{
    struct rota_errinfo info = {""};
    struct rota_buffer *out;

    if (rota_alloc_reserve(NULL, &requests->all, &requests->cap, requests->n + 1, sizeof(*requests->all)) < 0)
        return fail(source, "out of memory");
    out = &requests->all[requests->n];
    rota_buffer_init(out, NULL, 0);
    requests->n++;
    if (rota_dyn_from_json(pool, type, json, out, &info) == 0)
        return true;
    return fail(source, info.text);
}

/* Where there is something else than blanks. */
static size_t skip_blanks(struct rota_slice text, size_t at)
{
    while (at < text.size && memchr(" \t\r\n", text.data[at], 4) != NULL)
        at++;
    return at;
}

/* The end of what is at `at`: a string, a number, or one byte of anything else. */
static size_t token_end(struct rota_slice text, size_t at)
{
    size_t end = at + 1;

    if (text.data[at] == '"') {
        while (end < text.size && text.data[end] != '"')
            end += text.data[end] == '\\' ? 2 : 1;
        return end < text.size ? end + 1 : text.size;
    }
    if (memchr("-0123456789", text.data[at], 11) != NULL)
        while (end < text.size && memchr("+-.0123456789eE", text.data[end], 15) != NULL)
            end++;
    return end;
}

enum range { HELD, UNSIGNED, BEYOND }; /* by the JSON library; by 64 bits without a sign; by neither */

static enum range range_of(struct rota_slice token)
{
    char digits[32];

    if (memchr("-0123456789", token.data[0], 11) == NULL || memchr(token.data, '.', token.size) != NULL ||
        memchr(token.data, 'e', token.size) != NULL || memchr(token.data, 'E', token.size) != NULL)
        return HELD;
    if (token.size >= sizeof(digits))
        return BEYOND;
    memcpy(digits, token.data, token.size);
    digits[token.size] = '\0';
    errno = 0;
    (void)strtoll(digits, NULL, 10);
    if (errno == 0)
        return HELD;
    errno = 0;
    (void)strtoull(digits, NULL, 10);
    return errno == 0 && digits[0] != '-' ? UNSIGNED : BEYOND;
}

/* The same text with such numbers as the mapping has them too: those of 64 bits in quotes, the others with a fraction, for doubles. */
static bool fit_numbers(struct rota_slice text, struct rota_buffer *out)
{
    bool ok = true;

    for (size_t at = 0, end; ok && at < text.size; at = end) {
        struct rota_slice token;
        enum range range;

        end = token_end(text, at);
        token = rota_slice(text.data + at, end - at);
        range = range_of(token);
        ok = (range != UNSIGNED || rota_buffer_append(out, ROTA_SLICE("\"")) == 0) && rota_buffer_append(out, token) == 0 &&
             (range == HELD || rota_buffer_append(out, range == UNSIGNED ? ROTA_SLICE("\"") : ROTA_SLICE(".0")) == 0);
    }
    return ok;
}

static bool read_text(struct rota_requests *requests, const struct rota_pool *pool, const struct rota_dyn_message *type, struct rota_slice text,
                      const char *source, bool fitted);

static bool read_fitted(struct rota_requests *requests, const struct rota_pool *pool, const struct rota_dyn_message *type, struct rota_slice text,
                        const char *source)
{
    struct rota_buffer fitted;
    bool ok;

    rota_buffer_init(&fitted, NULL, 0);
    ok = fit_numbers(text, &fitted) ? read_text(requests, pool, type, rota_buffer_peek(&fitted), source, true) : fail(source, "out of memory");
    rota_buffer_fini(&fitted);
    return ok;
}

static bool read_text(struct rota_requests *requests, const struct rota_pool *pool, const struct rota_dyn_message *type, struct rota_slice text,
                      const char *source, bool fitted)
{
    for (size_t at = skip_blanks(text, 0); at < text.size; at = skip_blanks(text, at)) {
        json_error_t error;
        json_t *json = json_loadb((const char *)text.data + at, text.size - at,
                                  JSON_DISABLE_EOF_CHECK | JSON_REJECT_DUPLICATES | JSON_DECODE_ANY | JSON_ALLOW_NUL, &error);
        char why[200];
        bool ok;

        if (json == NULL && !fitted && json_error_code(&error) == json_error_numeric_overflow)
            return read_fitted(requests, pool, type, rota_slice(text.data + at, text.size - at), source);
        if (json == NULL) {
            snprintf(why, sizeof(why), "message %zu: line %d, column %d: %s", requests->n + 1, error.line, error.column, error.text);
            return fail(source, why);
        }
        at += (size_t)error.position;
        ok = add(requests, pool, type, json, source);
        json_decref(json);
        if (!ok)
            return false;
    }
    return true;
}

static bool read_stream(FILE *file, struct rota_buffer *text, const char *source)
{
    for (;;) {
        uint8_t *room = rota_buffer_reserve(text, READ_BYTES);
        size_t got;

        if (room == NULL)
            return fail(source, "out of memory, or too much");
        got = fread(room, 1, READ_BYTES, file);
        rota_buffer_commit(text, got);
        if (got < READ_BYTES)
            return ferror(file) ? fail(source, strerror(errno)) : true;
    }
}

static bool read_source(struct rota_requests *requests, const struct rota_pool *pool, const struct rota_dyn_message *type, const char *source)
{
    bool is_file = source[0] == '@';
    struct rota_buffer text;
    FILE *file = stdin;
    bool ok;

    if (!is_file && strcmp(source, "-") != 0)
        return read_text(requests, pool, type, rota_slice_str(source), source, false);
    if (is_file && (file = fopen(source + 1, "rb")) == NULL)
        return fail(source, strerror(errno));
    rota_buffer_init(&text, NULL, MAX_INPUT_BYTES);
    ok = read_stream(file, &text, source) && read_text(requests, pool, type, rota_buffer_peek(&text), source, false);
    rota_buffer_fini(&text);
    if (is_file)
        fclose(file);
    return ok;
}

bool rota_requests_read(struct rota_requests *requests, const struct rota_pool *pool, const struct rota_dyn_message *type, const char *const *data,
                        size_t n_data)
{
    for (size_t i = 0; i < n_data; i++)
        if (!read_source(requests, pool, type, data[i]))
            return false;
    return true;
}

void rota_requests_fini(struct rota_requests *requests)
{
    for (size_t i = 0; i < requests->n; i++)
        rota_buffer_fini(&requests->all[i]);
    rota_alloc_free(NULL, requests->all);
}
