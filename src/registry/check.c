/* check.c - whether a transaction may run: first what can be seen of the request alone, then, along the branches that its comparisons
 * choose, what the store says. After both nothing but memory, space and the journal can stop it.
 */
#include "registry/state.h"

#include "base/alloc.h"

#define MAX_TOTAL_OPS 4096 /* in all branches of all nested transactions: bounds the search for duplicates */

/* --- Duplicate keys: within the operations that may run together, a key is put once and not deleted as well --- */

/* What the operations looked at so far touch; lists only grow, levels are told apart by where they begin. */
struct touched {
    const struct rota_alloc *alloc;
    struct rota_slice *puts;
    const struct rota_store_range **deletes;
    size_t n_puts, puts_cap, n_deletes, deletes_cap;
};

struct mark {
    size_t puts, deletes;
};

static enum rota_fault touch_deletes(struct touched *t, const struct rota_store_op *ops, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        if (ops[i].kind != ROTA_STORE_OP_DELETE)
            continue;
        if (rota_alloc_reserve(t->alloc, &t->deletes, &t->deletes_cap, t->n_deletes + 1, sizeof(*t->deletes)) < 0)
            return ROTA_FAULT_NO_MEMORY;
        t->deletes[t->n_deletes++] = &ops[i].del.range;
    }
    return ROTA_FAULT_NONE;
}

/* Is the key among puts [from.puts, to.puts) or in deletes [from.deletes, to.deletes)? */
static bool is_touched(const struct touched *t, struct rota_slice key, struct mark from, struct mark to)
{
    for (size_t i = from.puts; i < to.puts; i++)
        if (rota_slice_equal(t->puts[i], key))
            return true;
    for (size_t i = from.deletes; i < to.deletes; i++)
        if (rota_store_range_has(t->deletes[i], key))
            return true;
    return false;
}

static enum rota_fault touch(struct touched *t, const struct rota_store_op *ops, size_t n);

/* A nested transaction's branch against what stands at its side, in [from, to). */
static enum rota_fault touch_branch(struct touched *t, const struct rota_store_op *ops, size_t n, struct mark from, struct mark to)
{
    size_t first = t->n_puts, first_delete = t->n_deletes;
    enum rota_fault fault = touch(t, ops, n);

    for (size_t i = first; fault == ROTA_FAULT_NONE && i < t->n_puts; i++)
        if (is_touched(t, t->puts[i], from, to))
            fault = ROTA_FAULT_DUPLICATE_KEY;
    /* etcd lets a nested transaction delete what one before it put; here no revision has two versions of a key. */
    for (size_t i = from.puts; fault == ROTA_FAULT_NONE && i < to.puts; i++)
        if (is_touched(t, t->puts[i], (struct mark){0, first_delete}, (struct mark){0, t->n_deletes}))
            fault = ROTA_FAULT_DUPLICATE_KEY;
    return fault;
}

static enum rota_fault touch_puts(struct touched *t, const struct rota_store_op *ops, size_t n, struct mark from)
{
    for (size_t i = 0; i < n; i++) {
        if (ops[i].kind != ROTA_STORE_OP_PUT)
            continue;
        if (is_touched(t, ops[i].put.key, from, (struct mark){t->n_puts, t->n_deletes}))
            return ROTA_FAULT_DUPLICATE_KEY;
        if (rota_alloc_reserve(t->alloc, &t->puts, &t->puts_cap, t->n_puts + 1, sizeof(*t->puts)) < 0)
            return ROTA_FAULT_NO_MEMORY;
        t->puts[t->n_puts++] = ops[i].put.key;
    }
    return ROTA_FAULT_NONE;
}

static enum rota_fault touch(struct touched *t, const struct rota_store_op *ops, size_t n)
{
    struct mark from = {t->n_puts, t->n_deletes};
    enum rota_fault fault = touch_deletes(t, ops, n);

    for (size_t i = 0; fault == ROTA_FAULT_NONE && i < n; i++) {
        struct mark to = {t->n_puts, t->n_deletes};
        if (ops[i].kind != ROTA_STORE_OP_TXN)
            continue;
        /* Only one of the two branches will run, so they may touch the same keys. */
        fault = touch_branch(t, ops[i].txn->success, ops[i].txn->n_success, from, to);
        if (fault == ROTA_FAULT_NONE)
            fault = touch_branch(t, ops[i].txn->failure, ops[i].txn->n_failure, from, to);
    }
    return fault == ROTA_FAULT_NONE ? touch_puts(t, ops, n, from) : fault;
}

/* --- The request alone --- */

struct budget {
    const struct rota_store_limits *limits;
    size_t total;
};

static enum rota_fault check_put(const struct rota_store_put *put, const struct rota_store_limits *limits)
{
    if (put->key.size == 0)
        return ROTA_FAULT_EMPTY_KEY;
    if (put->ignore_value && put->value.size > 0)
        return ROTA_FAULT_VALUE_PROVIDED;
    if (put->ignore_lease && put->lease != 0)
        return ROTA_FAULT_LEASE_PROVIDED;
    if (put->key.size > limits->max_request_bytes || put->value.size > limits->max_request_bytes - put->key.size)
        return ROTA_FAULT_TOO_LARGE;
    return ROTA_FAULT_NONE;
}

static enum rota_fault check_read(const struct rota_store_read *read)
{
    if (read->range.key.size == 0)
        return ROTA_FAULT_EMPTY_KEY;
    if ((unsigned)read->order > ROTA_STORE_DESCENDING || (unsigned)read->target > ROTA_STORE_BY_VALUE)
        return ROTA_FAULT_SORT_OPTION;
    return ROTA_FAULT_NONE;
}

static enum rota_fault check_txn(const struct rota_store_txn *txn, size_t left, struct budget *budget);

/* left: how many operations a nested transaction may have on each side. */
static enum rota_fault check_op(const struct rota_store_op *op, size_t left, struct budget *budget)
{
    if (++budget->total > MAX_TOTAL_OPS)
        return ROTA_FAULT_TOO_MANY_OPS;
    switch (op->kind) {
    case ROTA_STORE_OP_READ:
        return check_read(&op->read);
    case ROTA_STORE_OP_PUT:
        return check_put(&op->put, budget->limits);
    case ROTA_STORE_OP_DELETE:
        return op->del.range.key.size == 0 ? ROTA_FAULT_EMPTY_KEY : ROTA_FAULT_NONE;
    default:
        return check_txn(op->txn, left, budget);
    }
}

static enum rota_fault check_ops(const struct rota_store_op *ops, size_t n, size_t left, struct budget *budget)
{
    enum rota_fault fault = ROTA_FAULT_NONE;

    for (size_t i = 0; fault == ROTA_FAULT_NONE && i < n; i++)
        fault = check_op(&ops[i], left, budget);
    return fault;
}

static enum rota_fault check_txn(const struct rota_store_txn *txn, size_t left, struct budget *budget)
{
    size_t most = txn->n_compares > txn->n_success ? txn->n_compares : txn->n_success;
    enum rota_fault fault;

    if (most < txn->n_failure)
        most = txn->n_failure;
    if (most > left)
        return ROTA_FAULT_TOO_MANY_OPS;
    for (size_t i = 0; i < txn->n_compares; i++)
        if (txn->compares[i].range.key.size == 0)
            return ROTA_FAULT_EMPTY_KEY;
    fault = check_ops(txn->success, txn->n_success, left - most, budget);
    return fault == ROTA_FAULT_NONE ? check_ops(txn->failure, txn->n_failure, left - most, budget) : fault;
}

enum rota_fault rota_store_check(const struct rota_store *store, const struct rota_store_op *op, const struct rota_alloc *alloc)
{
    struct budget budget = {.limits = &store->limits};
    struct touched touched = {.alloc = alloc};
    enum rota_fault fault = check_op(op, store->limits.max_ops, &budget);

    if (fault != ROTA_FAULT_NONE || op->kind != ROTA_STORE_OP_TXN)
        return fault;
    fault = touch(&touched, op->txn->success, op->txn->n_success);
    touched.n_puts = touched.n_deletes = 0;
    return fault == ROTA_FAULT_NONE ? touch(&touched, op->txn->failure, op->txn->n_failure) : fault;
}
