/* random_test.c - what the policy random does: a rule a row. The draw itself: weighted_set_test.c; shares: shares_test.c. */
#include "base/assert.h"
#include "rows_fixture.h"
#include "testing/cmocka.h"
#include "testing/lb_policies.h"
#include "testing/leak_alloc.h"
#include "testing/script_rng.h"

#define RANDOM "[{\"random\":{}}]"

static const struct lb_row rows[] = {
    {"no READY endpoint: wait while one may come up", RANDOM, {{"list=a,b", "get:a get:b connect:a connect:b CONNECTING"}, {"a=F pick", "connect:a reresolve pick:WAIT"}}},
    {"all failed: fail with a child's error", RANDOM,
        {{"list=a,b", "get:a get:b connect:a connect:b CONNECTING"}, {"a=F b=F pick", "connect:a reresolve connect:b TF(b refused) reresolve pick:FAIL(b refused)"}}},
    {"only READY endpoints are drawn, whatever the others weigh", RANDOM,
        {{"list=a*100000,b", "get:a get:b connect:a connect:b CONNECTING"}, {"b=R", "READY"}, {"pick pick", "pick:b pick:b"}}},
    {"dice at 0 draw the heaviest", RANDOM,
        {{"list=a*5,b*100,c", "get:a get:b get:c connect:a connect:b connect:c CONNECTING"}, {"a=R b=R c=R", "READY READY READY"}, {"pick", "pick:b"}}},
    {"a new weight counts without a new connection", RANDOM,
        {{"list=a*5,b*100", "get:a get:b connect:a connect:b CONNECTING"}, {"a=R b=R pick", "READY READY pick:b"}, {"list=a*500,b*100", ""}, {"pick", "pick:a"}}},
};

static void follows_the_rules(void **unused)
{
    (void)unused;
    lb_rows_check(rows, ROTA_COUNT(rows));
}

/* The list is refused, or the weight counts; dice at 0 draw the heaviest. */
static void a_weight_is_not_lost_for_want_of_memory(void **unused)
{
    static const uint64_t zeros[64];

    (void)unused;
    for (uint64_t n = 1; n < 12; n++) {
        struct rota_leak_alloc memory;
        struct rota_rng dice;
        struct rota_fake_lb *f = test_malloc(sizeof(*f));
        rota_leak_alloc_init(&memory);
        rota_script_rng_init(&dice, zeros, ROTA_COUNT(zeros));
        assert_int_equal(rota_fake_lb_init(f, &memory.alloc, rota_test_policies, RANDOM, 1), 0);
        f->env.rng = &dice;
        rota_fake_lb_play(f, "list=a*5,b*100 a=R b=R");
        rota_leak_alloc_fail_nth(&memory, n);
        if (rota_fake_lb_list(f, "a*500,b*100") < 0)
            assert_int_equal(rota_fake_lb_list(f, "a*500,b*100"), 0);
        rota_fake_lb_expect(f, "the new weight", "pick", "pick:a");
        rota_fake_lb_fini(f);
        rota_leak_alloc_fini(&memory);
        test_free(f);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(follows_the_rules),
        cmocka_unit_test(a_weight_is_not_lost_for_want_of_memory),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
