/* timer_test.c - pings, their answers, pings too many, and what does not come: the handshake, the end of a header block or of a frame. */
#include "base/assert.h"
#include "h2/pair_fixture.h"
#include "h2/wire_fixture.h"
#include "testing/cmocka.h"

#define SECOND_NS INT64_C(1000000000)
#define LAST_LOOK_NS (SECOND_NS / 1000)

static struct rota_h2_options alive(bool without_streams)
{
    return (struct rota_h2_options){
        .keepalive_time_ns = 10 * SECOND_NS,
        .keepalive_timeout_ns = 3 * SECOND_NS,
        .keepalive_without_streams = without_streams,
        .handshake_deadline_ns = 20 * SECOND_NS,
    };
}

static void pair_ready(struct pair *pair, bool without_streams)
{
    struct rota_h2_options options = alive(without_streams);

    assert_int_equal(pair_init(pair, NULL, &options, NULL), 0);
    pair_run(pair);
}

static void without_streams_there_is_no_ping(void **state)
{
    struct pair pair;

    (void)state;
    pair_ready(&pair, false);
    assert_int_equal(rota_h2_deadline_ns(pair.client.h2), INT64_MAX);
    assert_int_equal(pair_open(&pair, true), 1);
    assert_int_equal(rota_h2_deadline_ns(pair.client.h2), 10 * SECOND_NS);
    rota_h2_reset(pair.client.streams[1], 8);
    pair_run(&pair);
    /* A second of quiet is waited for before memory is given back, once. */
    assert_int_equal(rota_h2_deadline_ns(pair.client.h2), SECOND_NS);
    assert_int_equal(rota_h2_tick(pair.client.h2, SECOND_NS, NULL), 0);
    assert_int_equal(rota_h2_deadline_ns(pair.client.h2), INT64_MAX);
    pair_fini(&pair);
}

static void a_ping_goes_out_after_silence(void **state)
{
    struct pair pair;

    (void)state;
    pair_ready(&pair, true);
    assert_int_equal(rota_h2_deadline_ns(pair.client.h2), 10 * SECOND_NS);
    assert_int_equal(rota_h2_tick(pair.client.h2, 10 * SECOND_NS - 1, NULL), 0);
    assert_false(rota_h2_wants_write(pair.client.h2));
    assert_int_equal(rota_h2_tick(pair.client.h2, 10 * SECOND_NS, NULL), 0);
    assert_int_equal(rota_h2_deadline_ns(pair.client.h2), 13 * SECOND_NS);
    assert_int_equal(pair_pass(&pair.client, NULL, 100), 17);
    pair_fini(&pair);
}

static void an_answer_starts_the_silence_again(void **state)
{
    struct pair pair;

    (void)state;
    pair_ready(&pair, true);
    assert_int_equal(rota_h2_tick(pair.client.h2, 10 * SECOND_NS, NULL), 0);
    pair.now_ns = 12 * SECOND_NS;
    pair_run(&pair);
    assert_int_equal(rota_h2_deadline_ns(pair.client.h2), 22 * SECOND_NS);
    pair_fini(&pair);
}

static void no_answer_means_dead(void **state)
{
    struct rota_errinfo info;
    struct pair pair;

    (void)state;
    pair_ready(&pair, true);
    assert_int_equal(rota_h2_tick(pair.client.h2, 10 * SECOND_NS, &info), 0);
    assert_int_equal(rota_h2_tick(pair.client.h2, 13 * SECOND_NS - 1, &info), 0);
    assert_int_equal(rota_h2_tick(pair.client.h2, 13 * SECOND_NS, &info), 0);
    assert_int_equal(rota_h2_deadline_ns(pair.client.h2), 13 * SECOND_NS + LAST_LOOK_NS);
    assert_int_equal(rota_h2_tick(pair.client.h2, 13 * SECOND_NS + LAST_LOOK_NS, &info), ROTA_ETIMEDOUT);
    assert_string_equal(info.text, "the peer did not answer a keepalive ping within 3000 ms");
    pair_fini(&pair);
}

/* As when the process was stopped: the answer waits in the socket. */
static void an_answer_that_was_not_read_yet_counts(void **state)
{
    struct pair pair;

    (void)state;
    pair_ready(&pair, true);
    for (int round = 1; round <= 2; round++) {
        int64_t at_ns = 100 * round * SECOND_NS;

        assert_int_equal(rota_h2_tick(pair.client.h2, at_ns - 90 * SECOND_NS, NULL), 0);
        assert_int_equal(pair_pass(&pair.client, &pair.server, 100), 17);
        assert_int_equal(rota_h2_tick(pair.client.h2, at_ns, NULL), 0);
        pair.now_ns = at_ns;
        assert_int_equal(pair_pass(&pair.server, &pair.client, 100), 17);
        assert_int_equal(rota_h2_deadline_ns(pair.client.h2), at_ns + 10 * SECOND_NS);
    }
    pair_fini(&pair);
}

static void its_time_counts_from_the_write(void **state)
{
    struct pair pair;

    (void)state;
    pair_ready(&pair, true);
    assert_false(rota_h2_ping_leaves(pair.client.h2));
    assert_int_equal(rota_h2_tick(pair.client.h2, 10 * SECOND_NS, NULL), 0);
    assert_true(rota_h2_ping_leaves(pair.client.h2));
    rota_h2_ping_left(pair.client.h2, 50 * SECOND_NS);
    assert_false(rota_h2_ping_leaves(pair.client.h2));
    assert_int_equal(rota_h2_deadline_ns(pair.client.h2), 53 * SECOND_NS);
    pair_fini(&pair);
}

static void a_handshake_has_a_deadline(void **state)
{
    struct rota_h2_options options = alive(true);
    struct rota_errinfo info;
    struct pair pair;

    (void)state;
    assert_int_equal(pair_init(&pair, NULL, &options, NULL), 0);
    assert_int_equal(rota_h2_deadline_ns(pair.client.h2), 20 * SECOND_NS);
    assert_int_equal(rota_h2_tick(pair.client.h2, 20 * SECOND_NS - 1, &info), 0);
    assert_int_equal(rota_h2_tick(pair.client.h2, 20 * SECOND_NS, &info), ROTA_ETIMEDOUT);
    assert_string_equal(info.text, "no HTTP/2 SETTINGS came from the peer in time");
    pair_run(&pair);
    assert_int_equal(rota_h2_deadline_ns(pair.client.h2), 10 * SECOND_NS);
    assert_int_equal(rota_h2_tick(pair.client.h2, 9 * SECOND_NS, &info), 0);
    pair_fini(&pair);
}

/* A letter an event: p a ping, . a second, m five minutes, h two hours, s the server sends a response, r a request comes. */
static void a_server_counts_pings(void **state)
{
    static const struct {
        const char *rule, *events;
        bool without_streams;
        rota_err want;
        bool floods;
    } cases[] = {
        {"the first and two early ones are forgiven", "rppp", false, 0, false},
        {"the next is not", "rpppp", false, ROTA_EPROTO, true},
        {"nor a second later, when it is no flood", "rp.p.p.p", false, ROTA_EPROTO, false},
        {"often enough is fine", "rpmpmpmpmpmp", false, 0, false},
        {"what is sent makes them forgotten", "rrrpppspppspppspp", false, 0, false},
        {"without a stream two hours are often enough", "pmpmpmp", false, ROTA_EPROTO, false},
        {"they are", "phphphphphp", false, 0, false},
        {"unless it is permitted", "pmpmpmpmpmp", true, 0, false},
    };
    static struct wire wire;

    (void)state;
    for (size_t i = 0; i < ROTA_COUNT(cases); i++) {
        struct rota_h2_options options = {.min_ping_ns = 300 * SECOND_NS, .pings_without_streams = cases[i].without_streams,
            .keepalive_time_ns = INT64_MAX, .handshake_deadline_ns = INT64_MAX};
        struct pair pair;
        int answered = 0;

        print_message("  %s\n", cases[i].rule);
        assert_int_equal(pair_init(&pair, NULL, NULL, &options), 0);
        pair_run(&pair);
        for (const char *event = cases[i].events; *event != '\0'; event++) {
            wire.size = 0;
            wire_frame(&wire, WIRE_PING, 0, 0, "12345678", 8);
            if (*event == 'p')
                pair_feed(&pair.server, wire.bytes, wire.size);
            else if (*event == 'r')
                assert_true(pair_open(&pair, true) > 0);
            else if (*event == 's')
                assert_int_equal(pair_respond(&pair, ++answered, false), 0);
            else
                pair.now_ns += (*event == '.' ? 1 : *event == 'm' ? 300 : 7200) * SECOND_NS;
            pair_run(&pair);
        }
        assert_int_equal(pair.server.err, cases[i].want);
        assert_int_equal(rota_h2_flooded(pair.server.h2), cases[i].floods);
        assert_int_equal(strstr(pair_log(&pair.client), "goaway(11)too_many_pings") != NULL, cases[i].want != 0);
        pair_fini(&pair);
    }
}

static void a_header_block_has_a_deadline(void **state)
{
    struct rota_h2_options options = {.header_timeout_ns = 20 * SECOND_NS, .keepalive_time_ns = INT64_MAX, .handshake_deadline_ns = INT64_MAX};
    static struct wire wire;
    struct rota_errinfo info;
    struct pair pair;

    (void)state;
    assert_int_equal(pair_init(&pair, NULL, NULL, &options), 0);
    wire_magic(&wire);
    wire_headers(&wire, WIRE_END_STREAM, 1, WIRE_REQUEST);
    pair_feed(&pair.server, wire.bytes, wire.size - 1);
    assert_int_equal(rota_h2_deadline_ns(pair.server.h2), 20 * SECOND_NS);
    assert_int_equal(rota_h2_tick(pair.server.h2, 20 * SECOND_NS - 1, &info), 0);
    pair_feed(&pair.server, wire.bytes + wire.size - 1, 1);
    assert_int_equal(rota_h2_deadline_ns(pair.server.h2), INT64_MAX);
    assert_int_equal(rota_h2_tick(pair.server.h2, 30 * SECOND_NS, &info), 0);

    pair.now_ns = 30 * SECOND_NS;
    wire.size = 0;
    wire_headers(&wire, WIRE_END_STREAM, 3, WIRE_REQUEST);
    pair_feed(&pair.server, wire.bytes, wire.size - 1);
    assert_int_equal(rota_h2_tick(pair.server.h2, 50 * SECOND_NS, &info), 0);
    assert_int_equal(rota_h2_deadline_ns(pair.server.h2), 50 * SECOND_NS + LAST_LOOK_NS);
    assert_int_equal(rota_h2_tick(pair.server.h2, 50 * SECOND_NS + LAST_LOOK_NS, &info), ROTA_ETIMEDOUT);
    assert_string_equal(info.text, "the peer began a header block and did not end it in time");
    while (pair_pass(&pair.server, &pair.client, 65536) > 0)
        ;
    assert_string_equal(pair_log(&pair.client), "ready goaway(11)the peer began a header block and did not end it in time");
    pair_fini(&pair);
}

static const struct half_case {
    const char *rule;
    enum wire_type type;
    uint32_t stream;
    size_t size;
    bool kept; /* else it is over with its head */
} halves[] = {
    {"SETTINGS", WIRE_SETTINGS, 0, 16380, true},
    {"GOAWAY", WIRE_GOAWAY, 0, 16384, true},
    {"PING", WIRE_PING, 0, 8, true},
    {"PRIORITY", WIRE_PRIORITY, 1, 5, true},
    {"PRIORITY of a wrong size", WIRE_PRIORITY, 1, 16384, false},
    {"a frame that nobody knows", (enum wire_type)0xfa, 0, 16384, false},
};

/* What is looked at whole takes memory until it is. */
static void a_frame_has_a_deadline(void **state)
{
    struct rota_h2_options options = {.header_timeout_ns = 20 * SECOND_NS, .keepalive_time_ns = INT64_MAX, .handshake_deadline_ns = INT64_MAX};
    static uint8_t zeros[16384];
    static struct wire wire;

    (void)state;
    for (size_t i = 0; i < ROTA_COUNT(halves); i++) {
        const struct half_case *c = &halves[i];
        size_t here = 0, total = 0;
        struct rota_errinfo info;
        struct pair pair;

        print_message("  %s\n", c->rule);
        options.queued_here = &here;
        options.queued_total = &total;
        assert_int_equal(pair_init(&pair, NULL, NULL, &options), 0);
        wire.size = 0;
        wire_magic(&wire);
        wire_headers(&wire, 0, 1, WIRE_REQUEST);
        wire_headers(&wire, 0, 3, WIRE_REQUEST);
        pair_feed(&pair.server, wire.bytes, wire.size);
        while (pair_pass(&pair.server, NULL, 65536) > 0)
            ;
        pair.now_ns = SECOND_NS;
        wire.size = 0;
        wire_frame(&wire, c->type, 0, c->stream, zeros, c->size);
        pair_feed(&pair.server, wire.bytes, 9);
        pair.now_ns = 2 * SECOND_NS;
        for (size_t at = 9; at + 1 < wire.size; at += 97)
            pair_feed(&pair.server, wire.bytes + at, wire.size - 1 - at < 97 ? wire.size - 1 - at : 97);
        assert_int_equal(rota_h2_deadline_ns(pair.server.h2), c->kept ? 21 * SECOND_NS : INT64_MAX);
        assert_in_range(here, c->kept && c->size > 512 ? c->size - 1 : 0, c->kept && c->size > 512 ? 2 * c->size : 0);
        assert_int_equal(total, here);
        assert_int_equal(rota_h2_tick(pair.server.h2, 21 * SECOND_NS, &info), 0);
        assert_int_equal(rota_h2_tick(pair.server.h2, 21 * SECOND_NS + LAST_LOOK_NS, &info), c->kept ? ROTA_ETIMEDOUT : 0);
        if (c->kept)
            assert_string_equal(info.text, "the peer began a frame and did not end it in time");
        rota_h2_abort(pair.server.h2, "over");
        assert_int_equal(here, 0);
        assert_int_equal(total, 0);
        pair_fini(&pair);
    }
}

/* A letter an event of the server's: h the head of a PING, P a byte of its payload, R the rest, H HEADERS that do not end their block, C half a
 * CONTINUATION that does not end it either, c its other half, E one that ends it, t a tick, + 20 seconds, . the last look's time. */
static const struct look_case {
    const char *rule, *events;
    rota_err want; /* of the last tick; those before are well */
} looks[] = {
    {"what was not read in time counts", "hP+tRt.t", 0},
    {"what is still not there does not", "hP+t.t", ROTA_ETIMEDOUT},
    {"a byte more buys no time", "hP+tP.t", ROTA_ETIMEDOUT},
    {"the next frame has a look of its own", "hP+tRhP+tRt.t", 0},
    {"and but one", "hP+tRhP+t.t", ROTA_ETIMEDOUT},
    {"a block that was not read in time counts", "H+tEt.t", 0},
    {"a frame more of one buys no time", "H+tC.t", ROTA_ETIMEDOUT},
    {"nor one that is whole", "H+tCc.t", ROTA_ETIMEDOUT},
    {"the frame behind a late block has its look", "H+tEhP+tRt.t", 0},
};

static void feed_letter(struct pair *pair, char letter)
{
    static struct wire ping, block;

    ping.size = block.size = 0;
    wire_frame(&ping, WIRE_PING, 0, 0, "12345678", 8);
    wire_frame(&block, WIRE_HEADERS, 0, 1, "\x83\x87\x84", 3);
    wire_frame(&block, WIRE_CONT, 0, 1, "\x41\1x", 3);
    wire_frame(&block, WIRE_CONT, WIRE_END_HEADERS, 1, "", 0);
    switch (letter) {
    case 'h': pair_feed(&pair->server, ping.bytes, 9); break;
    case 'P': pair_feed(&pair->server, ping.bytes + 9, 1); break;
    case 'R': pair_feed(&pair->server, ping.bytes + 10, 7); break;
    case 'H': pair_feed(&pair->server, block.bytes, 12); break;
    case 'C': pair_feed(&pair->server, block.bytes + 12, 10); break;
    case 'c': pair_feed(&pair->server, block.bytes + 22, 2); break;
    case 'E': pair_feed(&pair->server, block.bytes + 24, 9); break;
    case '+': pair->now_ns += 20 * SECOND_NS; break;
    default: pair->now_ns += LAST_LOOK_NS;
    }
}

/* As when the process was stopped: the timers come before what waits in the socket. */
static void what_was_not_read_yet_counts_here_too(void **state)
{
    const struct rota_h2_options options = {.header_timeout_ns = 20 * SECOND_NS, .keepalive_time_ns = INT64_MAX, .handshake_deadline_ns = INT64_MAX};
    static struct wire wire;

    (void)state;
    for (size_t i = 0; i < ROTA_COUNT(looks); i++) {
        const struct look_case *c = &looks[i];
        struct rota_errinfo info;
        struct pair pair;

        print_message("  %s\n", c->rule);
        assert_int_equal(pair_init(&pair, NULL, NULL, &options), 0);
        wire.size = 0;
        wire_magic(&wire);
        pair_feed(&pair.server, wire.bytes, wire.size);
        for (const char *event = c->events; *event != '\0'; event++) {
            if (*event == 't')
                assert_int_equal(rota_h2_tick(pair.server.h2, pair.now_ns, &info), event[1] == '\0' ? c->want : 0);
            else
                feed_letter(&pair, *event);
        }
        assert_int_equal(pair.server.err, 0);
        pair_fini(&pair);
    }
}

/* A field that does not end is kept across the frames of its block, before anybody knows that it is too large. */
static void a_field_that_does_not_end_counts(void **state)
{
    struct rota_h2_options options = {.keepalive_time_ns = INT64_MAX, .handshake_deadline_ns = INT64_MAX};
    static uint8_t field[65536 + 7] = {0, 1, 'x', 0x7f, 0x81, 0xff, 3}; /* x, and 65536 zeros, which no value may have */
    static struct wire wire;
    size_t here = 0, total = 0;
    struct pair pair;

    (void)state;
    options.queued_here = &here;
    options.queued_total = &total;
    assert_int_equal(pair_init(&pair, NULL, NULL, &options), 0);
    wire_magic(&wire);
    for (size_t at = 0; at < sizeof(field); at += 16000)
        wire_frame(&wire, at == 0 ? WIRE_HEADERS : WIRE_CONT, at + 16000 < sizeof(field) ? 0 : WIRE_END_HEADERS, 1, field + at,
            sizeof(field) - at < 16000 ? sizeof(field) - at : 16000);
    pair_feed(&pair.server, wire.bytes, wire.size - 1);
    assert_in_range(here, sizeof(field) - 1, 3 * sizeof(field));
    assert_int_equal(total, here);
    pair_feed(&pair.server, wire.bytes + wire.size - 1, 1);
    assert_int_equal(here, 0);
    assert_int_equal(total, 0);
    pair_fini(&pair);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(without_streams_there_is_no_ping),
        cmocka_unit_test(a_ping_goes_out_after_silence),
        cmocka_unit_test(an_answer_starts_the_silence_again),
        cmocka_unit_test(no_answer_means_dead),
        cmocka_unit_test(an_answer_that_was_not_read_yet_counts),
        cmocka_unit_test(its_time_counts_from_the_write),
        cmocka_unit_test(a_handshake_has_a_deadline),
        cmocka_unit_test(a_server_counts_pings),
        cmocka_unit_test(a_header_block_has_a_deadline),
        cmocka_unit_test(a_frame_has_a_deadline),
        cmocka_unit_test(what_was_not_read_yet_counts_here_too),
        cmocka_unit_test(a_field_that_does_not_end_counts),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
