/* check.c - walks protobuf's wire format along a descriptor before protobuf-c may unpack it.
 *
 * protobuf-c 1.4 recurses without a bound (a few hundred kilobytes of nested messages overflow the stack) and takes any bytes
 * as a string. This walk has the same bound as protobuf itself, 100 levels, and refuses strings that are not UTF-8, as proto3
 * demands. It allocates nothing. It also counts fields, so that a message of millions is refused before the work. What it lets pass may still fail to unpack; what it refuses is never unpacked.
 * Source: protobuf's encoding document ("Message Structure").
 */
#include "message/check.h"

#include "base/errinfo.h"
#include "base/pb.h"
#include "base/text.h"

#define FIELD_BYTES 40         /* protobuf-c's note of each field, while it unpacks */
#define UNKNOWN_FIELD_BYTES 56 /* and its record of one that it does not know, in a block of its own */

struct walk {
    size_t memory_left;
    struct rota_errinfo *info;
};

static rota_err walk(struct walk *w, const ProtobufCMessageDescriptor *type, struct rota_slice in, int depth);

static rota_err check_bytes(struct walk *w, const ProtobufCMessageDescriptor *type, const ProtobufCFieldDescriptor *field, struct rota_slice bytes,
                            int depth)
{
    if (field->type == PROTOBUF_C_TYPE_STRING && !rota_text_is_utf8(bytes))
        return rota_errinfo_set(w->info, ROTA_EPARSE, "%s.%s: a string that is not UTF-8", type->name, field->name);
    if (field->type != PROTOBUF_C_TYPE_MESSAGE)
        return 0;
    if (depth >= ROTA_MESSAGE_MAX_DEPTH)
        return rota_errinfo_set(w->info, ROTA_EPARSE, "%s.%s: messages nested deeper than %d", type->name, field->name, ROTA_MESSAGE_MAX_DEPTH);
    return walk(w, field->descriptor, bytes, depth + 1);
}

static rota_err charge(struct walk *w, const ProtobufCMessageDescriptor *type, bool known)
{
    size_t bytes = FIELD_BYTES + (known ? 0 : UNKNOWN_FIELD_BYTES);

    if (bytes > w->memory_left)
        return rota_errinfo_set(w->info, ROTA_ELIMIT, "%s: more fields than its size allows", type->name);
    w->memory_left -= bytes;
    return 0;
}

static rota_err walk(struct walk *w, const ProtobufCMessageDescriptor *type, struct rota_slice in, int depth)
{
    while (in.size > 0) {
        size_t left = in.size;
        const ProtobufCFieldDescriptor *field;
        struct rota_pb at;
        rota_err err;

        if (!rota_pb_take(&in, &at))
            return rota_errinfo_set(w->info, ROTA_EPARSE, "%s: malformed or cut off, %zu bytes before its end", type->name, left);
        field = protobuf_c_message_descriptor_get_field(type, at.number);
        err = charge(w, type, field != NULL);
        if (err == 0 && field != NULL && at.wire == ROTA_PB_BYTES)
            err = check_bytes(w, type, field, at.bytes, depth);
        if (err < 0)
            return err;
    }
    return 0;
}

rota_err rota_message_check(const ProtobufCMessageDescriptor *type, struct rota_slice bytes, size_t memory_bytes, struct rota_errinfo *info)
{
    struct walk w = {.memory_left = memory_bytes, .info = info};

    return walk(&w, type, bytes, 1);
}
