/* flow_test.c - windows bound what is sent, the queue tells when to go on, and no credit is ever lost. */
#include "base/assert.h"
#include "h2/pair_fixture.h"
#include "testing/cmocka.h"

#define STREAM_WINDOW 1000
#define CONN_WINDOW 70000

static const struct rota_h2_options small = {
    .stream_window_bytes = STREAM_WINDOW,
    .conn_window_bytes = CONN_WINDOW,
    .high_mark_bytes = 4000,
    .keepalive_time_ns = INT64_MAX,
    .handshake_deadline_ns = INT64_MAX,
};

static void pair_ready(struct pair *pair)
{
    assert_int_equal(pair_init(pair, NULL, &small, &small), 0);
    pair_run(pair);
    assert_string_equal(pair_log(&pair->client), "ready");
    assert_string_equal(pair_log(&pair->server), "ready");
    pair->client.quiet = pair->server.quiet = true;
}

static void a_body_larger_than_all_windows_arrives(void **state)
{
    static const enum pair_chunking chunkings[] = {PAIR_WHOLE, PAIR_BYTES, PAIR_RANDOM};

    (void)state;
    for (size_t i = 0; i < ROTA_COUNT(chunkings); i++) {
        struct pair pair;
        int n;

        pair_ready(&pair);
        pair.chunking = chunkings[i];
        n = pair_open(&pair, false);
        for (int k = 0; k < 10; k++)
            assert_int_equal(pair_send(&pair.client, n, 20000, k == 9), 0);
        assert_int_equal(rota_h2_queued(pair.client.streams[n]), 200000);
        pair_run(&pair);
        assert_int_equal(pair.server.total_bytes, 200000);
        assert_string_equal(pair_log(&pair.server), "request/1:6 end/1:0");
        assert_string_equal(pair_log(&pair.client), "writable/1");
        assert_int_equal(rota_h2_queued(pair.client.streams[n]), 0);
        pair_fini(&pair);
    }
}

static void a_sender_stops_at_the_stream_window(void **state)
{
    struct pair pair;
    int n;

    (void)state;
    pair_ready(&pair);
    pair.server.hold = true;
    n = pair_open(&pair, false);
    assert_int_equal(pair_send(&pair.client, n, 50000, true), 0);
    pair_run(&pair);
    assert_int_equal(pair.server.total_bytes, STREAM_WINDOW);
    assert_int_equal(rota_h2_queued(pair.client.streams[n]), 50000 - STREAM_WINDOW);

    rota_h2_consumed(pair.server.streams[1], STREAM_WINDOW / 2);
    pair_run(&pair);
    assert_int_equal(pair.server.total_bytes, STREAM_WINDOW + STREAM_WINDOW / 2);
    pair_fini(&pair);
}

static void all_streams_together_stop_at_the_connection_window(void **state)
{
    struct pair pair;

    (void)state;
    pair_ready(&pair);
    pair.server.hold = true;
    for (int i = 0; i < 90; i++)
        assert_int_equal(pair_send(&pair.client, pair_open(&pair, false), 5000, true), 0);
    pair_run(&pair);
    assert_int_equal(pair.server.total_bytes, CONN_WINDOW);
    pair_fini(&pair);
}

/* The program reads none of what four calls bring, though their windows together are twice the connection's, and makes a fifth. */
static void a_clients_held_streams_leave_the_connection_to_others(void **state)
{
    static const struct rota_h2_options grown = {
        .stream_window_bytes = CONN_WINDOW / 2, .conn_window_bytes = CONN_WINDOW, .keepalive_time_ns = INT64_MAX, .handshake_deadline_ns = INT64_MAX};
    struct pair pair;

    (void)state;
    assert_int_equal(pair_init(&pair, NULL, &grown, &grown), 0);
    pair_run(&pair);
    pair.client.mute = pair.server.mute = pair.client.hold = true;
    for (int n = 1; n <= 4; n++) {
        assert_int_equal(pair_open(&pair, true), n);
        pair_run(&pair);
        assert_int_equal(pair_respond(&pair, n, false), 0);
        assert_int_equal(pair_send(&pair.server, n, CONN_WINDOW, false), 0);
        pair_run(&pair);
        assert_int_equal(pair.client.total_bytes, n * (CONN_WINDOW / 2)); /* each its own window */
    }
    assert_int_equal(pair_open(&pair, true), 5);
    pair_run(&pair);
    assert_int_equal(pair_respond(&pair, 5, false), 0);
    assert_int_equal(pair_send(&pair.server, 5, 1000, false), 0);
    assert_int_equal(pair_trailers(&pair, 5), 0);
    pair_run(&pair);
    assert_int_equal(rota_h2_streams(pair.client.h2), 4);
    pair_fini(&pair);
}

/* Whoever takes it: frames of 13 bytes, each of half a window. */
static void the_connections_credit_comes_by_the_half_window(void **state)
{
    struct rota_h2_options large = small;
    struct pair pair;

    (void)state;
    large.stream_window_bytes = 16 * CONN_WINDOW; /* so that streams need none */
    for (int hold = 0; hold < 2; hold++) {
        size_t before;

        assert_int_equal(pair_init(&pair, NULL, &large, &large), 0);
        pair_run(&pair);
        pair.client.mute = pair.server.mute = true;
        pair.client.hold = hold == 1;
        assert_int_equal(pair_open(&pair, true), 1);
        pair_run(&pair);
        before = pair.client.out_bytes;
        assert_int_equal(pair_respond(&pair, 1, false), 0);
        for (int i = 0; i < 70; i++) {
            assert_int_equal(pair_send(&pair.server, 1, CONN_WINDOW / 10, false), 0);
            pair_run(&pair);
        }
        assert_int_equal(pair.client.total_bytes, 7 * CONN_WINDOW);
        assert_int_equal(pair.client.out_bytes - before, 14 * 13);
        pair_fini(&pair);
    }
}

static void writable_comes_however_low_the_mark(void **state)
{
    struct rota_h2_options lowest = small;
    struct pair pair;
    int n;

    (void)state;
    lowest.high_mark_bytes = 1;
    assert_int_equal(pair_init(&pair, NULL, &lowest, &small), 0);
    pair_run(&pair);
    pair.client.quiet = pair.server.quiet = true;
    n = pair_open(&pair, false);
    pair_log(&pair.client);
    assert_int_equal(pair_send(&pair.client, n, 10, false), 0);
    pair_run(&pair);
    assert_string_equal(pair_log(&pair.client), "writable/1");
    pair_fini(&pair);
}

static void writable_comes_once_below_half_the_mark(void **state)
{
    struct pair pair;
    int n;

    (void)state;
    pair_ready(&pair);
    pair.server.hold = true;
    n = pair_open(&pair, false);
    assert_int_equal(pair_send(&pair.client, n, 3999, false), 0);
    pair_run(&pair);
    assert_string_equal(pair_log(&pair.client), "");

    /* 2999 are left; 4000 is the mark, below 2000 it tells. */
    assert_int_equal(pair_send(&pair.client, n, 1001, false), 0);
    rota_h2_consumed(pair.server.streams[1], 1000);
    pair_run(&pair);
    assert_int_equal(rota_h2_queued(pair.client.streams[n]), 3000);
    rota_h2_consumed(pair.server.streams[1], 1000);
    pair_run(&pair);
    assert_int_equal(rota_h2_queued(pair.client.streams[n]), 2000);
    assert_string_equal(pair_log(&pair.client), "");
    rota_h2_consumed(pair.server.streams[1], 1000);
    pair_run(&pair);
    assert_string_equal(pair_log(&pair.client), "writable/1");
    rota_h2_consumed(pair.server.streams[1], 1000);
    pair_run(&pair);
    assert_string_equal(pair_log(&pair.client), "");
    pair_fini(&pair);
}

/* Each rule leaves data unconsumed in its own way; were it not given back, the connection's window would be used up. */
static void server_resets(struct pair_side *side, int n, const struct rota_h2_event *event)
{
    if (event->type == ROTA_H2_DATA && side->streams[n] != NULL) {
        rota_h2_reset(event->stream, 8);
        side->streams[n] = NULL;
    }
}

static void server_resets_at_once(struct pair_side *side, int n, const struct rota_h2_event *event)
{
    if (event->type == ROTA_H2_REQUEST) {
        rota_h2_reset(event->stream, 8);
        side->streams[n] = NULL;
    }
}

static void server_answers(struct pair_side *side, int n, const struct rota_h2_event *event)
{
    if (event->type == ROTA_H2_REQUEST)
        assert_int_equal(pair_respond(side->pair, n, true), 0);
}

static void client_resets(struct pair_side *side, int n, const struct rota_h2_event *event)
{
    struct pair *pair = side->pair;

    (void)n;
    if (event->type == ROTA_H2_DATA && pair->client.streams[pair->client.n_streams] != NULL) {
        rota_h2_reset(pair->client.streams[pair->client.n_streams], 8);
        pair->client.streams[pair->client.n_streams] = NULL;
    }
}

static const struct leak_case {
    const char *rule;
    void (*react)(struct pair_side *side, int n, const struct rota_h2_event *event);
} leak_cases[] = {
    {"the receiver resets on seeing data", server_resets},
    {"the receiver resets before the data", server_resets_at_once},
    {"the receiver answers without reading", server_answers},
    {"the sender resets", client_resets},
};

static void unread_data_of_dead_streams_opens_the_window_again(void **state)
{
    (void)state;
    for (size_t i = 0; i < ROTA_COUNT(leak_cases); i++) {
        struct pair pair;

        print_message("  %s\n", leak_cases[i].rule);
        pair_ready(&pair);
        pair.server.hold = true;
        pair.server.react = leak_cases[i].react;
        for (int k = 0; k < 200; k++) {
            int n = pair_open(&pair, false);

            assert_true(n > 0);
            assert_int_equal(pair_send(&pair.client, n, 900, false), 0);
            pair_run(&pair);
            pair_log(&pair.client);
            pair_log(&pair.server);
        }
        assert_true(rota_h2_streams(pair.server.h2) == 0);
        pair.server.react = NULL;
        pair.server.hold = false;
        pair.server.total_bytes = 0;
        assert_int_equal(pair_send(&pair.client, pair_open(&pair, false), 2 * CONN_WINDOW, true), 0);
        pair_run(&pair);
        assert_int_equal(pair.server.total_bytes, 2 * CONN_WINDOW);
        pair_fini(&pair);
    }
}

static void trailers_pass_a_closed_window(void **state)
{
    struct pair pair;

    (void)state;
    pair_ready(&pair);
    pair.client.hold = true;
    assert_int_equal(pair_open(&pair, true), 1);
    pair_run(&pair);
    assert_int_equal(pair_respond(&pair, 1, false), 0);
    assert_int_equal(pair_send(&pair.server, 1, STREAM_WINDOW, false), 0);
    pair_run(&pair);
    assert_int_equal(pair_trailers(&pair, 1), 0);
    pair_run(&pair);
    assert_string_equal(pair_log(&pair.client), "headers/1:2 end/1:1 closed/1:done");
    pair_fini(&pair);
}

static void trailers_wait_for_the_data_before_them(void **state)
{
    struct pair pair;

    (void)state;
    pair_ready(&pair);
    pair.client.hold = true;
    assert_int_equal(pair_open(&pair, true), 1);
    pair_run(&pair);
    assert_int_equal(pair_respond(&pair, 1, false), 0);
    assert_int_equal(pair_send(&pair.server, 1, STREAM_WINDOW + 1, false), 0);
    assert_int_equal(pair_trailers(&pair, 1), 0);
    assert_int_equal(pair_send(&pair.server, 1, 1, false), ROTA_ESTATE);
    pair_run(&pair);
    assert_string_equal(pair_log(&pair.client), "headers/1:2");
    rota_h2_consumed(pair.client.streams[1], STREAM_WINDOW);
    pair_run(&pair);
    assert_string_equal(pair_log(&pair.client), "end/1:1 closed/1:done");
    assert_int_equal(pair.client.total_bytes, STREAM_WINDOW + 1);
    pair_fini(&pair);
}

/* No window holds them up, so they are written whoever reads. */
static void header_blocks_that_nobody_reads_are_counted(void **state)
{
    static uint8_t value[10000];
    struct rota_header headers[] = {{ROTA_SLICE(":status"), ROTA_SLICE("200")}, {ROTA_SLICE("x"), rota_slice(value, sizeof(value))}};
    size_t total = 7, here = 0;
    struct rota_h2_options options = {.queued_total = &total, .queued_here = &here, .keepalive_time_ns = INT64_MAX, .handshake_deadline_ns = INT64_MAX};
    struct pair pair;

    (void)state;
    memset(value, 'v', sizeof(value));
    assert_int_equal(pair_init(&pair, NULL, &(struct rota_h2_options){.max_header_bytes = 20000, .keepalive_time_ns = INT64_MAX,
        .handshake_deadline_ns = INT64_MAX}, &options), 0);
    pair_run(&pair);
    for (int n = 1; n <= 20; n++)
        assert_int_equal(pair_open(&pair, true), n);
    pair_run(&pair);
    for (int n = 1; n <= 20; n++) {
        assert_int_equal(rota_h2_send_headers(pair.server.streams[n], headers, ROTA_COUNT(headers), false), 0);
        assert_true(n > 1 || here == 0); /* what every connection may need is not */
    }
    assert_in_range(here, 150000, 600000);
    assert_int_equal(total, here + 7);
    rota_h2_abort(pair.server.h2, "over");
    assert_int_equal(here, 0);
    assert_int_equal(total, 7);
    pair_drain_events(&pair.server);
    pair_fini(&pair);
    assert_int_equal(total, 7);
}

/* They wait for data, for which no window may be open. */
static void trailers_that_wait_are_counted(void **state)
{
    static uint8_t value[10000];
    struct rota_header headers[] = {{ROTA_SLICE("x"), rota_slice(value, sizeof(value))}};
    size_t total = 7, here = 0;
    struct rota_h2_options options = {.queued_total = &total, .queued_here = &here, .keepalive_time_ns = INT64_MAX, .handshake_deadline_ns = INT64_MAX};
    struct rota_h2_options client = small;

    (void)state;
    client.max_header_bytes = 20000;
    memset(value, 'v', sizeof(value));
    for (int sent = 0; sent < 2; sent++) {
        struct pair pair;

        print_message("  %s\n", sent ? "until they are sent" : "until the stream is over");
        assert_int_equal(pair_init(&pair, NULL, &client, &options), 0);
        pair_run(&pair);
        pair.client.hold = true;
        assert_int_equal(pair_open(&pair, true), 1);
        pair_run(&pair);
        assert_int_equal(pair_respond(&pair, 1, false), 0);
        assert_int_equal(pair_send(&pair.server, 1, STREAM_WINDOW + 1, false), 0);
        assert_int_equal(rota_h2_send_trailers(pair.server.streams[1], headers, 1), 0);
        pair_run(&pair);
        assert_in_range(here, sizeof(value), 2 * sizeof(value));
        assert_int_equal(total, here + 7);
        if (sent) {
            rota_h2_consumed(pair.client.streams[1], STREAM_WINDOW);
            pair_run(&pair);
            assert_int_equal(rota_h2_streams(pair.client.h2), 0);
        } else {
            rota_h2_reset(pair.server.streams[1], 8);
        }
        assert_int_equal(here, 0);
        assert_int_equal(total, 7);
        pair_fini(&pair);
        assert_int_equal(total, 7);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_body_larger_than_all_windows_arrives),
        cmocka_unit_test(a_sender_stops_at_the_stream_window),
        cmocka_unit_test(all_streams_together_stop_at_the_connection_window),
        cmocka_unit_test(a_clients_held_streams_leave_the_connection_to_others),
        cmocka_unit_test(the_connections_credit_comes_by_the_half_window),
        cmocka_unit_test(writable_comes_however_low_the_mark),
        cmocka_unit_test(writable_comes_once_below_half_the_mark),
        cmocka_unit_test(unread_data_of_dead_streams_opens_the_window_again),
        cmocka_unit_test(trailers_pass_a_closed_window),
        cmocka_unit_test(trailers_wait_for_the_data_before_them),
        cmocka_unit_test(header_blocks_that_nobody_reads_are_counted),
        cmocka_unit_test(trailers_that_wait_are_counted),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
