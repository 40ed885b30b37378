/* virtual_host.c - drives a host as the loop would, with a number for a clock. */
#include "testing/virtual_host.h"
#include "testing/cmocka.h"

#define TURNS_AT_ONE_TIME_MAX 100000

static int64_t virtual_clock(struct rota_host *host)
{
    return host->now_ns;
}

static int64_t virtual_wall_clock(struct rota_host *host)
{
    return host->now_ns + ROTA_CONTAINER(host, struct rota_virtual_host, host)->wall_offset_ns;
}

static int64_t virtual_cpu_clock(struct rota_host *host)
{
    return ROTA_CONTAINER(host, struct rota_virtual_host, host)->cpu_ns;
}

void rota_virtual_host_init(struct rota_virtual_host *v, const struct rota_alloc *alloc, uint64_t seed)
{
    *v = (struct rota_virtual_host){.wall_offset_ns = ROTA_VIRTUAL_WALL_START_NS - ROTA_VIRTUAL_START_NS};
    rota_host_init(&v->host, alloc, NULL, seed);
    v->host.now_ns = ROTA_VIRTUAL_START_NS;
    v->host.clock = virtual_clock;
    v->host.wall_clock = virtual_wall_clock;
    v->host.cpu_clock = virtual_cpu_clock;
}

void rota_virtual_host_fini(struct rota_virtual_host *v)
{
    rota_host_fini(&v->host);
}

void rota_virtual_host_run(struct rota_virtual_host *v)
{
    int turns = 0;

    do {
        if (turns++ == TURNS_AT_ONE_TIME_MAX)
            fail_msg("still something due at %lld ns after %d turns", (long long)v->host.now_ns, turns - 1);
        v->turns++;
        rota_host_run(&v->host);
    } while (rota_host_next_ns(&v->host) <= v->host.now_ns);
}

void rota_virtual_host_advance_to(struct rota_virtual_host *v, int64_t at_ns)
{
    int64_t next_ns;

    if (at_ns < v->host.now_ns)
        fail_msg("time runs forward: from %lld to %lld ns", (long long)v->host.now_ns, (long long)at_ns);
    while ((next_ns = rota_host_next_ns(&v->host)) <= at_ns) {
        if (next_ns > v->host.now_ns)
            v->host.now_ns = next_ns;
        rota_virtual_host_run(v);
    }
    v->host.now_ns = at_ns;
}

void rota_virtual_host_advance(struct rota_virtual_host *v, int64_t by_ns)
{
    rota_virtual_host_advance_to(v, v->host.now_ns + by_ns);
}

void rota_virtual_host_run_out(struct rota_virtual_host *v, int64_t limit_ns)
{
    int64_t end_ns = v->host.now_ns + limit_ns;
    int64_t next_ns;

    while ((next_ns = rota_host_next_ns(&v->host)) <= end_ns)
        rota_virtual_host_advance_to(v, next_ns > v->host.now_ns ? next_ns : v->host.now_ns);
    rota_virtual_host_assert_idle(v);
}

void rota_virtual_host_assert_idle(const struct rota_virtual_host *v)
{
    if (!rota_list_empty(&v->host.tasks))
        fail_msg("a task is still posted");
    if (v->host.timers.count != 0)
        fail_msg("%zu timers are still set, the first for %lld ns (now %lld)", v->host.timers.count,
                 (long long)rota_host_next_ns(&v->host), (long long)v->host.now_ns);
}
