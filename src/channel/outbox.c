/* outbox.c - a short array of chunks; most calls need one place and allocate nothing. */
#include "channel/outbox.h"
#include "base/alloc.h"
#include "base/assert.h"
#include <string.h>

static size_t cost_of(const struct rota_chunk *chunk)
{
    return sizeof(*chunk) + chunk->size;
}

void rota_outbox_init(struct rota_outbox *outbox, const struct rota_alloc *alloc, size_t *total_bytes)
{
    outbox->alloc = alloc;
    outbox->chunks = outbox->few;
    outbox->count = 0;
    outbox->cap = ROTA_COUNT(outbox->few);
    outbox->size_bytes = 0;
    outbox->total_bytes = total_bytes;
}

void rota_outbox_fini(struct rota_outbox *outbox)
{
    rota_outbox_forget(outbox, outbox->count);
    if (outbox->chunks != outbox->few)
        rota_alloc_free(outbox->alloc, outbox->chunks);
    outbox->chunks = outbox->few;
    outbox->cap = ROTA_COUNT(outbox->few);
}

static rota_err grow(struct rota_outbox *outbox)
{
    struct rota_chunk **wider = outbox->chunks == outbox->few ? NULL : outbox->chunks;
    size_t cap = wider == NULL ? 0 : outbox->cap;

    if (rota_alloc_reserve(outbox->alloc, &wider, &cap, outbox->count + 1, sizeof(*wider)) < 0)
        return ROTA_ENOMEM;
    if (outbox->chunks == outbox->few)
        memcpy(wider, outbox->few, sizeof(outbox->few));
    outbox->chunks = wider;
    outbox->cap = cap;
    return 0;
}

rota_err rota_outbox_add(struct rota_outbox *outbox, struct rota_chunk *chunk)
{
    if (outbox->count == outbox->cap && grow(outbox) < 0) {
        rota_chunk_unref(chunk);
        return ROTA_ENOMEM;
    }
    outbox->chunks[outbox->count++] = chunk;
    outbox->size_bytes += cost_of(chunk);
    *outbox->total_bytes += cost_of(chunk);
    return 0;
}

void rota_outbox_forget(struct rota_outbox *outbox, size_t n_oldest)
{
    for (size_t i = 0; i < n_oldest; i++) {
        outbox->size_bytes -= cost_of(outbox->chunks[i]);
        *outbox->total_bytes -= cost_of(outbox->chunks[i]);
        rota_chunk_unref(outbox->chunks[i]);
    }
    outbox->count -= n_oldest;
    memmove(outbox->chunks, outbox->chunks + n_oldest, outbox->count * sizeof(struct rota_chunk *));
}
