/* bdp_test.c - samples in virtual time: how long since the last answer, how much was taken, how long the ping took. */
#include "h2/bdp.h"
#include "base/assert.h"
#include "testing/cmocka.h"

#define KIB 1024u
#define MIB (1024u * KIB)
#define US INT64_C(1000)
#define MS INT64_C(1000000)

struct sample {
    int64_t pause_ns; /* from the last answer to the ping */
    int64_t rtt_ns;
    uint32_t taken_bytes;
    uint32_t want_window;
};

#define SAMPLES 6
static const struct sample_case {
    const char *rule;
    uint32_t bound;
    struct sample samples[SAMPLES];
} sample_cases[] = {
    {"a window used up in each round trip becomes four", 16 * MIB,
        {{0, 100 * MS, 64 * KIB, 256 * KIB}, {0, 100 * MS, 256 * KIB, MIB}, {0, 100 * MS, MIB, 4 * MIB}}},
    {"half a window, which is when it is opened again, makes it double", 16 * MIB, {{0, 100 * MS, 32 * KIB, 128 * KIB}, {0, 100 * MS, 64 * KIB, 256 * KIB}}},
    {"it ends at the bound", 200 * KIB, {{0, 100 * MS, 64 * KIB, 200 * KIB}}},
    {"the bound is reached by less than a quarter more", 150 * KIB, {{0, 100 * MS, 32 * KIB, 128 * KIB}, {0, 100 * MS, 128 * KIB, 150 * KIB}}},
    {"a quarter more is worth a frame", 16 * MIB, {{0, 100 * MS, 20 * KIB, 80 * KIB}}},
    {"less is not", 16 * MIB, {{0, 100 * MS, 19 * KIB, 64 * KIB}}},
    {"who takes nothing gets no more", 16 * MIB, {{0, 100 * MS, 0, 64 * KIB}, {20 * MS, 100 * MS, 0, 64 * KIB}}},
    {"a slow taker's speed counts, not the sender's", 16 * MIB, {{0, 100 * MS, 6 * KIB, 64 * KIB}, {100 * MS, 100 * MS, 6 * KIB, 64 * KIB}}},
    {"bursts after sleep are averaged over the sleep", 16 * MIB,
        {{0, 50 * US, 64 * KIB, 256 * KIB}, {100 * MS, 50 * US, 256 * KIB, 256 * KIB}, {100 * MS, 50 * US, 256 * KIB, 256 * KIB}}},
    {"round trips that a full socket makes long do not count", 16 * MIB,
        {{0, 1 * MS, 64 * KIB, 256 * KIB}, {0, 20 * MS, 256 * KIB, 256 * KIB}, {10 * MS, 40 * MS, 512 * KIB, 256 * KIB}}},
    {"a round trip is taken for a quarter of a millisecond at least", 16 * MIB,
        {{0, 50 * US, 64 * KIB, 256 * KIB}, {10 * MS - 50 * US, 50 * US, 20 * MIB, 2 * MIB}}},
};

static void the_window_follows_what_is_taken(void **state)
{
    (void)state;
    for (size_t i = 0; i < ROTA_COUNT(sample_cases); i++) {
        const struct sample_case *c = &sample_cases[i];
        struct rota_h2_bdp bdp;
        int64_t now_ns = 0;

        print_message("  %s\n", c->rule);
        rota_h2_bdp_init(&bdp, 64 * KIB, c->bound, now_ns);
        for (size_t k = 0; k < SAMPLES && c->samples[k].want_window > 0; k++) {
            const struct sample *s = &c->samples[k];
            uint32_t before = bdp.window_bytes;

            now_ns += s->pause_ns;
            bdp.next_ns = now_ns; /* when it pings is the next test's */
            assert_true(rota_h2_bdp_ping(&bdp, now_ns));
            bdp.taken_bytes += s->taken_bytes;
            now_ns += s->rtt_ns;
            assert_int_equal(rota_h2_bdp_answer(&bdp, now_ns), s->want_window > before);
            assert_int_equal(bdp.window_bytes, s->want_window);
            assert_int_equal(bdp.taken_bytes, 0);
        }
    }
}

static void one_ping_at_a_time_and_fewer_when_nothing_grows(void **state)
{
    struct rota_h2_bdp bdp;
    int64_t now_ns = 0, want_ms[] = {20, 40, 80, 160, 320, 640, 1000, 1000};

    (void)state;
    rota_h2_bdp_init(&bdp, 64 * KIB, MIB, now_ns);
    assert_false(rota_h2_bdp_answer(&bdp, now_ns)); /* to no ping */
    for (size_t i = 0; i < ROTA_COUNT(want_ms); i++) {
        assert_true(rota_h2_bdp_ping(&bdp, now_ns));
        assert_false(rota_h2_bdp_ping(&bdp, now_ns + 10000 * MS));
        assert_false(rota_h2_bdp_answer(&bdp, now_ns + MS));
        assert_false(rota_h2_bdp_ping(&bdp, now_ns + want_ms[i] * MS - 1));
        now_ns += want_ms[i] * MS;
    }
    /* What is taken fast again makes pings frequent again. */
    assert_true(rota_h2_bdp_ping(&bdp, now_ns));
    bdp.taken_bytes = 1024 * MIB;
    assert_true(rota_h2_bdp_answer(&bdp, now_ns + MS));
    assert_int_equal(bdp.window_bytes, MIB);
    assert_false(rota_h2_bdp_ping(&bdp, now_ns + 10 * MS)); /* at the bound there is nothing to learn */
}

static void a_bound_not_above_the_window_switches_it_off(void **state)
{
    struct rota_h2_bdp bdp;

    (void)state;
    rota_h2_bdp_init(&bdp, 64 * KIB, 0, 0);
    assert_false(rota_h2_bdp_ping(&bdp, 0));
    rota_h2_bdp_init(&bdp, 64 * KIB, 64 * KIB, 0);
    assert_false(rota_h2_bdp_ping(&bdp, 0));
    assert_int_equal(bdp.window_bytes, 64 * KIB);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_window_follows_what_is_taken),
        cmocka_unit_test(one_ping_at_a_time_and_fewer_when_nothing_grows),
        cmocka_unit_test(a_bound_not_above_the_window_switches_it_off),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
