/* sides_load_test.c - load reports out of band of a channel's connections, in virtual time: a rule a row. Source: gRFC A51, A58. */
#include "base/assert.h"
#include "channel/channel_fixture.h"
#include "testing/lb_policies.h"

#define A "1.1.1.1:1"
#define B "2.2.2.2:2"
#define WRR(fields) "{\"loadBalancingConfig\":[{\"weighted_round_robin\":{\"enableOobLoadReport\":true,\"blackoutPeriod\":\"0s\"" fields "}}]}"
#define ROUND_ROBIN "{\"loadBalancingConfig\":[{\"round_robin\":{}}]}"
#define PATH "/xds.service.orca.v3.OpenRcaService/StreamCoreMetrics"

static void open_with(struct rota_channel_fixture *f, const char *config)
{
    struct rota_channel_options options = ROTA_CHANNEL_OPTIONS_INIT;

    options.service_config = config;
    options.policies = rota_test_policies;
    rota_channel_fixture_init(f, &options);
}

static struct rota_fake_conn *up_with(struct rota_channel_fixture *f, const char *config)
{
    open_with(f, config);
    rota_channel_connect(f->channel);
    rota_fixture_publish(f, A, NULL, NULL);
    rota_fake_up(rota_fixture_conn(f, A));
    return rota_fixture_conn(f, A);
}

/* So many requests a second, below 256, at full utilization. */
static void say_load(struct rota_fake_stream *stream, unsigned requests_per_s)
{
    uint8_t frame[] = {0, 0, 0, 0, 12, 0x18, (uint8_t)(requests_per_s | 0x80), (uint8_t)(requests_per_s >> 7), 0x49, 0, 0, 0, 0, 0, 0, 0xF0, 0x3F};

    rota_fake_headers(stream);
    rota_fake_data(stream, rota_slice(frame, sizeof(frame)));
}

/* --- What is asked --- */

static const struct {
    const char *rule, *config, *request; /* NULL: nobody asks */
} requests[] = {
    {"every 10 s by default", WRR(""), "\x0A\x04\x08\x0A\x10"}, /* {1: {1: 10, 2: 0}} */
    {"as the config says, to the nanosecond", WRR(",\"oobReportingPeriod\":\"1.5s\""), "\x0A\x08\x08\x01\x10\x80\xCA\xB5\xEE\x01"},
    {"an hour", WRR(",\"oobReportingPeriod\":\"3600s\""), "\x0A\x05\x08\x90\x1C\x10"},
    {"not without enableOobLoadReport", "{\"loadBalancingConfig\":[{\"weighted_round_robin\":{}}]}", NULL},
    {"nor by other policies", ROUND_ROBIN, NULL},
};

static void one_stream_a_connection(void **unused)
{
    (void)unused;
    for (size_t i = 0; i < ROTA_COUNT(requests); i++) {
        struct rota_channel_fixture f;
        struct rota_fake_conn *conn = up_with(&f, requests[i].config);
        print_message("  %s\n", requests[i].rule);
        assert_int_equal(rota_channel_state(f.channel), ROTA_CONN_READY); /* nobody waits for it */
        assert_int_equal(conn->n_streams, requests[i].request != NULL);
        if (requests[i].request != NULL) {
            assert_string_equal(rota_fake_header(rota_fake_stream_at(conn, 0), ":path"), PATH);
            assert_string_equal(rota_fake_request(rota_fake_stream_at(conn, 0)), requests[i].request);
            assert_true(rota_fake_stream_at(conn, 0)->end);
        }
        rota_channel_fixture_fini(&f);
    }
}

/* --- What is made of it --- */

static unsigned count_calls(struct rota_channel_fixture *f, struct rota_fake_conn *conn, unsigned n_calls)
{
    size_t before = conn->n_streams;

    for (unsigned i = 0; i < n_calls; i++) {
        struct rota_fake_conn *a = rota_fixture_conn(f, A), *b = rota_fixture_conn(f, B), *at;
        size_t a_before = a->n_streams;
        struct rota_seen_call seen;
        rota_fixture_unary_start(f, "hello", NULL, &seen);
        at = a->n_streams > a_before ? a : b;
        rota_fake_reply(rota_fake_stream_at(at, at->n_streams - 1), "world");
        rota_assert_ended(&seen, ROTA_OK, "");
    }
    return (unsigned)(conn->n_streams - before);
}

static void weights_follow_the_reports(void **unused)
{
    struct rota_channel_fixture f;
    struct rota_fake_stream *a, *b;

    (void)unused;
    open_with(&f, WRR(""));
    rota_channel_connect(f.channel);
    rota_fixture_publish(&f, A, B, NULL);
    rota_fake_up(rota_fixture_conn(&f, A));
    rota_fake_up(rota_fixture_conn(&f, B));
    a = rota_fake_stream_at(rota_fixture_conn(&f, A), 0);
    b = rota_fake_stream_at(rota_fixture_conn(&f, B), 0);
    say_load(a, 30);
    say_load(b, 10);
    rota_virtual_host_advance(&f.v, 2 * ROTA_S);
    assert_in_range(count_calls(&f, rota_fixture_conn(&f, A), 20), 14, 16);
    say_load(b, 120);
    say_load(b, 90);
    rota_virtual_host_advance(&f.v, 2 * ROTA_S);
    assert_in_range(count_calls(&f, rota_fixture_conn(&f, A), 20), 4, 6);
    assert_int_equal(a->consumed, a->given);
    assert_int_equal(b->consumed, b->given);
    rota_channel_fixture_fini(&f);
}

/* --- Its end --- */

static void refuse(struct rota_fake_stream *s) { rota_fake_trailers_only(s, ROTA_UNIMPLEMENTED, "no such service"); }
static void end(struct rota_fake_stream *s) { rota_fake_trailers_only(s, ROTA_UNAVAILABLE, "sorry"); }
static void say_rubbish(struct rota_fake_stream *s) { rota_fake_headers(s); rota_fake_message(s, "\x09"); }
static void not_see_it(struct rota_fake_stream *s) { rota_fake_close(s, ROTA_STREAM_UNPROCESSED, 7, false); }

static void asked_again_or_not(void **unused)
{
    static const struct {
        const char *rule;
        void (*answer)(struct rota_fake_stream *stream);
        bool again;
    } rows[] = {
        {"UNIMPLEMENTED: not on this connection", refuse, false},
        {"any other end: with backoff", end, true},
        {"what cannot be read ends it", say_rubbish, true},
        {"a stream that the server has not seen", not_see_it, true},
    };

    (void)unused;
    for (size_t i = 0; i < ROTA_COUNT(rows); i++) {
        struct rota_channel_fixture f;
        struct rota_fake_conn *conn = up_with(&f, WRR(""));
        print_message("  %s\n", rows[i].rule);
        rows[i].answer(rota_fake_stream_at(conn, 0));
        assert_int_equal(rota_channel_state(f.channel), ROTA_CONN_READY);
        assert_int_equal(conn->n_streams, 1);
        rota_virtual_host_advance(&f.v, 2 * ROTA_S);
        assert_int_equal(conn->n_streams, rows[i].again ? 2 : 1);
        rota_fake_lose(conn, "gone");
        rota_fake_up(rota_fixture_conn(&f, A));
        assert_int_equal(rota_fixture_conn(&f, A)->n_streams, 1); /* a new connection, a new question */
        rota_channel_fixture_fini(&f);
    }
}

static void ends_with_who_asked(void **unused)
{
    struct rota_channel_fixture f;
    struct rota_fake_conn *conn;

    (void)unused;
    open_with(&f, NULL);
    rota_channel_connect(f.channel);
    rota_fixture_update(&f, WRR(",\"oobReportingPeriod\":\"20s\""), A);
    conn = rota_fixture_conn(&f, A);
    rota_fake_up(conn);
    assert_string_equal(rota_fake_request(rota_fake_stream_at(conn, 0)), "\x0A\x04\x08\x14\x10");
    rota_fixture_service_config(&f, WRR(",\"oobReportingPeriod\":\"5s\""));
    assert_true(rota_fake_stream_at(conn, 0)->reset);
    assert_string_equal(rota_fake_request(rota_fake_stream_at(conn, conn->n_streams - 1)), "\x0A\x04\x08\x05\x10");
    rota_fixture_service_config(&f, ROUND_ROBIN);
    assert_true(rota_fake_stream_at(conn, conn->n_streams - 1)->reset);
    assert_false(conn->closed || conn->draining);
    rota_channel_fixture_fini(&f);
}

static void an_unused_channel_goes_idle(void **unused)
{
    struct rota_channel_fixture f;
    struct rota_fake_conn *conn = up_with(&f, WRR(""));

    (void)unused;
    for (int minute = 0; minute < 31; minute++) {
        if (!rota_fake_stream_at(conn, 0)->dead)
            say_load(rota_fake_stream_at(conn, 0), 10);
        rota_virtual_host_advance(&f.v, 60 * ROTA_S);
    }
    assert_int_equal(rota_channel_state(f.channel), ROTA_CONN_IDLE);
    assert_true(rota_fake_stream_at(conn, 0)->reset);
    rota_channel_fixture_fini(&f);
}

/* Health and load, side by side on one connection. */
static void both_are_asked(void **unused)
{
    struct rota_channel_fixture f;
    struct rota_fake_conn *conn = up_with(&f, "{\"loadBalancingConfig\":[{\"weighted_round_robin\":{\"enableOobLoadReport\":true}}],"
                                              "\"healthCheckConfig\":{\"serviceName\":\"shop\"}}");

    (void)unused;
    assert_int_equal(conn->n_streams, 2);
    assert_int_equal(rota_channel_state(f.channel), ROTA_CONN_CONNECTING);
    for (size_t i = 0; i < 2; i++) {
        struct rota_fake_stream *stream = rota_fake_stream_at(conn, i);
        if (strcmp(rota_fake_header(stream, ":path"), PATH) == 0) {
            say_load(stream, 5);
        } else {
            rota_fake_headers(stream);
            rota_fake_message(stream, "\x08\x01");
        }
    }
    assert_int_equal(rota_channel_state(f.channel), ROTA_CONN_READY);
    rota_channel_fixture_fini(&f);
}

/* --- Memory --- */

static rota_err live(const struct rota_alloc *alloc, void *ctx)
{
    struct rota_channel_options options = ROTA_CHANNEL_OPTIONS_INIT;
    struct rota_channel_fixture f = {0};
    rota_err err;

    (void)ctx;
    options.service_config = WRR("");
    options.policies = rota_test_policies;
    err = rota_channel_fixture_open(&f, alloc, &options);
    for (int turn = 0; err == 0 && turn < 6 && rota_channel_state(f.channel) != ROTA_CONN_READY; turn++) {
        struct rota_fake_conn *conn;
        rota_channel_connect(f.channel);
        rota_fixture_publish(&f, A, NULL, NULL);
        conn = rota_fixture_conn(&f, A);
        if (conn != NULL && !conn->closed && !conn->up)
            rota_fake_up(conn);
        if (conn != NULL && conn->n_streams > 0 && !conn->streams[conn->n_streams - 1]->dead)
            say_load(conn->streams[conn->n_streams - 1], 5);
        rota_virtual_host_advance(&f.v, 2 * ROTA_S);
    }
    if (err == 0) {
        assert_int_equal(rota_channel_state(f.channel), ROTA_CONN_READY);
        assert_true(rota_fixture_conn(&f, A)->n_streams > 0); /* it was asked, however late */
        if (f.transport.n_conns > 1 || f.transport.conns[0]->n_streams != 1)
            err = ROTA_ENOMEM;
    }
    rota_channel_fixture_close(&f);
    return err;
}

static void out_of_memory_is_survived(void **unused)
{
    (void)unused;
    assert_true(rota_alloc_sweep_absorbing(live, NULL) > 30);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_stream_a_connection),
        cmocka_unit_test(weights_follow_the_reports),
        cmocka_unit_test(asked_again_or_not),
        cmocka_unit_test(ends_with_who_asked),
        cmocka_unit_test(an_unused_channel_goes_idle),
        cmocka_unit_test(both_are_asked),
        cmocka_unit_test(out_of_memory_is_survived),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
