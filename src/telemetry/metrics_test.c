/* metrics_test.c - what metrics count, and how they show it. */
#include "channel/channel_fixture.h"
#include "server/server_fixture.h"
#include <rota/metrics.h>
#include <stdio.h>

#define A "1.1.1.1:1"

static struct rota_metrics *make(uint32_t max_methods)
{
    struct rota_metrics_options options = ROTA_METRICS_OPTIONS_INIT;
    struct rota_metrics *metrics;

    options.max_methods = max_methods;
    assert_int_equal(rota_metrics_new(&options, &metrics), 0);
    return metrics;
}

/* What a visit showed: "name{values of labels} count sum [bucket]", the bucket being the bound of the first that is not empty. */
static void note(void *arg, const struct rota_metric *metric)
{
    char *out = arg;
    size_t used = strlen(out);

    used += (size_t)snprintf(out + used, 4000 - used, "%s{", metric->name);
    for (size_t i = 0; i < metric->n_labels; i++)
        used += (size_t)snprintf(out + used, 4000 - used, "%s%s", i == 0 ? "" : " ", metric->labels[i].value);
    used += (size_t)snprintf(out + used, 4000 - used, "} %u", (unsigned)metric->count);
    if (metric->kind == ROTA_METRIC_HISTOGRAM) {
        size_t i = 0;
        while (metric->counts[i] == 0)
            i++;
        used += (size_t)snprintf(out + used, 4000 - used, " %g [%g]", metric->sum, i < metric->n_bounds ? metric->bounds[i] : -1.0);
    }
    snprintf(out + used, 4000 - used, "\n");
}

static void assert_shown(const struct rota_metrics *metrics, const char *line)
{
    char shown[4000] = "";

    rota_metrics_visit(metrics, note, shown);
    if (strstr(shown, line) == NULL)
        print_message("%s", shown);
    assert_non_null(strstr(shown, line));
}

static void collect(void *arg, const char *text, size_t size)
{
    char *out = arg;
    size_t used = strlen(out);

    assert_true(used + size < 40000);
    memcpy(out + used, text, size);
    out[used + size] = '\0';
}

static void assert_text(const struct rota_metrics *metrics, const char *line, bool want)
{
    static char shown[40000];

    shown[0] = '\0';
    rota_metrics_write_text(metrics, collect, shown);
    if ((strstr(shown, line) != NULL) != want)
        print_message("%s", shown);
    assert_int_equal(strstr(shown, line) != NULL, want);
}

static void a_channels_calls_are_counted(void **unused)
{
    struct rota_metrics *metrics = make(0);
    const struct rota_client_interceptor interceptors[] = {{&rota_metrics_client, metrics}, {NULL, NULL}};
    struct rota_channel_options options = ROTA_CHANNEL_OPTIONS_INIT;
    struct rota_channel_fixture f;
    struct rota_seen_call seen;

    (void)unused;
    options.interceptors = interceptors;
    rota_channel_fixture_init(&f, &options);
    rota_fixture_ready(&f, A);
    for (size_t i = 0; i < 3; i++) {
        rota_fixture_unary_start(&f, "hello", NULL, &seen);
        rota_virtual_host_advance(&f.v, 9 * ROTA_MS);
        if (i < 2)
            rota_fake_reply(rota_fake_stream_at(rota_fixture_conn(&f, A), i), "goodbye");
        else
            rota_fake_trailers_only(rota_fake_stream_at(rota_fixture_conn(&f, A), i), ROTA_NOT_FOUND, "none");
    }
    assert_shown(metrics, "grpc.client.call.duration{test.Echo/Say test:x OK} 2 0.018 [0.01]\n");
    assert_shown(metrics, "grpc.client.call.duration{test.Echo/Say test:x NOT_FOUND} 1 0.009 [0.01]\n");
    assert_shown(metrics, "grpc.client.attempt.started{test.Echo/Say test:x} 3\n");
    assert_shown(metrics, "grpc.client.attempt.sent_total_compressed_message_size{test.Echo/Say test:x OK} 2 10 [1024]\n");
    assert_shown(metrics, "grpc.client.attempt.rcvd_total_compressed_message_size{test.Echo/Say test:x OK} 2 14 [1024]\n");
    assert_shown(metrics, "grpc.client.attempt.rcvd_total_compressed_message_size{test.Echo/Say test:x NOT_FOUND} 1 0 [0]\n");
    rota_channel_fixture_fini(&f);
    rota_metrics_free(metrics);
}

static void a_servers_calls_are_counted(void **unused)
{
    struct rota_metrics *metrics = make(0);
    const struct rota_server_interceptor interceptors[] = {{&rota_metrics_server, metrics}, {NULL, NULL}};
    struct rota_server_options options = ROTA_SERVER_OPTIONS_INIT;
    struct server_fixture f;
    struct rota_fake_ask *ask;

    (void)unused;
    options.interceptors = interceptors;
    server_fixture_init(&f, &options);
    ask = rota_fake_ask(f.asker, "/t.S/Later", NULL, NULL);
    assert_shown(metrics, "grpc.server.call.started{t.S/Later} 1\n"); /* while it runs */
    rota_fake_ask_message(ask, "hello");
    rota_fake_ask_end(ask);
    rota_virtual_host_advance(&f.v, 1000 * ROTA_S);
    server_fixture_reply(&f, "goodbye");
    (void)rota_fake_ask(f.asker, "/t.S/Who\"knows", NULL, NULL);
    assert_shown(metrics, "grpc.server.call.duration{t.S/Later OK} 1 1000 [-1]\n"); /* above all bounds */
    assert_shown(metrics, "grpc.server.call.sent_total_compressed_message_size{t.S/Later OK} 1 7 [1024]\n");
    assert_shown(metrics, "grpc.server.call.rcvd_total_compressed_message_size{t.S/Later OK} 1 5 [1024]\n");
    assert_shown(metrics, "grpc.server.call.started{other} 1\n");
    assert_shown(metrics, "grpc.server.call.duration{other UNIMPLEMENTED} 1 0 [0]\n");
    server_fixture_fini(&f);
    rota_metrics_free(metrics);
}

static void prometheus_reads_it(void **unused)
{
    struct rota_metrics *metrics = make(0);
    const struct rota_server_interceptor interceptors[] = {{&rota_metrics_server, metrics}, {NULL, NULL}};
    struct rota_server_options options = ROTA_SERVER_OPTIONS_INIT;
    struct server_fixture f;
    struct rota_fake_ask *ask;

    (void)unused;
    assert_text(metrics, "grpc", false); /* nothing has happened */
    options.interceptors = interceptors;
    server_fixture_init(&f, &options);
    for (int i = 0; i < 2; i++) {
        ask = rota_fake_ask(f.asker, "/t.S/Later", NULL, NULL);
        rota_fake_ask_message(ask, "hello");
        rota_fake_ask_end(ask);
        rota_virtual_host_advance(&f.v, i == 0 ? 9 * ROTA_MS : 300 * ROTA_S);
        server_fixture_reply(&f, "goodbye");
    }
    assert_text(metrics, "# HELP grpc_server_call_started_total Calls that have come\n# TYPE grpc_server_call_started_total counter\n"
                         "grpc_server_call_started_total{grpc_method=\"t.S/Later\"} 2\n# HELP", true);
    assert_text(metrics, "\n# TYPE grpc_server_call_duration_seconds histogram\n"
                         "grpc_server_call_duration_seconds_bucket{grpc_method=\"t.S/Later\",grpc_status=\"OK\",le=\"0\"} 0\n", true);
    assert_text(metrics, "{grpc_method=\"t.S/Later\",grpc_status=\"OK\",le=\"0.008\"} 0\n", true);
    assert_text(metrics, "{grpc_method=\"t.S/Later\",grpc_status=\"OK\",le=\"0.01\"} 1\n", true);
    assert_text(metrics, "{grpc_method=\"t.S/Later\",grpc_status=\"OK\",le=\"100\"} 1\n", true);
    assert_text(metrics, "grpc_server_call_duration_seconds_bucket{grpc_method=\"t.S/Later\",grpc_status=\"OK\",le=\"+Inf\"} 2\n"
                         "grpc_server_call_duration_seconds_sum{grpc_method=\"t.S/Later\",grpc_status=\"OK\"} 300.00900000000001\n"
                         "grpc_server_call_duration_seconds_count{grpc_method=\"t.S/Later\",grpc_status=\"OK\"} 2\n", true);
    assert_text(metrics, "le=\"4294967296\"", true);
    assert_text(metrics, "client", false);
    assert_text(metrics, "lost", false);
    server_fixture_fini(&f);
    rota_metrics_free(metrics);
}

static void labels_are_escaped(void **unused)
{
    static const struct rota_method strange = {
        .path = "/a\"b\\c/d\ne", .request = {&rota_codec_bytes, NULL}, .reply = {&rota_codec_bytes, NULL}};
    struct rota_metrics *metrics = make(0);
    const struct rota_client_interceptor interceptors[] = {{&rota_metrics_client, metrics}, {NULL, NULL}};
    struct rota_channel_options options = ROTA_CHANNEL_OPTIONS_INIT;
    struct rota_slice request = ROTA_SLICE("hello");
    struct rota_channel_fixture f;
    struct rota_seen_call seen = {0};

    (void)unused;
    options.interceptors = interceptors;
    rota_channel_fixture_init(&f, &options);
    assert_int_equal(rota_unary_start(f.channel, &strange, NULL, &request, rota_fixture_unary_done, &seen, NULL), 0);
    rota_channel_fixture_fini(&f);
    assert_text(metrics, "{grpc_method=\"a\\\"b\\\\c/d\\ne\",grpc_target=\"test:x\",grpc_status=\"CANCELLED\"", true);
    assert_text(metrics, "attempt_started", false); /* there was none */
    rota_metrics_free(metrics);
}

static void methods_beyond_the_limit_are_others(void **unused)
{
    struct rota_metrics *metrics = make(1);
    const struct rota_server_interceptor interceptors[] = {{&rota_metrics_server, metrics}, {NULL, NULL}};
    struct rota_server_options options = ROTA_SERVER_OPTIONS_INIT;
    struct server_fixture f;

    (void)unused;
    options.interceptors = interceptors;
    server_fixture_init(&f, &options);
    (void)rota_fake_ask(f.asker, "/t.S/Chat", NULL, NULL);
    (void)rota_fake_ask(f.asker, "/t.S/Join", NULL, NULL);
    (void)rota_fake_ask(f.asker, "/t.S/Chat", NULL, NULL);
    (void)rota_fake_ask(f.asker, "/t.S/Quiet", NULL, NULL);
    server_fixture_reply(&f, "x"); /* Quiet has no on_cancel */
    assert_shown(metrics, "grpc.server.call.started{t.S/Chat} 2\n");
    assert_shown(metrics, "grpc.server.call.started{other} 2\n");
    server_fixture_fini(&f);
    assert_shown(metrics, "grpc.server.call.duration{t.S/Chat CANCELLED} 2 0 [0]\n");
    rota_metrics_free(metrics);
}

/* Each allocation of the sink's failed once while a call of a method it does not know comes and ends. */
static void without_memory_calls_are_others_or_lost(void **unused)
{
    unsigned n_failed = 0, n_others = 0, n_lost = 0;
    bool failed = true;

    (void)unused;
    for (uint64_t n = 1; failed; n++) {
        struct rota_metrics_options metrics_options = ROTA_METRICS_OPTIONS_INIT;
        struct rota_server_options options = ROTA_SERVER_OPTIONS_INIT;
        struct rota_server_interceptor interceptors[2] = {{&rota_metrics_server, NULL}, {NULL, NULL}};
        struct rota_leak_alloc leaks;
        struct rota_metrics *metrics;
        struct server_fixture f;
        static char shown[40000];

        shown[0] = '\0';
        rota_leak_alloc_init(&leaks);
        rota_leak_alloc_fail_nth(&leaks, n);
        metrics_options.alloc = &leaks.alloc;
        if (rota_metrics_new(&metrics_options, &metrics) < 0) {
            rota_leak_alloc_fini(&leaks);
            continue;
        }
        interceptors[0].arg = metrics;
        options.interceptors = interceptors;
        server_fixture_init(&f, &options);
        (void)rota_fake_ask(f.asker, "/t.S/Join", NULL, NULL);
        server_fixture_fini(&f);
        rota_metrics_visit(metrics, note, shown);
        failed = leaks.failed;
        n_failed += failed;
        n_others += strstr(shown, "started{other} 1") != NULL;
        shown[0] = '\0';
        rota_metrics_write_text(metrics, collect, shown);
        n_lost += strstr(shown, "rota_metrics_lost_calls_total 1\n") != NULL;
        rota_metrics_free(metrics);
        rota_leak_alloc_fini(&leaks);
    }
    assert_int_equal(n_failed, 2);
    assert_int_equal(n_others, 1);
    assert_int_equal(n_lost, 1);
}

static void a_targets_connections_are_counted(void **unused)
{
    struct rota_metrics *metrics = make(0);
    const struct rota_client_interceptor interceptors[] = {{&rota_metrics_client, metrics}, {NULL, NULL}};
    struct rota_channel_options options = ROTA_CHANNEL_OPTIONS_INIT;
    struct rota_channel_fixture f;
    struct rota_seen_call seen;

    (void)unused;
    options.interceptors = interceptors;
    rota_channel_fixture_init(&f, &options);
    rota_fixture_unary_start(&f, "hello", NULL, &seen);
    rota_fixture_publish(&f, A, NULL, NULL);
    assert_text(metrics, "subchannel", false);
    rota_fake_lose(rota_fixture_conn(&f, A), "refused");
    assert_shown(metrics, "grpc.subchannel.connection_attempts_failed{test:x} 1\n");
    assert_text(metrics, "open_connections", false); /* there never was one */
    rota_fixture_unary_start(&f, "hello", NULL, &seen);
    rota_virtual_host_advance(&f.v, 2 * ROTA_S);
    rota_fake_up(rota_fixture_conn(&f, A));
    assert_shown(metrics, "grpc.subchannel.connection_attempts_succeeded{test:x} 1\n");
    assert_shown(metrics, "grpc.subchannel.open_connections{test:x} 1\n");
    assert_text(metrics, "# TYPE grpc_subchannel_open_connections gauge\ngrpc_subchannel_open_connections{grpc_target=\"test:x\"} 1\n", true);
    rota_fake_goaway(rota_fixture_conn(&f, A), 0);
    assert_shown(metrics, "grpc.subchannel.disconnections{test:x} 1\n");
    assert_shown(metrics, "grpc.subchannel.open_connections{test:x} 0\n");
    rota_channel_fixture_fini(&f);
    rota_metrics_free(metrics);
}

/* One given up counts too, with the channel; an attempt given up does not. */
static void what_a_channel_gives_up_is_counted(void **unused)
{
    struct rota_metrics *metrics = make(0);
    const struct rota_client_interceptor interceptors[] = {{&rota_metrics_client, metrics}, {NULL, NULL}};
    struct rota_channel_options options = ROTA_CHANNEL_OPTIONS_INIT;
    struct rota_channel_fixture f;
    struct rota_seen_call seen;

    (void)unused;
    options.interceptors = interceptors;
    options.policies = (const struct rota_lb_class *const[]){&rota_lb_weighted_round_robin, &rota_lb_pick_first, NULL};
    options.service_config = "{\"loadBalancingConfig\":[{\"weighted_round_robin\":{}}]}";
    rota_channel_fixture_init(&f, &options);
    rota_fixture_unary_start(&f, "hello", NULL, &seen);
    rota_fixture_publish(&f, A, "2.2.2.2:1", NULL);
    rota_fake_up(rota_fixture_conn(&f, A));
    rota_virtual_host_advance(&f.v, 1500 * ROTA_MS);
    assert_shown(metrics, "grpc.lb.wrr.rr_fallback{test:x} 2\n");
    assert_shown(metrics, "grpc.lb.wrr.endpoint_weight_not_yet_usable{test:x} 2\n");
    assert_shown(metrics, "grpc.lb.wrr.endpoint_weights{test:x} 2 0 [0]\n");
    rota_channel_fixture_fini(&f);
    assert_shown(metrics, "grpc.subchannel.disconnections{test:x} 1\n");
    assert_text(metrics, "attempts_failed", false);
    rota_metrics_free(metrics);
}

static void weights_have_buckets_and_memory_may_lack(void **unused)
{
    struct rota_metrics_options metrics_options = ROTA_METRICS_OPTIONS_INIT;
    struct rota_channel_fixture f;
    struct rota_leak_alloc leaks;
    struct rota_metrics *metrics;

    (void)unused;
    rota_leak_alloc_init(&leaks);
    metrics_options.alloc = &leaks.alloc;
    assert_int_equal(rota_metrics_new(&metrics_options, &metrics), 0);
    rota_channel_fixture_init(&f, NULL);
    rota_leak_alloc_fail_nth(&leaks, 1);
    rota_metrics_client.on_measure(metrics, f.channel, ROTA_MEASURE_WRR_WEIGHT, 8);
    assert_text(metrics, "grpc", false);
    rota_metrics_client.on_measure(metrics, f.channel, ROTA_MEASURE_WRR_WEIGHT, 8);
    rota_metrics_client.on_measure(metrics, f.channel, ROTA_MEASURE_WRR_WEIGHT, 1e9);
    rota_metrics_client.on_measure(metrics, f.channel, ROTA_MEASURE_WRR_STALE, 3);
    assert_shown(metrics, "grpc.lb.wrr.endpoint_weights{test:x} 2 1e+09 [10]\n");
    assert_shown(metrics, "grpc.lb.wrr.endpoint_weight_stale{test:x} 3\n");
    assert_text(metrics, "grpc_lb_wrr_endpoint_weights_bucket{grpc_target=\"test:x\",le=\"10000\"} 1\n"
                         "grpc_lb_wrr_endpoint_weights_bucket{grpc_target=\"test:x\",le=\"+Inf\"} 2\n", true);
    rota_channel_fixture_fini(&f);
    rota_metrics_free(metrics);
    rota_leak_alloc_fini(&leaks);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_channels_calls_are_counted),
        cmocka_unit_test(a_servers_calls_are_counted),
        cmocka_unit_test(prometheus_reads_it),
        cmocka_unit_test(labels_are_escaped),
        cmocka_unit_test(methods_beyond_the_limit_are_others),
        cmocka_unit_test(without_memory_calls_are_others_or_lost),
        cmocka_unit_test(a_targets_connections_are_counted),
        cmocka_unit_test(what_a_channel_gives_up_is_counted),
        cmocka_unit_test(weights_have_buckets_and_memory_may_lack),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
