/* cmd_health.c - `rota health TARGET [SERVICE]`: asks grpc.health.v1 how a server is, once or for as long as it says. */
#include "connect.h"
#include "foreign.h"
#include "wire/target.h"

#include <grpc/health/v1/health.rota.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>

#define STATUS(name) GRPC__HEALTH__V1__HEALTH_CHECK_RESPONSE__SERVING_STATUS__##name
#define NO_ANSWER (-1)

struct question {
    const char *target, *service;
    bool json, watch;
    struct rota_call_options options; /* with the deadline */
};

static const char *name_of(int status)
{
    switch (status) {
    case STATUS(SERVING): return "SERVING";
    case STATUS(NOT_SERVING): return "NOT_SERVING";
    case STATUS(SERVICE_UNKNOWN): return "SERVICE_UNKNOWN";
    default: return "UNKNOWN";
    }
}

/* False: nobody reads it any longer. */
static bool show(const struct question *q, int status)
{
    json_t *object;
    char *text;

    if (!q->json) {
        puts(name_of(status));
    } else {
        object = json_pack("{s:s,s:s}", "service", q->service, "status", name_of(status));
        text = json_dumps(object, JSON_COMPACT);
        json_decref(object);
        if (text != NULL)
            puts(text);
        free(text);
    }
    return rota_output_flush();
}

static int exit_of(int status)
{
    return status == STATUS(SERVING) ? ROTA_EXIT_OK : ROTA_EXIT_NOTHING;
}

static int fail(const struct question *q, const struct rota_status *status)
{
    char shown[ROTA_TARGET_SHOW_SIZE];

    fprintf(stderr, "rota health: %s: %s: ", rota_target_show(q->target, shown, sizeof(shown)), rota_code_name(status->code));
    rota_print_foreign(stderr, rota_slice_str(status->message));
    fprintf(stderr, "%s\n", rota_connect_hint(status));
    return ROTA_EXIT_FAILED;
}

static int check(struct rota_channel *channel, const struct question *q, const Grpc__Health__V1__HealthCheckRequest *request)
{
    Grpc__Health__V1__HealthCheckResponse *reply = NULL;
    struct rota_status status = grpc_health_v1_health_check(channel, &q->options, request, &reply);
    int said = STATUS(SERVICE_UNKNOWN);

    if (rota_status_ok(&status)) {
        said = (int)reply->status;
        grpc__health__v1__health_check_response__free_unpacked(reply, NULL);
    } else if (status.code != ROTA_NOT_FOUND) {
        return fail(q, &status);
    }
    (void)show(q, said);
    return exit_of(said);
}

/* Until the server ends it, or the time is up: then what was said last counts. */
static int watch(struct rota_channel *channel, const struct question *q, const Grpc__Health__V1__HealthCheckRequest *request)
{
    Grpc__Health__V1__HealthCheckResponse *reply = NULL;
    struct rota_call *call = NULL;
    struct rota_status status;
    int said = NO_ANSWER;

    if (grpc_health_v1_health_watch_open(channel, &q->options, request, &call) < 0)
        return rota_fail("health", "out of memory");
    while (grpc_health_v1_health_watch_recv(call, &reply)) {
        said = (int)reply->status;
        grpc__health__v1__health_check_response__free_unpacked(reply, NULL);
        if (!show(q, said)) {
            (void)rota_call_finish(call);
            return ROTA_EXIT_FAILED;
        }
    }
    status = rota_call_finish(call);
    if (status.code == ROTA_DEADLINE_EXCEEDED && said != NO_ANSWER)
        return exit_of(said);
    return fail(q, &status);
}

static int ask(const struct question *q, const struct rota_connect *connect)
{
    Grpc__Health__V1__HealthCheckRequest request = GRPC__HEALTH__V1__HEALTH_CHECK_REQUEST__INIT;
    struct rota_channel *channel;
    struct rota_loop *loop;
    int code = ROTA_EXIT_FAILED;

    if (rota_loop_new(NULL, &loop) < 0)
        return rota_fail("health", "no event loop");
    request.service = (char *)(uintptr_t)q->service;
    channel = rota_connect_open("health", q->target, connect, loop);
    if (channel != NULL)
        code = q->watch ? watch(channel, q, &request) : check(channel, q, &request);
    rota_channel_free(channel);
    rota_loop_free(loop);
    return code;
}

static int run(int argc, char **argv)
{
    struct question q = {.options = ROTA_CALL_OPTIONS_INIT};
    struct rota_connect connect = {0};
    const char *words[2] = {NULL, ""}, *timeout = NULL;
    struct rota_flag flags[3 + ROTA_CONNECT_FLAGS] = {{"json", NULL, &q.json}, {"watch", NULL, &q.watch}, {"timeout", &timeout, NULL}};
    long long timeout_ms;
    size_t n_words;

    rota_connect_flags(&connect, flags + 3);
    if (!rota_flags_read(&rota_command_health, argc, argv, flags, sizeof(flags) / sizeof(flags[0]), words, 2, &n_words))
        return ROTA_EXIT_USAGE;
    if (timeout == NULL)
        timeout = q.watch ? "0" : "5000";
    if (!rota_flag_number("timeout", timeout, 0, 1000000000, &timeout_ms) || !rota_connect_check("health", &connect))
        return ROTA_EXIT_USAGE;
    if (n_words == 0) {
        rota_fail("health", "no TARGET; for example 127.0.0.1:8001");
        return ROTA_EXIT_USAGE;
    }
    q.target = words[0];
    q.service = words[1];
    q.options.timeout_ms = timeout_ms;
    return ask(&q, &connect);
}

const struct rota_command rota_command_health = {
    .verb = "health",
    .summary = "ask a server whether it can take calls",
    .usage = "usage: rota health TARGET [SERVICE] [--watch] [--timeout MS] [--json] [--tls ...]\n\n"
             "Asks grpc.health.v1.Health how SERVICE is (default: the server as a whole) and prints SERVING, NOT_SERVING, UNKNOWN or\n"
             "SERVICE_UNKNOWN, which is a service that the server says nothing of.\n\n"
             "  --watch             go on, a line for each change\n"
             "  --timeout MS        how long to wait for an answer, or to watch; default 5000, and for ever; 0: for ever\n"
             "  --json              a JSON object a line\n" ROTA_CONNECT_USAGE "\n"
             "TARGET: 127.0.0.1:8001, dns:///host:port, unix:/path, etcd://members/service,...\n"
             "Exit codes: 0 SERVING, 1 it cannot be asked, 2 wrong command line, 3 anything but SERVING.\n",
    .run = run,
};
