/* distribution.c - contract in distribution.h. */
#include "sim/distribution.h"
#include "sim/exact.h"

#define LONGEST_NS 1e15

static double between(const struct rota_sim_distribution *d, double at)
{
    size_t i = 0;

    while (i < d->n_points && d->points[i] <= at)
        i++;
    if (i == 0)
        return (double)d->point_ns[0];
    if (i == d->n_points)
        return (double)d->point_ns[i - 1];
    return (double)d->point_ns[i - 1] +
           (double)(d->point_ns[i] - d->point_ns[i - 1]) * ((at - d->points[i - 1]) / (d->points[i] - d->points[i - 1]));
}

static double sample(const struct rota_sim_distribution *d, struct rota_rng *rng)
{
    switch (d->shape) {
    case ROTA_SIM_EXPONENTIAL:
        return (double)d->a_ns * rota_sim_exponential(rng);
    case ROTA_SIM_LOGNORMAL:
        return (double)d->a_ns * rota_sim_exp(d->sigma * rota_sim_normal(rng));
    case ROTA_SIM_BIMODAL:
        return (double)(rota_sim_unit_open(rng) < d->share ? d->b_ns : d->a_ns);
    case ROTA_SIM_QUANTILES:
        return between(d, rota_sim_unit_open(rng));
    case ROTA_SIM_CONSTANT:
        break;
    }
    return (double)d->a_ns;
}

int64_t rota_sim_sample(const struct rota_sim_distribution *d, struct rota_rng *rng)
{
    double ns = sample(d, rng);

    return (int64_t)(ns < LONGEST_NS ? ns : LONGEST_NS);
}

double rota_sim_mean_ns(const struct rota_sim_distribution *d)
{
    double mean = 0;

    switch (d->shape) {
    case ROTA_SIM_LOGNORMAL:
        return (double)d->a_ns * rota_sim_exp(d->sigma * d->sigma / 2);
    case ROTA_SIM_BIMODAL:
        return (1 - d->share) * (double)d->a_ns + d->share * (double)d->b_ns;
    case ROTA_SIM_QUANTILES:
        mean = d->points[0] * (double)d->point_ns[0] + (1 - d->points[d->n_points - 1]) * (double)d->point_ns[d->n_points - 1];
        for (size_t i = 1; i < d->n_points; i++)
            mean += (d->points[i] - d->points[i - 1]) * (double)(d->point_ns[i] + d->point_ns[i - 1]) / 2;
        return mean;
    case ROTA_SIM_CONSTANT:
    case ROTA_SIM_EXPONENTIAL:
        break;
    }
    return (double)d->a_ns;
}
