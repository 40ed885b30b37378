/* math_test.c - the arithmetic under the simulation: logarithms, distributions, histograms, load reports; and that a seed gives the numbers
 * it always gave, whatever compiler and optimisation level.
 */
#include "base/assert.h"
#include "lb/orca.h"
#include "sim/distribution.h"
#include "sim/exact.h"
#include "sim/gauge.h"
#include "sim/histogram.h"
#include "testing/cmocka.h"
#include "wire/text.h"
#include <math.h>
#include <stdlib.h>

static void close_to(double got, double want, double tolerance)
{
    if (fabs(got - want) > tolerance * fmax(fabs(want), 1))
        fail_msg("%.17g is not close to %.17g", got, want);
}

static void logarithm_and_exponential_agree_with_libm(void **unused)
{
    (void)unused;
    for (double x = 1e-12; x < 1e12; x *= 1.37)
        close_to(rota_sim_ln(x), log(x), 1e-13);
    for (double x = -40; x < 40; x += 0.173)
        close_to(rota_sim_exp(x) / exp(x), 1, 1e-13);
    close_to(rota_sim_ln(1), 0, 0);
    close_to(rota_sim_exp(0), 1, 0);
    close_to(rota_sim_exp(-701), 0, 0);
}

static const struct row {
    const char *what;
    struct rota_sim_distribution d;
    double mean_ns, median_ns;
    int64_t sum; /* of the first 1000 samples of seed 1: must not change */
} rows[] = {
    {"constant", {.shape = ROTA_SIM_CONSTANT, .a_ns = 5000}, 5000, 5000, 5000000},
    {"exponential", {.shape = ROTA_SIM_EXPONENTIAL, .a_ns = 1000000}, 1e6, 0.6931e6, 987405772},
    {"lognormal", {.shape = ROTA_SIM_LOGNORMAL, .a_ns = 1000000, .sigma = 0.5}, 1.1331e6, 1e6, 1128260705},
    {"bimodal", {.shape = ROTA_SIM_BIMODAL, .a_ns = 1000000, .b_ns = 11000000, .share = 0.1}, 2e6, 1e6, 2040000000},
    {"quantiles",
     {.shape = ROTA_SIM_QUANTILES, .n_points = 3, .points = {0.5, 0.9, 1}, .point_ns = {1000000, 2000000, 4000000}},
     1.4e6,
     1e6,
     1390165524},
};

static int ascending(const void *a, const void *b)
{
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;

    return (x > y) - (x < y);
}

static void samples_are_distributed_as_said(void **unused)
{
    static int64_t samples[200001];

    (void)unused;
    for (size_t i = 0; i < ROTA_COUNT(rows); i++) {
        struct rota_rng rng;
        double sum = 0;

        print_message("  %s\n", rows[i].what);
        rota_rng_init(&rng, 42);
        for (size_t k = 0; k < ROTA_COUNT(samples); k++) {
            samples[k] = rota_sim_sample(&rows[i].d, &rng);
            assert_true(samples[k] >= 0);
            sum += (double)samples[k];
        }
        qsort(samples, ROTA_COUNT(samples), sizeof(samples[0]), ascending);
        close_to(sum / (double)ROTA_COUNT(samples), rows[i].mean_ns, 0.02);
        close_to((double)samples[ROTA_COUNT(samples) / 2], rows[i].median_ns, 0.02);
        close_to(rota_sim_mean_ns(&rows[i].d), rows[i].mean_ns, 1e-4);
    }
}

static void a_seed_gives_the_numbers_it_always_gave(void **unused)
{
    (void)unused;
    for (size_t i = 0; i < ROTA_COUNT(rows); i++) {
        struct rota_rng rng;
        int64_t sum = 0;

        print_message("  %s\n", rows[i].what);
        rota_rng_init(&rng, 1);
        for (int k = 0; k < 1000; k++)
            sum += rota_sim_sample(&rows[i].d, &rng);
        assert_int_equal(sum, rows[i].sum);
    }
}

static void buckets_cover_all_times(void **unused)
{
    (void)unused;
    for (int64_t ns = 0; ns < INT64_C(8000000000000); ns = ns * 33 / 32 + 1) {
        struct rota_sim_histogram h = {0};
        unsigned b = 0;

        rota_sim_histogram_add(&h, ns);
        while (h.buckets[b] == 0)
            b++;
        assert_true(ns <= rota_sim_bucket_end_ns(b));
        assert_true(b == 0 || ns > rota_sim_bucket_end_ns(b - 1));
        assert_true(rota_sim_bucket_end_ns(b) - ns <= ns / 64);
    }
}

static void quantiles_are_of_what_was_counted(void **unused)
{
    struct rota_sim_histogram h = {0};

    (void)unused;
    assert_int_equal(rota_sim_histogram_at(&h, 990000), 0);
    for (int64_t ns = 1; ns <= 100; ns++)
        rota_sim_histogram_add(&h, ns);
    assert_int_equal(rota_sim_histogram_at(&h, 500000), 50);
    assert_int_equal(rota_sim_histogram_at(&h, 990000), 99);
    assert_int_equal(rota_sim_histogram_at(&h, 1000000), 100);
    assert_int_equal(rota_sim_histogram_at(&h, 0), 1);
    rota_sim_histogram_add(&h, INT64_MAX / 2); /* beyond the last bucket */
    assert_int_equal(h.max_ns, INT64_MAX / 2);
}

static void a_report_is_what_clients_read(void **unused)
{
    struct rota_sim_gauge g;
    struct rota_orca_report report;
    uint8_t bytes[64];
    size_t size;

    (void)unused;
    rota_sim_gauge_init(&g, 1000000000, 4, 0);
    rota_sim_gauge_running(&g, 2, 0);
    rota_sim_gauge_served(&g, 0, 500000000);
    assert_string_equal(g.report, "");
    rota_sim_gauge_running(&g, 4, 1000000000);
    rota_sim_gauge_served(&g, 1, 2000000000);
    assert_int_equal(rota_base64_decode(rota_slice_str(g.report), bytes, &size), 0);
    assert_true(rota_orca_decode(rota_slice(bytes, size), NULL, 0, &report));
    close_to(report.cpu_utilization, 0.75, 1e-12); /* a second at 2 of 4, one at 4 of 4 */
    close_to(report.requests_per_s, 1, 1e-12);
    close_to(report.errors_per_s, 0.5, 1e-12);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(logarithm_and_exponential_agree_with_libm), cmocka_unit_test(samples_are_distributed_as_said),
        cmocka_unit_test(a_seed_gives_the_numbers_it_always_gave),   cmocka_unit_test(buckets_cover_all_times),
        cmocka_unit_test(quantiles_are_of_what_was_counted),         cmocka_unit_test(a_report_is_what_clients_read),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
