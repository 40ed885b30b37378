/* memory_test.c - running out of memory anywhere, what a list costs in allocations, and what an endpoint takes. */
#include "base/assert.h"
#include "testing/cmocka.h"
#include "testing/fake_lb.h"
#include "testing/lb_policies.h"
#include "testing/leak_alloc.h"
#include "testing/virtual_host.h"
#include <stdio.h>
#include <stdlib.h>

/* --- Every allocation fails once --- */

static bool try_list(struct rota_fake_lb *f, const char *list)
{
    rota_err err = rota_fake_lb_list(f, list);

    assert_true(err == 0 || err == ROTA_ENOMEM);
    return err == 0;
}

static void move_all(struct rota_fake_lb *f, enum rota_conn_state state)
{
    for (size_t i = 0; i < f->n_conns; i++)
        if (f->by_number[i]->n_holds > 0)
            rota_fake_lb_conn(f, f->by_number[i], state, "refused");
}

/* Lazy policies connect only when a call wants them to; those that lacked memory try again in time. */
static void bring_up(struct rota_fake_lb *f)
{
    for (int turn = 0; turn < 20; turn++) {
        struct rota_pick pick;
        move_all(f, ROTA_CONN_READY);
        if (f->state == ROTA_CONN_READY)
            return;
        if (rota_fake_lb_pick(f, &pick) == ROTA_PICK_OK)
            rota_fake_lb_done(f, &pick);
        rota_fake_lb_advance(f, 500 * ROTA_MS);
    }
    fail_msg("not READY");
}

/* Connects, fails, recovers, changes its list; a list refused for want of memory is given once more. */
static rota_err live(const struct rota_alloc *alloc, void *ctx)
{
    struct rota_fake_lb *f = test_malloc(sizeof(*f));
    rota_err err = rota_fake_lb_init(f, alloc, rota_test_policies, ctx, 7);

    if (err == 0) {
        f->quiet = true;
        if (!try_list(f, "a,4b+6b,c") || !try_list(f, "a,4b+6b,c!"))
            err = ROTA_ENOMEM;
        move_all(f, ROTA_CONN_TRANSIENT_FAILURE);
        move_all(f, ROTA_CONN_TRANSIENT_FAILURE);
        move_all(f, ROTA_CONN_READY);
        if (!try_list(f, "d,e,c") || !try_list(f, "d,e"))
            err = ROTA_ENOMEM;
        f->connect_at_once = true;
        move_all(f, ROTA_CONN_IDLE);
        rota_lb_tree_exit_idle(f->tree, f->now_ns);
        assert_true(try_list(f, "d,e,f") || try_list(f, "d,e,f"));
        bring_up(f);
        rota_fake_lb_fini(f);
    }
    test_free(f);
    return err;
}

static void out_of_memory_is_survived(void **unused)
{
    (void)unused;
    for (size_t i = 0; rota_test_lb_configs[i] != NULL; i++)
        assert_true(rota_alloc_sweep_absorbing(live, (void *)(uintptr_t)rota_test_lb_configs[i]) > 20);
}

/* Whatever lacked memory the first time, the very same list given again mends it. */
static void the_same_list_again_mends_it(void **unused)
{
    (void)unused;
    for (size_t life = 0; rota_test_lb_configs[life] != NULL; life++)
        for (uint64_t n = 1; n < 40; n++) {
            struct rota_leak_alloc memory;
            struct rota_fake_lb *f = test_malloc(sizeof(*f));
            rota_leak_alloc_init(&memory);
            assert_int_equal(rota_fake_lb_init(f, &memory.alloc, rota_test_policies, rota_test_lb_configs[life], 1), 0);
            f->quiet = true;
            rota_leak_alloc_fail_nth(&memory, n);
            assert_true(try_list(f, "a,b") || try_list(f, "a,b"));
            bring_up(f);
            /* round_robin has both, and has told both to connect. */
            for (size_t i = 0; strcmp(rota_test_lb_configs[life], "[{\"round_robin\":{}}]") == 0 && i < 2; i++)
                assert_int_equal(f->by_number[i]->n_holds * f->by_number[i]->n_connects, 1);
            rota_fake_lb_fini(f);
            rota_leak_alloc_fini(&memory);
            test_free(f);
        }
}

/* What lacks memory after the list was taken over is tried again without another one. */
static void what_lacks_memory_later_comes_by_itself(void **unused)
{
    (void)unused;
    for (size_t life = 0; rota_test_lb_configs[life] != NULL; life++)
        for (uint64_t n = 1; n < 20; n++) {
            struct rota_leak_alloc memory;
            struct rota_fake_lb *f = test_malloc(sizeof(*f));
            rota_leak_alloc_init(&memory);
            assert_int_equal(rota_fake_lb_init(f, &memory.alloc, rota_test_policies, rota_test_lb_configs[life], 1), 0);
            f->quiet = true;
            assert_true(try_list(f, "a"));
            rota_leak_alloc_fail_nth(&memory, n);
            bring_up(f);
            move_all(f, ROTA_CONN_IDLE);
            bring_up(f);
            rota_fake_lb_fini(f);
            rota_leak_alloc_fini(&memory);
            test_free(f);
        }
}

static const struct later_case {
    const char *rule, *config, *list, *script;
} laters[] = {
    {"a level that is opened", "[{\"priority\":{\"priorities\":[\"0\",\"1\"],\"children\":{\"0\":{\"config\":[{\"round_robin\":{}}]},"
        "\"1\":{\"config\":[{\"round_robin\":{}}]}}}}]", "a@priority:0,b@priority:1", "a=F"},
    {"an address whose turn comes", "[{\"pick_first\":{}}]", "a,b", "a=F"},
    {"an address whose turn comes in time", "[{\"pick_first\":{}}]", "a,b", "+250 a=F"},
    {"the only address, which was lost", "[{\"pick_first\":{}}]", "b", "b=R b=I pick"},
};

static void so_do_those_whose_turn_comes(void **unused)
{
    (void)unused;
    for (size_t i = 0; i < ROTA_COUNT(laters); i++)
        for (uint64_t n = 1; n < 12; n++) {
            struct rota_leak_alloc memory;
            struct rota_fake_lb *f = test_malloc(sizeof(*f));
            const struct rota_fake_conn *b;
            rota_leak_alloc_init(&memory);
            assert_int_equal(rota_fake_lb_init(f, &memory.alloc, rota_test_policies, laters[i].config, 1), 0);
            assert_true(try_list(f, laters[i].list));
            rota_leak_alloc_fail_nth(&memory, n);
            rota_fake_lb_play(f, laters[i].script);
            rota_fake_lb_play(f, "+3000");
            b = rota_map_get(&f->conns, ROTA_SLICE("b"));
            if (b == NULL || !b->wanted)
                fail_msg("%s: allocation %u is missed for ever", laters[i].rule, (unsigned)n);
            rota_fake_lb_fini(f);
            rota_leak_alloc_fini(&memory);
            test_free(f);
        }
}

/* --- Ten thousand endpoints --- */

enum { MANY = 10000 };

static char *many(const char *last)
{
    char *list = malloc(MANY * 8 + 16);
    size_t size = 0;

    assert_non_null(list);
    for (int i = 0; i < MANY - 1; i++)
        size += (size_t)sprintf(list + size, "n%d,", i);
    strcpy(list + size, last);
    return list;
}

static const struct change_case {
    const char *rule, *config;
    uint64_t n_gets; /* subchannels that an exchange of one endpoint asks for; as many are given back */
    uint64_t allocs; /* and memory, at most so often */
} changes[] = {
    {"round_robin", "[{\"round_robin\":{}}]", 1, 20},
    {"least_request", "[{\"least_request\":{}}]", 1, 20},
    {"random", "[{\"random\":{}}]", 1, 20},
    {"weighted_round_robin", "[{\"weighted_round_robin\":{}}]", 1, 20},
    {"peak_ewma", "[{\"peak_ewma\":{}}]", 1, 20},
    {"adaptive", "[{\"adaptive\":{}}]", 1, 20},
    {"ring_hash, which connects when calls want it to", "[{\"ring_hash\":{}}]", 0, 20},
    {"outlier_detection above round_robin", "[{\"outlier_detection\":{\"smallCluster\":true,\"childPolicy\":[{\"round_robin\":{}}]}}]", 1, 30},
    {"a subset of all above round_robin", "[{\"random_subsetting\":{\"subsetSize\":10000,\"childPolicy\":[{\"round_robin\":{}}]}}]", 1, 30},
    {"weighted_target with one target", "[{\"weighted_target\":{\"targets\":{\"\":{\"weight\":1,\"childPolicy\":[{\"round_robin\":{}}]}}}}]", 1, 30},
    {"priority with one level", "[{\"priority\":{\"priorities\":[\"\"],\"children\":{\"\":{\"config\":[{\"round_robin\":{}}]}}}}]", 1, 30},
};

static uint64_t connects_of(const struct rota_fake_lb *f)
{
    uint64_t sum = 0;

    for (size_t i = 0; i < f->n_conns; i++)
        sum += f->by_number[i]->n_connects;
    return sum;
}

/* What an exchange of one costs in connections and memory; that all of two lists are compared, pointer by pointer, is not counted. */
static void check_change(const struct change_case *c, const char *list, const char *changed)
{
    struct rota_leak_alloc memory;
    struct rota_fake_lb *f = test_malloc(sizeof(*f));
    uint64_t allocs, gets, puts, connects;

    rota_leak_alloc_init(&memory);
    assert_int_equal(rota_fake_lb_init(f, &memory.alloc, rota_test_policies, c->config, 1), 0);
    f->quiet = f->connect_at_once = true;
    assert_int_equal(rota_fake_lb_list(f, list), 0);
    assert_int_equal(f->state, c->n_gets > 0 ? ROTA_CONN_READY : ROTA_CONN_IDLE);
    print_message("  %s: %.1f allocations, %zu bytes an endpoint\n", c->rule, (double)memory.allocs / MANY, memory.live_bytes / MANY);
    assert_in_range(memory.live_bytes / MANY, 0, 1536);
    assert_in_range(memory.allocs / MANY, 0, 12);

    allocs = memory.allocs, gets = f->n_gets, puts = f->n_puts, connects = connects_of(f);
    assert_int_equal(rota_fake_lb_list(f, changed), 0);
    assert_int_equal(f->n_gets - gets, c->n_gets);
    assert_int_equal(f->n_puts - puts, c->n_gets);
    assert_int_equal(connects_of(f) - connects, c->n_gets);
    assert_in_range(memory.allocs - allocs, 0, c->allocs);

    allocs = memory.allocs, gets = f->n_gets;
    assert_int_equal(rota_fake_lb_list(f, changed), 0);
    assert_int_equal(f->n_gets, gets);
    assert_in_range(memory.allocs - allocs, 0, 4);
    rota_fake_lb_fini(f);
    rota_leak_alloc_fini(&memory);
    test_free(f);
}

static void a_change_costs_what_changed(void **unused)
{
    char *list = many("n9999"), *changed = many("other");

    (void)unused;
    for (size_t i = 0; i < ROTA_COUNT(changes); i++)
        check_change(&changes[i], list, changed);
    free(list);
    free(changed);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(out_of_memory_is_survived),
        cmocka_unit_test(the_same_list_again_mends_it),
        cmocka_unit_test(what_lacks_memory_later_comes_by_itself),
        cmocka_unit_test(so_do_those_whose_turn_comes),
        cmocka_unit_test(a_change_costs_what_changed),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
