/* turns_test.c - whoever waits for the connection's window, or for room in the caller's buffer, is not overtaken for ever by those who came later. */
#include "base/assert.h"
#include "h2/pair_fixture.h"
#include "h2/wire_fixture.h"
#include "testing/cmocka.h"
#include <stdio.h>

#define REPLY_BYTES 600
#define BUFFER_BYTES 65536
#define FIT (65535 / REPLY_BYTES) /* replies that the peer's first window lets through */

static struct wire wire;
static char ended[8192]; /* the streams of the server that are over, in their order: "1 2 3 " */
static size_t ended_size;

static void see(struct pair_side *side, int n, const struct rota_h2_event *event)
{
    (void)side;
    if (event->type == ROTA_H2_CLOSED && event->cause == ROTA_H2_DONE)
        ended_size += (size_t)snprintf(ended + ended_size, sizeof(ended) - ended_size, "%d ", n);
    assert_true(ended_size < sizeof(ended));
}

static const char *take_ended(void)
{
    ended[ended_size] = '\0';
    ended_size = 0;
    return ended;
}

static void feed(struct pair_side *side)
{
    pair_feed(side, wire.bytes, wire.size);
    wire.size = 0;
}

static void pull_all(struct pair_side *side)
{
    while (pair_pass(side, NULL, BUFFER_BYTES) > 0) {
    }
}

/* A server whose client has said hello, with windows of streams of a megabyte. */
static void server_ready(struct pair *pair)
{
    static const struct rota_h2_options options = {
        .max_concurrent_streams = PAIR_STREAMS, .keepalive_time_ns = INT64_MAX, .handshake_deadline_ns = INT64_MAX};

    ended_size = 0;
    assert_int_equal(pair_init(pair, NULL, NULL, &options), 0);
    pair->server.mute = true;
    pair->server.react = see;
    wire.size = 0;
    wire_magic(&wire);
    wire_frame(&wire, WIRE_SETTINGS, 0, 0, "\0\4\0\x10\0\0", 6);
    feed(&pair->server);
    pull_all(&pair->server);
}

/* The calls numbered so come in, with one read. */
static void ask(struct pair *pair, int from, int to)
{
    for (int n = from; n <= to; n++)
        wire_headers(&wire, WIRE_END_STREAM, (uint32_t)(2 * n - 1), WIRE_REQUEST);
    feed(&pair->server);
}

static void answer(struct pair *pair, int from, int to)
{
    for (int n = from; n <= to; n++) {
        assert_int_equal(pair_respond(pair, n, false), 0);
        assert_int_equal(pair_send(&pair->server, n, REPLY_BYTES, false), 0);
        assert_int_equal(pair_trailers(pair, n), 0);
    }
}

/* Each read brings as much window as was used, and as many new calls. */
static void replies_go_in_their_order(void **state)
{
    struct pair pair;
    char want[32];

    (void)state;
    server_ready(&pair);
    ask(&pair, 1, FIT + 20);
    answer(&pair, 1, FIT + 20);
    pull_all(&pair.server);
    take_ended();
    for (int i = 0; i < 50; i++) {
        int first = FIT + 21 + 2 * i;

        wire_number(&wire, WIRE_WINDOW, 0, 2 * REPLY_BYTES);
        ask(&pair, first, first + 1);
        answer(&pair, first, first + 1);
        pull_all(&pair.server);
        snprintf(want, sizeof(want), "%d %d ", first - 20, first - 19);
        assert_string_equal(take_ended(), want);
    }
    pair_fini(&pair);
}

/* The window comes when newer replies stand in the queue already. */
static void a_window_that_comes_late_goes_to_the_oldest(void **state)
{
    struct pair pair;
    char want[32];

    (void)state;
    server_ready(&pair);
    ask(&pair, 1, FIT + 4);
    answer(&pair, 1, FIT + 2);
    pull_all(&pair.server);
    take_ended();
    answer(&pair, FIT + 3, FIT + 4);
    wire_number(&wire, WIRE_WINDOW, 0, 2 * REPLY_BYTES);
    feed(&pair.server);
    pull_all(&pair.server);
    snprintf(want, sizeof(want), "%d %d ", FIT + 1, FIT + 2);
    assert_string_equal(take_ended(), want);
    pair_fini(&pair);
}

static void who_needs_no_window_need_not_wait(void **state)
{
    struct pair pair;
    char want[32];

    (void)state;
    server_ready(&pair);
    ask(&pair, 1, FIT + 2);
    answer(&pair, 1, FIT + 1);
    pull_all(&pair.server);
    take_ended();
    assert_int_equal(pair_respond(&pair, FIT + 2, false), 0);
    assert_int_equal(pair_trailers(&pair, FIT + 2), 0);
    pull_all(&pair.server);
    snprintf(want, sizeof(want), "%d ", FIT + 2);
    assert_string_equal(take_ended(), want);
    pair_fini(&pair);
}

/* When nobody waits any more, a reply goes with its end at once again, before one that is long. */
static void once_nobody_waits_the_small_go_at_once(void **state)
{
    struct pair pair;
    char want[32];

    (void)state;
    server_ready(&pair);
    ask(&pair, 1, FIT + 2);
    answer(&pair, 1, FIT + 1);
    pull_all(&pair.server);
    take_ended();
    wire_number(&wire, WIRE_WINDOW, 0, 100 * BUFFER_BYTES);
    feed(&pair.server);
    pull_all(&pair.server);
    ask(&pair, FIT + 3, FIT + 3);
    assert_int_equal(pair_respond(&pair, FIT + 2, false), 0);
    assert_int_equal(pair_send(&pair.server, FIT + 2, 10 * BUFFER_BYTES, false), 0);
    answer(&pair, FIT + 3, FIT + 3);
    pair_pass(&pair.server, NULL, BUFFER_BYTES);
    snprintf(want, sizeof(want), "%d %d ", FIT + 1, FIT + 3);
    assert_string_equal(take_ended(), want);
    pair_fini(&pair);
}

static int upload(struct pair *pair)
{
    int n = pair_open(pair, false);

    assert_true(n > 0);
    assert_int_equal(pair_send(&pair->client, n, REPLY_BYTES, true), 0);
    return n;
}

static void requests_go_in_their_order(void **state)
{
    struct pair pair;
    int oldest;

    (void)state;
    assert_int_equal(pair_init(&pair, NULL, NULL, NULL), 0);
    pair.client.mute = true;
    wire.size = 0;
    wire_frame(&wire, WIRE_SETTINGS, 0, 0, "", 0);
    feed(&pair.client);
    for (int i = 0; i < FIT; i++)
        upload(&pair);
    oldest = upload(&pair);
    for (int i = 0; i < 20; i++)
        upload(&pair);
    pull_all(&pair.client);
    for (int i = 0; i < 50; i++) {
        int newest;

        assert_int_not_equal(rota_h2_queued(pair.client.streams[oldest]), 0);
        wire_number(&wire, WIRE_WINDOW, 0, REPLY_BYTES);
        feed(&pair.client);
        newest = upload(&pair);
        pull_all(&pair.client);
        assert_int_equal(rota_h2_queued(pair.client.streams[oldest]), 0);
        assert_int_equal(rota_h2_queued(pair.client.streams[newest]), REPLY_BYTES);
        oldest++;
    }
    pair_fini(&pair);
}

/* The socket takes a buffer in a turn, and small replies could fill it each time. */
static void small_replies_leave_room_for_a_long_one(void **state)
{
    const int a_turn = BUFFER_BYTES / REPLY_BYTES; /* with heads and trailers that is more than a buffer */
    struct pair pair;
    int n = 1;

    (void)state;
    server_ready(&pair);
    wire_number(&wire, WIRE_WINDOW, 0, 0x7f000000);
    ask(&pair, 1, 1);
    assert_int_equal(pair_respond(&pair, 1, false), 0);
    assert_int_equal(pair_send(&pair.server, 1, BUFFER_BYTES, true), 0);
    for (int turn = 0; turn < 20; turn++) {
        ask(&pair, n + 1, n + a_turn);
        answer(&pair, n + 1, n + a_turn);
        n += a_turn;
        take_ended();
        assert_in_range(pair_pass(&pair.server, NULL, BUFFER_BYTES), BUFFER_BYTES - 2048, BUFFER_BYTES);
    }
    assert_null(pair.server.streams[1]);
    pair_fini(&pair);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(replies_go_in_their_order),
        cmocka_unit_test(a_window_that_comes_late_goes_to_the_oldest),
        cmocka_unit_test(who_needs_no_window_need_not_wait),
        cmocka_unit_test(once_nobody_waits_the_small_go_at_once),
        cmocka_unit_test(requests_go_in_their_order),
        cmocka_unit_test(small_replies_leave_room_for_a_long_one),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
