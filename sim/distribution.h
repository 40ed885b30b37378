/* distribution.h - how long something takes: a distribution of times, and samples of it. */
#ifndef ROTA_SIM_DISTRIBUTION_H
#define ROTA_SIM_DISTRIBUTION_H

#include "base/rng.h"
#include <stddef.h>
#include <stdint.h>

#define ROTA_SIM_QUANTILES_MAX 16

enum rota_sim_shape {
    ROTA_SIM_CONSTANT,    /* a_ns */
    ROTA_SIM_EXPONENTIAL, /* mean a_ns */
    ROTA_SIM_LOGNORMAL,   /* median a_ns, sigma */
    ROTA_SIM_BIMODAL,     /* a_ns; with probability `share` b_ns */
    ROTA_SIM_QUANTILES,   /* straight lines between the points given; below the first and above the last it is flat */
};

struct rota_sim_distribution {
    enum rota_sim_shape shape;
    int64_t a_ns, b_ns;
    double sigma, share;
    size_t n_points;
    double points[ROTA_SIM_QUANTILES_MAX]; /* 0..1, ascending */
    int64_t point_ns[ROTA_SIM_QUANTILES_MAX];
};

int64_t rota_sim_sample(const struct rota_sim_distribution *distribution, struct rota_rng *rng); /* not negative */
double rota_sim_mean_ns(const struct rota_sim_distribution *distribution);

#endif
