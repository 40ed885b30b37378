/* compression.c - which requests are compressed, and compressed replies.
 *
 * Invariants: `compress` only with `gzip`, which request headers announce and which therefore never changes: an attempt may have sent
 * them already, and another may send the same messages again. Source: doc/compression.md in grpc/grpc.
 */
#include "channel/call.h"

rota_err rota_call_compress(struct rota_call *call, enum rota_compression compression)
{
    if (compression == ROTA_COMPRESSION_GZIP && !call->gzip)
        return ROTA_ESTATE;
    call->compress = call->gzip && compression != ROTA_COMPRESSION_NONE;
    return 0;
}

bool rota_call_came_compressed(const struct rota_call *call)
{
    return call->came_compressed;
}

bool rota_reply_decompress(struct rota_call *call, struct rota_slice packed, struct rota_chunk **ret_plain)
{
    struct rota_slice name = call->front->response.encoding;
    enum rota_encoding encoding = rota_encoding_of(name);
    struct rota_errinfo info;
    struct rota_status status;
    rota_err err;

    if (encoding == ROTA_ENCODING_IDENTITY || encoding == ROTA_ENCODING_UNKNOWN) {
        rota_compressed_status(name, false, &status);
        rota_call_fail(call, status.code, "%s", status.message);
        return false;
    }
    err = rota_zip_open(&call->channel->zip, encoding, packed, call->max_reply_bytes, ret_plain, &info);
    if (err < 0)
        rota_call_fail(call, err == ROTA_EPARSE ? ROTA_INTERNAL : ROTA_RESOURCE_EXHAUSTED, "reply: %s", info.text);
    return err == 0;
}
