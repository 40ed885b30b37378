/* sink.h - where a resolver publishes: passes on what is new, keeps what a late comer needs, outlives the resolver's last closing.
 *
 * The owner (a channel, a watch) gets what differs from what it had. Invariants: after close the owner hears nothing but
 * on_released, once, from a later turn of the host than close and when every hold has been released.
 */
#ifndef ROTA_RESOLVER_SINK_H
#define ROTA_RESOLVER_SINK_H

#include "base/host.h"
#include <rota/resolver.h>

struct rota_resolver_sink_owner {
    /* A list that is not the last one, or the first. Endpoints are borrowed. */
    void (*on_endpoints)(void *owner, const struct rota_endpoint *const *endpoints, size_t count, const struct rota_resolver_source *source);
    void (*on_error)(void *owner, const struct rota_status *why);
    void (*on_service_config)(void *owner, struct rota_slice json);
    void (*on_released)(void *owner); /* the sink is not used any more: fini it and free the resolver's state */
};

struct rota_resolver_sink {
    const struct rota_resolver_sink_owner *class;
    void *owner;
    struct rota_host *host;
    const struct rota_alloc *alloc;
    const struct rota_log *log;
    struct rota_host_task released;
    const struct rota_endpoint **endpoints; /* the last list; one reference each */
    size_t n_endpoints, cap;
    uint32_t holds;
    bool listed; /* a list has come, if an empty one */
    bool closed;
};

/* alloc and log are what the resolver is to use. */
void rota_resolver_sink_init(struct rota_resolver_sink *sink, const struct rota_resolver_sink_owner *owner_class, void *owner, struct rota_host *host,
                             const struct rota_alloc *alloc, const struct rota_log *log);
void rota_resolver_sink_fini(struct rota_resolver_sink *sink);
/* The resolver was stopped, or did not start. on_released follows. */
void rota_resolver_sink_close(struct rota_resolver_sink *sink);

#endif
