/* turn_test.c - while more is held than max_total_bytes, what ended connections are about to give back included, nothing is begun, delivered or
 * kept, and afterwards all goes on; the calls of a connection whose handlers have had their time in a turn wait for the next, those of others do
 * not. (Who is ended: relief_test.c. Calls that wait since much was decompressed: compression_test.c.)
 */
#include "server/server_fixture.h"
#include "testing/cmocka.h"
#include <string.h>

#define MAX_BYTES 800
#define SLICE_NS INT64_C(1000000)

static void settle_queue(struct server_fixture *f, struct rota_fake_asker *asker, size_t bytes)
{
    f->server->held_bytes += bytes - asker->conn.queued_bytes;
    asker->conn.queued_bytes = bytes;
}

static void init(struct server_fixture *f, struct rota_fake_asker **ret_other)
{
    struct rota_server_options options = ROTA_SERVER_OPTIONS_INIT;

    options.max_total_bytes = MAX_BYTES;
    server_fixture_init(f, &options);
    *ret_other = rota_fake_connect(&f->acceptor);
}

/* f->asker is being ended, and has yet to go. */
static void hoard(struct server_fixture *f)
{
    settle_queue(f, f->asker, MAX_BYTES + 1);
    f->asker->events->on_room(f->asker->owner);
    assert_non_null(f->asker->why);
    assert_false(f->asker->closed);
}

/* As at the end of the turn. */
static void let_go(struct server_fixture *f)
{
    settle_queue(f, f->asker, 0);
    server_fixture_run(f);
    assert_true(f->asker->closed);
    assert_int_equal(f->server->leaving_bytes, 0);
    rota_virtual_host_advance(&f->v, 1);
    server_fixture_run(f);
}

/* Within the turn. */
static void arrive(struct rota_fake_ask *ask, const char *text, bool end)
{
    uint8_t bytes[100] = {0};
    size_t size = strlen(text);

    bytes[4] = (uint8_t)size;
    memcpy(bytes + 5, text, size);
    if (size > 0) {
        ask->given += size + 5;
        ask->events->on_data(ask->owner, &ask->stream, rota_slice(bytes, size + 5));
    }
    if (end)
        ask->events->on_end(ask->owner, &ask->stream, NULL, 0);
}

static void nothing_is_begun(void **unused)
{
    static const char *const paths[] = {"/t.S/Echo", "/t.S/Chat", "/t.S/None", "/"};

    (void)unused;
    for (size_t i = 0; i < ROTA_COUNT(paths); i++) {
        struct rota_fake_asker *other;
        struct rota_fake_ask *ask;
        struct server_fixture f;
        print_message("  %s\n", paths[i]);
        init(&f, &other);
        hoard(&f);
        ask = rota_fake_ask(other, paths[i], NULL, NULL);
        assert_string_equal(rota_fake_answer_status(ask), "reset 7");
        assert_int_equal(f.server->stats.calls_started, 0);
        assert_int_equal(f.server->held_bytes, MAX_BYTES + 1);
        assert_string_equal(f.trace, "");
        let_go(&f);
        assert_null(other->why);
        ask = rota_fake_ask(other, "/t.S/Echo", NULL, NULL);
        rota_fake_ask_message(ask, "a");
        rota_fake_ask_end(ask);
        assert_string_equal(rota_fake_answer_status(ask), "OK");
        server_fixture_fini(&f);
    }
}

static const struct wait_case {
    const char *rule, *path, *before, *during;
    bool end;
    const char *trace_during, *trace_after;
} waits[] = {
    {"a unary request", "/t.S/Echo", "", "a", true, "", "m:a "},
    {"its end alone", "/t.S/Echo", "a", "", true, "", "m:a "},
    {"a message of a stream", "/t.S/Chat", "a", "b", false, "Sm:a ", "Sm:a m:b "},
    {"the last one", "/t.S/Chat", "a", "b", true, "Sm:a ", "Sm:a m:b E"},
    {"the end of a stream, which brings the reply", "/t.S/Join", "a", "", true, "Sm:a ", "Sm:a E"},
    {"what asks for many replies", "/t.S/Count", "", "3", true, "", "m:3 "},
};

static void what_has_come_waits(void **unused)
{
    (void)unused;
    for (size_t i = 0; i < ROTA_COUNT(waits); i++) {
        const struct wait_case *c = &waits[i];
        struct rota_fake_asker *other;
        struct rota_fake_ask *ask;
        struct server_fixture f;
        print_message("  %s\n", c->rule);
        init(&f, &other);
        ask = rota_fake_ask(other, c->path, NULL, NULL);
        arrive(ask, c->before, false);
        hoard(&f);
        arrive(ask, c->during, c->end);
        assert_string_equal(f.trace, c->trace_during);
        assert_int_equal(ask->consumed, c->before[0] == '\0' ? 0 : 6); /* so the client's credit bounds what waits */
        let_go(&f);
        assert_string_equal(f.trace, c->trace_after);
        assert_int_equal(ask->consumed, ask->given);
        assert_int_equal(f.server->held_bytes, 0);
        assert_null(other->why);
        if (!c->end)
            arrive(ask, "", true);
        rota_fake_ask_writable(ask);
        assert_string_equal(rota_fake_answer_status(ask), "OK");
        server_fixture_fini(&f);
    }
}

/* First come, first served, and all of them. */
static void they_go_on_in_their_order(void **unused)
{
    struct rota_fake_asker *other, *third;
    struct rota_fake_ask *asks[3];
    struct server_fixture f;

    (void)unused;
    init(&f, &other);
    third = rota_fake_connect(&f.acceptor);
    asks[0] = rota_fake_ask(other, "/t.S/Echo", NULL, NULL);
    asks[1] = rota_fake_ask(third, "/t.S/Echo", NULL, NULL);
    asks[2] = rota_fake_ask(other, "/t.S/Echo", NULL, NULL);
    hoard(&f);
    arrive(asks[2], "1", true);
    arrive(asks[1], "2", true);
    arrive(asks[0], "3", true);
    let_go(&f);
    assert_string_equal(f.trace, "m:1 m:2 m:3 ");
    server_fixture_fini(&f);
}

static const struct rota_status bad = {.code = ROTA_ABORTED, .message = "no"};

static const struct sent_case {
    const char *rule;
    const struct rota_status *status;
    const char *want;
} sents[] = {
    {"OK, without messages that are missing", NULL, "lost"},
    {"an error", &bad, "ABORTED no"},
};

/* A message would only make it hold more. */
static void who_is_being_ended_is_sent_no_messages(void **unused)
{
    (void)unused;
    for (size_t i = 0; i < ROTA_COUNT(sents); i++) {
        struct rota_slice text = ROTA_SLICE("a");
        struct rota_fake_asker *other;
        struct rota_fake_ask *ask;
        struct server_fixture f;
        print_message("  %s\n", sents[i].rule);
        init(&f, &other);
        ask = rota_fake_ask(f.asker, "/t.S/Quiet", NULL, NULL);
        hoard(&f);
        assert_int_equal(rota_server_call_send(f.call, &text), ROTA_ECLOSED);
        assert_int_equal(rota_server_call_send_initial_metadata(f.call), ROTA_ECLOSED);
        rota_server_call_finish(f.call, sents[i].status);
        let_go(&f);
        assert_string_equal(rota_fake_answer_messages(ask), "");
        assert_string_equal(rota_fake_answer_status(ask), sents[i].want);
        assert_int_equal(f.server->stats.calls_open, 0);
        server_fixture_fini(&f);
    }
}

/* Else it would be held against others. */
static void nothing_more_of_it_is_kept(void **unused)
{
    struct rota_fake_asker *other;
    struct rota_fake_ask *ask;
    struct server_fixture f;

    (void)unused;
    init(&f, &other);
    ask = rota_fake_ask(f.asker, "/t.S/Chat", NULL, NULL);
    settle_queue(&f, other, 10);
    hoard(&f);
    arrive(ask, "much", false);
    assert_int_equal(f.server->held_bytes, MAX_BYTES + 11);
    assert_null(other->why);
    settle_queue(&f, other, 0);
    let_go(&f);
    assert_string_equal(f.trace, "SC");
    server_fixture_fini(&f);
}

/* There is room again before the turn is over, with which the connection goes. */
static void what_lacks_a_message_has_no_end(void **unused)
{
    static const char *const paths[] = {"/t.S/Chat", "/t.S/Join", "/t.S/Echo"};

    (void)unused;
    for (size_t i = 0; i < ROTA_COUNT(paths); i++) {
        struct rota_fake_asker *other;
        struct rota_fake_ask *ask;
        struct server_fixture f;
        char trace[sizeof(f.trace)];
        print_message("  %s\n", paths[i]);
        init(&f, &other);
        ask = rota_fake_ask(f.asker, paths[i], NULL, NULL);
        arrive(ask, "a", false);
        strcpy(trace, f.trace);
        hoard(&f);
        arrive(ask, "b", false);
        settle_queue(&f, f.asker, 0);
        arrive(ask, "", true);
        assert_string_equal(f.trace, trace);
        let_go(&f);
        strcat(trace, i < 2 ? "C" : "");
        assert_string_equal(f.trace, trace);
        assert_string_equal(rota_fake_answer_status(ask), "lost");
        server_fixture_fini(&f);
    }
}

/* --- Time --- */

static int64_t spent_ns, look_ns; /* in this turn; how much more with each look */

static int64_t busy_clock(struct rota_host *host)
{
    if (!host->in_turn)
        return host->now_ns;
    spent_ns += look_ns;
    return host->now_ns + spent_ns;
}

/* All is one turn until the next. */
static void begin_turn(struct server_fixture *f)
{
    f->v.host.in_turn = true;
    f->v.host.clock = busy_clock;
    spent_ns = look_ns = 0;
}

/* In which n calls of a connection begin, whose requests have yet to come. */
static void ask_for_time(struct rota_fake_asker *asker, const char *path, struct rota_fake_ask **asks, size_t n)
{
    for (size_t i = 0; i < n; i++)
        asks[i] = rota_fake_ask(asker, path, NULL, NULL);
}

/* The first look begins the slice, the second finds that it is over. */
static void spend(struct server_fixture *f, struct rota_fake_ask *first, const char *first_text)
{
    begin_turn(f);
    f->server->n_deliveries = ROTA_SERVER_LOOK_EVERY - 1;
    arrive(first, first_text, true);
    spent_ns = SLICE_NS;
    f->server->n_deliveries = ROTA_SERVER_LOOK_EVERY - 1;
}

static void next_turn(struct server_fixture *f)
{
    begin_turn(f);
    f->v.host.now_ns++;
}

static void a_connection_has_a_slice_of_each_turn(void **unused)
{
    struct rota_fake_ask *a[5], *b[2];
    struct rota_fake_asker *other;
    struct server_fixture f;

    (void)unused;
    init(&f, &other);
    ask_for_time(f.asker, "/t.S/Echo", a, 5);
    ask_for_time(other, "/t.S/Echo", b, 2);
    spend(&f, a[0], "a0");
    arrive(a[1], "a1", true);
    arrive(b[0], "b0", true);
    arrive(a[2], "a2", true); /* though the look before was at the other */
    assert_string_equal(f.trace, "m:a0 m:b0 ");
    rota_virtual_host_run(&f.v);
    assert_string_equal(f.trace, "m:a0 m:b0 ");
    next_turn(&f);
    arrive(a[3], "a3", true); /* behind those that wait */
    arrive(b[1], "b1", true);
    assert_string_equal(f.trace, "m:a0 m:b0 m:b1 ");
    rota_virtual_host_run(&f.v);
    assert_string_equal(f.trace, "m:a0 m:b0 m:b1 m:a1 m:a2 m:a3 ");
    arrive(a[4], "a4", true); /* which are gone */
    assert_string_equal(f.trace, "m:a0 m:b0 m:b1 m:a1 m:a2 m:a3 m:a4 ");
    server_fixture_fini(&f);
}

static void those_that_wait_are_served_in_turns(void **unused)
{
    struct rota_fake_ask *a[4], *b[4];
    struct rota_fake_asker *other;
    struct server_fixture f;

    (void)unused;
    init(&f, &other);
    ask_for_time(f.asker, "/t.S/Echo", a, 4);
    ask_for_time(other, "/t.S/Echo", b, 4);
    spend(&f, a[0], "a0");
    arrive(a[1], "a1", true);
    arrive(a[2], "a2", true);
    arrive(a[3], "a3", true);
    arrive(b[0], "b0", true);
    spent_ns += SLICE_NS;
    arrive(b[1], "b1", true);
    arrive(b[2], "b2", true);
    assert_string_equal(f.trace, "m:a0 m:b0 ");
    f.trace[0] = '\0';
    next_turn(&f);
    look_ns = SLICE_NS / 5; /* two looks a call: whether it may, and whether another may */
    rota_host_run(&f.v.host);
    assert_string_equal(f.trace, "m:a1 m:b1 ");
    next_turn(&f);
    rota_host_run(&f.v.host);
    assert_string_equal(f.trace, "m:a1 m:b1 m:a2 m:b2 m:a3 ");
    server_fixture_fini(&f);
}

static void messages_of_streams_wait_too(void **unused)
{
    struct rota_fake_ask *a[2];
    struct rota_fake_asker *other;
    struct server_fixture f;

    (void)unused;
    init(&f, &other);
    ask_for_time(f.asker, "/t.S/Chat", a, 2);
    spend(&f, a[0], "");
    arrive(a[1], "1", false);
    arrive(a[1], "2", true);
    assert_string_equal(f.trace, "SSE");
    assert_int_equal(a[1]->consumed, 0);
    next_turn(&f);
    rota_virtual_host_run(&f.v);
    assert_string_equal(f.trace, "SSEm:1 m:2 E");
    assert_int_equal(a[1]->consumed, 12);
    server_fixture_fini(&f);
}

/* Their connection's other calls go on. */
static void calls_that_are_given_up_while_they_wait_are_gone(void **unused)
{
    struct rota_fake_ask *a[4];
    struct rota_fake_asker *other;
    struct server_fixture f;

    (void)unused;
    init(&f, &other);
    ask_for_time(f.asker, "/t.S/Echo", a, 4);
    spend(&f, a[0], "a0");
    arrive(a[1], "a1", true);
    rota_fake_ask_cancel(a[1]);
    spend(&f, a[2], "a2"); /* nothing waits in front of it */
    arrive(a[3], "a3", true);
    assert_string_equal(f.trace, "m:a0 m:a2 ");
    rota_fake_hang_up(f.asker);
    assert_int_equal(f.server->stats.calls_open, 0);
    assert_int_equal(f.server->held_bytes, 0);
    rota_virtual_host_advance(&f.v, 1);
    assert_string_equal(f.trace, "m:a0 m:a2 ");
    server_fixture_fini(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nothing_is_begun),
        cmocka_unit_test(what_has_come_waits),
        cmocka_unit_test(they_go_on_in_their_order),
        cmocka_unit_test(who_is_being_ended_is_sent_no_messages),
        cmocka_unit_test(nothing_more_of_it_is_kept),
        cmocka_unit_test(what_lacks_a_message_has_no_end),
        cmocka_unit_test(a_connection_has_a_slice_of_each_turn),
        cmocka_unit_test(those_that_wait_are_served_in_turns),
        cmocka_unit_test(messages_of_streams_wait_too),
        cmocka_unit_test(calls_that_are_given_up_while_they_wait_are_gone),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
