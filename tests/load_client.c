/* load_client.c - calls Say at a steady rate and prints what became of each call, for tests that change the world meanwhile.
 *
 * A line per call, when it is over: "call N START_US LATENCY_US CODE PEER MESSAGE"; times are CLOCK_MONOTONIC's, as Python's.
 * The schedule is absolute: calls do not wait for one another, and what a slow turn missed is started at once. SIGTERM or the
 * count ends the schedule; the program then waits for the calls in flight, prints "stats attempts N retries N transparent N hedges N
 * throttled N over_budget N" and "total N failed N", and exits with 0.
 *
 *     load_client TARGET [--rate=PER_SECOND] [--count=N] [--timeout=MS] [--policy=NAME] [--config=SERVICE_CONFIG] [--wait]
 */
#include "hello.rota.h"

#include <rota/rota.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

struct app {
    struct rota_loop *loop;
    struct rota_channel *channel;
    struct rota_timer *timer;
    struct rota_signal *signal;
    const char *target, *policy, *config;
    long long rate, count, timeout_ms;
    bool wait, over;
    int64_t first_ns;
    long long started, ended, failed;
};

struct one {
    struct app *app;
    struct rota_call *call;
    long long number;
    int64_t start_ns;
};

static void fail(const char *what, const char *why)
{
    fprintf(stderr, "load_client: %s: %s\n", what, why);
    exit(2);
}

static int64_t clock_ns(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

static void stop_when_over(struct app *app)
{
    if (app->over && app->ended == app->started)
        rota_loop_stop(app->loop);
}

static void on_said(void *arg, const struct rota_status *status, const Proto__HelloReply *reply)
{
    struct one *one = arg;
    struct app *app = one->app;
    const char *peer = rota_call_peer(one->call);

    (void)reply;
    printf("call %lld %lld %lld %s %s %s\n", one->number, (long long)(one->start_ns / 1000), (long long)((clock_ns() - one->start_ns) / 1000),
           rota_code_name(status->code), peer == NULL ? "-" : peer, status->message);
    app->ended++;
    app->failed += !rota_status_ok(status);
    free(one);
    stop_when_over(app);
}

static void start_call(struct app *app)
{
    struct rota_call_options options = ROTA_CALL_OPTIONS_INIT;
    Proto__HelloRequest request = PROTO__HELLO_REQUEST__INIT;
    struct one *one = malloc(sizeof(*one));
    char name[32];

    if (one == NULL)
        fail("calling", "out of memory");
    *one = (struct one){.app = app, .number = ++app->started, .start_ns = clock_ns()};
    snprintf(name, sizeof(name), "grpc%lld", one->number);
    request.name = name;
    options.timeout_ms = app->timeout_ms;
    options.wait_for_ready = app->wait ? ROTA_WAIT_FOR_READY : ROTA_WAIT_DEFAULT;
    if (proto_hello_service_say_start(app->channel, &options, &request, on_said, one, &one->call) < 0)
        fail("calling", "not started");
}

static void on_timer(void *arg)
{
    struct app *app = arg;
    int64_t due;

    if (app->over)
        return;
    due = (rota_loop_now_ns(app->loop) - app->first_ns) * app->rate / 1000000000 + 1;
    while (app->started < due && app->started < app->count)
        start_call(app);
    app->over = app->started == app->count;
    if (!app->over && rota_timer_set(app->timer, app->first_ns + app->started * 1000000000 / app->rate) < 0)
        fail("waiting", "out of memory");
    fflush(stdout);
}

static void on_signal(void *arg, int signum)
{
    struct app *app = arg;

    (void)signum;
    app->over = true;
    stop_when_over(app);
}

static void read_options(struct app *app, int argc, char **argv)
{
    *app = (struct app){.policy = "round_robin", .rate = 1000, .count = 1000000000, .timeout_ms = 5000};
    for (int i = 1; i < argc; i++) {
        if (strncmp(argv[i], "--rate=", 7) == 0)
            app->rate = atoll(argv[i] + 7);
        else if (strncmp(argv[i], "--count=", 8) == 0)
            app->count = atoll(argv[i] + 8);
        else if (strncmp(argv[i], "--timeout=", 10) == 0)
            app->timeout_ms = atoll(argv[i] + 10);
        else if (strncmp(argv[i], "--policy=", 9) == 0)
            app->policy = argv[i] + 9;
        else if (strncmp(argv[i], "--config=", 9) == 0)
            app->config = argv[i] + 9;
        else if (strcmp(argv[i], "--wait") == 0)
            app->wait = true;
        else if (argv[i][0] != '-' && app->target == NULL)
            app->target = argv[i];
        else
            fail("unknown argument", argv[i]);
    }
    if (app->target == NULL || app->rate < 1)
        fail("usage", "load_client TARGET [--rate=PER_SECOND] [--count=N] [--timeout=MS] [--policy=NAME] [--config=SERVICE_CONFIG] [--wait]");
}

static void print_stats(const struct rota_channel *channel)
{
    struct rota_channel_stats stats = rota_channel_stats(channel);

    printf("stats attempts %llu retries %llu transparent %llu hedges %llu throttled %llu over_budget %llu\n", (unsigned long long)stats.attempts,
           (unsigned long long)stats.retries, (unsigned long long)stats.transparent_retries, (unsigned long long)stats.hedges,
           (unsigned long long)stats.retries_throttled, (unsigned long long)stats.retries_over_budget);
}

int main(int argc, char **argv)
{
    struct rota_channel_options options = ROTA_CHANNEL_OPTIONS_INIT;
    struct rota_errinfo info;
    char config[128];
    struct app app;

    read_options(&app, argc, argv);
    snprintf(config, sizeof(config), "{\"loadBalancingConfig\":[{\"%s\":{}}]}", app.policy);
    if (rota_loop_new(NULL, &app.loop) < 0 || rota_timer_new(app.loop, on_timer, &app, &app.timer) < 0 ||
        rota_signal_new(app.loop, SIGTERM, on_signal, &app, &app.signal) < 0)
        fail("starting", "no loop");
    options.loop = app.loop;
    options.tls = &rota_tls_insecure;
    options.service_config = app.config == NULL ? config : app.config;
    if (rota_channel_open(app.target, &options, &app.channel, &info) < 0)
        fail("opening", info.text);
    app.first_ns = rota_loop_now_ns(app.loop);
    if (rota_timer_set(app.timer, app.first_ns) < 0)
        fail("waiting", "out of memory");
    rota_loop_run(app.loop);
    print_stats(app.channel);
    rota_channel_free(app.channel);
    rota_timer_free(app.timer);
    rota_signal_free(app.signal);
    rota_loop_free(app.loop);
    printf("total %lld failed %lld\n", app.started, app.failed);
    return 0;
}
