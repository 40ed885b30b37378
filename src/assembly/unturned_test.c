/* unturned_test.c - a channel on a loop that nothing turns but its blocking calls, its server on a thread: what is begun goes out and what has
 * happened since is noticed, also by calls that wait for nothing.
 */
#include "assembly/assembly_fixture.h"
#include "loop/loop.h"
#include <netinet/in.h>
#include <poll.h>
#include <sched.h>
#include <stdlib.h>
#include <sys/socket.h>

#define MS INT64_C(1000000)
#define PATIENCE_NS (20000 * MS)

enum { SENDS_MAX = 500 }; /* of a few bytes: far from what a queue holds */

static struct {
    struct rota_loop *servers, *loop;
    struct test_server s;
    struct rota_channel *channel;
} at;

static void begin(void)
{
    assert_int_equal(rota_loop_thread_new(NULL, &at.servers), 0);
    test_server_open(&at.s, at.servers, "127.0.0.1:0", NULL);
    assert_int_equal(rota_loop_new(NULL, &at.loop), 0);
    at.channel = test_channel(at.loop, at.s.bound, NULL);
    assert_true(test_echoes(at.channel, "connected"));
}

static void end(void)
{
    rota_channel_free(at.channel);
    rota_loop_free(at.loop);
    test_server_close(&at.s);
    rota_loop_free(at.servers);
}

/* So long that the loop's last turn is none of now. */
static void let_time_pass(void)
{
    int64_t until_ns = rota_loop_now_ns(at.loop) + 3 * MS;

    while (rota_loop_now_ns(at.loop) < until_ns)
        sched_yield();
}

/* --- What is begun goes out --- */

static void read_stats(void *arg)
{
    *(struct rota_server_stats *)arg = rota_server_stats(at.s.server);
}

static bool has_come(int n_messages, int n_ends)
{
    struct rota_server_stats stats;
    struct rota_handoff handoff;

    rota_handoff_init(&handoff, at.servers);
    rota_handoff_run(&handoff, read_stats, &stats);
    rota_handoff_fini(&handoff);
    return stats.calls_started == 2 && at.s.n_messages == n_messages && at.s.n_ends == n_ends;
}

static const struct sending_case {
    const char *rule;
    int n_sends;
    bool ends;
} sending_cases[] = {
    {"a call that is opened begins", 0, false},
    {"messages arrive", 5, false},
    {"and so does the end of them", 5, true},
};

static void what_is_sent_goes_out(void **unused)
{
    struct rota_slice text = ROTA_SLICE("abc");

    (void)unused;
    for (size_t i = 0; i < ROTA_COUNT(sending_cases); i++) {
        const struct sending_case *c = &sending_cases[i];
        struct rota_call *call;
        int64_t until_ns;

        print_message("  %s\n", c->rule);
        begin();
        assert_int_equal(rota_call_open(at.channel, &test_join, NULL, &call), 0);
        for (int n = 0; n < c->n_sends; n++)
            assert_int_equal(rota_call_send(call, &text), 0);
        if (c->ends)
            assert_int_equal(rota_call_send_end(call), 0);
        until_ns = rota_loop_now_ns(at.loop) + PATIENCE_NS;
        while (!has_come(c->n_sends, c->ends) && rota_loop_now_ns(at.loop) < until_ns)
            sched_yield();
        assert_true(has_come(c->n_sends, c->ends));
        (void)rota_call_finish(call);
        end();
    }
}

/* --- What has happened is noticed --- */

static const struct ending_case {
    const char *rule, *first;
    int64_t timeout_ms;
    enum rota_code want;
} ending_cases[] = {
    {"the deadline passes", "abc", 20, ROTA_DEADLINE_EXCEEDED},
    {"the server ends the call", "bye", 0, ROTA_OK},
};

static void a_send_hears_of_the_end(void **unused)
{
    (void)unused;
    for (size_t i = 0; i < ROTA_COUNT(ending_cases); i++) {
        struct rota_call_options options = ROTA_CALL_OPTIONS_INIT;
        struct rota_slice text = rota_slice_str(ending_cases[i].first);
        struct rota_call *call;
        rota_err err = 0;
        void *message;

        print_message("  %s\n", ending_cases[i].rule);
        begin();
        options.timeout_ms = ending_cases[i].timeout_ms;
        assert_int_equal(rota_call_open(at.channel, &test_chat, &options, &call), 0);
        for (int n = 0; n < SENDS_MAX && err == 0; n++) {
            err = rota_call_send(call, &text);
            let_time_pass();
        }
        assert_int_equal(err, ROTA_ECLOSED);
        while (rota_call_recv(call, &message))
            rota_codec_bytes.free(NULL, message, NULL);
        assert_int_equal(rota_call_finish(call).code, ending_cases[i].want);
        end();
    }
}

/* One end of the connection between them. */
static int end_of(bool server)
{
    long port = strtol(strrchr(at.s.bound, ':') + 1, NULL, 10);

    for (int fd = 3; fd < 1024; fd++) {
        struct sockaddr_in here = {0}, there = {0};
        socklen_t here_size = sizeof(here), there_size = sizeof(there);
        if (getsockname(fd, (struct sockaddr *)&here, &here_size) == 0 && getpeername(fd, (struct sockaddr *)&there, &there_size) == 0 &&
            here.sin_family == AF_INET && ntohs(server ? here.sin_port : there.sin_port) == port)
            return fd;
    }
    fail_msg("there is no such connection");
    return -1;
}

static bool unary_echoes(void)
{
    return test_echoes(at.channel, "abc");
}

static bool stream_echoes(void)
{
    struct rota_slice text = ROTA_SLICE("bye");
    struct rota_call *call;
    bool echoes = false;
    void *message;

    if (rota_call_open(at.channel, &test_chat, NULL, &call) < 0)
        return false;
    if (rota_call_send(call, &text) == 0)
        while (rota_call_recv(call, &message)) {
            echoes = true;
            rota_codec_bytes.free(NULL, message, NULL);
        }
    return rota_call_finish(call).code == ROTA_OK && echoes;
}

#define PING "\0\0\x08\6\0\0\0\0\0" "12345678"

static const struct dying_case {
    const char *rule;
    struct rota_slice last_words;
    bool (*echoes)(void);
} dying_cases[] = {
    {"a unary call after the peer has gone", {NULL, 0}, unary_echoes},
    {"a stream after it", {NULL, 0}, stream_echoes},
    {"with something to read before the end", {(const uint8_t *)PING, sizeof(PING) - 1}, unary_echoes},
};

/* Without a GOAWAY, as of a server that crashed and has come up again. */
static void a_connection_that_died_is_not_used(void **unused)
{
    (void)unused;
    for (size_t i = 0; i < ROTA_COUNT(dying_cases); i++) {
        const struct dying_case *c = &dying_cases[i];
        struct pollfd client;
        int server;

        print_message("  %s\n", c->rule);
        begin();
        client = (struct pollfd){.fd = end_of(false), .events = POLLRDHUP};
        server = end_of(true);
        if (c->last_words.size > 0)
            assert_int_equal(send(server, c->last_words.data, c->last_words.size, MSG_NOSIGNAL), c->last_words.size);
        assert_int_equal(shutdown(server, SHUT_WR), 0);
        assert_int_equal(poll(&client, 1, (int)(PATIENCE_NS / MS)), 1);
        let_time_pass();
        assert_true(c->echoes());
        end();
    }
}

/* --- What looking brings --- */

static void set(void *arg)
{
    *(bool *)arg = true;
}

static void close_it(void *arg)
{
    rota_channel_close(at.channel, set, arg);
}

/* A channel without connections is gone at once. */
static void the_channel_may_be_closed_meanwhile(void **unused)
{
    (void)unused;
    for (int by_open = 0; by_open < 2; by_open++) {
        struct rota_timer *timer;
        struct rota_call *call;
        bool closed = false;

        begin();
        rota_channel_free(at.channel);
        at.channel = test_channel(at.loop, at.s.bound, NULL);
        assert_int_equal(rota_timer_new(at.loop, close_it, &closed, &timer), 0);
        assert_int_equal(rota_timer_set(timer, rota_loop_now_ns(at.loop)), 0);
        let_time_pass();
        if (by_open)
            assert_int_equal(rota_call_open(at.channel, &test_chat, NULL, &call), ROTA_ECLOSED);
        else
            assert_int_equal(test_unary(at.channel, &test_echo, 0, "abc").code, ROTA_CANCELLED);
        assert_true(closed);
        at.channel = NULL;
        rota_timer_free(timer);
        end();
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_sent_goes_out),
        cmocka_unit_test(a_send_hears_of_the_end),
        cmocka_unit_test(a_connection_that_died_is_not_used),
        cmocka_unit_test(the_channel_may_be_closed_meanwhile),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
