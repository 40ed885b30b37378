/* watch.c - shows what file_resolver.c finds, as it changes. usage: watch file:///path [SECONDS] */
#include "file_resolver.h"

#include <rota/rota.h>
#include <stdio.h>
#include <stdlib.h>

static void on_endpoints(void *arg, const struct rota_endpoint *const *endpoints, size_t count, const struct rota_resolver_source *source)
{
    (void)arg;
    (void)source;
    printf("%zu servers:", count);
    for (size_t i = 0; i < count; i++)
        printf(" %s", endpoints[i]->addresses[0].text);
    printf("\n");
    fflush(stdout);
}

static void on_error(void *arg, const struct rota_status *why)
{
    (void)arg;
    printf("error: %s\n", why->message);
    fflush(stdout);
}

static void on_time(void *arg)
{
    rota_loop_stop(arg);
}

int main(int argc, char **argv)
{
    static const struct rota_resolver_class *const resolvers[] = {&file_resolver, NULL};
    static const struct rota_watch_events events = {.on_endpoints = on_endpoints, .on_error = on_error};
    struct rota_timer *timer;
    struct rota_watch *watch;
    struct rota_errinfo info;
    struct rota_loop *loop;

    if (argc < 2) {
        fprintf(stderr, "usage: %s file:///path [SECONDS]\n", argv[0]);
        return 2;
    }
    if (rota_loop_new(NULL, &loop) < 0 || rota_timer_new(loop, on_time, loop, &timer) < 0)
        return 1;
    if (rota_watch_open(loop, argv[1], resolvers, &events, NULL, &watch, &info) < 0) {
        fprintf(stderr, "%s\n", info.text);
        return 1;
    }
    if (argc > 2 && rota_timer_set(timer, rota_loop_now_ns(loop) + atoll(argv[2]) * 1000000000) < 0)
        return 1;
    rota_loop_run(loop);
    rota_watch_close(watch, NULL, NULL);
    rota_loop_run(loop);
    rota_timer_free(timer);
    rota_loop_free(loop);
    return 0;
}
