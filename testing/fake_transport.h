/* fake_transport.h - connections and streams that do what the test says: wire/transport.h without a wire.
 *
 * The code under test dials, opens, sends; the test looks at what was recorded and plays the peer: connections come up, refuse,
 * drain, die; headers, messages and ends arrive. Each rota_fake_ function is one event: it runs inside a turn of the host, which
 * is then run dry. Records stay until rota_fake_transport_fini, so that a test may look at what has ended.
 * The fake watches the rules of transport.h and fails the test when one is broken: no operation on what is dead, no stream on a
 * connection that is not up, each chunk given once. As on a real connection a stream is deaf (`ended`) before its end is told, and so are
 * all while the loss of their connection is told.
 */
#ifndef ROTA_TESTING_FAKE_TRANSPORT_H
#define ROTA_TESTING_FAKE_TRANSPORT_H

#include "base/buffer.h"
#include "testing/virtual_host.h"
#include "wire/transport.h"

#define ROTA_FAKE_CONNS_MAX 64

struct rota_fake_transport;
struct rota_fake_conn;

struct rota_fake_stream {
    struct rota_stream stream;
    struct rota_fake_conn *conn;
    const struct rota_stream_events *events;
    void *owner;
    struct rota_buffer headers; /* lines of "name: value\n" */
    struct rota_buffer data;    /* all that was sent, prefixes included */
    size_t n_sends;
    size_t queued;   /* what queued() says; the test's */
    size_t given;    /* data bytes that the peer sent */
    size_t consumed; /* of those, credited */
    bool answered;   /* response headers were given; further ones are not */
    bool end;        /* the code under test has half-closed */
    bool ended;      /* the peer has ended it, which is told after what came before: send says ROTA_ECLOSED; the test's */
    bool dead;       /* reset or closed: no operation any more */
    bool reset;
    uint32_t reset_code;
};

struct rota_fake_conn {
    struct rota_conn conn;
    struct rota_fake_transport *transport;
    const struct rota_conn_events *events;
    void *owner;
    struct rota_host_task close_task;
    char address[ROTA_ADDRESS_TEXT_SIZE];
    int64_t dialed_ns, deadline_ns;
    size_t high_mark_bytes;
    int64_t keepalive_time_ns; /* as dialed */
    bool up, draining, closing, closed; /* draining: by drain() or the peer's GOAWAY */
    bool starved;                       /* open said ROTA_EAGAIN */
    size_t max_streams;                 /* open at a time */
    struct rota_fake_stream **streams; /* all ever opened, in order */
    size_t n_streams, cap_streams, n_open;
};

struct rota_fake_transport {
    struct rota_dialer dialer;
    struct rota_virtual_host *v;
    const struct rota_alloc *alloc;
    struct rota_fake_conn *conns[ROTA_FAKE_CONNS_MAX]; /* all ever dialed, in order */
    size_t n_conns;
    rota_err dial_err; /* what dial returns; 0: it works */
    rota_err open_err; /* what open returns on a connection that has room; 0: it works */
    rota_err send_err; /* the same for send */
};

void rota_fake_transport_init(struct rota_fake_transport *transport, struct rota_virtual_host *v, const struct rota_alloc *alloc);
/* Fails the test if a connection has not been closed. */
void rota_fake_transport_fini(struct rota_fake_transport *transport);

/* --- Connections --- */

/* The last one dialed to that address, or NULL. */
struct rota_fake_conn *rota_fake_conn_to(struct rota_fake_transport *transport, const char *address);
void rota_fake_up(struct rota_fake_conn *conn);
/* Ends it: open streams are LOST, or UNPROCESSED and unsent. Before it was up: the attempt has failed. */
void rota_fake_lose(struct rota_fake_conn *conn, const char *why);
void rota_fake_lose_unsent(struct rota_fake_conn *conn, const char *why);
/* GOAWAY: open streams from the index on are UNPROCESSED. */
void rota_fake_goaway(struct rota_fake_conn *conn, size_t n_processed);
/* A limit on streams that may be open at a time; on_room if somebody waits for it. */
void rota_fake_allow(struct rota_fake_conn *conn, size_t max_streams);

/* --- Streams --- */

/* The n-th stream ever opened on the connection; fails the test when there is none. */
struct rota_fake_stream *rota_fake_stream_at(struct rota_fake_conn *conn, size_t n);
/* The value of a header sent, or NULL; valid until the next call. */
const char *rota_fake_header(const struct rota_fake_stream *stream, const char *name);
/* The text of the message sent alone on the stream; fails the test when it is not alone. Valid until the next call. */
const char *rota_fake_request(const struct rota_fake_stream *stream);

void rota_fake_headers(struct rota_fake_stream *stream); /* :status 200, application/grpc, x-initial: i */
void rota_fake_data(struct rota_fake_stream *stream, struct rota_slice bytes);
void rota_fake_message(struct rota_fake_stream *stream, const char *text); /* framed, in one piece */
void rota_fake_trailers(struct rota_fake_stream *stream, enum rota_code code, const char *message); /* and the stream's end, if both sides have */
void rota_fake_trailers_only(struct rota_fake_stream *stream, enum rota_code code, const char *message);
void rota_fake_pushback(struct rota_fake_stream *stream, enum rota_code code, const char *pushback_ms); /* trailers-only, with grpc-retry-pushback-ms */
void rota_fake_raw_headers(struct rota_fake_stream *stream, const struct rota_header *headers, size_t count, bool end);
void rota_fake_end(struct rota_fake_stream *stream); /* END_STREAM without trailers */
void rota_fake_reply(struct rota_fake_stream *stream, const char *text); /* headers, message, OK */
void rota_fake_close(struct rota_fake_stream *stream, enum rota_stream_cause cause, uint32_t h2_code, bool unsent);
void rota_fake_writable(struct rota_fake_stream *stream); /* sets queued to 0 */

#endif
