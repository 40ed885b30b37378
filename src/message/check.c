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
#include "message/pb.h"

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
        size_t left = in.size;
        struct rota_pb at;
        rota_err err;

        if (!rota_pb_take(&in, &at))
            return rota_errinfo_set(info, ROTA_EPARSE, "%s: malformed or cut off, %zu bytes before its end", type->name, left);
        if (at.wire != ROTA_PB_BYTES)
            continue;
        err = check_bytes(type, protobuf_c_message_descriptor_get_field(type, at.number), at.bytes, depth, info);
        if (err < 0)
            return err;
    }
    return 0;
}

rota_err rota_message_check(const ProtobufCMessageDescriptor *type, struct rota_slice bytes, struct rota_errinfo *info)
{
    return walk(type, bytes, 1, info);
}
