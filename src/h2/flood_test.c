/* flood_test.c - what is legal once and harmful in masses ends within bounded work, and honest masses do not. */
#include "base/assert.h"
#include "h2/pair_fixture.h"
#include "h2/wire_fixture.h"
#include "testing/cmocka.h"
#include <string.h>

#define SECOND_NS INT64_C(1000000000)

static struct wire wire;

/* --- One piece of each flood; i counts them --- */

static void window_update(uint32_t i)
{
    (void)i;
    wire_number(&wire, WIRE_WINDOW, 0, 1);
}

static void stream_window_update(uint32_t i)
{
    if (i == 0)
        wire_headers(&wire, 0, 1, WIRE_REQUEST);
    wire_number(&wire, WIRE_WINDOW, 1, 1);
}

static void priority(uint32_t i)
{
    wire_frame(&wire, WIRE_PRIORITY, 0, 2 * i + 1, "\0\0\0\0\x10", 5);
}

static void unknown(uint32_t i)
{
    (void)i;
    wire_frame(&wire, (enum wire_type)0xfa, 0, 0, "xxxxxxxx", 8);
}

static void extension_of_others(uint32_t i)
{
    (void)i;
    wire_frame(&wire, (enum wire_type)0x0a, 0, 0, "", 0);
}

static void crumbs(uint32_t i)
{
    if (i == 0)
        wire_headers(&wire, 0, 1, WIRE_REQUEST);
    wire_frame(&wire, WIRE_DATA, 0, 1, "x", 1);
}

static void padded_nothing(uint32_t i)
{
    if (i == 0)
        wire_headers(&wire, 0, 1, WIRE_REQUEST);
    wire_frame(&wire, WIRE_DATA, 0x8, 1, "\x07\0\0\0\0\0\0\0", 8);
}

static void headers_of_nothing(uint32_t i)
{
    wire_frame(&wire, WIRE_HEADERS, WIRE_END_HEADERS | WIRE_END_STREAM, 2 * i + 1, "", 0);
}

static void answers_to_no_ping(uint32_t i)
{
    (void)i;
    wire_frame(&wire, WIRE_PING, WIRE_ACK, 0, "flooding", 8);
}

static void many_settings(uint32_t i)
{
    static uint8_t payload[2730 * 6];

    (void)i;
    wire_frame(&wire, WIRE_SETTINGS, 0, 0, payload, sizeof(payload));
}

static void open_a_thousand(void)
{
    for (uint32_t i = 0; i < 1000; i++)
        wire_headers(&wire, 0, 2 * i + 1, WIRE_REQUEST);
}

/* Each is a walk through all streams. */
static void windows_of_many_streams(uint32_t i)
{
    if (i == 0)
        open_a_thousand();
    wire_frame(&wire, WIRE_SETTINGS, 0, 0, i % 2 == 0 ? "\0\4\0\0\0\1" : "\0\4\0\0\0\2", 6);
}

static void windows_to_and_fro(uint32_t i)
{
    if (i == 0)
        open_a_thousand();
    wire_frame(&wire, WIRE_SETTINGS, 0, 0, "\0\4\0\1\0\0\0\4\0\0\xff\xff", 12);
}

static void windows_that_stay(uint32_t i)
{
    if (i == 0)
        open_a_thousand();
    wire_frame(&wire, WIRE_SETTINGS, 0, 0, "\0\4\0\0\xff\xff", 6);
}

/* The stream is one that was refused here. */
static void late_crumbs(uint32_t i)
{
    if (i == 0)
        wire_headers(&wire, 0, 1, WIRE_REQUEST "|x=y|connection=close");
    wire_frame(&wire, WIRE_DATA, 0, 1, "x", 1);
}

static void late_nothing(uint32_t i)
{
    if (i == 0)
        wire_headers(&wire, 0, 1, WIRE_REQUEST "|x=y|connection=close");
    wire_frame(&wire, WIRE_DATA, 0, 1, "", 0);
}

static void late_ends(uint32_t i)
{
    if (i == 0)
        wire_headers(&wire, 0, 1, WIRE_REQUEST "|x=y|connection=close");
    wire_frame(&wire, WIRE_DATA, WIRE_END_STREAM, 1, "", 0);
}

static void late_trailers(uint32_t i)
{
    if (i == 0)
        wire_headers(&wire, 0, 1, WIRE_REQUEST "|x=y|connection=close");
    wire_headers(&wire, WIRE_END_STREAM, 1, "x=y");
}

#define FRAME_BYTES 16384

/* As many fields as fit: the table has :method GET in a byte. */
static const uint8_t *many_fields(void)
{
    static uint8_t payload[FRAME_BYTES];

    memset(payload, 0x82, sizeof(payload));
    return payload;
}

static void too_large_without_end(uint32_t i)
{
    wire_frame(&wire, i == 0 ? WIRE_HEADERS : WIRE_CONT, 0, 1, many_fields(), FRAME_BYTES);
}

/* Its second frame is one too many of its kind already. */
static void not_allowed_without_end(uint32_t i)
{
    if (i == 0)
        wire_frame(&wire, WIRE_HEADERS, 0, 1, "\0\1X\1y", 5);
    wire_frame(&wire, WIRE_CONT, 0, 1, many_fields(), FRAME_BYTES);
}

/* A string of 64 KiB is announced, and comes byte by byte. */
static void a_field_in_single_bytes(uint32_t i)
{
    if (i == 0)
        wire_frame(&wire, WIRE_HEADERS, 0, 1, "\0\1x\x7f\x81\xff\3", 7);
    wire_frame(&wire, WIRE_CONT, 0, 1, "y", 1);
}

static void long_unknown(uint32_t i)
{
    (void)i;
    wire_frame(&wire, (enum wire_type)0xfa, 0, 0, many_fields(), FRAME_BYTES);
}

static void short_unknown(uint32_t i)
{
    (void)i;
    wire_frame(&wire, (enum wire_type)0xfa, 0, 0, many_fields(), 255);
}

static void long_priority(uint32_t i)
{
    if (i == 0)
        wire_headers(&wire, 0, 1, WIRE_REQUEST "|x=y|connection=close");
    wire_frame(&wire, WIRE_PRIORITY, 0, 1, many_fields(), FRAME_BYTES);
}

static void goaway_with_much_to_say(uint32_t i)
{
    (void)i;
    wire_frame(&wire, WIRE_GOAWAY, 0, 0, many_fields(), FRAME_BYTES);
}

static void fields_in_pieces(uint32_t i)
{
    if (i == 0)
        wire_frame(&wire, WIRE_HEADERS, 0, 1, "", 0);
    wire_frame(&wire, WIRE_CONT, 0, 1, "\0\1x\1y", 5);
}

static void pieces_of_nothing(uint32_t i)
{
    if (i == 0)
        wire_frame(&wire, WIRE_HEADERS, 0, 1, "", 0);
    wire_frame(&wire, WIRE_CONT, 0, 1, "", 0);
}

static void large_trailers_too_late(uint32_t i)
{
    if (i == 0)
        wire_headers(&wire, 0, 1, WIRE_REQUEST "|x=y|connection=close");
    wire_frame(&wire, WIRE_HEADERS, WIRE_END_STREAM | WIRE_END_HEADERS, 1, many_fields(), FRAME_BYTES);
}

/* --- Streams that we must reset (CVE-2025-8671) --- */

static void zero_increment(uint32_t i)
{
    wire_headers(&wire, 0, 2 * i + 1, WIRE_REQUEST);
    wire_number(&wire, WIRE_WINDOW, 2 * i + 1, 0);
}

static void overflowing_window(uint32_t i)
{
    wire_headers(&wire, 0, 2 * i + 1, WIRE_REQUEST);
    wire_number(&wire, WIRE_WINDOW, 2 * i + 1, 0x7fffffff);
}

static void depends_on_itself(uint32_t i)
{
    uint8_t payload[] = {0, 0, (uint8_t)((2 * i + 1) >> 8), (uint8_t)(2 * i + 1), 16};

    wire_headers(&wire, 0, 2 * i + 1, WIRE_REQUEST);
    wire_frame(&wire, WIRE_PRIORITY, 0, 2 * i + 1, payload, sizeof(payload));
}

static void priority_too_short(uint32_t i)
{
    wire_headers(&wire, 0, 2 * i + 1, WIRE_REQUEST);
    wire_frame(&wire, WIRE_PRIORITY, 0, 2 * i + 1, "\0\0\0\0", 4);
}

static void headers_after_the_end(uint32_t i)
{
    wire_headers(&wire, WIRE_END_STREAM, 2 * i + 1, WIRE_REQUEST);
    wire_headers(&wire, WIRE_END_STREAM, 2 * i + 1, "x=y");
}

static void longer_than_it_said(uint32_t i)
{
    wire_headers(&wire, 0, 2 * i + 1, WIRE_REQUEST "|content-length=1");
    wire_frame(&wire, WIRE_DATA, 0, 2 * i + 1, "xxxxxx", 6);
}

static void trailers_without_end(uint32_t i)
{
    wire_headers(&wire, 0, 2 * i + 1, WIRE_REQUEST);
    wire_headers(&wire, 0, 2 * i + 1, "x=y");
}

static const struct flood_case {
    const char *rule;
    void (*write)(uint32_t i);
    uint32_t least, most; /* of them, before the connection is given up */
} flood_cases[] = {
    {"WINDOW_UPDATE of the connection", window_update, 10000, 10001},
    {"WINDOW_UPDATE of a stream", stream_window_update, 10000, 10001},
    {"PRIORITY", priority, 10000, 10001},
    {"frames of a type that nobody knows", unknown, 10000, 10001},
    {"frames of a type that others know", extension_of_others, 10000, 10001},
    {"frames of a type that nobody knows, of 255 bytes", short_unknown, 10000, 10001},
    {"frames of a type that nobody knows, as long as there is room for", long_unknown, 153, 154},
    {"PRIORITY of a wrong size, as long as there is room for", long_priority, 150, 154},
    {"GOAWAY again and again, with as much to say as there is room for", goaway_with_much_to_say, 16, 17},
    {"DATA in single bytes", crumbs, 2500, 2501},
    {"DATA that is all padding", padded_nothing, 1000, 1001},
    {"HEADERS of nothing", headers_of_nothing, 1000, 1001},
    {"PING with ACK that answers none", answers_to_no_ping, 10000, 10001},
    {"SETTINGS of as many entries as there is room for", many_settings, 11, 12},
    {"SETTINGS of another window for each of a thousand streams", windows_of_many_streams, 125, 126},
    {"SETTINGS of a larger window for each of a thousand streams, taken back at once", windows_to_and_fro, 125, 126},
    {"SETTINGS of the window that a thousand streams have", windows_that_stay, 1000, 1001},
    {"DATA in single bytes on a stream that was reset", late_crumbs, 2490, 2510},
    {"DATA of nothing on a stream that was reset", late_nothing, 990, 1001},
    {"DATA that ends a stream that was reset, again and again", late_ends, 9000, 10010},
    {"trailers of a stream that was reset", late_trailers, 9000, 10010},
    {"a header list too large that goes on and on", too_large_without_end, 7, 8},
    {"one that is not allowed and goes on and on", not_allowed_without_end, 7, 8},
    {"a field of a header list that comes in single bytes", a_field_in_single_bytes, 10032, 10033},
    {"a header list in small pieces, until it has twice the bytes of the largest", fields_in_pieces, 3277, 3278},
    {"a header list in pieces of nothing", pieces_of_nothing, 1032, 1033},
    {"large trailers of a stream that was reset", large_trailers_too_late, 150, 155},
    {"made you reset: an increment of 0", zero_increment, 1, 1001},
    {"made you reset: a window that overflows", overflowing_window, 1000, 1001},
    {"made you reset: a stream that depends on itself", depends_on_itself, 1, 1001},
    {"made you reset: PRIORITY too short", priority_too_short, 1, 1001},
    {"made you reset: HEADERS after the end", headers_after_the_end, 1, 1001},
    {"made you reset: more DATA than it said", longer_than_it_said, 1000, 1001},
    {"made you reset: trailers that do not end", trailers_without_end, 1000, 1001},
};

static void floods_end(void **state)
{
    struct rota_h2_options options = {.max_concurrent_streams = 2000, .keepalive_time_ns = INT64_MAX, .handshake_deadline_ns = INT64_MAX};

    (void)state;
    for (size_t i = 0; i < ROTA_COUNT(flood_cases); i++) {
        const struct flood_case *c = &flood_cases[i];
        struct pair pair;
        uint32_t n;

        print_message("  %s\n", c->rule);
        assert_int_equal(pair_init(&pair, NULL, NULL, &options), 0);
        pair.server.mute = true;
        wire.size = 0;
        wire_magic(&wire);
        pair_feed(&pair.server, wire.bytes, wire.size);
        for (n = 0; n < 20000 && pair.server.err == 0; n++) {
            wire.size = 0;
            c->write(n);
            pair_feed(&pair.server, wire.bytes, wire.size);
            while (pair_pass(&pair.server, NULL, 65536) > 0) {
            }
        }
        assert_int_equal(pair.server.err, ROTA_EPROTO);
        assert_in_range(n, c->least, c->most);
        assert_int_equal(rota_h2_flooded(pair.server.h2), n > 1); /* else it broke the protocol */
        pair_fini(&pair);
    }
}

/* A reader who opens both windows for each frame, forever: our own DATA is the cause. */
static void honest_windows_are_no_flood(void **state)
{
    struct rota_h2_options small = {
        .stream_window_bytes = 1000, .conn_window_bytes = 65535, .keepalive_time_ns = INT64_MAX, .handshake_deadline_ns = INT64_MAX};
    struct pair pair;

    (void)state;
    assert_int_equal(pair_init(&pair, NULL, &small, NULL), 0);
    pair_run(&pair);
    pair.client.mute = pair.server.mute = true;
    assert_int_equal(pair_open(&pair, true), 1);
    pair_run(&pair);
    assert_int_equal(pair_respond(&pair, 1, false), 0);
    for (int i = 0; i < 30000; i++) {
        assert_int_equal(pair_send(&pair.server, 1, 600, false), 0);
        wire.size = 0;
        wire_number(&wire, WIRE_WINDOW, 0, 1);
        wire_number(&wire, WIRE_WINDOW, 1, 1);
        pair_feed(&pair.server, wire.bytes, wire.size);
        pair_run(&pair);
    }
    assert_int_equal(pair.server.err, 0);
    assert_int_equal(pair.client.total_bytes, 30000 * 600);
    pair_fini(&pair);
}

/* What was on its way when we refused a stream is our doing; what we reset for another reason is not. */
static void what_comes_for_refused_streams_is_no_flood(void **state)
{
    (void)state;
    for (uint32_t code = 7; code <= 8; code++) {
        struct pair pair;
        uint32_t n = 0;

        print_message("  streams reset with %u\n", code);
        assert_int_equal(pair_init(&pair, NULL, NULL, NULL), 0);
        pair.server.mute = true;
        wire.size = 0;
        wire_magic(&wire);
        pair_feed(&pair.server, wire.bytes, wire.size);
        for (; n < PAIR_STREAMS - 1 && pair.server.err == 0; n++) {
            wire.size = 0;
            wire_headers(&wire, 0, 2 * n + 1, WIRE_REQUEST);
            pair_feed(&pair.server, wire.bytes, wire.size);
            rota_h2_reset(pair.server.streams[n + 1], code);
            pair_pass(&pair.server, NULL, 65536);
            wire.size = 0;
            wire_number(&wire, WIRE_WINDOW, 2 * n + 1, 1);
            wire_frame(&wire, WIRE_DATA, WIRE_END_STREAM, 2 * n + 1, "\0\0\0\0", 5);
            pair_feed(&pair.server, wire.bytes, wire.size);
        }
        assert_in_range(n, code == 7 ? PAIR_STREAMS - 1 : 4990, code == 7 ? PAIR_STREAMS - 1 : 5010);
        pair_fini(&pair);
    }
}

/* Some servers flush each byte that they have. A client asked for them, with its window; not so for those of a call that is over. */
static void replies_in_single_bytes_are_no_flood(void **state)
{
    (void)state;
    for (int over = 0; over < 2; over++) {
        struct pair pair;
        int n = 0;

        print_message("  of a call %s\n", over ? "that is over" : "that is open");
        assert_int_equal(pair_init(&pair, NULL, NULL, NULL), 0);
        pair.client.mute = true;
        wire.size = 0;
        wire_frame(&wire, WIRE_SETTINGS, 0, 0, NULL, 0);
        wire_headers(&wire, 0, 1, ":status=200");
        assert_int_equal(pair_open(&pair, true), 1);
        pair_pass(&pair.client, NULL, 65536);
        pair_feed(&pair.client, wire.bytes, wire.size);
        if (over)
            rota_h2_reset(pair.client.streams[1], 8);
        for (; n < 100000 && pair.client.err == 0; n++) {
            wire.size = 0;
            wire_frame(&wire, WIRE_DATA, 0, 1, "x", 1);
            pair_feed(&pair.client, wire.bytes, wire.size);
            pair_pass(&pair.client, NULL, 65536);
        }
        assert_in_range(n, over ? 2490 : 100000, over ? 2510 : 100000);
        pair_fini(&pair);
    }
}

/* Some servers and proxies flush each byte of a header list, too. */
static void header_lists_in_single_bytes_are_no_flood(void **state)
{
    static const char request[] = "\x83\x86\x04\x04/a/b\x01\x01x\x0f\x10\x10" "application/grpc\0\x0ax-trace-id\x10" "0123456789abcdef";
    static const char response[] = "\x88\x0f\x10\x10" "application/grpc\0\x0ax-trace-id\x10" "0123456789abcdef";

    (void)state;
    for (int at_server = 0; at_server < 2; at_server++) {
        const char *block = at_server ? request : response;
        size_t size = at_server ? sizeof(request) - 1 : sizeof(response) - 1;
        struct pair pair;

        print_message("  of a %s\n", at_server ? "request" : "response");
        assert_int_equal(pair_init(&pair, NULL, NULL, NULL), 0);
        wire.size = 0;
        if (at_server)
            wire_magic(&wire);
        else
            wire_frame(&wire, WIRE_SETTINGS, 0, 0, NULL, 0);
        if (!at_server)
            assert_int_equal(pair_open(&pair, true), 1);
        while (!at_server && pair_pass(&pair.client, NULL, 65536) > 0) {
        }
        wire_frame(&wire, WIRE_HEADERS, at_server ? WIRE_END_STREAM : 0, 1, block, 1);
        for (size_t i = 1; i < size; i++)
            wire_frame(&wire, WIRE_CONT, i + 1 < size ? 0 : WIRE_END_HEADERS, 1, block + i, 1);
        pair_feed(at_server ? &pair.server : &pair.client, wire.bytes, wire.size);
        assert_string_equal(pair_log(at_server ? &pair.server : &pair.client), at_server ? "ready request/1:6:end" : "ready headers/1:3");
        assert_int_equal(pair.server.err, 0);
        assert_int_equal(pair.client.err, 0);
        pair_fini(&pair);
    }
}

/* A window opened byte by byte makes us send byte by byte: that is no cause. */
static void a_dribbled_window_is_a_flood(void **state)
{
    struct rota_h2_options closed = {
        .stream_window_bytes = 1, .keepalive_time_ns = INT64_MAX, .handshake_deadline_ns = INT64_MAX};
    struct pair pair;
    int n = 0;

    (void)state;
    assert_int_equal(pair_init(&pair, NULL, &closed, NULL), 0);
    pair_run(&pair);
    pair.client.mute = pair.server.mute = true;
    pair.client.hold = true;
    assert_int_equal(pair_open(&pair, true), 1);
    pair_run(&pair);
    assert_int_equal(pair_respond(&pair, 1, false), 0);
    assert_int_equal(pair_send(&pair.server, 1, 100000, false), 0);
    for (; n < 20000 && pair.server.err == 0; n++) {
        wire.size = 0;
        wire_number(&wire, WIRE_WINDOW, 1, 1);
        pair_feed(&pair.server, wire.bytes, wire.size);
        while (pair_pass(&pair.server, NULL, 65536) > 0) {
        }
    }
    assert_in_range(n, 10000, 10021);
    pair_fini(&pair);
}

/* Some clients have 2 KiB of metadata in each request, and many requests on their way when they hear that there may be no more. */
static void honest_requests_that_are_not_served_are_no_flood(void **state)
{
    (void)state;
    for (int late = 0; late < 2; late++) {
        struct rota_h2_options options = {.max_concurrent_streams = late ? 1000 : 1, .keepalive_time_ns = INT64_MAX, .handshake_deadline_ns = INT64_MAX};
        struct pair pair;

        print_message("  %s\n", late ? "after the last GOAWAY" : "above the limit");
        assert_int_equal(pair_init(&pair, NULL, NULL, &options), 0);
        wire.size = 0;
        wire_magic(&wire);
        wire_headers(&wire, 0, 1, WIRE_REQUEST);
        pair_feed(&pair.server, wire.bytes, wire.size);
        if (late) {
            rota_h2_drain(pair.server.h2, 0);
            assert_int_equal(rota_h2_tick(pair.server.h2, 2 * SECOND_NS, NULL), 0);
        }
        while (pair_pass(&pair.server, NULL, 65536) > 0) {
        }
        for (uint32_t i = 0; i < 1000; i++) {
            wire.size = 0;
            wire_frame(&wire, WIRE_HEADERS, WIRE_END_HEADERS, 3 + 2 * i, many_fields(), 2048);
            pair_feed(&pair.server, wire.bytes, wire.size);
            while (pair_pass(&pair.server, NULL, 65536) > 0) {
            }
        }
        assert_int_equal(pair.server.err, 0);
        assert_int_equal(rota_h2_streams(pair.server.h2), 1);
        pair_fini(&pair);
    }
}

static void chores_have_a_rate(void **state)
{
    struct pair pair;

    (void)state;
    assert_int_equal(pair_init(&pair, NULL, NULL, NULL), 0);
    wire.size = 0;
    wire_magic(&wire);
    pair_feed(&pair.server, wire.bytes, wire.size);
    for (int second = 0; second < 60; second++) {
        wire.size = 0;
        for (uint32_t i = 0; i < 1000; i++)
            window_update(i);
        pair_feed(&pair.server, wire.bytes, wire.size);
        pair.now_ns += SECOND_NS;
    }
    assert_int_equal(pair.server.err, 0);
    pair_fini(&pair);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(floods_end),
        cmocka_unit_test(honest_windows_are_no_flood),
        cmocka_unit_test(what_comes_for_refused_streams_is_no_flood),
        cmocka_unit_test(replies_in_single_bytes_are_no_flood),
        cmocka_unit_test(header_lists_in_single_bytes_are_no_flood),
        cmocka_unit_test(a_dribbled_window_is_a_flood),
        cmocka_unit_test(honest_requests_that_are_not_served_are_no_flood),
        cmocka_unit_test(chores_have_a_rate),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
