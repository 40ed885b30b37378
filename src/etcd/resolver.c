/* resolver.c - the resolver for etcd: targets: publishes the servers of a service, and the service config that stands beside them.
 *
 * The config's key (where.h) is followed like the servers' prefix, over the same client. The first list waits until it is known whether there
 * is a config, since that names the policy, but no longer than CONFIG_WAIT_NS. An etcd that does not let us read the key counts as one without,
 * unless it has let us before, and is asked again, less and less often (watch.h: patient).
 * Invariants: the state lives until the client channel has reported closed, for which the sink is held.
 */
#include "etcd/etcd.h"

#include "base/alloc.h"
#include "base/log.h"
#include "etcd/client.h"
#include "etcd/config_key.h"
#include "etcd/explain.h"
#include "etcd/follower.h"
#include "etcd/where.h"
#include "resolver/sink.h"
#include <stdio.h>

#define CONFIG_WAIT_NS INT64_C(3000000000)

struct resolver {
    struct rota_resolver_sink *sink;
    struct rota_loop *loop;
    const struct rota_alloc *alloc;
    const struct rota_log *log;
    struct rota_etcd_where where;
    struct rota_channel *client;
    struct rota_etcd_login login;
    struct rota_etcd_roster roster;
    struct rota_etcd_config_key config;
    struct rota_etcd_follower servers, configs;
    struct rota_host_timer config_timer; /* the servers are known, the config is not */
    bool wants_config, config_known; /* also: that there is none to be had, or not in time */
};

/* --- Publishing --- */

/* What the sink had no memory for it has lost, as if it had never been published. */
static rota_err taken(const struct resolver *r)
{
    return r->sink->lost ? ROTA_ENOMEM : 0;
}

/* Without memory for the timer it is not waited for. */
static bool waits_for_config(struct resolver *r)
{
    struct rota_host *host = r->sink->host;

    if (!r->wants_config || r->config_known)
        return false;
    return rota_host_timer_is_set(&r->config_timer) || rota_host_timer_set(host, &r->config_timer, host->now_ns + CONFIG_WAIT_NS) == 0;
}

static rota_err publish_servers(void *owner)
{
    struct resolver *r = owner;
    struct rota_resolver_source source = {.revision = r->servers.watch.revision,
        .stale = r->servers.watch.stale,
        .skipped = r->roster.unreadable,
        .registry = r->servers.member};
    const struct rota_endpoint **endpoints;
    size_t count;

    if (!r->servers.watch.listed || waits_for_config(r))
        return 0;
    endpoints = rota_etcd_roster_endpoints(&r->roster, &count);
    if (endpoints == NULL)
        return ROTA_ENOMEM;
    (void)rota_etcd_roster_take_changed(&r->roster);
    rota_resolver_sink_endpoints(r->sink, endpoints, count, &source);
    rota_alloc_free(r->alloc, endpoints);
    return taken(r);
}

static void on_servers_error(void *owner, const struct rota_status *why)
{
    struct resolver *r = owner;

    rota_resolver_sink_error(r->sink, why);
}

static void know_config(struct resolver *r)
{
    if (r->config_known)
        return;
    r->config_known = true;
    rota_host_timer_clear(r->sink->host, &r->config_timer);
    rota_etcd_follower_publish(&r->servers);
}

static void on_config_timer(struct rota_host_timer *timer, int64_t now_ns)
{
    struct resolver *r = ROTA_CONTAINER(timer, struct resolver, config_timer);

    (void)now_ns;
    rota_log_write(r->log, ROTA_LOG_WARN, "etcd", "%s: the service config is still not known; goes on without", r->where.config_key);
    know_config(r);
}

static rota_err publish_config(void *owner)
{
    struct resolver *r = owner;
    char origin[ROTA_ORIGIN_SIZE];

    if (!r->configs.watch.listed)
        return 0;
    if (r->config.changed) {
        snprintf(origin, sizeof(origin), "etcd key %s, revision %lld", r->where.config_key, (long long)r->config.mod_revision);
        if (r->config.value == NULL)
            rota_resolver_sink_service_config(r->sink, rota_slice(NULL, 0));
        else
            rota_resolver_sink_config_choices(r->sink, rota_slice(r->config.value, r->config.size), origin);
        r->config.changed = taken(r) < 0;
    }
    know_config(r);
    return r->config.changed ? ROTA_ENOMEM : 0;
}

/* The servers' own follower tells of an etcd that cannot be reached, and what was wrong for a moment must not cost the first calls their policy. */
static void on_config_error(void *owner, const struct rota_status *why)
{
    struct resolver *r = owner;
    bool forbidden = rota_etcd_denies(why);

    rota_log_write(r->log, forbidden ? ROTA_LOG_INFO : ROTA_LOG_WARN, "etcd", "%s: the service config cannot be read, %s: %s", r->where.config_key,
        r->config.value != NULL ? "so the last one stays" : forbidden ? "so there is none" : "trying again", why->message);
    if (forbidden)
        know_config(r);
}

static const struct rota_etcd_follower_events server_events = {.on_publish = publish_servers, .on_error = on_servers_error};
static const struct rota_etcd_follower_events config_events = {.on_publish = publish_config, .on_error = on_config_error};

static void on_login(void *arg, const struct rota_status *why)
{
    struct resolver *r = arg;

    if (r->wants_config)
        rota_etcd_follower_logged_in(&r->configs, why);
    rota_etcd_follower_logged_in(&r->servers, why);
}

/* --- The resolver's table --- */

static rota_err check(const struct rota_target *target, struct rota_errinfo *info)
{
    struct rota_etcd_where where;
    rota_err err = rota_etcd_where_read(target, NULL, &where, info);

    if (err == 0)
        rota_etcd_where_fini(&where);
    return err;
}

static void set_up(struct resolver *r, struct rota_etcd_follower *f, const struct rota_etcd_follower_events *events)
{
    *f = (struct rota_etcd_follower){
        .alloc = r->alloc, .log = r->log, .loop = r->loop, .client = r->client, .login = &r->login, .events = events, .owner = r};
}

static rota_err prepare(struct resolver *r, const struct rota_target *target, struct rota_errinfo *info)
{
    const char *outright = rota_target_param(target, "prefix");
    struct rota_rng *rng = &r->sink->host->rng;
    struct rota_slice prefix;
    rota_err err = rota_etcd_where_read(target, r->alloc, &r->where, info);

    if (err < 0)
        return err;
    prefix = rota_slice_str(r->where.prefix);
    r->wants_config = rota_resolver_sink_wants_config(r->sink, true) && r->where.config_key[0] != '\0';
    rota_etcd_roster_init(&r->roster, r->alloc, r->log, r->where.dialect, prefix, rota_rng_next(rng));
    r->roster.nested = outright != NULL && outright[0] != '\0';
    rota_etcd_config_key_init(&r->config, r->alloc, rota_slice_str(r->where.config_key));
    err = rota_etcd_client_open(&r->where, r->loop, r->alloc, r->log, &r->client, info);
    if (err < 0)
        return err;
    rota_etcd_login_init(&r->login, &r->where, r->client, r->alloc, on_login, r);
    set_up(r, &r->servers, &server_events);
    set_up(r, &r->configs, &config_events);
    err = rota_etcd_follower_init(&r->servers, prefix, true, &rota_etcd_roster_keep, &r->roster, rng);
    if (err == 0 && r->wants_config)
        err = rota_etcd_follower_init(&r->configs, r->config.key, false, &rota_etcd_config_keep, &r->config, rng);
    r->configs.watch.patient = true;
    return err;
}

static void release(struct resolver *r)
{
    rota_etcd_follower_fini(&r->servers);
    rota_etcd_follower_fini(&r->configs);
    rota_etcd_login_fini(&r->login);
    if (r->where.prefix != NULL) {
        rota_etcd_roster_fini(&r->roster);
        rota_etcd_config_key_fini(&r->config);
    }
    rota_etcd_where_fini(&r->where);
}

static void on_client_closed(void *arg)
{
    struct resolver *r = arg;

    release(r);
    rota_resolver_sink_release(r->sink);
}

static void stop(void *state)
{
    struct resolver *r = state;

    rota_host_timer_clear(r->sink->host, &r->config_timer);
    rota_etcd_follower_stop(&r->servers);
    rota_etcd_follower_stop(&r->configs);
    rota_resolver_sink_hold(r->sink);
    rota_channel_close(r->client, on_client_closed, r);
}

static rota_err start(void *state, const struct rota_target *target, struct rota_loop *loop, struct rota_resolver_sink *sink)
{
    struct resolver *r = state;
    struct rota_errinfo info = {""};
    struct rota_status why;
    rota_err err;

    *r = (struct resolver){.sink = sink, .loop = loop, .alloc = rota_resolver_sink_alloc(sink), .log = rota_resolver_sink_log(sink)};
    r->config_timer.fire = on_config_timer;
    err = prepare(r, target, &info);
    if (err < 0 && info.text[0] != '\0') {
        rota_status_set(&why, ROTA_UNAVAILABLE, "%s", info.text);
        rota_resolver_sink_error(sink, &why);
    }
    if (err < 0 && r->client != NULL) {
        stop(r);
        return err;
    }
    if (err < 0) {
        release(r);
        return err;
    }
    if (r->wants_config)
        rota_etcd_follower_start(&r->configs);
    rota_etcd_follower_start(&r->servers);
    return 0;
}

static void refresh(void *state)
{
    (void)state; /* the watch knows before the channel does */
}

const struct rota_resolver_class rota_resolver_etcd = {
    .scheme = "etcd", .state_size = sizeof(struct resolver), .check = check, .start = start, .refresh = refresh, .stop = stop, .follows = true};
