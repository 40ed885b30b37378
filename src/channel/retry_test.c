/* retry_test.c - transparent retries (gRFC A6), and calls that wait for a stream of their connection (A105's queue). */
#include "channel/channel_fixture.h"
#include "base/assert.h"
#include <stdlib.h>

#define A "1.1.1.1:1"
#define REFUSED 7
#define KEEP_BYTES ((size_t)256 * 1024)

static struct rota_fake_stream *last(struct rota_channel_fixture *f)
{
    struct rota_fake_conn *conn = rota_fixture_conn(f, A);

    return rota_fake_stream_at(conn, conn->n_streams - 1);
}

static void refuse(struct rota_channel_fixture *f)
{
    rota_fake_close(last(f), ROTA_STREAM_UNPROCESSED, REFUSED, false);
}

static void drop_unsent(struct rota_channel_fixture *f)
{
    rota_fake_close(last(f), ROTA_STREAM_UNPROCESSED, 0, true);
}

static void reconnect(struct rota_channel_fixture *f)
{
    rota_fake_up(rota_fixture_conn(f, A));
}

static void goaway(struct rota_channel_fixture *f)
{
    rota_fake_goaway(rota_fixture_conn(f, A), 0);
    reconnect(f);
}

static void lose_unsent(struct rota_channel_fixture *f)
{
    rota_fake_lose_unsent(rota_fixture_conn(f, A), "broken pipe");
    reconnect(f);
}

static void lose_sent(struct rota_channel_fixture *f)
{
    rota_fake_lose(rota_fixture_conn(f, A), "broken pipe");
}

static void answer_headers(struct rota_channel_fixture *f)
{
    rota_fake_headers(last(f));
}

static const struct retry_case {
    const char *rule;
    void (*events[6])(struct rota_channel_fixture *f);
    bool ends; /* with UNAVAILABLE; else the reply that comes now is the call's */
} retry_cases[] = {
    {"refused once: again", {refuse}, false},
    {"refused twice: UNAVAILABLE", {refuse, refuse}, true},
    {"above GOAWAY's last stream: again, elsewhere", {goaway}, false},
    {"GOAWAY, then refused: UNAVAILABLE", {goaway, refuse}, true},
    {"never sent: again, however often", {drop_unsent, drop_unsent, drop_unsent, drop_unsent, drop_unsent}, false},
    {"never sent does not use up the refusal", {drop_unsent, refuse, drop_unsent}, false},
    {"lost before it was sent: again", {lose_unsent, lose_unsent}, false},
    {"lost after it was sent: UNAVAILABLE", {lose_sent}, true},
    {"after response headers never again", {answer_headers, refuse}, true},
};

static void transparent_retries(void **unused)
{
    (void)unused;
    for (size_t i = 0; i < ROTA_COUNT(retry_cases); i++) {
        const struct retry_case *c = &retry_cases[i];
        struct rota_channel_fixture f;
        struct rota_seen_call seen;
        bool wrong = false;

        print_message("  %s\n", c->rule);
        rota_channel_fixture_init(&f, NULL);
        rota_fixture_ready(&f, A);
        rota_fixture_unary_start(&f, "again", NULL, &seen);
        for (size_t n = 0; n < ROTA_COUNT(c->events) && c->events[n] != NULL; n++) {
            wrong = wrong || seen.dones > 0;
            c->events[n](&f);
        }
        assert_false(wrong);
        if (c->ends) {
            rota_assert_ended(&seen, ROTA_UNAVAILABLE, A);
        } else {
            rota_assert_running(&seen);
            assert_string_equal(rota_fake_request(last(&f)), "again");
            assert_true(last(&f)->end);
            rota_fake_reply(last(&f), "r");
            rota_assert_ended(&seen, ROTA_OK, "");
        }
        rota_channel_fixture_fini(&f);
    }
}

static void a_stream_is_replayed_and_goes_on(void **unused)
{
    struct rota_channel_fixture f;
    struct rota_seen_call seen;

    (void)unused;
    rota_channel_fixture_init(&f, NULL);
    rota_fixture_ready(&f, A);
    rota_fixture_stream_start(&f, NULL, &seen);
    for (int i = 0; i < 5; i++)
        assert_int_equal(rota_fixture_write(&seen, "x"), 0);
    refuse(&f);
    assert_int_equal(last(&f)->n_sends, 5);
    assert_int_equal(rota_fixture_write(&seen, "y"), 0);
    assert_int_equal(last(&f)->n_sends, 6);
    assert_int_equal(rota_call_write_end(seen.call), 0);
    assert_true(last(&f)->end);
    rota_fake_headers(last(&f));
    rota_fake_trailers(last(&f), ROTA_OK, "");
    rota_assert_ended(&seen, ROTA_OK, "");
    rota_channel_fixture_fini(&f);
}

static void too_much_to_keep_commits(void **unused)
{
    static const struct {
        const char *rule;
        size_t size_bytes;
        bool again;
    } rows[] = {
        {"256 KiB are kept", KEEP_BYTES - 1000, true},
        {"more is not", KEEP_BYTES + 1, false},
    };

    (void)unused;
    for (size_t i = 0; i < ROTA_COUNT(rows); i++) {
        struct rota_channel_fixture f;
        struct rota_seen_call seen;
        uint8_t *bytes = calloc(1, rows[i].size_bytes);
        struct rota_slice message = rota_slice(bytes, rows[i].size_bytes);

        print_message("  %s\n", rows[i].rule);
        assert_non_null(bytes);
        rota_channel_fixture_init(&f, NULL);
        rota_fixture_ready(&f, A);
        rota_fixture_stream_start(&f, NULL, &seen);
        assert_int_equal(rota_call_write(seen.call, &message), 0);
        free(bytes);
        refuse(&f);
        if (rows[i].again)
            rota_assert_running(&seen);
        else
            rota_assert_ended(&seen, ROTA_UNAVAILABLE, A);
        rota_channel_fixture_fini(&f);
    }
}

/* --- The room --- */

static void a_full_connection_serves_in_order(void **unused)
{
    static const char *const requests[] = {"0", "1", "2", "3"};
    struct rota_channel_fixture f;
    struct rota_seen_call seen[4];
    struct rota_fake_conn *conn;

    (void)unused;
    rota_channel_fixture_init(&f, NULL);
    conn = rota_fixture_ready(&f, A);
    conn->max_streams = 1;
    for (size_t i = 0; i < ROTA_COUNT(seen); i++)
        rota_fixture_unary_start(&f, requests[i], NULL, &seen[i]);
    assert_int_equal(conn->n_streams, 1);
    rota_call_cancel(seen[1].call);
    rota_virtual_host_run(&f.v);
    rota_fake_reply(rota_fake_stream_at(conn, 0), "r");
    rota_fake_allow(conn, 1);
    assert_int_equal(conn->n_streams, 2);
    assert_string_equal(rota_fake_request(rota_fake_stream_at(conn, 1)), "2");
    conn->max_streams = 2; /* room, but others were first */
    conn->starved = true;
    rota_fixture_unary_start(&f, "4", NULL, &seen[1]);
    assert_int_equal(conn->n_streams, 2);
    rota_fake_allow(conn, 8);
    assert_string_equal(rota_fake_request(rota_fake_stream_at(conn, 2)), "3");
    assert_string_equal(rota_fake_request(rota_fake_stream_at(conn, 3)), "4");
    rota_channel_fixture_fini(&f);
}

static void those_without_a_stream_survive_their_connection(void **unused)
{
    static const struct {
        const char *rule;
        bool goaway;
    } rows[] = {{"lost", false}, {"draining", true}};

    (void)unused;
    for (size_t i = 0; i < ROTA_COUNT(rows); i++) {
        struct rota_channel_fixture f;
        struct rota_seen_call first, second;
        struct rota_fake_conn *conn;

        print_message("  %s\n", rows[i].rule);
        rota_channel_fixture_init(&f, NULL);
        conn = rota_fixture_ready(&f, A);
        conn->max_streams = 1;
        rota_fixture_unary_start(&f, "1", NULL, &first);
        rota_fixture_unary_start(&f, "2", NULL, &second);
        if (rows[i].goaway)
            rota_fake_goaway(conn, 1);
        else
            rota_fake_lose(conn, "gone");
        assert_int_equal(first.dones, rows[i].goaway ? 0 : 1);
        rota_assert_running(&second);
        reconnect(&f);
        assert_string_equal(rota_fake_request(last(&f)), "2");
        rota_channel_fixture_fini(&f);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(transparent_retries),
        cmocka_unit_test(a_stream_is_replayed_and_goes_on),
        cmocka_unit_test(too_much_to_keep_commits),
        cmocka_unit_test(a_full_connection_serves_in_order),
        cmocka_unit_test(those_without_a_stream_survive_their_connection),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
