/* poll.h - one file descriptor on the loop.
 *
 * Sockets are our own and not libuv's streams: those write without MSG_NOSIGNAL, so a peer that went away would end a
 * program that has not given up SIGPIPE, which is no library's to decide. Nor can they bind abstract names.
 * A watch never keeps the loop open; whoever owns it holds the loop.
 */
#ifndef ROTA_NET_POLL_H
#define ROTA_NET_POLL_H

#include <rota/err.h>

struct rota_loop;
struct rota_poll;

enum {
    ROTA_WATCH_READ = 1,
    ROTA_WATCH_WRITE = 2,
    ROTA_WATCH_GONE = 8,  /* the peer sends no more: for who does not read; comes again and again */
    ROTA_WATCH_ERROR = 4, /* only reported: something is wrong with the descriptor, reading or writing tells what. It is not watched any more */
};

/* Called inside a turn. May close the watch. */
typedef void rota_poll_ready(void *arg, int what);

/* The descriptor stays the caller's on failure. ROTA_ENOMEM, ROTA_EIO. */
rota_err rota_poll_new(struct rota_loop *loop, int fd, struct rota_poll **ret_watch);
void rota_poll_set(struct rota_poll *watch, int what, rota_poll_ready *ready, void *arg); /* what 0: not at all */
int rota_poll_fd(const struct rota_poll *watch);
void rota_poll_close(struct rota_poll *watch); /* and the descriptor. NULL is fine */
void rota_poll_drop(struct rota_poll *watch);  /* not the descriptor: nobody may watch it before it is closed */

#endif
