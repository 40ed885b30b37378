/* dispatch_test.c - requests and what comes of them: one row per rule. */
#include "server/server_fixture.h"
#include "testing/cmocka.h"
#include <string.h>

#define COMMAS_32 ",,,,,,,,,,,,,,,,,,,,,,,,,,,,,,,,"
#define COMMAS_128 COMMAS_32 COMMAS_32 COMMAS_32 COMMAS_32
#define COMMAS_512 COMMAS_128 COMMAS_128 COMMAS_128 COMMAS_128

/* input: 'e' the client's half ends, 'x' it cancels, '%' half a message, '!' a compressed one, '?' one with flag 7, '#' the prefix of
 * one that is too long, all else a message of that letter. */
static const struct row {
    const char *rule, *path, *header, *value, *input, *status, *messages, *trace;
} rows[] = {
    {"a unary call is echoed", "/t.S/Echo", NULL, NULL, "ae", "OK", "a ", "m:a "},
    {"its handler waits for the client's end", "/t.S/Echo", NULL, NULL, "a", "open", "", ""},
    {"no message at all", "/t.S/Echo", NULL, NULL, "e", "INTERNAL no request message for a method that takes one", "", ""},
    {"two messages", "/t.S/Echo", NULL, NULL, "abe", "INTERNAL more than one request message for a method that takes one", "", ""},
    {"messages are joined", "/t.S/Join", NULL, NULL, "abce", "OK", "3 ", "Sm:a m:b m:c E"},
    {"no message in a client's stream is fine", "/t.S/Join", NULL, NULL, "e", "OK", "0 ", "SE"},
    {"a server's stream", "/t.S/Count", NULL, NULL, "3e", "OK", "n n n ", "m:3 "},
    {"an empty one", "/t.S/Count", NULL, NULL, "0e", "OK", "", "m:0 "},
    {"both at once", "/t.S/Chat", NULL, NULL, "abe", "OK", "a b ", "Sm:a m:b E"},
    {"replies before the client's end", "/t.S/Chat", NULL, NULL, "a", "open", "a ", "Sm:a "},
    {"a client that goes", "/t.S/Chat", NULL, NULL, "ax", "lost", "a ", "Sm:a C"},
    {"a client that goes before a message", "/t.S/Join", NULL, NULL, "x", "lost", "", "SC"},
    {"unary: nobody has heard of it yet", "/t.S/Echo", NULL, NULL, "ax", "lost", "", ""},
    {"without on_cancel, on_end tells", "/t.S/Quiet", NULL, NULL, "ax", "lost", "", "Sm:a E"},
    {"without on_cancel, the end known: nothing tells", "/t.S/Quiet", NULL, NULL, "aex", "lost", "", "Sm:a E"},
    {"unknown method", "/t.S/None", NULL, NULL, "ae", "UNIMPLEMENTED unknown method None for service t.S", "", ""},
    {"a method that is no UTF-8", "/t.S/\xff\xfe", NULL, NULL, "ae", "UNIMPLEMENTED unknown method ?\? for service t.S", "", ""},
    {"a service that is none", "/\xff/Echo", NULL, NULL, "ae", "UNIMPLEMENTED unknown service ?", "", ""},
    {"unknown service", "/t.T/Echo", NULL, NULL, "ae", "UNIMPLEMENTED unknown service t.T", "", ""},
    {"a path of one part", "/t.S", NULL, NULL, "ae", "UNIMPLEMENTED the path \"/t.S\" is not /service/method", "", ""},
    {"a timeout that is none", "/t.S/Echo", "grpc-timeout", "soon", "ae",
     "INTERNAL grpc-timeout \"soon\" is not 1 to 8 digits and a unit (H M S m u n)", "", ""},
    {"a timeout that is over", "/t.S/Join", "grpc-timeout", "0m", "ae", "DEADLINE_EXCEEDED the deadline had passed when the call arrived", "", ""},
    {"a timeout that is not", "/t.S/Echo", "grpc-timeout", "1S", "ae", "OK", "a ", "m:a "},
    {"binary metadata that is not base64", "/t.S/Echo", "a-bin", "!", "ae", "INTERNAL the value of metadata \"a-bin\" is not base64", "", ""},
    {"binary metadata of too many parts", "/t.S/Echo", "a-bin", COMMAS_512, "ae",
     "RESOURCE_EXHAUSTED the request's header list is larger than 16384 bytes, each part of a -bin value counted as a field", "", ""},
    {"an encoding nobody knows", "/t.S/Echo", "grpc-encoding", "odd", "ae", "UNIMPLEMENTED", "", ""},
    {"identity is known", "/t.S/Echo", "grpc-encoding", "identity", "ae", "OK", "a ", "m:a "},
    {"a stream ends inside a message", "/t.S/Chat", NULL, NULL, "a%e", "INTERNAL the stream ended inside a message", "a ", "Sm:a C"},
    {"a compressed message", "/t.S/Chat", NULL, NULL, "a!", "INTERNAL", "a ", "Sm:a C"},
    {"a flag that is none", "/t.S/Echo", NULL, NULL, "?", "INTERNAL", "", ""},
    {"a message over the limit", "/t.S/Echo", NULL, NULL, "#", "RESOURCE_EXHAUSTED", "", ""},
};

static void feed(struct rota_fake_ask *ask, char c)
{
    static const uint8_t half[] = {0, 0, 0, 0, 9, 'x'}, compressed[] = {1, 0, 0, 0, 1, 'x'}, odd[] = {7, 0, 0, 0, 1, 'x'},
                         huge[] = {0, 0, 0x40, 0, 1};
    char text[2] = {c, '\0'};

    switch (c) {
    case 'e': rota_fake_ask_end(ask); break;
    case 'x': rota_fake_ask_cancel(ask); break;
    case '%': rota_fake_ask_data(ask, rota_slice(half, sizeof(half))); break;
    case '!': rota_fake_ask_data(ask, rota_slice(compressed, sizeof(compressed))); break;
    case '?': rota_fake_ask_data(ask, rota_slice(odd, sizeof(odd))); break;
    case '#': rota_fake_ask_data(ask, rota_slice(huge, sizeof(huge))); break;
    default: rota_fake_ask_message(ask, text);
    }
}

static void a_request_comes_to_its_end(void **unused)
{
    (void)unused;
    for (size_t i = 0; i < ROTA_COUNT(rows); i++) {
        const struct row *row = &rows[i];
        struct server_fixture f;
        struct rota_fake_ask *ask;
        print_message("  %s\n", row->rule);
        server_fixture_init(&f, NULL);
        ask = rota_fake_ask(f.asker, row->path, row->header, row->value);
        for (const char *c = row->input; *c != '\0'; c++)
            feed(ask, *c);
        /* A status of one word: its text is another module's. */
        if (strchr(row->status, ' ') == NULL && strncmp(rota_fake_answer_status(ask), row->status, strlen(row->status)) != 0)
            fail_msg("%s, want %s", rota_fake_answer_status(ask), row->status);
        else if (strchr(row->status, ' ') != NULL)
            assert_string_equal(rota_fake_answer_status(ask), row->status);
        assert_string_equal(rota_fake_answer_messages(ask), row->messages);
        assert_string_equal(f.trace, row->trace);
        if (f.call != NULL && strcmp(row->path, "/t.S/Quiet") == 0)
            rota_server_call_finish(f.call, NULL);
        server_fixture_fini(&f);
    }
}

static const struct http_row {
    const char *rule, *method, *content_type, *te, *status;
} http_rows[] = {
    {"GET", "GET", "application/grpc", "trailers", "http 405"},
    {"HEAD", "HEAD", "application/grpc", "trailers", "http 405"},
    {"no gRPC", "POST", "text/html", "trailers", "http 415"},
    {"gRPC-Web is another protocol", "POST", "application/grpc-web", "trailers", "http 415"},
    {"a proxy that drops trailers", "POST", "application/grpc", "gzip", "http 400"},
    {"a subtype", "POST", "application/grpc+proto", "trailers", "OK"},
};

static void what_is_no_grpc_gets_an_http_status(void **unused)
{
    (void)unused;
    for (size_t i = 0; i < ROTA_COUNT(http_rows); i++) {
        const struct http_row *row = &http_rows[i];
        struct rota_header headers[] = {
            {ROTA_SLICE(":method"), rota_slice_str(row->method)}, {ROTA_SLICE(":path"), ROTA_SLICE("/t.S/Echo")},
            {ROTA_SLICE("content-type"), rota_slice_str(row->content_type)}, {ROTA_SLICE("te"), rota_slice_str(row->te)},
        };
        bool not_post = strcmp(row->method, "POST") != 0;
        struct server_fixture f;
        struct rota_fake_ask *ask;
        print_message("  %s\n", row->rule);
        server_fixture_init(&f, NULL);
        ask = rota_fake_ask_raw(f.asker, headers, ROTA_COUNT(headers), false);
        rota_fake_ask_message(ask, "a");
        assert_string_equal(rota_fake_answer_status(ask), "open");
        assert_int_equal(ask->consumed, ask->given);
        rota_fake_ask_end(ask);
        assert_string_equal(rota_fake_answer_status(ask), row->status);
        assert_int_equal(rota_buffer_peek(&ask->data).size > 0, strcmp(row->method, "HEAD") != 0);
        assert_int_equal(rota_fake_answer_header(ask, "allow") != NULL, not_post);
        if (not_post) /* RFC 9110, 15.5.6 */
            assert_string_equal(rota_fake_answer_header(ask, "allow"), "POST");
        server_fixture_fini(&f);
    }
}

/* Nor is one that does not end waited for without end. */
static void what_is_no_grpc_and_does_not_end_is_answered_too(void **unused)
{
    const struct rota_header headers[] = {
        {ROTA_SLICE(":method"), ROTA_SLICE("POST")}, {ROTA_SLICE(":path"), ROTA_SLICE("/t.S/Echo")}, {ROTA_SLICE("content-type"), ROTA_SLICE("text/html")}};
    struct rota_fake_ask *ask, *gone;
    struct server_fixture f;

    (void)unused;
    server_fixture_init(&f, NULL);
    ask = rota_fake_ask_raw(f.asker, headers, ROTA_COUNT(headers), false);
    gone = rota_fake_ask_raw(f.asker, headers, ROTA_COUNT(headers), false);
    rota_virtual_host_advance(&f.v, 999999999);
    server_fixture_run(&f);
    assert_string_equal(rota_fake_answer_status(ask), "open");
    rota_fake_ask_cancel(gone);
    rota_virtual_host_advance(&f.v, 1);
    server_fixture_run(&f);
    assert_string_equal(rota_fake_answer_status(ask), "http 415");
    rota_fake_ask_message(ask, "late");
    rota_fake_ask_end(ask);
    server_fixture_fini(&f);
}

static void a_request_may_come_in_any_pieces(void **unused)
{
    static const uint8_t bytes[] = {0, 0, 0, 0, 2, 'a', 'b', 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 'c'};
    struct rota_fake_ask *ask;
    struct server_fixture f;

    (void)unused;
    for (size_t step = 1; step <= sizeof(bytes); step++) {
        server_fixture_init(&f, NULL);
        ask = rota_fake_ask(f.asker, "/t.S/Chat", NULL, NULL);
        for (size_t at = 0; at < sizeof(bytes); at += step)
            rota_fake_ask_data(ask, rota_slice(bytes + at, sizeof(bytes) - at < step ? sizeof(bytes) - at : step));
        assert_int_equal(ask->consumed, sizeof(bytes));
        rota_fake_ask_end(ask);
        assert_string_equal(f.trace, "Sm:ab m: m:c E");
        assert_string_equal(rota_fake_answer_status(ask), "OK");
        server_fixture_fini(&f);
    }
}

/* Each begins a message of 90 bytes on one connection that may keep 150. */
static void unfinished_messages_are_bounded(void **unused)
{
    struct rota_server_options options = ROTA_SERVER_OPTIONS_INIT;
    uint8_t half[5 + 60] = {0, 0, 0, 0, 90}, rest[30] = {0};
    struct rota_fake_ask *first, *second, *third;
    struct server_fixture f;

    (void)unused;
    options.max_pending_bytes = 150;
    server_fixture_init(&f, &options);
    first = rota_fake_ask(f.asker, "/t.S/Echo", NULL, NULL);
    second = rota_fake_ask(f.asker, "/t.S/Chat", NULL, NULL);
    rota_fake_ask_data(first, rota_slice(half, sizeof(half)));
    assert_string_equal(rota_fake_answer_status(first), "open");
    rota_fake_ask_data(second, rota_slice(half, sizeof(half)));
    assert_string_equal(rota_fake_answer_status(second), "RESOURCE_EXHAUSTED the connection's unfinished requests take too much memory");
    rota_fake_ask_data(first, rota_slice(rest, sizeof(rest)));
    rota_fake_ask_end(first);
    assert_string_equal(rota_fake_answer_status(first), "OK");
    third = rota_fake_ask(f.asker, "/t.S/Chat", NULL, NULL);
    rota_fake_ask_data(third, rota_slice(half, sizeof(half)));
    assert_string_equal(rota_fake_answer_status(third), "open");
    rota_fake_ask_cancel(third);
    third = rota_fake_ask(f.asker, "/t.S/Chat", NULL, NULL);
    rota_fake_ask_data(third, rota_slice(half, sizeof(half)));
    assert_string_equal(rota_fake_answer_status(third), "open");
    server_fixture_fini(&f);
}

/* Whoever lets no reply through is refused before all others are. */
static void replies_that_wait_on_a_connection_are_bounded(void **unused)
{
    struct rota_server_options options = ROTA_SERVER_OPTIONS_INIT;
    struct rota_fake_asker *other;
    struct rota_fake_ask *ask;
    struct server_fixture f;

    (void)unused;
    options.max_pending_bytes = 150;
    server_fixture_init(&f, &options);
    other = rota_fake_connect(&f.acceptor);
    f.asker->conn.queued_bytes = 151; /* only the connection itself knows */
    ask = rota_fake_ask(f.asker, "/t.S/Echo", NULL, NULL);
    assert_string_equal(rota_fake_answer_status(ask), "RESOURCE_EXHAUSTED what waits on the connection takes too much memory");
    ask = rota_fake_ask(other, "/t.S/Echo", NULL, NULL);
    rota_fake_ask_message(ask, "a");
    rota_fake_ask_end(ask);
    assert_string_equal(rota_fake_answer_status(ask), "OK");
    f.asker->conn.queued_bytes = 150;
    ask = rota_fake_ask(f.asker, "/t.S/Echo", NULL, NULL);
    rota_fake_ask_message(ask, "a");
    rota_fake_ask_end(ask);
    assert_string_equal(rota_fake_answer_status(ask), "OK");
    server_fixture_fini(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(replies_that_wait_on_a_connection_are_bounded),
        cmocka_unit_test(a_request_comes_to_its_end),
        cmocka_unit_test(what_is_no_grpc_gets_an_http_status),
        cmocka_unit_test(what_is_no_grpc_and_does_not_end_is_answered_too),
        cmocka_unit_test(a_request_may_come_in_any_pieces),
        cmocka_unit_test(unfinished_messages_are_bounded),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
