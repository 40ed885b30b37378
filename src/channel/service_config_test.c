/* service_config_test.c - service configs as a channel takes them: a row for each rule of gRFC A2, A21 and A24, and what changes do. */
#include "channel/channel_fixture.h"
#include "base/assert.h"
#include "channel/core.h"
#include "testing/script_rng.h"
#include <rota/explain.h>
#include <stdio.h>
#include <string.h>

#define A "1.1.1.1:1"
#define RR "{\"loadBalancingConfig\":[{\"round_robin\":{}}]}"
#define PF "{\"loadBalancingConfig\":[{\"pick_first\":{}}]}"

static void note_policy(void *arg, const struct rota_explained_pick *pick)
{
    snprintf(arg, 32, "%s", pick->n_notes > 0 ? pick->notes[0].policy : "none");
}

/* The policy that picks; its name stays valid until the next call. */
static const char *policy_of(struct rota_channel_fixture *f)
{
    static char name[32];

    name[0] = '\0';
    rota_channel_explain(f->channel, "/s/m", NULL, note_policy, name);
    return name;
}

static const struct config_case {
    const char *rule, *own, *first, *second; /* NULL: none */
    const char *policy;                      /* NULL: calls fail, saying: */
    const char *says;
} config_cases[] = {
    {"none at all: pick_first", NULL, NULL, NULL, "pick_first", NULL},
    {"the program's own", RR, NULL, NULL, "round_robin", NULL},
    {"the resolver's comes before the program's", RR, PF, NULL, "pick_first", NULL},
    {"a new one replaces the old", NULL, PF, RR, "round_robin", NULL},
    {"a bad new one keeps the good old one", PF, RR, "{\"loadBalancingConfig\":[{\"none_such\":{}}]}", "round_robin", NULL},
    {"a bad one and none yet: the program's default", RR, "{\"loadBalancingConfig\":[{\"none_such\":{}}]}", NULL, "round_robin", NULL},
    {"a bad one and no default: calls fail", NULL, "{\"loadBalancingConfig\":[{\"none_such\":{}}]}", NULL, NULL, "none_such"},
    {"withdrawn: the program's own again", RR, PF, "", "round_robin", NULL},
    {"withdrawn without one: pick_first", NULL, RR, "", "pick_first", NULL},
    {"withdrawn after a bad one: pick_first", NULL, "{nonsense", "", "pick_first", NULL},
    {"a good one after a bad one", NULL, "{nonsense", RR, "round_robin", NULL},
    {"no JSON is bad", NULL, "{nonsense", NULL, NULL, "is not JSON"},
    {"a list of choices is for resolvers to choose from", NULL, "[]", NULL, NULL, "no object"},
    {"unknown fields are ignored", NULL, "{\"loadBalancingConfig\":[{\"round_robin\":{\"moon\":1}}],\"sun\":{}}", NULL, "round_robin", NULL},
    {"the first policy that is known is chosen", NULL, "{\"loadBalancingConfig\":[{\"none_such\":{}},{\"round_robin\":{}},{\"pick_first\":{}}]}", NULL, "round_robin",
        NULL},
    {"its own parse error makes the whole invalid, whatever comes after it", NULL,
        "{\"loadBalancingConfig\":[{\"pick_first\":{\"shuffleAddressList\":7}},{\"round_robin\":{}}]}", NULL, NULL, "shuffleAddressList"},
    {"an error behind the chosen one does not matter", NULL, "{\"loadBalancingConfig\":[{\"round_robin\":{}},{\"pick_first\":{\"shuffleAddressList\":7}}]}", NULL,
        "round_robin", NULL},
    {"none known is invalid", NULL, "{\"loadBalancingConfig\":[{\"x\":{}},{\"y\":{}}]}", NULL, NULL, "no policy known"},
    {"an entry with two names is invalid", NULL, "{\"loadBalancingConfig\":[{\"round_robin\":{},\"pick_first\":{}}]}", NULL, NULL, "loadBalancingConfig"},
    {"loadBalancingConfig wins over loadBalancingPolicy", NULL, "{\"loadBalancingPolicy\":\"pick_first\",\"loadBalancingConfig\":[{\"round_robin\":{}}]}", NULL,
        "round_robin", NULL},
    {"loadBalancingPolicy alone, in any case", NULL, "{\"loadBalancingPolicy\":\"ROUND_ROBIN\"}", NULL, "round_robin", NULL},
    {"an unknown loadBalancingPolicy is invalid", NULL, "{\"loadBalancingPolicy\":\"none_such\"}", NULL, NULL, "none_such"},
    {"a method named twice is invalid", NULL, "{\"methodConfig\":[{\"name\":[{\"service\":\"s\",\"method\":\"m\"}]},{\"name\":[{\"service\":\"s\",\"method\":\"m\"}]}]}",
        NULL, NULL, "a second time"},
    {"a service named twice is invalid", NULL, "{\"methodConfig\":[{\"name\":[{\"service\":\"s\"},{\"service\":\"s\"}]}]}", NULL, NULL, "a second time"},
    {"two defaults are invalid", NULL, "{\"methodConfig\":[{\"name\":[{}]},{\"name\":[{\"service\":\"\"}]}]}", NULL, NULL, "a second default"},
    {"a method without a service is invalid", NULL, "{\"methodConfig\":[{\"name\":[{\"method\":\"m\"}]}]}", NULL, NULL, "without its service"},
    {"a bad part elsewhere makes all of it invalid", NULL, "{\"loadBalancingConfig\":[{\"round_robin\":{}}],\"methodConfig\":[{\"name\":[{}],\"timeout\":\"soon\"}]}",
        NULL, NULL, "timeout"},
};

static void check_case(const struct config_case *c)
{
    struct rota_channel_options options = ROTA_CHANNEL_OPTIONS_INIT;
    struct rota_channel_fixture f;
    struct rota_seen_call seen;

    options.service_config = c->own;
    rota_channel_fixture_init(&f, &options);
    rota_channel_connect(f.channel);
    rota_virtual_host_run(&f.v);
    if (c->first != NULL)
        rota_fixture_service_config(&f, c->first);
    if (c->second != NULL)
        rota_fixture_service_config(&f, c->second);
    rota_fixture_publish(&f, A, NULL, NULL);
    if (c->policy != NULL) {
        rota_fake_up(rota_fixture_conn(&f, A));
        assert_string_equal(policy_of(&f), c->policy);
    } else {
        rota_fixture_unary_start(&f, "x", NULL, &seen);
        rota_assert_ended(&seen, ROTA_UNAVAILABLE, c->says);
    }
    rota_channel_fixture_fini(&f);
}

static void a_channel_takes_configs_by_the_rules(void **state)
{
    (void)state;
    for (size_t i = 0; i < ROTA_COUNT(config_cases); i++) {
        print_message("  %s\n", config_cases[i].rule);
        check_case(&config_cases[i]);
    }
}

/* The connection and the call on it outlive every change of config. */
static void a_reload_drops_no_connection(void **state)
{
    static const char *const reloads[] = {RR, PF, RR, "{\"methodConfig\":[{\"name\":[{}],\"timeout\":\"9s\"}]}", "{bad", ""};
    struct rota_channel_fixture f;
    struct rota_fake_conn *conn;
    struct rota_seen_call seen;

    (void)state;
    rota_channel_fixture_init(&f, NULL);
    rota_channel_connect(f.channel);
    conn = rota_fixture_ready(&f, A);
    rota_fixture_unary_start(&f, "x", NULL, &seen);
    for (size_t i = 0; i < ROTA_COUNT(reloads); i++) {
        print_message("  %s\n", reloads[i]);
        rota_fixture_service_config(&f, reloads[i]);
        assert_ptr_equal(rota_fixture_conn(&f, A), conn);
        assert_int_equal(rota_channel_state(f.channel), ROTA_CONN_READY);
        rota_assert_running(&seen);
    }
    rota_fake_reply(rota_fake_stream_at(conn, 0), "r");
    rota_assert_ended(&seen, ROTA_OK, "");
    rota_channel_fixture_fini(&f);
}

/* Until there is memory for the new policy the old one serves. */
static void a_reload_without_memory_keeps_what_serves(void **state)
{
    bool replaced = false;

    (void)state;
    for (uint64_t n = 1; n < 100 && !replaced; n++) {
        struct rota_channel_fixture f;
        struct rota_fake_conn *conn;
        struct rota_seen_call seen;

        rota_channel_fixture_init(&f, NULL);
        rota_channel_connect(f.channel);
        conn = rota_fixture_ready(&f, A);
        rota_leak_alloc_fail_nth(&f.leaks, n);
        rota_fixture_service_config(&f, RR);
        replaced = !f.leaks.failed;
        f.leaks.fail_at = 0;
        if (rota_channel_state(f.channel) != ROTA_CONN_READY || rota_fixture_conn(&f, A) != conn)
            fail_msg("after allocation %u has failed: %s", (unsigned)n, rota_conn_state_name(rota_channel_state(f.channel)));
        rota_fixture_unary_start(&f, "x", NULL, &seen);
        rota_fake_reply(rota_fake_stream_at(conn, 0), "r");
        rota_assert_ended(&seen, ROTA_OK, "");
        rota_virtual_host_advance(&f.v, 10 * ROTA_S);
        assert_int_equal(rota_channel_state(f.channel), ROTA_CONN_READY);
        assert_ptr_equal(rota_fixture_conn(&f, A), conn);
        if (replaced)
            assert_string_equal(policy_of(&f), "round_robin");
        else
            print_message("  allocation %u failed: %s\n", (unsigned)n, policy_of(&f));
        rota_channel_fixture_fini(&f);
    }
    assert_true(replaced);
}

#define BAD "{\"loadBalancingConfig\":[{\"none_such\":{}}]}"

/* DNS says it when it is asked, and drops what is as bad as before. */
static void without_any_the_resolver_is_asked_again(void **state)
{
    struct rota_channel_fixture f;
    struct rota_seen_call seen;
    unsigned refreshed;

    (void)state;
    rota_channel_fixture_init(&f, NULL);
    rota_channel_connect(f.channel);
    rota_fixture_update(&f, BAD, A);
    rota_fixture_unary_start(&f, "x", NULL, &seen);
    rota_assert_ended(&seen, ROTA_UNAVAILABLE, "none_such");
    assert_int_equal(f.refreshed, 0);
    rota_virtual_host_advance(&f.v, 1200 * ROTA_MS);
    assert_int_equal(f.refreshed, 1);
    rota_fixture_service_config(&f, BAD);
    rota_virtual_host_advance(&f.v, 1920 * ROTA_MS);
    assert_int_equal(f.refreshed, 2);
    rota_virtual_host_advance(&f.v, 600 * ROTA_S);
    refreshed = f.refreshed;
    assert_in_range(refreshed, 8, 18); /* 1.6 times as long each time, up to two minutes */
    rota_fixture_service_config(&f, RR);
    rota_fake_up(rota_fixture_conn(&f, A));
    assert_string_equal(policy_of(&f), "round_robin");
    rota_virtual_host_advance(&f.v, 600 * ROTA_S);
    assert_int_equal(f.refreshed, refreshed);
    rota_channel_fixture_fini(&f);
}

/* Longer than time goes. */
static void with_an_endless_backoff_it_is_asked_never(void **state)
{
    uint64_t halves[] = {rota_script_unit(0.5), rota_script_unit(0.5)};
    struct rota_channel_options options = ROTA_CHANNEL_OPTIONS_INIT;
    struct rota_channel_fixture f;

    (void)state;
    options.backoff_initial_ms = options.backoff_max_ms = INT64_MAX;
    rota_channel_fixture_init(&f, &options);
    rota_script_rng_init(&f.v.host.rng, halves, ROTA_COUNT(halves)); /* no spread, which might shorten it */
    rota_channel_connect(f.channel);
    rota_fixture_update(&f, BAD, A);
    rota_virtual_host_advance(&f.v, 600 * ROTA_S);
    assert_int_equal(f.refreshed, 0);
    rota_channel_fixture_fini(&f);
}

/* After idleness the resolver may say nothing of it, as when the record cannot be looked up. */
static void a_bad_one_is_forgotten_when_idle(void **state)
{
    struct rota_channel_options options = ROTA_CHANNEL_OPTIONS_INIT;
    struct rota_channel_fixture f;
    struct rota_seen_call seen;

    (void)state;
    options.idle_timeout_ms = 1000;
    rota_channel_fixture_init(&f, &options);
    rota_channel_connect(f.channel);
    rota_fixture_update(&f, BAD, A);
    rota_virtual_host_advance(&f.v, 10 * ROTA_S);
    assert_int_equal(f.stopped, 1);
    rota_fixture_unary_start(&f, "x", NULL, &seen);
    rota_fixture_publish(&f, A, NULL, NULL);
    assert_non_null(rota_fixture_conn(&f, A));
    rota_fake_up(rota_fixture_conn(&f, A));
    rota_fake_reply(rota_fake_stream_at(rota_fixture_conn(&f, A), 0), "r");
    rota_assert_ended(&seen, ROTA_OK, "");
    rota_channel_fixture_fini(&f);
}

static void an_unknown_lookup_is_refused(void **state)
{
    struct rota_channel_options options = ROTA_CHANNEL_OPTIONS_INIT;
    struct rota_channel_fixture f;

    (void)state;
    options.service_config_lookup = (enum rota_config_lookup)3;
    rota_leak_alloc_init(&f.leaks);
    assert_int_equal(rota_channel_fixture_open(&f, &f.leaks.alloc, &options), ROTA_EINVAL);
    rota_leak_alloc_fini(&f.leaks);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_channel_takes_configs_by_the_rules),
        cmocka_unit_test(a_reload_drops_no_connection),
        cmocka_unit_test(a_reload_without_memory_keeps_what_serves),
        cmocka_unit_test(without_any_the_resolver_is_asked_again),
        cmocka_unit_test(with_an_endless_backoff_it_is_asked_never),
        cmocka_unit_test(a_bad_one_is_forgotten_when_idle),
        cmocka_unit_test(an_unknown_lookup_is_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
