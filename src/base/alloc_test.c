/* alloc_test.c - the checks around an allocator's table. */
#include "base/alloc.h"
#include "testing/cmocka.h"
#include "testing/leak_alloc.h"

static void null_means_malloc(void **state)
{
    struct rota_leak_alloc a;
    uint8_t *block = rota_alloc_get(NULL, 3);

    (void)state;
    assert_non_null(block);
    memcpy(block, "abc", 3);
    block = rota_alloc_resize(NULL, block, 4096);
    assert_memory_equal(block, "abc", 3);
    rota_alloc_free(NULL, block);
    rota_leak_alloc_init(&a);
    assert_ptr_equal(rota_alloc_or_default(&a.alloc), &a.alloc);
    assert_non_null(rota_alloc_or_default(NULL));
    assert_null(rota_alloc_or_default(NULL)->resize(NULL, NULL, 0));
}

static void an_empty_block_is_a_block(void **state)
{
    struct rota_leak_alloc a;
    void *block;

    (void)state;
    rota_leak_alloc_init(&a);
    block = rota_alloc_get(&a.alloc, 0);
    assert_non_null(block);
    block = rota_alloc_resize(&a.alloc, block, 0);
    assert_non_null(block);
    rota_alloc_free(&a.alloc, block);
    block = rota_alloc_zero(&a.alloc, 0, 8);
    assert_non_null(block);
    rota_alloc_free(&a.alloc, block);
    rota_alloc_free(&a.alloc, NULL);
    rota_leak_alloc_fini(&a);
}

static void zeroed_memory_is_zero(void **state)
{
    static const uint32_t zeros[5];
    struct rota_leak_alloc a;
    void *block;

    (void)state;
    rota_leak_alloc_init(&a);
    block = rota_alloc_zero(&a.alloc, 5, sizeof(uint32_t));
    assert_memory_equal(block, zeros, sizeof(zeros));
    rota_alloc_free(&a.alloc, block);
    assert_null(rota_alloc_zero(&a.alloc, SIZE_MAX / 2, 3));
    assert_null(rota_alloc_zero(&a.alloc, SIZE_MAX, SIZE_MAX));
    rota_leak_alloc_fini(&a);
}

static void texts_are_terminated(void **state)
{
    struct rota_leak_alloc a;
    char *text;

    (void)state;
    rota_leak_alloc_init(&a);
    text = rota_alloc_text(&a.alloc, rota_slice("abcdef", 3));
    assert_string_equal(text, "abc");
    rota_alloc_free(&a.alloc, text);
    text = rota_alloc_text(&a.alloc, rota_slice(NULL, 0));
    assert_string_equal(text, "");
    rota_alloc_free(&a.alloc, text);
    assert_null(rota_alloc_text(&a.alloc, rota_slice("", SIZE_MAX)));
    rota_leak_alloc_fini(&a);
}

static const struct reserve_case {
    const char *rule;
    size_t cap, need, size_bytes;
    int want;
    size_t want_cap;
} reserves[] = {
    {"the first is no smaller than eight", 0, 1, 4, 0, 8},
    {"what is there suffices", 8, 8, 4, 0, 8},
    {"one more doubles", 8, 9, 4, 0, 16},
    {"many more are taken at once", 8, 100, 4, 0, 100},
    {"nothing needed, nothing done", 0, 0, 4, 0, 0},
    {"a size that overflows is out of memory", 8, SIZE_MAX / 4 + 1, 4, ROTA_ENOMEM, 8},
    {"so is one that cannot be doubled", 8, SIZE_MAX, 1, ROTA_ENOMEM, 8},
};

static void reserve_doubles(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(reserves) / sizeof(reserves[0]); i++) {
        const struct reserve_case *c = &reserves[i];
        struct rota_leak_alloc a;
        uint32_t *array = NULL;
        size_t cap = c->cap;
        print_message("  %s\n", c->rule);
        rota_leak_alloc_init(&a);
        if (cap > 0)
            array = rota_alloc_zero(&a.alloc, cap, sizeof(*array));
        assert_int_equal(rota_alloc_reserve(&a.alloc, &array, &cap, c->need, c->size_bytes), c->want);
        assert_int_equal(cap, c->want_cap);
        for (size_t k = 0; k < cap; k++)
            array[k] = (uint32_t)k;
        rota_alloc_free(&a.alloc, array);
        rota_leak_alloc_fini(&a);
    }
}

static rota_err reserve_twice(const struct rota_alloc *alloc, void *ctx)
{
    uint64_t *array = NULL;
    size_t cap = 0;
    rota_err err;

    (void)ctx;
    err = rota_alloc_reserve(alloc, &array, &cap, 8, sizeof(*array));
    if (err == 0) {
        array[7] = 7;
        err = rota_alloc_reserve(alloc, &array, &cap, 9, sizeof(*array));
        assert_int_equal(array[7], 7);
        assert_int_equal(cap, err == 0 ? 16 : 8);
    }
    rota_alloc_free(alloc, array);
    return err;
}

static void a_failed_reserve_changes_nothing(void **state)
{
    (void)state;
    assert_int_equal(rota_alloc_sweep(reserve_twice, NULL), 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(null_means_malloc),
        cmocka_unit_test(an_empty_block_is_a_block),
        cmocka_unit_test(zeroed_memory_is_zero),
        cmocka_unit_test(texts_are_terminated),
        cmocka_unit_test(reserve_doubles),
        cmocka_unit_test(a_failed_reserve_changes_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
