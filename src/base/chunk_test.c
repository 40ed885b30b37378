/* chunk_test.c - a chunk lives as long as its last reference. */
#include "base/chunk.h"
#include "testing/cmocka.h"
#include "testing/death.h"
#include "testing/leak_alloc.h"

static void the_last_reference_frees(void **state)
{
    struct rota_leak_alloc a;
    struct rota_chunk *chunk;

    (void)state;
    rota_leak_alloc_init(&a);
    chunk = rota_chunk_new(&a.alloc, 5);
    assert_int_equal(chunk->cap, 5);
    assert_int_equal(rota_chunk_slice(chunk).size, 0);
    memcpy(chunk->data, "bytes", 5);
    chunk->size = 5;
    assert_ptr_equal(rota_chunk_ref(chunk), chunk);
    rota_chunk_unref(chunk);
    assert_int_equal(a.live_blocks, 1);
    assert_true(rota_slice_equal(rota_chunk_slice(chunk), ROTA_SLICE("bytes")));
    rota_chunk_unref(chunk);
    rota_chunk_unref(NULL);
    rota_leak_alloc_fini(&a);
}

static void no_memory_no_chunk(void **state)
{
    struct rota_leak_alloc a;

    (void)state;
    rota_leak_alloc_init(&a);
    rota_leak_alloc_fail_nth(&a, 1);
    assert_null(rota_chunk_new(&a.alloc, 5));
    assert_null(rota_chunk_new(&a.alloc, SIZE_MAX));
    rota_leak_alloc_fini(&a);
}

static void unref_a_dead_one(void *ctx)
{
    rota_chunk_unref(ctx);
}

static void ref_a_dead_one(void *ctx)
{
    rota_chunk_ref(ctx);
}

static void dead_chunks_are_noticed(void **state)
{
    struct rota_chunk dead = {.refs = 0};

    (void)state;
    rota_assert_aborts(unref_a_dead_one, &dead, "refs > 0");
    rota_assert_aborts(ref_a_dead_one, &dead, "refs > 0");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_last_reference_frees),
        cmocka_unit_test(no_memory_no_chunk),
        cmocka_unit_test(dead_chunks_are_noticed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
