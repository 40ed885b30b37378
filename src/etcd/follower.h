/* follower.h - keys of etcd followed by real calls: a watch (watch.h) with the calls, the stream and the timer that it wants.
 *
 * Several share a client channel and a login. Its owner closes the client, and frees it when that has reported closed: until then calls
 * under way come back to it.
 */
#ifndef ROTA_ETCD_FOLLOWER_H
#define ROTA_ETCD_FOLLOWER_H

#include "etcd/login.h"
#include "etcd/watch.h"
#include <rota/call.h>
#include <rota/loop.h>

struct list_call;

struct rota_etcd_follower_events {
    rota_err (*on_publish)(void *owner); /* what is kept has changed, or what is known about it. ROTA_ENOMEM: it comes again, after a pause and a list */
    /* In words for a user; once an outage and kind of failure. May stop the follower. */
    void (*on_error)(void *owner, const struct rota_status *why);
};

struct rota_etcd_follower {
    /* Set before init; all outlive it. */
    const struct rota_alloc *alloc;
    const struct rota_log *log;
    struct rota_loop *loop;
    struct rota_channel *client;
    struct rota_etcd_login *login;
    const struct rota_etcd_follower_events *events;
    void *owner;
    /* Its own. */
    struct rota_slice key; /* borrowed */
    uint8_t *range_end;
    size_t range_end_size; /* 0: the key alone */
    unsigned deferred;     /* LIST, OPEN and CHECK, until the login is answered */
    struct rota_timer *timer;
    struct rota_etcd_watch watch;
    struct list_call *list, *check; /* the ones that count */
    struct rota_call *stream; /* the one that counts */
    char member[ROTA_ADDRESS_TEXT_SIZE]; /* that answered last */
    bool stopped, told_down;
    enum rota_code told_code;
};

/* Follows the key, or all keys with that prefix. ROTA_ENOMEM: fini it. */
rota_err rota_etcd_follower_init(struct rota_etcd_follower *f, struct rota_slice key, bool prefix, const struct rota_etcd_keep_class *class, void *keep,
                                 struct rota_rng *rng);
void rota_etcd_follower_start(struct rota_etcd_follower *f);
void rota_etcd_follower_publish(struct rota_etcd_follower *f); /* once more, not from within its own events */
void rota_etcd_follower_logged_in(struct rota_etcd_follower *f, const struct rota_status *why); /* the login was answered */
void rota_etcd_follower_stop(struct rota_etcd_follower *f); /* no events from here on */
void rota_etcd_follower_fini(struct rota_etcd_follower *f); /* zeroed but for what is set before init is fine */

#endif
