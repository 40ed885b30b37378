/* alloc.h - allocation through a struct rota_alloc; NULL everywhere means malloc. All return NULL when out of memory. */
#ifndef ROTA_BASE_ALLOC_H
#define ROTA_BASE_ALLOC_H

#include <rota/alloc.h>
#include <rota/slice.h>

/* The malloc table; `a` or this one, never NULL. */
const struct rota_alloc *rota_alloc_or_default(const struct rota_alloc *a);

/* Size 0 gives a block too, so that NULL always means out of memory. */
void *rota_alloc_get(const struct rota_alloc *a, size_t size_bytes);
void *rota_alloc_zero(const struct rota_alloc *a, size_t count, size_t size_bytes); /* checks count * size for overflow */
void *rota_alloc_resize(const struct rota_alloc *a, void *ptr, size_t size_bytes);
void rota_alloc_free(const struct rota_alloc *a, void *ptr); /* NULL is fine */
char *rota_alloc_text(const struct rota_alloc *a, struct rota_slice text); /* zero-terminated copy */

/* Makes *array of elements of `size_bytes` hold at least `need` of them (doubling); *cap is updated. 0 or ROTA_ENOMEM.
 * `array` is the address of the pointer to the elements. */
int rota_alloc_reserve(const struct rota_alloc *a, void *array, size_t *cap, size_t need, size_t size_bytes);

#endif
