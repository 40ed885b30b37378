/* registry_store.c - any bytes as operations on a store: nothing breaks, what is read is in order, and what one watch was told adds up
 * to what a read shows.
 *
 * Two bytes an operation, which choose verb, key and options among few, so that they meet. A watch that a compaction overtook is opened anew
 * after a read, as a client of etcd does.
 */
#include "base/arena.h"
#include "base/assert.h"
#include "registry/index.h"
#include "registry/store.h"

#define KEYS 8
#define SECOND_NS INT64_C(1000000000)

struct fuzz {
    struct rota_store *store;
    struct rota_arena arena;
    struct rota_store_watch *watch; /* of everything, from the beginning */
    bool there[KEYS];               /* by what the watch told, or the read it was opened anew with */
    int64_t told_revision, now_ns;  /* all is told up to told_revision */
};

static const uint8_t names[KEYS + 1] = {'a', 'b', 'c', 'd', 'e', 'f', 'g', 'h', 'i'};

static struct rota_slice name(unsigned key)
{
    return rota_slice(&names[key % KEYS], 1);
}

static struct rota_store_range range(uint8_t b)
{
    struct rota_store_range r = {.key = name(b)};

    if ((b & 0x18) == 0x18)
        r.end = ROTA_SLICE("\0");
    else if ((b & 0x18) == 0x10)
        r.end = name(b >> 5);
    return r;
}

static void fill(struct rota_store_op *op, uint8_t verb, uint8_t b)
{
    *op = (struct rota_store_op){.kind = (enum rota_store_op_kind)(verb % 3)};
    op->put = (struct rota_store_put){.key = name(b), .value = rota_slice(names, b >> 5), .lease = (b >> 3) & 3, .prev_kv = (verb & 8) != 0};
    op->put.ignore_value = (verb & 16) != 0;
    op->put.ignore_lease = (verb & 32) != 0;
    op->del = (struct rota_store_delete){.range = range(b), .prev_kv = (verb & 8) != 0};
    op->read = (struct rota_store_read){.range = range(b), .limit = verb >> 6, .revision = (verb & 8) != 0 ? b : 0};
    op->read.target = (enum rota_store_sort_target)((verb >> 4) % 5);
}

static void run(struct fuzz *f, const struct rota_store_op *op)
{
    int64_t revision = rota_store_revision(f->store);
    struct rota_store_op_result result;
    struct rota_status status = rota_store_do(f->store, op, &f->arena.as_alloc, &result);

    ROTA_ASSERT(rota_status_ok(&status) || rota_store_revision(f->store) == revision);
    ROTA_ASSERT(rota_store_revision(f->store) - revision <= 1);
    if (!rota_status_ok(&status) || op->kind != ROTA_STORE_OP_READ || op->read.target != ROTA_STORE_BY_KEY)
        return;
    for (size_t i = 1; i < result.read.n; i++)
        ROTA_ASSERT(rota_index_compare(result.read.kvs[i - 1].key, result.read.kvs[i].key) < 0);
}

static void transact(struct fuzz *f, const uint8_t *data)
{
    struct rota_store_op ops[3], op = {.kind = ROTA_STORE_OP_TXN};
    struct rota_store_compare compare = {.range = range(data[0]), .target = (enum rota_store_compare_target)(data[1] % 5),
                                         .result = (enum rota_store_compare_result)(data[1] / 5 % 4), .number = data[1] >> 6};
    struct rota_store_txn txn = {.compares = &compare, .n_compares = 1, .success = ops, .n_success = 3, .failure = ops + 1, .n_failure = 2};

    for (size_t i = 0; i < 3; i++)
        fill(&ops[i], data[2 + 2 * i], data[3 + 2 * i]);
    op.txn = &txn;
    run(f, &op);
}

static void lease(struct fuzz *f, uint8_t verb, uint8_t b)
{
    int64_t id = 1 + b % 3, ttl;

    switch (verb % 4) {
    case 0:
        (void)rota_store_lease_grant(f->store, id, b >> 4, f->now_ns, &id, &ttl);
        break;
    case 1:
        (void)rota_store_lease_revoke(f->store, id);
        break;
    case 2:
        (void)rota_store_lease_keep_alive(f->store, id, f->now_ns);
        break;
    default:
        f->now_ns += b % 8 * SECOND_NS;
        ROTA_ASSERT(rota_store_tick(f->store, f->now_ns) > f->now_ns);
    }
}

static void open_watch(struct fuzz *f, int64_t from)
{
    struct rota_store_watch_options options = {.range = {ROTA_SLICE("a"), ROTA_SLICE("\0")}, .start_revision = from, .prev_kv = true};

    ROTA_ASSERT(rota_store_watch_open(f->store, &options, &f->watch) == 0);
}

static struct rota_store_read_result read_all(struct fuzz *f)
{
    struct rota_store_op op = {.kind = ROTA_STORE_OP_READ, .read = {.range = {ROTA_SLICE("a"), ROTA_SLICE("\0")}}};
    struct rota_store_op_result result;
    struct rota_status status = rota_store_do(f->store, &op, &f->arena.as_alloc, &result);

    ROTA_ASSERT(rota_status_ok(&status));
    return result.read;
}

static void begin_anew(struct fuzz *f)
{
    struct rota_store_read_result all = read_all(f);

    memset(f->there, 0, sizeof(f->there));
    for (size_t i = 0; i < all.n; i++)
        f->there[all.kvs[i].key.data[0] - 'a'] = true;
    f->told_revision = rota_store_revision(f->store);
    rota_store_watch_close(f->watch);
    open_watch(f, f->told_revision + 1);
}

static void pull(struct fuzz *f, size_t max_bytes)
{
    struct rota_store_event *events;
    int64_t compact_revision;
    size_t n;
    rota_err err = rota_store_watch_pull(f->watch, max_bytes, &f->arena.as_alloc, &events, &n, &compact_revision);

    if (err < 0) {
        ROTA_ASSERT(err == ROTA_ENOTFOUND && compact_revision > f->told_revision + 1);
        begin_anew(f);
        return;
    }
    for (size_t i = 0; i < n; i++) {
        ROTA_ASSERT(events[i].kv.mod_revision > f->told_revision || (i > 0 && events[i].kv.mod_revision == f->told_revision));
        f->told_revision = events[i].kv.mod_revision;
        f->there[events[i].kv.key.data[0] - 'a'] = !events[i].deleted;
    }
}

static void compare(struct fuzz *f)
{
    struct rota_store_read_result all;
    size_t there = 0;

    pull(f, SIZE_MAX);
    all = read_all(f);
    for (size_t i = 0; i < all.n; i++)
        ROTA_ASSERT(f->there[all.kvs[i].key.data[0] - 'a']);
    for (size_t i = 0; i < KEYS; i++)
        there += f->there[i];
    ROTA_ASSERT(there == all.n);
}

/* How many bytes it took. */
static size_t step(struct fuzz *f, const uint8_t *data, size_t size)
{
    struct rota_store_op op;

    switch (data[0] & 7) {
    case 0:
        if (size < 9)
            return 2;
        transact(f, data + 1);
        return 9;
    case 1:
        lease(f, data[0] >> 3, data[1]);
        return 2;
    case 2:
        (void)rota_store_compact(f->store, data[1]);
        return 2;
    case 3:
        pull(f, data[1]);
        return 2;
    default:
        fill(&op, data[0] >> 2, data[1]);
        run(f, &op);
        return 2;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const struct rota_store_limits limits = {.max_bytes = 6000, .keep_revisions = 100};
    struct fuzz f = {.told_revision = 1}; /* that of an empty store */

    rota_arena_init(&f.arena, NULL, 0);
    ROTA_ASSERT(rota_store_new(NULL, &limits, 1, &f.store) == 0);
    open_watch(&f, 0);
    while (size >= 2) {
        size_t took = step(&f, data, size);
        data += took;
        size -= took;
        rota_arena_reset(&f.arena);
    }
    compare(&f);
    rota_store_watch_close(f.watch);
    rota_store_free(f.store);
    rota_arena_fini(&f.arena);
    return 0;
}
