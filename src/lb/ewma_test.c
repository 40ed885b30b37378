/* ewma_test.c - peaks, decay and loads to the number: a rule a row. Source: Finagle's peak EWMA. */
#include "lb/ewma.h"
#include "base/assert.h"
#include "testing/cmocka.h"
#include <math.h>
#include <stdbool.h>

#define MS 1e6
#define S 1e9
#define TAU (10 * S)
#define E_TO_MINUS_1 0.36787944117144233

static const struct {
    const char *rule;
    struct {
        double at_s, latency_ms;
        bool failed;
    } samples[4];
    size_t n_samples;
    double read_s, want_ms, least;
} rows[] = {
    {"nothing is known: no cost", {{0, 0, false}}, 0, 5, 0, 0},
    {"the first sample is the cost", {{1, 20, false}}, 1, 1, 20, 0},
    {"a peak counts at once", {{1, 20, false}, {1, 500, false}}, 2, 1, 500, 0},
    {"a lower sample at the same time counts nothing", {{1, 20, false}, {1, 5, false}}, 2, 1, 20, 0},
    {"after tau it counts by 1 - 1/e", {{1, 20, false}, {11, 5, false}}, 2, 11, 20 * E_TO_MINUS_1 + 5 * (1 - E_TO_MINUS_1), 0},
    {"reading decays: 1/e is left after tau", {{1, 20, false}}, 1, 11, 20 * E_TO_MINUS_1, 0},
    {"time that goes back is no time", {{5, 20, false}}, 1, 4, 20, 0},
    {"a failure with nothing known costs 10 ms at least", {{1, 0.1, true}}, 1, 1, 10, 0},
    {"or twice its latency", {{1, 8, true}}, 1, 1, 16, 0},
    {"or twice what was known", {{1, 100, false}, {1, 1, true}}, 2, 1, 200, 0},
    {"failures double", {{1, 1, true}, {1, 1, true}, {1, 1, true}}, 3, 1, 40, 0},
    {"to 30 s at most", {{1, 20000, true}}, 1, 1, 30000, 0},
    {"with a least weight lower samples count at once", {{1, 20, false}, {1, 10, false}, {1, 0, false}}, 3, 1, (20 * 0.9 + 1) * 0.9, 0.1},
    {"and by time when that is more", {{1, 20, false}, {11, 5, false}}, 2, 11, 20 * E_TO_MINUS_1 + 5 * (1 - E_TO_MINUS_1), 0.1},
    {"a peak counts at once all the same", {{1, 20, false}, {1, 500, false}}, 2, 1, 500, 0.1},
};

static void costs_are_exact(void **unused)
{
    (void)unused;
    for (size_t i = 0; i < ROTA_COUNT(rows); i++) {
        struct rota_ewma e = {0};
        double got_ns;
        print_message("  %s\n", rows[i].rule);
        for (size_t k = 0; k < rows[i].n_samples; k++)
            (rows[i].samples[k].failed ? rota_ewma_failure : rota_ewma_sample)(&e, rows[i].samples[k].latency_ms * MS,
                (int64_t)(rows[i].samples[k].at_s * S), TAU, rows[i].least);
        got_ns = rota_ewma_read(&e, (int64_t)(rows[i].read_s * S), TAU);
        assert_true(fabs(got_ns - rows[i].want_ms * MS) < 1);
    }
}

/* Reading often is the same as reading once. */
static void readings_add_up(void **unused)
{
    struct rota_ewma often = {0}, once = {0};

    (void)unused;
    rota_ewma_sample(&often, 20 * MS, 0, TAU, 0);
    rota_ewma_sample(&once, 20 * MS, 0, TAU, 0);
    for (int64_t t_ns = 0; t_ns < INT64_C(7000000000); t_ns += 1000000)
        rota_ewma_read(&often, t_ns, TAU);
    assert_true(fabs(rota_ewma_read(&often, INT64_C(7000000000), TAU) - rota_ewma_read(&once, INT64_C(7000000000), TAU)) < 1);
}

static void loads_compare(void **unused)
{
    (void)unused;
    assert_true(rota_ewma_load(0, 0) == 0);
    assert_true(rota_ewma_load(5, 0) == 5);
    assert_true(rota_ewma_load(5, 3) == 20);
    assert_true(rota_ewma_load(0, 1) > rota_ewma_load(30 * S, 1000));
    assert_true(rota_ewma_load(0, 2) > rota_ewma_load(0, 1));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(costs_are_exact),
        cmocka_unit_test(readings_add_up),
        cmocka_unit_test(loads_compare),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
