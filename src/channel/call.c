/* call.c - a call from its start to its report: options and method config, deadline, cancelling, the end, and the free-list of structs.
 *
 * Ends come from three sides: the attempt's result, the deadline, the application or the channel giving up. Whoever is first
 * moves the call to ENDED. Elsewhere: attempts after the first (tries.c). Sources: gRPC over HTTP/2; gRFC A2 (method config);
 * doc/wait-for-ready.md in grpc/grpc.
 */
#include "channel/call.h"
#include "base/alloc.h"
#include "base/moves.h"
#include "base/text.h"
#include <stdarg.h>

#define NS_PER_MS INT64_C(1000000)
#define ARENA_BYTES 2048
#define SPARE_MAX 1024
#define H2_CANCEL 8

static const char *const state_names[] = {"RUNNING", "ENDED", "DONE"};
static const uint32_t state_moves[] = {
    [ROTA_CALL_RUNNING] = 1u << ROTA_CALL_ENDED,
    [ROTA_CALL_ENDED] = 1u << ROTA_CALL_DONE,
    [ROTA_CALL_DONE] = 0,
};
static const struct rota_moves moves = {"call", state_names, state_moves, ROTA_CALL_DONE + 1};

/* --- Structs --- */

static void free_struct(struct rota_call *call)
{
    rota_host_timer_clear(call->channel->host, &call->timer);
    rota_arena_fini(&call->arena);
    rota_arena_fini(&call->message_arena);
    rota_alloc_free(call->channel->alloc, call);
}

static void run_task(struct rota_host_task *task)
{
    struct rota_call *call = ROTA_CONTAINER(task, struct rota_call, task);

    if (call->state == ROTA_CALL_ENDED) {
        rota_call_report(call);
        return;
    }
    if (call->state == ROTA_CALL_RUNNING && call->want_writable && (rota_call_is_deaf(call) || !rota_call_is_full(call)))
        rota_call_on_room(call);
    if (call->state == ROTA_CALL_RUNNING)
        rota_reply_resume(call);
}

static void fire_deadline(struct rota_host_timer *timer, int64_t now_ns);

static struct rota_call *take_struct(struct rota_channel *channel)
{
    struct rota_call *call = channel->spare_calls;

    if (call != NULL) {
        channel->spare_calls = call->spare;
        channel->n_spare_calls--;
        return call;
    }
    call = rota_alloc_zero(channel->alloc, 1, sizeof(*call));
    if (call == NULL)
        return NULL;
    call->channel = channel;
    call->timer.fire = fire_deadline;
    call->task.run = run_task;
    rota_arena_init(&call->arena, channel->alloc, ARENA_BYTES);
    rota_arena_init(&call->message_arena, channel->alloc, ARENA_BYTES);
    call->arena.bulk = call->message_arena.bulk = channel->bulk;
    return call;
}

static void give_back(struct rota_call *call)
{
    struct rota_channel *channel = call->channel;

    if (call->tries != NULL)
        rota_tries_free(call);
    rota_attempt_fini(&call->attempt);
    rota_outbox_fini(&call->outbox);
    rota_buffer_fini(&call->backlog);
    rota_arena_reset(&call->arena);
    rota_arena_reset(&call->message_arena);
    if (channel->n_spare_calls >= SPARE_MAX || channel->shut) {
        free_struct(call);
        return;
    }
    call->spare = channel->spare_calls;
    channel->spare_calls = call;
    channel->n_spare_calls++;
}

void rota_call_free_spares(struct rota_channel *channel)
{
    while (channel->spare_calls != NULL) {
        struct rota_call *call = channel->spare_calls;
        channel->spare_calls = call->spare;
        free_struct(call);
    }
    channel->n_spare_calls = 0;
    rota_tries_free_spares(channel);
}

/* --- Making --- */

static int64_t later_ns(int64_t now_ns, int64_t timeout_ns)
{
    return timeout_ns > INT64_MAX - now_ns ? INT64_MAX : now_ns + timeout_ns;
}

/* From made_ns on: the timeout or what is left until the deadline, whichever is less. */
static int64_t timeout_of(const struct rota_call_options *options, int64_t made_ns)
{
    int64_t timeout_ns = INT64_MAX, left_ns = INT64_MAX;

    if (options->timeout_ms != 0 && options->timeout_ms <= INT64_MAX / NS_PER_MS)
        timeout_ns = options->timeout_ms < 0 ? 0 : options->timeout_ms * NS_PER_MS;
    if (options->deadline_ns != 0 && options->deadline_ns != INT64_MAX)
        left_ns = options->deadline_ns <= made_ns ? 0 : options->deadline_ns - made_ns;
    return left_ns < timeout_ns ? left_ns : timeout_ns;
}

/* What the application asks for: all of it, as long as the service config does not say less. */
static void apply_options(struct rota_call *call)
{
    call->timeout_ns = call->given_timeout_ns;
    call->max_reply_bytes = call->given_reply_bytes;
    call->max_request_bytes = call->channel->limits.max_request_bytes;
    if (!call->wait_given)
        call->wait_for_ready = false;
}

static inline void choose_explainer(struct rota_call *call, const struct rota_call_options *options)
{
    struct rota_channel *channel = call->channel;

    call->explainer = (struct rota_explainer){options->explain, options->explain_arg};
    if (channel->explain_every == 0 || --channel->explain_left > 0)
        return;
    channel->explain_left = channel->explain_every;
    if (options->explain == NULL)
        call->explainer = channel->explainer;
}

static void read_options(struct rota_call *call, const struct rota_call_options *options)
{
    choose_explainer(call, options);
    call->given_timeout_ns = timeout_of(options, call->made_ns);
    call->given_reply_bytes = options->max_reply_bytes == 0 ? call->channel->limits.max_reply_bytes : options->max_reply_bytes;
    call->wait_for_ready = options->wait_for_ready == ROTA_WAIT_FOR_READY;
    call->wait_given = options->wait_for_ready != ROTA_WAIT_DEFAULT;
    call->gzip = call->compress =
        options->compression == ROTA_COMPRESSION_DEFAULT ? call->channel->limits.gzip : options->compression == ROTA_COMPRESSION_GZIP;
    apply_options(call);
}

/* Limits as strict as the stricter; waitForReady where the application leaves it open. ROTA_ENOMEM. */
static rota_err apply_config(struct rota_call *call, const struct rota_method_config *config)
{
    if (config->timeout_ns < call->timeout_ns)
        call->timeout_ns = config->timeout_ns;
    if (config->max_reply_bytes < call->max_reply_bytes)
        call->max_reply_bytes = config->max_reply_bytes;
    if (config->max_request_bytes < call->max_request_bytes)
        call->max_request_bytes = config->max_request_bytes;
    if (!call->wait_given)
        call->wait_for_ready = config->wait_for_ready == 1;
    if (config->retry.max_attempts + config->hedging.max_attempts == 0)
        return 0;
    return rota_tries_make(call, config);
}

static rota_err find_config(struct rota_call *call)
{
    const struct rota_method_config *config = rota_service_config_method(call->channel->config->service, call->method->path);

    return config == NULL ? 0 : apply_config(call, config);
}

static inline rota_err set_limits(struct rota_call *call)
{
    const struct rota_channel_config *whole = call->channel->config;
    rota_err err = 0;

    if (whole != NULL && whole->service->has_methods)
        err = find_config(call);
    call->deadline_ns = call->timeout_ns == INT64_MAX ? INT64_MAX : later_ns(call->made_ns, call->timeout_ns);
    return err;
}

static void clear(struct rota_call *call, const struct rota_method *method, enum rota_call_kind kind)
{
    call->method = method;
    call->events = NULL;
    call->done = NULL;
    call->thunk = NULL;
    call->arg = call->facade = NULL;
    call->state = ROTA_CALL_RUNNING;
    call->kind = (uint8_t)kind;
    call->inside = true;
    call->half_closed = call->held = call->want_writable = call->committed = call->refused = call->came_compressed = false;
    call->unresolved = !rota_channel_is_configured(call->channel);
    call->made_ns = call->channel->host->now_ns;
    call->keeps = call->n_replies = 0;
    call->n_attempts = 0;
    call->sent_bytes = call->received_bytes = 0;
    call->chain = NULL;
    call->metadata = NULL;
    call->reply = NULL;
    call->result = NULL;
    rota_buffer_init(&call->backlog, call->channel->alloc, 0);
    rota_outbox_init(&call->outbox, call->channel->alloc, &call->channel->kept_bytes);
    call->tries = NULL;
    call->front = &call->attempt;
}

static rota_err copy_metadata(struct rota_call *call, const struct rota_metadata *metadata)
{
    if (rota_metadata_count(metadata) == 0)
        return 0;
    call->metadata = rota_metadata_in(&call->arena);
    if (call->metadata == NULL)
        return ROTA_ENOMEM;
    return rota_metadata_copy(call->metadata, metadata);
}

/* A timer that is still set from the struct's last call and not too late for this one is left alone: it looks again when it fires.
 * So the timers of calls that come and go are hardly ever touched. */
static rota_err arm(struct rota_call *call)
{
    if (call->deadline_ns == INT64_MAX || (rota_host_timer_is_set(&call->timer) && call->timer.node.key <= call->deadline_ns))
        return 0;
    return rota_host_timer_set(call->channel->host, &call->timer, call->deadline_ns);
}

rota_err rota_call_make(struct rota_channel *channel, const struct rota_method *method, const struct rota_call_options *given, enum rota_call_kind kind,
                        struct rota_call **ret_call)
{
    const struct rota_call_options *options;
    struct rota_call_options room;
    struct rota_call *call;
    rota_err err;

    if (rota_host_is_elsewhere(channel->host))
        return ROTA_ESTATE;
    rota_host_enter(channel->host);
    options = rota_call_read(method, given, kind, &room);
    if (options == NULL)
        return ROTA_EINVAL;
    if (channel->shut)
        return ROTA_ECLOSED;
    call = take_struct(channel);
    if (call == NULL)
        return ROTA_ENOMEM;
    clear(call, method, kind);
    read_options(call, options);
    rota_list_append(&channel->calls, &call->link);
    err = set_limits(call);
    rota_attempt_init(&call->attempt, call);
    if (err == 0)
        err = copy_metadata(call, options->metadata);
    if (err == 0 && (channel->n_interceptors > 0 || options->credentials != NULL))
        err = rota_intercept_begin(call, options->credentials);
    if (err == 0)
        err = arm(call);
    if (err < 0) {
        rota_call_unmake(call);
        return err;
    }
    *ret_call = call;
    return 0;
}

static void retire(struct rota_call *call)
{
    struct rota_channel *channel = call->channel;

    if (call->tries != NULL)
        rota_tries_stop(call->tries);
    rota_host_unpost(channel->host, &call->task);
    rota_list_remove(&call->link);
    if (rota_list_empty(&channel->calls))
        rota_channel_used(channel);
}

void rota_call_unmake(struct rota_call *call)
{
    if (call->chain != NULL)
        rota_intercept_abort(call);
    retire(call);
    call->deadline_ns = INT64_MAX; /* the timer stays set, for the struct's next call */
    give_back(call);
}

static void fail_late(struct rota_call *call)
{
    static const char *const what[] = {
        [ROTA_ATTEMPT_PICKING] = "waiting for a connection",
        [ROTA_ATTEMPT_ROOM] = "waiting for a stream from ",
        [ROTA_ATTEMPT_OPEN] = "waiting for the reply from ",
        [ROTA_ATTEMPT_OVER] = "messages were held back from ",
    };
    const struct rota_attempt *attempt = call->front;
    bool picking = attempt->state == ROTA_ATTEMPT_PICKING, between = attempt->state == ROTA_ATTEMPT_OVER && !call->committed;
    const char *name = picking || attempt->connection == NULL ? "" : attempt->connection->peer;
    const char *trouble = picking ? rota_balance_trouble(call->channel) : between ? attempt->response.status.message : "";

    if (rota_intercept_holds(call)) {
        rota_call_fail(call, ROTA_DEADLINE_EXCEEDED, "deadline of %lld ms exceeded while an interceptor held the call",
            (long long)(call->timeout_ns / NS_PER_MS));
        return;
    }
    rota_call_fail(call, ROTA_DEADLINE_EXCEEDED, "deadline of %lld ms exceeded while %s%s%s%s", (long long)(call->timeout_ns / NS_PER_MS),
        between ? "waiting to try again after a failure" : what[attempt->state], between ? "" : name, *trouble == '\0' ? "" : ": ", trouble);
}

static void fire_deadline(struct rota_host_timer *timer, int64_t now_ns)
{
    struct rota_call *call = ROTA_CONTAINER(timer, struct rota_call, timer);

    if (call->state != ROTA_CALL_RUNNING || call->deadline_ns == INT64_MAX)
        return;
    if (call->deadline_ns <= now_ns)
        fail_late(call);
    else
        (void)rota_host_timer_set(call->channel->host, timer, call->deadline_ns); /* it has just left the heap, so there is room */
}

static rota_err check_requests(struct rota_call *call)
{
    for (size_t i = 0; i < call->outbox.count; i++)
        if (rota_call_check_size(call, call->outbox.chunks[i]->size - ROTA_FRAME_PREFIX) < 0)
            return ROTA_ELIMIT;
    return 0;
}

/* The options again, under the service config that has come. False: as they were, or the call has ended. */
static bool reconfigure(struct rota_call *call)
{
    rota_err err;

    call->unresolved = false;
    if (!call->channel->config_resolved || (call->tries != NULL && call->tries->count > 1))
        return false;
    if (call->tries != NULL)
        rota_tries_stop(call->tries);
    rota_tries_free(call);
    apply_options(call);
    err = set_limits(call);
    call->attempt.decoder.max_bytes = call->max_reply_bytes;
    if (err == 0)
        err = arm(call);
    if (err < 0)
        rota_call_fail(call, ROTA_RESOURCE_EXHAUSTED, "out of memory for the service config's demands");
    else if (call->deadline_ns <= call->channel->host->now_ns)
        fail_late(call);
    else
        return check_requests(call) == 0;
    return false;
}

void rota_call_configure(struct rota_call *call)
{
    if (reconfigure(call) && call->tries != NULL)
        rota_tries_begin(call);
}

void rota_call_go(struct rota_call *call)
{
    if (call->unresolved && rota_channel_is_configured(call->channel)) /* it came while interceptors held the call */
        (void)reconfigure(call);
    if (call->state == ROTA_CALL_RUNNING && call->deadline_ns <= call->channel->host->now_ns) {
        fail_late(call);
    } else if (call->state == ROTA_CALL_RUNNING && !rota_intercept_holds(call)) {
        rota_channel_wake(call->channel);
        call->channel->counts.calls++;
        rota_attempt_start(&call->attempt);
        if (call->tries != NULL)
            rota_tries_begin(call);
    }
    call->inside = false;
}

/* --- Ending --- */

void rota_call_later(struct rota_call *call)
{
    rota_host_post(call->channel->host, &call->task);
}

void rota_call_end(struct rota_call *call, const struct rota_status *status)
{
    if (call->state != ROTA_CALL_RUNNING)
        return;
    rota_moves_go(&moves, &call->state, ROTA_CALL_ENDED);
    call->result = status;
    if (call->inside)
        rota_call_later(call);
    else
        rota_call_report(call);
}

void rota_call_fail(struct rota_call *call, enum rota_code code, const char *format, ...)
{
    va_list args;
    size_t size;

    if (call->state != ROTA_CALL_RUNNING)
        return;
    call->own_status.code = code;
    va_start(args, format);
    size = rota_text_format(call->own_status.message, sizeof(call->own_status.message), format, args);
    va_end(args);
    rota_text_mend(call->own_status.message, size);
    if (call->tries != NULL)
        rota_tries_abandon(call->tries, &call->own_status, H2_CANCEL);
    else
        rota_attempt_abandon(&call->attempt, &call->own_status, H2_CANCEL);
    rota_call_end(call, &call->own_status);
}

void rota_call_report(struct rota_call *call)
{
    struct rota_channel *channel = call->channel;
    const void *reply;

    rota_moves_go(&moves, &call->state, ROTA_CALL_DONE);
    if (call->chain != NULL)
        rota_intercept_done(call);
    reply = call->result->code == ROTA_OK ? call->reply : NULL;
    retire(call);
    call->keeps++; /* on_done may drop the others */
    channel->refs++;
    if (call->kind != ROTA_CALL_UNARY)
        call->events->on_done(call, call->arg, call->result);
    else if (call->thunk != NULL)
        call->thunk(call->typed_done, call->arg, call->result, reply);
    else
        call->done(call->arg, call->result, reply);
    if (channel->shut)
        rota_channel_note(channel, ROTA_TODO_GONE);
    if (call->keeps > 1) /* it may outlive the host */
        rota_host_timer_clear(channel->host, &call->timer);
    rota_call_drop(call);
}

void rota_call_cancel_all(struct rota_channel *channel)
{
    while (!rota_list_empty(&channel->calls)) {
        struct rota_call *call = ROTA_CONTAINER(channel->calls.next, struct rota_call, link);
        if (call->state == ROTA_CALL_RUNNING)
            rota_call_fail(call, ROTA_CANCELLED, "the channel was closed");
        else
            rota_call_report(call);
    }
}

void rota_call_commit(struct rota_call *call, struct rota_attempt *attempt)
{
    call->committed = true;
    if (call->tries != NULL)
        rota_tries_commit(attempt);
    rota_attempt_forget_sent(attempt);
}

/* --- For the application --- */

void rota_call_cancel(struct rota_call *call)
{
    bool was_inside = call->inside;

    rota_host_enter(call->channel->host);
    call->inside = true;
    rota_call_fail(call, ROTA_CANCELLED, "cancelled by the caller");
    call->inside = was_inside;
}

void rota_call_hold(struct rota_call *call)
{
    call->held = true;
}

void rota_call_resume(struct rota_call *call)
{
    if (!call->held)
        return;
    call->held = false;
    if (call->state == ROTA_CALL_RUNNING)
        rota_call_later(call);
}

void rota_call_keep(struct rota_call *call)
{
    call->keeps++;
}

void rota_call_drop(struct rota_call *call)
{
    struct rota_channel *channel = call->channel;

    if (--call->keeps > 0 || call->state != ROTA_CALL_DONE)
        return;
    give_back(call);
    rota_channel_unref(channel);
}

void rota_call_set_facade(struct rota_call *call, void *facade)
{
    call->facade = facade;
}

void *rota_call_facade(const struct rota_call *call)
{
    return call->facade;
}

struct rota_channel *rota_call_channel(const struct rota_call *call)
{
    return call->channel;
}

const struct rota_method *rota_call_method(const struct rota_call *call)
{
    return call->method;
}

const struct rota_metadata *rota_call_initial_metadata(const struct rota_call *call)
{
    return call->front->response.initial;
}

const struct rota_metadata *rota_call_trailing_metadata(const struct rota_call *call)
{
    return call->front->response.trailing;
}

struct rota_slice rota_call_message(const struct rota_call *call)
{
    if (call->result == NULL)
        return (struct rota_slice){0};
    if (call->result == &call->front->response.status && call->front->response.message.size > 0)
        return call->front->response.message;
    return rota_slice_str(call->result->message);
}

const char *rota_call_peer(const struct rota_call *call)
{
    return call->front->connection == NULL ? NULL : call->front->connection->peer;
}

int64_t rota_call_deadline_ns(const struct rota_call *call)
{
    return call->deadline_ns;
}

bool rota_call_waits_for_ready(const struct rota_call *call)
{
    return call->wait_for_ready;
}

int64_t rota_call_now_ns(const struct rota_call *call)
{
    return call->channel->host->clock(call->channel->host);
}

uint32_t rota_call_attempts(const struct rota_call *call)
{
    return call->n_attempts;
}

uint64_t rota_call_sent_bytes(const struct rota_call *call)
{
    return call->sent_bytes;
}

uint64_t rota_call_received_bytes(const struct rota_call *call)
{
    return call->received_bytes;
}
