/* ewma.c - contract in ewma.h. */
#include "lb/ewma.h"
#include <math.h>

#define FAILURE_MIN_NS 10e6
#define FAILURE_MAX_NS 30e9
#define UNKNOWN_LOAD 1e15 /* above any cost times any number of calls worth comparing */

static double weight_left(struct rota_ewma *e, int64_t now_ns, double tau_ns)
{
    double passed_ns = now_ns > e->stamp_ns ? (double)(now_ns - e->stamp_ns) : 0;

    e->stamp_ns = now_ns > e->stamp_ns ? now_ns : e->stamp_ns;
    return exp(-passed_ns / tau_ns);
}

double rota_ewma_read(struct rota_ewma *e, int64_t now_ns, double tau_ns)
{
    if (e->cost_ns > 0)
        e->cost_ns *= weight_left(e, now_ns, tau_ns);
    return e->cost_ns;
}

void rota_ewma_sample(struct rota_ewma *e, double latency_ns, int64_t now_ns, double tau_ns, double least)
{
    double left = weight_left(e, now_ns, tau_ns);

    if (latency_ns > e->cost_ns)
        e->cost_ns = latency_ns;
    else
        e->cost_ns += (latency_ns - e->cost_ns) * (1 - left > least ? 1 - left : least);
}

void rota_ewma_failure(struct rota_ewma *e, double latency_ns, int64_t now_ns, double tau_ns, double least)
{
    double worse_ns = 2 * fmax(latency_ns, e->cost_ns);

    rota_ewma_sample(e, fmin(fmax(worse_ns, FAILURE_MIN_NS), FAILURE_MAX_NS), now_ns, tau_ns, least);
}

static bool is_servers_fault(enum rota_code code)
{
    return code == ROTA_UNAVAILABLE || code == ROTA_INTERNAL || code == ROTA_RESOURCE_EXHAUSTED || code == ROTA_DEADLINE_EXCEEDED;
}

bool rota_ewma_learn(struct rota_ewma *e, const struct rota_outcome *outcome, double tau_ns, double least)
{
    double latency_ns = outcome->ended_ns > outcome->started_ns ? (double)(outcome->ended_ns - outcome->started_ns) : 0;
    bool fault = is_servers_fault(outcome->status.code);

    if (fault)
        rota_ewma_failure(e, latency_ns, outcome->ended_ns, tau_ns, least);
    else if (outcome->status.code != ROTA_CANCELLED || latency_ns > e->cost_ns)
        rota_ewma_sample(e, latency_ns, outcome->ended_ns, tau_ns, least);
    return fault;
}

double rota_ewma_load(double cost_ns, uint32_t n_calls)
{
    if (cost_ns == 0 && n_calls > 0)
        return UNKNOWN_LOAD + n_calls;
    return cost_ns * (n_calls + 1.0);
}
