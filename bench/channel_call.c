/* channel_call.c - what a unary call costs above HTTP/2: channel, policy, call, codec, on a transport that answers at once.
 *
 * usage: channel_call [calls outstanding] [calls] [message bytes] [policy]
 * Prints nanoseconds a call: start, pick, headers, send; headers, data, trailers in; unpack, done; and the deadline's timer.
 */
#include "base/alloc.h"
#include "base/assert.h"
#include "channel/channel.h"
#include "wire/frame.h"
#include <rota/lb.h>
#include <rota/message.h>
#include <rota/resolver.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#define HEADER(name, value) {{(const uint8_t *)(name), sizeof(name) - 1}, {(const uint8_t *)(value), sizeof(value) - 1}}

static const struct rota_header response[] = {
    HEADER(":status", "200"),
    HEADER("content-type", "application/grpc"),
};
static const struct rota_header trailers[] = {HEADER("grpc-status", "0")};

struct stream {
    struct rota_stream stream;
    struct rota_link link;
    const struct rota_stream_events *events;
    void *owner;
};

static struct {
    struct rota_host host;
    struct rota_dialer dialer;
    struct rota_conn conn;
    const struct rota_conn_events *events;
    void *owner;
    struct rota_link asked, spare; /* struct stream */
    struct rota_channel *channel;
    uint8_t reply[65536];
    struct rota_slice request;
    size_t reply_size;
    long started, done, wanted;
} b;

static int64_t clock_ns(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec * INT64_C(1000000000) + t.tv_nsec;
}

static int64_t read_clock(struct rota_host *host)
{
    (void)host;
    return clock_ns();
}

/* --- A transport that answers in the next turn --- */

static rota_err open_stream(struct rota_conn *conn, const struct rota_header *headers, size_t count, bool end, const struct rota_stream_events *events,
                            void *owner, struct rota_stream **ret_stream)
{
    struct rota_link *link = rota_list_pop(&b.spare);
    struct stream *stream = link != NULL ? ROTA_CONTAINER(link, struct stream, link) : rota_alloc_zero(NULL, 1, sizeof(*stream));

    (void)headers;
    (void)count;
    (void)end;
    stream->stream.conn = conn;
    stream->events = events;
    stream->owner = owner;
    *ret_stream = &stream->stream;
    return 0;
}

static rota_err send_data(struct rota_stream *base, struct rota_chunk *chunk, bool end)
{
    struct stream *stream = ROTA_CONTAINER(base, struct stream, stream);

    rota_chunk_unref(chunk);
    if (end)
        rota_list_append(&b.asked, &stream->link);
    return 0;
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

static void stop(struct rota_conn *conn)
{
    (void)conn;
}

static const struct rota_conn_class conn_class = {
    .open = open_stream, .send = send_data, .consumed = consumed, .queued = queued, .drain = stop, .close = stop,
};

static rota_err dial(struct rota_dialer *dialer, const struct rota_dial *dial, const struct rota_conn_events *events, void *owner,
                     struct rota_conn **ret_conn)
{
    (void)dialer;
    (void)dial;
    b.conn.class = &conn_class;
    b.events = events;
    b.owner = owner;
    *ret_conn = &b.conn;
    return 0;
}

static void answer_all(void)
{
    static const struct rota_stream_end end = {.cause = ROTA_STREAM_DONE, .detail = ""};
    struct rota_link asked, *link;

    rota_list_init(&asked);
    rota_list_take(&asked, &b.asked);
    while ((link = rota_list_pop(&asked)) != NULL) {
        struct stream *stream = ROTA_CONTAINER(link, struct stream, link);
        stream->events->on_headers(stream->owner, &stream->stream, response, ROTA_COUNT(response), false);
        stream->events->on_data(stream->owner, &stream->stream, rota_slice(b.reply, b.reply_size));
        stream->events->on_end(stream->owner, &stream->stream, trailers, ROTA_COUNT(trailers));
        rota_list_append(&b.spare, &stream->link);
        stream->events->on_closed(stream->owner, &end);
    }
}

/* --- One endpoint, at once --- */

static rota_err start_resolver(void *state, const struct rota_target *target, struct rota_loop *loop, struct rota_resolver_sink *sink)
{
    struct rota_address address = {.kind = ROTA_ADDRESS_IPV4, .port = 1, .ip = {127, 0, 0, 1}, .text = "127.0.0.1:1"};
    struct rota_endpoint from = {.addresses = &address, .n_addresses = 1};
    const struct rota_endpoint *endpoint;

    (void)state;
    (void)target;
    (void)loop;
    if (rota_endpoint_new(NULL, &from, &endpoint) < 0)
        return ROTA_ENOMEM;
    rota_resolver_sink_endpoints(sink, &endpoint, 1, NULL);
    rota_endpoint_unref(endpoint);
    return 0;
}

static void stop_resolver(void *state)
{
    (void)state;
}

static const struct rota_resolver_class resolver = {.scheme = "bench", .start = start_resolver, .stop = stop_resolver};
static const struct rota_resolver_class *const resolvers[] = {&resolver, NULL};
static const struct rota_lb_class *const policies[] = {&rota_lb_pick_first, &rota_lb_round_robin, NULL};
static const struct rota_method method = {
    .path = "/proto.HelloService/Say", .request = {&rota_codec_bytes, NULL}, .reply = {&rota_codec_bytes, NULL}};

static void start_call(void);

static void on_done(void *arg, const struct rota_status *status, const void *reply)
{
    (void)arg;
    ROTA_ASSERT(status->code == ROTA_OK && reply != NULL);
    b.done++;
    if (b.started < b.wanted)
        start_call();
}

static void start_call(void)
{
    struct rota_call_options options = ROTA_CALL_OPTIONS_INIT;

    options.timeout_ms = 5000;
    b.started++;
    ROTA_ASSERT(rota_unary_start(b.channel, &method, &options, &b.request, on_done, NULL, NULL) == 0);
}

static void turn(void)
{
    b.host.now_ns = clock_ns();
    b.host.in_turn = true;
    answer_all();
    rota_host_run(&b.host);
    b.host.in_turn = false;
}

static void set_up(size_t message_bytes, const char *policy)
{
    struct rota_channel_options options = ROTA_CHANNEL_OPTIONS_INIT;
    struct rota_channel_parts parts = {.host = &b.host, .dialer = &b.dialer, .policies = policies, .resolvers = resolvers};
    static const struct rota_dialer_class dialer_class = {.dial = dial};
    static char config[128];

    b.dialer.class = &dialer_class;
    rota_host_init(&b.host, NULL, NULL, 1);
    b.host.clock = read_clock;
    rota_list_init(&b.asked);
    rota_list_init(&b.spare);
    rota_frame_put_prefix(b.reply, false, (uint32_t)message_bytes);
    b.reply_size = ROTA_FRAME_PREFIX + message_bytes;
    b.request = rota_slice(b.reply + ROTA_FRAME_PREFIX, message_bytes);
    snprintf(config, sizeof(config), "{\"loadBalancingConfig\":[{\"%s\":{}}]}", policy);
    options.service_config = config;
    ROTA_ASSERT(rota_channel_make("bench:x", &options, &parts, &b.channel, NULL) == 0);
    rota_channel_connect(b.channel);
    turn();
    b.events->on_ready(b.owner);
    turn();
    ROTA_ASSERT(rota_channel_state(b.channel) == ROTA_CONN_READY);
}

int main(int argc, char **argv)
{
    long outstanding = argc > 1 ? atol(argv[1]) : 64;
    size_t message_bytes = argc > 3 ? (size_t)atol(argv[3]) : 20;
    int64_t start_ns;

    b.wanted = argc > 2 ? atol(argv[2]) : 2000000;
    if (outstanding < 1 || b.wanted < outstanding || message_bytes > sizeof(b.reply) - ROTA_FRAME_PREFIX) {
        fprintf(stderr, "usage: channel_call [calls outstanding] [calls] [message bytes] [policy]\n");
        return 2;
    }
    set_up(message_bytes, argc > 4 ? argv[4] : "round_robin");
    start_ns = clock_ns();
    for (long i = 0; i < outstanding; i++)
        start_call();
    while (b.done < b.wanted)
        turn();
    printf("%ld calls, %ld outstanding, %zu bytes: %.0f ns a call\n", b.wanted, outstanding, message_bytes, (double)(clock_ns() - start_ns) / (double)b.wanted);
    return 0;
}
