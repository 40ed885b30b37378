/* pick_test.c - calls without a connection: waiting for ready and failing fast, what resolvers and policies may say, and in which
 * order waiting calls go.
 */
#include "channel/channel_fixture.h"
#include "base/assert.h"

#define A "1.1.1.1:1"

static struct rota_call_options waiting(bool wait)
{
    struct rota_call_options options = ROTA_CALL_OPTIONS_INIT;

    options.wait_for_ready = wait ? ROTA_WAIT_FOR_READY : ROTA_FAIL_FAST;
    return options;
}

static void refuse_connection(struct rota_channel_fixture *f)
{
    rota_fixture_publish(f, A, NULL, NULL);
    rota_fake_lose(rota_fixture_conn(f, A), "connection refused");
}

static void fail_to_resolve(struct rota_channel_fixture *f)
{
    rota_fixture_resolver_error(f, ROTA_UNAVAILABLE, "no such host");
}

static void fail_to_resolve_illegally(struct rota_channel_fixture *f)
{
    rota_fixture_resolver_error(f, ROTA_NOT_FOUND, "no such service");
}

static void find_nobody(struct rota_channel_fixture *f)
{
    rota_fixture_publish(f, NULL, NULL, NULL);
}

static void send_a_bad_config(struct rota_channel_fixture *f)
{
    rota_fixture_service_config(f, "{\"loadBalancingConfig\":[{\"no_such_policy\":{}}]}");
}

static const struct trouble_case {
    const char *rule;
    void (*trouble)(struct rota_channel_fixture *f);
    enum rota_code want;
    const char *words;
} trouble_cases[] = {
    {"a refused connection", refuse_connection, ROTA_UNAVAILABLE, "connection refused"},
    {"a name that does not resolve", fail_to_resolve, ROTA_UNAVAILABLE, "no such host"},
    {"a code that only servers may use is INTERNAL (A54)", fail_to_resolve_illegally, ROTA_INTERNAL, "no such service"},
    {"a service without servers", find_nobody, ROTA_UNAVAILABLE, ""},
    {"a bad service config and no other", send_a_bad_config, ROTA_UNAVAILABLE, "no_such_policy"},
};

static void trouble_fails_only_those_who_do_not_wait(void **unused)
{
    const struct rota_call_options fast = waiting(false), patient = waiting(true);

    (void)unused;
    for (size_t i = 0; i < ROTA_COUNT(trouble_cases); i++) {
        const struct trouble_case *c = &trouble_cases[i];
        struct rota_channel_fixture f;
        struct rota_seen_call hasty, waiter, late;

        print_message("  %s\n", c->rule);
        rota_channel_fixture_init(&f, NULL);
        rota_fixture_unary_start(&f, "x", &fast, &hasty);
        rota_fixture_unary_start(&f, "x", &patient, &waiter);
        c->trouble(&f);
        assert_int_equal(rota_channel_state(f.channel), ROTA_CONN_TRANSIENT_FAILURE);
        rota_assert_ended(&hasty, c->want, c->words);
        rota_assert_running(&waiter);
        rota_fixture_unary_start(&f, "x", &fast, &late);
        rota_assert_ended(&late, c->want, c->words);
        rota_fixture_service_config(&f, "{}");
        rota_fixture_publish(&f, "9.9.9.9:9", NULL, NULL);
        rota_fake_up(rota_fixture_conn(&f, "9.9.9.9:9"));
        rota_fake_reply(rota_fake_stream_at(rota_fixture_conn(&f, "9.9.9.9:9"), 0), "r");
        rota_assert_ended(&waiter, ROTA_OK, "");
        rota_channel_fixture_fini(&f);
    }
}

static void method_config_says_who_waits(void **unused)
{
    static const struct {
        const char *rule;
        enum rota_wait_for_ready asked;
        bool config, waits;
    } rows[] = {
        {"nobody says: fail fast", ROTA_WAIT_DEFAULT, false, false},
        {"the config says: wait", ROTA_WAIT_DEFAULT, true, true},
        {"the program says no against the config", ROTA_FAIL_FAST, true, false},
        {"the program says yes without one", ROTA_WAIT_FOR_READY, false, true},
    };

    (void)unused;
    for (size_t i = 0; i < ROTA_COUNT(rows); i++) {
        struct rota_channel_options options = ROTA_CHANNEL_OPTIONS_INIT;
        struct rota_call_options call_options = ROTA_CALL_OPTIONS_INIT;
        struct rota_channel_fixture f;
        struct rota_seen_call seen;

        print_message("  %s\n", rows[i].rule);
        if (rows[i].config)
            options.service_config = "{\"methodConfig\":[{\"name\":[{\"service\":\"test.Echo\"}],\"waitForReady\":true}]}";
        call_options.wait_for_ready = rows[i].asked;
        rota_channel_fixture_init(&f, &options);
        rota_fixture_unary_start(&f, "x", &call_options, &seen);
        fail_to_resolve(&f);
        assert_int_equal(seen.dones, rows[i].waits ? 0 : 1);
        rota_channel_fixture_fini(&f);
    }
}

static void waiting_calls_go_in_their_order(void **unused)
{
    struct rota_channel_fixture f;
    struct rota_seen_call seen[4];
    static const char *const requests[] = {"0", "1", "2", "3"};

    (void)unused;
    rota_channel_fixture_init(&f, NULL);
    for (size_t i = 0; i < ROTA_COUNT(seen); i++)
        rota_fixture_unary_start(&f, requests[i], NULL, &seen[i]);
    rota_fixture_publish(&f, A, NULL, NULL);
    rota_fake_up(rota_fixture_conn(&f, A));
    for (size_t i = 0; i < ROTA_COUNT(seen); i++)
        assert_string_equal(rota_fake_request(rota_fake_stream_at(rota_fixture_conn(&f, A), i)), requests[i]);
    rota_channel_fixture_fini(&f);
}

static void an_error_after_a_list_changes_nothing(void **unused)
{
    struct rota_channel_fixture f;
    struct rota_seen_call seen;
    struct rota_fake_conn *conn;

    (void)unused;
    rota_channel_fixture_init(&f, NULL);
    conn = rota_fixture_ready(&f, A);
    fail_to_resolve(&f);
    assert_int_equal(rota_channel_state(f.channel), ROTA_CONN_READY);
    rota_fixture_unary_start(&f, "x", NULL, &seen);
    rota_fake_reply(rota_fake_stream_at(conn, 0), "r");
    rota_assert_ended(&seen, ROTA_OK, "");
    rota_channel_fixture_fini(&f);
}

/* --- A policy of the program's own --- */

static struct {
    enum rota_pick_verdict verdict;
    struct rota_status why;
    bool asleep; /* the next pick wakes it, and it fails by that */
    unsigned picks, oks, dones, unsent;
    enum rota_code last_code;
} own;

struct own_state {
    struct rota_lb_subchannel *subchannel;
    bool ready;
};

static rota_err own_init(void *state, const struct rota_lb_env *env, const void *config)
{
    (void)state;
    (void)env;
    (void)config;
    return 0;
}

static void own_fini(void *state)
{
    (void)state;
}

static rota_err own_endpoints(void *state, const struct rota_endpoint *const *endpoints, size_t count, int64_t now_ns, struct rota_lb_cmds *cmds)
{
    struct own_state *s = state;
    rota_err err;

    (void)now_ns;
    if (count == 0 || s->subchannel != NULL)
        return 0;
    err = rota_lb_subchannel_new(cmds, endpoints[0], 0, NULL, &s->subchannel);
    if (err == 0)
        rota_lb_connect(cmds, s->subchannel);
    rota_lb_update(cmds, ROTA_CONN_CONNECTING, NULL);
    return err;
}

static void own_conn(void *state, struct rota_lb_subchannel *subchannel, void *tag, enum rota_conn_state conn, const struct rota_status *why,
                     int64_t now_ns, struct rota_lb_cmds *cmds)
{
    struct own_state *s = state;

    (void)tag;
    (void)why;
    (void)now_ns;
    if (conn == ROTA_CONN_READY) {
        s->ready = true;
        rota_lb_update(cmds, conn, NULL);
    } else if (conn == ROTA_CONN_IDLE) {
        rota_lb_connect(cmds, subchannel);
    }
}

static void own_exit_idle(void *state, int64_t now_ns, struct rota_lb_cmds *cmds)
{
    (void)state;
    (void)now_ns;
    if (!own.asleep)
        return;
    own.asleep = false;
    own.verdict = ROTA_PICK_FAIL;
    rota_lb_update(cmds, ROTA_CONN_TRANSIENT_FAILURE, &own.why);
}

static enum rota_pick_verdict own_pick(void *state, const struct rota_call_info *call, struct rota_pick *ret_pick)
{
    struct own_state *s = state;

    assert_string_equal(call->path, "/test.Echo/Say");
    own.picks++;
    ret_pick->exit_idle = own.asleep;
    if (own.asleep)
        return ROTA_PICK_WAIT;
    if (own.verdict != ROTA_PICK_OK) {
        ret_pick->why = &own.why;
        return own.verdict;
    }
    if (!s->ready)
        return ROTA_PICK_WAIT;
    own.oks++;
    ret_pick->subchannel = s->subchannel;
    ret_pick->cookie = 7;
    return ROTA_PICK_OK;
}

static void own_done(void *state, uint64_t cookie, const struct rota_outcome *outcome)
{
    (void)state;
    assert_int_equal(cookie, 7);
    own.dones++;
    own.unsent += !outcome->sent;
    own.last_code = outcome->status.code;
}

static const struct rota_lb_class own_class = {
    .name = "own", .state_size = sizeof(struct own_state), .init = own_init, .fini = own_fini, .on_endpoints = own_endpoints, .on_conn = own_conn,
    .on_exit_idle = own_exit_idle, .pick = own_pick, .on_done = own_done,
};
static const struct rota_lb_class *const own_policies[] = {&own_class, &rota_lb_pick_first, NULL};

static struct rota_channel_options own_options(void)
{
    struct rota_channel_options options = ROTA_CHANNEL_OPTIONS_INIT;

    memset(&own, 0, sizeof(own));
    options.policies = own_policies;
    options.service_config = "{\"loadBalancingConfig\":[{\"unknown\":{}},{\"own\":{}}]}";
    return options;
}

static void verdicts_mean_what_they_say(void **unused)
{
    static const struct {
        const char *rule;
        enum rota_pick_verdict verdict;
        enum rota_code code;
        bool wait, ends;
        enum rota_code want;
    } rows[] = {
        {"WAIT holds", ROTA_PICK_WAIT, ROTA_OK, false, false, ROTA_OK},
        {"FAIL fails", ROTA_PICK_FAIL, ROTA_UNAVAILABLE, false, true, ROTA_UNAVAILABLE},
        {"FAIL holds a call that waits for ready", ROTA_PICK_FAIL, ROTA_UNAVAILABLE, true, false, ROTA_OK},
        {"FAIL with RESOURCE_EXHAUSTED keeps the code", ROTA_PICK_FAIL, ROTA_RESOURCE_EXHAUSTED, false, true, ROTA_RESOURCE_EXHAUSTED},
        {"FAIL with OK is INTERNAL", ROTA_PICK_FAIL, ROTA_OK, false, true, ROTA_INTERNAL},
        {"FAIL with INVALID_ARGUMENT is INTERNAL", ROTA_PICK_FAIL, ROTA_INVALID_ARGUMENT, false, true, ROTA_INTERNAL},
        {"FAIL with NOT_FOUND is INTERNAL", ROTA_PICK_FAIL, ROTA_NOT_FOUND, false, true, ROTA_INTERNAL},
        {"FAIL with ALREADY_EXISTS is INTERNAL", ROTA_PICK_FAIL, ROTA_ALREADY_EXISTS, false, true, ROTA_INTERNAL},
        {"FAIL with FAILED_PRECONDITION is INTERNAL", ROTA_PICK_FAIL, ROTA_FAILED_PRECONDITION, false, true, ROTA_INTERNAL},
        {"FAIL with ABORTED is INTERNAL", ROTA_PICK_FAIL, ROTA_ABORTED, false, true, ROTA_INTERNAL},
        {"FAIL with OUT_OF_RANGE is INTERNAL", ROTA_PICK_FAIL, ROTA_OUT_OF_RANGE, false, true, ROTA_INTERNAL},
        {"FAIL with DATA_LOSS is INTERNAL", ROTA_PICK_FAIL, ROTA_DATA_LOSS, false, true, ROTA_INTERNAL},
        {"FAIL with PERMISSION_DENIED keeps the code", ROTA_PICK_FAIL, ROTA_PERMISSION_DENIED, false, true, ROTA_PERMISSION_DENIED},
        {"DROP fails", ROTA_PICK_DROP, ROTA_UNAVAILABLE, false, true, ROTA_UNAVAILABLE},
        {"DROP fails a call that waits for ready too", ROTA_PICK_DROP, ROTA_UNAVAILABLE, true, true, ROTA_UNAVAILABLE},
        {"DROP with NOT_FOUND is INTERNAL", ROTA_PICK_DROP, ROTA_NOT_FOUND, false, true, ROTA_INTERNAL},
    };

    (void)unused;
    for (size_t i = 0; i < ROTA_COUNT(rows); i++) {
        struct rota_channel_options options = own_options();
        const struct rota_call_options call_options = waiting(rows[i].wait);
        struct rota_channel_fixture f;
        struct rota_seen_call seen;

        print_message("  %s\n", rows[i].rule);
        own.verdict = rows[i].verdict;
        rota_status_set(&own.why, rows[i].code, "as the policy says");
        rota_channel_fixture_init(&f, &options);
        rota_fixture_ready(&f, A);
        rota_fixture_unary_start(&f, "x", &call_options, &seen);
        if (rows[i].ends)
            rota_assert_ended(&seen, rows[i].want, "as the policy says");
        else
            rota_assert_running(&seen);
        assert_int_equal(own.dones, 0);
        rota_channel_fixture_fini(&f);
    }
}

/* The policy's word comes before the call is back from the pick, and in line. */
static void what_a_pick_sets_going_reaches_its_call(void **unused)
{
    struct rota_channel_options options = own_options();
    struct rota_channel_fixture f;
    struct rota_seen_call seen[2];

    (void)unused;
    rota_status_set(&own.why, ROTA_UNAVAILABLE, "overslept");
    rota_channel_fixture_init(&f, &options);
    rota_fixture_ready(&f, A);
    own.asleep = true;
    rota_fixture_unary_start(&f, "x", NULL, &seen[0]);
    rota_assert_ended(&seen[0], ROTA_UNAVAILABLE, "overslept");
    rota_channel_fixture_fini(&f);

    options = own_options();
    rota_status_set(&own.why, ROTA_UNAVAILABLE, "overslept");
    own.asleep = true;
    rota_channel_fixture_init(&f, &options);
    rota_fixture_unary_start(&f, "x", NULL, &seen[1]); /* it waits for the list */
    rota_fixture_publish(&f, A, NULL, NULL);
    rota_assert_ended(&seen[1], ROTA_UNAVAILABLE, "overslept");
    rota_channel_fixture_fini(&f);
}

/* The retry policy has the code of both; the bucket would allow it. */
static void a_drop_is_never_retried(void **unused)
{
    static const struct {
        const char *rule;
        enum rota_pick_verdict verdict;
        uint64_t retries;
    } rows[] = {
        {"a failed pick is retried where the policy says so", ROTA_PICK_FAIL, 1},
        {"a dropped call is not, whatever it says", ROTA_PICK_DROP, 0},
    };

    (void)unused;
    for (size_t i = 0; i < ROTA_COUNT(rows); i++) {
        struct rota_channel_options options = own_options();
        struct rota_channel_fixture f;
        struct rota_seen_call seen;

        print_message("  %s\n", rows[i].rule);
        options.service_config = "{\"loadBalancingConfig\":[{\"own\":{}}],\"methodConfig\":[{\"name\":[{}],\"retryPolicy\":{\"maxAttempts\":2,"
                                 "\"initialBackoff\":\"0.1s\",\"maxBackoff\":\"1s\",\"backoffMultiplier\":2,\"retryableStatusCodes\":[\"UNAVAILABLE\"]}}]}";
        own.verdict = rows[i].verdict;
        rota_status_set(&own.why, ROTA_UNAVAILABLE, "as the policy says");
        rota_channel_fixture_init(&f, &options);
        rota_fixture_ready(&f, A);
        rota_fixture_unary_start(&f, "x", NULL, &seen);
        rota_virtual_host_advance(&f.v, 1000 * ROTA_MS);
        rota_assert_ended(&seen, ROTA_UNAVAILABLE, "as the policy says");
        assert_int_equal(rota_channel_stats(f.channel).retries, rows[i].retries);
        rota_channel_fixture_fini(&f);
    }
}

static void policies_hear_of_each_pick_once(void **unused)
{
    struct rota_channel_options options = own_options();
    struct rota_channel_fixture f;
    struct rota_seen_call seen[3];
    struct rota_fake_conn *conn;

    (void)unused;
    rota_channel_fixture_init(&f, &options);
    conn = rota_fixture_ready(&f, A);
    for (size_t i = 0; i < ROTA_COUNT(seen); i++)
        rota_fixture_unary_start(&f, "x", NULL, &seen[i]);
    rota_fake_reply(rota_fake_stream_at(conn, 0), "r");
    assert_int_equal(own.dones, 1);
    assert_int_equal(own.last_code, ROTA_OK);
    rota_call_cancel(seen[1].call);
    rota_virtual_host_run(&f.v);
    assert_int_equal(own.dones, 2);
    assert_int_equal(own.last_code, ROTA_CANCELLED);
    rota_fake_lose(conn, "gone");
    assert_int_equal(own.dones, 3);
    assert_int_equal(own.last_code, ROTA_UNAVAILABLE);
    assert_int_equal(own.oks, 3);
    assert_int_equal(own.unsent, 0);
    rota_channel_fixture_fini(&f);
}

/* The server has seen nothing of it: policies must not take it for the server's failure. */
static void what_never_reached_the_wire_was_not_sent(void **unused)
{
    static const struct {
        const char *rule;
        enum rota_stream_cause cause;
        bool never_sent;
        unsigned unsent;
    } rows[] = {
        {"never sent", ROTA_STREAM_UNPROCESSED, true, 1},
        {"sent and refused", ROTA_STREAM_UNPROCESSED, false, 0},
        {"lost on the way", ROTA_STREAM_LOST, false, 0},
    };

    (void)unused;
    for (size_t i = 0; i < ROTA_COUNT(rows); i++) {
        struct rota_channel_options options = own_options();
        struct rota_channel_fixture f;
        struct rota_seen_call seen;

        print_message("  %s\n", rows[i].rule);
        rota_channel_fixture_init(&f, &options);
        rota_fixture_ready(&f, A);
        rota_fixture_unary_start(&f, "x", NULL, &seen);
        rota_fake_close(rota_fake_stream_at(rota_fixture_conn(&f, A), 0), rows[i].cause, 7, rows[i].never_sent);
        rota_virtual_host_run(&f.v);
        assert_int_equal(own.dones, 1);
        assert_int_equal(own.last_code, ROTA_UNAVAILABLE);
        assert_int_equal(own.unsent, rows[i].unsent);
        rota_channel_fixture_fini(&f);
    }
}

static void a_pick_that_is_behind_is_made_again(void **unused)
{
    struct rota_channel_options options = own_options();
    struct rota_channel_fixture f;
    struct rota_seen_call seen;
    struct rota_fake_conn *conn;

    (void)unused;
    rota_channel_fixture_init(&f, &options);
    conn = rota_fixture_ready(&f, A);
    rota_fake_goaway(conn, 0);
    rota_fixture_unary_start(&f, "x", NULL, &seen); /* the policy still says: that subchannel */
    rota_assert_running(&seen);
    assert_true(own.oks >= 1 && own.oks < 10);
    assert_int_equal(own.dones, own.oks);
    assert_int_equal(own.unsent, own.oks);
    conn = rota_fixture_conn(&f, A);
    rota_fake_up(conn);
    rota_fake_reply(rota_fake_stream_at(conn, 0), "r");
    rota_assert_ended(&seen, ROTA_OK, "");
    assert_int_equal(own.dones, own.oks);
    rota_channel_fixture_fini(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(trouble_fails_only_those_who_do_not_wait),
        cmocka_unit_test(method_config_says_who_waits),
        cmocka_unit_test(waiting_calls_go_in_their_order),
        cmocka_unit_test(an_error_after_a_list_changes_nothing),
        cmocka_unit_test(verdicts_mean_what_they_say),
        cmocka_unit_test(what_a_pick_sets_going_reaches_its_call),
        cmocka_unit_test(a_drop_is_never_retried),
        cmocka_unit_test(policies_hear_of_each_pick_once),
        cmocka_unit_test(what_never_reached_the_wire_was_not_sent),
        cmocka_unit_test(a_pick_that_is_behind_is_made_again),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
