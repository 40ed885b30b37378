/* requests.c - see requests.h. */
#include "requests.h"

#include "command.h"

#include "base/alloc.h"
#include <errno.h>
#include <stdio.h>

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

static bool read_text(struct rota_requests *requests, const struct rota_pool *pool, const struct rota_dyn_message *type, struct rota_slice text,
                      const char *source)
{
    for (size_t at = skip_blanks(text, 0); at < text.size; at = skip_blanks(text, at)) {
        json_error_t error;
        json_t *json = json_loadb((const char *)text.data + at, text.size - at,
                                  JSON_DISABLE_EOF_CHECK | JSON_REJECT_DUPLICATES | JSON_DECODE_ANY | JSON_ALLOW_NUL, &error);
        char why[200];
        bool ok;

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
        return read_text(requests, pool, type, rota_slice_str(source), source);
    if (is_file && (file = fopen(source + 1, "rb")) == NULL)
        return fail(source, strerror(errno));
    rota_buffer_init(&text, NULL, MAX_INPUT_BYTES);
    ok = read_stream(file, &text, source) && read_text(requests, pool, type, rota_buffer_peek(&text), source);
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
