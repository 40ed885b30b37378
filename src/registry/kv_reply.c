/* kv_reply.c - results of store operations as etcd's KV replies. */
#include "registry/kv_message.h"

#include "registry/service.h"

void rota_kv_message(const struct rota_store_kv *kv, Mvccpb__KeyValue *ret_kv)
{
    mvccpb__key_value__init(ret_kv);
    ret_kv->key = rota_registry_data(kv->key);
    ret_kv->value = rota_registry_data(kv->value);
    ret_kv->create_revision = kv->create_revision;
    ret_kv->mod_revision = kv->mod_revision;
    ret_kv->version = kv->version;
    ret_kv->lease = kv->lease;
}

/* An array of pointers, as protobuf-c wants it; NULL: no memory. */
static Mvccpb__KeyValue **kvs_of(struct rota_arena *arena, const struct rota_store_read_result *read)
{
    Mvccpb__KeyValue **pointers = rota_arena_zero(arena, read->n, sizeof(*pointers));
    Mvccpb__KeyValue *kvs = rota_arena_zero(arena, read->n, sizeof(*kvs));

    if (pointers == NULL || kvs == NULL)
        return NULL;
    for (size_t i = 0; i < read->n; i++) {
        rota_kv_message(&read->kvs[i], &kvs[i]);
        pointers[i] = &kvs[i];
    }
    return pointers;
}

bool rota_kv_range_reply(struct rota_arena *arena, const struct rota_store_op_result *result, Etcdserverpb__RangeResponse *reply)
{
    etcdserverpb__range_response__init(reply);
    reply->kvs = kvs_of(arena, &result->read);
    reply->n_kvs = result->read.n;
    reply->more = result->read.more;
    reply->count = result->read.count;
    return reply->kvs != NULL;
}

bool rota_kv_put_reply(struct rota_arena *arena, const struct rota_store_op_result *result, Etcdserverpb__PutResponse *reply)
{
    etcdserverpb__put_response__init(reply);
    if (result->read.n == 0)
        return true;
    reply->prev_kv = rota_arena_get(arena, sizeof(*reply->prev_kv));
    if (reply->prev_kv == NULL)
        return false;
    rota_kv_message(&result->read.kvs[0], reply->prev_kv);
    return true;
}

bool rota_kv_delete_reply(struct rota_arena *arena, const struct rota_store_op_result *result, Etcdserverpb__DeleteRangeResponse *reply)
{
    etcdserverpb__delete_range_response__init(reply);
    reply->deleted = result->deleted;
    reply->prev_kvs = kvs_of(arena, &result->read);
    reply->n_prev_kvs = result->read.n;
    return reply->prev_kvs != NULL;
}

static bool range_in_txn(struct rota_arena *arena, const struct rota_store_op_result *result, Etcdserverpb__ResponseHeader *header,
                         Etcdserverpb__ResponseOp *op)
{
    op->response_case = ETCDSERVERPB__RESPONSE_OP__RESPONSE_RESPONSE_RANGE;
    op->response_range = rota_arena_get(arena, sizeof(*op->response_range));
    if (op->response_range == NULL || !rota_kv_range_reply(arena, result, op->response_range))
        return false;
    op->response_range->header = header;
    return true;
}

static bool put_in_txn(struct rota_arena *arena, const struct rota_store_op_result *result, Etcdserverpb__ResponseHeader *header,
                       Etcdserverpb__ResponseOp *op)
{
    op->response_case = ETCDSERVERPB__RESPONSE_OP__RESPONSE_RESPONSE_PUT;
    op->response_put = rota_arena_get(arena, sizeof(*op->response_put));
    if (op->response_put == NULL || !rota_kv_put_reply(arena, result, op->response_put))
        return false;
    op->response_put->header = header;
    return true;
}

static bool delete_in_txn(struct rota_arena *arena, const struct rota_store_op_result *result, Etcdserverpb__ResponseHeader *header,
                          Etcdserverpb__ResponseOp *op)
{
    op->response_case = ETCDSERVERPB__RESPONSE_OP__RESPONSE_RESPONSE_DELETE_RANGE;
    op->response_delete_range = rota_arena_get(arena, sizeof(*op->response_delete_range));
    if (op->response_delete_range == NULL || !rota_kv_delete_reply(arena, result, op->response_delete_range))
        return false;
    op->response_delete_range->header = header;
    return true;
}

static bool txn_in_txn(struct rota_arena *arena, const struct rota_store_op_result *result, Etcdserverpb__ResponseHeader *header,
                       Etcdserverpb__ResponseOp *op)
{
    op->response_case = ETCDSERVERPB__RESPONSE_OP__RESPONSE_RESPONSE_TXN;
    op->response_txn = rota_arena_get(arena, sizeof(*op->response_txn));
    if (op->response_txn == NULL || !rota_kv_txn_reply(arena, result, header, op->response_txn))
        return false;
    op->response_txn->header = header;
    return true;
}

bool rota_kv_txn_reply(struct rota_arena *arena, const struct rota_store_op_result *result, Etcdserverpb__ResponseHeader *header,
                       Etcdserverpb__TxnResponse *reply)
{
    static bool (*const kinds[])(struct rota_arena *arena, const struct rota_store_op_result *result, Etcdserverpb__ResponseHeader *header,
                                 Etcdserverpb__ResponseOp *op) = {range_in_txn, put_in_txn, delete_in_txn, txn_in_txn};
    Etcdserverpb__ResponseOp *ops = rota_arena_zero(arena, result->n_results, sizeof(*ops));

    etcdserverpb__txn_response__init(reply);
    reply->responses = rota_arena_zero(arena, result->n_results, sizeof(*reply->responses));
    if (ops == NULL || reply->responses == NULL)
        return false;
    reply->succeeded = result->succeeded;
    reply->n_responses = result->n_results;
    for (size_t i = 0; i < result->n_results; i++) {
        etcdserverpb__response_op__init(&ops[i]);
        reply->responses[i] = &ops[i];
        if (!kinds[result->results[i].kind](arena, &result->results[i], header, &ops[i]))
            return false;
    }
    return true;
}
