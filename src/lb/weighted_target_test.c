/* weighted_target_test.c - targets by attribute, their states and shares: a rule a row. */
#include "base/assert.h"
#include "rows_fixture.h"
#include "testing/cmocka.h"

#define RR "\"childPolicy\":[{\"round_robin\":{}}]"
#define PF "\"childPolicy\":[{\"pick_first\":{}}]"
#define WT(targets) "[{\"weighted_target\":{\"targets\":{" targets "}}}]"
#define XY WT("\"x\":{\"weight\":3," RR "},\"y\":{\"weight\":1," PF "}")
#define ONLY_REST WT("\"\":{\"weight\":1," RR "}")
#define EMPTY "no addresses: name resolution gave an empty list"

static const struct lb_row rows[] = {
    {"endpoints go to the target their attribute names; others go nowhere", XY,
        {{"pick", "pick:WAIT"}, {"list=a@target:x,b@target:x,c@target:y,d@target:z,e", "get:c get:a get:b connect:c connect:a connect:b CONNECTING"}, {"pick exit", "pick:WAIT"}}},
    {"those without it go to the target without a name", ONLY_REST, {{"list=a,b@target:x,c", "get:a get:c connect:a connect:c CONNECTING"}}},
    {"another attribute may be the one", "[{\"weighted_target\":{\"attribute\":\"tier\",\"targets\":{\"x\":{\"weight\":3," RR "}}}}]",
        {{"list=a@tier:x,b@target:x", "get:a connect:a CONNECTING"}}},
    {"only READY targets get calls", XY, {{"list=a@target:x,c@target:y", "get:c get:a connect:c connect:a CONNECTING"}, {"c=R", "READY"}, {"pick pick", "pick:c pick:c"}, {"a=R pick", "READY pick:a"}}},
    {"one that went IDLE connects again at once, and is CONNECTING", XY,
        {{"list=a@target:x,c@target:y", "get:c get:a connect:c connect:a CONNECTING"}, {"c=R", "READY"}, {"c=I", "connect:c CONNECTING reresolve"}}},
    {"CONNECTING while any may come up", XY, {{"list=a@target:x,c@target:y", "get:c get:a connect:c connect:a CONNECTING"}, {"c=F", "connect:c CONNECTING reresolve"}, {"pick", "pick:WAIT"}}},
    {"TF when all have failed, with the last one's error", XY,
        {{"list=a@target:x,c@target:y", "get:c get:a connect:c connect:a CONNECTING"}, {"c=F a=F", "connect:c CONNECTING reresolve connect:a TF(a refused) reresolve"},
            {"pick", "pick:FAIL(a refused)"}, {"a=C pick", "pick:FAIL(a refused)"}, {"c=R pick", "READY pick:c"}}},
    {"a target without endpoints counts as failed, and asks for none again", XY,
        {{"list=a@target:x", "get:a connect:a CONNECTING"}, {"a=F", "connect:a TF(a refused) reresolve"}, {"list=a@target:x,b@target:q", "TF(a refused)"}}},
    {"one that lost its endpoints complains once", XY,
        {{"list=a@target:x,c@target:y", "get:c get:a connect:c connect:a CONNECTING"}, {"a=R", "READY"}, {"list=a@target:x", "put:c READY reresolve"}, {"list=a@target:x,b", "READY"},
            {"list=a@target:x,c@target:y", "get:c connect:c READY"}}},
    {"no endpoint for any target", XY, {{"list=a", "TF(no target is connected)"}, {"pick", "pick:FAIL(no target is connected)"}}},
    {"an empty list", ONLY_REST, {{"list=a", "get:a connect:a CONNECTING"}, {"list=", "put:a TF(" EMPTY ") reresolve ROTA_EINVAL"}}},
    {"the resolver failed", XY, {{"error=dns pick", "TF(dns) pick:FAIL(dns)"}, {"list=a@target:x", "get:a connect:a CONNECTING"}}},
};

static const struct lb_config_row configs[] = {
    {"targets", XY, NULL},
    {"there must be some", "[{\"weighted_target\":{}}]", "\"targets\" must name at least one"},
    {"as an object", "[{\"weighted_target\":{\"targets\":[]}}]", "\"targets\" must be an object"},
    {"each an object", WT("\"x\":3"), "target \"x\" must be an object"},
    {"with a weight", WT("\"x\":{" RR "}"), "target \"x\": \"weight\" must be there, and more than 0"},
    {"more than 0", WT("\"x\":{\"weight\":0," RR "}"), "more than 0"},
    {"and a child", WT("\"x\":{\"weight\":1}"), "target \"x\": \"childPolicy\" is missing"},
    {"the attribute is text", "[{\"weighted_target\":{\"attribute\":1,\"targets\":{}}}]", "\"attribute\" must be text"},
};

static void follows_the_rules(void **unused)
{
    (void)unused;
    lb_rows_check(rows, ROTA_COUNT(rows));
    lb_config_rows_check(configs, ROTA_COUNT(configs));
}

static void shares_follow_the_weights(void **unused)
{
    struct rota_fake_lb *f = lb_open_ready(WT("\"x\":{\"weight\":1," RR "},\"y\":{\"weight\":1000," RR "},\"\":{\"weight\":100000," RR "}"),
        "a@target:x,b@target:y,c,d", 1);
    uint32_t counts[4], by_name[3] = {0};

    (void)unused;
    lb_count_picks(f, 1000000, counts);
    for (size_t i = 0; i < f->n_conns; i++) {
        char name = f->by_number[i]->text[0];
        by_name[name == 'a' ? 0 : name == 'b' ? 1 : 2] += counts[i];
    }
    lb_shares_check("1:1000:100000", by_name, (double[]){1, 1000, 100000}, 3, 0.01, true);
    assert_true(by_name[0] > 0);
    lb_close(f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(follows_the_rules), cmocka_unit_test(shares_follow_the_weights)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
