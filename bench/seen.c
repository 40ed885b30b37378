/* seen.c - who answers, and since when: calls at a steady rate, spread by round_robin.
 *
 * usage: seen TARGET [CALLS PER SECOND]
 * A line "seen code=N t=SECONDS failed=N" (t by the monotonic clock) when a server, known by its code, answers that has not answered for
 * 100 ms. Runs until it is killed.
 */
#include "hello.rota.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#define SILENCE_NS INT64_C(100000000)
#define MAX_CODE 65536

struct app {
    struct rota_channel *channel;
    struct rota_loop *loop;
    struct rota_timer *timer;
    struct rota_call_options call;
    Proto__HelloRequest request;
    int64_t due_ns, pause_ns;
    int64_t last_ns[MAX_CODE];
    unsigned long failed;
};

static int64_t clock_ns(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec * INT64_C(1000000000) + now.tv_nsec;
}

static void on_done(void *arg, const struct rota_status *status, const Proto__HelloReply *reply)
{
    struct app *app = arg;
    int64_t now_ns = clock_ns(), *last_ns;

    if (status->code != ROTA_OK || reply->code < 0 || reply->code >= MAX_CODE) {
        app->failed++;
        return;
    }
    last_ns = &app->last_ns[reply->code];
    if (*last_ns == 0 || now_ns - *last_ns > SILENCE_NS)
        printf("seen code=%d t=%.6f failed=%lu\n", (int)reply->code, (double)now_ns / 1e9, app->failed);
    *last_ns = now_ns;
}

static void on_timer(void *arg)
{
    struct app *app = arg;

    for (; app->due_ns <= clock_ns(); app->due_ns += app->pause_ns)
        if (proto_hello_service_say_start(app->channel, &app->call, &app->request, on_done, app, NULL) < 0)
            exit(1);
    if (rota_timer_set(app->timer, app->due_ns) < 0)
        exit(1);
}

int main(int argc, char **argv)
{
    struct rota_channel_options options = ROTA_CHANNEL_OPTIONS_INIT;
    static char name[] = "world";
    static struct app app;
    struct rota_errinfo info = {0};

    if (argc < 2 || rota_loop_new(NULL, &app.loop) < 0 || rota_timer_new(app.loop, on_timer, &app, &app.timer) < 0)
        return 2;
    setvbuf(stdout, NULL, _IOLBF, 0);
    options.loop = app.loop;
    options.service_config = "{\"loadBalancingConfig\":[{\"round_robin\":{}}]}";
    if (rota_channel_open(argv[1], &options, &app.channel, &info) < 0) {
        fprintf(stderr, "%s\n", info.text);
        return 1;
    }
    app.call = (struct rota_call_options)ROTA_CALL_OPTIONS_INIT;
    app.call.timeout_ms = 5000;
    app.request = (Proto__HelloRequest)PROTO__HELLO_REQUEST__INIT;
    app.request.name = name;
    app.pause_ns = INT64_C(1000000000) / (argc > 2 ? atoi(argv[2]) : 1000);
    app.due_ns = clock_ns();
    on_timer(&app);
    (void)rota_loop_run(app.loop);
    return 0;
}
