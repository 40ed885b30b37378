/* random_test.c - any events in any order: every call ends exactly once, every pick is accounted for, nothing leaks.
 *
 * The transport fake and the sanitizers watch the rest. A failure prints its seed; run the program with it to see that run alone.
 */
#include "channel/channel_fixture.h"
#include "base/assert.h"
#include "base/rng.h"
#include <stdio.h>
#include <stdlib.h>

#define SEEDS 400
#define STEPS 200
#define CALLS 24

static const char *const addresses[] = {"1.1.1.1:1", "2.2.2.2:2", "3.3.3.3:3"};
static const char *const configs[] = {
    "{\"loadBalancingConfig\":[{\"round_robin\":{}}]}",
    "{\"loadBalancingConfig\":[{\"pick_first\":{}}]}",
    "{\"methodConfig\":[{\"name\":[{}],\"waitForReady\":true}]}",
    ("{\"loadBalancingConfig\":[{\"round_robin\":{}}],\"retryThrottling\":{\"maxTokens\":9,\"tokenRatio\":0.5},\"methodConfig\":[{\"name\":[{}],"
    "\"retryPolicy\":{\"maxAttempts\":4,\"initialBackoff\":\"0.05s\",\"maxBackoff\":\"1s\",\"backoffMultiplier\":3,"
    "\"retryableStatusCodes\":[\"UNAVAILABLE\",\"INTERNAL\",2]}}]}"),
    ("{\"loadBalancingConfig\":[{\"round_robin\":{}}],\"methodConfig\":[{\"name\":[{}],\"timeout\":\"2s\","
    "\"hedgingPolicy\":{\"maxAttempts\":4,\"hedgingDelay\":\"0.1s\",\"nonFatalStatusCodes\":[\"UNAVAILABLE\",\"INTERNAL\",2]}}]}"),
    "{\"methodConfig\":[{\"name\":[{}],\"hedgingPolicy\":{\"maxAttempts\":5,\"nonFatalStatusCodes\":[\"UNAVAILABLE\"]}}]}",
    "{\"connectionScaling\":{\"maxConnectionsPerSubchannel\":3}}",
    ("{\"loadBalancingConfig\":[{\"round_robin\":{}}],\"connectionScaling\":{\"maxConnectionsPerSubchannel\":9},\"methodConfig\":[{\"name\":[{}],"
    "\"retryPolicy\":{\"maxAttempts\":4,\"initialBackoff\":\"0.05s\",\"maxBackoff\":\"1s\",\"backoffMultiplier\":3,"
    "\"retryableStatusCodes\":[\"UNAVAILABLE\"]}}]}"),
    "nonsense",
};

struct run {
    struct rota_channel_fixture f;
    struct rota_rng rng;
    struct rota_seen_call calls[CALLS];
    bool used[CALLS];
    bool crowded; /* several connections to an address, and few streams on each */
};

static uint32_t below(struct run *run, uint32_t bound)
{
    return rota_rng_below(&run->rng, bound);
}

static struct rota_fake_conn *some_conn(struct run *run)
{
    size_t count = run->f.transport.n_conns;
    struct rota_fake_conn *conn = count == 0 ? NULL : run->f.transport.conns[count - 1 - below(run, count < 4 ? (uint32_t)count : 4)];

    return conn == NULL || conn->closed ? NULL : conn;
}

static struct rota_fake_stream *some_stream(struct run *run)
{
    struct rota_fake_conn *conn = some_conn(run);

    return conn == NULL || conn->n_streams == 0 ? NULL : conn->streams[below(run, (uint32_t)conn->n_streams)];
}

static void start_some(struct run *run)
{
    struct rota_call_options options = ROTA_CALL_OPTIONS_INIT;
    uint32_t i = below(run, CALLS);

    if (run->used[i] && run->calls[i].dones == 0)
        return;
    run->used[i] = true;
    options.timeout_ms = below(run, 2) * below(run, 3000);
    options.wait_for_ready = (enum rota_wait_for_ready)below(run, 3);
    if (below(run, 2) == 0)
        rota_fixture_unary_start(&run->f, "x", &options, &run->calls[i]);
    else
        rota_fixture_stream_start(&run->f, &options, &run->calls[i]);
    run->calls[i].hold = below(run, 4) == 0;
    run->calls[i].cancel_in_message = below(run, 8) == 0;
}

static void poke_call(struct run *run)
{
    uint32_t i = below(run, CALLS);
    struct rota_call *call = run->used[i] ? run->calls[i].call : NULL;

    if (call == NULL)
        return;
    switch (below(run, 6)) {
    case 0:
        rota_call_cancel(call);
        break;
    case 1:
        rota_call_hold(call);
        break;
    case 2:
        rota_call_resume(call);
        break;
    case 3:
        (void)rota_call_write_end(call);
        break;
    default:
        (void)rota_fixture_write(&run->calls[i], "more");
    }
}

static void poke_stream(struct run *run)
{
    struct rota_fake_stream *stream = some_stream(run);

    if (stream == NULL || stream->dead)
        return;
    switch (below(run, 9)) {
    case 8:
        rota_fake_pushback(stream, (enum rota_code)below(run, 17), below(run, 2) == 0 ? "-1" : "40");
        break;
    case 0:
        rota_fake_trailers_only(stream, (enum rota_code)below(run, 17), "m");
        break;
    case 1:
        rota_fake_close(stream, (enum rota_stream_cause)(1 + below(run, 4)), below(run, 14), below(run, 2) == 0);
        break;
    case 2:
        stream->queued = below(run, 2) * 100000;
        break;
    case 3:
        rota_fake_writable(stream);
        break;
    case 4:
        rota_fake_headers(stream);
        rota_fake_message(stream, "a");
        rota_fake_data(stream, ROTA_SLICE("\0\0\0\0\1a\0\0\0\0\1b\0\0"));
        break;
    default:
        rota_fake_reply(stream, "world");
    }
}

static void poke_conn(struct run *run)
{
    struct rota_fake_conn *conn = some_conn(run);

    if (conn == NULL || conn->closing)
        return;
    if (!conn->up && below(run, 4) > 0) {
        if (run->crowded)
            conn->max_streams = below(run, 3);
        rota_fake_up(conn);
        return;
    }
    switch (below(run, 5)) {
    case 0:
        rota_fake_lose(conn, "lost");
        break;
    case 1:
        rota_fake_lose_unsent(conn, "lost");
        break;
    case 2:
        if (conn->up)
            rota_fake_goaway(conn, below(run, 4));
        break;
    default:
        if (conn->up)
            rota_fake_allow(conn, below(run, 4));
    }
}

static void poke_channel(struct run *run)
{
    uint32_t first = below(run, ROTA_COUNT(addresses));
    const char *list[4] = {0};

    switch (below(run, 8)) {
    case 0:
        rota_fixture_service_config(&run->f, configs[below(run, ROTA_COUNT(configs))]);
        break;
    case 1:
        rota_fixture_resolver_error(&run->f, ROTA_UNAVAILABLE, "cannot resolve");
        break;
    case 2:
        rota_channel_connect(run->f.channel);
        break;
    case 3:
        rota_virtual_host_advance(&run->f.v, below(run, 3000) * ROTA_MS);
        break;
    default:
        for (uint32_t i = 0, count = below(run, 4); i < count; i++)
            list[i] = addresses[(first + i) % ROTA_COUNT(addresses)];
        rota_fixture_publish(&run->f, list[0], list[1], list[2]);
    }
}

static void one_run(uint64_t seed)
{
    struct rota_channel_options options = ROTA_CHANNEL_OPTIONS_INIT;
    struct run *run = calloc(1, sizeof(*run));

    assert_non_null(run);
    rota_rng_init(&run->rng, seed);
    options.idle_timeout_ms = 2000;
    options.service_config = below(run, 2) == 0 ? configs[3 + below(run, 5)] : NULL;
    run->crowded = below(run, 3) == 0;
    if (run->crowded)
        options.service_config = configs[6 + below(run, 2)];
    rota_channel_fixture_init(&run->f, &options);
    for (int step = 0; step < STEPS && run->f.transport.n_conns < ROTA_FAKE_CONNS_MAX - 8; step++) {
        switch (below(run, 8)) {
        case 0:
        case 1:
            start_some(run);
            break;
        case 2:
            poke_call(run);
            break;
        case 3:
        case 4:
            poke_stream(run);
            break;
        case 5:
        case 6:
            poke_conn(run);
            break;
        default:
            poke_channel(run);
        }
        if (below(run, 3) > 0)
            rota_virtual_host_run(&run->f.v);
    }
    rota_channel_fixture_close(&run->f);
    for (size_t i = 0; i < CALLS; i++)
        assert_int_equal(run->calls[i].dones, run->used[i] ? 1 : 0);
    rota_leak_alloc_fini(&run->f.leaks);
    free(run);
}

static uint64_t first_seed = 1, n_seeds = SEEDS;

static void any_events_in_any_order(void **unused)
{
    (void)unused;
    for (uint64_t seed = first_seed; seed < first_seed + n_seeds; seed++) {
        fprintf(stderr, "seed %llu\r", (unsigned long long)seed);
        one_run(seed);
    }
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(any_events_in_any_order)};

    if (argc > 1) {
        first_seed = strtoull(argv[1], NULL, 10);
        n_seeds = argc > 2 ? strtoull(argv[2], NULL, 10) : 1;
    }
    return cmocka_run_group_tests(tests, NULL, NULL);
}
