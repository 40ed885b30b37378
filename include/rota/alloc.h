/* rota/alloc.h - where the library's memory comes from.
 *
 * Options structs take a `const struct rota_alloc *`; NULL means malloc. The table and its ctx must outlive
 * every object made with it. Threading: called on the thread of the object's loop (and, for blocking
 * calls, on the calling thread too, so a table given with a loop-thread channel must be thread safe).
 */
#ifndef ROTA_ALLOC_H
#define ROTA_ALLOC_H

#include <rota/api.h>
#include <stddef.h>

ROTA_BEGIN_DECLS

struct rota_alloc {
    /* As realloc: ptr NULL allocates; size 0 frees ptr and returns NULL. Returns NULL and leaves ptr alone when out of memory. */
    void *(*resize)(void *ctx, void *ptr, size_t size_bytes);
    void *ctx;
};

ROTA_END_DECLS
#endif
