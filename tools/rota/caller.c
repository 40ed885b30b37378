/* caller.c - see caller.h. Requests are sent as fast as the server takes them, replies are printed as they come. */
#include "caller.h"
#include "connect.h"

#include "command.h"
#include "foreign.h"
#include "pairs.h"

struct state {
    const struct rota_caller *caller;
    struct rota_buffer line;
    size_t n_sent;
    bool half_closed, done;
    bool unwritten; /* standard output takes no more, which is said at the end */
    struct rota_status unreadable; /* of a reply; OK: none */
    int exit;
};

static void send_more(struct rota_call *call, struct state *s)
{
    const struct rota_requests *requests = s->caller->requests;

    while (!s->half_closed && s->n_sent < requests->n) {
        struct rota_slice bytes = rota_buffer_peek(&requests->all[s->n_sent]);
        rota_err err = rota_call_write(call, &bytes);

        if (err == ROTA_EAGAIN)
            return;
        if (err < 0) {
            /* Ended already: on_done says why. */
            if (err != ROTA_ECLOSED)
                rota_call_cancel(call);
            return;
        }
        s->n_sent++;
    }
    if (!s->half_closed)
        (void)rota_call_write_end(call);
    s->half_closed = true;
}

static void on_writable(struct rota_call *call, void *arg)
{
    send_more(call, arg);
}

static void on_headers(struct rota_call *call, void *arg)
{
    struct state *s = arg;

    if (s->caller->verbose)
        rota_pairs_print("<", rota_call_initial_metadata(call));
}

static void on_message(struct rota_call *call, void *arg, const void *message)
{
    const struct rota_slice *bytes = message;
    struct state *s = arg;
    struct rota_errinfo info = {""};
    struct rota_slice line;

    rota_buffer_clear(&s->line);
    if (rota_dyn_to_json(s->caller->pool, s->caller->method->output, *bytes, &s->line, &info) < 0) {
        rota_status_set(&s->unreadable, ROTA_INTERNAL, "a reply that cannot be read: %s", info.text);
        rota_call_cancel(call);
        return;
    }
    line = rota_buffer_peek(&s->line);
    fwrite(line.data, 1, line.size, stdout);
    fputc('\n', stdout);
    if (!rota_output_flush()) {
        s->unwritten = true;
        rota_call_cancel(call);
    }
}

static void on_done(struct rota_call *call, void *arg, const struct rota_status *status)
{
    struct rota_slice message = rota_call_message(call);
    struct state *s = arg;

    if (s->caller->verbose)
        rota_pairs_print("<", rota_call_trailing_metadata(call));
    if (s->unreadable.code != ROTA_OK) {
        status = &s->unreadable;
        message = rota_slice_str(status->message);
    }
    s->done = true;
    s->exit = rota_status_ok(status) ? ROTA_EXIT_OK : ROTA_EXIT_FAILED;
    if (!rota_status_ok(status) && !s->unwritten) {
        fprintf(stderr, "%s: ", rota_code_name(status->code));
        rota_print_foreign(stderr, message);
        fprintf(stderr, "%s\n", rota_connect_hint(status));
    }
    rota_loop_stop(s->caller->loop);
}

int rota_caller_run(const struct rota_caller *caller)
{
    static const struct rota_call_events events = {
        .on_headers = on_headers, .on_message = on_message, .on_writable = on_writable, .on_done = on_done};
    char path[512];
    struct rota_method method = {
        .path = path,
        .client_streaming = caller->method->client_streaming,
        .server_streaming = caller->method->server_streaming,
        .request = {&rota_codec_bytes, NULL},
        .reply = {&rota_codec_bytes, NULL},
    };
    struct state s = {.caller = caller, .exit = ROTA_EXIT_FAILED};
    struct rota_call *call;

    if ((size_t)snprintf(path, sizeof(path), "/%s/%s", caller->service, caller->method->name) >= sizeof(path))
        return rota_fail("call", "a method whose name is longer than any");
    rota_buffer_init(&s.line, NULL, 0);
    if (rota_call_start(caller->channel, &method, caller->options, &events, &s, &call) < 0) {
        rota_fail("call", "the call cannot be started");
    } else {
        send_more(call, &s);
        while (!s.done)
            rota_loop_run(caller->loop);
    }
    rota_buffer_fini(&s.line);
    return s.exit;
}
