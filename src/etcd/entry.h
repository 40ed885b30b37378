/* entry.h - what a registrar puts into etcd: the key, which ends with the server's address, and the value in the target's dialect. Pure. */
#ifndef ROTA_ETCD_ENTRY_H
#define ROTA_ETCD_ENTRY_H

#include "etcd/where.h"
#include <rota/registrar.h>

/* Both are texts of `alloc`; one may be there after a failure too. ROTA_EPARSE, ROTA_EINVAL, ROTA_ENOMEM: info says what. */
ROTA_MUST_USE rota_err rota_etcd_entry_new(const struct rota_etcd_where *where, const struct rota_registrar_options *options, const struct rota_alloc *alloc,
                                           char **ret_key, char **ret_value, struct rota_errinfo *info);

#endif
