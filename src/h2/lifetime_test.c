/* lifetime_test.c - old and idle connections drain in two steps, and calls have their grace. */
#include "base/assert.h"
#include "h2/pair_fixture.h"
#include "testing/cmocka.h"

#define SECOND_NS INT64_C(1000000000)

static void pair_ready(struct pair *pair, int64_t age_s, int64_t grace_s, int64_t idle_s)
{
    struct rota_h2_options options = {.keepalive_time_ns = INT64_MAX, .handshake_deadline_ns = INT64_MAX, .max_age_ns = age_s * SECOND_NS,
        .max_age_grace_ns = grace_s * SECOND_NS, .max_idle_ns = idle_s * SECOND_NS};

    assert_int_equal(pair_init(pair, NULL, NULL, &options), 0);
    pair_run(pair);
    pair_log(&pair->client);
    pair_log(&pair->server);
}

/* Ticks the server whenever it asks for it, up to and with at_s. What the last tick returned. */
static rota_err go_on_until(struct pair *pair, int64_t at_s)
{
    rota_err err = 0;

    while (err == 0 && rota_h2_deadline_ns(pair->server.h2) <= at_s * SECOND_NS) {
        if (rota_h2_deadline_ns(pair->server.h2) > pair->now_ns)
            pair->now_ns = rota_h2_deadline_ns(pair->server.h2);
        err = rota_h2_tick(pair->server.h2, pair->now_ns, NULL);
        pair_run(pair);
    }
    pair->now_ns = at_s * SECOND_NS;
    return err;
}

static void an_old_connection_drains_and_its_calls_go_on(void **state)
{
    struct pair pair;

    (void)state;
    pair_ready(&pair, 60, 0, 0);
    assert_int_equal(pair_open(&pair, true), 1);
    pair_run(&pair);
    assert_int_equal(go_on_until(&pair, 59), 0);
    assert_string_equal(pair_log(&pair.client), "");
    assert_int_equal(go_on_until(&pair, 60), 0);
    assert_string_equal(pair_log(&pair.client), "goaway(0) goaway(0)");
    assert_int_equal(go_on_until(&pair, 100000), 0);
    assert_int_equal(pair_respond(&pair, 1, true), 0);
    pair_run(&pair);
    assert_string_equal(pair_log(&pair.client), "headers/1:2:end closed/1:done");
    assert_true(rota_h2_finished(pair.server.h2));
    pair_fini(&pair);
}

static void the_grace_comes_to_an_end(void **state)
{
    struct rota_errinfo info;
    struct pair pair;

    (void)state;
    pair_ready(&pair, 60, 10, 0);
    assert_int_equal(pair_open(&pair, true), 1);
    pair_run(&pair);
    assert_int_equal(go_on_until(&pair, 69), 0);
    assert_int_equal(rota_h2_tick(pair.server.h2, 70 * SECOND_NS, &info), ROTA_ETIMEDOUT);
    assert_string_equal(info.text, "the connection was too old, and its calls did not end in time");
    pair_fini(&pair);
}

static void an_idle_connection_drains(void **state)
{
    struct pair pair;

    (void)state;
    pair_ready(&pair, 0, 0, 30);
    assert_int_equal(go_on_until(&pair, 29), 0);
    assert_string_equal(pair_log(&pair.client), "");
    assert_int_equal(go_on_until(&pair, 30), 0);
    assert_string_equal(pair_log(&pair.client), "goaway(0) goaway(0)");
    assert_int_equal(go_on_until(&pair, 31), 0);
    assert_true(rota_h2_finished(pair.server.h2));
    pair_fini(&pair);
}

/* It was on its way while the first GOAWAY was, and is no longer bound to any idleness. */
static void a_call_that_slips_into_an_idle_drain_has_an_age(void **state)
{
    struct pair pair;

    (void)state;
    pair_ready(&pair, 60, 10, 30);
    pair.now_ns = 30 * SECOND_NS;
    assert_int_equal(rota_h2_tick(pair.server.h2, pair.now_ns, NULL), 0);
    assert_int_equal(pair_open(&pair, true), 1);
    pair_run(&pair);
    assert_string_equal(pair_log(&pair.client), "goaway(0) goaway(0)");
    assert_int_equal(go_on_until(&pair, 69), 0);
    assert_int_equal(go_on_until(&pair, 70), ROTA_ETIMEDOUT);
    pair_fini(&pair);
}

static void idleness_counts_from_the_end_of(bool reset)
{
    struct pair pair;

    pair_ready(&pair, 0, 0, 30);
    assert_int_equal(pair_open(&pair, true), 1);
    pair_run(&pair);
    assert_int_equal(go_on_until(&pair, 100), 0); /* one call, however long */
    if (reset)
        rota_h2_reset(pair.server.streams[1], 8);
    else
        assert_int_equal(pair_respond(&pair, 1, true), 0);
    while (pair_pass(&pair.server, NULL, 65536) > 0) /* the client says no more */
        ;
    assert_int_equal(go_on_until(&pair, 129), 0);
    assert_string_equal(pair_log(&pair.client), "");
    assert_int_equal(go_on_until(&pair, 130), 0);
    assert_string_equal(pair_log(&pair.client), "goaway(0) goaway(0)");
    pair_fini(&pair);
}

static void idleness_counts_from_the_last_call(void **state)
{
    (void)state;
    idleness_counts_from_the_end_of(false);
    idleness_counts_from_the_end_of(true);
}

static void without_limits_a_connection_has_no_end(void **state)
{
    struct pair pair;

    (void)state;
    pair_ready(&pair, 0, 0, 0);
    assert_true(rota_h2_deadline_ns(pair.server.h2) == INT64_MAX);
    pair_fini(&pair);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_old_connection_drains_and_its_calls_go_on),
        cmocka_unit_test(the_grace_comes_to_an_end),
        cmocka_unit_test(an_idle_connection_drains),
        cmocka_unit_test(a_call_that_slips_into_an_idle_drain_has_an_age),
        cmocka_unit_test(idleness_counts_from_the_last_call),
        cmocka_unit_test(without_limits_a_connection_has_no_end),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
