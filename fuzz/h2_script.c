/* h2_script.c - see h2_script.h. Each step is one byte that says what, and the bytes that it takes.
 *
 * Checked all along: no event for a stream that is over, CLOSED exactly once, nothing after a stream's end, every slice
 * readable; what is sent (wire_check.h), how much is kept; at the end every stream has been closed. A step may make an allocation fail.
 */
#include "fuzz/h2_script.h"
#include "base/assert.h"
#include "fuzz/wire_check.h"
#include "h2/h2.h"
#include <malloc.h>
#include <stdlib.h>

#define SLOTS 32
#define KEPT_MAX_BYTES ((size_t)96 << 10) /* of a connection, beside the chunks that wait in it */
#define SECOND_NS INT64_C(1000000000)
#define HEADER(name, value) {ROTA_SLICE(name), ROTA_SLICE(value)}

struct slot {
    struct rota_h2_stream *stream; /* NULL: free */
    size_t unconsumed;
    bool ended;
};

struct script {
    const uint8_t *at, *end;
    struct rota_h2 *h2;
    struct wire_check *check;
    bool server;
    struct slot slots[SLOTS];
    int64_t now_ns;
    uint32_t next_id;  /* that the peer opens */
    uint32_t fail_in;  /* allocations until one fails; 0: none will */
    uint8_t checksum;  /* of all bytes seen in events */
    size_t live_bytes;
    struct rota_alloc alloc;
};

static const struct rota_header request[] = {
    HEADER(":method", "POST"), HEADER(":scheme", "http"), HEADER(":path", "/a/b"), HEADER(":authority", "x"),
    HEADER("grpc-timeout", "1S"),
};
static const struct rota_header response[] = {HEADER(":status", "200"), HEADER("content-type", "application/grpc")};
static const struct rota_header trailers[] = {HEADER("grpc-status", "0")};

static void *resize(void *ctx, void *ptr, size_t size_bytes)
{
    struct script *s = ctx;
    void *moved;

    if (size_bytes > 0 && s->fail_in > 0 && --s->fail_in == 0)
        return NULL;
    s->live_bytes -= malloc_usable_size(ptr);
    if (size_bytes == 0) {
        free(ptr);
        return NULL;
    }
    moved = realloc(ptr, size_bytes);
    ROTA_ASSERT(moved != NULL);
    s->live_bytes += malloc_usable_size(moved);
    return moved;
}

static uint8_t take(struct script *s)
{
    return s->at < s->end ? *s->at++ : 0;
}

static struct slot *take_slot(struct script *s)
{
    return &s->slots[take(s) % SLOTS];
}

static void touch(struct script *s, struct rota_slice bytes)
{
    for (size_t i = 0; i < bytes.size; i++)
        s->checksum = (uint8_t)(s->checksum + bytes.data[i]);
}

static void adopt(struct script *s, struct rota_h2_stream *stream)
{
    for (size_t i = 0; i < SLOTS; i++)
        if (s->slots[i].stream == NULL) {
            s->slots[i] = (struct slot){.stream = stream};
            rota_h2_set_user(stream, &s->slots[i]);
            return;
        }
    rota_h2_reset(stream, 7);
}

static void on_event(struct script *s, const struct rota_h2_event *event)
{
    struct slot *slot = event->stream == NULL ? NULL : rota_h2_user(event->stream);

    touch(s, event->data);
    for (size_t i = 0; i < event->count; i++) {
        touch(s, event->headers[i].name);
        touch(s, event->headers[i].value);
    }
    if (event->type == ROTA_H2_REQUEST) {
        ROTA_ASSERT(s->server && slot == NULL);
        adopt(s, event->stream);
        slot = rota_h2_user(event->stream);
        if (slot != NULL && slot->stream == event->stream)
            slot->ended = event->end;
        return;
    }
    if (event->stream == NULL)
        return;
    ROTA_ASSERT(slot->stream == event->stream);
    if (event->type == ROTA_H2_DATA || event->type == ROTA_H2_HEADERS || event->type == ROTA_H2_END)
        ROTA_ASSERT(!slot->ended);
    if (event->type == ROTA_H2_DATA)
        slot->unconsumed += event->data.size;
    slot->ended = slot->ended || event->end || event->type == ROTA_H2_END;
    if (event->type == ROTA_H2_CLOSED) {
        ROTA_ASSERT(event->detail != NULL);
        slot->stream = NULL;
    }
}

static void operate(struct script *s);

static void drain_events(struct script *s)
{
    struct rota_h2_event event;
    bool interfere = take(s) % 4 == 0;

    while (rota_h2_next(s->h2, &event)) {
        on_event(s, &event);
        if (interfere && s->at < s->end)
            operate(s);
    }
}

/* From a block of exactly the size, so that a byte read too far is noticed. */
static void feed(struct script *s, const uint8_t *bytes, size_t size)
{
    uint8_t *exact = malloc(size > 0 ? size : 1);
    struct rota_errinfo info;

    ROTA_ASSERT(exact != NULL);
    if (size > 0)
        memcpy(exact, bytes, size);
    wire_check_in(s->check, rota_slice(exact, size));
    (void)rota_h2_feed(s->h2, rota_slice(exact, size), s->now_ns, &info);
    drain_events(s);
    free(exact);
}

static void feed_raw(struct script *s)
{
    size_t size = take(s), left = (size_t)(s->end - s->at);
    const uint8_t *bytes = s->at;

    if (size > left)
        size = left;
    s->at += size;
    feed(s, bytes, size);
}

static void feed_frame(struct script *s, uint8_t type, uint8_t flags, uint32_t id, const uint8_t *payload, size_t size)
{
    uint8_t frame[9 + 255] = {0, 0, (uint8_t)size, type, flags, 0, 0, (uint8_t)(id >> 8), (uint8_t)id};

    if (size > 0)
        memcpy(frame + 9, payload, size);
    feed(s, frame, 9 + size);
}

static void feed_any_frame(struct script *s)
{
    uint8_t type = take(s) % 11, flags = take(s);
    uint32_t id = take(s) % 64;
    size_t size = take(s) % 64, left = (size_t)(s->end - s->at);
    const uint8_t *payload = s->at;

    if (size > left)
        size = left;
    s->at += size;
    feed_frame(s, type, flags, id, payload, size);
}

/* Good ones, for the states that random bytes hardly reach: indexed fields of the static table. */
static void feed_headers(struct script *s)
{
    static const uint8_t good_request[] = {0x83, 0x86, 0x84, 0x41, 1, 'x'}; /* POST, http, /, authority x */
    static const uint8_t good_response[] = {0x88};                          /* :status 200 */
    static const uint8_t good_trailers[] = {0, 1, 'a', 1, 'b'};
    uint8_t what = take(s);
    uint32_t id = what & 8 ? take(s) % 64 : s->next_id;
    uint8_t flags = (uint8_t)(4 | (what & 1));

    if ((what & 8) == 0)
        s->next_id += 2;
    if (what & 2)
        feed_frame(s, 1, flags, id, good_trailers, sizeof(good_trailers));
    else if (s->server)
        feed_frame(s, 1, flags, id, good_request, sizeof(good_request));
    else
        feed_frame(s, 1, flags, id, good_response, sizeof(good_response));
}

static void feed_hello(struct script *s)
{
    static const uint8_t magic[] = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

    if (s->server)
        feed(s, magic, sizeof(magic) - 1);
    feed_frame(s, 4, 0, 0, NULL, 0);
}

static void pull(struct script *s)
{
    size_t cap = (size_t)take(s) * (take(s) % 2 == 0 ? 1 : 256), size;
    uint8_t *out = malloc(cap > 0 ? cap : 1);

    ROTA_ASSERT(out != NULL);
    (void)rota_h2_pull(s->h2, out, cap, s->now_ns, &size);
    ROTA_ASSERT(size <= cap);
    wire_check_out(s->check, rota_slice(out, size));
    free(out);
}

static void open_stream(struct script *s)
{
    struct rota_h2_stream *stream;

    if (!s->server && rota_h2_open(s->h2, request, ROTA_COUNT(request), take(s) % 2 == 0, NULL, &stream) == 0)
        adopt(s, stream);
}

static void send_data(struct script *s, struct slot *slot)
{
    size_t size = (size_t)take(s) * (take(s) % 2 == 0 ? 1 : 200);
    struct rota_chunk *chunk = size == 0 ? NULL : rota_chunk_new(NULL, size);

    if (chunk != NULL) {
        memset(chunk->data, 'x', size);
        chunk->size = size;
    }
    (void)rota_h2_send(slot->stream, chunk, chunk == NULL || take(s) % 2 == 0);
}

static void operate_on_stream(struct script *s, uint8_t what)
{
    struct slot *slot = take_slot(s);
    size_t n;

    if (slot->stream == NULL)
        return;
    switch (what) {
    case 0:
        send_data(s, slot);
        break;
    case 1:
        n = take(s) * (size_t)100 < slot->unconsumed ? take(s) : slot->unconsumed;
        n = n < slot->unconsumed ? n : slot->unconsumed;
        slot->unconsumed -= n;
        rota_h2_consumed(slot->stream, n);
        break;
    case 2:
        rota_h2_reset(slot->stream, take(s));
        slot->stream = NULL;
        break;
    case 3:
        if (s->server)
            (void)rota_h2_send_headers(slot->stream, response, ROTA_COUNT(response), take(s) % 4 == 0);
        break;
    default:
        if (s->server)
            (void)rota_h2_send_trailers(slot->stream, trailers, ROTA_COUNT(trailers));
    }
}

/* What an owner may do at any time, even while it drains events. */
static void operate(struct script *s)
{
    uint8_t what = take(s) % 8;

    if (what < 5)
        operate_on_stream(s, what);
    else if (what < 7)
        open_stream(s);
    else if (take(s) % 8 == 0)
        rota_h2_drain(s->h2, s->now_ns);
}

static void step(struct script *s)
{
    switch (take(s) % 12) {
    case 0:
        feed_raw(s);
        break;
    case 1:
        feed_any_frame(s);
        break;
    case 2:
    case 3:
        feed_headers(s);
        break;
    case 4:
        feed_hello(s);
        break;
    case 5:
    case 6:
        pull(s);
        drain_events(s);
        break;
    case 7:
        s->now_ns += take(s) * SECOND_NS / 4;
        (void)rota_h2_tick(s->h2, s->now_ns, NULL);
        break;
    case 8:
        s->fail_in = take(s) % 4 == 0 ? take(s) : 0;
        break;
    default:
        operate(s);
    }
    ROTA_ASSERT(rota_h2_deadline_ns(s->h2) >= 0);
    ROTA_ASSERT(s->live_bytes <= KEPT_MAX_BYTES);
    ROTA_ASSERT(!rota_h2_finished(s->h2) || rota_h2_streams(s->h2) == 0);
}

static void finish(struct script *s)
{
    s->fail_in = 0;
    rota_h2_abort(s->h2, "over");
    s->at = s->end;
    drain_events(s);
    ROTA_ASSERT(rota_h2_streams(s->h2) == 0);
    for (size_t i = 0; i < SLOTS; i++)
        ROTA_ASSERT(s->slots[i].stream == NULL);
    rota_h2_free(s->h2);
}

void h2_script_run(bool server, const uint8_t *data, size_t size_bytes)
{
    struct script s = {.at = data, .end = data + size_bytes, .server = server, .next_id = 1};
    struct rota_h2_options options = {
        .server = server,
        .alloc = &s.alloc,
        .max_concurrent_streams = 20,
        .max_header_bytes = 512,
        .high_mark_bytes = 1000,
        .keepalive_time_ns = 10 * SECOND_NS,
        .keepalive_timeout_ns = 5 * SECOND_NS,
        .handshake_deadline_ns = 60 * SECOND_NS,
    };
    uint8_t how = take(&s);

    s.alloc = (struct rota_alloc){.resize = resize, .ctx = &s};
    options.stream_window_bytes = how & 1 ? 100 : 0;
    options.conn_window_bytes = how & 2 ? 200 : 0;
    if (rota_h2_new(&options, 0, &s.h2) < 0)
        return;
    s.check = wire_check_new(server);
    if (how & 4)
        feed_hello(&s);
    while (s.at < s.end)
        step(&s);
    if (how & 8)
        rota_h2_free(s.h2);
    else
        finish(&s);
    wire_check_free(s.check);
}
