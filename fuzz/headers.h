/* headers.h - header lists out of a fuzzer's bytes: lines of "name:value", names in lower case as HTTP/2 has them. */
#ifndef ROTA_FUZZ_HEADERS_H
#define ROTA_FUZZ_HEADERS_H

#include "wire/header.h"

#define FUZZ_HEADERS_MAX 64

/* Slices point into data. A line without a colon (other than its first byte) is a name with an empty value. */
static inline size_t fuzz_headers(struct rota_slice data, struct rota_header *out)
{
    size_t n = 0;

    while (data.size > 0 && n < FUZZ_HEADERS_MAX) {
        const uint8_t *newline = memchr(data.data, '\n', data.size);
        size_t line = newline == NULL ? data.size : (size_t)(newline - data.data), used = newline == NULL ? line : line + 1;
        const uint8_t *colon = line < 2 ? NULL : memchr(data.data + 1, ':', line - 1);
        size_t name = colon == NULL ? line : (size_t)(colon - data.data);

        if (name > 0)
            out[n++] = (struct rota_header){rota_slice(data.data, name), rota_slice(data.data + name + (colon != NULL), line - name - (colon != NULL))};
        data = rota_slice(data.data + used, data.size - used);
    }
    return n;
}

#endif
