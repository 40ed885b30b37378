/* attack_test.c - peers that try to make a session keep much, work much, or stop: what they get is little. */
#include "base/assert.h"
#include "h2/pair_fixture.h"
#include "h2/wire_fixture.h"
#include "testing/cmocka.h"

#define FIELD_BYTES 120
#define FIELDS 30
#define BLOCKS 300
#define LITTLE_BYTES (96 * 1024)

static struct wire wire; /* too large for the stack */
static uint8_t block[16384];
static size_t block_size;

static void put_field(const char *name, const char *value)
{
    size_t name_size = strlen(name), value_size = strlen(value);

    block[block_size++] = 0;
    block[block_size++] = (uint8_t)name_size;
    memcpy(block + block_size, name, name_size);
    block_size += name_size;
    block[block_size++] = (uint8_t)value_size;
    memcpy(block + block_size, value, value_size);
    block_size += value_size;
}

static void put_many_fields(void)
{
    char value[FIELD_BYTES + 1];

    memset(value, 'v', FIELD_BYTES);
    value[FIELD_BYTES] = '\0';
    for (int i = 0; i < FIELDS; i++)
        put_field("x", value);
}

static size_t most_bytes;

/* Whatever the peer sends, a header block is open when the queue of events is emptied. */
static void feed_cut(struct pair *pair, struct pair_side *side, size_t *cut)
{
    pair_feed(side, wire.bytes, *cut);
    wire.size -= *cut;
    memmove(wire.bytes, wire.bytes + *cut, wire.size);
    *cut = 0;
    if (pair->own.live_bytes > most_bytes)
        most_bytes = pair->own.live_bytes;
    while (pair_pass(side, NULL, 65536) > 0) {
    }
}

/* Cut inside the frame that is put there next, by so much. */
static void put_cut(enum wire_type type, uint8_t flags, uint32_t id, size_t *cut)
{
    *cut = wire.size + 9 + block_size / 2;
    wire_frame(&wire, type, flags, id, block, block_size);
}

static void put_block(struct pair *pair, struct pair_side *side, uint32_t id, bool in_two, const char *first_name, const char *first_value)
{
    size_t cut;

    block_size = 0;
    put_field(first_name, first_value);
    if (side == &pair->server) {
        put_field(":scheme", "http");
        put_field(":path", "/a/b");
    }
    if (in_two) {
        wire_frame(&wire, WIRE_HEADERS, 0, id, block, block_size);
        block_size = 0;
    }
    put_many_fields();
    put_cut(in_two ? WIRE_CONT : WIRE_HEADERS, WIRE_END_HEADERS, id, &cut);
    feed_cut(pair, side, &cut);
}

static void what_came_before_an_open_block_goes(void **state)
{
    (void)state;
    for (int in_two = 0; in_two < 2; in_two++) {
        struct pair pair;

        print_message("  1xx without end, %s\n", in_two ? "cut between HEADERS and CONTINUATION" : "cut inside HEADERS");
        wire.size = 0;
        most_bytes = 0;
        assert_int_equal(pair_init(&pair, NULL, NULL, NULL), 0);
        wire_frame(&wire, WIRE_SETTINGS, 0, 0, NULL, 0);
        pair_feed(&pair.client, wire.bytes, wire.size);
        wire.size = 0;
        assert_int_equal(pair_open(&pair, true), 1);
        while (pair_pass(&pair.client, NULL, 65536) > 0) {
        }
        for (int i = 0; i < BLOCKS; i++)
            put_block(&pair, &pair.client, 1, in_two, ":status", "103");
        assert_int_equal(pair.client.err, 0);
        assert_in_range(most_bytes, 1, LITTLE_BYTES);
        pair_fini(&pair);
    }
}

static void reset_it(struct pair_side *side, int n, const struct rota_h2_event *event)
{
    if (event->type != ROTA_H2_REQUEST)
        return;
    assert_int_equal(event->count, 3 + FIELDS);
    assert_true(rota_slice_equal(event->headers[0].value, ROTA_SLICE("POST")));
    assert_true(rota_slice_equal(event->headers[2].value, ROTA_SLICE("/a/b")));
    for (size_t i = 3; i < event->count; i++) {
        assert_int_equal(event->headers[i].value.size, FIELD_BYTES);
        assert_int_equal(event->headers[i].value.data[FIELD_BYTES - 1], 'v');
    }
    rota_h2_reset(event->stream, 8);
    side->streams[n] = NULL;
}

static void requests_keep_their_fields(void **state)
{
    (void)state;
    for (int in_two = 0; in_two < 2; in_two++) {
        struct pair pair;

        print_message("  requests, %s\n", in_two ? "cut between HEADERS and CONTINUATION" : "cut inside HEADERS");
        wire.size = 0;
        most_bytes = 0;
        assert_int_equal(pair_init(&pair, NULL, NULL, NULL), 0);
        pair.server.mute = true;
        pair.server.react = reset_it;
        wire_magic(&wire);
        for (int i = 0; i < BLOCKS; i++)
            put_block(&pair, &pair.server, (uint32_t)(2 * i + 1), in_two, ":method", "POST");
        assert_int_equal(pair.server.err, 0);
        assert_int_equal(pair.server.n_streams, BLOCKS - 1); /* the last is still open */
        assert_in_range(most_bytes, 1, LITTLE_BYTES);
        pair_fini(&pair);
    }
}

/* Streams above our last GOAWAY: it has told the peer, who gets no other answer, whether it reads or not. */
static void late_streams_are_not_answered(void **state)
{
    struct pair pair;
    size_t live_bytes;

    (void)state;
    wire.size = 0;
    assert_int_equal(pair_init(&pair, NULL, NULL, NULL), 0);
    pair.server.mute = true;
    wire_magic(&wire);
    wire_headers(&wire, 0, 1, WIRE_REQUEST);
    pair_feed(&pair.server, wire.bytes, wire.size);
    rota_h2_drain(pair.server.h2, 0);
    assert_int_equal(rota_h2_tick(pair.server.h2, INT64_C(2000000000), NULL), 0);
    while (pair_pass(&pair.server, NULL, 65536) > 0) {
    }
    live_bytes = pair.own.live_bytes;
    wire.size = 0;
    for (uint32_t i = 0; i < 9000; i++)
        wire_frame(&wire, WIRE_HEADERS, WIRE_END_HEADERS, 3 + 2 * i, "\x82", 1);
    pair_feed(&pair.server, wire.bytes, wire.size);
    assert_int_equal(pair.server.err, 0);
    assert_int_equal(pair_pass(&pair.server, NULL, 65536), 0);
    assert_in_range(pair.own.live_bytes, 0, live_bytes + 1024);
    wire.size = 0;
    for (uint32_t i = 9000; i < 12000; i++)
        wire_frame(&wire, WIRE_HEADERS, WIRE_END_HEADERS, 3 + 2 * i, "\x82", 1);
    pair_feed(&pair.server, wire.bytes, wire.size);
    assert_int_equal(pair.server.err, ROTA_EPROTO);
    pair_fini(&pair);
}

static void answer_it(struct pair_side *side, int n, const struct rota_h2_event *event)
{
    if (event->type == ROTA_H2_REQUEST)
        assert_int_equal(pair_respond(side->pair, n, false), 0);
    if (event->type == ROTA_H2_CLOSED)
        side->n_streams = 0;
}

/* Neither the rate of resets nor the number of streams bounds what a peer leaves unread that has time. */
static void answers_that_nobody_reads_have_an_end(void **state)
{
    struct pair pair;
    uint32_t i;

    (void)state;
    wire.size = 0;
    assert_int_equal(pair_init(&pair, NULL, NULL, NULL), 0);
    pair.server.mute = true;
    pair.server.react = answer_it;
    wire_magic(&wire);
    for (i = 0; i < 40000 && pair.server.err == 0; i++) {
        wire_headers(&wire, 0, 2 * i + 1, WIRE_REQUEST);
        pair_feed(&pair.server, wire.bytes, wire.size);
        wire.size = 0;
        wire_number(&wire, WIRE_RST, 2 * i + 1, 8);
        pair_feed(&pair.server, wire.bytes, wire.size);
        wire.size = 0;
        pair.now_ns += INT64_C(10000000);
    }
    assert_int_equal(pair.server.err, ROTA_EPROTO);
    assert_in_range(i, 10000, 10200);
    pair_fini(&pair);
}

/* Each costs a look at all streams. */
static void goaway_again_and_again_is_a_fault(void **state)
{
    struct pair pair;

    (void)state;
    for (uint32_t count = 500; count <= 2000; count *= 4) {
        wire.size = 0;
        assert_int_equal(pair_init(&pair, NULL, NULL, NULL), 0);
        pair.client.mute = true;
        wire_frame(&wire, WIRE_SETTINGS, 0, 0, NULL, 0);
        for (uint32_t i = 0; i < count; i++)
            wire_frame(&wire, WIRE_GOAWAY, 0, 0, "\x7f\xff\xff\xff\0\0\0\0", 8);
        pair_feed(&pair.client, wire.bytes, wire.size);
        assert_int_equal(pair.client.err, count == 500 ? 0 : ROTA_EPROTO);
        pair_fini(&pair);
    }
}

/* So it costs more with many of them; that it comes three times is no attack. */
static void goaway_to_many_streams_is_more_of_a_fault(void **state)
{
    struct pair pair;
    int count = 0;

    (void)state;
    assert_int_equal(pair_init(&pair, NULL, NULL, NULL), 0);
    pair.client.mute = true;
    wire.size = 0;
    wire_frame(&wire, WIRE_SETTINGS, 0, 0, NULL, 0);
    pair_feed(&pair.client, wire.bytes, wire.size);
    for (int n = 1; n <= 5000; n++)
        assert_int_equal(pair_open(&pair, true), n);
    while (pair_pass(&pair.client, NULL, 65536) > 0) {
    }
    wire.size = 0;
    wire_frame(&wire, WIRE_GOAWAY, 0, 0, "\x7f\xff\xff\xff\0\0\0\0", 8);
    for (; count < 2000 && pair.client.err == 0; count++)
        pair_feed(&pair.client, wire.bytes, wire.size);
    assert_in_range(count, 31, 32);
    pair_fini(&pair);
}

/* Our GOAWAY is the last that a peer at fault gets. */
static void nothing_follows_the_goaway_of_a_fault(void **state)
{
    uint8_t out[4096];
    struct pair pair;
    size_t size, last = 0;

    (void)state;
    wire.size = 0;
    assert_int_equal(pair_init(&pair, NULL, NULL, NULL), 0);
    wire_magic(&wire);
    wire_headers(&wire, 0, 1, WIRE_REQUEST);
    wire_headers(&wire, 0, 3, WIRE_REQUEST);
    wire_frame(&wire, WIRE_PING, 0, 0, "1234567", 7);
    pair_feed(&pair.server, wire.bytes, wire.size);
    assert_int_equal(pair.server.err, ROTA_EPROTO);
    assert_int_equal(pair_respond(&pair, 1, false), ROTA_ECLOSED);
    assert_int_equal(pair_send(&pair.server, 2, 10, true), ROTA_ECLOSED);
    rota_h2_drain(pair.server.h2, 0);
    rota_h2_reset(pair.server.streams[1], 8);
    assert_int_equal(rota_h2_pull(pair.server.h2, out, sizeof(out), pair.now_ns, &size), 0);
    for (size_t at = 0; at < size; at += 9u + out[at + 2])
        last = at;
    assert_int_equal(out[last + 3], WIRE_GOAWAY);
    pair_fini(&pair);
}

/* A stream that was ready when SETTINGS took its window back. */
static void a_window_that_is_taken_back_is_kept_to(void **state)
{
    struct pair pair;

    (void)state;
    wire.size = 0;
    assert_int_equal(pair_init(&pair, NULL, NULL, NULL), 0);
    wire_frame(&wire, WIRE_SETTINGS, 0, 0, NULL, 0);
    pair_feed(&pair.client, wire.bytes, wire.size);
    assert_int_equal(pair_open(&pair, false), 1);
    while (pair_pass(&pair.client, NULL, 65536) > 0) {
    }
    assert_int_equal(pair_send(&pair.client, 1, 10, false), 0);
    wire.size = 0;
    wire_frame(&wire, WIRE_SETTINGS, 0, 0, "\0\4\0\0\0\0", 6);
    pair_feed(&pair.client, wire.bytes, wire.size);
    assert_int_equal(pair_pass(&pair.client, NULL, 65536), 9); /* the answer to SETTINGS */
    assert_int_equal(pair_pass(&pair.client, NULL, 65536), 0);
    wire.size = 0;
    wire_number(&wire, WIRE_WINDOW, 1, 4);
    pair_feed(&pair.client, wire.bytes, wire.size);
    assert_int_equal(pair_pass(&pair.client, NULL, 65536), 9 + 4);
    pair_fini(&pair);
}

/* What the client sends before it has heard of the server's small window takes that below nothing. */
static void a_small_window_opens_again(void **state)
{
    static const struct {
        const char *rule;
        uint32_t stream_bytes, conn_bytes;
    } cases[] = {
        {"a small window of a stream", 1000, 0},
        {"a tiny one", 8, 0},
        {"a small window of the connection", 0, 500},
        {"both", 700, 300},
    };

    (void)state;
    for (size_t i = 0; i < ROTA_COUNT(cases); i++)
        for (int hold = 0; hold < 2; hold++) {
            struct rota_h2_options options = {.keepalive_time_ns = INT64_MAX,
                .handshake_deadline_ns = INT64_MAX,
                .stream_window_bytes = cases[i].stream_bytes,
                .conn_window_bytes = cases[i].conn_bytes};
            struct pair pair;

            print_message("  %s, %s\n", cases[i].rule, hold ? "what comes first is taken late" : "all is taken at once");
            assert_int_equal(pair_init(&pair, NULL, NULL, &options), 0);
            pair.client.mute = pair.server.mute = true;
            pair.server.hold = hold;
            assert_int_equal(pair_open(&pair, false), 1);
            assert_int_equal(pair_send(&pair.client, 1, 70000, false), 0);
            pair_run(&pair);
            if (hold) {
                pair.server.hold = false;
                rota_h2_consumed(pair.server.streams[1], pair.server.data_bytes);
                pair_run(&pair);
            }
            assert_int_equal(pair.server.total_bytes, 70000);
            pair_fini(&pair);
        }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_came_before_an_open_block_goes),
        cmocka_unit_test(requests_keep_their_fields),
        cmocka_unit_test(late_streams_are_not_answered),
        cmocka_unit_test(answers_that_nobody_reads_have_an_end),
        cmocka_unit_test(goaway_again_and_again_is_a_fault),
        cmocka_unit_test(goaway_to_many_streams_is_more_of_a_fault),
        cmocka_unit_test(nothing_follows_the_goaway_of_a_fault),
        cmocka_unit_test(a_window_that_is_taken_back_is_kept_to),
        cmocka_unit_test(a_small_window_opens_again),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
