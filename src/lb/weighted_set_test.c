/* weighted_set_test.c - drawing in proportion to weights while items come and go, and change. */
#include "lb/weighted_set.h"
#include "base/assert.h"
#include "base/rng.h"
#include "rows_fixture.h"
#include "testing/cmocka.h"
#include "testing/leak_alloc.h"
#include "testing/script_rng.h"

enum { MAX_ITEMS = 5, DRAWS = 1000000 };

static const struct {
    const char *rule;
    uint32_t weights[MAX_ITEMS];
    size_t count;
} rows[] = {
    {"one alone is always drawn", {7}, 1},
    {"equal weights", {3, 3, 3}, 3},
    {"weights of one level", {5, 6, 7, 8}, 4},
    {"weights on both sides of a power of two", {4, 5}, 2},
    {"five orders of magnitude", {1, 1000, 100000}, 3},
    {"the whole range of weights", {1, UINT32_MAX, UINT32_MAX, 1u << 31}, 4},
};

static void draws_in_proportion(void **unused)
{
    (void)unused;
    for (size_t i = 0; i < ROTA_COUNT(rows); i++) {
        struct rota_leak_alloc memory;
        struct rota_rng rng;
        struct rota_lb_env env = {.alloc = &memory.alloc, .rng = &rng};
        struct rota_weighted_set set = {0};
        struct rota_weighted items[MAX_ITEMS] = {{0}};
        uint32_t counts[MAX_ITEMS] = {0};
        double weights[MAX_ITEMS];
        rota_leak_alloc_init(&memory);
        rota_rng_init(&rng, i + 1);
        rota_weighted_init(&set, &env);
        for (size_t k = 0; k < rows[i].count; k++) {
            weights[k] = rows[i].weights[k];
            assert_int_equal(rota_weighted_know(&set, &items[k], rows[i].weights[k]), 0);
            rota_weighted_add(&set, &items[k], (uint32_t)k);
        }
        for (int k = 0; k < DRAWS; k++)
            counts[rota_weighted_draw(&set)->tag]++;
        lb_shares_check(rows[i].rule, counts, weights, rows[i].count, 0.01, true);
        rota_weighted_fini(&set);
        rota_leak_alloc_fini(&memory);
    }
}

/* What a draw finds says the same as the item. */
static void check_entry(const struct rota_weighted_entry *drawn, const struct rota_weighted *items)
{
    assert_int_not_equal(drawn->item->place, 0);
    assert_int_equal(drawn->weight, drawn->item->weight);
    assert_int_equal(drawn->tag, drawn->item - items);
}

/* A model in the plainest form: who is in, with which weight. */
static void changes_keep_the_sums(void **unused)
{
    struct rota_leak_alloc memory;
    struct rota_rng rng;
    struct rota_lb_env env = {.alloc = &memory.alloc, .rng = &rng};
    struct rota_weighted_set set = {0};
    struct rota_weighted items[16] = {{0}};

    (void)unused;
    rota_leak_alloc_init(&memory);
    rota_rng_init(&rng, 1);
    rota_weighted_init(&set, &env);
    for (int step = 0; step < 100000; step++) {
        struct rota_weighted *item = &items[rota_rng_below(&rng, ROTA_COUNT(items))];
        uint32_t weight = item->weight;
        uint64_t sum = 0;
        if (rota_rng_below(&rng, 10) == 0)
            rota_leak_alloc_fail_nth(&memory, 1);
        if (weight == 0 || rota_rng_below(&rng, 4) == 0) {
            uint32_t fresh = 1 + rota_rng_below(&rng, 1u << (1 + rota_rng_below(&rng, 31)));
            if (rota_weighted_know(&set, item, fresh) == ROTA_ENOMEM)
                assert_int_equal(item->weight, weight);
            else
                assert_int_equal(item->weight, fresh);
        } else if (item->place != 0) {
            rota_weighted_remove(&set, item);
        } else if (rota_rng_below(&rng, 8) == 0) {
            rota_weighted_forget(&set, item);
        } else {
            rota_weighted_add(&set, item, (uint32_t)(item - items));
        }
        for (size_t i = 0; i < ROTA_COUNT(items); i++)
            sum += items[i].place != 0 ? items[i].weight : 0;
        assert_int_equal(set.sum, sum);
        if (sum > 0)
            check_entry(rota_weighted_draw(&set), items);
    }
    rota_weighted_fini(&set);
    rota_leak_alloc_fini(&memory);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(draws_in_proportion),
        cmocka_unit_test(changes_keep_the_sums),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
