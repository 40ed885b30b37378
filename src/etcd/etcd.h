/* etcd.h - what the library takes from this folder: the resolver for etcd: targets (rota_registrar_* is in rota/registrar.h). */
#ifndef ROTA_ETCD_ETCD_H
#define ROTA_ETCD_ETCD_H

#include <rota/resolver.h>

extern const struct rota_resolver_class rota_resolver_etcd;

#endif
