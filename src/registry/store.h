/* store.h - what the embedded registry holds: keys with their history, leases, watches; etcd's semantics without I/O or clock.
 *
 * Vocabulary: the revision counts transactions that changed something; every change of a transaction carries its number. The
 * history keeps events (puts and deletes) from compact_revision on, so that the past can be read and watched. A lease owns keys; when it
 * ends its keys are deleted in one transaction. A watch gets the events of a range in order, from a revision on.
 * Rules: all operations of one transaction are checked before any is carried out, so one that fails changes nothing. Time is an argument.
 * Ownership: slices in results are borrowed until the next change of the store. Bounds: rota_store_limits; what goes beyond is refused.
 * Source: etcd's v3 API guarantees (KV, Watch, Lease).
 */
#ifndef ROTA_REGISTRY_STORE_H
#define ROTA_REGISTRY_STORE_H

#include <rota/alloc.h>
#include <rota/err.h>
#include <rota/slice.h>
#include <rota/status.h>

struct rota_store;
struct rota_store_watch;

struct rota_store_limits {
    size_t max_bytes;     /* keys, values and history together; 0: 1 GiB */
    size_t max_request_bytes; /* of one key and value; 0: 1.5 MiB */
    uint32_t max_ops;     /* of one transaction, nested ones counted; 0: 128 */
    uint32_t max_watches; /* 0: 100000 */
    size_t max_watch_bytes; /* keys and ends of ranges of all watches; 0: 64 MiB */
    uint32_t max_leases;  /* 0: 100000 */
    uint64_t keep_revisions; /* automatic compaction: history longer than this is cut; 0: 100000 */
};

struct rota_store_kv {
    struct rota_slice key, value;
    int64_t create_revision, mod_revision, version, lease;
};

struct rota_store_range {
    struct rota_slice key, end; /* end empty: the one key; one zero byte: from key on; else [key, end) */
};

/* --- A transaction's parts, as etcd's protocol has them --- */

enum rota_store_sort_target { ROTA_STORE_BY_KEY, ROTA_STORE_BY_VERSION, ROTA_STORE_BY_CREATE, ROTA_STORE_BY_MOD, ROTA_STORE_BY_VALUE };
enum rota_store_sort_order { ROTA_STORE_UNSORTED, ROTA_STORE_ASCENDING, ROTA_STORE_DESCENDING };

struct rota_store_read {
    struct rota_store_range range;
    int64_t limit, revision; /* 0: none; the present */
    enum rota_store_sort_order order;
    enum rota_store_sort_target target;
    bool keys_only, count_only;
    int64_t min_mod_revision, max_mod_revision, min_create_revision, max_create_revision; /* 0: none */
};

struct rota_store_read_result {
    struct rota_store_kv *kvs; /* n of them; values empty with keys_only */
    size_t n;
    int64_t count; /* in the range, whatever the limit */
    bool more;
};

struct rota_store_put {
    struct rota_slice key, value;
    int64_t lease;
    bool prev_kv, ignore_value, ignore_lease;
};

struct rota_store_delete {
    struct rota_store_range range;
    bool prev_kv;
};

enum rota_store_compare_target { ROTA_STORE_VERSION, ROTA_STORE_CREATE, ROTA_STORE_MOD, ROTA_STORE_VALUE, ROTA_STORE_LEASE };
enum rota_store_compare_result { ROTA_STORE_EQUAL, ROTA_STORE_GREATER, ROTA_STORE_LESS, ROTA_STORE_NOT_EQUAL };

struct rota_store_compare {
    struct rota_store_range range; /* every key in it must pass; of a single key that is not there, the numbers are 0 and the value fails */
    enum rota_store_compare_target target;
    enum rota_store_compare_result result;
    int64_t number;
    struct rota_slice value;
};

enum rota_store_op_kind { ROTA_STORE_OP_READ, ROTA_STORE_OP_PUT, ROTA_STORE_OP_DELETE, ROTA_STORE_OP_TXN };

struct rota_store_txn;

struct rota_store_op {
    enum rota_store_op_kind kind;
    struct rota_store_read read;
    struct rota_store_put put;
    struct rota_store_delete del;
    const struct rota_store_txn *txn;
};

struct rota_store_txn {
    const struct rota_store_compare *compares;
    size_t n_compares;
    const struct rota_store_op *success, *failure;
    size_t n_success, n_failure;
};

struct rota_store_op_result {
    enum rota_store_op_kind kind;
    struct rota_store_read_result read; /* READ; PUT and DELETE with prev_kv: what was there */
    int64_t deleted;
    bool succeeded;                       /* TXN */
    struct rota_store_op_result *results; /* TXN */
    size_t n_results;
};

/* --- Life --- */

/* id_seed makes cluster and member ids. ROTA_ENOMEM. */
rota_err rota_store_new(const struct rota_alloc *alloc, const struct rota_store_limits *limits, uint64_t id_seed, struct rota_store **ret_store);
void rota_store_free(struct rota_store *store); /* watches must be closed; NULL is fine */

int64_t rota_store_revision(const struct rota_store *store);         /* 1 when nothing has been put yet, as in etcd */
int64_t rota_store_compact_revision(const struct rota_store *store); /* 0: never compacted */
uint64_t rota_store_cluster_id(const struct rota_store *store);
uint64_t rota_store_member_id(const struct rota_store *store);
size_t rota_store_bytes(const struct rota_store *store);

/* --- Keys. Failures come as status, worded and coded as etcd's ("etcdserver: requested lease not found", OUT_OF_RANGE for a compacted
 * revision, ...), and change nothing. Results live in memory of `result_alloc` except keys and values, which are borrowed. It is to be an arena: nothing
 * is ever given back to it, whether a call succeeds or fails. */

struct rota_status rota_store_do(struct rota_store *store, const struct rota_store_op *op, const struct rota_alloc *result_alloc,
                                 struct rota_store_op_result *ret_result);
struct rota_status rota_store_compact(struct rota_store *store, int64_t revision);

/* --- Leases. id 0: the store chooses one. TTL in seconds, at least 1, at most 9000000000 as in etcd. */

struct rota_status rota_store_lease_grant(struct rota_store *store, int64_t id, int64_t ttl_seconds, int64_t now_ns, int64_t *ret_id, int64_t *ret_ttl_seconds);
struct rota_status rota_store_lease_revoke(struct rota_store *store, int64_t id);
/* 0: there is no such lease; else its TTL, which begins anew, also when it was over but not ended yet. */
int64_t rota_store_lease_keep_alive(struct rota_store *store, int64_t id, int64_t now_ns);

struct rota_store_lease_info {
    bool found;
    int64_t ttl_seconds, granted_seconds; /* what is left; what was granted */
    const struct rota_slice *keys;        /* n_keys, in memory of result_alloc; the bytes are borrowed */
    size_t n_keys;
};
rota_err rota_store_lease_look(struct rota_store *store, int64_t id, bool keys, int64_t now_ns, const struct rota_alloc *result_alloc,
                               struct rota_store_lease_info *ret_info);
/* All lease ids, ascending, in memory of result_alloc. */
rota_err rota_store_leases(struct rota_store *store, const struct rota_alloc *result_alloc, int64_t **ret_ids, size_t *ret_count);

/* Ends the leases that are over, but not very many; returns when the next tick is due (INT64_MAX: none), which is after now_ns. */
int64_t rota_store_tick(struct rota_store *store, int64_t now_ns);
int64_t rota_store_deadline_ns(const struct rota_store *store); /* the same, at any time */

/* --- Watches --- */

struct rota_store_event {
    bool deleted;
    struct rota_store_kv kv;   /* of a delete: key and mod_revision */
    struct rota_store_kv prev; /* with prev_kv, when there was one: prev.mod_revision is not 0 */
};

struct rota_store_watch_options {
    struct rota_store_range range;
    int64_t start_revision; /* 0: from the next change on */
    bool prev_kv, no_put, no_delete;
    void *user;
};

/* A watch's cursor: events are pulled. ROTA_ENOMEM, ROTA_ELIMIT (max_watches, max_watch_bytes). A start_revision before what is known is reported by the
 * first pull. */
rota_err rota_store_watch_open(struct rota_store *store, const struct rota_store_watch_options *options, struct rota_store_watch **ret_watch);
void rota_store_watch_close(struct rota_store_watch *watch); /* NULL is fine */
void *rota_store_watch_user(const struct rota_store_watch *watch);

/* All events of the next revision(s) that concern the watch, up to about max_bytes but always whole revisions; *ret_n 0: nothing now. The array is in
 * memory of result_alloc, bytes are borrowed. ROTA_ENOTFOUND: compacted, *ret_compact_revision says where to start anew; the watch is dead. */
rota_err rota_store_watch_pull(struct rota_store_watch *watch, size_t max_bytes, const struct rota_alloc *result_alloc,
                               struct rota_store_event **ret_events, size_t *ret_n, int64_t *ret_compact_revision);

/* Watches that may have something to pull since they were last returned here: take them one by one until NULL. */
struct rota_store_watch *rota_store_watch_next_ready(struct rota_store *store);

/* Takes the last pull back: the next one begins where that one did. */
void rota_store_watch_unpull(struct rota_store_watch *watch);
/* Whether a pull may bring something. */
bool rota_store_watch_pending(const struct rota_store_watch *watch);

/* --- Keeping it: what changed, for a journal --- */

struct rota_store_journal {
    /* Called inside the change, for each key put or deleted and each lease granted or ended; a failure makes the operation fail and undoes it.
     * After a failure of put, remove or lease comes abort; begin and commit clean up after themselves. */
    rota_err (*begin)(void *ctx, int64_t revision);
    rota_err (*put)(void *ctx, const struct rota_store_kv *kv);
    rota_err (*remove)(void *ctx, struct rota_slice key);
    rota_err (*lease)(void *ctx, int64_t id, int64_t granted_seconds); /* 0 seconds: ended */
    rota_err (*commit)(void *ctx);
    void (*abort)(void *ctx);
    void *ctx;
};
void rota_store_set_journal(struct rota_store *store, const struct rota_store_journal *journal);

/* Loading what a journal kept, before anything else is done: keys, leases (each gets its whole TTL from now), the revision. History before it is gone:
 * compact_revision becomes the revision, which can be read; but what happened in it is not known, so watches begin at the next one. */
rota_err rota_store_load_lease(struct rota_store *store, int64_t id, int64_t granted_seconds, int64_t now_ns);
rota_err rota_store_load_kv(struct rota_store *store, const struct rota_store_kv *kv);
rota_err rota_store_load_done(struct rota_store *store, int64_t revision, uint64_t cluster_id, uint64_t member_id);

#endif
