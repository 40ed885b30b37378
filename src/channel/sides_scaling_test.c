/* sides_scaling_test.c - whom a subchannel with several connections asks for its health and its load, in virtual time. */
#include "base/assert.h"
#include "channel/channel_fixture.h"
#include "testing/lb_policies.h"

#define A "1.1.1.1:1"
#define SCALING "\"connectionScaling\":{\"maxConnectionsPerSubchannel\":3}"
#define CHECKED "{\"loadBalancingConfig\":[{\"round_robin\":{}}],\"healthCheckConfig\":{\"serviceName\":\"shop\"}," SCALING "}"
#define LOADED "{\"loadBalancingConfig\":[{\"weighted_round_robin\":{\"enableOobLoadReport\":true}}]," SCALING "}"
#define WATCH "/grpc.health.v1.Health/Watch"
#define LOAD "/xds.service.orca.v3.OpenRcaService/StreamCoreMetrics"
#define SERVING "\x08\x01"
#define NOT_SERVING "\x08\x02"

struct pair {
    struct rota_channel_fixture f;
    struct rota_fake_conn *first, *second;
    struct rota_fake_stream *side; /* on the first */
    struct rota_seen_call calls[2]; /* one on each */
};

/* Two connections to A, each with a call. */
static void pair_init(struct pair *p, const char *config, const char *first_answer)
{
    struct rota_channel_options options = ROTA_CHANNEL_OPTIONS_INIT;

    *p = (struct pair){0};
    options.service_config = config;
    options.policies = rota_test_policies;
    rota_channel_fixture_init(&p->f, &options);
    rota_channel_connect(p->f.channel);
    rota_fixture_publish(&p->f, A, NULL, NULL);
    p->first = rota_fixture_conn(&p->f, A);
    p->first->max_streams = 2;
    rota_fake_up(p->first);
    p->side = rota_fake_stream_at(p->first, 0);
    if (first_answer != NULL) {
        rota_fake_headers(p->side);
        rota_fake_message(p->side, first_answer);
    }
    for (int i = 0; i < 2; i++)
        rota_fixture_unary_start(&p->f, i == 0 ? "a" : "b", NULL, &p->calls[i]);
    p->second = rota_fixture_conn(&p->f, A);
    assert_ptr_not_equal(p->first, p->second);
    rota_fake_up(p->second);
}

static void the_oldest_connection_is_asked(void **unused)
{
    static const char *const configs[] = {CHECKED, LOADED}, *const paths[] = {WATCH, LOAD};

    (void)unused;
    for (size_t i = 0; i < ROTA_COUNT(configs); i++) {
        struct pair p;

        pair_init(&p, configs[i], i == 0 ? SERVING : NULL);
        assert_string_equal(rota_fake_header(p.side, ":path"), paths[i]);
        assert_int_equal(p.second->n_streams, 1); /* the call */
        rota_fake_goaway(p.second, 1);
        assert_false(p.side->dead);
        rota_fake_goaway(p.first, 2);
        assert_true(p.side->reset); /* with the last one that took calls */
        rota_channel_fixture_fini(&p.f);
    }
}

static void when_it_goes_the_next_one_is(void **unused)
{
    static const char *const configs[] = {CHECKED, LOADED}, *const paths[] = {WATCH, LOAD};

    (void)unused;
    for (size_t i = 0; i < ROTA_COUNT(configs); i++) {
        struct pair p;

        pair_init(&p, configs[i], i == 0 ? SERVING : NULL);
        rota_fake_lose(p.first, "lost");
        assert_int_equal(p.second->n_streams, 2);
        assert_string_equal(rota_fake_header(rota_fake_stream_at(p.second, 1), ":path"), paths[i]);
        rota_assert_ended(&p.calls[0], ROTA_UNAVAILABLE, "lost");
        rota_assert_running(&p.calls[1]);
        rota_channel_fixture_fini(&p.f);
    }
}

static void what_was_known_holds_until_it_answers(void **unused)
{
    static const struct {
        const char *rule, *before, *after; /* NULL: no answer yet */
        enum rota_conn_state state;
    } rows[] = {
        {"it served: READY all along", SERVING, NULL, ROTA_CONN_READY},
        {"the new answer is that it does not", SERVING, NOT_SERVING, ROTA_CONN_TRANSIENT_FAILURE},
        {"it did not", NOT_SERVING, NULL, ROTA_CONN_TRANSIENT_FAILURE},
        {"the new answer is that it does", NOT_SERVING, SERVING, ROTA_CONN_READY},
    };

    (void)unused;
    for (size_t i = 0; i < ROTA_COUNT(rows); i++) {
        struct rota_fake_stream *side;
        struct pair p;

        print_message("  %s\n", rows[i].rule);
        pair_init(&p, CHECKED, SERVING);
        rota_fake_message(p.side, rows[i].before);
        rota_fake_lose(p.first, "lost");
        side = rota_fake_stream_at(p.second, 1);
        if (rows[i].after != NULL) {
            rota_fake_headers(side);
            rota_fake_message(side, rows[i].after);
        }
        assert_int_equal(rota_channel_state(p.f.channel), rows[i].state);
        rota_channel_fixture_fini(&p.f);
    }
}

static void who_does_not_tell_is_not_asked_again(void **unused)
{
    (void)unused;
    for (int load = 0; load < 2; load++) {
        struct pair p;

        pair_init(&p, load ? LOADED : CHECKED, load ? NULL : SERVING);
        if (load)
            rota_fake_trailers_only(p.side, ROTA_UNIMPLEMENTED, "no such service");
        else
            rota_fake_trailers(p.side, ROTA_UNIMPLEMENTED, "no such service");
        rota_fake_lose(p.first, "lost");
        assert_int_equal(p.second->n_streams, 1);
        assert_int_equal(rota_channel_state(p.f.channel), ROTA_CONN_READY);
        rota_channel_fixture_fini(&p.f);
    }
}

/* The second connection has a stream for its call and none for the question. */
static void the_question_waits_for_a_stream_too(void **unused)
{
    struct rota_seen_call seen;
    struct pair p;

    (void)unused;
    pair_init(&p, CHECKED, SERVING);
    p.second->max_streams = 1;
    rota_fake_lose(p.first, "lost");
    rota_fixture_unary_start(&p.f, "c", NULL, &seen);
    assert_int_equal(p.second->n_streams, 1);
    rota_fake_reply(rota_fake_stream_at(p.second, 0), "r");
    rota_fake_allow(p.second, 1);
    assert_int_equal(p.second->n_streams, 2); /* it goes before calls */
    assert_string_equal(rota_fake_header(rota_fake_stream_at(p.second, 1), ":path"), WATCH);
    assert_int_equal(rota_channel_state(p.f.channel), ROTA_CONN_READY);
    rota_fake_up(rota_fixture_conn(&p.f, A));
    rota_fake_reply(rota_fake_stream_at(rota_fixture_conn(&p.f, A), 0), "r");
    rota_assert_ended(&seen, ROTA_OK, "");
    rota_channel_fixture_fini(&p.f);
}

/* The next connection's stream, asked for at once or in a second. */
static struct rota_fake_stream *asked(struct pair *p, const char *path)
{
    for (size_t i = 0; i < p->second->n_streams; i++)
        if (strcmp(rota_fake_header(p->second->streams[i], ":path"), path) == 0)
            return p->second->streams[i];
    fail_msg("%s is not asked for", path);
    return NULL;
}

static void without_memory_for_it_it_is_asked_later(void **unused)
{
    struct pair p;

    (void)unused;
    for (uint64_t n = 1; n < 12; n++) {
        struct rota_seen_call seen;

        pair_init(&p, CHECKED, SERVING);
        rota_fake_message(p.side, NOT_SERVING);
        rota_leak_alloc_fail_nth(&p.f.leaks, n);
        rota_fake_lose(p.first, "lost");
        p.f.leaks.fail_at = 0;
        assert_int_equal(rota_channel_state(p.f.channel), ROTA_CONN_TRANSIENT_FAILURE);
        rota_virtual_host_advance(&p.f.v, 2 * ROTA_S);
        rota_fake_headers(asked(&p, WATCH));
        rota_fake_message(asked(&p, WATCH), SERVING);
        assert_int_equal(rota_channel_state(p.f.channel), ROTA_CONN_READY);
        rota_channel_fixture_fini(&p.f);

        pair_init(&p, LOADED, NULL);
        rota_leak_alloc_fail_nth(&p.f.leaks, n);
        rota_fake_lose(p.first, "lost");
        p.f.leaks.fail_at = 0;
        rota_virtual_host_advance(&p.f.v, 2 * ROTA_S);
        assert_true(asked(&p, LOAD)->end);
        rota_channel_fixture_fini(&p.f);

        pair_init(&p, CHECKED, SERVING);
        rota_leak_alloc_fail_nth(&p.f.leaks, n);
        rota_fake_lose(p.first, "lost");
        p.f.leaks.fail_at = 0;
        assert_int_equal(rota_channel_state(p.f.channel), ROTA_CONN_READY);
        rota_virtual_host_advance(&p.f.v, 2 * ROTA_S);
        assert_int_equal(rota_channel_state(p.f.channel), ROTA_CONN_READY);
        assert_non_null(asked(&p, WATCH));
        rota_fixture_unary_start(&p.f, "c", NULL, &seen);
        rota_assert_running(&seen);
        assert_false(p.second->streams[p.second->n_streams - 1]->dead);
        rota_channel_fixture_fini(&p.f);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_oldest_connection_is_asked),
        cmocka_unit_test(when_it_goes_the_next_one_is),
        cmocka_unit_test(what_was_known_holds_until_it_answers),
        cmocka_unit_test(who_does_not_tell_is_not_asked_again),
        cmocka_unit_test(the_question_waits_for_a_stream_too),
        cmocka_unit_test(without_memory_for_it_it_is_asked_later),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
