/* weighted_random_test.c - the example's policy through the suite for all policies, as any policy may be put through it. */
#include "testing/cmocka.h"
#include "testing/lb_conformance.h"
#include "weighted_random.h"

static const struct rota_lb_class *const policies[] = {&weighted_random, NULL};

static void conforms(void **unused)
{
    (void)unused;
    rota_lb_conformance_run(&(struct rota_lb_conformance){.policies = policies, .config = "[{\"weighted_random\":{}}]"}, 1, 300);
}

static void conforms_when_memory_fails(void **unused)
{
    (void)unused;
    rota_lb_conformance_run(
        &(struct rota_lb_conformance){.policies = policies, .config = "[{\"weighted_random\":{}}]", .no_memory_at_times = true}, 1000, 300);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(conforms), cmocka_unit_test(conforms_when_memory_fails)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
