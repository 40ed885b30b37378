/* memory_test.c - running out of memory is an error everywhere, undoes the change it hits, and leaks nothing. */
#include "base/assert.h"
#include "registry/store_fixture.h"
#include "testing/cmocka.h"

static const char *const scripts[] = {
    "put a 1; put b 2; put a 3 prev; get a *; get a * by=value desc; del a * prev; put c 1; compact 4; get c full",
    "grant 1 5; grant 0 5; put a 1 lease=1; put b 1 lease=1; look 1 keys; leases; alive 1; revoke 1",
    "grant 1 5; put a 1 lease=1; now 5; get a",
    "put a 1; watch A a rev=2; watch B a; watch C a * prev; put a 2; put b 1; pull A; pull B; unpull B; pull B; pull C; close A; close C",
};

static rota_err run_script(const struct rota_alloc *alloc, void *ctx)
{
    struct store_fixture f;
    rota_err err = store_fixture_init(&f, alloc, NULL);

    if (err == 0) {
        store_fixture_run(&f, ctx);
        err = f.out_of_memory ? ROTA_ENOMEM : 0;
    } else {
        f.store = NULL;
    }
    store_fixture_fini(&f);
    return err;
}

static void every_allocation_may_fail(void **unused)
{
    (void)unused;
    for (size_t i = 0; i < ROTA_COUNT(scripts); i++)
        assert_true(rota_alloc_sweep(run_script, (void *)scripts[i]) > 5);
}

static struct rota_status three_puts(struct store_fixture *f)
{
    static const struct rota_store_op puts[] = {
        {.kind = ROTA_STORE_OP_PUT, .put = {.key = {(const uint8_t *)"a", 1}, .value = {(const uint8_t *)"new", 3}}},
        {.kind = ROTA_STORE_OP_PUT, .put = {.key = {(const uint8_t *)"b", 1}, .value = {(const uint8_t *)"new", 3}}},
        {.kind = ROTA_STORE_OP_PUT, .put = {.key = {(const uint8_t *)"c", 1}, .value = {(const uint8_t *)"new", 3}}},
    };
    static const struct rota_store_txn txn = {.success = puts, .n_success = 3};
    struct rota_store_op op = {.kind = ROTA_STORE_OP_TXN, .txn = &txn};
    struct rota_store_op_result result;

    return rota_store_do(f->store, &op, &f->arena.as_alloc, &result);
}

/* Whatever fails, a transaction happens whole or not at all, and the store goes on. */
static void a_change_is_undone_whole(void **unused)
{
    bool failing = true;

    (void)unused;
    for (uint64_t n = 1; failing; n++) {
        struct store_fixture f;
        struct rota_status status;
        size_t bytes;
        assert_int_equal(store_fixture_init(&f, NULL, NULL), 0);
        store_fixture_run(&f, "grant 1 9; put a old lease=1; put b old; del b; watch A a *");
        bytes = rota_store_bytes(f.store);
        f.leaks.failed = false;
        rota_leak_alloc_fail_nth(&f.leaks, n);
        status = three_puts(&f);
        failing = f.leaks.failed;
        rota_leak_alloc_fail_nth(&f.leaks, 0);
        f.leaks.fail_at = 0;
        if (!rota_status_ok(&status)) {
            assert_true(failing);
            assert_int_equal(status.code, ROTA_RESOURCE_EXHAUSTED);
            assert_int_equal(rota_store_bytes(f.store), bytes);
            assert_string_equal(store_fixture_run(&f, "get a * full; look 1 keys; pull A; ready; put d 1"), "a=old/2/2/1/1 9/9 a nothing quiet r5");
        } else {
            assert_string_equal(store_fixture_run(&f, "get a *; pull A"), "a=new b=new c=new +a@5 +b@5 +c@5");
        }
        store_fixture_fini(&f);
    }
}

/* --- A journal that fails --- */

struct failing {
    int calls, fail_at;
    int open;
};

static rota_err step(struct failing *j)
{
    return ++j->calls == j->fail_at ? ROTA_EIO : 0;
}

static rota_err begin(void *ctx, int64_t revision)
{
    struct failing *j = ctx;
    rota_err err = step(j);

    (void)revision;
    j->open += err == 0;
    return err;
}

static rota_err put(void *ctx, const struct rota_store_kv *kv)
{
    (void)kv;
    return step(ctx);
}

static rota_err remove_key(void *ctx, struct rota_slice key)
{
    (void)key;
    return step(ctx);
}

static rota_err lease(void *ctx, int64_t id, int64_t granted_seconds)
{
    (void)id;
    (void)granted_seconds;
    return step(ctx);
}

static rota_err commit(void *ctx)
{
    struct failing *j = ctx;

    j->open--;
    return step(j);
}

static void abort_change(void *ctx)
{
    ((struct failing *)ctx)->open--;
}

/* Each step of the journal fails once; the store is then as it was, and the next try goes through. */
static void what_the_journal_does_not_take_is_undone(void **unused)
{
    static const char *const changes[] = {"put a new", "del a *", "grant 2 5", "revoke 1", "now 9"};

    (void)unused;
    for (size_t i = 0; i < ROTA_COUNT(changes); i++) {
        int steps = INT32_MAX;
        for (int n = 1; n <= steps; n++) {
            struct failing j = {.fail_at = n};
            struct rota_store_journal table = {begin, put, remove_key, lease, commit, abort_change, &j};
            struct store_fixture f;
            assert_int_equal(store_fixture_init(&f, NULL, NULL), 0);
            store_fixture_run(&f, "grant 1 9; put a old lease=1; put b old; watch A a *; get a *");
            rota_store_set_journal(f.store, &table);
            store_fixture_run(&f, changes[i]);
            assert_int_equal(j.open, 0);
            if (j.calls < n) {
                steps = j.calls;
            } else {
                f.now_ns = 0;
                assert_string_equal(store_fixture_run(&f, "get a * full; look 1 keys; leases; pull A"), "a=old/2/2/1/1 b=old/3/3/1/0 9/9 a 1 leases 1 nothing");
                store_fixture_run(&f, changes[i]);
                assert_int_equal(j.open, 0);
            }
            store_fixture_fini(&f);
        }
        assert_true(steps >= 3);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_allocation_may_fail),
        cmocka_unit_test(a_change_is_undone_whole),
        cmocka_unit_test(what_the_journal_does_not_take_is_undone),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
