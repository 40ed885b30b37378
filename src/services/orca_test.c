/* orca_test.c - what load reports of a server say and when they go, in virtual time: a rule a row. Source: gRFC A51. */
#include <rota/orca.h>

#include "base/assert.h"
#include "server/server.h"
#include "testing/cmocka.h"
#include "testing/fake_acceptor.h"
#include "testing/leak_alloc.h"
#include "wire/metadata.h"
#include <math.h>
#include <rota/load.h>
#include <stdio.h>
#include <stdlib.h>

#define STREAM "/xds.service.orca.v3.OpenRcaService/StreamCoreMetrics"
#define S (1000 * ROTA_MS)
#define TOO_LARGE "RESOURCE_EXHAUSTED report not sent: its header fields are larger than the client takes, or it is larger than max_reply_bytes"

/* --- A server with a method that reports what its request says --- */

struct fixture {
    struct rota_leak_alloc alloc;
    struct rota_virtual_host v;
    struct rota_fake_acceptor acceptor;
    struct rota_server *server;
    struct rota_orca *orca;
    struct rota_fake_asker *asker;
};

/* "metric=value metric=value", by `set`; all must be fine. */
static void set_all(const char *text, void *arg, rota_err (*set)(void *arg, const char *metric, double value))
{
    char copy[256], *rest = copy, *word;

    snprintf(copy, sizeof(copy), "%s", text);
    while ((word = strtok_r(rest, " ", &rest)) != NULL) {
        char *equals = strchr(word, '=');
        *equals = '\0';
        assert_int_equal(set(arg, word, strtod(equals + 1, NULL)), 0);
    }
}

static rota_err set_call(void *arg, const char *metric, double value)
{
    return rota_server_call_report(arg, metric, value);
}

static rota_err set_server(void *arg, const char *metric, double value)
{
    return rota_orca_set(arg, metric, value);
}

static void on_message(struct rota_server_call *call, const void *message, const void *handlers, void *user)
{
    const struct rota_slice *bytes = message;
    char text[256];

    (void)handlers, (void)user;
    snprintf(text, sizeof(text), "%.*s", (int)bytes->size, (const char *)bytes->data);
    if (strcmp(text, "fail") == 0) {
        rota_server_call_fail(call, ROTA_INTERNAL, "as asked");
        return;
    }
    set_all(text, call, set_call);
    rota_server_call_reply(call, bytes);
}

static const struct rota_method method = {.path = "/t.S/Do", .request = {&rota_codec_bytes, NULL}, .reply = {&rota_codec_bytes, NULL}};
static const struct rota_handler handler = {.method = &method, .on_message = on_message};
static const struct rota_service service = {.name = "t.S", .handlers = &handler, .n_handlers = 1};

static void init(struct fixture *f, const struct rota_orca_options *options)
{
    struct rota_server_options server_options = ROTA_SERVER_OPTIONS_INIT;
    struct rota_server_parts parts = {.host = &f->v.host, .acceptor = &f->acceptor.acceptor};
    struct rota_errinfo info;

    memset(f, 0, sizeof(*f));
    rota_leak_alloc_init(&f->alloc);
    rota_virtual_host_init(&f->v, &f->alloc.alloc, 1);
    rota_fake_acceptor_init(&f->acceptor, &f->v, NULL);
    assert_int_equal(rota_server_make(&server_options, &parts, &f->server, &info), 0);
    assert_int_equal(rota_server_add(f->server, &service, NULL, f), 0);
    assert_int_equal(rota_orca_add(f->server, options, &f->orca), 0);
    assert_int_equal(rota_server_listen(f->server, "127.0.0.1:1", NULL, &info), 0);
    f->asker = rota_fake_connect(&f->acceptor);
}

static void fini(struct fixture *f)
{
    rota_server_shut(f->server, NULL, NULL);
    rota_virtual_host_run(&f->v);
    rota_fake_acceptor_fini(&f->acceptor);
    rota_virtual_host_fini(&f->v);
    rota_leak_alloc_fini(&f->alloc);
}

/* --- Reports as text --- */

static const char *text_of(const struct rota_load_report *report)
{
    static const char *const metrics[] = {
        "cpu_utilization", "mem_utilization", "application_utilization", "rps_fractional", "eps", "utilization.a", "request_cost.a", "named_metrics.a",
        "named_metrics.b", "named_metrics.",
    };
    static char text[512];
    size_t size = 0;

    text[0] = '\0';
    for (size_t i = 0; i < ROTA_COUNT(metrics); i++) {
        double value;
        if (rota_load_report_get(report, metrics[i], &value))
            size += (size_t)snprintf(text + size, sizeof(text) - size, "%s%s=%g", size == 0 ? "" : " ", metrics[i], value);
    }
    return text;
}

/* "none": there is no report. */
static const char *trailer_of(const struct rota_fake_ask *ask)
{
    const char *value = rota_fake_answer_header(ask, "endpoint-load-metrics-bin");
    struct rota_load_report report;
    struct rota_metadata *trailers;
    const char *text;

    if (value == NULL)
        return "none";
    assert_int_equal(rota_metadata_new(NULL, &trailers), 0);
    assert_int_equal(rota_metadata_add_received(trailers, ROTA_SLICE("endpoint-load-metrics-bin"), rota_slice_str(value), 0), 0);
    assert_true(rota_load_report_of(trailers, &report));
    text = text_of(&report);
    rota_metadata_free(trailers);
    return text;
}

static const char *call(struct fixture *f, const char *request)
{
    struct rota_fake_ask *ask = rota_fake_ask(f->asker, "/t.S/Do", NULL, NULL);

    rota_fake_ask_message(ask, request);
    rota_fake_ask_end(ask);
    assert_string_not_equal(rota_fake_answer_status(ask), "open");
    return trailer_of(ask);
}

/* The n-th report on a stream. */
static const char *report_of(const struct rota_fake_ask *ask, size_t n)
{
    struct rota_slice rest = rota_buffer_peek(&ask->data);
    struct rota_load_report report;

    for (;; n--) {
        size_t size = (size_t)rest.data[3] << 8 | rest.data[4];
        assert_true(rest.size >= 5 + size);
        if (n == 0) {
            assert_true(rota_load_report_read(rota_slice(rest.data + 5, size), &report));
            return text_of(&report);
        }
        rest = rota_slice(rest.data + 5 + size, rest.size - 5 - size);
    }
}

static struct rota_fake_ask *stream(struct fixture *f, struct rota_slice request)
{
    struct rota_fake_ask *ask = rota_fake_ask(f->asker, STREAM, NULL, NULL);
    uint8_t frame[64] = {0, 0, 0, 0, (uint8_t)request.size};

    memcpy(frame + 5, request.data, request.size);
    rota_fake_ask_data(ask, rota_slice(frame, 5 + request.size));
    rota_fake_ask_end(ask);
    return ask;
}

/* --- Trailers --- */

static const struct {
    const char *rule, *server, *request, *trailer;
    bool no_trailers;
} trailers[] = {
    {"nothing set, nothing sent", "", "", "none", false},
    {"what the handler has set", "", "cpu_utilization=0.5 request_cost.a=7", "cpu_utilization=0.5 request_cost.a=7", false},
    {"what the server has set, in every call", "named_metrics.a=-2.5", "", "named_metrics.a=-2.5", false},
    {"both, merged", "mem_utilization=0.25 named_metrics.a=1", "named_metrics.b=2 eps=3", "mem_utilization=0.25 eps=3 named_metrics.a=1 named_metrics.b=2", false},
    {"the call's goes before the server's", "cpu_utilization=1 utilization.a=1", "utilization.a=0.5 cpu_utilization=2", "cpu_utilization=2 utilization.a=0.5", false},
    {"the last of one metric counts", "eps=1 eps=2", "rps_fractional=5 rps_fractional=6", "rps_fractional=6 eps=2", false},
    {"maps of one key are told apart", "utilization.a=0.5 named_metrics.a=3", "request_cost.a=4", "utilization.a=0.5 request_cost.a=4 named_metrics.a=3", false},
    {"utilization beyond 1", "application_utilization=3", "cpu_utilization=4", "cpu_utilization=4 application_utilization=3", false},
    {"an empty key", "named_metrics.=1", "", "named_metrics.=1", false},
    {"no_trailers: not the server's", "cpu_utilization=0.5", "", "none", true},
    {"no_trailers: but the call's", "cpu_utilization=0.5", "eps=2", "eps=2", true},
    {"a failed call too", "cpu_utilization=0.5", "fail", "cpu_utilization=0.5", false},
};

static void trailers_have_reports(void **unused)
{
    (void)unused;
    for (size_t i = 0; i < ROTA_COUNT(trailers); i++) {
        struct rota_orca_options options = ROTA_ORCA_OPTIONS_INIT;
        struct fixture f;
        print_message("  %s\n", trailers[i].rule);
        options.no_trailers = trailers[i].no_trailers;
        init(&f, &options);
        set_all(trailers[i].server, f.orca, set_server);
        for (int twice = 0; twice < 2; twice++)
            assert_string_equal(call(&f, trailers[i].request), trailers[i].trailer);
        rota_orca_clear(f.orca, NULL);
        assert_string_equal(call(&f, ""), "none"); /* a call's own values are its own */
        fini(&f);
    }
}

static const struct {
    const char *rule, *metric;
    double value;
    rota_err err;
} values[] = {
    {"a metric of another name", "cpu", 1, ROTA_EINVAL},
    {"a scalar with a key", "eps.x", 1, ROTA_EINVAL},
    {"a map without one", "utilization", 1, ROTA_EINVAL},
    {"below zero", "cpu_utilization", -0.1, ROTA_EINVAL},
    {"memory beyond 1", "mem_utilization", 1.1, ROTA_EINVAL},
    {"a utilization beyond 1", "utilization.a", 1.1, ROTA_EINVAL},
    {"not a number", "application_utilization", NAN, ROTA_EINVAL},
    {"infinite", "named_metrics.a", INFINITY, ROTA_EINVAL},
    {"a key that is no UTF-8", "named_metrics.\xFF", 1, ROTA_EINVAL},
    {"0 is a value", "eps", 0, 0},
    {"a cost below zero is the program's business", "request_cost.a", -1, 0},
};

static void values_are_checked(void **unused)
{
    struct fixture f;
    char metric[260] = "named_metrics.";

    (void)unused;
    init(&f, NULL);
    for (size_t i = 0; i < ROTA_COUNT(values); i++) {
        print_message("  %s\n", values[i].rule);
        assert_int_equal(rota_orca_set(f.orca, values[i].metric, values[i].value), values[i].err);
    }
    rota_orca_clear(f.orca, "request_cost.a");
    rota_orca_clear(f.orca, "never.set");
    assert_string_equal(call(&f, ""), "eps=0");
    rota_orca_clear(f.orca, NULL);
    for (int i = 0; i < 65; i++) {
        snprintf(metric, sizeof(metric), "named_metrics.%d", i);
        assert_int_equal(rota_orca_set(f.orca, metric, i), i < 64 ? 0 : ROTA_ELIMIT);
    }
    assert_int_equal(rota_orca_set(f.orca, "named_metrics.63", 1), 0);
    rota_orca_clear(f.orca, "named_metrics.0");
    memset(metric + 14, 'k', 201);
    metric[14 + 201] = '\0';
    assert_int_equal(rota_orca_set(f.orca, metric, 1), ROTA_ELIMIT);
    metric[14 + 200] = '\0';
    assert_int_equal(rota_orca_set(f.orca, metric, 1), 0);
    fini(&f);
}

/* --- Measured --- */

static void measures_at_most_once_a_second(void **unused)
{
    struct rota_orca_options options = ROTA_ORCA_OPTIONS_INIT;
    struct fixture f;

    (void)unused;
    options.measure = true;
    options.cores = 2;
    init(&f, &options);
    assert_string_equal(call(&f, ""), "none"); /* there is nothing yet to compare with */
    for (int i = 0; i < 8; i++)
        call(&f, i < 5 ? "fail" : "");
    rota_virtual_host_advance(&f.v, 2 * S);
    f.v.cpu_ns += S;
    /* One second of two processors' two: a quarter; ten calls, five of them failed, in two seconds. */
    assert_string_equal(call(&f, ""), "cpu_utilization=0.25 rps_fractional=5 eps=2.5");
    f.v.cpu_ns += S;
    rota_virtual_host_advance(&f.v, S - 1);
    assert_string_equal(call(&f, ""), "cpu_utilization=0.25 rps_fractional=5 eps=2.5");
    rota_virtual_host_advance(&f.v, 1);
    assert_string_equal(call(&f, ""), "cpu_utilization=0.5 rps_fractional=2");
    set_all("cpu_utilization=0.75", f.orca, set_server);
    assert_string_equal(call(&f, "rps_fractional=9"), "cpu_utilization=0.75 rps_fractional=9");
    rota_orca_clear(f.orca, "cpu_utilization");
    assert_string_equal(call(&f, ""), "cpu_utilization=0.5 rps_fractional=2");
    fini(&f);
}

/* --- Out of band --- */

static const struct {
    const char *rule;
    int64_t min_ms;
    struct rota_slice request;
    int64_t period_ms;
} intervals[] = {
    {"30 s unless the server says otherwise, whatever is asked", 0, ROTA_SLICE("\x0A\x02\x08\x01"), 30000},
    {"longer ones as asked", 0, ROTA_SLICE("\x0A\x02\x08\x3C"), 60000},
    {"nothing asked: the minimum", 0, ROTA_SLICE(""), 30000},
    {"a lower minimum", 100, ROTA_SLICE("\x0A\x02\x08\x01"), 1000},
    {"with nanoseconds", 100, ROTA_SLICE("\x0A\x08\x08\x01\x10\x80\xCA\xB5\xEE\x01"), 1500},
    {"below the lower minimum", 100, ROTA_SLICE("\x0A\x02\x10\x01"), 100},
    {"a negative one", 100, ROTA_SLICE("\x0A\x0B\x08\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\x01"), 100},
};

static void reports_come_each_interval(void **unused)
{
    (void)unused;
    for (size_t i = 0; i < ROTA_COUNT(intervals); i++) {
        struct rota_orca_options options = ROTA_ORCA_OPTIONS_INIT;
        struct rota_fake_ask *ask;
        struct fixture f;
        print_message("  %s\n", intervals[i].rule);
        options.min_interval_ms = intervals[i].min_ms;
        init(&f, &options);
        set_all("cpu_utilization=0.5", f.orca, set_server);
        ask = stream(&f, intervals[i].request);
        assert_int_equal(ask->n_sends, 1); /* at once */
        assert_string_equal(report_of(ask, 0), "cpu_utilization=0.5");
        for (size_t n = 1; n < 4; n++) {
            set_all(n == 1 ? "eps=1" : "eps=2", f.orca, set_server);
            rota_virtual_host_advance(&f.v, intervals[i].period_ms * ROTA_MS - 1);
            assert_int_equal(ask->n_sends, n);
            rota_virtual_host_advance(&f.v, 1);
            assert_int_equal(ask->n_sends, n + 1);
            assert_string_equal(report_of(ask, n), n == 1 ? "cpu_utilization=0.5 eps=1" : "cpu_utilization=0.5 eps=2");
        }
        rota_fake_ask_cancel(ask);
        rota_virtual_host_advance(&f.v, 100 * S);
        fini(&f);
    }
}

static void streams_are_bounded(void **unused)
{
    struct rota_orca_options options = ROTA_ORCA_OPTIONS_INIT;
    struct rota_fake_ask *first, *second;
    struct fixture f;

    (void)unused;
    options.max_streams = 1;
    init(&f, &options);
    first = stream(&f, ROTA_SLICE(""));
    second = stream(&f, ROTA_SLICE(""));
    assert_string_equal(rota_fake_answer_status(second), "RESOURCE_EXHAUSTED 1 streams of reports are open, which is the limit");
    rota_fake_ask_cancel(first);
    first = stream(&f, ROTA_SLICE(""));
    assert_int_equal(first->n_sends, 1);
    first->queued = 10; /* a reader that does not read is sent nothing more */
    rota_virtual_host_advance(&f.v, 120 * S);
    assert_int_equal(first->n_sends, 1);
    rota_fake_ask_writable(first);
    rota_virtual_host_advance(&f.v, 30 * S);
    assert_int_equal(first->n_sends, 2);
    rota_server_drain(f.server, 1000, NULL, NULL);
    rota_virtual_host_run(&f.v);
    assert_string_equal(rota_fake_answer_status(first), "UNAVAILABLE the server is draining");
    fini(&f);
}

static const struct {
    const char *rule;
    size_t max_fields, max_reply_bytes; /* 0: whatever comes */
    bool later;                         /* the first report is small */
    const char *status;
} refusals[] = {
    {"header fields larger than the client takes: nor does it take a status", 1, 0, false, "reset 2"},
    {"a report larger than the server may send", 0, 1, false, TOO_LARGE},
    {"the second report, which is", 0, 1, true, TOO_LARGE},
};

static void a_report_that_is_too_large_ends_its_stream(void **unused)
{
    (void)unused;
    for (size_t i = 0; i < ROTA_COUNT(refusals); i++) {
        struct rota_fake_ask *ask;
        struct fixture f;
        print_message("  %s\n", refusals[i].rule);
        init(&f, NULL);
        set_all(refusals[i].later ? "" : "eps=1", f.orca, set_server);
        f.acceptor.max_fields = refusals[i].max_fields;
        if (refusals[i].max_reply_bytes > 0)
            f.server->options.max_reply_bytes = refusals[i].max_reply_bytes;
        ask = stream(&f, ROTA_SLICE(""));
        assert_string_equal(rota_fake_answer_status(ask), refusals[i].later ? "open" : refusals[i].status);
        set_all("eps=1", f.orca, set_server);
        rota_virtual_host_advance(&f.v, 31 * S);
        assert_string_equal(rota_fake_answer_status(ask), refusals[i].status);
        (void)rota_fake_connect(&f.acceptor); /* an event, after which the stream closes if it was answered */
        assert_int_equal(rota_server_stats(f.server).calls_open, 0);
        assert_true(rota_host_next_ns(&f.v.host) == INT64_MAX);
        fini(&f);
    }
}

static void is_added_once(void **unused)
{
    struct rota_orca_options options = ROTA_ORCA_OPTIONS_INIT;
    struct fixture f;

    (void)unused;
    init(&f, NULL);
    assert_int_equal(rota_orca_add(f.server, NULL, NULL), ROTA_EEXIST);
    assert_string_equal(call(&f, "eps=1"), "eps=1");
    options.min_interval_ms = -1;
    assert_int_equal(rota_orca_add(f.server, &options, NULL), ROTA_EINVAL);
    options.min_interval_ms = 0;
    options.cores = NAN;
    assert_int_equal(rota_orca_add(f.server, &options, NULL), ROTA_EINVAL);
    fini(&f);
}

/* --- Memory --- */

static rota_err live(const struct rota_alloc *alloc, void *ctx)
{
    struct rota_server_options server_options = ROTA_SERVER_OPTIONS_INIT;
    struct rota_fake_acceptor acceptor;
    struct rota_virtual_host v;
    struct rota_server_parts parts = {.host = &v.host, .acceptor = &acceptor.acceptor};
    struct fixture f = {0};
    rota_err err;

    (void)ctx;
    server_options.alloc = alloc;
    rota_virtual_host_init(&v, NULL, 1);
    rota_fake_acceptor_init(&acceptor, &v, NULL);
    err = rota_server_make(&server_options, &parts, &f.server, NULL);
    if (err == 0) {
        err = rota_server_add(f.server, &service, NULL, NULL);
        if (err == 0)
            err = rota_orca_add(f.server, NULL, &f.orca);
        if (err == 0)
            err = rota_orca_set(f.orca, "named_metrics.a", 1);
        if (err == 0)
            err = rota_server_listen(f.server, "127.0.0.1:1", NULL, NULL);
        if (err == 0) {
            struct rota_fake_ask *ask;
            f.asker = rota_fake_connect(&acceptor);
            if (f.asker->events != NULL) {
                ask = stream(&f, ROTA_SLICE(""));
                rota_virtual_host_advance(&v, 31 * S);
                err = !ask->dead && ask->n_sends == 2 ? 0 : ROTA_ENOMEM;
                if (strcmp(call(&f, ""), "named_metrics.a=1") != 0)
                    err = ROTA_ENOMEM;
            }
        }
        rota_server_shut(f.server, NULL, NULL);
        rota_virtual_host_run(&v);
    }
    rota_fake_acceptor_fini(&acceptor);
    rota_virtual_host_fini(&v);
    return err;
}

static void out_of_memory_is_survived(void **unused)
{
    (void)unused;
    assert_true(rota_alloc_sweep_absorbing(live, NULL) > 10);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(trailers_have_reports),
        cmocka_unit_test(values_are_checked),
        cmocka_unit_test(measures_at_most_once_a_second),
        cmocka_unit_test(reports_come_each_interval),
        cmocka_unit_test(streams_are_bounded),
        cmocka_unit_test(a_report_that_is_too_large_ends_its_stream),
        cmocka_unit_test(is_added_once),
        cmocka_unit_test(out_of_memory_is_survived),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
