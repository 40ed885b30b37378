/* soak_test.c - both sides do as they like for a while; then everything ends, each stream exactly once.
 *
 * The seed of a failing run is printed before it.
 */
#include "base/assert.h"
#include "base/rng.h"
#include "h2/pair_fixture.h"
#include "testing/cmocka.h"

#define STEPS 1500
#define STREAMS_OPENED_MAX 400

struct soak {
    struct pair pair;
    struct rota_rng rng;
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

static void run(uint64_t seed)
{
    static const struct rota_h2_options small = {
        .max_concurrent_streams = 20,
        .stream_window_bytes = 2000,
        .conn_window_bytes = 65535,
        .keepalive_time_ns = INT64_MAX,
        .handshake_deadline_ns = INT64_MAX,
    };
    struct pair *pair = &soak.pair;

    soak.opened = soak.client_closed = soak.client_reset = 0;
    soak.server_begun = soak.server_closed = soak.server_reset = 0;
    rota_rng_init(&soak.rng, seed);
    assert_int_equal(pair_init(pair, NULL, &small, &small), 0);
    pair->chunking = PAIR_RANDOM;
    pair->client.mute = pair->server.mute = true;
    pair->client.react = on_client_event;
    pair->server.react = on_server_event;
    for (int i = 0; i < STEPS; i++) {
        client_step(pair);
        server_step(pair);
        if (below(2) == 0)
            pair_pass(&pair->client, &pair->server, 1 + below(2000));
        if (below(2) == 0)
            pair_pass(&pair->server, &pair->client, 1 + below(2000));
    }
    rota_h2_drain(pair->server.h2, 0);
    pair_run(pair);
    answer_all(pair);
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
    for (uint64_t seed = 1; seed <= 20; seed++) {
        print_message("  seed %llu\n", (unsigned long long)seed);
        run(seed);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_stream_ends_exactly_once),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
