/* arena.c - bump allocation in chunks.
 *
 * Invariants: used <= cap in every chunk, both multiples of UNIT; only the newest chunk is handed out from.
 * What poses as an allocator keeps each block's size in front of it, because resize must copy that much.
 */
#include "base/arena.h"
#include "base/alloc.h"
#include "base/assert.h"
#include <rota/err.h>
#include <stdalign.h>

#define UNIT alignof(max_align_t)
#define FIRST_DEFAULT_BYTES 1024

struct rota_arena_chunk {
    struct rota_arena_chunk *older;
    size_t cap, used;
    alignas(max_align_t) uint8_t data[];
};

struct block_size {
    alignas(max_align_t) size_t bytes;
};

static size_t round_up(size_t size_bytes)
{
    return (size_bytes + UNIT - 1) / UNIT * UNIT;
}

static const struct rota_alloc *source_of(const struct rota_arena *arena, size_t cap)
{
    return cap > ROTA_ARENA_CHUNK_MAX_BYTES ? arena->bulk : arena->alloc;
}

static struct rota_arena_chunk *add_chunk(struct rota_arena *arena, size_t need)
{
    struct rota_arena_chunk *chunk;
    size_t cap = arena->first_size_bytes;

    if (arena->chunks != NULL)
        cap = arena->chunks->cap >= ROTA_ARENA_CHUNK_MAX_BYTES / 2 ? ROTA_ARENA_CHUNK_MAX_BYTES : arena->chunks->cap * 2;
    if (cap < need)
        cap = need;
    chunk = rota_alloc_get(source_of(arena, cap), sizeof(*chunk) + cap);
    if (chunk == NULL)
        return NULL;
    chunk->older = arena->chunks;
    chunk->cap = cap;
    chunk->used = 0;
    arena->chunks = chunk;
    return chunk;
}

void *rota_arena_get(struct rota_arena *arena, size_t size_bytes)
{
    struct rota_arena_chunk *chunk = arena->chunks;
    void *block;

    if (size_bytes > PTRDIFF_MAX / 2)
        return NULL;
    size_bytes = round_up(size_bytes == 0 ? 1 : size_bytes);
    if (chunk == NULL || chunk->cap - chunk->used < size_bytes) {
        chunk = add_chunk(arena, size_bytes);
        if (chunk == NULL)
            return NULL;
    }
    block = chunk->data + chunk->used;
    chunk->used += size_bytes;
    arena->used_bytes += size_bytes;
    return block;
}

/* Lengthens the block when nothing was handed out after it and its chunk has the room. */
static bool extend(struct rota_arena *arena, struct block_size *block, size_t size_bytes)
{
    struct rota_arena_chunk *chunk = arena->chunks;
    uint8_t *end = (uint8_t *)(block + 1) + round_up(block->bytes);
    size_t more;

    if (end != chunk->data + chunk->used)
        return false;
    more = round_up(size_bytes) - round_up(block->bytes);
    if (chunk->cap - chunk->used < more)
        return false;
    chunk->used += more;
    arena->used_bytes += more;
    block->bytes = size_bytes;
    return true;
}

static void *resize(void *ctx, void *ptr, size_t size_bytes)
{
    struct block_size *old = ptr == NULL ? NULL : (struct block_size *)ptr - 1;
    struct block_size *block;

    if (size_bytes == 0 || size_bytes > PTRDIFF_MAX / 2 - sizeof(*block))
        return NULL;
    if (old != NULL && (size_bytes <= old->bytes || extend(ctx, old, size_bytes)))
        return ptr;
    block = rota_arena_get(ctx, sizeof(*block) + size_bytes);
    if (block == NULL)
        return NULL;
    block->bytes = size_bytes;
    if (old != NULL)
        memcpy(block + 1, old + 1, old->bytes);
    return block + 1;
}

void rota_arena_init(struct rota_arena *arena, const struct rota_alloc *alloc, size_t first_size_bytes)
{
    ROTA_ASSERT(first_size_bytes <= PTRDIFF_MAX / 2);
    *arena = (struct rota_arena){
        .alloc = rota_alloc_or_default(alloc),
        .bulk = rota_alloc_or_default(alloc),
        .first_size_bytes = round_up(first_size_bytes == 0 ? FIRST_DEFAULT_BYTES : first_size_bytes),
        .as_alloc = {.resize = resize, .ctx = arena},
    };
}

static void free_chunks(struct rota_arena *arena, bool keep_first)
{
    struct rota_arena_chunk *chunk = arena->chunks;

    while (chunk != NULL && !(keep_first && chunk->older == NULL && chunk->cap <= ROTA_ARENA_CHUNK_MAX_BYTES)) {
        arena->chunks = chunk->older;
        rota_alloc_free(source_of(arena, chunk->cap), chunk);
        chunk = arena->chunks;
    }
}

void rota_arena_fini(struct rota_arena *arena)
{
    if (arena == NULL)
        return;
    free_chunks(arena, false);
    arena->used_bytes = 0;
}

void rota_arena_reset(struct rota_arena *arena)
{
    free_chunks(arena, true);
    if (arena->chunks != NULL)
        arena->chunks->used = 0;
    arena->used_bytes = 0;
}

void *rota_arena_zero(struct rota_arena *arena, size_t count, size_t size_bytes)
{
    void *block;

    if (size_bytes != 0 && count > SIZE_MAX / size_bytes)
        return NULL;
    block = rota_arena_get(arena, count * size_bytes);
    if (block != NULL)
        memset(block, 0, count * size_bytes);
    return block;
}

char *rota_arena_text(struct rota_arena *arena, struct rota_slice text)
{
    char *copy = text.size == SIZE_MAX ? NULL : rota_arena_get(arena, text.size + 1);

    if (copy == NULL)
        return NULL;
    if (text.size > 0)
        memcpy(copy, text.data, text.size);
    copy[text.size] = '\0';
    return copy;
}

int rota_arena_slice(struct rota_arena *arena, struct rota_slice bytes, struct rota_slice *ret_copy)
{
    uint8_t *copy;

    if (bytes.size == 0) {
        *ret_copy = (struct rota_slice){0};
        return 0;
    }
    copy = rota_arena_get(arena, bytes.size);
    if (copy == NULL)
        return ROTA_ENOMEM;
    memcpy(copy, bytes.data, bytes.size);
    *ret_copy = rota_slice(copy, bytes.size);
    return 0;
}
