/* server.c - serves proto.HelloService, keeps itself in the registry while it runs, and leaves without failing a call.
 *
 * On SIGTERM or SIGINT: health checks are told, the entry is taken out of the registry, clients get a moment to notice, then connections are drained.
 */
#include "common.h"
#include "hello.rota.h"

#include <signal.h>
#include <stdlib.h>

#define NOTICE_MS 200
#define GRACE_MS 10000
#define REVOKE_MS 1000

struct options {
    const char *port, *registry, *service, *advertise;
    long long weight, lease;
    struct security security;
};

struct app {
    struct options options;
    struct rota_loop *loop;
    struct rota_server *server;
    struct rota_health *health;
    struct rota_registrar *registrar;
    struct rota_signal *signals[2];
    struct rota_timer *timer;
    bool started, stopping;
};

static const char usage[] =
    "usage: server --port=:8001 [--registry=URI] [--service=NAME] [--weight=N] [--lease=SECONDS] [--advertise=ADDR]\n"
    "       [--cert=FILE --key=FILE [--ca=FILE [--require-client-cert]]]\n"
    "  --port       where to listen: \":8001\", \"127.0.0.1:0\", \"unix:/path\"\n"
    "  --registry   etcd://127.0.0.1:2379 (the default); \"none\" registers nowhere\n"
    "  --service    grpclb_test1 (the default)\n"
    "  --weight     share of the calls, for policies that look at it\n"
    "  --lease      seconds that the entry outlives a server that dies; default 5\n"
    "  --advertise  the address that clients are told; default: localhost and the port\n"
    "  --cert       TLS, with the certificate in that file; --key: its key\n"
    "  --ca         who issues clients' certificates; --require-client-cert: nobody comes without one\n";

static void on_say(struct rota_server_call *call, const Proto__HelloRequest *request, void *user)
{
    Proto__HelloReply reply = PROTO__HELLO_REPLY__INIT;
    size_t size = strlen(request->name) + sizeof("hello ");
    char *value = malloc(size);

    (void)user;
    say('I', "receive:%s", request->name);
    if (value == NULL) {
        rota_server_call_fail(call, ROTA_RESOURCE_EXHAUSTED, "out of memory");
        return;
    }
    snprintf(value, size, "hello %s", request->name);
    reply.code = 200;
    reply.value = value;
    proto_hello_service_say_reply(call, &reply);
    free(value);
}

static void say_started(struct app *app)
{
    if (!app->started)
        say('I', "server starting on %s", app->options.port);
    app->started = true;
}

static void on_registration(void *arg, enum rota_registrar_state state, const struct rota_status *why)
{
    struct app *app = arg;

    if (state == ROTA_REGISTRAR_REGISTERED && app->options.weight > 0)
        say('I', "registry put key:%s weight:%lld success", rota_registrar_key(app->registrar), app->options.weight);
    else if (state == ROTA_REGISTRAR_REGISTERED)
        say('I', "registry put key:%s val:%s success", rota_registrar_key(app->registrar), rota_registrar_value(app->registrar));
    else
        say('W', "registry: %s, trying again", why->message);
    say_started(app);
}

/* --- Leaving --- */

static void on_server_closed(void *arg)
{
    struct app *app = arg;

    say('I', "server stopped");
    rota_loop_stop(app->loop);
}

static void on_drained(void *arg)
{
    struct app *app = arg;

    rota_server_close(app->server, on_server_closed, app);
}

static void drain(void *arg)
{
    struct app *app = arg;

    rota_server_drain(app->server, GRACE_MS, on_drained, app);
}

static void on_deregistered(void *arg)
{
    struct app *app = arg;

    if (rota_timer_set(app->timer, rota_loop_now_ns(app->loop) + NOTICE_MS * 1000000LL) < 0)
        drain(app);
}

static void on_signal(void *arg, int signum)
{
    struct app *app = arg;

    if (app->stopping) {
        say('W', "signal %d again: leaving at once", signum);
        _Exit(128 + signum);
    }
    app->stopping = true;
    say('I', "server stopping");
    rota_health_shutdown(app->health);
    if (app->registrar != NULL)
        rota_registrar_close(app->registrar, REVOKE_MS, on_deregistered, app);
    else
        drain(app);
}

/* --- Coming up --- */

static void fail(const char *what, const char *why)
{
    fprintf(stderr, "server: %s: %s\n", what, why);
    exit(1);
}

/* ":8001" and "[::]:8001" are everywhere here; clients elsewhere need a name. */
static const char *advertised(const struct options *o, const char *bound, char *out, size_t size)
{
    const char *port = strrchr(bound, ':');

    if (o->advertise != NULL)
        return o->advertise;
    if (o->port[0] != ':' && strncmp(o->port, "[::]:", 5) != 0 && strncmp(o->port, "0.0.0.0:", 8) != 0)
        return bound;
    snprintf(out, size, "localhost%s", port);
    return out;
}

static void enter_registry(struct app *app, const char *bound)
{
    struct rota_registrar_options options = ROTA_REGISTRAR_OPTIONS_INIT;
    char uri[1024], address[300];
    struct rota_errinfo info;

    if (strcmp(app->options.registry, "none") == 0) {
        say_started(app);
        return;
    }
    registry_uri(app->options.registry, app->options.service, uri, sizeof(uri));
    options.loop = app->loop;
    options.address = advertised(&app->options, bound, address, sizeof(address));
    options.weight = (uint32_t)app->options.weight;
    options.lease_seconds = app->options.lease;
    options.on_state = on_registration;
    options.arg = app;
    if (rota_registrar_open(uri, &options, &app->registrar, &info) < 0)
        fail("registering", info.text);
}

static void serve(struct app *app)
{
    static const struct proto_hello_service_handlers handlers = {.say = on_say};
    struct rota_server_options options = ROTA_SERVER_OPTIONS_INIT;
    char bound[ROTA_ADDRESS_TEXT_SIZE];
    struct rota_errinfo info;

    options.loop = app->loop;
    options.tls = security_options(&app->options.security);
    if (rota_server_new(&options, &app->server, &info) < 0)
        fail("starting", info.text);
    if (proto_hello_service_add(app->server, &handlers, app) < 0 || rota_reflection_add(app->server) < 0 ||
        rota_health_add(app->server, NULL, &app->health) < 0 || rota_health_set(app->health, proto_hello_service_service.name, ROTA_HEALTH_SERVING) < 0)
        fail("starting", "out of memory");
    if (rota_server_listen(app->server, app->options.port, bound, &info) < 0)
        fail("--port", info.text);
    enter_registry(app, bound);
}

static void read_options(struct options *o, int argc, char **argv)
{
    *o = (struct options){.registry = "etcd://127.0.0.1:2379", .service = "grpclb_test1", .lease = 5, .security = SECURITY_INIT};
    for (int i = 1; i < argc; i++) {
        const char *value;
        if (strcmp(argv[i], "--help") == 0) {
            fputs(usage, stdout);
            exit(0);
        }
        if ((value = flag(argv[i], "port")) != NULL)
            o->port = value;
        else if ((value = flag(argv[i], "registry")) != NULL)
            o->registry = value;
        else if ((value = flag(argv[i], "service")) != NULL)
            o->service = value;
        else if ((value = flag(argv[i], "advertise")) != NULL)
            o->advertise = value;
        else if ((value = flag(argv[i], "weight")) != NULL)
            o->weight = number("weight", value, 1, 1000000000);
        else if ((value = flag(argv[i], "lease")) != NULL)
            o->lease = number("lease", value, 1, 9000000);
        else if (!security_flag(argv[i], &o->security)) {
            fprintf(stderr, "server: unknown argument %s\n%s", argv[i], usage);
            exit(2);
        }
    }
    if (o->port == NULL || o->service[0] == '\0') {
        fprintf(stderr, "server: %s\n%s", o->port == NULL ? "--port is missing" : "--service is empty", usage);
        exit(2);
    }
}

int main(int argc, char **argv)
{
    struct rota_loop_options loop_options = ROTA_LOOP_OPTIONS_INIT;
    struct app app = {0};

    read_options(&app.options, argc, argv);
    loop_options.log = &hello_log;
    if (rota_loop_new(&loop_options, &app.loop) < 0 || rota_timer_new(app.loop, drain, &app, &app.timer) < 0 ||
        rota_signal_new(app.loop, SIGTERM, on_signal, &app, &app.signals[0]) < 0 ||
        rota_signal_new(app.loop, SIGINT, on_signal, &app, &app.signals[1]) < 0)
        fail("starting", "no loop");
    serve(&app);
    rota_loop_run(app.loop);
    rota_signal_free(app.signals[0]);
    rota_signal_free(app.signals[1]);
    rota_timer_free(app.timer);
    rota_loop_free(app.loop);
    return 0;
}
