/* request.c - a server reads any header list, and what it keeps can be sent on. */
#include "base/assert.h"
#include "headers.h"
#include "wire/grpc.h"

#define MAX_BYTES ((size_t)4 << 10)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size_bytes)
{
    struct rota_header headers[FUZZ_HEADERS_MAX], *out;
    struct rota_request request;
    struct rota_arena arena;
    size_t count;

    rota_arena_init(&arena, NULL, 0);
    ROTA_ASSERT(rota_request_read(&request, &arena, headers, fuzz_headers(rota_slice(data, size_bytes), headers), MAX_BYTES) == 0);
    ROTA_ASSERT(request.timeout_ns >= 0 && request.metadata != NULL && request.metadata->split_bytes <= MAX_BYTES);
    if (request.http_status == 0 && request.reject.code == ROTA_OK) {
        struct rota_request_head head = {
            .path = request.path, .authority = request.authority, .timeout_ns = request.timeout_ns, .metadata = request.metadata};
        struct rota_request again;

        ROTA_ASSERT(rota_request_headers(&head, &arena, &out, &count) == 0);
        ROTA_ASSERT(rota_request_read(&again, &arena, out, count, 0) == 0);
        ROTA_ASSERT(again.http_status == 0 && again.reject.code == ROTA_OK);
        ROTA_ASSERT(rota_slice_equal(again.path, request.path));
        ROTA_ASSERT(again.timeout_ns >= request.timeout_ns);
    }
    rota_arena_fini(&arena);
    return 0;
}
