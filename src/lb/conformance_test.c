/* conformance_test.c - the built-in policies through the suite for all policies (testing/lb_conformance.h). */
#include "testing/lb_conformance.h"
#include "testing/cmocka.h"
#include "testing/lb_policies.h"

#define N_SEEDS 200

static bool decides_by_call(size_t i)
{
    return strstr(rota_test_lb_configs[i], "ring_hash") != NULL;
}

static void policies_conform(void **unused)
{
    (void)unused;
    for (size_t i = 0; rota_test_lb_configs[i] != NULL; i++)
        rota_lb_conformance_run(&(struct rota_lb_conformance){.policies = rota_test_policies, .config = rota_test_lb_configs[i], .decides_by_call = decides_by_call(i)}, 1, N_SEEDS);
}

static void policies_conform_when_memory_fails(void **unused)
{
    (void)unused;
    for (size_t i = 0; rota_test_lb_configs[i] != NULL; i++)
        rota_lb_conformance_run(&(struct rota_lb_conformance){.policies = rota_test_policies, .config = rota_test_lb_configs[i], .decides_by_call = decides_by_call(i), .no_memory_at_times = true},
            1000, N_SEEDS);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(policies_conform),
        cmocka_unit_test(policies_conform_when_memory_fails),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
