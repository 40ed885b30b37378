/* channel_test.c - a channel's states, idleness, configs, change of policy, closing, and callbacks that use it. */
#include "channel/channel_fixture.h"
#include "base/assert.h"

#define A "1.1.1.1:1"
#define B "2.2.2.2:2"
#define ROUND_ROBIN "{\"loadBalancingConfig\":[{\"round_robin\":{}}]}"
#define PICK_FIRST "{\"loadBalancingConfig\":[{\"pick_first\":{}}]}"

static void making_checks_everything(void **unused)
{
    static const struct rota_lb_class *const policies[] = {&rota_lb_pick_first, &rota_lb_round_robin, &rota_lb_weighted_target, NULL};
    static const struct {
        const char *rule, *target, *config;
        int64_t idle_timeout_ms, keepalive_time_ms;
        rota_err want;
        const char *words;
        bool frequent;
    } rows[] = {
        {"a scheme nobody resolves", "etcd:///x", NULL, 0, 0, ROTA_ENOTFOUND, "\"etcd\"", false},
        {"a service config that is no JSON", "test:x", "{", 0, 0, ROTA_EPARSE, "", false},
        {"a policy nobody knows", "test:x", "{\"loadBalancingConfig\":[{\"zap\":{}}]}", 0, 0, ROTA_EPARSE, "zap", false},
        {"an old-style policy nobody knows", "test:x", "{\"loadBalancingPolicy\":\"zap\"}", 0, 0, ROTA_EPARSE, "zap", false},
        {"an old-style policy that needs parameters", "test:x", "{\"loadBalancingPolicy\":\"Weighted_Target\"}", 0, 0, ROTA_EPARSE, "\"weighted_target\" needs parameters", false},
        {"a time below its range", "test:x", NULL, -2, 0, ROTA_EINVAL, "idle_timeout_ms is -2", false},
        {"a keepalive more often than A8 allows", "test:x", NULL, 0, 9999, ROTA_EINVAL, "keepalive_time_ms is 9999; expected at least 10000", false},
        {"a frequent keepalive that is too often", "test:x", NULL, 0, 999, ROTA_EINVAL, "1000 with frequent_keepalive", true},
        {"a frequent keepalive", "test:x", NULL, 0, 1000, 0, "", true},
        {"all is well", "test:x", "{\"loadBalancingPolicy\":\"ROUND_ROBIN\"}", -1, 10000, 0, "", false},
    };

    (void)unused;
    for (size_t i = 0; i < ROTA_COUNT(rows); i++) {
        struct rota_channel_options options = ROTA_CHANNEL_OPTIONS_INIT;
        struct rota_channel_parts parts;
        struct rota_errinfo info = {{0}};
        struct rota_channel_fixture f;
        struct rota_channel *channel = NULL;

        print_message("  %s\n", rows[i].rule);
        options.service_config = rows[i].config;
        options.idle_timeout_ms = rows[i].idle_timeout_ms;
        options.keepalive_time_ms = rows[i].keepalive_time_ms;
        options.frequent_keepalive = rows[i].frequent;
        rota_channel_fixture_init(&f, NULL);
        parts = *rota_channel_parts(f.channel);
        parts.policies = policies;
        assert_int_equal(rota_channel_make(rows[i].target, &options, &parts, &channel, &info), rows[i].want);
        if (strstr(info.text, rows[i].words) == NULL)
            print_message("    info: %s\n", info.text);
        assert_non_null(strstr(info.text, rows[i].words));
        if (channel != NULL)
            rota_channel_shut(channel, NULL, NULL);
        rota_virtual_host_run(&f.v);
        rota_channel_fixture_fini(&f);
    }
}

static void names_must_be_printable(void **unused)
{
    struct rota_channel_options options = ROTA_CHANNEL_OPTIONS_INIT;
    struct rota_errinfo info = {{0}};
    struct rota_channel_fixture f;
    struct rota_channel *channel;

    (void)unused;
    rota_channel_fixture_init(&f, NULL);
    options.user_agent = "two\nlines";
    assert_int_equal(rota_channel_make("test:x", &options, rota_channel_parts(f.channel), &channel, &info), ROTA_EINVAL);
    assert_non_null(strstr(info.text, "user_agent has the byte 0x0a"));
    rota_channel_fixture_fini(&f);
}

static void note_state(void *arg, enum rota_conn_state state)
{
    *(enum rota_conn_state *)arg = state;
}

static void states_are_told_once_each(void **unused)
{
    enum rota_conn_state told = ROTA_CONN_SHUTDOWN;
    struct rota_channel_fixture f;

    (void)unused;
    rota_channel_fixture_init(&f, NULL);
    assert_int_equal(rota_channel_state(f.channel), ROTA_CONN_IDLE);
    rota_channel_watch_state(f.channel, note_state, &told);
    rota_channel_connect(f.channel);
    assert_int_equal(rota_channel_state(f.channel), ROTA_CONN_CONNECTING);
    assert_int_equal(told, ROTA_CONN_SHUTDOWN); /* from a turn only */
    rota_virtual_host_run(&f.v);
    assert_int_equal(told, ROTA_CONN_CONNECTING);
    rota_fixture_publish(&f, A, NULL, NULL);
    rota_fake_up(rota_fixture_conn(&f, A));
    assert_int_equal(told, ROTA_CONN_CONNECTING); /* one watch, one report */
    rota_channel_watch_state(f.channel, note_state, &told);
    rota_fake_lose(rota_fixture_conn(&f, A), "gone");
    assert_int_equal(told, ROTA_CONN_IDLE);
    rota_channel_fixture_fini(&f);
}

static void an_unused_channel_goes_idle_and_comes_back(void **unused)
{
    struct rota_channel_options options = ROTA_CHANNEL_OPTIONS_INIT;
    struct rota_channel_fixture f;
    struct rota_seen_call seen;
    struct rota_fake_conn *conn;

    (void)unused;
    options.idle_timeout_ms = 1000;
    rota_channel_fixture_init(&f, &options);
    conn = rota_fixture_ready(&f, A);
    rota_virtual_host_advance(&f.v, 900 * ROTA_MS);
    rota_fixture_unary_start(&f, "x", NULL, &seen);
    rota_virtual_host_advance(&f.v, 5000 * ROTA_MS); /* a call is use, however long */
    assert_int_equal(rota_channel_state(f.channel), ROTA_CONN_READY);
    rota_fake_reply(rota_fake_stream_at(conn, 0), "r");
    rota_virtual_host_advance(&f.v, 999 * ROTA_MS);
    assert_int_equal(rota_channel_state(f.channel), ROTA_CONN_READY);
    rota_virtual_host_advance(&f.v, ROTA_MS);
    assert_int_equal(rota_channel_state(f.channel), ROTA_CONN_IDLE);
    assert_int_equal(f.stopped, 1);
    assert_true(conn->closed);
    rota_fixture_unary_start(&f, "y", NULL, &seen);
    assert_int_equal(f.started, 2);
    rota_fixture_publish(&f, A, NULL, NULL);
    rota_fake_up(rota_fixture_conn(&f, A));
    rota_fake_reply(rota_fake_stream_at(rota_fixture_conn(&f, A), 0), "r");
    rota_assert_ended(&seen, ROTA_OK, "");
    rota_channel_fixture_fini(&f);
}

/* While it is unused nobody can ask a registry that is in trouble for the list again. */
static void an_unused_channel_keeps_a_list_that_is_followed(void **unused)
{
    struct rota_channel_options options = ROTA_CHANNEL_OPTIONS_INIT;
    struct rota_channel_fixture f;
    struct rota_seen_call seen;

    (void)unused;
    options.idle_timeout_ms = 1000;
    options.resolvers = rota_fixture_following;
    rota_channel_fixture_init(&f, &options);
    (void)rota_fixture_ready(&f, A);
    rota_virtual_host_advance(&f.v, 1000 * ROTA_MS);
    assert_int_equal(rota_channel_state(f.channel), ROTA_CONN_IDLE);
    assert_int_equal(f.stopped, 0);
    assert_true(rota_fixture_conn(&f, A)->closed);
    rota_fixture_publish(&f, B, NULL, NULL); /* is not connected to */
    rota_fixture_resolver_error(&f, ROTA_UNAVAILABLE, "the registry is away");
    rota_virtual_host_advance(&f.v, 100000 * ROTA_MS);
    assert_int_equal(rota_channel_state(f.channel), ROTA_CONN_IDLE);
    assert_null(rota_fixture_conn(&f, B));
    rota_fixture_unary_start(&f, "y", NULL, &seen);
    assert_int_equal(f.started, 1);
    assert_int_equal(rota_channel_state(f.channel), ROTA_CONN_CONNECTING);
    rota_fake_up(rota_fixture_conn(&f, B));
    rota_fake_reply(rota_fake_stream_at(rota_fixture_conn(&f, B), 0), "r");
    rota_assert_ended(&seen, ROTA_OK, "");
    rota_virtual_host_advance(&f.v, 1000 * ROTA_MS);
    assert_int_equal(rota_channel_state(f.channel), ROTA_CONN_IDLE);
    rota_channel_connect(f.channel);
    rota_virtual_host_run(&f.v);
    assert_int_equal(rota_channel_state(f.channel), ROTA_CONN_CONNECTING);
    rota_channel_fixture_fini(&f);
}

static void an_unused_channel_without_a_list_stops_who_follows(void **unused)
{
    struct rota_channel_options options = ROTA_CHANNEL_OPTIONS_INIT;
    struct rota_channel_fixture f;

    (void)unused;
    options.idle_timeout_ms = 1000;
    options.resolvers = rota_fixture_following;
    rota_channel_fixture_init(&f, &options);
    rota_channel_connect(f.channel);
    assert_int_equal(f.started, 1);
    rota_virtual_host_advance(&f.v, 1000 * ROTA_MS);
    assert_int_equal(f.stopped, 1);
    assert_int_equal(rota_channel_state(f.channel), ROTA_CONN_IDLE);
    rota_channel_fixture_fini(&f);
}

/* Asleep it hears of configs too: a bad one leaves the one in use, a good one mends what a bad one has spoilt. */
static const struct asleep_case {
    const char *rule, *before, *asleep;
    bool fails_before;
} asleep_cases[] = {
    {"the default outlives a bad config", NULL, "{\"loadBalancingConfig\":[{\"zap\":{}}]}", false},
    {"a good config after a bad one", "{\"loadBalancingConfig\":[{\"zap\":{}}]}", ROUND_ROBIN, true},
};

static void a_sleeping_channel_takes_configs(void **unused)
{
    (void)unused;
    for (size_t i = 0; i < ROTA_COUNT(asleep_cases); i++) {
        const struct asleep_case *c = &asleep_cases[i];
        struct rota_channel_options options = ROTA_CHANNEL_OPTIONS_INIT;
        struct rota_channel_fixture f;
        struct rota_seen_call seen;

        print_message("%s\n", c->rule);
        options.idle_timeout_ms = 1000;
        options.resolvers = rota_fixture_following;
        rota_channel_fixture_init(&f, &options);
        rota_channel_connect(f.channel);
        if (c->before != NULL)
            rota_fixture_service_config(&f, c->before);
        rota_fixture_publish(&f, A, NULL, NULL);
        assert_int_equal(rota_channel_state(f.channel), c->fails_before ? ROTA_CONN_TRANSIENT_FAILURE : ROTA_CONN_CONNECTING);
        rota_virtual_host_advance(&f.v, 1000 * ROTA_MS);
        assert_int_equal(rota_channel_state(f.channel), ROTA_CONN_IDLE);
        rota_fixture_service_config(&f, c->asleep);
        rota_fixture_unary_start(&f, "y", NULL, &seen);
        rota_assert_running(&seen);
        rota_fake_up(rota_fixture_conn(&f, A));
        rota_fake_reply(rota_fake_stream_at(rota_fixture_conn(&f, A), 0), "r");
        rota_assert_ended(&seen, ROTA_OK, "");
        rota_channel_fixture_fini(&f);
    }
}

/* --- Service config --- */

static void a_bad_config_leaves_the_good_one(void **unused)
{
    struct rota_channel_options options = ROTA_CHANNEL_OPTIONS_INIT;
    struct rota_channel_fixture f;

    (void)unused;
    options.service_config = PICK_FIRST;
    rota_channel_fixture_init(&f, &options);
    rota_channel_connect(f.channel);
    rota_fixture_service_config(&f, "{\"loadBalancingConfig\":[{\"zap\":{}}]}"); /* the options' own stays */
    rota_fixture_publish(&f, A, B, NULL);
    assert_int_equal(f.transport.n_conns, 1);
    rota_fixture_service_config(&f, ROUND_ROBIN);
    assert_int_equal(f.transport.n_conns, 2);
    rota_fixture_service_config(&f, "nonsense");
    rota_fixture_publish(&f, A, B, "3.3.3.3:3");
    assert_int_equal(f.transport.n_conns, 3); /* round_robin, still */
    rota_channel_fixture_fini(&f);
}

static void method_config_applies_to_new_calls(void **unused)
{
    struct rota_channel_fixture f;
    struct rota_seen_call seen;
    struct rota_fake_conn *conn;

    (void)unused;
    rota_channel_fixture_init(&f, NULL);
    conn = rota_fixture_ready(&f, A);
    rota_fixture_service_config(&f, "{\"methodConfig\":[{\"name\":[{\"service\":\"test.Echo\",\"method\":\"Say\"}],"
                                    "\"timeout\":\"0.5s\",\"maxRequestMessageBytes\":4,\"maxResponseMessageBytes\":2}]}");
    assert_int_equal(f.transport.n_conns, 1); /* the policy is the same: nothing moves */
    rota_fixture_unary_start(&f, "12345", NULL, &seen);
    rota_assert_ended(&seen, ROTA_RESOURCE_EXHAUSTED, "limit of 4");
    rota_fixture_unary_start(&f, "1234", NULL, &seen);
    rota_fake_headers(rota_fake_stream_at(conn, 0));
    rota_fake_message(rota_fake_stream_at(conn, 0), "123");
    rota_assert_ended(&seen, ROTA_RESOURCE_EXHAUSTED, "limit is 2");
    rota_fixture_unary_start(&f, "1", NULL, &seen);
    rota_virtual_host_advance(&f.v, 500 * ROTA_MS);
    rota_assert_ended(&seen, ROTA_DEADLINE_EXCEEDED, "500 ms");
    rota_channel_fixture_fini(&f);
}

static unsigned streams_on(struct rota_channel_fixture *f, const char *address)
{
    return (unsigned)rota_fixture_conn(f, address)->n_streams;
}

static void another_policy_takes_over_when_it_is_ready(void **unused)
{
    struct rota_channel_fixture f;
    struct rota_seen_call seen[3];
    struct rota_fake_conn *a;

    (void)unused;
    rota_channel_fixture_init(&f, NULL);
    rota_channel_connect(f.channel);
    rota_fixture_publish(&f, A, B, NULL);
    a = rota_fixture_conn(&f, A);
    rota_fake_up(a);
    rota_fixture_unary_start(&f, "old", NULL, &seen[0]);
    rota_fixture_service_config(&f, ROUND_ROBIN);
    rota_fake_up(rota_fixture_conn(&f, B));
    assert_int_equal(rota_channel_state(f.channel), ROTA_CONN_READY);
    rota_fixture_unary_start(&f, "1", NULL, &seen[1]);
    rota_fixture_unary_start(&f, "2", NULL, &seen[2]);
    assert_int_equal(f.transport.n_conns, 2); /* a's connection serves both policies */
    assert_int_equal(streams_on(&f, A), 2);
    assert_int_equal(streams_on(&f, B), 1);
    rota_fake_reply(rota_fake_stream_at(a, 0), "r");
    rota_assert_ended(&seen[0], ROTA_OK, ""); /* picked by a policy that is gone */
    rota_channel_fixture_fini(&f);
}

static void a_new_policy_waits_while_the_old_one_is_ready(void **unused)
{
    struct rota_channel_fixture f;
    struct rota_seen_call seen;

    (void)unused;
    rota_channel_fixture_init(&f, NULL);
    rota_fixture_ready(&f, A);
    rota_fixture_update(&f, ROUND_ROBIN, B);
    assert_int_equal(rota_channel_state(f.channel), ROTA_CONN_READY);
    rota_fixture_unary_start(&f, "x", NULL, &seen);
    assert_int_equal(streams_on(&f, A), 1); /* b is not connected yet */
    rota_fake_up(rota_fixture_conn(&f, B));
    rota_fixture_unary_start(&f, "y", NULL, &seen);
    assert_int_equal(streams_on(&f, B), 1);
    assert_true(rota_fixture_conn(&f, A)->draining);
    rota_channel_fixture_fini(&f);
}

/* --- Callbacks that use the channel --- */

struct chain {
    struct rota_channel_fixture *f;
    unsigned left, dones;
    bool shut;
    enum rota_code last;
};

static void next_in_chain(void *arg, const struct rota_status *status, const void *reply)
{
    struct chain *chain = arg;
    struct rota_slice bytes = ROTA_SLICE("next");
    rota_err err;

    (void)reply;
    chain->dones++;
    chain->last = status->code;
    if (chain->shut) {
        rota_channel_shut(chain->f->channel, NULL, NULL);
        assert_int_equal(chain->f->closed, 0);
    }
    if (chain->left == 0)
        return;
    chain->left--;
    err = rota_unary_start(chain->f->channel, &rota_fixture_unary, NULL, &bytes, next_in_chain, chain, NULL);
    assert_int_equal(err, chain->shut ? ROTA_ECLOSED : 0);
}

static void calls_start_inside_callbacks(void **unused)
{
    struct rota_channel_fixture f;
    struct chain chain = {.f = &f, .left = 3};
    struct rota_fake_conn *conn;

    (void)unused;
    rota_channel_fixture_init(&f, NULL);
    rota_channel_connect(f.channel);
    next_in_chain(&chain, &(struct rota_status){0}, NULL); /* waits */
    rota_fixture_resolver_error(&f, ROTA_UNAVAILABLE, "no"); /* fails it, and those that follow from it */
    rota_virtual_host_run(&f.v);
    assert_int_equal(chain.dones, 4);
    chain.left = 2;
    conn = rota_fixture_ready(&f, A);
    next_in_chain(&chain, &(struct rota_status){0}, NULL);
    rota_fake_reply(rota_fake_stream_at(conn, 0), "r");
    rota_fake_reply(rota_fake_stream_at(conn, 1), "r");
    assert_int_equal(chain.dones, 7);
    assert_int_equal(chain.last, ROTA_OK);
    rota_channel_fixture_fini(&f);
}

/* etcd says it too, of itself; what its resolver knows of backing off must not be thrown away. */
static void no_resolver_is_replaced_for_a_status_code(void **unused)
{
    struct rota_channel_fixture f;

    (void)unused;
    rota_channel_fixture_init(&f, NULL);
    rota_channel_connect(f.channel);
    for (int i = 0; i < 3; i++) {
        rota_fixture_resolver_error(&f, ROTA_RESOURCE_EXHAUSTED, "etcdserver: too many requests");
        assert_int_equal(rota_channel_state(f.channel), ROTA_CONN_TRANSIENT_FAILURE);
        rota_virtual_host_advance(&f.v, 10 * ROTA_S);
    }
    assert_int_equal(f.started, 1);
    rota_channel_fixture_fini(&f);
}

static void closing_inside_a_callback(void **unused)
{
    struct rota_channel_fixture f;
    struct chain chain = {.f = &f, .left = 1};
    struct rota_seen_call other;
    struct rota_fake_conn *conn;

    (void)unused;
    rota_channel_fixture_init(&f, NULL);
    conn = rota_fixture_ready(&f, A);
    next_in_chain(&chain, &(struct rota_status){0}, NULL);
    rota_fixture_unary_start(&f, "x", NULL, &other);
    chain.shut = true;
    chain.left = 1;
    rota_fake_reply(rota_fake_stream_at(conn, 0), "r");
    rota_assert_ended(&other, ROTA_CANCELLED, "closed");
    assert_true(conn->closed);
    f.channel = NULL; /* closed itself */
    rota_channel_fixture_fini(&f);
}

static void closing_in_each_state_of_the_channel(void **unused)
{
    static const struct {
        const char *rule;
        int steps;
    } rows[] = {{"idle", 0}, {"resolving", 1}, {"connecting", 2}, {"ready", 3}, {"in backoff", 4}, {"two policies", 5}};

    (void)unused;
    for (size_t i = 0; i < ROTA_COUNT(rows); i++) {
        struct rota_channel_fixture f;

        print_message("  %s\n", rows[i].rule);
        rota_channel_fixture_init(&f, NULL);
        if (rows[i].steps >= 1)
            rota_channel_connect(f.channel);
        if (rows[i].steps >= 2)
            rota_fixture_publish(&f, A, B, NULL);
        if (rows[i].steps == 4)
            rota_fake_lose(rota_fixture_conn(&f, A), "refused");
        else if (rows[i].steps >= 3)
            rota_fake_up(rota_fixture_conn(&f, A));
        if (rows[i].steps >= 5) {
            rota_fixture_publish(&f, A, NULL, NULL);
            rota_fixture_service_config(&f, ROUND_ROBIN);
        }
        rota_channel_fixture_fini(&f);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(making_checks_everything),
        cmocka_unit_test(names_must_be_printable),
        cmocka_unit_test(states_are_told_once_each),
        cmocka_unit_test(an_unused_channel_goes_idle_and_comes_back),
        cmocka_unit_test(an_unused_channel_keeps_a_list_that_is_followed),
        cmocka_unit_test(an_unused_channel_without_a_list_stops_who_follows),
        cmocka_unit_test(a_sleeping_channel_takes_configs),
        cmocka_unit_test(a_bad_config_leaves_the_good_one),
        cmocka_unit_test(method_config_applies_to_new_calls),
        cmocka_unit_test(another_policy_takes_over_when_it_is_ready),
        cmocka_unit_test(a_new_policy_waits_while_the_old_one_is_ready),
        cmocka_unit_test(calls_start_inside_callbacks),
        cmocka_unit_test(no_resolver_is_replaced_for_a_status_code),
        cmocka_unit_test(closing_inside_a_callback),
        cmocka_unit_test(closing_in_each_state_of_the_channel),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
