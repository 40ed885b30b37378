/* codegen_request.c - any bytes as protoc's request to protoc-gen-rota; what is accepted makes a response that can be read. */
#include "base/assert.h"
#include "codegen/generate.h"
#include "plugin.pb-c.h"
#include <rota/message.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size_bytes);

/* Any answer will do, so protoc-gen-c answers with the question. */
static rota_err echo(struct rota_slice request, struct rota_buffer *out, struct rota_errinfo *info)
{
    (void)info;
    return rota_buffer_append(out, request);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size_bytes)
{
    struct rota_buffer out;
    struct rota_errinfo info = {{0}};
    rota_err err;

    rota_buffer_init(&out, NULL, 0);
    err = rota_generate(NULL, rota_slice(data, size_bytes), echo, &out, &info);
    if (err == 0) {
        void *response;
        ROTA_ASSERT(rota_codec_protobuf_c.unpack(&plugin__response__descriptor, rota_buffer_peek(&out), NULL, &response, NULL) == 0);
        rota_codec_protobuf_c.free(&plugin__response__descriptor, response, NULL);
    } else {
        ROTA_ASSERT(err == ROTA_EPARSE && info.text[0] != '\0');
    }
    rota_buffer_fini(&out);
    return 0;
}
