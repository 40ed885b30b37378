/* blocking.h - the caller's half of a blocking call, reached through the call's facade pointer (blocking.c, blocking_stream.c). */
#ifndef ROTA_ASSEMBLY_BLOCKING_H
#define ROTA_ASSEMBLY_BLOCKING_H

#include "assembly/handoff.h"
#include "base/chunk.h"
#include "base/list.h"
#include "channel/channel.h"

/* Where the chunk of a message comes from. Any thread. */
const struct rota_alloc *rota_blocking_alloc(const struct rota_channel *channel, size_t size_bytes);

/* The request packed with room for the frame prefix; NULL: out of memory. Any thread. */
struct rota_chunk *rota_blocking_pack(struct rota_channel *channel, const struct rota_method *method, const void *request);

/* How a call ends whose message the codec could not unpack. */
enum rota_code rota_blocking_code(rota_err err);

#endif
