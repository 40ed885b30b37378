/* frames_test.c - a frame a row: what the connection is told when its length, its stream, its padding or its values are wrong. Stream 1 is
 * open, its request not at its end; each row is fed whole and byte by byte.
 */
#include "base/assert.h"
#include "h2/pair_fixture.h"
#include "h2/session.h"
#include "h2/wire_fixture.h"
#include "testing/cmocka.h"


enum { PADDED = ROTA_H2_FLAG_PADDED, PRIORITY = ROTA_H2_FLAG_PRIORITY, WHOLE = WIRE_END_HEADERS, END = WIRE_END_STREAM };

static const uint8_t many_settings[2730 * 6];

static const struct {
    const char *rule;
    enum wire_type type;
    uint8_t flags;
    uint32_t id;
    const void *payload;
    size_t size;
    const char *want; /* in the fault's sentence; "": there is none */
} cases[] = {
    {"SETTINGS that end inside an entry", WIRE_SETTINGS, 0, 0, "\0\1\0\0\0", 5, "(FRAME_SIZE_ERROR)"},
    {"SETTINGS of a stream", WIRE_SETTINGS, 0, 1, NULL, 0, "(PROTOCOL_ERROR)"},
    {"an answer to SETTINGS that says something", WIRE_SETTINGS, WIRE_ACK, 0, "\0\1\0\0\0\0", 6, "(FRAME_SIZE_ERROR)"},
    {"as many settings as there is room for", WIRE_SETTINGS, 0, 0, many_settings, sizeof(many_settings), ""},
    {"a setting that nobody knows", WIRE_SETTINGS, 0, 0, "\0\x33\0\0\0\1", 6, ""},
    {"push, for or against, from a client", WIRE_SETTINGS, 0, 0, "\0\2\0\0\0\1", 6, ""},
    {"push in another number", WIRE_SETTINGS, 0, 0, "\0\2\0\0\0\2", 6, "(PROTOCOL_ERROR)"},
    {"too large a window", WIRE_SETTINGS, 0, 0, "\0\4\x80\0\0\0", 6, "(FLOW_CONTROL_ERROR)"},
    {"the largest window", WIRE_SETTINGS, 0, 0, "\0\4\x7f\xff\xff\xff", 6, ""},
    {"too small a frame", WIRE_SETTINGS, 0, 0, "\0\5\0\0\x3f\xff", 6, "(PROTOCOL_ERROR)"},
    {"too large a frame", WIRE_SETTINGS, 0, 0, "\0\5\1\0\0\0", 6, "(PROTOCOL_ERROR)"},
    {"the largest frame", WIRE_SETTINGS, 0, 0, "\0\5\0\xff\xff\xff", 6, ""},
    {"GOAWAY that is cut", WIRE_GOAWAY, 0, 0, "\0\0\0\0\0\0\0", 7, "(FRAME_SIZE_ERROR)"},
    {"GOAWAY of a stream", WIRE_GOAWAY, 0, 1, "\0\0\0\0\0\0\0\0", 8, "(PROTOCOL_ERROR)"},
    {"GOAWAY with a stream of its own, which says nothing of ours", WIRE_GOAWAY, 0, 0, "\0\0\0\1\0\0\0\0", 8, ""},
    {"GOAWAY with a stream that nobody opened", WIRE_GOAWAY, 0, 0, "\0\0\0\2\0\0\0\0", 8, ""},
    {"GOAWAY with the highest stream there may be", WIRE_GOAWAY, 0, 0, "\x7f\xff\xff\xff\0\0\0\0", 8, ""},
    {"PING of a stream", WIRE_PING, 0, 1, "12345678", 8, "(PROTOCOL_ERROR)"},
    {"PUSH_PROMISE", WIRE_PUSH, WHOLE, 1, "\0\0\0\2\x82", 5, "(PROTOCOL_ERROR)"},
    {"PRIORITY of stream 0", WIRE_PRIORITY, 0, 0, "\0\0\0\0\0", 5, "(PROTOCOL_ERROR)"},
    {"PRIORITY of a wrong size where no stream is", WIRE_PRIORITY, 0, 9, "\0\0\0\0", 4, "(FRAME_SIZE_ERROR)"},
    {"RST_STREAM of an idle stream", WIRE_RST, 0, 9, "\0\0\0\0", 4, "(PROTOCOL_ERROR)"},
    {"RST_STREAM of a wrong size", WIRE_RST, 0, 1, "\0\0\0", 3, "(FRAME_SIZE_ERROR)"},
    {"WINDOW_UPDATE of an idle stream", WIRE_WINDOW, 0, 9, "\0\0\0\1", 4, "(PROTOCOL_ERROR)"},
    {"WINDOW_UPDATE by nothing", WIRE_WINDOW, 0, 0, "\0\0\0\0", 4, "(PROTOCOL_ERROR)"},
    {"WINDOW_UPDATE above what a window may be", WIRE_WINDOW, 0, 0, "\x7f\xff\xff\xff", 4, "(FLOW_CONTROL_ERROR)"},
    {"WINDOW_UPDATE by nothing of a stream costs that", WIRE_WINDOW, 0, 1, "\0\0\0\0", 4, ""},
    {"DATA on stream 0", WIRE_DATA, 0, 0, "x", 1, "(PROTOCOL_ERROR)"},
    {"DATA without room for its padding", WIRE_DATA, PADDED, 1, NULL, 0, "(FRAME_SIZE_ERROR)"},
    {"DATA with more padding than frame", WIRE_DATA, PADDED, 1, "\3xx", 3, "(PROTOCOL_ERROR)"},
    {"DATA that is all padding", WIRE_DATA, PADDED, 1, "\2xx", 3, ""},
    {"DATA with padding", WIRE_DATA, PADDED | END, 1, "\1xx", 3, ""},
    {"CONTINUATION of nothing", WIRE_CONT, WHOLE, 1, "\x82", 1, "(PROTOCOL_ERROR)"},
    {"HEADERS on stream 0", WIRE_HEADERS, WHOLE, 0, "\x82", 1, "(PROTOCOL_ERROR)"},
    {"HEADERS on an even stream", WIRE_HEADERS, WHOLE, 2, "\x82", 1, "(PROTOCOL_ERROR)"},
    {"HEADERS without room for priority", WIRE_HEADERS, WHOLE | PRIORITY, 3, "\0\0\0\0", 4, "(FRAME_SIZE_ERROR)"},
    {"HEADERS with more padding than frame", WIRE_HEADERS, WHOLE | PADDED, 3, "\4\x83\x86\x84", 4, "(PROTOCOL_ERROR)"},
    {"HEADERS with padding and priority", WIRE_HEADERS, WHOLE | PADDED | PRIORITY, 3, "\2\0\0\0\0\7\x83\x86\x84pp", 11, ""},
    {"HEADERS that depend on themselves cost their stream", WIRE_HEADERS, WHOLE | PRIORITY, 3, "\0\0\0\3\7\x83\x86\x84", 8, ""},
    {"a block that ends inside a field", WIRE_HEADERS, WHOLE, 3, "\x83\x86\x84\0\5x", 6, "(COMPRESSION_ERROR)"},
    {"a block that is no HPACK", WIRE_HEADERS, WHOLE, 3, "\x80", 1, "(COMPRESSION_ERROR)"},
    {"a field that is left out", WIRE_HEADERS, WHOLE, 3, "\x83\x86\x84\0\1x\1\1", 8, ""},
    {"trailers that do not end their stream cost that", WIRE_HEADERS, WHOLE, 1, "\0\1x\1y", 5, ""},
};

static struct wire wire; /* too large for the stack */

static void a_frame_is_looked_at_closely(void **state)
{
    (void)state;
    for (size_t i = 0; i < ROTA_COUNT(cases); i++)
        for (int bytes = 0; bytes < 2; bytes++) {
            struct pair pair;

            print_message("  %s%s\n", cases[i].rule, bytes ? ", byte by byte" : "");
            wire.size = 0;
            assert_int_equal(pair_init(&pair, NULL, NULL, NULL), 0);
            pair.chunking = bytes ? PAIR_BYTES : PAIR_WHOLE;
            wire_magic(&wire);
            wire_headers(&wire, 0, 1, WIRE_REQUEST);
            wire_frame(&wire, cases[i].type, cases[i].flags, cases[i].id, cases[i].payload, cases[i].size);
            pair_feed(&pair.server, wire.bytes, wire.size);
            assert_non_null(strstr(rota_h2_fault(pair.server.h2), cases[i].want));
            assert_int_equal(pair.server.err, cases[i].want[0] == '\0' ? 0 : ROTA_EPROTO);
            if (cases[i].want[0] == '\0') /* what came is given back, padding and all */
                assert_int_equal(pair.server.h2->held, 0);
            pair_fini(&pair);
        }
}

static void a_window_of_a_stream_must_not_overflow(void **state)
{
    struct pair pair;

    (void)state;
    wire.size = 0;
    assert_int_equal(pair_init(&pair, NULL, NULL, NULL), 0);
    wire_magic(&wire);
    wire_headers(&wire, 0, 1, WIRE_REQUEST);
    wire_number(&wire, WIRE_WINDOW, 1, 1);
    wire_frame(&wire, WIRE_SETTINGS, 0, 0, "\0\4\x7f\xff\xff\xff", 6);
    pair_feed(&pair.server, wire.bytes, wire.size);
    assert_non_null(strstr(rota_h2_fault(pair.server.h2), "(FLOW_CONTROL_ERROR)"));
    pair_fini(&pair);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_frame_is_looked_at_closely),
        cmocka_unit_test(a_window_of_a_stream_must_not_overflow),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
