/* server.h - the inside of struct rota_server (rota/server.h): making one from parts, and what its files share.
 *
 * The server sees its loop as a struct rota_host and the network as a struct rota_acceptor, so it runs unchanged in tests.
 * Files: server.c (services, listeners, drain, close), conn.c (accepted connections), relief.c (which of them go when memory is
 * short), dispatch.c (from request headers to handler), intercept.c (interceptors), call.c (a call's life), input.c (messages in), output.c (messages and status out),
 * compression.c (of both), turn.c (what waits for a later turn of the loop).
 */
#ifndef ROTA_SERVER_SERVER_H
#define ROTA_SERVER_SERVER_H

#include "base/arena.h"
#include "base/buffer.h"
#include "base/host.h"
#include "base/map.h"
#include "wire/frame.h"
#include "wire/grpc.h"
#include "wire/transport.h"
#include "wire/zip.h"
#include <rota/interceptor.h>
#include <rota/server.h>

struct rota_server_parts {
    struct rota_host *host;
    struct rota_loop *loop;         /* handed to handlers, unread; NULL in tests */
    struct rota_acceptor *acceptor; /* outlives the server */
};

/* As rota_server_new and rota_server_close, from parts. */
ROTA_MUST_USE rota_err rota_server_make(const struct rota_server_options *options, const struct rota_server_parts *parts, struct rota_server **ret_server,
                                        struct rota_errinfo *info);
void rota_server_shut(struct rota_server *server, void (*on_closed)(void *arg), void *arg);
const struct rota_server_parts *rota_server_parts(const struct rota_server *server);

/* What a service of our own keeps beside a server. */
struct rota_server_companion {
    struct rota_link link;
    /* A service has been added; a failure takes it off again and is what adding it returns. May be NULL. */
    rota_err (*on_add)(struct rota_server_companion *companion, const struct rota_service *service);
    void (*on_drain)(struct rota_server_companion *companion); /* before connections are told; may be NULL */
    void (*free)(struct rota_server_companion *companion);     /* with the server */
};
void rota_server_keep(struct rota_server *server, struct rota_server_companion *companion);

/* Has its say in the trailing metadata of every call, once its status is settled. One for a server, which it outlives. */
struct rota_server_reporter {
    void (*on_answer)(struct rota_server_reporter *reporter, struct rota_server_call *call, const struct rota_status *status);
};

/* Bytes sent in this call that have not left yet. */
size_t rota_server_call_queued(const struct rota_server_call *call);
/* Whether a send would say ROTA_EAGAIN now; then on_writable follows as if it had. */
bool rota_server_call_full(struct rota_server_call *call);

/* --- Shared by the files of this folder --- */

/* A method that can be called: where the path map leads. */
struct rota_server_method {
    const struct rota_service *service;
    const struct rota_handler *handler;
    const void *handlers;
    void *user;
};

/* What clients can bring about as often as they like is told to the log once a second. */
struct rota_server_tale {
    int64_t quiet_until_ns;
    uint32_t n_untold;
};
#define ROTA_SERVER_MORE_SIZE 40

struct rota_server {
    struct rota_server_options options; /* defaults filled in */
    struct rota_server_parts parts;
    const struct rota_alloc *alloc;
    const struct rota_alloc *bulk; /* for messages that may be large */
    const struct rota_log *log;
    struct rota_map methods;    /* path to struct rota_server_method */
    struct rota_map services;   /* name to struct rota_service */
    struct rota_link listeners; /* struct rota_server_listener */
    struct rota_link conns;     /* struct rota_server_conn */
    struct rota_link calls;     /* struct rota_server_call, finished or not */
    struct rota_link spare;     /* calls to use again */
    struct rota_link companions; /* struct rota_server_companion */
    uint32_t n_spare;
    struct rota_server_interceptor *interceptors; /* owned; NULL: none */
    size_t n_interceptors;
    struct rota_server_stats stats;
    size_t held_bytes; /* messages waiting to be whole, wanted or sent, on all connections */
    size_t leaving_bytes; /* what of them is with connections that are being ended for it */
    struct rota_server_tale ended, refused; /* of connections: for want of memory, for being too many */
    struct rota_server_reporter *reporter; /* of a service of our own; NULL: none */
    struct rota_zip zip;
    struct rota_link waiting; /* connections with calls that go on in a later turn, by conn->turn */
    struct rota_host_timer turn; /* that one */
    bool turning;                /* it is on */
    uint32_t n_deliveries;       /* messages and ends on their way to handlers, modulo 2^32 */
    const struct rota_server_conn *slice_of; /* whose handlers have had time since slice_until_ns less a slice; compared only */
    int64_t slice_turn_ns, slice_until_ns;   /* in which turn */
    int64_t inflating_ns;  /* the turn of the loop in which */
    size_t inflated_bytes; /* so much was decompressed */
    bool draining, closing;
    struct rota_host_timer grace;
    struct rota_host_task settle; /* looks whether drain or close is complete */
    void (*on_drained)(void *arg);
    void *drained_arg;
    void (*on_closed)(void *arg);
    void *closed_arg;
};

struct rota_server_listener {
    struct rota_link link;
    struct rota_server *server;
    struct rota_listener *listener;
    bool closing;
};

struct rota_server_conn {
    struct rota_link link;
    struct rota_server *server;
    struct rota_conn *conn;
    struct rota_link waiting; /* its calls that wait for a later turn, by call->turn */
    struct rota_link turn;    /* server->waiting, if there are any */
    size_t pending_bytes; /* of its calls */
    size_t leaving_bytes; /* what it held when it was ended for that, as far as it has not been given back */
    bool leaving;         /* it was */
    bool behind;          /* some calls wait since it has had its time, and others are not to overtake them */
    uint32_t n_orphans;   /* calls whose streams are gone and whose handlers are not done: they keep this in memory */
    bool closed;
    char peer[ROTA_ADDRESS_TEXT_SIZE];
};

#define ROTA_SERVER_CALL_ARENA_BYTES 2048 /* that every call has */

struct rota_server_call {
    struct rota_link link; /* server->calls or spare */
    struct rota_link turn; /* conn->waiting */
    struct rota_server *server;
    struct rota_server_conn *conn; /* NULL once the stream is gone */
    struct rota_server_conn *orphan_of; /* then, unless the handler was done */
    struct rota_stream *stream;    /* NULL once it is gone */
    struct rota_arena arena;
    struct rota_request request;
    const struct rota_server_method *method; /* NULL until dispatched, and when there is none */
    struct rota_server_chain *chain; /* interceptors; NULL: none */
    struct rota_frame_decoder decoder;
    struct rota_buffer pending; /* bytes that came while held; their credit is owed */
    struct rota_metadata *initial, *trailing;
    struct rota_host_timer deadline;
    struct rota_host_task pump;
    int64_t deadline_ns;
    size_t pending_bytes; /* what input.c has counted against the connection */
    size_t head_bytes;    /* of those, that the request's headers take; 0: no more than every call has */
    size_t message_bytes; /* that `message` takes */
    size_t refused_bytes; /* of the header list that was larger than may be sent, once one was */
    struct rota_chunk *packed; /* a unary request that came compressed, as it came, until then; one reference */
    uint64_t sent_bytes, received_bytes; /* of messages */
    void *message; /* a unary request, unpacked in the arena, until the client's half ends */
    void *data;    /* the handler's */
    void *load;    /* the reporter's, in the arena */
    uint32_t busy; /* callbacks running in this call: it is not freed meanwhile */
    bool starting; /* interceptors have not let it through to the handler */
    bool shown; /* the handler knows of the call, so the handler must finish it */
    bool input_end, end_delivered; /* the client's half is over; the handler knows */
    bool headers_sent;
    bool answered;  /* status sent, or nobody left to send it to */
    bool finished;  /* the handler is done with it */
    bool cancelled;
    bool held;
    bool head_only; /* the request's method is HEAD */
    bool want_writable;
    bool gzip;     /* compressed replies are or will be announced; the client takes them */
    bool compress; /* the next ones */
    bool came_compressed; /* the last message */
    struct rota_slice text; /* rota_server_call_fail's, where a status has only its beginning; in the arena */
    char peer[ROTA_ADDRESS_TEXT_SIZE];
    struct rota_identity *identity; /* the client's; one reference, NULL: none */
};

extern const struct rota_listener_events rota_server_listener_events; /* conn.c */
/* False: it is not to be told now, and counted. True: more has " (and 3 more like it)", of those not told before. */
bool rota_server_tell(const struct rota_server *server, struct rota_server_tale *tale, char more[static ROTA_SERVER_MORE_SIZE]);
void rota_server_conn_release(struct rota_server_conn *conn); /* when it is closed and has no orphans: frees it */
extern const struct rota_stream_events rota_server_stream_events;     /* call.c */

/* relief.c: whether all connections together hold no more than max_total_bytes, those apart that are being ended. */
static inline bool rota_server_has_room(const struct rota_server *server)
{
    return server->held_bytes <= server->options.max_total_bytes || server->held_bytes - server->options.max_total_bytes <= server->leaving_bytes;
}
/* Whether they hold more, those included, whose memory goes at the end of the turn: until then nothing is begun. */
static inline bool rota_server_is_over(const struct rota_server *server)
{
    return server->held_bytes > server->options.max_total_bytes;
}
/* When there is none: ends connections that hold most. False: this one among them. */
bool rota_server_make_room(struct rota_server *server, const struct rota_server_conn *conn);
/* Something was sent in the call, which waits for as long as its client likes: is there room for it? */
static inline void rota_server_call_relieve(const struct rota_server_call *call)
{
    if (call->conn != NULL && !rota_server_has_room(call->server))
        (void)rota_server_make_room(call->server, call->conn);
}
void rota_server_conn_left(struct rota_server_conn *conn); /* it has closed, or one of its streams has */

/* dispatch.c: a new stream with its headers. */
void rota_server_dispatch(struct rota_server_conn *conn, struct rota_stream *stream, const struct rota_header *headers, size_t count, bool end);
/* What is no gRPC: its HTTP answer, once the client's half is over. */
void rota_server_call_answer_http(struct rota_server_call *call);
void rota_server_call_refuse(struct rota_server_call *call, const struct rota_status *status); /* before the handler has seen it */
void rota_server_call_proceed(struct rota_server_call *call); /* to the handler, or to a refusal of our own */

/* intercept.c; what takes a call is for calls with a chain, but for start. */
rota_err rota_server_intercept_take(struct rota_server *server, const struct rota_server_interceptor *interceptors); /* ROTA_ENOMEM */
bool rota_server_intercept_start(struct rota_server_call *call); /* false: it is held, or was refused */
/* Each: false, and *ret_status says why, when the call is to end. */
bool rota_server_intercept_message(struct rota_server_call *call, const void *message, struct rota_status *ret_status);
bool rota_server_intercept_send(struct rota_server_call *call, const void *message, struct rota_status *ret_status);
void rota_server_intercept_finish(struct rota_server_call *call, struct rota_status *status); /* the first time; may change it */
const char *rota_server_intercept_path(const struct rota_server_call *call); /* of a call without a method */

/* options.c */
rota_err rota_server_options_read(const struct rota_server_options *options, struct rota_server_options *ret_full, struct rota_errinfo *info);
struct rota_serve_limits rota_server_limits(struct rota_server *server);

/* call.c */
struct rota_server_call *rota_server_call_make(struct rota_server *server); /* NULL: no memory */
void rota_server_call_enter(struct rota_server_call *call);
void rota_server_call_leave(struct rota_server_call *call); /* may free it */
void rota_server_call_detach(struct rota_server_call *call); /* its stream is gone */
void rota_server_call_cancel(struct rota_server_call *call); /* tells the handler once */
void rota_server_call_destroy(struct rota_server_call *call);

/* input.c */
void rota_server_call_feed(struct rota_server_call *call, struct rota_slice data);
void rota_server_call_end_input(struct rota_server_call *call);
void rota_server_call_uncount(struct rota_server_call *call); /* before call->conn goes */
void rota_server_call_count_head(struct rota_server_call *call); /* once its headers are in the arena */
void rota_server_call_drop_input(struct rota_server_call *call); /* answered: what it has not read nobody reads any more */
void rota_server_call_let_go(struct rota_server_call *call); /* finished, but its stream goes on: frees what the arena holds */
void rota_server_call_pump(struct rota_host_task *task); /* goes on with what has come */

/* output.c: sends the status (trailers, or trailers-only) unless answered. The deadline holds until what was sent before has left. */
void rota_server_call_answer(struct rota_server_call *call, const struct rota_status *status);
void rota_server_call_expire(struct rota_server_call *call); /* the same with DEADLINE_EXCEEDED, at once */

/* compression.c: when a call begins. */
void rota_server_call_begin_compression(struct rota_server_call *call);
/* The message of a compressed frame in *ret_plain, one reference; false: the call is to end with *ret_status. */
bool rota_server_call_decompress(struct rota_server_call *call, struct rota_slice packed, struct rota_chunk **ret_plain, struct rota_status *ret_status);

/* turn.c: the call is pumped in a later turn; false: there is no memory for that, and it goes on. */
bool rota_server_call_wait(struct rota_server_call *call);
/* False: enough was decompressed in this turn; the call waits. */
bool rota_server_call_may_inflate(struct rota_server_call *call);
/* False: the call's connection has had its time, has others that wait, or there is no room; the call waits. */
bool rota_server_call_may_go_on(struct rota_server_call *call);
#define ROTA_SERVER_LOOK_EVERY 32
static inline bool rota_server_call_goes_on(struct rota_server_call *call)
{
    struct rota_server *server = call->server;
    bool quiet = !rota_server_is_over(server) && rota_list_empty(&server->waiting) && ++server->n_deliveries % ROTA_SERVER_LOOK_EVERY != 0;

    return quiet || rota_server_call_may_go_on(call);
}
void rota_server_turn_init(struct rota_server *server);

/* server.c: something went away; drain or close may be complete. */
void rota_server_settle(struct rota_server *server);

#endif
