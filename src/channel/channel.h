/* channel.h - making channels from parts, and what blocking calls need of a call; the public side is rota/channel.h and rota/call.h.
 *
 * The channel sees its loop only as a struct rota_host (and passes the struct rota_loop pointer through to resolvers
 * unread), its network only as a struct rota_dialer. So it runs unchanged in tests and in the simulator.
 */
#ifndef ROTA_CHANNEL_CHANNEL_H
#define ROTA_CHANNEL_CHANNEL_H

#include "base/host.h"
#include "wire/transport.h"
#include <rota/call.h>
#include <rota/channel.h>

struct rota_channel_parts {
    struct rota_host *host;
    struct rota_loop *loop;     /* handed to resolvers; NULL in simulations */
    struct rota_dialer *dialer; /* outlives the channel */
    const struct rota_lb_class *const *policies;        /* all that may be named; NULL-terminated */
    const struct rota_resolver_class *const *resolvers; /* all that may be named; NULL-terminated */
};

/* As rota_channel_open, from parts. The arrays in parts must outlive the channel. */
ROTA_MUST_USE rota_err rota_channel_make(const char *target, const struct rota_channel_options *options, const struct rota_channel_parts *parts,
                                         struct rota_channel **ret_channel, struct rota_errinfo *info);
/* As rota_channel_close. */
void rota_channel_shut(struct rota_channel *channel, void (*on_closed)(void *arg), void *arg);
const struct rota_channel_parts *rota_channel_parts(const struct rota_channel *channel);
struct rota_host *rota_channel_host(const struct rota_channel *channel);
/* Keeps the struct of a channel that may end meanwhile; calls on it are then refused. */
void rota_channel_ref(struct rota_channel *channel);
void rota_channel_unref(struct rota_channel *channel);

/* --- For blocking calls (assembly) --- */

/* As rota_unary_start and rota_call_start, but messages come packed: `done` and on_message get a `const struct rota_slice *` valid during the
 * callback and the request is a `struct rota_chunk *` (one reference taken, also on failure) with ROTA_FRAME_PREFIX bytes left free in front.
 * message: what was packed, for interceptors. */
ROTA_MUST_USE rota_err rota_call_start_packed(struct rota_channel *channel, const struct rota_method *method, const struct rota_call_options *options,
                                              const struct rota_call_events *events, void *arg, struct rota_call **ret_call);
ROTA_MUST_USE rota_err rota_call_write_packed(struct rota_call *call, struct rota_chunk *chunk, const void *message);
/* During on_message: the chunk that holds the message and nothing else, the caller's from then on; NULL: the bytes are only borrowed. */
struct rota_chunk *rota_call_take_packed(struct rota_call *call);
/* As rota_call_set_compression and rota_call_was_compressed, on the loop. */
ROTA_MUST_USE rota_err rota_call_compress(struct rota_call *call, enum rota_compression compression);
bool rota_call_came_compressed(const struct rota_call *call);

/* Keeps the struct after on_done (metadata, message, peer stay readable) until dropped. */
void rota_call_keep(struct rota_call *call);
void rota_call_drop(struct rota_call *call);
/* A kept call that is done, or in its on_done, has ended so for the application: rota_call_message says it too. */
void rota_call_overrule(struct rota_call *call, const struct rota_status *status);

/* One pointer for the blocking side. */
void rota_call_set_facade(struct rota_call *call, void *facade);
void *rota_call_facade(const struct rota_call *call);

#endif
