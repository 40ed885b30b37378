/* pb.c - contract in pb.h. */
#include "base/pb.h"

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

bool rota_pb_take(struct rota_slice *in, struct rota_pb *ret_pb)
{
    uint64_t tag;

    if (!rota_pb_take_varint(in, &tag) || tag >> 3 == 0 || tag >> 3 > 0x1fffffff)
        return false;
    *ret_pb = (struct rota_pb){.number = (uint32_t)(tag >> 3), .wire = (enum rota_pb_wire)(tag & 7)};
    switch (tag & 7) {
    case ROTA_PB_VARINT: return rota_pb_take_varint(in, &ret_pb->value);
    case ROTA_PB_64: return rota_pb_take_fixed(in, 8, &ret_pb->value);
    case ROTA_PB_32: return rota_pb_take_fixed(in, 4, &ret_pb->value);
    case ROTA_PB_BYTES: return take_bytes(in, &ret_pb->bytes);
    default: return false;
    }
}

size_t rota_pb_put_varint(uint8_t *out, uint64_t value)
{
    size_t size = 0;

    for (; value >= 0x80; value >>= 7)
        out[size++] = (uint8_t)(value | 0x80);
    out[size++] = (uint8_t)value;
    return size;
}
