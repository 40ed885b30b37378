/* panic_test.c - health is not heeded while too few are healthy: a rule a row, by what servers say (gRFC A17) and by outlier detection (A50). */
#include "base/assert.h"
#include "rows_fixture.h"
#include "testing/cmocka.h"
#include "testing/virtual_host.h"

#define PANIC(fields, child) "[{\"panic\":{" fields "\"childPolicy\":[{" child "}]}}]"
#define RR "\"round_robin\":{}"
#define OVER_RR PANIC("", RR)
#define OD(child) "\"outlier_detection\":{\"interval\":\"1s\",\"maxEjectionPercent\":100,\"failurePercentageEjection\":{\"threshold\":40,\"minimumHosts\":2,\"requestVolume\":10,\"enforcementPercentage\":100},\"childPolicy\":[{" child "}]}"

static const struct lb_config_row configs[] = {
    {"a child is enough", OVER_RR, NULL},
    {"a child must be there", "[{\"panic\":{}}]", "\"childPolicy\" is missing"},
    {"a threshold is a percentage", PANIC("\"thresholdPercent\":101,", RR), "\"thresholdPercent\" must be from 0 to 100"},
};

#define THREE {"list=a,b,c a~A b~A c~A a=R b=R c=R", "get:a get:b get:c connect:a connect:b connect:c CONNECTING"}, {"a~S b~S c~S", "READY READY READY"}

static const struct lb_row rows[] = {
    {"two of three healthy: health is heeded", OVER_RR, {THREE, {"a~N", "READY"}, {"pick pick", "pick:c pick:b"}}},
    {"one of three healthy: all are used", OVER_RR, {THREE, {"a~N b~N", "READY READY"}, {"pick pick pick", "pick:a pick:b pick:c"}}},
    {"again two: health is heeded again", OVER_RR, {THREE, {"a~N b~N a~S", "READY READY READY"}, {"pick pick pick", "pick:a pick:c pick:a"}}},
    {"half is not too few", OVER_RR,
        {{"list=a,b a~A b~A a=R b=R", "get:a get:b connect:a connect:b CONNECTING"}, {"a~S b~S a~N", "READY READY READY"}, {"pick pick", "pick:b pick:b"}}},
    {"none is healthy: all are used", OVER_RR,
        {{"list=a,b a~A b~A a=R b=R", "get:a get:b connect:a connect:b CONNECTING"}, {"a~N", "CONNECTING"}, {"b~N", "READY"}, {"pick pick", "pick:a pick:b"}}},
    {"an endpoint that cannot be connected to counts as unhealthy", OVER_RR,
        {{"list=a,b,c a~A b~A a=R b=R", "get:a get:b get:c connect:a connect:b connect:c CONNECTING"}, {"a~S b~S", "READY READY"}, {"a~N", "READY"}, {"c=F", "connect:c READY reresolve"}, {"pick pick", "pick:a pick:b"}}},
    {"one not known yet counts as healthy", OVER_RR,
        {{"list=a,b,c a~A b~A a=R b=R", "get:a get:b get:c connect:a connect:b connect:c CONNECTING"}, {"a~N pick", "CONNECTING pick:WAIT"}, {"b~S pick pick", "READY pick:b pick:b"}}},
    {"a threshold of 0 is none", PANIC("\"thresholdPercent\":0,", RR), {{"list=a a~A a=R", "get:a connect:a CONNECTING"}, {"a~N", "TF(a is ill)"}}},
    {"a threshold of 100: with the first that is ill", PANIC("\"thresholdPercent\":100,", RR), {THREE, {"a~N", "READY"}, {"pick pick pick", "pick:c pick:a pick:b"}}},
    {"servers that go leave the count", OVER_RR,
        {THREE, {"a~N b~N", "READY READY"}, {"list=b,c", "put:a READY"}, {"pick pick", "pick:c pick:c"}}},
    {"pick_first below has no health to heed", PANIC("", "\"pick_first\":{}"), {{"list=a a=R pick", "get:a connect:a CONNECTING READY pick:a"}}},
};

static void follows_the_rules(void **unused)
{
    (void)unused;
    lb_config_rows_check(configs, ROTA_COUNT(configs));
    lb_rows_check(rows, ROTA_COUNT(rows));
}

static void call_each(struct rota_fake_lb *f, uint32_t n_bad)
{
    for (int i = 0; i < 300; i++) {
        struct rota_pick pick;
        assert_int_equal(rota_fake_lb_pick(f, &pick), ROTA_PICK_OK);
        f->call_code = ROTA_OK;
        for (uint32_t k = 0; k < n_bad; k++)
            if (rota_fake_lb_picked(&pick) == f->by_number[k])
                f->call_code = ROTA_UNAVAILABLE;
        rota_fake_lb_done(f, &pick);
    }
    f->call_code = ROTA_OK;
    rota_fake_lb_advance(f, 1000 * ROTA_MS);
}

/* However the two stand, ejected endpoints are used while too few are left, and not while there are enough. */
static void outliers_too(void **unused)
{
    static const char *const both[] = {PANIC("", OD(RR)), "[{" OD("\"panic\":{\"childPolicy\":[{" RR "}]}") "}]"};
    uint32_t counts[4];

    (void)unused;
    for (size_t i = 0; i < ROTA_COUNT(both); i++) {
        struct rota_fake_lb *f = lb_open_ready(both[i], "a,b,c,d", 5);
        call_each(f, 1);
        lb_count_picks(f, 300, counts);
        assert_int_equal(counts[0], 0);
        assert_int_equal(counts[3], 100);
        call_each(f, 3); /* b and c are ejected too */
        lb_count_picks(f, 400, counts);
        for (size_t k = 0; k < 4; k++)
            assert_int_equal(counts[k], 100);
        lb_close(f);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(follows_the_rules), cmocka_unit_test(outliers_too)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
