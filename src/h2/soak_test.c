/* soak_test.c - both sides do as they like for a while; then everything ends, each stream exactly once, the windows are whole again and
 * the two sides of each header table agree.
 *
 * The seed of a failing run is printed before it.
 */
#include "base/assert.h"
#include "base/rng.h"
#include "h2/pair_fixture.h"
#include "h2/session.h"
#include "h2/wire_fixture.h"
#include "testing/cmocka.h"

#define STEPS 1500
#define STREAMS_OPENED_MAX 400

struct soak {
    struct pair pair;
    struct rota_rng rng;
    size_t queued;
    int steps; /* of all that is meddled with */
    int opened, client_closed, client_reset, server_begun, server_closed, server_reset;
};

static struct soak soak; /* too large for the stack */

static void on_client_event(struct pair_side *side, int n, const struct rota_h2_event *event)
{
    (void)side;
    (void)n;
    soak.client_closed += event->type == ROTA_H2_CLOSED;
}

static void on_server_event(struct pair_side *side, int n, const struct rota_h2_event *event)
{
    (void)side;
    (void)n;
    soak.server_begun += event->type == ROTA_H2_REQUEST;
    soak.server_closed += event->type == ROTA_H2_CLOSED;
}

static uint32_t below(uint32_t bound)
{
    return rota_rng_below(&soak.rng, bound);
}

/* A stream that the side still has, or 0. */
static int any_stream(const struct pair_side *side)
{
    int n = side->n_streams == 0 ? 0 : 1 + (int)below((uint32_t)side->n_streams);

    return n > 0 && side->streams[n] != NULL ? n : 0;
}

static void reset_any(struct pair_side *side, int *count)
{
    int n = any_stream(side);

    if (n == 0)
        return;
    rota_h2_reset(side->streams[n], 8);
    side->streams[n] = NULL;
    ++*count;
}

static void client_step(struct pair *pair)
{
    int n;

    switch (below(8)) {
    case 0:
        reset_any(&pair->client, &soak.client_reset);
        break;
    case 1:
    case 2:
    case 3:
        if (soak.opened < STREAMS_OPENED_MAX && pair_open(pair, below(3) == 0) > 0)
            soak.opened++;
        break;
    default:
        n = any_stream(&pair->client);
        if (n > 0)
            (void)pair_send(&pair->client, n, below(3000), below(4) == 0);
    }
}

static void server_step(struct pair *pair)
{
    int n = any_stream(&pair->server);

    if (n == 0)
        return;
    switch (below(10)) {
    case 0:
        reset_any(&pair->server, &soak.server_reset);
        break;
    case 1:
    case 2:
    case 3:
        (void)pair_respond(pair, n, below(4) == 0);
        break;
    case 4:
    case 5:
        (void)pair_trailers(pair, n);
        break;
    default:
        (void)pair_send(&pair->server, n, below(3000), below(20) == 0);
    }
}

static void answer_all(struct pair *pair)
{
    for (int n = 1; n <= pair->server.n_streams; n++)
        if (pair->server.streams[n] != NULL && pair_respond(pair, n, true) == ROTA_ESTATE)
            (void)pair_trailers(pair, n);
}

/* What one side may send is what the other has in view; of that, nothing is missing but what is not worth an announcement. */
static void check_windows(const struct rota_h2 *from, const struct rota_h2 *to)
{
    int64_t size = to->options.conn_window_bytes < 65535 ? 65535 : to->options.conn_window_bytes;

    assert_int_equal(to->held, 0);
    assert_int_equal(from->send_left, to->view);
    assert_true(to->view > to->options.conn_window_bytes / 2 && to->view <= size);
    assert_true(from->encoder.resized || from->encoder.max_bytes == to->decoder.max_bytes);
}

/* All that was opened has ended: a call on what is left of the connection must be as good as on a new one. */
static void check_quiet(struct pair *pair)
{
    assert_int_equal(rota_h2_streams(pair->client.h2), 0);
    assert_int_equal(rota_h2_streams(pair->server.h2), 0);
    assert_int_equal(pair->client.h2->n_map, 0);
    assert_int_equal(pair->server.h2->n_map, 0);
    assert_int_equal(rota_h2_slots(pair->client.h2), 0);
    assert_true(rota_list_empty(&pair->client.h2->ready) && rota_list_empty(&pair->client.h2->blocked));
    assert_true(rota_list_empty(&pair->server.h2->ready) && rota_list_empty(&pair->server.h2->blocked));
    assert_true(rota_list_empty(&pair->server.h2->ending));
    check_windows(pair->client.h2, pair->server.h2);
    check_windows(pair->server.h2, pair->client.h2);
}

static void run(uint64_t seed)
{
    struct rota_h2_options small = {
        .max_concurrent_streams = 20,
        .keepalive_time_ns = INT64_MAX,
        .handshake_deadline_ns = INT64_MAX,
        .queued_total = &soak.queued,
    };
    struct pair *pair = &soak.pair;

    soak.opened = soak.client_closed = soak.client_reset = 0;
    soak.server_begun = soak.server_closed = soak.server_reset = 0;
    soak.queued = 0;
    rota_rng_init(&soak.rng, seed);
    small.stream_window_bytes = 100 + below(5000);
    small.conn_window_bytes = below(2) == 0 ? 65535 : 2000 + below(20000);
    small.max_window_bytes = below(2) == 0 ? 0 : 8000;
    assert_int_equal(pair_init(pair, NULL, &small, &small), 0);
    pair->chunking = PAIR_RANDOM;
    pair->client.mute = pair->server.mute = true;
    pair->client.react = on_client_event;
    pair->server.react = on_server_event;
    for (int i = 0; i < STEPS; i++) {
        pair->now_ns += below(1000) * INT64_C(100000);
        client_step(pair);
        server_step(pair);
        if (below(2) == 0)
            pair_pass(&pair->client, &pair->server, 1 + below(2000));
        if (below(2) == 0)
            pair_pass(&pair->server, &pair->client, 1 + below(2000));
    }
    pair_run(pair);
    answer_all(pair);
    pair_run(pair);
    check_quiet(pair);
    assert_int_equal(soak.queued, 0);
    rota_h2_drain(pair->server.h2, pair->now_ns);
    pair_run(pair);
    assert_int_equal(pair->client.err, 0);
    assert_int_equal(pair->server.err, 0);
    assert_int_equal(soak.client_closed + soak.client_reset, soak.opened);
    assert_int_equal(soak.server_closed + soak.server_reset, soak.server_begun);
    assert_true(soak.opened > 50);
    assert_true(rota_h2_finished(pair->client.h2));
    assert_true(rota_h2_finished(pair->server.h2));
    pair_fini(pair);
}

static void every_stream_ends_exactly_once(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 40; seed++) {
        print_message("  seed %llu\n", (unsigned long long)seed);
        run(seed);
    }
}

/* --- The same with frames in between that nobody should send, and without memory now and then --- */

static struct wire wire; /* too large for the stack */

static void put_setting(void)
{
    uint8_t setting[6] = {0, (uint8_t)(1 + below(6))};
    uint32_t value = setting[1] == 5 ? 16384 : below(2) == 0 ? below(70000) : below(50);

    rota_h2_put_u32(setting + 2, setting[1] == 2 ? 0 : value);
    wire_frame(&wire, WIRE_SETTINGS, 0, 0, setting, sizeof(setting));
}

static void put_block(uint32_t id, uint8_t flags)
{
    static const uint8_t request[] = {0x83, 0x86, 0x84}, response[] = {0x88};

    if (below(2) == 0)
        wire_frame(&wire, WIRE_HEADERS, flags | WIRE_END_HEADERS, id, request, sizeof(request));
    else
        wire_frame(&wire, WIRE_HEADERS, flags | WIRE_END_HEADERS, id, response, sizeof(response));
}

/* Most of them cost a stream at most: a connection is to live through many. */
static void put_frame(uint32_t newest)
{
    static const uint8_t zeros[300];
    uint32_t id = 2 * below(newest + (below(50) == 0 ? 3 : 0)) + (below(200) > 0);
    uint8_t end = below(4) == 0 ? WIRE_END_STREAM : 0;

    switch (below(9)) {
    case 0: wire_number(&wire, WIRE_RST, id, below(14)); break;
    case 1: wire_number(&wire, WIRE_WINDOW, below(3) == 0 ? 0 : id, below(200) == 0 ? INT32_MAX : 1 + below(3000)); break;
    case 2: put_setting(); break;
    case 3: wire_frame(&wire, below(20) == 0 ? WIRE_GOAWAY : WIRE_PING, 0, 0, "\x7f\xff\xff\xff\0\0\0\1", 8); break;
    case 4: wire_frame(&wire, WIRE_PING, end, 0, zeros, 8); break;
    case 5: wire_frame(&wire, WIRE_DATA, end | ROTA_H2_FLAG_PADDED, id, "\3x\0\0", 5); break;
    case 6: put_block(id, end); break;
    case 7: wire_frame(&wire, WIRE_PRIORITY, 0, id, zeros, below(30) == 0 ? 4 : 5); break;
    default: wire_frame(&wire, (enum wire_type)(10 + below(100)), 0, id, zeros, below(sizeof(zeros))); break;
    }
}

static void meddle(struct pair_side *side)
{
    if (soak.opened == 0)
        return;
    wire.size = 0;
    put_frame((uint32_t)soak.opened);
    pair_feed(side, wire.bytes, wire.size);
}

static void abort_side(struct pair_side *side)
{
    rota_h2_abort(side->h2, "it is enough");
    pair_drain_events(side);
    assert_int_equal(rota_h2_streams(side->h2), 0);
    assert_true(rota_h2_finished(side->h2));
}

static void meddled_steps(struct pair *pair, bool starve)
{
    for (int i = 0; i < STEPS && pair->client.err == 0 && pair->server.err == 0; i++) {
        if (starve && below(100) == 0)
            rota_leak_alloc_fail_nth(&pair->own, 1 + below(60));
        soak.steps++;
        client_step(pair);
        server_step(pair);
        if (below(2) == 0)
            pair_pass(&pair->client, &pair->server, 65536);
        if (below(2) == 0)
            pair_pass(&pair->server, &pair->client, 65536);
        if (below(10) == 0 && !(starve && below(2) == 0))
            meddle(below(4) > 0 ? &pair->client : &pair->server);
    }
}

static void meddled_run(uint64_t seed)
{
    struct rota_h2_options options = {
        .max_concurrent_streams = 20, .keepalive_time_ns = INT64_MAX, .handshake_deadline_ns = INT64_MAX, .queued_total = &soak.queued};
    struct pair *pair = &soak.pair;

    soak.opened = soak.client_closed = soak.client_reset = 0;
    soak.server_begun = soak.server_closed = soak.server_reset = 0;
    soak.queued = 0;
    rota_rng_init(&soak.rng, seed);
    options.stream_window_bytes = 100 + below(5000);
    assert_int_equal(pair_init(pair, NULL, &options, &options), 0);
    pair->client.mute = pair->server.mute = true;
    pair->client.react = on_client_event;
    pair->server.react = on_server_event;
    meddled_steps(pair, seed % 2 == 0);
    rota_leak_alloc_fail_nth(&pair->own, 0);
    abort_side(&pair->client);
    abort_side(&pair->server);
    assert_int_equal(soak.client_closed + soak.client_reset, soak.opened);
    assert_int_equal(soak.server_closed + soak.server_reset, soak.server_begun);
    assert_int_equal(soak.queued, 0);
    pair_fini(pair);
}

static void so_it_does_when_somebody_meddles(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 300; seed++) {
        print_message("  seed %llu\n", (unsigned long long)seed);
        meddled_run(seed);
    }
    assert_true(soak.steps > 300 * 30); /* they do not all end at once */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_stream_ends_exactly_once),
        cmocka_unit_test(so_it_does_when_somebody_meddles),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
