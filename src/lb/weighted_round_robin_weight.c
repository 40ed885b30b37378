/* weighted_round_robin_weight.c - from load reports to a weight: queries per utilization, when it may be used (gRFC A58, A114). */
#include "lb/weighted_round_robin.h"

static double utilization_of(const struct rota_orca_report *report)
{
    if (report->application_utilization > 0)
        return report->application_utilization;
    return report->named > 0 ? report->named : report->cpu_utilization;
}

double rota_wrr_weight_of(const struct rota_wrr_config *config, const struct rota_orca_report *report)
{
    double utilization = utilization_of(report);
    double qps = report->requests_per_s, weight;

    if (!(utilization > 0) || !(qps > 0))
        return 0;
    if (report->errors_per_s > 0)
        utilization += report->errors_per_s / qps * config->error_penalty;
    weight = qps / utilization;
    return weight > 1e-290 && weight < 1e300 ? weight : 0; /* reports may hold any number; sums of weights, and what scales them, must stay finite */
}

void rota_wrr_report(struct rota_wrr_weight *w, double weight, int64_t now_ns)
{
    if (weight == 0)
        return;
    if (!w->has_since)
        w->since_ns = now_ns;
    w->has_since = true;
    w->has_expired = false;
    w->newest_ns = now_ns;
    w->weight = weight;
}

double rota_wrr_usable(struct rota_wrr_weight *w, const struct rota_wrr_config *config, int64_t now_ns)
{
    if (w->weight > 0 && now_ns - w->newest_ns >= config->expiration_ns) {
        w->weight = 0;
        w->has_since = false;
        w->has_expired = true;
    }
    if (w->weight == 0)
        return 0;
    if (config->blackout_ns > 0 && (!w->has_since || now_ns - w->since_ns < config->blackout_ns))
        return 0;
    return w->weight;
}

bool rota_wrr_is_stale(const struct rota_wrr_weight *w)
{
    return w->has_expired;
}

void rota_wrr_restart(struct rota_wrr_weight *w)
{
    w->has_since = false;
}
