/* txn_test.c - transactions: comparisons, branches, what may stand together; all or nothing. */
#include "base/assert.h"
#include "registry/store_fixture.h"
#include "testing/cmocka.h"

#define S(text) {(const uint8_t *)(text), sizeof(text) - 1}
#define KEY(text) {.key = S(text)}
#define PUT(k, v) {.kind = ROTA_STORE_OP_PUT, .put = {.key = S(k), .value = S(v)}}
#define GET(k) {.kind = ROTA_STORE_OP_READ, .read = {.range = KEY(k)}}
#define DEL(k, e) {.kind = ROTA_STORE_OP_DELETE, .del = {.range = {.key = S(k), .end = S(e)}}}
#define TXN(t) {.kind = ROTA_STORE_OP_TXN, .txn = &(t)}

static void say_results(struct store_fixture *f, const struct rota_store_op_result *result)
{
    store_fixture_say(f, result->succeeded ? "then" : "else");
    for (size_t i = 0; i < result->n_results; i++) {
        const struct rota_store_op_result *r = &result->results[i];
        if (r->kind == ROTA_STORE_OP_READ)
            store_fixture_read(f, &r->read, false);
        else if (r->kind == ROTA_STORE_OP_DELETE)
            store_fixture_say(f, "d%d", (int)r->deleted);
        else if (r->kind == ROTA_STORE_OP_TXN)
            say_results(f, r);
        else
            store_fixture_say(f, "put");
    }
}

/* What the transaction gives on the store that the script made, then all keys. */
static void check_within(const char *rule, const struct rota_store_limits *limits, const char *script, const struct rota_store_txn *txn, const char *want)
{
    struct rota_store_op op = {.kind = ROTA_STORE_OP_TXN, .txn = txn};
    struct rota_store_op_result result;
    struct rota_status status;
    struct store_fixture f;

    print_message("  %s\n", rule);
    assert_int_equal(store_fixture_init(&f, NULL, limits), 0);
    store_fixture_run(&f, script);
    f.out_size = 0;
    status = rota_store_do(f.store, &op, &f.arena.as_alloc, &result);
    if (rota_status_ok(&status))
        say_results(&f, &result);
    else
        store_fixture_status(&f, &status);
    store_fixture_say(&f, "r%d", (int)rota_store_revision(f.store));
    assert_string_equal(f.out, want);
    store_fixture_fini(&f);
}

static void check(const char *rule, const char *script, const struct rota_store_txn *txn, const char *want)
{
    check_within(rule, NULL, script, txn, want);
}

/* --- Comparisons --- */

static const struct {
    const char *rule;
    struct rota_store_compare compare;
    bool want;
} compares[] = { /* on a=1 (2/3/2), b=5 (4/4/1, lease 7); c is not there */
    {"a version", {KEY("a"), ROTA_STORE_VERSION, ROTA_STORE_EQUAL, 2, {0}}, true},
    {"a version that differs", {KEY("a"), ROTA_STORE_VERSION, ROTA_STORE_NOT_EQUAL, 2, {0}}, false},
    {"a create revision", {KEY("a"), ROTA_STORE_CREATE, ROTA_STORE_LESS, 3, {0}}, true},
    {"a mod revision", {KEY("a"), ROTA_STORE_MOD, ROTA_STORE_GREATER, 3, {0}}, false},
    {"a value", {KEY("b"), ROTA_STORE_VALUE, ROTA_STORE_EQUAL, 0, S("5")}, true},
    {"a greater value", {KEY("b"), ROTA_STORE_VALUE, ROTA_STORE_GREATER, 0, S("49")}, true},
    {"a lease", {KEY("b"), ROTA_STORE_LEASE, ROTA_STORE_EQUAL, 7, {0}}, true},
    {"no lease", {KEY("a"), ROTA_STORE_LEASE, ROTA_STORE_EQUAL, 0, {0}}, true},
    {"a key that is not there has version 0", {KEY("c"), ROTA_STORE_VERSION, ROTA_STORE_EQUAL, 0, {0}}, true},
    {"and create revision 0", {KEY("c"), ROTA_STORE_CREATE, ROTA_STORE_GREATER, 0, {0}}, false},
    {"but no value, not even an empty one", {KEY("c"), ROTA_STORE_VALUE, ROTA_STORE_EQUAL, 0, S("")}, false},
    {"all of a range must pass", {{S("a"), S("c")}, ROTA_STORE_MOD, ROTA_STORE_GREATER, 3, {0}}, false},
    {"and when all do", {{S("a"), S("c")}, ROTA_STORE_MOD, ROTA_STORE_GREATER, 2, {0}}, true},
    {"an empty range is as a missing key", {{S("x"), S("z")}, ROTA_STORE_VERSION, ROTA_STORE_EQUAL, 0, {0}}, true},
};

static void comparisons_choose(void **unused)
{
    (void)unused;
    for (size_t i = 0; i < ROTA_COUNT(compares); i++) {
        struct rota_store_txn txn = {.compares = &compares[i].compare, .n_compares = 1};
        check(compares[i].rule, "put a 0; put a 1; grant 7 9; put b 5 lease=7", &txn, compares[i].want ? "then r4" : "else r4");
    }
}

/* --- Operations --- */

static void operations_run_in_order(void **unused)
{
    static const struct rota_store_op ops[] = {PUT("b", "2"), GET("b"), DEL("a", ""), GET("a"), DEL("x", "z"), PUT("c", "3")};
    static const struct rota_store_op reads[] = {GET("a"), DEL("x", "")};
    static const struct rota_store_op other[] = {PUT("a", "else")};
    static const struct rota_store_compare never = {KEY("a"), ROTA_STORE_VERSION, ROTA_STORE_EQUAL, 99, {0}};
    struct rota_store_txn txn = {.success = ops, .n_success = ROTA_COUNT(ops)};

    (void)unused;
    check("each sees what came before, all are one revision", "put a 1", &txn, "then put b=2 d1 none d0 put r3");
    txn = (struct rota_store_txn){.success = reads, .n_success = 2};
    check("nothing changed is no revision", "put a 1", &txn, "then a=1 d0 r2");
    txn = (struct rota_store_txn){.compares = &never, .n_compares = 1, .success = reads, .n_success = 2, .failure = other, .n_failure = 1};
    check("else", "put a 1", &txn, "else put r3");
    txn = (struct rota_store_txn){.n_success = 0};
    check("an empty one", "", &txn, "then r1");
}

static void nested_ones_choose_before_anything_runs(void **unused)
{
    static const struct rota_store_compare absent = {KEY("b"), ROTA_STORE_VERSION, ROTA_STORE_EQUAL, 0, {0}};
    static const struct rota_store_op then[] = {PUT("c", "then")}, or_else[] = {PUT("c", "else")};
    static const struct rota_store_txn inner = {.compares = &absent, .n_compares = 1, .success = then, .n_success = 1, .failure = or_else, .n_failure = 1};
    static const struct rota_store_op ops[] = {PUT("b", "1"), TXN(inner), GET("c")};
    struct rota_store_txn txn = {.success = ops, .n_success = 3};

    (void)unused;
    check("b is not there yet", "", &txn, "then put then put c=then r2");
    check("b is there", "put b 0", &txn, "then put else put c=else r3");
}

/* --- Refusals --- */

static void what_is_refused_changes_nothing(void **unused)
{
    static const struct rota_store_op twice[] = {PUT("a", "1"), PUT("b", "1"), PUT("a", "2")};
    static const struct rota_store_op put_and_delete[] = {PUT("b", "1"), DEL("a", "c")};
    static const struct rota_store_op two_deletes[] = {DEL("a", "c"), DEL("b", "")};
    static const struct rota_store_op empty_key[] = {PUT("b", "1"), PUT("", "1")};
    static const struct rota_store_op no_lease[] = {PUT("b", "1"), {.kind = ROTA_STORE_OP_PUT, .put = {.key = S("c"), .lease = 5}}};
    static const struct rota_store_op future[] = {PUT("b", "1"), {.kind = ROTA_STORE_OP_READ, .read = {.range = {.key = S("c")}, .revision = 99}}};
    static const struct rota_store_compare no_key = {.target = ROTA_STORE_VERSION};
    const struct {
        const char *rule;
        struct rota_store_txn txn;
        const char *want;
    } cases[] = {
        {"a key put twice", {.success = twice, .n_success = 3}, "duplicate key given in txn request r2"},
        {"also in the branch that would not run", {.failure = twice, .n_failure = 3}, "duplicate key given in txn request r2"},
        {"a key put and deleted", {.success = put_and_delete, .n_success = 2}, "duplicate key given in txn request r2"},
        {"deleting twice is fine", {.success = two_deletes, .n_success = 2}, "then d1 d0 r3"},
        {"a key must be given", {.success = empty_key, .n_success = 2}, "key is not provided r2"},
        {"in comparisons too", {.compares = &no_key, .n_compares = 1}, "key is not provided r2"},
        {"a lease that is not there", {.success = no_lease, .n_success = 2}, "requested lease not found r2"},
        {"a read of the future", {.success = future, .n_success = 2}, "mvcc: required revision is a future revision r2"},
    };

    (void)unused;
    for (size_t i = 0; i < ROTA_COUNT(cases); i++)
        check(cases[i].rule, "put a 1", &cases[i].txn, cases[i].want);
}

static void branches_do_not_meet_but_levels_do(void **unused)
{
    static const struct rota_store_op put_a[] = {PUT("a", "1")}, delete_a[] = {DEL("a", "")};
    static const struct rota_store_txn both = {.success = put_a, .n_success = 1, .failure = put_a, .n_failure = 1};
    static const struct rota_store_txn deletes = {.success = delete_a, .n_success = 1};
    static const struct rota_store_op one[] = {TXN(both)}, two[] = {TXN(both), TXN(both)}, outside[] = {TXN(both), PUT("a", "2")};
    static const struct rota_store_op deleted[] = {DEL("a", "b"), TXN(both)}, inside[] = {TXN(deletes), PUT("a", "2")};
    static const struct rota_store_op before[] = {TXN(deletes), TXN(both)}, after[] = {TXN(both), TXN(deletes)}, twice[] = {TXN(deletes), TXN(deletes)};
    const struct {
        const char *rule;
        const struct rota_store_op *ops;
        size_t n;
        const char *want;
    } cases[] = {
        {"then and else may put the same key", one, 1, "then then put r2"},
        {"two nested ones may not", two, 2, "duplicate key given in txn request r1"},
        {"nor a nested one and its parent", outside, 2, "duplicate key given in txn request r1"},
        {"nor where the parent deletes", deleted, 2, "duplicate key given in txn request r1"},
        {"nor the parent where a nested one deletes", inside, 2, "duplicate key given in txn request r1"},
        {"nor one where another deleted", before, 2, "duplicate key given in txn request r1"},
        {"nor deletes one what another put", after, 2, "duplicate key given in txn request r1"},
        {"both may delete", twice, 2, "then then d0 then d0 r1"},
    };

    (void)unused;
    for (size_t i = 0; i < ROTA_COUNT(cases); i++) {
        struct rota_store_txn txn = {.success = cases[i].ops, .n_success = cases[i].n};
        check(cases[i].rule, "", &txn, cases[i].want);
    }
}

/* The compaction that a write causes comes between the look at the transaction and its run. */
static void the_past_is_read_whole_or_refused(void **unused)
{
    static const struct rota_store_op ops[] = {PUT("b", "1"), {.kind = ROTA_STORE_OP_READ, .read = {.range = KEY("a"), .revision = 2}}};
    static const struct rota_store_op recent[] = {PUT("b", "1"), {.kind = ROTA_STORE_OP_READ, .read = {.range = KEY("a"), .revision = 3}}};
    static const struct rota_store_op full[] = {{.kind = ROTA_STORE_OP_PUT, .put = {.key = S("b"), .ignore_value = true}},
                                                {.kind = ROTA_STORE_OP_READ, .read = {.range = KEY("a"), .revision = 4}}};
    static const struct rota_store_limits short_history = {.keep_revisions = 2}, small = {.max_bytes = 4000};
    struct rota_store_txn txn = {.success = ops, .n_success = 2};

    (void)unused;
    check_within("what the write would cut away is refused", &short_history, "put a 1; put a 2; put a 3; del a", &txn,
                 "mvcc: required revision has been compacted r5");
    txn.success = recent;
    check_within("what is left is read", &short_history, "put a 1; put a 2; put a 3; del a", &txn, "then put a=2 r6");
    txn.success = full;
    check_within("so is what is cut away for want of space", &small, "put b 1000x; put a 1; put a 500x; put a 1000x; del a", &txn,
                 "mvcc: required revision has been compacted r6");
}

static void operations_are_counted(void **unused)
{
    static const struct rota_store_op get = GET("a");
    static struct rota_store_op gets[129];
    static struct rota_store_op many[129];
    struct rota_store_txn txn = {.success = gets}, inner = {.success = gets}, wide = {.success = many, .n_success = 64};

    (void)unused;
    for (size_t i = 0; i < ROTA_COUNT(gets); i++) {
        gets[i] = get;
        many[i] = (struct rota_store_op){.kind = ROTA_STORE_OP_TXN, .txn = &inner};
    }
    txn.n_success = 129;
    check("129 are too many", "", &txn, "too many operations in txn request r1");
    txn.n_success = 0;
    txn.failure = gets;
    txn.n_failure = 129;
    check("also when they would not run", "", &txn, "too many operations in txn request r1");
    inner.n_success = 65;
    check("nested ones share the bound along a path", "", &wide, "too many operations in txn request r1");
    inner.n_success = 64;
    check("and all together have one", "", &wide, "too many operations in txn request r1");
    wide.n_success = 1;
    inner.n_success = 2;
    check("within it they run", "put a 1", &wide, "then then a=1 a=1 r2");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(comparisons_choose),
        cmocka_unit_test(operations_run_in_order),
        cmocka_unit_test(nested_ones_choose_before_anything_runs),
        cmocka_unit_test(what_is_refused_changes_nothing),
        cmocka_unit_test(branches_do_not_meet_but_levels_do),
        cmocka_unit_test(the_past_is_read_whole_or_refused),
        cmocka_unit_test(operations_are_counted),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
