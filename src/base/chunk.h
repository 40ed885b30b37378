/* chunk.h - a refcounted run of bytes: a message on its way through queues, sent or received.
 *
 * The count is not atomic: a chunk belongs to one thread at a time and is handed over whole.
 */
#ifndef ROTA_BASE_CHUNK_H
#define ROTA_BASE_CHUNK_H

#include <rota/alloc.h>
#include <rota/slice.h>

struct rota_chunk {
    const struct rota_alloc *alloc;
    uint32_t refs;
    size_t size; /* bytes in use, at most cap */
    size_t cap;
    uint8_t data[];
};

struct rota_chunk *rota_chunk_new(const struct rota_alloc *alloc, size_t cap); /* size 0, one reference; NULL when out of memory */
struct rota_chunk *rota_chunk_ref(struct rota_chunk *chunk);
void rota_chunk_unref(struct rota_chunk *chunk); /* NULL is fine */

static inline struct rota_slice rota_chunk_slice(const struct rota_chunk *chunk)
{
    return (struct rota_slice){chunk->data, chunk->size};
}

#endif
