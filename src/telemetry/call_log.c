/* call_log.c - a line for each call that ends (rota/call_log.h).
 *
 * Lines are counted per second of the loop's time, failures apart from the rest, so that neither crowds the other out.
 */
#include "base/alloc.h"
#include "base/log.h"
#include "base/options.h"
#include <rota/call_log.h>
#include <string.h>

#define NS_PER_S INT64_C(1000000000)
#define DEFAULT_MAX_PER_SECOND 100

struct window {
    int64_t since_ns;
    uint32_t n_written;
    uint64_t n_left_out;
};

struct rota_call_log {
    const struct rota_alloc *alloc;
    const struct rota_log *log;
    enum rota_log_level levels[2]; /* OK, failure */
    struct window windows[2];
    uint32_t max_per_second;
};

/* What a hook at the start leaves for the one at the end. */
struct started {
    int64_t at_ns;
};

rota_err rota_call_log_new(const struct rota_call_log_options *given, struct rota_call_log **ret_call_log)
{
    struct rota_call_log_options options = ROTA_CALL_LOG_OPTIONS_INIT;
    struct rota_call_log *c;

    if (rota_options_take(&options, sizeof(options), given, "ROTA_CALL_LOG_OPTIONS_INIT", NULL) < 0)
        return ROTA_EINVAL;
    c = rota_alloc_zero(options.alloc, 1, sizeof(*c));
    if (c == NULL)
        return ROTA_ENOMEM;
    c->alloc = options.alloc;
    c->log = options.log == NULL ? &rota_log_stderr : options.log;
    c->levels[0] = options.ok_level == 0 ? ROTA_LOG_DEBUG : options.ok_level;
    c->levels[1] = options.failure_level == 0 ? ROTA_LOG_INFO : options.failure_level;
    c->max_per_second = options.max_per_second == 0 ? DEFAULT_MAX_PER_SECOND : options.max_per_second < 0 ? UINT32_MAX : (uint32_t)options.max_per_second;
    *ret_call_log = c;
    return 0;
}

void rota_call_log_free(struct rota_call_log *call_log)
{
    if (call_log != NULL)
        rota_alloc_free(call_log->alloc, call_log);
}

struct line {
    const char *area, *path, *preposition, *peer;
    int64_t now_ns, took_ns;
    uint64_t sent_bytes, received_bytes;
};

/* Whether one more line may be written; says first how many could not be. */
static bool may_write(struct rota_call_log *c, unsigned sort, const struct line *line)
{
    struct window *w = &c->windows[sort];

    if (line->now_ns - w->since_ns >= NS_PER_S) {
        w->since_ns = line->now_ns;
        w->n_written = 0;
    }
    if (w->n_written >= c->max_per_second) {
        w->n_left_out++;
        return false;
    }
    w->n_written++;
    if (w->n_left_out > 0)
        rota_log_write(c->log, c->levels[sort], line->area, "%llu more calls ended and are not in this log", (unsigned long long)w->n_left_out);
    w->n_left_out = 0;
    return true;
}

static void write_line(struct rota_call_log *c, const struct line *line, const struct rota_status *status)
{
    unsigned sort = status->code != ROTA_OK;

    if (!rota_log_on(c->log, c->levels[sort]) || !may_write(c, sort, line))
        return;
    rota_log_write(c->log, c->levels[sort], line->area, "%s %s %s: %s in %lld.%03lld ms, %llu bytes out, %llu in%s%s", line->path, line->preposition,
        line->peer, rota_code_name(status->code), (long long)(line->took_ns / 1000000), (long long)(line->took_ns / 1000 % 1000),
        (unsigned long long)line->sent_bytes, (unsigned long long)line->received_bytes, status->message[0] == '\0' ? "" : ": ", status->message);
}

static enum rota_intercept client_on_start(void *state, void *arg, struct rota_call *call, struct rota_status *ret_status)
{
    (void)arg;
    (void)ret_status;
    ((struct started *)state)->at_ns = rota_call_now_ns(call);
    return ROTA_INTERCEPT_PASS;
}

static void client_on_done(void *state, void *arg, struct rota_call *call, struct rota_status *status)
{
    const char *peer = rota_call_peer(call);
    struct line line = {
        .area = "channel",
        .path = rota_call_method(call)->path,
        .preposition = "to",
        .peer = peer == NULL ? "nobody" : peer,
        .now_ns = rota_call_now_ns(call),
        .took_ns = rota_call_now_ns(call) - ((struct started *)state)->at_ns,
        .sent_bytes = rota_call_sent_bytes(call),
        .received_bytes = rota_call_received_bytes(call),
    };

    write_line(arg, &line, status);
}

const struct rota_client_interceptor_class rota_call_log_client = {
    .name = "call_log", .state_size = sizeof(struct started), .on_start = client_on_start, .on_done = client_on_done};

static enum rota_intercept server_on_start(void *state, void *arg, struct rota_server_call *call, struct rota_status *ret_status)
{
    (void)arg;
    (void)ret_status;
    ((struct started *)state)->at_ns = rota_server_call_now_ns(call);
    return ROTA_INTERCEPT_PASS;
}

static void server_on_finish(void *state, void *arg, struct rota_server_call *call, struct rota_status *status)
{
    struct line line = {
        .area = "server",
        .path = rota_server_call_path(call),
        .preposition = "from",
        .peer = rota_server_call_peer(call),
        .now_ns = rota_server_call_now_ns(call),
        .took_ns = rota_server_call_now_ns(call) - ((struct started *)state)->at_ns,
        .sent_bytes = rota_server_call_sent_bytes(call),
        .received_bytes = rota_server_call_received_bytes(call),
    };

    write_line(arg, &line, status);
}

const struct rota_server_interceptor_class rota_call_log_server = {
    .name = "call_log", .state_size = sizeof(struct started), .on_start = server_on_start, .on_finish = server_on_finish};
