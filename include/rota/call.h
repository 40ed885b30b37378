/* rota/call.h - one remote call, as a client makes it: blocking or asynchronous, unary or streaming.
 *
 * Generated code wraps these functions with the message types of a method; the shapes are the same.
 * Threading: blocking functions may be used from any thread when the channel has a loop thread of its own, else on the
 * loop's thread only, and then they turn the loop until done (never from inside a callback: one that waits aborts). Between them such a
 * loop stands still, with deadlines, keepalive and all: docs/threading.md, 2. Of one call one thread may send
 * while another receives; two must not do the same, and rota_call_finish comes when none is in either. Everything else belongs to the
 * loop's thread. Callbacks come from a turn, never before the starting function has returned.
 * Ownership: a method is kept as a pointer and must outlive its calls (generated ones are static).
 * Source: gRPC over HTTP/2 (doc/PROTOCOL-HTTP2.md in grpc/grpc).
 */
#ifndef ROTA_CALL_H
#define ROTA_CALL_H

#include <rota/channel.h>
#include <rota/message.h>
#include <rota/metadata.h>
#include <rota/status.h>

ROTA_BEGIN_DECLS

struct rota_call;
struct rota_call_credentials;

enum rota_wait_for_ready {
    ROTA_WAIT_DEFAULT, /* as the service config says, else fail fast */
    ROTA_WAIT_FOR_READY,
    ROTA_FAIL_FAST,
};

struct rota_call_options {
    size_t size;        /* set by ROTA_CALL_OPTIONS_INIT */
    int64_t timeout_ms; /* from now, for everything; 0: none; negative: it has passed. The method config's timeout is used when shorter. */
    enum rota_wait_for_ready wait_for_ready;
    const struct rota_metadata *metadata; /* sent; copied before the starting function returns */
    size_t max_reply_bytes;               /* 0: the channel's */
    /* Blocking unary calls only (all others refuse them, ROTA_EINVAL): what the server sent, freed by the caller; NULL: not wanted. Always
     * written, however the call ends: a list, maybe empty, or NULL (which counts as empty) when there was no memory. */
    struct rota_metadata **ret_initial_metadata;
    struct rota_metadata **ret_trailing_metadata;
    enum rota_compression compression; /* of requests; with gzip the call may also send some uncompressed (rota_call_set_compression) */
    const struct rota_call_credentials *credentials; /* rota/credentials.h; beside the channel's; default: none */
    rota_explain explain; /* rota/explain.h; told of each pick of this call, in place of the channel's; default: none */
    void *explain_arg;
    /* Likewise blocking unary calls only: the whole status message, of which the status has the beginning, is written here, zero-terminated and cut
     * at a character where message_size bytes do not hold it; ROTA_MESSAGE_SIZE do. NULL: not wanted. Always written. */
    char *ret_message;
    size_t message_size;
    /* In the time of rota_loop_now_ns, as rota_server_call_deadline_ns gives it (INT64_MAX: none); default 0: none. Beside timeout_ms the earlier
     * of the two counts. For calls within a call: a timeout made of what is left is 0, none, in its last millisecond. */
    int64_t deadline_ns;
};
#define ROTA_MESSAGE_SIZE 8193
#define ROTA_CALL_OPTIONS_INIT ROTA_SIZED(struct rota_call_options)

/* --- Blocking --- */

/* One request, one reply. *ret_reply is written when the status is OK; free it with the codec (protobuf-c: x__free_unpacked(reply, NULL)).
 * A method that streams its replies is not called: INTERNAL, nor is one with options that did not begin with ROTA_CALL_OPTIONS_INIT. */
ROTA_API struct rota_status rota_unary(struct rota_channel *channel, const struct rota_method *method, const struct rota_call_options *options,
                                       const void *request, void **ret_reply);

/* Starts a call of any kind for send, recv and finish below. ROTA_EINVAL (a method without a path that begins with "/", options of size 0 or with one
 * of the three ret_), ROTA_ENOMEM, ROTA_ECLOSED (channel), ROTA_ESTATE (the channel was opened before a fork, docs/threading.md). */
ROTA_API ROTA_MUST_USE rota_err rota_call_open(struct rota_channel *channel, const struct rota_method *method, const struct rota_call_options *options,
                                               struct rota_call **ret_call);
/* Waits while the send queue is full, no longer: what the connection takes is on its way then, on the caller's own loop too. ROTA_ECLOSED: the
 * call has ended, finish says why. ROTA_ENOMEM. */
ROTA_API ROTA_MUST_USE rota_err rota_call_send(struct rota_call *call, const void *message);
/* No more messages from here; harmless when done before. ROTA_ECLOSED: the call has ended. ROTA_ENOMEM: it ends RESOURCE_EXHAUSTED. */
ROTA_API rota_err rota_call_send_end(struct rota_call *call);
/* Waits for the next message: true and *ret_message (freed as a reply), or false at the end of the stream. The reply of a method that does not
 * stream them comes with the status OK, or not at all. Also after false the call must be finished. */
ROTA_API bool rota_call_recv(struct rota_call *call, void **ret_message);
/* Ends the call (cancels what is still open), frees it, returns how it ended. A client that wants the server's status receives until false first;
 * else this is CANCELLED, or what the server has said, whichever is quicker, and messages not yet sent are dropped. */
ROTA_API struct rota_status rota_call_finish(struct rota_call *call);

/* --- Asynchronous --- */

/* reply: when the status is OK; valid during the callback. The call is gone afterwards. */
typedef void (*rota_unary_done)(void *arg, const struct rota_status *status, const void *reply);

/* ret_call may be NULL; it is for cancelling, valid until done has been called. ROTA_ENOMEM, ROTA_ECLOSED, ROTA_EINVAL (a method without a
 * path that begins with "/", or that streams its replies; no done; options of size 0 or with one of the three ret_), ROTA_ESTATE (the channel's
 * loop has a thread of its own, and this is another: rota_loop_post): done is not called. */
ROTA_API ROTA_MUST_USE rota_err rota_unary_start(struct rota_channel *channel, const struct rota_method *method, const struct rota_call_options *options,
                                                 const void *request, rota_unary_done done, void *arg, struct rota_call **ret_call);

/* For generated code, whose done functions take the reply's own type: the library calls thunk with done, and the generated thunk
 * turns done back into what it is. Otherwise as rota_unary_start. */
typedef void (*rota_unary_thunk)(void (*done)(void), void *arg, const struct rota_status *status, const void *reply);
ROTA_API ROTA_MUST_USE rota_err rota_unary_start_typed(struct rota_channel *channel, const struct rota_method *method,
                                                       const struct rota_call_options *options, const void *request, rota_unary_thunk thunk,
                                                       void (*done)(void), void *arg, struct rota_call **ret_call);

struct rota_call_events {
    void (*on_headers)(struct rota_call *call, void *arg); /* initial metadata is there; may be NULL */
    /* Each message, valid during the callback. The next comes when this has returned, unless rota_call_hold was called. */
    void (*on_message)(struct rota_call *call, void *arg, const void *message);
    /* After a write said ROTA_EAGAIN: the next has something else to say, for there is room, or the server has ended the call behind
     * messages that are held. May be NULL. */
    void (*on_writable)(struct rota_call *call, void *arg);
    void (*on_done)(struct rota_call *call, void *arg, const struct rota_status *status); /* last; the call is gone afterwards */
};

/* Any kind of method. events must outlive the call. ROTA_EINVAL (a method without a path that begins with "/", no on_message, on_done or ret_call,
 * options of size 0 or with one of the three ret_), ROTA_ENOMEM, ROTA_ECLOSED (channel), ROTA_ESTATE (as above): nothing of events is called. */
ROTA_API ROTA_MUST_USE rota_err rota_call_start(struct rota_channel *channel, const struct rota_method *method, const struct rota_call_options *options,
                                                const struct rota_call_events *events, void *arg, struct rota_call **ret_call);
/* Packs the message at once. ROTA_EAGAIN: the queue is full, nothing was taken; ROTA_ECLOSED: half-closed, or ended,
 * and on_done says how; ROTA_ENOMEM. 0 is no promise that the server reads it: its status may be on the way. */
ROTA_API ROTA_MUST_USE rota_err rota_call_write(struct rota_call *call, const void *message);
/* No more messages from here; harmless when done before, or ended. ROTA_ENOMEM: the call ends RESOURCE_EXHAUSTED. */
ROTA_API rota_err rota_call_write_end(struct rota_call *call);
/* No on_message until resumed: flow control slows the server down. Nor on_done while bytes wait, however the server ends the
 * call; the deadline and rota_call_cancel do not wait. */
ROTA_API void rota_call_hold(struct rota_call *call);
ROTA_API void rota_call_resume(struct rota_call *call);
ROTA_API void rota_call_cancel(struct rota_call *call); /* on_done follows with CANCELLED, unless the call had ended */

/* --- Compression --- */

/* For the messages that follow: DEFAULT is what the call was started with. In a blocking call also between sends, from its thread.
 * ROTA_ESTATE: gzip, but the call was not started with it, so the server has not been told. */
ROTA_API ROTA_MUST_USE rota_err rota_call_set_compression(struct rota_call *call, enum rota_compression compression);
/* Whether the message that on_message has now, or that rota_call_recv returned last, or the reply in done, came compressed. */
ROTA_API bool rota_call_was_compressed(const struct rota_call *call);

/* --- About a call; on the loop's thread, or after a blocking recv returned false --- */

ROTA_API const struct rota_metadata *rota_call_initial_metadata(const struct rota_call *call);  /* NULL before headers */
ROTA_API const struct rota_metadata *rota_call_trailing_metadata(const struct rota_call *call); /* NULL before the end */
ROTA_API struct rota_slice rota_call_message(const struct rota_call *call); /* the whole status message, decoded */
ROTA_API const char *rota_call_peer(const struct rota_call *call);          /* address text, or NULL before a pick */

ROTA_END_DECLS
#endif
