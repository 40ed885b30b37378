/* metrics_text.c - what was counted, as a snapshot and as Prometheus's text.
 *
 * Source: gRFCs A66, A78 and A94 (names, units), Prometheus's text format 0.0.4 and OpenTelemetry's rules for names in it.
 */
#include "telemetry/metrics.h"

#include "base/text.h"
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#define COUNTS_MAX (ROTA_METRICS_SECONDS + 1)

struct instrument {
    const char *name, *unit, *description, *prometheus;
    enum rota_metrics_side side;
    size_t sum, counts; /* of a histogram: where they stand in a tally. Of a target: sum is what was measured */
    const double *bounds;
    size_t n_bounds;
    double scale; /* a sum's unit in the tally's */
    enum rota_metric_kind kind;
};

#define SECONDS(name_text, prometheus_text, side_value, text) \
    {name_text, "s", text, prometheus_text, side_value, offsetof(struct rota_metrics_tally, took_ns), offsetof(struct rota_metrics_tally, durations), \
     rota_metrics_seconds, ROTA_METRICS_SECONDS, 1e9, ROTA_METRIC_HISTOGRAM}
#define SIZES(name_text, prometheus_text, side_value, sum_field, counts_field, text) \
    {name_text, "By", text, prometheus_text, side_value, offsetof(struct rota_metrics_tally, sum_field), \
     offsetof(struct rota_metrics_tally, counts_field), rota_metrics_bytes, ROTA_METRICS_BYTES, 1, ROTA_METRIC_HISTOGRAM}
#define OF_TARGET(name_text, unit_text, prometheus_text, measure, kind_value, text) \
    {name_text, unit_text, text, prometheus_text, ROTA_METRICS_TARGET, measure, 0, NULL, 0, 1, kind_value}

static const struct instrument instruments[] = {
    SECONDS("grpc.client.call.duration", "grpc_client_call_duration_seconds", ROTA_METRICS_CLIENT, "Time from a call's start to its end"),
    {"grpc.client.attempt.started", "{attempt}", "Streams opened for calls that have ended", "grpc_client_attempt_started_total", ROTA_METRICS_CLIENT, 0,
     0, NULL, 0, 1, ROTA_METRIC_COUNTER},
    SIZES("grpc.client.attempt.sent_total_compressed_message_size", "grpc_client_attempt_sent_total_compressed_message_size_bytes", ROTA_METRICS_CLIENT,
        sent_bytes, sent, "Bytes of a call's requests as they travelled"),
    SIZES("grpc.client.attempt.rcvd_total_compressed_message_size", "grpc_client_attempt_rcvd_total_compressed_message_size_bytes", ROTA_METRICS_CLIENT,
        received_bytes, received, "Bytes of a call's replies as they travelled"),
    {"grpc.server.call.started", "{call}", "Calls that have come", "grpc_server_call_started_total", ROTA_METRICS_SERVER, 0, 0, NULL, 0, 1,
     ROTA_METRIC_COUNTER},
    SIZES("grpc.server.call.sent_total_compressed_message_size", "grpc_server_call_sent_total_compressed_message_size_bytes", ROTA_METRICS_SERVER,
        sent_bytes, sent, "Bytes of a call's replies as they travelled"),
    SIZES("grpc.server.call.rcvd_total_compressed_message_size", "grpc_server_call_rcvd_total_compressed_message_size_bytes", ROTA_METRICS_SERVER,
        received_bytes, received, "Bytes of a call's requests as they travelled"),
    SECONDS("grpc.server.call.duration", "grpc_server_call_duration_seconds", ROTA_METRICS_SERVER, "Time from a call's headers to its status"),
    OF_TARGET("grpc.subchannel.connection_attempts_succeeded", "{attempt}", "grpc_subchannel_connection_attempts_succeeded_total",
        ROTA_MEASURE_CONNECTED, ROTA_METRIC_COUNTER, "Attempts at a connection that came up"),
    OF_TARGET("grpc.subchannel.connection_attempts_failed", "{attempt}", "grpc_subchannel_connection_attempts_failed_total",
        ROTA_MEASURE_CONNECT_FAILED, ROTA_METRIC_COUNTER, "Attempts at a connection that failed"),
    OF_TARGET("grpc.subchannel.disconnections", "{disconnection}", "grpc_subchannel_disconnections_total", ROTA_MEASURE_DISCONNECTED, ROTA_METRIC_COUNTER,
        "Connections that were lost, told to go or given up"),
    OF_TARGET("grpc.subchannel.open_connections", "{connection}", "grpc_subchannel_open_connections", ROTA_MEASURE_CONNECTED, ROTA_METRIC_GAUGE,
        "Connections that take calls"),
    OF_TARGET("grpc.lb.wrr.rr_fallback", "{update}", "grpc_lb_wrr_rr_fallback_total", ROTA_MEASURE_WRR_FALLBACK, ROTA_METRIC_COUNTER,
        "Schedules made of fewer than two usable reports"),
    OF_TARGET("grpc.lb.wrr.endpoint_weight_not_yet_usable", "{endpoint}", "grpc_lb_wrr_endpoint_weight_not_yet_usable_total",
        ROTA_MEASURE_WRR_NOT_YET_USABLE, ROTA_METRIC_COUNTER, "Endpoints in schedules, without a report or within the blackout period"),
    OF_TARGET("grpc.lb.wrr.endpoint_weight_stale", "{endpoint}", "grpc_lb_wrr_endpoint_weight_stale_total", ROTA_MEASURE_WRR_STALE, ROTA_METRIC_COUNTER,
        "Endpoints in schedules whose last report has expired"),
    OF_TARGET("grpc.lb.wrr.endpoint_weights", "{weight}", "grpc_lb_wrr_endpoint_weights", ROTA_MEASURE_WRR_WEIGHT, ROTA_METRIC_HISTOGRAM,
        "Weights of endpoints in schedules by their reports, 0 where there is none to use"),
};

typedef void visit_fn(void *arg, const struct instrument *instrument, const struct rota_metric *metric);

static uint64_t read_at(const struct rota_metrics_tally *tally, size_t offset, size_t index)
{
    return atomic_load_explicit((const atomic_uint_fast64_t *)(const void *)((const char *)tally + offset) + index, memory_order_relaxed);
}

static void visit_tally(const struct instrument *in, const struct rota_metrics_tally *tally, struct rota_metric *metric, visit_fn *visit, void *arg)
{
    uint64_t counts[COUNTS_MAX];

    metric->count = 0;
    for (size_t i = 0; i <= in->n_bounds; i++) {
        counts[i] = read_at(tally, in->counts, i);
        metric->count += counts[i];
    }
    metric->sum = (double)read_at(tally, in->sum, 0) / in->scale;
    metric->bounds = in->bounds;
    metric->counts = counts;
    metric->n_bounds = in->n_bounds;
    visit(arg, in, metric);
}

static void visit_series(const struct instrument *in, const struct rota_metrics_series *series, visit_fn *visit, void *arg)
{
    struct rota_metric_label labels[3] = {{"grpc.method", series->method}, {"grpc.target", series->target}};
    struct rota_metric metric = {.name = in->name, .unit = in->unit, .description = in->description, .labels = labels};
    size_t n_labels = in->side == ROTA_METRICS_CLIENT ? 2 : 1;

    if (series->side != in->side)
        return;
    metric.n_labels = n_labels;
    metric.kind = in->kind;
    if (in->kind == ROTA_METRIC_COUNTER) {
        metric.count = atomic_load_explicit(&series->started, memory_order_relaxed);
        metric.sum = (double)metric.count;
        if (metric.count > 0)
            visit(arg, in, &metric);
        return;
    }
    metric.n_labels++;
    for (int code = 0; code < ROTA_METRICS_CODES; code++) {
        const struct rota_metrics_tally *tally = atomic_load_explicit(&series->tallies[code], memory_order_acquire);
        labels[n_labels] = (struct rota_metric_label){"grpc.status", rota_code_name((enum rota_code)code)};
        if (tally != NULL)
            visit_tally(in, tally, &metric, visit, arg);
    }
}

/* A gauge that has ever had a value is shown at 0 too. */
static void visit_target(const struct instrument *in, const struct rota_metrics_target *target, visit_fn *visit, void *arg)
{
    struct rota_metric_label label = {"grpc.target", target->name};
    struct rota_metric metric = {
        .name = in->name, .unit = in->unit, .description = in->description, .kind = in->kind, .labels = &label, .n_labels = 1};
    uint64_t counts[ROTA_METRICS_WEIGHTS + 1], value = atomic_load_explicit(&target->counts[in->sum], memory_order_relaxed);

    if (in->kind == ROTA_METRIC_HISTOGRAM) {
        for (size_t i = 0; i <= ROTA_METRICS_WEIGHTS; i++) {
            counts[i] = atomic_load_explicit(&target->weights[i], memory_order_relaxed);
            value += counts[i];
        }
        metric.sum = atomic_load_explicit(&target->sum_of_weights, memory_order_relaxed);
        metric.bounds = rota_metrics_weights;
        metric.counts = counts;
        metric.n_bounds = ROTA_METRICS_WEIGHTS;
    }
    if (value == 0)
        return;
    metric.count = value;
    if (in->kind == ROTA_METRIC_GAUGE) {
        uint64_t gone = atomic_load_explicit(&target->counts[ROTA_MEASURE_DISCONNECTED], memory_order_relaxed);
        metric.count = gone < value ? value - gone : 0;
    }
    if (in->kind != ROTA_METRIC_HISTOGRAM)
        metric.sum = (double)metric.count;
    visit(arg, in, &metric);
}

static void visit_targets(const struct instrument *in, const struct rota_metrics *metrics, visit_fn *visit, void *arg)
{
    for (const struct rota_metrics_target *t = atomic_load_explicit(&metrics->targets, memory_order_acquire); t != NULL; t = t->next)
        visit_target(in, t, visit, arg);
}

static void visit_all(const struct rota_metrics *metrics, visit_fn *visit, void *arg)
{
    for (size_t i = 0; i < sizeof(instruments) / sizeof(instruments[0]); i++) {
        const struct instrument *in = &instruments[i];
        if (in->side == ROTA_METRICS_TARGET) {
            visit_targets(in, metrics, visit, arg);
            continue;
        }
        visit_series(in, metrics->others[in->side], visit, arg);
        for (size_t slot = 0; slot < ROTA_METRICS_SLOTS; slot++)
            for (const struct rota_metrics_series *s = atomic_load_explicit(&metrics->slots[slot], memory_order_acquire); s != NULL; s = s->next)
                visit_series(in, s, visit, arg);
    }
}

struct caller {
    void (*on_metric)(void *arg, const struct rota_metric *metric);
    void *arg;
};

static void call_back(void *arg, const struct instrument *instrument, const struct rota_metric *metric)
{
    const struct caller *caller = arg;

    (void)instrument;
    caller->on_metric(caller->arg, metric);
}

void rota_metrics_visit(const struct rota_metrics *metrics, void (*on_metric)(void *arg, const struct rota_metric *metric), void *arg)
{
    struct caller caller = {on_metric, arg};

    visit_all(metrics, call_back, &caller);
}

/* --- Text --- */

struct writer {
    void (*write)(void *arg, const char *text, size_t size);
    void *arg;
    const struct instrument *last; /* whose head has been written */
};

static void put_text(struct writer *w, const char *text)
{
    w->write(w->arg, text, strlen(text));
}

static void label(struct writer *w, const struct rota_metric_label *label)
{
    for (const char *c = label->key; *c != '\0'; c++)
        w->write(w->arg, *c == '.' ? "_" : c, 1);
    put_text(w, "=\"");
    for (const char *c = label->value; *c != '\0'; c++) {
        if (*c == '\n')
            put_text(w, "\\n");
        else if (*c == '"' || *c == '\\')
            w->write(w->arg, (const char[]){'\\', *c}, 2);
        else
            w->write(w->arg, c, 1);
    }
    put_text(w, "\"");
}

/* name + suffix {labels, le} value */
static void sample(struct writer *w, const struct instrument *in, const struct rota_metric *metric, const char *suffix, const char *le, const char *value)
{
    put_text(w, in->prometheus);
    put_text(w, suffix);
    for (size_t i = 0; i < metric->n_labels; i++) {
        put_text(w, i == 0 ? "{" : ",");
        label(w, &metric->labels[i]);
    }
    if (le != NULL)
        label(w, &(struct rota_metric_label){",le", le});
    put_text(w, "} ");
    put_text(w, value);
    put_text(w, "\n");
}

static void head(struct writer *w, const struct instrument *in)
{
    static const char *const types[] = {[ROTA_METRIC_COUNTER] = " counter\n", [ROTA_METRIC_HISTOGRAM] = " histogram\n", [ROTA_METRIC_GAUGE] = " gauge\n"};

    put_text(w, "# HELP ");
    put_text(w, in->prometheus);
    put_text(w, " ");
    put_text(w, in->description);
    put_text(w, "\n# TYPE ");
    put_text(w, in->prometheus);
    put_text(w, types[in->kind]);
}

static void number(char *out, size_t size, int digits, double value)
{
    snprintf(out, size, "%.*g", digits, value);
    rota_text_point(out);
}

static void write_histogram(struct writer *w, const struct instrument *in, const struct rota_metric *metric)
{
    char le[32], value[32];
    uint64_t below = 0;

    for (size_t i = 0; i < metric->n_bounds; i++) {
        below += metric->counts[i];
        number(le, sizeof(le), 12, metric->bounds[i]);
        snprintf(value, sizeof(value), "%llu", (unsigned long long)below);
        sample(w, in, metric, "_bucket", le, value);
    }
    snprintf(value, sizeof(value), "%llu", (unsigned long long)metric->count);
    sample(w, in, metric, "_bucket", "+Inf", value);
    number(le, sizeof(le), 17, metric->sum);
    sample(w, in, metric, "_sum", NULL, le);
    sample(w, in, metric, "_count", NULL, value);
}

static void write_metric(void *arg, const struct instrument *in, const struct rota_metric *metric)
{
    struct writer *w = arg;
    char value[32];

    if (in != w->last)
        head(w, in);
    w->last = in;
    if (metric->kind == ROTA_METRIC_HISTOGRAM) {
        write_histogram(w, in, metric);
        return;
    }
    snprintf(value, sizeof(value), "%llu", (unsigned long long)metric->count);
    sample(w, in, metric, "", NULL, value);
}

void rota_metrics_write_text(const struct rota_metrics *metrics, void (*write)(void *arg, const char *text, size_t size), void *arg)
{
    struct writer w = {.write = write, .arg = arg};
    uint64_t n_lost = atomic_load_explicit(&metrics->n_lost, memory_order_relaxed);
    char line[256];

    visit_all(metrics, write_metric, &w);
    if (n_lost == 0)
        return;
    snprintf(line, sizeof(line),
        "# HELP rota_metrics_lost_calls_total Calls ended that there was no memory to count\n"
        "# TYPE rota_metrics_lost_calls_total counter\nrota_metrics_lost_calls_total %llu\n",
        (unsigned long long)n_lost);
    put_text(&w, line);
}
