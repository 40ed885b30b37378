/* server_call.c - what a unary call costs a server above HTTP/2: dispatch, codec, status, on a transport that asks in memory.
 *
 * usage: server_call [calls outstanding] [calls]
 * Prints nanoseconds a call: headers, data and end in; the handler's reply; headers, message and trailers out; the end.
 */
#include "base/alloc.h"
#include "base/assert.h"
#include "server/server.h"
#include "wire/frame.h"
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#define HEADER(name, value) {ROTA_SLICE(name), ROTA_SLICE(value)}
#define MAX_OUTSTANDING 1024

static const struct rota_header request[] = {
    HEADER(":method", "POST"),
    HEADER(":scheme", "http"),
    HEADER(":path", "/bench.Bench/Echo"),
    HEADER(":authority", "127.0.0.1:50051"),
    HEADER("te", "trailers"),
    HEADER("content-type", "application/grpc"),
    HEADER("user-agent", "bench/1"),
    HEADER("grpc-timeout", "5S"),
};
static const uint8_t message[] = {0, 0, 0, 0, 7, 0x0a, 5, 'w', 'o', 'r', 'l', 'd'};

struct stream {
    struct rota_stream stream;
    const struct rota_stream_events *events;
    void *owner;
    bool answered;
};

static struct {
    struct rota_host host;
    struct rota_acceptor acceptor;
    const struct rota_listener_events *listening;
    void *listener_owner;
    struct rota_conn conn;
    const struct rota_conn_events *events;
    void *owner;
    struct rota_server *server;
    struct stream streams[MAX_OUTSTANDING];
} b;

static int64_t clock_ns(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec * INT64_C(1000000000) + t.tv_nsec;
}

/* Within a turn it stands still, or calls would wait for the next one when they have taken long, as under callgrind. */
static int64_t read_clock(struct rota_host *host)
{
    return host->in_turn ? host->now_ns : clock_ns();
}

/* --- The transport --- */

static void adopt(struct rota_stream *base, const struct rota_stream_events *events, void *owner)
{
    struct stream *stream = ROTA_CONTAINER(base, struct stream, stream);

    stream->events = events;
    stream->owner = owner;
}

static rota_err send_headers(struct rota_stream *stream, const struct rota_header *headers, size_t count, bool end)
{
    (void)stream;
    (void)headers;
    ROTA_ASSERT(count > 0 && !end);
    return 0;
}

static rota_err send_data(struct rota_stream *stream, struct rota_chunk *chunk, bool end)
{
    (void)stream;
    (void)end;
    ROTA_ASSERT(chunk->size == sizeof(message));
    rota_chunk_unref(chunk);
    return 0;
}

static rota_err send_trailers(struct rota_stream *stream, const struct rota_header *headers, size_t count)
{
    (void)headers;
    ROTA_ASSERT(count > 0);
    ROTA_CONTAINER(stream, struct stream, stream)->answered = true;
    return 0;
}

static void reset(struct rota_stream *stream, uint32_t h2_code)
{
    (void)stream;
    ROTA_ASSERT(h2_code == 0);
}

static void consumed(struct rota_stream *stream, size_t bytes)
{
    (void)stream;
    (void)bytes;
}

static size_t queued(const struct rota_stream *stream)
{
    (void)stream;
    return 0;
}

static const char *peer(const struct rota_conn *conn)
{
    (void)conn;
    return "127.0.0.1:1";
}

static void stop(struct rota_conn *conn)
{
    (void)conn;
}

static const struct rota_conn_class conn_class = {
    .adopt = adopt, .send_headers = send_headers, .send = send_data, .send_trailers = send_trailers, .reset = reset, .consumed = consumed, .queued = queued,
    .peer = peer, .drain = stop, .close = stop,
};

static rota_err listen_to(struct rota_acceptor *acceptor, const struct rota_address *address, const struct rota_serve_limits *limits,
                          const struct rota_listener_events *events, void *owner, char *bound, struct rota_listener **ret_listener,
                          struct rota_errinfo *info)
{
    (void)acceptor;
    (void)address;
    (void)limits;
    (void)bound;
    (void)info;
    b.listening = events;
    b.listener_owner = owner;
    *ret_listener = (struct rota_listener *)&b.acceptor;
    return 0;
}

/* --- The service --- */

static const struct rota_method method = {.path = "/bench.Bench/Echo", .request = {&rota_codec_bytes, NULL}, .reply = {&rota_codec_bytes, NULL}};

static void echo(struct rota_server_call *call, const void *asked, const void *handlers, void *user)
{
    (void)handlers;
    (void)user;
    rota_server_call_reply(call, asked);
}

static const struct rota_handler handlers[] = {{.method = &method, .on_message = echo}};
static const struct rota_service service = {.name = "bench.Bench", .handlers = handlers, .n_handlers = 1};

static void set_up(void)
{
    static const struct rota_acceptor_class acceptor_class = {.listen = listen_to};
    struct rota_server_options options = ROTA_SERVER_OPTIONS_INIT;
    struct rota_server_parts parts = {.host = &b.host, .acceptor = &b.acceptor};

    b.acceptor.class = &acceptor_class;
    b.conn.class = &conn_class;
    rota_host_init(&b.host, NULL, NULL, 1);
    b.host.clock = read_clock;
    ROTA_ASSERT(rota_server_make(&options, &parts, &b.server, NULL) == 0);
    ROTA_ASSERT(rota_server_add(b.server, &service, NULL, NULL) == 0);
    ROTA_ASSERT(rota_server_listen(b.server, "127.0.0.1:1", NULL, NULL) == 0);
    ROTA_ASSERT(b.listening->on_accept(b.listener_owner, &b.conn, &b.events, &b.owner));
}

static void turn(size_t outstanding)
{
    static const struct rota_stream_end end = {.cause = ROTA_STREAM_DONE, .detail = ""};

    b.host.now_ns = clock_ns();
    b.host.in_turn = true;
    for (size_t i = 0; i < outstanding; i++) {
        struct stream *stream = &b.streams[i];
        *stream = (struct stream){.stream.conn = &b.conn};
        b.events->on_stream(b.owner, &stream->stream, request, ROTA_COUNT(request), false);
        stream->events->on_data(stream->owner, &stream->stream, rota_slice(message, sizeof(message)));
        stream->events->on_end(stream->owner, &stream->stream, NULL, 0);
    }
    rota_host_run(&b.host);
    for (size_t i = 0; i < outstanding; i++) {
        ROTA_ASSERT(b.streams[i].answered);
        b.streams[i].events->on_closed(b.streams[i].owner, &end);
    }
    rota_host_run(&b.host);
    b.host.in_turn = false;
}

int main(int argc, char **argv)
{
    long outstanding = argc > 1 ? atol(argv[1]) : 64, calls = argc > 2 ? atol(argv[2]) : 2000000;
    int64_t start_ns;

    if (outstanding < 1 || outstanding > MAX_OUTSTANDING) {
        fprintf(stderr, "usage: server_call [calls outstanding] [calls]\n");
        return 2;
    }
    set_up();
    start_ns = clock_ns();
    for (long done = 0; done < calls; done += outstanding)
        turn((size_t)outstanding);
    printf("%ld calls, %ld outstanding: %.0f ns a call\n", calls, outstanding, (double)(clock_ns() - start_ns) / (double)calls);
    return 0;
}
