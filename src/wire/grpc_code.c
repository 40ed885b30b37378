/* grpc_code.c - the codes of HTTP and HTTP/2 as gRPC statuses, and messages nobody here can decompress.
 *
 * Source: doc/http-grpc-status-mapping.md, doc/PROTOCOL-HTTP2.md ("Errors"), doc/compression.md in grpc/grpc.
 */
#include "base/assert.h"
#include "wire/grpc.h"

enum rota_code rota_code_of_http(int http_status)
{
    switch (http_status) {
    case 400:
        return ROTA_INTERNAL;
    case 401:
        return ROTA_UNAUTHENTICATED;
    case 403:
        return ROTA_PERMISSION_DENIED;
    case 404:
        return ROTA_UNIMPLEMENTED;
    case 429:
    case 502:
    case 503:
    case 504:
        return ROTA_UNAVAILABLE;
    default:
        return ROTA_UNKNOWN;
    }
}

enum rota_code rota_code_of_h2(uint32_t h2_code)
{
    static const enum rota_code codes[] = {
        [0] = ROTA_INTERNAL,  /* NO_ERROR: the server gave up the stream without saying why */
        [1] = ROTA_INTERNAL,  /* PROTOCOL_ERROR */
        [2] = ROTA_INTERNAL,  /* INTERNAL_ERROR */
        [3] = ROTA_INTERNAL,  /* FLOW_CONTROL_ERROR */
        [4] = ROTA_INTERNAL,  /* SETTINGS_TIMEOUT */
        [5] = ROTA_INTERNAL,  /* STREAM_CLOSED */
        [6] = ROTA_INTERNAL,  /* FRAME_SIZE_ERROR */
        [7] = ROTA_UNAVAILABLE, /* REFUSED_STREAM */
        [8] = ROTA_CANCELLED, /* CANCEL */
        [9] = ROTA_INTERNAL,  /* COMPRESSION_ERROR */
        [10] = ROTA_INTERNAL, /* CONNECT_ERROR */
        [11] = ROTA_RESOURCE_EXHAUSTED, /* ENHANCE_YOUR_CALM */
        [12] = ROTA_PERMISSION_DENIED,  /* INADEQUATE_SECURITY */
        [13] = ROTA_INTERNAL, /* HTTP_1_1_REQUIRED */
    };

    return h2_code < ROTA_COUNT(codes) ? codes[h2_code] : ROTA_UNKNOWN;
}

void rota_compressed_status(struct rota_slice encoding, bool at_server, struct rota_status *ret_status)
{
    if (encoding.size == 0 || rota_slice_equal(encoding, ROTA_SLICE("identity")))
        rota_status_set(ret_status, ROTA_INTERNAL, "a message is marked compressed, but no grpc-encoding was announced");
    else
        rota_status_set(ret_status, at_server ? ROTA_UNIMPLEMENTED : ROTA_INTERNAL,
            "grpc-encoding \"%.*s\" is not supported, only " ROTA_ENCODINGS, (int)(encoding.size < 100 ? encoding.size : 100),
            (const char *)encoding.data);
}

enum rota_code rota_code_of_control(enum rota_code code)
{
    const uint32_t illegal = 1u << ROTA_OK | 1u << ROTA_INVALID_ARGUMENT | 1u << ROTA_NOT_FOUND | 1u << ROTA_ALREADY_EXISTS |
        1u << ROTA_FAILED_PRECONDITION | 1u << ROTA_ABORTED | 1u << ROTA_OUT_OF_RANGE | 1u << ROTA_DATA_LOSS;

    return (unsigned)code > ROTA_UNAUTHENTICATED || (illegal >> code & 1) != 0 ? ROTA_INTERNAL : code;
}
