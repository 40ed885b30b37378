/* host.h - what a channel, a server or a policy needs of the loop it lives on: time, timers, "later", chance, memory, log.
 *
 * A plain struct without I/O: the loop on libuv drives one in real time, tests and the simulator in virtual
 * time. One turn is: set now_ns, feed what arrived, then rota_host_run until it has nothing due.
 *
 * Rules: timers and tasks fire only inside rota_host_run, never inside the call that set them. A timer fires
 * at most once per set. Tasks run in the order posted; a task posted by a task runs in the same run, unless
 * that has run very many: they wait for the next, and next_ns says 0. The
 * tasks of a run come after its timers, so that what many timers cause (a flush, say) is done once.
 */
#ifndef ROTA_BASE_HOST_H
#define ROTA_BASE_HOST_H

#include "base/heap.h"
#include "base/list.h"
#include "base/rng.h"
#include <rota/log.h>

#define ROTA_BULK_MIN_BYTES ((size_t)64 << 10)

struct rota_host_timer {
    struct rota_heap_node node;
    void (*fire)(struct rota_host_timer *timer, int64_t now_ns);
};

struct rota_host_task {
    struct rota_link link; /* points at itself or is NULL when not posted */
    void (*run)(struct rota_host_task *task);
};

struct rota_host {
    int64_t now_ns;  /* monotonic; one value a turn */
    bool in_turn;    /* while false, entry points refresh now_ns through rota_host_enter */
    int64_t (*clock)(struct rota_host *host);     /* reads the real or virtual clock */
    int64_t (*wall_clock)(struct rota_host *host); /* ns since 1970 */
    int64_t (*cpu_clock)(struct rota_host *host);  /* ns of processors' time that the process has used */
    void (*wake)(struct rota_host *host); /* NULL, or told outside of turns of a task or an earlier timer, which the driver may not come to see */
    bool (*is_elsewhere)(struct rota_host *host); /* NULL, or whether it is run by another thread than the caller's; any thread */
    uint32_t n_cpus; /* processors that the process may run on */
    struct rota_heap timers;
    struct rota_link tasks;
    const struct rota_alloc *alloc; /* never NULL */
    const struct rota_alloc *bulk;  /* for blocks that may have ROTA_BULK_MIN_BYTES and more and do not stay; on any thread. `alloc` unless the driver keeps some */
    const struct rota_log *log;     /* may be NULL */
    struct rota_rng rng;
    const char *name; /* as the machine calls itself; "" until the driver says */
};

/* The clocks stand still at now_ns until the driver puts its own in. */
void rota_host_init(struct rota_host *host, const struct rota_alloc *alloc, const struct rota_log *log, uint64_t seed);
void rota_host_fini(struct rota_host *host); /* forgets timers and tasks */

/* Every public entry point calls this first: outside a turn the time may be old. */
static inline void rota_host_enter(struct rota_host *host)
{
    if (!host->in_turn)
        host->now_ns = host->clock(host);
}

/* What starts something asks this before anything else: on another thread it would be in the way of what runs there, and wake nobody. */
static inline bool rota_host_is_elsewhere(struct rota_host *host)
{
    return host->is_elsewhere != NULL && host->is_elsewhere(host);
}

/* Something is to be done that was not before. */
static inline void rota_host_wake(struct rota_host *host)
{
    if (host->wake != NULL && !host->in_turn)
        host->wake(host);
}

/* That long after now; INT64_MAX, never, where time does not go so far. */
static inline int64_t rota_host_later_ns(const struct rota_host *host, int64_t span_ns)
{
    return span_ns > INT64_MAX - host->now_ns ? INT64_MAX : host->now_ns + span_ns;
}

/* Sets or moves the timer; a time that has passed counts as now_ns. ROTA_ENOMEM only when it was not set before. */
rota_err rota_host_timer_set(struct rota_host *host, struct rota_host_timer *timer, int64_t at_ns);
void rota_host_timer_clear(struct rota_host *host, struct rota_host_timer *timer);

/* What takes the place of `bulk` for an object that has an allocator of its own. */
static inline const struct rota_alloc *rota_host_bulk(const struct rota_host *host, const struct rota_alloc *alloc)
{
    return alloc == host->alloc ? host->bulk : alloc;
}

static inline bool rota_host_timer_is_set(const struct rota_host_timer *timer)
{
    return timer->node.place != 0;
}

void rota_host_post(struct rota_host *host, struct rota_host_task *task); /* already posted: nothing happens */
void rota_host_unpost(struct rota_host *host, struct rota_host_task *task);

/* Fires what is due at host->now_ns and runs the tasks, until neither is left (timers set for now_ns or
 * earlier by those that fired wait for the next run, and so do tasks without end, so it ends). */
void rota_host_run(struct rota_host *host);

/* When the next timer is due: a time, INT64_MAX for never; 0 when tasks wait. */
int64_t rota_host_next_ns(const struct rota_host *host);

#endif
