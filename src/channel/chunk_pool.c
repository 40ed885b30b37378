/* chunk_pool.c - a free-list of equal blocks behind a struct rota_alloc.
 *
 * Invariants: every block of chunks with cap <= SMALL_CAP_BYTES has room for SMALL_CAP_BYTES, so that any of them may stand in for
 * any other; `out` counts chunks that have not come back. A chunk's cap, which tells the kinds apart, is still there when its
 * block is freed.
 */
#include "channel/chunk_pool.h"
#include "base/alloc.h"

#define SMALL_CAP_BYTES 512
#define SPARE_MAX 1024

struct spare {
    struct spare *next;
};

struct rota_chunk_pool {
    const struct rota_alloc *alloc; /* where blocks come from */
    const struct rota_alloc *bulk;  /* the same for large ones */
    struct rota_alloc as_alloc;
    struct spare *spares;
    size_t n_spares, out;
    bool orphaned;
};

static void free_pool(struct rota_chunk_pool *pool)
{
    while (pool->spares != NULL) {
        struct spare *next = pool->spares->next;
        rota_alloc_free(pool->alloc, pool->spares);
        pool->spares = next;
    }
    rota_alloc_free(pool->alloc, pool);
}

static void give_back(struct rota_chunk_pool *pool, struct rota_chunk *chunk)
{
    pool->out--;
    if (chunk->cap <= SMALL_CAP_BYTES && pool->n_spares < SPARE_MAX) {
        struct spare *spare = (void *)chunk;
        spare->next = pool->spares;
        pool->spares = spare;
        pool->n_spares++;
    } else {
        rota_alloc_free(chunk->cap <= SMALL_CAP_BYTES ? pool->alloc : pool->bulk, chunk);
    }
    if (pool->orphaned && pool->out == 0)
        free_pool(pool);
}

/* Chunks are made and freed, never resized. */
static void *resize(void *ctx, void *ptr, size_t size_bytes)
{
    struct rota_chunk_pool *pool = ctx;
    struct spare *spare = pool->spares;
    void *block;

    if (size_bytes == 0) {
        give_back(pool, ptr);
        return NULL;
    }
    if (size_bytes > sizeof(struct rota_chunk) + SMALL_CAP_BYTES) {
        block = rota_alloc_get(pool->bulk, size_bytes);
    } else if (spare != NULL) {
        pool->spares = spare->next;
        pool->n_spares--;
        block = spare;
    } else {
        block = rota_alloc_get(pool->alloc, sizeof(struct rota_chunk) + SMALL_CAP_BYTES);
    }
    if (block != NULL)
        pool->out++;
    return block;
}

struct rota_chunk_pool *rota_chunk_pool_new(const struct rota_alloc *alloc, const struct rota_alloc *bulk)
{
    struct rota_chunk_pool *pool = rota_alloc_zero(alloc, 1, sizeof(*pool));

    if (pool == NULL)
        return NULL;
    pool->alloc = alloc;
    pool->bulk = bulk;
    pool->as_alloc = (struct rota_alloc){.resize = resize, .ctx = pool};
    return pool;
}

void rota_chunk_pool_free(struct rota_chunk_pool *pool)
{
    if (pool == NULL)
        return;
    pool->orphaned = true;
    if (pool->out == 0)
        free_pool(pool);
}

struct rota_chunk *rota_chunk_pool_get(struct rota_chunk_pool *pool, size_t cap)
{
    return rota_chunk_new(&pool->as_alloc, cap);
}
