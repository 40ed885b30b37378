/* channel.c - a channel's life: made, woken by the first call, idle again without calls, shut; and the task that does what
 * events have left noted (core.h).
 *
 * Its state is the current policy's; before there is one: IDLE while nothing resolves, CONNECTING while it does,
 * TRANSIENT_FAILURE when that failed. Source: doc/connectivity-semantics-and-api.md in grpc/grpc.
 */
#include "base/alloc.h"
#include "base/errinfo.h"
#include "base/log.h"
#include "base/text.h"
#include "channel/intercept.h"
#include "channel/options.h"
#include "channel/sides.h"
#include "wire/target.h"
#include <rota/version.h>
#include <stdarg.h>
#include <stdio.h>

#define AGENT "rota-c/" ROTA_VERSION_STRING
#define AUTHORITY_SIZE 1024
#define TRY_AGAIN_NS INT64_C(1000000000)
#define SCRATCH_BYTES 2048

void rota_channel_note(struct rota_channel *channel, enum rota_channel_todo todo)
{
    channel->todo |= (uint32_t)todo;
    rota_host_post(channel->host, &channel->task);
}

void rota_channel_review(struct rota_channel *channel)
{
    enum rota_conn_state state;

    if (channel->shut)
        state = ROTA_CONN_SHUTDOWN;
    else if (channel->current != NULL)
        state = rota_balance_state(channel->current);
    else if (channel->failed && !channel->asleep)
        state = ROTA_CONN_TRANSIENT_FAILURE;
    else
        state = channel->resolution == NULL || channel->asleep ? ROTA_CONN_IDLE : ROTA_CONN_CONNECTING;
    if (state == channel->state)
        return;
    rota_log_write(channel->log, ROTA_LOG_DEBUG, "channel", "%s: %s -> %s", channel->target->text, rota_conn_state_name(channel->state),
        rota_conn_state_name(state));
    channel->state = state;
    if (channel->on_state != NULL)
        rota_channel_note(channel, ROTA_TODO_STATE);
}

void rota_channel_fail(struct rota_channel *channel, enum rota_code code, const char *format, ...)
{
    va_list args;
    size_t size;

    va_start(args, format);
    size = rota_text_format(channel->failure.message, sizeof(channel->failure.message), format, args);
    va_end(args);
    rota_text_mend(channel->failure.message, size);
    channel->failure.code = code;
    channel->failed = true;
    rota_channel_review(channel);
    rota_channel_note(channel, ROTA_TODO_PICK);
}

static bool tries_again(const struct rota_channel *channel)
{
    return channel->again_timer.node.key != INT64_MAX;
}

static void set_again(struct rota_channel *channel, int64_t at_ns)
{
    (void)rota_host_timer_set(channel->host, &channel->again_timer, at_ns); /* it is in the heap, or has just left it, so there is room */
}

void rota_channel_try_again(struct rota_channel *channel)
{
    if (!channel->shut_begun)
        set_again(channel, channel->host->now_ns + TRY_AGAIN_NS);
}

static void fire_again(struct rota_host_timer *timer, int64_t now_ns)
{
    struct rota_channel *channel = ROTA_CONTAINER(timer, struct rota_channel, again_timer);

    (void)now_ns;
    set_again(channel, INT64_MAX);
    if (channel->listed && (channel->lost || channel->resolution == NULL)) {
        rota_resolution_restart(channel);
    } else if (!channel->listed) { /* it was the resolution, or its first list, that did not work out */
        rota_resolution_stop(channel);
        if (!rota_list_empty(&channel->calls))
            rota_resolution_start(channel);
        rota_channel_review(channel);
    }
    rota_balance_try_again(channel);
    rota_sides_try_again(channel);
    rota_channel_note(channel, ROTA_TODO_BALANCE);
}

/* --- Awake and idle --- */

static void watch_idleness(struct rota_channel *channel, int64_t from_ns)
{
    if (channel->limits.idle_timeout_ns > INT64_MAX - from_ns)
        return;
    if (rota_host_timer_set(channel->host, &channel->idle_timer, from_ns + channel->limits.idle_timeout_ns) < 0)
        rota_log_write(channel->log, ROTA_LOG_WARN, "channel", "%s: out of memory; stays connected when unused", channel->target->text);
}

void rota_channel_wake(struct rota_channel *channel)
{
    bool asleep = channel->asleep;

    if (!asleep && (channel->resolution != NULL || tries_again(channel)))
        return;
    channel->asleep = false;
    channel->last_used_ns = channel->host->now_ns;
    watch_idleness(channel, channel->last_used_ns);
    if (asleep) {
        if (channel->config != NULL) /* there is a list, too: what failed meanwhile is mended */
            channel->failed = false;
        rota_channel_note(channel, ROTA_TODO_BALANCE);
    } else {
        rota_resolution_start(channel);
    }
    rota_channel_review(channel);
}

void rota_channel_used(struct rota_channel *channel)
{
    channel->last_used_ns = channel->host->now_ns;
}

/* What a resolver that follows its source knows of it cannot always be had again: that source may be away, or empty, when the next call comes. */
static void go_idle(struct rota_channel *channel)
{
    bool sleeps = channel->resolver->follows && channel->listed;

    rota_balance_drop_all(channel);
    if (!sleeps) {
        rota_resolution_stop(channel);
        set_again(channel, INT64_MAX); /* dropping may have lacked memory */
    }
    channel->asleep = sleeps;
    rota_channel_review(channel);
}

/* The timer is not moved with every call; it looks back when it fires. */
static void fire_idle(struct rota_host_timer *timer, int64_t now_ns)
{
    struct rota_channel *channel = ROTA_CONTAINER(timer, struct rota_channel, idle_timer);

    if (!rota_list_empty(&channel->calls)) {
        watch_idleness(channel, now_ns);
    } else if (channel->last_used_ns + channel->limits.idle_timeout_ns > now_ns) {
        watch_idleness(channel, channel->last_used_ns);
    } else {
        rota_log_write(channel->log, ROTA_LOG_INFO, "channel", "%s: unused, connections are dropped", channel->target->text);
        go_idle(channel);
    }
}

/* --- Closing --- */

void rota_channel_ref(struct rota_channel *channel)
{
    channel->refs++;
}

void rota_channel_unref(struct rota_channel *channel)
{
    if (--channel->refs > 0)
        return;
    rota_call_free_spares(channel);
    rota_channel_config_unref(channel->config);
    rota_channel_config_unref(channel->own_config);
    if (channel->target != NULL)
        rota_target_free(channel->alloc, channel->target);
    rota_alloc_free(channel->alloc, channel->authority);
    rota_alloc_free(channel->alloc, channel->user_agent);
    rota_alloc_free(channel->alloc, channel->zone);
    rota_alloc_free(channel->alloc, channel->interceptors);
    rota_alloc_free(channel->alloc, channel->endpoints);
    rota_map_fini(&channel->subchannels);
    rota_arena_fini(&channel->scratch);
    rota_zip_fini(&channel->zip);
    rota_chunk_pool_free(channel->chunks);
    rota_alloc_free(channel->alloc, channel);
}

static void begin_shut(struct rota_channel *channel)
{
    struct rota_link *link;

    channel->shut_begun = true;
    rota_host_timer_clear(channel->host, &channel->idle_timer);
    rota_host_timer_clear(channel->host, &channel->again_timer);
    rota_call_cancel_all(channel);
    rota_call_free_spares(channel);
    rota_balance_drop_all(channel);
    rota_resolution_stop(channel);
    rota_host_timer_clear(channel->host, &channel->config_timer);
    for (link = channel->connections.next; link != &channel->connections; link = link->next) {
        struct rota_connection *connection = ROTA_CONTAINER(link, struct rota_connection, link);
        connection->conn->class->close(connection->conn);
    }
}

static void end_shut(struct rota_channel *channel)
{
    void (*on_closed)(void *arg) = channel->on_closed;
    void *arg = channel->on_closed_arg;

    if (!rota_list_empty(&channel->calls) || !rota_list_empty(&channel->connections) || !rota_list_empty(&channel->resolutions))
        return;
    rota_host_unpost(channel->host, &channel->task);
    rota_channel_unref(channel);
    if (on_closed != NULL)
        on_closed(arg);
}

void rota_channel_shut(struct rota_channel *channel, void (*on_closed)(void *arg), void *arg)
{
    rota_host_enter(channel->host);
    channel->on_closed = on_closed;
    channel->on_closed_arg = arg;
    channel->on_state = NULL;
    if (channel->shut)
        return;
    channel->shut = true;
    rota_channel_review(channel);
    rota_channel_note(channel, ROTA_TODO_SHUT);
}

/* --- The task --- */

static void tell_state(struct rota_channel *channel)
{
    void (*on_state)(void *arg, enum rota_conn_state state) = channel->on_state;

    channel->on_state = NULL;
    if (on_state != NULL)
        on_state(channel->on_state_arg, channel->state);
}

static void work(struct rota_host_task *task)
{
    struct rota_channel *channel = ROTA_CONTAINER(task, struct rota_channel, task);
    uint32_t todo = channel->todo;

    channel->todo = 0;
    if (todo & ROTA_TODO_SHUT)
        begin_shut(channel);
    if (channel->shut_begun) {
        end_shut(channel);
        return;
    }
    if (todo & ROTA_TODO_REFRESH)
        rota_resolution_refresh(channel);
    if (todo & ROTA_TODO_BALANCE)
        rota_balance_apply(channel);
    if (todo & (ROTA_TODO_PICK | ROTA_TODO_BALANCE))
        rota_queue_run(channel);
    if (todo & ROTA_TODO_STATE)
        tell_state(channel);
}

/* --- Making --- */

/* What goes into a header field as it is. */
static rota_err check_text(const char *option, const char *text, struct rota_errinfo *info)
{
    for (const char *c = text; c != NULL && *c != '\0'; c++)
        if (*c < ' ' || *c > '~')
            return rota_errinfo_set(info, ROTA_EINVAL, "channel option %s has the byte 0x%02x; expected printable ASCII", option, (unsigned char)*c);
    return 0;
}

static rota_err name_ourselves(struct rota_channel *channel, const struct rota_channel_options *options, struct rota_errinfo *info)
{
    char authority[AUTHORITY_SIZE];
    size_t agent_size = sizeof(AGENT) + (options->user_agent == NULL ? 0 : strlen(options->user_agent) + 1);
    rota_err err = check_text("authority", options->authority, info);

    if (err == 0)
        err = check_text("user_agent", options->user_agent, info);
    if (err < 0)
        return err;
    if (options->authority == NULL && rota_target_authority(channel->target, authority, sizeof(authority)) < 0)
        return rota_errinfo_set(info, ROTA_EINVAL, "target \"%s\": too long for an :authority", channel->target->text);
    channel->authority = rota_alloc_text(channel->alloc, rota_slice_str(options->authority == NULL ? authority : options->authority));
    channel->user_agent = rota_alloc_get(channel->alloc, agent_size);
    channel->zone = rota_alloc_text(channel->alloc, rota_slice_str(options->zone == NULL ? "" : options->zone));
    if (channel->authority == NULL || channel->user_agent == NULL || channel->zone == NULL)
        return ROTA_ENOMEM;
    channel->env.zone = channel->zone[0] == '\0' ? NULL : channel->zone;
    snprintf(channel->user_agent, agent_size, "%s%s" AGENT, options->user_agent == NULL ? "" : options->user_agent, options->user_agent == NULL ? "" : " ");
    return 0;
}

/* From now on there is room for them. */
static rota_err set_timers(struct rota_channel *channel)
{
    rota_err err = rota_host_timer_set(channel->host, &channel->again_timer, INT64_MAX);

    if (err == 0)
        err = rota_host_timer_set(channel->host, &channel->config_timer, INT64_MAX);
    if (err < 0)
        rota_host_timer_clear(channel->host, &channel->again_timer);
    return err;
}

static rota_err fill(struct rota_channel *channel, const char *target, const struct rota_channel_options *options, struct rota_errinfo *info)
{
    struct rota_slice json = options->service_config == NULL ? ROTA_SLICE("{}") : rota_slice_str(options->service_config);
    rota_err err = rota_channel_limits_read(options, &channel->limits, info);

    if (err == 0)
        err = rota_resolution_find(channel, target, info);
    if (err == 0)
        err = name_ourselves(channel, options, info);
    if (err == 0)
        err = rota_channel_config_parse(json, &channel->env, &channel->own_config, info);
    if (err == 0)
        err = rota_intercept_take(channel, options, info);
    if (err < 0)
        return err;
    channel->explainer = (struct rota_explainer){options->explain, options->explain_arg};
    channel->explain_every = channel->explain_left = options->explain == NULL ? 0 : options->explain_every;
    channel->own_config_given = options->service_config != NULL;
    channel->config = rota_channel_config_ref(channel->own_config);
    rota_throttle_set(&channel->throttle, channel->config->service->throttle_max_tokens_milli, channel->config->service->throttle_ratio_milli);
    rota_retry_budget_init(&channel->retry_budget, options->retry_ratio_percent < 0 ? 0 : (uint32_t)options->retry_ratio_percent,
        options->retry_floor_per_s < 0 ? 0 : (uint32_t)options->retry_floor_per_s);
    channel->chunks = rota_chunk_pool_new(channel->alloc, channel->bulk);
    channel->config_backoff = (struct rota_backoff){.initial_ns = channel->limits.backoff_initial_ns, .max_ns = channel->limits.backoff_max_ns};
    return channel->chunks == NULL ? ROTA_ENOMEM : set_timers(channel);
}

static rota_err no_memory(const char *target, struct rota_errinfo *info)
{
    char shown[ROTA_TARGET_SHOW_SIZE];

    return rota_errinfo_set(info, ROTA_ENOMEM, "%s: out of memory", rota_target_show(target, shown, sizeof(shown)));
}

rota_err rota_channel_make(const char *target, const struct rota_channel_options *given, const struct rota_channel_parts *parts,
                           struct rota_channel **ret_channel, struct rota_errinfo *info)
{
    struct rota_channel_options options;
    const struct rota_alloc *alloc;
    struct rota_channel *channel;
    rota_err err = rota_channel_options_read(given, &options, info);

    if (err < 0)
        return err;
    if (target == NULL)
        return rota_errinfo_set(info, ROTA_EINVAL, "no target given");
    alloc = options.alloc == NULL ? parts->host->alloc : options.alloc;
    channel = rota_alloc_zero(alloc, 1, sizeof(*channel));
    if (channel == NULL)
        return no_memory(target, info);
    channel->parts = *parts;
    channel->host = parts->host;
    channel->alloc = alloc;
    channel->bulk = rota_host_bulk(parts->host, alloc);
    channel->log = options.log == NULL ? parts->host->log : options.log;
    channel->env = (struct rota_lb_env){.alloc = alloc, .rng = &parts->host->rng, .log = channel->log, .classes = parts->policies};
    channel->secure = options.tls != NULL;
    channel->refs = 1;
    channel->task.run = work;
    channel->idle_timer.fire = fire_idle;
    channel->again_timer.fire = fire_again;
    channel->config_timer.fire = rota_resolution_ask_for_config;
    rota_list_init(&channel->resolutions);
    rota_list_init(&channel->connections);
    rota_list_init(&channel->calls);
    rota_list_init(&channel->waiting);
    rota_map_init(&channel->subchannels, alloc, rota_rng_next(&parts->host->rng));
    rota_arena_init(&channel->scratch, alloc, SCRATCH_BYTES);
    rota_zip_init(&channel->zip, alloc);
    err = fill(channel, target, &options, info);
    if (err < 0) {
        rota_channel_unref(channel);
        return err == ROTA_ENOMEM ? no_memory(target, info) : err;
    }
    *ret_channel = channel;
    return 0;
}

/* --- For the application --- */

const struct rota_channel_parts *rota_channel_parts(const struct rota_channel *channel)
{
    return &channel->parts;
}

struct rota_host *rota_channel_host(const struct rota_channel *channel)
{
    return channel->host;
}

struct rota_loop *rota_channel_loop(const struct rota_channel *channel)
{
    return channel->parts.loop;
}

const char *rota_channel_target(const struct rota_channel *channel)
{
    return channel->target->text;
}

enum rota_conn_state rota_channel_state(const struct rota_channel *channel)
{
    return channel->state;
}

void rota_channel_connect(struct rota_channel *channel)
{
    rota_host_enter(channel->host);
    if (channel->shut)
        return;
    if (channel->resolution == NULL || channel->asleep)
        rota_channel_wake(channel);
    else
        rota_balance_exit_idle(channel);
}

void rota_channel_watch_state(struct rota_channel *channel, void (*on_state)(void *arg, enum rota_conn_state state), void *arg)
{
    channel->on_state = on_state;
    channel->on_state_arg = arg;
    channel->todo &= ~(uint32_t)ROTA_TODO_STATE;
}
