/* rota/registry.h - the embedded registry: one process that speaks the part of etcd's v3 API that discovery needs.
 *
 * It is no cluster. Use it for first runs, tests and small set-ups; an etcd cluster takes the same URIs.
 * Threading: belongs to its loop. Source: etcd's v3 API (KV, Watch, Lease, Cluster.MemberList, Maintenance.Status).
 */
#ifndef ROTA_REGISTRY_H
#define ROTA_REGISTRY_H

#include <rota/loop.h>
#include <rota/tls.h>

ROTA_BEGIN_DECLS

struct rota_registry;

struct rota_registry_options {
    size_t size;            /* set by ROTA_REGISTRY_OPTIONS_INIT */
    struct rota_loop *loop; /* required */
    const char *listen;     /* default "127.0.0.1:2379"; port 0: the system chooses */
    const char *data_dir;   /* NULL: memory only */
    size_t max_bytes;       /* of keys, values and history; default 1 GiB; beyond it writes fail RESOURCE_EXHAUSTED */
    const struct rota_alloc *alloc; /* default: the loop's */
    const struct rota_log *log;     /* default: the loop's */
    const struct rota_tls_options *tls; /* as in a server's options */
};
#define ROTA_REGISTRY_OPTIONS_INIT ROTA_SIZED(struct rota_registry_options)

/* Serves when it returns. ROTA_EADDRINUSE, ROTA_EIO, ROTA_EPARSE, ROTA_EINVAL, ROTA_ENOTFOUND (the address is a name that the hosts file does not
 * have), ROTA_EEXIST (another registry has the data directory), ROTA_EUNSUPPORTED (TLS, and OpenSSL 3 cannot be loaded), ROTA_ESTATE
 * (options.loop has a thread of its own, and this is another: rota_loop_post), ROTA_ENOMEM: info says what. */
ROTA_API ROTA_MUST_USE rota_err rota_registry_open(const struct rota_registry_options *options, struct rota_registry **ret_registry,
                                                   struct rota_errinfo *info);
ROTA_API const char *rota_registry_address(const struct rota_registry *registry); /* "127.0.0.1:41234" */

/* Drains at most grace_ms (watches and keepalives are cut), makes data safe, frees; on_closed (may be NULL) comes last. */
ROTA_API void rota_registry_close(struct rota_registry *registry, int64_t grace_ms, void (*on_closed)(void *arg), void *arg);

ROTA_END_DECLS
#endif
