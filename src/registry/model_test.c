/* model_test.c - random operations on the store and on a model that keeps a full copy of every revision: both must agree.
 *
 * The seed is printed; ROTA_TEST_SEED in the environment repeats a run.
 */
#include "base/assert.h"
#include "base/rng.h"
#include "registry/store_fixture.h"
#include "testing/cmocka.h"
#include <stdio.h>
#include <stdlib.h>

#define KEYS 12
#define REVISIONS 600
#define STEPS 1500
#define WATCHES 4

struct model_kv {
    bool there;
    int value;
    int64_t create_revision, mod_revision, version, lease;
};

struct model {
    struct model_kv at[REVISIONS][KEYS]; /* by revision */
    bool touched[REVISIONS][KEYS];       /* by that revision */
    int64_t revision, compact_revision;
    bool leases[4]; /* 1..3 */
};

struct watch {
    struct rota_store_watch *watch;
    int first, end; /* keys */
    int64_t next_revision;
};

struct run {
    struct rota_rng rng;
    struct store_fixture f;
    struct model *m;
    struct watch watches[WATCHES];
};

static const char *name(int key)
{
    static char names[KEYS + 1][16];

    snprintf(names[key], sizeof(names[key]), "k%02d", key);
    return names[key];
}

static uint32_t below(struct run *r, uint32_t bound)
{
    return rota_rng_below(&r->rng, bound);
}

/* --- The model's side --- */

static struct model_kv *begin(struct model *m)
{
    struct model_kv *now = m->at[m->revision + 1];

    memcpy(now, m->at[m->revision], sizeof(m->at[0]));
    memset(m->touched[m->revision + 1], 0, sizeof(m->touched[0]));
    return now;
}

static void model_put(struct model *m, int key, int value, int64_t lease)
{
    struct model_kv *kv = &begin(m)[key];
    int64_t revision = m->revision + 1;

    *kv = (struct model_kv){true, value, kv->there ? kv->create_revision : revision, revision, kv->there ? kv->version + 1 : 1, lease};
    m->touched[revision][key] = true;
    m->revision = revision;
}

/* Deletes keys [first, end), or those of the lease. */
static int model_delete(struct model *m, int first, int end, int64_t lease)
{
    struct model_kv *now = begin(m);
    int deleted = 0;

    for (int key = first; key < end; key++) {
        if (!now[key].there || (lease != 0 && now[key].lease != lease))
            continue;
        now[key] = (struct model_kv){0};
        m->touched[m->revision + 1][key] = true;
        deleted++;
    }
    m->revision += deleted > 0;
    return deleted;
}

/* --- Comparing --- */

static struct rota_store_range keys(int first, int end)
{
    return (struct rota_store_range){.key = rota_slice_str(name(first)), .end = rota_slice_str(name(end))};
}

static void compare_kv(const struct model_kv *want, int key, const struct rota_store_kv *got)
{
    char value[16];

    snprintf(value, sizeof(value), "%d", want->value);
    assert_true(rota_slice_equal(got->key, rota_slice_str(name(key))));
    assert_true(rota_slice_equal(got->value, rota_slice_str(value)));
    assert_int_equal(got->create_revision, want->create_revision);
    assert_int_equal(got->mod_revision, want->mod_revision);
    assert_int_equal(got->version, want->version);
    assert_int_equal(got->lease, want->lease);
}

static void compare_range(struct run *r, int first, int end, int64_t revision)
{
    struct rota_store_op op = {.kind = ROTA_STORE_OP_READ, .read = {.range = keys(first, end), .revision = revision}};
    struct rota_store_op_result result;
    struct rota_status status = rota_store_do(r->f.store, &op, &r->f.arena.as_alloc, &result);
    const struct model_kv *want = r->m->at[revision == 0 ? r->m->revision : revision];
    size_t n = 0;

    if (revision != 0 && revision < r->m->compact_revision) {
        assert_int_equal(status.code, ROTA_OUT_OF_RANGE);
        return;
    }
    assert_int_equal(status.code, ROTA_OK);
    for (int key = first; key < end; key++) {
        if (!want[key].there)
            continue;
        assert_true(n < result.read.n);
        compare_kv(&want[key], key, &result.read.kvs[n++]);
    }
    assert_int_equal(n, result.read.n);
    assert_int_equal(n, result.read.count);
}

static void pull(struct run *r, struct watch *w)
{
    struct rota_store_event *events;
    int64_t compact_revision, revision = w->next_revision;
    size_t n, at = 0, max_bytes = below(r, 3) == 0 ? 1 : SIZE_MAX;
    rota_err err = rota_store_watch_pull(w->watch, max_bytes, &r->f.arena.as_alloc, &events, &n, &compact_revision);

    if (err == ROTA_ENOTFOUND) {
        assert_int_equal(compact_revision, r->m->compact_revision);
        assert_true(w->next_revision < compact_revision);
        rota_store_watch_close(w->watch);
        w->watch = NULL;
        return;
    }
    assert_int_equal(err, 0);
    for (; revision <= r->m->revision && (at < n || !rota_store_watch_pending(w->watch)); revision++) {
        for (int key = w->first; key < w->end; key++) {
            if (!r->m->touched[revision][key])
                continue;
            assert_true(at < n);
            assert_int_equal(events[at].kv.mod_revision, revision);
            assert_int_equal(events[at].deleted, !r->m->at[revision][key].there);
            assert_true(rota_slice_equal(events[at].kv.key, rota_slice_str(name(key))));
            at++;
        }
    }
    assert_int_equal(at, n);
    w->next_revision = revision;
}

/* --- Steps --- */

static void put(struct run *r)
{
    int key = (int)below(r, KEYS), value = (int)below(r, 1000);
    int64_t lease = below(r, 3) == 0 ? below(r, 4) : 0;
    char script[64];

    snprintf(script, sizeof(script), "put %s %d lease=%d", name(key), value, (int)lease);
    store_fixture_run(&r->f, script);
    if (lease == 0 || r->m->leases[lease])
        model_put(r->m, key, value, lease);
}

static void erase(struct run *r)
{
    int first = (int)below(r, KEYS), end = first + 1 + (int)below(r, 3);
    char script[64], want[32];
    int deleted;

    if (end > KEYS)
        end = KEYS;
    snprintf(script, sizeof(script), "del %s %s", name(first), name(end));
    store_fixture_run(&r->f, script);
    deleted = model_delete(r->m, first, end, 0);
    snprintf(want, sizeof(want), "d%dr%d", deleted, (int)r->m->revision);
    assert_string_equal(r->f.out, want);
}

static void lease(struct run *r)
{
    int id = 1 + (int)below(r, 3);
    char script[32];

    snprintf(script, sizeof(script), r->m->leases[id] ? "revoke %d" : "grant %d 60", id);
    store_fixture_run(&r->f, script);
    if (r->m->leases[id])
        model_delete(r->m, 0, KEYS, id);
    r->m->leases[id] = !r->m->leases[id];
}

static void compact(struct run *r)
{
    int64_t span = r->m->revision - r->m->compact_revision;
    char script[32];

    if (span < 1)
        return;
    r->m->compact_revision += 1 + below(r, (uint32_t)span);
    snprintf(script, sizeof(script), "compact %d", (int)r->m->compact_revision);
    assert_string_equal(store_fixture_run(&r->f, script), "c");
}

static void watch(struct run *r)
{
    struct watch *w = &r->watches[below(r, WATCHES)];
    struct rota_store_watch_options options = {0};

    if (w->watch != NULL && below(r, 8) != 0) {
        pull(r, w);
        return;
    }
    rota_store_watch_close(w->watch);
    w->first = (int)below(r, KEYS);
    w->end = below(r, 2) == 0 ? w->first + 1 : KEYS;
    options.range = keys(w->first, w->end);
    if (w->end == w->first + 1)
        options.range.end = (struct rota_slice){0};
    w->next_revision = 1 + below(r, (uint32_t)r->m->revision + 1);
    options.start_revision = w->next_revision;
    assert_int_equal(rota_store_watch_open(r->f.store, &options, &w->watch), 0);
}

static void random_run(uint64_t seed)
{
    static struct model model;
    static void (*const steps[])(struct run *r) = {put, put, put, put, erase, lease, watch, watch, watch};
    struct run r = {.m = &model};

    print_message("  seed %llu\n", (unsigned long long)seed);
    memset(&model, 0, sizeof(model));
    model.revision = 1;
    rota_rng_init(&r.rng, seed);
    assert_int_equal(store_fixture_init(&r.f, NULL, NULL), 0);
    for (int i = 0; i < STEPS && model.revision < REVISIONS - 2; i++) {
        steps[below(&r, ROTA_COUNT(steps))](&r);
        if (below(&r, 40) == 0)
            compact(&r);
        assert_int_equal(rota_store_revision(r.f.store), model.revision);
        assert_int_equal(rota_store_compact_revision(r.f.store), model.compact_revision);
        compare_range(&r, 0, KEYS, 0);
        compare_range(&r, (int)below(&r, KEYS), KEYS, 1 + below(&r, (uint32_t)model.revision));
        rota_arena_reset(&r.f.arena);
    }
    for (int i = 0; i < WATCHES; i++)
        rota_store_watch_close(r.watches[i].watch);
    store_fixture_fini(&r.f);
}

static void the_store_is_as_the_model(void **unused)
{
    const char *given = getenv("ROTA_TEST_SEED");

    (void)unused;
    for (uint64_t seed = 1; given == NULL && seed <= 20; seed++)
        random_run(seed);
    if (given != NULL)
        random_run(strtoull(given, NULL, 10));
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(the_store_is_as_the_model)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
