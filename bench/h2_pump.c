/* h2_pump.c - what a unary call costs in the HTTP/2 layer alone: a client and a server connection joined in memory.
 *
 * usage: h2_pump [calls outstanding] [calls] [message bytes]
 * Prints the nanoseconds a call takes on each side; bytes go over in turns, as they do over a socket.
 */
#include "base/alloc.h"
#include "base/assert.h"
#include "h2/h2.h"
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#define HEADER(name, value) {ROTA_SLICE(name), ROTA_SLICE(value)}

static const struct rota_header request[] = {
    HEADER(":method", "POST"),
    HEADER(":scheme", "http"),
    HEADER(":path", "/proto.HelloService/Say"),
    HEADER(":authority", "127.0.0.1:50051"),
    HEADER("te", "trailers"),
    HEADER("content-type", "application/grpc"),
    HEADER("user-agent", "rota-c/0.1"),
    HEADER("grpc-timeout", "5S"),
};
static const struct rota_header response[] = {
    HEADER(":status", "200"),
    HEADER("content-type", "application/grpc"),
};
static const struct rota_header trailers[] = {
    HEADER("grpc-status", "0"),
};

struct bench {
    struct rota_h2 *client, *server;
    size_t message_bytes;
    long started, done, wanted;
    int64_t client_ns, server_ns;
};

static int64_t clock_ns(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec * INT64_C(1000000000) + t.tv_nsec;
}

static struct rota_chunk *message(const struct bench *b)
{
    struct rota_chunk *chunk = rota_chunk_new(NULL, b->message_bytes);

    ROTA_ASSERT(chunk != NULL);
    memset(chunk->data, 'x', b->message_bytes);
    chunk->size = b->message_bytes;
    return chunk;
}

static void start_call(struct bench *b)
{
    struct rota_h2_stream *stream;

    ROTA_ASSERT(rota_h2_open(b->client, request, ROTA_COUNT(request), false, b, &stream) == 0);
    ROTA_ASSERT(rota_h2_send(stream, message(b), true) == 0);
    b->started++;
}

static void answer(struct bench *b, struct rota_h2_stream *stream)
{
    ROTA_ASSERT(rota_h2_send_headers(stream, response, ROTA_COUNT(response), false) == 0);
    ROTA_ASSERT(rota_h2_send(stream, message(b), false) == 0);
    ROTA_ASSERT(rota_h2_send_trailers(stream, trailers, ROTA_COUNT(trailers)) == 0);
}

static void drain_client(struct bench *b)
{
    struct rota_h2_event event;

    while (rota_h2_next(b->client, &event)) {
        if (event.type == ROTA_H2_DATA)
            rota_h2_consumed(event.stream, event.data.size);
        if (event.type == ROTA_H2_CLOSED) {
            ROTA_ASSERT(event.cause == ROTA_H2_DONE);
            b->done++;
            if (b->started < b->wanted)
                start_call(b);
        }
    }
}

static void drain_server(struct bench *b)
{
    struct rota_h2_event event;

    while (rota_h2_next(b->server, &event)) {
        if (event.type == ROTA_H2_DATA)
            rota_h2_consumed(event.stream, event.data.size);
        if (event.type == ROTA_H2_END)
            answer(b, event.stream);
    }
}

static uint8_t bytes[256 * 1024];

static void turn(struct bench *b)
{
    int64_t t0 = clock_ns(), t1, t2, t3;
    size_t size;

    ROTA_ASSERT(rota_h2_pull(b->client, bytes, sizeof(bytes), 0, &size) == 0);
    drain_client(b);
    t1 = clock_ns();
    ROTA_ASSERT(rota_h2_feed(b->server, rota_slice(bytes, size), 0, NULL) == 0);
    drain_server(b);
    ROTA_ASSERT(rota_h2_pull(b->server, bytes, sizeof(bytes), 0, &size) == 0);
    drain_server(b);
    t2 = clock_ns();
    ROTA_ASSERT(rota_h2_feed(b->client, rota_slice(bytes, size), 0, NULL) == 0);
    drain_client(b);
    t3 = clock_ns();
    b->client_ns += t1 - t0 + t3 - t2;
    b->server_ns += t2 - t1;
}

int main(int argc, char **argv)
{
    long outstanding = argc > 1 ? atol(argv[1]) : 64, calls = argc > 2 ? atol(argv[2]) : 1000000;
    struct rota_h2_options client = {.keepalive_time_ns = INT64_MAX, .handshake_deadline_ns = INT64_MAX};
    struct rota_h2_options server = client;
    struct bench b = {.message_bytes = argc > 3 ? (size_t)atol(argv[3]) : 12, .wanted = calls};

    server.server = true;
    server.max_concurrent_streams = 1000;
    client.stream_window_bytes = server.stream_window_bytes = 1 << 20;
    ROTA_ASSERT(outstanding > 0 && outstanding <= 100 && outstanding <= calls);
    ROTA_ASSERT(rota_h2_new(&client, 0, &b.client) == 0 && rota_h2_new(&server, 0, &b.server) == 0);
    for (long i = 0; i < outstanding; i++)
        start_call(&b);
    while (b.done < calls)
        turn(&b);
    printf("outstanding=%ld calls=%ld client_ns=%.0f server_ns=%.0f\n", outstanding, calls,
        (double)b.client_ns / (double)calls, (double)b.server_ns / (double)calls);
    rota_h2_free(b.client);
    rota_h2_free(b.server);
    return 0;
}
