/* server.c - serves proto.HelloService to those whose calls carry a token that it knows. usage: server ADDRESS TOKEN=NAME...
 *
 * An interceptor looks at the token before the handler hears of a call, and leaves the name for the handler. Another one, outside of
 * it, logs every call, also those that were refused. SIGUSR1 writes the metrics to standard output. On SIGTERM or SIGINT no new calls
 * are taken, and those that there are get ten seconds.
 */
#include "hello.rota.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>

#define GRACE_MS 10000

/* --- Authentication --- */

struct tokens {
    char **pairs; /* "TOKEN=NAME" */
    int count;
};

struct caller { /* the interceptor's state, one a call */
    const char *name;
};

/* Takes as long for a wrong token as for a right one, so that nobody finds it letter by letter. */
static bool same(const char *a, size_t a_size, const uint8_t *b, size_t b_size)
{
    unsigned different = a_size != b_size;

    for (size_t i = 0; i < a_size && i < b_size; i++)
        different |= (unsigned)(unsigned char)a[i] ^ b[i];
    return different == 0;
}

static enum rota_intercept on_start(void *state, void *arg, struct rota_server_call *call, struct rota_status *ret_status)
{
    static const char scheme[] = "Bearer ";
    const size_t scheme_size = sizeof(scheme) - 1;
    const struct tokens *tokens = arg;
    struct caller *caller = state;
    struct rota_slice value = {0};

    if (rota_metadata_get(rota_server_call_metadata(call), "authorization", &value) && value.size > scheme_size &&
        memcmp(value.data, scheme, scheme_size) == 0) {
        for (int i = 0; i < tokens->count; i++) {
            size_t size = strcspn(tokens->pairs[i], "=");
            if (same(tokens->pairs[i], size, value.data + scheme_size, value.size - scheme_size))
                caller->name = tokens->pairs[i] + size + (tokens->pairs[i][size] == '=');
        }
    }
    if (caller->name != NULL)
        return ROTA_INTERCEPT_PASS;
    rota_status_set(ret_status, ROTA_UNAUTHENTICATED, "no token, or none that is known here");
    return ROTA_INTERCEPT_END;
}

static const struct rota_server_interceptor_class token_check = {.name = "token", .state_size = sizeof(struct caller), .on_start = on_start};

/* --- The service --- */

static void on_say(struct rota_server_call *call, const Proto__HelloRequest *request, void *user)
{
    const struct caller *caller = rota_server_call_state(call, &token_check);
    Proto__HelloReply reply = PROTO__HELLO_REPLY__INIT;
    char text[300];

    (void)user;
    snprintf(text, sizeof(text), "hello %s, you are %s", request->name, caller->name);
    reply.code = 200;
    reply.value = text;
    proto_hello_service_say_reply(call, &reply);
}

/* --- The program --- */

static void put(void *arg, const char *text, size_t size)
{
    fwrite(text, 1, size, arg);
}

static void on_usr1(void *arg, int signum)
{
    (void)signum;
    rota_metrics_write_text(arg, put, stdout);
    fflush(stdout);
}

struct app {
    struct rota_loop *loop;
    struct rota_server *server;
};

static void on_drained(void *arg)
{
    struct app *app = arg;

    rota_loop_stop(app->loop);
}

static void on_term(void *arg, int signum)
{
    struct app *app = arg;

    (void)signum;
    rota_server_drain(app->server, GRACE_MS, on_drained, app);
}

int main(int argc, char **argv)
{
    static const struct proto_hello_service_handlers handlers = {.say = on_say};
    struct tokens tokens = {.pairs = argv + 2, .count = argc - 2};
    struct rota_call_log_options log_options = ROTA_CALL_LOG_OPTIONS_INIT;
    struct rota_server_options options = ROTA_SERVER_OPTIONS_INIT;
    struct rota_server_interceptor interceptors[4] = {{&rota_call_log_server, NULL}, {&rota_metrics_server, NULL}, {&token_check, &tokens}, {NULL, NULL}};
    struct rota_signal *signals[3] = {NULL};
    struct rota_call_log *call_log = NULL;
    struct rota_metrics *metrics = NULL;
    struct app app = {NULL, NULL};
    struct rota_errinfo info = {"out of memory"};
    char bound[ROTA_ADDRESS_TEXT_SIZE];
    int exit_code = 1;

    if (argc < 3) {
        fprintf(stderr, "usage: server ADDRESS TOKEN=NAME...\n");
        return 2;
    }
    log_options.ok_level = ROTA_LOG_INFO;
    if (rota_loop_new(NULL, &app.loop) < 0 || rota_call_log_new(&log_options, &call_log) < 0 || rota_metrics_new(NULL, &metrics) < 0 ||
        rota_signal_new(app.loop, SIGUSR1, on_usr1, metrics, &signals[0]) < 0 || rota_signal_new(app.loop, SIGTERM, on_term, &app, &signals[1]) < 0 ||
        rota_signal_new(app.loop, SIGINT, on_term, &app, &signals[2]) < 0)
        goto out;
    interceptors[0].arg = call_log;
    interceptors[1].arg = metrics;
    options.loop = app.loop;
    options.interceptors = interceptors;
    if (rota_server_new(&options, &app.server, &info) < 0 || proto_hello_service_add(app.server, &handlers, NULL) < 0 ||
        rota_server_listen(app.server, argv[1], bound, &info) < 0)
        goto out;
    printf("serving on %s\n", bound);
    fflush(stdout);
    exit_code = rota_loop_run(app.loop) < 0;
out:
    if (exit_code != 0)
        fprintf(stderr, "server: %s\n", info.text);
    rota_server_free(app.server);
    for (int i = 0; i < 3; i++)
        rota_signal_free(signals[i]);
    rota_metrics_free(metrics);
    rota_call_log_free(call_log);
    rota_loop_free(app.loop);
    return exit_code;
}
