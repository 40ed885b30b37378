/* h2.h - one HTTP/2 connection, client or server, without I/O: bytes and time in, bytes and events out.
 *
 * Usage, each turn: rota_h2_feed what was read, drain rota_h2_next until it
 * says no more (slices of events are valid until the next call of feed or next), do what one likes with streams, then
 * rota_h2_pull the bytes to write, and drain again: pulling the end of a stream makes its CLOSED, emptying a queue its
 * WRITABLE, a reset going out ROOM. DATA lies in the bytes fed, which therefore stay until the events are drained.
 * Nothing calls back, so any function may be called on any stream while events are drained.
 * Decides: settings and windows, GOAWAY in both directions, keepalive pings (gRFC A8, A9), flood limits, a connection's age, when it is over.
 * Elsewhere: sockets (net), meaning of headers (wire/grpc.h).
 * Sources: RFC 9113, RFC 7541; gRFC A8, A9.
 */
#ifndef ROTA_H2_H2_H
#define ROTA_H2_H2_H

#include "base/chunk.h"
#include "wire/header.h"
#include <rota/err.h>

struct rota_h2;
struct rota_h2_stream;

struct rota_h2_options {
    bool server;
    const struct rota_alloc *alloc;
    uint32_t max_concurrent_streams; /* what we announce; server only */
    size_t max_header_bytes;         /* SETTINGS_MAX_HEADER_LIST_SIZE and enforced (RST_STREAM, ENHANCE_YOUR_CALM); 0: 8 KiB */
    uint32_t stream_window_bytes;    /* 0: 64 KiB - 1 */
    uint32_t conn_window_bytes;      /* 0: 1 MiB */
    uint32_t max_window_bytes;       /* a stream's window grows up to this, the connection's to twice this; not above stream_window_bytes: neither grows */
    size_t *queued_total;            /* kept: what is queued, on all streams (data, and trailers behind it) and (when that is much) before them, and what has come of a frame or a
                                      * field that is not whole, with that of other connections; NULL: nowhere */
    size_t *queued_here;             /* kept: the same, of this connection alone; NULL: nowhere */
    size_t high_mark_bytes;          /* WRITABLE events; 0: 64 KiB */
    int64_t keepalive_time_ns, keepalive_timeout_ns; /* INT64_MAX: off */
    bool keepalive_without_streams;
    int64_t handshake_deadline_ns; /* until the peer's first SETTINGS; INT64_MAX: none */
    int64_t header_timeout_ns;     /* for a header block, or a frame that is kept until it is whole, once begun; 0: none */
    int64_t min_ping_ns;           /* server: how often the peer may ping (gRFC A9); 0: as often as it reads the answers */
    bool pings_without_streams;    /* server: that often also with no stream open, else every two hours */
    int64_t max_age_ns, max_age_grace_ns; /* drained when so old, over when the grace has passed too; 0: never */
    int64_t max_idle_ns;                  /* drained after so long without a stream; 0: never */
};

enum rota_h2_event_type {
    ROTA_H2_READY,    /* the peer's first SETTINGS */
    ROTA_H2_REQUEST,  /* server: a new stream with its headers; end: no body */
    ROTA_H2_HEADERS,  /* client: response headers; end: nothing follows */
    ROTA_H2_DATA,
    ROTA_H2_END,      /* the peer's half is over; headers: trailers, maybe none. Not after REQUEST/HEADERS with end */
    ROTA_H2_WRITABLE, /* queue below half of high_mark after having reached it */
    ROTA_H2_CLOSED,   /* the stream is over; last of its events; freed by the next call of rota_h2_next */
    ROTA_H2_GOAWAY,   /* the peer drains; streams above its last id get CLOSED(UNPROCESSED). May come twice. Client: also (h2_code 0) once the last
                       * stream id is given: it drains by itself */
    ROTA_H2_ROOM,     /* a stream may be opened again after ROTA_EAGAIN */
};

enum rota_h2_cause { /* same order as enum rota_stream_cause */
    ROTA_H2_DONE,
    ROTA_H2_RESET,
    ROTA_H2_UNPROCESSED,
    ROTA_H2_PROTOCOL,
    ROTA_H2_LOST,
};

struct rota_h2_event {
    enum rota_h2_event_type type;
    struct rota_h2_stream *stream; /* NULL for connection events */
    const struct rota_header *headers;
    size_t count;
    bool end;
    struct rota_slice data;  /* DATA; GOAWAY: debug data */
    enum rota_h2_cause cause; /* CLOSED */
    uint32_t h2_code;         /* CLOSED, GOAWAY */
    bool unsent;              /* CLOSED with UNPROCESSED: nothing of the stream was handed to pull */
    const char *detail;       /* CLOSED, GOAWAY: a sentence; never NULL there */
};

rota_err rota_h2_new(const struct rota_h2_options *options, int64_t now_ns, struct rota_h2 **ret_h2);
void rota_h2_free(struct rota_h2 *h2); /* streams go without events; NULL is fine */

/* 0, or the connection is over: ROTA_EPROTO, ROTA_ENOMEM (pull once more: GOAWAY; then rota_h2_abort and drain events). */
rota_err rota_h2_feed(struct rota_h2 *h2, struct rota_slice bytes, int64_t now_ns, struct rota_errinfo *info);
bool rota_h2_next(struct rota_h2 *h2, struct rota_h2_event *ret_event);
/* Server: a request was refused for its header fields, of which there is no event: why, a sentence, of the last one since this was asked. NULL: none was. */
const char *rota_h2_take_refused(struct rota_h2 *h2);

/* Fills out with frames to send; 0 in *ret_size: nothing now. Call until 0 or as much as one likes to write. ROTA_ENOMEM; ROTA_EPROTO, with
 * 0 in *ret_size, once a GOAWAY has gone out because the peer broke the protocol (rota_h2_abort then, which gives streams that reason). */
rota_err rota_h2_pull(struct rota_h2 *h2, uint8_t *out, size_t cap, int64_t now_ns, size_t *ret_size);
/* After ROTA_EPROTO: what the peer broke, a sentence. "" before. */
const char *rota_h2_fault(const struct rota_h2 *h2);
/* And whether that was a flood: more of what is legal once than the limits of rate let pass. */
bool rota_h2_flooded(const struct rota_h2 *h2);
/* And how long the GOAWAY is that pull gives last, then. */
size_t rota_h2_last_bytes(const struct rota_h2 *h2);
bool rota_h2_wants_write(const struct rota_h2 *h2);
/* GOAWAY was exchanged or sent and no stream is left, nor a request half in: close the socket after the last pull. */
bool rota_h2_finished(const struct rota_h2 *h2);

/* Server: the peer asks too much of the owner: GOAWAY(ENHANCE_YOUR_CALM) with the next pulls, which then say ROTA_EPROTO. why is static. */
void rota_h2_expel(struct rota_h2 *h2, const char *why);

/* Every stream gets CLOSED: LOST, or UNPROCESSED (unsent) where nothing of it was handed to pull. The socket is gone. */
void rota_h2_abort(struct rota_h2 *h2, const char *detail);

/* Keepalive, handshake, header block, drain, age and idleness timers. A tick that comes early does nothing. */
int64_t rota_h2_deadline_ns(const struct rota_h2 *h2); /* INT64_MAX: none */
rota_err rota_h2_tick(struct rota_h2 *h2, int64_t now_ns, struct rota_errinfo *info); /* ROTA_ETIMEDOUT: the peer is dead, or dawdles (pull once more: GOAWAY), or had its time */
/* A keepalive ping is among what is pulled next: once that is written, tell when, as turns may be long. */
bool rota_h2_ping_leaves(const struct rota_h2 *h2);
void rota_h2_ping_left(struct rota_h2 *h2, int64_t now_ns);

/* Server: two-step GOAWAY as rota/server.h says. Client: no new streams. */
void rota_h2_drain(struct rota_h2 *h2, int64_t now_ns);

/* Client. ROTA_EAGAIN: the peer's MAX_CONCURRENT_STREAMS are open (100 before its SETTINGS), ROOM follows; ROTA_ECLOSED: draining, or
 * broken; ROTA_ELIMIT: more header bytes than rota_h2_max_header_bytes (so do send_headers and send_trailers); ROTA_ENOMEM.
 * Sending on a stream that is closed is ROTA_ECLOSED, after its end ROTA_ESTATE. */
rota_err rota_h2_open(struct rota_h2 *h2, const struct rota_header *headers, size_t count, bool end, void *user, struct rota_h2_stream **ret_stream);
rota_err rota_h2_send_headers(struct rota_h2_stream *stream, const struct rota_header *headers, size_t count, bool end);
rota_err rota_h2_send(struct rota_h2_stream *stream, struct rota_chunk *chunk, bool end); /* takes one reference, also on failure */
rota_err rota_h2_send_trailers(struct rota_h2_stream *stream, const struct rota_header *headers, size_t count);
void rota_h2_reset(struct rota_h2_stream *stream, uint32_t h2_code); /* no further events; the pointer is dead */
void rota_h2_consumed(struct rota_h2_stream *stream, size_t bytes); /* opens the windows again; what is left at CLOSED or reset is given back by itself */
size_t rota_h2_max_header_bytes(const struct rota_h2 *h2); /* in a header list to be sent: what the peer takes, ROTA_HEADER_SENT_BYTES at most */
size_t rota_h2_queued(const struct rota_h2_stream *stream);
uint32_t rota_h2_streams(const struct rota_h2 *h2); /* open now */

void rota_h2_set_user(struct rota_h2_stream *stream, void *user);
void *rota_h2_user(const struct rota_h2_stream *stream);
struct rota_h2 *rota_h2_of(const struct rota_h2_stream *stream);

#endif
