/* dns.h - dns: targets over any way to look names up.
 *
 * A name is looked up at start, again when the channel says that endpoints fail (at most every min_interval_ns), and
 * after failures with growing jittered pauses for ever. Each address is an endpoint, in the order the lookup gave.
 * Where the program wants it, the service config is looked up at the same time, in the TXT records of _grpc_config.HOST (gRFC A2): the addresses
 * wait for it, but are not kept back by its failure, after which the last one found stays.
 * An IP address as target is published at once. The default port is 443, as in gRPC whatever the transport.
 * A class of rota/resolver.h is made of it by a start function that names the lookup; check, refresh and stop fit as
 * they are, state_size is sizeof(struct rota_dns).
 */
#ifndef ROTA_RESOLVER_DNS_H
#define ROTA_RESOLVER_DNS_H

#include "base/host.h"
#include <rota/resolver.h>

typedef void (*rota_dns_done)(void *arg, rota_err err, const char *detail, const struct rota_address *addresses, size_t count);

typedef void (*rota_dns_txt_done)(void *arg, rota_err err, const char *detail, const struct rota_slice *values, size_t count);

struct rota_dns_lookup_class {
    /* done is called once, later, unless canceled. ROTA_ENOMEM, ROTA_EIO. */
    rota_err (*start)(struct rota_loop *loop, struct rota_slice host, uint16_t port, rota_dns_done done, void *arg, void **ret_lookup);
    /* TXT records of a name; as start. Values are whole, and borrowed; ROTA_ENOTFOUND: there are none. */
    rota_err (*start_txt)(struct rota_loop *loop, const char *name, rota_dns_txt_done done, void *arg, void **ret_lookup);
    void (*cancel)(void *lookup); /* of either kind */
};

#define ROTA_DNS_MIN_INTERVAL_NS INT64_C(30000000000)

struct rota_dns {
    const struct rota_dns_lookup_class *class;
    const struct rota_target *target;
    struct rota_loop *loop; /* the lookup's */
    struct rota_resolver_sink *sink;
    struct rota_slice host; /* in the target */
    uint16_t port;
    bool literal; /* an address, published at start */
    void *lookup; /* NULL: none is running */
    void *txt;    /* likewise, of the service config */
    const struct rota_endpoint **held; /* the answer, which waits for the service config; NULL: none */
    size_t n_held;
    struct rota_host_timer timer; /* the next lookup */
    int64_t min_interval_ns;
    int64_t answered_ns; /* when the last good answer came */
    int64_t backoff_ns;  /* before jitter; 0: the last lookup went well */
};

rota_err rota_dns_check(const struct rota_target *target, struct rota_errinfo *info);
rota_err rota_dns_start(struct rota_dns *dns, const struct rota_target *target, struct rota_loop *loop, struct rota_resolver_sink *sink,
                        const struct rota_dns_lookup_class *lookup, int64_t min_interval_ns);
void rota_dns_refresh(void *dns);
void rota_dns_stop(void *dns);

#endif
