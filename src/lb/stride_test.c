/* stride_test.c - weights scaled to the number, turns against the formula, shares over whole rounds. Source: gRFC A58, C-core's static stride. */
#include "lb/stride.h"
#include "base/assert.h"
#include "testing/cmocka.h"

enum { MAX = 24 };

static const struct {
    const char *rule;
    double weights[MAX];
    size_t count;
    bool weighted;
    uint32_t scaled[MAX];
} rows[] = {
    {"the greatest is 65535, the others in proportion", {1, 2, 4}, 3, true, {16384, 32768, 65535}},
    {"an unknown weight is the mean", {2, 0, 4}, 3, true, {32768, 49151, 65535}},
    {"what is not above 0 is unknown", {2, -7, 4}, 3, true, {32768, 49151, 65535}},
    {"fewer than two known: plain turns", {0, 5, 0}, 3, false, {0}},
    {"none known: plain turns", {0, 0}, 2, false, {0}},
    {"all known equal: plain turns", {5, 0, 5}, 3, false, {0}},
    {"1:1000:100000: no less than 1 % of the mean", {1, 1000, 100000}, 3, true, {221, 655, 65535}},
    {"no more than ten times the mean", {1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 10000}, 21, true,
        {66, 66, 66, 66, 66, 66, 66, 66, 66, 66, 66, 66, 66, 66, 66, 66, 66, 66, 66, 66, 65535}},
    {"never below 1", {1e-300, 1, 1}, 3, true, {437, 65535, 65535}},
};

static struct rota_stride_sums sum_up(const double *weights, size_t count)
{
    struct rota_stride_sums sums = {0};

    for (size_t i = 0; i < count; i++)
        rota_stride_sum_add(&sums, weights[i]);
    return sums;
}

static void weights_are_scaled(void **unused)
{
    (void)unused;
    for (size_t i = 0; i < ROTA_COUNT(rows); i++) {
        struct rota_stride_sums sums = sum_up(rows[i].weights, rows[i].count);
        struct rota_stride_scale scale;
        print_message("  %s\n", rows[i].rule);
        assert_int_equal(rota_stride_scale(&sums, &scale), rows[i].weighted);
        for (size_t k = 0; rows[i].weighted && k < rows[i].count; k++)
            assert_int_equal(rota_stride_weight(&scale, rows[i].weights[k]), rows[i].scaled[k]);
    }
}

static uint32_t next(struct rota_stride *s, const uint32_t *weights)
{
    uint32_t at;

    while (!rota_stride_takes(s, weights[s->at]))
        rota_stride_step(s);
    at = s->at;
    rota_stride_step(s);
    return at;
}

/* The definition itself: candidate s mod n of generation s div n. */
static uint32_t next_by_definition(uint64_t *turn, const uint32_t *weights, uint32_t n)
{
    for (;;) {
        uint64_t i = *turn % n, generation = *turn / n;
        (*turn)++;
        if ((weights[i] * generation + i * 32767) % 65535 >= 65535 - weights[i])
            return (uint32_t)i;
    }
}

static void turns_follow_the_definition(void **unused)
{
    static const uint32_t weights[] = {66, 65535, 20000, 1, 33333};

    (void)unused;
    for (uint32_t n = 2; n <= ROTA_COUNT(weights); n++) {
        struct rota_stride s = {.turn = 987654321};
        uint64_t turn = s.turn;
        rota_stride_resize(&s, n);
        for (int i = 0; i < 100000; i++)
            assert_int_equal(next(&s, weights), next_by_definition(&turn, weights, n));
        assert_int_equal(s.turn, turn);
    }
}

/* Over 65535 generations each has exactly its weight in turns: so a weight of 1 has its turn too. */
static void a_round_is_exact(void **unused)
{
    static const uint32_t weights[] = {1, 65535, 655, 40000};
    uint32_t counts[4] = {0}, picks = 1 + 65535 + 655 + 40000;
    struct rota_stride s = {0};

    (void)unused;
    rota_stride_resize(&s, 4);
    for (uint32_t i = 0; i < picks; i++)
        counts[next(&s, weights)]++;
    for (size_t i = 0; i < 4; i++)
        assert_int_equal(counts[i], weights[i]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(weights_are_scaled),
        cmocka_unit_test(turns_follow_the_definition),
        cmocka_unit_test(a_round_is_exact),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
