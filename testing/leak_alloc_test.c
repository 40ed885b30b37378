/* leak_alloc_test.c - leaks, foreign pointers and unnoticed failures must fail a test. */
#include "testing/leak_alloc.h"
#include "base/alloc.h"
#include "testing/cmocka.h"
#include "testing/death.h"

static void freed_blocks_are_no_leak(void **state)
{
    struct rota_leak_alloc a;
    char *block;

    (void)state;
    rota_leak_alloc_init(&a);
    block = rota_alloc_get(&a.alloc, 3);
    memcpy(block, "abc", 3);
    block = rota_alloc_resize(&a.alloc, block, 100);
    assert_memory_equal(block, "abc", 3);
    assert_int_equal(a.live_blocks, 1);
    assert_int_equal(a.live_bytes, 100);
    assert_int_equal(a.allocs, 2);
    rota_alloc_free(&a.alloc, block);
    rota_leak_alloc_fini(&a);
}

static void only_the_nth_fails(void **state)
{
    struct rota_leak_alloc a;
    void *first, *third;

    (void)state;
    rota_leak_alloc_init(&a);
    rota_leak_alloc_fail_nth(&a, 2);
    first = rota_alloc_get(&a.alloc, 1);
    assert_non_null(first);
    assert_null(rota_alloc_resize(&a.alloc, first, 2));
    assert_true(a.failed);
    third = rota_alloc_get(&a.alloc, 1);
    assert_non_null(third);
    rota_alloc_free(&a.alloc, first);
    rota_alloc_free(&a.alloc, third);
    rota_leak_alloc_fini(&a);
}

static rota_err two_blocks(const struct rota_alloc *alloc, void *ctx)
{
    void *a = rota_alloc_get(alloc, 1), *b = rota_alloc_get(alloc, 2);
    rota_err err = a == NULL || b == NULL ? ROTA_ENOMEM : 0;

    (void)ctx;
    rota_alloc_free(alloc, a);
    rota_alloc_free(alloc, b);
    return err;
}

static rota_err one_block_or_none(const struct rota_alloc *alloc, void *ctx)
{
    (void)ctx;
    rota_alloc_free(alloc, rota_alloc_get(alloc, 1));
    return 0;
}

static rota_err leaves_the_first(const struct rota_alloc *alloc, void *ctx)
{
    void *a = rota_alloc_get(alloc, 1), *b = rota_alloc_get(alloc, 2);

    (void)ctx;
    if (b == NULL)
        return ROTA_ENOMEM;
    rota_alloc_free(alloc, a);
    rota_alloc_free(alloc, b);
    return a == NULL ? ROTA_ENOMEM : 0;
}

static rota_err says_something_else(const struct rota_alloc *alloc, void *ctx)
{
    void *a = rota_alloc_get(alloc, 1);

    (void)ctx;
    rota_alloc_free(alloc, a);
    return a == NULL ? ROTA_EINVAL : 0;
}

static rota_err always_out_of_memory(const struct rota_alloc *alloc, void *ctx)
{
    (void)alloc, (void)ctx;
    return ROTA_ENOMEM;
}

static void a_sweep_fails_each_allocation_in_turn(void **state)
{
    (void)state;
    assert_int_equal(rota_alloc_sweep(two_blocks, NULL), 2);
    assert_int_equal(rota_alloc_sweep_absorbing(one_block_or_none, NULL), 1);
}

static void leaks(void **state)
{
    struct rota_leak_alloc a;

    (void)state;
    rota_leak_alloc_init(&a);
    assert_non_null(rota_alloc_get(&a.alloc, 7));
    rota_leak_alloc_fini(&a);
}

static void frees_foreign_memory(void **state)
{
    struct rota_leak_alloc a;
    uint64_t foreign[16] = {0};

    (void)state;
    rota_leak_alloc_init(&a);
    rota_alloc_free(&a.alloc, &foreign[8]);
}

static void sweeps_an_absorber(void **state)
{
    (void)state;
    rota_alloc_sweep(one_block_or_none, NULL);
}

static void sweeps_a_leaker(void **state)
{
    (void)state;
    rota_alloc_sweep(leaves_the_first, NULL);
}

static void sweeps_a_liar(void **state)
{
    (void)state;
    rota_alloc_sweep(says_something_else, NULL);
}

static void sweeps_a_pessimist(void **state)
{
    (void)state;
    rota_alloc_sweep(always_out_of_memory, NULL);
}

static const struct guard_case {
    const char *rule;
    void (*test)(void **state);
    const char *words;
} guards[] = {
    {"a leak fails the test", leaks, "1 blocks, 7 bytes leaked"},
    {"a foreign pointer fails the test", frees_foreign_memory, "was not allocated here"},
    {"a failure must be reported", sweeps_an_absorber, "nobody noticed that allocation 1 failed"},
    {"an error path must not leak", sweeps_a_leaker, "when allocation 2 fails"},
    {"the error is ROTA_ENOMEM", sweeps_a_liar, "gave ROTA_EINVAL"},
    {"no failure, no error", sweeps_a_pessimist, "although every allocation succeeded"},
};

static void guards_bite(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(guards) / sizeof(guards[0]); i++) {
        print_message("  %s\n", guards[i].rule);
        rota_assert_test_fails(guards[i].test, guards[i].words);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(freed_blocks_are_no_leak),
        cmocka_unit_test(only_the_nth_fails),
        cmocka_unit_test(a_sweep_fails_each_allocation_in_turn),
        cmocka_unit_test(guards_bite),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
