/* socket.h - the inside of sockets for the files that make them: dialing and listening. */
#ifndef ROTA_NET_SOCKET_H
#define ROTA_NET_SOCKET_H

#include "net/net.h"
#include "net/poll.h"

/* A socket over an accepted connection, which it takes over on success; no events yet. ROTA_ENOMEM. */
rota_err rota_socket_accept(struct rota_loop *loop, struct rota_poll *watch, const char *peer, struct rota_socket **ret_socket);
/* Its events and owner; reading begins. */
void rota_socket_adopt(struct rota_socket *socket, const struct rota_socket_events *events, void *owner);
/* Closes and frees a socket that nobody adopted. */
void rota_socket_reject(struct rota_socket *socket);

/* --- Dialing (dial.c) --- */

struct rota_dial_attempts;

/* Inside a turn, never from within start: watch is the connected descriptor, or NULL with err and a sentence. The dial is gone by then. */
typedef void rota_dial_done(void *arg, struct rota_poll *watch, rota_err err, const char *detail);

/* `address` and rules are copied. ROTA_ENOMEM. */
rota_err rota_dial_start(struct rota_loop *loop, const struct rota_address *address, const struct rota_socket_rules *rules,
                         rota_dial_done *done, void *arg, struct rota_dial_attempts **ret_dial);
void rota_dial_cancel(struct rota_dial_attempts *dial); /* NULL is fine */

#endif
