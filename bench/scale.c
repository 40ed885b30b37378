/* scale.c - what many endpoints cost one channel: round_robin over N of them, connected eagerly, then left alone.
 *
 * usage: scale [-host IP] [-base PORT] [-n ENDPOINTS] [-idle SECONDS]
 * Prints allconn_s= (every connection is up) settle_s= cpu_ms_settled= (until the process has been quiet for a quarter of a second)
 * per_ep_kb= (resident memory) idle_cpu_ms_per_s=. Calls over such a channel: client -target.
 */
#include <rota/rota.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>

#define QUIET_MS 250
#define QUIET_CPU_MS 2.5
#define LIMIT_S 90

struct figures {
    double at_s, cpu_ms;
    long rss_kb;
};

struct app {
    struct rota_loop *loop;
    struct rota_channel *channel;
    struct rota_timer *timer;
    uint32_t endpoints;
    double idle_s;
    struct figures begin, connected, last;
    bool all, settled;
};

static long rss_kb(void)
{
    FILE *file = fopen("/proc/self/statm", "r");
    long pages = 0;

    if (file != NULL && fscanf(file, "%*s %ld", &pages) != 1)
        pages = 0;
    if (file != NULL)
        fclose(file);
    return pages * 4;
}

static struct figures take(void)
{
    struct timespec now;
    struct rusage used;

    clock_gettime(CLOCK_MONOTONIC, &now);
    getrusage(RUSAGE_SELF, &used);
    return (struct figures){
        .at_s = (double)now.tv_sec + (double)now.tv_nsec / 1e9,
        .cpu_ms = (double)(used.ru_utime.tv_sec + used.ru_stime.tv_sec) * 1e3 + (double)(used.ru_utime.tv_usec + used.ru_stime.tv_usec) / 1e3,
        .rss_kb = rss_kb(),
    };
}

static void again(struct app *app, int64_t ms)
{
    if (rota_timer_set(app->timer, rota_loop_now_ns(app->loop) + ms * 1000000) < 0)
        exit(1);
}

/* Settled: what was to be done is done, so the time counts up to the beginning of the quiet quarter. */
static void settle(struct app *app, const struct figures *now)
{
    if (now->cpu_ms - app->last.cpu_ms > QUIET_CPU_MS) {
        app->last = *now;
        again(app, QUIET_MS);
        return;
    }
    app->settled = true;
    printf("n=%u allconn_s=%.3f cpu_ms=%.1f settle_s=%.3f cpu_ms_settled=%.1f rss_kb=%ld per_ep_kb=%.1f ", app->endpoints,
           app->connected.at_s - app->begin.at_s, app->connected.cpu_ms - app->begin.cpu_ms, app->last.at_s - app->begin.at_s,
           now->cpu_ms - app->begin.cpu_ms, now->rss_kb, (double)(now->rss_kb - app->begin.rss_kb) / app->endpoints);
    app->last = *now;
    again(app, (int64_t)(app->idle_s * 1e3));
}

static void on_timer(void *arg)
{
    struct app *app = arg;
    struct figures now = take();

    if (now.at_s - app->begin.at_s > LIMIT_S) {
        printf("only %u of %u connected after %d s\n", rota_channel_stats(app->channel).ready, app->endpoints, LIMIT_S);
        rota_loop_stop(app->loop);
    } else if (!app->all) {
        app->all = rota_channel_stats(app->channel).ready == app->endpoints;
        app->connected = app->last = now;
        again(app, app->all ? QUIET_MS : 1);
    } else if (!app->settled) {
        settle(app, &now);
    } else {
        printf("idle_cpu_ms_per_s=%.3f\n", (now.cpu_ms - app->last.cpu_ms) / (now.at_s - app->last.at_s));
        rota_loop_stop(app->loop);
    }
}

static char *target_of(const char *host, unsigned base, uint32_t n)
{
    size_t size = 8 + (size_t)n * (strlen(host) + 7);
    char *text = malloc(size);
    size_t used;

    if (text == NULL)
        exit(1);
    used = (size_t)snprintf(text, size, "ipv4:");
    for (uint32_t i = 0; i < n; i++)
        used += (size_t)snprintf(text + used, size - used, "%s%s:%u", i == 0 ? "" : ",", host, base + i);
    return text;
}

static void use_all_files(void)
{
    struct rlimit files;

    getrlimit(RLIMIT_NOFILE, &files);
    files.rlim_cur = files.rlim_max;
    setrlimit(RLIMIT_NOFILE, &files);
}

int main(int argc, char **argv)
{
    struct rota_channel_options options = ROTA_CHANNEL_OPTIONS_INIT;
    struct app app = {.endpoints = 1000, .idle_s = 3};
    const char *host = "127.0.7.7";
    struct rota_errinfo info;
    unsigned base = 20500;
    char *target;

    for (int i = 1; i + 1 < argc; i += 2) {
        if (strcmp(argv[i], "-host") == 0)
            host = argv[i + 1];
        else if (strcmp(argv[i], "-base") == 0)
            base = (unsigned)atoi(argv[i + 1]);
        else if (strcmp(argv[i], "-n") == 0)
            app.endpoints = (uint32_t)atoi(argv[i + 1]);
        else if (strcmp(argv[i], "-idle") == 0)
            app.idle_s = atof(argv[i + 1]);
    }
    use_all_files();
    target = target_of(host, base, app.endpoints);
    options.service_config = "{\"loadBalancingConfig\":[{\"round_robin\":{}}]}";
    app.begin = take();
    if (rota_loop_new(NULL, &app.loop) < 0)
        return 1;
    options.loop = app.loop;
    if (rota_timer_new(app.loop, on_timer, &app, &app.timer) < 0 || rota_channel_open(target, &options, &app.channel, &info) < 0) {
        fprintf(stderr, "%s\n", info.text);
        return 1;
    }
    rota_channel_connect(app.channel);
    again(&app, 1);
    rota_loop_run(app.loop);
    rota_timer_free(app.timer);
    rota_channel_free(app.channel);
    rota_loop_free(app.loop);
    free(target);
    return app.settled ? 0 : 1;
}
