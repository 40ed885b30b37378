/* random_subsetting_test.c - the policy around the subset: a rule a row. Source: gRFC A68. The choice itself: subset_test.c. */
#include "base/assert.h"
#include "rows_fixture.h"
#include "testing/cmocka.h"

#define TWO "[{\"random_subsetting\":{\"subsetSize\":2,\"childPolicy\":[{\"round_robin\":{}}]}}]"
#define EMPTY "no addresses: name resolution gave an empty list"

/* The fixture's seed orders these four a, d, b, c. */
static const struct lb_row rows[] = {
    {"the child gets as many as the subset has", TWO, {{"pick", "pick:WAIT"}, {"list=a,b,c,d", "get:a get:d connect:a connect:d CONNECTING"}}},
    {"the list's order does not matter", TWO, {{"list=a,b,c,d", "get:a get:d connect:a connect:d CONNECTING"}, {"list=d,c,b,a", ""}}},
    {"one that leaves is replaced, no other is touched", TWO, {{"list=a,b,c,d", "get:a get:d connect:a connect:d CONNECTING"}, {"list=a,b,c", "get:b put:d connect:b"}}},
    {"no more endpoints than the subset: all of them", TWO, {{"list=c,b", "get:c get:b connect:c connect:b CONNECTING"}, {"b=R pick", "READY pick:b"}}},
    {"the child's state and picks are the policy's", TWO,
        {{"list=a", "get:a connect:a CONNECTING"}, {"a=F pick", "connect:a TF(a refused) reresolve pick:FAIL(a refused)"}, {"a=R pick", "READY pick:a"}}},
    {"an empty list", TWO, {{"list=", "TF(" EMPTY ") reresolve ROTA_EINVAL"}, {"pick", "pick:FAIL(" EMPTY ")"}, {"list=a", "get:a connect:a CONNECTING"}}},
    {"the resolver failed", TWO, {{"error=dns pick exit", "TF(dns) pick:FAIL(dns)"}, {"list=a", "get:a connect:a CONNECTING"}}},
    {"the application's wish to connect reaches the child", "[{\"random_subsetting\":{\"subsetSize\":1,\"childPolicy\":[{\"pick_first\":{}}]}}]",
        {{"list=a", "get:a connect:a CONNECTING"}, {"a=R a=I exit", "READY IDLE reresolve connect:a CONNECTING"}}},
};

static const struct lb_config_row configs[] = {
    {"a size and a child", TWO, NULL},
    {"the size must be there", "[{\"random_subsetting\":{\"childPolicy\":[{\"round_robin\":{}}]}}]", "\"subsetSize\" must be there"},
    {"and more than 0", "[{\"random_subsetting\":{\"subsetSize\":0,\"childPolicy\":[{\"round_robin\":{}}]}}]", "more than 0"},
    {"the child must be there", "[{\"random_subsetting\":{\"subsetSize\":2}}]", "\"childPolicy\" is missing"},
    {"a child known here", "[{\"random_subsetting\":{\"subsetSize\":2,\"childPolicy\":[{\"x\":{}}]}}]", "policy random_subsetting: \"childPolicy\": loadBalancingConfig: no policy known here"},
    {"a child's own error is final", "[{\"random_subsetting\":{\"subsetSize\":2,\"childPolicy\":[{\"least_request\":{\"choiceCount\":1}}]}}]", "must be at least 2"},
};

static void follows_the_rules(void **unused)
{
    (void)unused;
    lb_rows_check(rows, ROTA_COUNT(rows));
    lb_config_rows_check(configs, ROTA_COUNT(configs));
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(follows_the_rules)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
