/* fake_transport.c - the tables of wire/transport.h over records, and the peer's side played by the test. */
#include "testing/fake_transport.h"
#include "base/alloc.h"
#include "base/assert.h"
#include "testing/cmocka.h"
#include <stdio.h>
#include <string.h>

static struct rota_fake_conn *conn_of(const struct rota_conn *conn)
{
    return (struct rota_fake_conn *)(uintptr_t)conn;
}

static struct rota_fake_stream *stream_of(const struct rota_stream *stream)
{
    struct rota_fake_stream *fake = (struct rota_fake_stream *)(uintptr_t)stream;

    assert_false(fake->dead);
    return fake;
}

/* --- Operations --- */

static void free_stream(struct rota_fake_transport *transport, struct rota_fake_stream *stream)
{
    rota_buffer_fini(&stream->headers);
    rota_buffer_fini(&stream->data);
    rota_alloc_free(transport->alloc, stream);
}

static rota_err record_headers(struct rota_fake_stream *stream, const struct rota_header *headers, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (rota_buffer_append(&stream->headers, headers[i].name) < 0 || rota_buffer_append(&stream->headers, ROTA_SLICE(": ")) < 0 ||
            rota_buffer_append(&stream->headers, headers[i].value) < 0 || rota_buffer_append(&stream->headers, ROTA_SLICE("\n")) < 0)
            return ROTA_ENOMEM;
    }
    return 0;
}

static rota_err open_stream(struct rota_conn *base, const struct rota_header *headers, size_t count, bool end, const struct rota_stream_events *events,
                            void *owner, struct rota_stream **ret_stream)
{
    struct rota_fake_conn *conn = conn_of(base);
    struct rota_fake_stream *stream;

    assert_false(conn->closed);
    assert_true(conn->up);
    if (conn->draining || conn->closing)
        return ROTA_ECLOSED;
    if (conn->n_open >= conn->max_streams) {
        conn->starved = true;
        return ROTA_EAGAIN;
    }
    if (conn->transport->open_err < 0)
        return conn->transport->open_err;
    if (rota_alloc_reserve(conn->transport->alloc, &conn->streams, &conn->cap_streams, conn->n_streams + 1, sizeof(stream)) < 0)
        return ROTA_ENOMEM;
    stream = rota_alloc_zero(conn->transport->alloc, 1, sizeof(*stream));
    if (stream == NULL)
        return ROTA_ENOMEM;
    stream->stream.conn = &conn->conn;
    stream->conn = conn;
    stream->events = events;
    stream->owner = owner;
    stream->end = end;
    rota_buffer_init(&stream->headers, conn->transport->alloc, 0);
    rota_buffer_init(&stream->data, conn->transport->alloc, 0);
    if (record_headers(stream, headers, count) < 0) {
        free_stream(conn->transport, stream);
        return ROTA_ENOMEM;
    }
    conn->streams[conn->n_streams++] = stream;
    conn->n_open++;
    *ret_stream = &stream->stream;
    return 0;
}

static rota_err send_data(struct rota_stream *base, struct rota_chunk *chunk, bool end)
{
    struct rota_fake_stream *stream = stream_of(base);
    rota_err err = stream->conn->transport->send_err;

    assert_false(stream->end);
    if (err == 0 && (stream->ended || stream->conn->closing))
        err = ROTA_ECLOSED;
    if (err == 0 && chunk != NULL)
        err = rota_buffer_append(&stream->data, rota_chunk_slice(chunk));
    rota_chunk_unref(chunk);
    if (err < 0)
        return err;
    stream->n_sends++;
    stream->end = end;
    return 0;
}

static void die(struct rota_fake_stream *stream)
{
    stream->dead = true;
    stream->conn->n_open--;
}

static void reset(struct rota_stream *base, uint32_t h2_code)
{
    struct rota_fake_stream *stream = stream_of(base);

    die(stream);
    stream->reset = true;
    stream->reset_code = h2_code;
}

static void consumed(struct rota_stream *base, size_t bytes)
{
    struct rota_fake_stream *stream = stream_of(base);

    stream->consumed += bytes;
    assert_true(stream->consumed <= stream->given);
}

static size_t queued(const struct rota_stream *base)
{
    return stream_of(base)->queued;
}

static size_t max_header_bytes(const struct rota_conn *conn)
{
    (void)conn;
    return ROTA_HEADER_SENT_BYTES;
}

static const char *peer(const struct rota_conn *base)
{
    return conn_of(base)->address;
}

static void drain(struct rota_conn *base)
{
    struct rota_fake_conn *conn = conn_of(base);

    assert_false(conn->closed);
    conn->draining = true;
    if (conn->n_open == 0)
        rota_host_post(&conn->transport->v->host, &conn->close_task);
}

static void close_conn(struct rota_conn *base)
{
    struct rota_fake_conn *conn = conn_of(base);

    assert_false(conn->closed);
    conn->closing = true;
    rota_host_post(&conn->transport->v->host, &conn->close_task);
}

static const struct rota_conn_class conn_class = {
    .open = open_stream, .send = send_data, .reset = reset, .consumed = consumed, .queued = queued, .max_header_bytes = max_header_bytes, .peer = peer, .drain = drain, .close = close_conn,
};

/* --- What a connection reports --- */

static void end_streams(struct rota_fake_conn *conn, size_t from, const struct rota_stream_end *end)
{
    for (size_t i = from; i < conn->n_streams; i++) {
        struct rota_fake_stream *stream = conn->streams[i];
        if (stream->dead)
            continue;
        die(stream);
        stream->events->on_closed(stream->owner, end);
    }
}

static void end_conn(struct rota_fake_conn *conn, const struct rota_stream_end *end, const struct rota_status *why)
{
    if (conn->closed)
        return;
    conn->closing = true;
    end_streams(conn, 0, end);
    conn->closed = true;
    rota_host_unpost(&conn->transport->v->host, &conn->close_task);
    conn->events->on_closed(conn->owner, why);
}

static void run_close(struct rota_host_task *task)
{
    static const struct rota_status closed = {.code = ROTA_OK};
    static const struct rota_stream_end end = {.cause = ROTA_STREAM_LOST, .detail = "closed from here"};

    end_conn(ROTA_CONTAINER(task, struct rota_fake_conn, close_task), &end, &closed);
}

static rota_err dial(struct rota_dialer *dialer, const struct rota_dial *dial, const struct rota_conn_events *events, void *owner,
                     struct rota_conn **ret_conn)
{
    struct rota_fake_transport *transport = ROTA_CONTAINER(dialer, struct rota_fake_transport, dialer);
    struct rota_fake_conn *conn;

    if (transport->dial_err < 0)
        return transport->dial_err;
    assert_true(transport->n_conns < ROTA_FAKE_CONNS_MAX);
    conn = rota_alloc_zero(transport->alloc, 1, sizeof(*conn));
    if (conn == NULL)
        return ROTA_ENOMEM;
    conn->conn.class = &conn_class;
    conn->transport = transport;
    conn->events = events;
    conn->owner = owner;
    conn->close_task.run = run_close;
    conn->dialed_ns = transport->v->host.now_ns;
    conn->deadline_ns = dial->deadline_ns;
    conn->high_mark_bytes = dial->high_mark_bytes;
    conn->keepalive_time_ns = dial->keepalive_time_ns;
    conn->max_streams = SIZE_MAX;
    snprintf(conn->address, sizeof(conn->address), "%s", dial->address->text);
    transport->conns[transport->n_conns++] = conn;
    *ret_conn = &conn->conn;
    return 0;
}

static const struct rota_dialer_class dialer_class = {.dial = dial};

void rota_fake_transport_init(struct rota_fake_transport *transport, struct rota_virtual_host *v, const struct rota_alloc *alloc)
{
    *transport = (struct rota_fake_transport){.dialer.class = &dialer_class, .v = v, .alloc = alloc};
}

void rota_fake_transport_fini(struct rota_fake_transport *transport)
{
    for (size_t i = 0; i < transport->n_conns; i++) {
        struct rota_fake_conn *conn = transport->conns[i];
        assert_true(conn->closed);
        for (size_t n = 0; n < conn->n_streams; n++)
            free_stream(transport, conn->streams[n]);
        rota_alloc_free(transport->alloc, conn->streams);
        rota_alloc_free(transport->alloc, conn);
    }
    transport->n_conns = 0;
}

/* --- The peer --- */

static void begin(struct rota_fake_conn *conn)
{
    conn->transport->v->host.in_turn = true;
}

/* Lets the host run dry and ends a drained connection whose last stream is gone. */
static void finish(struct rota_fake_conn *conn)
{
    struct rota_fake_transport *transport = conn->transport;

    if (conn->draining && conn->n_open == 0 && !conn->closed)
        rota_host_post(&transport->v->host, &conn->close_task);
    transport->v->host.in_turn = false;
    rota_virtual_host_run(transport->v);
}

struct rota_fake_conn *rota_fake_conn_to(struct rota_fake_transport *transport, const char *address)
{
    for (size_t i = transport->n_conns; i > 0; i--)
        if (strcmp(transport->conns[i - 1]->address, address) == 0)
            return transport->conns[i - 1];
    return NULL;
}

void rota_fake_up(struct rota_fake_conn *conn)
{
    assert_non_null(conn);
    assert_false(conn->up || conn->closed);
    begin(conn);
    conn->up = true;
    conn->events->on_ready(conn->owner);
    finish(conn);
}

static void lose(struct rota_fake_conn *conn, const char *text, enum rota_stream_cause cause)
{
    struct rota_stream_end end = {.cause = cause, .unsent = cause == ROTA_STREAM_UNPROCESSED, .detail = text};
    struct rota_status why;

    assert_non_null(conn);
    rota_status_set(&why, ROTA_UNAVAILABLE, "%s: %s", conn->address, text);
    begin(conn);
    end_conn(conn, &end, &why);
    finish(conn);
}

void rota_fake_lose(struct rota_fake_conn *conn, const char *why)
{
    lose(conn, why, ROTA_STREAM_LOST);
}

void rota_fake_lose_unsent(struct rota_fake_conn *conn, const char *why)
{
    lose(conn, why, ROTA_STREAM_UNPROCESSED);
}

void rota_fake_goaway(struct rota_fake_conn *conn, size_t n_processed)
{
    struct rota_stream_end end = {.cause = ROTA_STREAM_UNPROCESSED, .detail = "above the last stream of GOAWAY"};

    begin(conn);
    conn->draining = true;
    conn->events->on_draining(conn->owner, NULL);
    end_streams(conn, n_processed, &end);
    finish(conn);
}

void rota_fake_allow(struct rota_fake_conn *conn, size_t max_streams)
{
    begin(conn);
    conn->max_streams = max_streams;
    if (conn->starved && conn->n_open < max_streams) {
        conn->starved = false;
        conn->events->on_room(conn->owner);
    }
    finish(conn);
}

struct rota_fake_stream *rota_fake_stream_at(struct rota_fake_conn *conn, size_t n)
{
    assert_non_null(conn);
    assert_true(n < conn->n_streams);
    return conn->streams[n];
}

const char *rota_fake_header(const struct rota_fake_stream *stream, const char *name)
{
    static char value[512];
    struct rota_slice text = rota_buffer_peek(&stream->headers);
    const char *line = (const char *)text.data, *end = line + text.size;
    size_t name_size = strlen(name);

    while (line < end) {
        const char *eol = memchr(line, '\n', (size_t)(end - line));
        if ((size_t)(eol - line) > name_size + 1 && memcmp(line, name, name_size) == 0 && line[name_size] == ':') {
            snprintf(value, sizeof(value), "%.*s", (int)(eol - line - (long)name_size - 2), line + name_size + 2);
            return value;
        }
        line = eol + 1;
    }
    return NULL;
}

const char *rota_fake_request(const struct rota_fake_stream *stream)
{
    static char text[512];
    struct rota_slice data = rota_buffer_peek(&stream->data);

    assert_true(data.size >= 5 && data.size < sizeof(text));
    assert_int_equal(data.data[0], 0);
    assert_int_equal(data.data[3] * 256 + data.data[4], data.size - 5);
    snprintf(text, sizeof(text), "%.*s", (int)data.size - 5, (const char *)data.data + 5);
    return text;
}

void rota_fake_raw_headers(struct rota_fake_stream *stream, const struct rota_header *headers, size_t count, bool end)
{
    struct rota_stream_end done = {.cause = ROTA_STREAM_DONE, .detail = "ended"};

    if (stream->dead || stream->answered)
        return;
    stream->answered = true;
    begin(stream->conn);
    stream->events->on_headers(stream->owner, &stream->stream, headers, count, end);
    if (end && !stream->dead && (stream->end || stream->ended)) {
        die(stream);
        stream->events->on_closed(stream->owner, &done);
    }
    finish(stream->conn);
}

void rota_fake_headers(struct rota_fake_stream *stream)
{
    static const struct rota_header headers[] = {
        {{(const uint8_t *)":status", 7}, {(const uint8_t *)"200", 3}},
        {{(const uint8_t *)"content-type", 12}, {(const uint8_t *)"application/grpc", 16}},
        {{(const uint8_t *)"x-initial", 9}, {(const uint8_t *)"i", 1}},
    };

    rota_fake_raw_headers(stream, headers, ROTA_COUNT(headers), false);
}

void rota_fake_trailers_only(struct rota_fake_stream *stream, enum rota_code code, const char *message)
{
    char number[8];
    struct rota_header headers[] = {
        {ROTA_SLICE(":status"), ROTA_SLICE("200")},
        {ROTA_SLICE("content-type"), ROTA_SLICE("application/grpc")},
        {ROTA_SLICE("grpc-status"), rota_slice(number, (size_t)snprintf(number, sizeof(number), "%d", (int)code))},
        {ROTA_SLICE("grpc-message"), rota_slice_str(message)},
    };

    rota_fake_raw_headers(stream, headers, ROTA_COUNT(headers), true);
}

void rota_fake_pushback(struct rota_fake_stream *stream, enum rota_code code, const char *pushback_ms)
{
    char number[8];
    struct rota_header headers[] = {
        {ROTA_SLICE(":status"), ROTA_SLICE("200")},
        {ROTA_SLICE("content-type"), ROTA_SLICE("application/grpc")},
        {ROTA_SLICE("grpc-status"), rota_slice(number, (size_t)snprintf(number, sizeof(number), "%d", (int)code))},
        {ROTA_SLICE("grpc-retry-pushback-ms"), rota_slice_str(pushback_ms)},
    };

    rota_fake_raw_headers(stream, headers, ROTA_COUNT(headers), true);
}

void rota_fake_data(struct rota_fake_stream *stream, struct rota_slice bytes)
{
    if (stream->dead)
        return;
    begin(stream->conn);
    stream->given += bytes.size;
    stream->events->on_data(stream->owner, &stream->stream, bytes);
    finish(stream->conn);
}

void rota_fake_message(struct rota_fake_stream *stream, const char *text)
{
    uint8_t bytes[512];
    size_t size = strlen(text);

    assert_true(size + 5 <= sizeof(bytes));
    memset(bytes, 0, 5);
    bytes[3] = (uint8_t)(size >> 8);
    bytes[4] = (uint8_t)size;
    memcpy(bytes + 5, text, size);
    rota_fake_data(stream, rota_slice(bytes, size + 5));
}

static void end_by_peer(struct rota_fake_stream *stream, const struct rota_header *trailers, size_t count)
{
    struct rota_stream_end done = {.cause = ROTA_STREAM_DONE, .detail = "ended"};

    if (stream->dead)
        return;
    begin(stream->conn);
    stream->events->on_end(stream->owner, &stream->stream, trailers, count);
    if (!stream->dead && (stream->end || stream->ended)) {
        die(stream);
        stream->events->on_closed(stream->owner, &done);
    }
    finish(stream->conn);
}

void rota_fake_trailers(struct rota_fake_stream *stream, enum rota_code code, const char *message)
{
    char number[8];
    struct rota_header trailers[] = {
        {ROTA_SLICE("grpc-status"), rota_slice(number, (size_t)snprintf(number, sizeof(number), "%d", (int)code))},
        {ROTA_SLICE("x-trailing"), ROTA_SLICE("t")},
        {ROTA_SLICE("grpc-message"), rota_slice_str(message)},
    };

    end_by_peer(stream, trailers, message[0] == '\0' ? 2 : 3);
}

void rota_fake_end(struct rota_fake_stream *stream)
{
    end_by_peer(stream, NULL, 0);
}

void rota_fake_reply(struct rota_fake_stream *stream, const char *text)
{
    rota_fake_headers(stream);
    rota_fake_message(stream, text);
    rota_fake_trailers(stream, ROTA_OK, "");
}

void rota_fake_close(struct rota_fake_stream *stream, enum rota_stream_cause cause, uint32_t h2_code, bool unsent)
{
    struct rota_stream_end end = {.cause = cause, .h2_code = h2_code, .unsent = unsent, .detail = "as the test says"};

    if (stream->dead)
        return;
    begin(stream->conn);
    die(stream);
    stream->events->on_closed(stream->owner, &end);
    finish(stream->conn);
}

void rota_fake_writable(struct rota_fake_stream *stream)
{
    begin(stream->conn);
    stream->queued = 0;
    stream->events->on_writable(stream->owner, &stream->stream);
    finish(stream->conn);
}
