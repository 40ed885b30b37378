/* store_test.c - keys, revisions, ranges, compaction and bounds: a row a rule. */
#include "base/assert.h"
#include "registry/store_fixture.h"
#include "testing/cmocka.h"

static const struct store_case keys[] = {
    {"an empty store is at revision 1", "get a *", "none"},
    {"a put is a revision", "put a 1; get a full", "r2 a=1/2/2/1/0"},
    {"a second put counts versions", "put a 1; put a 2; get a full", "r2 r3 a=2/2/3/2/0"},
    {"an empty value is a value", "put a _; get a", "r2 a="},
    {"a key must be given", "put _ 1; get _; get _ *", "key is not provided key is not provided key is not provided"},
    {"prev_kv is what was there", "put a 1 prev; put a 2 prev", "r2 none r3 a=1"},
    {"delete counts and is a revision", "put a 1; put b 2; del a *; get a *", "r2 r3 d2r4 none"},
    {"deleting nothing is none", "put a 1; del b; del c *", "r2 d0r2 d0r2"},
    {"deleted with prev_kv", "put a 1; put b 2; del a * prev", "r2 r3 d2r4 a=1 b=2"},
    {"a key deleted and put begins anew", "put a 1; put a 2; del a; put a 3; get a full", "r2 r3 d1r4 r5 a=3/5/5/1/0"},
    {"ignore_value keeps the value", "put a 1; put a _ ignore_value; get a full", "r2 r3 a=1/2/3/2/0"},
    {"ignore_value needs the key", "put a _ ignore_value", "key not found"},
    {"ignore_value wants no value", "put a 1; put a 2 ignore_value", "r2 value is provided"},
    {"ignore_lease keeps the lease", "grant 7 9; put a 1 lease=7; put a 2 ignore_lease; get a full", "7:9 r2 r3 a=2/2/3/2/7"},
    {"ignore_lease needs the key", "put a 1 ignore_lease", "key not found"},
    {"ignore_lease wants no lease", "grant 7 9; put a 1; put a 2 lease=7 ignore_lease", "7:9 r2 lease is provided"},
    {"a refused write is no revision", "put a 1; put b 1 lease=5; put a 2", "r2 requested lease not found r3"},
};

static const struct store_case ranges[] = {
    {"a range is half open", "put a 1; put b 2; put c 3; get a c", "r2 r3 r4 a=1 b=2"},
    {"from a key on", "put a 1; put b 2; put c 3; get b *", "r2 r3 r4 b=2 c=3"},
    {"a prefix is exact", "put u/1 1; put u 2; put u0 3; get u/ +", "r2 r3 r4 u/1=1"},
    {"an end before the key is empty", "put a 1; put b 2; get b a", "r2 r3 none"},
    {"a prefix sorts before what it begins", "put ab 1; put a 2; put b 3; get a *", "r2 r3 r4 a=2 ab=1 b=3"},
    {"limit, more and count", "put a 1; put b 2; put c 3; get a * limit=2; get a * limit=3", "r2 r3 r4 a=1 b=2 ... (3) a=1 b=2 c=3"},
    {"count only", "put a 1; put b 2; get a * count", "r2 r3 (2)"},
    {"keys only", "put a 1; get a keys full", "r2 a=/2/2/1/0"},
    {"descending", "put a 1; put b 2; put c 3; get a * desc", "r2 r3 r4 c=3 b=2 a=1"},
    {"descending, then the limit", "put a 1; put b 2; put c 3; get a * desc limit=2", "r2 r3 r4 c=3 b=2 ... (3)"},
    {"by version", "put a 1; put b 2; put a 3; get a * by=version", "r2 r3 r4 b=2 a=3"},
    {"by version, keys decide ties", "put b 1; put a 2; get a * by=version", "r2 r3 a=2 b=1"},
    {"by create revision", "put b 1; put a 2; put b 3; get a * by=create", "r2 r3 r4 b=3 a=2"},
    {"by mod revision", "put b 1; put a 2; put b 3; get a * by=mod", "r2 r3 r4 a=2 b=3"},
    {"by value", "put a 2; put b 1; get a * by=value; get a * by=value desc", "r2 r3 b=1 a=2 a=2 b=1"},
    {"mod revision filters keep the count", "put a 1; put b 2; put c 3; get a * mod>=3; get a * mod<=2", "r2 r3 r4 b=2 c=3 (3) a=1 (3)"},
    {"create revision filters", "put a 1; put b 2; put a 3; get a * create>=3; get a * create<=2", "r2 r3 r4 b=2 (2) a=3 (2)"},
    {"filter, then the limit", "put a 1; put b 2; put c 3; get a * mod>=3 limit=1", "r2 r3 r4 b=2 ... (3)"},
};

static const struct store_case past[] = {
    {"a past revision", "put a 1; put a 2; get a rev=2; get a rev=3", "r2 r3 a=1 a=2"},
    {"what was deleted since is there", "put a 1; put b 2; del a; get a * rev=3; get a *", "r2 r3 d1r4 a=1 b=2 b=2"},
    {"what was put since is not", "put a 1; put b 2; get a * rev=2", "r2 r3 a=1"},
    {"the future is an error", "put a 1; get a rev=3", "r2 mvcc: required revision is a future revision"},
    {"compacted is an error", "put a 1; put a 2; put a 3; compact 3; get a rev=2; get a rev=3; get a",
     "r2 r3 r4 c mvcc: required revision has been compacted a=2 a=3"},
    {"compacting again to the same is an error", "put a 1; compact 2; compact 2; compact 1",
     "r2 c mvcc: required revision has been compacted mvcc: required revision has been compacted"},
    {"compacting the future is an error", "put a 1; compact 3", "r2 mvcc: required revision is a future revision"},
    {"compaction keeps what is", "put a 1; put b 2; put a 3; del b; compact 5; get a * full; get a * rev=5", "r2 r3 r4 d1r5 c a=3/2/4/2/0 a=3"},
    {"compaction keeps the base of what changed since", "put a 1; put a 2; put b 1; put a 3; compact 4; get a rev=4; get a * rev=5",
     "r2 r3 r4 r5 c a=2 a=3 b=1"},
    {"twice compacted", "put a 1; put a 2; compact 2; put a 3; compact 3; compact 4; get a full", "r2 r3 c r4 c c a=3/2/4/3/0"},
    {"a deleted key leaves nothing", "put a 1; del a; put b 1; compact 4; get a * rev=4", "r2 d1r3 r4 c b=1"},
};

static void the_rules_of_keys(void **unused)
{
    (void)unused;
    store_fixture_check(keys, ROTA_COUNT(keys));
    store_fixture_check(ranges, ROTA_COUNT(ranges));
    store_fixture_check(past, ROTA_COUNT(past));
}

static const struct {
    const char *rule;
    struct rota_store_limits limits;
    const char *script, *want;
} bounds[] = {
    {"a request above its bound", {.max_request_bytes = 10}, "put a 9x; put a 10x; put 12345678901 1", "r2 request is too large request is too large"},
    {"a full store refuses puts", {.max_bytes = 4000}, "put a 2000x; put b 2000x; put c _; get a * count", "r2 mvcc: database space exceeded r3 (2)"},
    {"history makes room before a put is refused", {.max_bytes = 4000}, "put a 1000x; put a 1001x; put a 1002x; put a 1003x; get a; get a rev=2",
     "r2 r3 r4 r5 a=1003x mvcc: required revision has been compacted"},
    {"a full store takes deletes, and puts afterwards", {.max_bytes = 4000}, "put a 3000x; put b 1000x; del a; put b 1000x",
     "r2 mvcc: database space exceeded d1r3 r4"},
    {"history is cut at its length", {.keep_revisions = 2}, "put a 1; put a 2; put a 3; put a 4; put a 5; get a rev=2; get a rev=3",
     "r2 r3 r4 r5 r6 mvcc: required revision has been compacted a=2"},
    {"leases have a bound", {.max_leases = 1}, "grant 1 5; grant 2 5; revoke 1; grant 2 5", "1:5 registry: too many leases r1 2:5"},
    {"watches have a bound", {.max_watches = 1}, "watch A a; watch B b; close A; watch B b", "ROTA_ELIMIT"},
    {"so have their keys", {.max_watch_bytes = 8}, "watch A aaaa; watch B bbb; watch C cc; close A; watch C cc; watch D aaa; watch E f", "ROTA_ELIMIT ROTA_ELIMIT"},
    {"and the ends of their ranges", {.max_watch_bytes = 8}, "watch A aaaa bbbb; watch B b; close A; watch B bbbb cccc; watch C c", "ROTA_ELIMIT ROTA_ELIMIT"},
    {"one that alone is too large is refused", {.max_watch_bytes = 8}, "watch A aaaaaaaaa; watch A aaaaaaaa", "ROTA_ELIMIT"},
};

static void bounds_are_kept(void **unused)
{
    (void)unused;
    for (size_t i = 0; i < ROTA_COUNT(bounds); i++) {
        struct store_fixture f;
        print_message("  %s\n", bounds[i].rule);
        assert_int_equal(store_fixture_init(&f, NULL, &bounds[i].limits), 0);
        assert_string_equal(store_fixture_run(&f, bounds[i].script), bounds[i].want);
        store_fixture_fini(&f);
    }
}

static void bytes_come_back(void **unused)
{
    struct store_fixture f;
    size_t one_key;

    (void)unused;
    assert_int_equal(store_fixture_init(&f, NULL, NULL), 0);
    assert_int_equal(rota_store_bytes(f.store), 0);
    store_fixture_run(&f, "put z 1");
    one_key = rota_store_bytes(f.store);
    assert_true(one_key > 0);
    store_fixture_run(&f, "put a 1; put b 2; put a 3; del a *; put z 2");
    assert_true(rota_store_bytes(f.store) > one_key);
    store_fixture_run(&f, "compact 6; compact 7");
    assert_int_equal(rota_store_bytes(f.store), one_key);
    store_fixture_fini(&f);
}

static void ids_follow_the_seed(void **unused)
{
    struct rota_store *a, *b, *c;

    (void)unused;
    assert_int_equal(rota_store_new(NULL, NULL, 1, &a), 0);
    assert_int_equal(rota_store_new(NULL, NULL, 1, &b), 0);
    assert_int_equal(rota_store_new(NULL, NULL, 2, &c), 0);
    assert_true(rota_store_cluster_id(a) == rota_store_cluster_id(b) && rota_store_member_id(a) == rota_store_member_id(b));
    assert_true(rota_store_cluster_id(a) != rota_store_cluster_id(c) && rota_store_cluster_id(a) != rota_store_member_id(a));
    rota_store_free(a);
    rota_store_free(b);
    rota_store_free(c);
    rota_store_free(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_rules_of_keys),
        cmocka_unit_test(bounds_are_kept),
        cmocka_unit_test(bytes_come_back),
        cmocka_unit_test(ids_follow_the_seed),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
