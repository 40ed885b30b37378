/* memory_test.c - running out of memory is an error everywhere; in steady state nothing is asked for. */
#include "base/assert.h"
#include "h2/pair_fixture.h"
#include "h2/pool.h"
#include "testing/cmocka.h"

static rota_err first(rota_err a, rota_err b)
{
    return a < 0 ? a : b;
}

static void answer(struct pair_side *side, int n, const struct rota_h2_event *event)
{
    rota_err err = 0;

    if (event->type != ROTA_H2_END)
        return;
    err = first(err, pair_respond(side->pair, n, false));
    err = first(err, pair_send(side, n, 9000, false));
    err = first(err, pair_trailers(side->pair, n));
    side->err = first(side->err, err == ROTA_ECLOSED ? 0 : err);
}

static rota_err talk(struct pair *pair)
{
    rota_err err = 0;
    int n = pair_open(pair, false);

    if (n < 0)
        return n;
    err = pair_send(&pair->client, n, 5000, true);
    pair_run(pair);
    n = pair_open(pair, true);
    err = first(err, n < 0 ? n : 0);
    if (n > 0)
        rota_h2_reset(pair->client.streams[n], 8);
    rota_h2_drain(pair->server.h2, 0);
    pair_run(pair);
    return first(err, first(pair->client.err, pair->server.err));
}

static rota_err connect_call_close(const struct rota_alloc *alloc, void *ctx)
{
    struct pair pair = {.own = {.allocs = 0}};
    rota_err err = pair_init(&pair, alloc, NULL, NULL);

    (void)ctx;
    if (err == 0) {
        pair.server.react = answer;
        err = talk(&pair);
        rota_h2_abort(pair.client.h2, "over");
        rota_h2_abort(pair.server.h2, "over");
        pair_drain_events(&pair.client);
        pair_drain_events(&pair.server);
        assert_int_equal(rota_h2_streams(pair.client.h2), 0);
        assert_int_equal(rota_h2_streams(pair.server.h2), 0);
    }
    pair_fini(&pair);
    return err == ROTA_ECLOSED ? ROTA_ENOMEM : err;
}

static void running_out_of_memory_is_an_error_everywhere(void **state)
{
    (void)state;
    /* A field without a place in a table is sent all the same. */
    assert_true(rota_alloc_sweep_absorbing(connect_call_close, NULL) > 30);
}

static void freeing_at_any_point_leaks_nothing(void **state)
{
    (void)state;
    for (int passes = 0; passes < 12; passes++) {
        struct pair pair;
        int n;

        assert_int_equal(pair_init(&pair, NULL, NULL, NULL), 0);
        pair.server.react = answer;
        n = pair_open(&pair, false);
        assert_int_equal(pair_send(&pair.client, n, 5000, true), 0);
        for (int i = 0; i < passes; i++)
            pair_pass(i % 2 == 0 ? &pair.client : &pair.server, i % 2 == 0 ? &pair.server : &pair.client, 1000);
        pair_fini(&pair);
    }
}

static void unary(struct pair_side *side, int n, const struct rota_h2_event *event)
{
    if (event->type != ROTA_H2_END)
        return;
    assert_int_equal(pair_respond(side->pair, n, false), 0);
    assert_int_equal(pair_trailers(side->pair, n), 0);
}

static void a_warm_connection_asks_for_no_memory(void **state)
{
    uint64_t warm = 0;
    struct pair pair;

    (void)state;
    if (ROTA_H2_POOL_KEPT_BYTES == 0)
        skip();
    assert_int_equal(pair_init(&pair, NULL, NULL, NULL), 0);
    pair.server.react = unary;
    for (int i = 0; i < 200; i++) {
        int n = pair_open(&pair, false);

        assert_true(n > 0);
        assert_int_equal(pair_send(&pair.client, n, 0, true), 0);
        pair_run(&pair);
        pair_log(&pair.client);
        pair_log(&pair.server);
        if (i == 150)
            warm = pair.own.allocs;
    }
    assert_int_equal(pair.own.allocs, warm);
    pair_fini(&pair);
}

/* The first data of a response needs a chunk, a place in its queue and one in the session's; each is made to fail, on many
 * streams, since the pool has blocks for the first ones. */
static void a_chunk_is_taken_whole_or_not_at_all(void **state)
{
    struct pair pair;
    int failures = 0;

    (void)state;
    assert_int_equal(pair_init(&pair, NULL, NULL, NULL), 0);
    for (int i = 1; i <= 90; i++)
        assert_int_equal(pair_open(&pair, true), i);
    pair_run(&pair);
    for (int i = 1; i <= 90; i++)
        assert_int_equal(pair_respond(&pair, i, false), 0);
    pair_run(&pair);
    for (int i = 1; i <= 90; i++) {
        rota_err err;

        rota_leak_alloc_fail_nth(&pair.own, 1 + (uint64_t)i % 3);
        err = pair_send(&pair.server, i, 100, false);
        assert_int_equal(rota_h2_queued(pair.server.streams[i]), err == 0 ? 100 : 0);
        failures += err == ROTA_ENOMEM;
    }
    pair.own.fail_at = 0;
    assert_true(failures > 30);
    for (int i = 1; i <= 90; i++)
        assert_int_equal(pair_send(&pair.server, i, 0, true), 0);
    pair.client.total_bytes = 0;
    pair_run(&pair);
    assert_int_equal(pair.client.total_bytes, 100 * (90 - failures));
    pair_fini(&pair);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(running_out_of_memory_is_an_error_everywhere),
        cmocka_unit_test(freeing_at_any_point_leaks_nothing),
        cmocka_unit_test(a_chunk_is_taken_whole_or_not_at_all),
        cmocka_unit_test(a_warm_connection_asks_for_no_memory),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
