/* script_rng_test.c - the script is what is rolled, and no more than the script. */
#include "testing/script_rng.h"
#include "testing/cmocka.h"
#include "testing/death.h"

static void small_numbers_are_rolled_as_written(void **state)
{
    const uint64_t script[] = {2, 0, rota_script_unit(0.25), 9};
    struct rota_rng rng;

    (void)state;
    rota_script_rng_init(&rng, script, 4);
    assert_int_equal(rota_rng_below(&rng, 3), 2);
    assert_int_equal(rota_rng_below(&rng, 3), 0);
    assert_true(rota_rng_unit(&rng) == 0.25);
    assert_int_equal(rota_script_rng_left(&rng), 1);
    assert_int_equal(rota_rng_next(&rng), 9);
    assert_int_equal(rota_script_rng_left(&rng), 0);
}

static void rolls_once_too_often(void **state)
{
    const uint64_t script[] = {77};
    struct rota_rng rng;

    (void)state;
    rota_script_rng_init(&rng, script, 1);
    rota_rng_next(&rng);
    rota_rng_next(&rng);
}

static void running_out_fails_the_test(void **state)
{
    (void)state;
    rota_assert_test_fails(rolls_once_too_often, "script[0] = 77");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(small_numbers_are_rolled_as_written),
        cmocka_unit_test(running_out_fails_the_test),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
