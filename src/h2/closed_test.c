/* closed_test.c - frames that come late, on streams that are over (RFC 9113, 5.1). */
#include "base/assert.h"
#include "h2/pair_fixture.h"
#include "h2/wire_fixture.h"
#include "testing/cmocka.h"

#define MANY 80 /* more resets than are remembered */

static struct wire wire; /* too large for the stack */

/* How stream 1 came to its end. */
enum ending { ANSWERED, RESET_BY_PEER, RESET_HERE, RESET_HERE_LONG_AGO, ANSWERED_LONG_AGO };

static const struct {
    const char *rule;
    enum ending ending;
    enum wire_type late;
    rota_err want_err;
} cases[] = {
    {"DATA after both have ended it", ANSWERED, WIRE_DATA, ROTA_EPROTO},
    {"HEADERS after both have ended it", ANSWERED, WIRE_HEADERS, ROTA_EPROTO},
    {"WINDOW_UPDATE may come late", ANSWERED, WIRE_WINDOW, 0},
    {"RST_STREAM may come late", ANSWERED, WIRE_RST, 0},
    {"DATA after the peer's own reset", RESET_BY_PEER, WIRE_DATA, ROTA_EPROTO},
    {"HEADERS after the peer's own reset", RESET_BY_PEER, WIRE_HEADERS, ROTA_EPROTO},
    {"DATA of a peer that does not know of our reset yet", RESET_HERE, WIRE_DATA, 0},
    {"trailers of a peer that does not know of our reset yet", RESET_HERE, WIRE_HEADERS, 0},
    {"DATA after a reset that is forgotten", RESET_HERE_LONG_AGO, WIRE_DATA, 0},
    {"DATA on a stream older than what is remembered", ANSWERED_LONG_AGO, WIRE_DATA, 0},
};

static void feed(struct pair *pair)
{
    pair_feed(&pair->server, wire.bytes, wire.size);
    while (pair_pass(&pair->server, NULL, 65536) > 0)
        ;
    wire.size = 0;
}

static void end_many(struct pair *pair)
{
    for (int n = 2; n < 2 + MANY; n++) {
        wire_headers(&wire, 0, (uint32_t)n * 2 - 1, WIRE_REQUEST);
        feed(pair);
        rota_h2_reset(pair->server.streams[n], 8);
        pair->server.streams[n] = NULL;
        feed(pair);
    }
}

static void end_first(struct pair *pair, enum ending ending)
{
    bool answered = ending == ANSWERED || ending == ANSWERED_LONG_AGO;

    wire_magic(&wire);
    wire_headers(&wire, answered ? WIRE_END_STREAM : 0, 1, WIRE_REQUEST);
    if (ending == RESET_BY_PEER)
        wire_number(&wire, WIRE_RST, 1, 8);
    feed(pair);
    if (answered) {
        assert_int_equal(pair_respond(pair, 1, false), 0);
        assert_int_equal(pair_trailers(pair, 1), 0);
    } else if (ending != RESET_BY_PEER) {
        rota_h2_reset(pair->server.streams[1], 8);
        pair->server.streams[1] = NULL;
    }
    feed(pair);
    if (ending == RESET_HERE_LONG_AGO || ending == ANSWERED_LONG_AGO)
        end_many(pair);
}

static void late(enum wire_type type)
{
    if (type == WIRE_HEADERS)
        wire_headers(&wire, WIRE_END_STREAM, 1, "x=y");
    else if (type == WIRE_DATA)
        wire_frame(&wire, WIRE_DATA, 0, 1, "late", 4);
    else
        wire_number(&wire, type, 1, 8);
}

static void late_frames_are_told_from_wrong_ones(void **state)
{
    (void)state;
    for (size_t i = 0; i < 2 * ROTA_COUNT(cases); i++) {
        struct pair pair;

        print_message("  %s\n", cases[i / 2].rule);
        assert_int_equal(pair_init(&pair, NULL, NULL, NULL), 0);
        pair.chunking = i % 2 == 0 ? PAIR_WHOLE : PAIR_BYTES;
        end_first(&pair, cases[i / 2].ending);
        assert_int_equal(pair.server.err, 0);
        late(cases[i / 2].late);
        wire_headers(&wire, WIRE_END_STREAM, 2 * MANY + 99, WIRE_REQUEST);
        feed(&pair);
        assert_int_equal(pair.server.err, cases[i / 2].want_err);
        if (cases[i / 2].want_err == 0)
            assert_int_equal(rota_h2_streams(pair.server.h2), 1);
        else
            assert_string_equal(rota_h2_fault(pair.server.h2), "the peer broke HTTP/2 (STREAM_CLOSED): a frame on a stream that has ended");
        pair_fini(&pair);
    }
}

/* Its answer may have been quicker than the frame that is wrong. */
static void a_stream_error_is_said_of_a_stream_that_has_ended_too(void **state)
{
    uint8_t out[100];
    struct pair pair;
    size_t size;

    (void)state;
    assert_int_equal(pair_init(&pair, NULL, NULL, NULL), 0);
    end_first(&pair, ANSWERED);
    wire_frame(&wire, WIRE_PRIORITY, 0, 1, "\0\0\0\0", 4);
    pair_feed(&pair.server, wire.bytes, wire.size);
    wire.size = 0;
    assert_int_equal(rota_h2_pull(pair.server.h2, out, sizeof(out), pair.now_ns, &size), 0);
    assert_int_equal(size, 9 + 4);
    assert_memory_equal(out, "\0\0\4\3\0\0\0\0\1\0\0\0\6", 9 + 4); /* RST_STREAM, FRAME_SIZE_ERROR */
    wire_headers(&wire, WIRE_END_STREAM, 3, WIRE_REQUEST);
    feed(&pair);
    assert_int_equal(pair.server.err, 0);
    assert_int_equal(rota_h2_streams(pair.server.h2), 1);
    pair_fini(&pair);
}

/* The session has both frames before it has acted on the first. */
static void a_reset_and_data_in_one_piece(void **state)
{
    struct pair pair;

    (void)state;
    assert_int_equal(pair_init(&pair, NULL, NULL, NULL), 0);
    wire_magic(&wire);
    wire_headers(&wire, 0, 1, WIRE_REQUEST);
    wire_number(&wire, WIRE_RST, 1, 8);
    wire_frame(&wire, WIRE_DATA, 0, 1, "late", 4);
    feed(&pair);
    assert_int_equal(pair.server.err, ROTA_EPROTO);
    pair_fini(&pair);
}

/* The limit may not have been heard of: what is refused, whatever came with it, costs no more than the stream. */
static void a_refused_stream_with_its_data_in_one_piece(void **state)
{
    struct rota_h2_options options = {.max_concurrent_streams = 1, .keepalive_time_ns = INT64_MAX, .handshake_deadline_ns = INT64_MAX};

    (void)state;
    for (int chunking = 0; chunking < 2; chunking++) {
        struct pair pair;

        assert_int_equal(pair_init(&pair, NULL, NULL, &options), 0);
        pair.chunking = chunking == 0 ? PAIR_WHOLE : PAIR_BYTES;
        wire_magic(&wire);
        for (uint32_t id = 1; id <= 2 * MANY + 1; id += 2) {
            wire_headers(&wire, 0, id, WIRE_REQUEST);
            wire_frame(&wire, WIRE_DATA, 0, id, "xxxxx", 5);
            wire_headers(&wire, WIRE_END_STREAM, id, "x=y");
        }
        feed(&pair);
        assert_int_equal(pair.server.err, 0);
        assert_int_equal(rota_h2_streams(pair.server.h2), 1);
        pair_fini(&pair);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(late_frames_are_told_from_wrong_ones),
        cmocka_unit_test(a_stream_error_is_said_of_a_stream_that_has_ended_too),
        cmocka_unit_test(a_reset_and_data_in_one_piece),
        cmocka_unit_test(a_refused_stream_with_its_data_in_one_piece),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
