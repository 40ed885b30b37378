/* zone_shares_test.c - how calls are divided among zones: a rule a row; and that endpoints come out equal when all clients do it. */
#include "lb/zone_shares.h"
#include "base/assert.h"
#include "base/rng.h"
#include "testing/cmocka.h"
#include <math.h>

#define NONE ROTA_ZONE_NONE
enum { MAX = 4 };

static const struct row {
    const char *rule;
    uint32_t usable[MAX];
    size_t n, own;
    double spill, want[MAX];
} rows[] = {
    {"equal zones: all calls stay", {4, 4, 4}, 3, 0, 0, {1, 0, 0}},
    {"more endpoints than are needed: all calls stay", {6, 3, 3}, 3, 0, 0, {1, 0, 0}},
    {"too few: as many stay as they can take", {2, 4}, 2, 0, 0, {2 / 3.0, 1 / 3.0}},
    {"the rest goes where there is more than needed", {3, 4, 2}, 3, 2, 0, {0, 1 / 3.0, 2 / 3.0}},
    {"and in proportion to how much more", {5, 6, 1}, 3, 2, 0, {0.25, 0.5, 0.25}},
    {"half of the own zone is gone: by what is left of it", {2, 4, 4}, 3, 0, 0, {0.6, 0.2, 0.2}},
    {"none of the own zone is usable: by endpoints", {0, 1, 3}, 3, 0, 0, {0, 0.25, 0.75}},
    {"nothing elsewhere is usable: all calls stay", {1, 0, 0}, 3, 0, 0.5, {1, 0, 0}},
    {"nothing is usable", {0, 0}, 2, 0, 0, {0, 0}},
    {"in no zone: by endpoints", {1, 3}, 2, NONE, 0.5, {0.25, 0.75}},
    {"one zone", {3}, 1, 0, 0.5, {1}},
    {"spilled: to others by endpoints", {4, 3, 1}, 3, 0, 0.4, {0.6, 0.3, 0.1}},
    {"spilled: of what would stay", {2, 4}, 2, 0, 0.5, {1 / 3.0, 2 / 3.0}},
};

static void follows_the_rules(void **unused)
{
    (void)unused;
    for (size_t i = 0; i < ROTA_COUNT(rows); i++) {
        double got[MAX];
        rota_zone_shares(rows[i].usable, rows[i].n, rows[i].own, rows[i].spill, got);
        for (size_t k = 0; k < rows[i].n; k++)
            if (fabs(got[k] - rows[i].want[k]) > 1e-9)
                fail_msg("%s: zone %zu gets %f", rows[i].rule, k, got[k]);
    }
}

/* With as many clients in each zone, which is what is assumed. */
static void all_endpoints_get_as_many(void **unused)
{
    struct rota_rng rng;

    (void)unused;
    rota_rng_init(&rng, 1);
    for (int round = 0; round < 1000; round++) {
        uint32_t usable[MAX], n = 1 + rota_rng_below(&rng, MAX), all = 0;
        double load[MAX] = {0}, shares[MAX];
        for (uint32_t i = 0; i < n; i++)
            all += usable[i] = 1 + rota_rng_below(&rng, 20);
        for (uint32_t own = 0; own < n; own++) {
            rota_zone_shares(usable, n, own, 0, shares);
            for (uint32_t i = 0; i < n; i++)
                load[i] += shares[i] / n;
        }
        for (uint32_t i = 0; i < n; i++)
            if (fabs(load[i] / usable[i] - 1.0 / all) > 1e-9)
                fail_msg("round %d: zone %u of %u", round, i, n);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(follows_the_rules), cmocka_unit_test(all_endpoints_get_as_many)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
