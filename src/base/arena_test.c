/* arena_test.c - blocks apart from each other, chunks that double, a reset that allocates nothing. */
#include "base/arena.h"
#include "base/alloc.h"
#include "testing/cmocka.h"
#include "testing/leak_alloc.h"
#include <rota/err.h>

struct fixture {
    struct rota_leak_alloc a;
    struct rota_arena arena;
};

static void fixture_init(struct fixture *f, size_t first_size_bytes)
{
    rota_leak_alloc_init(&f->a);
    rota_arena_init(&f->arena, &f->a.alloc, first_size_bytes);
}

static void fixture_fini(struct fixture *f)
{
    rota_arena_fini(&f->arena);
    rota_leak_alloc_fini(&f->a);
}

static void blocks_are_aligned_and_apart(void **state)
{
    static const size_t sizes[] = {0, 1, 15, 16, 17, 100, 1000, 70000, 3, 0};
    uint8_t *blocks[sizeof(sizes) / sizeof(sizes[0])];
    struct fixture f;

    (void)state;
    fixture_init(&f, 64);
    for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
        blocks[i] = rota_arena_get(&f.arena, sizes[i]);
        assert_non_null(blocks[i]);
        assert_int_equal((uintptr_t)blocks[i] % _Alignof(max_align_t), 0);
        memset(blocks[i], (int)i, sizes[i]);
    }
    for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++)
        for (size_t k = 0; k < sizes[i]; k++)
            assert_int_equal(blocks[i][k], i);
    fixture_fini(&f);
}

static void chunks_double_up_to_a_bound(void **state)
{
    struct fixture f;

    (void)state;
    fixture_init(&f, 1024);
    assert_int_equal(f.a.allocs, 0);
    for (size_t total = 0; total < 1024 + 2048 + 4096; total += 16)
        rota_arena_get(&f.arena, 16);
    assert_int_equal(f.a.allocs, 3);
    for (size_t total = 0; total < 1024 * 1024; total += 16)
        rota_arena_get(&f.arena, 16);
    /* 8, 16, 32 KiB, then 64 each: 56 and 16 times 64 are more than the MiB. */
    assert_int_equal(f.a.allocs, 3 + 3 + 16);
    assert_int_equal(f.arena.used_bytes, 1024 + 2048 + 4096 + 1024 * 1024);
    fixture_fini(&f);
}

static void a_reset_arena_allocates_nothing(void **state)
{
    struct fixture f;
    void *first;

    (void)state;
    fixture_init(&f, 0);
    first = rota_arena_get(&f.arena, 1000);
    for (int i = 0; i < 10; i++)
        rota_arena_get(&f.arena, 1000);
    rota_arena_reset(&f.arena);
    assert_int_equal(f.a.live_blocks, 1);
    assert_int_equal(f.arena.used_bytes, 0);
    f.a.allocs = 0;
    for (int i = 0; i < 10; i++) {
        assert_ptr_equal(rota_arena_get(&f.arena, 1000), first);
        rota_arena_reset(&f.arena);
    }
    assert_int_equal(f.a.allocs, 0);
    rota_arena_fini(&f.arena);
    rota_arena_fini(NULL);
    fixture_fini(&f);
}

static void large_chunks_come_from_elsewhere_and_go_back(void **state)
{
    struct rota_leak_alloc bulk;
    struct fixture f;

    (void)state;
    rota_leak_alloc_init(&bulk);
    fixture_init(&f, 64);
    f.arena.bulk = &bulk.alloc;
    for (int i = 0; i < 2; i++) { /* also when the first thing asked for is large */
        assert_non_null(rota_arena_get(&f.arena, ROTA_ARENA_CHUNK_MAX_BYTES + 1));
        assert_int_equal(bulk.live_blocks, 1);
        assert_non_null(rota_arena_get(&f.arena, ROTA_ARENA_CHUNK_MAX_BYTES));
        assert_int_equal(bulk.live_blocks, 1);
        rota_arena_reset(&f.arena);
        assert_int_equal(bulk.live_blocks, 0);
    }
    fixture_fini(&f);
    rota_leak_alloc_fini(&bulk);
}

static void sizes_beyond_reason_are_out_of_memory(void **state)
{
    struct rota_slice copy = ROTA_SLICE("old");
    struct fixture f;

    (void)state;
    fixture_init(&f, 64);
    assert_null(rota_arena_get(&f.arena, SIZE_MAX));
    assert_null(rota_arena_get(&f.arena, SIZE_MAX - 8));
    assert_null(rota_arena_zero(&f.arena, SIZE_MAX / 2, 3));
    assert_null(rota_arena_text(&f.arena, rota_slice("", SIZE_MAX)));
    assert_int_equal(rota_arena_slice(&f.arena, rota_slice("", SIZE_MAX), &copy), ROTA_ENOMEM);
    assert_int_equal(copy.size, 3);
    assert_int_equal(f.a.allocs, 0);
    fixture_fini(&f);
}

static void copies_are_copies(void **state)
{
    static const uint8_t zeros[40];
    struct rota_slice copy;
    struct fixture f;
    char text[] = "abc";

    (void)state;
    fixture_init(&f, 64);
    assert_int_equal(rota_arena_slice(&f.arena, rota_slice_str(text), &copy), 0);
    assert_true(rota_slice_equal(copy, ROTA_SLICE("abc")));
    assert_ptr_not_equal(copy.data, text);
    assert_int_equal(rota_arena_slice(&f.arena, rota_slice(NULL, 0), &copy), 0);
    assert_int_equal(copy.size, 0);
    assert_string_equal(rota_arena_text(&f.arena, rota_slice(text, 2)), "ab");
    assert_string_equal(rota_arena_text(&f.arena, rota_slice(NULL, 0)), "");
    memset(rota_arena_get(&f.arena, 40), 0xFF, 40);
    rota_arena_reset(&f.arena);
    assert_memory_equal(rota_arena_zero(&f.arena, 5, 8), zeros, 40);
    fixture_fini(&f);
}

static void as_an_allocator_it_resizes_by_copy(void **state)
{
    const struct rota_alloc *alloc;
    struct fixture f;
    char *a, *b;

    (void)state;
    fixture_init(&f, 256);
    alloc = &f.arena.as_alloc;
    a = rota_alloc_get(alloc, 5);
    memcpy(a, "hello", 5);
    assert_ptr_equal(rota_alloc_resize(alloc, a, 3), a);
    assert_ptr_equal(rota_alloc_resize(alloc, a, 40), a); /* the last block grows where it is */
    b = rota_alloc_get(alloc, 5);
    memcpy(b, "world", 5);
    a = rota_alloc_resize(alloc, a, 90);
    memset(a + 5, '!', 85);
    assert_memory_equal(a, "hello", 5);
    assert_memory_equal(b, "world", 5);
    a = rota_alloc_resize(alloc, a, 5000);
    memset(a + 90, '!', 4910);
    assert_memory_equal(a, "hello!", 6);
    rota_alloc_free(alloc, a);
    assert_memory_equal(b, "world", 5);
    assert_null(alloc->resize(alloc->ctx, b, 0));
    assert_null(rota_alloc_get(alloc, SIZE_MAX));
    assert_null(rota_alloc_resize(alloc, b, SIZE_MAX - 20));
    fixture_fini(&f);
}

static rota_err use_all(const struct rota_alloc *alloc, void *ctx)
{
    struct rota_slice copy;
    struct rota_arena arena;
    bool short_of = false;

    (void)ctx;
    rota_arena_init(&arena, alloc, 16);
    short_of |= rota_arena_get(&arena, 16) == NULL;
    short_of |= rota_arena_zero(&arena, 2, 100) == NULL;
    short_of |= rota_arena_text(&arena, ROTA_SLICE("a text that is too long for what is left in the chunk")) == NULL
                || rota_arena_get(&arena, 1000) == NULL;
    short_of |= rota_arena_slice(&arena, ROTA_SLICE("abc"), &copy) < 0;
    short_of |= rota_alloc_get(&arena.as_alloc, 5000) == NULL;
    rota_arena_fini(&arena);
    return short_of ? ROTA_ENOMEM : 0;
}

static void out_of_memory_is_an_error(void **state)
{
    (void)state;
    assert_true(rota_alloc_sweep(use_all, NULL) >= 4);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(blocks_are_aligned_and_apart),
        cmocka_unit_test(chunks_double_up_to_a_bound),
        cmocka_unit_test(a_reset_arena_allocates_nothing),
        cmocka_unit_test(large_chunks_come_from_elsewhere_and_go_back),
        cmocka_unit_test(sizes_beyond_reason_are_out_of_memory),
        cmocka_unit_test(copies_are_copies),
        cmocka_unit_test(as_an_allocator_it_resizes_by_copy),
        cmocka_unit_test(out_of_memory_is_an_error),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
