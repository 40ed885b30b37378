/* rng_test.c - the published sequence, fair bounds, and what a script gives. */
#include "base/rng.h"
#include "base/assert.h"
#include "testing/cmocka.h"
#include "testing/death.h"
#include "testing/script_rng.h"

static const struct sequence_case {
    uint64_t seed, want[3];
} sequences[] = {
    {0, {UINT64_C(0x99EC5F36CB75F2B4), UINT64_C(0xBF6E1F784956452A), UINT64_C(0x1A5F849D4933E6E0)}},
    {1, {UINT64_C(0xB3F2AF6D0FC710C5), UINT64_C(0x853B559647364CEA), UINT64_C(0x92F89756082A4514)}},
};

static void a_seed_gives_its_sequence(void **state)
{
    (void)state;
    for (size_t i = 0; i < ROTA_COUNT(sequences); i++) {
        struct rota_rng rng;
        rota_rng_init(&rng, sequences[i].seed);
        for (size_t k = 0; k < 3; k++)
            assert_int_equal(rota_rng_next(&rng), sequences[i].want[k]);
    }
}

static const struct below_case {
    const char *rule;
    uint32_t bound;
    uint64_t rolls[2];
    uint32_t want;
    size_t want_left;
} belows[] = {
    {"a small number is itself", 10, {7, 0}, 7, 1},
    {"a larger one is a remainder", 10, {27, 0}, 7, 1},
    {"one has no choice", 1, {UINT64_MAX, 0}, 0, 1},
    {"only the low half counts", 10, {UINT64_C(5) << 32 | 3, 0}, 3, 1},
    {"2^32 = 6 mod 10: the last six are rolled again", 10, {UINT32_MAX, 4}, 4, 0},
    {"the first of those six, too", 10, {UINT32_MAX - 5, 4}, 4, 0},
    {"the one before is not", 10, {UINT32_MAX - 6, 4}, 9, 1},
    {"a power of two wastes nothing", 8, {UINT32_MAX, 4}, 7, 1},
    {"the largest bound", UINT32_MAX, {UINT32_MAX - 1, 4}, UINT32_MAX - 1, 1},
    {"what the largest bound must reject", UINT32_MAX, {UINT32_MAX, 4}, 4, 0},
};

static void below_is_fair(void **state)
{
    (void)state;
    for (size_t i = 0; i < ROTA_COUNT(belows); i++) {
        struct rota_rng rng;
        print_message("  %s\n", belows[i].rule);
        rota_script_rng_init(&rng, belows[i].rolls, 2);
        assert_int_equal(rota_rng_below(&rng, belows[i].bound), belows[i].want);
        assert_int_equal(rota_script_rng_left(&rng), belows[i].want_left);
    }
}

static void every_number_gets_its_share(void **state)
{
    uint32_t counts[7] = {0};
    struct rota_rng rng;

    (void)state;
    rota_rng_init(&rng, 5);
    for (int i = 0; i < 70000; i++)
        counts[rota_rng_below(&rng, 7)]++;
    for (int i = 0; i < 7; i++)
        assert_in_range(counts[i], 9600, 10400); /* 4 standard deviations of 93 */
}

static void units_reach_from_0_to_below_1(void **state)
{
    const uint64_t rolls[] = {0, UINT64_MAX, rota_script_unit(0.5), rota_script_unit(0.5), rota_script_unit(0.75)};
    struct rota_rng rng;
    double most;

    (void)state;
    rota_script_rng_init(&rng, rolls, 5);
    assert_true(rota_rng_unit(&rng) == 0.0);
    most = rota_rng_unit(&rng);
    assert_true(most < 1.0 && most > 0.9999999999999997);
    assert_true(rota_rng_unit(&rng) == 0.5);
    assert_true(rota_rng_between(&rng, 0.8, 1.2) == 1.0);
    assert_true(rota_rng_between(&rng, -2, 2) == 1.0);
}

static void roll_below_nothing(void *ctx)
{
    rota_rng_below(ctx, 0);
}

static void below_0_is_a_bug(void **state)
{
    struct rota_rng rng;

    (void)state;
    rota_rng_init(&rng, 1);
    rota_assert_aborts(roll_below_nothing, &rng, "bound > 0");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_seed_gives_its_sequence),
        cmocka_unit_test(below_is_fair),
        cmocka_unit_test(every_number_gets_its_share),
        cmocka_unit_test(units_reach_from_0_to_below_1),
        cmocka_unit_test(below_0_is_a_bug),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
