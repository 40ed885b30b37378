/* fake_acceptor.c - the tables of wire/transport.h on a server's side over records, and the clients played by the test. */
#include "testing/fake_acceptor.h"
#include "base/alloc.h"
#include "base/assert.h"
#include "testing/cmocka.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define H2_CANCEL 8

static struct rota_fake_asker *asker_of(const struct rota_conn *conn)
{
    return (struct rota_fake_asker *)(uintptr_t)conn;
}

static struct rota_fake_ask *ask_of(const struct rota_stream *stream)
{
    struct rota_fake_ask *ask = (struct rota_fake_ask *)(uintptr_t)stream;

    assert_false(ask->dead);
    return ask;
}

/* --- Operations --- */

static void adopt(struct rota_stream *stream, const struct rota_stream_events *events, void *owner)
{
    struct rota_fake_ask *ask = ask_of(stream);

    assert_null(ask->events);
    ask->events = events;
    ask->owner = owner;
}

static rota_err record(struct rota_fake_ask *ask, struct rota_buffer *lines, const struct rota_header *headers, size_t count)
{
    struct rota_fake_acceptor *acceptor = ask->asker->acceptor;
    size_t bytes = 0;

    assert_false(ask->ended);
    if (acceptor->send_err < 0)
        return acceptor->send_err;
    if (acceptor->max_fields > 0 && count > acceptor->max_fields)
        return ROTA_ELIMIT;
    for (size_t i = 0; i < count; i++)
        bytes += headers[i].name.size + headers[i].value.size;
    if (acceptor->max_field_bytes > 0 && bytes > acceptor->max_field_bytes)
        return ROTA_ELIMIT;
    for (size_t i = 0; i < count; i++) {
        if (rota_buffer_append(lines, headers[i].name) < 0 || rota_buffer_append(lines, ROTA_SLICE(": ")) < 0 ||
            rota_buffer_append(lines, headers[i].value) < 0 || rota_buffer_append(lines, ROTA_SLICE("\n")) < 0)
            return ROTA_ENOMEM;
    }
    return 0;
}

static rota_err send_headers(struct rota_stream *stream, const struct rota_header *headers, size_t count, bool end)
{
    struct rota_fake_ask *ask = ask_of(stream);
    rota_err err;

    assert_false(ask->headers_sent);
    err = record(ask, &ask->headers, headers, count);
    if (err < 0)
        return err;
    ask->headers_sent = true;
    ask->ended = end;
    return 0;
}

static rota_err send_data(struct rota_stream *stream, struct rota_chunk *chunk, bool end)
{
    struct rota_fake_ask *ask = ask_of(stream);
    rota_err err = ask->asker->acceptor->send_err;

    assert_true(ask->headers_sent && !ask->ended);
    if (err == 0)
        err = rota_buffer_append(&ask->data, rota_chunk_slice(chunk));
    rota_chunk_unref(chunk);
    ask->n_sends += err == 0;
    ask->ended = end && err == 0;
    return err;
}

static rota_err send_trailers(struct rota_stream *stream, const struct rota_header *headers, size_t count)
{
    struct rota_fake_ask *ask = ask_of(stream);
    rota_err err;

    assert_true(ask->headers_sent);
    err = record(ask, &ask->trailers, headers, count);
    ask->ended = err == 0;
    return err;
}

static void die(struct rota_fake_ask *ask)
{
    ask->dead = true;
    ask->asker->n_open--;
}

static void reset(struct rota_stream *stream, uint32_t h2_code)
{
    struct rota_fake_ask *ask = ask_of(stream);

    die(ask);
    ask->reset = true;
    ask->reset_code = h2_code;
}

static void consumed(struct rota_stream *stream, size_t bytes)
{
    struct rota_fake_ask *ask = ask_of(stream);

    ask->consumed += bytes;
    assert_true(ask->consumed <= ask->given);
}

static size_t queued(const struct rota_stream *stream)
{
    return ask_of(stream)->queued;
}

static size_t max_header_bytes(const struct rota_conn *conn)
{
    (void)conn;
    return 100;
}

static const char *peer(const struct rota_conn *conn)
{
    assert_false(asker_of(conn)->closed);
    return "192.0.2.1:5000";
}

static void drain(struct rota_conn *conn)
{
    assert_false(asker_of(conn)->closed);
    asker_of(conn)->drains++;
}

static void close_conn(struct rota_conn *conn)
{
    struct rota_fake_asker *asker = asker_of(conn);

    assert_false(asker->closed);
    asker->closing = true;
    rota_host_post(&asker->acceptor->v->host, &asker->close_task);
}

static void expel(struct rota_conn *conn, const char *why)
{
    asker_of(conn)->why = why;
    close_conn(conn);
}

static const struct rota_conn_class conn_class = {
    .adopt = adopt, .send_headers = send_headers, .send = send_data, .send_trailers = send_trailers, .reset = reset,
    .consumed = consumed, .queued = queued, .max_header_bytes = max_header_bytes, .peer = peer, .drain = drain, .expel = expel, .close = close_conn,
};

/* --- Ends --- */

static void end_ask(struct rota_fake_ask *ask, const struct rota_stream_end *end)
{
    die(ask);
    ask->events->on_closed(ask->owner, end);
}

static void end_asker(struct rota_fake_asker *asker, const struct rota_stream_end *end, enum rota_code code)
{
    struct rota_status why = {.code = code, .message = "gone"};

    for (size_t i = 0; i < asker->n_asks; i++)
        if (!asker->asks[i]->dead)
            end_ask(asker->asks[i], end);
    asker->closed = true;
    rota_host_unpost(&asker->acceptor->v->host, &asker->close_task);
    asker->events->on_closed(asker->owner, &why);
}

static void run_close(struct rota_host_task *task)
{
    static const struct rota_stream_end end = {.cause = ROTA_STREAM_LOST, .detail = "closed from here"};

    end_asker(ROTA_CONTAINER(task, struct rota_fake_asker, close_task), &end, ROTA_OK);
}

static void close_listener(struct rota_listener *listener)
{
    assert_false(listener->closing);
    listener->closing = true;
    rota_host_post(&listener->acceptor->v->host, &listener->close_task);
}

static void run_listener_close(struct rota_host_task *task)
{
    struct rota_listener *listener = ROTA_CONTAINER(task, struct rota_listener, close_task);

    listener->closed = true;
    listener->events->on_closed(listener->owner, listener);
}

static rota_err start_listening(struct rota_acceptor *base, const struct rota_address *address, const struct rota_serve_limits *limits,
                                const struct rota_listener_events *events, void *owner, char *bound, struct rota_listener **ret_listener,
                                struct rota_errinfo *info)
{
    struct rota_fake_acceptor *acceptor = ROTA_CONTAINER(base, struct rota_fake_acceptor, acceptor);
    struct rota_listener *listener;

    (void)info;
    if (acceptor->listen_err < 0)
        return acceptor->listen_err;
    assert_true(acceptor->n_listeners < ROTA_COUNT(acceptor->listeners));
    listener = &acceptor->listeners[acceptor->n_listeners++];
    *listener = (struct rota_listener){.acceptor = acceptor, .events = events, .owner = owner, .limits = *limits, .close_task.run = run_listener_close};
    if (bound != NULL)
        snprintf(bound, ROTA_ADDRESS_TEXT_SIZE, "%s", address->text);
    *ret_listener = listener;
    return 0;
}

static const struct rota_acceptor_class acceptor_class = {.listen = start_listening, .close = close_listener};

void rota_fake_acceptor_init(struct rota_fake_acceptor *acceptor, struct rota_virtual_host *v, const struct rota_alloc *alloc)
{
    *acceptor = (struct rota_fake_acceptor){.acceptor.class = &acceptor_class, .v = v, .alloc = alloc};
}

void rota_fake_acceptor_fini(struct rota_fake_acceptor *acceptor)
{
    for (size_t i = 0; i < acceptor->n_listeners; i++)
        assert_true(acceptor->listeners[i].closed);
    for (size_t i = 0; i < acceptor->n_askers; i++) {
        struct rota_fake_asker *asker = acceptor->askers[i];
        assert_true(asker->closed || asker->events == NULL);
        for (size_t n = 0; n < asker->n_asks; n++) {
            rota_buffer_fini(&asker->asks[n]->headers);
            rota_buffer_fini(&asker->asks[n]->trailers);
            rota_buffer_fini(&asker->asks[n]->data);
            rota_alloc_free(acceptor->alloc, asker->asks[n]);
        }
        rota_alloc_free(acceptor->alloc, asker);
    }
}

/* --- The clients --- */

static void begin(struct rota_fake_acceptor *acceptor)
{
    acceptor->v->host.in_turn = true;
}

/* Lets the host run dry; what is answered ends, and a drained connection without requests with it. */
static void finish(struct rota_fake_acceptor *acceptor)
{
    static const struct rota_stream_end done = {.cause = ROTA_STREAM_DONE, .detail = "ended"};

    acceptor->v->host.in_turn = false;
    rota_virtual_host_run(acceptor->v);
    acceptor->v->host.in_turn = true;
    for (size_t i = 0; i < acceptor->n_askers; i++) {
        struct rota_fake_asker *asker = acceptor->askers[i];
        for (size_t n = 0; n < asker->n_asks; n++)
            if (asker->asks[n]->ended && asker->asks[n]->queued == 0 && !asker->asks[n]->dead)
                end_ask(asker->asks[n], &done);
        if (asker->drains > 0 && asker->n_open == 0 && !asker->closed)
            close_conn(&asker->conn);
    }
    acceptor->v->host.in_turn = false;
    rota_virtual_host_run(acceptor->v);
}

struct rota_fake_asker *rota_fake_connect(struct rota_fake_acceptor *acceptor)
{
    struct rota_fake_asker *asker = rota_alloc_zero(acceptor->alloc, 1, sizeof(*asker));
    struct rota_listener *listener = &acceptor->listeners[0];

    assert_non_null(asker);
    assert_true(acceptor->n_askers < ROTA_FAKE_ASKERS_MAX && acceptor->n_listeners > 0 && !listener->closed);
    asker->conn.class = &conn_class;
    asker->acceptor = acceptor;
    asker->close_task.run = run_close;
    acceptor->askers[acceptor->n_askers++] = asker;
    begin(acceptor);
    if (!listener->events->on_accept(listener->owner, &asker->conn, &asker->events, &asker->owner))
        asker->events = NULL;
    finish(acceptor);
    return asker;
}

void rota_fake_hang_up(struct rota_fake_asker *asker)
{
    static const struct rota_stream_end end = {.cause = ROTA_STREAM_LOST, .detail = "hung up"};

    begin(asker->acceptor);
    end_asker(asker, &end, ROTA_UNAVAILABLE);
    finish(asker->acceptor);
}

struct rota_fake_ask *rota_fake_ask_raw(struct rota_fake_asker *asker, const struct rota_header *headers, size_t count, bool end)
{
    struct rota_fake_ask *ask = rota_alloc_zero(asker->acceptor->alloc, 1, sizeof(*ask));

    assert_non_null(ask);
    assert_true(asker->n_asks < ROTA_FAKE_ASKS_MAX && asker->events != NULL && !asker->closed);
    ask->stream.conn = &asker->conn;
    ask->asker = asker;
    rota_buffer_init(&ask->headers, asker->acceptor->alloc, 0);
    rota_buffer_init(&ask->trailers, asker->acceptor->alloc, 0);
    rota_buffer_init(&ask->data, asker->acceptor->alloc, 0);
    asker->asks[asker->n_asks++] = ask;
    asker->n_open++;
    begin(asker->acceptor);
    asker->events->on_stream(asker->owner, &ask->stream, headers, count, end);
    assert_true(ask->events != NULL || ask->dead);
    finish(asker->acceptor);
    return ask;
}

struct rota_fake_ask *rota_fake_ask(struct rota_fake_asker *asker, const char *path, const char *name, const char *value)
{
    struct rota_header headers[] = {
        {ROTA_SLICE(":method"), ROTA_SLICE("POST")},
        {ROTA_SLICE(":scheme"), ROTA_SLICE("http")},
        {ROTA_SLICE(":path"), rota_slice_str(path)},
        {ROTA_SLICE("te"), ROTA_SLICE("trailers")},
        {ROTA_SLICE("content-type"), ROTA_SLICE("application/grpc")},
        {rota_slice_str(name == NULL ? "x" : name), rota_slice_str(name == NULL ? "" : value)},
    };

    return rota_fake_ask_raw(asker, headers, ROTA_COUNT(headers) - (name == NULL), false);
}

void rota_fake_ask_data(struct rota_fake_ask *ask, struct rota_slice bytes)
{
    if (ask->dead)
        return;
    begin(ask->asker->acceptor);
    ask->given += bytes.size;
    ask->events->on_data(ask->owner, &ask->stream, bytes);
    finish(ask->asker->acceptor);
}

void rota_fake_ask_message(struct rota_fake_ask *ask, const char *text)
{
    uint8_t bytes[300] = {0};
    size_t size = strlen(text);

    assert_true(size <= 255);
    bytes[4] = (uint8_t)size;
    memcpy(bytes + 5, text, size);
    rota_fake_ask_data(ask, rota_slice(bytes, size + 5));
}

void rota_fake_ask_end(struct rota_fake_ask *ask)
{
    if (ask->dead)
        return;
    begin(ask->asker->acceptor);
    ask->events->on_end(ask->owner, &ask->stream, NULL, 0);
    finish(ask->asker->acceptor);
}

void rota_fake_ask_cancel(struct rota_fake_ask *ask)
{
    static const struct rota_stream_end end = {.cause = ROTA_STREAM_RESET, .h2_code = H2_CANCEL, .detail = "cancelled"};

    if (ask->dead)
        return;
    begin(ask->asker->acceptor);
    end_ask(ask, &end);
    finish(ask->asker->acceptor);
}

void rota_fake_ask_writable(struct rota_fake_ask *ask)
{
    if (ask->dead)
        return;
    begin(ask->asker->acceptor);
    ask->queued = 0;
    ask->events->on_writable(ask->owner, &ask->stream);
    finish(ask->asker->acceptor);
}

/* --- What was answered --- */

static const char *find(const struct rota_buffer *lines, const char *name)
{
    static char value[600];
    struct rota_slice text = rota_buffer_peek(lines);
    size_t name_size = strlen(name);

    while (text.size > 0) {
        const char *line = (const char *)text.data, *eol = memchr(line, '\n', text.size);
        size_t size = (size_t)(eol - line);
        if (size > name_size + 1 && memcmp(line, name, name_size) == 0 && line[name_size] == ':') {
            snprintf(value, sizeof(value), "%.*s", (int)(size - name_size - 2), line + name_size + 2);
            return value;
        }
        text = rota_slice(text.data + size + 1, text.size - size - 1);
    }
    return NULL;
}

const char *rota_fake_answer_header(const struct rota_fake_ask *ask, const char *name)
{
    const char *value = find(&ask->headers, name);

    return value != NULL ? value : find(&ask->trailers, name);
}

const char *rota_fake_answer_status(const struct rota_fake_ask *ask)
{
    static char text[700];
    const char *found;
    int size;

    if (ask->reset) {
        snprintf(text, sizeof(text), "reset %u", (unsigned)ask->reset_code);
    } else if (!ask->ended) {
        return ask->dead ? "lost" : "open";
    } else if ((found = rota_fake_answer_header(ask, "grpc-status")) == NULL) {
        found = rota_fake_answer_header(ask, ":status");
        snprintf(text, sizeof(text), "http %s", found == NULL ? "?" : found);
    } else {
        size = snprintf(text, sizeof(text), "%s", rota_code_name((enum rota_code)strtol(found, NULL, 10)));
        found = rota_fake_answer_header(ask, "grpc-message");
        if (found != NULL && *found != '\0')
            snprintf(text + size, sizeof(text) - (size_t)size, " %s", found);
    }
    return text;
}

const char *rota_fake_answer_messages(const struct rota_fake_ask *ask)
{
    static char text[2000];
    struct rota_slice data = rota_buffer_peek(&ask->data);
    size_t used = 0;

    text[0] = '\0';
    while (data.size >= 5 && used < sizeof(text)) {
        size_t size = (size_t)data.data[3] << 8 | data.data[4];
        assert_true(data.data[0] == 0 && size + 5 <= data.size);
        used += (size_t)snprintf(text + used, sizeof(text) - used, "%.*s ", (int)size, (const char *)data.data + 5);
        data = rota_slice(data.data + 5 + size, data.size - 5 - size);
    }
    return text;
}
