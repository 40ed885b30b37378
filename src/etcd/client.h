/* client.h - a channel to an etcd cluster: its members as endpoints, turned to in order, settings that suit a registry.
 *
 * The calls are the generated ones of proto/etcd.rota.h.
 */
#ifndef ROTA_ETCD_CLIENT_H
#define ROTA_ETCD_CLIENT_H

#include "etcd/where.h"
#include <rota/call.h>
#include <rota/channel.h>

/* The answer to a call other than a list is waited for this long. */
#define ROTA_ETCD_CALL_MS 5000

/* To the members of `where`, by TLS if it says so. Errors as rota_channel_open. */
ROTA_MUST_USE rota_err rota_etcd_client_open(const struct rota_etcd_where *where, struct rota_loop *loop, const struct rota_alloc *alloc, const struct rota_log *log,
                                             struct rota_channel **ret_channel, struct rota_errinfo *info);

#endif
