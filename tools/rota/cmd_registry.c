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
    fflush(stdout);
    rota_registry_close(app->registry, GRACE_MS, on_closed, app);
}

static int serve(struct app *app, const char *listen, const char *data)
{
    struct rota_registry_options options = ROTA_REGISTRY_OPTIONS_INIT;
    struct rota_errinfo info;

    options.loop = app->loop;
    options.listen = listen;
    options.data_dir = data;
    options.log = &rota_log_stderr;
    if (rota_registry_open(&options, &app->registry, &info) < 0)
        return rota_fail("registry", "%s", info.text);
    if (data == NULL)
        printf("registry keeps nothing on disk: what is put is gone when it stops (--data DIR keeps it)\n");
    else
        printf("registry data in %s\n", data);
    printf("registry listening on %s\n", rota_registry_address(app->registry));
    fflush(stdout);
    return rota_loop_run(app->loop) < 0 ? ROTA_EXIT_FAILED : ROTA_EXIT_OK;
}

static int run(int argc, char **argv)
{
    const char *listen = "127.0.0.1:2379", *data = NULL;
    const struct rota_flag flags[] = {{"listen", &listen, NULL}, {"data", &data, NULL}};
    struct rota_loop_options options = ROTA_LOOP_OPTIONS_INIT;
    struct rota_signal *on_term = NULL, *on_int = NULL;
    struct app app = {0};
    size_t words;
    int code;

    if (!rota_flags_read(&rota_command_registry, argc, argv, flags, 2, NULL, 0, &words))
        return ROTA_EXIT_USAGE;
    options.log = &rota_log_stderr;
    if (rota_loop_new(&options, &app.loop) < 0)
        return rota_fail("registry", "no event loop");
    if (rota_signal_new(app.loop, SIGTERM, on_signal, &app, &on_term) < 0 || rota_signal_new(app.loop, SIGINT, on_signal, &app, &on_int) < 0)
        code = rota_fail("registry", "no signal handling");
    else
        code = serve(&app, listen, data);
    rota_signal_free(on_term);
    rota_signal_free(on_int);
    rota_loop_free(app.loop);
    return code;
}

const struct rota_command rota_command_registry = {
    .verb = "registry",
    .summary = "serve the embedded registry, which speaks etcd's v3 API",
    .usage = "usage: rota registry [--listen ADDR] [--data DIR]\n\n"
             "Serves the part of etcd's v3 API that registration and discovery need, in one process; it is no cluster.\n\n"
             "  --listen ADDR  where; default 127.0.0.1:2379. Port 0: the system chooses, the line \"registry listening on\" tells it\n"
             "  --data DIR     keep keys, leases and the revision there across a restart; without it nothing is kept\n\n"
             "SIGTERM and SIGINT stop it in order.\n",
    .run = run,
};
