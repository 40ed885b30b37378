/* virtual_host.h - a struct rota_host whose time passes when the test says so.
 *
 * It starts at ROTA_VIRTUAL_START_NS, not 0, so that a time nobody set shows. Advancing goes from timer to timer:
 * each fires at its own time, in order. Outside a turn now_ns is what the test last advanced to.
 */
#ifndef ROTA_TESTING_VIRTUAL_HOST_H
#define ROTA_TESTING_VIRTUAL_HOST_H

#include "base/host.h"

#define ROTA_VIRTUAL_START_NS INT64_C(1000000000)
#define ROTA_VIRTUAL_WALL_START_NS INT64_C(1634110355000000000) /* the wall clock at the start; 2021-10-13 07:32:35 UTC */

/* Units for tests that write durations. */
#define ROTA_US INT64_C(1000)
#define ROTA_MS INT64_C(1000000)
#define ROTA_S INT64_C(1000000000)

struct rota_virtual_host {
    struct rota_host host; /* first: the clocks find the rest from it */
    int64_t wall_offset_ns;
    int64_t cpu_ns; /* of processors, used so far; the test moves it */
    uint64_t turns; /* so far */
};

void rota_virtual_host_init(struct rota_virtual_host *v, const struct rota_alloc *alloc, uint64_t seed);
void rota_virtual_host_fini(struct rota_virtual_host *v); /* whatever is left is forgotten: assert first */

/* One turn at the present time, then more while tasks or timers are due at it. Fails the test when that has no end. */
void rota_virtual_host_run(struct rota_virtual_host *v);

/* Runs what is due now and up to that time, each timer at its own; the time is then at_ns. */
void rota_virtual_host_advance_to(struct rota_virtual_host *v, int64_t at_ns);
void rota_virtual_host_advance(struct rota_virtual_host *v, int64_t by_ns);

/* Goes on from timer to timer until none is set. Fails the test when some are still set after limit_ns. */
void rota_virtual_host_run_out(struct rota_virtual_host *v, int64_t limit_ns);

/* Fails the test when a timer is set or a task is posted. */
void rota_virtual_host_assert_idle(const struct rota_virtual_host *v);

#endif
