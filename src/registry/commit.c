/* commit.c - how a write ends: the journal takes it, or it is undone; then the revision moves on and watches hear of it.
 *
 * Automatic compaction happens before a write, never after, so that results stay valid until the next change.
 */
#include "registry/state.h"

static enum rota_fault fault_of(rota_err err)
{
    switch (err) {
    case 0:
        return ROTA_FAULT_NONE;
    case ROTA_ELIMIT:
        return ROTA_FAULT_NO_SPACE;
    case ROTA_ENOMEM:
        return ROTA_FAULT_NO_MEMORY;
    default:
        return ROTA_FAULT_JOURNAL;
    }
}

static rota_err write_version(const struct rota_store_journal *journal, const struct rota_store_version *version)
{
    struct rota_store_kv kv = rota_store_version_kv(version);

    return version->deleted ? journal->remove(journal->ctx, kv.key) : journal->put(journal->ctx, &kv);
}

static rota_err write_journal(struct rota_store *store, size_t first, int64_t revision, int64_t lease_id, int64_t lease_seconds)
{
    const struct rota_store_journal *journal = &store->journal;
    rota_err err = journal->begin(journal->ctx, revision);

    if (err < 0)
        return err;
    for (size_t i = first; err == 0 && i < store->log_count; i++)
        err = write_version(journal, rota_store_log_at(store, i));
    if (err == 0 && lease_id != 0)
        err = journal->lease(journal->ctx, lease_id, lease_seconds);
    if (err < 0)
        journal->abort(journal->ctx);
    return err < 0 ? err : journal->commit(journal->ctx);
}

enum rota_fault rota_store_commit(struct rota_store *store, int64_t lease_id, int64_t lease_seconds)
{
    size_t first = rota_store_log_from(store, store->revision + 1);
    bool changed = first < store->log_count;

    if (store->has_journal && (changed || lease_id != 0)) {
        rota_err err = write_journal(store, first, store->revision + changed, lease_id, lease_seconds);
        if (err < 0) {
            rota_store_undo(store);
            return fault_of(err);
        }
    }
    if (changed)
        store->revision++;
    for (size_t i = first; i < store->log_count; i++)
        rota_store_watches_tell(store, rota_store_log_at(store, i));
    return ROTA_FAULT_NONE;
}

enum rota_fault rota_store_make_room(struct rota_store *store, size_t bytes)
{
    uint64_t age = (uint64_t)(store->revision - store->compact_revision);

    if (age > store->limits.keep_revisions)
        rota_store_cut(store, store->revision - (int64_t)store->limits.keep_revisions);
    /* Deletes always go through: they make room. */
    if (bytes == 0 || (store->bytes <= store->limits.max_bytes && bytes <= store->limits.max_bytes - store->bytes))
        return ROTA_FAULT_NONE;
    rota_store_cut(store, store->revision);
    return store->bytes <= store->limits.max_bytes && bytes <= store->limits.max_bytes - store->bytes ? ROTA_FAULT_NONE : ROTA_FAULT_NO_SPACE;
}

struct rota_status rota_store_compact(struct rota_store *store, int64_t revision)
{
    if (revision <= store->compact_revision)
        return rota_fault_status(ROTA_FAULT_COMPACTED);
    if (revision > store->revision)
        return rota_fault_status(ROTA_FAULT_FUTURE_REVISION);
    rota_store_cut(store, revision);
    return rota_fault_status(ROTA_FAULT_NONE);
}
