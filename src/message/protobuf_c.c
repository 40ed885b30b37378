/* protobuf_c.c - the codec over protobuf-c's messages (rota/message.h); what may be unpacked is check.c's decision.
 *
 * protobuf-c spends a block on every unknown field and every empty submessage, two bytes on the wire, and 40 bytes while it
 * looks at any field: 4 MiB can become 185 MB. So unpacking has a budget that grows with the message; what exceeds it is
 * refused. Lists of small messages stay far below it: 6 bytes of two small numbers take about 80.
 */
#include "base/alloc.h"
#include "base/errinfo.h"
#include "message/check.h"
#include <rota/message.h>

static size_t packed_size(const void *type, const void *message)
{
    (void)type;
    return protobuf_c_message_get_packed_size(message);
}

static void pack(const void *type, const void *message, uint8_t *out)
{
    (void)type;
    protobuf_c_message_pack(message, out);
}

#define BUDGET_FREE_BYTES ((size_t)8 << 20)
#define BUDGET_PER_BYTE 16
#define BLOCK_OVERHEAD_BYTES 16 /* what an allocator adds to a block */

/* protobuf-c says NULL for bad bytes and for no memory alike; `failed` and `spent` tell them apart. */
struct unpack_memory {
    const struct rota_alloc *alloc;
    size_t left; /* of the budget; what is given back in between does not count */
    bool failed, spent;
};

static void *allocate(void *data, size_t size)
{
    struct unpack_memory *memory = data;
    void *pointer;

    if (size > memory->left || memory->left - size < BLOCK_OVERHEAD_BYTES) {
        memory->spent = true;
        return NULL;
    }
    memory->left -= size + BLOCK_OVERHEAD_BYTES;
    pointer = rota_alloc_get(memory->alloc, size == 0 ? 1 : size);
    memory->failed |= pointer == NULL;
    return pointer;
}

static void release(void *data, void *pointer)
{
    struct unpack_memory *memory = data;

    rota_alloc_free(memory->alloc, pointer);
}

static size_t budget(size_t size_bytes)
{
    return size_bytes > (SIZE_MAX - BUDGET_FREE_BYTES) / BUDGET_PER_BYTE ? SIZE_MAX : BUDGET_FREE_BYTES + size_bytes * BUDGET_PER_BYTE;
}

static rota_err unpack(const void *type, struct rota_slice bytes, const struct rota_alloc *alloc, void **ret_message, struct rota_errinfo *info)
{
    const ProtobufCMessageDescriptor *descriptor = type;
    struct unpack_memory memory = {.alloc = alloc, .left = budget(bytes.size)};
    ProtobufCAllocator allocator = {allocate, release, &memory};
    ProtobufCMessage *message;
    rota_err err = rota_message_check(descriptor, bytes, budget(bytes.size), info);

    if (err < 0)
        return err;
    message = protobuf_c_message_unpack(descriptor, &allocator, bytes.size, bytes.data);
    if (message == NULL && memory.spent)
        return rota_errinfo_set(info, ROTA_ELIMIT, "%s: %zu bytes that unpack to more than %zu", descriptor->name, bytes.size, budget(bytes.size));
    if (message == NULL && memory.failed)
        return rota_errinfo_set(info, ROTA_ENOMEM, "%s: out of memory", descriptor->name);
    if (message == NULL)
        return rota_errinfo_set(info, ROTA_EPARSE, "%s: %zu bytes that do not unpack", descriptor->name, bytes.size);
    *ret_message = message;
    return 0;
}

static void free_message(const void *type, void *message, const struct rota_alloc *alloc)
{
    struct unpack_memory memory = {.alloc = alloc};
    ProtobufCAllocator allocator = {allocate, release, &memory};

    (void)type;
    protobuf_c_message_free_unpacked(message, &allocator);
}

const struct rota_codec rota_codec_protobuf_c = {packed_size, pack, unpack, free_message};
