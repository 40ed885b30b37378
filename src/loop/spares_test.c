/* spares_test.c - which blocks are used again, how many are kept and for how long; threads that take and free at once. */
#include "loop/spares.h"
#include "base/alloc.h"
#include "base/assert.h"
#include "loop/loop_fixture.h"
#include <pthread.h>
#include <sched.h>

#define KIB ((size_t)1024)
#define MIB (1024 * KIB)
#define SECOND INT64_C(1000000000)

struct fixture {
    struct rota_leak_alloc a;
    struct rota_host host;
    struct rota_spares *spares;
    const struct rota_alloc *alloc;
};

static void fixture_init(struct fixture *f)
{
    rota_leak_alloc_init(&f->a);
    rota_host_init(&f->host, NULL, NULL, 1);
    f->spares = rota_spares_new(&f->a.alloc);
    assert_non_null(f->spares);
    f->alloc = rota_spares_alloc(f->spares);
}

static void fixture_fini(struct fixture *f)
{
    rota_spares_close(f->spares);
    rota_host_fini(&f->host);
    rota_leak_alloc_fini(&f->a);
}

static size_t n_kept(const struct fixture *f)
{
    return f->a.live_blocks - 1; /* but the struct */
}

static void pass(struct fixture *f, int64_t ns)
{
    f->host.now_ns += ns;
    rota_host_run(&f->host);
    rota_spares_watch(f->spares, &f->host);
}

static const struct {
    const char *rule;
    size_t first, then;
    bool kept, again;
} rows[] = {
    {"the same size is used again", MIB, MIB, true, true},
    {"so is nearly the same", MIB + 5, MIB + 100, true, true},
    {"and a larger one", 2 * MIB, MIB, true, true},
    {"but not one that is far too large", 8 * MIB, MIB, true, false},
    {"nor one that is too small", MIB, 2 * MIB, true, false},
    {"the smallest that is kept", ROTA_BULK_MIN_BYTES, ROTA_BULK_MIN_BYTES, true, true},
    {"smaller ones are not", ROTA_BULK_MIN_BYTES - 1, ROTA_BULK_MIN_BYTES - 1, false, false},
    {"the largest that is kept", ROTA_SPARES_BLOCK_MAX_BYTES, ROTA_SPARES_BLOCK_MAX_BYTES, true, true},
    {"larger ones are not", ROTA_SPARES_BLOCK_MAX_BYTES + 1, ROTA_SPARES_BLOCK_MAX_BYTES + 1, false, false},
};

static void blocks_are_used_again(void **state)
{
    (void)state;
    for (size_t i = 0; i < ROTA_COUNT(rows); i++) {
        struct fixture f;
        uint64_t allocs;
        void *block;

        print_message("  %s\n", rows[i].rule);
        fixture_init(&f);
        block = rota_alloc_get(f.alloc, rows[i].first);
        memset(block, 1, rows[i].first);
        rota_alloc_free(f.alloc, block);
        assert_int_equal(n_kept(&f), rows[i].kept);
        allocs = f.a.allocs;
        block = rota_alloc_get(f.alloc, rows[i].then);
        memset(block, 2, rows[i].then);
        assert_int_equal(f.a.allocs, allocs + !rows[i].again);
        rota_alloc_free(f.alloc, block);
        fixture_fini(&f);
    }
}

static void no_more_is_kept_than_the_bounds_say(void **state)
{
    void *blocks[2 * ROTA_SPARES_BLOCKS];
    struct fixture f;

    (void)state;
    fixture_init(&f);
    for (size_t i = 0; i < ROTA_COUNT(blocks); i++)
        blocks[i] = rota_alloc_get(f.alloc, ROTA_BULK_MIN_BYTES);
    for (size_t i = 0; i < ROTA_COUNT(blocks); i++)
        rota_alloc_free(f.alloc, blocks[i]);
    assert_int_equal(n_kept(&f), ROTA_SPARES_BLOCKS);
    pass(&f, 0);
    pass(&f, SECOND);
    pass(&f, SECOND);
    assert_int_equal(n_kept(&f), 0);
    for (size_t i = 0; i < 5; i++)
        blocks[i] = rota_alloc_get(f.alloc, 4 * MIB);
    for (size_t i = 0; i < 5; i++)
        rota_alloc_free(f.alloc, blocks[i]);
    assert_int_equal(n_kept(&f), ROTA_SPARES_MAX_BYTES / (4 * MIB));
    fixture_fini(&f);
}

static void what_is_not_used_goes_back_in_two_seconds(void **state)
{
    void *used, *idle;
    struct fixture f;

    (void)state;
    fixture_init(&f);
    pass(&f, 0);
    assert_int_equal(rota_host_next_ns(&f.host), INT64_MAX);
    used = rota_alloc_get(f.alloc, MIB);
    idle = rota_alloc_get(f.alloc, MIB);
    rota_alloc_free(f.alloc, used);
    rota_alloc_free(f.alloc, idle);
    for (int i = 0; i < 4; i++) {
        pass(&f, SECOND / 2);
        used = rota_alloc_get(f.alloc, MIB);
        rota_alloc_free(f.alloc, used);
    }
    pass(&f, SECOND / 2);
    assert_int_equal(n_kept(&f), 1);
    pass(&f, 2 * SECOND);
    pass(&f, SECOND);
    assert_int_equal(n_kept(&f), 0);
    assert_int_equal(rota_host_next_ns(&f.host), INT64_MAX);
    fixture_fini(&f);
}

/* As blocking calls do with their replies. */
static void what_comes_back_while_the_loop_sleeps_goes_too(void **state)
{
    struct fixture f;
    void *block;

    (void)state;
    fixture_init(&f);
    block = rota_alloc_get(f.alloc, MIB);
    pass(&f, 0);
    assert_int_equal(rota_host_next_ns(&f.host), SECOND); /* when it wakes by itself */
    rota_alloc_free(f.alloc, block);
    pass(&f, SECOND);
    pass(&f, SECOND);
    assert_int_equal(n_kept(&f), 0);
    block = rota_alloc_get(f.alloc, KIB);
    pass(&f, 0);
    assert_int_equal(rota_host_next_ns(&f.host), INT64_MAX); /* that one is not kept */
    rota_alloc_free(f.alloc, block);
    fixture_fini(&f);
}

static void resizing_keeps_the_bytes(void **state)
{
    static const size_t sizes[] = {10, 100, 70 * KIB, 72 * KIB, MIB, 9 * MIB, 100, 1};
    struct fixture f;
    uint8_t *block;

    (void)state;
    fixture_init(&f);
    block = rota_alloc_get(f.alloc, 1);
    *block = 7;
    for (size_t i = 0; i < ROTA_COUNT(sizes); i++) {
        block = rota_alloc_resize(f.alloc, block, sizes[i]);
        assert_int_equal(*block, 7);
        memset(block, 7, sizes[i]);
    }
    assert_null(rota_alloc_resize(f.alloc, block, SIZE_MAX));
    assert_int_equal(*block, 7);
    rota_alloc_free(f.alloc, block);
    fixture_fini(&f);
}

static void a_block_may_outlive_the_loop(void **state)
{
    struct loop_fixture f;
    const struct rota_alloc *alloc;
    void *large, *small;

    (void)state;
    loop_fixture_init(&f);
    alloc = rota_loop_host(f.loop)->bulk;
    large = rota_alloc_get(alloc, MIB);
    small = rota_alloc_get(alloc, 10);
    rota_loop_free(f.loop);
    f.loop = NULL;
    memset(large, 0, MIB);
    rota_alloc_free(alloc, large);
    rota_alloc_free(alloc, small);
    loop_fixture_fini(&f);
}

static void the_loop_gives_back(void **state)
{
    struct loop_fixture f;
    size_t before;
    void *block;

    (void)state;
    loop_fixture_init(&f);
    before = f.memory.live_blocks;
    block = rota_alloc_get(rota_loop_host(f.loop)->bulk, MIB);
    rota_alloc_free(rota_loop_host(f.loop)->bulk, block);
    assert_int_equal(f.memory.live_blocks, before + 1);
    for (int i = 0; i < 3; i++) {
        int timeout_ms = rota_loop_timeout_ms(f.loop); /* what the loop would sleep: -1 is for ever */
        assert_true(i == 2 || (timeout_ms >= 0 && timeout_ms <= 1000));
        /* Instead of sleeping time is put forward. */
        rota_loop_host(f.loop)->now_ns += SECOND;
        rota_host_run(rota_loop_host(f.loop));
    }
    assert_true(f.memory.live_bytes < MIB);
    loop_fixture_fini(&f);
}

static rota_err take_and_free(const struct rota_alloc *alloc, void *ctx)
{
    struct rota_spares *spares = rota_spares_new(alloc);
    void *block;

    (void)ctx;
    if (spares == NULL)
        return ROTA_ENOMEM;
    block = rota_alloc_get(rota_spares_alloc(spares), MIB);
    rota_alloc_free(rota_spares_alloc(spares), block);
    rota_spares_close(spares);
    return block == NULL ? ROTA_ENOMEM : 0;
}

static void running_out_of_memory_is_an_error(void **state)
{
    (void)state;
    assert_int_equal(rota_alloc_sweep(take_and_free, NULL), 2);
    rota_spares_close(NULL);
}

/* Each block is marked by who holds it; two holders of one would see each other's mark. */
static void *take_and_free_many(void *arg)
{
    const struct rota_alloc *alloc = arg;
    size_t faults = 0;

    for (size_t i = 0; i < 20000; i++) {
        size_t size = ROTA_BULK_MIN_BYTES << i % 3;
        uintptr_t *block = rota_alloc_get(alloc, size);

        block[0] = block[size / sizeof(*block) - 1] = (uintptr_t)&faults;
        faults += i % 7 == 0 && sched_yield() != 0;
        faults += block[0] != (uintptr_t)&faults || block[size / sizeof(*block) - 1] != (uintptr_t)&faults;
        rota_alloc_free(alloc, block);
    }
    return (void *)faults;
}

static void threads_share_them(void **state)
{
    struct rota_spares *spares = rota_spares_new(rota_alloc_or_default(NULL));
    pthread_t threads[3];

    (void)state;
    for (size_t i = 0; i < ROTA_COUNT(threads); i++)
        assert_int_equal(pthread_create(&threads[i], NULL, take_and_free_many, (void *)(uintptr_t)rota_spares_alloc(spares)), 0);
    for (size_t i = 0; i < ROTA_COUNT(threads); i++) {
        void *faults;
        assert_int_equal(pthread_join(threads[i], &faults), 0);
        assert_null(faults);
    }
    rota_spares_close(spares);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(blocks_are_used_again),
        cmocka_unit_test(no_more_is_kept_than_the_bounds_say),
        cmocka_unit_test(what_is_not_used_goes_back_in_two_seconds),
        cmocka_unit_test(what_comes_back_while_the_loop_sleeps_goes_too),
        cmocka_unit_test(resizing_keeps_the_bytes),
        cmocka_unit_test(a_block_may_outlive_the_loop),
        cmocka_unit_test(the_loop_gives_back),
        cmocka_unit_test(running_out_of_memory_is_an_error),
        cmocka_unit_test(threads_share_them),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
