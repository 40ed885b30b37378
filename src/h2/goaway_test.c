/* goaway_test.c - draining loses no stream, and whatever a GOAWAY or a lost socket leaves behind is told apart. */
#include "base/assert.h"
#include "h2/pair_fixture.h"
#include "h2/session.h"
#include "h2/wire_fixture.h"
#include "testing/cmocka.h"

#define SECOND_NS INT64_C(1000000000)

static void pair_ready(struct pair *pair)
{
    assert_int_equal(pair_init(pair, NULL, NULL, NULL), 0);
    pair_run(pair);
    pair_log(&pair->client);
    pair_log(&pair->server);
}

static void answer(struct pair *pair, int n)
{
    assert_int_equal(pair_respond(pair, n, true), 0);
    pair_run(pair);
}

static void a_stream_opened_between_the_goaways_is_served(void **state)
{
    struct pair pair;

    (void)state;
    pair_ready(&pair);
    assert_int_equal(pair_open(&pair, true), 1);
    pair_run(&pair);
    rota_h2_drain(pair.server.h2, 0);
    /* The client opens the second before it hears of the drain. */
    assert_int_equal(pair_open(&pair, true), 2);
    pair_pass(&pair.client, &pair.server, 65536);
    pair_run(&pair);
    assert_string_equal(pair_log(&pair.server), "request/1:6:end request/2:6:end");
    assert_string_equal(pair_log(&pair.client), "goaway(0) goaway(0)");
    assert_int_equal(pair_open(&pair, true), ROTA_ECLOSED);
    assert_false(rota_h2_finished(pair.server.h2));
    answer(&pair, 1);
    answer(&pair, 2);
    assert_string_equal(pair_log(&pair.client), "headers/1:2:end closed/1:done headers/2:2:end closed/2:done");
    assert_true(rota_h2_finished(pair.server.h2));
    assert_true(rota_h2_finished(pair.client.h2));
    pair_fini(&pair);
}

/* The other way round, a client could answer the ping and open a stream before it has read the notice. */
static void the_ping_follows_the_notice(void **state)
{
    struct pair pair;
    uint8_t out[100];
    size_t size;

    (void)state;
    pair_ready(&pair);
    rota_h2_drain(pair.server.h2, 0);
    assert_int_equal(rota_h2_pull(pair.server.h2, out, sizeof(out), pair.now_ns, &size), 0);
    assert_int_equal(size, 9 + 8 + 9 + 8);
    assert_int_equal(out[3], 7);      /* GOAWAY */
    assert_int_equal(out[17 + 3], 6); /* PING */
    pair_fini(&pair);
}

static void without_an_answer_the_last_goaway_waits_a_second(void **state)
{
    struct pair pair;

    (void)state;
    pair_ready(&pair);
    assert_int_equal(pair_open(&pair, true), 1);
    pair_run(&pair);
    rota_h2_drain(pair.server.h2, 5);
    while (pair_pass(&pair.server, NULL, 65536) > 0)
        ;
    assert_int_equal(rota_h2_deadline_ns(pair.server.h2), 5 + SECOND_NS);
    assert_int_equal(rota_h2_tick(pair.server.h2, 4 + SECOND_NS, NULL), 0);
    assert_false(rota_h2_wants_write(pair.server.h2));
    assert_int_equal(rota_h2_tick(pair.server.h2, 5 + SECOND_NS, NULL), 0);
    assert_true(rota_h2_wants_write(pair.server.h2));
    assert_int_equal(rota_h2_deadline_ns(pair.server.h2), INT64_MAX);
    pair_fini(&pair);
}

static void a_server_without_streams_finishes_after_the_round_trip(void **state)
{
    struct pair pair;

    (void)state;
    pair_ready(&pair);
    rota_h2_drain(pair.server.h2, 0);
    assert_false(rota_h2_finished(pair.server.h2));
    pair_pass(&pair.server, NULL, 65536);
    assert_int_equal(rota_h2_tick(pair.server.h2, SECOND_NS, NULL), 0);
    assert_false(rota_h2_finished(pair.server.h2));
    pair_run(&pair);
    assert_true(rota_h2_finished(pair.server.h2));
    pair_fini(&pair);
}

/* What the last GOAWAY rules out is refused even if it comes in before the GOAWAY has gone out. */
static void a_stream_above_the_last_goaway_is_not_begun(void **state)
{
    struct pair pair;

    (void)state;
    pair_ready(&pair);
    assert_int_equal(pair_open(&pair, true), 1);
    pair_run(&pair);
    rota_h2_drain(pair.server.h2, 0);
    assert_int_equal(rota_h2_tick(pair.server.h2, SECOND_NS, NULL), 0);
    /* The first pull makes the last GOAWAY, but has room for one byte. */
    pair_pass(&pair.server, &pair.client, 1);
    assert_int_equal(pair_open(&pair, true), 2);
    pair_pass(&pair.client, &pair.server, 65536);
    pair_run(&pair);
    assert_string_equal(pair_log(&pair.server), "request/1:6:end");
    assert_string_equal(pair_log(&pair.client), "goaway(0) goaway(0) closed/2:unprocessed");
    answer(&pair, 1);
    assert_string_equal(pair_log(&pair.client), "headers/1:2:end closed/1:done");
    pair_fini(&pair);
}

static struct wire wire; /* too large for the stack */

static const struct {
    const char *rule;
    bool torn;      /* in the middle of HEADERS, else behind them */
    bool ends;      /* the block does */
} halves[] = {
    {"HEADERS that lack their end", true, true},
    {"HEADERS that lack CONTINUATION", false, true},
    {"HEADERS that never end", true, false},
};

/* The last GOAWAY says that it is served: closing then would lose it for good. */
static void a_request_half_in_keeps_a_drained_connection(void **state)
{
    const struct rota_h2_options options = {
        .header_timeout_ns = 20 * SECOND_NS, .keepalive_time_ns = INT64_MAX, .handshake_deadline_ns = INT64_MAX};

    (void)state;
    for (size_t i = 0; i < ROTA_COUNT(halves); i++) {
        struct pair pair;
        size_t cut;

        print_message("  %s\n", halves[i].rule);
        wire.size = 0;
        assert_int_equal(pair_init(&pair, NULL, NULL, &options), 0);
        wire_magic(&wire);
        pair_feed(&pair.server, wire.bytes, wire.size);
        rota_h2_drain(pair.server.h2, 0);
        while (pair_pass(&pair.server, NULL, 65536) > 0)
            ;
        wire.size = 0;
        wire_frame(&wire, WIRE_PING, WIRE_ACK, 0, "rotadrai", 8);
        wire_frame(&wire, WIRE_HEADERS, WIRE_END_STREAM, 1, "\x83\x86", 2);
        cut = wire.size - halves[i].torn;
        wire_frame(&wire, WIRE_CONT, WIRE_END_HEADERS, 1, "\x84", 1);
        pair_feed(&pair.server, wire.bytes, cut);
        while (pair_pass(&pair.server, NULL, 65536) > 0)
            ;
        assert_false(rota_h2_finished(pair.server.h2));
        assert_int_equal(rota_h2_deadline_ns(pair.server.h2), 20 * SECOND_NS);
        if (!halves[i].ends) {
            assert_int_equal(rota_h2_tick(pair.server.h2, 20 * SECOND_NS, NULL), 0); /* a last look */
            assert_int_equal(rota_h2_tick(pair.server.h2, 21 * SECOND_NS, NULL), ROTA_ETIMEDOUT);
            while (pair_pass(&pair.server, NULL, 65536) > 0)
                ;
            assert_true(rota_h2_finished(pair.server.h2));
            pair_fini(&pair);
            continue;
        }
        pair_feed(&pair.server, wire.bytes + cut, wire.size - cut);
        assert_string_equal(pair_log(&pair.server), "ready request/1:3:end");
        assert_int_equal(pair_respond(&pair, 1, true), 0);
        while (pair_pass(&pair.server, NULL, 65536) > 0)
            ;
        pair_drain_events(&pair.server);
        assert_true(rota_h2_finished(pair.server.h2));
        pair_fini(&pair);
    }
}

/* Else a client would take streams that nobody served for streams that somebody may have. */
static void without_streams_the_last_one_is_0(void **state)
{
    static const uint8_t no_http2[] = "PRI * XTTP";
    uint8_t out[200];
    struct pair pair;
    size_t size;

    (void)state;
    pair_ready(&pair);
    rota_h2_drain(pair.server.h2, 0);
    pair_pass(&pair.server, NULL, 65536);
    assert_int_equal(rota_h2_tick(pair.server.h2, SECOND_NS, NULL), 0);
    assert_int_equal(rota_h2_pull(pair.server.h2, out, sizeof(out), pair.now_ns, &size), 0);
    assert_int_equal(size, 9 + 8);
    assert_memory_equal(out + 9, "\0\0\0\0\0\0\0\0", 8);
    pair_fini(&pair);

    assert_int_equal(pair_init(&pair, NULL, NULL, NULL), 0);
    while (pair_pass(&pair.server, NULL, 65536) > 0)
        ;
    pair_feed(&pair.server, no_http2, sizeof(no_http2) - 1);
    assert_int_equal(rota_h2_pull(pair.server.h2, out, sizeof(out), pair.now_ns, &size), 0);
    assert_true(size > 9 + 8);
    assert_memory_equal(out + 9, "\0\0\0\0\0\0\0\1", 8);
    pair_fini(&pair);
}

static void an_expelled_client_hears_why(void **state)
{
    struct pair pair;

    (void)state;
    pair_ready(&pair);
    assert_int_equal(pair_open(&pair, true), 1);
    pair_run(&pair);
    pair_log(&pair.client);
    assert_int_equal(pair_respond(&pair, 1, false), 0);
    assert_int_equal(pair_send(&pair.server, 1, 1000000, false), 0);
    rota_h2_expel(pair.server.h2, "enough");
    assert_true(rota_h2_wants_write(pair.server.h2));
    while (pair_pass(&pair.server, &pair.client, 65536) > 0)
        ;
    assert_int_equal(pair.server.err, ROTA_EPROTO);
    assert_string_equal(rota_h2_fault(pair.server.h2), "enough");
    assert_string_equal(pair_log(&pair.client), "headers/1:2 goaway(11)enough");
    pair_fini(&pair);
}

static void a_client_drains_when_its_streams_are_done(void **state)
{
    struct pair pair;

    (void)state;
    pair_ready(&pair);
    assert_int_equal(pair_open(&pair, true), 1);
    pair_run(&pair);
    rota_h2_drain(pair.client.h2, 0);
    assert_int_equal(pair_open(&pair, true), ROTA_ECLOSED);
    pair_run(&pair);
    assert_false(rota_h2_finished(pair.client.h2));
    answer(&pair, 1);
    assert_string_equal(pair_log(&pair.client), "headers/1:2:end closed/1:done goaway(0)"); /* which only says what was served */
    assert_string_equal(pair_log(&pair.server), "request/1:6:end closed/1:done goaway(0)");
    assert_true(rota_h2_finished(pair.client.h2));
    assert_true(rota_h2_finished(pair.server.h2));
    pair_fini(&pair);
}

/* A server says what it has served (6.8) when that is over; what the client asks afterwards is not begun. */
static void a_client_that_goes_is_told_what_was_served(void **state)
{
    struct pair pair;

    (void)state;
    for (int asked = 0; asked < 2; asked++) {
        print_message("  with %d streams\n", asked);
        pair_ready(&pair);
        if (asked > 0) {
            assert_int_equal(pair_open(&pair, true), 1);
            pair_run(&pair);
        }
        wire.size = 0;
        wire_frame(&wire, WIRE_GOAWAY, 0, 0, "\0\0\0\0\0\0\0\0", 8);
        pair_feed(&pair.server, wire.bytes, wire.size);
        assert_int_equal(rota_h2_wants_write(pair.server.h2), asked == 0);
        assert_false(rota_h2_finished(pair.server.h2));
        if (asked > 0)
            answer(&pair, 1);
        pair_run(&pair);
        assert_string_equal(pair_log(&pair.client), asked > 0 ? "headers/1:2:end closed/1:done goaway(0)" : "goaway(0)");
        assert_int_equal(pair.client.h2->peer_last, asked);
        assert_true(rota_h2_finished(pair.server.h2));
        wire.size = 0;
        wire_headers(&wire, WIRE_END_STREAM, 3, WIRE_REQUEST);
        pair_feed(&pair.server, wire.bytes, wire.size);
        assert_int_equal(rota_h2_streams(pair.server.h2), 0);
        assert_int_equal(pair.server.err, 0);
        pair_fini(&pair);
    }
}

static const uint8_t calm[] = {
    0, 0, 22, 7, 0, 0, 0, 0, 0, /* GOAWAY */
    0, 0, 0, 1,                 /* last stream: 1 */
    0, 0, 0, 11,                /* ENHANCE_YOUR_CALM */
    't', 'o', 'o', '_', 'm', 'a', 'n', 'y', '_', 'p', 'i', 'n', 'g', 's',
};

static void a_goaway_tells_the_streams_apart(void **state)
{
    struct pair pair;

    (void)state;
    pair_ready(&pair);
    assert_int_equal(pair_open(&pair, true), 1);
    assert_int_equal(pair_open(&pair, true), 2);
    while (pair_pass(&pair.client, NULL, 65536) > 0)
        ;
    assert_int_equal(pair_open(&pair, true), 3);
    pair_feed(&pair.client, calm, sizeof(calm));
    assert_string_equal(pair_log(&pair.client), "goaway(11)too_many_pings closed/3:unsent closed/2:unprocessed");
    assert_int_equal(rota_h2_streams(pair.client.h2), 1);
    assert_int_equal(pair_open(&pair, true), ROTA_ECLOSED);
    while (pair_pass(&pair.client, NULL, 65536) > 0)
        ;
    rota_h2_abort(pair.client.h2, "gone");
    pair_drain_events(&pair.client);
    assert_string_equal(pair_log(&pair.client), "closed/1:lost");
    pair_fini(&pair);
}

static void what_is_lost_after_a_goaway_tells_of_it(void **state)
{
    struct rota_h2_event event;
    struct pair pair;

    (void)state;
    pair_ready(&pair);
    assert_int_equal(pair_open(&pair, true), 1);
    while (pair_pass(&pair.client, NULL, 65536) > 0)
        ;
    pair_feed(&pair.client, calm, sizeof(calm));
    rota_h2_abort(pair.client.h2, "closed by the peer");
    assert_true(rota_h2_next(pair.client.h2, &event));
    assert_string_equal(event.detail, "closed by the peer (GOAWAY from the peer: ENHANCE_YOUR_CALM, too_many_pings)");
    pair_drain_events(&pair.client);
    pair_fini(&pair);
}

static void what_goes_elsewhere_tells_of_it_too(void **state)
{
    static const char *const want[] = {
        "the peer drains the connection; the stream was not sent (GOAWAY from the peer: ENHANCE_YOUR_CALM, too_many_pings)",
        "GOAWAY says that the peer has not seen the stream (GOAWAY from the peer: ENHANCE_YOUR_CALM, too_many_pings)",
    };
    struct rota_h2_event event;
    struct pair pair;
    size_t n = 0;

    (void)state;
    pair_ready(&pair);
    assert_int_equal(pair_open(&pair, true), 1);
    assert_int_equal(pair_open(&pair, true), 2);
    while (pair_pass(&pair.client, NULL, 65536) > 0)
        ;
    assert_int_equal(pair_open(&pair, true), 3);
    assert_int_equal(rota_h2_feed(pair.client.h2, rota_slice(calm, sizeof(calm)), pair.now_ns, NULL), 0);
    while (rota_h2_next(pair.client.h2, &event))
        if (event.type == ROTA_H2_CLOSED)
            assert_string_equal(event.detail, want[n++]);
    assert_int_equal(n, 2);
    pair_fini(&pair);
}

static void abort_tells_the_sent_from_the_unsent(void **state)
{
    struct pair pair;
    struct rota_h2_event event;
    size_t size;
    uint8_t byte;

    (void)state;
    pair_ready(&pair);
    assert_int_equal(pair_open(&pair, true), 1);
    assert_int_equal(rota_h2_pull(pair.client.h2, &byte, 1, pair.now_ns, &size), 0);
    assert_int_equal(pair_open(&pair, true), 2);
    assert_int_equal(pair_send(&pair.client, 1, 5, false), ROTA_ESTATE);
    rota_h2_abort(pair.client.h2, "connection reset by peer");
    assert_int_equal(pair_send(&pair.client, 1, 5, false), ROTA_ECLOSED);
    assert_true(rota_h2_next(pair.client.h2, &event));
    assert_int_equal(event.cause, ROTA_H2_LOST);
    assert_false(event.unsent);
    assert_string_equal(event.detail, "connection reset by peer");
    pair_drain_events(&pair.client);
    assert_string_equal(pair_log(&pair.client), "closed/2:unsent");
    assert_int_equal(pair_open(&pair, true), ROTA_ECLOSED);
    assert_int_equal(rota_h2_feed(pair.client.h2, ROTA_SLICE("x"), 0, NULL), ROTA_ECLOSED);
    assert_int_equal(rota_h2_pull(pair.client.h2, &byte, 1, pair.now_ns, &size), ROTA_ECLOSED);
    assert_int_equal(rota_h2_tick(pair.client.h2, INT64_MAX, NULL), ROTA_ECLOSED);
    assert_true(rota_h2_finished(pair.client.h2));
    rota_h2_abort(pair.client.h2, "again");
    pair_fini(&pair);
}

static void a_reset_stream_has_no_more_events(void **state)
{
    struct pair pair;

    (void)state;
    pair_ready(&pair);
    assert_int_equal(pair_open(&pair, false), 1);
    assert_int_equal(pair_send(&pair.client, 1, 100, true), 0);
    rota_h2_reset(pair.client.streams[1], 8);
    assert_int_equal(rota_h2_streams(pair.client.h2), 0);
    pair_run(&pair);
    assert_string_equal(pair_log(&pair.client), "");
    assert_string_equal(pair_log(&pair.server), "");

    assert_int_equal(pair_open(&pair, false), 2);
    pair_run(&pair);
    rota_h2_reset(pair.client.streams[2], 8);
    pair_run(&pair);
    assert_string_equal(pair_log(&pair.client), "");
    assert_string_equal(pair_log(&pair.server), "request/1:6 closed/1:reset(8)");
    rota_h2_abort(pair.client.h2, "over");
    pair_drain_events(&pair.client);
    assert_string_equal(pair_log(&pair.client), "");
    pair_fini(&pair);
}

/* The reset of a stream that was answered in full while the peer had more to say, a keepalive ping: who broke the protocol needs neither. */
static void nothing_follows_a_goaway_for_a_fault(void **state)
{
    static const struct rota_h2_options options = {
        .keepalive_time_ns = 10 * SECOND_NS, .keepalive_timeout_ns = SECOND_NS, .handshake_deadline_ns = INT64_MAX};
    struct pair pair;
    uint8_t out[500];
    size_t size, at = 0, next = 0;

    (void)state;
    assert_int_equal(pair_init(&pair, NULL, NULL, &options), 0);
    pair_run(&pair);
    assert_int_equal(pair_open(&pair, false), 1);
    pair_run(&pair);
    assert_int_equal(pair_respond(&pair, 1, true), 0);
    wire.size = 0;
    wire_frame(&wire, WIRE_PING, 0, 0, "1234567", 7);
    pair_feed(&pair.server, wire.bytes, wire.size);
    assert_int_equal(rota_h2_deadline_ns(pair.server.h2), INT64_MAX);
    assert_int_equal(rota_h2_tick(pair.server.h2, 11 * SECOND_NS, NULL), 0);
    assert_int_equal(rota_h2_pull(pair.server.h2, out, sizeof(out), pair.now_ns, &size), 0);
    for (; next < size; next += 9u + out[next + 2])
        at = next;
    assert_int_equal(next, size);
    assert_int_equal(out[at + 3], WIRE_GOAWAY);
    assert_int_equal(rota_h2_pull(pair.server.h2, out, sizeof(out), pair.now_ns, &size), ROTA_EPROTO);
    pair_fini(&pair);
}

static void the_peers_reset_says_its_code(void **state)
{
    struct pair pair;

    (void)state;
    pair_ready(&pair);
    assert_int_equal(pair_open(&pair, false), 1);
    pair_run(&pair);
    rota_h2_reset(pair.server.streams[1], 2);
    pair_run(&pair);
    assert_string_equal(pair_log(&pair.client), "closed/1:reset(2)");
    pair_fini(&pair);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_stream_opened_between_the_goaways_is_served),
        cmocka_unit_test(the_ping_follows_the_notice),
        cmocka_unit_test(without_an_answer_the_last_goaway_waits_a_second),
        cmocka_unit_test(a_server_without_streams_finishes_after_the_round_trip),
        cmocka_unit_test(a_stream_above_the_last_goaway_is_not_begun),
        cmocka_unit_test(a_request_half_in_keeps_a_drained_connection),
        cmocka_unit_test(without_streams_the_last_one_is_0),
        cmocka_unit_test(an_expelled_client_hears_why),
        cmocka_unit_test(a_client_drains_when_its_streams_are_done),
        cmocka_unit_test(a_client_that_goes_is_told_what_was_served),
        cmocka_unit_test(a_goaway_tells_the_streams_apart),
        cmocka_unit_test(what_is_lost_after_a_goaway_tells_of_it),
        cmocka_unit_test(what_goes_elsewhere_tells_of_it_too),
        cmocka_unit_test(abort_tells_the_sent_from_the_unsent),
        cmocka_unit_test(a_reset_stream_has_no_more_events),
        cmocka_unit_test(nothing_follows_a_goaway_for_a_fault),
        cmocka_unit_test(the_peers_reset_says_its_code),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
