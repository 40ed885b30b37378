/* pb.c - contract in pb.h. */
#include "base/pb.h"

#define END_GROUP 4 /* a wire type that is never handed out */
#define MAX_TAG_SIZE 5

bool rota_pb_take_varint(struct rota_slice *in, uint64_t *ret_value)
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

bool rota_pb_take_fixed(struct rota_slice *in, size_t size, uint64_t *ret_value)
{
    uint64_t value = 0;

    if (size > in->size)
        return false;
    for (size_t i = 0; i < size; i++)
        value |= (uint64_t)in->data[i] << (8 * i);
    in->data += size;
    in->size -= size;
    *ret_value = value;
    return true;
}

static bool take_bytes(struct rota_slice *in, struct rota_slice *ret_bytes)
{
    uint64_t size;

    if (!rota_pb_take_varint(in, &size) || size > in->size)
        return false;
    *ret_bytes = rota_slice(in->data, (size_t)size);
    in->data += size;
    in->size -= (size_t)size;
    return true;
}

/* Tags are numbers of 32 bits, which fit into five bytes; protobuf takes no longer ones. */
static bool take_tag(struct rota_slice *in, struct rota_pb *ret_pb)
{
    const uint8_t *start = in->data;
    uint64_t tag;

    if (!rota_pb_take_varint(in, &tag) || tag >> 3 == 0 || tag >> 3 > 0x1fffffff || in->data - start > MAX_TAG_SIZE)
        return false;
    *ret_pb = (struct rota_pb){.number = (uint32_t)(tag >> 3), .wire = (enum rota_pb_wire)(tag & 7)};
    return true;
}

static bool take_value(struct rota_slice *in, struct rota_pb *ret_pb)
{
    switch ((int)ret_pb->wire) {
    case ROTA_PB_VARINT: return rota_pb_take_varint(in, &ret_pb->value);
    case ROTA_PB_64: return rota_pb_take_fixed(in, 8, &ret_pb->value);
    case ROTA_PB_32: return rota_pb_take_fixed(in, 4, &ret_pb->value);
    case ROTA_PB_BYTES: return take_bytes(in, &ret_pb->bytes);
    default: return false;
    }
}

bool rota_pb_take(struct rota_slice *in, struct rota_pb *ret_pb)
{
    return take_tag(in, ret_pb) && take_value(in, ret_pb);
}

/* Behind a group's first tag: up to the last, which is taken too. */
static bool take_group(struct rota_slice *in, struct rota_pb *ret_pb)
{
    uint32_t open[ROTA_PB_GROUP_DEPTH] = {ret_pb->number};
    struct rota_slice start = *in, end = *in;
    size_t n = 1;

    while (n > 0) {
        struct rota_pb at;

        end = *in;
        if (!take_tag(in, &at))
            return false;
        if (at.wire == ROTA_PB_GROUP) {
            if (n == ROTA_PB_GROUP_DEPTH)
                return false;
            open[n++] = at.number;
        } else if ((int)at.wire == END_GROUP) {
            if (open[--n] != at.number)
                return false;
        } else if (!take_value(in, &at)) {
            return false;
        }
    }
    ret_pb->bytes = rota_slice(start.data, start.size - end.size);
    return true;
}

bool rota_pb_take_grouped(struct rota_slice *in, struct rota_pb *ret_pb)
{
    if (!take_tag(in, ret_pb))
        return false;
    return ret_pb->wire == ROTA_PB_GROUP ? take_group(in, ret_pb) : take_value(in, ret_pb);
}

size_t rota_pb_put_varint(uint8_t *out, uint64_t value)
{
    size_t size = 0;

    for (; value >= 0x80; value >>= 7)
        out[size++] = (uint8_t)(value | 0x80);
    out[size++] = (uint8_t)value;
    return size;
}
