/* rota/interceptor.h - hooks around every call of a channel or a server: authentication, logging, metrics, policy of your own.
 *
 * A class is a const table of hooks, each of which may be NULL; an entry of an `interceptors` option is a class with an `arg`. The
 * first entry is the outermost: on a channel on_start and on_send go in the order given and on_headers, on_message, on_done in the
 * reverse; on a server on_start and on_message in the order given and on_send, on_finish in the reverse. Hooks are per call, not
 * per attempt: a retry shows nothing. Every on_start that ran is followed by exactly one on_done or on_finish, whatever happens.
 * Threading: all hooks run on the loop's thread, those of blocking calls too; on_start and on_send of a channel run inside the
 * function that starts or sends. Hooks must not block.
 * No hook of a call runs inside another of the same call. Of its call a hook may use the functions of this header, those of "About a
 * call" (rota/call.h) and rota_call_cancel, or the getters of "Inside a call" (rota/server.h); most hooks end it by ROTA_INTERCEPT_END.
 * Ownership: the option's array is copied; classes and args must outlive the channel or server. `state` is state_size bytes of
 * the call's own memory, zero before on_start, gone after on_done or on_finish; it needs no freeing, what it points at does.
 */
#ifndef ROTA_INTERCEPTOR_H
#define ROTA_INTERCEPTOR_H

#include <rota/call.h>
#include <rota/measure.h>
#include <rota/server.h>

ROTA_BEGIN_DECLS

enum rota_intercept {
    ROTA_INTERCEPT_PASS, /* on to the next */
    ROTA_INTERCEPT_HOLD, /* on_start only: the call waits for rota_call_continue or rota_server_call_continue */
    ROTA_INTERCEPT_END,  /* the call ends with *ret_status, which must not be OK (else it becomes INTERNAL) */
};

/* --- On a channel --- */

struct rota_client_interceptor_class {
    const char *name;
    size_t state_size;
    /* The application makes a call. HOLD: nothing is sent and no connection is looked for until rota_call_continue; inner
     * interceptors have their on_start at once all the same. END: inner interceptors never hear of the call. */
    enum rota_intercept (*on_start)(void *state, void *arg, struct rota_call *call, struct rota_status *ret_status);
    /* A message of the application's own type, before it is packed. END: it is not sent, and inner interceptors do not see it. */
    enum rota_intercept (*on_send)(void *state, void *arg, struct rota_call *call, const void *message, struct rota_status *ret_status);
    void (*on_headers)(void *state, void *arg, struct rota_call *call); /* rota_call_initial_metadata is there */
    /* A message received, of the application's type. END: the application does not get it, whatever on_done makes of the status. */
    enum rota_intercept (*on_message)(void *state, void *arg, struct rota_call *call, const void *message, struct rota_status *ret_status);
    /* Before the application is told; may change *status. A failure made OK is INTERNAL when there is no reply to give. */
    void (*on_done)(void *state, void *arg, struct rota_call *call, struct rota_status *status);
    /* Not of a call. Of the channel it may use rota_channel_target alone, and nothing that starts, ends or closes. */
    void (*on_measure)(void *arg, const struct rota_channel *channel, enum rota_measure what, double value);
};

struct rota_client_interceptor {
    const struct rota_client_interceptor_class *hooks; /* NULL ends the array */
    void *arg;
};

/* Ends the hold of one on_start: with status NULL or OK the call goes on once no other on_start holds it, else it ends so. Once per
 * HOLD, on the loop's thread, after on_start has returned, not after on_done, and of the hooks of the same call only from a further on_start. */
ROTA_API void rota_call_continue(struct rota_call *call, const struct rota_status *status);

/* For on_start, and while it holds: what will be sent. NULL: out of memory. May hold credentials: nothing to log. */
ROTA_API struct rota_metadata *rota_call_metadata(struct rota_call *call);
ROTA_API void rota_call_shorten_deadline(struct rota_call *call, int64_t deadline_ns); /* on_start only; a later one changes nothing */
ROTA_API void rota_call_choose_compression(struct rota_call *call, enum rota_compression compression); /* on_start only; instead of the options' */

/* In every hook of a channel. */
ROTA_API const struct rota_method *rota_call_method(const struct rota_call *call);
ROTA_API struct rota_channel *rota_call_channel(const struct rota_call *call);
ROTA_API int64_t rota_call_deadline_ns(const struct rota_call *call); /* INT64_MAX: none */
ROTA_API bool rota_call_waits_for_ready(const struct rota_call *call);
ROTA_API int64_t rota_call_now_ns(const struct rota_call *call);         /* the loop's clock, monotonic, read now: for durations */
ROTA_API uint32_t rota_call_attempts(const struct rota_call *call);       /* streams opened for it so far */
ROTA_API uint64_t rota_call_sent_bytes(const struct rota_call *call);     /* of messages as they travel, without gRPC's prefixes */
ROTA_API uint64_t rota_call_received_bytes(const struct rota_call *call);

/* --- On a server --- */

struct rota_server_interceptor_class {
    const char *name;
    size_t state_size;
    /* A call has come: path, metadata, peer and the peer's identity are known, and the handler does not know of it yet. HOLD: it waits,
     * with what the client sends, for rota_server_call_continue; inner interceptors wait too. END: neither they nor the handler hear of
     * it. Calls of unknown methods come here too (rota_server_call_method is NULL); what is no gRPC does not. */
    enum rota_intercept (*on_start)(void *state, void *arg, struct rota_server_call *call, struct rota_status *ret_status);
    /* A message received, before the handler gets it. END: the handler is told as if the client had gone. */
    enum rota_intercept (*on_message)(void *state, void *arg, struct rota_server_call *call, const void *message, struct rota_status *ret_status);
    /* A message of the handler's. END: rota_server_call_send says ROTA_ECLOSED. */
    enum rota_intercept (*on_send)(void *state, void *arg, struct rota_server_call *call, const void *message, struct rota_status *ret_status);
    /* The status that is about to be sent, and may be changed, as the trailing metadata may; CANCELLED when the client has gone. The handler
     * may have to finish the call still. */
    void (*on_finish)(void *state, void *arg, struct rota_server_call *call, struct rota_status *status);
};

struct rota_server_interceptor {
    const struct rota_server_interceptor_class *hooks; /* NULL ends the array */
    void *arg;
};

/* Ends the hold of on_start: status NULL or OK goes on with the next interceptor, else the call ends so. Once per HOLD, on the loop's
 * thread, after on_start has returned, not from a hook of the same call, and not after on_finish. */
ROTA_API void rota_server_call_continue(struct rota_server_call *call, const struct rota_status *status);

/* The state of the first interceptor of that class; NULL: there is none, or it has not started. So a handler reads what one found out. */
ROTA_API void *rota_server_call_state(const struct rota_server_call *call, const struct rota_server_interceptor_class *hooks);

/* In every hook of a server. */
ROTA_API const struct rota_method *rota_server_call_method(const struct rota_server_call *call); /* NULL: no such method */
ROTA_API int64_t rota_server_call_now_ns(const struct rota_server_call *call); /* the loop's clock, monotonic, read now: for durations */
ROTA_API uint64_t rota_server_call_sent_bytes(const struct rota_server_call *call); /* of messages as they travel, without gRPC's prefixes */
ROTA_API uint64_t rota_server_call_received_bytes(const struct rota_server_call *call);

ROTA_END_DECLS
#endif
