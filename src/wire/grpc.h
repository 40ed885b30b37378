/* grpc.h - gRPC's meaning of HTTP/2 headers: requests, responses, trailers, and the codes of one world in the other.
 *
 * Pure: header fields in, requests and statuses out, and back. Source: doc/PROTOCOL-HTTP2.md,
 * doc/http-grpc-status-mapping.md in grpc/grpc.
 */
#ifndef ROTA_WIRE_GRPC_H
#define ROTA_WIRE_GRPC_H

#include "base/arena.h"
#include "wire/header.h"
#include "wire/metadata.h"
#include "wire/zip.h"
#include <rota/status.h>

/* --- Client: request headers --- */

struct rota_request_head {
    struct rota_slice path, authority, user_agent;
    int64_t timeout_ns;        /* INT64_MAX: none */
    uint32_t previous_attempts; /* grpc-previous-rpc-attempts; 0: left out */
    const struct rota_metadata *metadata; /* may be NULL */
    bool secure;
    bool gzip; /* messages may be compressed */
};

/* Builds the header list in the arena. ROTA_ENOMEM. */
rota_err rota_request_headers(const struct rota_request_head *head, struct rota_arena *arena, struct rota_header **ret_headers, size_t *ret_count);

/* --- Client: response --- */

struct rota_response {
    bool headers_seen;          /* real response headers, not trailers-only: the call is committed */
    bool rejected;              /* headers were no gRPC: `status` is already final */
    bool status_seen;
    struct rota_status status;
    struct rota_slice message;  /* the whole message, decoded, in the arena */
    struct rota_metadata *initial, *trailing; /* in the arena; NULL until there */
    struct rota_slice encoding; /* grpc-encoding, in the arena; empty: none given */
    bool pushback_seen;         /* grpc-retry-pushback-ms */
    int64_t pushback_ms;        /* negative: do not retry */
};

/* Response headers; end: trailers-only. A wrong :status or content-type rejects the response with the mapped status, naming both; so does
 * (RESOURCE_EXHAUSTED, as with trailers) a list over ROTA_HEADER_LIST_BYTES, each part of a "-bin" value a field of its own. ROTA_ENOMEM. */
rota_err rota_response_headers(struct rota_response *r, struct rota_arena *arena, const struct rota_header *headers, size_t count, bool end);
/* Trailers; count 0 or without grpc-status: UNKNOWN or what the HTTP status says, with a sentence. ROTA_ENOMEM. */
rota_err rota_response_trailers(struct rota_response *r, struct rota_arena *arena, const struct rota_header *headers, size_t count);

enum rota_code rota_code_of_http(int http_status);
/* What a policy, a resolver or credentials may say: codes that would be taken for the server's own answer become INTERNAL (gRFC A54). */
enum rota_code rota_code_of_control(enum rota_code code);
enum rota_code rota_code_of_h2(uint32_t h2_code);  /* RST_STREAM to status */
/* How a call ends that gets a message with the compressed flag under an encoding that is none or not ours. Both sides. */
void rota_compressed_status(struct rota_slice encoding, bool at_server, struct rota_status *ret_status);

/* --- Server --- */

struct rota_request {
    struct rota_slice path, authority, content_type, encoding; /* empty: not given */
    int64_t timeout_ns; /* INT64_MAX: none */
    struct rota_metadata *metadata; /* in the arena */
    bool accepts_gzip;
    int http_status;    /* not 0: no gRPC request, answer with this HTTP status (415, 405, 400) and no more */
    struct rota_status reject; /* code not OK: answer trailers-only with it (bad grpc-timeout, unknown encoding, too much metadata) */
};

/* Copies what it keeps into the arena: three times max_bytes at most, if the list is no longer than that as HTTP/2 counts it. Each part of a
 * "-bin" value counts as a field of its own. ROTA_ENOMEM. */
rota_err rota_request_read(struct rota_request *ret_request, struct rota_arena *arena, const struct rota_header *headers, size_t count, size_t max_bytes);
/* Response headers, with initial metadata; gzip: messages may be compressed. */
rota_err rota_response_head(struct rota_arena *arena, const struct rota_metadata *initial, bool gzip, struct rota_header **ret_headers, size_t *ret_count);

struct rota_response_end {
    const struct rota_status *status;
    struct rota_slice text; /* the whole message, where status has only its beginning; empty: status has all */
    const struct rota_metadata *trailing; /* may be NULL */
    bool only;      /* trailers-only: with :status and content-type before */
    bool encodings; /* tells those that this side reads */
};

/* RESOURCE_EXHAUSTED: header lists of that size are not sent, where max_bytes is what transport.h says. whose: "call" or "reply"; peer: "server" or "client". */
void rota_headers_refused(struct rota_status *ret_status, const char *whose, const char *peer, size_t bytes, size_t max_bytes);
/* Trailers. ROTA_ENOMEM. */
rota_err rota_response_tail(const struct rota_response_end *end, struct rota_arena *arena, struct rota_header **ret_headers, size_t *ret_count);

#endif
