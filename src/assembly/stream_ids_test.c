/* stream_ids_test.c - a connection has 2^30 streams; the calls after them go over another one. */
#include "assembly/assembly_fixture.h"
#include "channel/subchannel.h"
#include "h2/session.h"
/* After session.h, whose names it has as macros. */
#include "assembly/link_inside.h"

/* So many streams may still be opened on the first connection after one more. */
static void use_up_ids(struct rota_channel *channel, int64_t left)
{
    struct rota_connection *connection = ROTA_CONTAINER(channel->connections.next, struct rota_connection, link);

    ROTA_CONTAINER(connection->conn, struct rota_net_link, conn)->h2->next_id = INT32_MAX - 2 * left;
}

static size_t count_connections(const struct rota_channel *channel)
{
    size_t count = 0;

    for (struct rota_link *link = channel->connections.next; link != &channel->connections; link = link->next)
        count++;
    return count;
}

struct many {
    struct rota_loop *loop;
    int left, n_failed;
};

static void on_done(void *arg, const struct rota_status *status, const void *reply)
{
    struct many *many = arg;

    (void)reply;
    many->n_failed += status->code != ROTA_OK;
    if (--many->left == 0)
        rota_loop_stop(many->loop);
}

static void calls_go_on_when_stream_ids_run_out(void **unused)
{
    struct rota_call_options options = ROTA_CALL_OPTIONS_INIT;
    struct rota_slice text = ROTA_SLICE("many"), slow = ROTA_SLICE("60000");
    struct many many = {.left = 20};
    struct rota_channel *channel;
    struct test_server server;
    struct rota_call *call;

    (void)unused;
    options.timeout_ms = 60000;
    assert_int_equal(rota_loop_new(NULL, &many.loop), 0);
    test_server_open(&server, many.loop, "127.0.0.1:0", NULL);
    channel = test_channel(many.loop, server.bound, NULL);
    assert_true(test_echoes(channel, "connected"));
    use_up_ids(channel, 6);
    /* One stays open, so the connection does. */
    assert_int_equal(rota_unary_start(channel, &test_delay, NULL, &slow, on_done, &many, &call), 0);
    for (int i = 0; i < 5; i++)
        assert_true(test_echoes(channel, "one by one"));
    assert_int_equal(count_connections(channel), 1);
    for (int i = 1; i < 20; i++)
        assert_int_equal(rota_unary_start(channel, &test_echo, &options, &text, on_done, &many, NULL), 0);
    while (many.left > 1)
        assert_int_equal(rota_loop_turn(many.loop), 0);
    assert_int_equal(many.n_failed, 0);
    assert_int_equal(count_connections(channel), 2);
    rota_call_cancel(call);
    assert_int_equal(rota_loop_run(many.loop), 0);
    assert_true(test_echoes(channel, "after it"));
    while (count_connections(channel) > 1)
        assert_int_equal(rota_loop_turn(many.loop), 0);
    rota_channel_free(channel);
    test_server_close(&server);
    rota_loop_free(many.loop);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(calls_go_on_when_stream_ids_run_out),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
