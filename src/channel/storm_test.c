/* storm_test.c - servers at 150 % of what they can do, and clients that retry (or hedge): the budget keeps it from getting worse.
 *
 * Three servers with one slot each and a short queue refuse what is too much with UNAVAILABLE. Calls arrive by chance (Poisson), from a
 * fixed seed, for 20 s of virtual time, so that the numbers are the same each time.
 */
#include "channel/channel_fixture.h"
#include "base/assert.h"
#include <math.h>

#define SERVERS 3
#define SERVICE_MS 10
#define QUEUE 10
#define CALLS_PER_S (1.5 * SERVERS * 1000 / SERVICE_MS)
#define RUN_MS 20000

#define CONFIG(members) "{\"loadBalancingConfig\":[{\"round_robin\":{}}],\"methodConfig\":[{\"name\":[{}]" members "}]}"
#define RETRY \
    CONFIG(",\"retryPolicy\":{\"maxAttempts\":5,\"initialBackoff\":\"0.02s\",\"maxBackoff\":\"0.1s\",\"backoffMultiplier\":2,"  \
           "\"retryableStatusCodes\":[\"UNAVAILABLE\"]}")
#define HEDGE CONFIG(",\"hedgingPolicy\":{\"maxAttempts\":5,\"hedgingDelay\":\"0.02s\",\"nonFatalStatusCodes\":[\"UNAVAILABLE\"]}")

struct server {
    struct rota_fake_conn *conn;
    size_t n_seen;
    struct rota_fake_stream *queue[QUEUE];
    size_t n_queued;
    int64_t done_ms; /* of the first in the queue */
};

struct storm {
    struct rota_channel_fixture f;
    struct rota_rng rng;
    struct server servers[SERVERS];
    uint64_t n_calls, n_ok, n_ended;
    struct rota_channel_stats stats;
};

static void on_done(void *arg, const struct rota_status *status, const void *reply)
{
    struct storm *storm = arg;

    (void)reply;
    storm->n_ended++;
    storm->n_ok += status->code == ROTA_OK;
}

static void serve(struct server *server, int64_t now_ms)
{
    while (server->n_queued > 0 && server->done_ms <= now_ms) {
        rota_fake_reply(server->queue[0], "done");
        memmove(server->queue, server->queue + 1, --server->n_queued * sizeof(server->queue[0]));
        server->done_ms = now_ms + SERVICE_MS;
    }
    while (server->n_seen < server->conn->n_streams) {
        struct rota_fake_stream *stream = server->conn->streams[server->n_seen++];
        if (server->n_queued == QUEUE) {
            rota_fake_trailers_only(stream, ROTA_UNAVAILABLE, "too much");
            continue;
        }
        if (server->n_queued == 0)
            server->done_ms = now_ms + SERVICE_MS;
        server->queue[server->n_queued++] = stream;
    }
}

static void call(struct storm *storm)
{
    struct rota_slice bytes = ROTA_SLICE("x");

    assert_int_equal(rota_unary_start(storm->f.channel, &rota_fixture_unary, NULL, &bytes, on_done, storm, NULL), 0);
    storm->n_calls++;
}

static void run(struct storm *storm, const char *config, int32_t ratio_percent)
{
    struct rota_channel_options options = ROTA_CHANNEL_OPTIONS_INIT;
    double next_ms = 0;

    memset(storm, 0, sizeof(*storm));
    options.service_config = config;
    options.retry_ratio_percent = ratio_percent;
    rota_channel_fixture_init(&storm->f, &options);
    rota_rng_init(&storm->rng, 4);
    rota_channel_connect(storm->f.channel);
    rota_fixture_publish(&storm->f, "1.1.1.1:1", "2.2.2.2:2", "3.3.3.3:3");
    for (size_t i = 0; i < SERVERS; i++) {
        storm->servers[i].conn = storm->f.transport.conns[i];
        rota_fake_up(storm->servers[i].conn);
    }
    for (int64_t ms = 0; ms < RUN_MS; ms++) {
        for (; next_ms <= (double)ms; next_ms -= log(1 - rota_rng_unit(&storm->rng)) * 1000 / CALLS_PER_S)
            call(storm);
        rota_virtual_host_run(&storm->f.v);
        for (size_t i = 0; i < SERVERS; i++)
            serve(&storm->servers[i], ms);
        rota_virtual_host_advance(&storm->f.v, ROTA_MS);
    }
    storm->stats = rota_channel_stats(storm->f.channel);
    rota_channel_fixture_fini(&storm->f);
    assert_int_equal(storm->n_ended, storm->n_calls);
    print_message("  %llu calls, %llu attempts, %llu over budget, %llu ok\n", (unsigned long long)storm->n_calls,
        (unsigned long long)storm->stats.attempts, (unsigned long long)storm->stats.retries_over_budget, (unsigned long long)storm->n_ok);
}

static void a_storm_cannot_start(void **unused)
{
    static struct storm plain, storm;
    static const struct {
        const char *rule, *config;
    } rows[] = {{"retries", RETRY}, {"hedges", HEDGE}};

    (void)unused;
    run(&plain, CONFIG(""), 0);
    assert_int_equal(plain.stats.attempts, plain.n_calls);
    assert_true(plain.n_ok < plain.n_calls * 7 / 10); /* it is overload */
    for (size_t i = 0; i < ROTA_COUNT(rows); i++) {
        print_message("  %s\n", rows[i].rule);
        run(&storm, rows[i].config, 0);
        assert_true(storm.stats.attempts > storm.n_calls * 105 / 100);
        assert_true(storm.stats.attempts <= storm.n_calls * 110 / 100);
        assert_true(storm.stats.retries_over_budget > 0);
        assert_true(storm.n_ok * 100 >= plain.n_ok * 95);
    }
}

/* So that the test above is known to be able to fail. */
static void without_the_budget_there_is_one(void **unused)
{
    static struct storm storm;

    (void)unused;
    run(&storm, RETRY, 1000);
    assert_true(storm.stats.attempts > storm.n_calls * 150 / 100);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_storm_cannot_start),
        cmocka_unit_test(without_the_budget_there_is_one),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
