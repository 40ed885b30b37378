/* state.h - the inside of the store (store.h), shared by its files.
 *
 * Vocabulary: an item is a key with its versions, newest first; a version is one change of a key, a put or a delete (tombstone). The log
 * lists, oldest first, all versions from the compact revision on. A version older than that lives on outside of the log as long as it
 * is what its key was at the compact revision.
 * Invariants: mod_revision falls strictly along item->newest .. older and does not fall along the log; a version is in the log exactly when its
 * mod_revision is at least compact_revision (or it came from a journal, never); an item has a version, or is just being made.
 * A write adds versions of revision + 1; it ends by making that the revision (commit.c), or by taking them off again (history.c).
 * Files: store.c (life, faults), index.c (keys in order), history.c (versions, undo, compaction), read.c (ranges), check.c (a
 * transaction before it runs), txn.c (its run), commit.c (journal, revision), lease.c, watch.c, load.c.
 */
#ifndef ROTA_REGISTRY_STATE_H
#define ROTA_REGISTRY_STATE_H

#include "base/heap.h"
#include "base/list.h"
#include "base/map.h"
#include "registry/index.h"
#include "registry/store.h"

/* Why something is refused: code and words as etcd's clients know them, and our own where etcd has none. */
#define ROTA_FAULT_MAP(X) \
    X(EMPTY_KEY, INVALID_ARGUMENT, "etcdserver: key is not provided") \
    X(KEY_NOT_FOUND, INVALID_ARGUMENT, "etcdserver: key not found") \
    X(VALUE_PROVIDED, INVALID_ARGUMENT, "etcdserver: value is provided") \
    X(LEASE_PROVIDED, INVALID_ARGUMENT, "etcdserver: lease is provided") \
    X(TOO_MANY_OPS, INVALID_ARGUMENT, "etcdserver: too many operations in txn request") \
    X(DUPLICATE_KEY, INVALID_ARGUMENT, "etcdserver: duplicate key given in txn request") \
    X(SORT_OPTION, INVALID_ARGUMENT, "etcdserver: invalid sort option") \
    X(TOO_LARGE, INVALID_ARGUMENT, "etcdserver: request is too large") \
    X(COMPACTED, OUT_OF_RANGE, "etcdserver: mvcc: required revision has been compacted") \
    X(FUTURE_REVISION, OUT_OF_RANGE, "etcdserver: mvcc: required revision is a future revision") \
    X(NO_SPACE, RESOURCE_EXHAUSTED, "etcdserver: mvcc: database space exceeded") \
    X(LEASE_NOT_FOUND, NOT_FOUND, "etcdserver: requested lease not found") \
    X(LEASE_EXISTS, FAILED_PRECONDITION, "etcdserver: lease already exists") \
    X(LEASE_TTL, OUT_OF_RANGE, "etcdserver: too large lease TTL") \
    X(TOO_MANY_LEASES, RESOURCE_EXHAUSTED, "registry: too many leases") \
    X(NO_MEMORY, RESOURCE_EXHAUSTED, "registry: out of memory") \
    X(JOURNAL, INTERNAL, "registry: the data directory cannot be written to")

enum rota_fault {
    ROTA_FAULT_NONE,
#define ROTA_FAULT_ENUM(name, code, text) ROTA_FAULT_##name,
    ROTA_FAULT_MAP(ROTA_FAULT_ENUM)
#undef ROTA_FAULT_ENUM
};

struct rota_status rota_fault_status(enum rota_fault fault);

struct rota_store_lease {
    struct rota_heap_node expiry;
    int64_t id, granted_seconds;
    struct rota_link items; /* rota_store_item.lease_link */
    size_t n_items;
};

struct rota_store_version {
    struct rota_store_item *item;
    struct rota_store_version *older, *newer;
    int64_t create_revision, mod_revision, version, lease;
    bool deleted;
    size_t value_size;
    uint8_t value[];
};

struct rota_store_item {
    struct rota_index_node node; /* links and key follow the item in its memory */
    struct rota_store_version *newest;
    struct rota_store_lease *lease; /* of the newest version, or NULL */
    struct rota_link lease_link;
};

struct rota_store {
    const struct rota_alloc *alloc;
    struct rota_store_limits limits;
    struct rota_store_journal journal;
    bool has_journal;
    uint64_t cluster_id, member_id;
    int64_t revision, compact_revision;
    int64_t first_event; /* what happened before it is unknown, since it was loaded; 0: nothing is */
    size_t bytes; /* of items, versions and the log */
    struct rota_index index;

    struct rota_store_version **log; /* log[log_head..log_head + log_count) */
    size_t log_head, log_count, log_cap;

    struct rota_map leases; /* by id, in the lease's memory */
    struct rota_heap expiries;
    int64_t next_tick_ns; /* not before */
    int64_t retry_ns;     /* how long that is after a lease that could not be ended; 0: the last could */
    struct rota_rng rng;

    struct rota_map key_watches;    /* watches of one key: any one of those with that key, its `peers` are the others */
    struct rota_link range_watches; /* all others */
    struct rota_link ready_watches;
    size_t n_watches, watch_bytes;
};

static inline struct rota_store_item *rota_store_item_of(struct rota_index_node *node)
{
    return node == NULL ? NULL : ROTA_CONTAINER(node, struct rota_store_item, node);
}

/* --- history.c --- */

static inline struct rota_store_version *rota_store_log_at(const struct rota_store *store, size_t i)
{
    return store->log[store->log_head + i];
}

size_t rota_store_log_from(const struct rota_store *store, int64_t revision); /* index of the first that is not older */
/* What the key was at the revision; NULL: it was not there. */
struct rota_store_version *rota_store_version_at(const struct rota_store_item *item, int64_t revision);
struct rota_store_kv rota_store_version_kv(const struct rota_store_version *version);
size_t rota_store_put_bytes(struct rota_slice key, struct rota_slice value); /* at most, for a put */

/* What a put writes; create_revision and version follow from what was there, when 0. */
struct rota_store_change {
    struct rota_slice key, value;
    int64_t lease, mod_revision, create_revision, version;
    bool logged;
};
enum rota_fault rota_store_write(struct rota_store *store, const struct rota_store_change *change);
enum rota_fault rota_store_erase(struct rota_store *store, struct rota_store_item *item); /* a key that is there */
void rota_store_undo(struct rota_store *store); /* takes off everything newer than the revision */
void rota_store_cut(struct rota_store *store, int64_t revision); /* compaction */
void rota_store_history_fini(struct rota_store *store);

/* --- read.c --- */

/* The first key of the range at or after the place, or NULL; `after` NULL starts. */
struct rota_store_item *rota_store_range_next(const struct rota_store *store, const struct rota_store_range *range, struct rota_store_item *after);
bool rota_store_range_has(const struct rota_store_range *range, struct rota_slice key);
enum rota_fault rota_store_read_run(const struct rota_store *store, const struct rota_store_read *read, const struct rota_alloc *alloc,
                                    struct rota_store_read_result *ret_result);

/* --- check.c --- */

enum rota_fault rota_store_check(const struct rota_store *store, const struct rota_store_op *op, const struct rota_alloc *alloc);

/* Chooses the branches and looks at what they need; *ret_writes tells whether there is a write, *ret_bytes adds up what is needed. */
enum rota_fault rota_store_plan(const struct rota_store *store, const struct rota_store_op *op, const struct rota_alloc *alloc,
                                struct rota_store_op_result *ret_result, bool *ret_writes, size_t *ret_bytes);

/* --- commit.c --- */

/* Ends a write: journal, revision, watches; on a fault everything is undone. lease_id 0: no lease changes. */
enum rota_fault rota_store_commit(struct rota_store *store, int64_t lease_id, int64_t lease_seconds);
enum rota_fault rota_store_make_room(struct rota_store *store, size_t bytes);

/* --- lease.c --- */

struct rota_store_lease *rota_store_lease_find(const struct rota_store *store, int64_t id);
void rota_store_item_lease(struct rota_store *store, struct rota_store_item *item, int64_t id); /* moves it to that lease; 0: to none */
void rota_store_leases_fini(struct rota_store *store);

/* --- watch.c --- */

void rota_store_watches_tell(struct rota_store *store, const struct rota_store_version *version);

#endif
