/* pair_fixture.c - see pair_fixture.h. */
#include "h2/pair_fixture.h"
#include "base/assert.h"
#include "testing/cmocka.h"
#include <stdio.h>
#include <stdlib.h>

static const struct rota_header request[] = {
    {ROTA_SLICE(":method"), ROTA_SLICE("POST")},
    {ROTA_SLICE(":scheme"), ROTA_SLICE("http")},
    {ROTA_SLICE(":path"), ROTA_SLICE("/proto.HelloService/Say")},
    {ROTA_SLICE(":authority"), ROTA_SLICE("127.0.0.1:8001")},
    {ROTA_SLICE("te"), ROTA_SLICE("trailers")},
    {ROTA_SLICE("content-type"), ROTA_SLICE("application/grpc")},
};
static const struct rota_header response[] = {
    {ROTA_SLICE(":status"), ROTA_SLICE("200")},
    {ROTA_SLICE("content-type"), ROTA_SLICE("application/grpc")},
};
static const struct rota_header trailers[] = {
    {ROTA_SLICE("grpc-status"), ROTA_SLICE("0")},
};

static void side_init(struct pair_side *side, struct pair *pair)
{
    *side = (struct pair_side){.pair = pair};
}

rota_err pair_init(struct pair *pair, const struct rota_alloc *alloc, const struct rota_h2_options *client,
    const struct rota_h2_options *server)
{
    struct rota_h2_options c = {.keepalive_time_ns = INT64_MAX, .handshake_deadline_ns = INT64_MAX}, s = c;
    rota_err err;

    pair->alloc = alloc;
    if (alloc == NULL) {
        rota_leak_alloc_init(&pair->own);
        pair->alloc = &pair->own.alloc;
    }
    pair->chunking = PAIR_WHOLE;
    pair->seed = 1;
    pair->now_ns = 0;
    side_init(&pair->client, pair);
    side_init(&pair->server, pair);
    if (client != NULL)
        c = *client;
    if (server != NULL)
        s = *server;
    s.server = true;
    c.alloc = s.alloc = pair->alloc;
    err = rota_h2_new(&c, 0, &pair->client.h2);
    return err < 0 ? err : rota_h2_new(&s, 0, &pair->server.h2);
}

void pair_fini(struct pair *pair)
{
    rota_h2_free(pair->client.h2);
    rota_h2_free(pair->server.h2);
    if (pair->alloc == &pair->own.alloc)
        rota_leak_alloc_fini(&pair->own);
}

static void note(struct pair_side *side, const char *format, ...) ROTA_PRINTF(2, 3);

static void note(struct pair_side *side, const char *format, ...)
{
    va_list args;

    if (side->mute)
        return;
    if (side->log_size > 0 && side->log_size + 1 < sizeof(side->log))
        side->log[side->log_size++] = ' ';
    va_start(args, format);
    side->log_size += (size_t)vsnprintf(side->log + side->log_size, sizeof(side->log) - side->log_size, format, args);
    va_end(args);
    assert_true(side->log_size < sizeof(side->log));
}

const char *pair_log(struct pair_side *side)
{
    side->log[side->log_size] = '\0';
    side->log_size = 0;
    return side->log;
}

static int stream_of_word(const char *word)
{
    const char *slash = strchr(word, '/');

    return slash == NULL ? 0 : atoi(slash + 1);
}

/* Writes one word, or holds data back to be added up. */
static char *put_word(char *out, const char *word, int n, size_t *data)
{
    size_t size;

    if (word != NULL && sscanf(word, "data/%*d:%zu", &size) == 1) {
        *data += size;
        return out;
    }
    if (*data > 0)
        out += sprintf(out, "data/%d:%zu ", n, *data);
    *data = 0;
    return word == NULL ? out : out + sprintf(out, "%s ", word);
}

const char *pair_log_by_stream(struct pair_side *side)
{
    static char sorted[sizeof(side->log)];
    char *words[1024], *save = NULL, *out = sorted;
    size_t n_words = 0;

    pair_log(side);
    for (char *w = strtok_r(side->log, " ", &save); w != NULL && n_words < 1024; w = strtok_r(NULL, " ", &save))
        words[n_words++] = w;
    for (int n = 0; n <= side->n_streams; n++) {
        size_t data = 0;

        for (size_t i = 0; i < n_words; i++)
            if (stream_of_word(words[i]) == n)
                out = put_word(out, words[i], n, &data);
        out = put_word(out, NULL, n, &data);
    }
    *out = '\0';
    if (out > sorted)
        out[-1] = '\0';
    return sorted;
}

static int number_of(struct pair_side *side, struct rota_h2_stream *stream)
{
    if (stream == NULL)
        return 0;
    if (rota_h2_user(stream) == NULL) {
        assert_true(side->n_streams + 1 < PAIR_STREAMS);
        side->streams[++side->n_streams] = stream;
        rota_h2_set_user(stream, &side->streams[side->n_streams]);
    }
    return (int)((struct rota_h2_stream **)rota_h2_user(stream) - side->streams);
}

static const char *cause_name(const struct rota_h2_event *event)
{
    static const char *const names[] = {"done", "reset", "unprocessed", "protocol", "lost"};

    return event->cause == ROTA_H2_UNPROCESSED && event->unsent ? "unsent" : names[event->cause];
}

static void note_closed(struct pair_side *side, int n, const struct rota_h2_event *event)
{
    assert_non_null(event->detail);
    if (event->cause == ROTA_H2_RESET || event->cause == ROTA_H2_PROTOCOL)
        note(side, "closed/%d:%s(%u)", n, cause_name(event), event->h2_code);
    else
        note(side, "closed/%d:%s", n, cause_name(event));
}

static void note_event(struct pair_side *side, int n, const struct rota_h2_event *event)
{
    const char *end = event->end ? ":end" : "";

    switch (event->type) {
    case ROTA_H2_READY:
        note(side, "ready");
        break;
    case ROTA_H2_REQUEST:
        note(side, "request/%d:%zu%s", n, event->count, end);
        break;
    case ROTA_H2_HEADERS:
        note(side, "headers/%d:%zu%s", n, event->count, end);
        break;
    case ROTA_H2_DATA:
        if (!side->quiet)
            note(side, "data/%d:%zu", n, event->data.size);
        break;
    case ROTA_H2_END:
        note(side, "end/%d:%zu", n, event->count);
        break;
    case ROTA_H2_WRITABLE:
        note(side, "writable/%d", n);
        break;
    case ROTA_H2_CLOSED:
        note_closed(side, n, event);
        break;
    case ROTA_H2_GOAWAY:
        assert_non_null(event->detail);
        note(side, "goaway(%u)%.*s", event->h2_code, (int)event->data.size, (const char *)event->data.data);
        break;
    case ROTA_H2_ROOM:
        note(side, "room");
        break;
    }
}

static void note_headers(struct pair_side *side, const struct rota_h2_event *event)
{
    for (size_t i = 0; i < event->count; i++)
        note(side, "%.*s=%.*s", (int)event->headers[i].name.size, (const char *)event->headers[i].name.data,
            (int)event->headers[i].value.size, (const char *)event->headers[i].value.data);
}

void pair_drain_events(struct pair_side *side)
{
    struct rota_h2_event event;

    while (rota_h2_next(side->h2, &event)) {
        int n = number_of(side, event.stream);

        note_event(side, n, &event);
        if (side->details)
            note_headers(side, &event);
        if (event.type == ROTA_H2_DATA) {
            side->total_bytes += event.data.size;
            for (size_t i = 0; i < event.data.size; i++)
                assert_int_equal(event.data.data[i], 'x');
            if (side->hold)
                side->data_bytes += event.data.size;
            else
                rota_h2_consumed(event.stream, event.data.size);
        }
        if (event.type == ROTA_H2_CLOSED)
            side->streams[n] = NULL;
        if (side->react != NULL)
            side->react(side, n, &event);
    }
}

static void feed_piece(struct pair_side *side, const uint8_t *bytes, size_t size)
{
    uint8_t *exact = malloc(size);
    struct rota_errinfo info = {""};
    rota_err err;

    assert_non_null(exact);
    memcpy(exact, bytes, size);
    err = rota_h2_feed(side->h2, rota_slice(exact, size), side->pair->now_ns, &info);
    if (err < 0) {
        side->err = err;
        snprintf(side->info, sizeof(side->info), "%s", info.text);
    }
    pair_drain_events(side);
    free(exact);
}

static size_t piece_size(struct pair *pair, size_t left)
{
    if (pair->chunking == PAIR_WHOLE)
        return left;
    if (pair->chunking == PAIR_BYTES)
        return 1;
    pair->seed = pair->seed * 6364136223846793005u + 1442695040888963407u;
    return 1 + (pair->seed >> 33) % (left < 100 ? left : 100);
}

void pair_feed(struct pair_side *side, const void *bytes, size_t size)
{
    for (size_t at = 0; at < size;) {
        size_t n = piece_size(side->pair, size - at);

        feed_piece(side, (const uint8_t *)bytes + at, n);
        at += n;
    }
}

size_t pair_pass(struct pair_side *from, struct pair_side *to, size_t max_bytes)
{
    uint8_t *out = malloc(max_bytes);
    size_t size;
    rota_err err;

    assert_non_null(out);
    err = rota_h2_pull(from->h2, out, max_bytes, from->pair->now_ns, &size);
    if (err < 0)
        from->err = err;
    from->out_bytes += size;
    pair_drain_events(from);
    if (size > 0 && to != NULL)
        pair_feed(to, out, size);
    free(out);
    return size;
}

static size_t pass_size(struct pair *pair)
{
    return pair->chunking == PAIR_WHOLE ? 65536 : piece_size(pair, 30);
}

void pair_run(struct pair *pair)
{
    size_t passed;

    do {
        passed = pair_pass(&pair->client, &pair->server, pass_size(pair));
        passed += pair_pass(&pair->server, &pair->client, pass_size(pair));
    } while (passed > 0);
}

int pair_open(struct pair *pair, bool end)
{
    struct rota_h2_stream *stream;
    rota_err err = rota_h2_open(pair->client.h2, request, ROTA_COUNT(request), end, NULL, &stream);

    return err < 0 ? err : number_of(&pair->client, stream);
}

rota_err pair_send(struct pair_side *side, int n, size_t bytes, bool end)
{
    struct rota_chunk *chunk = NULL;

    if (bytes > 0) {
        chunk = rota_chunk_new(side->pair->alloc, bytes);
        if (chunk == NULL)
            return ROTA_ENOMEM;
        memset(chunk->data, 'x', bytes);
        chunk->size = bytes;
    }
    return rota_h2_send(side->streams[n], chunk, end);
}

rota_err pair_respond(struct pair *pair, int n, bool end)
{
    return rota_h2_send_headers(pair->server.streams[n], response, ROTA_COUNT(response), end);
}

rota_err pair_trailers(struct pair *pair, int n)
{
    return rota_h2_send_trailers(pair->server.streams[n], trailers, ROTA_COUNT(trailers));
}
