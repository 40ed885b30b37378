/* outlier.h - which hosts are outliers, and for how long they are to be left alone: the arithmetic of gRFC A50, without connections.
 *
 * Each sweep looks at the calls that ended since the one before it.
 */
#ifndef ROTA_LB_OUTLIER_H
#define ROTA_LB_OUTLIER_H

#include <rota/lb.h>

/* One of the two ways to find outliers. */
struct rota_outlier_rule {
    bool on;
    uint32_t limit; /* success rate: standard deviations below the mean, in thousandths; failures: percent */
    uint32_t enforcement_percent, minimum_hosts, request_volume;
};

struct rota_outlier_config {
    int64_t interval_ns, base_ejection_ns, max_ejection_ns;
    uint32_t max_ejection_percent;
    struct rota_outlier_rule success_rate, failures;
};

struct rota_outlier_host {
    uint64_t succeeded, failed; /* since the last sweep: counted by the caller */
    uint64_t sweep_succeeded, sweep_failed; /* what the last sweep looked at */
    uint64_t ejected_failed, ejected_calls; /* that the last ejection was for */
    int64_t ejected_ns; /* when; INT64_MAX: not ejected */
    uint32_t multiplier;
};

static inline bool rota_outlier_is_ejected(const struct rota_outlier_host *host)
{
    return host->ejected_ns != INT64_MAX;
}

/* Ejects and brings back; who is ejected afterwards is to be compared with before. */
void rota_outlier_sweep(const struct rota_outlier_config *config, const struct rota_lb_env *env, struct rota_outlier_host *const *hosts,
                        size_t count, int64_t now_ns);

#endif
