/* same.h - names and values, which are short, compared without a call. */
#ifndef ROTA_HPACK_SAME_H
#define ROTA_HPACK_SAME_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

static inline uint64_t rota_get_8(const uint8_t *at)
{
    uint64_t word;

    memcpy(&word, at, sizeof(word));
    return word;
}

static inline uint32_t rota_get_4(const uint8_t *at)
{
    uint32_t word;

    memcpy(&word, at, sizeof(word));
    return word;
}

/* Words from the front, and the last one from the back, over some of the one before. */
static inline bool rota_same(const uint8_t *a, const uint8_t *b, size_t size)
{
    if (size > 32)
        return memcmp(a, b, size) == 0;
    if (size >= 8) {
        uint64_t differences = rota_get_8(a + size - 8) ^ rota_get_8(b + size - 8);

        for (size_t i = 0; i + 8 < size; i += 8)
            differences |= rota_get_8(a + i) ^ rota_get_8(b + i);
        return differences == 0;
    }
    if (size >= 4)
        return ((rota_get_4(a) ^ rota_get_4(b)) | (rota_get_4(a + size - 4) ^ rota_get_4(b + size - 4))) == 0;
    return size == 0 || (a[0] == b[0] && a[size / 2] == b[size / 2] && a[size - 1] == b[size - 1]);
}

#endif
