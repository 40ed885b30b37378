/* service_config_test.c - one row a rule: what is taken, what is refused and where it says the mistake is. */
#include "wire/service_config.h"
#include "base/alloc.h"
#include "base/assert.h"
#include "testing/cmocka.h"
#include "testing/comma_locale.h"
#include "testing/leak_alloc.h"
#include <rota/status.h>
#include <stdio.h>

#define RETRY "{\"maxAttempts\":3,\"initialBackoff\":\"0.1s\",\"maxBackoff\":\"1s\",\"backoffMultiplier\":2,\"retryableStatusCodes\":[\"UNAVAILABLE\",4]}"
#define METHOD(member) "{\"methodConfig\":[{\"name\":[{}]," member "}]}"

static const struct bad_case {
    const char *rule, *json, *says;
} bads[] = {
    {"empty", "", "line 1"},
    {"no JSON", "{", "line 1"},
    {"text behind", "{} x", "line 1"},
    {"a key twice", "{\"a\":1,\"a\":2}", "duplicate"},
    {"no object", "[]", "expected {...}"},
    {"the policies are a list", "{\"loadBalancingConfig\":{}}", "loadBalancingConfig: expected a list"},
    {"at least one policy", "{\"loadBalancingConfig\":[]}", "loadBalancingConfig: the list is empty"},
    {"the old policy is a text", "{\"loadBalancingPolicy\":1}", "loadBalancingPolicy: expected a text"},
    {"methods are a list", "{\"methodConfig\":{}}", "methodConfig: expected a list"},
    {"a method is an object", "{\"methodConfig\":[1]}", "methodConfig[0]: expected an object"},
    {"names are a list", "{\"methodConfig\":[{\"name\":{}}]}", "methodConfig[0].name: expected a list"},
    {"a name is an object", "{\"methodConfig\":[{\"name\":[1]}]}", "methodConfig[0].name[0]: expected an object"},
    {"a service is a text", "{\"methodConfig\":[{\"name\":[{\"service\":1}]}]}", "name[0].service: expected a text"},
    {"a method needs its service", "{\"methodConfig\":[{\"name\":[{\"method\":\"m\"}]}]}", "\"m\" is named without its service"},
    {"a name twice in one list", "{\"methodConfig\":[{\"name\":[{\"service\":\"s\"},{\"service\":\"s\"}]}]}", "name[1]: \"s/\" is named a second time"},
    {"a name twice in two", "{\"methodConfig\":[{\"name\":[{\"service\":\"s\",\"method\":\"m\"}]},{\"name\":[{\"service\":\"s\",\"method\":\"m\"}]}]}",
     "methodConfig[1].name[0]: \"s/m\""},
    {"two defaults", "{\"methodConfig\":[{\"name\":[{}]},{\"name\":[{\"service\":\"\"}]}]}", "second default"},
    {"a slash in a service", "{\"methodConfig\":[{\"name\":[{\"service\":\"s/m\"}]}]}", "contains \"/\""},
    {"waitForReady", METHOD("\"waitForReady\":\"yes\""), "methodConfig[0].waitForReady: expected true or false"},
    {"a timeout is a text", METHOD("\"timeout\":1"), "methodConfig[0].timeout: expected a duration"},
    {"with a unit", METHOD("\"timeout\":\"1\""), "methodConfig[0].timeout"},
    {"the unit is s", METHOD("\"timeout\":\"1ms\""), "timeout"},
    {"digits before the point", METHOD("\"timeout\":\".5s\""), "timeout"},
    {"digits behind the point", METHOD("\"timeout\":\"1.s\""), "timeout"},
    {"at most nine of them", METHOD("\"timeout\":\"1.0000000001s\""), "timeout"},
    {"not negative", METHOD("\"timeout\":\"-1s\""), "timeout"},
    {"at most 10,000 years", METHOD("\"timeout\":\"315576000001s\""), "timeout"},
    {"a size is a number", METHOD("\"maxRequestMessageBytes\":true"), "methodConfig[0].maxRequestMessageBytes: expected a whole number"},
    {"not negative", METHOD("\"maxRequestMessageBytes\":-1"), "maxRequestMessageBytes"},
    {"whole", METHOD("\"maxResponseMessageBytes\":1.5"), "maxResponseMessageBytes"},
    {"32 bits", METHOD("\"maxResponseMessageBytes\":\"4294967296\""), "maxResponseMessageBytes"},
    {"nor more than any integer has", METHOD("\"maxResponseMessageBytes\":18446744073709551616"), "maxResponseMessageBytes"},
    {"nor less", METHOD("\"maxResponseMessageBytes\":-9223372036854775809"), "maxResponseMessageBytes"},
    {"a code neither", METHOD("\"hedgingPolicy\":{\"maxAttempts\":2,\"nonFatalStatusCodes\":[9223372036854775808]}"), "nonFatalStatusCodes[0]"},
    {"a number must be one", "{\"unknown\":1e999}", "number"},
    {"a text of digits", METHOD("\"maxResponseMessageBytes\":\"12a\""), "maxResponseMessageBytes"},
    {"retry or hedging", METHOD("\"retryPolicy\":{},\"hedgingPolicy\":{}"), "exclude each other"},
    {"retryPolicy is an object", METHOD("\"retryPolicy\":1"), "methodConfig[0].retryPolicy: expected an object"},
    {"maxAttempts is there", METHOD("\"retryPolicy\":{}"), "retryPolicy.maxAttempts: expected a number greater than 1"},
    {"one attempt is no retry", METHOD("\"retryPolicy\":{\"maxAttempts\":1}"), "maxAttempts"},
    {"initialBackoff is there", METHOD("\"retryPolicy\":{\"maxAttempts\":2}"), "retryPolicy.initialBackoff: expected a duration greater"},
    {"maxBackoff is positive", METHOD("\"retryPolicy\":{\"maxAttempts\":2,\"initialBackoff\":\"1s\",\"maxBackoff\":\"0s\"}"), "maxBackoff"},
    {"backoffMultiplier is positive", METHOD("\"retryPolicy\":{\"maxAttempts\":2,\"initialBackoff\":\"1s\",\"maxBackoff\":\"1s\",\"backoffMultiplier\":0}"),
     "backoffMultiplier: expected a number greater"},
    {"codes are there", METHOD("\"retryPolicy\":{\"maxAttempts\":2,\"initialBackoff\":\"1s\",\"maxBackoff\":\"1s\",\"backoffMultiplier\":1}"),
     "retryableStatusCodes: expected at least one"},
    {"no such code", METHOD("\"hedgingPolicy\":{\"maxAttempts\":2,\"nonFatalStatusCodes\":[\"NO\"]}"), "hedgingPolicy.nonFatalStatusCodes[0]"},
    {"a code is a whole number", METHOD("\"hedgingPolicy\":{\"maxAttempts\":2,\"nonFatalStatusCodes\":[14.5]}"), "nonFatalStatusCodes[0]"},
    {"no such number", METHOD("\"hedgingPolicy\":{\"maxAttempts\":2,\"nonFatalStatusCodes\":[1,17]}"), "nonFatalStatusCodes[1]"},
    {"OK is no failure", METHOD("\"hedgingPolicy\":{\"maxAttempts\":2,\"nonFatalStatusCodes\":[0]}"), "nonFatalStatusCodes[0]"},
    {"hedgingDelay", METHOD("\"hedgingPolicy\":{\"maxAttempts\":2,\"hedgingDelay\":\"x\"}"), "hedgingPolicy.hedgingDelay"},
    {"throttling is an object", "{\"retryThrottling\":1}", "retryThrottling: expected an object"},
    {"maxTokens", "{\"retryThrottling\":{\"tokenRatio\":1}}", "retryThrottling.maxTokens: expected"},
    {"maxTokens is bounded", "{\"retryThrottling\":{\"maxTokens\":1001,\"tokenRatio\":1}}", "retryThrottling.maxTokens"},
    {"tokenRatio", "{\"retryThrottling\":{\"maxTokens\":10,\"tokenRatio\":0}}", "retryThrottling.tokenRatio"},
    {"tokenRatio is a number", "{\"retryThrottling\":{\"maxTokens\":10,\"tokenRatio\":\"1x\"}}", "retryThrottling.tokenRatio: expected a number"},
    {"not true or false", "{\"retryThrottling\":{\"maxTokens\":true,\"tokenRatio\":1}}", "retryThrottling.maxTokens: expected a number"},
    {"nor infinite", "{\"retryThrottling\":{\"maxTokens\":10,\"tokenRatio\":\"1e999\"}}", "retryThrottling.tokenRatio: expected a number"},
    {"health", "{\"healthCheckConfig\":[]}", "healthCheckConfig: expected an object"},
    {"scaling is an object", "{\"connectionScaling\":5}", "connectionScaling: expected an object"},
    {"scaling's number is one", "{\"connectionScaling\":{\"maxConnectionsPerSubchannel\":true}}",
     "connectionScaling.maxConnectionsPerSubchannel: expected a whole number"},
    {"no connection at all is invalid", "{\"connectionScaling\":{\"maxConnectionsPerSubchannel\":0}}",
     "connectionScaling.maxConnectionsPerSubchannel: expected a number greater than 0"},
    {"health's service", "{\"healthCheckConfig\":{\"serviceName\":1}}", "healthCheckConfig.serviceName: expected a text"},
};

static void mistakes_are_named_by_their_place(void **state)
{
    (void)state;
    for (size_t i = 0; i < ROTA_COUNT(bads); i++) {
        struct rota_service_config *config = NULL;
        struct rota_leak_alloc leak;
        struct rota_errinfo info = {""};

        print_message("  %s\n", bads[i].rule);
        rota_leak_alloc_init(&leak);
        assert_int_equal(rota_service_config_parse(rota_slice_str(bads[i].json), &leak.alloc, &config, &info), ROTA_EPARSE);
        if (strstr(info.text, bads[i].says) == NULL)
            fail_msg("it says: %s", info.text);
        assert_null(config);
        rota_leak_alloc_fini(&leak);
    }
}

static struct rota_service_config *parse(const char *json)
{
    struct rota_service_config *config = NULL;
    struct rota_errinfo info = {""};

    if (rota_service_config_parse(rota_slice_str(json), NULL, &config, &info) < 0)
        fail_msg("%s", info.text);
    return config;
}

static void an_empty_config_sets_nothing(void **state)
{
    static const char *const empties[] = {
        "{}", "{\"loadBalancingConfig\":null,\"methodConfig\":null,\"retryThrottling\":null}", "{\"unknown\":[1,{}],\"methodConfig\":[{}]}"};

    (void)state;
    for (size_t i = 0; i < ROTA_COUNT(empties); i++) {
        struct rota_service_config *config = parse(empties[i]);

        assert_string_equal(config->json, empties[i]);
        assert_null(config->lb_config);
        assert_null(config->lb_policy);
        assert_null(config->health_service);
        assert_int_equal(config->throttle_max_tokens_milli, 0);
        assert_int_equal(config->max_connections, 1);
        assert_null(rota_service_config_method(config, "/s/m"));
        rota_service_config_free(NULL, config);
    }
    rota_service_config_free(NULL, NULL);
    assert_null(rota_service_config_method(NULL, "/s/m"));
}

/* What is in the list is for those to judge who know the policies: entries behind the first known one are nobody's business. */
static void policies_are_passed_on_as_they_are(void **state)
{
    struct rota_service_config *config = parse("{\"loadBalancingConfig\":[{\"round_robin\":{}},7,{\"b\":1},{\"c\":{},\"d\":{}}]}");

    (void)state;
    assert_string_equal(config->lb_config, "[{\"round_robin\":{}},7,{\"b\":1},{\"c\":{},\"d\":{}}]");
    rota_service_config_free(NULL, config);
}

static void numbers_beyond_integers_harm_no_others(void **state)
{
    struct rota_service_config *config = parse("{\"unknown\":9223372036854775808,\"loadBalancingConfig\":[{\"x\":{\"y\":-99999999999999999999}}],"
                                               "\"retryThrottling\":{\"maxTokens\":10,\"tokenRatio\":0.1},\"methodConfig\":[{\"name\":[{}],"
                                               "\"maxRequestMessageBytes\":4294967295,\"retryPolicy\":{\"maxAttempts\":3,\"initialBackoff\":\"1s\","
                                               "\"maxBackoff\":\"1s\",\"backoffMultiplier\":2,\"retryableStatusCodes\":[14]}}]}");
    const struct rota_method_config *method = rota_service_config_method(config, "/s/m");

    (void)state;
    assert_non_null(config->lb_config);
    assert_int_equal(config->throttle_max_tokens_milli, 10000);
    assert_int_equal(method->max_request_bytes, 4294967295);
    assert_int_equal(method->retry.max_attempts, 3);
    assert_int_equal(method->retry.retryable_codes, 1u << 14);
    rota_service_config_free(NULL, config);
}

static void what_concerns_the_channel_is_kept(void **state)
{
    struct rota_service_config *config = parse("{\"loadBalancingPolicy\":\"ROUND_ROBIN\","
                                               "\"loadBalancingConfig\":[ {\"x\": {\"a\" : 1}}, {\"round_robin\":{}} ],"
                                               "\"healthCheckConfig\":{\"serviceName\":\"h\"},"
                                               "\"retryThrottling\":{\"maxTokens\":10,\"tokenRatio\":0.1234}}");

    (void)state;
    assert_string_equal(config->lb_policy, "round_robin");
    assert_string_equal(config->lb_config, "[{\"x\":{\"a\":1}},{\"round_robin\":{}}]");
    assert_string_equal(config->health_service, "h");
    assert_int_equal(config->throttle_max_tokens_milli, 10000);
    assert_int_equal(config->throttle_ratio_milli, 123);
    rota_service_config_free(NULL, config);
}

static void the_closest_name_wins(void **state)
{
    struct rota_service_config *config = parse("{\"methodConfig\":["
                                               "{\"name\":[{}],\"timeout\":\"1s\"},"
                                               "{\"name\":[{\"service\":\"p.S\"}],\"timeout\":\"2s\"},"
                                               "{\"name\":[{\"service\":\"p.S\",\"method\":\"M\"},{\"service\":\"q\",\"method\":\"M\"}],\"timeout\":\"3s\"}]}");
    static const struct {
        const char *path;
        int64_t want_s;
    } rows[] = {{"/p.S/M", 3}, {"/q/M", 3}, {"/p.S/N", 2}, {"/q/N", 1}, {"/p.S2/M", 1}, {"/p.S", 1}};

    (void)state;
    for (size_t i = 0; i < ROTA_COUNT(rows); i++)
        assert_int_equal(rota_service_config_method(config, rows[i].path)->timeout_ns, rows[i].want_s * 1000000000);
    assert_null(rota_service_config_method(config, "p.S/M"));
    assert_null(rota_service_config_method(config, NULL));
    rota_service_config_free(NULL, config);
}

static void method_settings_are_read(void **state)
{
    struct rota_service_config *config = parse(METHOD("\"timeout\":\"1.000000001s\",\"waitForReady\":false,\"maxRequestMessageBytes\":\"7\","
                                                      "\"maxResponseMessageBytes\":8.0,\"retryPolicy\":" RETRY));
    const struct rota_method_config *method = rota_service_config_method(config, "/s/m");

    (void)state;
    assert_int_equal(method->timeout_ns, 1000000001);
    assert_int_equal(method->wait_for_ready, 0);
    assert_int_equal(method->max_request_bytes, 7);
    assert_int_equal(method->max_reply_bytes, 8);
    assert_int_equal(method->retry.max_attempts, 3);
    assert_int_equal(method->retry.initial_backoff_ns, 100000000);
    assert_int_equal(method->retry.max_backoff_ns, 1000000000);
    assert_true(method->retry.backoff_multiplier == 2);
    assert_int_equal(method->retry.retryable_codes, 1u << ROTA_UNAVAILABLE | 1u << ROTA_DEADLINE_EXCEEDED);
    assert_int_equal(method->hedging.max_attempts, 0);
    rota_service_config_free(NULL, config);

    config = parse(METHOD("\"timeout\":\"315576000000s\",\"waitForReady\":true,"
                          "\"hedgingPolicy\":{\"maxAttempts\":9,\"hedgingDelay\":\"0.5s\",\"nonFatalStatusCodes\":[\"aborted\"]}"));
    method = rota_service_config_method(config, "/s/m");
    assert_true(method->timeout_ns == INT64_MAX);
    assert_int_equal(method->wait_for_ready, 1);
    assert_true(method->max_request_bytes == SIZE_MAX);
    assert_int_equal(method->hedging.max_attempts, 9);
    assert_int_equal(method->hedging.hedging_delay_ns, 500000000);
    assert_int_equal(method->hedging.non_fatal_codes, 1u << ROTA_ABORTED);
    assert_int_equal(method->retry.max_attempts, 0);
    rota_service_config_free(NULL, config);

    config = parse(METHOD("\"timeout\":null"));
    method = rota_service_config_method(config, "/s/m");
    assert_true(method->timeout_ns == INT64_MAX);
    assert_int_equal(method->wait_for_ready, -1);
    rota_service_config_free(NULL, config);
}

static void numbers_have_many_forms(void **state)
{
    static const struct {
        const char *rule, *attempts, *multiplier, *code, *size, *tokens, *ratio;
    } rows[] = {
        {"as they are", "4", "1.5", "14", "300", "100", "0.5"},
        {"as text", "\"4\"", "\"1.5\"", "\"UNAVAILABLE\"", "\"300\"", "\"100\"", "\"0.5\""},
        {"with an exponent", "40e-1", "15e-1", "1.4e1", "3e2", "1e2", "5e-1"},
        {"both", "\"40e-1\"", "\"15E-1\"", "\"unavailable\"", "\"3e+2\"", "\"1e2\"", "\"5e-1\""},
        {"with decimals that say nothing", "4.0", "1.50", "14.0", "\"300.0\"", "100.0", "\"0.50\""},
    };

    (void)state;
    for (size_t i = 0; i < ROTA_COUNT(rows); i++) {
        const struct rota_method_config *method;
        struct rota_service_config *config;
        char json[512];

        print_message("  %s\n", rows[i].rule);
        snprintf(json, sizeof(json),
            "{\"methodConfig\":[{\"name\":[{}],\"maxRequestMessageBytes\":%s,\"retryPolicy\":{\"maxAttempts\":%s,\"initialBackoff\":\"1s\","
            "\"maxBackoff\":\"1s\",\"backoffMultiplier\":%s,\"retryableStatusCodes\":[%s]}}],\"retryThrottling\":{\"maxTokens\":%s,\"tokenRatio\":%s}}",
            rows[i].size, rows[i].attempts, rows[i].multiplier, rows[i].code, rows[i].tokens, rows[i].ratio);
        config = parse(json);
        method = rota_service_config_method(config, "/s/m");
        assert_int_equal(method->max_request_bytes, 300);
        assert_int_equal(method->retry.max_attempts, 4);
        assert_true(method->retry.backoff_multiplier == 1.5);
        assert_int_equal(method->retry.retryable_codes, 1u << ROTA_UNAVAILABLE);
        assert_int_equal(config->throttle_max_tokens_milli, 100000);
        assert_int_equal(config->throttle_ratio_milli, 500);
        rota_service_config_free(NULL, config);
    }
}

/* Programs have locales: there strtod wants 0,5. */
static void whatever_the_locale(void **state)
{
    rota_comma_locale_enter();
    numbers_have_many_forms(state);
    rota_comma_locale_leave();
}

static void nesting_is_bounded(void **state)
{
    struct rota_service_config *config = NULL;
    size_t size = 200000;
    char *json = rota_alloc_get(NULL, size);

    (void)state;
    memset(json, '[', size);
    assert_int_equal(rota_service_config_parse(rota_slice(json, size), NULL, &config, NULL), ROTA_EPARSE);
    rota_alloc_free(NULL, json);
}

static rota_err parse_one(const struct rota_alloc *alloc, void *ctx)
{
    static const char json[] = "{\"loadBalancingPolicy\":\"X\",\"loadBalancingConfig\":[{\"x\":{}}],\"healthCheckConfig\":{\"serviceName\":\"h\"},"
                               "\"methodConfig\":[{\"name\":[{\"service\":\"s\"},{\"service\":\"t\"}],\"retryPolicy\":" RETRY "}]}";
    struct rota_service_config *config;
    rota_err err = rota_service_config_parse(rota_slice_str(json), alloc, &config, NULL);

    (void)ctx;
    if (err == 0)
        rota_service_config_free(alloc, config);
    return err;
}

static void running_out_of_memory_is_an_error(void **state)
{
    (void)state;
    assert_true(rota_alloc_sweep(parse_one, NULL) >= 3);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(mistakes_are_named_by_their_place),
        cmocka_unit_test(an_empty_config_sets_nothing),
        cmocka_unit_test(policies_are_passed_on_as_they_are),
        cmocka_unit_test(numbers_beyond_integers_harm_no_others),
        cmocka_unit_test(what_concerns_the_channel_is_kept),
        cmocka_unit_test(the_closest_name_wins),
        cmocka_unit_test(method_settings_are_read),
        cmocka_unit_test(numbers_have_many_forms),
        cmocka_unit_test(whatever_the_locale),
        cmocka_unit_test(nesting_is_bounded),
        cmocka_unit_test(running_out_of_memory_is_an_error),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
