/* transport.h - connections and streams as the channel and the server see them: tables that HTTP/2 over sockets fills in for
 * real (assembly) and a fake fills in for tests and the simulator.
 *
 * Vocabulary: a connection carries streams; a stream is one attempt of a call. The owner is the channel's or server's object
 * given with the event table.
 *
 * Rules:
 *  - Events come from a turn of the host, never from inside an operation on the same connection.
 *  - on_closed is a stream's and a connection's last event; the pointer is dead when it returns. Every stream still open
 *    gets on_closed before its connection does.
 *  - rota_stream reset() detaches at once: no further event, the pointer is dead.
 *  - Slices in events are borrowed until the event returns.
 *  - Out of memory inside an operation is reported by it; inside reading, the connection closes with RESOURCE_EXHAUSTED.
 */
#ifndef ROTA_WIRE_TRANSPORT_H
#define ROTA_WIRE_TRANSPORT_H

#include "base/chunk.h"
#include "base/host.h"
#include "base/identity.h"
#include "wire/header.h"
#include <rota/endpoint.h>
#include <rota/err.h>
#include <rota/status.h>

struct rota_conn;
struct rota_stream;

enum rota_stream_cause {
    ROTA_STREAM_DONE,        /* both sides ended it in order */
    ROTA_STREAM_RESET,       /* the peer sent RST_STREAM; code says which */
    ROTA_STREAM_UNPROCESSED, /* the peer has not seen or has refused it: REFUSED_STREAM, above GOAWAY's last id, never sent */
    ROTA_STREAM_PROTOCOL,    /* the peer broke HTTP/2 on this stream; it was reset from here */
    ROTA_STREAM_LOST,        /* the connection went away under it */
};

struct rota_stream_end {
    enum rota_stream_cause cause;
    uint32_t h2_code;   /* with RESET and PROTOCOL */
    bool unsent;        /* with UNPROCESSED: nothing of it reached the wire, so that trying again cannot loop over a peer's refusals */
    const char *detail; /* what happened, for a status message; never NULL */
};

struct rota_stream_events {
    /* Client: the response headers (1xx are left out). end: the stream ended with them (gRPC's trailers-only). */
    void (*on_headers)(void *owner, struct rota_stream *stream, const struct rota_header *headers, size_t count, bool end);
    void (*on_data)(void *owner, struct rota_stream *stream, struct rota_slice data);
    /* The peer sends no more; trailers may be none (count 0). Not called after on_headers with end. */
    void (*on_end)(void *owner, struct rota_stream *stream, const struct rota_header *trailers, size_t count);
    void (*on_writable)(void *owner, struct rota_stream *stream); /* queued bytes fell below the low mark (half the high mark) after having been at or above the high mark */
    void (*on_closed)(void *owner, const struct rota_stream_end *end);
};

struct rota_conn_events {
    void (*on_ready)(void *owner);    /* client: the peer's SETTINGS have come; streams may be opened */
    /* No new streams here. why NULL: GOAWAY came, or the stream ids are used up; open streams go on. Else (client) the connection has failed, as
     * why says: its streams end with this turn, while its own on_closed may come a second later. */
    void (*on_draining)(void *owner, const struct rota_status *why);
    void (*on_too_many_pings)(void *owner); /* client: it came for that reason (gRFC A8); before on_draining. May be NULL */
    /* Client: open() said ROTA_EAGAIN before: a stream may be opened again. Server: look whether there is room for what is queued: it has grown
     * with what was read (half a frame, say), or is free since the connection has failed. */
    void (*on_room)(void *owner);
    /* Server: a request's headers, valid HTTP/2. Adopt it with class->adopt, or reset it. end: no body follows. */
    void (*on_stream)(void *owner, struct rota_stream *stream, const struct rota_header *headers, size_t count, bool end);
    void (*on_closed)(void *owner, const struct rota_status *why); /* why: UNAVAILABLE and a sentence, OK when closed from here */
};

struct rota_conn_class {
    /* Client. Opens a stream and sends its headers (end: nothing follows). ROTA_EAGAIN: MAX_CONCURRENT_STREAMS reached, on_room follows;
     * ROTA_ECLOSED: draining or closed; ROTA_ELIMIT: more header bytes than the peer takes or we send (so do send_headers and send_trailers);
     * ROTA_ENOMEM. Headers are copied or encoded before it returns. */
    rota_err (*open)(struct rota_conn *conn, const struct rota_header *headers, size_t count, bool end, const struct rota_stream_events *events,
                     void *owner, struct rota_stream **ret_stream);
    void (*adopt)(struct rota_stream *stream, const struct rota_stream_events *events, void *owner); /* server, inside on_stream */
    rota_err (*send_headers)(struct rota_stream *stream, const struct rota_header *headers, size_t count, bool end); /* server: response headers, or trailers-only */
    /* Takes one reference of the chunk, also on failure. end: the client's half-close. ROTA_ECLOSED: the stream's end, or the connection's, has come
     * in and is told next, behind what came before it; ROTA_ENOMEM. */
    rota_err (*send)(struct rota_stream *stream, struct rota_chunk *chunk, bool end); /* chunk NULL with end: only END_STREAM */
    rota_err (*send_trailers)(struct rota_stream *stream, const struct rota_header *headers, size_t count); /* server: after all data queued so far, ends the stream */
    void (*reset)(struct rota_stream *stream, uint32_t h2_code);
    void (*consumed)(struct rota_stream *stream, size_t bytes); /* data events' bytes that are used up: opens the window again */
    size_t (*queued)(const struct rota_stream *stream);         /* bytes sent but not yet on the wire */
    /* After ROTA_ELIMIT from what sends headers: how large a header list may be, ROTA_HEADER_SENT_BYTES at most; less is what the peer takes. */
    size_t (*max_header_bytes)(const struct rota_conn *conn);
    const char *(*peer)(const struct rota_conn *conn);          /* address text */
    void (*drain)(struct rota_conn *conn); /* server: GOAWAY(2^31-1), a round trip (1 s at most), GOAWAY(last id); closes when the last stream has. Client: no new streams, closes when idle */
    /* Server: whom the client's certificate names, borrowed; NULL: it showed none. The function is NULL where there is no TLS. */
    struct rota_identity *(*identity)(const struct rota_conn *conn);
    /* Server: as close, but the client is told that it asks too much, and the connection's own on_closed may come a second after its streams'.
     * why is static. */
    void (*expel)(struct rota_conn *conn, const char *why);
    void (*close)(struct rota_conn *conn); /* at once: streams get on_closed(LOST), then the connection, all from a later turn */
};

struct rota_conn {
    const struct rota_conn_class *class;
    size_t queued_bytes; /* server: sent on it and not yet on the wire, and what has come of a frame or a field that is not whole */
};

struct rota_stream {
    struct rota_conn *conn;
};

/* --- Client side: dialing --- */

struct rota_dial {
    const struct rota_address *address;
    int64_t deadline_ns; /* of connecting and handshake together: then on_closed, "timed out" */
    int64_t keepalive_time_ns, keepalive_timeout_ns; /* INT64_MAX: off */
    bool keepalive_without_calls;
    struct rota_slice host; /* of :authority; what the certificate must name if the dialer speaks TLS */
    size_t high_mark_bytes; /* queued bytes of a stream from which on_writable is owed; 0: 64 KiB */
};

struct rota_dialer {
    const struct rota_dialer_class *class;
};

struct rota_dialer_class {
    /* Starts connecting; on_ready or on_closed comes later. ROTA_ENOMEM, ROTA_EIO. */
    rota_err (*dial)(struct rota_dialer *dialer, const struct rota_dial *dial, const struct rota_conn_events *events, void *owner,
                     struct rota_conn **ret_conn);
};

/* --- Server side: listening --- */

struct rota_listener;

struct rota_listener_events {
    /* A connection was accepted: fill in the event table and owner it is to report to, or return false to have it closed. */
    bool (*on_accept)(void *owner, struct rota_conn *conn, const struct rota_conn_events **ret_events, void **ret_owner);
    void (*on_closed)(void *owner, struct rota_listener *listener);
};

struct rota_serve_limits {
    uint32_t max_concurrent_streams;
    size_t max_header_bytes;
    int64_t handshake_timeout_ns; /* also of a header block, or a frame that is kept until it is whole, once begun */
    int64_t min_ping_ns;          /* how often a client may ping; 0: no limit */
    bool pings_without_calls;
    bool share_port; /* with other listeners that say so too */
    size_t high_mark_bytes; /* as in struct rota_dial */
    uint32_t max_window_bytes; /* a stream's grows up to this, a connection's to twice this */
    size_t *queued_total;   /* kept: queued_bytes of all connections of these limits together; may be NULL */
    int64_t keepalive_time_ns, keepalive_timeout_ns; /* INT64_MAX: off */
    int64_t write_timeout_ns; /* a connection whose peer reads nothing for so long is closed; INT64_MAX: none */
    int64_t max_age_ns, max_age_grace_ns, max_idle_ns; /* 0: none; the age varies by a tenth */
};

struct rota_acceptor {
    const struct rota_acceptor_class *class;
};

struct rota_acceptor_class {
    /* bound: ROTA_ADDRESS_TEXT_SIZE bytes, or NULL. Errors as rota_server_listen. */
    rota_err (*listen)(struct rota_acceptor *acceptor, const struct rota_address *address, const struct rota_serve_limits *limits,
                       const struct rota_listener_events *events, void *owner, char *bound, struct rota_listener **ret_listener,
                       struct rota_errinfo *info);
    void (*close)(struct rota_listener *listener); /* stops accepting; on_closed follows */
};

#endif
