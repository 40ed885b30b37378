/* sides_health_test.c - health checking of connections, in virtual time: a rule a row. Source: gRFC A17; doc/health-checking.md in grpc/grpc. */
#include "base/assert.h"
#include "channel/channel_fixture.h"
#include "testing/script_rng.h"

#define A "1.1.1.1:1"
#define B "2.2.2.2:2"
#define CONFIG(policy, service) "{\"loadBalancingConfig\":[{\"" policy "\":{}}],\"healthCheckConfig\":{\"serviceName\":\"" service "\"}}"
#define CHECKED CONFIG("round_robin", "shop")
#define WATCH "/grpc.health.v1.Health/Watch"
#define SERVING "\x08\x01"
#define NOT_SERVING "\x08\x02"

static void open_with(struct rota_channel_fixture *f, const char *config)
{
    struct rota_channel_options options = ROTA_CHANNEL_OPTIONS_INIT;

    options.service_config = config;
    rota_channel_fixture_init(f, &options);
}

/* A connection that is up; the channel has the config. */
static struct rota_fake_conn *up_with(struct rota_channel_fixture *f, const char *config)
{
    open_with(f, config);
    rota_channel_connect(f->channel);
    rota_fixture_publish(f, A, NULL, NULL);
    rota_fake_up(rota_fixture_conn(f, A));
    return rota_fixture_conn(f, A);
}

static void say(struct rota_fake_stream *watch, const char *message)
{
    rota_fake_headers(watch);
    rota_fake_message(watch, message);
}

static void calls_wait_for_the_first_answer(void **unused)
{
    struct rota_channel_fixture f;
    struct rota_fake_conn *conn = up_with(&f, CHECKED);
    struct rota_fake_stream *watch = rota_fake_stream_at(conn, 0);
    struct rota_seen_call seen;

    (void)unused;
    assert_string_equal(rota_fake_header(watch, ":path"), WATCH);
    assert_string_equal(rota_fake_request(watch), "\x0A\x04shop");
    assert_true(watch->end);
    assert_null(rota_fake_header(watch, "grpc-timeout"));
    assert_int_equal(rota_channel_state(f.channel), ROTA_CONN_CONNECTING);
    rota_fixture_unary_start(&f, "hello", NULL, &seen);
    rota_assert_running(&seen);
    assert_int_equal(conn->n_streams, 1);
    say(watch, SERVING);
    assert_int_equal(rota_channel_state(f.channel), ROTA_CONN_READY);
    assert_int_equal(watch->consumed, watch->given);
    rota_fake_reply(rota_fake_stream_at(conn, 1), "world");
    rota_assert_ended(&seen, ROTA_OK, "");
    rota_channel_fixture_fini(&f);
}

/* --- What an answer means --- */

static void say_nothing_good(struct rota_fake_stream *s) { say(s, NOT_SERVING); }
static void say_serving(struct rota_fake_stream *s) { say(s, SERVING); }
static void say_unknown(struct rota_fake_stream *s) { say(s, ""); }
static void say_service_unknown(struct rota_fake_stream *s) { say(s, "\x08\x03"); }
static void say_serving_and_more(struct rota_fake_stream *s) { say(s, "\x52\x01x" SERVING); }
static void say_both(struct rota_fake_stream *s) { say(s, SERVING); rota_fake_message(s, NOT_SERVING); }
static void say_rubbish(struct rota_fake_stream *s) { say(s, "\x08"); }
static void refuse(struct rota_fake_stream *s) { rota_fake_trailers_only(s, ROTA_UNIMPLEMENTED, "no such service"); }
static void fail_at_once(struct rota_fake_stream *s) { rota_fake_trailers_only(s, ROTA_INTERNAL, "sorry"); }
static void end_well(struct rota_fake_stream *s) { rota_fake_headers(s); rota_fake_trailers(s, ROTA_OK, ""); }
static void serve_then_fail(struct rota_fake_stream *s) { say(s, SERVING); rota_fake_trailers(s, ROTA_UNAVAILABLE, "bye"); }
static void reset_it(struct rota_fake_stream *s) { rota_fake_close(s, ROTA_STREAM_RESET, 2, false); }
static void not_see_it(struct rota_fake_stream *s) { rota_fake_close(s, ROTA_STREAM_UNPROCESSED, 7, false); }
static void break_it(struct rota_fake_stream *s) { rota_fake_data(s, rota_slice("\x07\0\0\0\0", 5)); }

static void answer_http(struct rota_fake_stream *s)
{
    struct rota_header headers[] = {{ROTA_SLICE(":status"), ROTA_SLICE("503")}, {ROTA_SLICE("content-type"), ROTA_SLICE("text/html")}};

    rota_fake_raw_headers(s, headers, ROTA_COUNT(headers), false);
}

static const struct {
    const char *rule;
    void (*answer)(struct rota_fake_stream *watch);
    enum rota_conn_state state;
    const char *words;
} answers[] = {
    {"SERVING is READY", say_serving, ROTA_CONN_READY, ""},
    {"NOT_SERVING is not", say_nothing_good, ROTA_CONN_TRANSIENT_FAILURE, A " says of \"shop\": NOT_SERVING"},
    {"nor is UNKNOWN", say_unknown, ROTA_CONN_TRANSIENT_FAILURE, "UNKNOWN"},
    {"nor SERVICE_UNKNOWN", say_service_unknown, ROTA_CONN_TRANSIENT_FAILURE, "SERVICE_UNKNOWN"},
    {"fields not known are passed over", say_serving_and_more, ROTA_CONN_READY, ""},
    {"the last answer counts", say_both, ROTA_CONN_TRANSIENT_FAILURE, "NOT_SERVING"},
    {"UNIMPLEMENTED is READY", refuse, ROTA_CONN_READY, ""},
    {"any other end is unhealthy", fail_at_once, ROTA_CONN_TRANSIENT_FAILURE, "health check of \"shop\" ended with INTERNAL: sorry"},
    {"OK too", end_well, ROTA_CONN_TRANSIENT_FAILURE, "ended with OK"},
    {"also after SERVING", serve_then_fail, ROTA_CONN_TRANSIENT_FAILURE, "UNAVAILABLE: bye"},
    {"a message that cannot be read", say_rubbish, ROTA_CONN_TRANSIENT_FAILURE, "cannot be read"},
    {"a broken frame", break_it, ROTA_CONN_TRANSIENT_FAILURE, "INTERNAL"},
    {"a stream that is reset", reset_it, ROTA_CONN_TRANSIENT_FAILURE, "INTERNAL"},
    {"an answer that is no gRPC", answer_http, ROTA_CONN_TRANSIENT_FAILURE, "503"},
    {"a stream the server has not seen says nothing", not_see_it, ROTA_CONN_CONNECTING, ""},
};

static void answers_have_meanings(void **unused)
{
    (void)unused;
    for (size_t i = 0; i < ROTA_COUNT(answers); i++) {
        struct rota_channel_fixture f;
        struct rota_fake_conn *conn = up_with(&f, CHECKED);
        struct rota_seen_call seen;
        print_message("  %s\n", answers[i].rule);
        answers[i].answer(rota_fake_stream_at(conn, 0));
        assert_int_equal(rota_channel_state(f.channel), answers[i].state);
        assert_false(conn->closed || conn->closing || conn->draining); /* the connection stays */
        rota_fixture_unary_start(&f, "hello", NULL, &seen);
        if (answers[i].state == ROTA_CONN_TRANSIENT_FAILURE)
            rota_assert_ended(&seen, ROTA_UNAVAILABLE, answers[i].words);
        else
            rota_assert_running(&seen);
        rota_channel_fixture_fini(&f);
    }
}

static void what_cannot_be_asked_says_why(void **unused)
{
    static const struct {
        rota_err err;
        const char *words;
    } rows[] = {
        {ROTA_ELIMIT, "health check of \"shop\" ended with RESOURCE_EXHAUSTED: the call's metadata is too large"},
        {ROTA_ENOMEM, "out of memory"},
    };

    (void)unused;
    for (size_t i = 0; i < ROTA_COUNT(rows); i++) {
        struct rota_channel_fixture f;
        struct rota_seen_call seen;
        open_with(&f, CHECKED);
        rota_channel_connect(f.channel);
        rota_fixture_publish(&f, A, NULL, NULL);
        f.transport.open_err = rows[i].err;
        rota_fake_up(rota_fixture_conn(&f, A));
        rota_fixture_unary_start(&f, "hello", NULL, &seen);
        rota_assert_ended(&seen, ROTA_UNAVAILABLE, rows[i].words);
        rota_channel_fixture_fini(&f);
    }
}

static void calls_under_way_go_on(void **unused)
{
    struct rota_call_options patient = ROTA_CALL_OPTIONS_INIT;
    struct rota_channel_fixture f;
    struct rota_fake_conn *conn = up_with(&f, CHECKED);
    struct rota_fake_stream *watch = rota_fake_stream_at(conn, 0);
    struct rota_seen_call before, during;

    (void)unused;
    say(watch, SERVING);
    rota_fixture_unary_start(&f, "a", NULL, &before);
    rota_fake_message(watch, NOT_SERVING);
    rota_assert_running(&before);
    patient.wait_for_ready = ROTA_WAIT_FOR_READY;
    rota_fixture_unary_start(&f, "b", &patient, &during);
    rota_fake_reply(rota_fake_stream_at(conn, 1), "world");
    rota_assert_ended(&before, ROTA_OK, "");
    rota_assert_running(&during);
    rota_fake_message(watch, SERVING);
    rota_fake_reply(rota_fake_stream_at(conn, 2), "world");
    rota_assert_ended(&during, ROTA_OK, "");
    rota_channel_fixture_fini(&f);
}

static void the_other_server_gets_the_calls(void **unused)
{
    struct rota_channel_fixture f;
    struct rota_fake_conn *a, *b;
    struct rota_seen_call seen;

    (void)unused;
    open_with(&f, CHECKED);
    rota_channel_connect(f.channel);
    rota_fixture_publish(&f, A, B, NULL);
    a = rota_fixture_conn(&f, A);
    b = rota_fixture_conn(&f, B);
    rota_fake_up(a);
    rota_fake_up(b);
    say(rota_fake_stream_at(a, 0), SERVING);
    say(rota_fake_stream_at(b, 0), SERVING);
    rota_fake_message(rota_fake_stream_at(a, 0), NOT_SERVING);
    for (unsigned i = 1; i <= 4; i++) {
        rota_fixture_unary_start(&f, "hello", NULL, &seen);
        rota_fake_reply(rota_fake_stream_at(b, i), "world");
        rota_assert_ended(&seen, ROTA_OK, "");
    }
    assert_int_equal(a->n_streams, 1);
    rota_channel_fixture_fini(&f);
}

/* --- When it is asked again --- */

static void without_spread(struct rota_channel_fixture *f)
{
    static uint64_t halves[64];

    for (size_t i = 0; i < ROTA_COUNT(halves); i++)
        halves[i] = rota_script_unit(0.5);
    rota_script_rng_init(&f->v.host.rng, halves, ROTA_COUNT(halves));
}

static void asked_again_with_backoff(void **unused)
{
    static const struct {
        const char *rule;
        bool serves; /* before it ends */
        int64_t lives_ms, next_after_us; /* both from its start */
    } rounds[] = {
        {"1 s from the start of the first", false, 0, 1000000},
        {"1.6 s", false, 100, 1600000},
        {"2.56 s", false, 0, 2560000},
        {"a message resets it: 1 s from the start, not 4.096 s", true, 100, 1000000},
        {"and the next takes 1 s", false, 0, 1000000},
        {"then 1.6 s", false, 0, 1600000},
        {"one that has served for longer than 1 s comes back at once", true, 2000, 2000000},
        {"one that answers and ends at once is no storm", true, 0, 1000000},
        {"nor the next that does", true, 0, 1000000},
        {"1 s after the message", false, 0, 1000000},
    };
    struct rota_channel_fixture f;
    struct rota_fake_conn *conn;
    int64_t start_ns;

    (void)unused;
    open_with(&f, CHECKED);
    without_spread(&f);
    rota_channel_connect(f.channel);
    rota_fixture_publish(&f, A, NULL, NULL);
    conn = rota_fixture_conn(&f, A);
    rota_fake_up(conn);
    start_ns = f.v.host.now_ns;
    for (size_t i = 0; i < ROTA_COUNT(rounds); i++) {
        int64_t next_ns = start_ns + rounds[i].next_after_us * ROTA_US;
        struct rota_fake_stream *watch = rota_fake_stream_at(conn, i);
        print_message("  %s\n", rounds[i].rule);
        rota_virtual_host_advance(&f.v, rounds[i].lives_ms * ROTA_MS);
        rota_fake_headers(watch);
        if (rounds[i].serves)
            rota_fake_message(watch, SERVING);
        rota_fake_trailers(watch, ROTA_UNAVAILABLE, "bye");
        if (f.v.host.now_ns < next_ns) {
            rota_virtual_host_advance_to(&f.v, next_ns - 1);
            assert_int_equal(conn->n_streams, i + 1);
        }
        rota_virtual_host_advance_to(&f.v, next_ns);
        assert_int_equal(conn->n_streams, i + 2);
        start_ns = f.v.host.now_ns;
    }
    assert_int_equal(rota_channel_state(f.channel), ROTA_CONN_TRANSIENT_FAILURE);
    say(rota_fake_stream_at(conn, ROTA_COUNT(rounds)), SERVING);
    assert_int_equal(rota_channel_state(f.channel), ROTA_CONN_READY);
    rota_channel_fixture_fini(&f);
}

static void a_server_without_it_is_asked_once_a_connection(void **unused)
{
    struct rota_channel_fixture f;
    struct rota_fake_conn *conn = up_with(&f, CHECKED), *next;

    (void)unused;
    refuse(rota_fake_stream_at(conn, 0));
    rota_virtual_host_advance(&f.v, 600 * ROTA_S);
    assert_int_equal(conn->n_streams, 1);
    rota_fake_lose(conn, "gone");
    next = rota_fixture_conn(&f, A);
    assert_ptr_not_equal(next, conn);
    rota_fake_up(next);
    assert_int_equal(next->n_streams, 1);
    rota_channel_fixture_fini(&f);
}

/* --- When it is not asked --- */

static void only_where_wanted(void **unused)
{
    static const struct {
        const char *rule, *config;
        bool off, want;
    } rows[] = {
        {"below a petiole policy", CHECKED, false, true},
        {"not below a pick_first at the top", CONFIG("pick_first", "shop"), false, false},
        {"nor without a healthCheckConfig", "{\"loadBalancingConfig\":[{\"round_robin\":{}}]}", false, false},
        {"nor with the option", CHECKED, true, false},
        {"an empty name asks for the server as a whole", CONFIG("round_robin", ""), false, true},
    };

    (void)unused;
    for (size_t i = 0; i < ROTA_COUNT(rows); i++) {
        struct rota_channel_options options = ROTA_CHANNEL_OPTIONS_INIT;
        struct rota_channel_fixture f;
        print_message("  %s\n", rows[i].rule);
        options.service_config = rows[i].config;
        options.no_health_checks = rows[i].off;
        rota_channel_fixture_init(&f, &options);
        rota_channel_connect(f.channel);
        rota_fixture_publish(&f, A, NULL, NULL);
        rota_fake_up(rota_fixture_conn(&f, A));
        assert_int_equal(rota_fixture_conn(&f, A)->n_streams, rows[i].want);
        assert_int_equal(rota_channel_state(f.channel), rows[i].want ? ROTA_CONN_CONNECTING : ROTA_CONN_READY);
        rota_channel_fixture_fini(&f);
    }
}

/* --- The connection --- */

static void ends_with_the_connection(void **unused)
{
    struct rota_channel_fixture f;
    struct rota_fake_conn *conn = up_with(&f, CHECKED);
    struct rota_seen_call seen;

    (void)unused;
    say(rota_fake_stream_at(conn, 0), SERVING);
    rota_fake_lose(conn, "gone");
    /* Not TRANSIENT_FAILURE: calls are held until the next connection. */
    assert_int_equal(rota_channel_state(f.channel), ROTA_CONN_CONNECTING);
    rota_fixture_unary_start(&f, "hello", NULL, &seen);
    rota_assert_running(&seen);
    conn = rota_fixture_conn(&f, A);
    rota_fake_up(conn);
    assert_int_equal(rota_channel_state(f.channel), ROTA_CONN_CONNECTING);
    say(rota_fake_stream_at(conn, 0), SERVING);
    rota_fake_reply(rota_fake_stream_at(conn, 1), "world");
    rota_assert_ended(&seen, ROTA_OK, "");
    rota_channel_fixture_fini(&f);
}

static void ends_when_the_server_drains(void **unused)
{
    struct rota_channel_fixture f;
    struct rota_fake_conn *conn = up_with(&f, CHECKED);
    struct rota_fake_stream *watch = rota_fake_stream_at(conn, 0);

    (void)unused;
    say(watch, SERVING);
    rota_fake_goaway(conn, 1);
    assert_true(watch->reset); /* or the connection would never be done */
    assert_int_equal(rota_channel_state(f.channel), ROTA_CONN_CONNECTING);
    rota_fake_up(rota_fixture_conn(&f, A));
    say(rota_fake_stream_at(rota_fixture_conn(&f, A), 0), SERVING);
    assert_int_equal(rota_channel_state(f.channel), ROTA_CONN_READY);
    rota_channel_fixture_fini(&f);
}

static void takes_one_of_the_peers_streams(void **unused)
{
    struct rota_channel_fixture f;
    struct rota_fake_conn *conn;
    struct rota_seen_call seen;

    (void)unused;
    open_with(&f, CHECKED);
    rota_channel_connect(f.channel);
    rota_fixture_publish(&f, A, NULL, NULL);
    conn = rota_fixture_conn(&f, A);
    conn->max_streams = 0;
    rota_fake_up(conn);
    rota_fixture_unary_start(&f, "hello", NULL, &seen);
    assert_int_equal(conn->n_streams, 0);
    rota_fake_allow(conn, 1);
    say(rota_fake_stream_at(conn, 0), SERVING);
    assert_int_equal(conn->n_streams, 1); /* the call waits for room */
    rota_fake_allow(conn, 2);
    rota_fake_reply(rota_fake_stream_at(conn, 1), "world");
    rota_assert_ended(&seen, ROTA_OK, "");
    rota_channel_fixture_fini(&f);
}

/* As after a request longer than send_queue_bytes. */
static void a_queue_that_was_full_is_no_matter(void **unused)
{
    struct rota_channel_fixture f;
    struct rota_fake_stream *watch = rota_fake_stream_at(up_with(&f, CHECKED), 0);

    (void)unused;
    rota_fake_writable(watch);
    say(watch, SERVING);
    assert_int_equal(rota_channel_state(f.channel), ROTA_CONN_READY);
    rota_channel_fixture_fini(&f);
}

static void an_unused_channel_goes_idle(void **unused)
{
    struct rota_channel_fixture f;
    struct rota_fake_conn *conn = up_with(&f, CHECKED);
    struct rota_fake_stream *watch = rota_fake_stream_at(conn, 0);

    (void)unused;
    say(watch, SERVING);
    rota_virtual_host_advance(&f.v, 31 * 60 * ROTA_S);
    assert_int_equal(rota_channel_state(f.channel), ROTA_CONN_IDLE);
    assert_true(watch->reset);
    assert_true(conn->draining);
    rota_channel_fixture_fini(&f);
}

/* --- The config --- */

static void the_config_changes(void **unused)
{
    struct rota_channel_fixture f;
    struct rota_fake_conn *conn;

    (void)unused;
    open_with(&f, NULL);
    rota_channel_connect(f.channel);
    rota_fixture_update(&f, "{\"loadBalancingConfig\":[{\"round_robin\":{}}]}", A);
    conn = rota_fixture_conn(&f, A);
    rota_fake_up(conn);
    assert_int_equal(rota_channel_state(f.channel), ROTA_CONN_READY);
    rota_fixture_service_config(&f, CHECKED);
    assert_int_equal(conn->n_streams, 1);
    assert_int_equal(rota_channel_state(f.channel), ROTA_CONN_CONNECTING);
    say(rota_fake_stream_at(conn, 0), SERVING);
    assert_int_equal(rota_channel_state(f.channel), ROTA_CONN_READY);
    rota_fixture_service_config(&f, CHECKED);
    assert_int_equal(conn->n_streams, 1); /* the same is no news */
    rota_fixture_service_config(&f, CONFIG("round_robin", "orders"));
    assert_true(rota_fake_stream_at(conn, 0)->reset);
    assert_string_equal(rota_fake_request(rota_fake_stream_at(conn, 1)), "\x0A\x06orders");
    say(rota_fake_stream_at(conn, 1), NOT_SERVING);
    assert_int_equal(rota_channel_state(f.channel), ROTA_CONN_TRANSIENT_FAILURE);
    rota_fixture_service_config(&f, "{\"loadBalancingConfig\":[{\"round_robin\":{}}]}");
    assert_true(rota_fake_stream_at(conn, 1)->reset);
    assert_int_equal(rota_channel_state(f.channel), ROTA_CONN_READY);
    rota_channel_fixture_fini(&f);
}

static void the_policy_changes(void **unused)
{
    struct rota_channel_fixture f;
    struct rota_fake_conn *conn;

    (void)unused;
    open_with(&f, NULL);
    rota_channel_connect(f.channel);
    rota_fixture_update(&f, CONFIG("pick_first", "shop"), A);
    conn = rota_fixture_conn(&f, A);
    rota_fake_up(conn);
    assert_int_equal(rota_channel_state(f.channel), ROTA_CONN_READY);
    assert_int_equal(conn->n_streams, 0);
    rota_fixture_service_config(&f, CHECKED);
    assert_int_equal(conn->n_streams, 1);
    assert_int_equal(rota_channel_state(f.channel), ROTA_CONN_READY); /* pick_first's, until the new one knows */
    say(rota_fake_stream_at(conn, 0), SERVING);
    rota_fixture_service_config(&f, CONFIG("pick_first", "shop"));
    assert_true(rota_fake_stream_at(conn, 0)->reset);
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
    options.service_config = CHECKED;
    err = rota_channel_fixture_open(&f, alloc, &options);
    for (int turn = 0; err == 0 && turn < 6 && rota_channel_state(f.channel) != ROTA_CONN_READY; turn++) {
        struct rota_fake_conn *conn;
        rota_channel_connect(f.channel);
        rota_fixture_publish(&f, A, NULL, NULL);
        conn = rota_fixture_conn(&f, A);
        if (conn != NULL && !conn->closed && !conn->up)
            rota_fake_up(conn);
        if (conn != NULL && conn->n_streams > 0 && !conn->streams[conn->n_streams - 1]->dead)
            say(conn->streams[conn->n_streams - 1], SERVING);
        rota_virtual_host_advance(&f.v, 2 * ROTA_S);
    }
    if (err == 0) {
        assert_int_equal(rota_channel_state(f.channel), ROTA_CONN_READY);
        assert_true(rota_fixture_conn(&f, A)->n_streams > 0); /* it was asked, however late */
        if (f.transport.n_conns > 1 || f.transport.conns[0]->n_streams != 1)
            err = ROTA_ENOMEM; /* it took more than one try, or was not checked */
    }
    rota_channel_fixture_close(&f);
    return err;
}

/* Whatever lacks memory as the connection comes up: no call goes there before the answer; and none waits once nobody asks any more. */
static void nothing_goes_unchecked_for_want_of_memory(void **unused)
{
    (void)unused;
    for (uint64_t n = 1; n < 16; n++)
        for (int dropped = 0; dropped < 2; dropped++) {
            struct rota_channel_fixture f;
            struct rota_fake_conn *conn;
            open_with(&f, CHECKED);
            rota_channel_connect(f.channel);
            rota_fixture_publish(&f, A, NULL, NULL);
            conn = rota_fixture_conn(&f, A);
            rota_leak_alloc_fail_nth(&f.leaks, n);
            rota_fake_up(conn);
            f.leaks.fail_at = 0;
            assert_int_not_equal(rota_channel_state(f.channel), ROTA_CONN_READY);
            if (dropped)
                rota_fixture_service_config(&f, "{\"loadBalancingConfig\":[{\"round_robin\":{}}]}");
            rota_virtual_host_advance(&f.v, 3 * ROTA_S);
            if (!dropped) {
                assert_int_equal(conn->n_streams, 1);
                assert_int_not_equal(rota_channel_state(f.channel), ROTA_CONN_READY);
                say(rota_fake_stream_at(conn, 0), SERVING);
            }
            assert_int_equal(rota_channel_state(f.channel), ROTA_CONN_READY);
            rota_channel_fixture_fini(&f);
        }
}

static void out_of_memory_is_survived(void **unused)
{
    (void)unused;
    assert_true(rota_alloc_sweep_absorbing(live, NULL) > 30);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(calls_wait_for_the_first_answer),
        cmocka_unit_test(answers_have_meanings),
        cmocka_unit_test(what_cannot_be_asked_says_why),
        cmocka_unit_test(calls_under_way_go_on),
        cmocka_unit_test(the_other_server_gets_the_calls),
        cmocka_unit_test(asked_again_with_backoff),
        cmocka_unit_test(a_server_without_it_is_asked_once_a_connection),
        cmocka_unit_test(only_where_wanted),
        cmocka_unit_test(ends_with_the_connection),
        cmocka_unit_test(ends_when_the_server_drains),
        cmocka_unit_test(takes_one_of_the_peers_streams),
        cmocka_unit_test(a_queue_that_was_full_is_no_matter),
        cmocka_unit_test(an_unused_channel_goes_idle),
        cmocka_unit_test(the_config_changes),
        cmocka_unit_test(the_policy_changes),
        cmocka_unit_test(nothing_goes_unchecked_for_want_of_memory),
        cmocka_unit_test(out_of_memory_is_survived),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
