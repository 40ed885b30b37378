/* pb.h - protobuf's wire format, a field at a time: for those who read messages without protobuf-c's tables.
 *
 * Source: protobuf's encoding document ("Message Structure"). Groups, which proto3 does not have, are refused but for
 * rota_pb_take_grouped.
 */
#ifndef ROTA_BASE_PB_H
#define ROTA_BASE_PB_H

#include <rota/slice.h>

enum rota_pb_wire {
    ROTA_PB_VARINT = 0,
    ROTA_PB_64 = 1,
    ROTA_PB_BYTES = 2,
    ROTA_PB_GROUP = 3,
    ROTA_PB_32 = 5,
};

struct rota_pb {
    uint32_t number;
    enum rota_pb_wire wire;
    uint64_t value;          /* of a number, whatever its width */
    struct rota_slice bytes; /* with ROTA_PB_BYTES and ROTA_PB_GROUP: a part of the message */
};

/* Takes the first field off a message that is not empty. False: malformed or cut off; how much of `in` is left then says nothing. */
bool rota_pb_take(struct rota_slice *in, struct rota_pb *ret_pb);

/* The same, and takes groups as well, whose bytes are what stands between their two tags. Groups in them are walked to find the
 * end, at most ROTA_PB_GROUP_DEPTH deep. */
#define ROTA_PB_GROUP_DEPTH 100
bool rota_pb_take_grouped(struct rota_slice *in, struct rota_pb *ret_pb);

/* The same for bare numbers, of which packed fields consist. */
bool rota_pb_take_varint(struct rota_slice *in, uint64_t *ret_value);
bool rota_pb_take_fixed(struct rota_slice *in, size_t size, uint64_t *ret_value); /* 4 or 8 bytes */

#define ROTA_PB_VARINT_SIZE 10 /* at most */
size_t rota_pb_put_varint(uint8_t *out, uint64_t value); /* returns its size */

#endif
