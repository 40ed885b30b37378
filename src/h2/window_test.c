/* window_test.c - two sessions at a distance in virtual time: windows grow for who takes what comes, and for nobody else. */
#include "base/assert.h"
#include "h2/pair_fixture.h"
#include "testing/cmocka.h"

#define KIB ((size_t)1024)
#define MIB (1024 * KIB)
#define MS INT64_C(1000000)

struct distance {
    struct pair pair;
    int n;
    size_t kept; /* most bytes that the receiver had and had not taken */
};

/* What was sent is there half a round trip later; the answer after the other half. The reader takes at most `takes` bytes. */
static void round_trip(struct distance *d, int64_t rtt_ns, size_t takes)
{
    struct pair_side *server = &d->pair.server;

    while (rota_h2_queued(d->pair.client.streams[d->n]) < 32 * MIB)
        assert_int_equal(pair_send(&d->pair.client, d->n, MIB, false), 0);
    d->pair.now_ns += rtt_ns / 2;
    while (pair_pass(&d->pair.client, server, 256 * KIB) > 0) {
    }
    if (server->data_bytes > d->kept)
        d->kept = server->data_bytes;
    if (takes > server->data_bytes)
        takes = server->data_bytes;
    rota_h2_consumed(server->streams[1], takes);
    server->data_bytes -= takes;
    d->pair.now_ns += rtt_ns / 2;
    while (pair_pass(server, &d->pair.client, 256 * KIB) > 0) {
    }
}

static void distance_init(struct distance *d, uint32_t bound)
{
    struct rota_h2_options options = {
        .keepalive_time_ns = INT64_MAX, .handshake_deadline_ns = INT64_MAX, .max_window_bytes = bound, .high_mark_bytes = 64 * MIB};

    d->kept = 0;
    assert_int_equal(pair_init(&d->pair, NULL, &options, &options), 0);
    pair_run(&d->pair);
    d->pair.client.mute = d->pair.server.mute = true;
    d->pair.server.hold = true;
    d->n = pair_open(&d->pair, false);
}

static const struct reader_case {
    const char *rule;
    uint32_t bound;
    int64_t rtt_ns;
    size_t takes;              /* in a round trip */
    size_t least, most;        /* taken in the last of thirty */
    size_t keeps;              /* at most, at any time */
} reader_cases[] = {
    {"who takes all of it gets up to the bound in a round trip", 16 << 20, 100 * MS, SIZE_MAX, 16 * MIB, 16 * MIB, 16 * MIB},
    {"a smaller bound is kept to", 1 << 20, 100 * MS, SIZE_MAX, 1 * MIB, 1 * MIB, 1 * MIB},
    {"no bound, no growth", 0, 100 * MS, SIZE_MAX, 65535, 65535, 65535},
    {"who takes 1 MiB is kept busy, and keeps no more than four times that", 16 << 20, 100 * MS, 1 * MIB, 1 * MIB, 1 * MIB, 4 * MIB + 512 * KIB},
    {"who takes little keeps the first window", 16 << 20, 100 * MS, 16 * KIB, 16 * KIB, 16 * KIB, 65535},
    {"who takes nothing keeps the first window", 16 << 20, 100 * MS, 0, 0, 0, 65535},
    {"near by, what is taken in a quarter of a millisecond counts", 16 << 20, MS / 10, 64 * KIB, 64 * KIB, 64 * KIB, 1 * MIB},
};

static void windows_fit_the_reader(void **state)
{
    (void)state;
    for (size_t i = 0; i < ROTA_COUNT(reader_cases); i++) {
        const struct reader_case *c = &reader_cases[i];
        struct distance d;
        size_t before, taken;

        print_message("  %s\n", c->rule);
        distance_init(&d, c->bound);
        for (int k = 0; k < 30; k++)
            round_trip(&d, c->rtt_ns, c->takes);
        before = d.pair.server.total_bytes - d.pair.server.data_bytes;
        round_trip(&d, c->rtt_ns, c->takes);
        taken = d.pair.server.total_bytes - d.pair.server.data_bytes - before;
        assert_in_range(taken, c->least, c->most);
        assert_in_range(d.kept, 0, c->keeps);
        pair_fini(&d.pair);
    }
}

/* Pings as a server that counts them sees them: it must have sent something of a stream between two. */
static void a_server_that_counts_pings_counts_none(void **state)
{
    struct rota_h2_options client = {.keepalive_time_ns = INT64_MAX, .handshake_deadline_ns = INT64_MAX, .max_window_bytes = 16 << 20};
    struct rota_h2_options server = {.keepalive_time_ns = INT64_MAX, .handshake_deadline_ns = INT64_MAX, .min_ping_ns = 300000 * MS};
    struct pair pair;

    (void)state;
    assert_int_equal(pair_init(&pair, NULL, &client, &server), 0);
    pair_run(&pair);
    pair.client.mute = pair.server.mute = true;
    assert_int_equal(pair_open(&pair, true), 1);
    pair_run(&pair);
    assert_int_equal(pair_respond(&pair, 1, false), 0);
    for (int i = 0; i < 200; i++) {
        assert_int_equal(pair_send(&pair.server, 1, 60 * KIB, false), 0);
        pair.now_ns += 25 * MS;
        while (pair_pass(&pair.server, &pair.client, 20 * KIB) + pair_pass(&pair.client, &pair.server, 20 * KIB) > 0)
            pair.now_ns += 25 * MS;
    }
    assert_int_equal(pair.server.err, 0);
    assert_int_equal(pair.client.total_bytes, 200 * 60 * KIB);
    pair_fini(&pair);
}

static void short_calls_are_not_pinged_for(void **state)
{
    struct rota_h2_options options = {.keepalive_time_ns = INT64_MAX, .handshake_deadline_ns = INT64_MAX, .max_window_bytes = 16 << 20};
    struct pair pair;
    size_t before;

    (void)state;
    assert_int_equal(pair_init(&pair, NULL, &options, &options), 0);
    pair_run(&pair);
    pair.client.mute = pair.server.mute = true;
    pair.server.hold = true; /* or it would say WINDOW_UPDATE at last */
    before = pair.server.out_bytes;
    for (int i = 0; i < 50; i++) {
        assert_int_equal(pair_send(&pair.client, pair_open(&pair, false), 10 * KIB, false), 0);
        pair.now_ns += MS;
        pair_run(&pair);
    }
    assert_int_equal(pair.server.out_bytes, before);
    /* Half of the connection's window together is worth one. */
    assert_int_equal(pair_send(&pair.client, pair_open(&pair, false), 13 * KIB, false), 0);
    pair_run(&pair);
    assert_int_equal(pair.server.out_bytes, before + 17);
    pair_fini(&pair);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(windows_fit_the_reader),
        cmocka_unit_test(a_server_that_counts_pings_counts_none),
        cmocka_unit_test(short_calls_are_not_pinged_for),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
