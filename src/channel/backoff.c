/* backoff.c - exponential periods with spread (doc/connection-backoff.md). */
#include "channel/backoff.h"

#define GROWTH 1.6
#define SPREAD 0.2

int64_t rota_backoff_next(struct rota_backoff *backoff, struct rota_rng *rng)
{
    int64_t base_ns = backoff->base_ns == 0 ? backoff->initial_ns : backoff->base_ns;
    double grown_ns = (double)base_ns * GROWTH, period_ns;

    if (base_ns > backoff->max_ns)
        base_ns = backoff->max_ns;
    backoff->base_ns = grown_ns >= (double)backoff->max_ns ? backoff->max_ns : (int64_t)grown_ns;
    period_ns = (double)base_ns * rota_rng_between(rng, 1 - SPREAD, 1 + SPREAD);
    return period_ns >= (double)INT64_MAX ? INT64_MAX : (int64_t)period_ns;
}

void rota_backoff_reset(struct rota_backoff *backoff)
{
    backoff->base_ns = 0;
}
