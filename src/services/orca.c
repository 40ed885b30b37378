/* orca.c - load reports of a server: in the trailers of its calls, and out of band to those who stream them (contract in rota/orca.h).
 *
 * Vocabulary: a sample is what was measured between two looks at the process's clock, at least SAMPLE_NS apart; it holds until the next.
 * Looks are taken only when a report is made, so a server that nobody asks measures nothing.
 * A reader of reports that does not read is passed over until it does; each of its reports is the newest when it is made.
 * Invariant: a stream is in `streams` until its call is finished, and its timer is set.
 * Source: gRFC A51; xds/service/orca/v3/orca.proto in cncf/xds.
 */
#include <rota/orca.h>

#include "base/alloc.h"
#include "base/log.h"
#include "base/options.h"
#include "server/server.h"
#include "services/load_values.h"
#include <xds/service/orca/v3/orca.rota.h>

#define NS_PER_MS INT64_C(1000000)
#define NS_PER_S INT64_C(1000000000)
#define SAMPLE_NS NS_PER_S
#define DEFAULT_MIN_INTERVAL_MS 30000
#define DEFAULT_MAX_STREAMS 10000
#define MAX_INTERVAL_S (INT64_C(366) * 24 * 3600)
#define TRAILER ROTA_SLICE("endpoint-load-metrics-bin")

struct sample {
    int64_t at_ns, cpu_ns; /* of the last look */
    uint64_t n_calls, n_errors; /* since then */
    bool taken;
    double cpu, calls_per_s, errors_per_s;
};

struct rota_orca {
    struct rota_server_companion companion;
    struct rota_server_reporter reporter;
    struct rota_server *server;
    struct rota_method method;
    struct rota_handler handler;
    struct rota_service service;
    struct rota_orca_options options; /* defaults filled in */
    struct rota_load_values values;
    struct sample sample;
    struct rota_buffer report; /* the last one packed */
    bool fresh;                /* it is what the server has to say, without any call's part */
    struct rota_link streams;  /* struct stream */
    uint32_t n_streams;
};

struct stream {
    struct rota_link link;
    struct rota_orca *orca;
    struct rota_server_call *call;
    struct rota_host_timer timer;
    int64_t interval_ns;
};

static struct rota_host *host_of(const struct rota_orca *orca)
{
    return orca->server->parts.host;
}

/* --- Measuring --- */

static void look(struct rota_orca *orca)
{
    struct rota_host *host = host_of(orca);
    struct sample *sample = &orca->sample;
    int64_t cpu_ns, past_ns = host->now_ns - sample->at_ns;
    double past_s = (double)past_ns / (double)NS_PER_S;

    if (!orca->options.measure || past_ns < SAMPLE_NS)
        return;
    cpu_ns = host->cpu_clock(host);
    *sample = (struct sample){
        .at_ns = host->now_ns,
        .cpu_ns = cpu_ns,
        .taken = true,
        .cpu = (double)(cpu_ns - sample->cpu_ns) / (double)past_ns / orca->options.cores,
        .calls_per_s = (double)sample->n_calls / past_s,
        .errors_per_s = (double)sample->n_errors / past_s,
    };
    orca->fresh = false;
}

static rota_err pack_sample(struct rota_orca *orca, const struct rota_load_values *of_call)
{
    const struct {
        struct rota_orca_metric metric;
        double value;
    } measured[] = {
        {{.field = ROTA_ORCA_CPU}, orca->sample.cpu},
        {{.field = ROTA_ORCA_RPS}, orca->sample.calls_per_s},
        {{.field = ROTA_ORCA_EPS}, orca->sample.errors_per_s},
    };
    rota_err err = 0;

    for (size_t i = 0; i < sizeof(measured) / sizeof(measured[0]) && err == 0 && orca->sample.taken; i++)
        if (measured[i].value > 0 && !rota_load_values_have(&orca->values, measured[i].metric) &&
            (of_call == NULL || !rota_load_values_have(of_call, measured[i].metric)))
            err = rota_load_value_pack(measured[i].metric, measured[i].value, &orca->report);
    return err;
}

/* --- Making a report --- */

/* of_call: NULL, or what goes before the server's own. alone: without the server's own. Empty: nothing to say, or no memory. */
static struct rota_slice make_report(struct rota_orca *orca, const struct rota_load_values *of_call, bool alone)
{
    rota_err err = 0;

    look(orca);
    if (orca->fresh && of_call == NULL)
        return rota_buffer_peek(&orca->report);
    rota_buffer_clear(&orca->report);
    if (!alone) {
        err = pack_sample(orca, of_call);
        if (err == 0)
            err = rota_load_values_pack(&orca->values, of_call, &orca->report);
    }
    if (err == 0 && of_call != NULL)
        err = rota_load_values_pack(of_call, NULL, &orca->report);
    orca->fresh = err == 0 && of_call == NULL;
    return err < 0 ? (struct rota_slice){0} : rota_buffer_peek(&orca->report);
}

static void on_answer(struct rota_server_reporter *reporter, struct rota_server_call *call, const struct rota_status *status)
{
    struct rota_orca *orca = ROTA_CONTAINER(reporter, struct rota_orca, reporter);
    struct rota_metadata *trailing;
    struct rota_slice report;

    orca->sample.n_calls++;
    orca->sample.n_errors += status->code != ROTA_OK;
    if (orca->options.no_trailers && call->load == NULL)
        return;
    report = make_report(orca, call->load, orca->options.no_trailers);
    if (report.size == 0)
        return;
    trailing = rota_server_call_trailing_metadata(call);
    if (trailing == NULL || rota_metadata_add(trailing, TRAILER, report, NULL) < 0)
        rota_log_write(orca->server->log, ROTA_LOG_WARN, "services", "a call is answered without its load report: out of memory");
}

/* --- Streams of reports --- */

static void free_stream(struct stream *stream)
{
    struct rota_orca *orca = stream->orca;

    rota_host_timer_clear(host_of(orca), &stream->timer);
    rota_list_remove(&stream->link);
    orca->n_streams--;
    rota_alloc_free(orca->server->alloc, stream);
}

static void end_stream(struct stream *stream, enum rota_code code, const char *why)
{
    struct rota_server_call *call = stream->call;

    free_stream(stream);
    rota_server_call_fail(call, code, "%s", why);
}

/* May free the stream. */
static void send_report(struct stream *stream)
{
    struct rota_slice report;
    rota_err err;

    if (rota_server_call_queued(stream->call) > 0)
        return;
    report = make_report(stream->orca, NULL, false);
    err = rota_server_call_send(stream->call, &report);
    /* A client that is gone is told of by the cancelling that follows; for want of memory the next report will do. */
    if (err == ROTA_ELIMIT)
        end_stream(stream, ROTA_RESOURCE_EXHAUSTED,
                   "report not sent: its header fields are larger than the client takes, or it is larger than max_reply_bytes");
}

static void on_time(struct rota_host_timer *timer, int64_t now_ns)
{
    struct stream *stream = ROTA_CONTAINER(timer, struct stream, timer);

    (void)rota_host_timer_set(host_of(stream->orca), timer, now_ns + stream->interval_ns); /* it has just left the heap, so there is room */
    send_report(stream);
}

static int64_t interval_of(const struct rota_orca *orca, const Xds__Service__Orca__V3__OrcaLoadReportRequest *request)
{
    const Xds__Service__Orca__V3__OrcaLoadReportRequest__Interval *asked = request->report_interval;
    int64_t least_ns = orca->options.min_interval_ms * NS_PER_MS, asked_ns;

    if (asked == NULL || asked->seconds < 0 || asked->nanos < 0)
        return least_ns;
    asked_ns = (asked->seconds > MAX_INTERVAL_S ? MAX_INTERVAL_S : asked->seconds) * NS_PER_S + asked->nanos;
    return asked_ns < least_ns ? least_ns : asked_ns;
}

static void on_request(struct rota_server_call *call, const void *message, const void *handlers, void *user)
{
    struct rota_orca *orca = user;
    struct rota_server *server = orca->server;
    struct stream *stream;

    (void)handlers;
    if (server->draining) {
        rota_server_call_fail(call, ROTA_UNAVAILABLE, "the server is draining");
        return;
    }
    if (orca->n_streams >= orca->options.max_streams) {
        rota_server_call_fail(call, ROTA_RESOURCE_EXHAUSTED, "%u streams of reports are open, which is the limit", orca->n_streams);
        return;
    }
    stream = rota_alloc_zero(server->alloc, 1, sizeof(*stream));
    if (stream == NULL) {
        rota_server_call_fail(call, ROTA_RESOURCE_EXHAUSTED, "server out of memory");
        return;
    }
    stream->orca = orca;
    stream->call = call;
    stream->interval_ns = interval_of(orca, message);
    stream->timer.fire = on_time;
    rota_list_append(&orca->streams, &stream->link);
    orca->n_streams++;
    if (rota_host_timer_set(host_of(orca), &stream->timer, host_of(orca)->now_ns + stream->interval_ns) < 0) {
        end_stream(stream, ROTA_RESOURCE_EXHAUSTED, "server out of memory");
        return;
    }
    rota_server_call_set_data(call, stream);
    send_report(stream);
}

static void on_cancel(struct rota_server_call *call, const void *handlers, void *user)
{
    (void)handlers, (void)user;
    if (rota_server_call_data(call) != NULL)
        free_stream(rota_server_call_data(call));
    rota_server_call_finish(call, NULL);
}

static void on_drain(struct rota_server_companion *companion)
{
    struct rota_orca *orca = ROTA_CONTAINER(companion, struct rota_orca, companion);

    while (!rota_list_empty(&orca->streams))
        end_stream(ROTA_CONTAINER(orca->streams.next, struct stream, link), ROTA_UNAVAILABLE, "the server is draining");
}

/* --- Making and setting --- */

static void free_orca(struct rota_server_companion *companion)
{
    struct rota_orca *orca = ROTA_CONTAINER(companion, struct rota_orca, companion);
    const struct rota_alloc *alloc = orca->server->alloc;

    rota_load_values_clear(&orca->values, alloc, NULL);
    rota_buffer_fini(&orca->report);
    rota_alloc_free(alloc, orca);
}

static rota_err read_options(struct rota_orca *orca, const struct rota_orca_options *given)
{
    struct rota_orca_options options = ROTA_ORCA_OPTIONS_INIT;

    if (rota_options_take(&options, sizeof(options), given, "ROTA_ORCA_OPTIONS_INIT", NULL) < 0)
        return ROTA_EINVAL;
    if (options.min_interval_ms < 0 || options.min_interval_ms > MAX_INTERVAL_S * 1000 || !(options.cores >= 0))
        return ROTA_EINVAL;
    options.min_interval_ms = options.min_interval_ms == 0 ? DEFAULT_MIN_INTERVAL_MS : options.min_interval_ms;
    options.max_streams = options.max_streams == 0 ? DEFAULT_MAX_STREAMS : options.max_streams;
    options.cores = options.cores == 0 ? host_of(orca)->n_cpus : options.cores;
    orca->options = options;
    return 0;
}

/* The generated table's service, but for the replies, which come packed. */
static void fill_service(struct rota_orca *orca)
{
    orca->method = xds_service_orca_v3_open_rca_service_stream_core_metrics_method;
    orca->method.reply = (struct rota_message_type){.codec = &rota_codec_bytes};
    orca->handler = (struct rota_handler){.method = &orca->method, .on_message = on_request, .on_cancel = on_cancel};
    orca->service = xds_service_orca_v3_open_rca_service_service;
    orca->service.handlers = &orca->handler;
}

rota_err rota_orca_add(struct rota_server *server, const struct rota_orca_options *options, struct rota_orca **ret_orca)
{
    struct rota_orca *orca = rota_alloc_zero(server->alloc, 1, sizeof(*orca));
    rota_err err;

    if (orca == NULL)
        return ROTA_ENOMEM;
    orca->companion = (struct rota_server_companion){.on_drain = on_drain, .free = free_orca};
    orca->reporter.on_answer = on_answer;
    orca->server = server;
    rota_list_init(&orca->streams);
    rota_buffer_init(&orca->report, server->alloc, 0);
    err = read_options(orca, options);
    fill_service(orca);
    if (err == 0)
        err = rota_server_add(server, &orca->service, NULL, orca);
    if (err < 0) {
        free_orca(&orca->companion);
        return err;
    }
    rota_host_enter(host_of(orca));
    orca->sample = (struct sample){.at_ns = host_of(orca)->now_ns, .cpu_ns = host_of(orca)->cpu_clock(host_of(orca))};
    server->reporter = &orca->reporter;
    rota_server_keep(server, &orca->companion);
    if (ret_orca != NULL)
        *ret_orca = orca;
    return 0;
}

rota_err rota_orca_set(struct rota_orca *orca, const char *metric, double value)
{
    orca->fresh = false;
    return rota_load_values_set(&orca->values, orca->server->alloc, metric, value);
}

void rota_orca_clear(struct rota_orca *orca, const char *metric)
{
    orca->fresh = false;
    rota_load_values_clear(&orca->values, orca->server->alloc, metric);
}

rota_err rota_server_call_report(struct rota_server_call *call, const char *metric, double value)
{
    if (call->server->reporter == NULL)
        return ROTA_ESTATE;
    if (call->load == NULL)
        call->load = rota_arena_zero(&call->arena, 1, sizeof(struct rota_load_values));
    return call->load == NULL ? ROTA_ENOMEM : rota_load_values_set(call->load, &call->arena.as_alloc, metric, value);
}
