/* store.c - the store's life, bounds and words of refusal; the parts are listed in state.h. */
#include "registry/state.h"

#include "base/alloc.h"
#include "base/assert.h"

static void take_limits(struct rota_store_limits *limits, const struct rota_store_limits *given)
{
    *limits = given != NULL ? *given : (struct rota_store_limits){0};
    if (limits->max_bytes == 0)
        limits->max_bytes = (size_t)1 << 30;
    if (limits->max_request_bytes == 0)
        limits->max_request_bytes = 3 << 19;
    if (limits->max_ops == 0)
        limits->max_ops = 128;
    if (limits->max_watches == 0)
        limits->max_watches = 100000;
    if (limits->max_watch_bytes == 0)
        limits->max_watch_bytes = (size_t)64 << 20;
    if (limits->max_leases == 0)
        limits->max_leases = 100000;
    if (limits->keep_revisions == 0)
        limits->keep_revisions = 100000;
}

rota_err rota_store_new(const struct rota_alloc *alloc, const struct rota_store_limits *limits, uint64_t id_seed, struct rota_store **ret_store)
{
    struct rota_store *store = rota_alloc_zero(alloc, 1, sizeof(*store));

    if (store == NULL)
        return ROTA_ENOMEM;
    store->alloc = rota_alloc_or_default(alloc);
    take_limits(&store->limits, limits);
    rota_rng_init(&store->rng, id_seed);
    /* Ids are shown as signed numbers by some clients, so the sign stays clear; 0 would mean none. */
    store->cluster_id = (rota_rng_next(&store->rng) >> 1) | 1;
    store->member_id = (rota_rng_next(&store->rng) >> 1) | 1;
    store->revision = 1;
    rota_index_init(&store->index, rota_rng_next(&store->rng));
    rota_map_init(&store->leases, store->alloc, rota_rng_next(&store->rng));
    rota_heap_init(&store->expiries, store->alloc);
    rota_map_init(&store->key_watches, store->alloc, rota_rng_next(&store->rng));
    rota_list_init(&store->range_watches);
    rota_list_init(&store->ready_watches);
    *ret_store = store;
    return 0;
}

void rota_store_free(struct rota_store *store)
{
    if (store == NULL)
        return;
    ROTA_ASSERT(store->n_watches == 0);
    rota_store_history_fini(store);
    rota_store_leases_fini(store);
    rota_map_fini(&store->leases);
    rota_heap_fini(&store->expiries);
    rota_map_fini(&store->key_watches);
    rota_alloc_free(store->alloc, store);
}

int64_t rota_store_revision(const struct rota_store *store)
{
    return store->revision;
}

int64_t rota_store_compact_revision(const struct rota_store *store)
{
    return store->compact_revision;
}

uint64_t rota_store_cluster_id(const struct rota_store *store)
{
    return store->cluster_id;
}

uint64_t rota_store_member_id(const struct rota_store *store)
{
    return store->member_id;
}

size_t rota_store_bytes(const struct rota_store *store)
{
    return store->bytes;
}

void rota_store_set_journal(struct rota_store *store, const struct rota_store_journal *journal)
{
    store->has_journal = journal != NULL;
    if (journal != NULL)
        store->journal = *journal;
}

struct rota_status rota_fault_status(enum rota_fault fault)
{
    static const struct {
        enum rota_code code;
        const char *text;
    } words[] = {
        {ROTA_OK, ""},
#define ROTA_FAULT_WORDS(name, code, text) {ROTA_##code, text},
        ROTA_FAULT_MAP(ROTA_FAULT_WORDS)
#undef ROTA_FAULT_WORDS
    };
    struct rota_status status;

    rota_status_set(&status, words[fault].code, "%s", words[fault].text);
    return status;
}
