/* registry.c - the embedded registry: a store, the services over it, and two timers (leases that end, progress notices).
 *
 * Closing: open streams are ended first, for they would never end by themselves, and those that still come are refused; then the
 * server drains, then all is freed.
 */
#include "registry/service.h"

#include "base/alloc.h"
#include "base/errinfo.h"
#include "base/log.h"
#include "base/options.h"
#include "base/plaintext.h"
#include "registry/journal.h"
#include "server/server.h"
#include <stdio.h>

#define DEFAULT_LISTEN "127.0.0.1:2379"
#define MAX_BYTES_DEFAULT ((size_t)1 << 30)
#define PROGRESS_NS INT64_C(600000000000) /* as etcd */
#define SERVER_REQUEST_BYTES ((size_t)2 << 20)

int64_t rota_registry_now_ns(const struct rota_registry *registry)
{
    return rota_loop_now_ns(registry->loop);
}

void rota_registry_header(const struct rota_registry *registry, Etcdserverpb__ResponseHeader *ret_header)
{
    etcdserverpb__response_header__init(ret_header);
    ret_header->cluster_id = rota_store_cluster_id(registry->store);
    ret_header->member_id = rota_store_member_id(registry->store);
    ret_header->revision = rota_store_revision(registry->store);
    ret_header->raft_term = ROTA_REGISTRY_RAFT_TERM;
}

void rota_registry_refuse(struct rota_server_call *call, const struct rota_status *status)
{
    rota_server_call_finish(call, status);
}

/* --- Timers --- */

static void set_timer(struct rota_registry *registry, struct rota_timer *timer, int64_t at_ns)
{
    /* It is set from open to close, and moving it needs no memory. */
    if (rota_timer_set(timer, at_ns) < 0)
        rota_log_write(registry->log, ROTA_LOG_ERROR, "registry", "out of memory: leases end late");
}

void rota_registry_changed(struct rota_registry *registry)
{
    rota_registry_watches_serve(registry);
    set_timer(registry, registry->lease_timer, rota_store_deadline_ns(registry->store));
}

/* Leases end here alone, not with requests: of those that are over at once, few end before all requests that wait have been read. */
static void on_lease_timer(void *arg)
{
    struct rota_registry *registry = arg;

    set_timer(registry, registry->lease_timer, INT64_MAX); /* while its place is free */
    (void)rota_store_tick(registry->store, rota_registry_now_ns(registry));
    rota_registry_changed(registry);
}

static void on_progress_timer(void *arg)
{
    struct rota_registry *registry = arg;

    set_timer(registry, registry->progress_timer, rota_registry_now_ns(registry) + PROGRESS_NS);
    rota_registry_watches_progress(registry);
}

/* --- Opening --- */

static rota_err add_services(struct rota_registry *r)
{
    rota_err err = etcdserverpb_kv_add(r->server, &rota_registry_kv_handlers, r);

    if (err == 0)
        err = etcdserverpb_watch_add(r->server, &rota_registry_watch_handlers, r);
    if (err == 0)
        err = etcdserverpb_lease_add(r->server, &rota_registry_lease_handlers, r);
    if (err == 0)
        err = etcdserverpb_cluster_add(r->server, &rota_registry_cluster_handlers, r);
    if (err == 0)
        err = etcdserverpb_maintenance_add(r->server, &rota_registry_maintenance_handlers, r);
    if (err == 0)
        err = etcdserverpb_auth_add(r->server, &rota_registry_auth_handlers, r);
    return err;
}

static rota_err make_server(const struct rota_registry_options *options, struct rota_server **ret_server, struct rota_errinfo *info)
{
    struct rota_server_options server = ROTA_SERVER_OPTIONS_INIT;

    server.loop = options->loop;
    server.alloc = options->alloc;
    server.log = options->log;
    server.tls = options->tls;
    server.max_request_bytes = SERVER_REQUEST_BYTES;
    /* etcd's own; its clients ping every half minute. */
    server.min_ping_interval_ms = 5000;
    server.permit_pings_without_calls = true;
    return rota_server_new(&server, ret_server, info);
}

static int64_t read_clock(void *arg)
{
    return rota_registry_now_ns(arg);
}

static rota_err make_store(struct rota_registry *r, const struct rota_registry_options *options, struct rota_errinfo *info)
{
    size_t max_bytes = options->max_bytes != 0 ? options->max_bytes : MAX_BYTES_DEFAULT;
    struct rota_store_limits limits = {.max_bytes = max_bytes};
    struct rota_registry_journal_options journal = {
        .dir = options->data_dir, .max_bytes = max_bytes, .alloc = r->alloc, .log = r->log, .clock = read_clock, .clock_arg = r};
    uint64_t seed = rota_rng_next(&rota_server_parts(r->server)->host->rng);

    if (rota_store_new(r->alloc, &limits, seed, &r->store) < 0 || rota_timer_new(r->loop, on_lease_timer, r, &r->lease_timer) < 0 ||
        rota_timer_new(r->loop, on_progress_timer, r, &r->progress_timer) < 0 ||
        rota_timer_set(r->lease_timer, INT64_MAX) < 0 || rota_timer_set(r->progress_timer, rota_registry_now_ns(r) + PROGRESS_NS) < 0)
        return rota_errinfo_set(info, ROTA_ENOMEM, "no memory for a registry");
    return options->data_dir == NULL ? 0 : rota_registry_journal_open(&journal, r->store, &r->journal, info);
}

/* The URL that clients are told: of all addresses, the one by which a client on this machine gets here. */
static const char *dialable(const char *bound, size_t *ret_host_size)
{
    const char *port = strrchr(bound, ':');

    *ret_host_size = port == NULL ? strlen(bound) : (size_t)(port - bound);
    if (strncmp(bound, "0.0.0.0:", 8) == 0 || strncmp(bound, "[::]:", 5) == 0) {
        *ret_host_size = strlen("localhost");
        return "localhost";
    }
    return bound;
}

static rota_err listen(struct rota_registry *r, const char *address, bool secure, struct rota_errinfo *info)
{
    const char *host, *port;
    size_t host_size;
    rota_err err = rota_server_listen(r->server, address, r->address, info);

    if (err < 0)
        return err;
    host = dialable(r->address, &host_size);
    port = strrchr(r->address, ':');
    snprintf(r->client_url, sizeof(r->client_url), "%s://%.*s%s", secure ? "https" : "http", (int)host_size, host, port == NULL ? "" : port);
    return 0;
}

/* No call comes any more. */
static void free_parts(struct rota_registry *r)
{
    rota_timer_free(r->lease_timer);
    rota_timer_free(r->progress_timer);
    rota_store_free(r->store);
    rota_registry_journal_close(r->journal);
    rota_arena_fini(&r->scratch);
    rota_arena_fini(&r->outgoing);
    rota_alloc_free(r->alloc, r);
}

/* All on the server. Without a listener, which comes last, nobody calls. */
static rota_err furnish(struct rota_registry *r, const struct rota_registry_options *options, bool secure, struct rota_errinfo *info)
{
    rota_err err = add_services(r) < 0 ? rota_errinfo_set(info, ROTA_ENOMEM, "no memory for a registry") : make_store(r, options, info);

    return err < 0 ? err : listen(r, options->listen != NULL ? options->listen : DEFAULT_LISTEN, secure, info);
}

static struct rota_registry *make(const struct rota_registry_options *options, struct rota_server *server)
{
    struct rota_host *host = rota_server_parts(server)->host;
    const struct rota_alloc *alloc = options->alloc != NULL ? options->alloc : host->alloc;
    struct rota_registry *r = rota_alloc_zero(alloc, 1, sizeof(*r));

    if (r == NULL)
        return NULL;
    r->alloc = alloc;
    r->log = options->log != NULL ? options->log : host->log;
    r->loop = options->loop;
    r->server = server;
    r->map_seed = rota_rng_next(&host->rng);
    rota_arena_init(&r->scratch, alloc, 0);
    rota_arena_init(&r->outgoing, alloc, 0);
    rota_list_init(&r->streams);
    rota_list_init(&r->busy_streams);
    rota_list_init(&r->keepalives);
    return r;
}

rota_err rota_registry_open(const struct rota_registry_options *given, struct rota_registry **ret_registry, struct rota_errinfo *info)
{
    struct rota_registry_options options = ROTA_REGISTRY_OPTIONS_INIT;
    struct rota_server *server;
    struct rota_registry *r;
    bool plaintext;
    rota_err err;

    err = rota_options_take(&options, sizeof(options), given, "ROTA_REGISTRY_OPTIONS_INIT", info);
    if (err < 0)
        return err;
    if (options.loop == NULL)
        return rota_errinfo_set(info, ROTA_EINVAL, "a registry needs options.loop");
    err = rota_plaintext_asked(options.tls, &plaintext, info);
    if (err == 0)
        err = make_server(&options, &server, info);
    if (err < 0)
        return err;
    r = make(&options, server);
    err = r == NULL ? rota_errinfo_set(info, ROTA_ENOMEM, "no memory for a registry") : furnish(r, &options, options.tls != NULL && !plaintext, info);
    if (err < 0) {
        /* It goes in a turn of its own: this may be one. The data directory is free at once. */
        rota_server_close(server, NULL, NULL);
        if (r != NULL)
            free_parts(r);
        return err;
    }
    rota_registry_changed(r); /* leases that were loaded */
    *ret_registry = r;
    return 0;
}

const char *rota_registry_address(const struct rota_registry *registry)
{
    return registry->address;
}

/* --- Closing --- */

static void say_closing(struct rota_status *ret_status)
{
    rota_status_set(ret_status, ROTA_UNAVAILABLE, "the registry is closing");
}

bool rota_registry_refuses_stream(const struct rota_registry *registry, struct rota_server_call *call)
{
    struct rota_status status;

    if (!registry->server->draining)
        return false;
    say_closing(&status);
    rota_registry_refuse(call, &status);
    return true;
}

static void on_server_closed(void *arg)
{
    struct rota_registry *registry = arg;
    void (*on_closed)(void *) = registry->on_closed;
    void *closed_arg = registry->closed_arg;

    free_parts(registry);
    if (on_closed != NULL)
        on_closed(closed_arg);
}

static void on_drained(void *arg)
{
    struct rota_registry *registry = arg;

    rota_server_close(registry->server, on_server_closed, registry);
}

void rota_registry_close(struct rota_registry *registry, int64_t grace_ms, void (*on_closed)(void *arg), void *arg)
{
    struct rota_status status;

    if (registry == NULL)
        return;
    registry->on_closed = on_closed;
    registry->closed_arg = arg;
    rota_timer_clear(registry->lease_timer);
    rota_timer_clear(registry->progress_timer);
    say_closing(&status);
    rota_registry_watches_end(registry, &status);
    rota_registry_keepalives_end(registry, &status);
    rota_server_drain(registry->server, grace_ms, on_drained, registry);
}
