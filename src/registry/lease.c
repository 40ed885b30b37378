/* lease.c - leases: who owns which keys until when. Invariant: item->lease is NULL exactly when item->lease_link points at itself. */
#include "registry/state.h"

#include "base/alloc.h"
#include "base/assert.h"
#include <stdlib.h>

#define MAX_TTL_SECONDS INT64_C(9000000000)
#define SECOND_NS INT64_C(1000000000)
/* A full disk is not tried ten times a second. */
#define RETRY_NS (SECOND_NS / 10)
#define RETRY_MAX_NS (5 * SECOND_NS)
/* Ending a lease may wait for a disk. When many are over at once, requests have their turn after so many, keepalives of the living among them. */
#define TICK_LEASES 16
#define TICK_PAUSE_NS (SECOND_NS / 1000)

static struct rota_slice id_bytes(const int64_t *id)
{
    return rota_slice(id, sizeof(*id));
}

struct rota_store_lease *rota_store_lease_find(const struct rota_store *store, int64_t id)
{
    return rota_map_get(&store->leases, id_bytes(&id));
}

void rota_store_item_lease(struct rota_store *store, struct rota_store_item *item, int64_t id)
{
    if (item->lease != NULL) {
        item->lease->n_items--;
        rota_list_remove(&item->lease_link);
    }
    item->lease = id == 0 ? NULL : rota_store_lease_find(store, id);
    if (item->lease != NULL) {
        item->lease->n_items++;
        rota_list_append(&item->lease->items, &item->lease_link);
    }
}

/* --- Beginning and end --- */

/* 9e9 s is beyond what nanoseconds hold in 63 bits; such a lease lasts as long as they reach. */
static int64_t expiry_ns(int64_t ttl_seconds, int64_t now_ns)
{
    return ttl_seconds > (INT64_MAX - now_ns) / SECOND_NS ? INT64_MAX : now_ns + ttl_seconds * SECOND_NS;
}

static enum rota_fault add(struct rota_store *store, int64_t id, int64_t ttl_seconds, int64_t now_ns, struct rota_store_lease **ret_lease)
{
    struct rota_store_lease *lease = rota_alloc_zero(store->alloc, 1, sizeof(*lease));

    if (lease == NULL)
        return ROTA_FAULT_NO_MEMORY;
    lease->id = id;
    lease->granted_seconds = ttl_seconds;
    rota_list_init(&lease->items);
    if (rota_map_set(&store->leases, id_bytes(&lease->id), lease) < 0) {
        rota_alloc_free(store->alloc, lease);
        return ROTA_FAULT_NO_MEMORY;
    }
    if (rota_heap_set(&store->expiries, &lease->expiry, expiry_ns(ttl_seconds, now_ns)) < 0) {
        rota_map_remove(&store->leases, id_bytes(&lease->id));
        rota_alloc_free(store->alloc, lease);
        return ROTA_FAULT_NO_MEMORY;
    }
    *ret_lease = lease;
    return ROTA_FAULT_NONE;
}

static void drop(struct rota_store *store, struct rota_store_lease *lease)
{
    ROTA_ASSERT(rota_list_empty(&lease->items));
    rota_heap_remove(&store->expiries, &lease->expiry);
    rota_map_remove(&store->leases, id_bytes(&lease->id));
    rota_alloc_free(store->alloc, lease);
}

void rota_store_leases_fini(struct rota_store *store)
{
    for (struct rota_map_entry *entry = NULL; (entry = rota_map_next(&store->leases, entry)) != NULL;)
        rota_alloc_free(store->alloc, entry->value);
}

static int64_t draw_id(struct rota_store *store)
{
    int64_t id;

    do
        id = (int64_t)(rota_rng_next(&store->rng) >> 1);
    while (id == 0 || rota_store_lease_find(store, id) != NULL);
    return id;
}

struct rota_status rota_store_lease_grant(struct rota_store *store, int64_t id, int64_t ttl_seconds, int64_t now_ns, int64_t *ret_id, int64_t *ret_ttl_seconds)
{
    struct rota_store_lease *lease = NULL;
    enum rota_fault fault;

    if (ttl_seconds > MAX_TTL_SECONDS)
        return rota_fault_status(ROTA_FAULT_LEASE_TTL);
    if (id != 0 && rota_store_lease_find(store, id) != NULL)
        return rota_fault_status(ROTA_FAULT_LEASE_EXISTS);
    if (store->leases.count >= store->limits.max_leases)
        return rota_fault_status(ROTA_FAULT_TOO_MANY_LEASES);
    if (ttl_seconds < 1)
        ttl_seconds = 1;
    fault = add(store, id != 0 ? id : draw_id(store), ttl_seconds, now_ns, &lease);
    if (fault == ROTA_FAULT_NONE) {
        fault = rota_store_commit(store, lease->id, ttl_seconds);
        if (fault != ROTA_FAULT_NONE)
            drop(store, lease);
    }
    if (fault == ROTA_FAULT_NONE) {
        *ret_id = lease->id;
        *ret_ttl_seconds = ttl_seconds;
    }
    return rota_fault_status(fault);
}

static int by_key(const void *a, const void *b)
{
    const struct rota_store_item *const *x = a, *const *y = b;

    return rota_index_compare((*x)->node.key, (*y)->node.key);
}

/* The lease's items in the order of their keys; NULL: no memory. */
static struct rota_store_item **sorted_items(const struct rota_store_lease *lease, const struct rota_alloc *alloc)
{
    struct rota_store_item **items = rota_alloc_zero(alloc, lease->n_items, sizeof(*items));
    size_t n = 0;

    if (items == NULL)
        return NULL;
    for (struct rota_link *link = lease->items.next; link != &lease->items; link = link->next)
        items[n++] = ROTA_CONTAINER(link, struct rota_store_item, lease_link);
    if (n > 1)
        qsort(items, n, sizeof(struct rota_store_item *), by_key);
    return items;
}

static enum rota_fault end_lease(struct rota_store *store, struct rota_store_lease *lease)
{
    struct rota_store_item **items = sorted_items(lease, store->alloc);
    enum rota_fault fault = items == NULL ? ROTA_FAULT_NO_MEMORY : rota_store_make_room(store, 0);
    size_t n = lease->n_items;

    for (size_t i = 0; fault == ROTA_FAULT_NONE && i < n; i++)
        fault = rota_store_erase(store, items[i]);
    rota_alloc_free(store->alloc, items);
    if (fault != ROTA_FAULT_NONE)
        rota_store_undo(store);
    else
        fault = rota_store_commit(store, lease->id, 0);
    if (fault == ROTA_FAULT_NONE)
        drop(store, lease);
    return fault;
}

struct rota_status rota_store_lease_revoke(struct rota_store *store, int64_t id)
{
    struct rota_store_lease *lease = rota_store_lease_find(store, id);

    return rota_fault_status(lease == NULL ? ROTA_FAULT_LEASE_NOT_FOUND : end_lease(store, lease));
}

/* --- Time --- */

int64_t rota_store_lease_keep_alive(struct rota_store *store, int64_t id, int64_t now_ns)
{
    struct rota_store_lease *lease = rota_store_lease_find(store, id);
    rota_err err;

    if (lease == NULL)
        return 0; /* one that is over lives on if its keys are there yet: its keepalive waited for us */
    err = rota_heap_set(&store->expiries, &lease->expiry, expiry_ns(lease->granted_seconds, now_ns));
    ROTA_ASSERT(err == 0); /* a move needs no memory */
    return lease->granted_seconds;
}

int64_t rota_store_deadline_ns(const struct rota_store *store)
{
    const struct rota_heap_node *first = rota_heap_first(&store->expiries);

    if (first == NULL)
        return INT64_MAX;
    return first->key > store->next_tick_ns ? first->key : store->next_tick_ns;
}

int64_t rota_store_tick(struct rota_store *store, int64_t now_ns)
{
    struct rota_heap_node *first;
    enum rota_fault fault = ROTA_FAULT_NONE;
    unsigned ended = 0;

    while (fault == ROTA_FAULT_NONE && ended < TICK_LEASES && (first = rota_heap_first(&store->expiries)) != NULL && first->key <= now_ns) {
        fault = end_lease(store, ROTA_CONTAINER(first, struct rota_store_lease, expiry));
        ended++;
    }
    if (fault == ROTA_FAULT_NONE)
        store->retry_ns = 0;
    else
        store->retry_ns = store->retry_ns == 0 ? RETRY_NS : store->retry_ns * 2 < RETRY_MAX_NS ? store->retry_ns * 2 : RETRY_MAX_NS;
    store->next_tick_ns = now_ns + (fault == ROTA_FAULT_NONE ? TICK_PAUSE_NS : store->retry_ns);
    return rota_store_deadline_ns(store);
}

/* --- Looking --- */

rota_err rota_store_lease_look(struct rota_store *store, int64_t id, bool keys, int64_t now_ns, const struct rota_alloc *result_alloc,
                               struct rota_store_lease_info *ret_info)
{
    const struct rota_store_lease *lease = rota_store_lease_find(store, id);
    struct rota_store_lease_info info = {.found = lease != NULL && lease->expiry.key > now_ns};
    struct rota_store_item **items;
    struct rota_slice *names;

    if (info.found) {
        info.ttl_seconds = (lease->expiry.key - now_ns) / SECOND_NS;
        info.granted_seconds = lease->granted_seconds;
    }
    if (info.found && keys) {
        items = sorted_items(lease, result_alloc);
        names = rota_alloc_zero(result_alloc, lease->n_items, sizeof(*names));
        if (items == NULL || names == NULL)
            return ROTA_ENOMEM;
        for (size_t i = 0; i < lease->n_items; i++)
            names[i] = items[i]->node.key;
        info.keys = names;
        info.n_keys = lease->n_items;
    }
    *ret_info = info;
    return 0;
}

static int by_id(const void *a, const void *b)
{
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;

    return x < y ? -1 : x > y;
}

rota_err rota_store_leases(struct rota_store *store, const struct rota_alloc *result_alloc, int64_t **ret_ids, size_t *ret_count)
{
    int64_t *ids = rota_alloc_zero(result_alloc, store->leases.count, sizeof(*ids));
    size_t n = 0;

    if (ids == NULL)
        return ROTA_ENOMEM;
    for (struct rota_map_entry *entry = NULL; (entry = rota_map_next(&store->leases, entry)) != NULL;)
        ids[n++] = ((struct rota_store_lease *)entry->value)->id;
    if (n > 1)
        qsort(ids, n, sizeof(*ids), by_id);
    *ret_ids = ids;
    *ret_count = n;
    return 0;
}

rota_err rota_store_load_lease(struct rota_store *store, int64_t id, int64_t granted_seconds, int64_t now_ns)
{
    struct rota_store_lease *lease;

    return add(store, id, granted_seconds, now_ns, &lease) == ROTA_FAULT_NONE ? 0 : ROTA_ENOMEM;
}
