/* lease.h - keeping a key in etcd under a lease, whatever happens, as a state machine: answers and time in, commands out. Pure.
 *
 * Rules:
 *  - Grant, put, then keep alive each third of the TTL that the server granted. After each keepalive, and each 3 s where keepalives are
 *    rarer, the key is looked at: gone, or under another lease, it is put again under ours.
 *    At most one such repair follows a look, so that two servers under one key take turns slowly, and are told of.
 *  - A keepalive not answered within a sixth of the TTL (5 s at most) is sent again on a new stream, which meets another member and is
 *    given twice the time, and so on. A stream that ends is opened again after 0.1 s to 0.3 s, growing twentyfold until a
 *    keepalive is answered, but no later than that sixth: each may cost a login. Why it ended is told if the lease is lost.
 *  - Keepalive answered with TTL 0 or less, "lease not found", or no answer for a whole TTL: the lease is lost. After a turn that took
 *    long, or a process that was stopped, what has come meanwhile is read first. A new one is asked for at
 *    once, with a put; only failures wait, 0.1 s growing to 2 s, jittered, for ever.
 *  - A put that failed is made again under the same lease while a third of its TTL is left, unless the registry does not know it. A call
 *    waits for a third of the TTL, and a put that timed out is made again within 0.1 s: so a second one, at another member, always fits.
 *  - What is wrong is told when it begins and when it changes: another code at once, the same code in other words after 10 s.
 */
#ifndef ROTA_ETCD_LEASE_H
#define ROTA_ETCD_LEASE_H

#include "base/rng.h"
#include <rota/status.h>

enum rota_etcd_lease_state { ROTA_ETCD_LEASE_WAITING, ROTA_ETCD_LEASE_GRANTING, ROTA_ETCD_LEASE_PUTTING, ROTA_ETCD_LEASE_HELD };

enum rota_etcd_lease_cmd { /* bits; carried out in this order */
    ROTA_ETCD_LEASE_DROP = 1,       /* forget the keepalive stream and calls under way */
    ROTA_ETCD_LEASE_GRANT = 2,
    ROTA_ETCD_LEASE_PUT = 4,        /* the key under lease `id` */
    ROTA_ETCD_LEASE_KEEPALIVE = 8,  /* one request, on a stream opened if there is none */
    ROTA_ETCD_LEASE_LOOK = 16,      /* read the key */
    ROTA_ETCD_LEASE_TELL = 32,      /* registered or why changed */
};

struct rota_etcd_lease {
    struct rota_rng *rng;
    uint8_t state;
    unsigned cmds;
    bool registered; /* the key is there under our lease, as far as is known */
    bool asked;      /* a keepalive is out */
    bool late;       /* the TTL is over; answers that have come but were not read still count */
    int64_t id;      /* 0: none */
    int64_t put_id;  /* of the lease under which the key was put last, and may still be there; 0: none */
    int64_t ttl_ns;
    int64_t alive_ns; /* when the server last said that the lease lives */
    int64_t keep_ns;  /* when the next keepalive is due */
    int64_t answer_ns; /* how long the one that is out is waited for */
    int64_t wake_ns;
    double backoff_ns;
    double stream_backoff_ns; /* 0: no stream has ended since a keepalive was answered */
    struct rota_status stream_why; /* of the last that ended, if one has */
    int64_t told_ns;
    struct rota_status why; /* what was told last; OK when all is well */
};

void rota_etcd_lease_init(struct rota_etcd_lease *l, struct rota_rng *rng);
void rota_etcd_lease_start(struct rota_etcd_lease *l, int64_t now_ns); /* the first tick is due at once */

/* status OK: the lease and the TTL in seconds that was granted. */
void rota_etcd_lease_granted(struct rota_etcd_lease *l, const struct rota_status *status, int64_t id, int64_t ttl_seconds, int64_t now_ns);
void rota_etcd_lease_put_done(struct rota_etcd_lease *l, const struct rota_status *status, int64_t now_ns);
void rota_etcd_lease_kept_alive(struct rota_etcd_lease *l, int64_t id, int64_t ttl_seconds, int64_t now_ns);
/* Or could not be opened. */
void rota_etcd_lease_stream_ended(struct rota_etcd_lease *l, const struct rota_status *why, int64_t now_ns);
/* The key as it was read: there or not, and under which lease. */
void rota_etcd_lease_looked(struct rota_etcd_lease *l, bool found, int64_t lease_id, int64_t now_ns);
void rota_etcd_lease_tick(struct rota_etcd_lease *l, int64_t now_ns);

unsigned rota_etcd_lease_take(struct rota_etcd_lease *l);
/* How long to wait for the answer to a call: long enough for a slow registry, short enough to ask another member before the lease ends. */
int64_t rota_etcd_lease_call_ms(const struct rota_etcd_lease *l, int64_t asked_seconds);
/* The lease to revoke so that the key goes; 0: none. */
int64_t rota_etcd_lease_to_revoke(const struct rota_etcd_lease *l);

#endif
