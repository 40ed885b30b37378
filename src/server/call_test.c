/* call_test.c - a call's life on the server: late replies, hold and resume, full queues, deadlines, metadata, limits, memory. */
#include "server/server_fixture.h"
#include "testing/cmocka.h"
#include <string.h>

static struct rota_fake_ask *ask_later(struct server_fixture *f, const char *timeout)
{
    struct rota_fake_ask *ask = rota_fake_ask(f->asker, "/t.S/Later", timeout == NULL ? NULL : "grpc-timeout", timeout);

    rota_fake_ask_message(ask, "a");
    rota_fake_ask_end(ask);
    assert_non_null(f->call);
    return ask;
}

/* What happens between the request and the reply that comes too late. */
enum meanwhile { NOTHING, CLIENT_CANCELS, CLIENT_HANGS_UP, DEADLINE, SERVER_CLOSES };

static void a_late_reply_finishes_its_call(void **unused)
{
    static const struct {
        const char *rule;
        enum meanwhile meanwhile;
        const char *status;
    } rows[] = {
        {"in time", NOTHING, "OK"},
        {"the client has cancelled", CLIENT_CANCELS, "lost"},
        {"the client is gone", CLIENT_HANGS_UP, "lost"},
        {"the deadline has passed", DEADLINE, "DEADLINE_EXCEEDED the deadline passed on the server"},
        {"the server was closed", SERVER_CLOSES, "lost"},
    };

    (void)unused;
    for (size_t i = 0; i < ROTA_COUNT(rows); i++) {
        struct server_fixture f;
        struct rota_fake_ask *ask;
        print_message("  %s\n", rows[i].rule);
        server_fixture_init(&f, NULL);
        ask = ask_later(&f, rows[i].meanwhile == DEADLINE ? "100m" : NULL);
        switch (rows[i].meanwhile) {
        case NOTHING: break;
        case CLIENT_CANCELS: rota_fake_ask_cancel(ask); break;
        case CLIENT_HANGS_UP: rota_fake_hang_up(f.asker); break;
        case DEADLINE: rota_virtual_host_advance(&f.v, 100 * ROTA_MS); break;
        case SERVER_CLOSES: server_fixture_close(&f); break;
        }
        assert_int_equal(rota_server_call_cancelled(f.call), rows[i].meanwhile != NOTHING);
        assert_string_equal(rota_server_call_peer(f.call), "192.0.2.1:5000");
        assert_string_equal(rota_server_call_path(f.call), "/t.S/Later");
        assert_int_equal(f.closed, 0);
        server_fixture_reply(&f, "r");
        assert_string_equal(rota_fake_answer_status(ask), rows[i].status);
        server_fixture_fini(&f);
    }
}

static void a_deadline_does_not_wait_behind_replies(void **unused)
{
    struct rota_fake_ask *ask;
    struct server_fixture f;

    (void)unused;
    server_fixture_init(&f, NULL);
    ask = rota_fake_ask(f.asker, "/t.S/Chat", "grpc-timeout", "50m");
    rota_fake_ask_message(ask, "a");
    assert_int_equal(rota_server_call_deadline_ns(f.call), f.v.host.now_ns + 50 * ROTA_MS);
    ask->queued = 6;
    rota_virtual_host_advance(&f.v, 50 * ROTA_MS);
    assert_string_equal(rota_fake_answer_status(ask), "reset 8");
    assert_string_equal(f.trace, "Sm:a C");
    server_fixture_fini(&f);
}

static const struct tail_case {
    const char *rule, *status;
    size_t queued; /* of the reply, when the status follows it */
    bool goes;     /* before the deadline */
} tails[] = {
    {"it fits, and is on its way", "OK", 0, false},
    {"it goes in time", "OK", 6, true},
    {"the client takes none of it", "reset 8", 6, false},
};

/* Else a client that keeps its window shut would keep it in memory without end. */
static void a_deadline_is_one_for_the_last_reply_too(void **unused)
{
    (void)unused;
    for (size_t i = 0; i < ROTA_COUNT(tails); i++) {
        struct rota_fake_ask *ask;
        struct server_fixture f;
        print_message("  %s\n", tails[i].rule);
        server_fixture_init(&f, NULL);
        ask = ask_later(&f, "50m");
        ask->queued = tails[i].queued;
        server_fixture_reply(&f, "r");
        assert_int_equal(rota_host_next_ns(&f.v.host) != INT64_MAX, tails[i].queued > 0);
        if (tails[i].goes)
            rota_fake_ask_writable(ask);
        rota_virtual_host_advance(&f.v, 50 * ROTA_MS);
        server_fixture_run(&f);
        assert_string_equal(rota_fake_answer_status(ask), tails[i].status);
        server_fixture_fini(&f);
    }
}

static void a_deadline_is_one_for_a_failed_call_too(void **unused)
{
    static const uint8_t odd[] = {7, 0, 0, 0, 1, 'x'};
    struct rota_fake_ask *ask;
    struct server_fixture f;

    (void)unused;
    server_fixture_init(&f, NULL);
    ask = rota_fake_ask(f.asker, "/t.S/Chat", "grpc-timeout", "50m");
    rota_fake_ask_message(ask, "a");
    ask->queued = 6;
    rota_fake_ask_data(ask, rota_slice(odd, sizeof(odd)));
    assert_string_equal(f.trace, "Sm:a C");
    rota_virtual_host_advance(&f.v, 50 * ROTA_MS);
    assert_string_equal(rota_fake_answer_status(ask), "reset 8");
    server_fixture_fini(&f);
}

static void a_held_call_stops_its_client(void **unused)
{
    struct rota_fake_ask *ask;
    struct server_fixture f;

    (void)unused;
    server_fixture_init(&f, NULL);
    ask = rota_fake_ask(f.asker, "/t.S/Chat", NULL, NULL);
    f.hold_next = true;
    rota_fake_ask_message(ask, "a");
    rota_fake_ask_message(ask, "b");
    rota_fake_ask_message(ask, "c");
    rota_fake_ask_end(ask);
    assert_string_equal(f.trace, "Sm:a ");
    assert_int_equal(ask->consumed, 6);
    f.hold_next = true; /* by the next message, from inside the resumption */
    rota_server_call_resume(f.call);
    assert_string_equal(f.trace, "Sm:a "); /* not from inside resume */
    server_fixture_run(&f);
    assert_string_equal(f.trace, "Sm:a m:b ");
    assert_int_equal(ask->consumed, 12);
    rota_server_call_resume(f.call);
    server_fixture_run(&f);
    assert_string_equal(f.trace, "Sm:a m:b m:c E");
    assert_int_equal(ask->consumed, 18);
    server_fixture_fini(&f);
}

static const struct rest_case {
    const char *rule, *bytes;
    size_t size;
    bool holds, finishes; /* at the first message */
} rests[] = {
    {"behind the message at which it ended", "\0\0\0\0\1a\0\0\0\0\1b\0\0\0\0\1c", 18, false, true},
    {"while it was held", "\0\0\0\0\1a\0\0\0\0\1b\0\0\0\0\1c", 18, true, false},
    {"half of a message", "\0\0\0\0\1a\0\0\0\0\7bcd", 14, false, false},
    {"half of one, while it was held", "\0\0\0\0\1a\0\0\0\0\7bcd", 14, true, false},
};

/* The client takes its time with the reply; other calls of the connection have the credit meanwhile. */
static void what_nobody_takes_is_credited_when_a_call_ends(void **unused)
{
    (void)unused;
    for (size_t i = 0; i < ROTA_COUNT(rests); i++) {
        const struct rest_case *c = &rests[i];
        struct rota_fake_ask *ask;
        struct server_fixture f;
        print_message("  %s\n", c->rule);
        server_fixture_init(&f, NULL);
        ask = rota_fake_ask(f.asker, "/t.S/Quiet", NULL, NULL);
        ask->queued = 6;
        f.hold_next = c->holds;
        f.finish_next = c->finishes;
        rota_fake_ask_data(ask, rota_slice(c->bytes, c->size));
        if (!c->finishes)
            rota_server_call_finish(f.call, NULL);
        assert_string_equal(f.trace, "Sm:a ");
        assert_int_equal(ask->consumed, c->size);
        assert_int_equal(f.server->held_bytes, 0);
        rota_fake_ask_data(ask, rota_slice(c->bytes, c->size));
        rota_fake_ask_end(ask);
        assert_int_equal(ask->consumed, 2 * c->size);
        rota_fake_ask_writable(ask);
        assert_string_equal(rota_fake_answer_status(ask), "OK");
        server_fixture_fini(&f);
    }
}

static void a_held_call_hears_of_its_client_leaving(void **unused)
{
    struct rota_fake_ask *ask;
    struct server_fixture f;

    (void)unused;
    server_fixture_init(&f, NULL);
    ask = rota_fake_ask(f.asker, "/t.S/Chat", NULL, NULL);
    f.hold_next = true;
    rota_fake_ask_message(ask, "a");
    rota_fake_ask_message(ask, "b");
    rota_fake_ask_cancel(ask);
    assert_string_equal(f.trace, "Sm:a C");
    server_fixture_fini(&f);
}

static void resuming_after_the_end_is_harmless(void **unused)
{
    struct server_fixture f;

    (void)unused;
    server_fixture_init(&f, NULL);
    (void)ask_later(&f, NULL);
    rota_server_call_hold(f.call);
    rota_server_call_resume(f.call);
    server_fixture_reply(&f, "r"); /* the resumption is still posted, the call is not there any more */
    assert_string_equal(f.trace, "m:a ");
    server_fixture_fini(&f);
}

static void a_full_queue_is_waited_for(void **unused)
{
    struct rota_server_options options = ROTA_SERVER_OPTIONS_INIT;
    struct rota_slice reply = ROTA_SLICE("r");
    struct rota_fake_ask *ask;
    struct server_fixture f;

    (void)unused;
    options.send_queue_bytes = 10;
    server_fixture_init(&f, &options);
    assert_int_equal(f.acceptor.listeners[0].limits.high_mark_bytes, 10);
    ask = rota_fake_ask(f.asker, "/t.S/Quiet", NULL, NULL);
    assert_int_equal(rota_server_call_send(f.call, &reply), 0);
    ask->queued = 10;
    assert_int_equal(rota_server_call_send(f.call, &reply), ROTA_EAGAIN);
    assert_int_equal(ask->n_sends, 1);
    rota_fake_ask_writable(ask);
    assert_string_equal(f.trace, "SW");
    rota_fake_ask_writable(ask); /* nobody waits */
    assert_string_equal(f.trace, "SW");
    ask->queued = 10;
    assert_int_equal(rota_server_call_send(f.call, &reply), ROTA_EAGAIN);
    rota_fake_ask_cancel(ask); /* without on_cancel, on_writable tells */
    assert_string_equal(f.trace, "SWW");
    assert_int_equal(rota_server_call_send(f.call, &reply), ROTA_ECLOSED);
    rota_server_call_finish(f.call, NULL);
    server_fixture_fini(&f);
}

static void the_last_reply_needs_no_room(void **unused)
{
    struct rota_server_options options = ROTA_SERVER_OPTIONS_INIT;
    struct rota_slice reply = ROTA_SLICE("r");
    struct rota_fake_ask *ask;
    struct server_fixture f;

    (void)unused;
    options.send_queue_bytes = 1;
    server_fixture_init(&f, &options);
    ask = rota_fake_ask(f.asker, "/t.S/Quiet", NULL, NULL);
    rota_fake_ask_end(ask);
    assert_int_equal(rota_server_call_send(f.call, &reply), 0);
    ask->queued = 1; /* the client reads nothing */
    assert_int_equal(rota_server_call_send(f.call, &reply), ROTA_EAGAIN);
    server_fixture_reply(&f, "last");
    assert_string_equal(rota_fake_answer_messages(ask), "r last ");
    assert_string_equal(rota_fake_answer_status(ask), "OK");
    server_fixture_fini(&f);
}

static void a_stream_of_replies_waits_and_goes_on(void **unused)
{
    struct rota_server_options options = ROTA_SERVER_OPTIONS_INIT;
    struct rota_fake_ask *ask;
    struct server_fixture f;

    (void)unused;
    options.send_queue_bytes = 1;
    server_fixture_init(&f, &options);
    ask = rota_fake_ask(f.asker, "/t.S/Count", NULL, NULL);
    ask->queued = 1;
    rota_fake_ask_message(ask, "3");
    rota_fake_ask_end(ask);
    assert_int_equal(ask->n_sends, 0);
    rota_fake_ask_writable(ask);
    assert_string_equal(f.trace, "m:3 W");
    assert_string_equal(rota_fake_answer_messages(ask), "n n n ");
    assert_string_equal(rota_fake_answer_status(ask), "OK");
    server_fixture_fini(&f);
}

static void replies_have_a_limit(void **unused)
{
    struct rota_server_options options = ROTA_SERVER_OPTIONS_INIT;
    struct rota_fake_ask *ask;
    struct server_fixture f;

    (void)unused;
    options.max_reply_bytes = 3;
    server_fixture_init(&f, &options);
    ask = ask_later(&f, NULL);
    server_fixture_reply(&f, "four");
    assert_string_equal(rota_fake_answer_status(ask), "RESOURCE_EXHAUSTED reply of 4 bytes not sent: the server's max_reply_bytes is 3");
    ask = ask_later(&f, NULL);
    server_fixture_reply(&f, "thr");
    assert_string_equal(rota_fake_answer_messages(ask), "thr ");
    server_fixture_fini(&f);
}

static void metadata_goes_where_it_belongs(void **unused)
{
    struct rota_fake_ask *ask;
    struct server_fixture f;
    struct rota_slice value;

    (void)unused;
    server_fixture_init(&f, NULL);
    ask = rota_fake_ask(f.asker, "/t.S/Quiet", "x-a-bin", "AQI");
    assert_true(rota_metadata_get(rota_server_call_metadata(f.call), "x-a-bin", &value));
    assert_true(rota_slice_equal(value, ROTA_SLICE("\1\2")));
    assert_int_equal(rota_metadata_add_text(rota_server_call_initial_metadata(f.call), "x-i", "1"), 0);
    assert_int_equal(rota_metadata_add_text(rota_server_call_trailing_metadata(f.call), "x-t", "2"), 0);
    assert_false(ask->headers_sent);
    assert_int_equal(rota_server_call_send_initial_metadata(f.call), 0);
    assert_int_equal(rota_server_call_send_initial_metadata(f.call), 0);
    assert_true(ask->headers_sent);
    assert_string_equal(rota_fake_answer_header(ask, "x-i"), "1");
    assert_null(rota_fake_answer_header(ask, "x-t"));
    rota_server_call_fail(f.call, ROTA_ABORTED, "%d%% \xff", 7);
    server_fixture_run(&f);
    assert_string_equal(rota_fake_answer_header(ask, "x-t"), "2");
    assert_string_equal(rota_fake_answer_status(ask), "ABORTED 7%25 ?");
    server_fixture_fini(&f);
}

static void too_much_metadata_still_ends_the_call(void **unused)
{
    struct rota_fake_ask *ask;
    struct server_fixture f;

    (void)unused;
    server_fixture_init(&f, NULL);
    ask = ask_later(&f, NULL);
    f.acceptor.max_fields = 4;
    for (int i = 0; i < 5; i++)
        assert_int_equal(rota_metadata_add_text(rota_server_call_trailing_metadata(f.call), "x-t", "2"), 0);
    rota_server_call_fail(f.call, ROTA_ABORTED, "no");
    server_fixture_run(&f);
    assert_string_equal(rota_fake_answer_status(ask), "RESOURCE_EXHAUSTED the reply's metadata is too large: header fields of 373 bytes, and the client accepts 100");
    server_fixture_fini(&f);
}

/* A handler may try again for as long as it likes: what was built for it stays in the call's arena. */
static void headers_that_were_refused_are_not_built_again(void **unused)
{
    struct rota_slice reply = ROTA_SLICE("r");
    struct rota_fake_ask *ask;
    struct server_fixture f;
    size_t used_bytes;

    (void)unused;
    server_fixture_init(&f, NULL);
    f.acceptor.max_fields = 1;
    ask = rota_fake_ask(f.asker, "/t.S/Quiet", NULL, NULL);
    assert_int_equal(rota_server_call_send(f.call, &reply), ROTA_ELIMIT);
    used_bytes = f.call->arena.used_bytes;
    for (int i = 0; i < 1000; i++) {
        assert_int_equal(rota_server_call_send(f.call, &reply), ROTA_ELIMIT);
        assert_int_equal(rota_server_call_send_initial_metadata(f.call), ROTA_ELIMIT);
    }
    assert_int_equal(f.call->arena.used_bytes, used_bytes);
    rota_server_call_finish(f.call, NULL);
    server_fixture_run(&f);
    assert_string_equal(rota_fake_answer_status(ask), "reset 2");
    f.acceptor.max_fields = 0; /* the next call is another matter, though it has the same memory */
    ask = rota_fake_ask(f.asker, "/t.S/Quiet", NULL, NULL);
    assert_int_equal(rota_server_call_send(f.call, &reply), 0);
    rota_fake_ask_end(ask);
    rota_server_call_finish(f.call, NULL);
    server_fixture_run(&f);
    assert_string_equal(rota_fake_answer_status(ask), "OK");
    server_fixture_fini(&f);
}

static void without_memory_the_stream_is_reset(void **unused)
{
    struct rota_fake_ask *ask;
    struct server_fixture f;

    (void)unused;
    server_fixture_init(&f, NULL);
    ask = ask_later(&f, NULL);
    f.acceptor.send_err = ROTA_ENOMEM;
    server_fixture_reply(&f, "r");
    assert_string_equal(rota_fake_answer_status(ask), "reset 2");
    server_fixture_fini(&f);
}

static void calls_are_used_again(void **unused)
{
    struct server_fixture f;
    size_t live_bytes = 0;

    (void)unused;
    server_fixture_init(&f, NULL);
    for (int i = 0; i < ROTA_FAKE_ASKS_MAX; i++) {
        struct rota_fake_ask *ask = rota_fake_ask(f.asker, i % 2 == 0 ? "/t.S/Chat" : "/t.S/Echo", "x-a", "b");
        rota_fake_ask_message(ask, "text");
        rota_fake_ask_end(ask);
        assert_string_equal(rota_fake_answer_messages(ask), "text ");
        if (i == 2)
            live_bytes = f.alloc.live_bytes;
    }
    assert_int_equal(f.alloc.live_bytes, live_bytes);
    assert_int_equal(rota_server_stats(f.server).calls_started, ROTA_FAKE_ASKS_MAX);
    assert_int_equal(rota_server_stats(f.server).calls_ended, ROTA_FAKE_ASKS_MAX);
    assert_int_equal(rota_server_stats(f.server).calls_open, 0);
    server_fixture_fini(&f);
}

/* More than are kept for later: the rest is given back at once. */
static void many_calls_end_at_once(void **unused)
{
    struct server_fixture f;
    struct rota_fake_asker *askers[5];
    size_t live_bytes;

    (void)unused;
    server_fixture_init(&f, NULL);
    for (size_t i = 0; i < ROTA_COUNT(askers); i++) {
        askers[i] = rota_fake_connect(&f.acceptor);
        for (int n = 0; n < ROTA_FAKE_ASKS_MAX; n++)
            (void)rota_fake_ask(askers[i], "/t.S/Chat", NULL, NULL);
    }
    assert_int_equal(rota_server_stats(f.server).calls_open, 5 * ROTA_FAKE_ASKS_MAX);
    live_bytes = f.alloc.live_bytes;
    for (size_t i = 0; i < ROTA_COUNT(askers); i++)
        rota_fake_hang_up(askers[i]);
    assert_int_equal(rota_server_stats(f.server).calls_open, 0);
    assert_in_range(f.alloc.live_bytes, 0, live_bytes * 256 / (5 * ROTA_FAKE_ASKS_MAX) + 4096);
    server_fixture_fini(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_late_reply_finishes_its_call),
        cmocka_unit_test(a_deadline_does_not_wait_behind_replies),
        cmocka_unit_test(a_deadline_is_one_for_the_last_reply_too),
        cmocka_unit_test(a_deadline_is_one_for_a_failed_call_too),
        cmocka_unit_test(a_held_call_stops_its_client),
        cmocka_unit_test(what_nobody_takes_is_credited_when_a_call_ends),
        cmocka_unit_test(a_held_call_hears_of_its_client_leaving),
        cmocka_unit_test(resuming_after_the_end_is_harmless),
        cmocka_unit_test(a_full_queue_is_waited_for),
        cmocka_unit_test(the_last_reply_needs_no_room),
        cmocka_unit_test(a_stream_of_replies_waits_and_goes_on),
        cmocka_unit_test(replies_have_a_limit),
        cmocka_unit_test(metadata_goes_where_it_belongs),
        cmocka_unit_test(too_much_metadata_still_ends_the_call),
        cmocka_unit_test(headers_that_were_refused_are_not_built_again),
        cmocka_unit_test(without_memory_the_stream_is_reset),
        cmocka_unit_test(calls_are_used_again),
        cmocka_unit_test(many_calls_end_at_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
