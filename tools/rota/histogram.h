/* histogram.h - how long things took: counts by duration, to within one in 64, from a nanosecond to an hour. */
#ifndef ROTA_TOOL_HISTOGRAM_H
#define ROTA_TOOL_HISTOGRAM_H

#include <stdint.h>

#define ROTA_HISTOGRAM_BUCKETS (64 * 37)

struct rota_histogram {
    uint64_t counts[ROTA_HISTOGRAM_BUCKETS];
    uint64_t count;
    int64_t max_ns;
    double sum_ns;
};

void rota_histogram_add(struct rota_histogram *h, int64_t ns); /* below 0 counts as 0 */
/* The time that a share q of all stayed within: the top of its bucket, but no more than the longest. 0 when empty. */
int64_t rota_histogram_at(const struct rota_histogram *h, double q);
double rota_histogram_mean_ns(const struct rota_histogram *h);

#endif
