/* serving_test.c - what servers say of themselves, as policies hear it: a rule a row. Source: gRFC A17, A61. */
#include "base/assert.h"
#include "rows_fixture.h"
#include "testing/cmocka.h"

#define RR "[{\"round_robin\":{}}]"
#define PF "[{\"pick_first\":{}}]"
#define BELOW(child) "[{\"outlier_detection\":{\"childPolicy\":" child "}}]"
#define RING "[{\"ring_hash\":{\"minRingSize\":2}}]"

static const struct lb_row rows[] = {
    {"the subchannel stays CONNECTING until the first answer", RR,
        {{"list=a", "get:a connect:a CONNECTING"}, {"a~A a=R pick", "pick:WAIT"}, {"a~S pick", "READY pick:a"}}},
    {"a server that does not serve is TRANSIENT_FAILURE with a sentence", RR,
        {{"list=a a~A a=R", "get:a connect:a CONNECTING"}, {"a~N pick", "TF(a is ill) pick:FAIL(a is ill)"}}},
    {"and its connection stays: it is READY as soon as it serves", RR,
        {{"list=a a~A a=R", "get:a connect:a CONNECTING"}, {"a~N", "TF(a is ill)"}, {"a~S pick", "READY pick:a"}}},
    {"it gets no calls while others serve", RR,
        {{"list=a,b a~A a=R b~A b=R", "get:a get:b connect:a connect:b CONNECTING"}, {"a~S b~S", "READY READY"}, {"a~N pick pick pick", "READY pick:b pick:b pick:b"},
            {"b~N pick", "TF(b is ill) pick:FAIL(b is ill)"}, {"a~S pick pick", "READY pick:a pick:a"}}},
    {"waiting for the answer again after failing stays TRANSIENT_FAILURE", RR,
        {{"list=a a~A a=R a~N", "get:a connect:a CONNECTING TF(a is ill)"}, {"a~A pick", "pick:FAIL(a is ill)"}}},
    {"a lost connection is forgotten with what it said", RR,
        {{"list=a a~A a=R a~S", "get:a connect:a CONNECTING READY"}, {"a=I", "connect:a CONNECTING reresolve"}, {"a=C a~A a=R pick", "pick:WAIT"}, {"a~S pick", "READY pick:a"}}},
    {"and was READY for nobody as it went", RR,
        {{"list=a a~A a=R a~N", "get:a connect:a CONNECTING TF(a is ill)"}, {"a=I pick", "connect:a reresolve pick:FAIL(a is ill)"}, {"a=C a=R pick", "READY pick:a"}}},
    {"where nobody asks servers, READY is READY", RR, {{"list=a a=R pick", "get:a connect:a CONNECTING READY pick:a"}}},
    {"pick_first at the top does not heed it", PF, {{"list=a a~A a=R pick", "get:a connect:a CONNECTING READY pick:a"}, {"a~N pick", "pick:a"}}},
    {"nor does it below what is no petiole", BELOW(PF), {{"list=a a~A a=R pick", "get:a connect:a CONNECTING READY pick:a"}, {"a~N pick", "pick:a"}}},
    {"a petiole below another policy does", BELOW(RR), {{"list=a a~A a=R pick", "get:a connect:a CONNECTING pick:WAIT"}, {"a~S pick", "READY pick:a"}}},
    {"an endpoint's second address is not tried instead", RR,
        {{"list=4a+4b 4a~A 4a=R", "get:4a connect:4a CONNECTING wake:250 wake:off"}, {"4a~N pick", "TF(4a is ill) pick:FAIL(4a is ill)"}, {"4a~S pick", "READY pick:4a"}}},
    {"ring_hash goes on to the next", RING,
        {{"list=a,b pick", "IDLE get:b connect:b CONNECTING pick:WAIT"}, {"b~A b=R pick", "CONNECTING pick:WAIT"}, {"b~N", "get:a connect:a CONNECTING"},
            {"a~A a=R pick", "CONNECTING pick:WAIT"}, {"a~S pick", "READY pick:a"}, {"b~S pick", "READY pick:b"}}},
    {"ring_hash connects anew to one that went while it did not serve", RING,
        {{"list=a pick", "IDLE get:a connect:a CONNECTING pick:WAIT"}, {"a~A a=R a~S a~N", "CONNECTING READY TF(a is ill)"}, {"a=I pick", "connect:a TF(a is ill) reresolve pick:WAIT"},
            {"a=C a=R pick", "READY pick:a"}}},
    {"also where another one serves meanwhile", RING,
        {{"list=a,b pick", "IDLE get:b connect:b CONNECTING pick:WAIT"}, {"b=R b~N", "READY get:a connect:a CONNECTING"}, {"a=R pick", "READY pick:a"}, {"b=I pick", "connect:b READY reresolve pick:a"},
            {"b=C b=R pick", "READY pick:b"}}},
};

static void servers_are_heeded(void **unused)
{
    (void)unused;
    lb_rows_check(rows, ROTA_COUNT(rows));
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(servers_are_heeded)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
