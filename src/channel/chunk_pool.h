/* chunk_pool.h - small message chunks that are used again and again, so that packing a request allocates nothing.
 *
 * The pool poses as the chunks' allocator; a chunk therefore finds its way back from wherever its last reference is dropped.
 * It outlives its owner as long as chunks are out: connections may hold some for a moment longer than the channel lives.
 */
#ifndef ROTA_CHANNEL_CHUNK_POOL_H
#define ROTA_CHANNEL_CHUNK_POOL_H

#include "base/chunk.h"

struct rota_chunk_pool;

struct rota_chunk_pool *rota_chunk_pool_new(const struct rota_alloc *alloc, const struct rota_alloc *bulk); /* bulk: for those that are not small. NULL when out of memory */
void rota_chunk_pool_free(struct rota_chunk_pool *pool); /* now, or when the last chunk has come back; NULL is fine */
struct rota_chunk *rota_chunk_pool_get(struct rota_chunk_pool *pool, size_t cap); /* as rota_chunk_new */

#endif
