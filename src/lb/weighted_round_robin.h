/* weighted_round_robin.h - what the policy's files share: its parameters, and an endpoint's weight as its reports tell it.
 *
 * Durations are relative to the ends of the calls that carried the reports, or to when those out of band came. Where reports out of band
 * are wanted (enableOobLoadReport), those in trailers are not read.
 */
#ifndef ROTA_LB_WEIGHTED_ROUND_ROBIN_H
#define ROTA_LB_WEIGHTED_ROUND_ROBIN_H

#include "lb/orca.h"
#include "lb/slow_start.h"
#include <rota/lb.h>

struct rota_wrr_config {
    int64_t blackout_ns, expiration_ns, update_ns;
    int64_t report_ns; /* period of reports out of band; 0: reports come in trailers */
    double error_penalty;
    struct rota_slow_start slow_start;
    char **names; /* the text behind metrics */
    struct rota_orca_metric *metrics;
    size_t n_metrics;
};

rota_err rota_wrr_parse(const struct rota_lb_env *env, struct rota_slice json, void **ret_config, struct rota_errinfo *info);
void rota_wrr_free_config(const struct rota_lb_env *env, void *config);

/* Zeroed: no report yet. */
struct rota_wrr_weight {
    double weight;     /* of the newest report; 0: none */
    int64_t since_ns;  /* of the first report since the blackout began anew */
    int64_t newest_ns; /* of the last */
    bool has_since, has_expired;
};

/* What a report says the weight is; 0: nothing, it is to be ignored. */
double rota_wrr_weight_of(const struct rota_wrr_config *config, const struct rota_orca_report *report);
void rota_wrr_report(struct rota_wrr_weight *w, double weight, int64_t now_ns); /* 0 is ignored */
bool rota_wrr_is_stale(const struct rota_wrr_weight *w); /* of one that is not usable: there were reports, but they have expired */
/* 0: not usable. Expired weights are forgotten here. */
double rota_wrr_usable(struct rota_wrr_weight *w, const struct rota_wrr_config *config, int64_t now_ns);
void rota_wrr_restart(struct rota_wrr_weight *w); /* connected anew: the blackout begins with the next report */

#endif
