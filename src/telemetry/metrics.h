/* metrics.h - the inside of struct rota_metrics: what hooks count (metrics.c, metrics_target.c) and readers show (metrics_text.c).
 *
 * Vocabulary: a series is one method of one target, on one side; a tally is its calls that ended with one status; a target's connections
 * and weights are counted beside them.
 * Invariants: series, tallies and targets are published by one compare-and-swap each and stay until the metrics go, so that they are found and
 * read without locks; numbers only grow. A series and a tally that lost the race for their place were never seen by anybody.
 */
#ifndef ROTA_TELEMETRY_METRICS_H
#define ROTA_TELEMETRY_METRICS_H

#include <rota/metrics.h>
#include <stdatomic.h>

#define ROTA_METRICS_SECONDS 41 /* bounds of durations */
#define ROTA_METRICS_BYTES 14   /* bounds of sizes */
#define ROTA_METRICS_WEIGHTS 15 /* bounds of weights */
#define ROTA_METRICS_CODES (ROTA_UNAUTHENTICATED + 1)
#define ROTA_METRICS_SLOTS 256

extern const double rota_metrics_seconds[ROTA_METRICS_SECONDS];
extern const double rota_metrics_bytes[ROTA_METRICS_BYTES];
extern const double rota_metrics_weights[ROTA_METRICS_WEIGHTS];

enum rota_metrics_side {
    ROTA_METRICS_CLIENT,
    ROTA_METRICS_SERVER,
    ROTA_METRICS_TARGET, /* of instruments only: it has no series */
};

struct rota_metrics_tally {
    atomic_uint_fast64_t took_ns, sent_bytes, received_bytes; /* sums */
    atomic_uint_fast64_t durations[ROTA_METRICS_SECONDS + 1];
    atomic_uint_fast64_t sent[ROTA_METRICS_BYTES + 1], received[ROTA_METRICS_BYTES + 1];
};

struct rota_metrics_series {
    struct rota_metrics_series *next; /* in its slot; set before it is published */
    enum rota_metrics_side side;
    const char *target, *method; /* target "" on servers */
    atomic_uint_fast64_t started; /* attempts on channels, calls on servers */
    _Atomic(struct rota_metrics_tally *) tallies[ROTA_METRICS_CODES]; /* by status code; NULL: none has ended so */
};

struct rota_metrics_target {
    struct rota_metrics_target *next; /* set before it is published */
    atomic_uint_fast64_t counts[ROTA_MEASURES]; /* sums of the values, but of weights */
    atomic_uint_fast64_t weights[ROTA_METRICS_WEIGHTS + 1];
    _Atomic double sum_of_weights;
    char name[];
};

struct rota_metrics {
    const struct rota_alloc *alloc;
    uint32_t max_methods;
    atomic_uint_fast32_t n_methods;
    atomic_uint_fast64_t n_lost; /* calls that there was no memory to count */
    struct rota_metrics_series *others[2]; /* by side */
    _Atomic(struct rota_metrics_series *) slots[ROTA_METRICS_SLOTS];
    _Atomic(struct rota_metrics_target *) targets;
};

/* on_measure of rota_metrics_client. */
void rota_metrics_measure(void *arg, const struct rota_channel *channel, enum rota_measure what, double value);
void rota_metrics_free_targets(struct rota_metrics *metrics);

void rota_metrics_put(const double *bounds, size_t n_bounds, atomic_uint_fast64_t *counts, double value); /* into a histogram */

#endif
