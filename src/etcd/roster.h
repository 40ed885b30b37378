/* roster.h - the servers of one service as etcd has told them, and the guard that keeps an etcd in trouble from emptying the list.
 *
 * Vocabulary: an entry is one key. It is live while etcd has the key; suspect when it went together with most of the others (more than half
 * within ten seconds, as when leases run out during an outage or a registry comes back empty): suspects stay in use, since connections to
 * servers that are really gone fail by themselves. A suspect becomes live when its key returns and leaves SUSPECT_NS after the
 * list has live entries again. A list that became empty thus keeps its last entries for as long as it is empty.
 * Usage: puts and deletes of one batch, then settle; or list_begin, puts, list_end. Pure.
 */
#ifndef ROTA_ETCD_ROSTER_H
#define ROTA_ETCD_ROSTER_H

#include "base/list.h"
#include "base/map.h"
#include "etcd/dialect.h"
#include <rota/log.h>

struct rota_etcd_kv {
    struct rota_slice key, value;
    int64_t mod_revision;
    int64_t lease;
};

struct rota_etcd_roster {
    const struct rota_alloc *alloc;
    const struct rota_log *log;
    const struct rota_etcd_dialect *dialect;
    size_t prefix_size;
    struct rota_map by_key;
    struct rota_link entries; /* in the order they came */
    size_t live, suspects;    /* entries with an endpoint */
    size_t unreadable;        /* entries whose value is no endpoint */
    int64_t window_start_ns;  /* of counting what was lost together */
    size_t window_base, window_lost;
    uint64_t round;           /* of the present list */
    bool changed;             /* since the last take_changed */
};

void rota_etcd_roster_init(struct rota_etcd_roster *r, const struct rota_alloc *alloc, const struct rota_log *log,
                           const struct rota_etcd_dialect *dialect, size_t prefix_size, uint64_t seed);
void rota_etcd_roster_fini(struct rota_etcd_roster *r);

rota_err rota_etcd_roster_put(struct rota_etcd_roster *r, const struct rota_etcd_kv *kv); /* ROTA_ENOMEM */
void rota_etcd_roster_delete(struct rota_etcd_roster *r, struct rota_slice key);
/* The batch is complete: what it deleted leaves or becomes suspect. */
void rota_etcd_roster_settle(struct rota_etcd_roster *r, int64_t now_ns);

void rota_etcd_roster_list_begin(struct rota_etcd_roster *r);
void rota_etcd_roster_list_end(struct rota_etcd_roster *r, int64_t now_ns); /* what was not put is deleted; settles */

void rota_etcd_roster_tick(struct rota_etcd_roster *r, int64_t now_ns);  /* suspects whose time is over leave */
int64_t rota_etcd_roster_deadline_ns(const struct rota_etcd_roster *r); /* of the next tick; INT64_MAX: none */

bool rota_etcd_roster_take_changed(struct rota_etcd_roster *r);
/* Endpoints in use, borrowed until the next change. NULL: out of memory. Free the array with the roster's alloc. */
const struct rota_endpoint **rota_etcd_roster_endpoints(struct rota_etcd_roster *r, size_t *ret_count);

#endif
