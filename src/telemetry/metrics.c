/* metrics.c - counts calls as they start and end (metrics.h says how without locks). Elsewhere: what is not a call's (metrics_target.c).
 * Source: gRFC A66. */
#include "telemetry/metrics.h"
#include "base/alloc.h"
#include "base/map.h"
#include "base/options.h"
#include <string.h>

#define DEFAULT_MAX_METHODS 1000
#define OTHER "other"

const double rota_metrics_seconds[ROTA_METRICS_SECONDS] = {
    0, 0.00001, 0.00005, 0.0001, 0.0003, 0.0006, 0.0008, 0.001, 0.002, 0.003, 0.004, 0.005, 0.006, 0.008, 0.01, 0.013, 0.016, 0.02, 0.025, 0.03,
    0.04, 0.05, 0.065, 0.08, 0.1, 0.13, 0.16, 0.2, 0.25, 0.3, 0.4, 0.5, 0.65, 0.8, 1, 2, 5, 10, 20, 50, 100,
};
const double rota_metrics_bytes[ROTA_METRICS_BYTES] = {
    0, 1024, 2048, 4096, 16384, 65536, 262144, 1048576, 4194304, 16777216, 67108864, 268435456, 1073741824, 4294967296,
};

/* --- Series --- */

static struct rota_metrics_series *new_series(struct rota_metrics *metrics, enum rota_metrics_side side, const char *target, const char *method)
{
    size_t target_size = strlen(target) + 1, method_size = strlen(method) + 1;
    struct rota_metrics_series *series = rota_alloc_zero(metrics->alloc, 1, sizeof(*series) + target_size + method_size);
    char *texts;

    if (series == NULL)
        return NULL;
    texts = (char *)(series + 1);
    memcpy(texts, target, target_size);
    memcpy(texts + target_size, method, method_size);
    series->side = side;
    series->target = texts;
    series->method = texts + target_size;
    return series;
}

static void free_series(struct rota_metrics *metrics, struct rota_metrics_series *series)
{
    for (size_t i = 0; series != NULL && i < ROTA_METRICS_CODES; i++)
        rota_alloc_free(metrics->alloc, atomic_load_explicit(&series->tallies[i], memory_order_acquire));
    rota_alloc_free(metrics->alloc, series);
}

static struct rota_metrics_series *look(struct rota_metrics_series *first, enum rota_metrics_side side, const char *target, const char *method)
{
    for (struct rota_metrics_series *s = first; s != NULL; s = s->next)
        if (s->side == side && strcmp(s->method, method) == 0 && strcmp(s->target, target) == 0)
            return s;
    return NULL;
}

static size_t slot_of(enum rota_metrics_side side, const char *target, const char *method)
{
    return (rota_hash_bytes(rota_slice_str(method), side) ^ rota_hash_bytes(rota_slice_str(target), 2)) % ROTA_METRICS_SLOTS;
}

/* Never NULL: without room or memory it is the other methods' series. */
static struct rota_metrics_series *find(struct rota_metrics *metrics, enum rota_metrics_side side, const char *target, const char *path)
{
    const char *method = path[0] == '/' ? path + 1 : path;
    _Atomic(struct rota_metrics_series *) *slot = &metrics->slots[slot_of(side, target, method)];
    struct rota_metrics_series *first = atomic_load_explicit(slot, memory_order_acquire);
    struct rota_metrics_series *series = look(first, side, target, method), *mine;

    if (series != NULL)
        return series;
    if (atomic_fetch_add_explicit(&metrics->n_methods, 1, memory_order_relaxed) >= metrics->max_methods ||
        (mine = new_series(metrics, side, target, method)) == NULL) {
        atomic_fetch_sub_explicit(&metrics->n_methods, 1, memory_order_relaxed);
        return metrics->others[side];
    }
    do {
        series = look(first, side, target, method);
        mine->next = first;
    } while (series == NULL && !atomic_compare_exchange_weak_explicit(slot, &first, mine, memory_order_acq_rel, memory_order_acquire));
    if (series == NULL)
        return mine;
    atomic_fetch_sub_explicit(&metrics->n_methods, 1, memory_order_relaxed);
    free_series(metrics, mine);
    return series;
}

/* NULL: out of memory. */
static struct rota_metrics_tally *tally_of(struct rota_metrics *metrics, struct rota_metrics_series *series, enum rota_code code)
{
    _Atomic(struct rota_metrics_tally *) *place = &series->tallies[(unsigned)code < ROTA_METRICS_CODES ? code : ROTA_UNKNOWN];
    struct rota_metrics_tally *tally = atomic_load_explicit(place, memory_order_acquire), *mine;

    if (tally != NULL)
        return tally;
    mine = rota_alloc_zero(metrics->alloc, 1, sizeof(*mine));
    if (mine == NULL || atomic_compare_exchange_strong_explicit(place, &tally, mine, memory_order_acq_rel, memory_order_acquire))
        return mine;
    rota_alloc_free(metrics->alloc, mine);
    return tally;
}

/* --- Counting --- */

static void add(atomic_uint_fast64_t *counter, uint64_t value)
{
    atomic_fetch_add_explicit(counter, value, memory_order_relaxed);
}

void rota_metrics_put(const double *bounds, size_t n_bounds, atomic_uint_fast64_t *counts, double value)
{
    size_t low = 0, high = n_bounds;

    while (low < high) {
        size_t middle = (low + high) / 2;
        if (value <= bounds[middle])
            high = middle;
        else
            low = middle + 1;
    }
    add(&counts[low], 1);
}

/* What a hook at the start leaves for the one at the end. */
struct started {
    struct rota_metrics_series *series;
    int64_t at_ns;
};

struct ended {
    int64_t now_ns;
    uint64_t sent_bytes, received_bytes;
    enum rota_code code;
};

static void count_end(struct rota_metrics *metrics, const struct started *started, const struct ended *ended)
{
    struct rota_metrics_tally *tally = tally_of(metrics, started->series, ended->code);
    int64_t took_ns = ended->now_ns - started->at_ns;

    if (tally == NULL) {
        add(&metrics->n_lost, 1);
        return;
    }
    add(&tally->took_ns, (uint64_t)took_ns);
    add(&tally->sent_bytes, ended->sent_bytes);
    add(&tally->received_bytes, ended->received_bytes);
    rota_metrics_put(rota_metrics_seconds, ROTA_METRICS_SECONDS, tally->durations, (double)took_ns / 1e9);
    rota_metrics_put(rota_metrics_bytes, ROTA_METRICS_BYTES, tally->sent, (double)ended->sent_bytes);
    rota_metrics_put(rota_metrics_bytes, ROTA_METRICS_BYTES, tally->received, (double)ended->received_bytes);
}

static enum rota_intercept client_on_start(void *state, void *arg, struct rota_call *call, struct rota_status *ret_status)
{
    struct started *started = state;

    (void)ret_status;
    started->series = find(arg, ROTA_METRICS_CLIENT, rota_channel_target(rota_call_channel(call)), rota_call_method(call)->path);
    started->at_ns = rota_call_now_ns(call);
    return ROTA_INTERCEPT_PASS;
}

static void client_on_done(void *state, void *arg, struct rota_call *call, struct rota_status *status)
{
    struct started *started = state;
    struct ended ended = {rota_call_now_ns(call), rota_call_sent_bytes(call), rota_call_received_bytes(call), status->code};

    add(&started->series->started, rota_call_attempts(call));
    count_end(arg, started, &ended);
}

const struct rota_client_interceptor_class rota_metrics_client = {
    .name = "metrics", .state_size = sizeof(struct started), .on_start = client_on_start, .on_done = client_on_done, .on_measure = rota_metrics_measure};

static enum rota_intercept server_on_start(void *state, void *arg, struct rota_server_call *call, struct rota_status *ret_status)
{
    const struct rota_method *method = rota_server_call_method(call);
    struct rota_metrics *metrics = arg;
    struct started *started = state;

    (void)ret_status;
    started->series = method == NULL ? metrics->others[ROTA_METRICS_SERVER] : find(metrics, ROTA_METRICS_SERVER, "", method->path);
    started->at_ns = rota_server_call_now_ns(call);
    add(&started->series->started, 1);
    return ROTA_INTERCEPT_PASS;
}

static void server_on_finish(void *state, void *arg, struct rota_server_call *call, struct rota_status *status)
{
    struct ended ended = {rota_server_call_now_ns(call), rota_server_call_sent_bytes(call), rota_server_call_received_bytes(call), status->code};

    count_end(arg, state, &ended);
}

const struct rota_server_interceptor_class rota_metrics_server = {
    .name = "metrics", .state_size = sizeof(struct started), .on_start = server_on_start, .on_finish = server_on_finish};

/* --- Making --- */

rota_err rota_metrics_new(const struct rota_metrics_options *given, struct rota_metrics **ret_metrics)
{
    struct rota_metrics_options options = ROTA_METRICS_OPTIONS_INIT;
    struct rota_metrics *metrics;

    if (rota_options_take(&options, sizeof(options), given, "ROTA_METRICS_OPTIONS_INIT", NULL) < 0)
        return ROTA_EINVAL;
    metrics = rota_alloc_zero(options.alloc, 1, sizeof(*metrics));
    if (metrics == NULL)
        return ROTA_ENOMEM;
    metrics->alloc = options.alloc;
    metrics->max_methods = options.max_methods == 0 ? DEFAULT_MAX_METHODS : options.max_methods;
    metrics->others[ROTA_METRICS_CLIENT] = new_series(metrics, ROTA_METRICS_CLIENT, OTHER, OTHER);
    metrics->others[ROTA_METRICS_SERVER] = new_series(metrics, ROTA_METRICS_SERVER, "", OTHER);
    if (metrics->others[0] == NULL || metrics->others[1] == NULL) {
        rota_metrics_free(metrics);
        return ROTA_ENOMEM;
    }
    *ret_metrics = metrics;
    return 0;
}

void rota_metrics_free(struct rota_metrics *metrics)
{
    if (metrics == NULL)
        return;
    for (size_t i = 0; i < ROTA_METRICS_SLOTS; i++) {
        struct rota_metrics_series *series = atomic_load_explicit(&metrics->slots[i], memory_order_acquire);
        while (series != NULL) {
            struct rota_metrics_series *next = series->next;
            free_series(metrics, series);
            series = next;
        }
    }
    free_series(metrics, metrics->others[0]);
    free_series(metrics, metrics->others[1]);
    rota_metrics_free_targets(metrics);
    rota_alloc_free(metrics->alloc, metrics);
}
