/* subchannel_test.c - connection attempts in virtual time, GOAWAY, lost connections, addresses that come and go. */
#include "channel/channel_fixture.h"
#include "base/assert.h"
#include "testing/script_rng.h"

#define A "1.1.1.1:1"
#define B "2.2.2.2:2"
#define ROUND_ROBIN "{\"loadBalancingConfig\":[{\"round_robin\":{}}]}"

/* Every backoff is what it is in the middle of its spread. */
static void without_spread(struct rota_channel_fixture *f)
{
    static uint64_t halves[32];

    for (size_t i = 0; i < ROTA_COUNT(halves); i++)
        halves[i] = rota_script_unit(0.5);
    rota_script_rng_init(&f->v.host.rng, halves, ROTA_COUNT(halves));
}

static void attempts_start_a_period_apart(void **unused)
{
    static const struct {
        const char *rule;
        int64_t fails_after_ms; /* from its start */
        int64_t next_after_us; /* from its start */
    } attempts[] = {
        {"1 s from the start of the first", 0, 1000000},
        {"1.6 s, however long the attempt took within it", 1500, 1600000},
        {"2.56 s", 10, 2560000},
        {"at once, if the attempt itself took longer than its period", 9000, 9000000},
        {"6.5536 s", 0, 6553600},
        {"10.48576 s", 0, 10485760},
        {"16.777216 s", 0, 16777216},
    };
    struct rota_channel_fixture f;
    int64_t start_ns;

    (void)unused;
    rota_channel_fixture_init(&f, NULL);
    without_spread(&f);
    rota_channel_connect(f.channel);
    rota_fixture_publish(&f, A, NULL, NULL);
    start_ns = f.v.host.now_ns;
    for (size_t i = 0; i < ROTA_COUNT(attempts); i++) {
        int64_t next_ns = start_ns + attempts[i].next_after_us * ROTA_US;
        struct rota_fake_conn *conn = rota_fixture_conn(&f, A);
        print_message("  %s\n", attempts[i].rule);
        assert_int_equal(f.transport.n_conns, i + 1);
        assert_int_equal(conn->dialed_ns, start_ns);
        assert_int_equal(conn->deadline_ns - start_ns, 20 * ROTA_S);
        rota_virtual_host_advance(&f.v, attempts[i].fails_after_ms * ROTA_MS);
        rota_fake_lose(conn, "connection refused");
        if (f.v.host.now_ns < next_ns) {
            rota_virtual_host_advance_to(&f.v, next_ns - 1);
            assert_int_equal(f.transport.n_conns, i + 1);
        }
        rota_virtual_host_advance_to(&f.v, next_ns);
        start_ns = next_ns;
    }
    rota_channel_fixture_fini(&f);
}

static void settings_reset_the_backoff(void **unused)
{
    struct rota_channel_fixture f;

    (void)unused;
    rota_channel_fixture_init(&f, NULL);
    without_spread(&f);
    rota_channel_connect(f.channel);
    rota_fixture_publish(&f, A, NULL, NULL);
    rota_fake_lose(rota_fixture_conn(&f, A), "refused");
    rota_virtual_host_advance(&f.v, ROTA_S);
    rota_fake_up(rota_fixture_conn(&f, A));
    rota_fake_lose(rota_fixture_conn(&f, A), "gone");
    assert_int_equal(rota_channel_state(f.channel), ROTA_CONN_IDLE);
    rota_channel_connect(f.channel);
    assert_int_equal(f.transport.n_conns, 3); /* at once */
    rota_fake_lose(rota_fixture_conn(&f, A), "refused");
    rota_virtual_host_advance(&f.v, ROTA_S - 1);
    assert_int_equal(f.transport.n_conns, 3);
    rota_virtual_host_advance(&f.v, 1);
    assert_int_equal(f.transport.n_conns, 4);
    rota_channel_fixture_fini(&f);
}

static void a_period_longer_than_the_patience_lengthens_it(void **unused)
{
    struct rota_channel_options options = ROTA_CHANNEL_OPTIONS_INIT;
    struct rota_channel_fixture f;

    (void)unused;
    options.connect_timeout_ms = 500;
    rota_channel_fixture_init(&f, &options);
    without_spread(&f);
    rota_channel_connect(f.channel);
    rota_fixture_publish(&f, A, NULL, NULL);
    assert_int_equal(rota_fixture_conn(&f, A)->deadline_ns, f.v.host.now_ns + ROTA_S);
    rota_channel_fixture_fini(&f);
}

static void never_is_never(void **unused)
{
    static const struct {
        const char *rule;
        int64_t timeout_ms, backoff_ms, deadline_ns, n_conns; /* the latter a year after a failure */
    } rows[] = {
        {"no time out of connecting", INT64_MAX, 0, INT64_MAX, 2},
        {"no second attempt, nor an end to the first", 0, INT64_MAX, INT64_MAX, 1},
    };

    (void)unused;
    for (size_t i = 0; i < ROTA_COUNT(rows); i++) {
        struct rota_channel_options options = ROTA_CHANNEL_OPTIONS_INIT;
        struct rota_channel_fixture f;

        print_message("  %s\n", rows[i].rule);
        options.connect_timeout_ms = rows[i].timeout_ms;
        options.backoff_initial_ms = options.backoff_max_ms = rows[i].backoff_ms;
        rota_channel_fixture_init(&f, &options);
        without_spread(&f);
        rota_channel_connect(f.channel);
        rota_fixture_publish(&f, A, NULL, NULL);
        assert_int_equal(rota_fixture_conn(&f, A)->deadline_ns, rows[i].deadline_ns);
        rota_fake_lose(rota_fixture_conn(&f, A), "refused");
        rota_virtual_host_advance(&f.v, 366 * 86400 * ROTA_S);
        assert_int_equal(f.transport.n_conns, rows[i].n_conns);
        rota_channel_fixture_fini(&f);
    }
}

static void a_dial_that_fails_at_once_backs_off_too(void **unused)
{
    struct rota_channel_fixture f;
    struct rota_seen_call seen;

    (void)unused;
    rota_channel_fixture_init(&f, NULL);
    without_spread(&f);
    f.transport.dial_err = ROTA_EIO;
    rota_fixture_unary_start(&f, "x", NULL, &seen);
    rota_fixture_publish(&f, A, NULL, NULL);
    rota_assert_ended(&seen, ROTA_UNAVAILABLE, A);
    assert_int_equal(rota_channel_state(f.channel), ROTA_CONN_TRANSIENT_FAILURE);
    f.transport.dial_err = 0;
    rota_virtual_host_advance(&f.v, ROTA_S - 1);
    assert_int_equal(f.transport.n_conns, 0);
    rota_virtual_host_advance(&f.v, 1);
    assert_int_equal(f.transport.n_conns, 1);
    rota_channel_fixture_fini(&f);
}

static void goaway_moves_new_calls_and_lets_old_ones_finish(void **unused)
{
    struct rota_channel_fixture f;
    struct rota_seen_call old, new;
    struct rota_fake_conn *first, *second;

    (void)unused;
    rota_channel_fixture_init(&f, NULL);
    first = rota_fixture_ready(&f, A);
    rota_fixture_unary_start(&f, "old", NULL, &old);
    rota_fake_goaway(first, 1);
    assert_int_equal(rota_channel_state(f.channel), ROTA_CONN_IDLE);
    rota_fixture_unary_start(&f, "new", NULL, &new);
    second = rota_fixture_conn(&f, A);
    assert_ptr_not_equal(first, second);
    rota_fake_up(second);
    assert_string_equal(rota_fake_request(rota_fake_stream_at(second, 0)), "new");
    rota_assert_running(&old);
    rota_fake_reply(rota_fake_stream_at(first, 0), "r");
    rota_assert_ended(&old, ROTA_OK, "");
    assert_true(first->closed);
    rota_fake_reply(rota_fake_stream_at(second, 0), "r");
    rota_assert_ended(&new, ROTA_OK, "");
    rota_channel_fixture_fini(&f);
}

static void too_many_pings_make_them_fewer(void **unused)
{
    struct rota_channel_options options = ROTA_CHANNEL_OPTIONS_INIT;
    struct rota_channel_fixture f;
    struct rota_fake_conn *conn;

    (void)unused;
    options.keepalive_time_ms = 10000;
    rota_channel_fixture_init(&f, &options);
    conn = rota_fixture_ready(&f, A);
    assert_int_equal(conn->keepalive_time_ns, 10000 * ROTA_MS);
    conn->events->on_too_many_pings(conn->owner);
    rota_fake_goaway(conn, 0);
    rota_channel_connect(f.channel);
    assert_int_equal(rota_fixture_conn(&f, A)->keepalive_time_ns, 20000 * ROTA_MS);
    rota_channel_fixture_fini(&f);
}

/* The second of two connections says no more than that the same time was too short. */
static void many_connections_with_too_many_pings_count_once(void **unused)
{
    struct rota_channel_options options = ROTA_CHANNEL_OPTIONS_INIT;
    struct rota_channel_fixture f;
    struct rota_fake_conn *a, *b;

    (void)unused;
    options.keepalive_time_ms = 10000;
    options.service_config = ROUND_ROBIN;
    rota_channel_fixture_init(&f, &options);
    a = rota_fixture_ready(&f, A);
    rota_fixture_publish(&f, A, B, NULL);
    b = rota_fixture_conn(&f, B);
    rota_fake_up(b);
    a->events->on_too_many_pings(a->owner);
    rota_fake_goaway(a, 0);
    a = rota_fixture_conn(&f, A);
    assert_int_equal(a->keepalive_time_ns, 20000 * ROTA_MS);
    rota_fake_up(a);
    a->events->on_too_many_pings(a->owner);
    b->events->on_too_many_pings(b->owner);
    b->events->on_too_many_pings(b->owner);
    rota_fake_goaway(b, 0);
    assert_int_equal(rota_fixture_conn(&f, B)->keepalive_time_ns, 40000 * ROTA_MS);
    rota_channel_fixture_fini(&f);
}

static void an_address_that_goes_drains(void **unused)
{
    struct rota_channel_options options = ROTA_CHANNEL_OPTIONS_INIT;
    struct rota_channel_fixture f;
    struct rota_seen_call seen;
    struct rota_fake_conn *a;

    (void)unused;
    options.service_config = ROUND_ROBIN;
    rota_channel_fixture_init(&f, &options);
    a = rota_fixture_ready(&f, A);
    rota_fixture_unary_start(&f, "x", NULL, &seen);
    rota_fixture_publish(&f, B, NULL, NULL);
    rota_fake_up(rota_fixture_conn(&f, B));
    assert_true(a->draining);
    assert_false(a->closed);
    rota_fake_reply(rota_fake_stream_at(a, 0), "r");
    rota_assert_ended(&seen, ROTA_OK, "");
    assert_true(a->closed);
    rota_channel_fixture_fini(&f);
}

static void an_attempt_nobody_wants_any_more_is_closed(void **unused)
{
    struct rota_channel_options options = ROTA_CHANNEL_OPTIONS_INIT;
    struct rota_channel_fixture f;

    (void)unused;
    options.service_config = ROUND_ROBIN;
    rota_channel_fixture_init(&f, &options);
    rota_channel_connect(f.channel);
    rota_fixture_publish(&f, A, B, NULL);
    rota_fixture_publish(&f, B, NULL, NULL);
    assert_true(rota_fixture_conn(&f, A)->closed);
    assert_false(rota_fixture_conn(&f, B)->closed);
    rota_channel_fixture_fini(&f);
}

static void one_address_has_one_connection(void **unused)
{
    struct rota_channel_options options = ROTA_CHANNEL_OPTIONS_INIT;
    struct rota_channel_fixture f;

    (void)unused;
    options.service_config = ROUND_ROBIN;
    rota_channel_fixture_init(&f, &options);
    rota_fixture_ready(&f, A);
    rota_fixture_publish(&f, A, B, NULL);
    assert_int_equal(f.transport.n_conns, 2);
    rota_fixture_publish(&f, B, A, NULL);
    assert_int_equal(f.transport.n_conns, 2);
    rota_channel_fixture_fini(&f);
}

static void connections_that_serve_nobody_do_not_storm(void **unused)
{
    static const struct {
        const char *rule;
        int64_t lives_ms;
        bool serves, waits, news;
    } rows[] = {
        {"gone at once, again and again: waits", 0, false, true, false},
        {"until the server registers anew", 0, false, true, true},
        {"each lives for a second: comes back at once", 1000, false, false, false},
        {"each has served somebody: comes back at once", 0, true, false, false},
    };

    (void)unused;
    for (size_t i = 0; i < ROTA_COUNT(rows); i++) {
        struct rota_channel_options options = ROTA_CHANNEL_OPTIONS_INIT;
        struct rota_channel_fixture f;
        struct rota_seen_call seen;
        size_t dialed;

        print_message("  %s\n", rows[i].rule);
        options.service_config = ROUND_ROBIN;
        rota_channel_fixture_init(&f, &options);
        without_spread(&f);
        rota_channel_connect(f.channel);
        rota_fixture_publish(&f, A, NULL, NULL);
        for (int n = 0; n < 3; n++) {
            struct rota_fake_conn *conn = rota_fixture_conn(&f, A);
            rota_fake_up(conn);
            if (rows[i].serves) {
                rota_fixture_unary_start(&f, "x", NULL, &seen);
                rota_fake_reply(rota_fake_stream_at(conn, 0), "r");
            }
            rota_virtual_host_advance(&f.v, rows[i].lives_ms * ROTA_MS);
            rota_fake_lose(conn, "gone");
        }
        dialed = f.transport.n_conns;
        assert_int_equal(dialed, rows[i].waits ? 3 : 4);
        if (rows[i].news)
            rota_fixture_publish(&f, A "#2", NULL, NULL);
        rota_virtual_host_advance(&f.v, rows[i].news ? 100 * ROTA_MS : ROTA_S);
        assert_int_equal(f.transport.n_conns, 4);
        rota_channel_fixture_fini(&f);
    }
}

static void a_call_is_told_of_connections_that_serve_nobody(void **unused)
{
    static const enum rota_wait_for_ready waits[] = {ROTA_FAIL_FAST, ROTA_WAIT_FOR_READY};

    (void)unused;
    for (size_t i = 0; i < ROTA_COUNT(waits); i++) {
        struct rota_call_options options = ROTA_CALL_OPTIONS_INIT;
        struct rota_channel_fixture f;
        struct rota_seen_call seen;

        rota_channel_fixture_init(&f, NULL);
        without_spread(&f);
        rota_channel_connect(f.channel);
        rota_fixture_publish(&f, A, NULL, NULL);
        for (int n = 0; n < 3; n++) {
            struct rota_fake_conn *conn = rota_fixture_conn(&f, A);
            rota_fake_up(conn);
            rota_fake_lose(conn, "gone");
            if (n < 2)
                rota_channel_connect(f.channel);
        }
        options.wait_for_ready = waits[i];
        rota_fixture_unary_start(&f, "x", &options, &seen); /* its own pick begins the attempt that fails */
        rota_virtual_host_advance(&f.v, 0);
        if (waits[i] == ROTA_FAIL_FAST) {
            rota_assert_ended(&seen, ROTA_UNAVAILABLE, "gone");
        } else {
            rota_assert_running(&seen);
            rota_virtual_host_advance(&f.v, ROTA_S);
            rota_fake_up(rota_fixture_conn(&f, A));
            rota_fake_reply(rota_fake_stream_at(rota_fixture_conn(&f, A), 0), "r");
            rota_assert_ended(&seen, ROTA_OK, "");
        }
        rota_channel_fixture_fini(&f);
    }
}

static void a_lost_connection_asks_for_another_list(void **unused)
{
    struct rota_channel_fixture f;

    (void)unused;
    rota_channel_fixture_init(&f, NULL);
    rota_fixture_ready(&f, A);
    assert_int_equal(f.refreshed, 0);
    rota_fake_lose(rota_fixture_conn(&f, A), "gone");
    assert_int_equal(f.refreshed, 1);
    rota_channel_fixture_fini(&f);
}

static void news_of_an_address_end_its_backoff(void **unused)
{
    static const struct {
        const char *rule, *list; /* published while A backs off */
        bool waits;
    } rows[] = {
        {"the same list is no news", A "#1", true},
        {"A registered anew: within 100 ms, by chance", A "#2", false},
        {"another comes: A waits on", B, true},
    };

    (void)unused;
    for (size_t i = 0; i < ROTA_COUNT(rows); i++) {
        struct rota_channel_options options = ROTA_CHANNEL_OPTIONS_INIT;
        struct rota_channel_fixture f;
        bool with_b = strcmp(rows[i].list, B) == 0;

        print_message("  %s\n", rows[i].rule);
        options.service_config = ROUND_ROBIN;
        rota_channel_fixture_init(&f, &options);
        without_spread(&f);
        rota_channel_connect(f.channel);
        rota_fixture_publish(&f, A "#1", NULL, NULL);
        rota_fake_lose(rota_fixture_conn(&f, A), "refused");
        rota_virtual_host_advance(&f.v, ROTA_S);
        rota_fake_lose(rota_fixture_conn(&f, A), "refused");
        rota_fixture_publish(&f, with_b ? A "#1" : rows[i].list, with_b ? B : NULL, NULL);
        assert_int_equal(f.transport.n_conns, 2 + with_b);
        rota_virtual_host_advance(&f.v, 100 * ROTA_MS);
        assert_int_equal(f.transport.n_conns, 2 + with_b + !rows[i].waits);
        if (!rows[i].waits) { /* the periods begin again too */
            rota_fake_lose(rota_fixture_conn(&f, A), "refused");
            rota_virtual_host_advance(&f.v, ROTA_S);
            assert_int_equal(f.transport.n_conns, 4);
        }
        rota_channel_fixture_fini(&f);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(attempts_start_a_period_apart),
        cmocka_unit_test(settings_reset_the_backoff),
        cmocka_unit_test(a_period_longer_than_the_patience_lengthens_it),
        cmocka_unit_test(never_is_never),
        cmocka_unit_test(a_dial_that_fails_at_once_backs_off_too),
        cmocka_unit_test(goaway_moves_new_calls_and_lets_old_ones_finish),
        cmocka_unit_test(too_many_pings_make_them_fewer),
        cmocka_unit_test(many_connections_with_too_many_pings_count_once),
        cmocka_unit_test(an_address_that_goes_drains),
        cmocka_unit_test(an_attempt_nobody_wants_any_more_is_closed),
        cmocka_unit_test(one_address_has_one_connection),
        cmocka_unit_test(connections_that_serve_nobody_do_not_storm),
        cmocka_unit_test(a_call_is_told_of_connections_that_serve_nobody),
        cmocka_unit_test(a_lost_connection_asks_for_another_list),
        cmocka_unit_test(news_of_an_address_end_its_backoff),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
