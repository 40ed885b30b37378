/* rota/registrar.h - keeps a server's entry in a registry, for as long as the server lives and whatever happens to the registry.
 *
 * Lease, put, keepalive at a third of the lease; after any loss (expiry, registry restarted empty, key deleted by someone,
 * process stopped) it registers again, for ever, with jittered backoff. Closing revokes the lease, which deletes the entry.
 * Threading: belongs to its loop. Ownership: options are copied.
 */
#ifndef ROTA_REGISTRAR_H
#define ROTA_REGISTRAR_H

#include <rota/loop.h>
#include <rota/status.h>

ROTA_BEGIN_DECLS

struct rota_registrar;

enum rota_registrar_state {
    ROTA_REGISTRAR_REGISTERING, /* trying; why says what went wrong last, if anything */
    ROTA_REGISTRAR_REGISTERED,  /* the entry is there under our lease */
    ROTA_REGISTRAR_CLOSED,
};

struct rota_registrar_options {
    size_t size;            /* set by ROTA_REGISTRAR_OPTIONS_INIT */
    struct rota_loop *loop; /* required */
    const char *address;    /* required: where clients reach the server, "host:port", the port not 0 */
    uint32_t weight;        /* 0: none */
    const char *zone;       /* NULL: none */
    const char *version;    /* NULL: none */
    int64_t lease_seconds;  /* asked for, 1 to 9000000; the registry may grant more; default 5 */
    const struct rota_alloc *alloc; /* default: the loop's */
    const struct rota_log *log;     /* default: the loop's */
    void (*on_state)(void *arg, enum rota_registrar_state state, const struct rota_status *why); /* may be NULL; why OK when all is well */
    void *arg;
};
#define ROTA_REGISTRAR_OPTIONS_INIT ROTA_SIZED(struct rota_registrar_options)

/* uri: as a target, "etcd://127.0.0.1:2379/service?dialect=grpclb". Starts at once, needs no registry to be there.
 * ROTA_EPARSE, ROTA_EINVAL, ROTA_EUNSUPPORTED (TLS, and OpenSSL 3 cannot be loaded), ROTA_ESTATE (options.loop has a thread of its own, and
 * this is another: rota_loop_post), ROTA_ENOMEM: info says what. */
ROTA_API ROTA_MUST_USE rota_err rota_registrar_open(const char *uri, const struct rota_registrar_options *options, struct rota_registrar **ret_registrar,
                                                    struct rota_errinfo *info);
ROTA_API enum rota_registrar_state rota_registrar_state(const struct rota_registrar *registrar);
/* What stands in the registry. Valid until on_closed. */
ROTA_API const char *rota_registrar_key(const struct rota_registrar *registrar);
ROTA_API const char *rota_registrar_value(const struct rota_registrar *registrar);

/* Once. Revokes the lease, then frees; on_closed (may be NULL) comes last. For a registry that cannot be reached it waits, timeout_ms at most: then
 * the entry goes when the lease ends. */
ROTA_API void rota_registrar_close(struct rota_registrar *registrar, int64_t timeout_ms, void (*on_closed)(void *arg), void *arg);

ROTA_END_DECLS
#endif
