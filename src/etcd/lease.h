/* lease.h - keeping a key in etcd under a lease, whatever happens, as a state machine: answers and time in, commands out. Pure.
 *
 * Rules:
 *  - Grant, put, then keep alive each third of the TTL that the server granted. After each keepalive the key is looked at: gone, or under
 *    another lease, it is put again under ours.
 *  - Keepalive answered with TTL 0 or less, "lease not found", or no answer for a whole TTL: the lease is lost. A new one is asked for at
 *    once, with a put; only failures wait, 0.1 s growing to 2 s, jittered, for ever.
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
    int64_t id;      /* 0: none */
    int64_t ttl_ns;
    int64_t alive_ns; /* when the server last said that the lease lives */
    int64_t wake_ns;
    double backoff_ns;
    struct rota_status why; /* what went wrong last; OK when all is well */
};

void rota_etcd_lease_init(struct rota_etcd_lease *l, struct rota_rng *rng);
void rota_etcd_lease_start(struct rota_etcd_lease *l);

/* status OK: the lease and the TTL in seconds that was granted. */
void rota_etcd_lease_granted(struct rota_etcd_lease *l, const struct rota_status *status, int64_t id, int64_t ttl_seconds, int64_t now_ns);
void rota_etcd_lease_put_done(struct rota_etcd_lease *l, const struct rota_status *status, int64_t now_ns);
void rota_etcd_lease_kept_alive(struct rota_etcd_lease *l, int64_t id, int64_t ttl_seconds, int64_t now_ns);
void rota_etcd_lease_stream_ended(struct rota_etcd_lease *l, const struct rota_status *why, int64_t now_ns);
/* The key as it was read: there or not, and under which lease. */
void rota_etcd_lease_looked(struct rota_etcd_lease *l, bool found, int64_t lease_id);
void rota_etcd_lease_tick(struct rota_etcd_lease *l, int64_t now_ns);

unsigned rota_etcd_lease_take(struct rota_etcd_lease *l);

#endif
