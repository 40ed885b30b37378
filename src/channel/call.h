/* call.h - the inside of struct rota_call, shared by the files that make a call go.
 *
 * Life: RUNNING from the starting function on; ENDED when `result` is known, while the application still has to be told (from a
 * turn, or after it has taken the messages it holds back); DONE when it was told. The struct is then used for the next call,
 * unless somebody keeps it.
 * Invariants: `result` points at a status that stays with the call. on_done is called by rota_call_report alone. No application
 * function is called while `inside` is set: an entry point for this very call is on the stack.
 */
#ifndef ROTA_CHANNEL_CALL_H
#define ROTA_CHANNEL_CALL_H

#include "base/buffer.h"
#include "channel/attempt.h"
#include "channel/intercept.h"
#include "channel/outbox.h"
#include "channel/tries.h"

enum rota_call_state {
    ROTA_CALL_RUNNING,
    ROTA_CALL_ENDED,
    ROTA_CALL_DONE,
};

/* How a call's messages reach the application. */
enum rota_call_kind {
    ROTA_CALL_UNARY,  /* rota_unary_start: one reply, with the status */
    ROTA_CALL_TYPED,  /* rota_call_start */
    ROTA_CALL_PACKED, /* rota_call_start_packed */
};

struct rota_call {
    struct rota_channel *channel;
    struct rota_link link;   /* in the channel's calls until DONE */
    struct rota_call *spare; /* the next in the free-list */
    const struct rota_method *method;
    const struct rota_call_events *events; /* not for UNARY */
    rota_unary_done done;                  /* only for UNARY; NULL: */
    rota_unary_thunk thunk;                /* this is called with typed_done */
    void (*typed_done)(void);
    void *arg, *facade;
    uint8_t state, kind;
    bool inside;
    bool wait_for_ready;
    bool half_closed;   /* write_end was called */
    bool held;          /* by rota_call_hold */
    bool want_writable; /* a write was refused */
    bool committed;     /* no other attempt any more */
    bool gzip;          /* compressed requests are announced */
    bool compress;      /* the next ones */
    bool came_compressed; /* the last message */
    bool refused;       /* the one transparent retry that a peer's refusal allows was used */
    bool unresolved;    /* started before the service config was known */
    bool wait_given;    /* the application said whether to wait for ready */
    uint32_t keeps;
    uint32_t n_replies; /* that could be read, and that no interceptor kept from the application */
    int64_t made_ns, given_timeout_ns; /* what the application said; the service config may say less */
    size_t given_reply_bytes;
    int64_t deadline_ns; /* INT64_MAX: none */
    int64_t timeout_ns;  /* for its status message */
    size_t max_reply_bytes, max_request_bytes;
    struct rota_host_timer timer; /* at the deadline or before it; the struct's rather than the call's */
    struct rota_host_task task;
    uint32_t n_attempts; /* streams opened */
    uint64_t sent_bytes, received_bytes; /* of messages */
    struct rota_chain *chain; /* interceptors; NULL: none */
    struct rota_explainer explainer;
    struct rota_metadata *metadata; /* to send; in the arena */
    struct rota_arena arena;        /* what the application may read until the end */
    struct rota_arena message_arena; /* the message it is being shown */
    struct rota_chunk **shown;      /* PACKED, while a message is shown: where the chunk is that holds it */
    struct rota_buffer backlog;     /* received and not looked at, because the call is held */
    struct rota_outbox outbox;
    void *reply; /* UNARY */
    const struct rota_status *result;
    struct rota_status own_status;
    struct rota_attempt *front; /* the one that counts: whose stream, metadata and peer the application sees */
    struct rota_tries *tries;   /* NULL: one attempt is all there is */
    struct rota_attempt attempt;
};

/* For further attempts more is kept than may be: of this call's messages, or of all calls'. */
static inline bool rota_call_keeps_too_much(const struct rota_call *call)
{
    const struct rota_channel_limits *limits = &call->channel->limits;

    return call->outbox.size_bytes > limits->retry_buffer_bytes || call->channel->kept_bytes > limits->retry_buffers_bytes;
}

/* --- call.c --- */

/* A call in RUNNING, not started, `inside` set. ROTA_ENOMEM, ROTA_ECLOSED, ROTA_EINVAL, ROTA_ESTATE (on another thread than the loop's). */
rota_err rota_call_make(struct rota_channel *channel, const struct rota_method *method, const struct rota_call_options *options, enum rota_call_kind kind,
                        struct rota_call **ret_call);
void rota_call_unmake(struct rota_call *call); /* one that never was started */
void rota_call_go(struct rota_call *call);     /* starts it and clears `inside` */

/* The result is known: tells the application now, or from a task if it may not be called here. status stays with the call. */
void rota_call_end(struct rota_call *call, const struct rota_status *status);
/* The same from here: what is open is abandoned, its stream reset with CANCEL. */
void rota_call_fail(struct rota_call *call, enum rota_code code, const char *format, ...) ROTA_PRINTF(3, 4);
/* No other attempt than this one from here on: what was kept for others is dropped. */
void rota_call_commit(struct rota_call *call, struct rota_attempt *attempt);
/* The service config that was not known when it started. The call may have ended afterwards. */
void rota_call_configure(struct rota_call *call);
void rota_call_later(struct rota_call *call); /* posts the task */
void rota_call_report(struct rota_call *call);

/* --- start.c --- */

/* What is asked for, or NULL when it makes no sense: the options as given, or in *room where there are none, or fewer than this version knows. */
const struct rota_call_options *rota_call_read(const struct rota_method *method, const struct rota_call_options *given, enum rota_call_kind kind,
                                               struct rota_call_options *room);

/* --- reply.c --- */

/* Shows the application what was held back. */
void rota_reply_resume(struct rota_call *call);

/* --- compression.c --- */

/* The message of a compressed frame in *ret_plain, one reference; false: it has ended the call. */
bool rota_reply_decompress(struct rota_call *call, struct rota_slice packed, struct rota_chunk **ret_plain);

/* --- write.c --- */

bool rota_call_is_full(const struct rota_call *call); /* a write has to wait */
/* The server has ended the attempt that the call is committed to; what it sent is still to be shown. */
bool rota_call_is_deaf(const struct rota_call *call);
void rota_call_on_room(struct rota_call *call);       /* tells a writer that was refused */

/* ROTA_ELIMIT: too large, and the call is over. */
rota_err rota_call_check_size(struct rota_call *call, size_t size_bytes);
/* Packs into a framed chunk, compressed if the call does that. ROTA_ENOMEM; ROTA_ELIMIT: too large or refused by an interceptor, and the call
 * is over. */
rota_err rota_call_pack(struct rota_call *call, const void *message, struct rota_chunk **ret_chunk);
/* Hands a framed chunk on; takes the reference, also on failure. ROTA_ENOMEM. */
rota_err rota_call_send_chunk(struct rota_call *call, struct rota_chunk *chunk);

#endif
