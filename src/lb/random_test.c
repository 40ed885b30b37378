/* random_test.c - what the policy random does: a rule a row. The draw itself: weighted_set_test.c; shares: shares_test.c. */
#include "base/assert.h"
#include "rows_fixture.h"
#include "testing/cmocka.h"

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

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(follows_the_rules)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
