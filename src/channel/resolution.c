/* resolution.c - from the target to lists of endpoints and service configs, by way of the scheme's resolver.
 *
 * What the resolver publishes is only recorded here; balance.c applies it in the channel's task. An error counts as long as no
 * list has come; a bad service config leaves the previous one, then the options' own (gRFC A2). Where it leaves none, calls fail and the
 * resolver is asked again, with backoff, until there is a better one. A resolver that says nothing new is
 * not heard of, so where memory did not suffice for what it said it is started anew. A resolution that was stopped
 * lives on until its resolver's last hold on the sink is released.
 */
#include "base/alloc.h"
#include "base/log.h"
#include "channel/core.h"
#include "channel/sides.h"
#include "resolver/resolvers.h"
#include "resolver/sink.h"
#include <stdalign.h>

struct rota_resolution {
    struct rota_channel *channel;
    struct rota_link link; /* in the channel's resolutions */
    struct rota_resolver_sink sink;
    alignas(max_align_t) uint8_t state[]; /* the resolver's */
};

static void forget_list(struct rota_channel *channel)
{
    while (channel->n_endpoints > 0)
        rota_endpoint_unref(channel->endpoints[--channel->n_endpoints]);
}

static bool is_current(const struct rota_resolution *resolution)
{
    return resolution->channel->resolution == resolution;
}

/* Looks around the place first: lists shift by a few when endpoints come and go, and there may be thousands. */
static bool was_listed(const struct rota_channel *channel, const struct rota_endpoint *endpoint, size_t place)
{
    size_t count = channel->n_endpoints;

    for (size_t away = 0; away < count || away <= place; away++) {
        if (away <= place && place - away < count && rota_endpoint_equal(channel->endpoints[place - away], endpoint))
            return true;
        if (place + away < count && rota_endpoint_equal(channel->endpoints[place + away], endpoint))
            return true;
    }
    return false;
}

/* A server that died and was started again registers anew, at an address that may still be backing off: the new entry is the sign of
 * life that makes waiting pointless (gRPC's ResetConnectBackoff, for that address alone). */
static void hurry_news(struct rota_channel *channel, const struct rota_endpoint *const *endpoints, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (i < channel->n_endpoints && channel->endpoints[i] == endpoints[i])
            continue;
        for (size_t k = 0; k < endpoints[i]->n_addresses; k++)
            if (rota_subchannel_backs_off(channel, &endpoints[i]->addresses[k]) && !was_listed(channel, endpoints[i], i))
                rota_subchannel_hurry(channel, &endpoints[i]->addresses[k]);
    }
}

static void lose(struct rota_channel *channel)
{
    channel->lost = true;
    rota_channel_try_again(channel);
}

static void on_lost(void *owner)
{
    struct rota_resolution *resolution = owner;

    if (is_current(resolution))
        lose(resolution->channel);
}

static void on_endpoints(void *owner, const struct rota_endpoint *const *endpoints, size_t count, const struct rota_resolver_source *source)
{
    struct rota_resolution *resolution = owner;
    struct rota_channel *channel = resolution->channel;

    (void)source;
    if (!is_current(resolution))
        return;
    if (rota_alloc_reserve(channel->alloc, &channel->endpoints, &channel->endpoints_cap, count, sizeof(*endpoints)) < 0) {
        rota_log_write(channel->log, ROTA_LOG_WARN, "channel", "%s: out of memory for %zu endpoints; asks again", channel->target->text, count);
        rota_channel_fail(channel, ROTA_RESOURCE_EXHAUSTED, "out of memory for %zu endpoints", count);
        lose(channel);
        return;
    }
    hurry_news(channel, endpoints, count);
    for (size_t i = 0; i < count; i++)
        (void)rota_endpoint_ref(endpoints[i]); /* before the old ones go: many are the same */
    forget_list(channel);
    for (size_t i = 0; i < count; i++)
        channel->endpoints[i] = endpoints[i];
    channel->n_endpoints = count;
    channel->listed = channel->list_new = true;
    rota_channel_note(channel, ROTA_TODO_BALANCE);
}

static void on_error(void *owner, const struct rota_status *why)
{
    struct rota_resolution *resolution = owner;
    struct rota_channel *channel = resolution->channel;

    if (!is_current(resolution))
        return;
    rota_log_write(channel->log, ROTA_LOG_WARN, "channel", "%s: %s%s", channel->target->text, why->message,
        channel->listed ? "; the endpoints known so far stay in use" : "");
    if (channel->listed)
        return;
    rota_channel_fail(channel, why->code, "%s", why->message);
}

static void set_config_timer(struct rota_channel *channel, int64_t at_ns)
{
    (void)rota_host_timer_set(channel->host, &channel->config_timer, at_ns); /* it is in the heap, or has just left it, so there is room */
}

static void ask_later(struct rota_channel *channel)
{
    set_config_timer(channel, rota_host_later_ns(channel->host, rota_backoff_next(&channel->config_backoff, &channel->host->rng)));
}

static void set_config(struct rota_channel *channel, struct rota_channel_config *config, bool resolved)
{
    struct rota_channel_config *old = channel->config;

    channel->config = config;
    rota_sides_take_config(channel, old);
    rota_channel_config_unref(old);
    channel->config_resolved = resolved;
    if (config != NULL) {
        rota_backoff_reset(&channel->config_backoff);
        set_config_timer(channel, INT64_MAX);
        rota_throttle_set(&channel->throttle, config->service->throttle_max_tokens_milli, config->service->throttle_ratio_milli);
    }
    if (config != NULL && config->service->max_connections > 1)
        rota_subchannel_scale_all(channel);
    rota_channel_note(channel, ROTA_TODO_BALANCE);
}

/* gRFC A2: the one in use stays, else the program's own; without either calls fail. */
static void refuse_config(struct rota_channel *channel, const char *origin, const char *problem)
{
    rota_log_write(channel->log, ROTA_LOG_WARN, "channel", "%s: service config%s%s not taken: %s", channel->target->text, origin == NULL ? "" : " of ",
        origin == NULL ? "" : origin, problem);
    if (channel->config_resolved || channel->own_config_given || channel->current != NULL || (channel->asleep && channel->config != NULL))
        return;
    set_config(channel, NULL, false);
    rota_channel_fail(channel, ROTA_UNAVAILABLE, "service config: %s", problem);
    if (channel->config_timer.node.key == INT64_MAX)
        ask_later(channel);
}

/* What is as bad as before does not come through the sink, so the next time is set here. */
void rota_resolution_ask_for_config(struct rota_host_timer *timer, int64_t now_ns)
{
    struct rota_channel *channel = ROTA_CONTAINER(timer, struct rota_channel, config_timer);

    (void)now_ns;
    ask_later(channel);
    rota_resolution_refresh(channel);
}

/* The resolver has none any more: the program's own counts again, or the default. */
static void withdraw_config(struct rota_channel *channel, const char *origin)
{
    if (!channel->config_resolved && channel->config != NULL)
        return;
    rota_log_write(channel->log, ROTA_LOG_INFO, "channel", "%s: no service config%s%s any more: %s counts", channel->target->text,
        origin == NULL ? "" : " from ", origin == NULL ? "" : origin, channel->own_config_given ? "the program's own" : "the default");
    set_config(channel, rota_channel_config_ref(channel->own_config), false);
}

static void on_service_config(void *owner, const struct rota_found_config *found)
{
    struct rota_resolution *resolution = owner;
    struct rota_channel *channel = resolution->channel;
    struct rota_channel_config *config;
    struct rota_errinfo info = {.text = "out of memory"};
    rota_err err;

    if (!is_current(resolution))
        return;
    if (found->problem != NULL) {
        refuse_config(channel, found->origin, found->problem);
    } else if (found->json.size == 0) {
        withdraw_config(channel, found->origin);
    } else if ((err = rota_channel_config_parse(found->json, &channel->env, &config, &info)) < 0) {
        refuse_config(channel, found->origin, info.text);
        if (err == ROTA_ENOMEM)
            lose(channel);
    } else {
        if (found->origin != NULL)
            rota_log_write(channel->log, ROTA_LOG_INFO, "channel", "%s: service config of %s", channel->target->text, found->origin);
        set_config(channel, config, true);
    }
}

static void on_released(void *owner)
{
    struct rota_resolution *resolution = owner;
    struct rota_channel *channel = resolution->channel;

    rota_list_remove(&resolution->link);
    rota_resolver_sink_fini(&resolution->sink);
    rota_alloc_free(channel->alloc, resolution);
    rota_channel_note(channel, ROTA_TODO_GONE);
}

static const struct rota_resolver_sink_owner sink_owner = {
    .on_endpoints = on_endpoints,
    .on_error = on_error,
    .on_lost = on_lost,
    .on_service_config = on_service_config,
    .on_released = on_released,
};

rota_err rota_resolution_find(struct rota_channel *channel, const char *target, struct rota_errinfo *info)
{
    return rota_resolver_find(target, channel->parts.resolvers, channel->alloc, &channel->target, &channel->resolver, info);
}

void rota_resolution_start(struct rota_channel *channel)
{
    struct rota_resolution *resolution = rota_alloc_zero(channel->alloc, 1, sizeof(*resolution) + channel->resolver->state_size);
    const char *reason = rota_err_text(ROTA_ENOMEM);
    rota_err err = ROTA_ENOMEM;

    if (resolution != NULL) {
        resolution->channel = channel;
        rota_list_append(&channel->resolutions, &resolution->link);
        rota_resolver_sink_init(&resolution->sink, &sink_owner, resolution, channel->host, channel->alloc, channel->log);
        resolution->sink.draw = &channel->config_draw;
        resolution->sink.lookup = channel->limits.config_lookup;
        channel->resolution = resolution;
        err = channel->resolver->start(resolution->state, channel->target, channel->parts.loop, &resolution->sink);
        if (err == 0)
            return;
        reason = rota_resolver_sink_reason(&resolution->sink, err);
        channel->resolution = NULL;
        rota_resolver_sink_close(&resolution->sink);
    }
    rota_channel_fail(channel, err == ROTA_ENOMEM ? ROTA_RESOURCE_EXHAUSTED : ROTA_UNAVAILABLE, "%s: the resolver does not start: %s",
        channel->target->text, reason);
    rota_channel_try_again(channel);
}

static void end(struct rota_channel *channel)
{
    struct rota_resolution *resolution = channel->resolution;

    channel->resolution = NULL;
    channel->lost = false;
    if (resolution == NULL)
        return;
    channel->resolver->stop(resolution->state);
    rota_resolver_sink_close(&resolution->sink);
}

void rota_resolution_stop(struct rota_channel *channel)
{
    end(channel);
    forget_list(channel);
    channel->listed = channel->list_new = channel->failed = false;
    if (channel->config == NULL) /* what was bad then is forgotten with the rest: the next resolver may say nothing of it */
        set_config(channel, rota_channel_config_ref(channel->own_config), false);
}

void rota_resolution_restart(struct rota_channel *channel)
{
    end(channel);
    rota_resolution_start(channel);
}

void rota_resolution_refresh(struct rota_channel *channel)
{
    if (channel->resolution != NULL && channel->resolver->refresh != NULL)
        channel->resolver->refresh(channel->resolution->state);
}
