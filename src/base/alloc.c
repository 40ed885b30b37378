/* alloc.c - malloc as a table, and the checks that every caller of a table would repeat. */
#include "base/alloc.h"
#include <rota/err.h>
#include <stdint.h>
#include <stdlib.h>

#define RESERVE_MIN 8

static void *malloc_resize(void *ctx, void *ptr, size_t size_bytes)
{
    (void)ctx;
    if (size_bytes == 0) {
        free(ptr);
        return NULL;
    }
    return realloc(ptr, size_bytes);
}

static const struct rota_alloc malloc_table = {.resize = malloc_resize};

const struct rota_alloc *rota_alloc_or_default(const struct rota_alloc *a)
{
    return a == NULL ? &malloc_table : a;
}

void *rota_alloc_resize(const struct rota_alloc *a, void *ptr, size_t size_bytes)
{
    a = rota_alloc_or_default(a);
    return a->resize(a->ctx, ptr, size_bytes == 0 ? 1 : size_bytes);
}

void *rota_alloc_get(const struct rota_alloc *a, size_t size_bytes)
{
    return rota_alloc_resize(a, NULL, size_bytes);
}

void *rota_alloc_zero(const struct rota_alloc *a, size_t count, size_t size_bytes)
{
    void *block;

    if (size_bytes != 0 && count > SIZE_MAX / size_bytes)
        return NULL;
    block = rota_alloc_get(a, count * size_bytes);
    if (block != NULL)
        memset(block, 0, count * size_bytes);
    return block;
}

void rota_alloc_free(const struct rota_alloc *a, void *ptr)
{
    if (ptr == NULL)
        return;
    a = rota_alloc_or_default(a);
    a->resize(a->ctx, ptr, 0);
}

char *rota_alloc_text(const struct rota_alloc *a, struct rota_slice text)
{
    char *copy = text.size == SIZE_MAX ? NULL : rota_alloc_get(a, text.size + 1);

    if (copy == NULL)
        return NULL;
    if (text.size > 0)
        memcpy(copy, text.data, text.size);
    copy[text.size] = '\0';
    return copy;
}

int rota_alloc_reserve(const struct rota_alloc *a, void *array, size_t *cap, size_t need, size_t size_bytes)
{
    size_t grown = *cap > SIZE_MAX / 2 ? SIZE_MAX : *cap * 2;
    void *elements;

    if (need <= *cap)
        return 0;
    if (grown < RESERVE_MIN)
        grown = RESERVE_MIN;
    if (grown < need)
        grown = need;
    if (grown > SIZE_MAX / size_bytes)
        return ROTA_ENOMEM;

    /* The caller's pointer has a type of its own, so it is read and written as bytes. */
    memcpy(&elements, array, sizeof(elements));
    elements = rota_alloc_resize(a, elements, grown * size_bytes);
    if (elements == NULL)
        return ROTA_ENOMEM;
    memcpy(array, &elements, sizeof(elements));
    *cap = grown;
    return 0;
}
