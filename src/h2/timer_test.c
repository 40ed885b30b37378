/* timer_test.c - pings, their answers, and a handshake that does not come. */
#include "base/assert.h"
#include "h2/pair_fixture.h"
#include "testing/cmocka.h"

#define SECOND_NS INT64_C(1000000000)

static struct rota_h2_options alive(bool without_streams)
{
    return (struct rota_h2_options){
        .keepalive_time_ns = 10 * SECOND_NS,
        .keepalive_timeout_ns = 3 * SECOND_NS,
        .keepalive_without_streams = without_streams,
        .handshake_deadline_ns = 20 * SECOND_NS,
    };
}

static void pair_ready(struct pair *pair, bool without_streams)
{
    struct rota_h2_options options = alive(without_streams);

    assert_int_equal(pair_init(pair, NULL, &options, NULL), 0);
    pair_run(pair);
}

static void without_streams_there_is_no_ping(void **state)
{
    struct pair pair;

    (void)state;
    pair_ready(&pair, false);
    assert_int_equal(rota_h2_deadline_ns(pair.client.h2), INT64_MAX);
    assert_int_equal(pair_open(&pair, true), 1);
    assert_int_equal(rota_h2_deadline_ns(pair.client.h2), 10 * SECOND_NS);
    rota_h2_reset(pair.client.streams[1], 8);
    assert_int_equal(rota_h2_deadline_ns(pair.client.h2), INT64_MAX);
    pair_fini(&pair);
}

static void a_ping_goes_out_after_silence(void **state)
{
    struct pair pair;

    (void)state;
    pair_ready(&pair, true);
    assert_int_equal(rota_h2_deadline_ns(pair.client.h2), 10 * SECOND_NS);
    assert_int_equal(rota_h2_tick(pair.client.h2, 10 * SECOND_NS - 1, NULL), 0);
    assert_false(rota_h2_wants_write(pair.client.h2));
    assert_int_equal(rota_h2_tick(pair.client.h2, 10 * SECOND_NS, NULL), 0);
    assert_int_equal(rota_h2_deadline_ns(pair.client.h2), 13 * SECOND_NS);
    assert_int_equal(pair_pass(&pair.client, NULL, 100), 17);
    pair_fini(&pair);
}

static void an_answer_starts_the_silence_again(void **state)
{
    struct pair pair;

    (void)state;
    pair_ready(&pair, true);
    assert_int_equal(rota_h2_tick(pair.client.h2, 10 * SECOND_NS, NULL), 0);
    pair.now_ns = 12 * SECOND_NS;
    pair_run(&pair);
    assert_int_equal(rota_h2_deadline_ns(pair.client.h2), 22 * SECOND_NS);
    pair_fini(&pair);
}

static void no_answer_means_dead(void **state)
{
    struct rota_errinfo info;
    struct pair pair;

    (void)state;
    pair_ready(&pair, true);
    assert_int_equal(rota_h2_tick(pair.client.h2, 10 * SECOND_NS, &info), 0);
    assert_int_equal(rota_h2_tick(pair.client.h2, 13 * SECOND_NS - 1, &info), 0);
    assert_int_equal(rota_h2_tick(pair.client.h2, 13 * SECOND_NS, &info), ROTA_ETIMEDOUT);
    assert_string_equal(info.text, "the peer did not answer a keepalive ping within 3000 ms");
    pair_fini(&pair);
}

static void a_handshake_has_a_deadline(void **state)
{
    struct rota_h2_options options = alive(true);
    struct rota_errinfo info;
    struct pair pair;

    (void)state;
    assert_int_equal(pair_init(&pair, NULL, &options, NULL), 0);
    assert_int_equal(rota_h2_deadline_ns(pair.client.h2), 20 * SECOND_NS);
    assert_int_equal(rota_h2_tick(pair.client.h2, 20 * SECOND_NS - 1, &info), 0);
    assert_int_equal(rota_h2_tick(pair.client.h2, 20 * SECOND_NS, &info), ROTA_ETIMEDOUT);
    assert_string_equal(info.text, "no HTTP/2 SETTINGS came from the peer in time");
    pair_run(&pair);
    assert_int_equal(rota_h2_deadline_ns(pair.client.h2), 10 * SECOND_NS);
    assert_int_equal(rota_h2_tick(pair.client.h2, 9 * SECOND_NS, &info), 0);
    pair_fini(&pair);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(without_streams_there_is_no_ping),
        cmocka_unit_test(a_ping_goes_out_after_silence),
        cmocka_unit_test(an_answer_starts_the_silence_again),
        cmocka_unit_test(no_answer_means_dead),
        cmocka_unit_test(a_handshake_has_a_deadline),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
