/* kv_message.h - etcd's KV messages to store operations, and results back. All memory comes from the arena; bytes are borrowed. */
#ifndef ROTA_REGISTRY_KV_MESSAGE_H
#define ROTA_REGISTRY_KV_MESSAGE_H

#include "base/arena.h"
#include "registry/store.h"
#include <etcd.rota.h>

void rota_kv_read_op(const Etcdserverpb__RangeRequest *request, struct rota_store_op *ret_op);
void rota_kv_put_op(const Etcdserverpb__PutRequest *request, struct rota_store_op *ret_op);
void rota_kv_delete_op(const Etcdserverpb__DeleteRangeRequest *request, struct rota_store_op *ret_op);
/* ROTA_ENOMEM; ROTA_EINVAL: an operation without a request. */
rota_err rota_kv_txn_op(struct rota_arena *arena, const Etcdserverpb__TxnRequest *request, struct rota_store_op *ret_op);

/* The replies without their header. NULL, false: no memory. */
bool rota_kv_range_reply(struct rota_arena *arena, const struct rota_store_op_result *result, Etcdserverpb__RangeResponse *reply);
bool rota_kv_put_reply(struct rota_arena *arena, const struct rota_store_op_result *result, Etcdserverpb__PutResponse *reply);
bool rota_kv_delete_reply(struct rota_arena *arena, const struct rota_store_op_result *result, Etcdserverpb__DeleteRangeResponse *reply);
/* header goes to the nested replies. */
bool rota_kv_txn_reply(struct rota_arena *arena, const struct rota_store_op_result *result, Etcdserverpb__ResponseHeader *header,
                       Etcdserverpb__TxnResponse *reply);
void rota_kv_message(const struct rota_store_kv *kv, Mvccpb__KeyValue *ret_kv);

#endif
