/* histogram_test.c - every duration is found again within one in 64, and quantiles are those of the sorted list. */
#include "base/rng.h"
#include "sim/histogram.h"
#include "testing/cmocka.h"

#include <stdlib.h>

#define N 20000

static int compare(const void *a, const void *b)
{
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;

    return x < y ? -1 : x > y;
}

static void one_duration_is_found_again(void **state)
{
    (void)state;
    for (int64_t ns = 0; ns < INT64_C(3600000000000); ns = ns + ns / 7 + 1) {
        struct rota_sim_histogram h = {0};

        rota_sim_histogram_add(&h, ns);
        rota_sim_histogram_add(&h, INT64_C(4000000000000));
        assert_true(rota_sim_histogram_at(&h, 500000) >= ns);
        assert_true(rota_sim_histogram_at(&h, 500000) <= ns + ns / 64);
        assert_int_equal(rota_sim_histogram_at(&h, 1000000), INT64_C(4000000000000));
    }
}

static void quantiles_are_those_of_the_sorted_list(void **state)
{
    static const uint32_t q[] = {0, 10000, 500000, 900000, 990000, 999000, 1000000}; /* per million */
    static struct rota_sim_histogram h;
    static int64_t all[N];
    struct rota_rng rng;

    (void)state;
    rota_rng_init(&rng, 7);
    for (int i = 0; i < N; i++) {
        all[i] = (int64_t)(rota_rng_next(&rng) >> (24 + rota_rng_below(&rng, 40)));
        rota_sim_histogram_add(&h, all[i]);
    }
    qsort(all, N, sizeof(all[0]), compare);
    for (size_t i = 0; i < sizeof(q) / sizeof(q[0]); i++) {
        int64_t at = (int64_t)q[i] * N / 1000000, want = all[at == 0 ? 0 : at - 1];

        assert_true(rota_sim_histogram_at(&h, q[i]) >= want);
        assert_true(rota_sim_histogram_at(&h, q[i]) <= want + want / 64);
    }
}

static void times_below_zero_count_as_zero(void **state)
{
    struct rota_sim_histogram h = {0};

    (void)state;
    assert_int_equal(rota_sim_histogram_at(&h, 500000), 0);
    rota_sim_histogram_add(&h, -5);
    assert_int_equal(rota_sim_histogram_at(&h, 990000), 0);
    assert_int_equal(h.count, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_duration_is_found_again),
        cmocka_unit_test(quantiles_are_those_of_the_sorted_list),
        cmocka_unit_test(times_below_zero_count_as_zero),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
