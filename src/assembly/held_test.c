/* held_test.c - a program of one thread that does not read all that comes: what it does meanwhile, on that call and on others, goes on. */
#include "assembly/assembly_fixture.h"

#define REPLY_BYTES (40 << 10) /* two fill the queue of a call (64 KiB); a third that is short fits into the window, whatever of it was given back */
#define N_TURNS 50 /* in which everything that can happen happens */
#define N_STREAMS 20 /* of 64 KiB, when the connection has 1 MiB */

static uint8_t bytes[64 << 10];

static const struct rota_method flood = {
    .path = "/held.Held/Flood", .client_streaming = true, .server_streaming = true,
    .request = {&rota_codec_bytes, NULL}, .reply = {&rota_codec_bytes, NULL}};

static struct {
    struct rota_loop *loop;
    struct rota_server *server;
    struct rota_channel *channel;
    struct rota_server_call *call;
    struct rota_loop_post tick;
    int n_sent, n_seen, n_turns; /* messages that the client has sent; as of so many turns ago */
} at;

static void tick(struct rota_loop_post *post)
{
    at.n_turns = at.n_sent == at.n_seen ? at.n_turns + 1 : 0;
    at.n_seen = at.n_sent;
    if (at.n_turns < N_TURNS)
        rota_loop_post(at.loop, post);
    else
        rota_server_call_fail(at.call, ROTA_ABORTED, "enough");
}

/* Says all it has to say, reads no more, and ends when the client has come to a stop. */
static void on_flood(struct rota_server_call *call, const void *message, const void *handlers, void *user)
{
    struct rota_slice reply = {bytes, REPLY_BYTES}, last = {bytes, 100};

    (void)message;
    (void)handlers;
    (void)user;
    rota_server_call_hold(call);
    assert_int_equal(rota_server_call_send(call, &reply), 0);
    assert_int_equal(rota_server_call_send(call, &reply), 0);
    assert_int_equal(rota_server_call_send(call, &last), 0);
    at.call = call;
    at.tick.run = tick;
    rota_loop_post(at.loop, &at.tick);
}

static const struct rota_handler handlers[] = {{.method = &flood, .on_message = on_flood}};
static const struct rota_service service = {.name = "held.Held", .handlers = handlers, .n_handlers = ROTA_COUNT(handlers)};

static void open_flood(void)
{
    struct rota_server_options options = ROTA_SERVER_OPTIONS_INIT;
    struct rota_errinfo info = {{0}};
    char bound[ROTA_ADDRESS_TEXT_SIZE];

    options.loop = at.loop;
    options.send_queue_bytes = 1 << 20;
    assert_int_equal(rota_server_new(&options, &at.server, &info), 0);
    assert_int_equal(rota_server_add(at.server, &service, NULL, NULL), 0);
    assert_int_equal(rota_server_listen(at.server, "127.0.0.1:0", bound, &info), 0);
    at.channel = test_channel(at.loop, bound, NULL);
}

static void a_blocked_send_hears_of_the_end_behind_what_is_held(void **unused)
{
    struct rota_call_options options = ROTA_CALL_OPTIONS_INIT;
    struct rota_slice text = {bytes, sizeof(bytes)};
    struct rota_call *call;
    void *message;
    rota_err err = 0;
    int n_received = 0;

    (void)unused;
    assert_int_equal(rota_loop_new(NULL, &at.loop), 0);
    open_flood();
    options.timeout_ms = 10000; /* which is not what ends it */
    assert_int_equal(rota_call_open(at.channel, &flood, &options, &call), 0);
    for (; err == 0; at.n_sent++)
        err = rota_call_send(call, &text);
    assert_int_equal(err, ROTA_ECLOSED);
    for (; rota_call_recv(call, &message); n_received++)
        rota_codec_bytes.free(NULL, message, NULL);
    assert_int_equal(n_received, 3);
    assert_int_equal(rota_call_finish(call).code, ROTA_ABORTED);
    rota_channel_free(at.channel);
    rota_server_free(at.server);
    rota_loop_free(at.loop);
}

/* Their windows together are more than the connection's. */
static void streams_that_are_not_read_do_not_stop_other_calls(void **unused)
{
    struct rota_slice text = ROTA_SLICE("1000 10000");
    struct rota_call *calls[N_STREAMS];
    struct test_server s;
    void *message;

    (void)unused;
    assert_int_equal(rota_loop_new(NULL, &at.loop), 0);
    test_server_open(&s, at.loop, "127.0.0.1:0", NULL);
    at.channel = test_channel(at.loop, s.bound, NULL);
    for (int i = 0; i < N_STREAMS; i++) {
        assert_int_equal(rota_call_open(at.channel, &test_count, NULL, &calls[i]), 0);
        assert_int_equal(rota_call_send(calls[i], &text), 0);
        assert_true(rota_call_recv(calls[i], &message));
        rota_codec_bytes.free(NULL, message, NULL);
        for (int n = 0; n < N_TURNS; n++)
            assert_int_equal(rota_loop_turn(at.loop), 0);
        assert_true(test_echoes(at.channel, "for each message"));
    }
    for (int i = 0; i < N_STREAMS; i++)
        assert_int_equal(rota_call_finish(calls[i]).code, ROTA_CANCELLED);
    rota_channel_free(at.channel);
    test_server_close(&s);
    rota_loop_free(at.loop);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_blocked_send_hears_of_the_end_behind_what_is_held),
        cmocka_unit_test(streams_that_are_not_read_do_not_stop_other_calls),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
