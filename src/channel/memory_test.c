/* memory_test.c - running out of memory at every allocation there is, and calls that allocate nothing once warm. */
#include "channel/channel_fixture.h"
#include "base/assert.h"

#define A "1.1.1.1:1"
#define B "2.2.2.2:2"

static rota_err say(struct rota_channel_fixture *f, struct rota_seen_call *seen, const struct rota_call_options *options)
{
    struct rota_slice bytes = ROTA_SLICE("hello");
    rota_err err;

    *seen = (struct rota_seen_call){0};
    err = rota_unary_start(f->channel, &rota_fixture_unary, options, &bytes, rota_fixture_unary_done, seen, NULL);
    rota_virtual_host_run(&f->v);
    return err;
}

static rota_err chat(struct rota_channel_fixture *f, struct rota_seen_call *seen)
{
    struct rota_slice bytes = ROTA_SLICE("hello");
    rota_err err;

    *seen = (struct rota_seen_call){0};
    err = rota_call_start(f->channel, &rota_fixture_stream, NULL, &rota_fixture_events, seen, &seen->call);
    for (int i = 0; i < 4 && err == 0; i++)
        err = rota_call_write(seen->call, &bytes);
    if (err == 0)
        err = rota_call_write_end(seen->call);
    rota_virtual_host_run(&f->v);
    return err == ROTA_ECLOSED ? 0 : err; /* closed: its status tells why */
}

/* The latest stream of the latest connection answers, if there is one. */
static void answer(struct rota_channel_fixture *f)
{
    struct rota_fake_conn *conn = f->transport.n_conns == 0 ? NULL : f->transport.conns[f->transport.n_conns - 1];

    if (conn != NULL && conn->n_streams > 0 && !conn->streams[conn->n_streams - 1]->dead)
        rota_fake_reply(conn->streams[conn->n_streams - 1], "world");
}

static void bring_up(struct rota_channel_fixture *f)
{
    for (size_t i = 0; i < f->transport.n_conns; i++)
        if (!f->transport.conns[i]->closed && !f->transport.conns[i]->up)
            rota_fake_up(f->transport.conns[i]);
}

static rota_err worse(rota_err err, const struct rota_seen_call *seen)
{
    if (err < 0)
        return err;
    assert_int_equal(seen->dones, 1); /* whatever happens, every call that was started ends */
    if (seen->status.code != ROTA_OK)
        assert_true(seen->status.code == ROTA_RESOURCE_EXHAUSTED || seen->status.code == ROTA_UNAVAILABLE || seen->status.code == ROTA_DEADLINE_EXCEEDED);
    return seen->status.code == ROTA_OK ? 0 : ROTA_ENOMEM;
}

static rota_err connect_call_close(const struct rota_alloc *alloc, void *ctx)
{
    struct rota_call_options options = ROTA_CALL_OPTIONS_INIT;
    struct rota_channel_fixture f = {0};
    struct rota_seen_call first, second;
    rota_err err = rota_channel_fixture_open(&f, alloc, NULL), err2;

    (void)ctx;
    if (err == 0) {
        options.timeout_ms = 10000;
        err = say(&f, &first, &options);
        rota_fixture_publish(&f, A, NULL, NULL);
        bring_up(&f);
        answer(&f);
        rota_fixture_publish(&f, A, NULL, NULL);
        err2 = chat(&f, &second);
        bring_up(&f);
        answer(&f);
        rota_virtual_host_advance(&f.v, 2 * ROTA_S);
        bring_up(&f);
        answer(&f);
        rota_virtual_host_advance(&f.v, 20 * ROTA_S);
        err = worse(err, &first);
        if (second.dones == 0 && second.call != NULL) {
            rota_call_cancel(second.call);
            err2 = ROTA_ENOMEM;
            rota_virtual_host_run(&f.v);
        }
        if (err2 == 0)
            err2 = worse(err2, &second);
        if (err == 0)
            err = err2;
    }
    rota_channel_fixture_close(&f);
    return err;
}

/* Retries, then hedges, on two servers; answers come to the last stream only. */
static rota_err try_again(const struct rota_alloc *alloc, void *ctx)
{
    static const char *const configs[] = {
        "{\"loadBalancingConfig\":[{\"round_robin\":{}}],\"methodConfig\":[{\"name\":[{}],\"timeout\":\"9s\",\"retryPolicy\":{\"maxAttempts\":4,"
        "\"initialBackoff\":\"0.1s\",\"maxBackoff\":\"1s\",\"backoffMultiplier\":2,\"retryableStatusCodes\":[14]}}]}",
        "{\"loadBalancingConfig\":[{\"round_robin\":{}}],\"methodConfig\":[{\"name\":[{}],\"timeout\":\"9s\",\"hedgingPolicy\":{\"maxAttempts\":4,"
        "\"hedgingDelay\":\"0.1s\",\"nonFatalStatusCodes\":[14]}}]}",
    };
    struct rota_channel_options options = ROTA_CHANNEL_OPTIONS_INIT;
    struct rota_channel_fixture f = {0};
    struct rota_seen_call seen[2];
    rota_err err;

    options.service_config = configs[*(const int *)ctx];
    err = rota_channel_fixture_open(&f, alloc, &options);
    for (size_t n = 0; n < ROTA_COUNT(seen) && err == 0; n++) {
        err = n == 0 ? say(&f, &seen[n], NULL) : chat(&f, &seen[n]);
        rota_fixture_publish(&f, A, B, NULL);
        bring_up(&f);
        for (int i = 0; i < 30; i++) {
            struct rota_fake_conn *conn = f.transport.n_conns == 0 ? NULL : f.transport.conns[f.transport.n_conns - 1 - (size_t)i % f.transport.n_conns];
            rota_virtual_host_advance(&f.v, 110 * ROTA_MS);
            bring_up(&f);
            if (i < 2 && conn != NULL && conn->n_streams > 0)
                rota_fake_trailers_only(conn->streams[conn->n_streams - 1], ROTA_UNAVAILABLE, "no");
            else if (i > 5)
                answer(&f);
        }
        rota_virtual_host_advance(&f.v, 20 * ROTA_S);
        if (seen[n].dones == 0 && seen[n].call != NULL) {
            rota_call_cancel(seen[n].call);
            rota_virtual_host_run(&f.v);
            err = ROTA_ENOMEM;
        }
        if (err == 0)
            err = worse(err, &seen[n]);
    }
    rota_channel_fixture_close(&f);
    return err;
}

static void so_it_is_for_retries_and_hedges(void **unused)
{
    (void)unused;
    for (int which = 0; which < 2; which++) {
        uint64_t count = rota_alloc_sweep_absorbing(try_again, &which);
        print_message("  %u allocations\n", (unsigned)count);
        assert_true(count > 40);
    }
}

/* Trailers come, longer than a call has room for, while messages wait to be read. That no byte is credited twice, the fake sees. */
static rota_err end_a_held_call(const struct rota_alloc *alloc, void *ctx)
{
    struct rota_channel_fixture f = {0};
    struct rota_seen_call seen = {0};
    struct rota_fake_stream *stream = NULL;
    char text[5000];
    rota_err err = rota_channel_fixture_open(&f, alloc, NULL);

    (void)ctx;
    memset(text, 'x', sizeof(text) - 1);
    text[sizeof(text) - 1] = '\0';
    if (err == 0) {
        err = rota_call_start(f.channel, &rota_fixture_stream, NULL, &rota_fixture_events, &seen, &seen.call);
        rota_fixture_publish(&f, A, NULL, NULL);
        bring_up(&f);
    }
    if (err == 0 && f.transport.n_conns > 0 && f.transport.conns[0]->n_streams > 0) {
        seen.hold = true;
        stream = f.transport.conns[0]->streams[0];
        rota_fake_headers(stream);
        rota_fake_message(stream, "a");
        rota_fake_message(stream, "b");
        rota_fake_trailers(stream, ROTA_ABORTED, text);
        seen.hold = false;
        if (seen.dones == 0)
            rota_call_resume(seen.call);
        rota_virtual_host_run(&f.v);
    }
    if (err == 0 && (seen.dones == 0 || seen.status.code != ROTA_ABORTED))
        err = ROTA_ENOMEM;
    rota_channel_fixture_close(&f);
    return err;
}

static void what_a_held_call_had_is_credited_once(void **unused)
{
    (void)unused;
    assert_true(rota_alloc_sweep_absorbing(end_a_held_call, NULL) > 20);
}

static void running_out_of_memory_is_an_error(void **unused)
{
    uint64_t count;

    (void)unused;
    count = rota_alloc_sweep_absorbing(connect_call_close, NULL);
    print_message("  %u allocations\n", (unsigned)count);
    assert_true(count > 40);
}

/* Its struct and the timer of its deadline go on to the next call. */
static void a_call_that_did_not_start_is_not_reported(void **unused)
{
    struct rota_call_options options = ROTA_CALL_OPTIONS_INIT;
    struct rota_channel_fixture f;
    struct rota_seen_call seen;
    static char text[100000];
    int refused = 0;

    (void)unused;
    options.timeout_ms = 1000;
    memset(text, 'x', sizeof(text) - 1);
    for (uint64_t n = 1; n < 12; n++) {
        struct rota_slice request = rota_slice_str(text);
        rota_err err;

        memset(&seen, 0, sizeof(seen));
        rota_channel_fixture_init(&f, NULL);
        rota_fixture_ready(&f, A);
        rota_leak_alloc_fail_nth(&f.leaks, n);
        err = rota_unary_start(f.channel, &rota_fixture_unary, &options, &request, rota_fixture_unary_done, &seen, NULL);
        f.leaks.fail_at = 0;
        rota_virtual_host_advance(&f.v, 2 * ROTA_S);
        assert_int_equal(seen.dones, err == 0 ? 1 : 0);
        refused += err != 0;
        rota_channel_fixture_fini(&f);
    }
    assert_true(refused > 1);
}

static void a_warm_channel_allocates_nothing_for_a_call(void **unused)
{
    struct rota_call_options options = ROTA_CALL_OPTIONS_INIT;
    struct rota_channel_fixture f;
    struct rota_seen_call seen;
    uint64_t before = 0;

    (void)unused;
    options.timeout_ms = 1000;
    rota_channel_fixture_init(&f, NULL);
    rota_fixture_ready(&f, A);
    for (int i = 0; i < 20; i++) {
        if (i == 5)
            before = f.leaks.allocs;
        assert_int_equal(say(&f, &seen, &options), 0);
        answer(&f);
        rota_assert_ended(&seen, ROTA_OK, "");
    }
    assert_int_equal(f.leaks.allocs, before);
    rota_channel_fixture_fini(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(running_out_of_memory_is_an_error),
        cmocka_unit_test(so_it_is_for_retries_and_hedges),
        cmocka_unit_test(what_a_held_call_had_is_credited_once),
        cmocka_unit_test(a_call_that_did_not_start_is_not_reported),
        cmocka_unit_test(a_warm_channel_allocates_nothing_for_a_call),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
