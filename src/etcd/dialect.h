/* dialect.h - how a service's servers are written into etcd: the key under which, the value in which form.
 *
 * grpclb   /grpclb/<service>/<addr>   value: the address, or JSON {"addr":"host:port","weight":5,"zone":"a","version":"1","metadata":{...}}
 * official <service>/<addr>           value: JSON {"Op":0,"Addr":"host:port","Metadata":{"weight":5,...}} (etcd's own gRPC naming)
 * Services may be named with slashes, so what has one behind grpclb's prefix belongs to another, but for the path of a socket; official leaves
 * open what is behind its prefix. Reading is more tolerant than writing: see dialect_read.c. Pure.
 */
#ifndef ROTA_ETCD_DIALECT_H
#define ROTA_ETCD_DIALECT_H

#include <rota/alloc.h>
#include <rota/endpoint.h>
#include <rota/err.h>

struct rota_etcd_dialect {
    const char *name; /* as in ?dialect=name */
    /* The prefix all keys of the service have. Writes at most cap bytes with the zero; ROTA_ELIMIT. */
    rota_err (*prefix)(const char *service, char *out, size_t cap);
    /* Whether a key with the prefix is one of another service, whose prefix only begins so. key_tail: the key without the prefix. May be NULL. */
    bool (*foreign)(struct rota_slice key_tail);
    /* Endpoint of one entry, with one reference. ROTA_EPARSE: info says what is wrong with the value;
     * ROTA_ENOTFOUND: the entry says that the server is gone; ROTA_ENOMEM. */
    rota_err (*read)(const struct rota_alloc *alloc, struct rota_slice key_tail, struct rota_slice value, const struct rota_endpoint **ret_endpoint,
                     struct rota_errinfo *info);
    /* The value to register, allocated, zero-terminated. NULL: out of memory. */
    char *(*write)(const struct rota_alloc *alloc, const struct rota_endpoint *endpoint);
};

extern const struct rota_etcd_dialect rota_etcd_grpclb;
extern const struct rota_etcd_dialect rota_etcd_official;

/* NULL: no such dialect. */
const struct rota_etcd_dialect *rota_etcd_dialect_named(const char *name);
/* "grpclb, official" for messages. */
const char *rota_etcd_dialect_names(void);

#endif
