/* rota/resolver.h - from a target to endpoints: the table a resolver fills in, and watching a target without a channel.
 *
 * Threading: on the loop's thread. A resolver publishes complete lists to its sink, from inside a turn, whenever
 * they change; the sink drops a list equal to the last one. After stop has returned it must not touch the sink.
 */
#ifndef ROTA_RESOLVER_H
#define ROTA_RESOLVER_H

#include <rota/endpoint.h>
#include <rota/loop.h>
#include <rota/status.h>
#include <rota/target.h>

ROTA_BEGIN_DECLS

struct rota_resolver_sink;

/* Whether a resolver looks for a service config beside the endpoints (docs/service-config.md). */
enum rota_config_lookup {
    ROTA_CONFIG_LOOKUP_DEFAULT, /* in etcd, not in DNS, where whoever can forge an answer would set policies, and a query more would be asked for */
    ROTA_CONFIG_LOOKUP_ON,
    ROTA_CONFIG_LOOKUP_OFF,
};

/* What a list is worth, for those who look at it: rota endpoints, metrics. */
struct rota_resolver_source {
    int64_t revision;     /* of the registry; 0: none */
    bool stale;           /* last known good: the source cannot be reached or looks wrong */
    uint64_t skipped;     /* values that could not be decoded */
    const char *registry; /* the member that answered; may be NULL */
};

struct rota_resolver_class {
    const char *scheme; /* "etcd" in etcd:///orders */
    size_t state_size;  /* allocated by the channel, zeroed */
    /* ROTA_EINVAL: the target makes no sense to this scheme (info, never NULL, says why): opening the channel fails. */
    rota_err (*check)(const struct rota_target *target, struct rota_errinfo *info);
    /* target and sink outlive it. */
    rota_err (*start)(void *state, const struct rota_target *target, struct rota_loop *loop, struct rota_resolver_sink *sink);
    void (*refresh)(void *state); /* a hint that endpoints are failing; rate limiting is the resolver's */
    /* Frees all it holds. What must be closed asynchronously calls rota_resolver_sink_hold first and ..._release when gone. */
    void (*stop)(void *state);
    /* It hears of changes by itself, and what it remembers of the past is worth keeping (the last good list of a registry that is in trouble): a
     * channel that goes unused drops its connections, but lets it go on. Default: it is stopped. */
    bool follows;
};

/* Endpoints are borrowed (the sink takes references). count 0 is a valid list: the service has no servers. source may be NULL. */
ROTA_API void rota_resolver_sink_endpoints(struct rota_resolver_sink *sink, const struct rota_endpoint *const *endpoints, size_t count,
                                           const struct rota_resolver_source *source);
/* The target cannot be resolved now; the resolver tries again by itself. Endpoints published before stay in use. From within a start that fails: why, in words. */
ROTA_API void rota_resolver_sink_error(struct rota_resolver_sink *sink, const struct rota_status *why);
/* A service config in gRPC's JSON, before the endpoints it goes with. Empty: there is none any more, the program's own counts again. */
ROTA_API void rota_resolver_sink_service_config(struct rota_resolver_sink *sink, struct rota_slice json);
/* The same out of a list of choices (gRFC A2), by language, percentage and host name; or a service config for everybody, {...}. A list that makes no
 * sense is reported like a bad service config: what is in use stays. origin: where it comes from, for logs and rota watch. */
ROTA_API void rota_resolver_sink_config_choices(struct rota_resolver_sink *sink, struct rota_slice json, const char *origin);
/* Whether service configs are to be looked for; by_default: unless the program said so or not (rota_channel_options.service_config_lookup). */
ROTA_API bool rota_resolver_sink_wants_config(const struct rota_resolver_sink *sink, bool by_default);
ROTA_API const struct rota_alloc *rota_resolver_sink_alloc(struct rota_resolver_sink *sink);
ROTA_API const struct rota_log *rota_resolver_sink_log(struct rota_resolver_sink *sink);
/* Keeps the sink's owner from reporting closed while something of the resolver is still closing. */
ROTA_API void rota_resolver_sink_hold(struct rota_resolver_sink *sink);
ROTA_API void rota_resolver_sink_release(struct rota_resolver_sink *sink);

/* --- Watching a target --- */

struct rota_watch;

struct rota_watch_events {
    /* The whole list at each change; endpoints are borrowed. */
    void (*on_endpoints)(void *arg, const struct rota_endpoint *const *endpoints, size_t count, const struct rota_resolver_source *source);
    /* May be NULL. After RESOURCE_EXHAUSTED (out of memory) the list comes with its next change only; whoever cannot wait opens another watch. */
    void (*on_error)(void *arg, const struct rota_status *why);
    /* The service config for a client here; empty: none, or, with a problem, one that makes no sense. origin may be NULL. May be NULL itself: then
     * none is looked for. */
    void (*on_service_config)(void *arg, struct rota_slice json, const char *origin, const char *problem);
};

/* resolvers: as in the channel's options, may be NULL. events must outlive the watch. Errors as rota_channel_open, and
 * ROTA_ESTATE: the loop has a thread of its own, and this is another (rota_loop_post). */
ROTA_API ROTA_MUST_USE rota_err rota_watch_open(struct rota_loop *loop, const char *target, const struct rota_resolver_class *const *resolvers,
                                                const struct rota_watch_events *events, void *arg, struct rota_watch **ret_watch,
                                                struct rota_errinfo *info);
/* Once; nothing of events is called any more. on_closed (may be NULL) comes last, from a turn; until then the loop must not be freed. */
ROTA_API void rota_watch_close(struct rota_watch *watch, void (*on_closed)(void *arg), void *arg);

ROTA_END_DECLS
#endif
