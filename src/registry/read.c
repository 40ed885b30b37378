/* read.c - ranges of keys, now or at a past revision: filtered, sorted, cut at the limit. */
#include "registry/state.h"

#include "base/alloc.h"
#include <stdlib.h>

static bool open_ended(const struct rota_store_range *range)
{
    return range->end.size == 1 && range->end.data[0] == 0;
}

/* For keys that are not before range->key. */
static bool before_end(const struct rota_store_range *range, struct rota_slice key)
{
    if (range->end.size == 0)
        return rota_slice_equal(key, range->key);
    return open_ended(range) || rota_index_compare(key, range->end) < 0;
}

bool rota_store_range_has(const struct rota_store_range *range, struct rota_slice key)
{
    if (range->end.size == 0)
        return rota_slice_equal(key, range->key);
    return rota_index_compare(key, range->key) >= 0 && before_end(range, key);
}

struct rota_store_item *rota_store_range_next(const struct rota_store *store, const struct rota_store_range *range, struct rota_store_item *after)
{
    struct rota_index_node *node = after == NULL ? rota_index_from(&store->index, range->key) : after->node.next[0];

    return node != NULL && before_end(range, node->key) ? rota_store_item_of(node) : NULL;
}

/* --- Choosing --- */

static bool within(int64_t revision, int64_t low, int64_t high)
{
    return (low == 0 || revision >= low) && (high == 0 || revision <= high);
}

static bool passes(const struct rota_store_read *read, const struct rota_store_version *version)
{
    return within(version->mod_revision, read->min_mod_revision, read->max_mod_revision) &&
           within(version->create_revision, read->min_create_revision, read->max_create_revision);
}

/* Counts what is in the range, and what of it passes the filters; kvs NULL or room for `cap` of the latter. */
static void collect(const struct rota_store *store, const struct rota_store_read *read, struct rota_store_kv *kvs, size_t cap, size_t *ret_count,
                    size_t *ret_passed)
{
    int64_t revision = read->revision > 0 ? read->revision : INT64_MAX;
    size_t count = 0, passed = 0;

    for (struct rota_store_item *item = rota_store_range_next(store, &read->range, NULL); item != NULL;
         item = rota_store_range_next(store, &read->range, item)) {
        const struct rota_store_version *version = rota_store_version_at(item, revision);
        if (version == NULL)
            continue;
        count++;
        if (!passes(read, version))
            continue;
        if (kvs != NULL) {
            if (passed == cap)
                break;
            kvs[passed] = rota_store_version_kv(version);
        }
        passed++;
    }
    *ret_count = count;
    *ret_passed = passed;
}

/* --- Sorting: ascending, keys decide ties; descending is the reverse. --- */

static int by_number(int64_t a, int64_t b, const struct rota_store_kv *x, const struct rota_store_kv *y)
{
    if (a != b)
        return a < b ? -1 : 1;
    return rota_index_compare(x->key, y->key);
}

static int by_version(const void *a, const void *b)
{
    const struct rota_store_kv *x = a, *y = b;

    return by_number(x->version, y->version, x, y);
}

static int by_create(const void *a, const void *b)
{
    const struct rota_store_kv *x = a, *y = b;

    return by_number(x->create_revision, y->create_revision, x, y);
}

static int by_mod(const void *a, const void *b)
{
    const struct rota_store_kv *x = a, *y = b;

    return by_number(x->mod_revision, y->mod_revision, x, y);
}

static int by_value(const void *a, const void *b)
{
    const struct rota_store_kv *x = a, *y = b;

    return by_number(rota_index_compare(x->value, y->value), 0, x, y);
}

static void sort(const struct rota_store_read *read, struct rota_store_kv *kvs, size_t n)
{
    static int (*const orders[])(const void *a, const void *b) = {NULL, by_version, by_create, by_mod, by_value};

    if (n > 1 && orders[read->target] != NULL)
        qsort(kvs, n, sizeof(*kvs), orders[read->target]);
    if (read->order != ROTA_STORE_DESCENDING)
        return;
    for (size_t i = 0; i < n / 2; i++) {
        struct rota_store_kv swapped = kvs[i];
        kvs[i] = kvs[n - 1 - i];
        kvs[n - 1 - i] = swapped;
    }
}

enum rota_fault rota_store_read_run(const struct rota_store *store, const struct rota_store_read *read, const struct rota_alloc *alloc,
                                    struct rota_store_read_result *ret_result)
{
    struct rota_store_read_result result = {0};
    bool sorted = read->target != ROTA_STORE_BY_KEY || read->order == ROTA_STORE_DESCENDING;
    size_t count, passed, wanted, ignored;

    collect(store, read, NULL, 0, &count, &passed);
    result.count = (int64_t)count;
    if (!read->count_only && passed > 0) {
        bool cut = read->limit > 0 && (uint64_t)read->limit < passed;
        wanted = cut && !sorted ? (size_t)read->limit : passed;
        result.kvs = rota_alloc_zero(alloc, wanted, sizeof(*result.kvs));
        if (result.kvs == NULL)
            return ROTA_FAULT_NO_MEMORY;
        collect(store, read, result.kvs, wanted, &ignored, &ignored);
        if (sorted)
            sort(read, result.kvs, wanted);
        result.n = cut ? (size_t)read->limit : passed;
        result.more = cut;
        for (size_t i = 0; read->keys_only && i < result.n; i++)
            result.kvs[i].value = (struct rota_slice){0};
    }
    *ret_result = result;
    return ROTA_FAULT_NONE;
}
