/* histogram.c - 64 buckets of the same width for each power of two from 64 on; below that one a nanosecond. */
#include "histogram.h"

#define STEPS 64
#define STEP_BITS 6

static unsigned bucket_of(uint64_t ns)
{
    unsigned octave, bucket;

    if (ns < STEPS)
        return (unsigned)ns;
    octave = 63 - (unsigned)__builtin_clzll(ns) - STEP_BITS;
    bucket = (octave + 1) * STEPS + (unsigned)(ns >> octave) % STEPS;
    return bucket < ROTA_HISTOGRAM_BUCKETS ? bucket : ROTA_HISTOGRAM_BUCKETS - 1;
}

static int64_t top_of(unsigned bucket)
{
    unsigned octave = bucket / STEPS;

    if (octave == 0)
        return bucket;
    return (int64_t)(((uint64_t)(STEPS + bucket % STEPS + 1) << (octave - 1)) - 1);
}

void rota_histogram_add(struct rota_histogram *h, int64_t ns)
{
    if (ns < 0)
        ns = 0;
    h->counts[bucket_of((uint64_t)ns)]++;
    h->count++;
    h->sum_ns += (double)ns;
    if (ns > h->max_ns)
        h->max_ns = ns;
}

int64_t rota_histogram_at(const struct rota_histogram *h, double q)
{
    double want = q * (double)h->count;
    uint64_t seen = 0;

    for (unsigned i = 0; i < ROTA_HISTOGRAM_BUCKETS; i++) {
        seen += h->counts[i];
        if (seen > 0 && (double)seen >= want)
            return top_of(i) < h->max_ns ? top_of(i) : h->max_ns;
    }
    return h->max_ns;
}

double rota_histogram_mean_ns(const struct rota_histogram *h)
{
    return h->count == 0 ? 0 : h->sum_ns / (double)h->count;
}
