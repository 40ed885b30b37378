/* stubs_e2e_test.c - generated stubs against generated handlers over a real connection: all four kinds of method, blocking and
 * asynchronous. Client and server share one loop, which the blocking calls turn. */
#include "base/assert.h"
#include "kinds.rota.h"
#include "testing/cmocka.h"
#include <stdio.h>

#define N_REPLIES 100

static struct {
    struct rota_loop *loop;
    struct rota_server *server;
    struct rota_channel *channel;
    int cancels;
} at;

/* --- The server: counts, adds, echoes --- */

static void on_unary(struct rota_server_call *call, const Golden__V1__Ask *request, void *user)
{
    Golden__V1__Answer answer = GOLDEN__V1__ANSWER__INIT;

    (void)user;
    answer.number = 2 * request->number;
    answer.text = (char *)"two times";
    golden_v1_counter_unary_reply(call, &answer);
}

/* The call's data counts replies sent, up to N_REPLIES. */
static void send_more(struct rota_server_call *call, void *user)
{
    intptr_t sent = (intptr_t)rota_server_call_data(call);
    rota_err err = 0;

    (void)user;
    while (err == 0 && sent < N_REPLIES) {
        Golden__V1__Answer answer = GOLDEN__V1__ANSWER__INIT;
        answer.number = sent;
        err = golden_v1_counter_down_send_reply(call, &answer);
        sent += err == 0;
    }
    rota_server_call_set_data(call, (void *)sent);
    if (err != ROTA_EAGAIN)
        rota_server_call_finish(call, NULL);
}

static void on_down(struct rota_server_call *call, const Golden__V1__Ask *request, void *user)
{
    if (request->number < 0)
        rota_server_call_fail(call, ROTA_OUT_OF_RANGE, "%d is too small", (int)request->number);
    else
        send_more(call, user);
}

static void add_up(struct rota_server_call *call, const Golden__V1__Ask *request, void *user)
{
    (void)user;
    rota_server_call_set_data(call, (void *)((intptr_t)rota_server_call_data(call) + (intptr_t)request->number));
}

static void reply_sum(struct rota_server_call *call, void *user)
{
    Golden__V1__Answer answer = GOLDEN__V1__ANSWER__INIT;

    (void)user;
    answer.number = (intptr_t)rota_server_call_data(call);
    golden_v1_counter_up_reply(call, &answer);
}

static void echo(struct rota_server_call *call, const Golden__V1__Ask *request, void *user)
{
    Golden__V1__Answer answer = GOLDEN__V1__ANSWER__INIT;

    (void)user;
    answer.number = request->number;
    assert_int_equal(golden_v1_counter_both_send_reply(call, &answer), 0);
}

static void finish(struct rota_server_call *call, void *user)
{
    (void)user;
    at.cancels += rota_server_call_cancelled(call);
    rota_server_call_finish(call, NULL);
}

static const struct golden_v1_counter_handlers handlers = {
    .unary = on_unary,
    .down = {.request = on_down, .writable = send_more, .cancel = finish},
    .up = {.message = add_up, .end = reply_sum},
    .both = {.message = echo, .end = finish},
};

static void open_both_ends(const struct golden_v1_counter_handlers *table)
{
    struct rota_server_options server_options = ROTA_SERVER_OPTIONS_INIT;
    struct rota_channel_options channel_options = ROTA_CHANNEL_OPTIONS_INIT;
    char bound[ROTA_ADDRESS_TEXT_SIZE], target[ROTA_ADDRESS_TEXT_SIZE + 8];
    struct rota_errinfo info;

    memset(&at, 0, sizeof(at));
    assert_int_equal(rota_loop_new(NULL, &at.loop), 0);
    server_options.loop = channel_options.loop = at.loop;
    assert_int_equal(rota_server_new(&server_options, &at.server, &info), 0);
    assert_int_equal(golden_v1_counter_add(at.server, table, NULL), 0);
    assert_int_equal(rota_server_listen(at.server, "127.0.0.1:0", bound, &info), 0);
    snprintf(target, sizeof(target), "ipv4:%s", bound);
    assert_int_equal(rota_channel_open(target, &channel_options, &at.channel, &info), 0);
}

static int setup(void **unused)
{
    (void)unused;
    open_both_ends(&handlers);
    return 0;
}

static int teardown(void **unused)
{
    (void)unused;
    rota_channel_free(at.channel);
    rota_server_free(at.server);
    rota_loop_free(at.loop);
    return 0;
}

/* --- The client --- */

static void unary(void **unused)
{
    Golden__V1__Ask ask = GOLDEN__V1__ASK__INIT;
    Golden__V1__Answer *answer = NULL;

    (void)unused;
    ask.number = 21;
    assert_int_equal(golden_v1_counter_unary(at.channel, NULL, &ask, &answer).code, ROTA_OK);
    assert_int_equal(answer->number, 42);
    assert_string_equal(answer->text, "two times");
    golden__v1__answer__free_unpacked(answer, NULL);
    assert_int_equal(golden_v1_counter_unary(at.channel, NULL, &ask, NULL).code, ROTA_OK);
}

static void on_answer(void *arg, const struct rota_status *status, const Golden__V1__Answer *reply)
{
    assert_int_equal(status->code, ROTA_OK);
    *(int64_t *)arg = reply->number;
    rota_loop_stop(at.loop);
}

static void unary_asynchronous(void **unused)
{
    Golden__V1__Ask ask = GOLDEN__V1__ASK__INIT;
    int64_t number = 0;

    (void)unused;
    ask.number = 4;
    assert_int_equal(golden_v1_counter_unary_start(at.channel, NULL, &ask, on_answer, &number, NULL), 0);
    assert_int_equal(rota_loop_run(at.loop), 0);
    assert_int_equal(number, 8);
}

static void server_streaming(void **unused)
{
    Golden__V1__Ask ask = GOLDEN__V1__ASK__INIT;
    Golden__V1__Answer *answer;
    struct rota_status status;
    struct rota_call *call;
    int n = 0;

    (void)unused;
    assert_int_equal(golden_v1_counter_down_open(at.channel, NULL, &ask, &call), 0);
    for (; golden_v1_counter_down_recv(call, &answer); n++) {
        assert_int_equal(answer->number, n);
        golden__v1__answer__free_unpacked(answer, NULL);
    }
    assert_int_equal(rota_call_finish(call).code, ROTA_OK);
    assert_int_equal(n, N_REPLIES);

    ask.number = -1;
    assert_int_equal(golden_v1_counter_down_open(at.channel, NULL, &ask, &call), 0);
    assert_false(golden_v1_counter_down_recv(call, &answer));
    status = rota_call_finish(call);
    assert_int_equal(status.code, ROTA_OUT_OF_RANGE);
    assert_string_equal(status.message, "-1 is too small");
}

struct seen {
    int n_messages;
    enum rota_code code;
};

static void on_message(struct rota_call *call, void *arg, const void *message)
{
    struct seen *seen = arg;

    (void)call;
    assert_int_equal(((const Golden__V1__Answer *)message)->number, seen->n_messages++);
}

static void on_done(struct rota_call *call, void *arg, const struct rota_status *status)
{
    (void)call;
    ((struct seen *)arg)->code = status->code;
    rota_loop_stop(at.loop);
}

static void server_streaming_asynchronous(void **unused)
{
    static const struct rota_call_events events = {.on_message = on_message, .on_done = on_done};
    Golden__V1__Ask ask = GOLDEN__V1__ASK__INIT;
    struct seen seen = {0, ROTA_UNKNOWN};

    (void)unused;
    assert_int_equal(golden_v1_counter_down_start(at.channel, NULL, &ask, &events, &seen, NULL), 0);
    assert_int_equal(rota_loop_run(at.loop), 0);
    assert_int_equal(seen.code, ROTA_OK);
    assert_int_equal(seen.n_messages, N_REPLIES);
}

static void client_streaming(void **unused)
{
    Golden__V1__Ask ask = GOLDEN__V1__ASK__INIT;
    Golden__V1__Answer *answer = NULL;
    struct rota_call *call;

    (void)unused;
    assert_int_equal(golden_v1_counter_up_open(at.channel, NULL, &call), 0);
    for (ask.number = 1; ask.number <= 100; ask.number++)
        assert_int_equal(golden_v1_counter_up_send(call, &ask), 0);
    assert_int_equal(golden_v1_counter_up_finish(call, &answer).code, ROTA_OK);
    assert_int_equal(answer->number, 5050);
    golden__v1__answer__free_unpacked(answer, NULL);
}

#define TURNS_BEFORE_STATUS 8

static struct {
    struct rota_loop_post post;
    struct rota_server_call *call;
    struct rota_status status;
    int turns;
} late;

static void give_status(struct rota_loop_post *post)
{
    if (late.turns++ < TURNS_BEFORE_STATUS)
        rota_loop_post(at.loop, post);
    else
        rota_server_call_finish(late.call, &late.status);
}

static void reply_before_status(struct rota_server_call *call, void *user)
{
    Golden__V1__Answer answer = GOLDEN__V1__ANSWER__INIT;

    (void)user;
    late.call = call;
    late.post.run = give_status;
    assert_int_equal(rota_server_call_send(call, &answer), 0);
    rota_loop_post(at.loop, &late.post);
}

/* The reply is there long before the status, which alone says whether it counts. */
static void a_reply_comes_with_its_status(void **unused)
{
    static const struct golden_v1_counter_handlers table = {.up = {.message = add_up, .end = reply_before_status}};
    static const enum rota_code codes[] = {ROTA_OK, ROTA_ABORTED};

    (void)unused;
    open_both_ends(&table);
    for (size_t i = 0; i < ROTA_COUNT(codes); i++) {
        struct rota_call *call;
        void *answer;

        memset(&late, 0, sizeof(late));
        late.status.code = codes[i];
        assert_int_equal(golden_v1_counter_up_open(at.channel, NULL, &call), 0);
        assert_int_equal(rota_call_send_end(call), 0);
        assert_int_equal(rota_call_recv(call, &answer), codes[i] == ROTA_OK);
        if (codes[i] == ROTA_OK)
            golden__v1__answer__free_unpacked(answer, NULL);
        assert_int_equal(rota_call_finish(call).code, codes[i]);
    }
}

static void both_streaming(void **unused)
{
    Golden__V1__Ask ask = GOLDEN__V1__ASK__INIT;
    Golden__V1__Answer *answer;
    struct rota_call *call;

    (void)unused;
    assert_int_equal(golden_v1_counter_both_open(at.channel, NULL, &call), 0);
    for (ask.number = 0; ask.number < 10; ask.number++) {
        assert_int_equal(golden_v1_counter_both_send(call, &ask), 0);
        assert_true(golden_v1_counter_both_recv(call, &answer));
        assert_int_equal(answer->number, ask.number);
        golden__v1__answer__free_unpacked(answer, NULL);
    }
    assert_int_equal(rota_call_send_end(call), 0);
    assert_false(golden_v1_counter_both_recv(call, &answer));
    assert_int_equal(rota_call_finish(call).code, ROTA_OK);
    assert_int_equal(at.cancels, 0);
}

/* The table has no cancel for it, so its end is called in the place. */
static void a_cancelled_stream_is_told_by_its_end(void **unused)
{
    Golden__V1__Ask ask = GOLDEN__V1__ASK__INIT;
    Golden__V1__Answer *answer;
    struct rota_call *call;

    (void)unused;
    assert_int_equal(golden_v1_counter_both_open(at.channel, NULL, &call), 0);
    assert_int_equal(golden_v1_counter_both_send(call, &ask), 0);
    assert_true(golden_v1_counter_both_recv(call, &answer));
    golden__v1__answer__free_unpacked(answer, NULL);
    assert_int_equal(rota_call_finish(call).code, ROTA_CANCELLED);
    /* One connection, so this call reaches the server after the news of the other. */
    assert_int_equal(golden_v1_counter_unary(at.channel, NULL, &ask, NULL).code, ROTA_OK);
    assert_int_equal(at.cancels, 1);
}

#define LONG_REPLY_BYTES (1 << 20) /* far more than a window: a client that holds leaves the queue full */

static void fill_the_queue(struct rota_server_call *call, const Golden__V1__Ask *request, void *user)
{
    static char text[LONG_REPLY_BYTES];
    Golden__V1__Answer answer = GOLDEN__V1__ANSWER__INIT;
    rota_err err;

    (void)request, (void)user;
    memset(text, 'x', sizeof(text) - 1);
    answer.text = text;
    do
        err = golden_v1_counter_both_send_reply(call, &answer);
    while (err == 0);
    assert_int_equal(err, ROTA_EAGAIN);
    rota_loop_stop(at.loop);
}

/* Room is what the call waits for then, but the table has no writable that could be told. */
static void the_end_tells_of_a_cancel_while_the_queue_is_full(void **unused)
{
    static const struct golden_v1_counter_handlers table = {.unary = on_unary, .both = {.message = fill_the_queue, .end = finish}};
    static const struct rota_call_events events = {.on_message = on_message, .on_done = on_done};
    Golden__V1__Ask ask = GOLDEN__V1__ASK__INIT;
    struct seen seen = {0, ROTA_UNKNOWN};
    struct rota_call *call;

    open_both_ends(&table);
    assert_int_equal(golden_v1_counter_both_start(at.channel, NULL, &events, &seen, &call), 0);
    rota_call_hold(call);
    assert_int_equal(golden_v1_counter_both_write(call, &ask), 0);
    assert_int_equal(rota_loop_run(at.loop), 0);
    rota_call_cancel(call);
    assert_int_equal(rota_loop_run(at.loop), 0);
    assert_int_equal(seen.code, ROTA_CANCELLED);
    assert_int_equal(seen.n_messages, 0);
    assert_int_equal(golden_v1_counter_unary(at.channel, NULL, &ask, NULL).code, ROTA_OK); /* the server has had the news */
    assert_int_equal(at.cancels, 1);
    assert_int_equal(rota_server_stats(at.server).calls_open, 0);
    teardown(unused); /* only here: with the call open it would wait for ever */
    assert_int_equal(at.cancels, 1);
}

static void nothing_implemented(void **unused)
{
    static const struct golden_v1_counter_handlers empty;
    Golden__V1__Ask ask = GOLDEN__V1__ASK__INIT;
    struct rota_status status;
    struct rota_call *call;

    (void)unused;
    open_both_ends(&empty);
    status = golden_v1_counter_unary(at.channel, NULL, &ask, NULL);
    assert_int_equal(status.code, ROTA_UNIMPLEMENTED);
    assert_string_equal(status.message, "method Unary of service golden.v1.Counter is not implemented here");
    assert_int_equal(golden_v1_counter_up_open(at.channel, NULL, &call), 0);
    assert_int_equal(golden_v1_counter_up_finish(call, NULL).code, ROTA_UNIMPLEMENTED);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(unary, setup, teardown),
        cmocka_unit_test_setup_teardown(unary_asynchronous, setup, teardown),
        cmocka_unit_test_setup_teardown(server_streaming, setup, teardown),
        cmocka_unit_test_setup_teardown(server_streaming_asynchronous, setup, teardown),
        cmocka_unit_test_setup_teardown(client_streaming, setup, teardown),
        cmocka_unit_test_teardown(a_reply_comes_with_its_status, teardown),
        cmocka_unit_test_setup_teardown(both_streaming, setup, teardown),
        cmocka_unit_test_setup_teardown(a_cancelled_stream_is_told_by_its_end, setup, teardown),
        cmocka_unit_test(the_end_tells_of_a_cancel_while_the_queue_is_full),
        cmocka_unit_test_teardown(nothing_implemented, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
