/* address.h - between struct rota_address and the system's socket addresses, and the sentences of failures. */
#ifndef ROTA_NET_ADDRESS_H
#define ROTA_NET_ADDRESS_H

#include <rota/endpoint.h>
#include <sys/socket.h>
#include <sys/un.h>

#define ROTA_IP_TEXT_SIZE 72 /* "[v6%scope]:port" and the zero */

struct rota_sockaddr {
    union {
        struct sockaddr any;
        struct sockaddr_storage storage;
        struct sockaddr_un un;
    } u;
    socklen_t size;
};

/* Not for names. ROTA_EINVAL: the unix path does not fit. */
rota_err rota_address_to_system(const struct rota_address *address, struct rota_sockaddr *ret_system);

/* IP addresses only: *ret_address with its text in `text`. False for other families. */
bool rota_address_from_system(const struct sockaddr *system, char text[static ROTA_IP_TEXT_SIZE], struct rota_address *ret_address);

/* "127.0.0.1", "::1", "fe80::1%2" as an address with this port. False: it is none. */
bool rota_address_from_literal(const char *host, uint16_t port, char text[static ROTA_IP_TEXT_SIZE], struct rota_address *ret_address);

/* The host's part of "host:port" or "[v6]:port". */
struct rota_slice rota_address_host(const struct rota_address *address);

/* Nobody beyond this machine can be at it: a loopback address, a unix socket. Not for names. */
bool rota_address_is_local(const struct rota_address *address);
/* 0.0.0.0 or [::]: listening, all addresses; dialing, this machine. */
bool rota_address_is_any(const struct rota_address *address);
#define ROTA_NOT_LOCAL "beyond this machine plaintext must be asked for: set options.tls (&rota_tls_insecure is plaintext)"

/* Of an errno: "connection refused". Cut to fit. */
void rota_errno_text(int code, char *ret_text, size_t cap);

/* A non-blocking stream socket of this family, TCP without delay; -1 and errno. */
int rota_stream_socket(int family);
void rota_stream_nodelay(int fd, int family);
/* The connection is to this machine itself: no network is between, so nothing of it needs to be spaced out in time. Before connect or listen
 * if possible. */
void rota_stream_stays_here(int fd, int family);
void rota_stream_user_timeout(int fd, uint32_t timeout_ms); /* 0 and not TCP: nothing */

#endif
