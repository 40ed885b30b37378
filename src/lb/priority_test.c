/* priority_test.c - which level calls go to, and when levels come and go: a rule a row. Source: gRFC A56. */
#include "base/assert.h"
#include "rows_fixture.h"
#include "testing/cmocka.h"

#define CHILD(policy, more) "{\"config\":[{\"" policy "\":{}}]" more "}"
#define PRIORITY(children) "[{\"priority\":{\"priorities\":[\"0\",\"1\"],\"children\":{" children "}}}]"
#define TWO PRIORITY("\"0\":" CHILD("round_robin", "") ",\"1\":" CHILD("pick_first", ""))
#define MUTED PRIORITY("\"0\":" CHILD("round_robin", "") ",\"1\":" CHILD("pick_first", ",\"ignoreReresolutionRequests\":true"))
#define BOTH "list=a@priority:0,b@priority:1"
#define FIRST {BOTH, "get:a connect:a CONNECTING wake:10000"}
#define EMPTY "no endpoints of this priority"

static const struct lb_row rows[] = {
    {"the best level is tried first, and alone", TWO, {{"pick", "pick:WAIT"}, FIRST, {"pick", "pick:WAIT"}, {"a=R pick", "READY wake:off pick:a"}}},
    {"failed: the next is made at once", TWO, {FIRST, {"a=F", "connect:a get:b connect:b CONNECTING reresolve"}, {"b=R pick", "READY wake:off pick:b"}}},
    {"not READY in ten seconds: the next is made", TWO, {FIRST, {"+9999", ""}, {"+1", "get:b connect:b CONNECTING wake:10000"}, {"pick", "pick:WAIT"}, {"b=R pick", "READY wake:off pick:b"}}},
    {"the timer begins anew when READY ones connect again", TWO,
        {FIRST, {"a=R a=I", "READY wake:off connect:a CONNECTING reresolve wake:10000"}, {"+5000 a=R +20000", "READY wake:off"}, {"a=I", "connect:a CONNECTING reresolve wake:10000"},
            {"+9999", ""}, {"+1", "get:b connect:b CONNECTING wake:10000"}}},
    {"but not when failed ones do", TWO, {FIRST, {"a=F b=R", "connect:a get:b connect:b CONNECTING reresolve READY wake:off"}, {"a=C", ""}, {"+20000", ""}}},
    {"none works, one is still connecting: CONNECTING", TWO, {FIRST, {"+10000", "get:b connect:b CONNECTING wake:10000"}, {"a=F", "connect:a CONNECTING reresolve"}}},
    {"all failed: TF with the last level's error", TWO, {FIRST, {"a=F b=F", "connect:a get:b connect:b CONNECTING reresolve connect:b TF(b refused) reresolve wake:off"}, {"pick", "pick:FAIL(b refused)"}}},
    {"all too slow: CONNECTING, calls wait for whichever comes", TWO, {FIRST, {"+20000", "get:b connect:b CONNECTING wake:10000 CONNECTING"}, {"pick", "pick:WAIT"},
        {"a=C b=C +20000", ""}, {"b=R pick", "READY pick:b"}}},
    {"all too slow: as the first of them does, so do calls", TWO, {FIRST, {"+20000 a=R pick", "get:b connect:b CONNECTING wake:10000 CONNECTING READY wake:900000 pick:a"}}},
    {"too slow, then failed: TF once all have", TWO, {FIRST, {"+20000", "get:b connect:b CONNECTING wake:10000 CONNECTING"},
        {"a=F", "connect:a CONNECTING reresolve"}, {"b=F pick", "connect:b TF(b refused) reresolve pick:FAIL(b refused)"}}},
    {"a better level that works again takes over", TWO, {FIRST, {"a=F b=R", "connect:a get:b connect:b CONNECTING reresolve READY wake:off"}, {"a=R pick", "READY wake:900000 pick:a"}}},
    {"one not needed is kept for fifteen minutes", TWO,
        {FIRST, {"a=F b=R a=R", "connect:a get:b connect:b CONNECTING reresolve READY wake:off READY wake:900000"}, {"+899999", ""}, {"+1", "put:b READY"},
            {"a=F", "connect:a get:b connect:b CONNECTING reresolve wake:10000"}}},
    {"and serves at once if needed before", TWO,
        {FIRST, {"a=F b=R a=R", "connect:a get:b connect:b CONNECTING reresolve READY wake:off READY wake:900000"}, {"+899999 a=F pick", "connect:a READY reresolve wake:off pick:b"}, {"+900000", ""}}},
    {"IDLE is as good as READY; a call connects it", TWO,
        {FIRST, {"a=F b=R b=I", "connect:a get:b connect:b CONNECTING reresolve READY wake:off IDLE reresolve"}, {"pick", "connect:b CONNECTING wake:10000 pick:WAIT"}}},
    {"the application's wish to connect is for the level in use", TWO,
        {FIRST, {"a=F b=R b=I", "connect:a get:b connect:b CONNECTING reresolve READY wake:off IDLE reresolve"}, {"exit", "connect:b CONNECTING wake:10000"}}},
    {"a level without endpoints has failed", TWO, {{"list=b@priority:1", "get:b connect:b CONNECTING wake:10000"}, {"b=R pick", "READY wake:off pick:b"},
        {BOTH, "get:a connect:a CONNECTING wake:10000"}, {"a=R", "READY wake:900000"}, {"list=b@priority:1 pick", "put:a READY reresolve wake:off pick:b"}}},
    {"no endpoint for any level", TWO, {{"list=x", "TF(" EMPTY ")"}, {"pick", "pick:FAIL(" EMPTY ")"}}},
    {"an empty list", TWO, {{"list=", "TF(" EMPTY ") reresolve ROTA_EINVAL"}, FIRST}},
    {"the resolver failed", TWO, {{"error=dns pick", "TF(dns) pick:FAIL(dns)"}, FIRST}},
    {"a child's wishes for re-resolution are ignored on request", MUTED, {FIRST, {"a=F", "connect:a get:b connect:b CONNECTING reresolve"}, {"b=F", "connect:b TF(b refused) wake:off"}}},
    {"another attribute may be the one", "[{\"priority\":{\"attribute\":\"tier\",\"priorities\":[\"x\"],\"children\":{\"x\":" CHILD("round_robin", "") "}}}]",
        {{"list=a@tier:x,b@priority:x", "get:a connect:a CONNECTING wake:10000"}}},
};

static const struct lb_config_row configs[] = {
    {"priorities and their children", TWO, NULL},
    {"there must be one", "[{\"priority\":{\"children\":{}}}]", "\"priorities\" must be a list of at least one name"},
    {"a list of names", "[{\"priority\":{\"priorities\":[1],\"children\":{}}}]", "must be a list of names"},
    {"each has a child", "[{\"priority\":{\"priorities\":[\"x\"],\"children\":{\"y\":{}}}}]", "\"children\" must have an object for priority \"x\""},
    {"with a policy", "[{\"priority\":{\"priorities\":[\"x\"],\"children\":{\"x\":{}}}}]", "child \"x\": \"config\" is missing"},
    {"none twice", "[{\"priority\":{\"priorities\":[\"x\",\"x\"],\"children\":{\"x\":" CHILD("round_robin", "") "}}}]", "\"priorities\" names \"x\" twice"},
    {"a child without a priority is not used", "[{\"priority\":{\"priorities\":[\"x\"],\"children\":{\"x\":" CHILD("round_robin", "") ",\"y\":" CHILD("round_robin", "") "}}}]", NULL},
    {"but it has to be right", "[{\"priority\":{\"priorities\":[\"x\"],\"children\":{\"x\":" CHILD("round_robin", "") ",\"y\":" CHILD("none_such", "") "}}}]",
        "child \"y\": \"config\": loadBalancingConfig: no policy known here among: none_such"},
    {"and an object", "[{\"priority\":{\"priorities\":[\"x\"],\"children\":{\"x\":" CHILD("round_robin", "") ",\"y\":5}}}]",
        "\"children\" must have an object for priority \"y\""},
    {"ignoring is yes or no", PRIORITY("\"0\":" CHILD("round_robin", ",\"ignoreReresolutionRequests\":1")), "must be true or false"},
    {"children are an object", "[{\"priority\":{\"priorities\":[\"x\"],\"children\":[]}}]", "\"children\" must be an object"},
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
