/* watch.c - watches: cursors over the log.
 *
 * A watch is pending when the log holds something for it from next_revision on; a change makes a watch that was not pending start at that
 * change, so nothing else need be looked through. A watch of one key follows that key's versions, any other the log. Watches of one key
 * are found by the key, the others are asked one by one.
 * Invariants: a pending watch has been, or will be, returned by rota_store_watch_next_ready; next_revision is above what was pulled.
 */
#include "registry/state.h"

#include "base/alloc.h"
#include "base/assert.h"

struct rota_store_watch {
    struct rota_store *store;
    struct rota_store_watch_options options; /* its range's bytes follow the watch in its memory */
    int64_t next_revision, pulled_from;
    bool pending;
    struct rota_link peers; /* the circle of watches with this one key, or store->range_watches */
    struct rota_link ready; /* store->ready_watches */
};

static bool of_one_key(const struct rota_store_watch *watch)
{
    return watch->options.range.end.size == 0;
}

static size_t range_bytes(const struct rota_store_range *range)
{
    return range->key.size + range->end.size;
}

static bool wants(const struct rota_store_watch *watch, const struct rota_store_version *version)
{
    return version->deleted ? !watch->options.no_delete : !watch->options.no_put;
}

static void make_ready(struct rota_store_watch *watch)
{
    rota_list_remove(&watch->ready);
    rota_list_append(&watch->store->ready_watches, &watch->ready);
}

/* --- Opening and closing --- */

static rota_err enlist(struct rota_store *store, struct rota_store_watch *watch)
{
    struct rota_store_watch *peer;

    rota_list_init(&watch->peers);
    if (!of_one_key(watch)) {
        rota_list_append(&store->range_watches, &watch->peers);
        return 0;
    }
    peer = rota_map_get(&store->key_watches, watch->options.range.key);
    if (peer == NULL)
        return rota_map_set(&store->key_watches, watch->options.range.key, watch);
    rota_list_append(&peer->peers, &watch->peers);
    return 0;
}

static void delist(struct rota_store *store, struct rota_store_watch *watch)
{
    struct rota_store_watch *peer = ROTA_CONTAINER(watch->peers.next, struct rota_store_watch, peers);

    if (of_one_key(watch) && rota_map_get(&store->key_watches, watch->options.range.key) == watch) {
        if (peer == watch) {
            rota_map_remove(&store->key_watches, watch->options.range.key);
        } else {
            rota_err err = rota_map_set(&store->key_watches, peer->options.range.key, peer);
            ROTA_ASSERT(err == 0); /* replacing needs no memory */
        }
    }
    rota_list_remove(&watch->peers);
}

rota_err rota_store_watch_open(struct rota_store *store, const struct rota_store_watch_options *options, struct rota_store_watch **ret_watch)
{
    struct rota_store_range range = options->range;
    struct rota_store_watch *watch;
    uint8_t *bytes;

    if (store->n_watches >= store->limits.max_watches || range_bytes(&range) > store->limits.max_watch_bytes - store->watch_bytes)
        return ROTA_ELIMIT;
    watch = rota_alloc_get(store->alloc, sizeof(*watch) + range_bytes(&range));
    if (watch == NULL)
        return ROTA_ENOMEM;
    *watch = (struct rota_store_watch){.store = store, .options = *options};
    bytes = (uint8_t *)(watch + 1);
    memcpy(bytes, range.key.data, range.key.size);
    watch->options.range.key = rota_slice(bytes, range.key.size);
    if (range.end.size > 0)
        memcpy(bytes + range.key.size, range.end.data, range.end.size);
    watch->options.range.end = rota_slice(bytes + range.key.size, range.end.size);
    watch->next_revision = options->start_revision != 0 ? options->start_revision : store->revision + 1;
    watch->pending = watch->next_revision <= store->revision;
    rota_list_init(&watch->ready);
    if (enlist(store, watch) < 0) {
        rota_alloc_free(store->alloc, watch);
        return ROTA_ENOMEM;
    }
    if (watch->pending)
        make_ready(watch);
    store->n_watches++;
    store->watch_bytes += range_bytes(&range);
    *ret_watch = watch;
    return 0;
}

void rota_store_watch_close(struct rota_store_watch *watch)
{
    struct rota_store *store;

    if (watch == NULL)
        return;
    store = watch->store;
    delist(store, watch);
    rota_list_remove(&watch->ready);
    store->n_watches--;
    store->watch_bytes -= range_bytes(&watch->options.range);
    rota_alloc_free(store->alloc, watch);
}

void *rota_store_watch_user(const struct rota_store_watch *watch)
{
    return watch->options.user;
}

/* --- Telling --- */

static void tell(struct rota_store_watch *watch, const struct rota_store_version *version)
{
    if (version->mod_revision < watch->next_revision || !wants(watch, version))
        return;
    if (!watch->pending)
        watch->next_revision = version->mod_revision;
    watch->pending = true;
    make_ready(watch);
}

void rota_store_watches_tell(struct rota_store *store, const struct rota_store_version *version)
{
    struct rota_slice key = version->item->node.key;
    struct rota_store_watch *first = rota_map_get(&store->key_watches, key);
    struct rota_store_watch *watch = first;

    while (watch != NULL) {
        tell(watch, version);
        watch = ROTA_CONTAINER(watch->peers.next, struct rota_store_watch, peers);
        if (watch == first)
            break;
    }
    for (struct rota_link *link = store->range_watches.next; link != &store->range_watches; link = link->next) {
        watch = ROTA_CONTAINER(link, struct rota_store_watch, peers);
        if (rota_store_range_has(&watch->options.range, key))
            tell(watch, version);
    }
}

struct rota_store_watch *rota_store_watch_next_ready(struct rota_store *store)
{
    struct rota_link *link = rota_list_pop(&store->ready_watches);

    return link == NULL ? NULL : ROTA_CONTAINER(link, struct rota_store_watch, ready);
}

/* --- Pulling --- */

/* Walks what the watch may want, in order. */
struct scan {
    const struct rota_store_watch *watch;
    size_t at;                                /* in the log, of ranges */
    const struct rota_store_version *version; /* of one key: the next one */
};

static void scan_start(struct scan *scan, const struct rota_store_watch *watch)
{
    const struct rota_store *store = watch->store;
    const struct rota_store_item *item;
    const struct rota_store_version *version = NULL;

    *scan = (struct scan){.watch = watch};
    if (!of_one_key(watch)) {
        scan->at = rota_store_log_from(store, watch->next_revision);
        return;
    }
    item = rota_store_item_of(rota_index_find(&store->index, watch->options.range.key));
    for (version = item == NULL ? NULL : item->newest; version != NULL && version->mod_revision >= watch->next_revision; version = version->older)
        scan->version = version;
}

static const struct rota_store_version *scan_next(struct scan *scan)
{
    const struct rota_store_watch *watch = scan->watch;
    const struct rota_store_version *version;

    if (of_one_key(watch)) {
        do {
            version = scan->version;
            scan->version = version == NULL ? NULL : version->newer;
        } while (version != NULL && !wants(watch, version));
        return version;
    }
    while (scan->at < watch->store->log_count) {
        version = rota_store_log_at(watch->store, scan->at++);
        if (wants(watch, version) && rota_store_range_has(&watch->options.range, version->item->node.key))
            return version;
    }
    return NULL;
}

static struct rota_store_event event_of(const struct rota_store_watch *watch, const struct rota_store_version *version)
{
    struct rota_store_event event = {.deleted = version->deleted};

    if (version->deleted)
        event.kv = (struct rota_store_kv){.key = version->item->node.key, .mod_revision = version->mod_revision};
    else
        event.kv = rota_store_version_kv(version);
    if (watch->options.prev_kv && version->older != NULL && !version->older->deleted)
        event.prev = rota_store_version_kv(version->older);
    return event;
}

static size_t event_bytes(const struct rota_store_event *event)
{
    return event->kv.key.size + event->kv.value.size + event->prev.key.size + event->prev.value.size;
}

/* Where a watch may begin at the earliest. */
static int64_t oldest(const struct rota_store *store)
{
    return store->first_event > store->compact_revision ? store->first_event : store->compact_revision;
}

rota_err rota_store_watch_pull(struct rota_store_watch *watch, size_t max_bytes, const struct rota_alloc *result_alloc,
                               struct rota_store_event **ret_events, size_t *ret_n, int64_t *ret_compact_revision)
{
    struct rota_store_event *events = NULL;
    const struct rota_store_version *version = NULL;
    size_t n = 0, cap = 0, bytes = 0;
    struct scan scan;

    if (watch->pending && watch->next_revision < oldest(watch->store)) {
        *ret_compact_revision = oldest(watch->store);
        return ROTA_ENOTFOUND;
    }
    if (watch->pending) {
        scan_start(&scan, watch);
        while ((version = scan_next(&scan)) != NULL) {
            if (bytes >= max_bytes && n > 0 && version->mod_revision != events[n - 1].kv.mod_revision)
                break;
            if (rota_alloc_reserve(result_alloc, &events, &cap, n + 1, sizeof(*events)) < 0)
                return ROTA_ENOMEM;
            events[n] = event_of(watch, version);
            bytes += event_bytes(&events[n++]);
        }
        watch->pulled_from = watch->next_revision;
        watch->pending = version != NULL;
        watch->next_revision = version != NULL ? version->mod_revision : watch->store->revision + 1;
    }
    *ret_events = events;
    *ret_n = n;
    return 0;
}

void rota_store_watch_unpull(struct rota_store_watch *watch)
{
    watch->next_revision = watch->pulled_from;
    watch->pending = true;
}

bool rota_store_watch_pending(const struct rota_store_watch *watch)
{
    return watch->pending;
}
