/* stream_test.c - streams that talk for long, and owners that change their minds while events wait. */
#include "base/assert.h"
#include "h2/pair_fixture.h"
#include "h2/session.h"
#include "h2/wire_fixture.h"
#include "testing/cmocka.h"
#include <stdio.h>

static void pair_ready(struct pair *pair)
{
    assert_int_equal(pair_init(pair, NULL, NULL, NULL), 0);
    pair_run(pair);
    pair_log(&pair->client);
    pair_log(&pair->server);
}

static void messages_go_to_and_fro(void **state)
{
    struct pair pair;

    (void)state;
    pair_ready(&pair);
    assert_int_equal(pair_open(&pair, false), 1);
    pair_run(&pair);
    assert_int_equal(pair_respond(&pair, 1, false), 0);
    pair_run(&pair);
    assert_string_equal(pair_log(&pair.server), "request/1:6");
    assert_string_equal(pair_log(&pair.client), "headers/1:2");
    for (int i = 0; i < 5; i++) {
        assert_int_equal(pair_send(&pair.client, 1, 10, false), 0);
        pair_run(&pair);
        assert_string_equal(pair_log(&pair.server), "data/1:10");
        assert_int_equal(pair_send(&pair.server, 1, 2000, false), 0);
        pair_run(&pair);
        assert_string_equal(pair_log(&pair.client), "data/1:2000");
    }
    assert_int_equal(pair_send(&pair.client, 1, 0, true), 0);
    assert_int_equal(pair_send(&pair.client, 1, 1, true), ROTA_ESTATE);
    pair_run(&pair);
    assert_string_equal(pair_log(&pair.server), "end/1:0");
    assert_int_equal(pair_trailers(&pair, 1), 0);
    pair_run(&pair);
    assert_string_equal(pair_log(&pair.client), "end/1:1 closed/1:done");
    assert_string_equal(pair_log(&pair.server), "closed/1:done");
    pair_fini(&pair);
}

static void an_empty_chunk_is_no_frame(void **state)
{
    struct rota_chunk *chunk;
    struct pair pair;

    (void)state;
    pair_ready(&pair);
    assert_int_equal(pair_open(&pair, false), 1);
    pair_run(&pair);
    chunk = rota_chunk_new(pair.alloc, 10);
    assert_non_null(chunk);
    assert_int_equal(rota_h2_send(pair.client.streams[1], chunk, false), 0);
    assert_false(rota_h2_wants_write(pair.client.h2));
    pair_fini(&pair);
}

static void a_chunk_may_go_to_many_streams(void **state)
{
    struct rota_chunk *chunk;
    struct pair pair;

    (void)state;
    pair_ready(&pair);
    chunk = rota_chunk_new(pair.alloc, 2000);
    assert_non_null(chunk);
    chunk->size = 2000;
    memset(chunk->data, 'x', 2000);
    for (int n = 1; n <= 3; n++) {
        assert_int_equal(pair_open(&pair, false), n);
        assert_int_equal(rota_h2_send(pair.client.streams[n], rota_chunk_ref(chunk), true), 0);
    }
    rota_h2_reset(pair.client.streams[2], 8);
    assert_int_equal(chunk->refs, 3);
    pair_run(&pair);
    assert_int_equal(chunk->refs, 1);
    rota_chunk_unref(chunk);
    assert_int_equal(pair.server.total_bytes, 4000);
    pair_fini(&pair);
}

static void reset_first_seen(struct pair_side *side, int n, const struct rota_h2_event *event)
{
    if (event->type == ROTA_H2_REQUEST) {
        rota_h2_reset(event->stream, 8);
        side->streams[n] = NULL;
    }
}

static const struct rota_h2_options *slow_window(void)
{
    static const struct rota_h2_options options = {
        .conn_window_bytes = 65535,
        .keepalive_time_ns = INT64_MAX,
        .handshake_deadline_ns = INT64_MAX,
    };

    return &options;
}

/* The queue holds data and an end for the stream when its first event is answered with a reset. */
static void events_of_a_reset_stream_are_passed_over(void **state)
{
    struct pair pair;

    (void)state;
    assert_int_equal(pair_init(&pair, NULL, NULL, slow_window()), 0);
    pair_run(&pair);
    pair_log(&pair.server);
    pair.server.react = reset_first_seen;
    for (int n = 1; n <= 3; n++) {
        assert_int_equal(pair_open(&pair, false), n);
        assert_int_equal(pair_send(&pair.client, n, 30000, true), 0);
        pair_run(&pair);
    }
    assert_string_equal(pair_log(&pair.server), "request/1:6 request/2:6 request/3:6");
    assert_int_equal(pair.server.total_bytes, 0);
    pair_fini(&pair);
}

static void freeing_with_events_waiting_leaks_nothing(void **state)
{
    static struct wire wire;
    struct rota_h2_event event;
    struct pair pair;

    (void)state;
    assert_int_equal(pair_init(&pair, NULL, NULL, NULL), 0);
    wire.size = 0;
    wire_magic(&wire);
    for (uint32_t id = 1; id < 9; id += 2) {
        wire_headers(&wire, 0, id, WIRE_REQUEST);
        wire_frame(&wire, WIRE_DATA, 0, id, "x", 1);
    }
    assert_int_equal(rota_h2_feed(pair.server.h2, rota_slice(wire.bytes, wire.size), 0, NULL), 0);
    for (int i = 0; i < 4; i++)
        assert_true(rota_h2_next(pair.server.h2, &event));
    /* Its data is the next event. */
    assert_int_equal(event.type, ROTA_H2_REQUEST);
    rota_h2_reset(event.stream, 8);
    assert_ptr_equal(rota_h2_of(event.stream), pair.server.h2);
    pair_fini(&pair);
}

static void a_reset_while_closed_is_told_does_nothing(void **state)
{
    struct rota_h2_event event;
    struct pair pair;

    (void)state;
    pair_ready(&pair);
    assert_int_equal(pair_open(&pair, true), 1);
    rota_h2_abort(pair.client.h2, "over");
    assert_true(rota_h2_next(pair.client.h2, &event));
    assert_int_equal(event.type, ROTA_H2_CLOSED);
    rota_h2_reset(event.stream, 8);
    assert_false(rota_h2_next(pair.client.h2, &event));
    pair_fini(&pair);
}

static void a_reset_instead_of_closed(void **state)
{
    struct rota_h2_event event;
    struct pair pair;

    (void)state;
    pair_ready(&pair);
    assert_int_equal(pair_open(&pair, true), 1);
    rota_h2_abort(pair.client.h2, "over");
    rota_h2_reset(pair.client.streams[1], 8);
    assert_false(rota_h2_next(pair.client.h2, &event));
    pair_fini(&pair);
}

static size_t request_size(struct pair *pair, const char *timeout)
{
    struct rota_header headers[] = {
        {ROTA_SLICE(":method"), ROTA_SLICE("POST")},
        {ROTA_SLICE("grpc-timeout"), rota_slice_str(timeout)},
    };
    struct rota_h2_stream *stream;
    size_t before = pair->client.out_bytes;

    assert_int_equal(rota_h2_open(pair->client.h2, headers, 2, true, NULL, &stream), 0);
    pair_pass(&pair->client, NULL, 1000);
    return pair->client.out_bytes - before;
}

/* Once told twice, a timeout costs a byte; one that never comes again leaves the table alone. */
static void timeouts_that_repeat_are_indexed(void **state)
{
    struct pair pair;
    size_t first, second, third;

    (void)state;
    pair_ready(&pair);
    first = request_size(&pair, "5S");
    second = request_size(&pair, "5S");
    third = request_size(&pair, "5S");
    assert_true(second <= first);
    assert_int_equal(third, 9 + 1 + 1);
    assert_true(request_size(&pair, "1234567u") > third);
    assert_true(request_size(&pair, "1234568u") > third);
    assert_true(request_size(&pair, "123456789012345678901234567890u") > third);
    request_size(&pair, "5S");
    assert_int_equal(request_size(&pair, "5S"), third);
    pair_fini(&pair);
}

static const struct {
    const char *rule, *first, *second; /* header blocks */
    uint8_t first_flags, second_flags;
    const char *want;
} flaws[] = {
    {"no :status", "x=y", NULL, 0, 0, "a response without :status"},
    {"a 1xx with the stream's end", ":status=103", NULL, WIRE_END_STREAM, 0, "a 1xx response that ends its stream"},
    {"no body where one was announced", ":status=200|content-length=5", NULL, WIRE_END_STREAM, 0, "less DATA than its content-length"},
    {"trailers before that body", ":status=200|content-length=5", "grpc-status=0", 0, WIRE_END_STREAM, "less DATA than its content-length"},
    {"trailers that go on", ":status=200", "grpc-status=0", 0, 0, "trailers that do not end their stream"},
    {"a field that may not be", ":status=200|upgrade=h2c", NULL, 0, 0, "header fields that HTTP/2 does not allow"},
};

static void a_malformed_answer_is_told_for_what_it_is(void **state)
{
    static struct wire wire;

    (void)state;
    for (size_t i = 0; i < ROTA_COUNT(flaws); i++) {
        struct rota_h2_event event;
        char detail[200] = "", want[200];
        struct pair pair;

        print_message("  %s\n", flaws[i].rule);
        assert_int_equal(pair_init(&pair, NULL, NULL, NULL), 0);
        assert_int_equal(pair_open(&pair, true), 1);
        pair_pass(&pair.client, NULL, 65536);
        wire.size = 0;
        wire_frame(&wire, WIRE_SETTINGS, 0, 0, NULL, 0);
        wire_headers(&wire, flaws[i].first_flags, 1, flaws[i].first);
        if (flaws[i].second != NULL)
            wire_headers(&wire, flaws[i].second_flags, 1, flaws[i].second);
        assert_int_equal(rota_h2_feed(pair.client.h2, rota_slice(wire.bytes, wire.size), 0, NULL), 0);
        while (rota_h2_next(pair.client.h2, &event))
            if (event.type == ROTA_H2_CLOSED)
                snprintf(detail, sizeof(detail), "%s", event.detail);
        snprintf(want, sizeof(want), "stream reset with PROTOCOL_ERROR: %s", flaws[i].want);
        assert_string_equal(detail, want);
        pair_fini(&pair);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_malformed_answer_is_told_for_what_it_is),
        cmocka_unit_test(messages_go_to_and_fro),
        cmocka_unit_test(an_empty_chunk_is_no_frame),
        cmocka_unit_test(a_chunk_may_go_to_many_streams),
        cmocka_unit_test(events_of_a_reset_stream_are_passed_over),
        cmocka_unit_test(freeing_with_events_waiting_leaks_nothing),
        cmocka_unit_test(a_reset_while_closed_is_told_does_nothing),
        cmocka_unit_test(a_reset_instead_of_closed),
        cmocka_unit_test(timeouts_that_repeat_are_indexed),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
