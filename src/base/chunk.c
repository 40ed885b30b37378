/* chunk.c - header and bytes in one block. */
#include "base/chunk.h"
#include "base/alloc.h"
#include "base/assert.h"

struct rota_chunk *rota_chunk_new(const struct rota_alloc *alloc, size_t cap)
{
    struct rota_chunk *chunk;

    if (cap > SIZE_MAX - sizeof(*chunk))
        return NULL;
    alloc = rota_alloc_or_default(alloc);
    chunk = rota_alloc_get(alloc, sizeof(*chunk) + cap);
    if (chunk == NULL)
        return NULL;
    chunk->alloc = alloc;
    chunk->refs = 1;
    chunk->size = 0;
    chunk->cap = cap;
    return chunk;
}

struct rota_chunk *rota_chunk_ref(struct rota_chunk *chunk)
{
    ROTA_ASSERT(chunk->refs > 0 && chunk->refs < UINT32_MAX);
    chunk->refs++;
    return chunk;
}

void rota_chunk_unref(struct rota_chunk *chunk)
{
    if (chunk == NULL)
        return;
    ROTA_ASSERT(chunk->refs > 0);
    if (--chunk->refs == 0)
        rota_alloc_free(chunk->alloc, chunk);
}
