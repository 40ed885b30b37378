/* throttle_test.c - retry throttling: the bucket by itself, and what fills and empties a channel's (gRFC A6). */
#include "channel/tries_fixture.h"
#include "base/assert.h"
#include "channel/throttle.h"

/* --- The bucket --- */

static const struct bucket_case {
    const char *rule;
    uint32_t max_milli, ratio_milli;
    const char *events; /* f: a failure, s: a success */
    uint32_t tokens_milli;
    bool allows;
} bucket_cases[] = {
    {"full at first", 10000, 100, "", 10000, true},
    {"a failure takes one", 10000, 100, "f", 9000, true},
    {"more than half allows", 10000, 100, "ffff", 6000, true},
    {"half does not", 10000, 100, "fffff", 5000, false},
    {"a thousandth above half does", 10000, 1, "fffffs", 5001, true},
    {"half of an odd number is not rounded", 3, 1, "fss", 2, true},
    {"nor up", 3, 1, "fs", 1, false},
    {"a success gives the ratio", 10000, 123, "fs", 9123, true},
    {"never above the maximum", 10000, 5000, "fss", 10000, true},
    {"never below nothing", 1500, 100, "fff", 0, false},
    {"three decimals count", 1, 1, "", 1, true},
    {"the largest", 1000000, 1000000, "fs", 1000000, true},
    {"none is configured: all is allowed", 0, 0, "fsf", 0, true},
};

static void buckets_follow_the_rules(void **unused)
{
    (void)unused;
    for (size_t i = 0; i < ROTA_COUNT(bucket_cases); i++) {
        const struct bucket_case *c = &bucket_cases[i];
        struct rota_throttle throttle = {0};

        print_message("  %s\n", c->rule);
        rota_throttle_set(&throttle, c->max_milli, c->ratio_milli);
        for (const char *event = c->events; *event != '\0'; event++) {
            if (*event == 'f')
                rota_throttle_failure(&throttle);
            else
                rota_throttle_success(&throttle);
        }
        assert_int_equal(throttle.tokens_milli, c->tokens_milli);
        assert_int_equal(rota_throttle_allows(&throttle), c->allows);
    }
}

static void a_new_config_keeps_how_full_it_is(void **unused)
{
    struct rota_throttle throttle = {0};

    (void)unused;
    rota_throttle_set(&throttle, 10000, 100);
    rota_throttle_failure(&throttle);
    rota_throttle_set(&throttle, 100000, 100);
    assert_int_equal(throttle.tokens_milli, 90000);
    rota_throttle_set(&throttle, 0, 0);
    assert_true(rota_throttle_allows(&throttle));
    rota_throttle_set(&throttle, 5000, 100);
    assert_int_equal(throttle.tokens_milli, 5000);
}

/* --- The channel's --- */

#define THROTTLED(method) \
    "{\"loadBalancingConfig\":[{\"round_robin\":{}}],\"retryThrottling\":{\"maxTokens\":4,\"tokenRatio\":0.5},\"methodConfig\":[{\"name\":[{}]" method "}]}"
#define RETRY THROTTLED(",\"retryPolicy\":{\"maxAttempts\":4," ROTA_RETRY_USUAL "}")
#define PLAIN THROTTLED("")

static const struct rota_tries_case rules[] = {
    {"a failure with a retryable code takes a token", RETRY, "call ? a!14 ? +100 a:r", "a0 4000 3000 a1 OK", "a"},
    {"a success gives back the ratio", RETRY, "call a!14 +100 a:r ?", "a0 a1 OK 3500", "a"},
    {"half the tokens and less: no retry", RETRY, "call a!14 +100 a!14 ? +9999 #", "a0 a1 UNAVAILABLE 2000 1/0/0/1/0", "a"},
    {"the first attempt is never throttled", RETRY, "call a!14 +100 a!14 call a!14 call a!14 call a:r ?",
        "a0 a1 UNAVAILABLE a0 UNAVAILABLE a0 UNAVAILABLE a0 OK 500", "a"},
    {"retries come back with the tokens", RETRY, "call a!14 +100 a!14 call a:r call a:r call a:r ? call a!14 +100 a:r",
        "a0 a1 UNAVAILABLE a0 OK a0 OK a0 OK 3500 a0 a1 OK", "a"},
    {"a code that is not retryable takes none", RETRY, "call a!13 ?", "a0 INTERNAL 4000", "a"},
    {"pushback that forbids takes one", RETRY, "call a!14/-1 ?", "a0 UNAVAILABLE 3000", "a"},
    {"with any code", RETRY, "call a!13/-1 ?", "a0 INTERNAL 3000", "a"},
    {"and where there is no policy", PLAIN, "call a!13/-1 ?", "a0 INTERNAL 3000", "a"},
    {"a failure without a policy takes none", PLAIN, "call a!14 ?", "a0 UNAVAILABLE 4000", "a"},
    {"a success without a policy gives back", PLAIN, "call a!13/-1 call a:r ?", "a0 INTERNAL a0 OK 3500", "a"},
    {"the last attempt's failure takes one too", RETRY, "call a!14 +100 a!14/-1 ?", "a0 a1 UNAVAILABLE 2000", "a"},
    {"so does one after the commit", RETRY, "call a:h a:t14 ?", "a0 UNAVAILABLE 3000", "a"},
    {"a failed pick takes one", RETRY, "a:down a:down call ? cancel", "3000 CANCELLED", "a"},
    {"cancelling takes none", RETRY, "call cancel ?", "a0 a- CANCELLED 4000", "a"},
    {"a transparent retry takes none and is made anyway", RETRY, "call a!14 +100 a!14 call a:refuse ? a:r",
        "a0 a1 UNAVAILABLE a0 a0 2000 OK", "a"},
};

static void the_channels_bucket(void **unused)
{
    (void)unused;
    rota_tries_run(rules, ROTA_COUNT(rules), NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(buckets_follow_the_rules),
        cmocka_unit_test(a_new_config_keeps_how_full_it_is),
        cmocka_unit_test(the_channels_bucket),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
