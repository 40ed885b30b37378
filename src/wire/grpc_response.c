/* grpc_response.c - response headers and trailers: written by the server, and read by the client into one status.
 *
 * Reading decides, in this order: a grpc-status given is the call's status, whatever HTTP says, unless it says OK; a response that is no
 * gRPC is rejected with what its HTTP status maps to; an end without grpc-status is UNKNOWN, without trailers INTERNAL. Invariant: once
 * status_seen is set, status and message do not change.
 */
#include "base/text.h"
#include "wire/field.h"
#include "wire/grpc.h"
#include "wire/text.h"
#include <stdarg.h>

#define SHOWN(slice) (int)((slice).size < 100 ? (slice).size : 100), (const char *)(slice).data

/* --- Reading --- */

/* What one block of fields said; slices are borrowed from it. */
struct block {
    struct rota_slice content_type, grpc_status, grpc_message, undecodable;
    int http_status; /* 0: none */
    bool too_large;
};

/* Digits only; -1 for anything else or above 9999. */
static int parse_number(struct rota_slice text)
{
    int number = 0;

    if (text.size == 0 || text.size > 4)
        return -1;
    for (size_t i = 0; i < text.size; i++) {
        if (text.data[i] < '0' || text.data[i] > '9')
            return -1;
        number = number * 10 + (text.data[i] - '0');
    }
    return number;
}

/* gRFC A6: what is no number of milliseconds means: do not retry. So does more than one. */
static void read_pushback(struct rota_response *r, struct rota_slice text)
{
    int64_t ms = 0;
    bool again = r->pushback_seen;

    r->pushback_seen = true;
    r->pushback_ms = -1;
    if (again || text.size == 0 || text.size > 10)
        return;
    for (size_t i = 0; i < text.size; i++) {
        if (text.data[i] < '0' || text.data[i] > '9')
            return;
        ms = ms * 10 + (text.data[i] - '0');
    }
    r->pushback_ms = ms;
}

static rota_err read_field(struct rota_response *r, struct block *block, struct rota_arena *arena, struct rota_metadata *metadata,
    const struct rota_header *field)
{
    rota_err err;

    switch (rota_field_of(field->name)) {
    case ROTA_FIELD_STATUS:
        block->http_status = parse_number(field->value);
        return 0;
    case ROTA_FIELD_CONTENT_TYPE:
        block->content_type = field->value;
        return 0;
    case ROTA_FIELD_GRPC_STATUS:
        block->grpc_status = field->value.size > 0 ? field->value : ROTA_SLICE(" ");
        return 0;
    case ROTA_FIELD_GRPC_MESSAGE:
        block->grpc_message = field->value;
        return 0;
    case ROTA_FIELD_ENCODING:
        return rota_arena_slice(arena, field->value, &r->encoding);
    case ROTA_FIELD_PUSHBACK:
        read_pushback(r, field->value);
        return 0;
    case ROTA_FIELD_PSEUDO:
    case ROTA_FIELD_METHOD:
    case ROTA_FIELD_PATH:
    case ROTA_FIELD_AUTHORITY:
    case ROTA_FIELD_ACCEPT_ENCODING:
        return 0;
    default:
        err = rota_metadata_add_received(metadata, field->name, field->value, ROTA_HEADER_LIST_BYTES);
        if (err == ROTA_EPARSE)
            block->undecodable = field->name;
        block->too_large |= err == ROTA_ELIMIT;
        return err == ROTA_ENOMEM ? err : 0;
    }
}

static rota_err read_block(struct rota_response *r, struct block *block, struct rota_arena *arena, struct rota_metadata **ret_metadata,
    const struct rota_header *headers, size_t count)
{
    struct rota_metadata *metadata = rota_metadata_in(arena);

    if (metadata == NULL)
        return ROTA_ENOMEM;
    for (size_t i = 0; i < count; i++)
        if (read_field(r, block, arena, metadata, &headers[i]) < 0)
            return ROTA_ENOMEM;
    block->too_large |= rota_metadata_exceeds(metadata, headers, count, ROTA_HEADER_LIST_BYTES);
    *ret_metadata = metadata;
    return 0;
}

/* --- The status --- */

/* A sentence of our own. */
static rota_err conclude(struct rota_response *r, struct rota_arena *arena, enum rota_code code, const char *format, ...) ROTA_PRINTF(4, 5);
static rota_err conclude(struct rota_response *r, struct rota_arena *arena, enum rota_code code, const char *format, ...)
{
    struct rota_status status = {.code = code};
    va_list args;
    size_t size;

    va_start(args, format);
    size = rota_text_format(status.message, sizeof(status.message), format, args);
    va_end(args);
    rota_text_mend(status.message, size);
    if (rota_arena_slice(arena, rota_slice(status.message, size), &r->message) < 0)
        return ROTA_ENOMEM;
    r->status = status;
    r->status_seen = true;
    return 0;
}

static rota_err take_message(struct rota_response *r, struct rota_arena *arena, enum rota_code code, struct rota_slice encoded)
{
    size_t size, shown;
    char *text;

    r->status = (struct rota_status){.code = code};
    r->message = (struct rota_slice){0};
    r->status_seen = true;
    if (encoded.size == 0)
        return 0;
    text = rota_arena_get(arena, encoded.size);
    if (text == NULL)
        return ROTA_ENOMEM;
    size = rota_percent_decode(encoded, text);
    rota_text_mend(text, size);
    r->message = rota_slice(text, size);
    shown = rota_text_cut(text, size < sizeof(r->status.message) ? size : sizeof(r->status.message) - 1);
    memcpy(r->status.message, text, shown);
    return 0;
}

static rota_err take_status(struct rota_response *r, struct rota_arena *arena, const struct block *block)
{
    int code = parse_number(block->grpc_status);

    if (code < 0)
        return conclude(r, arena, ROTA_UNKNOWN, "the server's grpc-status \"%.*s\" is no number; its message: %.*s", SHOWN(block->grpc_status),
            SHOWN(block->grpc_message));
    if (code > ROTA_UNAUTHENTICATED)
        return conclude(r, arena, ROTA_UNKNOWN, "the server's grpc-status %d is no status code; its message: %.*s", code,
            SHOWN(block->grpc_message));
    return take_message(r, arena, (enum rota_code)code, block->grpc_message);
}

/* As HTTP/2 does with a list that is too large as it comes. */
static rota_err conclude_too_large(struct rota_response *r, struct rota_arena *arena)
{
    return conclude(r, arena, ROTA_RESOURCE_EXHAUSTED, "the reply's header list is larger than %zu bytes, each part of a -bin value counted as a field",
        ROTA_HEADER_LIST_BYTES);
}

/* Headers that are no gRPC: the status is final, whatever follows is not looked at. */
static rota_err reject(struct rota_response *r, struct rota_arena *arena, const struct block *block)
{
    enum rota_code code = block->http_status > 0 ? rota_code_of_http(block->http_status) : ROTA_INTERNAL;

    r->rejected = true;
    if (block->content_type.size == 0)
        return conclude(r, arena, code, "no gRPC response: HTTP status %d without a content-type", block->http_status);
    return conclude(r, arena, code, "no gRPC response: HTTP status %d, content-type \"%.*s\", expected 200 and application/grpc",
        block->http_status, SHOWN(block->content_type));
}

rota_err rota_response_headers(struct rota_response *r, struct rota_arena *arena, const struct rota_header *headers, size_t count, bool end)
{
    struct block block = {0};
    struct rota_metadata *metadata = NULL;
    bool is_grpc;

    if (read_block(r, &block, arena, &metadata, headers, count) < 0)
        return ROTA_ENOMEM;
    is_grpc = block.http_status == 200 && rota_content_type_is_grpc(block.content_type);
    if (end)
        r->trailing = metadata;
    else
        r->initial = metadata;
    if (block.too_large) {
        r->rejected = !end;
        return conclude_too_large(r, arena);
    }
    /* What is no gRPC may tell why it failed, but not that all went well. */
    if (block.grpc_status.size > 0 && (is_grpc ? end : parse_number(block.grpc_status) != 0)) {
        r->rejected = !end;
        return take_status(r, arena, &block);
    }
    if (!is_grpc)
        return reject(r, arena, &block);
    if (end)
        return conclude(r, arena, ROTA_UNKNOWN, "the server ended the call without a grpc-status");
    if (block.undecodable.size > 0) {
        r->rejected = true;
        return conclude(r, arena, ROTA_INTERNAL, "the value of metadata \"%.*s\" is not base64", SHOWN(block.undecodable));
    }
    r->headers_seen = true;
    return 0;
}

rota_err rota_response_trailers(struct rota_response *r, struct rota_arena *arena, const struct rota_header *headers, size_t count)
{
    struct block block = {0};

    if (r->rejected || r->status_seen)
        return 0;
    if (read_block(r, &block, arena, &r->trailing, headers, count) < 0)
        return ROTA_ENOMEM;
    if (block.too_large)
        return conclude_too_large(r, arena);
    if (block.grpc_status.size > 0)
        return take_status(r, arena, &block);
    if (count == 0)
        return conclude(r, arena, ROTA_INTERNAL, "the server ended the call without trailers");
    return conclude(r, arena, ROTA_UNKNOWN, "the server ended the call without a grpc-status");
}

/* --- Writing --- */

#define HEAD_FIELDS 3 /* at most, beside metadata */
#define TAIL_FIELDS 5

static size_t put_start(struct rota_header *headers)
{
    headers[0] = (struct rota_header){ROTA_SLICE(":status"), ROTA_SLICE("200")};
    headers[1] = (struct rota_header){ROTA_SLICE("content-type"), ROTA_SLICE("application/grpc")};
    return 2;
}

rota_err rota_response_head(struct rota_arena *arena, const struct rota_metadata *initial, bool gzip, struct rota_header **ret_headers, size_t *ret_count)
{
    size_t n_metadata = rota_metadata_count(initial), n;
    struct rota_header *headers = rota_arena_get(arena, (HEAD_FIELDS + n_metadata) * sizeof(*headers));

    if (headers == NULL)
        return ROTA_ENOMEM;
    n = put_start(headers);
    if (gzip)
        headers[n++] = (struct rota_header){ROTA_SLICE("grpc-encoding"), ROTA_SLICE("gzip")};
    if (rota_metadata_fields(initial, arena, headers + n) < 0)
        return ROTA_ENOMEM;
    *ret_headers = headers;
    *ret_count = n + n_metadata;
    return 0;
}

static struct rota_slice code_text(enum rota_code code)
{
    static const char digits[] = "0\0001\0002\0003\0004\0005\0006\0007\0008\0009\00010\00011\00012\00013\00014\00015\00016";
    unsigned number = (unsigned)code <= ROTA_UNAUTHENTICATED ? (unsigned)code : ROTA_UNKNOWN;

    return number < 10 ? rota_slice(digits + 2 * number, 1) : rota_slice(digits + 20 + 3 * (number - 10), 2);
}

static rota_err put_message(struct rota_arena *arena, struct rota_slice message, struct rota_header *out)
{
    size_t size = rota_percent_encode(message, NULL, 0);
    char *text = rota_arena_get(arena, size);

    if (text == NULL)
        return ROTA_ENOMEM;
    rota_percent_encode(message, text, size);
    *out = (struct rota_header){ROTA_SLICE("grpc-message"), rota_slice(text, size)};
    return 0;
}

rota_err rota_response_tail(const struct rota_response_end *end, struct rota_arena *arena, struct rota_header **ret_headers, size_t *ret_count)
{
    size_t n_metadata = rota_metadata_count(end->trailing), n = 0;
    struct rota_header *headers = rota_arena_get(arena, (TAIL_FIELDS + n_metadata) * sizeof(*headers));
    struct rota_slice message = end->text.size > 0 ? end->text : rota_slice_str(end->status->message);

    if (headers == NULL)
        return ROTA_ENOMEM;
    if (end->only)
        n = put_start(headers);
    if (end->encodings)
        headers[n++] = (struct rota_header){ROTA_SLICE("grpc-accept-encoding"), ROTA_SLICE(ROTA_ENCODINGS)};
    headers[n++] = (struct rota_header){ROTA_SLICE("grpc-status"), code_text(end->status->code)};
    if (message.size > 0 && put_message(arena, message, &headers[n++]) < 0)
        return ROTA_ENOMEM;
    if (rota_metadata_fields(end->trailing, arena, headers + n) < 0)
        return ROTA_ENOMEM;
    *ret_headers = headers;
    *ret_count = n + n_metadata;
    return 0;
}

void rota_headers_refused(struct rota_status *ret_status, const char *whose, const char *peer, size_t bytes, size_t max_bytes)
{
    if (max_bytes < ROTA_HEADER_SENT_BYTES)
        rota_status_set(ret_status, ROTA_RESOURCE_EXHAUSTED, "the %s's metadata is too large: header fields of %zu bytes, and the %s accepts %zu", whose, bytes,
                        peer, max_bytes);
    else
        rota_status_set(ret_status, ROTA_RESOURCE_EXHAUSTED, "the %s's metadata is too large: header fields of %zu bytes, and rota sends %zu at most", whose,
                        bytes, ROTA_HEADER_SENT_BYTES);
}
