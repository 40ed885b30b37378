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

static void a_change_costs_what_changed(void **unused)
{
    struct rota_leak_alloc memory;
    struct rota_fake_lb *f = test_malloc(sizeof(*f));
    char *list = many("n9999"), *changed = many("other");
    uint64_t allocs, gets;

    (void)unused;
    rota_leak_alloc_init(&memory);
    assert_int_equal(rota_fake_lb_init(f, &memory.alloc, rota_test_policies, "[{\"round_robin\":{}}]", 1), 0);
    f->quiet = f->connect_at_once = true;
    assert_int_equal(rota_fake_lb_list(f, list), 0);
    assert_int_equal(f->state, ROTA_CONN_READY);
    print_message("  %.1f allocations, %zu bytes an endpoint\n", (double)memory.allocs / MANY, memory.live_bytes / MANY);
    assert_true(memory.allocs < 12 * MANY);
    assert_true(memory.live_bytes / MANY < 1024);

    allocs = memory.allocs;
    gets = f->n_gets;
    assert_int_equal(rota_fake_lb_list(f, changed), 0);
    assert_int_equal(f->n_gets, gets + 1);
    assert_int_equal(f->n_puts, 1);
    assert_true(memory.allocs - allocs < 20);

    allocs = memory.allocs;
    assert_int_equal(rota_fake_lb_list(f, changed), 0);
    assert_true(memory.allocs - allocs <= 1);
    rota_fake_lb_fini(f);
    rota_leak_alloc_fini(&memory);
    free(list);
    free(changed);
    test_free(f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(out_of_memory_is_survived),
        cmocka_unit_test(the_same_list_again_mends_it),
        cmocka_unit_test(a_change_costs_what_changed),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
