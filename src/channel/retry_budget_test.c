/* retry_budget_test.c - the budget by itself, the options that set it, and a storm that it stops. */
#include "channel/tries_fixture.h"
#include "base/assert.h"
#include "channel/retry_budget.h"
#include <stdio.h>
#include <stdlib.h>

static const struct budget_case {
    const char *rule;
    uint32_t ratio_percent, floor_per_s;
    struct {
        unsigned at_ms, calls, wants; /* calls begin, then so many further attempts are asked for */
        unsigned gets;
    } steps[4];
} budget_cases[] = {
    {"a tenth of the calls", 10, 0, {{0, 1000, 200, 100}}},
    {"the floor of ten seconds where that is more", 10, 10, {{0, 50, 200, 100}}},
    {"the floor is no addition", 10, 10, {{0, 2000, 300, 200}}},
    {"without calls the floor", 10, 10, {{0, 0, 200, 100}}},
    {"which fills second by second", 10, 10, {{0, 0, 100, 100}, {11000, 0, 200, 100}, {13000, 0, 1, 0}, {22000, 0, 200, 100}}},
    {"it fills by what the deposits stay behind it", 10, 10, {{0, 0, 100, 100}, {500, 60, 0, 0}, {10000, 0, 200, 94}}},
    {"what it gave is paid back by the next calls", 10, 10, {{0, 0, 100, 100}, {100, 1000, 50, 0}, {200, 100, 50, 10}}},
    {"also where they begin in the middle of a second", 10, 10, {{900, 20, 20, 20}, {1000, 980, 200, 80}}},
    {"neither: none", 0, 0, {{0, 1000, 10, 0}}},
    {"what is spent is missing for ten seconds", 10, 10, {{0, 1000, 100, 100}, {9999, 0, 10, 0}, {10000, 0, 200, 100}}},
    {"calls count for ten seconds", 10, 0, {{0, 1000, 0, 0}, {9999, 0, 50, 50}, {10000, 0, 50, 0}}},
    {"each second leaves by itself", 10, 0, {{0, 500, 0, 0}, {5000, 500, 0, 0}, {12000, 0, 200, 50}}},
    {"after a long rest nothing is left", 10, 0, {{0, 1000, 0, 0}, {100000, 10, 10, 1}}},
    {"but the floor", 10, 10, {{0, 1000, 300, 100}, {100000, 0, 300, 100}}},
    {"more than all calls can be allowed", 200, 0, {{0, 10, 50, 20}}},
};

static void budgets_follow_the_rules(void **unused)
{
    (void)unused;
    for (size_t i = 0; i < ROTA_COUNT(budget_cases); i++) {
        const struct budget_case *c = &budget_cases[i];
        struct rota_retry_budget budget;

        print_message("  %s\n", c->rule);
        rota_retry_budget_init(&budget, c->ratio_percent, c->floor_per_s);
        for (size_t k = 0; k < ROTA_COUNT(c->steps); k++) {
            int64_t now_ns = ROTA_VIRTUAL_START_NS + c->steps[k].at_ms * ROTA_MS;
            unsigned got = 0;
            for (unsigned n = 0; n < c->steps[k].calls; n++)
                rota_retry_budget_call(&budget, now_ns);
            for (unsigned n = 0; n < c->steps[k].wants; n++)
                got += rota_retry_budget_spend(&budget, now_ns);
            assert_int_equal(got, c->steps[k].gets);
        }
    }
}

#define RETRY ROTA_RETRY_CONFIG("\"maxAttempts\":4," ROTA_RETRY_USUAL)
#define HEDGE ROTA_TRIES_CONFIG("\"hedgingPolicy\":{\"maxAttempts\":4,\"hedgingDelay\":\"0.1s\",\"nonFatalStatusCodes\":[\"UNAVAILABLE\"]}")
#define AT_ONCE ROTA_TRIES_CONFIG("\"hedgingPolicy\":{\"maxAttempts\":4}")

static void the_options(void **unused)
{
    static const struct {
        int32_t ratio, floor;
        struct rota_tries_case row;
    } rows[] = {
        {-1, -1, {"no budget: the call fails with what the server said", RETRY, "call a!14 #", "a0 UNAVAILABLE 0/0/0/0/1", "a"}},
        {100, -1, {"one retry for each call", RETRY, "call a!14 +100 a!14 #", "a0 a1 UNAVAILABLE 1/0/0/0/1", "a"}},
        {-1, -1, {"it holds for hedges too", HEDGE, "call +9999 a:r #", "a0 OK 0/0/0/0/1", "a"}},
        {200, -1, {"hedges as many as it allows", HEDGE, "call +9999 a:r #", "a0 a1 a2 a- a- OK 0/2/0/0/1", "a"}},
        {200, -1, {"those that go at once too", AT_ONCE, "call a0:r #", "a0 a1 a2 a- a- OK 0/2/0/0/1", "a"}},
        {-1, -1, {"pushback does not go around it", RETRY, "call a!14/10 #", "a0 UNAVAILABLE 0/0/0/0/1", "a"}},
        {-1, -1, {"nor does it hold for transparent retries", RETRY, "call a:refuse a:r #", "a0 a0 OK 0/0/1/0/0", "a"}},
    };

    (void)unused;
    for (size_t i = 0; i < ROTA_COUNT(rows); i++) {
        struct rota_channel_options options = ROTA_CHANNEL_OPTIONS_INIT;
        options.retry_ratio_percent = rows[i].ratio;
        options.retry_floor_per_s = rows[i].floor;
        rota_tries_run(&rows[i].row, 1, &options);
    }
}

static void options_out_of_range_are_refused(void **unused)
{
    static const struct {
        const char *words;
        struct rota_channel_options options;
    } rows[] = {
        {"max_attempts is 11; expected 1 to 10", {.max_attempts = 11}},
        {"max_attempts is -1", {.max_attempts = -1}},
        {"retry_ratio_percent is 1001; expected -1 to 1000", {.retry_ratio_percent = 1001}},
        {"retry_floor_per_s is -2", {.retry_floor_per_s = -2}},
    };
    struct rota_channel_fixture f;

    (void)unused;
    rota_channel_fixture_init(&f, NULL);
    for (size_t i = 0; i < ROTA_COUNT(rows); i++) {
        struct rota_channel_options options = rows[i].options;
        struct rota_channel *channel;
        struct rota_errinfo info;
        options.size = sizeof(options);
        assert_int_equal(rota_channel_make("test:x", &options, rota_channel_parts(f.channel), &channel, &info), ROTA_EINVAL);
        if (strstr(info.text, rows[i].words) == NULL)
            print_message("  %s\n", info.text);
        assert_non_null(strstr(info.text, rows[i].words));
    }
    rota_channel_fixture_fini(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(budgets_follow_the_rules),
        cmocka_unit_test(the_options),
        cmocka_unit_test(options_out_of_range_are_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
