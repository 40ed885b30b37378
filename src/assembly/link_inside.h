/* link_inside.h - what the files of one connection share (link.c, link_tls.c, link_stream.c, dial.c, accept.c). */
#ifndef ROTA_ASSEMBLY_LINK_INSIDE_H
#define ROTA_ASSEMBLY_LINK_INSIDE_H

#include "assembly/link.h"
#include "h2/h2.h"
#include "loop/loop.h"
#include "net/net.h"
#include "net/tls.h"
#include "wire/tunnel.h"

#define ROTA_H2_REFUSED_STREAM 7
#define ROTA_H2_ENHANCE_YOUR_CALM 11

struct rota_net_stream {
    struct rota_stream stream;
    struct rota_link link; /* in the connection's spare list */
    struct rota_h2_stream *h2;
    const struct rota_stream_events *events; /* NULL until adopted (server) */
    void *owner;
};

struct rota_net_link {
    struct rota_conn conn;
    struct rota_loop *loop;
    struct rota_host *host;
    const struct rota_log *log;
    const struct rota_alloc *alloc;
    struct rota_out_buffer *out;
    struct rota_socket *socket;
    struct rota_tls *tls; /* NULL: plaintext */
    const struct rota_proxy *proxy; /* NULL: none */
    struct rota_tunnel *tunnel; /* the proxy's answer is awaited; else NULL */
    struct rota_h2 *h2;   /* NULL until connected and, with TLS, the handshake is over */
    struct rota_h2_options *h2_options; /* until the session begins */
    const struct rota_conn_events *events;
    void *owner;
    struct rota_flush flush;
    struct rota_host_timer timer;
    int64_t timer_at_ns;         /* what the timer is set to; INT64_MAX: not set */
    int64_t connect_deadline_ns; /* until ready */
    int64_t write_timeout_ns;    /* INT64_MAX: none */
    int64_t stall_at_ns;         /* when the peer must have read more; INT64_MAX: nothing waits for it */
    int64_t look_at_ns;          /* whether it has; while there is such a time */
    uint64_t written_bytes, taken_bytes; /* given to the socket; of them with the peer's system, when last looked at */
    struct rota_link spare;      /* streams to use again */
    struct rota_net_stream *offered; /* server: inside on_stream */
    struct rota_buffer last_words; /* GOAWAY, for a flooder when it is closed */
    const struct rota_status *why; /* of a failure: owned, unless there was no memory for it. NULL: none */
    bool client, ready, dispatching;
    bool exposed;       /* a proxy would carry plaintext that was not asked for */
    bool shaking;       /* the TLS handshake is on */
    bool drain_at_once; /* asked for while shaking */
    bool expelled;    /* by the owner, or a timer: GOAWAY goes out whatever waits in the socket, and the log knows */
    bool closing;     /* the socket is on its way out; only on_closed is left */
    bool lingering;   /* that may take long, since all went well and the peer is to have all of it; when the owner closes, within a second */
    bool shunned;     /* it flooded us: the socket is not read any more, and ends when the timer fires, the peer is gone, or the owner closes or drains */
    bool closed_here; /* the owner asked for it */
    char peer[];
};

extern const struct rota_conn_class rota_net_conn_class;             /* link_stream.c */
extern const struct rota_socket_events rota_net_link_socket_events; /* link.c */

struct rota_net_link *rota_net_link_new(struct rota_loop *loop, const struct rota_alloc *alloc, struct rota_out_buffer *out, const char *peer); /* NULL: no memory */
/* TCP_USER_TIMEOUT (gRFC A18): what keepalive waits for an answer, the system waits for an acknowledgement. 0: no keepalive. */
uint32_t rota_net_user_timeout_ms(int64_t keepalive_time_ns, int64_t keepalive_timeout_ns);
void rota_net_link_free(struct rota_net_link *link);
rota_err rota_net_link_start(struct rota_net_link *link); /* the socket is connected: the session begins */
void rota_net_link_touch(struct rota_net_link *link);     /* something may have to be written at the end of the turn */
void rota_net_link_dispatch(struct rota_net_link *link);
void rota_net_link_take(struct rota_net_link *link, struct rota_slice bytes); /* plaintext that was read */
/* Tells the log what the peer did; anybody may do it as often as they like, so a server tells it once a second. */
void rota_net_link_complain(const struct rota_net_link *link, const char *during, const char *what);
/* Ends the connection for a reason of our own or the peer's, from inside a turn and outside of dispatch: the owner hears now that it takes no
 * more streams (client), streams that they are over, the owner when the socket has closed. */
void rota_net_link_fail(struct rota_net_link *link, const char *detail);

/* Closes the socket, behind the GOAWAY that was kept back where the peer was to be shunned. */
void rota_net_link_leave(struct rota_net_link *link);

/* link_proxy.c */
void rota_net_link_ask_proxy(struct rota_net_link *link); /* sends CONNECT */
/* True: the way is open, and *bytes is what has come beyond the proxy's answer. False: not yet, or the connection has failed. */
bool rota_net_link_read_proxy(struct rota_net_link *link, struct rota_slice *bytes);

/* link_tls.c */
size_t rota_net_link_pending(const struct rota_net_link *link); /* bytes that wait in the socket, or for TLS */
bool rota_net_link_write(struct rota_net_link *link, struct rota_slice plain); /* with TLS or without; false: the connection has failed */
void rota_net_link_shake(struct rota_net_link *link); /* client: begins the handshake */
void rota_net_link_read_tls(struct rota_net_link *link, struct rota_slice bytes);
void rota_net_link_bye(struct rota_net_link *link); /* tells the peer's TLS that no more comes, if there is one */

struct rota_net_stream *rota_net_stream_make(struct rota_net_link *link, struct rota_h2_stream *h2); /* NULL: no memory */
void rota_net_stream_drop(struct rota_net_link *link, struct rota_net_stream *stream);
void rota_net_streams_forget(struct rota_net_link *link); /* those to use again */

#endif
