/* probe_client.c - makes plain calls and prints how each ended: for trying servers that misbehave.
 *
 *     probe-client HOST PORT DEADLINE_MS CALLS GAP_MS [par]
 *
 * One channel, CALLS calls of grpc.testing.TestService/UnaryCall (a payload of 100 bytes, a reply of 1000 asked for), GAP_MS
 * apart; with par all others at once, that long after the first. A line a call, as each ends: code=N msg=TEXT size=BYTES, where size is
 * that of the reply's payload, 0 without one. TEXT is on one line and whole, control characters written as \xNN. A DEADLINE_MS of 0 has
 * passed at once. Exit code: 0 whatever the calls' ends, 1 where standard output could not be written, 2 for wrong arguments.
 */
#include "common.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#define REQUEST_BYTES 100
#define REPLY_BYTES 1000

static const char usage[] =
    "usage: probe-client HOST PORT DEADLINE_MS CALLS GAP_MS [par]\n"
    "  DEADLINE_MS  of each call; 0: it has passed at once\n"
    "  CALLS        so many, one after another, GAP_MS apart\n"
    "  par          all but the first at once\n";

struct probe {
    struct rota_loop *loop;
    struct rota_channel *channel;
    struct rota_timer *timer;
    int64_t deadline_ms, gap_ms;
    long n_left;   /* calls to start */
    long n_open;   /* calls started and not ended */
    bool parallel;
};

static void start_next(void *arg);

struct one {
    struct probe *probe;
    struct rota_call *call;
};

static void print_end(enum rota_code code, struct rota_slice message, size_t size)
{
    char text[PRINTABLE_SIZE(ROTA_MESSAGE_SIZE)];

    printf("code=%d msg=%s size=%zu\n", (int)code, printable(message, text, sizeof(text)), size);
    fflush(stdout);
}

/* After a call has ended: the gap, then the next one or all others. */
static void go_on(struct probe *probe)
{
    if (probe->n_open > 0)
        return;
    if (probe->n_left == 0)
        rota_loop_stop(probe->loop);
    else if (rota_timer_set(probe->timer, rota_loop_now_ns(probe->loop) + probe->gap_ms * 1000000) < 0)
        start_next(probe);
}

static void on_done(void *arg, const struct rota_status *status, const Grpc__Testing__SimpleResponse *reply)
{
    struct one *one = arg;
    struct probe *probe = one->probe;

    print_end(status->code, rota_call_message(one->call), rota_status_ok(status) && reply->payload != NULL ? reply->payload->body.len : 0);
    free(one);
    probe->n_open--;
    go_on(probe);
}

static void start_one(struct probe *probe)
{
    struct rota_call_options options = ROTA_CALL_OPTIONS_INIT;
    Grpc__Testing__SimpleRequest request = GRPC__TESTING__SIMPLE_REQUEST__INIT;
    Grpc__Testing__Payload payload = zero_payload(REQUEST_BYTES);
    struct one *one = malloc(sizeof(*one));
    rota_err err = ROTA_ENOMEM;

    options.timeout_ms = probe->deadline_ms == 0 ? -1 : probe->deadline_ms; /* 0 would be none */
    request.response_size = REPLY_BYTES;
    request.payload = &payload;
    probe->n_left--;
    if (one != NULL) {
        one->probe = probe;
        err = grpc_testing_test_service_unary_call_start(probe->channel, &options, &request, on_done, one, &one->call);
    }
    if (err == 0) {
        probe->n_open++;
        return;
    }
    struct rota_status status;
    rota_status_set(&status, ROTA_INTERNAL, "the call does not start: %s", rota_err_text(err));
    free(one);
    print_end(status.code, rota_slice_str(status.message), 0);
}

/* Once a call is under way, the next waits for its end, but for those that run in parallel. */
static void start_next(void *arg)
{
    struct probe *probe = arg;

    while (probe->n_left > 0 && (probe->parallel || probe->n_open == 0))
        start_one(probe);
    if (probe->n_open == 0)
        rota_loop_stop(probe->loop);
}

static long number(const char *name, const char *text)
{
    char *end;
    long value;

    errno = 0;
    value = strtol(text, &end, 10);
    if (errno == 0 && end != text && *end == '\0' && value >= 0 && value <= 1000000000)
        return value;
    fprintf(stderr, "probe-client: %s is %s: expected a whole number from 0 to 1000000000\n", name, text);
    exit(2);
}

static bool open_all(struct probe *probe, const char *host, const char *port)
{
    struct rota_channel_options options = ROTA_CHANNEL_OPTIONS_INIT;
    struct rota_loop_options loop_options = ROTA_LOOP_OPTIONS_INIT;
    struct rota_errinfo info = {{0}};
    char target[512];

    snprintf(target, sizeof(target), strchr(host, ':') != NULL && host[0] != '[' ? "dns:///[%s]:%s" : "dns:///%s:%s", host, port);
    loop_options.log = &interop_log;
    if (rota_loop_new(&loop_options, &probe->loop) < 0 || rota_timer_new(probe->loop, start_next, probe, &probe->timer) < 0)
        return false;
    options.loop = probe->loop;
    options.tls = &rota_tls_insecure;
    if (rota_channel_open(target, &options, &probe->channel, &info) == 0)
        return true;
    fprintf(stderr, "probe-client: %s: %s\n", target, info.text);
    return false;
}

int main(int argc, char **argv)
{
    struct probe probe = {0};

    if (argc == 2 && strcmp(argv[1], "--help") == 0) {
        fputs(usage, stdout);
        return flush_output(0);
    }
    if (argc < 6 || argc > 7 || (argc == 7 && strcmp(argv[6], "par") != 0)) {
        fputs(usage, stderr);
        return 2;
    }
    (void)number("PORT", argv[2]);
    probe.deadline_ms = number("DEADLINE_MS", argv[3]);
    probe.n_left = number("CALLS", argv[4]);
    probe.gap_ms = number("GAP_MS", argv[5]);
    if (!open_all(&probe, argv[1], argv[2]))
        return 2;
    if (probe.n_left > 0) {
        start_next(&probe);
        probe.parallel = argc == 7;
        rota_loop_run(probe.loop);
    }
    rota_timer_free(probe.timer);
    rota_channel_free(probe.channel);
    rota_loop_free(probe.loop);
    return flush_output(0);
}
