/* check.c - walks protobuf's wire format along a descriptor before protobuf-c may unpack it.
 *
 * protobuf-c 1.4 recurses without a bound (a few hundred kilobytes of nested messages overflow the stack) and takes any bytes
 * as a string. This walk has the same bound as protobuf itself, 100 levels, and refuses strings that are not UTF-8, as proto3
 * demands. It allocates nothing. What it lets pass may still fail to unpack; what it refuses is never unpacked.
 * Source: protobuf's encoding document ("Message Structure").
 */
#include "message/check.h"

#include "base/errinfo.h"
#include "base/text.h"

enum wire { WIRE_VARINT = 0, WIRE_64 = 1, WIRE_BYTES = 2, WIRE_32 = 5 };

static bool take_varint(struct rota_slice *in, uint64_t *ret_value)
{
    uint64_t value = 0;

    for (unsigned shift = 0; shift < 64 && in->size > 0; shift += 7) {
        uint8_t byte = *in->data++;
        in->size--;
        value |= (uint64_t)(byte & 0x7f) << shift;
        if (byte < 0x80) {
            *ret_value = value;
            return true;
        }
    }
    return false;
}

static bool take_bytes(struct rota_slice *in, uint64_t size, struct rota_slice *ret_bytes)
{
    if (size > in->size)
        return false;
    *ret_bytes = rota_slice(in->data, (size_t)size);
    in->data += size;
    in->size -= (size_t)size;
    return true;
}

static rota_err walk(const ProtobufCMessageDescriptor *type, struct rota_slice in, int depth, struct rota_errinfo *info);

static rota_err check_bytes(const ProtobufCMessageDescriptor *type, const ProtobufCFieldDescriptor *field, struct rota_slice bytes, int depth,
                            struct rota_errinfo *info)
{
    if (field == NULL)
        return 0;
    if (field->type == PROTOBUF_C_TYPE_STRING && !rota_text_is_utf8(bytes))
        return rota_errinfo_set(info, ROTA_EPARSE, "%s.%s: a string that is not UTF-8", type->name, field->name);
    if (field->type != PROTOBUF_C_TYPE_MESSAGE)
        return 0;
    if (depth >= ROTA_MESSAGE_MAX_DEPTH)
        return rota_errinfo_set(info, ROTA_EPARSE, "%s.%s: messages nested deeper than %d", type->name, field->name, ROTA_MESSAGE_MAX_DEPTH);
    return walk(field->descriptor, bytes, depth + 1, info);
}

static rota_err walk(const ProtobufCMessageDescriptor *type, struct rota_slice in, int depth, struct rota_errinfo *info)
{
    while (in.size > 0) {
        struct rota_slice bytes = {0};
        uint64_t tag = 0, value = 0;
        rota_err err;
        bool ok = take_varint(&in, &tag) && tag >> 3 != 0 && tag >> 3 <= 0x1fffffff;

        if (ok) {
            switch (tag & 7) {
            case WIRE_VARINT: ok = take_varint(&in, &value); break;
            case WIRE_64: ok = take_bytes(&in, 8, &bytes); break;
            case WIRE_32: ok = take_bytes(&in, 4, &bytes); break;
            case WIRE_BYTES: ok = take_varint(&in, &value) && take_bytes(&in, value, &bytes); break;
            default: ok = false;
            }
        }
        if (!ok)
            return rota_errinfo_set(info, ROTA_EPARSE, "%s: malformed or cut off, %zu bytes before its end", type->name, in.size);
        if ((tag & 7) != WIRE_BYTES)
            continue;
        err = check_bytes(type, protobuf_c_message_descriptor_get_field(type, (unsigned)(tag >> 3)), bytes, depth, info);
        if (err < 0)
            return err;
    }
    return 0;
}

rota_err rota_message_check(const ProtobufCMessageDescriptor *type, struct rota_slice bytes, struct rota_errinfo *info)
{
    return walk(type, bytes, 1, info);
}
