/* server.c - serves example.Numbers, whose methods stream. usage: server ADDRESS
 *
 * A handler sends until the queue is full (ROTA_EAGAIN) and goes on in `writable`; nothing blocks and nothing piles up, however slowly a
 * client reads. There is no `cancel`: when the client has gone, `writable` or `end`, whichever the call waits for, is called all the same.
 */
#include "numbers.rota.h"

#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>

#define GRACE_MS 1000

/* Also for a client that has gone (ROTA_ECLOSED): every call is finished once. */
static void finish(struct rota_server_call *call, rota_err err)
{
    free(rota_server_call_data(call));
    if (err < 0)
        rota_server_call_fail(call, ROTA_RESOURCE_EXHAUSTED, "%s", rota_err_text(err));
    else
        rota_server_call_finish(call, NULL);
}

/* --- Count: one request, many replies --- */

struct count {
    uint64_t sent, limit;
};

static void count_on(struct rota_server_call *call, void *user)
{
    struct count *count = rota_server_call_data(call);
    rota_err err = 0;
    char text[24];

    (void)user;
    while (err == 0 && count->sent < count->limit) {
        Example__Number reply = EXAMPLE__NUMBER__INIT;
        reply.value = count->sent + 1;
        err = example_numbers_count_send_reply(call, &reply);
        if (err == 0)
            count->sent++;
    }
    if (err == ROTA_EAGAIN) /* there will be room: count_on is called again */
        return;
    snprintf(text, sizeof(text), "%" PRIu64, count->sent);
    if (err == 0)
        err = rota_metadata_add_text(rota_server_call_trailing_metadata(call), "x-sent", text);
    finish(call, err);
}

static void on_count(struct rota_server_call *call, const Example__Number *request, void *user)
{
    struct count *count = calloc(1, sizeof(*count));
    struct rota_slice reader = ROTA_SLICE("somebody");

    rota_server_call_set_data(call, count);
    if (count == NULL) {
        finish(call, ROTA_ENOMEM);
        return;
    }
    (void)rota_metadata_get(rota_server_call_metadata(call), "x-reader", &reader);
    printf("counting to %" PRIu64 " for %.*s\n", request->value, (int)reader.size, (const char *)reader.data);
    fflush(stdout);
    count->limit = request->value;
    count_on(call, user);
}

/* --- Sum: requests and replies, as they come --- */

static void sum_start(struct rota_server_call *call, void *user)
{
    uint64_t *sum = calloc(1, sizeof(*sum));

    (void)user;
    rota_server_call_set_data(call, sum);
    if (sum == NULL)
        finish(call, ROTA_ENOMEM);
}

static void send_sum(struct rota_server_call *call)
{
    const uint64_t *sum = rota_server_call_data(call);
    Example__Number reply = EXAMPLE__NUMBER__INIT;
    rota_err err;

    reply.value = *sum;
    err = example_numbers_sum_send_reply(call, &reply);
    if (err == ROTA_EAGAIN)
        rota_server_call_hold(call); /* no further numbers until this sum has gone: the client waits too */
    else if (err < 0)
        finish(call, err);
}

static void sum_message(struct rota_server_call *call, const Example__Number *request, void *user)
{
    uint64_t *sum = rota_server_call_data(call);

    (void)user;
    *sum += request->value;
    send_sum(call);
}

static void sum_writable(struct rota_server_call *call, void *user)
{
    (void)user;
    rota_server_call_resume(call);
    send_sum(call);
}

/* Also for a client that has gone: then numbers may be missing. */
static void sum_end(struct rota_server_call *call, void *user)
{
    const uint64_t *sum = rota_server_call_data(call);

    (void)user;
    if (rota_server_call_cancelled(call))
        printf("a client left its sum at %" PRIu64 "\n", *sum);
    else
        printf("summed to %" PRIu64 "\n", *sum);
    fflush(stdout);
    finish(call, 0);
}

/* --- The program --- */

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
    static const struct example_numbers_handlers handlers = {
        .count = {.request = on_count, .writable = count_on},
        .sum = {.start = sum_start, .message = sum_message, .end = sum_end, .writable = sum_writable},
    };
    struct rota_server_options options = ROTA_SERVER_OPTIONS_INIT;
    struct rota_errinfo info = {"out of memory"};
    struct rota_signal *term = NULL;
    struct app app = {NULL, NULL};
    char bound[ROTA_ADDRESS_TEXT_SIZE];
    int exit_code = 1;

    if (rota_loop_new(NULL, &app.loop) < 0 || rota_signal_new(app.loop, SIGTERM, on_term, &app, &term) < 0)
        goto out;
    options.loop = app.loop;
    if (rota_server_new(&options, &app.server, &info) < 0 || example_numbers_add(app.server, &handlers, NULL) < 0 ||
        rota_server_listen(app.server, argc > 1 ? argv[1] : "127.0.0.1:8001", bound, &info) < 0)
        goto out;
    printf("serving on %s\n", bound);
    fflush(stdout);
    exit_code = rota_loop_run(app.loop) < 0;
out:
    if (exit_code != 0)
        fprintf(stderr, "server: %s\n", info.text);
    rota_server_free(app.server);
    rota_signal_free(term);
    rota_loop_free(app.loop);
    return exit_code;
}
