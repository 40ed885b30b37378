/* calls_test.c - calls over real sockets with client and server on one loop: all kinds, blocking, asynchronous, and inside poll(2). */
#include "assembly/assembly_fixture.h"
#include "testing/death.h"
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define MIB ((size_t)1 << 20)

static struct {
    struct rota_loop *loop;
    struct test_server s;
    struct rota_channel *channel;
} at;

static int setup(void **unused)
{
    (void)unused;
    assert_int_equal(rota_loop_new(NULL, &at.loop), 0);
    test_server_open(&at.s, at.loop, "127.0.0.1:0", NULL);
    at.channel = test_channel(at.loop, at.s.bound, NULL);
    return 0;
}

static int teardown(void **unused)
{
    (void)unused;
    rota_channel_free(at.channel);
    test_server_close(&at.s);
    rota_loop_free(at.loop);
    return 0;
}

static void unary_blocking(void **unused)
{
    struct rota_status status;

    (void)unused;
    assert_true(test_echoes(at.channel, "hello"));
    assert_true(test_echoes(at.channel, ""));
    status = test_unary(at.channel, &test_fail, 0, "9 of course: 100 %");
    assert_int_equal(status.code, ROTA_FAILED_PRECONDITION);
    assert_string_equal(status.message, "of course: 100 %");
}

static void unary_is_not_for_streamed_replies(void **unused)
{
    struct rota_status status = test_unary(at.channel, &test_count, 0, "2 1");

    (void)unused;
    assert_int_equal(status.code, ROTA_INTERNAL);
    assert_string_equal(status.message, "the method streams its replies: they are for rota_call_open");
    assert_true(test_echoes(at.channel, "meanwhile"));
}

static void streams_blocking(void **unused)
{
    struct rota_slice text = ROTA_SLICE("abc");
    struct rota_call *call;
    void *message;
    int n = 0;

    (void)unused;
    assert_int_equal(rota_call_open(at.channel, &test_join, NULL, &call), 0);
    for (int i = 0; i < 1000; i++)
        assert_int_equal(rota_call_send(call, &text), 0);
    assert_int_equal(rota_call_send_end(call), 0);
    assert_true(rota_call_recv(call, &message));
    assert_true(rota_slice_equal(*(struct rota_slice *)message, ROTA_SLICE("3000")));
    rota_codec_bytes.free(NULL, message, NULL);
    assert_false(rota_call_recv(call, &message));
    assert_int_equal(rota_call_finish(call).code, ROTA_OK);

    assert_int_equal(rota_call_open(at.channel, &test_count, NULL, &call), 0);
    text = ROTA_SLICE("500 700");
    assert_int_equal(rota_call_send(call, &text), 0);
    for (; rota_call_recv(call, &message); n++) {
        assert_int_equal(((struct rota_slice *)message)->size, 700);
        rota_codec_bytes.free(NULL, message, NULL);
    }
    assert_int_equal(n, 500);
    assert_int_equal(rota_call_send(call, &text), ROTA_ECLOSED);
    assert_int_equal(rota_call_finish(call).code, ROTA_OK);

    assert_int_equal(rota_call_open(at.channel, &test_chat, NULL, &call), 0);
    for (n = 0; n < 50; n++) {
        assert_int_equal(rota_call_send(call, &text), 0);
        assert_true(rota_call_recv(call, &message));
        rota_codec_bytes.free(NULL, message, NULL);
    }
    assert_int_equal(rota_call_finish(call).code, ROTA_CANCELLED);
    assert_true(test_echoes(at.channel, "behind it"));
    assert_int_equal(at.s.n_cancelled, 1);
}

/* --- Asynchronous --- */

struct seen {
    int n_messages, n_done, want_done;
    enum rota_code code;
    char message[ROTA_STATUS_MESSAGE_SIZE];
    bool stop; /* the loop when all are done */
    bool starting;
};

static void on_done(void *arg, const struct rota_status *status, const void *reply)
{
    struct seen *seen = arg;

    assert_false(seen->starting);
    assert_true((reply != NULL) == (status->code == ROTA_OK));
    seen->code = status->code;
    memcpy(seen->message, status->message, sizeof(seen->message));
    if (++seen->n_done == seen->want_done && seen->stop)
        rota_loop_stop(at.loop);
}

static void start_many(struct seen *seen, int count)
{
    struct rota_slice text = ROTA_SLICE("many");

    seen->want_done = count;
    seen->starting = true;
    for (int i = 0; i < count; i++)
        assert_int_equal(rota_unary_start(at.channel, &test_echo, NULL, &text, on_done, seen, NULL), 0);
    seen->starting = false;
}

static void unary_asynchronous(void **unused)
{
    struct seen seen = {.stop = true};

    (void)unused;
    start_many(&seen, 1000);
    assert_int_equal(rota_loop_run(at.loop), 0);
    assert_int_equal(seen.n_done, 1000);
    assert_int_equal(seen.code, ROTA_OK);
}

static void inside_another_event_loop(void **unused)
{
    struct seen seen = {0};
    int idle = 0;

    (void)unused;
    start_many(&seen, 100);
    while (seen.n_done < 100) {
        struct pollfd pollfd = {.fd = rota_loop_fd(at.loop), .events = POLLIN};
        idle += poll(&pollfd, 1, rota_loop_timeout_ms(at.loop)) == 0;
        assert_int_equal(rota_loop_turn(at.loop), 0);
        assert_true(idle < 10000);
    }
    assert_int_equal(seen.code, ROTA_OK);
}

static void on_message(struct rota_call *call, void *arg, const void *message)
{
    (void)call;
    (void)message;
    ((struct seen *)arg)->n_messages++;
}

static void on_stream_done(struct rota_call *call, void *arg, const struct rota_status *status)
{
    struct seen *seen = arg;

    (void)call;
    assert_int_equal(seen->n_done++, 0);
    seen->code = status->code;
    rota_loop_stop(at.loop);
}

static const struct rota_call_events events = {.on_message = on_message, .on_done = on_stream_done};

static void streams_asynchronous(void **unused)
{
    static const struct {
        const struct rota_method *method;
        const char *text;
        int want;
    } rows[] = {{&test_join, "abc", 1}, {&test_count, "100 10", 100}, {&test_chat, "abc", 1}, {&test_count, "0 0", 0}};

    (void)unused;
    for (size_t i = 0; i < ROTA_COUNT(rows); i++) {
        struct rota_slice text = rota_slice_str(rows[i].text);
        struct seen seen = {0};
        struct rota_call *call;
        assert_int_equal(rota_call_start(at.channel, rows[i].method, NULL, &events, &seen, &call), 0);
        assert_int_equal(rota_call_write(call, &text), 0);
        assert_int_equal(rota_call_write_end(call), 0);
        assert_int_equal(rota_loop_run(at.loop), 0);
        assert_int_equal(seen.code, ROTA_OK);
        assert_int_equal(seen.n_messages, rows[i].want);
    }
}

static void cancelling_reaches_the_handler(void **unused)
{
    struct rota_slice text = ROTA_SLICE("60000");
    struct seen seen = {.want_done = 1, .stop = true};
    struct rota_call *call;

    (void)unused;
    assert_int_equal(rota_unary_start(at.channel, &test_delay, NULL, &text, on_done, &seen, &call), 0);
    while (at.s.n_calls == 0)
        assert_int_equal(rota_loop_turn(at.loop), 0);
    rota_call_cancel(call);
    assert_int_equal(seen.n_done, 0);
    assert_int_equal(rota_loop_run(at.loop), 0);
    assert_int_equal(seen.code, ROTA_CANCELLED);
    assert_true(test_echoes(at.channel, "behind it"));
    assert_int_equal(at.s.n_cancelled, 1);
}

static void deadlines_end_both_sides(void **unused)
{
    int64_t start_ns = rota_loop_now_ns(at.loop), took_ms;
    struct rota_status status;

    (void)unused;
    status = test_unary(at.channel, &test_delay, 100, "60000");
    took_ms = (rota_loop_now_ns(at.loop) - start_ns) / 1000000;
    assert_int_equal(status.code, ROTA_DEADLINE_EXCEEDED);
    assert_in_range(took_ms, 99, 5000);
    assert_true(test_echoes(at.channel, "behind it"));
    while (at.s.n_cancelled == 0) /* the server has a clock of its own */
        assert_int_equal(rota_loop_turn(at.loop), 0);
    assert_int_equal(test_unary(at.channel, &test_delay, 60000, "1").code, ROTA_OK);
    assert_int_equal(test_unary(at.channel, &test_echo, -1, "").code, ROTA_DEADLINE_EXCEEDED);
}

static void never_resume(struct rota_call *call, void *arg, const void *message)
{
    on_message(call, arg, message);
    rota_call_hold(call);
}

/* The replies fill windows and queues; their memory is given back when the time is over, on the server too. */
static void a_deadline_passes_while_nobody_reads(void **unused)
{
    static const struct rota_call_events stuck = {.on_message = never_resume, .on_done = on_stream_done};
    struct rota_call_options options = ROTA_CALL_OPTIONS_INIT;
    struct rota_slice text = ROTA_SLICE("1000 65536");
    struct seen seen = {0};
    struct rota_call *call;

    (void)unused;
    options.timeout_ms = 200;
    assert_int_equal(rota_call_start(at.channel, &test_count, &options, &stuck, &seen, &call), 0);
    assert_int_equal(rota_call_write(call, &text), 0);
    assert_int_equal(rota_loop_run(at.loop), 0);
    assert_int_equal(seen.code, ROTA_DEADLINE_EXCEEDED);
    assert_int_equal(seen.n_messages, 1);
    while (at.s.n_cancelled == 0)
        assert_int_equal(rota_loop_turn(at.loop), 0);
    assert_true(test_echoes(at.channel, "behind it"));
}

/* A handler that holds its call stops the client's writes after a window and a queue. */
static void a_slow_handler_is_waited_for(void **unused)
{
    static uint8_t bytes[16 << 10];
    struct rota_slice text = {bytes, sizeof(bytes)};
    struct seen seen = {0};
    struct rota_call *call;
    int n = 0, n_full = 0;
    rota_err err;

    (void)unused;
    at.s.hold = true;
    assert_int_equal(rota_call_start(at.channel, &test_join, NULL, &events, &seen, &call), 0);
    while (n < 100) {
        err = rota_call_write(call, &text);
        n += err == 0;
        n_full = err == ROTA_EAGAIN ? n_full + 1 : 0;
        assert_true(err == 0 || err == ROTA_EAGAIN);
        assert_int_equal(rota_loop_turn(at.loop), 0);
        if (n_full < 50)
            continue;
        assert_in_range(n, 1, 10 + (uintptr_t)rota_server_call_data(at.s.held) / sizeof(bytes));
        rota_server_call_resume(at.s.held);
        n_full = 0;
    }
    assert_int_equal(rota_call_write_end(call), 0);
    at.s.hold = false;
    rota_server_call_resume(at.s.held);
    assert_int_equal(rota_loop_run(at.loop), 0);
    assert_int_equal(seen.code, ROTA_OK);
    assert_int_equal(seen.n_messages, 1);
}

/* On the caller's loop the channel may go first. */
static void a_call_may_be_finished_after_its_channel(void **unused)
{
    struct rota_slice text = ROTA_SLICE("abc");
    struct rota_call *call;
    void *message;

    (void)unused;
    assert_int_equal(rota_call_open(at.channel, &test_chat, NULL, &call), 0);
    assert_int_equal(rota_call_send(call, &text), 0);
    rota_channel_free(at.channel);
    at.channel = NULL;
    assert_int_equal(rota_call_send(call, &text), ROTA_ECLOSED);
    assert_false(rota_call_recv(call, &message));
    assert_int_equal(rota_call_finish(call).code, ROTA_CANCELLED);
}

static void call_from_inside(void *arg)
{
    (void)arg;
    (void)test_unary(at.channel, &test_echo, 0, "a");
}

/* In a child process, which has no use for the loop that it inherits. */
static void block_in_a_callback(void *unused)
{
    struct rota_timer *timer;

    (void)unused;
    (void)!rota_loop_new(NULL, &at.loop);
    at.channel = test_channel(at.loop, at.s.bound, NULL);
    (void)!rota_timer_new(at.loop, call_from_inside, NULL, &timer);
    (void)!rota_timer_set(timer, 0);
    (void)rota_loop_turn(at.loop);
}

static void blocking_in_a_callback_aborts(void **unused)
{
    (void)unused;
    rota_assert_aborts(block_in_a_callback, NULL, "may_turn");
}

/* --- Metadata --- */

static void metadata_both_ways(void **unused)
{
    struct rota_call_options options = ROTA_CALL_OPTIONS_INIT;
    struct rota_metadata *sent, *initial = NULL, *trailing = NULL;
    struct rota_slice request = ROTA_SLICE("a"), value;
    struct rota_status status;

    (void)unused;
    assert_int_equal(rota_metadata_new(NULL, &sent), 0);
    assert_int_equal(rota_metadata_add_text(sent, "x-a", "1"), 0);
    assert_int_equal(rota_metadata_add(sent, ROTA_SLICE("x-b-bin"), ROTA_SLICE("\0\xff,"), NULL), 0);
    options.metadata = sent;
    options.ret_initial_metadata = &initial;
    options.ret_trailing_metadata = &trailing;
    status = rota_unary(at.channel, &test_echo, &options, &request, NULL);
    assert_int_equal(status.code, ROTA_OK);
    assert_true(rota_metadata_get(initial, "x-a", &value) && rota_slice_equal(value, ROTA_SLICE("1")));
    assert_true(rota_metadata_get(initial, "x-b-bin", &value) && rota_slice_equal(value, ROTA_SLICE("\0\xff,")));
    assert_true(rota_metadata_get(trailing, "x-b-bin", &value) && rota_slice_equal(value, ROTA_SLICE("\0\xff,")));
    rota_metadata_free(initial);
    rota_metadata_free(trailing);

    /* Nothing comes, and yet both are written: an error of the server's, and a call that never was. */
    for (int i = 0; i < 2; i++) {
        options.metadata = NULL;
        options.timeout_ms = i == 0 ? 0 : -1;
        initial = trailing = sent;
        status = rota_unary(at.channel, i == 0 ? &test_fail : &test_echo, &options, &request, NULL);
        assert_int_not_equal(status.code, ROTA_OK);
        assert_ptr_not_equal(initial, sent);
        assert_int_equal(rota_metadata_count(initial), 0);
        assert_ptr_not_equal(trailing, sent);
        assert_int_equal(rota_metadata_count(trailing), 0);
        rota_metadata_free(initial);
        rota_metadata_free(trailing);
    }
    rota_metadata_free(sent);
}

/* --- The whole status message --- */

static void a_whole_message_of_a_blocking_call(void **unused)
{
    static char asked[3 + 2 * 1000] = "9 ";
    static const struct {
        const char *rule;
        bool fails;
        int64_t timeout_ms;
        size_t size, want_size;
        enum rota_code want;
    } cases[] = {
        {"all of it", true, 0, ROTA_MESSAGE_SIZE, 2000, ROTA_FAILED_PRECONDITION},
        {"as much as there is room for", true, 0, 600, 598, ROTA_FAILED_PRECONDITION},
        {"room for nothing", true, 0, 1, 0, ROTA_FAILED_PRECONDITION},
        {"a call that went well", false, 0, 600, 0, ROTA_OK},
        {"a call that never was", false, -1, 600, SIZE_MAX, ROTA_DEADLINE_EXCEEDED},
    };

    (void)unused;
    for (size_t i = 2; i < sizeof(asked) - 1; i += 2)
        memcpy(asked + i, "\xc3\xa9", 2);
    for (size_t i = 0; i < ROTA_COUNT(cases); i++) {
        struct rota_call_options options = ROTA_CALL_OPTIONS_INIT;
        struct rota_slice request = rota_slice_str(asked);
        char message[ROTA_MESSAGE_SIZE] = "before";
        struct rota_status status;
        print_message("  %s\n", cases[i].rule);
        options.timeout_ms = cases[i].timeout_ms;
        options.ret_message = message;
        options.message_size = cases[i].size;
        status = rota_unary(at.channel, cases[i].fails ? &test_fail : &test_echo, &options, &request, NULL);
        assert_int_equal(status.code, cases[i].want);
        if (cases[i].want_size == SIZE_MAX)
            assert_string_equal(message, status.message);
        else
            assert_int_equal(strlen(message), cases[i].want_size);
        assert_memory_equal(message, cases[i].fails ? asked + 2 : message, strlen(message));
    }
}

/* --- Sizes --- */

static void big_messages(void **unused)
{
    static uint8_t bytes[4 * MIB + 1];
    static const struct {
        const char *rule;
        const struct rota_method *method;
        size_t size;
        enum rota_code code;
    } rows[] = {
        {"4 MiB both ways", &test_echo, 4 * MIB, ROTA_OK},
        {"a byte more is refused by the server", &test_echo, 4 * MIB + 1, ROTA_RESOURCE_EXHAUSTED},
        {"and by a client that asked for it", &test_count, 0, ROTA_RESOURCE_EXHAUSTED},
    };

    (void)unused;
    for (size_t i = 0; i < ROTA_COUNT(rows); i++) {
        struct rota_slice request = rows[i].size > 0 ? rota_slice(bytes, rows[i].size) : ROTA_SLICE("1 4194305");
        struct rota_call *call;
        struct rota_status status;
        void *reply;
        print_message("  %s\n", rows[i].rule);
        assert_int_equal(rota_call_open(at.channel, rows[i].method, NULL, &call), 0);
        (void)!rota_call_send(call, &request);
        rota_call_send_end(call);
        assert_int_equal(rota_call_recv(call, &reply), rows[i].code == ROTA_OK);
        if (rows[i].code == ROTA_OK) {
            assert_int_equal(((struct rota_slice *)reply)->size, rows[i].size);
            rota_codec_bytes.free(NULL, reply, NULL);
        }
        status = rota_call_finish(call);
        assert_int_equal(status.code, rows[i].code);
        assert_true(test_echoes(at.channel, "behind it"));
    }
}

/* --- Other addresses --- */

static void other_kinds_of_sockets(void **unused)
{
    static const char *const kinds[] = {"unix:", "unix-abstract:rota-test-", "[::1]:0", ":0"};

    (void)unused;
    for (size_t i = 0; i < ROTA_COUNT(kinds); i++) {
        bool is_unix = strncmp(kinds[i], "unix", 4) == 0;
        struct rota_channel_options options = ROTA_CHANNEL_OPTIONS_INIT;
        struct rota_server_options server_options = ROTA_SERVER_OPTIONS_INIT;
        struct rota_channel *channel;
        struct rota_errinfo info;
        struct test_server s;
        char address[100], target[ROTA_ADDRESS_TEXT_SIZE + 16];
        snprintf(address, sizeof(address), "%s", kinds[i]);
        if (is_unix)
            snprintf(address, sizeof(address), "%s%srota-test-%d", kinds[i], i == 0 ? "/tmp/" : "", (int)getpid());
        print_message("  %s\n", address);
        server_options.tls = &rota_tls_insecure; /* one of them is all addresses */
        test_server_open(&s, at.loop, address, &server_options);
        snprintf(target, sizeof(target), "%s%s", is_unix ? "" : "dns:///", s.bound);
        if (strcmp(kinds[i], ":0") == 0)
            snprintf(target, sizeof(target), "dns:///127.0.0.1%s", strrchr(s.bound, ':'));
        options.loop = at.loop;
        assert_int_equal(rota_channel_open(target, &options, &channel, &info), 0);
        assert_true(test_echoes(channel, "there"));
        rota_channel_free(channel);
        test_server_close(&s);
        if (i == 0) /* the file is gone */
            assert_int_not_equal(access(address + strlen("unix:"), F_OK), 0);
    }
}

static void one_server_many_listeners(void **unused)
{
    struct rota_errinfo info = {{0}};
    char bound[ROTA_ADDRESS_TEXT_SIZE];
    struct rota_channel *second;

    (void)unused;
    assert_int_equal(rota_server_listen(at.s.server, "127.0.0.1:0", bound, &info), 0);
    assert_string_not_equal(bound, at.s.bound);
    second = test_channel(at.loop, bound, NULL);
    assert_true(test_echoes(at.channel, "one"));
    assert_true(test_echoes(second, "two"));
    assert_int_equal(rota_server_listen(at.s.server, bound, NULL, &info), ROTA_EADDRINUSE);
    assert_non_null(strstr(info.text, bound));
    rota_channel_free(second);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(unary_blocking, setup, teardown),
        cmocka_unit_test_setup_teardown(unary_is_not_for_streamed_replies, setup, teardown),
        cmocka_unit_test_setup_teardown(streams_blocking, setup, teardown),
        cmocka_unit_test_setup_teardown(unary_asynchronous, setup, teardown),
        cmocka_unit_test_setup_teardown(inside_another_event_loop, setup, teardown),
        cmocka_unit_test_setup_teardown(streams_asynchronous, setup, teardown),
        cmocka_unit_test_setup_teardown(cancelling_reaches_the_handler, setup, teardown),
        cmocka_unit_test_setup_teardown(deadlines_end_both_sides, setup, teardown),
        cmocka_unit_test_setup_teardown(a_deadline_passes_while_nobody_reads, setup, teardown),
        cmocka_unit_test_setup_teardown(a_slow_handler_is_waited_for, setup, teardown),
        cmocka_unit_test_setup_teardown(a_call_may_be_finished_after_its_channel, setup, teardown),
        cmocka_unit_test_setup_teardown(blocking_in_a_callback_aborts, setup, teardown),
        cmocka_unit_test_setup_teardown(metadata_both_ways, setup, teardown),
        cmocka_unit_test_setup_teardown(a_whole_message_of_a_blocking_call, setup, teardown),
        cmocka_unit_test_setup_teardown(big_messages, setup, teardown),
        cmocka_unit_test_setup_teardown(other_kinds_of_sockets, setup, teardown),
        cmocka_unit_test_setup_teardown(one_server_many_listeners, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
