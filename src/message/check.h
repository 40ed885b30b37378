/* check.h - whether bytes from the network may be given to protobuf-c's unpack, which trusts its input too far. */
#ifndef ROTA_MESSAGE_CHECK_H
#define ROTA_MESSAGE_CHECK_H

#include <protobuf-c/protobuf-c.h>
#include <rota/err.h>
#include <rota/slice.h>

#define ROTA_MESSAGE_MAX_DEPTH 100

/* Walks the bytes along the descriptor: nesting at most ROTA_MESSAGE_MAX_DEPTH deep, strings UTF-8, lengths inside their message.
 * ROTA_EPARSE: info names the message type and field. ROTA_ELIMIT: unpacking would take more than memory_bytes for certain. */
rota_err rota_message_check(const ProtobufCMessageDescriptor *type, struct rota_slice bytes, size_t memory_bytes, struct rota_errinfo *info);

#endif
