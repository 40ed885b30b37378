/* zone_spill_test.c - when calls leave an overloaded zone, and when they come back: a period a row. */
#include "lb/zone_spill.h"
#include "base/assert.h"
#include "testing/cmocka.h"
#include "testing/virtual_host.h"
#include <math.h>

/* Calls of one period, all as long. */
struct calls {
    int n, n_failed;
    int64_t each_ns;
};

static void play(struct rota_zone_group *group, struct calls calls, int64_t now_ns)
{
    for (int i = 0; i < calls.n; i++) {
        rota_zone_begin(group, now_ns - calls.each_ns);
        rota_zone_end(group, now_ns - calls.each_ns, now_ns, i < calls.n_failed ? ROTA_ZONE_FAILED : ROTA_ZONE_ANSWERED);
    }
}

static const struct row {
    const char *rule;
    double factor, before;
    struct calls own, others;
    double want;
} rows[] = {
    {"as fast as elsewhere: nothing leaves", 2, 0, {100, 0, ROTA_MS}, {100, 0, ROTA_MS}, 0},
    {"less than `factor` slower: nothing leaves", 2, 0, {100, 0, 19 * ROTA_MS}, {100, 0, 10 * ROTA_MS}, 0},
    {"slower than that: what stays is divided by the excess", 2, 0, {100, 0, 25 * ROTA_MS}, {100, 0, 10 * ROTA_MS}, 0.2},
    {"far slower: half leaves", 2, 0, {100, 0, 90 * ROTA_MS}, {100, 0, ROTA_MS}, 0.5},
    {"still far slower: half of the rest", 2, 0.5, {100, 0, 90 * ROTA_MS}, {100, 0, ROTA_MS}, 0.75},
    {"but never all of it", 2, 0.94, {100, 0, 90 * ROTA_MS}, {100, 0, ROTA_MS}, 0.95},
    {"between the bounds: all stays as it is", 2, 0.5, {100, 0, 17 * ROTA_MS}, {100, 0, 10 * ROTA_MS}, 0.5},
    {"below half the factor's excess: a hundredth comes back", 2, 0.5, {100, 0, 14 * ROTA_MS}, {100, 0, 10 * ROTA_MS}, 0.49},
    {"until all is back", 2, 0.005, {100, 0, ROTA_MS}, {100, 0, ROTA_MS}, 0},
    {"failures count as time spent for nothing", 2, 0, {100, 60, ROTA_MS}, {100, 0, ROTA_MS}, 0.2},
    {"all failed: half leaves", 2, 0, {100, 100, ROTA_MS}, {100, 0, ROTA_MS}, 0.5},
    {"too few calls in the own zone: no verdict", 2, 0.5, {29, 0, 90 * ROTA_MS}, {100, 0, ROTA_MS}, 0.5},
    {"too few elsewhere, ever: no verdict", 2, 0.5, {100, 0, 90 * ROTA_MS}, {29, 0, ROTA_MS}, 0.5},
    {"a factor of 0: nothing ever leaves", 0, 0, {100, 0, 90 * ROTA_MS}, {100, 0, ROTA_MS}, 0},
};

static void follows_the_rules(void **unused)
{
    (void)unused;
    for (size_t i = 0; i < ROTA_COUNT(rows); i++) {
        const struct row *row = &rows[i];
        struct rota_zone_spill s = {.factor = row->factor, .spill = row->before};
        play(&s.own, row->own, 10 * ROTA_S);
        play(&s.others, row->others, 10 * ROTA_S);
        assert_int_equal(rota_zone_compare(&s, 10 * ROTA_S), row->want != row->before);
        assert_int_equal(s.next_ns, 10 * ROTA_S + ROTA_ZONE_PERIOD_NS);
        if (fabs(s.spill - row->want) > 1e-9)
            fail_msg("%s: %f", row->rule, s.spill);
    }
}

static void calls_that_hang_are_seen(void **unused)
{
    struct rota_zone_spill s = {.factor = 2};

    (void)unused;
    play(&s.others, (struct calls){30, 0, 10 * ROTA_MS}, ROTA_S);
    for (int i = 0; i < 40; i++)
        rota_zone_begin(&s.own, ROTA_S);
    assert_false(rota_zone_compare(&s, ROTA_S + 5 * ROTA_MS)); /* they are young yet */
    assert_true(rota_zone_compare(&s, 2 * ROTA_S));
    assert_true(s.spill == 0.5);
    for (int i = 0; i < 40; i++)
        rota_zone_end(&s.own, ROTA_S, 3 * ROTA_S, ROTA_ZONE_UNTOLD);
    assert_false(rota_zone_compare(&s, 3 * ROTA_S)); /* given up by the caller: nothing to go by */
}

/* What a call costs elsewhere is remembered: few go there. */
static void elsewhere_is_remembered(void **unused)
{
    struct rota_zone_spill s = {.factor = 2};

    (void)unused;
    play(&s.others, (struct calls){30, 0, 10 * ROTA_MS}, ROTA_S);
    play(&s.own, (struct calls){100, 0, 10 * ROTA_MS}, ROTA_S);
    assert_false(rota_zone_compare(&s, ROTA_S));
    play(&s.own, (struct calls){100, 0, 40 * ROTA_MS}, 2 * ROTA_S);
    assert_true(rota_zone_compare(&s, 2 * ROTA_S));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(follows_the_rules),
        cmocka_unit_test(calls_that_hang_are_seen),
        cmocka_unit_test(elsewhere_is_remembered),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
