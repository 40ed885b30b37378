/* pool.c - free lists by size class.
 *
 * Invariant: a block's header says its class (0: passed through) and how many bytes it holds, as long as it lives.
 */
#include "h2/pool.h"
#include "base/alloc.h"
#include <stdalign.h>
#include <stdint.h>
#include <string.h>

#define STEP_BYTES 64

struct rota_h2_block {
    union {
        struct rota_h2_block *next; /* while kept */
        size_t size_bytes;          /* while in use */
    };
    size_t class;
    alignas(max_align_t) uint8_t data[];
};

void rota_h2_pool_init(struct rota_h2_pool *pool, const struct rota_alloc *alloc)
{
    *pool = (struct rota_h2_pool){.alloc = rota_alloc_or_default(alloc)};
}

void rota_h2_pool_fini(struct rota_h2_pool *pool)
{
    for (size_t i = 0; i < ROTA_H2_POOL_CLASSES; i++)
        while (pool->kept[i] != NULL) {
            struct rota_h2_block *block = pool->kept[i];
            pool->kept[i] = block->next;
            rota_alloc_free(pool->alloc, block);
        }
    pool->kept_bytes = 0;
}

static struct rota_h2_block *block_of(void *ptr)
{
    return (struct rota_h2_block *)(void *)((uint8_t *)ptr - offsetof(struct rota_h2_block, data));
}

void *rota_h2_pool_get(struct rota_h2_pool *pool, size_t size_bytes)
{
    size_t class = size_bytes == 0 ? 1 : (size_bytes - 1) / STEP_BYTES + 1;
    struct rota_h2_block *block;

    if (class > ROTA_H2_POOL_CLASSES) {
        if (size_bytes > PTRDIFF_MAX - sizeof(*block))
            return NULL;
        class = 0;
        block = rota_alloc_get(pool->alloc, sizeof(*block) + size_bytes);
    } else {
        size_bytes = class * STEP_BYTES;
        block = pool->kept[class - 1];
        if (block != NULL) {
            pool->kept[class - 1] = block->next;
            pool->kept_bytes -= size_bytes;
        } else {
            block = rota_alloc_get(pool->alloc, sizeof(*block) + size_bytes);
        }
    }
    if (block == NULL)
        return NULL;
    block->size_bytes = size_bytes;
    block->class = class;
    return block->data;
}

void rota_h2_pool_put(struct rota_h2_pool *pool, void *ptr)
{
    struct rota_h2_block *block;

    if (ptr == NULL)
        return;
    block = block_of(ptr);
    if (block->class == 0 || pool->kept_bytes + block->size_bytes > ROTA_H2_POOL_KEPT_BYTES) {
        rota_alloc_free(pool->alloc, block);
        return;
    }
    pool->kept_bytes += block->size_bytes;
    block->next = pool->kept[block->class - 1];
    pool->kept[block->class - 1] = block;
}
