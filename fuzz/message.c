/* message.c - messages that peers send, through the check that protobuf-c needs before it: the first byte picks the type.
 *
 * Checked: memory stays within a bound that grows with the bytes and not with what they claim, all of it is given back, and what was
 * read can be packed and read again.
 */
#include "base/assert.h"
#include "etcd.pb-c.h"
#include "grpc/health/v1/health.pb-c.h"
#include "grpc/reflection/v1/reflection.pb-c.h"
#include <rota/message.h>
#include <stdlib.h>

#define FREE_BYTES ((size_t)8 << 20) /* what message.h grants to small messages */
#define PER_BYTE 16
#define HEAD_BYTES sizeof(max_align_t)

struct counter {
    size_t live_bytes, most_bytes, live_blocks;
};

static void *resize(void *ctx, void *ptr, size_t size_bytes)
{
    struct counter *counter = ctx;
    uint8_t *old = ptr == NULL ? NULL : (uint8_t *)ptr - HEAD_BYTES, *block;
    size_t had = 0;

    if (old != NULL)
        memcpy(&had, old, sizeof(had));
    counter->live_bytes += size_bytes - had;
    if (counter->live_bytes > counter->most_bytes)
        counter->most_bytes = counter->live_bytes;
    if (size_bytes == 0) {
        counter->live_blocks -= old != NULL;
        free(old);
        return NULL;
    }
    counter->live_blocks += old == NULL;
    block = realloc(old, HEAD_BYTES + size_bytes);
    ROTA_ASSERT(block != NULL);
    memcpy(block, &size_bytes, sizeof(size_bytes));
    return block + HEAD_BYTES;
}

static void again(const void *type, const void *message)
{
    const struct rota_codec *codec = &rota_codec_protobuf_c;
    size_t size = codec->packed_size(type, message);
    uint8_t *bytes = malloc(size > 0 ? size : 1);
    struct rota_errinfo info;
    void *second;

    ROTA_ASSERT(bytes != NULL);
    codec->pack(type, message, bytes);
    if (codec->unpack(type, rota_slice(bytes, size), NULL, &second, &info) == 0) {
        ROTA_ASSERT(codec->packed_size(type, second) == size);
        codec->free(type, second, NULL);
    }
    free(bytes);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size_bytes)
{
    static const ProtobufCMessageDescriptor *const types[] = {
        &etcdserverpb__txn_request__descriptor, &etcdserverpb__watch_request__descriptor, &etcdserverpb__range_response__descriptor,
        &grpc__reflection__v1__server_reflection_request__descriptor, &grpc__health__v1__health_check_request__descriptor,
    };
    struct counter counter = {0};
    struct rota_alloc alloc = {.resize = resize, .ctx = &counter};
    const struct rota_codec *codec = &rota_codec_protobuf_c;
    struct rota_errinfo info;
    const void *type;
    void *message;

    if (size_bytes == 0)
        return 0;
    type = types[data[0] % (sizeof(types) / sizeof(types[0]))];
    if (codec->unpack(type, rota_slice(data + 1, size_bytes - 1), &alloc, &message, &info) == 0) {
        again(type, message);
        codec->free(type, message, &alloc);
    }
    ROTA_ASSERT(counter.live_blocks == 0);
    ROTA_ASSERT(counter.most_bytes <= FREE_BYTES + PER_BYTE * size_bytes);
    return 0;
}
