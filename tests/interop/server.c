/* server.c - the interop server: grpc.testing.TestService, health and reflection on a port, until SIGTERM or SIGINT.
 *
 * The first line on standard output says the port. Calls under way get a moment to end.
 */
#include "flags.h"
#include "service.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>

#define GRACE_MS 2000
#define REPORT_INTERVAL_MS 100 /* out of band, at least */

struct app {
    struct rota_loop *loop;
    struct rota_server *server;
    struct interop_service service;
    struct rota_signal *signals[2];
    bool stopping;
};

static const char usage[] =
    "usage: server --port=PORT\n"
    "  --port           where to listen, on all addresses; 0: a free one\n"
    "  --gzip=false     whether replies are compressed where nothing else is asked for\n"
    "  --use_tls=false  whether to speak TLS, with --tls_cert_file=FILE and --tls_key_file=FILE or a certificate of the tests\n"
    "  --use_alts=false there is no ALTS: true is refused\n";

static void fail(const char *why)
{
    fprintf(stderr, "server: %s\n", why);
    exit(1);
}

static void on_closed(void *arg)
{
    struct app *app = arg;

    rota_loop_stop(app->loop);
}

static void on_drained(void *arg)
{
    struct app *app = arg;

    rota_server_close(app->server, on_closed, app);
}

static void on_signal(void *arg, int signum)
{
    struct app *app = arg;

    if (app->stopping)
        _Exit(128 + signum);
    app->stopping = true;
    rota_server_drain(app->server, GRACE_MS, on_drained, app);
}

static void serve(struct app *app, long port, bool gzip, const struct rota_tls_options *tls)
{
    struct rota_server_options options = ROTA_SERVER_OPTIONS_INIT;
    char address[32], bound[ROTA_ADDRESS_TEXT_SIZE];
    struct rota_orca_options orca_options = ROTA_ORCA_OPTIONS_INIT;
    struct rota_health *health;
    struct rota_orca *orca;
    struct rota_errinfo info;

    options.loop = app->loop;
    options.tls = tls;
    options.compression = gzip ? ROTA_COMPRESSION_GZIP : ROTA_COMPRESSION_NONE;
    snprintf(address, sizeof(address), ":%ld", port);
    if (rota_server_new(&options, &app->server, &info) < 0)
        fail(info.text);
    orca_options.min_interval_ms = REPORT_INTERVAL_MS;
    orca_options.no_trailers = true;
    if (rota_orca_add(app->server, &orca_options, &orca) < 0 || interop_service_add(app->server, orca, &app->service) < 0 ||
        rota_health_add(app->server, NULL, &health) < 0 || rota_health_set(health, grpc_testing_test_service_service.name, ROTA_HEALTH_SERVING) < 0 ||
        rota_reflection_add(app->server) < 0)
        fail("out of memory");
    if (rota_server_listen(app->server, address, bound, &info) < 0)
        fail(info.text);
    printf("listening on port %s\n", strrchr(bound, ':') + 1);
    fflush(stdout);
}

/* What the command line says of TLS must make sense together, or a test would run without what it is about. */
static void check_tls(bool use_tls, bool use_alts, const struct rota_tls_options *tls)
{
    if (use_alts)
        flags_refuse("--use_alts=true: there is no ALTS here");
    if (tls->cert_file != NULL && tls->key_file == NULL)
        flags_refuse("--tls_cert_file=%s: --tls_key_file is missing", tls->cert_file);
    if (tls->cert_file == NULL && tls->key_file != NULL)
        flags_refuse("--tls_key_file=%s: --tls_cert_file is missing", tls->key_file);
    if (tls->cert_file != NULL && !use_tls)
        flags_refuse("--tls_cert_file=%s: --use_tls=true is missing", tls->cert_file);
}

int main(int argc, char **argv)
{
    struct rota_loop_options options = ROTA_LOOP_OPTIONS_INIT;
    struct rota_tls_options tls = ROTA_TLS_OPTIONS_INIT;
    char cert_file[CERT_PATH_SIZE], key_file[CERT_PATH_SIZE];
    struct app app = {0};
    bool use_tls = false, use_alts = false, gzip = false;
    long port = -1;
    const struct flag flags[] = {{"port", NULL, &port, NULL}, {"use_tls", NULL, NULL, &use_tls}, {"gzip", NULL, NULL, &gzip},
                                 {"use_alts", NULL, NULL, &use_alts},
                                 {"tls_cert_file", &tls.cert_file, NULL, NULL}, {"tls_key_file", &tls.key_file, NULL, NULL}};

    flags_read(flags, sizeof(flags) / sizeof(flags[0]), usage, argc, argv);
    if (port < 0 || port > 65535)
        flags_refuse("--port: expected a number from 0 to 65535");
    check_tls(use_tls, use_alts, &tls);
    if (tls.cert_file == NULL) {
        find_cert("server.pem", cert_file);
        find_cert("server.key", key_file);
        tls.cert_file = cert_file;
        tls.key_file = key_file;
    }
    options.log = &interop_log;
    if (rota_loop_new(&options, &app.loop) < 0 || rota_signal_new(app.loop, SIGTERM, on_signal, &app, &app.signals[0]) < 0 ||
        rota_signal_new(app.loop, SIGINT, on_signal, &app, &app.signals[1]) < 0)
        fail("no loop");
    serve(&app, port, gzip, use_tls ? &tls : &rota_tls_insecure);
    rota_loop_run(app.loop);
    rota_signal_free(app.signals[0]);
    rota_signal_free(app.signals[1]);
    rota_loop_free(app.loop);
    return 0;
}
