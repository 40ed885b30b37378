/* side_stream.h - a call that the channel itself keeps open on one given connection, beside those that are picked: one request, then
 * messages without end.
 *
 * It takes one of the peer's streams, like any call, and waits for room when there is none. When it ends it is opened again: its backoff
 * counts from the last opening and starts anew with a message, so that a stream that has served for longer than the first period
 * comes back at once. A peer that has no such method is not asked again. It is no call of the channel's: it keeps nothing from going idle, and ends with the
 * connection, or as soon as the connection takes no new calls.
 * Sources: gRFC A17, A51; doc/health-checking.md in grpc/grpc.
 */
#ifndef ROTA_CHANNEL_SIDE_STREAM_H
#define ROTA_CHANNEL_SIDE_STREAM_H

#include "base/arena.h"
#include "base/chunk.h"
#include "channel/backoff.h"
#include "wire/frame.h"
#include "wire/grpc.h"
#include "wire/transport.h"

struct rota_connection;
struct rota_side_stream;

/* Neither may start or stop the stream that tells it. */
struct rota_side_class {
    const char *path; /* "/package.Service/Method" */
    /* False: it cannot be read; the stream ends as INTERNAL. */
    bool (*on_message)(struct rota_side_stream *side, struct rota_slice message);
    /* UNIMPLEMENTED is its last word; after any other it comes again. Not called when the stream goes with its connection, or if the
     * peer has not seen it. */
    void (*on_end)(struct rota_side_stream *side, const struct rota_status *status);
};

struct rota_side_stream {
    const struct rota_side_class *class; /* NULL: never started */
    struct rota_connection *connection;
    struct rota_chunk *request; /* framed */
    struct rota_stream *stream; /* NULL: waits, for room or its time, or is stopped */
    bool running;               /* between start and stop, unless refused */
    bool refused;               /* UNIMPLEMENTED: for good */
    bool wants_room;
    bool ended;                 /* the peer has said all; on_closed is still to come */
    bool served;                /* a message has come */
    int64_t opened_ns;
    int64_t next_ns; /* not before this is it opened again */
    struct rota_backoff backoff;
    struct rota_host_timer timer; /* in the heap while started, so that setting it cannot fail */
    struct rota_frame_decoder decoder;
    struct rota_arena arena;
    struct rota_response response;
};

/* Opens it, at once. request: the packed message. ROTA_ENOMEM. */
rota_err rota_side_stream_start(struct rota_side_stream *side, const struct rota_side_class *class, struct rota_connection *connection,
                                struct rota_slice request);
void rota_side_stream_stop(struct rota_side_stream *side); /* nothing is told afterwards; start may follow. Not running is fine */
void rota_side_stream_fini(struct rota_side_stream *side); /* stopped, or zeroed */
void rota_side_stream_on_room(struct rota_side_stream *side); /* the connection has room again */

#endif
