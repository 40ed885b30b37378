/* attempt.h - one try of a call: pick, stream, frames out and in, how it ended.
 *
 * A call has one attempt; retries and hedging (gRFC A6, tries.h) give it more of them, one after the other or side by side, which is
 * why what belongs to a try stands apart from what belongs to the call.
 * Invariants: `link` is in the channel's waiting list in PICKING, in the subchannel's room in ROOM, and nowhere else. `stream` is
 * set exactly in OPEN until the stream has ended. `picked` means that the policies still wait for the outcome.
 */
#ifndef ROTA_CHANNEL_ATTEMPT_H
#define ROTA_CHANNEL_ATTEMPT_H

#include "channel/core.h"
#include "channel/subchannel.h"
#include "wire/frame.h"
#include "wire/grpc.h"

struct rota_call;

enum rota_attempt_state {
    ROTA_ATTEMPT_PICKING, /* has no connection: waits in the queue, or is just being picked */
    ROTA_ATTEMPT_ROOM,    /* no connection of the subchannel has a stream to spare */
    ROTA_ATTEMPT_OPEN,    /* has its stream */
    ROTA_ATTEMPT_OVER,
};

struct rota_attempt {
    struct rota_call *call;
    struct rota_link link;
    uint8_t state;
    bool picked, sent;
    bool superseded; /* abandoned because another attempt of the call won */
    uint8_t number;  /* counted attempts of the call before this one */
    bool deaf;      /* its stream takes nothing more: the end has come and is told next, or the connection's has */
    bool end_sent;  /* our half-close was handed to the stream */
    bool end_seen;  /* the peer's end has come: response.status is how it went */
    uint64_t balance_number;
    struct rota_pick pick;
    const void *place; /* the subchannel of the last pick, as a token; NULL before the first */
    struct rota_connection *connection; /* of its stream, or the oldest one that was picked; one reference */
    struct rota_stream *stream;
    int64_t started_ns;
    size_t n_sent; /* messages of the call's outbox handed to the stream */
    struct rota_frame_decoder decoder;
    struct rota_response response; /* its status is also where a failed pick says why */
    struct rota_attempt *spare;    /* the next in the free-list of hedges */
};

void rota_attempt_init(struct rota_attempt *attempt, struct rota_call *call);
void rota_attempt_fini(struct rota_attempt *attempt); /* in OVER, or never started */

/* Picks a connection and opens a stream there, or waits in a queue. May end the call. */
void rota_attempt_start(struct rota_attempt *attempt);

static inline bool rota_attempt_listens(const struct rota_attempt *attempt)
{
    return attempt->state == ROTA_ATTEMPT_OPEN && attempt->stream != NULL && !attempt->deaf;
}

/* Sends what the outbox has that was not sent, and the half-close if it is time. Only while it listens, which may be found to be over: then the
 * outbox keeps what another attempt would send. ROTA_ENOMEM. */
rota_err rota_attempt_send(struct rota_attempt *attempt);
/* Of one that listens yet: a committed call forgets what was sent; one that keeps too much is committed, be it to another attempt. */
void rota_attempt_after_send(struct rota_attempt *attempt);
rota_err rota_attempt_flush(struct rota_attempt *attempt); /* both, for one attempt */
/* Bytes handed to the stream that are not on the wire yet. */
size_t rota_attempt_queued(const struct rota_attempt *attempt);

/* Drops what the outbox keeps of it. Only when the call is committed. */
void rota_attempt_forget_sent(struct rota_attempt *attempt);

/* Once more, from the pick on. */
void rota_attempt_restart(struct rota_attempt *attempt);
/* Transparent retry of a stream that the server has not processed, if the call may have one. */
bool rota_attempt_try_again(struct rota_attempt *attempt, bool unsent);
/* It has ended that way: the policies hear of it. The call is told by who knows what it means for it. */
void rota_attempt_over(struct rota_attempt *attempt, const struct rota_status *status);
/* Stops without a result: the stream is reset with that code. Harmless when it is over. */
void rota_attempt_abandon(struct rota_attempt *attempt, const struct rota_status *status, uint32_t h2_code);

/* Attempts waiting in the room go back to picking; or into the connection, which has streams to spare. */
void rota_attempt_leave_room(struct rota_subchannel *subchannel);
void rota_attempt_enter_room(struct rota_connection *connection);

/* The event table of an attempt's stream (reply.c); the owner is the attempt. */
extern const struct rota_stream_events rota_attempt_stream_events;

#endif
