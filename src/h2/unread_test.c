/* unread_test.c - answers and resets count while they wait to be sent, and no longer, though something always waits. */
#include "base/assert.h"
#include "h2/pair_fixture.h"
#include "h2/session.h"
#include "h2/wire_fixture.h"
#include "testing/cmocka.h"

#define ROUNDS 40000
#define WAITING 2000 /* bytes that are left unsent all the time */

static struct wire wire;

static size_t waiting(const struct pair_side *side)
{
    return side->h2->tx.used - side->h2->tx.sent;
}

static void pull_but_some(struct pair_side *side)
{
    if (waiting(side) > WAITING)
        pair_pass(side, NULL, waiting(side) - WAITING);
}

static void a_ping(struct pair_side *side, uint32_t i)
{
    (void)i;
    wire.size = 0;
    wire_frame(&wire, WIRE_PING, 0, 0, "pingpong", 8);
    pair_feed(side, wire.bytes, wire.size);
}

static void a_stream_that_is_reset_here(struct pair_side *side, uint32_t i)
{
    wire.size = 0;
    wire_headers(&wire, WIRE_END_STREAM, 2 * i + 1, WIRE_REQUEST);
    pair_feed(side, wire.bytes, wire.size);
    if (side->n_streams == 0)
        return; /* it was sent away */
    rota_h2_reset(side->streams[1], 8);
    side->n_streams = 0;
}

static void a_stream_that_the_peer_resets(struct pair_side *side, uint32_t i)
{
    const struct rota_header status = {ROTA_SLICE(":status"), ROTA_SLICE("200")};

    wire.size = 0;
    wire_headers(&wire, WIRE_END_STREAM, 2 * i + 1, WIRE_REQUEST);
    pair_feed(side, wire.bytes, wire.size);
    if (side->n_streams == 0)
        return;
    assert_int_equal(rota_h2_send_headers(side->streams[1], &status, 1, false), 0);
    wire.size = 0;
    wire_number(&wire, WIRE_RST, 2 * i + 1, 8);
    pair_feed(side, wire.bytes, wire.size);
    side->n_streams = 0;
}

static const struct {
    const char *rule;
    void (*happen)(struct pair_side *side, uint32_t i);
    uint32_t least, most; /* that may wait */
} cases[] = {
    {"pings", a_ping, 9800, 10001},
    {"streams that are reset here", a_stream_that_is_reset_here, 9800, 10101},
    {"streams that the peer resets", a_stream_that_the_peer_resets, 9000, 10101},
};

static void only_what_waits_counts(void **state)
{
    (void)state;
    for (size_t i = 0; i < ROTA_COUNT(cases); i++) {
        struct pair pair;
        uint32_t n = 0;

        print_message("  %s\n", cases[i].rule);
        assert_int_equal(pair_init(&pair, NULL, NULL, NULL), 0);
        pair.server.mute = true;
        wire.size = 0;
        wire_magic(&wire);
        pair_feed(&pair.server, wire.bytes, wire.size);
        for (; n < ROUNDS; n++) {
            pair.now_ns += 10000000; /* as no flood comes */
            cases[i].happen(&pair.server, n);
            pull_but_some(&pair.server);
        }
        assert_true(waiting(&pair.server) > 0);
        assert_int_equal(pair.server.err, 0);
        for (n = 0; n < ROUNDS && pair.server.err == 0; n++) { /* and now nothing is read */
            pair.now_ns += 10000000;
            cases[i].happen(&pair.server, ROUNDS + n);
        }
        assert_int_equal(pair.server.err, ROTA_EPROTO);
        assert_in_range(n, cases[i].least, cases[i].most);
        pair_fini(&pair);
    }
}

/* The peer counts a stream until it has the reset. */
static void a_reset_that_is_out_gives_its_place_back(void **state)
{
    struct pair pair;

    (void)state;
    assert_int_equal(pair_init(&pair, NULL, NULL, NULL), 0);
    pair.client.mute = true;
    wire.size = 0;
    wire_frame(&wire, WIRE_SETTINGS, 0, 0, NULL, 0);
    pair_feed(&pair.client, wire.bytes, wire.size);
    for (int i = 0; i < 200; i++) /* above what waits, to begin with */
        a_ping(&pair.client, 0);
    for (int i = 0; i < 2000; i++) {
        int n = pair_open(&pair, true);

        assert_true(n > 0);
        for (int k = 0; k < 200; k++) {
            a_ping(&pair.client, 0);
            pull_but_some(&pair.client);
        }
        rota_h2_reset(pair.client.streams[n], 8);
        assert_true(waiting(&pair.client) > 0);
        pair.client.n_streams = 0;
    }
    assert_int_equal(pair.client.err, 0);
    pair_fini(&pair);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(only_what_waits_counts),
        cmocka_unit_test(a_reset_that_is_out_gives_its_place_back),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
