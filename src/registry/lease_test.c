/* lease_test.c - leases in virtual time: a row a rule. */
#include "base/assert.h"
#include "registry/store_fixture.h"
#include "testing/cmocka.h"
#include <stdio.h>

#define SECOND_NS INT64_C(1000000000)

static const struct store_case cases[] = {
    {"the store chooses an id", "grant 0 5", "some:5"},
    {"a lease exists once", "grant 1 5; grant 1 9", "1:5 lease already exists"},
    {"a TTL has an end", "grant 1 9000000001; grant 2 -5", "too large lease TTL 2:1"},
    {"ids ascend", "grant 3 5; grant 1 5; grant 2 5; leases", "3:5 1:5 2:5 3 leases 1 2 3"},
    {"a lease of an unknown id", "put a 1 lease=4; revoke 4; alive 4; look 4", "requested lease not found requested lease not found ttl0 unknown"},
    {"what is left is told", "grant 1 5; now 2; look 1", "1:5 at5 3/5"},
    {"keys of a lease, in order", "grant 1 5; put b 1 lease=1; put a 1 lease=1; look 1 keys", "1:5 r2 r3 5/5 a b"},
    {"a lease ends at its time", "grant 1 5; put a 1 lease=1; now 4; get a; now 5; get a; leases", "1:5 r2 at5 a=1 never none 0 leases"},
    {"all its keys go in one revision", "grant 1 5; put a 1 lease=1; put b 1 lease=1; watch A a *; now 5; pull A", "1:5 r2 r3 never -a@4 -b@4"},
    {"each lease is a revision", "grant 1 5; grant 2 5; put a 1 lease=1; put b 1 lease=2; watch A a *; now 6; pull A", "1:5 2:5 r2 r3 never -a@4 -b@5"},
    {"a lease without keys is no revision", "grant 1 5; now 5; put a 1", "1:5 never r2"},
    {"keeping alive begins the TTL anew", "grant 1 5; now 4; alive 1; now 8; look 1; now 9; look 1", "1:5 at5 ttl5 at9 1/5 never unknown"},
    {"one that is over is not kept alive", "grant 1 5; grant 2 9; now 5; alive 1; alive 2", "1:5 2:9 at9 ttl0 ttl9"},
    {"revoking deletes the keys", "grant 1 5; put a 1 lease=1; put b 1; revoke 1; get a *; revoke 1", "1:5 r2 r3 r4 b=1 requested lease not found"},
    {"revoking nothing is no revision", "grant 1 5; revoke 1", "1:5 r1"},
    {"a put without the lease detaches", "grant 1 5; put a 1 lease=1; put a 2; look 1 keys; now 5; get a full", "1:5 r2 r3 5/5 never a=2/2/3/2/0"},
    {"a put with another moves", "grant 1 5; grant 2 9; put a 1 lease=1; put a 2 lease=2; now 5; get a; now 9; get a", "1:5 2:9 r2 r3 at9 a=2 never none"},
    {"a deleted key leaves its lease", "grant 1 5; put a 1 lease=1; del a; look 1 keys; put a 2; now 5; get a", "1:5 r2 d1r3 5/5 r4 never a=2"},
    {"the first to end is told", "grant 1 9; grant 2 3; now 0; now 3", "1:9 2:3 at3 at9"},
};

static void the_rules_of_leases(void **unused)
{
    (void)unused;
    store_fixture_check(cases, ROTA_COUNT(cases));
}

static void the_longest_ttl_does_not_overflow(void **unused)
{
    struct store_fixture f;

    (void)unused;
    assert_int_equal(store_fixture_init(&f, NULL, NULL), 0);
    assert_string_equal(store_fixture_run(&f, "now 2000000000; grant 1 9000000000; put a 1 lease=1; now 2000000001; get a; alive 1"),
                        "never 1:9000000000 r2 never a=1 ttl9000000000");
    store_fixture_fini(&f);
}

/* Twenty leases that are over at once, as after an outage, the last by a second. */
static void mass_expiry_leaves_time_for_the_living(void **unused)
{
    struct store_fixture f;
    char script[64];

    (void)unused;
    assert_int_equal(store_fixture_init(&f, NULL, NULL), 0);
    for (int id = 1; id <= 20; id++) {
        snprintf(script, sizeof(script), "grant %d %d; put k%d 1 lease=%d", id, id < 20 ? 5 : 6, id, id);
        store_fixture_run(&f, script);
    }
    assert_string_equal(store_fixture_run(&f, "now 6; get k * count; look 20; alive 20; alive 21; look 20"), "soon (4) unknown ttl6 ttl0 6/6");
    assert_string_equal(store_fixture_run(&f, "now 6; get k *; now 12; get k *"), "at12 k20=1 never none");
    store_fixture_fini(&f);
}

/* --- A journal that keeps nothing, as on a full disk --- */

static rota_err begin(void *ctx, int64_t revision)
{
    (void)revision;
    return *(const bool *)ctx ? ROTA_ELIMIT : 0;
}

static rota_err put(void *ctx, const struct rota_store_kv *kv)
{
    (void)ctx;
    (void)kv;
    return 0;
}

static rota_err remove_key(void *ctx, struct rota_slice key)
{
    (void)ctx;
    (void)key;
    return 0;
}

static rota_err lease(void *ctx, int64_t id, int64_t granted_seconds)
{
    (void)ctx;
    (void)id;
    (void)granted_seconds;
    return 0;
}

static rota_err commit(void *ctx)
{
    (void)ctx;
    return 0;
}

static void leases_that_cannot_be_ended_are_tried_less_and_less_often(void **unused)
{
    static const int64_t want_ms[] = {100, 200, 400, 800, 1600, 3200, 5000, 5000};
    bool full = false;
    const struct rota_store_journal journal = {.begin = begin, .put = put, .remove = remove_key, .lease = lease, .commit = commit, .ctx = &full};
    struct store_fixture f;
    int64_t now_ns = 5 * SECOND_NS;

    (void)unused;
    assert_int_equal(store_fixture_init(&f, NULL, NULL), 0);
    rota_store_set_journal(f.store, &journal);
    store_fixture_run(&f, "grant 1 5; put a 1 lease=1");
    full = true;
    for (size_t i = 0; i < ROTA_COUNT(want_ms); i++) {
        int64_t next_ns = rota_store_tick(f.store, now_ns);
        assert_int_equal(next_ns - now_ns, want_ms[i] * (SECOND_NS / 1000));
        now_ns = next_ns;
    }
    full = false;
    assert_int_equal(rota_store_tick(f.store, now_ns), INT64_MAX);
    assert_string_equal(store_fixture_run(&f, "get a; grant 2 5; put a 1 lease=2"), "none 2:5 r4");
    full = true;
    now_ns += 100 * SECOND_NS;
    assert_int_equal(rota_store_tick(f.store, now_ns) - now_ns, 100 * (SECOND_NS / 1000)); /* begins anew */
    rota_store_set_journal(f.store, NULL);
    store_fixture_fini(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_rules_of_leases),
        cmocka_unit_test(the_longest_ttl_does_not_overflow),
        cmocka_unit_test(mass_expiry_leaves_time_for_the_living),
        cmocka_unit_test(leases_that_cannot_be_ended_are_tried_less_and_less_often),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
