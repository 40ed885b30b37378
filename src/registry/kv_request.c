/* kv_request.c - etcd's KV requests as store operations. */
#include "registry/kv_message.h"

#include "registry/service.h"

void rota_kv_read_op(const Etcdserverpb__RangeRequest *request, struct rota_store_op *ret_op)
{
    *ret_op = (struct rota_store_op){
        .kind = ROTA_STORE_OP_READ,
        .read = {
            .range = {rota_registry_slice(request->key), rota_registry_slice(request->range_end)},
            .limit = request->limit,
            .revision = request->revision,
            .order = (enum rota_store_sort_order)request->sort_order,
            .target = (enum rota_store_sort_target)request->sort_target,
            .keys_only = request->keys_only,
            .count_only = request->count_only,
            .min_mod_revision = request->min_mod_revision,
            .max_mod_revision = request->max_mod_revision,
            .min_create_revision = request->min_create_revision,
            .max_create_revision = request->max_create_revision,
        },
    };
}

void rota_kv_put_op(const Etcdserverpb__PutRequest *request, struct rota_store_op *ret_op)
{
    *ret_op = (struct rota_store_op){
        .kind = ROTA_STORE_OP_PUT,
        .put = {
            .key = rota_registry_slice(request->key),
            .value = rota_registry_slice(request->value),
            .lease = request->lease,
            .prev_kv = request->prev_kv,
            .ignore_value = request->ignore_value,
            .ignore_lease = request->ignore_lease,
        },
    };
}

void rota_kv_delete_op(const Etcdserverpb__DeleteRangeRequest *request, struct rota_store_op *ret_op)
{
    *ret_op = (struct rota_store_op){
        .kind = ROTA_STORE_OP_DELETE,
        .del = {
            .range = {rota_registry_slice(request->key), rota_registry_slice(request->range_end)},
            .prev_kv = request->prev_kv,
        },
    };
}

static void compare_of(const Etcdserverpb__Compare *from, struct rota_store_compare *to)
{
    *to = (struct rota_store_compare){
        .range = {rota_registry_slice(from->key), rota_registry_slice(from->range_end)},
        .target = (enum rota_store_compare_target)from->target,
        .result = (enum rota_store_compare_result)from->result,
    };
    switch (from->target_union_case) {
    case ETCDSERVERPB__COMPARE__TARGET_UNION_VALUE:
        if (from->target == ETCDSERVERPB__COMPARE__COMPARE_TARGET__VALUE)
            to->value = rota_registry_slice(from->value);
        break;
    case ETCDSERVERPB__COMPARE__TARGET_UNION__NOT_SET:
        break;
    default:
        to->number = from->version; /* the numbers share their place */
    }
}

static rota_err op_of(struct rota_arena *arena, const Etcdserverpb__RequestOp *from, struct rota_store_op *to)
{
    switch (from->request_case) {
    case ETCDSERVERPB__REQUEST_OP__REQUEST_REQUEST_RANGE:
        rota_kv_read_op(from->request_range, to);
        return 0;
    case ETCDSERVERPB__REQUEST_OP__REQUEST_REQUEST_PUT:
        rota_kv_put_op(from->request_put, to);
        return 0;
    case ETCDSERVERPB__REQUEST_OP__REQUEST_REQUEST_DELETE_RANGE:
        rota_kv_delete_op(from->request_delete_range, to);
        return 0;
    case ETCDSERVERPB__REQUEST_OP__REQUEST_REQUEST_TXN:
        return rota_kv_txn_op(arena, from->request_txn, to);
    default:
        return ROTA_EINVAL;
    }
}

static rota_err ops_of(struct rota_arena *arena, Etcdserverpb__RequestOp **from, size_t n, const struct rota_store_op **ret_ops)
{
    struct rota_store_op *ops = rota_arena_zero(arena, n, sizeof(*ops));
    rota_err err = ops == NULL ? ROTA_ENOMEM : 0;

    for (size_t i = 0; err == 0 && i < n; i++)
        err = op_of(arena, from[i], &ops[i]);
    *ret_ops = ops;
    return err;
}

rota_err rota_kv_txn_op(struct rota_arena *arena, const Etcdserverpb__TxnRequest *request, struct rota_store_op *ret_op)
{
    struct rota_store_txn *txn = rota_arena_zero(arena, 1, sizeof(*txn));
    struct rota_store_compare *compares = rota_arena_zero(arena, request->n_compare, sizeof(*compares));
    rota_err err;

    if (txn == NULL || compares == NULL)
        return ROTA_ENOMEM;
    for (size_t i = 0; i < request->n_compare; i++)
        compare_of(request->compare[i], &compares[i]);
    txn->compares = compares;
    txn->n_compares = request->n_compare;
    txn->n_success = request->n_success;
    txn->n_failure = request->n_failure;
    err = ops_of(arena, request->success, request->n_success, &txn->success);
    if (err == 0)
        err = ops_of(arena, request->failure, request->n_failure, &txn->failure);
    *ret_op = (struct rota_store_op){.kind = ROTA_STORE_OP_TXN, .txn = txn};
    return err;
}
