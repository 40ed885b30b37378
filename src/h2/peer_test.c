/* peer_test.c - what a bad peer sends: the stream or the connection ends with the right code, and somebody is told why. */
#include "base/assert.h"
#include "h2/pair_fixture.h"
#include "h2/wire_fixture.h"
#include "testing/cmocka.h"

static struct wire wire; /* too large for the stack */

/* --- A server that is fed by hand --- */

static void garbage(void)
{
    wire_raw(&wire, "\xff\xfe\xfd", 3);
}

static void http1(void)
{
    wire_raw(&wire, "GET / HTTP/1.1\r\n\r\n", 18);
}

static void http1_post(void)
{
    wire_raw(&wire, "POST / HTTP/1.1\r\nhost: x\r\n\r\n", 28);
}

static void tls(void)
{
    wire_raw(&wire, "\x16\x03\x01\x02", 4);
}

static void plain_request(void)
{
    wire_magic(&wire);
    wire_headers(&wire, WIRE_END_STREAM, 1, WIRE_REQUEST);
}

static void no_method(void)
{
    wire_magic(&wire);
    wire_headers(&wire, WIRE_END_STREAM, 1, ":scheme=http|:path=/a/b|:authority=x");
    wire_headers(&wire, WIRE_END_STREAM, 3, WIRE_REQUEST);
}

/* What etcd's Go client sends when it asks one member. */
static void authority_is_a_url(void)
{
    wire_magic(&wire);
    wire_headers(&wire, WIRE_END_STREAM, 1, ":method=POST|:scheme=http|:path=/a/b|:authority=http://127.0.0.1:2379");
}

static void bad_fields(void)
{
    static const char *const fields[] = {
        ":method=POST|:method=POST|:scheme=http|:path=/a/b", /* twice */
        ":method=POST|:scheme=http|x=y|:path=/a/b",          /* late */
        ":method=POST|:scheme=http|:path=",                  /* empty */
        ":method=POST|:scheme=http|:path=/a/b|:status=200",  /* a response's */
        WIRE_REQUEST "|connection=close",
        WIRE_REQUEST "|te=gzip",
        WIRE_REQUEST "|x=a\r\nb",
        WIRE_REQUEST "|content-length=x",
        WIRE_REQUEST "|content-length=5", /* and no body */
    };

    wire_magic(&wire);
    for (size_t i = 0; i < ROTA_COUNT(fields); i++)
        wire_headers(&wire, WIRE_END_STREAM, (uint32_t)(2 * i + 1), fields[i]);
    wire_headers(&wire, WIRE_END_STREAM, 2 * ROTA_COUNT(fields) + 1, WIRE_REQUEST);
}

static void body_too_long(void)
{
    wire_magic(&wire);
    wire_headers(&wire, 0, 1, WIRE_REQUEST "|content-length=0");
    wire_frame(&wire, WIRE_DATA, WIRE_END_STREAM, 1, "x", 1);
}

static void trailers_go_on(void)
{
    wire_magic(&wire);
    wire_headers(&wire, 0, 1, WIRE_REQUEST);
    wire_headers(&wire, 0, 1, "x=y");
}

static void upper_case_name(void)
{
    wire_magic(&wire);
    wire_headers(&wire, WIRE_END_STREAM, 1, WIRE_REQUEST "|Foo=bar");
}

static void data_on_idle(void)
{
    wire_magic(&wire);
    wire_frame(&wire, WIRE_DATA, 0, 1, "x", 1);
}

static void data_after_end(void)
{
    plain_request();
    wire_frame(&wire, WIRE_DATA, 0, 1, "x", 1);
}

static void window_overflow(void)
{
    wire_magic(&wire);
    wire_headers(&wire, 0, 1, WIRE_REQUEST);
    wire_number(&wire, WIRE_WINDOW, 1, 0x7fffffff);
    wire_headers(&wire, WIRE_END_STREAM, 3, WIRE_REQUEST);
}

static void connection_window_overflow(void)
{
    wire_magic(&wire);
    wire_number(&wire, WIRE_WINDOW, 0, 0x7fffffff);
}

static void frame_too_large(void)
{
    static const uint8_t zeros[16385];

    wire_magic(&wire);
    wire_frame(&wire, WIRE_PING, 0, 0, zeros, sizeof(zeros));
}

static void bad_hpack(void)
{
    wire_magic(&wire);
    wire_frame(&wire, WIRE_HEADERS, WIRE_END_HEADERS, 1, "\xff\xff\xff\xff\xff\xff", 6);
}

static void stream_backwards(void)
{
    wire_magic(&wire);
    wire_headers(&wire, WIRE_END_STREAM, 1, WIRE_REQUEST);
    wire_headers(&wire, WIRE_END_STREAM, 9, WIRE_REQUEST);
    wire_headers(&wire, WIRE_END_STREAM, 11, WIRE_REQUEST);
    wire_headers(&wire, WIRE_END_STREAM, 7, WIRE_REQUEST);
}

/* The stream is over here, but the peer could not know that when it sent them. */
static void late_trailers(void)
{
    window_overflow();
    wire_headers(&wire, WIRE_END_STREAM, 1, "x=y");
}

static void even_stream(void)
{
    wire_magic(&wire);
    wire_headers(&wire, WIRE_END_STREAM, 2, WIRE_REQUEST);
}

static void interrupted_headers(void)
{
    wire_magic(&wire);
    wire_frame(&wire, WIRE_HEADERS, 0, 1, "", 0);
    wire_frame(&wire, WIRE_PING, 0, 0, "12345678", 8);
}

static void content_length_lies(void)
{
    wire_magic(&wire);
    wire_headers(&wire, 0, 1, WIRE_REQUEST "|content-length=5");
    wire_frame(&wire, WIRE_DATA, WIRE_END_STREAM, 1, "xx", 2);
}

static void too_many_streams(void)
{
    wire_magic(&wire);
    for (uint32_t id = 1; id <= 7; id += 2)
        wire_headers(&wire, 0, id, WIRE_REQUEST);
}

static void large_headers(void)
{
    char fields[2500] = WIRE_REQUEST;

    for (int i = 0; i < 20; i++)
        strcat(fields, "|x=yyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyy");
    wire_magic(&wire);
    wire_headers(&wire, 0, 1, fields);
    wire_headers(&wire, WIRE_END_STREAM, 3, WIRE_REQUEST);
}

static void large_trailers(void)
{
    char fields[2500] = "";

    for (int i = 0; i < 20; i++)
        strcat(fields, "x=yyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyy|");
    wire_magic(&wire);
    wire_headers(&wire, 0, 1, WIRE_REQUEST);
    wire_headers(&wire, WIRE_END_STREAM, 1, fields);
}

/* In more pieces than are free, and longer than any list that may be sent. */
static void continuation_flood(void)
{
    static uint8_t fields[500];

    memset(fields, 0x82, sizeof(fields)); /* :method */
    wire_magic(&wire);
    wire_frame(&wire, WIRE_HEADERS, 0, 1, "", 0);
    for (int i = 0; i < 33; i++)
        wire_frame(&wire, WIRE_CONT, 0, 1, fields, sizeof(fields));
}

static void rapid_reset(void)
{
    wire_magic(&wire);
    for (uint32_t id = 1; id < 2 * 5100; id += 2) {
        wire_headers(&wire, 0, id, WIRE_REQUEST);
        wire_number(&wire, WIRE_RST, id, 8);
    }
}

static void streams_without_end(void)
{
    wire_magic(&wire);
    for (uint32_t id = 1; id < 2 * 7100; id += 2)
        wire_headers(&wire, 0, id, WIRE_REQUEST);
}

static void made_you_reset(void)
{
    wire_magic(&wire);
    for (uint32_t id = 1; id < 3000; id += 2) {
        wire_headers(&wire, 0, id, WIRE_REQUEST);
        wire_number(&wire, WIRE_WINDOW, id, 0x7fffffff);
    }
}

static void empty_data(void)
{
    wire_magic(&wire);
    wire_headers(&wire, 0, 1, WIRE_REQUEST);
    for (int i = 0; i < 1001; i++)
        wire_frame(&wire, WIRE_DATA, 0, 1, "", 0);
}

static void settings_flood(void)
{
    for (wire_magic(&wire); wire.size < 9 * 1100;)
        wire_frame(&wire, WIRE_SETTINGS, 0, 0, NULL, 0);
}

static void ping_flood(void)
{
    for (wire_magic(&wire); wire.size < 17 * 10100;)
        wire_frame(&wire, WIRE_PING, 0, 0, "12345678", 8);
}

/* --- A client that is fed by hand, with one stream open --- */

static void settings(void)
{
    wire_frame(&wire, WIRE_SETTINGS, 0, 0, NULL, 0);
}

static void http1_answer(void)
{
    wire_raw(&wire, "HTTP/1.1 400 Bad Request\r\n", 26);
}

static void tls_alert(void)
{
    wire_raw(&wire, "\x15\x03\x01", 3);
}

static void no_settings(void)
{
    wire_frame(&wire, WIRE_PING, 0, 0, "12345678", 8);
}

static void informational(void)
{
    settings();
    wire_headers(&wire, 0, 1, ":status=100");
    wire_headers(&wire, 0, 1, ":status=103|link=x");
    wire_headers(&wire, 0, 1, ":status=200");
    wire_headers(&wire, WIRE_END_STREAM, 1, "grpc-status=0");
}

static void push(void)
{
    settings();
    wire_frame(&wire, WIRE_SETTINGS, WIRE_ACK, 0, NULL, 0);
    wire_frame(&wire, WIRE_PUSH, WIRE_END_HEADERS, 1, "\0\0\0\2\x82", 5);
}

static void headers_for_nobody(void)
{
    settings();
    wire_headers(&wire, 0, 3, ":status=200");
}

static void status_is_no_number(void)
{
    settings();
    wire_headers(&wire, 0, 1, ":status=abc");
}

static void data_before_headers(void)
{
    settings();
    wire_frame(&wire, WIRE_DATA, 0, 1, "x", 1);
}

static void trailers_without_end(void)
{
    settings();
    wire_headers(&wire, 0, 1, ":status=200");
    wire_headers(&wire, 0, 1, "grpc-status=0");
}

static void more_than_the_window(void)
{
    static uint8_t data[16384];

    memset(data, 'x', sizeof(data));
    settings();
    wire_headers(&wire, 0, 1, ":status=200");
    for (int i = 0; i < 5; i++)
        wire_frame(&wire, WIRE_DATA, 0, 1, data, sizeof(data));
}

static void goaway_raises(void)
{
    settings();
    wire_frame(&wire, WIRE_GOAWAY, 0, 0, "\0\0\0\1\0\0\0\0", 8);
    wire_frame(&wire, WIRE_GOAWAY, 0, 0, "\0\0\0\3\0\0\0\0", 8);
}

static void goaway_even(void)
{
    settings();
    wire_frame(&wire, WIRE_GOAWAY, 0, 0, "\0\0\0\2\0\0\0\0", 8);
}

static void goaway_of_client(void)
{
    wire_magic(&wire);
    wire_headers(&wire, 0, 1, WIRE_REQUEST);
    wire_frame(&wire, WIRE_GOAWAY, 0, 0, "\0\0\0\1\0\0\0\0", 8);
    wire_frame(&wire, WIRE_GOAWAY, 0, 0, "\x7f\xff\xff\xff\0\0\0\0", 8);
    wire_frame(&wire, WIRE_DATA, WIRE_END_STREAM, 1, "x", 1);
}

static void header_bomb(void)
{
    char fields[2500] = ":status=200";

    for (int i = 0; i < 20; i++)
        strcat(fields, "|x=yyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyy");
    settings();
    wire_headers(&wire, 0, 1, fields);
}

static const struct peer_case {
    const char *rule;
    bool server;
    void (*write)(void);
    const char *want_log;
    rota_err want_err;     /* 0: the connection goes on */
    const char *want_fault;
} cases[] = {
    {"garbage is no HTTP/2", true, garbage, "", ROTA_EPROTO, "the client does not speak HTTP/2"},
    {"HTTP/1 is named", true, http1, "", ROTA_EPROTO, "the client speaks HTTP/1, not HTTP/2"},
    {"POST is no PRI", true, http1_post, "", ROTA_EPROTO, "the client does not speak HTTP/2"},
    {"TLS is named", true, tls, "", ROTA_EPROTO, "the client speaks TLS, but this port does not"},
    {"a request by hand is a request", true, plain_request, "ready request/1:4:end", 0, ""},
    {"a request without :method costs its stream only", true, no_method, "ready request/1:4:end", 0, ""},
    {"an upper-case name costs the stream", true, upper_case_name, "ready", 0, ""},
    {"an :authority may be a URL", true, authority_is_a_url, "ready request/1:4:end", 0, ""},
    {"fields that HTTP/2 forbids cost the stream", true, bad_fields, "ready request/1:4:end", 0, ""},
    {"a body longer than it said costs the stream", true, body_too_long, "ready request/1:5 closed/1:protocol(1)", 0, ""},
    {"trailers end the stream", true, trailers_go_on, "ready request/1:4 closed/1:protocol(1)", 0, ""},
    {"DATA on an idle stream", true, data_on_idle, "ready", ROTA_EPROTO,
        "the peer broke HTTP/2 (PROTOCOL_ERROR): DATA on an idle stream"},
    {"DATA after the end costs the stream", true, data_after_end, "ready request/1:4:end closed/1:protocol(5)", 0, ""},
    {"a stream window that overflows costs the stream", true, window_overflow,
        "ready request/1:4 closed/1:protocol(3) request/2:4:end", 0, ""},
    {"the connection's window overflows", true, connection_window_overflow, "ready", ROTA_EPROTO,
        "the peer broke HTTP/2 (FLOW_CONTROL_ERROR): WINDOW_UPDATE overflows the connection's window"},
    {"a frame above the announced size", true, frame_too_large, "ready", ROTA_EPROTO,
        "the peer broke HTTP/2 (FRAME_SIZE_ERROR): a frame above the announced size"},
    {"a header block that is no HPACK", true, bad_hpack, "ready", ROTA_EPROTO,
        "the peer broke HTTP/2 (COMPRESSION_ERROR): a header block that is no HPACK"},
    {"a client's stream has an odd number", true, even_stream, "ready", ROTA_EPROTO,
        "the peer broke HTTP/2 (PROTOCOL_ERROR): a request with an even stream id"},
    {"a stream id that was left out cannot be used later", true, stream_backwards,
        "ready request/1:4:end request/2:4:end request/3:4:end", ROTA_EPROTO,
        "the peer broke HTTP/2 (PROTOCOL_ERROR): a stream id that was left out before"},
    {"trailers of a stream that is over are no new stream", true, late_trailers,
        "ready request/1:4 closed/1:protocol(3) request/2:4:end", 0, ""},
    {"nothing comes between HEADERS and CONTINUATION", true, interrupted_headers, "ready", ROTA_EPROTO,
        "the peer broke HTTP/2 (PROTOCOL_ERROR): another frame inside a header block"},
    {"a content-length that lies costs the stream", true, content_length_lies,
        "ready request/1:5 data/1:2 closed/1:protocol(1)", 0, ""},
    {"streams above the limit are refused", true, too_many_streams, "ready request/1:4 request/2:4 request/3:4", 0, ""},
    {"a request's header list over the limit costs its stream", true, large_headers, "ready request/1:4:end", 0, ""},
    {"trailers over the limit cost the stream", true, large_trailers, "ready request/1:4 closed/1:protocol(11)", 0, ""},
    {"a flood of CONTINUATION", true, continuation_flood, "ready", ROTA_EPROTO, "the peer sent too many CONTINUATION frames for one header block"},
    {"rapid reset", true, rapid_reset, NULL, ROTA_EPROTO, "the peer opens streams in vain too fast"},
    {"streams over the limit without end", true, streams_without_end, NULL, ROTA_EPROTO,
        "the peer opens streams in vain too fast"},
    {"made you reset", true, made_you_reset, NULL, ROTA_EPROTO, "the peer sent too many faulty or empty frames"},
    {"a flood of empty DATA", true, empty_data, "ready request/1:4", ROTA_EPROTO,
        "the peer sent too many faulty or empty frames"},
    {"a flood of SETTINGS", true, settings_flood, "ready", ROTA_EPROTO, "the peer sent too many faulty or empty frames"},
    {"a flood of PING that leaves no time to answer", true, ping_flood, "ready", ROTA_EPROTO, "the peer does not read the answers to its PING and SETTINGS frames"},
    {"a server that speaks HTTP/1", false, http1_answer, "", ROTA_EPROTO, "the server speaks HTTP/1, not HTTP/2"},
    {"a server that speaks TLS", false, tls_alert, "", ROTA_EPROTO, "the server speaks TLS"},
    {"the first frame is SETTINGS", false, no_settings, "", ROTA_EPROTO, "the peer broke HTTP/2 (PROTOCOL_ERROR): the first frame is not SETTINGS"},
    {"1xx is left out", false, informational, "ready headers/1:1 end/1:1 closed/1:done", 0, ""},
    {"push is off", false, push, "ready", ROTA_EPROTO, "the peer broke HTTP/2 (PROTOCOL_ERROR): PUSH_PROMISE, which is off"},
    {"a response for no stream", false, headers_for_nobody, "ready", ROTA_EPROTO, "the peer broke HTTP/2 (PROTOCOL_ERROR): HEADERS on an idle stream"},
    {":status is a number", false, status_is_no_number, "ready closed/1:protocol(1)", 0, ""},
    {"DATA before HEADERS costs the stream", false, data_before_headers, "ready closed/1:protocol(1)", 0, ""},
    {"trailers end the stream", false, trailers_without_end, "ready headers/1:1 closed/1:protocol(1)", 0, ""},
    {"more than the window costs the stream", false, more_than_the_window, NULL, 0, ""},
    {"GOAWAY does not go up", false, goaway_raises, "ready goaway(0)", ROTA_EPROTO, "the peer broke HTTP/2 (PROTOCOL_ERROR): GOAWAY with a last stream id that it cannot have"},
    {"GOAWAY with a stream that only the peer could have opened", false, goaway_even, "ready", ROTA_EPROTO,
        "the peer broke HTTP/2 (PROTOCOL_ERROR): GOAWAY with a last stream id that it cannot have"},
    {"a client's GOAWAY may have any last id", true, goaway_of_client, "ready goaway(0) goaway(0) request/1:4 data/1:1 end/1:0", 0, ""},
    {"a response's header list over the limit", false, header_bomb, "ready closed/1:protocol(11)", 0, ""},
};

static void run_case(const struct peer_case *c, enum pair_chunking chunking)
{
    struct rota_h2_options options = {
        .max_concurrent_streams = c->write == too_many_streams ? 3 : 2000,
        .max_header_bytes = 1024,
        .keepalive_time_ns = INT64_MAX,
        .handshake_deadline_ns = INT64_MAX,
    };
    struct pair pair;
    struct pair_side *side = c->server ? &pair.server : &pair.client;

    print_message("  %s (chunking %d)\n", c->rule, chunking);
    assert_int_equal(pair_init(&pair, NULL, &options, &options), 0);
    pair.chunking = chunking;
    side->hold = true;
    if (!c->server) {
        assert_int_equal(pair_open(&pair, true), 1);
        pair_pass(side, NULL, 65536);
    }
    wire.size = 0;
    c->write();
    side->mute = c->want_log == NULL;
    pair_feed(side, wire.bytes, wire.size);
    while (pair_pass(side, NULL, 65536) > 0)
        ;
    if (c->want_log != NULL)
        assert_string_equal(pair_log_by_stream(side), c->want_log);
    assert_int_equal(side->err, c->want_err);
    assert_string_equal(rota_h2_fault(side->h2), c->want_fault);
    pair_fini(&pair);
}

static void bad_peers_end_as_the_rules_say(void **state)
{
    (void)state;
    for (size_t i = 0; i < ROTA_COUNT(cases); i++) {
        run_case(&cases[i], PAIR_WHOLE);
        run_case(&cases[i], PAIR_BYTES);
        run_case(&cases[i], PAIR_RANDOM);
    }
}

/* A thousand bad frames at once are too many, and so are a hundred a second for long; fewer are not. */
static void faults_are_forgiven_with_time(void **state)
{
    struct pair pair;

    (void)state;
    assert_int_equal(pair_init(&pair, NULL, NULL, NULL), 0);
    wire.size = 0;
    wire_magic(&wire);
    wire_headers(&wire, 0, 1, WIRE_REQUEST);
    for (int i = 0; i < 1000; i++)
        wire_frame(&wire, WIRE_DATA, 0, 1, "", 0);
    pair_feed(&pair.server, wire.bytes, wire.size);
    for (int second = 1; second <= 20; second++) {
        pair.now_ns += INT64_C(1000000000);
        wire.size = 0;
        for (int i = 0; i < 100; i++)
            wire_frame(&wire, WIRE_DATA, 0, 1, "", 0);
        pair_feed(&pair.server, wire.bytes, wire.size);
        assert_int_equal(pair.server.err, 0);
    }
    pair.now_ns += INT64_C(3600000000000);
    for (int i = 0; i < 11; i++) {
        assert_int_equal(pair.server.err, 0);
        pair_feed(&pair.server, wire.bytes, i < 10 ? wire.size : 9);
    }
    assert_int_equal(pair.server.err, ROTA_EPROTO);
    pair_fini(&pair);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(bad_peers_end_as_the_rules_say),
        cmocka_unit_test(faults_are_forgiven_with_time),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
