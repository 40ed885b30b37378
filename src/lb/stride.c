/* stride.c - contract in stride.h. */
#include "lb/stride.h"
#include <math.h>

#define MAX_RATIO 10   /* of a weight to the mean */
#define MIN_RATIO 0.01

bool rota_stride_scale(const struct rota_stride_sums *sums, struct rota_stride_scale *ret_scale)
{
    double mean, cap;

    if (sums->count < 2 || sums->max == sums->min)
        return false;
    mean = sums->sum / (double)sums->count;
    cap = fmin(sums->max, mean * MAX_RATIO);
    ret_scale->cap = cap;
    ret_scale->factor = ROTA_STRIDE_MAX / cap;
    ret_scale->mean = (uint32_t)lround(ret_scale->factor * mean);
    ret_scale->floor = (uint32_t)fmax(1, (double)lround(ret_scale->mean * MIN_RATIO));
    return true;
}

uint32_t rota_stride_weight(const struct rota_stride_scale *scale, double weight)
{
    uint32_t scaled;

    if (!(weight > 0))
        return scale->mean;
    scaled = (uint32_t)lround(fmin(weight, scale->cap) * scale->factor);
    return scaled < scale->floor ? scale->floor : scaled;
}

void rota_stride_resize(struct rota_stride *s, uint32_t n)
{
    s->n = n;
    s->generation = s->turn / n;
    s->at = (uint32_t)(s->turn % n);
}
