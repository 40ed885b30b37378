/* stride.h - the static stride scheduler of gRPC's C-core (gRFC A58): whose turn it is when turns are in proportion to weights.
 *
 * Weights are scaled so that the greatest is 65535, after clamping them to [0.01, 10] times their mean: so nobody starves, and a
 * turn is found within ten candidates on average. A counter runs over the candidates, generation by generation; candidate i of
 * weight w is passed over in generation g when (w·g + i·32767) mod 65535 < 65535 - w: it gets w of every 65535 generations, evenly spaced, and
 * neighbours are out of phase.
 */
#ifndef ROTA_LB_STRIDE_H
#define ROTA_LB_STRIDE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define ROTA_STRIDE_MAX 65535u

/* How weights become whole numbers. */
struct rota_stride_scale {
    double factor, cap;
    uint32_t floor, mean;
};

/* What is known of the weights: those above 0 and finite. */
struct rota_stride_sums {
    double sum, max, min;
    size_t count;
};

static inline void rota_stride_sum_add(struct rota_stride_sums *sums, double weight)
{
    if (!(weight > 0))
        return;
    sums->max = sums->count == 0 || weight > sums->max ? weight : sums->max;
    sums->min = sums->count == 0 || weight < sums->min ? weight : sums->min;
    sums->sum += weight;
    sums->count++;
}

/* False: turns are in order, without weights: fewer than two are known, or they are all equal. */
bool rota_stride_scale(const struct rota_stride_sums *sums, struct rota_stride_scale *ret_scale);

/* 1 to ROTA_STRIDE_MAX; a weight that is not above 0 is unknown, and counts as the mean. */
uint32_t rota_stride_weight(const struct rota_stride_scale *scale, double weight);

struct rota_stride {
    uint64_t turn;       /* the counter, kept when candidates come and go */
    uint64_t generation; /* turn / n */
    uint32_t at, n;      /* turn % n */
};

void rota_stride_resize(struct rota_stride *s, uint32_t n); /* n > 0 */

/* The next candidate; it has its turn if rota_stride_takes. */
static inline bool rota_stride_takes(const struct rota_stride *s, uint32_t weight)
{
    return (weight * s->generation + (uint64_t)s->at * (ROTA_STRIDE_MAX / 2)) % ROTA_STRIDE_MAX >= ROTA_STRIDE_MAX - weight;
}

static inline void rota_stride_step(struct rota_stride *s)
{
    s->turn++;
    if (++s->at == s->n) {
        s->at = 0;
        s->generation++;
    }
}

#endif
