/* roster.h - the servers of one service as etcd has told them, and the guard that keeps an etcd in trouble from emptying the list.
 *
 * Vocabulary: an entry is one key. It is live while etcd has the key with a value that is an endpoint. What was deleted, or spoilt by a value
 * that is none, is gone, out of use but remembered for WINDOW_NS. When more than half of the servers went within that time, as when leases run
 * out during an outage or a registry comes back empty, those are suspect instead and in use again, since connections to servers that are really
 * gone fail by themselves. A suspect or gone entry becomes live when its key returns with an endpoint; a suspect leaves SUSPECT_NS after it became one, or after the list has live entries again if that is later. A list
 * that became empty thus keeps its last entries for as long as it is empty. The same goes for whatever a replaced registry does not list.
 * Usage: puts and deletes of one batch, then settle; or list_begin, puts, list_end. Keys outside the prefix, and those of other
 * services within it, are passed over. Pure.
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
    struct rota_slice prefix; /* borrowed */
    bool nested; /* the prefix is no service's, so that all within it counts; may be set after init */
    struct rota_map by_key;
    struct rota_link entries; /* in the order they came */
    size_t live, going, gone, suspects; /* entries with an endpoint; going: deleted in a batch that has not settled */
    size_t unreadable;        /* entries whose present value is no endpoint */
    int64_t leave_ns;         /* no suspect leaves before; INT64_MAX without suspects or without live entries */
    uint64_t round;           /* of the present list */
    bool doubtful;            /* the list under way comes from a registry that was replaced */
    bool changed;             /* since the last take_changed */
};

void rota_etcd_roster_init(struct rota_etcd_roster *r, const struct rota_alloc *alloc, const struct rota_log *log,
                           const struct rota_etcd_dialect *dialect, struct rota_slice prefix, uint64_t seed);
void rota_etcd_roster_fini(struct rota_etcd_roster *r);

rota_err rota_etcd_roster_put(struct rota_etcd_roster *r, const struct rota_etcd_kv *kv); /* ROTA_ENOMEM */
void rota_etcd_roster_delete(struct rota_etcd_roster *r, struct rota_slice key);
/* The batch is complete: what it deleted leaves or becomes suspect. */
void rota_etcd_roster_settle(struct rota_etcd_roster *r, int64_t now_ns);

/* The list that is under way comes from a registry that has forgotten what it knew: whatever is missing in it becomes suspect, be it
 * many or one. Before list_end. */
void rota_etcd_roster_doubt(struct rota_etcd_roster *r);
void rota_etcd_roster_list_begin(struct rota_etcd_roster *r);
bool rota_etcd_roster_list_end(struct rota_etcd_roster *r, int64_t now_ns); /* what was not put is deleted (true: there was such); settles */

void rota_etcd_roster_tick(struct rota_etcd_roster *r, int64_t now_ns);  /* suspects whose time is over leave */
int64_t rota_etcd_roster_deadline_ns(const struct rota_etcd_roster *r); /* of the next tick; INT64_MAX: none */

bool rota_etcd_roster_take_changed(struct rota_etcd_roster *r);
/* Endpoints in use, borrowed until the next change, without the suspects whose address a live one has (under another key, where keys end in ids).
 * NULL: out of memory. Free the array with the roster's alloc. */
const struct rota_endpoint **rota_etcd_roster_endpoints(struct rota_etcd_roster *r, size_t *ret_count);

/* For a watch (watch.h); the keep is the roster. */
struct rota_etcd_keep_class;
extern const struct rota_etcd_keep_class rota_etcd_roster_keep;

#endif
