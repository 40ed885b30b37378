/* histogram.h - counts of times in buckets whose width grows with the value: 1/64 of it at most, up to about 2 hours.
 *
 * Integers only, so that quantiles are the same everywhere. A quantile is the upper end of its bucket.
 */
#ifndef ROTA_SIM_HISTOGRAM_H
#define ROTA_SIM_HISTOGRAM_H

#include <stdint.h>

#define ROTA_SIM_BUCKETS 2432

struct rota_sim_histogram {
    uint64_t count;
    int64_t max_ns;
    double sum_ns;
    uint64_t buckets[ROTA_SIM_BUCKETS];
};

void rota_sim_histogram_add(struct rota_sim_histogram *histogram, int64_t ns);
/* per_million: 990000 is p99. 0 when it is empty. */
int64_t rota_sim_histogram_at(const struct rota_sim_histogram *histogram, uint32_t per_million);
int64_t rota_sim_bucket_end_ns(unsigned bucket); /* the greatest time that it counts */

#endif
