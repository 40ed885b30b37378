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

/* As rota_call_start_packed, on the loop. Where nobody else turns that, what it has not seen yet is looked at first: the connection that served
 * the last call may have ended since. */
ROTA_MUST_USE rota_err rota_blocking_start(struct rota_channel *channel, const struct rota_method *method, const struct rota_call_options *options,
                                           const struct rota_call_events *events, void *arg, struct rota_call **ret_call);

/* How a call ends whose message the codec could not unpack. */
enum rota_code rota_blocking_code(rota_err err);

#endif
