/* txn.c - running what check.c and plan.c let through. Operations run in order and each sees what those before it wrote. */
#include "registry/state.h"

#include "base/alloc.h"

/* What was there, for prev_kv. */
static enum rota_fault keep_previous(const struct rota_store *store, const struct rota_store_range *range, const struct rota_alloc *alloc,
                                     struct rota_store_read_result *ret_result)
{
    struct rota_store_read read = {.range = *range};

    return rota_store_read_run(store, &read, alloc, ret_result);
}

static enum rota_fault run_put(struct rota_store *store, const struct rota_store_put *put, const struct rota_alloc *alloc,
                               struct rota_store_op_result *result)
{
    const struct rota_store_item *item = rota_store_item_of(rota_index_find(&store->index, put->key));
    const struct rota_store_version *was = item == NULL ? NULL : rota_store_version_at(item, INT64_MAX);
    struct rota_store_change change = {
        .key = put->key, .value = put->value, .lease = put->lease, .mod_revision = store->revision + 1, .logged = true};

    if (put->ignore_value)
        change.value = rota_slice(was->value, was->value_size);
    if (put->ignore_lease)
        change.lease = was->lease;
    if (put->prev_kv) {
        struct rota_store_range range = {.key = put->key};
        enum rota_fault fault = keep_previous(store, &range, alloc, &result->read);
        if (fault != ROTA_FAULT_NONE)
            return fault;
    }
    return rota_store_write(store, &change);
}

static enum rota_fault run_delete(struct rota_store *store, const struct rota_store_delete *del, const struct rota_alloc *alloc,
                                  struct rota_store_op_result *result)
{
    enum rota_fault fault = del->prev_kv ? keep_previous(store, &del->range, alloc, &result->read) : ROTA_FAULT_NONE;

    for (struct rota_store_item *item = rota_store_range_next(store, &del->range, NULL); fault == ROTA_FAULT_NONE && item != NULL;
         item = rota_store_range_next(store, &del->range, item)) {
        if (rota_store_version_at(item, INT64_MAX) == NULL)
            continue;
        fault = rota_store_erase(store, item);
        result->deleted++;
    }
    return fault;
}

static enum rota_fault run(struct rota_store *store, const struct rota_store_op *op, const struct rota_alloc *alloc, struct rota_store_op_result *result)
{
    const struct rota_store_op *ops;
    enum rota_fault fault = ROTA_FAULT_NONE;

    switch (op->kind) {
    case ROTA_STORE_OP_READ:
        return rota_store_read_run(store, &op->read, alloc, &result->read);
    case ROTA_STORE_OP_PUT:
        return run_put(store, &op->put, alloc, result);
    case ROTA_STORE_OP_DELETE:
        return run_delete(store, &op->del, alloc, result);
    default:
        ops = result->succeeded ? op->txn->success : op->txn->failure;
        for (size_t i = 0; fault == ROTA_FAULT_NONE && i < result->n_results; i++)
            fault = run(store, &ops[i], alloc, &result->results[i]);
        return fault;
    }
}

/* Plans the transaction and makes room for what it writes. That may cut away a past that it reads, so then it is planned again. */
static enum rota_fault prepare(struct rota_store *store, const struct rota_store_op *op, const struct rota_alloc *alloc,
                               struct rota_store_op_result *ret_result, bool *ret_writes)
{
    int64_t compact_revision = store->compact_revision;
    size_t bytes = 0;
    enum rota_fault fault = rota_store_plan(store, op, alloc, ret_result, ret_writes, &bytes);

    if (fault == ROTA_FAULT_NONE && *ret_writes)
        fault = rota_store_make_room(store, bytes);
    if (fault == ROTA_FAULT_NONE && store->compact_revision != compact_revision)
        fault = rota_store_plan(store, op, alloc, ret_result, ret_writes, &bytes);
    return fault;
}

struct rota_status rota_store_do(struct rota_store *store, const struct rota_store_op *op, const struct rota_alloc *result_alloc,
                                 struct rota_store_op_result *ret_result)
{
    struct rota_store_op_result result;
    bool writes = false;
    enum rota_fault fault = rota_store_check(store, op, result_alloc);

    if (fault == ROTA_FAULT_NONE)
        fault = prepare(store, op, result_alloc, &result, &writes);
    if (fault == ROTA_FAULT_NONE) {
        fault = run(store, op, result_alloc, &result);
        if (fault != ROTA_FAULT_NONE)
            rota_store_undo(store);
        else if (writes)
            fault = rota_store_commit(store, 0, 0);
    }
    if (fault == ROTA_FAULT_NONE)
        *ret_result = result;
    return rota_fault_status(fault);
}
