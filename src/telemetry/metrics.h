/* metrics.h - the inside of struct rota_metrics: what hooks count (metrics.c) and readers show (metrics_text.c).
 *
 * Vocabulary: a series is one method of one target, on one side; a tally is its calls that ended with one status.
 * Invariants: series and tallies are published by one compare-and-swap each and stay until the metrics go, so that they are found and
 * read without locks; numbers only grow. A series and a tally that lost the race for their place were never seen by anybody.
 */
#ifndef ROTA_TELEMETRY_METRICS_H
#define ROTA_TELEMETRY_METRICS_H

#include <rota/metrics.h>
#include <stdatomic.h>

#define ROTA_METRICS_SECONDS 41 /* bounds of durations */
#define ROTA_METRICS_BYTES 14   /* bounds of sizes */
#define ROTA_METRICS_CODES (ROTA_UNAUTHENTICATED + 1)
#define ROTA_METRICS_SLOTS 256

extern const double rota_metrics_seconds[ROTA_METRICS_SECONDS];
extern const double rota_metrics_bytes[ROTA_METRICS_BYTES];

enum rota_metrics_side {
    ROTA_METRICS_CLIENT,
    ROTA_METRICS_SERVER,
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

struct rota_metrics {
    const struct rota_alloc *alloc;
    uint32_t max_methods;
    atomic_uint_fast32_t n_methods;
    atomic_uint_fast64_t n_lost; /* calls that there was no memory to count */
    struct rota_metrics_series *others[2]; /* by side */
    _Atomic(struct rota_metrics_series *) slots[ROTA_METRICS_SLOTS];
};

#endif
