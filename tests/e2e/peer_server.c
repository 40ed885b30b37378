/* peer_server.c - the Peer service of tests/peers/peer.proto, whose rules it keeps, and HelloService; for foreign clients.
 *
 *     peer_server [--port=127.0.0.1:0] [--max-age=MS] [--max-age-grace=MS] [--max-idle=MS] [--write-timeout=MS] [--max-total=BYTES]
 *                 [--grace=MS]
 *
 * The first line says where it listens; then come a line per Peer call begun and ended, and `receive:NAME`. SIGTERM drains (3 s
 * unless told otherwise), and the last line is `accepted N`, how many connections there were.
 * One message of a call is at work at a time (struct work); the call is held meanwhile, so that the client waits too.
 */
#include "hello.rota.h"
#include "peer.rota.h"
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define NS_PER_MS INT64_C(1000000)

struct work {
    struct rota_server_call *call;
    const char *method;
    struct rota_timer *timer;
    uint8_t *body; /* of the message at work; of a client stream, all of them joined */
    size_t size, cap;
    char *text;
    int32_t left; /* replies to it that are still to be sent */
    int32_t delay_ms, code;
    int32_t total; /* replies sent, or messages of a client stream received */
    bool paused;   /* the wait before the next reply is over */
    bool ended;    /* a client stream's last message is at work */
};

static struct rota_loop *loop;

static void say_end(const struct work *w, const char *outcome)
{
    printf("end %s %s\n", w->method, outcome);
}

static void forget(struct work *w)
{
    rota_timer_free(w->timer);
    free(w->body);
    free(w->text);
    free(w);
}

static void fail(struct work *w, enum rota_code code, const char *text)
{
    say_end(w, rota_code_name(code));
    rota_server_call_fail(w->call, code, "%s", text);
    forget(w);
}

static void finish(struct work *w)
{
    say_end(w, "OK");
    rota_server_call_finish(w->call, NULL);
    forget(w);
}

static void on_cancel(struct rota_server_call *call, void *user)
{
    struct work *w = rota_server_call_data(call);

    (void)user;
    say_end(w, "gone");
    rota_server_call_finish(call, NULL);
    forget(w);
}

/* --- Metadata --- */

static bool begins(struct rota_slice key, const char *prefix)
{
    return key.size >= strlen(prefix) && memcmp(key.data, prefix, strlen(prefix)) == 0;
}

/* False: the call was failed. */
static bool echo_metadata(struct work *w)
{
    const struct rota_metadata *got = rota_server_call_metadata(w->call);
    struct rota_metadata *initial = rota_server_call_initial_metadata(w->call), *trailing = rota_server_call_trailing_metadata(w->call);
    int64_t deadline_ns = rota_server_call_deadline_ns(w->call);
    rota_err err = initial == NULL || trailing == NULL ? ROTA_ENOMEM : 0;

    for (size_t i = 0; err == 0 && i < rota_metadata_count(got); i++) {
        struct rota_metadatum pair = rota_metadata_at(got, i);
        if (begins(pair.key, "x-echo-"))
            err = rota_metadata_add(initial, pair.key, pair.value, NULL);
        else if (begins(pair.key, "x-trail-"))
            err = rota_metadata_add(trailing, pair.key, pair.value, NULL);
    }
    if (err == 0 && deadline_ns != INT64_MAX) {
        char left[24];
        snprintf(left, sizeof(left), "%lld", (long long)((deadline_ns - rota_loop_now_ns(loop)) / NS_PER_MS));
        err = rota_metadata_add_text(trailing, "x-timeout-ms", left);
    }
    if (err == 0 && rota_metadata_count(initial) > 0)
        err = rota_server_call_send_initial_metadata(w->call);
    if (err < 0)
        fail(w, ROTA_INTERNAL, rota_err_text(err));
    return err == 0;
}

/* --- Work --- */

static void advance(struct work *w);

static void on_timer(void *arg)
{
    advance(arg);
}

/* NULL: the call was failed. */
static struct work *begin(struct rota_server_call *call, const char *method)
{
    struct work *w = calloc(1, sizeof(*w));

    printf("begin %s\n", method);
    if (w == NULL || rota_timer_new(loop, on_timer, w, &w->timer) < 0) {
        free(w);
        rota_server_call_fail(call, ROTA_RESOURCE_EXHAUSTED, "out of memory");
        return NULL;
    }
    w->call = call;
    w->method = method;
    rota_server_call_set_data(call, w);
    return echo_metadata(w) ? w : NULL;
}

/* False: no memory. */
static bool append(struct work *w, ProtobufCBinaryData bytes)
{
    size_t cap = w->cap == 0 ? 1024 : w->cap;
    uint8_t *wider;

    while (cap < w->size + bytes.len)
        cap *= 2;
    wider = cap == w->cap ? w->body : realloc(w->body, cap);
    if (wider == NULL)
        return false;
    w->body = wider;
    w->cap = cap;
    if (bytes.len > 0)
        memcpy(w->body + w->size, bytes.data, bytes.len);
    w->size += bytes.len;
    return true;
}

static bool keep_text(struct work *w, const char *text)
{
    free(w->text);
    w->text = strdup(text);
    return w->text != NULL;
}

static Peer__Msg reply_of(const struct work *w, int32_t count)
{
    Peer__Msg reply = PEER__MSG__INIT;

    reply.body = (ProtobufCBinaryData){w->size, w->body};
    reply.text = w->text == NULL ? (char *)"" : w->text;
    reply.count = count;
    return reply;
}

/* All waits and replies that the message asked for are done. */
static void settle(struct work *w)
{
    Peer__Msg reply = reply_of(w, w->total);

    if (w->code != 0) {
        fail(w, (enum rota_code)w->code, w->text);
    } else if (strcmp(w->method, "ServerStream") == 0) {
        finish(w);
    } else if (strcmp(w->method, "Unary") == 0 || w->ended) {
        say_end(w, rota_server_call_cancelled(w->call) ? "gone" : "OK");
        rota_server_call_reply(w->call, &reply);
        forget(w);
    } else {
        rota_server_call_resume(w->call);
    }
}

static void advance(struct work *w)
{
    for (;;) {
        Peer__Msg reply = reply_of(w, w->total + 1);
        if (!w->paused) {
            w->paused = true;
            if (w->delay_ms > 0) {
                if (rota_timer_set(w->timer, rota_loop_now_ns(loop) + w->delay_ms * NS_PER_MS) < 0)
                    fail(w, ROTA_RESOURCE_EXHAUSTED, "out of memory");
                return;
            }
        }
        if (w->left > 0) {
            rota_err err = rota_server_call_send(w->call, &reply);
            if (err == ROTA_EAGAIN)
                return; /* on_writable goes on */
            if (err < 0) {
                fail(w, ROTA_INTERNAL, rota_err_text(err));
                return;
            }
            w->total++;
            w->paused = --w->left == 0;
        }
        if (w->left == 0) {
            settle(w);
            return;
        }
    }
}

static void on_writable(struct rota_server_call *call, void *user)
{
    (void)user;
    advance(rota_server_call_data(call));
}

/* Puts the message to work; `replies` may be none. */
static void take(struct work *w, const Peer__Msg *msg, int32_t replies)
{
    rota_server_call_hold(w->call);
    w->left = replies > 0 ? replies : 0;
    w->delay_ms = msg->delay_ms;
    w->code = msg->code;
    w->paused = false;
    if (!append(w, msg->body) || !keep_text(w, msg->text))
        fail(w, ROTA_RESOURCE_EXHAUSTED, "out of memory");
    else
        advance(w);
}

/* --- The four kinds --- */

static void unary(struct rota_server_call *call, const Peer__Msg *msg, void *user)
{
    struct work *w = begin(call, "Unary");

    (void)user;
    if (w == NULL)
        return;
    w->total = 1;
    take(w, msg, 0);
}

static void server_stream(struct rota_server_call *call, const Peer__Msg *msg, void *user)
{
    struct work *w = begin(call, "ServerStream");

    (void)user;
    if (w != NULL)
        take(w, msg, msg->count);
}

static void bidi_start(struct rota_server_call *call, void *user)
{
    (void)user;
    (void)begin(call, "Bidi");
}

static void bidi_message(struct rota_server_call *call, const Peer__Msg *msg, void *user)
{
    struct work *w = rota_server_call_data(call);

    (void)user;
    w->size = 0;
    take(w, msg, msg->count);
}

static void bidi_end(struct rota_server_call *call, void *user)
{
    (void)user;
    finish(rota_server_call_data(call));
}

static void client_start(struct rota_server_call *call, void *user)
{
    (void)user;
    (void)begin(call, "ClientStream");
}

static void client_message(struct rota_server_call *call, const Peer__Msg *msg, void *user)
{
    struct work *w = rota_server_call_data(call);

    (void)user;
    if (msg->code != 0) {
        take(w, msg, 0);
        return;
    }
    w->total++;
    w->delay_ms = msg->delay_ms;
    if (!append(w, msg->body) || !keep_text(w, msg->text))
        fail(w, ROTA_RESOURCE_EXHAUSTED, "out of memory");
}

static void client_end(struct rota_server_call *call, void *user)
{
    struct work *w = rota_server_call_data(call);

    (void)user;
    w->ended = true;
    advance(w);
}

static void hello(struct rota_server_call *call, const Proto__HelloRequest *request, void *user)
{
    Proto__HelloReply reply = PROTO__HELLO_REPLY__INIT;
    size_t size = strlen(request->name) + sizeof("hello ");
    char *text = malloc(size);

    (void)user;
    if (text == NULL) {
        rota_server_call_fail(call, ROTA_RESOURCE_EXHAUSTED, "out of memory");
        return;
    }
    snprintf(text, size, "hello %s", request->name);
    printf("receive:%s\n", request->name);
    reply.code = 200;
    reply.value = text;
    proto_hello_service_say_reply(call, &reply);
    free(text);
}

static const struct peer_peer_handlers peer_handlers = {
    .unary = unary,
    .client_stream = {client_start, client_message, client_end, on_writable, on_cancel},
    .server_stream = {server_stream, on_writable, on_cancel},
    .bidi = {bidi_start, bidi_message, bidi_end, on_writable, on_cancel},
};
static const struct proto_hello_service_handlers hello_handlers = {.say = hello};

/* --- The program --- */

static int64_t grace_ms = 3000;

static void on_drained(void *arg)
{
    printf("accepted %llu\n", (unsigned long long)rota_server_stats(arg).connections_accepted);
    rota_server_close(arg, NULL, NULL);
    rota_loop_stop(loop);
}

static void on_signal(void *arg, int signum)
{
    (void)signum;
    rota_server_drain(arg, grace_ms, on_drained, arg);
}

/* False: what is that? */
static bool read_flags(int argc, char **argv, const char **ret_port, struct rota_server_options *options)
{
    int64_t max_total_bytes = 0;
    const struct {
        const char *prefix;
        int64_t *value;
    } flags[] = {
        {"--max-age=", &options->max_connection_age_ms},     {"--max-age-grace=", &options->max_connection_age_grace_ms},
        {"--max-idle=", &options->max_connection_idle_ms},   {"--write-timeout=", &options->write_timeout_ms},
        {"--max-total=", &max_total_bytes},                   {"--grace=", &grace_ms},
    };

    for (int i = 1; i < argc; i++) {
        bool known = strncmp(argv[i], "--port=", 7) == 0;
        if (known)
            *ret_port = argv[i] + 7;
        for (size_t k = 0; k < sizeof(flags) / sizeof(flags[0]) && !known; k++) {
            known = strncmp(argv[i], flags[k].prefix, strlen(flags[k].prefix)) == 0;
            if (known)
                *flags[k].value = strtoll(argv[i] + strlen(flags[k].prefix), NULL, 10);
        }
        if (!known)
            return false;
    }
    options->max_total_bytes = (size_t)max_total_bytes;
    return true;
}

int main(int argc, char **argv)
{
    static struct rota_loop_options loop_options = {.size = sizeof(loop_options), .log = &rota_log_stderr};
    struct rota_server_options options = ROTA_SERVER_OPTIONS_INIT;
    const char *port = "127.0.0.1:0";
    struct rota_signal *terminated = NULL, *interrupted = NULL;
    struct rota_errinfo info = {{0}};
    char bound[ROTA_ADDRESS_TEXT_SIZE];
    struct rota_server *server;

    setvbuf(stdout, NULL, _IOLBF, 0);
    if (!read_flags(argc, argv, &port, &options)) {
        fprintf(stderr, "peer_server: the flags stand at the top of tests/e2e/peer_server.c\n");
        return 2;
    }
    if (rota_loop_new(&loop_options, &loop) < 0)
        return 1;
    options.loop = loop;
    options.tls = &rota_tls_insecure;
    if (rota_server_new(&options, &server, &info) < 0 || peer_peer_add(server, &peer_handlers, NULL) < 0 ||
        proto_hello_service_add(server, &hello_handlers, NULL) < 0 || rota_server_listen(server, port, bound, &info) < 0 ||
        rota_signal_new(loop, SIGTERM, on_signal, server, &terminated) < 0 || rota_signal_new(loop, SIGINT, on_signal, server, &interrupted) < 0) {
        fprintf(stderr, "peer_server: %s\n", info.text);
        return 1;
    }
    printf("peer listening on %s\n", bound);
    rota_loop_run(loop);
    rota_signal_free(terminated);
    rota_signal_free(interrupted);
    /* What on_drained closed goes in one more run, which ends by itself. */
    rota_loop_run(loop);
    rota_loop_free(loop);
    return 0;
}
