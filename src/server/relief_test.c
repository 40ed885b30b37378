/* relief_test.c - connections that hold too much together: which of them are ended, and that nobody else notices. */
#include "server/server_fixture.h"
#include "testing/cmocka.h"
#include <stdio.h>
#include <string.h>

#define CONNS 5

/* What is queued on connections, oldest first, under a bound of 800 (a new call frees down to 700); which go when one comes on the last. That one
 * is refused then, and tried again. */
static const struct relief_case {
    const char *rule;
    size_t held[CONNS];
    const char *want; /* a letter a connection: Ended, Kept */
} cases[] = {
    {"at the bound nobody goes", {400, 300, 100, 0, 0}, "KKKKK"},
    {"beyond it the one that holds most", {100, 600, 101, 0, 0}, "KEKKK"},
    {"as many as it takes to free an eighth", {260, 20, 280, 270, 0}, "EKKKK"},
    {"all of the largest before the next", {30, 600, 40, 550, 50}, "KEKKK"},
    {"two when one is not enough", {30, 590, 40, 840, 50}, "KEKEK"},
    {"those that hold nothing stay", {0, 0, 1600, 0, 0}, "KKEKK"},
    {"many that hold little go by age", {162, 162, 162, 162, 162}, "EKKKK"},
    {"one alone that holds all", {0, 0, 0, 0, 801}, "KKKKE"},
};

static void settle_queue(struct server_fixture *f, struct rota_fake_asker *asker, size_t bytes)
{
    f->server->held_bytes += bytes - asker->conn.queued_bytes;
    asker->conn.queued_bytes = bytes;
}

static void who_holds_most_goes_first(void **unused)
{
    (void)unused;
    for (size_t i = 0; i < ROTA_COUNT(cases); i++) {
        struct rota_server_options options = ROTA_SERVER_OPTIONS_INIT;
        struct rota_fake_asker *askers[CONNS];
        struct rota_fake_ask *ask;
        struct server_fixture f;
        char got[CONNS + 1] = "";
        print_message("  %s\n", cases[i].rule);
        options.max_total_bytes = 800;
        server_fixture_init(&f, &options);
        for (size_t k = 0; k < CONNS; k++) {
            askers[k] = k == 0 ? f.asker : rota_fake_connect(&f.acceptor);
            settle_queue(&f, askers[k], cases[i].held[k]);
        }
        ask = rota_fake_ask(askers[CONNS - 1], "/t.S/Quiet", NULL, NULL);
        for (size_t k = 0; k < CONNS; k++) {
            got[k] = askers[k]->closed ? 'E' : 'K';
            assert_int_equal(askers[k]->why != NULL, askers[k]->closed);
            settle_queue(&f, askers[k], 0); /* as the transport does when streams go */
        }
        assert_string_equal(got, cases[i].want);
        assert_string_equal(rota_fake_answer_status(ask), strchr(got, 'E') == NULL ? "open" : "reset 7");
        rota_fake_ask_cancel(ask);
        if (f.call != NULL)
            rota_server_call_finish(f.call, NULL);
        if (got[CONNS - 1] == 'K') {
            ask = rota_fake_ask(askers[CONNS - 1], "/t.S/Echo", NULL, NULL);
            rota_fake_ask_message(ask, "a");
            rota_fake_ask_end(ask);
            assert_string_equal(rota_fake_answer_status(ask), "OK");
        }
        assert_int_equal(f.server->held_bytes, 0);
        assert_int_equal(f.server->leaving_bytes, 0);
        server_fixture_fini(&f);
    }
}

static struct rota_fake_ask *begin_message(struct rota_fake_asker *asker, size_t bytes)
{
    struct rota_fake_ask *ask = rota_fake_ask(asker, "/t.S/Chat", NULL, NULL);
    uint8_t half[200] = {0, 0, 0, 0, 250}; /* counts for all that it will be */

    rota_fake_ask_data(ask, rota_slice(half, bytes));
    return ask;
}

/* Messages that are not whole, not queues: the one that makes it too much is itself served when others hold more. */
static void unfinished_messages_are_relieved_too(void **unused)
{
    struct rota_server_options options = ROTA_SERVER_OPTIONS_INIT;
    struct rota_fake_ask *hoard, *small, *late;
    struct rota_fake_asker *other;
    struct server_fixture f;

    (void)unused;
    options.max_total_bytes = 700;
    server_fixture_init(&f, &options);
    other = rota_fake_connect(&f.acceptor);
    hoard = begin_message(f.asker, 195);
    (void)begin_message(f.asker, 195);
    small = begin_message(other, 40);
    assert_string_equal(rota_fake_answer_status(hoard), "lost");
    assert_string_equal(rota_fake_answer_status(small), "open");
    assert_true(f.asker->closed);
    assert_int_equal(f.server->leaving_bytes, 0);
    assert_int_equal(f.server->held_bytes, 250);
    late = rota_fake_ask(other, "/t.S/Echo", NULL, NULL);
    rota_fake_ask_message(late, "a");
    rota_fake_ask_end(late);
    assert_string_equal(rota_fake_answer_status(late), "OK");
    server_fixture_fini(&f);
}

static const struct left_case {
    const char *rule;
    size_t left; /* in the queue when its only stream goes */
    size_t want;
} lefts[] = {
    {"what is free is free", 0, 0},
    {"and it alone", 1, 1},
    {"also when more has come", 900, 801},
};

/* The connection itself goes later, when it has said why. */
static void what_leaves_counts_while_it_is_there(void **unused)
{
    (void)unused;
    for (size_t i = 0; i < ROTA_COUNT(lefts); i++) {
        const struct left_case *c = &lefts[i];
        struct rota_server_options options = ROTA_SERVER_OPTIONS_INIT;
        struct rota_server_conn *conn;
        struct rota_fake_ask *ask;
        struct server_fixture f;
        print_message("  %s\n", c->rule);
        options.max_total_bytes = 800;
        server_fixture_init(&f, &options);
        conn = f.asker->owner;
        ask = rota_fake_ask(f.asker, "/t.S/Quiet", NULL, NULL);
        settle_queue(&f, f.asker, 801);
        assert_false(rota_server_make_room(f.server, conn));
        assert_int_equal(f.server->leaving_bytes, 801);
        settle_queue(&f, f.asker, c->left);
        ask->queued = 1; /* so that the stream is reset */
        rota_server_call_expire(f.call);
        rota_server_call_finish(f.call, NULL);
        assert_true(ask->reset);
        assert_int_equal(f.server->leaving_bytes, c->want);
        assert_int_equal(conn->leaving_bytes, c->want);
        server_fixture_run(&f);
        assert_true(f.asker->closed);
        assert_int_equal(f.server->leaving_bytes, 0);
        settle_queue(&f, f.asker, 0);
        server_fixture_fini(&f);
    }
}

/* Half a frame is queued, and no call comes of it. */
static void the_transport_asks_for_room(void **unused)
{
    struct rota_server_options options = ROTA_SERVER_OPTIONS_INIT;
    struct rota_fake_asker *other;
    struct server_fixture f;

    (void)unused;
    options.max_total_bytes = 800;
    server_fixture_init(&f, &options);
    other = rota_fake_connect(&f.acceptor);
    settle_queue(&f, other, 790);
    settle_queue(&f, f.asker, 10);
    f.asker->events->on_room(f.asker->owner);
    assert_null(other->why);
    settle_queue(&f, f.asker, 11);
    f.asker->events->on_room(f.asker->owner);
    assert_non_null(other->why);
    assert_null(f.asker->why);
    assert_int_equal(f.server->leaving_bytes, 790);
    settle_queue(&f, other, 0);
    other->events->on_room(other->owner);
    assert_int_equal(f.server->leaving_bytes, 0);
    settle_queue(&f, f.asker, 0);
    server_fixture_fini(&f);
}

/* A client names them in a few bytes each, once its table has them. */
static void large_headers_count(void **unused)
{
    struct rota_server_options options = ROTA_SERVER_OPTIONS_INIT;
    struct rota_fake_ask *hoard, *small;
    struct rota_fake_asker *other;
    struct server_fixture f;
    static char value[3001];

    (void)unused;
    memset(value, 'v', sizeof(value) - 1);
    options.max_total_bytes = 8000;
    server_fixture_init(&f, &options);
    other = rota_fake_connect(&f.acceptor);
    hoard = rota_fake_ask(f.asker, "/t.S/Chat", "x", value);
    assert_in_range(f.server->held_bytes, 3000, 4000);
    small = rota_fake_ask(other, "/t.S/Chat", "x", "v");
    assert_in_range(f.server->held_bytes, 3000, 4000);
    (void)rota_fake_ask(f.asker, "/t.S/Chat", "x", value);
    assert_string_equal(rota_fake_answer_status(hoard), "open");
    (void)rota_fake_ask(f.asker, "/t.S/Chat", "x", value);
    assert_string_equal(rota_fake_answer_status(hoard), "lost");
    assert_true(f.asker->closed);
    assert_int_equal(f.server->held_bytes, 0);
    assert_string_equal(rota_fake_answer_status(small), "open");
    server_fixture_fini(&f);
}

static const struct refused_case {
    const char *rule, *method, *path, *name;
    bool end;
} refuseds[] = {
    {"an unknown method", "POST", "/t.S/None", "x", false},
    {"a bad path", "POST", "/", "x", false},
    {"bad metadata", "POST", "/t.S/Echo", "x-bin", false},
    {"no gRPC", "GET", "/t.S/Echo", "x", false},
    {"no gRPC, and over", "GET", "/t.S/Echo", "x", true},
};

/* Their answers may wait as long as the client likes. */
static void headers_of_refused_calls_count_too(void **unused)
{
    static char value[3001];

    (void)unused;
    memset(value, '!', sizeof(value) - 1);
    for (size_t i = 0; i < ROTA_COUNT(refuseds); i++) {
        const struct refused_case *c = &refuseds[i];
        const struct rota_header headers[] = {
            {ROTA_SLICE(":method"), rota_slice_str(c->method)}, {ROTA_SLICE(":path"), rota_slice_str(c->path)},
            {ROTA_SLICE("content-type"), ROTA_SLICE("application/grpc")}, {rota_slice_str(c->name), rota_slice(value, sizeof(value) - 1)},
        };
        struct rota_server_options options = ROTA_SERVER_OPTIONS_INIT;
        struct rota_fake_asker *other;
        struct server_fixture f;
        print_message("  %s\n", c->rule);
        options.max_total_bytes = 10000;
        server_fixture_init(&f, &options);
        other = rota_fake_connect(&f.acceptor);
        settle_queue(&f, other, 7500);
        (void)rota_fake_ask_raw(f.asker, headers, ROTA_COUNT(headers), c->end);
        assert_true(other->closed);
        assert_false(f.asker->closed);
        settle_queue(&f, other, 0);
        server_fixture_fini(&f);
    }
}

static const struct answer_case {
    const char *rule, *method, *path;
    bool asked_before; /* when nothing was held */
    char how; /* then: a message, the status, initial metadata, or what comes at the request's end */
} answers[] = {
    {"a message of a call that was let in long ago", "POST", "/t.S/Quiet", true, 'm'},
    {"the status of one", "POST", "/t.S/Quiet", true, 's'},
    {"the initial metadata of one, alone", "POST", "/t.S/Quiet", true, 'i'},
    {"the answer to what is no gRPC", "GET", "/t.S/Echo", true, 'e'},
    {"a call that is not even begun", "POST", "/t.S/None", false, 0},
};

static void have_answered(struct server_fixture *f, char how, struct rota_fake_ask *ask)
{
    struct rota_slice text = ROTA_SLICE("a");

    if (how == 'm')
        assert_int_equal(rota_server_call_send(f->call, &text), 0);
    else if (how == 'i')
        assert_int_equal(rota_server_call_send_initial_metadata(f->call), 0);
    else if (how == 's')
        rota_server_call_finish(f->call, NULL);
    else
        rota_fake_ask_end(ask);
}

/* Each may be the one too many, on whatever connection. */
static void what_is_sent_is_looked_at_too(void **unused)
{
    (void)unused;
    for (size_t i = 0; i < ROTA_COUNT(answers); i++) {
        const struct answer_case *c = &answers[i];
        const struct rota_header headers[] = {{ROTA_SLICE(":method"), rota_slice_str(c->method)}, {ROTA_SLICE(":path"), rota_slice_str(c->path)},
                                              {ROTA_SLICE("content-type"), ROTA_SLICE("application/grpc")}};
        struct rota_server_options options = ROTA_SERVER_OPTIONS_INIT;
        struct rota_fake_asker *other;
        struct rota_fake_ask *ask;
        struct server_fixture f;
        print_message("  %s\n", c->rule);
        options.max_total_bytes = 800;
        server_fixture_init(&f, &options);
        other = rota_fake_connect(&f.acceptor);
        if (!c->asked_before)
            settle_queue(&f, other, 801);
        ask = rota_fake_ask_raw(f.asker, headers, ROTA_COUNT(headers), !c->asked_before);
        if (c->asked_before) {
            settle_queue(&f, other, 801);
            have_answered(&f, c->how, ask);
            server_fixture_run(&f);
        }
        assert_true(other->closed);
        assert_false(f.asker->closed);
        settle_queue(&f, other, 0);
        if (c->how == 'm' || c->how == 'i')
            rota_server_call_finish(f.call, NULL);
        server_fixture_fini(&f);
    }
}

/* A client may take so few header bytes that not even a bare refusal may be sent. */
static void a_refusal_that_cannot_be_sent_frees_its_headers(void **unused)
{
    static char value[3001];
    const struct rota_header headers[] = {
        {ROTA_SLICE(":method"), ROTA_SLICE("GET")}, {ROTA_SLICE(":path"), ROTA_SLICE("/")}, {ROTA_SLICE("x"), rota_slice(value, sizeof(value) - 1)}};
    struct rota_fake_ask *at_once, *late;
    struct server_fixture f;

    (void)unused;
    memset(value, 'v', sizeof(value) - 1);
    server_fixture_init(&f, NULL);
    f.acceptor.send_err = ROTA_ELIMIT;
    at_once = rota_fake_ask_raw(f.asker, headers, ROTA_COUNT(headers), true);
    assert_string_equal(rota_fake_answer_status(at_once), "reset 7");
    assert_int_equal(f.server->held_bytes, 0);
    late = rota_fake_ask_raw(f.asker, headers, ROTA_COUNT(headers), false);
    assert_in_range(f.server->held_bytes, 3000, 4000);
    rota_virtual_host_advance(&f.v, INT64_C(1000000000));
    server_fixture_run(&f);
    assert_string_equal(rota_fake_answer_status(late), "reset 7");
    assert_int_equal(f.server->held_bytes, 0);
    server_fixture_fini(&f);
}

/* The reply is all that is left of it, for as long as the client likes. */
static void an_answered_call_gives_its_memory_back(void **unused)
{
    static uint8_t message[100000] = {0, 0, 1, 0x86, 0xa0 - 5};
    static char value[3001];
    const struct rota_server_call *call;
    struct rota_fake_ask *ask;
    struct server_fixture f;

    (void)unused;
    memset(value, 'v', sizeof(value) - 1);
    server_fixture_init(&f, NULL);
    ask = rota_fake_ask(f.asker, "/t.S/Echo", "x", value);
    rota_fake_ask_data(ask, rota_slice(message, sizeof(message)));
    call = ROTA_CONTAINER(f.server->calls.next, struct rota_server_call, link);
    assert_in_range(call->arena.used_bytes, 103000, 1000000);
    assert_in_range(f.server->held_bytes, 103000, 1000000);
    ask->queued = 1;
    rota_fake_ask_end(ask);
    assert_string_equal(rota_fake_answer_status(ask), "OK");
    assert_false(ask->dead);
    assert_int_equal(f.server->held_bytes, 0);
    assert_int_equal(call->arena.used_bytes, 0);
    rota_fake_ask_writable(ask);
    assert_true(ask->dead);
    server_fixture_fini(&f);
}

/* Its own call is the one that adds too much: answered, and its memory is free at once. */
static void a_hoard_that_grows_ends_itself(void **unused)
{
    struct rota_server_options options = ROTA_SERVER_OPTIONS_INIT;
    struct rota_fake_ask *first, *second;
    struct server_fixture f;

    (void)unused;
    options.max_total_bytes = 300;
    server_fixture_init(&f, &options);
    first = begin_message(f.asker, 195);
    second = begin_message(f.asker, 195);
    assert_string_equal(rota_fake_answer_status(first), "lost");
    assert_string_equal(rota_fake_answer_status(second), "RESOURCE_EXHAUSTED the server's unfinished messages take too much memory");
    assert_true(f.asker->closed);
    assert_int_equal(f.server->held_bytes, 0);
    server_fixture_fini(&f);
}

struct lines {
    unsigned n;
    char last[300];
};

static void note_line(void *ctx, enum rota_log_level level, const char *area, const char *text)
{
    struct lines *lines = ctx;

    if (level != ROTA_LOG_WARN)
        return;
    assert_string_equal(area, "server");
    lines->n++;
    snprintf(lines->last, sizeof(lines->last), "%s", text);
}

/* Two ends at once are one line; a second later the next says how many it has not told of. */
static void the_log_has_a_line_a_second(void **unused)
{
    struct lines lines = {0};
    const struct rota_log log = {.write = note_line, .ctx = &lines, .level = ROTA_LOG_WARN};
    struct rota_server_options options = ROTA_SERVER_OPTIONS_INIT;
    struct rota_fake_asker *other, *third;
    struct server_fixture f;

    (void)unused;
    options.max_total_bytes = 100;
    options.log = &log;
    server_fixture_init(&f, &options);
    other = rota_fake_connect(&f.acceptor);
    third = rota_fake_connect(&f.acceptor);
    settle_queue(&f, f.asker, 1000);
    settle_queue(&f, other, 600);
    (void)rota_fake_ask(third, "/t.S/Echo", NULL, NULL);
    assert_true(f.asker->closed && other->closed);
    assert_int_equal(lines.n, 1);
    settle_queue(&f, f.asker, 0);
    settle_queue(&f, other, 0);
    rota_virtual_host_advance(&f.v, INT64_C(1000000000));
    settle_queue(&f, third, 101);
    (void)rota_fake_ask(third, "/t.S/Echo", NULL, NULL);
    assert_true(third->closed);
    assert_int_equal(lines.n, 2);
    assert_string_equal(lines.last, "192.0.2.1:5000: ended, it held 101 of the 100 bytes that may wait on all connections (and 1 more like it)");
    settle_queue(&f, third, 0);
    server_fixture_fini(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(who_holds_most_goes_first),
        cmocka_unit_test(unfinished_messages_are_relieved_too),
        cmocka_unit_test(what_leaves_counts_while_it_is_there),
        cmocka_unit_test(the_transport_asks_for_room),
        cmocka_unit_test(large_headers_count),
        cmocka_unit_test(headers_of_refused_calls_count_too),
        cmocka_unit_test(what_is_sent_is_looked_at_too),
        cmocka_unit_test(a_refusal_that_cannot_be_sent_frees_its_headers),
        cmocka_unit_test(an_answered_call_gives_its_memory_back),
        cmocka_unit_test(a_hoard_that_grows_ends_itself),
        cmocka_unit_test(the_log_has_a_line_a_second),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
