/* sink.h - where a resolver publishes: passes on what is new, keeps unchanged endpoints the same objects, outlives the
 * resolver's last closing.
 *
 * The owner (a channel, a watch) hears of it from a task of the host, never from inside a call of the resolver or of its
 * own: first the service config, then the list, then the error, then a loss. Of several lists in one turn it gets the last; a list
 * that follows an error takes the error back. A list with the addresses, attributes and order of the last one is
 * dropped, unless it became stale or fresh; so is a config equal to the last one. Of endpoints with the same addresses the first stays.
 * Invariants: after close the owner hears nothing but on_released, once, when every hold has been released.
 */
#ifndef ROTA_RESOLVER_SINK_H
#define ROTA_RESOLVER_SINK_H

#include "base/host.h"
#include "wire/config_choice.h"
#include <rota/resolver.h>

#define ROTA_ORIGIN_SIZE 256

struct rota_found_config {
    struct rota_slice json; /* empty: none any more, or none that makes sense */
    const char *origin;     /* NULL: the resolver did not say */
    const char *problem;    /* NULL: none; else the sentence */
};

struct rota_resolver_sink_owner {
    /* A list that is not the last one, or the first. Endpoints are borrowed. source is never NULL. */
    void (*on_endpoints)(void *owner, const struct rota_endpoint *const *endpoints, size_t count, const struct rota_resolver_source *source);
    void (*on_error)(void *owner, const struct rota_status *why);
    /* A list or a config that was published found no memory here. The resolver may not publish it again by itself. May be NULL. */
    void (*on_lost)(void *owner);
    void (*on_service_config)(void *owner, const struct rota_found_config *config);
    void (*on_released)(void *owner); /* the sink is not used any more: fini it and free the resolver's state */
};

struct rota_resolver_sink {
    const struct rota_resolver_sink_owner *class;
    void *owner;
    struct rota_host *host;
    const struct rota_alloc *alloc;
    const struct rota_log *log;
    struct rota_host_task task; /* delivers; after close: releases */
    const struct rota_endpoint **endpoints; /* the last list; one reference each */
    size_t n_endpoints;
    uint64_t snapshot; /* number of the last list that differed; 0: none has come */
    struct rota_resolver_source source;
    char registry[ROTA_ADDRESS_TEXT_SIZE]; /* what source.registry points to */
    char *config, *last_config; /* to be delivered; delivered last; NULL: none */
    size_t config_size, last_size;
    char origin[ROTA_ORIGIN_SIZE];
    struct rota_errinfo problem; /* "" : config is good; else config is the text that is not */
    struct rota_config_client client; /* as whom choices are made; draw 0: not yet drawn */
    uint32_t *draw;                   /* where the owner keeps it; NULL: here */
    enum rota_config_lookup lookup;
    struct rota_status error;
    uint32_t holds;
    bool list_new, error_new, lost, closed;
};

/* alloc and log are what the resolver is to use. `draw`, `client.hostname` and `lookup` may be set afterwards. */
void rota_resolver_sink_init(struct rota_resolver_sink *sink, const struct rota_resolver_sink_owner *owner_class, void *owner, struct rota_host *host,
                             const struct rota_alloc *alloc, const struct rota_log *log);
void rota_resolver_sink_fini(struct rota_resolver_sink *sink);
/* Why the resolver has not started: what it told last, or the words of `err`. Before close. */
const char *rota_resolver_sink_reason(const struct rota_resolver_sink *sink, rota_err err);
/* The resolver was stopped, or did not start. on_released follows. */
void rota_resolver_sink_close(struct rota_resolver_sink *sink);

#endif
