/* service.h - what the services of a registry share. Files: registry.c (life, timers), kv_service.c, watch_service.c (streams and their
 * watches), watch_send.c (what goes out on them), lease_service.c, misc_service.c (cluster, maintenance, auth).
 *
 * A handler builds its store operation and its reply in the registry's scratch arena, which the next one resets; replies borrow from the
 * store, so they are sent before it changes again. After a change, rota_registry_changed passes events on.
 */
#ifndef ROTA_REGISTRY_SERVICE_H
#define ROTA_REGISTRY_SERVICE_H

#include "base/arena.h"
#include "base/list.h"
#include "registry/store.h"
#include <etcd.rota.h>
#include <rota/registry.h>
#include <rota/server.h>

#define ROTA_REGISTRY_REQUEST_BYTES ((size_t)3 << 19) /* as etcd's --max-request-bytes: 1.5 MiB */
#define ROTA_REGISTRY_RAFT_TERM 2                     /* there is no raft; clients want to see that somebody was elected */

struct rota_registry_journal;

struct rota_registry {
    const struct rota_alloc *alloc;
    const struct rota_log *log;
    struct rota_loop *loop;
    struct rota_server *server;
    struct rota_store *store;
    struct rota_registry_journal *journal; /* NULL: memory only */
    struct rota_timer *lease_timer, *progress_timer;
    struct rota_arena scratch;  /* a handler's */
    struct rota_arena outgoing; /* a watch response's */
    struct rota_link streams;      /* rota_watch_stream: all of them */
    struct rota_link busy_streams; /* those that may have something to send */
    struct rota_link keepalives;   /* lease_service.c's streams */
    uint64_t map_seed;
    void (*on_closed)(void *arg);
    void *closed_arg;
    char address[ROTA_ADDRESS_TEXT_SIZE], client_url[ROTA_ADDRESS_TEXT_SIZE + 32];
};

/* registry.c */
void rota_registry_header(const struct rota_registry *registry, Etcdserverpb__ResponseHeader *ret_header);
void rota_registry_changed(struct rota_registry *registry); /* after what may have changed the store or its leases */
void rota_registry_refuse(struct rota_server_call *call, const struct rota_status *status);
/* For streams that would not end by themselves: true, and the call is over, once the registry closes, which waits for all that begin. */
bool rota_registry_refuses_stream(const struct rota_registry *registry, struct rota_server_call *call);
int64_t rota_registry_now_ns(const struct rota_registry *registry);

static inline struct rota_slice rota_registry_slice(ProtobufCBinaryData data)
{
    return rota_slice(data.data, data.len);
}

static inline ProtobufCBinaryData rota_registry_data(struct rota_slice slice)
{
    return (ProtobufCBinaryData){.len = slice.size, .data = (uint8_t *)slice.data};
}

/* watch_service.c */
void rota_registry_watches_serve(struct rota_registry *registry);    /* passes on what is ready */
void rota_registry_watches_progress(struct rota_registry *registry); /* to the watches that asked for notice */
void rota_registry_watches_end(struct rota_registry *registry, const struct rota_status *status);

/* lease_service.c */
void rota_registry_keepalives_end(struct rota_registry *registry, const struct rota_status *status);

extern const struct etcdserverpb_kv_handlers rota_registry_kv_handlers;
extern const struct etcdserverpb_watch_handlers rota_registry_watch_handlers;
extern const struct etcdserverpb_lease_handlers rota_registry_lease_handlers;
extern const struct etcdserverpb_cluster_handlers rota_registry_cluster_handlers;
extern const struct etcdserverpb_maintenance_handlers rota_registry_maintenance_handlers;
extern const struct etcdserverpb_auth_handlers rota_registry_auth_handlers;

#endif
