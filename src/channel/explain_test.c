/* explain_test.c - whose picks are explained: a call's on request, every n-th by sampling, a pick without a call. */
#include "channel/channel_fixture.h"
#include "base/assert.h"
#include <rota/explain.h>
#include <stdio.h>
#include <string.h>

#define A "1.1.1.1:1"
#define ROUND_ROBIN "{\"loadBalancingConfig\":[{\"round_robin\":{}}]}"

struct told {
    unsigned n;
    char last[1024];
};

static void tell(void *arg, const struct rota_explained_pick *pick)
{
    struct told *told = arg;

    told->n++;
    rota_explained_pick_text(pick, told->last, sizeof(told->last));
}

static void expect(const struct told *told, unsigned n, const char *words)
{
    assert_int_equal(told->n, n);
    if (strstr(told->last, words) == NULL)
        fail_msg("told: %s", told->last);
}

static void a_call_is_explained_on_request(void **state)
{
    struct rota_call_options options = ROTA_CALL_OPTIONS_INIT;
    struct rota_channel_options channel = ROTA_CHANNEL_OPTIONS_INIT;
    struct rota_channel_fixture f;
    struct rota_seen_call first, second;
    struct told told = {0};

    (void)state;
    channel.service_config = ROUND_ROBIN;
    options.explain = tell;
    options.explain_arg = &told;
    rota_channel_fixture_init(&f, &channel);
    rota_fixture_unary_start(&f, "x", &options, &first);
    expect(&told, 1, "WAIT /"); /* there is no list yet, so no policy either */
    rota_fixture_ready(&f, A);
    expect(&told, told.n, "OK /");
    expect(&told, told.n, "-> " A "\n  * round_robin " A " turn 1 of 1");
    told.n = 0;
    rota_fixture_unary_start(&f, "x", NULL, &second);
    assert_int_equal(told.n, 0);
    rota_fake_reply(rota_fake_stream_at(rota_fixture_conn(&f, A), 0), "r");
    rota_fake_reply(rota_fake_stream_at(rota_fixture_conn(&f, A), 1), "r");
    rota_assert_ended(&first, ROTA_OK, "");
    rota_assert_ended(&second, ROTA_OK, "");
    rota_channel_fixture_fini(&f);
}

static void a_failed_pick_says_why(void **state)
{
    struct rota_call_options options = ROTA_CALL_OPTIONS_INIT;
    struct rota_channel_fixture f;
    struct rota_seen_call seen;
    struct told told = {0};

    (void)state;
    options.explain = tell;
    options.explain_arg = &told;
    rota_channel_fixture_init(&f, NULL);
    rota_fixture_unary_start(&f, "x", &options, &seen);
    rota_fixture_resolver_error(&f, ROTA_UNAVAILABLE, "no such host");
    rota_assert_ended(&seen, ROTA_UNAVAILABLE, "no such host");
    expect(&told, told.n, "FAIL /");
    expect(&told, told.n, ": no such host");
    rota_channel_fixture_fini(&f);
}

static const struct sample_case {
    uint32_t every, n_calls, want;
} sample_cases[] = {{0, 10, 0}, {1, 10, 10}, {3, 10, 3}, {10, 10, 1}, {11, 10, 0}};

static void every_nth_call_is_explained(void **state)
{
    (void)state;
    for (size_t i = 0; i < ROTA_COUNT(sample_cases); i++) {
        const struct sample_case *c = &sample_cases[i];
        struct rota_channel_options options = ROTA_CHANNEL_OPTIONS_INIT;
        struct rota_channel_fixture f;
        struct told told = {0};

        print_message("  every %u of %u\n", c->every, c->n_calls);
        options.explain = tell;
        options.explain_arg = &told;
        options.explain_every = c->every;
        rota_channel_fixture_init(&f, &options);
        rota_channel_connect(f.channel);
        rota_fixture_ready(&f, A);
        for (uint32_t k = 0; k < c->n_calls; k++) {
            struct rota_seen_call seen;

            rota_fixture_unary_start(&f, "x", NULL, &seen);
            rota_fake_reply(rota_fake_stream_at(rota_fixture_conn(&f, A), k), "r");
            rota_assert_ended(&seen, ROTA_OK, "");
        }
        assert_int_equal(told.n, c->want);
        rota_channel_fixture_fini(&f);
    }
}

static void the_calls_own_comes_before_the_channels(void **state)
{
    struct rota_channel_options options = ROTA_CHANNEL_OPTIONS_INIT;
    struct rota_call_options own = ROTA_CALL_OPTIONS_INIT;
    struct told of_channel = {0}, of_call = {0};
    struct rota_channel_fixture f;
    struct rota_seen_call seen;

    (void)state;
    options.explain = tell;
    options.explain_arg = &of_channel;
    options.explain_every = 1;
    own.explain = tell;
    own.explain_arg = &of_call;
    rota_channel_fixture_init(&f, &options);
    rota_channel_connect(f.channel);
    rota_fixture_ready(&f, A);
    rota_fixture_unary_start(&f, "x", &own, &seen);
    expect(&of_call, 1, "OK /");
    assert_int_equal(of_channel.n, 0);
    rota_fake_reply(rota_fake_stream_at(rota_fixture_conn(&f, A), 0), "r");
    rota_channel_fixture_fini(&f);
}

static void a_pick_needs_no_call(void **state)
{
    struct rota_channel_options options = ROTA_CHANNEL_OPTIONS_INIT;
    struct rota_channel_fixture f;
    struct told told = {0};

    (void)state;
    options.service_config = ROUND_ROBIN;
    rota_channel_fixture_init(&f, &options);
    rota_channel_explain(f.channel, "/s/m", NULL, tell, &told); /* leaves IDLE */
    expect(&told, 1, "WAIT /s/m");
    rota_fixture_ready(&f, A);
    rota_channel_explain(f.channel, "/s/m", NULL, tell, &told);
    rota_channel_explain(f.channel, "/s/m", NULL, tell, &told);
    expect(&told, 3, "OK /s/m -> " A "\n  * round_robin " A " turn 1 of 1");
    rota_channel_shut(f.channel, NULL, NULL);
    rota_channel_explain(f.channel, "/s/m", NULL, tell, &told);
    assert_int_equal(told.n, 3);
    rota_channel_fixture_fini(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_call_is_explained_on_request),
        cmocka_unit_test(a_failed_pick_says_why),
        cmocka_unit_test(every_nth_call_is_explained),
        cmocka_unit_test(the_calls_own_comes_before_the_channels),
        cmocka_unit_test(a_pick_needs_no_call),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
