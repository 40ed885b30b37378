/* ends_test.c - a server's last message and its trailers in one read: what is written to the call before it hears of its end is no failure
 * of it, wherever it is written from.
 */
#include "assembly/assembly_fixture.h"

enum from {
    FROM_HEADERS,
    FROM_MESSAGE,
    FROM_ANOTHER_CALL, /* whose message comes before anything of this one's, in the same read */
};

enum what {
    WRITE_AND_END,
    END,
    WRITE_ON, /* until it is refused */
};

struct chat {
    struct rota_loop *loop;
    struct rota_call *call, *other; /* other: written to from this one's callbacks */
    enum from from;
    enum what what;
    int n_messages, n_written, *left;
    rota_err last;
    struct rota_status status;
};

static void write_late(struct chat *chat, struct rota_call *call)
{
    struct rota_slice late = ROTA_SLICE("late");

    if (chat->what == WRITE_AND_END)
        chat->last = rota_call_write(call, &late);
    while (chat->what == WRITE_ON && chat->n_written < 1000 && (chat->last = rota_call_write(call, &late)) == 0)
        chat->n_written++;
    if (chat->what != WRITE_ON && chat->last == 0)
        chat->last = rota_call_write_end(call);
}

static void on_headers(struct rota_call *call, void *arg)
{
    struct chat *chat = arg;

    if (chat->from == FROM_HEADERS)
        write_late(chat, call);
}

static void on_message(struct rota_call *call, void *arg, const void *message)
{
    struct chat *chat = arg;

    (void)message;
    chat->n_messages++;
    if (chat->from == FROM_MESSAGE || chat->other != NULL)
        write_late(chat, chat->other != NULL ? chat->other : call);
}

static void on_done(struct rota_call *call, void *arg, const struct rota_status *status)
{
    struct chat *chat = arg;

    (void)call;
    chat->status = *status;
    if (--*chat->left == 0)
        rota_loop_stop(chat->loop);
}

static const struct rota_call_events events = {.on_headers = on_headers, .on_message = on_message, .on_done = on_done};

static void start(struct chat *chat, struct rota_channel *channel)
{
    struct rota_slice bye = ROTA_SLICE("bye");

    assert_int_equal(rota_call_start(channel, &test_chat, NULL, &events, chat, &chat->call), 0);
    assert_int_equal(rota_call_write(chat->call, &bye), 0);
}

static void what_is_written_behind_the_end_is_no_failure(void **unused)
{
    static const struct {
        const char *rule;
        enum from from;
        enum what what;
        rota_err last;
    } cases[] = {
        {"a message and the end, from on_message", FROM_MESSAGE, WRITE_AND_END, 0},
        {"the end, from on_message", FROM_MESSAGE, END, 0},
        {"a message and the end, from on_headers", FROM_HEADERS, WRITE_AND_END, 0},
        {"a message and the end, from another call of the connection", FROM_ANOTHER_CALL, WRITE_AND_END, 0},
        {"message after message is refused soon", FROM_MESSAGE, WRITE_ON, ROTA_ECLOSED},
    };
    struct rota_loop *loop;
    struct rota_channel *channel;
    struct test_server server;

    (void)unused;
    assert_int_equal(rota_loop_new(NULL, &loop), 0);
    test_server_open(&server, loop, "127.0.0.1:0", NULL);
    channel = test_channel(loop, server.bound, NULL);
    assert_true(test_echoes(channel, "connected"));
    for (size_t i = 0; i < ROTA_COUNT(cases); i++) {
        int left = 2;
        struct chat first = {.loop = loop, .left = &left, .from = cases[i].from, .what = cases[i].what}, second = first;

        print_message("  %s\n", cases[i].rule);
        start(&first, channel);
        start(&second, channel);
        if (cases[i].from == FROM_ANOTHER_CALL)
            first.other = second.call;
        assert_int_equal(rota_loop_run(loop), 0);
        assert_int_equal(first.last, cases[i].last);
        assert_int_equal(first.status.code, ROTA_OK);
        assert_int_equal(second.status.code, ROTA_OK);
        assert_int_equal(first.n_messages + second.n_messages, 2);
        assert_in_range(first.n_written, 0, 1);
    }
    rota_channel_free(channel);
    test_server_close(&server);
    rota_loop_free(loop);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_written_behind_the_end_is_no_failure),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
