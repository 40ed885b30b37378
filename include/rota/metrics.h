/* rota/metrics.h - counters and histograms of calls, by method and status, with OpenTelemetry's names for gRPC.
 *
 *     struct rota_server_interceptor interceptors[] = {{&rota_metrics_server, metrics}, {NULL, NULL}};
 *
 * | instrument | kind, unit | labels |
 * | grpc.client.call.duration | histogram, s | grpc.method, grpc.target, grpc.status |
 * | grpc.client.attempt.started | counter, {attempt} | grpc.method, grpc.target |
 * | grpc.client.attempt.sent_total_compressed_message_size, .rcvd_... | histogram, By | grpc.method, grpc.target, grpc.status |
 * | grpc.subchannel.connection_attempts_succeeded, ..._failed | counter, {attempt} | grpc.target |
 * | grpc.subchannel.disconnections | counter, {disconnection} | grpc.target |
 * | grpc.subchannel.open_connections | gauge, {connection} | grpc.target |
 * | grpc.lb.wrr.rr_fallback | counter, {update} | grpc.target |
 * | grpc.lb.wrr.endpoint_weight_not_yet_usable, ..._stale | counter, {endpoint} | grpc.target |
 * | grpc.lb.wrr.endpoint_weights | histogram, {weight} | grpc.target |
 * | grpc.server.call.started | counter, {call} | grpc.method |
 * | grpc.server.call.duration | histogram, s | grpc.method, grpc.status |
 * | grpc.server.call.sent_total_compressed_message_size, .rcvd_... | histogram, By | grpc.method, grpc.status |
 * A call's attempts are counted when it ends, and its sizes are those of the call, not of each attempt. grpc.method is "package.Service/Method",
 * or "other" for methods that a server does not have.
 * Threading: one sink serves any number of loops and may be read from any thread; it has no locks, so what is read while calls end may
 * be a call apart from one number to the next. Ownership: it must outlive the channels and servers that it is given to.
 * Source: gRFCs A66, A78 and A94.
 */
#ifndef ROTA_METRICS_H
#define ROTA_METRICS_H

#include <rota/interceptor.h>

ROTA_BEGIN_DECLS

struct rota_metrics;

struct rota_metrics_options {
    size_t size;                    /* set by ROTA_METRICS_OPTIONS_INIT */
    const struct rota_alloc *alloc; /* used from all those loops' threads; default: malloc */
    uint32_t max_methods;           /* of all targets together; further ones are "other", with the target "other"; default 1000 */
};
#define ROTA_METRICS_OPTIONS_INIT ROTA_SIZED(struct rota_metrics_options)

/* options NULL: defaults. ROTA_EINVAL (options.size is 0), ROTA_ENOMEM. */
ROTA_API ROTA_MUST_USE rota_err rota_metrics_new(const struct rota_metrics_options *options, struct rota_metrics **ret_metrics);
ROTA_API void rota_metrics_free(struct rota_metrics *metrics); /* NULL is fine */

/* arg: a struct rota_metrics. */
ROTA_API extern const struct rota_client_interceptor_class rota_metrics_client;
ROTA_API extern const struct rota_server_interceptor_class rota_metrics_server;

enum rota_metric_kind {
    ROTA_METRIC_COUNTER,
    ROTA_METRIC_HISTOGRAM,
    ROTA_METRIC_GAUGE, /* a count that goes up and down */
};

struct rota_metric_label {
    const char *key, *value;
};

/* One instrument under one set of labels. */
struct rota_metric {
    const char *name, *unit, *description;
    enum rota_metric_kind kind;
    const struct rota_metric_label *labels;
    size_t n_labels;
    uint64_t count;         /* the counter's or gauge's value, or how many values the histogram has seen */
    double sum;             /* of those values */
    const double *bounds;   /* ascending; bucket i has the values up to bounds[i] that are in none before it */
    const uint64_t *counts; /* n_bounds + 1, the last those above all bounds */
    size_t n_bounds;
};

/* A snapshot: each metric that has something to show, instrument by instrument; valid during the callback. */
ROTA_API void rota_metrics_visit(const struct rota_metrics *metrics, void (*on_metric)(void *arg, const struct rota_metric *metric), void *arg);

/* The snapshot in Prometheus's text format 0.0.4, in pieces. Names have underscores for dots, and their unit or "_total" at the end. */
ROTA_API void rota_metrics_write_text(const struct rota_metrics *metrics, void (*write)(void *arg, const char *text, size_t size), void *arg);

ROTA_END_DECLS
#endif
