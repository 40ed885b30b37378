/* response.c - a client reads any headers and trailers (parted by an empty line) to exactly one status of UTF-8. */
#include "base/assert.h"
#include "base/text.h"
#include "headers.h"
#include "wire/grpc.h"

static size_t first_part(struct rota_slice data)
{
    for (size_t i = 0; i + 1 < data.size; i++)
        if (data.data[i] == '\n' && data.data[i + 1] == '\n')
            return i;
    return data.size;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size_bytes)
{
    struct rota_header headers[FUZZ_HEADERS_MAX];
    struct rota_response response = {0};
    struct rota_slice input = rota_slice(data, size_bytes);
    struct rota_arena arena;
    size_t part = first_part(input), count;
    bool only = part == size_bytes;

    rota_arena_init(&arena, NULL, 0);
    count = fuzz_headers(rota_slice(data, part), headers);
    ROTA_ASSERT(rota_response_headers(&response, &arena, headers, count, only) == 0);
    ROTA_ASSERT(!response.headers_seen || !response.rejected);
    ROTA_ASSERT(!response.rejected || response.status_seen);
    if (!only) {
        count = fuzz_headers(rota_slice(data + part, size_bytes - part), headers);
        ROTA_ASSERT(rota_response_trailers(&response, &arena, headers, count) == 0);
    }
    ROTA_ASSERT(response.status_seen);
    ROTA_ASSERT((unsigned)response.status.code <= ROTA_UNAUTHENTICATED);
    ROTA_ASSERT(rota_text_is_utf8(response.message));
    ROTA_ASSERT(rota_text_is_utf8(rota_slice_str(response.status.message)));
    rota_arena_fini(&arena);
    return 0;
}
