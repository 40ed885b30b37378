/* backoff_test.c - the periods of doc/connection-backoff.md. */
#include "channel/backoff.h"
#include "base/assert.h"
#include "testing/cmocka.h"
#include "testing/script_rng.h"
#include <stdlib.h>

#define S INT64_C(1000000000)

static void periods_grow_and_are_spread_from_the_first_on(void **unused)
{
    static const struct {
        const char *rule;
        double unit; /* of chance */
        double want_s;
    } rows[] = {
        {"the first is spread too: the least", 0.0, 0.8},
        {"1.6 times, in the middle", 0.5, 1.6},
        {"2.56, three quarters up", 0.75, 2.56 * 1.1},
        {"4.096", 0.5, 4.096},
        {"6.5536", 0.5, 6.5536},
        {"the limit, which is spread as well", 0.25, 10 * 0.9},
        {"and no further", 0.5, 10},
    };
    struct rota_backoff backoff = {.initial_ns = S, .max_ns = 10 * S};
    uint64_t script[ROTA_COUNT(rows)];
    struct rota_rng rng;

    (void)unused;
    for (size_t i = 0; i < ROTA_COUNT(rows); i++)
        script[i] = rota_script_unit(rows[i].unit);
    rota_script_rng_init(&rng, script, ROTA_COUNT(script));
    for (size_t i = 0; i < ROTA_COUNT(rows); i++) {
        print_message("  %s\n", rows[i].rule);
        assert_true(llabs(rota_backoff_next(&backoff, &rng) - (int64_t)(rows[i].want_s * (double)S)) < 1000);
    }
}

static void reset_begins_anew(void **unused)
{
    const uint64_t script[] = {rota_script_unit(0.5), rota_script_unit(0.5), rota_script_unit(0.5)};
    struct rota_backoff backoff = {.initial_ns = 20 * S, .max_ns = 10 * S};
    struct rota_rng rng;

    (void)unused;
    rota_script_rng_init(&rng, script, ROTA_COUNT(script));
    assert_int_equal(rota_backoff_next(&backoff, &rng), 10 * S); /* an initial period above the limit is the limit */
    backoff = (struct rota_backoff){.initial_ns = S, .max_ns = 10 * S};
    (void)rota_backoff_next(&backoff, &rng);
    rota_backoff_reset(&backoff);
    assert_int_equal(rota_backoff_next(&backoff, &rng), S);
}

static void a_period_is_never_longer_than_time(void **unused)
{
    const uint64_t script[] = {rota_script_unit(0.5), rota_script_unit(0.9), rota_script_unit(0.1)};
    struct rota_backoff backoff = {.initial_ns = INT64_MAX, .max_ns = INT64_MAX};
    struct rota_rng rng;

    (void)unused;
    rota_script_rng_init(&rng, script, ROTA_COUNT(script));
    assert_int_equal(rota_backoff_next(&backoff, &rng), INT64_MAX);
    assert_int_equal(rota_backoff_next(&backoff, &rng), INT64_MAX);
    assert_true(rota_backoff_next(&backoff, &rng) < INT64_MAX / 10 * 9);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(periods_grow_and_are_spread_from_the_first_on),
        cmocka_unit_test(reset_begins_anew),
        cmocka_unit_test(a_period_is_never_longer_than_time),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
