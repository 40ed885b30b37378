/* net.h - byte streams: dialing, listening, reading, writing, on libuv; name lookup on c-ares.
 *
 * Events are callbacks from libuv's loop; the assembly joins them to HTTP/2. A socket writes what it can at once and keeps
 * the rest; the caller writes at most once a turn. Nothing here knows HTTP/2.
 */
#ifndef ROTA_NET_NET_H
#define ROTA_NET_NET_H

#include <rota/endpoint.h>
#include <rota/err.h>
#include <rota/log.h>
#include <rota/slice.h>

struct rota_loop;
struct rota_socket;
struct rota_listen;
struct rota_lookup;

/* What sockets are made by. */
struct rota_socket_rules {
    bool local_only; /* loopback and unix addresses; others are refused with a sentence that says how plaintext is asked for */
    bool share_port; /* listening: SO_REUSEPORT */
    uint32_t user_timeout_ms; /* TCP_USER_TIMEOUT (gRFC A18); 0: the system's */
    const struct rota_log *log; /* listening: where it is told that descriptors are short; NULL: the loop's */
};

struct rota_socket_events {
    void (*on_connected)(void *owner); /* dialed sockets only */
    void (*on_read)(void *owner, struct rota_slice bytes); /* borrowed; reading goes on unless paused */
    void (*on_drained)(void *owner); /* what write kept has gone out */
    void (*on_gone)(void *owner);    /* of a shunned socket: the peer sends no more, or has closed. May be NULL */
    /* Last event, also after rota_socket_close. err 0: closed from here or the peer's end of file (detail says which). */
    void (*on_closed)(void *owner, rota_err err, const char *detail);
};

/* Connects to one address; a ROTA_ADDRESS_NAME is looked up and its addresses tried in turn, 250 ms apart (RFC 8305), first to connect wins.
 * rules NULL: none. on_connected or on_closed (with a sentence that names the address) follows. ROTA_ENOMEM, ROTA_EIO. */
rota_err rota_socket_dial(struct rota_loop *loop, const struct rota_address *address, const struct rota_socket_rules *rules,
                          const struct rota_socket_events *events, void *owner, struct rota_socket **ret_socket);
/* Writes all of the bytes or keeps a copy of the rest. ROTA_ENOMEM; an error of the socket itself comes by on_closed. */
rota_err rota_socket_write(struct rota_socket *socket, struct rota_slice bytes);
size_t rota_socket_pending(const struct rota_socket *socket); /* bytes kept */
size_t rota_socket_left(const struct rota_socket *socket);    /* what the peer has not taken yet, here and in the system, which is asked */
void rota_socket_pause(struct rota_socket *socket);
void rota_socket_resume(struct rota_socket *socket);
/* Nothing of the peer is read any more, not even on closing, and the system is asked to keep little of it. */
void rota_socket_shun(struct rota_socket *socket);
/* Sends what is kept (1 s at most), then closes. on_closed follows from a later turn. */
void rota_socket_close(struct rota_socket *socket);
/* The same, but goes on while the peer takes something of it at least every 10 s, for 60 s in all. */
void rota_socket_finish(struct rota_socket *socket);
void rota_socket_hurry(struct rota_socket *socket); /* after it: goes on no longer than a plain close would that began now */
/* At once, also after any of those; on_closed follows from a later turn. */
void rota_socket_abort(struct rota_socket *socket);
const char *rota_socket_peer(const struct rota_socket *socket); /* "127.0.0.1:8001", "unix:/path" */

struct rota_listen_events {
    /* Take it over by returning an owner and filling in the events; NULL: closed at once. */
    void *(*on_accept)(void *owner, struct rota_socket *socket, const struct rota_socket_events **ret_events);
    void (*on_closed)(void *owner);
};

/* TCP (SO_REUSEADDR; SO_REUSEPORT only where the rules say so), IPv6 sockets for "[::]" take IPv4 too; a stale unix socket file is replaced, a live one is
 * ROTA_EADDRINUSE. rules: of what is accepted; ROTA_EINVAL: they forbid the address. bound: ROTA_ADDRESS_TEXT_SIZE bytes or NULL. Out of file descriptors: accepting pauses and goes on. */
rota_err rota_listen_open(struct rota_loop *loop, const struct rota_address *address, const struct rota_socket_rules *rules,
                          const struct rota_listen_events *events, void *owner, char *bound, struct rota_listen **ret_listen, struct rota_errinfo *info);
void rota_listen_close(struct rota_listen *listen); /* on_closed follows; a unix socket file is removed */

/* All addresses of a host (A and AAAA, /etc/hosts, literals), as ROTA_ADDRESS_IPV4/IPV6 with the port given; of one family alone when the
 * other goes unanswered, twice. */
typedef void (*rota_lookup_done)(void *arg, rota_err err, const char *detail, const struct rota_address *addresses, size_t count);
rota_err rota_lookup_start(struct rota_loop *loop, struct rota_slice host, uint16_t port, rota_lookup_done done, void *arg, struct rota_lookup **ret_lookup);
/* The TXT records of a name, the strings of each joined. ROTA_ENOTFOUND: there are none; values are borrowed. The name must be no literal. */
typedef void (*rota_lookup_txt_done)(void *arg, rota_err err, const char *detail, const struct rota_slice *values, size_t count);
rota_err rota_lookup_txt_start(struct rota_loop *loop, const char *name, rota_lookup_txt_done done, void *arg, struct rota_lookup **ret_lookup);
void rota_lookup_cancel(struct rota_lookup *lookup); /* done is not called any more; from inside done: nothing happens. NULL is fine */

#endif
