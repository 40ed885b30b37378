/* arena.h - memory that goes all at once: a call's metadata, names, small copies.
 *
 * Chunks double up to a bound; reset keeps the first chunk so that a reused arena allocates nothing in
 * steady state; chunks for what is larger than the bound go back at every reset. Returned memory is aligned for any type. It also poses as a struct rota_alloc whose frees do nothing;
 * that table points back at the arena, which therefore stays where it was initialised.
 */
#ifndef ROTA_BASE_ARENA_H
#define ROTA_BASE_ARENA_H

#include <rota/alloc.h>
#include <rota/slice.h>

#define ROTA_ARENA_CHUNK_MAX_BYTES ((size_t)64 * 1024) /* doubling stops here; a larger request gets a chunk of its size */

struct rota_arena_chunk;

struct rota_arena {
    const struct rota_alloc *alloc;
    const struct rota_alloc *bulk;   /* where chunks larger than ROTA_ARENA_CHUNK_MAX_BYTES come from: `alloc`, unless changed after init */
    struct rota_arena_chunk *chunks; /* newest first; the last is kept by reset, unless it is one of those */
    size_t first_size_bytes;
    size_t used_bytes; /* handed out since init or reset */
    struct rota_alloc as_alloc; /* for decoders that take an allocator; resize copies */
};

/* Allocates nothing yet. first_size_bytes: what the first chunk holds; 0 is 1024. */
void rota_arena_init(struct rota_arena *arena, const struct rota_alloc *alloc, size_t first_size_bytes);
void rota_arena_fini(struct rota_arena *arena);
void rota_arena_reset(struct rota_arena *arena);
void *rota_arena_get(struct rota_arena *arena, size_t size_bytes); /* NULL when out of memory */
void *rota_arena_zero(struct rota_arena *arena, size_t count, size_t size_bytes);
char *rota_arena_text(struct rota_arena *arena, struct rota_slice text); /* zero-terminated copy */

/* Copies the bytes; ret_copy is written on success only. */
int rota_arena_slice(struct rota_arena *arena, struct rota_slice bytes, struct rota_slice *ret_copy);

#endif
