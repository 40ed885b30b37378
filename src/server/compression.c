/* compression.c - which replies are compressed, and compressed requests.
 *
 * How much is decompressed in one turn of the loop: turn.c.
 *
 * Invariants: `compress` only with `gzip`; `gzip` only if the client takes it, and it does not change once the headers are out, because
 * they are what announces it. Source: doc/compression.md in grpc/grpc.
 */
#include "server/server.h"

static bool wants_gzip(const struct rota_server_call *call, enum rota_compression compression)
{
    if (compression == ROTA_COMPRESSION_DEFAULT)
        compression = call->server->options.compression;
    return compression == ROTA_COMPRESSION_GZIP && call->request.accepts_gzip;
}

void rota_server_call_begin_compression(struct rota_server_call *call)
{
    call->gzip = call->compress = wants_gzip(call, ROTA_COMPRESSION_DEFAULT);
}

rota_err rota_server_call_set_compression(struct rota_server_call *call, enum rota_compression compression)
{
    bool wanted = wants_gzip(call, compression);

    if (wanted && !call->gzip && call->headers_sent)
        return ROTA_ESTATE;
    call->gzip |= wanted;
    call->compress = wanted;
    return 0;
}

bool rota_server_call_was_compressed(const struct rota_server_call *call)
{
    return call->came_compressed;
}

bool rota_server_call_decompress(struct rota_server_call *call, struct rota_slice packed, struct rota_chunk **ret_plain, struct rota_status *ret_status)
{
    enum rota_encoding encoding = rota_encoding_of(call->request.encoding);
    struct rota_errinfo info;
    rota_err err;

    if (encoding == ROTA_ENCODING_IDENTITY || encoding == ROTA_ENCODING_UNKNOWN) {
        rota_compressed_status(call->request.encoding, true, ret_status);
        return false;
    }
    err = rota_zip_open(&call->server->zip, encoding, packed, call->server->options.max_request_bytes, ret_plain, &info);
    call->server->inflated_bytes += err == 0 ? (*ret_plain)->size : call->server->options.max_request_bytes;
    if (err < 0)
        rota_status_set(ret_status, err == ROTA_EPARSE ? ROTA_INTERNAL : ROTA_RESOURCE_EXHAUSTED, "%s", info.text);
    return err == 0;
}
