/* leak_alloc.c - live blocks in a list, each with its size and number in front. */
#include "testing/leak_alloc.h"
#include "testing/cmocka.h"
#include <stdalign.h>
#include <stdlib.h>
#include <string.h>

#define MAGIC UINT64_C(0x726F74616C65616B)
#define SPOILED 0xDB
#define RUNS_MAX 1000000 /* a scenario that never gets by is a bug, in it or in what it tests */
#define LEAKS_SHOWN 10

struct rota_leak_block {
    alignas(max_align_t) struct rota_leak_block *prev;
    struct rota_leak_block *next;
    size_t size_bytes;
    uint64_t number;
    uint64_t magic;
};

static void link_block(struct rota_leak_alloc *a, struct rota_leak_block *block)
{
    block->prev = NULL;
    block->next = a->blocks;
    if (a->blocks != NULL)
        a->blocks->prev = block;
    a->blocks = block;
    a->live_blocks++;
    a->live_bytes += block->size_bytes;
}

/* A plain memset in front of free is a dead store, which compilers leave out. */
static void *(*const volatile spoil)(void *block, int value, size_t size_bytes) = memset;

static void release(struct rota_leak_alloc *a, struct rota_leak_block *block)
{
    if (block->prev != NULL)
        block->prev->next = block->next;
    else
        a->blocks = block->next;
    if (block->next != NULL)
        block->next->prev = block->prev;
    a->live_blocks--;
    a->live_bytes -= block->size_bytes;
    spoil(block, SPOILED, sizeof(*block) + block->size_bytes);
    free(block);
}

static struct rota_leak_block *acquire(struct rota_leak_alloc *a, size_t size_bytes)
{
    struct rota_leak_block *block;

    a->allocs++;
    if (a->fail_at != 0 && a->allocs == a->fail_at) {
        a->failed = true;
        return NULL;
    }
    if (size_bytes > PTRDIFF_MAX / 2)
        return NULL;
    block = malloc(sizeof(*block) + size_bytes);
    if (block == NULL)
        return NULL;
    block->size_bytes = size_bytes;
    block->number = a->allocs;
    block->magic = MAGIC;
    memset(block + 1, SPOILED, size_bytes);
    link_block(a, block);
    return block;
}

static void *resize(void *ctx, void *ptr, size_t size_bytes)
{
    struct rota_leak_alloc *a = ctx;
    struct rota_leak_block *old = ptr == NULL ? NULL : (struct rota_leak_block *)ptr - 1;
    struct rota_leak_block *block = NULL;

    if (old != NULL && old->magic != MAGIC)
        fail_msg("%p was not allocated here, or was freed already", ptr);
    if (size_bytes != 0) {
        block = acquire(a, size_bytes);
        if (block == NULL)
            return NULL;
        if (old != NULL)
            memcpy(block + 1, old + 1, old->size_bytes < size_bytes ? old->size_bytes : size_bytes);
    }
    if (old != NULL)
        release(a, old);
    return block == NULL ? NULL : block + 1;
}

void rota_leak_alloc_init(struct rota_leak_alloc *a)
{
    *a = (struct rota_leak_alloc){.alloc = {.resize = resize, .ctx = a}};
}

void rota_leak_alloc_fini(struct rota_leak_alloc *a)
{
    size_t blocks = a->live_blocks, bytes = a->live_bytes;

    for (size_t shown = 0; a->blocks != NULL; shown++) {
        if (shown < LEAKS_SHOWN)
            print_error("  leaked: allocation %llu, %zu bytes\n", (unsigned long long)a->blocks->number,
                        a->blocks->size_bytes);
        release(a, a->blocks);
    }
    if (blocks != 0)
        fail_msg("%zu blocks, %zu bytes leaked", blocks, bytes);
}

void rota_leak_alloc_fail_nth(struct rota_leak_alloc *a, uint64_t n)
{
    a->fail_at = a->allocs + n;
    a->failed = false;
}

static uint64_t sweep(rota_alloc_scenario *scenario, void *ctx, bool may_absorb)
{
    for (uint64_t n = 1; n <= RUNS_MAX; n++) {
        struct rota_leak_alloc a;
        rota_err err;

        rota_leak_alloc_init(&a);
        rota_leak_alloc_fail_nth(&a, n);
        err = scenario(&a.alloc, ctx);
        if (err != 0 && err != ROTA_ENOMEM)
            fail_msg("allocation %llu failing gave %s", (unsigned long long)n, rota_err_name(err));
        if (a.failed && err == 0 && !may_absorb)
            fail_msg("nobody noticed that allocation %llu failed", (unsigned long long)n);
        if (!a.failed && err != 0)
            fail_msg("out of memory although every allocation succeeded");
        if (a.live_blocks != 0)
            print_error("  when allocation %llu fails:\n", (unsigned long long)n);
        rota_leak_alloc_fini(&a);
        if (!a.failed)
            return n - 1;
    }
    fail_msg("no end after %d runs", RUNS_MAX);
    return 0;
}

uint64_t rota_alloc_sweep(rota_alloc_scenario *scenario, void *ctx)
{
    return sweep(scenario, ctx, false);
}

uint64_t rota_alloc_sweep_absorbing(rota_alloc_scenario *scenario, void *ctx)
{
    return sweep(scenario, ctx, true);
}
