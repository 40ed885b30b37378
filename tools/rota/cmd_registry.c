/* cmd_registry.c - `rota registry`: the embedded registry as a process. */
#include "command.h"

#include <signal.h>
#include <stdio.h>

#define GRACE_MS 2000

struct app {
    struct rota_loop *loop;
    struct rota_registry *registry;
    bool stopping;
};

struct given {
    const char *listen, *data;
    struct rota_tls_options tls;
    bool secure;
};

static bool is_local(const char *bound)
{
    return strncmp(bound, "127.", 4) == 0 || strncmp(bound, "[::1]:", 6) == 0 || strncmp(bound, "unix", 4) == 0;
}

static void on_closed(void *arg)
{
    rota_loop_stop(((struct app *)arg)->loop);
}

static void on_signal(void *arg, int signum)
{
    struct app *app = arg;

    (void)signum;
    if (app->stopping)
        return;
    app->stopping = true;
    printf("registry stopping\n");
    (void)rota_output_flush();
    rota_registry_close(app->registry, GRACE_MS, on_closed, app);
}

/* As with etcd, plaintext is served wherever it is asked to listen, but not silently. */
static void say_how(const struct given *given, const char *bound)
{
    if (given->secure)
        printf("registry speaks TLS%s\n", given->tls.require_client_cert ? ", to clients with a certificate" : "");
    else if (!is_local(bound))
        printf("registry speaks plaintext, and anybody who reaches it may read and write; --cert FILE --key FILE are for TLS\n");
}

static int serve(struct app *app, const struct given *given)
{
    struct rota_registry_options options = ROTA_REGISTRY_OPTIONS_INIT;
    const char *data = given->data;
    struct rota_errinfo info;

    options.loop = app->loop;
    options.listen = given->listen;
    options.data_dir = data;
    options.log = &rota_log_stderr;
    options.tls = given->secure ? &given->tls : &rota_tls_insecure;
    if (rota_registry_open(&options, &app->registry, &info) < 0)
        return rota_fail("registry", "%s", info.text);
    if (data == NULL)
        printf("registry keeps nothing on disk: what is put is gone when it stops (--data DIR keeps it)\n");
    else
        printf("registry data in %s\n", data);
    say_how(given, rota_registry_address(app->registry));
    printf("registry listening on %s\n", rota_registry_address(app->registry));
    (void)rota_output_flush();
    return rota_loop_run(app->loop) < 0 ? ROTA_EXIT_FAILED : ROTA_EXIT_OK;
}

static int run(int argc, char **argv)
{
    struct given given = {.listen = "127.0.0.1:2379", .tls = ROTA_TLS_OPTIONS_INIT};
    const struct rota_flag flags[] = {{"listen", &given.listen, NULL}, {"data", &given.data, NULL},
                                      {"cert", &given.tls.cert_file, &given.secure}, {"key", &given.tls.key_file, &given.secure},
                                      {"ca", &given.tls.ca_file, &given.secure},
                                      {"require-client-cert", NULL, &given.tls.require_client_cert}};
    struct rota_loop_options options = ROTA_LOOP_OPTIONS_INIT;
    struct rota_signal *on_term = NULL, *on_int = NULL;
    struct app app = {0};
    size_t words;
    int code;

    if (!rota_flags_read(&rota_command_registry, argc, argv, flags, sizeof(flags) / sizeof(flags[0]), NULL, 0, &words))
        return ROTA_EXIT_USAGE;
    given.secure |= given.tls.require_client_cert;
    options.log = &rota_log_stderr;
    if (rota_loop_new(&options, &app.loop) < 0)
        return rota_fail("registry", "no event loop");
    if (rota_signal_new(app.loop, SIGTERM, on_signal, &app, &on_term) < 0 || rota_signal_new(app.loop, SIGINT, on_signal, &app, &on_int) < 0)
        code = rota_fail("registry", "no signal handling");
    else
        code = serve(&app, &given);
    rota_signal_free(on_term);
    rota_signal_free(on_int);
    rota_loop_free(app.loop);
    return code;
}

const struct rota_command rota_command_registry = {
    .verb = "registry",
    .summary = "serve the embedded registry, which speaks etcd's v3 API",
    .usage = "usage: rota registry [--listen ADDR] [--data DIR] [--cert FILE --key FILE [--ca FILE [--require-client-cert]]]\n\n"
             "Serves the part of etcd's v3 API that registration and discovery need, in one process; it is no cluster.\n\n"
             "  --listen ADDR  where; default 127.0.0.1:2379. Port 0: the system chooses, the line \"registry listening on\" tells it\n"
             "  --data DIR     keep keys, leases and the revision there across a restart; without it nothing is kept\n"
             "  --cert FILE    speak TLS, with this certificate and those between it and its root; --key FILE: its key\n"
             "  --ca FILE      who issues clients' certificates\n"
             "  --require-client-cert  no client without one; as URIs have cacert=, cert= and key=\n\n"
             "SIGTERM and SIGINT stop it in order.\n",
    .run = run,
};
