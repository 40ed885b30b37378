/* store_fixture.h - a store driven by a small script, so that a test's row shows the rule.
 *
 * Commands, separated by ';' (words by spaces), each adds a piece to the output:
 *   put K V [lease=N prev ignore_value ignore_lease]  -> "r2", the revision after it
 *   get K [END] [rev=N limit=N by=version|create|mod|value desc keys count full mod>=N mod<=N create>=N create<=N]
 *       -> "a=1 b=2", "none"; "..." when there is more, "(3)" the count when it is not what is shown
 *       full: a=value/create/mod/version/lease
 *   del K [END] [prev]                               -> "d1r3", how many and the revision
 *   compact N                                        -> "c"
 *   grant ID TTL, revoke ID, alive ID, look ID [keys], leases, now SECONDS (then tells when the next tick is due; "soon": leases are left to end)
 *   watch NAME K [END] [rev=N prev noput nodel], pull NAME [max=N], unpull NAME, close NAME, ready
 * END: "-" none, "*" from the key on, "+" the prefix K, else itself. V: "_" empty, "NNx" that many x.
 * What fails adds etcd's words without "etcdserver: ".
 */
#ifndef ROTA_REGISTRY_STORE_FIXTURE_H
#define ROTA_REGISTRY_STORE_FIXTURE_H

#include "base/arena.h"
#include "base/buffer.h"
#include "registry/store.h"
#include "testing/leak_alloc.h"

#define FIXTURE_WATCHES 26 /* NAME is a capital letter */

struct store_fixture {
    struct rota_leak_alloc leaks;
    const struct rota_alloc *alloc;
    struct rota_store *store;
    struct rota_arena arena;
    struct rota_store_watch *watches[FIXTURE_WATCHES];
    int64_t now_ns;
    char out[8192];
    size_t out_size;
    bool out_of_memory; /* some command ran out of it */
    bool own_leaks;
};

/* alloc NULL: a leak-checking one of its own. */
rota_err store_fixture_init(struct store_fixture *f, const struct rota_alloc *alloc, const struct rota_store_limits *limits);
void store_fixture_fini(struct store_fixture *f); /* fails the test on a leak */

/* Runs the script; returns its output, which lasts until the next. */
const char *store_fixture_run(struct store_fixture *f, const char *script);

/* A row of a table. */
struct store_case {
    const char *rule, *script, *want;
};
void store_fixture_check(const struct store_case *cases, size_t n);

/* For tests that make operations themselves. */
struct rota_store_range store_fixture_range(const char *key, const char *end, char *prefix_end);
void store_fixture_say(struct store_fixture *f, const char *format, ...) __attribute__((format(printf, 2, 3)));
void store_fixture_status(struct store_fixture *f, const struct rota_status *status);
void store_fixture_read(struct store_fixture *f, const struct rota_store_read_result *read, bool full);

#endif
