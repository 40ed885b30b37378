/* grpc_request.c - a request's header fields, written by the client and read by the server.
 *
 * What is the same on every call comes first and is taken from constants, so that HPACK's table holds it.
 */
#include "wire/field.h"
#include "wire/grpc.h"
#include "wire/text.h"
#include <stdio.h>

#define SHOWN(slice) (int)((slice).size < 100 ? (slice).size : 100), (const char *)(slice).data

/* --- Writing --- */

#define FIXED_FIELDS 11 /* all that put_head may write */
#define NUMBER_TEXT 11

static rota_err put_timeout(struct rota_arena *arena, int64_t timeout_ns, struct rota_header *out)
{
    char *text = rota_arena_get(arena, ROTA_TIMEOUT_TEXT);

    if (text == NULL)
        return ROTA_ENOMEM;
    *out = (struct rota_header){ROTA_SLICE("grpc-timeout"), rota_slice(text, rota_timeout_format(timeout_ns, text))};
    return 0;
}

static rota_err put_attempts(struct rota_arena *arena, uint32_t attempts, struct rota_header *out)
{
    char *text = rota_arena_get(arena, NUMBER_TEXT);

    if (text == NULL)
        return ROTA_ENOMEM;
    *out = (struct rota_header){ROTA_SLICE("grpc-previous-rpc-attempts"),
        rota_slice(text, (size_t)snprintf(text, NUMBER_TEXT, "%u", (unsigned)attempts))};
    return 0;
}

rota_err rota_request_headers(const struct rota_request_head *head, struct rota_arena *arena, struct rota_header **ret_headers, size_t *ret_count)
{
    size_t n_metadata = rota_metadata_count(head->metadata), n = 0;
    struct rota_header *headers = rota_arena_get(arena, (FIXED_FIELDS + n_metadata) * sizeof(*headers));

    if (headers == NULL)
        return ROTA_ENOMEM;
    headers[n++] = (struct rota_header){ROTA_SLICE(":method"), ROTA_SLICE("POST")};
    headers[n++] = (struct rota_header){ROTA_SLICE(":scheme"), head->secure ? ROTA_SLICE("https") : ROTA_SLICE("http")};
    headers[n++] = (struct rota_header){ROTA_SLICE(":authority"), head->authority};
    headers[n++] = (struct rota_header){ROTA_SLICE(":path"), head->path};
    headers[n++] = (struct rota_header){ROTA_SLICE("te"), ROTA_SLICE("trailers")};
    headers[n++] = (struct rota_header){ROTA_SLICE("content-type"), ROTA_SLICE("application/grpc")};
    headers[n++] = (struct rota_header){ROTA_SLICE("grpc-accept-encoding"), ROTA_SLICE(ROTA_ENCODINGS)};
    if (head->gzip)
        headers[n++] = (struct rota_header){ROTA_SLICE("grpc-encoding"), ROTA_SLICE("gzip")};
    if (head->user_agent.size > 0)
        headers[n++] = (struct rota_header){ROTA_SLICE("user-agent"), head->user_agent};
    if (head->timeout_ns != INT64_MAX && put_timeout(arena, head->timeout_ns, &headers[n++]) < 0)
        return ROTA_ENOMEM;
    if (head->previous_attempts > 0 && put_attempts(arena, head->previous_attempts, &headers[n++]) < 0)
        return ROTA_ENOMEM;
    if (rota_metadata_fields(head->metadata, arena, headers + n) < 0)
        return ROTA_ENOMEM;
    *ret_headers = headers;
    *ret_count = n + n_metadata;
    return 0;
}

/* --- Reading --- */

/* What is looked at but not kept. */
struct seen {
    struct rota_slice method, te, timeout;
    bool has_timeout; /* an empty one is no timeout, and yet there */
    size_t max_bytes; /* of the list */
    bool too_large;
};

static rota_err read_metadata(struct rota_request *request, struct seen *seen, const struct rota_header *field)
{
    rota_err err = rota_metadata_add_received(request->metadata, field->name, field->value, seen->max_bytes);

    seen->too_large |= err == ROTA_ELIMIT;
    if (err != ROTA_EPARSE)
        return err == ROTA_ELIMIT ? 0 : err;
    rota_status_set(&request->reject, ROTA_INTERNAL, "the value of metadata \"%.*s\" is not base64", SHOWN(field->name));
    return 0;
}

static rota_err read_field(struct rota_request *request, struct seen *seen, struct rota_arena *arena, const struct rota_header *field)
{
    switch (rota_field_of(field->name)) {
    case ROTA_FIELD_METHOD:
        seen->method = field->value;
        return 0;
    case ROTA_FIELD_PATH:
        return rota_arena_slice(arena, field->value, &request->path);
    case ROTA_FIELD_AUTHORITY:
        return rota_arena_slice(arena, field->value, &request->authority);
    case ROTA_FIELD_TE:
        seen->te = field->value;
        return 0;
    case ROTA_FIELD_CONTENT_TYPE:
        return rota_arena_slice(arena, field->value, &request->content_type);
    case ROTA_FIELD_TIMEOUT:
        seen->timeout = field->value;
        seen->has_timeout = true;
        return 0;
    case ROTA_FIELD_ENCODING:
        return rota_arena_slice(arena, field->value, &request->encoding);
    case ROTA_FIELD_ACCEPT_ENCODING:
        request->accepts_gzip |= rota_encodings_have_gzip(field->value);
        return 0;
    case ROTA_FIELD_PSEUDO:
    case ROTA_FIELD_STATUS:
        return 0;
    default:
        return read_metadata(request, seen, field);
    }
}

/* "/service/method"; neither is empty. */
static bool is_method_path(struct rota_slice path)
{
    const uint8_t *slash;

    if (path.size < 4 || path.data[0] != '/')
        return false;
    slash = memchr(path.data + 1, '/', path.size - 1);
    return slash != NULL && slash != path.data + 1 && slash + 1 != path.data + path.size;
}

static int http_status_of(const struct rota_request *request, const struct seen *seen)
{
    if (!rota_slice_equal(seen->method, ROTA_SLICE("POST")))
        return 405;
    if (!rota_content_type_is_grpc(request->content_type))
        return 415;
    /* A proxy that drops trailers changes te; one that merely loses the field has often been seen to work. */
    if (seen->te.size > 0 && !rota_slice_equal(seen->te, ROTA_SLICE("trailers")))
        return 400;
    return request->path.size == 0 ? 400 : 0;
}

rota_err rota_request_read(struct rota_request *ret_request, struct rota_arena *arena, const struct rota_header *headers, size_t count, size_t max_bytes)
{
    struct rota_request request = {.timeout_ns = INT64_MAX, .metadata = rota_metadata_in(arena)};
    struct seen seen = {.max_bytes = max_bytes};

    if (request.metadata == NULL)
        return ROTA_ENOMEM;
    for (size_t i = 0; i < count; i++)
        if (read_field(&request, &seen, arena, &headers[i]) < 0)
            return ROTA_ENOMEM;
    if (request.authority.size == 0)
        rota_metadata_get(request.metadata, "host", &request.authority);
    request.http_status = http_status_of(&request, &seen);
    if (seen.has_timeout && rota_timeout_parse(seen.timeout, &request.timeout_ns) < 0)
        rota_status_set(&request.reject, ROTA_INTERNAL, "grpc-timeout \"%.*s\" is not 1 to 8 digits and a unit (H M S m u n)", SHOWN(seen.timeout));
    if (!is_method_path(request.path))
        rota_status_set(&request.reject, ROTA_UNIMPLEMENTED, "the path \"%.*s\" is not /service/method", SHOWN(request.path));
    else if (rota_encoding_of(request.encoding) == ROTA_ENCODING_UNKNOWN)
        rota_compressed_status(request.encoding, true, &request.reject);
    if (seen.too_large || rota_metadata_exceeds(request.metadata, headers, count, max_bytes))
        rota_status_set(&request.reject, ROTA_RESOURCE_EXHAUSTED, "the request's header list is larger than %zu bytes, each part of a -bin value counted as a field",
                        max_bytes);
    *ret_request = request;
    return 0;
}
