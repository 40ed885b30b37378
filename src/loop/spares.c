/* spares.c - a few places for free blocks, each taken and filled by one atomic exchange.
 *
 * Invariants: who has exchanged a block out of its place owns it, so there is nothing to lock and no block is seen twice; `kept_bytes`
 * is never less than what lies in the places. `refs` counts the blocks that are out, and the owner.
 * A block's age is the number of the second in which it was freed: what the tick at the end of a second finds with an older number has
 * not been used during all of it. Ticks go on while anything is kept, or is out that may be: it may come back while the loop sleeps.
 */
#include "loop/spares.h"
#include "base/alloc.h"
#include "base/assert.h"
#include <stdalign.h>
#include <stdatomic.h>

#define TICK_NS INT64_C(1000000000)
#define TOO_LARGE 4 /* a spare that is so many times what is asked for is left for somebody who needs it */

struct block {
    alignas(max_align_t) size_t cap; /* of what follows */
    uint32_t second;                 /* while it is spare */
};

struct rota_spares {
    struct rota_alloc as_alloc;
    const struct rota_alloc *alloc; /* where blocks come from */
    struct rota_host *host;         /* of the timer; NULL until it was first set */
    struct rota_host_timer timer;
    _Atomic(struct block *) places[ROTA_SPARES_BLOCKS];
    atomic_size_t kept_bytes;
    atomic_size_t refs;
    atomic_size_t n_bulk; /* of the blocks that are out, those that may be kept; one that comes back is counted in kept_bytes first */
    atomic_uint second;
    atomic_bool closed;
};

static bool is_bulk(size_t size_bytes)
{
    return size_bytes >= ROTA_BULK_MIN_BYTES && size_bytes <= ROTA_SPARES_BLOCK_MAX_BYTES;
}

/* Up to an eighth more, so that messages of nearly one size find each other's blocks. */
static size_t round_up(size_t size_bytes)
{
    size_t step = ROTA_BULK_MIN_BYTES / 8;

    while (step * 16 <= size_bytes)
        step *= 2;
    return (size_bytes + step - 1) / step * step;
}

static struct block *pick_up(struct rota_spares *spares, size_t place)
{
    struct block *block = NULL;

    if (atomic_load_explicit(&spares->places[place], memory_order_relaxed) != NULL)
        block = atomic_exchange_explicit(&spares->places[place], NULL, memory_order_acquire);
    if (block != NULL)
        atomic_fetch_sub_explicit(&spares->kept_bytes, block->cap, memory_order_relaxed);
    return block;
}

/* False: there is no room for it. */
static bool put_down(struct rota_spares *spares, struct block *block)
{
    size_t before = atomic_fetch_add_explicit(&spares->kept_bytes, block->cap, memory_order_relaxed);

    for (size_t i = 0; i < ROTA_SPARES_BLOCKS && before + block->cap <= ROTA_SPARES_MAX_BYTES; i++) {
        struct block *nothing = NULL;
        if (atomic_load_explicit(&spares->places[i], memory_order_relaxed) == NULL &&
            atomic_compare_exchange_strong_explicit(&spares->places[i], &nothing, block, memory_order_release, memory_order_relaxed))
            return true;
    }
    atomic_fetch_sub_explicit(&spares->kept_bytes, block->cap, memory_order_relaxed);
    return false;
}

/* Frees the spares that were put down before the second, all if it is NULL. */
static void shed(struct rota_spares *spares, const uint32_t *second)
{
    for (size_t i = 0; i < ROTA_SPARES_BLOCKS; i++) {
        struct block *block = pick_up(spares, i);

        if (block != NULL && (second == NULL || block->second != *second || !put_down(spares, block)))
            rota_alloc_free(spares->alloc, block);
    }
}

static void release(struct rota_spares *spares)
{
    if (atomic_fetch_sub_explicit(&spares->refs, 1, memory_order_acq_rel) > 1)
        return;
    /* A block that came back from another thread while this was closed may have been put down after all. */
    shed(spares, NULL);
    rota_alloc_free(spares->alloc, spares);
}

static struct block *find_spare(struct rota_spares *spares, size_t size_bytes)
{
    for (size_t i = 0; i < ROTA_SPARES_BLOCKS; i++) {
        struct block *block = pick_up(spares, i);

        if (block == NULL)
            continue;
        if (block->cap >= size_bytes && block->cap / TOO_LARGE <= size_bytes)
            return block;
        if (!put_down(spares, block))
            rota_alloc_free(spares->alloc, block);
    }
    return NULL;
}

static void *get(struct rota_spares *spares, size_t size_bytes)
{
    struct block *block = NULL;

    if (is_bulk(size_bytes)) {
        size_bytes = round_up(size_bytes);
        block = find_spare(spares, size_bytes);
    }
    if (block == NULL) {
        if (size_bytes > SIZE_MAX - sizeof(*block))
            return NULL;
        block = rota_alloc_get(spares->alloc, sizeof(*block) + size_bytes);
        if (block == NULL)
            return NULL;
        block->cap = size_bytes;
    }
    atomic_fetch_add_explicit(&spares->refs, 1, memory_order_relaxed);
    if (is_bulk(block->cap))
        atomic_fetch_add_explicit(&spares->n_bulk, 1, memory_order_relaxed);
    return block + 1;
}

static void give_back(struct rota_spares *spares, struct block *block)
{
    bool bulk = is_bulk(block->cap);

    block->second = atomic_load_explicit(&spares->second, memory_order_relaxed);
    if (!bulk || atomic_load_explicit(&spares->closed, memory_order_relaxed) || !put_down(spares, block))
        rota_alloc_free(spares->alloc, block);
    if (bulk)
        atomic_fetch_sub_explicit(&spares->n_bulk, 1, memory_order_release);
    release(spares);
}

static void *resize(void *ctx, void *ptr, size_t size_bytes)
{
    struct rota_spares *spares = ctx;
    struct block *old = ptr == NULL ? NULL : (struct block *)ptr - 1;
    void *wider;

    if (ptr == NULL)
        return get(spares, size_bytes);
    if (size_bytes > 0 && size_bytes <= old->cap && old->cap / TOO_LARGE <= size_bytes)
        return ptr;
    wider = size_bytes == 0 ? NULL : get(spares, size_bytes);
    if (wider != NULL)
        memcpy(wider, ptr, size_bytes < old->cap ? size_bytes : old->cap);
    if (wider != NULL || size_bytes == 0)
        give_back(spares, old);
    return wider;
}

static bool may_have_spares(struct rota_spares *spares)
{
    return atomic_load_explicit(&spares->n_bulk, memory_order_acquire) > 0 || atomic_load_explicit(&spares->kept_bytes, memory_order_relaxed) > 0;
}

static void on_tick(struct rota_host_timer *timer, int64_t now_ns)
{
    struct rota_spares *spares = ROTA_CONTAINER(timer, struct rota_spares, timer);
    uint32_t second = atomic_load_explicit(&spares->second, memory_order_relaxed);

    (void)now_ns;
    shed(spares, &second);
    atomic_store_explicit(&spares->second, second + 1, memory_order_relaxed);
}

void rota_spares_watch(struct rota_spares *spares, struct rota_host *host)
{
    if (!may_have_spares(spares) || rota_host_timer_is_set(&spares->timer))
        return;
    spares->host = host;
    (void)rota_host_timer_set(host, &spares->timer, host->now_ns + TICK_NS);
}

struct rota_spares *rota_spares_new(const struct rota_alloc *alloc)
{
    struct rota_spares *spares = rota_alloc_zero(alloc, 1, sizeof(*spares));

    if (spares == NULL)
        return NULL;
    spares->alloc = alloc;
    spares->as_alloc = (struct rota_alloc){.resize = resize, .ctx = spares};
    spares->timer.fire = on_tick;
    for (size_t i = 0; i < ROTA_SPARES_BLOCKS; i++)
        atomic_init(&spares->places[i], NULL);
    atomic_init(&spares->kept_bytes, 0);
    atomic_init(&spares->refs, 1);
    atomic_init(&spares->n_bulk, 0);
    atomic_init(&spares->second, 0);
    atomic_init(&spares->closed, false);
    return spares;
}

void rota_spares_close(struct rota_spares *spares)
{
    if (spares == NULL)
        return;
    if (spares->host != NULL)
        rota_host_timer_clear(spares->host, &spares->timer);
    atomic_store_explicit(&spares->closed, true, memory_order_relaxed);
    shed(spares, NULL);
    release(spares);
}

const struct rota_alloc *rota_spares_alloc(struct rota_spares *spares)
{
    return &spares->as_alloc;
}
