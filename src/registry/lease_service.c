/* lease_service.c - etcdserverpb.Lease. A keepalive stream answers each request before it looks at the next, so a client that does not
 * read its answers is held, at the cost of one answer.
 */
#include "registry/service.h"
#include "registry/state.h"

#include "base/alloc.h"

static void grant(struct rota_server_call *call, const Etcdserverpb__LeaseGrantRequest *request, void *user)
{
    struct rota_registry *registry = user;
    Etcdserverpb__ResponseHeader header;
    Etcdserverpb__LeaseGrantResponse reply = ETCDSERVERPB__LEASE_GRANT_RESPONSE__INIT;
    struct rota_status status =
        rota_store_lease_grant(registry->store, request->id, request->ttl, rota_registry_now_ns(registry), &reply.id, &reply.ttl);

    if (!rota_status_ok(&status)) {
        rota_registry_refuse(call, &status);
        return;
    }
    rota_registry_header(registry, &header);
    reply.header = &header;
    etcdserverpb_lease_lease_grant_reply(call, &reply);
    rota_registry_changed(registry);
}

static void revoke(struct rota_server_call *call, const Etcdserverpb__LeaseRevokeRequest *request, void *user)
{
    struct rota_registry *registry = user;
    Etcdserverpb__ResponseHeader header;
    Etcdserverpb__LeaseRevokeResponse reply = ETCDSERVERPB__LEASE_REVOKE_RESPONSE__INIT;
    struct rota_status status = rota_store_lease_revoke(registry->store, request->id);

    if (!rota_status_ok(&status)) {
        rota_registry_refuse(call, &status);
        return;
    }
    rota_registry_header(registry, &header);
    reply.header = &header;
    etcdserverpb_lease_lease_revoke_reply(call, &reply);
    rota_registry_changed(registry);
}

static void time_to_live(struct rota_server_call *call, const Etcdserverpb__LeaseTimeToLiveRequest *request, void *user)
{
    struct rota_registry *registry = user;
    Etcdserverpb__ResponseHeader header;
    Etcdserverpb__LeaseTimeToLiveResponse reply = ETCDSERVERPB__LEASE_TIME_TO_LIVE_RESPONSE__INIT;
    struct rota_store_lease_info info;
    struct rota_status no_memory = rota_fault_status(ROTA_FAULT_NO_MEMORY);

    rota_arena_reset(&registry->scratch);
    if (rota_store_lease_look(registry->store, request->id, request->keys, rota_registry_now_ns(registry), &registry->scratch.as_alloc, &info) == 0)
        reply.keys = rota_arena_zero(&registry->scratch, info.n_keys, sizeof(*reply.keys));
    if (reply.keys == NULL) {
        rota_registry_refuse(call, &no_memory);
        return;
    }
    reply.n_keys = info.n_keys;
    for (size_t i = 0; i < info.n_keys; i++)
        reply.keys[i] = rota_registry_data(info.keys[i]);
    reply.id = request->id;
    reply.ttl = info.found ? info.ttl_seconds : -1;
    reply.grantedttl = info.granted_seconds;
    rota_registry_header(registry, &header);
    reply.header = &header;
    etcdserverpb_lease_lease_time_to_live_reply(call, &reply);
}

static void leases(struct rota_server_call *call, const Etcdserverpb__LeaseLeasesRequest *request, void *user)
{
    struct rota_registry *registry = user;
    Etcdserverpb__ResponseHeader header;
    Etcdserverpb__LeaseLeasesResponse reply = ETCDSERVERPB__LEASE_LEASES_RESPONSE__INIT;
    struct rota_status no_memory = rota_fault_status(ROTA_FAULT_NO_MEMORY);
    Etcdserverpb__LeaseStatus *list = NULL;
    int64_t *ids;
    size_t n;

    (void)request;
    rota_arena_reset(&registry->scratch);
    if (rota_store_leases(registry->store, &registry->scratch.as_alloc, &ids, &n) == 0) {
        list = rota_arena_zero(&registry->scratch, n, sizeof(*list));
        reply.leases = rota_arena_zero(&registry->scratch, n, sizeof(*reply.leases));
    }
    if (list == NULL || reply.leases == NULL) {
        rota_registry_refuse(call, &no_memory);
        return;
    }
    for (size_t i = 0; i < n; i++) {
        etcdserverpb__lease_status__init(&list[i]);
        list[i].id = ids[i];
        reply.leases[i] = &list[i];
    }
    reply.n_leases = n;
    rota_registry_header(registry, &header);
    reply.header = &header;
    etcdserverpb_lease_lease_leases_reply(call, &reply);
}

/* --- Keeping alive --- */

struct keepalive {
    struct rota_link link; /* registry->keepalives */
    struct rota_server_call *call;
    int64_t id, ttl_seconds; /* an answer that waits */
    bool waiting;
    bool ended; /* the client has asked its last */
};

static rota_err answer(struct rota_registry *registry, struct rota_server_call *call, int64_t id, int64_t ttl_seconds)
{
    Etcdserverpb__ResponseHeader header;
    Etcdserverpb__LeaseKeepAliveResponse reply = ETCDSERVERPB__LEASE_KEEP_ALIVE_RESPONSE__INIT;

    rota_registry_header(registry, &header);
    reply.header = &header;
    reply.id = id;
    reply.ttl = ttl_seconds;
    return etcdserverpb_lease_lease_keep_alive_send_reply(call, &reply);
}

static void stop(struct rota_registry *registry, struct keepalive *stream, const struct rota_status *status)
{
    struct rota_server_call *call = stream->call;

    rota_list_remove(&stream->link);
    rota_alloc_free(registry->alloc, stream);
    rota_server_call_finish(call, status);
}

void rota_registry_keepalives_end(struct rota_registry *registry, const struct rota_status *status)
{
    while (!rota_list_empty(&registry->keepalives))
        stop(registry, ROTA_CONTAINER(registry->keepalives.next, struct keepalive, link), status);
}

static void on_start(struct rota_server_call *call, void *user)
{
    struct rota_registry *registry = user;
    struct rota_status no_memory = rota_fault_status(ROTA_FAULT_NO_MEMORY);
    struct keepalive *stream;

    if (rota_registry_refuses_stream(registry, call))
        return;
    stream = rota_alloc_zero(registry->alloc, 1, sizeof(*stream));
    if (stream == NULL) {
        rota_registry_refuse(call, &no_memory);
        return;
    }
    stream->call = call;
    rota_list_append(&registry->keepalives, &stream->link);
    rota_server_call_set_data(call, stream);
}

static void on_message(struct rota_server_call *call, const Etcdserverpb__LeaseKeepAliveRequest *request, void *user)
{
    struct rota_registry *registry = user;
    struct keepalive *stream = rota_server_call_data(call);
    struct rota_status no_memory = rota_fault_status(ROTA_FAULT_NO_MEMORY);
    int64_t ttl_seconds = rota_store_lease_keep_alive(registry->store, request->id, rota_registry_now_ns(registry));
    rota_err err = answer(registry, call, request->id, ttl_seconds);

    rota_registry_changed(registry);
    if (err == ROTA_EAGAIN) {
        stream->id = request->id;
        stream->ttl_seconds = ttl_seconds;
        stream->waiting = true;
        rota_server_call_hold(call);
    } else if (err < 0 && err != ROTA_ECLOSED) {
        stop(registry, stream, &no_memory);
    }
}

static void on_end(struct rota_server_call *call, void *user)
{
    struct keepalive *stream = rota_server_call_data(call);

    stream->ended = true;
    if (!stream->waiting)
        stop(user, stream, NULL);
}

static void on_writable(struct rota_server_call *call, void *user)
{
    struct rota_registry *registry = user;
    struct keepalive *stream = rota_server_call_data(call);
    struct rota_status no_memory = rota_fault_status(ROTA_FAULT_NO_MEMORY);
    rota_err err;

    if (!stream->waiting)
        return;
    err = answer(registry, call, stream->id, stream->ttl_seconds);
    if (err == ROTA_EAGAIN)
        return;
    stream->waiting = false;
    if (err < 0 && err != ROTA_ECLOSED)
        stop(registry, stream, &no_memory);
    else if (stream->ended)
        stop(registry, stream, NULL);
    else
        rota_server_call_resume(call);
}

static void on_cancel(struct rota_server_call *call, void *user)
{
    stop(user, rota_server_call_data(call), NULL);
}

const struct etcdserverpb_lease_handlers rota_registry_lease_handlers = {
    .lease_grant = grant,
    .lease_revoke = revoke,
    .lease_time_to_live = time_to_live,
    .lease_leases = leases,
    .lease_keep_alive = {.start = on_start, .message = on_message, .end = on_end, .writable = on_writable, .cancel = on_cancel},
};
