/* dialect_read.h - reading values (dialect_read.c), for the tables in dialect.c. */
#ifndef ROTA_ETCD_DIALECT_READ_H
#define ROTA_ETCD_DIALECT_READ_H

#include <rota/endpoint.h>

rota_err rota_etcd_read_grpclb(const struct rota_alloc *alloc, struct rota_slice key_tail, struct rota_slice value,
                               const struct rota_endpoint **ret_endpoint, struct rota_errinfo *info);
rota_err rota_etcd_read_official(const struct rota_alloc *alloc, struct rota_slice key_tail, struct rota_slice value,
                                 const struct rota_endpoint **ret_endpoint, struct rota_errinfo *info);

#endif
