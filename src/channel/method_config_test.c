/* method_config_test.c - what a method config says of a call: timeout, waitForReady, message sizes (gRFC A2), also where the resolver
 * brings it after the call has begun.
 */
#include "channel/channel_fixture.h"
#include "base/assert.h"

#define A "1.1.1.1:1"
#define CONFIG(members) "{\"methodConfig\":[{\"name\":[{\"service\":\"test.Echo\"}]," members "}]}"
#define OTHER(members) "{\"methodConfig\":[{\"name\":[{\"service\":\"test.Other\"}]," members "}]}"
#define EXACT "{\"methodConfig\":[{\"name\":[{}],\"timeout\":\"9s\"},{\"name\":[{\"service\":\"test.Echo\"}],\"timeout\":\"8s\"},"       \
              "{\"name\":[{\"service\":\"test.Echo\",\"method\":\"Say\"}],\"timeout\":\"2s\"}]}"

/* A unary call at a server that does not answer: when is its deadline? */
static const struct timeout_case {
    const char *rule, *config;
    int64_t app_ms, want_ms; /* 0: none */
} timeout_cases[] = {
    {"neither says anything: none", "{}", 0, 0},
    {"the application's", "{}", 500, 500},
    {"the config's", CONFIG("\"timeout\":\"0.7s\""), 0, 700},
    {"the application's where shorter", CONFIG("\"timeout\":\"0.7s\""), 500, 500},
    {"the config's where shorter", CONFIG("\"timeout\":\"0.7s\""), 900, 700},
    {"another service's is not", OTHER("\"timeout\":\"0.7s\""), 900, 900},
    {"the most exact name's", EXACT, 0, 2000},
};

static void check_timeout(struct rota_channel_fixture *f, const struct timeout_case *c, struct rota_seen_call *seen)
{
    if (c->want_ms == 0) {
        rota_virtual_host_advance(&f->v, 1000 * ROTA_S);
        rota_assert_running(seen);
        return;
    }
    rota_virtual_host_advance(&f->v, (c->want_ms - 1) * ROTA_MS);
    rota_assert_running(seen);
    rota_virtual_host_advance(&f->v, ROTA_MS);
    rota_assert_ended(seen, ROTA_DEADLINE_EXCEEDED, "deadline of");
}

static void the_shorter_timeout_holds(void **unused)
{
    (void)unused;
    for (size_t i = 0; i < ROTA_COUNT(timeout_cases); i++) {
        for (int late = 0; late <= 1; late++) {
            struct rota_channel_options options = ROTA_CHANNEL_OPTIONS_INIT;
            struct rota_call_options call_options = ROTA_CALL_OPTIONS_INIT;
            struct rota_channel_fixture f;
            struct rota_seen_call seen;

            print_message("  %s%s\n", timeout_cases[i].rule, late ? ", from the resolver" : "");
            options.service_config = late ? NULL : timeout_cases[i].config;
            options.idle_timeout_ms = -1;
            call_options.timeout_ms = timeout_cases[i].app_ms;
            rota_channel_fixture_init(&f, &options);
            if (!late)
                rota_fixture_ready(&f, A);
            rota_fixture_unary_start(&f, "x", &call_options, &seen);
            if (late)
                rota_fixture_update(&f, timeout_cases[i].config, A);
            check_timeout(&f, &timeout_cases[i], &seen);
            rota_channel_fixture_fini(&f);
        }
    }
}

static const struct wait_case {
    const char *rule, *config;
    enum rota_wait_for_ready app;
    bool waits;
} wait_cases[] = {
    {"neither says anything: fails fast", "{}", ROTA_WAIT_DEFAULT, false},
    {"the application says wait", "{}", ROTA_WAIT_FOR_READY, true},
    {"the config says wait", CONFIG("\"waitForReady\":true"), ROTA_WAIT_DEFAULT, true},
    {"the application wins: wait", CONFIG("\"waitForReady\":false"), ROTA_WAIT_FOR_READY, true},
    {"the application wins: fail fast", CONFIG("\"waitForReady\":true"), ROTA_FAIL_FAST, false},
    {"the config says not to", CONFIG("\"waitForReady\":false"), ROTA_WAIT_DEFAULT, false},
};

static void the_application_wins_over_wait_for_ready(void **unused)
{
    (void)unused;
    for (size_t i = 0; i < ROTA_COUNT(wait_cases); i++) {
        for (int late = 0; late <= 1; late++) {
            struct rota_channel_options options = ROTA_CHANNEL_OPTIONS_INIT;
            struct rota_call_options call_options = ROTA_CALL_OPTIONS_INIT;
            struct rota_channel_fixture f;
            struct rota_seen_call seen;

            print_message("  %s%s\n", wait_cases[i].rule, late ? ", from the resolver" : "");
            options.service_config = late ? NULL : wait_cases[i].config;
            call_options.wait_for_ready = wait_cases[i].app;
            rota_channel_fixture_init(&f, &options);
            if (!late) {
                rota_channel_connect(f.channel);
                rota_fixture_publish(&f, A, NULL, NULL);
            }
            rota_fixture_unary_start(&f, "x", &call_options, &seen);
            if (late)
                rota_fixture_update(&f, wait_cases[i].config, A);
            rota_fake_lose(rota_fixture_conn(&f, A), "refused");
            assert_int_equal(seen.dones, wait_cases[i].waits ? 0 : 1);
            rota_channel_fixture_fini(&f);
        }
    }
}

static const struct size_case {
    const char *rule, *config;
    size_t app_bytes, channel_bytes; /* of replies; 0: not said */
    size_t reply_bytes;
    enum rota_code want;
} size_cases[] = {
    {"the channel's", "{}", 0, 10, 11, ROTA_RESOURCE_EXHAUSTED},
    {"the application's instead of the channel's", "{}", 12, 10, 11, ROTA_OK},
    {"the config's where less", CONFIG("\"maxResponseMessageBytes\":5"), 12, 0, 6, ROTA_RESOURCE_EXHAUSTED},
    {"as much as the config says", CONFIG("\"maxResponseMessageBytes\":5"), 12, 0, 5, ROTA_OK},
    {"the application's where less", CONFIG("\"maxResponseMessageBytes\":50"), 12, 0, 13, ROTA_RESOURCE_EXHAUSTED},
};

static void the_smaller_reply_limit_holds(void **unused)
{
    (void)unused;
    for (size_t i = 0; i < ROTA_COUNT(size_cases); i++) {
        for (int late = 0; late <= 1; late++) {
            const struct size_case *c = &size_cases[i];
            struct rota_channel_options options = ROTA_CHANNEL_OPTIONS_INIT;
            struct rota_call_options call_options = ROTA_CALL_OPTIONS_INIT;
            struct rota_channel_fixture f;
            struct rota_seen_call seen;
            char reply[64] = {0};

            print_message("  %s%s\n", c->rule, late ? ", from the resolver" : "");
            memset(reply, 'r', c->reply_bytes);
            options.service_config = late ? NULL : c->config;
            options.max_reply_bytes = c->channel_bytes;
            call_options.max_reply_bytes = c->app_bytes;
            rota_channel_fixture_init(&f, &options);
            if (!late)
                rota_fixture_ready(&f, A);
            rota_fixture_unary_start(&f, "x", &call_options, &seen);
            if (late) {
                rota_fixture_update(&f, c->config, A);
                rota_fake_up(rota_fixture_conn(&f, A));
            }
            rota_fake_reply(rota_fake_stream_at(rota_fixture_conn(&f, A), 0), reply);
            rota_assert_ended(&seen, c->want, "");
            rota_channel_fixture_fini(&f);
        }
    }
}

static const struct request_case {
    const char *rule, *config;
    size_t channel_bytes;
    const char *request;
    bool sent;
} request_cases[] = {
    {"no limit", "{}", 0, "123456", true},
    {"the channel's", "{}", 5, "123456", false},
    {"the config's", CONFIG("\"maxRequestMessageBytes\":5"), 0, "123456", false},
    {"as much as it says", CONFIG("\"maxRequestMessageBytes\":6"), 0, "123456", true},
    {"the smaller one: config", CONFIG("\"maxRequestMessageBytes\":5"), 6, "123456", false},
    {"the smaller one: channel", CONFIG("\"maxRequestMessageBytes\":6"), 5, "123456", false},
};

static void the_smaller_request_limit_holds(void **unused)
{
    (void)unused;
    for (size_t i = 0; i < ROTA_COUNT(request_cases); i++) {
        for (int late = 0; late <= 1; late++) {
            const struct request_case *c = &request_cases[i];
            struct rota_channel_options options = ROTA_CHANNEL_OPTIONS_INIT;
            struct rota_channel_fixture f;
            struct rota_seen_call seen;

            print_message("  %s%s\n", c->rule, late ? ", from the resolver" : "");
            options.service_config = late ? NULL : c->config;
            options.max_request_bytes = c->channel_bytes;
            rota_channel_fixture_init(&f, &options);
            if (!late)
                rota_fixture_ready(&f, A);
            rota_fixture_unary_start(&f, c->request, NULL, &seen);
            if (late && seen.dones == 0) {
                rota_fixture_update(&f, c->config, A);
                rota_fake_up(rota_fixture_conn(&f, A));
            }
            if (rota_fixture_conn(&f, A) != NULL)
                assert_int_equal(rota_fixture_conn(&f, A)->n_streams, c->sent);
            if (!c->sent)
                rota_assert_ended(&seen, ROTA_RESOURCE_EXHAUSTED, "larger than the limit");
            rota_channel_fixture_fini(&f);
        }
    }
}

/* The options' config is the default until the resolver's comes, and then counts no more. */
static void the_resolvers_config_replaces_the_options(void **unused)
{
    struct rota_channel_options options = ROTA_CHANNEL_OPTIONS_INIT;
    struct rota_channel_fixture f;
    struct rota_seen_call seen;

    (void)unused;
    options.service_config = CONFIG("\"timeout\":\"0.5s\",\"retryPolicy\":{\"maxAttempts\":2,\"initialBackoff\":\"1s\",\"maxBackoff\":\"1s\","
                                    "\"backoffMultiplier\":1,\"retryableStatusCodes\":[14]}");
    rota_channel_fixture_init(&f, &options);
    rota_fixture_unary_start(&f, "x", NULL, &seen);
    rota_fixture_update(&f, CONFIG("\"timeout\":\"0.9s\""), A);
    rota_fake_up(rota_fixture_conn(&f, A));
    rota_virtual_host_advance(&f.v, 600 * ROTA_MS);
    rota_assert_running(&seen);
    rota_fake_trailers_only(rota_fake_stream_at(rota_fixture_conn(&f, A), 0), ROTA_UNAVAILABLE, "no retry");
    rota_assert_ended(&seen, ROTA_UNAVAILABLE, "no retry");
    rota_channel_fixture_fini(&f);
}

static void so_it_does_for_wait_for_ready(void **unused)
{
    static const struct {
        const char *rule, *resolved;
        enum rota_wait_for_ready app;
        bool waits;
    } rows[] = {
        {"the resolver's method says nothing", CONFIG("\"timeout\":\"9s\""), ROTA_WAIT_DEFAULT, false},
        {"the resolver's has no such method", "{}", ROTA_WAIT_DEFAULT, false},
        {"the application has said so itself", "{}", ROTA_WAIT_FOR_READY, true},
    };

    (void)unused;
    for (size_t i = 0; i < ROTA_COUNT(rows); i++) {
        struct rota_channel_options options = ROTA_CHANNEL_OPTIONS_INIT;
        struct rota_call_options call_options = ROTA_CALL_OPTIONS_INIT;
        struct rota_channel_fixture f;
        struct rota_seen_call seen;

        print_message("  %s\n", rows[i].rule);
        options.service_config = CONFIG("\"waitForReady\":true");
        call_options.wait_for_ready = rows[i].app;
        rota_channel_fixture_init(&f, &options);
        rota_fixture_unary_start(&f, "x", &call_options, &seen);
        rota_fixture_update(&f, rows[i].resolved, A);
        rota_fake_lose(rota_fixture_conn(&f, A), "refused");
        assert_int_equal(seen.dones, rows[i].waits ? 0 : 1);
        rota_channel_fixture_fini(&f);
    }
}

static void the_resolvers_retry_policy_holds_for_calls_that_waited(void **unused)
{
    struct rota_channel_fixture f;
    struct rota_seen_call seen;

    (void)unused;
    rota_channel_fixture_init(&f, NULL);
    rota_fixture_unary_start(&f, "x", NULL, &seen);
    rota_fixture_update(&f, CONFIG("\"retryPolicy\":{\"maxAttempts\":2,\"initialBackoff\":\"1s\",\"maxBackoff\":\"1s\",\"backoffMultiplier\":1,"
                                   "\"retryableStatusCodes\":[14]}"), A);
    rota_fake_up(rota_fixture_conn(&f, A));
    rota_fake_trailers_only(rota_fake_stream_at(rota_fixture_conn(&f, A), 0), ROTA_UNAVAILABLE, "again");
    rota_assert_running(&seen);
    rota_virtual_host_advance(&f.v, 1200 * ROTA_MS);
    rota_fake_reply(rota_fake_stream_at(rota_fixture_conn(&f, A), 1), "r");
    rota_assert_ended(&seen, ROTA_OK, "");
    rota_channel_fixture_fini(&f);
}

static void so_does_one_that_follows_a_bad_one(void **unused)
{
    static const struct {
        const char *rule;
        bool early; /* calls before the bad one, else after it */
    } rows[] = {
        {"for calls from before the bad one", true},
        {"for calls from after it", false},
    };

    (void)unused;
    for (size_t i = 0; i < ROTA_COUNT(rows); i++) {
        struct rota_call_options call_options = ROTA_CALL_OPTIONS_INIT;
        struct rota_channel_fixture f;
        struct rota_seen_call seen;

        print_message("  %s\n", rows[i].rule);
        call_options.wait_for_ready = ROTA_WAIT_FOR_READY;
        rota_channel_fixture_init(&f, NULL);
        rota_channel_connect(f.channel);
        rota_virtual_host_run(&f.v);
        if (rows[i].early)
            rota_fixture_unary_start(&f, "x", &call_options, &seen);
        rota_fixture_update(&f, "{bad", A);
        if (!rows[i].early)
            rota_fixture_unary_start(&f, "x", &call_options, &seen);
        rota_virtual_host_advance(&f.v, 500 * ROTA_MS);
        rota_fixture_service_config(&f, CONFIG("\"timeout\":\"0.7s\""));
        rota_virtual_host_advance(&f.v, 199 * ROTA_MS);
        rota_assert_running(&seen);
        rota_virtual_host_advance(&f.v, ROTA_MS);
        rota_assert_ended(&seen, ROTA_DEADLINE_EXCEEDED, "deadline of 700 ms");
        rota_channel_fixture_fini(&f);
    }
}

/* No config at all is no bad one: what the program gave, or nothing, is taken to be meant. */
static void without_one_calls_go_by_the_programs(void **unused)
{
    struct rota_call_options call_options = ROTA_CALL_OPTIONS_INIT;
    struct rota_channel_fixture f;
    struct rota_seen_call seen;

    (void)unused;
    call_options.wait_for_ready = ROTA_WAIT_FOR_READY;
    rota_channel_fixture_init(&f, NULL);
    rota_channel_connect(f.channel);
    rota_virtual_host_run(&f.v);
    rota_fixture_update(&f, "{bad", A);
    rota_fixture_unary_start(&f, "x", &call_options, &seen);
    rota_fixture_service_config(&f, "");
    rota_fake_up(rota_fixture_conn(&f, A));
    rota_fixture_service_config(&f, CONFIG("\"timeout\":\"0.7s\"")); /* it is for calls to come */
    rota_virtual_host_advance(&f.v, 10 * ROTA_S);
    rota_fake_reply(rota_fake_stream_at(rota_fixture_conn(&f, A), 0), "r");
    rota_assert_ended(&seen, ROTA_OK, "");
    rota_channel_fixture_fini(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_shorter_timeout_holds),
        cmocka_unit_test(the_application_wins_over_wait_for_ready),
        cmocka_unit_test(the_smaller_reply_limit_holds),
        cmocka_unit_test(the_smaller_request_limit_holds),
        cmocka_unit_test(the_resolvers_config_replaces_the_options),
        cmocka_unit_test(so_it_does_for_wait_for_ready),
        cmocka_unit_test(the_resolvers_retry_policy_holds_for_calls_that_waited),
        cmocka_unit_test(so_does_one_that_follows_a_bad_one),
        cmocka_unit_test(without_one_calls_go_by_the_programs),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
