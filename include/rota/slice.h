/* rota/slice.h - a borrowed run of bytes. It owns nothing; who passes one says how long it stays valid. */
#ifndef ROTA_SLICE_H
#define ROTA_SLICE_H

#include <rota/api.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

ROTA_BEGIN_DECLS

struct rota_slice {
    const uint8_t *data; /* may be NULL when size is 0 */
    size_t size;
};

static inline struct rota_slice rota_slice(const void *data, size_t size)
{
    struct rota_slice slice = {(const uint8_t *)data, size}; /* no compound literal: C++ has none */

    return slice;
}

static inline struct rota_slice rota_slice_str(const char *text)
{
    return rota_slice(text, text == NULL ? 0 : strlen(text));
}

static inline bool rota_slice_equal(struct rota_slice a, struct rota_slice b)
{
    return a.size == b.size && (a.size == 0 || memcmp(a.data, b.data, a.size) == 0);
}

/* A slice of a string literal; in C a constant. */
#ifdef __cplusplus
#define ROTA_SLICE(literal) rota_slice("" literal, sizeof(literal) - 1)
#else
#define ROTA_SLICE(literal) ((struct rota_slice){(const uint8_t *)("" literal), sizeof(literal) - 1})
#endif

ROTA_END_DECLS
#endif
