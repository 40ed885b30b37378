/* memory_test.c - what calls leave behind, what a slow reader costs, and running out of memory anywhere between connect and close. */
#include "assembly/assembly_fixture.h"
#include "assembly/link_inside.h"
#include "server/server.h"
#include "testing/leak_alloc.h"
#include <stdio.h>
#include <string.h>

#define N_WARM_UP 5000 /* beyond what connections and pools keep for later: about a thousand of each kind */
#define N_CALLS 10000
#define SLACK_BYTES (32 << 10) /* a buffer may have doubled; four bytes a call would show */

static struct rota_loop *loop_with(const struct rota_alloc *alloc)
{
    struct rota_loop_options options = ROTA_LOOP_OPTIONS_INIT;
    struct rota_loop *loop;

    options.alloc = alloc;
    options.seed = 1;
    assert_int_equal(rota_loop_new(&options, &loop), 0);
    return loop;
}

struct load {
    struct rota_channel *channel;
    int left, n_open, n_good;
};

static void on_answer(void *arg, const struct rota_status *status, const void *reply)
{
    struct load *load = arg;

    (void)reply;
    load->n_open--;
    load->n_good += status->code == ROTA_OK;
}

static int run_calls(struct rota_loop *loop, struct rota_channel *channel, int count)
{
    struct load load = {.channel = channel, .left = count};
    struct rota_call_options options = ROTA_CALL_OPTIONS_INIT;
    struct rota_slice text = ROTA_SLICE("some text");

    options.timeout_ms = 60000;
    while (load.left > 0 || load.n_open > 0) {
        for (; load.n_open < 64 && load.left > 0; load.left--, load.n_open++)
            assert_int_equal(rota_unary_start(channel, &test_echo, &options, &text, on_answer, &load, NULL), 0);
        assert_int_equal(rota_loop_turn(loop), 0);
    }
    return load.n_good;
}

static void calls_leave_nothing_behind(void **unused)
{
    struct rota_leak_alloc alloc;
    struct rota_channel *channel;
    struct rota_loop *loop;
    struct test_server s;
    size_t live_bytes;

    (void)unused;
    rota_leak_alloc_init(&alloc);
    loop = loop_with(&alloc.alloc);
    test_server_open(&s, loop, "127.0.0.1:0", NULL);
    channel = test_channel(loop, s.bound, NULL);
    assert_int_equal(run_calls(loop, channel, N_WARM_UP), N_WARM_UP);
    live_bytes = alloc.live_bytes;
    assert_int_equal(run_calls(loop, channel, N_CALLS), N_CALLS);
    assert_in_range(alloc.live_bytes, 0, live_bytes + SLACK_BYTES);
    rota_channel_free(channel);
    test_server_close(&s);
    rota_loop_free(loop);
    rota_leak_alloc_fini(&alloc);
}

static size_t spare_streams(const struct test_server *s)
{
    const struct rota_server_conn *conn = ROTA_CONTAINER(s->server->conns.next, struct rota_server_conn, link);
    const struct rota_net_link *link = ROTA_CONTAINER(conn->conn, struct rota_net_link, conn);
    size_t count = 0;

    for (const struct rota_link *at = link->spare.next; at != &link->spare; at = at->next)
        count++;
    return count;
}

static void set(void *arg)
{
    *(bool *)arg = true;
}

/* As the session does, after a second (h2/lifetime.c). */
static void a_quiet_connection_forgets_its_busy_hour(void **unused)
{
    struct rota_channel *channel;
    struct rota_loop *loop;
    struct test_server s;
    struct rota_timer *timer;
    bool late = false;

    (void)unused;
    assert_int_equal(rota_loop_new(NULL, &loop), 0);
    test_server_open(&s, loop, "127.0.0.1:0", NULL);
    channel = test_channel(loop, s.bound, NULL);
    assert_int_equal(run_calls(loop, channel, 1000), 1000);
    assert_in_range(spare_streams(&s), 20, 64);
    assert_int_equal(rota_timer_new(loop, set, &late, &timer), 0);
    assert_int_equal(rota_timer_set(timer, rota_loop_now_ns(loop) + INT64_C(5000000000)), 0);
    while (spare_streams(&s) > 0 && !late)
        assert_int_equal(rota_loop_wait_turn(loop), 0);
    assert_int_equal(spare_streams(&s), 0);
    rota_timer_free(timer);
    rota_channel_free(channel);
    test_server_close(&s);
    rota_loop_free(loop);
}

/* --- A slow reader --- */

struct slow {
    int n_messages;
    bool done;
    struct rota_status status;
};

static void on_message(struct rota_call *call, void *arg, const void *message)
{
    (void)message;
    ((struct slow *)arg)->n_messages++;
    rota_call_hold(call);
}

static void on_done(struct rota_call *call, void *arg, const struct rota_status *status)
{
    struct slow *slow = arg;

    (void)call;
    slow->status = *status;
    slow->done = true;
}

static const struct rota_call_events events = {.on_message = on_message, .on_done = on_done};

/* 64 MiB go through; what waits on the way is a few windows and queues, and a few blocks that are kept for the next message. */
static void a_slow_reader_is_waited_for(void **unused)
{
    struct rota_leak_alloc alloc;
    struct rota_slice text = ROTA_SLICE("64 1048576");
    struct rota_channel *channel;
    struct slow slow = {0};
    struct rota_loop *loop;
    struct rota_call *call;
    struct test_server s;
    size_t most = 0, before;

    (void)unused;
    rota_leak_alloc_init(&alloc);
    loop = loop_with(&alloc.alloc);
    test_server_open(&s, loop, "127.0.0.1:0", NULL);
    channel = test_channel(loop, s.bound, NULL);
    assert_int_equal(run_calls(loop, channel, 1), 1);
    before = alloc.live_bytes;
    assert_int_equal(rota_call_start(channel, &test_count, NULL, &events, &slow, &call), 0);
    assert_int_equal(rota_call_write(call, &text), 0);
    while (!slow.done) {
        /* Everything else has come to rest before the next message is asked for. */
        for (int i = 0; i < 50; i++)
            assert_int_equal(rota_loop_turn(loop), 0);
        if (alloc.live_bytes > most)
            most = alloc.live_bytes;
        if (!slow.done)
            rota_call_resume(call);
    }
    assert_int_equal(slow.status.code, ROTA_OK);
    assert_int_equal(slow.n_messages, 64);
    assert_in_range(most - before, 0, 10 << 20);
    rota_channel_free(channel);
    test_server_close(&s);
    rota_loop_free(loop);
    rota_leak_alloc_fini(&alloc);
}

/* --- Out of memory --- */

static rota_err outcome(struct rota_status status)
{
    return status.code == ROTA_OK ? 0 : ROTA_ENOMEM;
}

static rota_err stream_once(struct rota_channel *channel)
{
    struct rota_call_options options = ROTA_CALL_OPTIONS_INIT;
    struct rota_slice text = ROTA_SLICE("3 10");
    struct rota_call *call;
    void *message;
    rota_err err;

    options.timeout_ms = 2000;
    err = rota_call_open(channel, &test_count, &options, &call);
    if (err < 0)
        return err;
    (void)!rota_call_send(call, &text);
    while (rota_call_recv(call, &message))
        rota_codec_bytes.free(NULL, message, NULL);
    return outcome(rota_call_finish(call));
}

static rota_err call_over(struct rota_loop *loop, const char *bound)
{
    struct rota_channel_options options = ROTA_CHANNEL_OPTIONS_INIT;
    struct rota_channel *channel;
    struct rota_errinfo info = {{0}};
    char target[ROTA_ADDRESS_TEXT_SIZE + 8];
    rota_err err;

    options.loop = loop;
    options.backoff_initial_ms = 1;
    options.backoff_max_ms = 1;
    snprintf(target, sizeof(target), "ipv4:%s", bound);
    err = rota_channel_open(target, &options, &channel, &info);
    assert_int_equal(err == 0, info.text[0] == '\0'); /* what it was is said */
    if (err < 0)
        return err;
    err = outcome(test_unary(channel, &test_echo, 2000, "a"));
    if (err == 0)
        err = outcome(test_unary(channel, &test_delay, 2000, "1"));
    if (err == 0)
        err = stream_once(channel);
    rota_channel_free(channel);
    return err;
}

/* One side of it at a time: the other has memory of its own, so that what fails is known to be this side's. */
static rota_err client_side(const struct rota_alloc *alloc, void *ctx)
{
    struct rota_loop_options options = ROTA_LOOP_OPTIONS_INIT;
    struct rota_loop *loop;
    rota_err err;

    options.alloc = alloc;
    options.seed = 1;
    err = rota_loop_new(&options, &loop);
    if (err < 0)
        return err;
    err = call_over(loop, ctx);
    rota_loop_free(loop);
    return err;
}

static void out_of_memory_in_a_client(void **unused)
{
    struct rota_loop *loop;
    struct test_server s;

    (void)unused;
    assert_int_equal(rota_loop_thread_new(NULL, &loop), 0);
    test_server_open(&s, loop, "127.0.0.1:0", NULL);
    assert_true(rota_alloc_sweep_absorbing(client_side, s.bound) > 40);
    test_server_close(&s);
    rota_loop_free(loop);
}

static rota_err server_side(const struct rota_alloc *alloc, void *ctx)
{
    struct rota_server_options options = ROTA_SERVER_OPTIONS_INIT;
    struct rota_loop *loop = ctx;
    struct test_server s = {.loop = loop};
    rota_err err;

    options.alloc = alloc;
    err = test_server_try(&s, loop, "127.0.0.1:0", &options);
    if (err < 0)
        return err;
    err = call_over(loop, s.bound);
    test_server_close(&s);
    return err;
}

static void out_of_memory_in_a_server(void **unused)
{
    struct rota_loop *loop;

    (void)unused;
    assert_int_equal(rota_loop_new(NULL, &loop), 0);
    assert_true(rota_alloc_sweep_absorbing(server_side, loop) > 20);
    rota_loop_free(loop);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(calls_leave_nothing_behind),
        cmocka_unit_test(a_quiet_connection_forgets_its_busy_hour),
        cmocka_unit_test(a_slow_reader_is_waited_for),
        cmocka_unit_test(out_of_memory_in_a_client),
        cmocka_unit_test(out_of_memory_in_a_server),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
