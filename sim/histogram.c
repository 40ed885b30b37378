/* histogram.c - contract in histogram.h.
 *
 * Bucket of v: below 128 v itself; else 64 buckets for each power of two, by the six bits after the leading one.
 */
#include "sim/histogram.h"

#define LINEAR 128
#define STEPS 64

static unsigned bucket_of(int64_t ns)
{
    uint64_t v = ns < 0 ? 0 : (uint64_t)ns;
    unsigned shift, bucket;

    if (v < LINEAR)
        return (unsigned)v;
    shift = 57 - (unsigned)__builtin_clzll(v); /* leaves seven bits */
    bucket = LINEAR + (shift - 1) * STEPS + (unsigned)((v >> shift) - STEPS);
    return bucket < ROTA_SIM_BUCKETS ? bucket : ROTA_SIM_BUCKETS - 1;
}

int64_t rota_sim_bucket_end_ns(unsigned bucket)
{
    unsigned shift;

    if (bucket < LINEAR)
        return bucket;
    shift = (bucket - LINEAR) / STEPS + 1;
    return (((int64_t)(bucket - LINEAR) % STEPS + STEPS + 1) << shift) - 1;
}

void rota_sim_histogram_add(struct rota_sim_histogram *h, int64_t ns)
{
    h->buckets[bucket_of(ns)]++;
    h->count++;
    h->sum_ns += (double)ns;
    if (ns > h->max_ns)
        h->max_ns = ns;
}

int64_t rota_sim_histogram_at(const struct rota_sim_histogram *h, uint32_t per_million)
{
    uint64_t rank = (h->count * per_million + 999999) / 1000000, seen = 0;

    if (h->count == 0)
        return 0;
    for (unsigned i = 0; i < ROTA_SIM_BUCKETS; i++) {
        seen += h->buckets[i];
        if (seen >= rank && seen > 0) {
            int64_t end_ns = rota_sim_bucket_end_ns(i);
            return end_ns < h->max_ns ? end_ns : h->max_ns;
        }
    }
    return h->max_ns;
}
