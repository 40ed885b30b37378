/* dns.h - the dns: resolver with c-ares under it. */
#ifndef ROTA_ASSEMBLY_DNS_H
#define ROTA_ASSEMBLY_DNS_H

#include <rota/resolver.h>

extern const struct rota_resolver_class rota_resolver_dns;

#endif
