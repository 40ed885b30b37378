/* journal.c - a store kept in LMDB: one of its transactions per change, synchronous, so what was answered is on disk.
 *
 * Databases: meta (format, revision, ids, seeds), keys (journal_record.h), leases (id to seconds). The directory's lock keeps others out
 * (journal_dir.c), so LMDB's own is off. The map is a few times as large as the store may become, so that the store's bound is met
 * first and a delete always finds pages.
 */
#include "registry/journal.h"

#include "base/alloc.h"
#include "base/errinfo.h"
#include "base/log.h"
#include "base/map.h"
#include "registry/journal_dir.h"
#include "registry/journal_record.h"
#include <errno.h>
#include <lmdb.h>
#include <stdio.h>

#define FORMAT "rota registry 1"
#define MAP_SLACK_BYTES ((size_t)64 << 20)
#define MAP_TIMES 4
#define QUIET_NS INT64_C(1000000000)

enum meta { META_REVISION, META_CLUSTER, META_MEMBER, META_SEED_0, META_SEED_1, N_META };
static const char *const meta_names[N_META] = {"revision", "cluster", "member", "seed0", "seed1"};

struct rota_registry_journal {
    const struct rota_alloc *alloc;
    const struct rota_log *log;
    const char *dir; /* follows it in its memory */
    int lock;
    MDB_env *env;
    MDB_dbi meta, keys, leases;
    MDB_txn *txn; /* of the change going on */
    int64_t (*clock)(void *arg);
    void *clock_arg;
    int64_t quiet_until_ns; /* no failure is told before; those are counted */
    uint32_t n_untold;
    uint64_t seeds[2];
};

/* --- Errors --- */

static rota_err err_of(int code)
{
    switch (code) {
    case 0:
        return 0;
    case ENOMEM:
        return ROTA_ENOMEM;
    case MDB_MAP_FULL:
    case MDB_TXN_FULL:
    case ENOSPC:
        return ROTA_ELIMIT;
    case MDB_INVALID:
    case MDB_CORRUPTED:
    case MDB_VERSION_MISMATCH:
    case MDB_PAGE_NOTFOUND:
    case MDB_INCOMPATIBLE:
    case MDB_NOTFOUND:
        return ROTA_EPARSE;
    default:
        return ROTA_EIO;
    }
}

/* For opening. */
static rota_err explain(const struct rota_registry_journal *journal, int code, struct rota_errinfo *info)
{
    rota_err err = err_of(code);

    if (code == MDB_NOTFOUND)
        return rota_errinfo_set(info, err, "%s: data.mdb is a database, but no registry's", journal->dir);
    return rota_errinfo_set(info, err, "%s: data.mdb cannot be used: %s", journal->dir, mdb_strerror(code));
}

static void tell(struct rota_registry_journal *journal, int code)
{
    int64_t now_ns = journal->clock(journal->clock_arg);
    char more[40] = "";

    if (now_ns < journal->quiet_until_ns) {
        journal->n_untold++;
        return;
    }
    if (journal->n_untold > 0)
        snprintf(more, sizeof(more), " (and %u more like it)", journal->n_untold);
    rota_log_write(journal->log, ROTA_LOG_ERROR, "registry", "%s: a change could not be kept: %s%s", journal->dir, mdb_strerror(code), more);
    journal->n_untold = 0;
    journal->quiet_until_ns = now_ns + QUIET_NS;
}

/* For changes: the store tells its client in its own words, the log gets the rest. On a full disk each of them fails. */
static rota_err report(struct rota_registry_journal *journal, int code)
{
    if (code != 0)
        tell(journal, code);
    return err_of(code);
}

/* --- Small values --- */

static MDB_val val(const void *data, size_t size)
{
    return (MDB_val){.mv_size = size, .mv_data = (void *)data};
}

static int put_number(MDB_txn *txn, MDB_dbi dbi, MDB_val key, uint64_t number)
{
    uint8_t bytes[8];
    MDB_val value = val(bytes, sizeof(bytes));

    rota_record_put64(bytes, number);
    return mdb_put(txn, dbi, &key, &value, 0);
}

static int get_number(MDB_txn *txn, MDB_dbi dbi, MDB_val key, uint64_t *ret_number)
{
    MDB_val value;
    int code = mdb_get(txn, dbi, &key, &value);

    if (code == 0 && value.mv_size != 8)
        code = MDB_CORRUPTED;
    if (code == 0)
        *ret_number = rota_record_get64(value.mv_data);
    return code;
}

static int put_meta(const struct rota_registry_journal *journal, MDB_txn *txn, enum meta which, uint64_t number)
{
    return put_number(txn, journal->meta, val(meta_names[which], strlen(meta_names[which])), number);
}

/* --- A change --- */

static rota_err begin(void *ctx, int64_t revision)
{
    struct rota_registry_journal *journal = ctx;
    int code = mdb_txn_begin(journal->env, NULL, 0, &journal->txn);

    if (code == 0) {
        code = put_meta(journal, journal->txn, META_REVISION, (uint64_t)revision);
        if (code != 0)
            mdb_txn_abort(journal->txn);
    }
    return report(journal, code);
}

static rota_err put(void *ctx, const struct rota_store_kv *kv)
{
    struct rota_registry_journal *journal = ctx;
    uint8_t bytes[ROTA_RECORD_KEY_SIZE];
    MDB_val key = val(bytes, rota_record_key(kv->key, journal->seeds, bytes));
    MDB_val record = val(NULL, rota_record_size(kv));
    int code = mdb_put(journal->txn, journal->keys, &key, &record, MDB_RESERVE);

    if (code == 0)
        rota_record_write(kv, record.mv_data);
    return report(journal, code);
}

static rota_err remove_key(void *ctx, struct rota_slice name)
{
    struct rota_registry_journal *journal = ctx;
    uint8_t bytes[ROTA_RECORD_KEY_SIZE];
    MDB_val key = val(bytes, rota_record_key(name, journal->seeds, bytes));

    return report(journal, mdb_del(journal->txn, journal->keys, &key, NULL));
}

static rota_err lease(void *ctx, int64_t id, int64_t granted_seconds)
{
    struct rota_registry_journal *journal = ctx;
    uint8_t bytes[8];
    MDB_val key = val(bytes, sizeof(bytes));

    rota_record_put64(bytes, (uint64_t)id);
    if (granted_seconds == 0)
        return report(journal, mdb_del(journal->txn, journal->leases, &key, NULL));
    return report(journal, put_number(journal->txn, journal->leases, key, (uint64_t)granted_seconds));
}

static rota_err commit(void *ctx)
{
    struct rota_registry_journal *journal = ctx;

    return report(journal, mdb_txn_commit(journal->txn));
}

static void abort_change(void *ctx)
{
    struct rota_registry_journal *journal = ctx;

    mdb_txn_abort(journal->txn);
}

/* --- Loading --- */

static int load_leases(struct rota_registry_journal *journal, MDB_txn *txn, struct rota_store *store, int64_t now_ns)
{
    MDB_cursor *cursor;
    MDB_val key, value;
    int code = mdb_cursor_open(txn, journal->leases, &cursor);

    if (code != 0)
        return code;
    while ((code = mdb_cursor_get(cursor, &key, &value, MDB_NEXT)) == 0) {
        if (key.mv_size != 8 || value.mv_size != 8)
            code = MDB_CORRUPTED;
        else if (rota_store_load_lease(store, (int64_t)rota_record_get64(key.mv_data), (int64_t)rota_record_get64(value.mv_data), now_ns) < 0)
            code = ENOMEM;
        if (code != 0)
            break;
    }
    mdb_cursor_close(cursor);
    return code == MDB_NOTFOUND ? 0 : code;
}

static int load_keys(struct rota_registry_journal *journal, MDB_txn *txn, struct rota_store *store, int64_t revision)
{
    MDB_cursor *cursor;
    MDB_val key, value;
    int code = mdb_cursor_open(txn, journal->keys, &cursor);

    if (code != 0)
        return code;
    while ((code = mdb_cursor_get(cursor, &key, &value, MDB_NEXT)) == 0) {
        struct rota_store_kv kv;
        if (rota_record_read(rota_slice(key.mv_data, key.mv_size), rota_slice(value.mv_data, value.mv_size), &kv) < 0 || kv.mod_revision > revision)
            code = MDB_CORRUPTED;
        else if (rota_store_load_kv(store, &kv) < 0)
            code = ENOMEM;
        if (code != 0)
            break;
    }
    mdb_cursor_close(cursor);
    return code == MDB_NOTFOUND ? 0 : code;
}

static rota_err load(struct rota_registry_journal *journal, MDB_txn *txn, struct rota_store *store, int64_t now_ns, struct rota_errinfo *info)
{
    uint64_t numbers[N_META];
    MDB_val key = val("format", 6), format;
    int code = mdb_get(txn, journal->meta, &key, &format);

    if (code == 0 && (format.mv_size != strlen(FORMAT) || memcmp(format.mv_data, FORMAT, format.mv_size) != 0))
        return rota_errinfo_set(info, ROTA_EPARSE, "%s: data.mdb has the format \"%.*s\", expected \"" FORMAT "\"", journal->dir,
                                format.mv_size < 40 ? (int)format.mv_size : 40, (const char *)format.mv_data);
    for (size_t i = 0; code == 0 && i < N_META; i++)
        code = get_number(txn, journal->meta, val(meta_names[i], strlen(meta_names[i])), &numbers[i]);
    if (code != 0)
        return explain(journal, code, info);
    journal->seeds[0] = numbers[META_SEED_0];
    journal->seeds[1] = numbers[META_SEED_1];
    code = load_leases(journal, txn, store, now_ns);
    if (code == 0)
        code = load_keys(journal, txn, store, (int64_t)numbers[META_REVISION]);
    if (code != 0)
        return explain(journal, code, info);
    return rota_store_load_done(store, (int64_t)numbers[META_REVISION], numbers[META_CLUSTER], numbers[META_MEMBER]);
}

/* --- Opening --- */

static int make_databases(struct rota_registry_journal *journal, MDB_txn *txn, const struct rota_store *store)
{
    uint64_t member = rota_store_member_id(store), cluster = rota_store_cluster_id(store);
    struct rota_slice ids = rota_slice(&member, sizeof(member));
    const uint64_t numbers[N_META] = {(uint64_t)rota_store_revision(store), cluster, member, rota_hash_bytes(ids, cluster), rota_hash_bytes(ids, ~cluster)};
    MDB_val key = val("format", 6), format = val(FORMAT, strlen(FORMAT));
    int code = mdb_dbi_open(txn, "meta", MDB_CREATE, &journal->meta);

    if (code == 0)
        code = mdb_dbi_open(txn, "keys", MDB_CREATE, &journal->keys);
    if (code == 0)
        code = mdb_dbi_open(txn, "leases", MDB_CREATE, &journal->leases);
    if (code == 0)
        code = mdb_put(txn, journal->meta, &key, &format, 0);
    for (size_t i = 0; code == 0 && i < N_META; i++)
        code = put_meta(journal, txn, (enum meta)i, numbers[i]);
    return code;
}

static int open_databases(struct rota_registry_journal *journal, MDB_txn *txn)
{
    int code = mdb_dbi_open(txn, "meta", 0, &journal->meta);

    if (code == 0)
        code = mdb_dbi_open(txn, "keys", 0, &journal->keys);
    return code == 0 ? mdb_dbi_open(txn, "leases", 0, &journal->leases) : code;
}

/* In one transaction: either everything is there afterwards, or nothing. */
static rota_err open_store(struct rota_registry_journal *journal, struct rota_store *store, int64_t now_ns, struct rota_errinfo *info)
{
    MDB_txn *txn;
    MDB_dbi databases; /* the unnamed one lists the others */
    MDB_stat stat;
    rota_err err = 0;
    int code = mdb_txn_begin(journal->env, NULL, 0, &txn);

    if (code != 0)
        return explain(journal, code, info);
    code = mdb_dbi_open(txn, NULL, 0, &databases);
    if (code == 0)
        code = mdb_stat(txn, databases, &stat);
    if (code == 0 && stat.ms_entries == 0)
        code = make_databases(journal, txn, store);
    else if (code == 0)
        code = open_databases(journal, txn);
    err = code != 0 ? explain(journal, code, info) : load(journal, txn, store, now_ns, info);
    if (err < 0) {
        mdb_txn_abort(txn);
        return err;
    }
    code = mdb_txn_commit(txn);
    return code != 0 ? explain(journal, code, info) : 0;
}

static rota_err open_environment(struct rota_registry_journal *journal, size_t max_bytes, struct rota_errinfo *info)
{
    MDB_envinfo found;
    MDB_stat stat;
    int code = mdb_env_create(&journal->env);

    if (code != 0)
        return explain(journal, code, info);
    code = mdb_env_set_mapsize(journal->env, max_bytes * MAP_TIMES + MAP_SLACK_BYTES);
    if (code == 0)
        code = mdb_env_set_maxdbs(journal->env, 3);
    if (code == 0)
        code = mdb_env_open(journal->env, journal->dir, MDB_NOLOCK, 0600);
    if (code == 0)
        code = mdb_env_info(journal->env, &found);
    if (code == 0)
        code = mdb_env_stat(journal->env, &stat);
    if (code != 0)
        return explain(journal, code, info);
    /* Pages beyond the end of the file would be a SIGBUS. */
    return rota_journal_dir_check_size(journal->dir, (found.me_last_pgno + 1) * stat.ms_psize, info);
}

rota_err rota_registry_journal_open(const struct rota_registry_journal_options *options, struct rota_store *store,
                                    struct rota_registry_journal **ret_journal, struct rota_errinfo *info)
{
    size_t dir_size = strlen(options->dir) + 1;
    struct rota_registry_journal *journal = rota_alloc_zero(options->alloc, 1, sizeof(*journal) + dir_size);
    struct rota_store_journal table = {.begin = begin, .put = put, .remove = remove_key, .lease = lease, .commit = commit, .abort = abort_change};
    rota_err err;

    if (journal == NULL)
        return rota_errinfo_set(info, ROTA_ENOMEM, "%s: no memory", options->dir);
    journal->alloc = options->alloc;
    journal->log = options->log;
    journal->clock = options->clock;
    journal->clock_arg = options->clock_arg;
    journal->quiet_until_ns = INT64_MIN;
    journal->dir = memcpy(journal + 1, options->dir, dir_size);
    err = rota_journal_dir_take(journal->dir, &journal->lock, info);
    if (err < 0) {
        rota_alloc_free(journal->alloc, journal);
        return err;
    }
    err = open_environment(journal, options->max_bytes, info);
    if (err == 0)
        err = open_store(journal, store, options->clock(options->clock_arg), info);
    if (err < 0) {
        rota_registry_journal_close(journal);
        return err;
    }
    table.ctx = journal;
    rota_store_set_journal(store, &table);
    *ret_journal = journal;
    return 0;
}

void rota_registry_journal_close(struct rota_registry_journal *journal)
{
    if (journal == NULL)
        return;
    if (journal->env != NULL)
        mdb_env_close(journal->env);
    rota_journal_dir_leave(journal->lock);
    rota_alloc_free(journal->alloc, journal);
}
