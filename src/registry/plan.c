/* plan.c - a transaction against the store before anything changes: which branches run, and whether what they name is there. */
#include "registry/state.h"

#include "base/alloc.h"

/* --- Comparisons --- */

static int64_t number_of(const struct rota_store_version *version, enum rota_store_compare_target target)
{
    if (version == NULL)
        return 0;
    switch (target) {
    case ROTA_STORE_VERSION:
        return version->version;
    case ROTA_STORE_CREATE:
        return version->create_revision;
    case ROTA_STORE_MOD:
        return version->mod_revision;
    default:
        return version->lease;
    }
}

static bool holds(const struct rota_store_compare *compare, const struct rota_store_version *version)
{
    int order;

    if (compare->target == ROTA_STORE_VALUE) {
        if (version == NULL)
            return false;
        order = rota_index_compare(rota_slice(version->value, version->value_size), compare->value);
    } else {
        int64_t number = number_of(version, compare->target);
        order = number < compare->number ? -1 : number > compare->number;
    }
    switch (compare->result) {
    case ROTA_STORE_EQUAL:
        return order == 0;
    case ROTA_STORE_GREATER:
        return order > 0;
    case ROTA_STORE_LESS:
        return order < 0;
    default:
        return order != 0;
    }
}

static bool compare_passes(const struct rota_store *store, const struct rota_store_compare *compare)
{
    bool any = false;

    for (struct rota_store_item *item = rota_store_range_next(store, &compare->range, NULL); item != NULL;
         item = rota_store_range_next(store, &compare->range, item)) {
        const struct rota_store_version *version = rota_store_version_at(item, INT64_MAX);
        if (version == NULL)
            continue;
        any = true;
        if (!holds(compare, version))
            return false;
    }
    return any || holds(compare, NULL);
}

static bool all_pass(const struct rota_store *store, const struct rota_store_txn *txn)
{
    for (size_t i = 0; i < txn->n_compares; i++)
        if (!compare_passes(store, &txn->compares[i]))
            return false;
    return true;
}

/* --- Operations --- */

static enum rota_fault plan_put(const struct rota_store *store, const struct rota_store_put *put, size_t *bytes)
{
    const struct rota_store_version *was = NULL;
    const struct rota_store_item *item;

    if (put->ignore_value || put->ignore_lease) {
        item = rota_store_item_of(rota_index_find(&store->index, put->key));
        was = item == NULL ? NULL : rota_store_version_at(item, INT64_MAX);
        if (was == NULL)
            return ROTA_FAULT_KEY_NOT_FOUND;
    }
    if (put->lease != 0 && rota_store_lease_find(store, put->lease) == NULL)
        return ROTA_FAULT_LEASE_NOT_FOUND;
    *bytes += rota_store_put_bytes(put->key, put->value) + (put->ignore_value ? was->value_size : 0);
    return ROTA_FAULT_NONE;
}

static enum rota_fault plan_read(const struct rota_store *store, const struct rota_store_read *read)
{
    if (read->revision > store->revision)
        return ROTA_FAULT_FUTURE_REVISION;
    return read->revision > 0 && read->revision < store->compact_revision ? ROTA_FAULT_COMPACTED : ROTA_FAULT_NONE;
}

static enum rota_fault plan_txn(const struct rota_store *store, const struct rota_store_txn *txn, const struct rota_alloc *alloc,
                                struct rota_store_op_result *result, bool *ret_writes, size_t *ret_bytes)
{
    const struct rota_store_op *ops;
    enum rota_fault fault = ROTA_FAULT_NONE;

    result->succeeded = all_pass(store, txn);
    ops = result->succeeded ? txn->success : txn->failure;
    result->n_results = result->succeeded ? txn->n_success : txn->n_failure;
    result->results = rota_alloc_zero(alloc, result->n_results, sizeof(*result->results));
    if (result->results == NULL)
        return ROTA_FAULT_NO_MEMORY;
    for (size_t i = 0; fault == ROTA_FAULT_NONE && i < result->n_results; i++)
        fault = rota_store_plan(store, &ops[i], alloc, &result->results[i], ret_writes, ret_bytes);
    return fault;
}

enum rota_fault rota_store_plan(const struct rota_store *store, const struct rota_store_op *op, const struct rota_alloc *alloc,
                                struct rota_store_op_result *ret_result, bool *ret_writes, size_t *ret_bytes)
{
    *ret_result = (struct rota_store_op_result){.kind = op->kind};
    switch (op->kind) {
    case ROTA_STORE_OP_READ:
        return plan_read(store, &op->read);
    case ROTA_STORE_OP_PUT:
        *ret_writes = true;
        return plan_put(store, &op->put, ret_bytes);
    case ROTA_STORE_OP_DELETE:
        *ret_writes = true;
        return ROTA_FAULT_NONE;
    default:
        return plan_txn(store, op->txn, alloc, ret_result, ret_writes, ret_bytes);
    }
}
