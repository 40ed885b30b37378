/* journal.h - a directory that keeps a store: unharmed by kill -9, for one process at a time.
 *
 * What it keeps: keys with their numbers, leases with their TTL, the revision, the ids. Not history: after a restart the store is compacted
 * to its revision, and a watch can begin after that at the earliest. A change is on disk when the store's operation returns.
 */
#ifndef ROTA_REGISTRY_JOURNAL_H
#define ROTA_REGISTRY_JOURNAL_H

#include "registry/store.h"
#include <rota/log.h>

struct rota_registry_journal;

struct rota_registry_journal_options {
    const char *dir;      /* made if it is not there; its parent must be */
    size_t max_bytes;     /* as the store's; the files may grow to a few times that */
    const struct rota_alloc *alloc;
    const struct rota_log *log;
    int64_t (*clock)(void *arg); /* the time at which the leases begin anew, and by which failures are told once a second */
    void *clock_arg;
};

/* Fills the store, which must be new, and is its journal from then on. info names the directory or file and what is wrong:
 * ROTA_EEXIST: another process uses it; ROTA_EPARSE: its content is foreign or damaged; ROTA_EIO, ROTA_ENOMEM. */
ROTA_MUST_USE rota_err rota_registry_journal_open(const struct rota_registry_journal_options *options, struct rota_store *store,
                                                  struct rota_registry_journal **ret_journal, struct rota_errinfo *info);
void rota_registry_journal_close(struct rota_registry_journal *journal); /* after the store has gone; NULL is fine */

#endif
