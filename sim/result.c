/* result.c - the block of a result, and the figures that reports show. */
#include "sim/result.h"
#include <string.h>

#define ALIGN 16

static size_t up(size_t size)
{
    return (size + ALIGN - 1) / ALIGN * ALIGN;
}

static uint32_t windows_of(const struct rota_sim_scenario *s)
{
    return (uint32_t)((s->duration_ns + s->drain_ns + s->window_ns - 1) / s->window_ns);
}

size_t rota_sim_result_size(const struct rota_sim_scenario *s)
{
    return up(sizeof(struct rota_sim_result)) + up(s->n_servers * sizeof(struct rota_sim_server_result)) + windows_of(s) * sizeof(struct rota_sim_window);
}

void rota_sim_result_init(struct rota_sim_result *r, const struct rota_sim_scenario *s, const char *label)
{
    size_t size = rota_sim_result_size(s);

    memset(r, 0, size);
    r->size = size;
    r->n_servers = s->n_servers;
    r->n_windows = windows_of(s);
    r->servers_at = (uint32_t)up(sizeof(*r));
    r->windows_at = (uint32_t)(r->servers_at + up(s->n_servers * sizeof(struct rota_sim_server_result)));
    strncpy(r->label, label, sizeof(r->label) - 1);
}

struct rota_sim_server_result *rota_sim_result_servers(const struct rota_sim_result *r)
{
    return (struct rota_sim_server_result *)(void *)((char *)(uintptr_t)r + r->servers_at);
}

struct rota_sim_window *rota_sim_result_windows(const struct rota_sim_result *r)
{
    return (struct rota_sim_window *)(void *)((char *)(uintptr_t)r + r->windows_at);
}

/* --- Summary --- */

static double ratio(double a, double b)
{
    return b > 0 ? a / b : 0;
}

static void sum_shares(const struct rota_sim_result *r, struct rota_sim_summary *sum)
{
    const struct rota_sim_server_result *servers = rota_sim_result_servers(r);
    uint64_t bad = 0, low = UINT64_MAX, high = 0, all = 0, n_bad = 0, n = 0;

    for (uint32_t i = 0; i < r->n_servers; i++) {
        n_bad += servers[i].bad;
        bad += servers[i].bad ? servers[i].attempts : 0;
    }
    for (uint32_t i = 0; i < r->n_servers; i++) {
        if (servers[i].bad && n_bad < r->n_servers) /* where all were bad at some time, all count */
            continue;
        n++;
        all += servers[i].attempts;
        low = servers[i].attempts < low ? servers[i].attempts : low;
        high = servers[i].attempts > high ? servers[i].attempts : high;
    }
    sum->bad_share = ratio((double)bad, (double)r->attempts);
    sum->bad_fair = ratio((double)n_bad, r->n_servers);
    sum->low_share = ratio((double)low * (double)n, (double)all);
    sum->high_share = ratio((double)high * (double)n, (double)all);
}

/* -1, never, is more than any time, and -2, not to be told, less. */
static int64_t longer(int64_t a_ns, int64_t b_ns)
{
    if (a_ns == -1 || b_ns == -1)
        return -1;
    return a_ns > b_ns ? a_ns : b_ns;
}

struct rota_sim_summary rota_sim_summarise(const struct rota_sim_result *r)
{
    struct rota_sim_summary sum = {
        .p50_ms = (double)rota_sim_histogram_at(&r->latency, 500000) / 1e6,
        .p90_ms = (double)rota_sim_histogram_at(&r->latency, 900000) / 1e6,
        .p99_ms = (double)rota_sim_histogram_at(&r->latency, 990000) / 1e6,
        .p999_ms = (double)rota_sim_histogram_at(&r->latency, 999000) / 1e6,
        .mean_ms = ratio(r->latency.sum_ns, (double)r->latency.count) / 1e6,
        .ok_per_s = ratio((double)r->ok * 1e9, (double)r->measured_ns),
        .error_share = ratio((double)(r->calls - r->ok - r->unfinished), (double)r->calls),
        .attempts_per_call = ratio((double)r->attempts, (double)r->calls),
        .retries_per_call = ratio((double)r->retries, (double)r->calls),
        .leave_ns = -2,
        .return_ns = -2,
    };

    sum_shares(r, &sum);
    for (uint32_t i = 0; i < r->n_episodes; i++) {
        if (sum.bad_fair >= 1 && r->episodes[i].from_ns == 0 && r->episodes[i].to_ns == INT64_MAX)
            continue; /* there was nowhere else to go */
        sum.leave_ns = longer(sum.leave_ns, r->episodes[i].leave_ns);
        sum.return_ns = longer(sum.return_ns, r->episodes[i].return_ns);
        if (r->episodes[i].late_share > sum.late_share)
            sum.late_share = r->episodes[i].late_share;
    }
    return sum;
}
