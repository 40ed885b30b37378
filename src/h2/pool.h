/* pool.h - keeps freed small blocks for the next stream or frame, so that a call in steady state asks nobody for memory.
 *
 * One pool a connection. Under AddressSanitizer nothing is kept, so that it sees
 * every use after free.
 */
#ifndef ROTA_H2_POOL_H
#define ROTA_H2_POOL_H

#include <rota/alloc.h>

#define ROTA_H2_POOL_CLASSES 16 /* of 64, 128, ... 1024 bytes; larger blocks are passed through */

#if defined(__SANITIZE_ADDRESS__)
#define ROTA_H2_POOL_KEPT_BYTES 0
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define ROTA_H2_POOL_KEPT_BYTES 0
#endif
#endif
#ifndef ROTA_H2_POOL_KEPT_BYTES
#define ROTA_H2_POOL_KEPT_BYTES (256 * 1024) /* at most, so that a connection that once was busy gives back its peak */
#endif

struct rota_h2_block;

struct rota_h2_pool {
    const struct rota_alloc *alloc;
    struct rota_h2_block *kept[ROTA_H2_POOL_CLASSES];
    size_t kept_bytes;
};

void rota_h2_pool_init(struct rota_h2_pool *pool, const struct rota_alloc *alloc);
void rota_h2_pool_fini(struct rota_h2_pool *pool); /* every block must have come back */
void *rota_h2_pool_get(struct rota_h2_pool *pool, size_t size_bytes); /* NULL when out of memory */
void rota_h2_pool_put(struct rota_h2_pool *pool, void *ptr);          /* NULL is fine */

#endif
