/* bytes.c - the codec that leaves messages as they are: a struct rota_slice each (rota/message.h). */
#include "base/alloc.h"
#include <rota/message.h>

static size_t packed_size(const void *type, const void *message)
{
    const struct rota_slice *bytes = message;

    (void)type;
    return bytes->size;
}

static void pack(const void *type, const void *message, uint8_t *out)
{
    const struct rota_slice *bytes = message;

    (void)type;
    if (bytes->size > 0)
        memcpy(out, bytes->data, bytes->size);
}

static rota_err unpack(const void *type, struct rota_slice bytes, const struct rota_alloc *alloc, void **ret_message, struct rota_errinfo *info)
{
    /* The slice and its bytes are one piece of memory, so that free is one call. */
    struct rota_slice *message = rota_alloc_get(alloc, sizeof(*message) + bytes.size);

    (void)type;
    (void)info;
    if (message == NULL)
        return ROTA_ENOMEM;
    *message = rota_slice(message + 1, bytes.size);
    if (bytes.size > 0)
        memcpy(message + 1, bytes.data, bytes.size);
    *ret_message = message;
    return 0;
}

static void free_message(const void *type, void *message, const struct rota_alloc *alloc)
{
    (void)type;
    rota_alloc_free(alloc, message);
}

const struct rota_codec rota_codec_bytes = {packed_size, pack, unpack, free_message};
