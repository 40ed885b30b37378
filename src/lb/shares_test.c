/* shares_test.c - the long-run shares of policies over a million picks, to within 1 % of the exact ones, and nobody starves. */
#include "base/assert.h"
#include "rows_fixture.h"
#include "testing/cmocka.h"

enum { PICKS = 1000000, MAX_ENDPOINTS = 8 };

static const struct row {
    const char *rule, *config, *list;
    double weights[MAX_ENDPOINTS];
    bool by_chance;
} rows[] = {
    {"round_robin is exact", "[{\"round_robin\":{}}]", "a*7,b,c", {1, 1, 1}, false},
    {"least_request without load is even, weights or not", "[{\"least_request\":{}}]", "a*7,b,c", {1, 1, 1}, true},
    {"random: no weight counts as 1", "[{\"random\":{}}]", "a,b*1,c*2", {1, 1, 2}, true},
    {"random: five orders of magnitude", "[{\"random\":{}}]", "a*1,b*1000,c*100000", {1, 1000, 100000}, true},
    {"weighted_round_robin: static weights", "[{\"weighted_round_robin\":{}}]", "a*1,b*5,c*10", {1, 5, 10}, false},
    {"weighted_round_robin: five orders of magnitude, clamped to 1 % of the mean", "[{\"weighted_round_robin\":{}}]", "a*1,b*1000,c*100000", {221, 655, 65535}, false},
};

static void shares_are_exact(void **unused)
{
    (void)unused;
    for (size_t i = 0; i < ROTA_COUNT(rows); i++) {
        struct rota_fake_lb *f = lb_open_ready(rows[i].config, rows[i].list, 100 + i);
        uint32_t counts[MAX_ENDPOINTS];
        print_message("  %s\n", rows[i].rule);
        lb_count_picks(f, PICKS, counts);
        lb_shares_check(rows[i].rule, counts, rows[i].weights, f->n_conns, 0.01, rows[i].by_chance);
        for (size_t k = 0; k < f->n_conns; k++)
            assert_true(counts[k] > 0);
        lb_close(f);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(shares_are_exact)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
