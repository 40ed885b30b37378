/* requests.c - see requests.h. */
#include "requests.h"

#include "command.h"
#include "foreign.h"

#include "base/alloc.h"
#include "base/errinfo.h"
#include <errno.h>
#include <stdio.h>

#define MAX_INPUT_BYTES ((size_t)1 << 30)
#define READ_BYTES 65536

/* source: a file's name or "-"; NULL: the command line. */
static bool fail(const struct rota_requests *requests, const char *source, const char *why)
{
    rota_fail(requests->verb, "-d%s%s: %s", source == NULL ? "" : " ", source == NULL ? "" : source, why);
    return false;
}

static size_t skip_blanks(struct rota_slice text)
{
    size_t at = 0;

    while (at < text.size && memchr(" \t\r\n", text.data[at], 4) != NULL)
        at++;
    return at;
}

static rota_err add(struct rota_requests *requests, const struct rota_pool *pool, const struct rota_dyn_message *type, const struct rota_dyn_json *json,
                    struct rota_errinfo *info)
{
    struct rota_buffer *out;

    if (rota_alloc_reserve(NULL, &requests->all, &requests->cap, requests->n + 1, sizeof(*requests->all)) < 0)
        return rota_errinfo_set(info, ROTA_ENOMEM, "out of memory");
    out = &requests->all[requests->n];
    rota_buffer_init(out, NULL, 0);
    requests->n++;
    return rota_dyn_from_json(pool, type, json, requests->unknown, out, info);
}

static bool read_text(struct rota_requests *requests, const struct rota_pool *pool, const struct rota_dyn_message *type, struct rota_slice text,
                      const char *source)
{
    struct rota_errinfo info = {""};
    struct rota_arena arena;
    rota_err err = 0;
    size_t n = 0;

    rota_arena_init(&arena, NULL, 0);
    for (size_t at = skip_blanks(text); err == 0 && at < text.size; n++) {
        const struct rota_dyn_json *json;

        rota_arena_reset(&arena);
        err = rota_dyn_json_parse(text, &at, &arena, &json, &info);
        if (err == 0)
            err = add(requests, pool, type, json, &info);
    }
    rota_arena_fini(&arena);
    if (err == 0)
        return true;
    /* It may hold keys, and names out of a server's descriptors. */
    fprintf(stderr, "rota %s: -d%s%s: message %zu: ", requests->verb, source == NULL ? "" : " ", source == NULL ? "" : source, n);
    rota_print_foreign(stderr, rota_slice_str(info.text));
    fputc('\n', stderr);
    return false;
}

static bool read_stream(const struct rota_requests *requests, FILE *file, struct rota_buffer *text, const char *source)
{
    for (;;) {
        uint8_t *room = rota_buffer_reserve(text, READ_BYTES);
        size_t got;

        if (room == NULL)
            return fail(requests, source, "out of memory, or too much");
        got = fread(room, 1, READ_BYTES, file);
        rota_buffer_commit(text, got);
        if (got < READ_BYTES)
            return ferror(file) ? fail(requests, source, strerror(errno)) : true;
    }
}

static bool read_source(struct rota_requests *requests, const struct rota_pool *pool, const struct rota_dyn_message *type, const char *source)
{
    bool is_stdin = strcmp(source, "-") == 0 || strcmp(source, "@") == 0 || strcmp(source, "@-") == 0;
    struct rota_buffer text;
    FILE *file = stdin;
    bool ok;

    if (!is_stdin && source[0] != '@')
        return read_text(requests, pool, type, rota_slice_str(source), NULL);
    if (!is_stdin && (file = fopen(source + 1, "rb")) == NULL)
        return fail(requests, source, strerror(errno));
    rota_buffer_init(&text, NULL, MAX_INPUT_BYTES);
    ok = read_stream(requests, file, &text, source) && read_text(requests, pool, type, rota_buffer_peek(&text), source);
    rota_buffer_fini(&text);
    if (!is_stdin)
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
