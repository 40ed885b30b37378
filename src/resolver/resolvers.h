/* resolvers.h - the resolvers that need nothing but the target, and finding the one for a target.
 *
 * Elsewhere: dns (dns.h, which needs a way to look names up), etcd (src/etcd).
 */
#ifndef ROTA_RESOLVER_RESOLVERS_H
#define ROTA_RESOLVER_RESOLVERS_H

#include <rota/resolver.h>

/* "ipv4:1.2.3.4:80,5.6.7.8:81", "ipv6:[::1]:80,[::2]:81": each address an endpoint; the default port is 443. */
extern const struct rota_resolver_class rota_resolver_ipv4, rota_resolver_ipv6;

/* "unix:path", "unix:///absolute/path", "unix-abstract:name". */
extern const struct rota_resolver_class rota_resolver_unix, rota_resolver_unix_abstract;

/* Parses the target by the classes' schemes, finds its class (the first of that scheme) and has it checked. ROTA_EPARSE,
 * ROTA_EINVAL, ROTA_ENOTFOUND (no class for the scheme; info names those there are), ROTA_ENOMEM. */
rota_err rota_resolver_find(const char *text, const struct rota_resolver_class *const *classes, const struct rota_alloc *alloc,
                            struct rota_target **ret_target, const struct rota_resolver_class **ret_class, struct rota_errinfo *info);

#endif
