/* subchannel.h - the channel's way to one address, shared by all policies that hold it, and the connections under it.
 *
 * Invariants: a subchannel has a `connection` in READY, and in CONNECTING unless it waits out its period; nowhere else. More of them (gRFC
 * A105: `extras`, `dialing`), attempts in its room and `waits` are in READY only. Whoever is in the room found all connections full, and
 * whoever frees a stream first lets the room in; so a connection that is not `full` means an empty room. A connection that drains or whose
 * subchannel is given up loses its subchannel and lives on until its streams have ended.
 */
#ifndef ROTA_CHANNEL_SUBCHANNEL_H
#define ROTA_CHANNEL_SUBCHANNEL_H

#include "channel/backoff.h"
#include "channel/core.h"

struct rota_attempt;
struct rota_connection;
struct rota_sides;

struct rota_subchannel {
    struct rota_channel *channel;
    uint8_t state; /* enum rota_conn_state */
    bool wanted;   /* connect when the backoff ends */
    bool dropped;  /* goes when nobody is busy with it any more */
    bool waits;    /* no further connection before the period of the last attempt at one is over */
    uint8_t n_extras;
    uint32_t busy;
    struct rota_lb_subchannel *told[2], *untold[2]; /* holds by tree, by whether they know the present state */
    struct rota_host_task tell_task;
    struct rota_connection *connection; /* the oldest that takes calls; in CONNECTING the attempt */
    struct rota_connection *dialing;    /* the attempt at one more */
    struct rota_link extras;            /* younger ones that take calls, oldest first */
    struct rota_link room;              /* attempts that wait for MAX_CONCURRENT_STREAMS, oldest first */
    struct rota_backoff backoff;
    struct rota_host_timer timer; /* always in the heap, at INT64_MAX when it is not wanted: setting it cannot fail */
    int64_t next_attempt_ns;
    uint32_t short_lives; /* connections in a row that were up, served nobody and were gone within an initial period */
    struct rota_status *why; /* the last failure since it was READY; NULL: none, or no memory for it */
    struct rota_address address;
    char text[];
};

struct rota_connection {
    struct rota_channel *channel;
    struct rota_subchannel *subchannel; /* NULL: no new calls here */
    struct rota_conn *conn;             /* NULL: closed */
    bool up;                            /* SETTINGS have come */
    bool useful;                        /* a response has come */
    bool full;                          /* no stream to spare: on_room follows */
    int64_t dialed_ns;
    int64_t keepalive_ns;               /* how long it is quiet before it pings */
    struct rota_link link;              /* in the channel's connections */
    struct rota_link sibling;           /* in the subchannel's extras */
    struct rota_sides *sides;           /* what its server is asked beside calls (sides.c); NULL: nothing so far */
    uint32_t refs;                      /* itself until closed, and attempts that were given it */
    char peer[];
};

/* For struct rota_lb_owner; slot says which tree asks. */
rota_err rota_subchannel_get(struct rota_channel *channel, unsigned slot, const struct rota_address *address, struct rota_lb_subchannel *hold);
void rota_subchannel_put(unsigned slot, struct rota_lb_subchannel *hold);
void rota_subchannel_connect(struct rota_subchannel *subchannel);
/* Whether there is a subchannel to this address that waits out its period; and to end the waiting within a tenth of a second, by chance,
 * since thousands of clients may have the same news. */
bool rota_subchannel_backs_off(const struct rota_channel *channel, const struct rota_address *address);
void rota_subchannel_hurry(struct rota_channel *channel, const struct rota_address *address);

/* Calls `tell` for each hold that knows the present state; what it does may make any of them go, and the subchannel. */
void rota_subchannel_each(struct rota_subchannel *subchannel, void (*tell)(void *arg, unsigned slot, struct rota_lb_subchannel *hold), void *arg);

/* One more connection, if somebody waits in the room and the config and the backoff allow it. */
void rota_subchannel_scale(struct rota_subchannel *subchannel);
void rota_subchannel_scale_all(struct rota_channel *channel); /* the config allows more than before */

/* What a connection reports to its subchannel. */
void rota_subchannel_on_ready(struct rota_subchannel *subchannel, struct rota_connection *connection);
void rota_subchannel_on_lost(struct rota_subchannel *subchannel, struct rota_connection *lost, const struct rota_status *why); /* no longer its own */

/* connection.c. Starts connecting; deadline_ns as in struct rota_dial. Errors of the dialer, ROTA_ENOMEM. */
rota_err rota_connection_dial(struct rota_subchannel *subchannel, int64_t deadline_ns, struct rota_connection **ret_connection);
void rota_connection_leave(struct rota_connection *connection); /* the subchannel lets go: drains, or closes when it was not up yet */
struct rota_connection *rota_connection_ref(struct rota_connection *connection);
void rota_connection_unref(struct rota_connection *connection); /* NULL is fine */

#endif
