/* history.c - versions of keys: adding them, taking the last ones off, compaction. Vocabulary and invariants: state.h. */
#include "registry/state.h"

#include "base/alloc.h"
#include "base/assert.h"

/* --- Looking --- */

size_t rota_store_log_from(const struct rota_store *store, int64_t revision)
{
    size_t low = 0, high = store->log_count;

    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (rota_store_log_at(store, middle)->mod_revision < revision)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

struct rota_store_version *rota_store_version_at(const struct rota_store_item *item, int64_t revision)
{
    struct rota_store_version *version = item->newest;

    while (version != NULL && version->mod_revision > revision)
        version = version->older;
    return version == NULL || version->deleted ? NULL : version;
}

struct rota_store_kv rota_store_version_kv(const struct rota_store_version *version)
{
    return (struct rota_store_kv){
        .key = version->item->node.key,
        .value = rota_slice(version->value, version->value_size),
        .create_revision = version->create_revision,
        .mod_revision = version->mod_revision,
        .version = version->version,
        .lease = version->lease,
    };
}

/* --- Memory --- */

static size_t version_bytes(size_t value_size)
{
    return sizeof(struct rota_store_version) + value_size + sizeof(struct rota_store_version *);
}

static size_t item_bytes(uint8_t height, size_t key_size)
{
    return sizeof(struct rota_store_item) + height * sizeof(struct rota_index_node *) + key_size;
}

size_t rota_store_put_bytes(struct rota_slice key, struct rota_slice value)
{
    return item_bytes(ROTA_INDEX_HEIGHT, key.size) + version_bytes(value.size);
}

static struct rota_store_item *make_item(struct rota_store *store, struct rota_slice key)
{
    uint8_t height = rota_index_draw_height(&store->index);
    struct rota_store_item *item = rota_alloc_get(store->alloc, item_bytes(height, key.size));
    uint8_t *copy;

    if (item == NULL)
        return NULL;
    item->newest = NULL;
    item->lease = NULL;
    rota_list_init(&item->lease_link);
    item->node.next = (struct rota_index_node **)(item + 1);
    item->node.height = height;
    copy = (uint8_t *)(item->node.next + height);
    memcpy(copy, key.data, key.size);
    item->node.key = rota_slice(copy, key.size);
    rota_index_insert(&store->index, &item->node);
    store->bytes += item_bytes(height, key.size);
    return item;
}

static void drop_item_if_empty(struct rota_store *store, struct rota_store_item *item)
{
    if (item->newest != NULL)
        return;
    rota_store_item_lease(store, item, 0);
    rota_index_remove(&store->index, &item->node);
    store->bytes -= item_bytes(item->node.height, item->node.key.size);
    rota_alloc_free(store->alloc, item);
}

/* Takes the version out of its item's chain. */
static void drop_version(struct rota_store *store, struct rota_store_version *version)
{
    if (version->newer != NULL)
        version->newer->older = version->older;
    else
        version->item->newest = version->older;
    if (version->older != NULL)
        version->older->newer = version->newer;
    store->bytes -= version_bytes(version->value_size);
    rota_alloc_free(store->alloc, version);
}

/* Room at the log's end for one more. */
static rota_err reserve_log(struct rota_store *store)
{
    if (store->log_head + store->log_count < store->log_cap)
        return 0;
    if (store->log_head > store->log_count) {
        memcpy(store->log, store->log + store->log_head, store->log_count * sizeof(struct rota_store_version *));
        store->log_head = 0;
        return 0;
    }
    return rota_alloc_reserve(store->alloc, &store->log, &store->log_cap, store->log_head + store->log_count + 1,
                              sizeof(struct rota_store_version *));
}

static struct rota_store_version *add_version(struct rota_store *store, struct rota_store_item *item, struct rota_slice value, bool logged)
{
    struct rota_store_version *version;

    if (logged && reserve_log(store) < 0)
        return NULL;
    version = rota_alloc_get(store->alloc, sizeof(*version) + value.size);
    if (version == NULL)
        return NULL;
    *version = (struct rota_store_version){.item = item, .older = item->newest, .value_size = value.size};
    if (value.size > 0)
        memcpy(version->value, value.data, value.size);
    if (item->newest != NULL)
        item->newest->newer = version;
    item->newest = version;
    if (logged)
        store->log[store->log_head + store->log_count++] = version;
    store->bytes += version_bytes(value.size);
    return version;
}

/* --- Changing --- */

enum rota_fault rota_store_write(struct rota_store *store, const struct rota_store_change *change)
{
    struct rota_store_item *item = rota_store_item_of(rota_index_find(&store->index, change->key));
    const struct rota_store_version *was;
    struct rota_store_version *version;

    if (item == NULL)
        item = make_item(store, change->key);
    if (item == NULL)
        return ROTA_FAULT_NO_MEMORY;
    was = item->newest;
    version = add_version(store, item, change->value, change->logged);
    if (version == NULL) {
        drop_item_if_empty(store, item);
        return ROTA_FAULT_NO_MEMORY;
    }
    version->mod_revision = change->mod_revision;
    version->lease = change->lease;
    if (change->version != 0) {
        version->create_revision = change->create_revision;
        version->version = change->version;
    } else if (was == NULL || was->deleted) {
        version->create_revision = change->mod_revision;
        version->version = 1;
    } else {
        version->create_revision = was->create_revision;
        version->version = was->version + 1;
    }
    rota_store_item_lease(store, item, change->lease);
    return ROTA_FAULT_NONE;
}

enum rota_fault rota_store_erase(struct rota_store *store, struct rota_store_item *item)
{
    struct rota_store_version *version = add_version(store, item, (struct rota_slice){0}, true);

    if (version == NULL)
        return ROTA_FAULT_NO_MEMORY;
    version->mod_revision = store->revision + 1;
    version->deleted = true;
    rota_store_item_lease(store, item, 0);
    return ROTA_FAULT_NONE;
}

void rota_store_undo(struct rota_store *store)
{
    while (store->log_count > 0) {
        struct rota_store_version *version = rota_store_log_at(store, store->log_count - 1);
        struct rota_store_item *item = version->item;
        if (version->mod_revision <= store->revision)
            return;
        store->log_count--;
        drop_version(store, version);
        if (item->newest != NULL)
            rota_store_item_lease(store, item, item->newest->lease);
        drop_item_if_empty(store, item);
    }
}

void rota_store_cut(struct rota_store *store, int64_t revision)
{
    size_t done = 0, kept = 0;

    for (; done < store->log_count; done++) {
        struct rota_store_version *version = rota_store_log_at(store, done);
        struct rota_store_item *item = version->item;
        if (version->mod_revision > revision)
            break;
        while (version->older != NULL)
            drop_version(store, version->older);
        if (version->mod_revision == revision) {
            kept++; /* still news to a watch that begins there, also when it was deleted */
        } else if (version->deleted) {
            drop_version(store, version);
            drop_item_if_empty(store, item);
        }
    }
    done -= kept;
    store->log_head += done;
    store->log_count -= done;
    store->compact_revision = revision;
}

void rota_store_history_fini(struct rota_store *store)
{
    struct rota_index_node *node = store->index.first[0];

    while (node != NULL) {
        struct rota_store_item *item = rota_store_item_of(node);
        node = node->next[0];
        for (struct rota_store_version *v = item->newest, *older; v != NULL; v = older) {
            older = v->older;
            rota_alloc_free(store->alloc, v);
        }
        rota_list_remove(&item->lease_link);
        rota_alloc_free(store->alloc, item);
    }
    rota_alloc_free(store->alloc, store->log);
}
