/* client.c - what a unary call costs the client: closed loop, N outstanding, typed stubs, a deadline on each, round_robin over three servers.
 *
 * usage: client [-c OUTSTANDING] [-dur SECONDS] [-warm SECONDS] [-target TARGET]... [-policy NAME] [-ca FILE] [-blocking | -thread | -loops N]
 * -blocking: calls one after the other, on a loop of its own; -thread: on rota's thread; -loops: as many threads, each with its loop, its
 * channel and its OUTSTANDING. With several targets every loop has its own, and its own core: the first loop core 0. -ca: TLS, to servers
 * called localhost.
 * Prints rps= cpu_us= (user and system time of this process per call) p50= p99= p999= (us) hwm_kb=.
 */
#include "hello.rota.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <time.h>

#define BUCKETS 4096 /* of 1/16 octave each, from 1 ns */
#define MAX_LOOPS 16
#define ANY_CORE (-1)

struct options {
    const char *targets[MAX_LOOPS], *policy, *ca_file;
    unsigned n_targets, outstanding, loops;
    double seconds, warm;
    bool blocking, own_thread;
};

/* What one loop does. */
struct bench {
    const struct options *options;
    const char *target;
    int core; /* or ANY_CORE */
    struct rota_loop *loop;
    struct rota_channel *channel;
    struct rota_call_options call;
    Proto__HelloRequest request;
    int64_t end_ns, count_from_ns;
    double seconds; /* that were counted */
    uint64_t calls, failed;
    uint64_t histogram[BUCKETS];
    unsigned open;
    bool counting;
    struct rusage before;
};

struct slot {
    struct bench *bench;
    int64_t started_ns;
};

static int64_t clock_ns(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec * INT64_C(1000000000) + now.tv_nsec;
}

static unsigned bucket(int64_t ns)
{
    unsigned octave = 63 - (unsigned)__builtin_clzll((unsigned long long)ns | 1);

    return octave * 16 + (octave >= 4 ? (unsigned)(ns >> (octave - 4)) & 15 : 0);
}

static double bucket_us(unsigned b)
{
    unsigned octave = b / 16;

    return (double)((octave >= 4 ? (16 + (b & 15)) << 0 : 1)) * (double)(1ull << (octave >= 4 ? octave - 4 : octave)) / 1000.0;
}

static double quantile(const struct bench *bench, double q)
{
    uint64_t seen = 0, want = (uint64_t)((double)bench->calls * q);

    for (unsigned b = 0; b < BUCKETS; b++) {
        seen += bench->histogram[b];
        if (seen > want)
            return bucket_us(b);
    }
    return 0;
}

static void record(struct bench *bench, int64_t started_ns, int64_t now_ns, const struct rota_status *status)
{
    if (!bench->counting && now_ns >= bench->count_from_ns) {
        bench->counting = true;
        bench->count_from_ns = now_ns;
        getrusage(RUSAGE_SELF, &bench->before);
        return;
    }
    if (!bench->counting)
        return;
    bench->failed += status->code != ROTA_OK;
    bench->calls++;
    bench->histogram[bucket(now_ns - started_ns)]++;
}

static void start(struct slot *slot);

static void on_done(void *arg, const struct rota_status *status, const Proto__HelloReply *reply)
{
    struct slot *slot = arg;
    struct bench *bench = slot->bench;
    int64_t now_ns = clock_ns();

    (void)reply;
    record(bench, slot->started_ns, now_ns, status);
    if (now_ns < bench->end_ns)
        start(slot);
    else if (--bench->open == 0)
        rota_loop_stop(bench->loop);
}

static void start(struct slot *slot)
{
    struct bench *bench = slot->bench;

    slot->started_ns = clock_ns();
    if (proto_hello_service_say_start(bench->channel, &bench->call, &bench->request, on_done, slot, NULL) < 0) {
        fprintf(stderr, "a call could not be started\n");
        exit(1);
    }
}

static void run_blocking(struct bench *bench)
{
    while (clock_ns() < bench->end_ns) {
        int64_t started_ns = clock_ns();
        Proto__HelloReply *reply;
        struct rota_status status = proto_hello_service_say(bench->channel, &bench->call, &bench->request, &reply);
        record(bench, started_ns, clock_ns(), &status);
        if (status.code == ROTA_OK)
            proto__hello_reply__free_unpacked(reply, NULL);
    }
}

static void run_asynchronous(struct bench *bench)
{
    unsigned outstanding = bench->options->outstanding;
    struct slot *slots = calloc(outstanding, sizeof(*slots));

    if (slots == NULL)
        exit(1);
    bench->open = outstanding;
    for (unsigned i = 0; i < outstanding; i++) {
        slots[i].bench = bench;
        start(&slots[i]);
    }
    (void)rota_loop_run(bench->loop);
    free(slots);
}

static void open_channel(struct bench *bench)
{
    const struct options *o = bench->options;
    struct rota_channel_options options = ROTA_CHANNEL_OPTIONS_INIT;
    struct rota_tls_options tls = ROTA_TLS_OPTIONS_INIT;
    struct rota_errinfo info = {0};
    char config[128];

    if (!o->own_thread && rota_loop_new(NULL, &bench->loop) < 0)
        exit(1);
    tls.ca_file = o->ca_file;
    tls.server_name = "localhost";
    options.loop = bench->loop;
    options.tls = o->ca_file == NULL ? &rota_tls_insecure : &tls;
    snprintf(config, sizeof(config), "{\"loadBalancingConfig\":[{\"%s\":{}}]}", o->policy);
    options.service_config = config;
    if (rota_channel_open(bench->target, &options, &bench->channel, &info) < 0) {
        fprintf(stderr, "%s\n", info.text);
        exit(1);
    }
}

static void stay_on(int core)
{
    cpu_set_t only;

    if (core == ANY_CORE)
        return;
    CPU_ZERO(&only);
    CPU_SET(core, &only);
    if (pthread_setaffinity_np(pthread_self(), sizeof(only), &only) != 0) {
        fprintf(stderr, "client: there is no core %d\n", core);
        exit(1);
    }
}

static void *run(void *arg)
{
    static char name[] = "world";
    struct bench *bench = arg;
    const struct options *o = bench->options;

    stay_on(bench->core);
    open_channel(bench);
    bench->call = (struct rota_call_options)ROTA_CALL_OPTIONS_INIT;
    bench->call.timeout_ms = 5000;
    bench->request = (Proto__HelloRequest)PROTO__HELLO_REQUEST__INIT;
    bench->request.name = name;
    bench->count_from_ns = clock_ns() + (int64_t)(o->warm * 1e9);
    bench->end_ns = bench->count_from_ns + (int64_t)(o->seconds * 1e9);
    if (o->blocking)
        run_blocking(bench);
    else
        run_asynchronous(bench);
    bench->seconds = (double)(clock_ns() - bench->count_from_ns) / 1e9;
    rota_channel_free(bench->channel);
    rota_loop_free(bench->loop);
    return NULL;
}

static double cpu_us(const struct rusage *used)
{
    return (double)(used->ru_utime.tv_sec + used->ru_stime.tv_sec) * 1e6 + (double)(used->ru_utime.tv_usec + used->ru_stime.tv_usec);
}

static void add(struct bench *all, const struct bench *more)
{
    all->calls += more->calls;
    all->failed += more->failed;
    for (unsigned b = 0; b < BUCKETS; b++)
        all->histogram[b] += more->histogram[b];
}

/* Not ru_maxrss, which begins with what the parent had. */
static long peak_kb(void)
{
    FILE *file = fopen("/proc/self/status", "r");
    char line[256];
    long kb = 0;

    while (file != NULL && fgets(line, sizeof(line), file) != NULL)
        if (strncmp(line, "VmHWM:", 6) == 0)
            kb = atol(line + 6);
    if (file != NULL)
        fclose(file);
    return kb;
}

/* `all` holds the sums; it was measured from its first call that counted on. */
static void report(const struct bench *all)
{
    struct rusage now;

    getrusage(RUSAGE_SELF, &now);
    printf("rps=%.0f cpu_us=%.2f p50=%.0f p99=%.0f p999=%.0f hwm_kb=%ld failed=%llu\n", (double)all->calls / all->seconds,
           (cpu_us(&now) - cpu_us(&all->before)) / (double)all->calls, quantile(all, 0.5), quantile(all, 0.99), quantile(all, 0.999), peak_kb(),
           (unsigned long long)all->failed);
}

static bool read_option(struct options *o, const char *name, const char *value)
{
    if (strcmp(name, "-c") == 0)
        o->outstanding = (unsigned)atoi(value);
    else if (strcmp(name, "-loops") == 0)
        o->loops = (unsigned)atoi(value);
    else if (strcmp(name, "-dur") == 0)
        o->seconds = atof(value);
    else if (strcmp(name, "-warm") == 0)
        o->warm = atof(value);
    else if (strcmp(name, "-target") == 0 && o->n_targets < MAX_LOOPS)
        o->targets[o->n_targets++] = value;
    else if (strcmp(name, "-policy") == 0)
        o->policy = value;
    else if (strcmp(name, "-ca") == 0)
        o->ca_file = value;
    else
        return false;
    return o->loops >= 1 && o->loops <= MAX_LOOPS;
}

static void read_options(struct options *o, int argc, char **argv)
{
    *o = (struct options){.policy = "round_robin", .outstanding = 64, .loops = 1, .seconds = 5, .warm = 1};
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "-blocking") == 0) {
            o->blocking = true;
        } else if (strcmp(argv[i], "-thread") == 0) {
            o->blocking = o->own_thread = true;
        } else if (i + 1 == argc || !read_option(o, argv[i], argv[i + 1])) {
            fprintf(stderr, "client: what is %s?\n", argv[i]);
            exit(2);
        } else {
            i++;
        }
    }
    if (o->n_targets == 0)
        o->targets[o->n_targets++] = "ipv4:127.0.0.1:50051,127.0.0.1:50052,127.0.0.1:50053";
}

int main(int argc, char **argv)
{
    static struct bench benches[MAX_LOOPS];
    pthread_t threads[MAX_LOOPS];
    struct options options;

    read_options(&options, argc, argv);
    for (unsigned i = 0; i < options.loops; i++) {
        benches[i].options = &options;
        benches[i].target = options.targets[i % options.n_targets];
        benches[i].core = options.n_targets > 1 ? (int)i : ANY_CORE;
    }
    for (unsigned i = 1; i < options.loops; i++)
        if (pthread_create(&threads[i], NULL, run, &benches[i]) != 0)
            return 1;
    run(&benches[0]);
    for (unsigned i = 1; i < options.loops; i++) {
        pthread_join(threads[i], NULL);
        add(&benches[0], &benches[i]);
    }
    report(&benches[0]);
    return benches[0].failed == 0 ? 0 : 1;
}
