/* rota/server.h - serving gRPC: listeners, services, calls, draining.
 *
 * Threading: a server and its calls belong to its loop; handlers run on its thread and must not block. A handler may return
 * first and finish the call later, so thousands may be open at once.
 * Ownership: every call must be finished exactly once (reply, finish or fail); the handle is valid until then, also when the
 * client has gone (on_cancel tells), and not afterwards.
 */
#ifndef ROTA_SERVER_H
#define ROTA_SERVER_H

#include <rota/loop.h>
#include <rota/message.h>
#include <rota/metadata.h>
#include <rota/status.h>
#include <rota/tls.h>

ROTA_BEGIN_DECLS

struct rota_server;
struct rota_server_call;
struct rota_server_interceptor;

struct rota_server_options {
    size_t size;            /* set by ROTA_SERVER_OPTIONS_INIT */
    struct rota_loop *loop; /* required */
    const struct rota_alloc *alloc; /* default: the loop's */
    const struct rota_log *log;     /* default: the loop's */
    size_t max_request_bytes;       /* default 4 MiB; a longer message ends its call RESOURCE_EXHAUSTED */
    size_t max_reply_bytes;         /* default: none */
    size_t send_queue_bytes;        /* per call, before a send says ROTA_EAGAIN; default 64 KiB */
    uint32_t max_concurrent_streams; /* per connection; default 1000 */
    uint32_t max_connections;        /* further ones are closed at once; default 65536 */
    size_t max_header_bytes;         /* per call, as HTTP/2 counts it, each part of a "-bin" value a field; default 16 KiB */
    int64_t handshake_timeout_ms;    /* until a connection's first SETTINGS, and for a call's headers, or a frame that is kept until it is whole, once begun; default 20 s */
    /* On every TCP listener, and plaintext on unix: ones. NULL: plaintext on loopback addresses, and no others may be listened on;
     * &rota_tls_insecure: plaintext on any. */
    const struct rota_tls_options *tls;
    int64_t min_ping_interval_ms; /* gRFC A9: clients that ping more often lose the connection at the third; default 5 min; negative: no limit */
    size_t max_pending_bytes;     /* per connection, of messages not yet whole or not yet wanted, and of requests' headers larger than 2 KiB; a
                                   * call beyond ends RESOURCE_EXHAUSTED, and so does one that begins while these and the replies queued on the
                                   * connection are beyond; default 512 MiB */
    bool permit_pings_without_calls; /* that often also with no call open, else every two hours */
    /* Servers that say so, on other loops or in other processes of the user, may listen on the same TCP port; the system spreads
     * connections over them (SO_REUSEPORT). Connections that one has not accepted when it stops listening are lost. */
    bool reuse_port;
    enum rota_compression compression; /* of replies to clients that take it, unless a call says otherwise */
    const struct rota_server_interceptor *interceptors; /* rota/interceptor.h; until one without hooks; default: none */
    size_t max_window_bytes; /* flow control: a call's window grows with what its handler takes up to this, a connection's to twice this; default 16 MiB;
                              * 1: they stay at 64 KiB and 1 MiB */
    size_t max_total_bytes;  /* of the server, of messages not yet whole, wanted or sent, and of large headers; beyond it the connections that hold
                              * most are ended, until an eighth is free, and calls that come meanwhile are refused; default 1 GiB */
    int64_t keepalive_time_ms;    /* a ping after so much silence; default 2 h; negative: never */
    int64_t keepalive_timeout_ms; /* for its answer, or the connection is closed; default 20 s; TCP_USER_TIMEOUT too (gRFC A18), if write_timeout_ms is not longer */
    int64_t write_timeout_ms;     /* a client that reads nothing from its socket for so long while bytes wait is cut off; default 60 s; negative: never */
    int64_t max_connection_age_ms; /* +-10 %; then the connection is drained: calls end on it, new ones go elsewhere; default: no limit */
    int64_t max_connection_age_grace_ms; /* from then on; what is left is reset; default: no limit */
    int64_t max_connection_idle_ms;      /* without a call; then the connection is drained; default: no limit */
};
#define ROTA_SERVER_OPTIONS_INIT ROTA_SIZED(struct rota_server_options)

/* What a service does when one of its methods is called; generated code fills it in. All of it runs on the loop. */
struct rota_handler {
    const struct rota_method *method;
    void (*on_start)(struct rota_server_call *call, const void *handlers, void *user);  /* before any message; may be NULL */
    /* Each message; a method without client streaming gets exactly one. Valid until the call is finished (unary request)
     * or the callback returns (client streaming). */
    void (*on_message)(struct rota_server_call *call, const void *message, const void *handlers, void *user);
    /* The client sends no more; may be NULL. Without on_cancel also when the client has gone or the deadline has passed: rota_server_call_cancelled
     * then says true, and messages may be missing. */
    void (*on_end)(struct rota_server_call *call, const void *handlers, void *user);
    void (*on_writable)(struct rota_server_call *call, const void *handlers, void *user); /* after ROTA_EAGAIN; may be NULL */
    /* Client gone or deadline passed; the call must still be finished. NULL: on_writable, if one is owed, or else on_end, if that is, is called
     * instead. A call that is owed neither is told nothing: a handler that waits for something of its own needs on_cancel. */
    void (*on_cancel)(struct rota_server_call *call, const void *handlers, void *user);
};

/* Only from on_cancel: what is done when on_cancel is NULL. For tables that learn at run time whether they care. One that does not care for
 * on_writable either calls it from there, too, if the call is cancelled: on_writable came in place of on_cancel then; on_end does, if it is owed. */
ROTA_API void rota_server_call_cancel_default(struct rota_server_call *call);

/* A .proto file as protoc read it, without its comments; generated code has it for reflection. */
struct rota_file {
    const char *name;             /* "dir/hello.proto" */
    struct rota_slice descriptor; /* a serialised FileDescriptorProto */
    const struct rota_file *const *imports;
    size_t n_imports;
};

struct rota_service {
    const char *name; /* "package.Service" */
    const struct rota_handler *handlers;
    size_t n_handlers;
    const struct rota_file *file; /* the file that declares it; NULL: not known */
};

/* ROTA_EINVAL (an option, or a certificate file: info says which), ROTA_EUNSUPPORTED (TLS, and OpenSSL 3 cannot be loaded), ROTA_ESTATE
 * (options.loop has a thread of its own, and this is another: rota_loop_post), ROTA_ENOMEM. */
ROTA_API ROTA_MUST_USE rota_err rota_server_new(const struct rota_server_options *options, struct rota_server **ret_server, struct rota_errinfo *info);

/* handlers: the table of functions that the generated thunks call; user: handed to each of them. Both must outlive the server.
 * So must the service with its handlers, methods, names and file, which are kept as they are (generated ones are static).
 * ROTA_EEXIST: a service of that name is there, or a method of that path, or with reflection (rota/reflection.h) a file of the name of one
 * of its files and other content. ROTA_ENOMEM. */
ROTA_API ROTA_MUST_USE rota_err rota_server_add(struct rota_server *server, const struct rota_service *service, const void *handlers, void *user);

/* "127.0.0.1:8001", "[::]:0", ":8001" (all addresses), "name:8001" (of the hosts file), "unix:/path", "unix-abstract:name". Accepts
 * at once. The bound address (with the port the system chose) is written to bound (ROTA_ADDRESS_TEXT_SIZE bytes) unless NULL.
 * ROTA_EADDRINUSE, ROTA_EPARSE, ROTA_ENOTFOUND (a name that the hosts file does not have), ROTA_EINVAL (options.tls is NULL, and the
 * address is not this machine's alone), ROTA_ESTATE (the server drains or closes), ROTA_EIO, ROTA_ENOMEM; info names the address. */
ROTA_API ROTA_MUST_USE rota_err rota_server_listen(struct rota_server *server, const char *address, char *bound, struct rota_errinfo *info);

/* Stops listening; GOAWAY on every connection, and a second one with the last stream after a round trip; waits for the calls to
 * finish at most grace_ms, then resets what is left; a connection without calls, whose client has not all of the last reply yet, has a second
 * more. on_drained comes once, on close at the latest; the server must still be freed.
 * Again: the grace period begins anew, and only the new on_drained comes. */
ROTA_API void rota_server_drain(struct rota_server *server, int64_t grace_ms, void (*on_drained)(void *arg), void *arg);

/* Once. Resets calls and connections at once, that second aside; handlers get on_cancel; when they have finished their calls, frees.
 * on_closed (may be NULL) comes last. */
ROTA_API void rota_server_close(struct rota_server *server, void (*on_closed)(void *arg), void *arg);

/* The same, turning the loop until done. NULL is fine. Not from a callback, and not on a loop of rota_loop_thread_new (both abort): there
 * post a function that calls rota_server_close. */
ROTA_API void rota_server_free(struct rota_server *server);

struct rota_server_stats {
    uint64_t calls_started, calls_ended, connections_accepted;
    uint32_t calls_open, connections_open;
};
ROTA_API struct rota_server_stats rota_server_stats(const struct rota_server *server);

/* --- Inside a call --- */

/* Sends one message; several in server streaming. ROTA_EAGAIN: the queue is full, nothing was taken, on_writable follows;
 * ROTA_ECLOSED: client gone (finish the call all the same); ROTA_ENOMEM, ROTA_ELIMIT. */
ROTA_API ROTA_MUST_USE rota_err rota_server_call_send(struct rota_server_call *call, const void *message);
/* Sends the initial metadata now and not with the first message. Harmless when it has been sent. ROTA_ECLOSED, ROTA_ELIMIT, ROTA_ENOMEM. */
ROTA_API ROTA_MUST_USE rota_err rota_server_call_send_initial_metadata(struct rota_server_call *call);
/* Ends the call. status NULL: OK. */
ROTA_API void rota_server_call_finish(struct rota_server_call *call, const struct rota_status *status);
/* send and finish OK in one, also when the queue is full; a reply that cannot be sent ends the call with the error. */
ROTA_API void rota_server_call_reply(struct rota_server_call *call, const void *message);
/* finish with a code and a printf-formatted message: the whole of it, up to 8 KiB and what the client takes. */
ROTA_API void rota_server_call_fail(struct rota_server_call *call, enum rota_code code, const char *format, ...) ROTA_PRINTF(3, 4);

/* For the replies that follow: DEFAULT is the server's. Gzip has no effect when the client does not take it. ROTA_ESTATE: gzip, but the
 * initial metadata has gone without announcing it; to begin with uncompressed replies, set gzip first and then none. */
ROTA_API ROTA_MUST_USE rota_err rota_server_call_set_compression(struct rota_server_call *call, enum rota_compression compression);
/* Whether the message that on_message has now came compressed; of one request: that one. */
ROTA_API bool rota_server_call_was_compressed(const struct rota_server_call *call);

ROTA_API void rota_server_call_hold(struct rota_server_call *call);   /* no on_message until resumed */
ROTA_API void rota_server_call_resume(struct rota_server_call *call);
ROTA_API bool rota_server_call_cancelled(const struct rota_server_call *call); /* the client has gone, or the deadline has passed */
ROTA_API int64_t rota_server_call_deadline_ns(const struct rota_server_call *call); /* INT64_MAX: none */
ROTA_API const char *rota_server_call_peer(const struct rota_server_call *call);    /* "127.0.0.1:43210" */
/* Whom the client's certificate names, verified; NULL: it showed none, or there is no TLS. Valid until the call is finished. */
ROTA_API const struct rota_peer_identity *rota_server_call_peer_identity(const struct rota_server_call *call);
ROTA_API const char *rota_server_call_path(const struct rota_server_call *call);
ROTA_API struct rota_loop *rota_server_call_loop(const struct rota_server_call *call);
ROTA_API const struct rota_metadata *rota_server_call_metadata(const struct rota_server_call *call); /* what the client sent */
ROTA_API struct rota_metadata *rota_server_call_initial_metadata(struct rota_server_call *call);  /* add before the first send; NULL: no memory */
ROTA_API struct rota_metadata *rota_server_call_trailing_metadata(struct rota_server_call *call); /* add before finish; NULL: no memory */
ROTA_API void rota_server_call_set_data(struct rota_server_call *call, void *data); /* one pointer for the handler's own use */
ROTA_API void *rota_server_call_data(const struct rota_server_call *call);

ROTA_END_DECLS
#endif
