/* proxied.h - channels whose connections go through an HTTP proxy (wire/proxy.h). */
#ifndef ROTA_ASSEMBLY_PROXIED_H
#define ROTA_ASSEMBLY_PROXIED_H

#include "assembly/link.h"
#include <rota/resolver.h>

/* For a dns: target: the proxy that the environment names, or NULL. ROTA_ENOMEM. A variable that names no proxy is reported to the log, and
 * there is none. What is wrong with the target is for the channel to say. */
rota_err rota_proxied_choose(const char *target, const struct rota_resolver_class *const *resolvers, const struct rota_alloc *alloc, const struct rota_log *log,
                             struct rota_proxy **ret_proxy);

/* In place of the dns resolver: the target's host is one endpoint, by name, and nobody looks it up but the proxy. */
extern const struct rota_resolver_class rota_resolver_proxied;

#endif
