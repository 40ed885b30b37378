/* client.h - a channel to an etcd cluster: its members as endpoints, turned to in order, settings that suit a registry.
 *
 * The calls are the generated ones of proto/etcd.rota.h.
 */
#ifndef ROTA_ETCD_CLIENT_H
#define ROTA_ETCD_CLIENT_H

#include <rota/call.h>
#include <rota/channel.h>

/* The answer to a list is waited for this long. */
#define ROTA_ETCD_CALL_MS 5000
/* More are refused by where.h. */
#define ROTA_ETCD_MAX_MEMBERS 32

/* members: "a:2379,b:2379". Errors as rota_channel_open. */
ROTA_MUST_USE rota_err rota_etcd_client_open(const char *members, struct rota_loop *loop, const struct rota_alloc *alloc, const struct rota_log *log,
                                             struct rota_channel **ret_channel, struct rota_errinfo *info);

/* What a user can do something about, said with the registry's words: etcd's refusals for want of a login name it. */
void rota_etcd_explain(const struct rota_status *status, struct rota_status *ret_status);

/* The end of a range that holds every key with that prefix: the prefix with its last byte that is not 0xff one larger, cut there;
 * one zero byte (everything) when there is none. out: at least prefix.size + 1 bytes. Returns the size. */
size_t rota_etcd_range_end(struct rota_slice prefix, uint8_t *out);

#endif
