/* client.c - finds the servers of proto.HelloService in the registry and shares its calls out to them.
 *
 * Shows what it finds as it changes, and makes blocking calls on its own loop. Exits with 1 when a call failed.
 */
#include "common.h"
#include "hello.rota.h"

#include <stdlib.h>

#define CALL_MS 5000
#define FIND_MS 5000  /* for the registry to answer */
#define SETTLE_MS 1000 /* for connections to servers found, before the first call */

struct options {
    const char *registry, *service, *policy;
    long long count, interval;
    struct security security;
};

struct app {
    struct options options;
    struct rota_loop *loop;
    struct rota_watch *watch;
    struct rota_channel *channel;
    struct rota_timer *timer;
    bool found, timed_out;
    struct rota_status why; /* the registry's last error */
    size_t n_known;
    const struct rota_endpoint **known; /* what was shown last */
};

static const char usage[] =
    "usage: client [--registry=URI] [--service=NAME] [--policy=NAME] [--count=N] [--interval=MS]\n"
    "       [--tls] [--ca=FILE] [--cert=FILE --key=FILE] [--server-name=NAME]\n"
    "  --registry   etcd://127.0.0.1:2379 (the default)\n"
    "  --service    grpclb_test1 (the default)\n"
    "  --policy     round_robin (the default), pick_first\n"
    "  --count      calls to make; default 20\n"
    "  --interval   milliseconds between calls; default 0\n"
    "  --tls        servers must show a certificate for the host they are listed with; the rest asks for it too\n"
    "  --ca         who issues their certificates; default: the system's authorities\n"
    "  --cert       our own certificate; --key: its key\n"
    "  --server-name  the name that their certificates have instead\n";

static void fail(const char *what, const char *why)
{
    fprintf(stderr, "client: %s: %s\n", what, why);
    exit(1);
}

/* --- What the registry says --- */

static bool contains(const struct rota_endpoint *const *list, size_t count, const struct rota_endpoint *endpoint)
{
    for (size_t i = 0; i < count; i++)
        if (rota_endpoint_same(list[i], endpoint))
            return true;
    return false;
}

/* An entry that is gone although its address stays in use: most of the others went with it (docs/registry-dialects.md). */
static bool gone(const struct rota_endpoint *endpoint)
{
    return rota_endpoint_attribute(endpoint, "etcd.suspect") != NULL;
}

static void on_endpoints(void *arg, const struct rota_endpoint *const *endpoints, size_t count, const struct rota_resolver_source *source)
{
    struct app *app = arg;
    const struct rota_endpoint **known = malloc((count + 1) * sizeof(struct rota_endpoint *));
    size_t n = 0;

    (void)source;
    if (known == NULL)
        fail("endpoints", "out of memory");
    for (size_t i = 0; i < count; i++) {
        if (gone(endpoints[i]))
            continue;
        known[n++] = rota_endpoint_ref(endpoints[i]);
        if (!contains(app->known, app->n_known, endpoints[i]))
            say('I', "discovery put key:%s val:%s", rota_endpoint_attribute(endpoints[i], "etcd.key"), endpoints[i]->addresses[0].text);
    }
    for (size_t i = 0; i < app->n_known; i++) {
        if (!contains(known, n, app->known[i]))
            say('I', "discovery delete key:%s", rota_endpoint_attribute(app->known[i], "etcd.key"));
        rota_endpoint_unref(app->known[i]);
    }
    free(app->known);
    app->known = known;
    app->n_known = n;
    app->found = true;
}

static void on_error(void *arg, const struct rota_status *why)
{
    struct app *app = arg;

    app->why = *why;
    say('W', "discovery: %s", why->message);
}

/* --- Waiting --- */

static void on_timer(void *arg)
{
    struct app *app = arg;

    app->timed_out = true;
    rota_loop_stop(app->loop);
}

static bool all_ready(struct app *app)
{
    struct rota_channel_stats stats = rota_channel_stats(app->channel);

    return stats.ready > 0 && (stats.ready == stats.subchannels || strcmp(app->options.policy, "pick_first") == 0);
}

static void stop_waiting(void *arg, enum rota_conn_state state)
{
    (void)state;
    rota_loop_stop(arg);
}

/* Turns the loop until the condition holds (looked at each few milliseconds), at most timeout_ms. */
static void wait_for(struct app *app, bool (*holds)(struct app *app), long long timeout_ms)
{
    int64_t end_ns = rota_loop_now_ns(app->loop) + timeout_ms * 1000000;

    while (rota_loop_now_ns(app->loop) < end_ns && !holds(app)) {
        if (rota_timer_set(app->timer, rota_loop_now_ns(app->loop) + 2000000) < 0)
            fail("waiting", "out of memory");
        rota_loop_run(app->loop);
    }
}

static bool found_some(struct app *app)
{
    return app->n_known > 0;
}

static void pause_between(struct app *app)
{
    app->timed_out = false;
    if (rota_timer_set(app->timer, rota_loop_now_ns(app->loop) + app->options.interval * 1000000) < 0)
        fail("waiting", "out of memory");
    while (!app->timed_out)
        rota_loop_run(app->loop);
}

/* --- Calling --- */

static bool call(struct app *app, long long i)
{
    struct rota_call_options options = ROTA_CALL_OPTIONS_INIT;
    Proto__HelloRequest request = PROTO__HELLO_REQUEST__INIT;
    Proto__HelloReply *reply;
    struct rota_status status;
    char name[32];

    snprintf(name, sizeof(name), "grpc%lld", i);
    request.name = name;
    options.timeout_ms = CALL_MS;
    status = proto_hello_service_say(app->channel, &options, &request, &reply);
    if (!rota_status_ok(&status)) {
        say('E', "%s: %s", rota_code_name(status.code), status.message);
        return false;
    }
    say('I', "code:%lld value:\"%s\"", (long long)reply->code, reply->value);
    proto__hello_reply__free_unpacked(reply, NULL);
    return true;
}

static void open_channel(struct app *app, const char *uri)
{
    struct rota_channel_options options = ROTA_CHANNEL_OPTIONS_INIT;
    struct rota_errinfo info;
    char config[256];

    snprintf(config, sizeof(config), "{\"loadBalancingConfig\":[{\"%s\":{}}]}", app->options.policy);
    options.loop = app->loop;
    options.service_config = config;
    options.tls = security_options(&app->options.security);
    if (rota_channel_open(uri, &options, &app->channel, &info) < 0)
        fail("opening", info.text);
}

/* So that the first call finds every server connected, not just the fastest. */
static void connect_all(struct app *app)
{
    rota_channel_watch_state(app->channel, stop_waiting, app->loop);
    rota_channel_connect(app->channel);
    wait_for(app, all_ready, SETTLE_MS);
    rota_channel_watch_state(app->channel, NULL, NULL);
}

static void open_watch(struct app *app, const char *uri)
{
    static const struct rota_watch_events events = {.on_endpoints = on_endpoints, .on_error = on_error};
    struct rota_errinfo info;

    if (rota_watch_open(app->loop, uri, NULL, &events, app, &app->watch, &info) < 0)
        fail("--registry", info.text);
    wait_for(app, found_some, FIND_MS);
    if (!app->found)
        fail("--registry", app->why.code == ROTA_OK ? "the registry did not answer" : app->why.message);
    say('I', "discovery watch");
}

static void read_options(struct options *o, int argc, char **argv)
{
    *o = (struct options){.registry = "etcd://127.0.0.1:2379", .service = "grpclb_test1", .policy = "round_robin", .count = 20,
                          .security = SECURITY_INIT};
    o->security.tls.check_address = true; /* a server is known by the address it is listed with */
    for (int i = 1; i < argc; i++) {
        const char *value;
        if (strcmp(argv[i], "--help") == 0) {
            fputs(usage, stdout);
            exit(0);
        }
        if ((value = flag(argv[i], "registry")) != NULL)
            o->registry = value;
        else if ((value = flag(argv[i], "service")) != NULL)
            o->service = value;
        else if ((value = flag(argv[i], "policy")) != NULL)
            o->policy = value;
        else if ((value = flag(argv[i], "count")) != NULL)
            o->count = number("count", value, 0, 1000000000);
        else if ((value = flag(argv[i], "interval")) != NULL)
            o->interval = number("interval", value, 0, 3600000);
        else if (!security_flag(argv[i], &o->security)) {
            fprintf(stderr, "client: unknown argument %s\n%s", argv[i], usage);
            exit(2);
        }
    }
}

static void close_all(struct app *app)
{
    say('I', "discovery close");
    rota_channel_free(app->channel);
    rota_timer_free(app->timer);
    rota_watch_close(app->watch, NULL, NULL);
    rota_loop_run(app->loop);
    for (size_t i = 0; i < app->n_known; i++)
        rota_endpoint_unref(app->known[i]);
    free(app->known);
    rota_loop_free(app->loop);
}

int main(int argc, char **argv)
{
    struct rota_loop_options loop_options = ROTA_LOOP_OPTIONS_INIT;
    struct app app = {0};
    long long failed = 0;
    char uri[1024];

    read_options(&app.options, argc, argv);
    registry_uri(app.options.registry, app.options.service, uri, sizeof(uri));
    loop_options.log = &hello_log;
    if (rota_loop_new(&loop_options, &app.loop) < 0 || rota_timer_new(app.loop, on_timer, &app, &app.timer) < 0)
        fail("starting", "no loop");
    open_channel(&app, uri);
    open_watch(&app, uri);
    connect_all(&app);
    for (long long i = 1; i <= app.options.count; i++) {
        failed += !call(&app, i);
        if (app.options.interval > 0 && i < app.options.count)
            pause_between(&app);
    }
    close_all(&app);
    return failed == 0 ? 0 : 1;
}
