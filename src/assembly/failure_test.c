/* failure_test.c - servers that go, refuse or keep silent, and what the call says of them. */
#include "assembly/assembly_fixture.h"
#include <fcntl.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static struct rota_loop *loop;

static int setup(void **unused)
{
    (void)unused;
    assert_int_equal(rota_loop_new(NULL, &loop), 0);
    return 0;
}

static int teardown(void **unused)
{
    (void)unused;
    rota_loop_free(loop);
    return 0;
}

/* A bound port; with a backlog it takes connections and never says a word. */
static int bare_port(bool listening, char *text, size_t size)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t length = sizeof(address);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    assert_true(fd >= 0);
    assert_int_equal(bind(fd, (struct sockaddr *)&address, sizeof(address)), 0);
    if (listening)
        assert_int_equal(listen(fd, 8), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&address, &length), 0);
    snprintf(text, size, "127.0.0.1:%d", ntohs(address.sin_port));
    return fd;
}

static void a_refused_connection_is_named(void **unused)
{
    char address[40];
    int fd = bare_port(false, address, sizeof(address));
    struct rota_channel *channel = test_channel(loop, address, NULL);
    struct rota_status status = test_unary(channel, &test_echo, 10000, "a");

    (void)unused;
    assert_int_equal(status.code, ROTA_UNAVAILABLE);
    assert_non_null(strstr(status.message, address));
    assert_non_null(strstr(status.message, "refused"));
    rota_channel_free(channel);
    close(fd);
}

static void a_silent_port_is_left_at_the_deadline(void **unused)
{
    char address[40];
    int fd = bare_port(true, address, sizeof(address));
    struct rota_channel *channel = test_channel(loop, address, NULL);
    int64_t start_ns = rota_loop_now_ns(loop);
    struct rota_status status = test_unary(channel, &test_echo, 200, "a");

    (void)unused;
    assert_int_equal(status.code, ROTA_DEADLINE_EXCEEDED);
    assert_in_range((rota_loop_now_ns(loop) - start_ns) / 1000000, 199, 5000);
    rota_channel_free(channel);
    close(fd);
}

static void without_a_connect_timeout_it_connects(void **unused)
{
    struct rota_channel_options options = ROTA_CHANNEL_OPTIONS_INIT;
    struct rota_channel *channel;
    struct test_server server;

    (void)unused;
    options.connect_timeout_ms = options.backoff_max_ms = INT64_MAX;
    test_server_open(&server, loop, "127.0.0.1:0", NULL);
    channel = test_channel(loop, server.bound, &options);
    assert_true(test_echoes(channel, "never is fine"));
    rota_channel_free(channel);
    test_server_close(&server);
}

static void a_silent_port_is_left_at_the_connect_timeout(void **unused)
{
    struct rota_channel_options options = ROTA_CHANNEL_OPTIONS_INIT;
    struct rota_channel *channel;
    struct rota_status status;
    char address[40];
    int fd = bare_port(true, address, sizeof(address));

    (void)unused;
    options.connect_timeout_ms = 100;
    options.backoff_initial_ms = 1;
    options.backoff_max_ms = 10;
    channel = test_channel(loop, address, &options);
    status = test_unary(channel, &test_echo, 10000, "a");
    assert_int_equal(status.code, ROTA_UNAVAILABLE);
    assert_non_null(strstr(status.message, address));
    rota_channel_free(channel);
    close(fd);
}

struct seen {
    int n_done;
    struct rota_status status;
};

static void on_done(void *arg, const struct rota_status *status, const void *reply)
{
    struct seen *seen = arg;

    (void)reply;
    seen->status = *status;
    seen->n_done++;
}

static void a_server_that_dies_is_named(void **unused)
{
    struct rota_slice text = ROTA_SLICE("60000");
    struct rota_channel *channel;
    struct seen seen = {0};
    struct test_server s;

    (void)unused;
    test_server_open(&s, loop, "127.0.0.1:0", NULL);
    channel = test_channel(loop, s.bound, NULL);
    assert_int_equal(rota_unary_start(channel, &test_delay, NULL, &text, on_done, &seen, NULL), 0);
    while (s.n_calls == 0)
        assert_int_equal(rota_loop_turn(loop), 0);
    test_server_close(&s);
    while (seen.n_done == 0)
        assert_int_equal(rota_loop_turn(loop), 0);
    assert_int_equal(seen.status.code, ROTA_UNAVAILABLE);
    assert_non_null(strstr(seen.status.message, s.bound));
    assert_int_equal(s.n_cancelled, 1);
    rota_channel_free(channel);
}

/* What the channel's own log hears of its connections. */
static void hear(void *ctx, enum rota_log_level level, const char *area, const char *text)
{
    if (level == ROTA_LOG_WARN && strcmp(area, "net") == 0)
        snprintf(ctx, 300, "%s", text);
}

struct broken {
    struct rota_channel *channel;
    struct rota_status status;
    enum rota_conn_state then; /* the channel's, as the call ended */
    bool done;
};

static void on_broken(void *arg, const struct rota_status *status, const void *reply)
{
    struct broken *broken = arg;

    (void)reply;
    broken->status = *status;
    broken->then = rota_channel_state(broken->channel);
    broken->done = true;
}

/* The GOAWAY that says why lingers for up to a second, which nobody is to wait for. */
static void a_connection_that_failed_is_ready_no_more(void **unused)
{
    static const char settings[] = "\0\0\0\4\0\0\0\0", data_of_stream_0[] = "\0\0\0\0\0\0\0\0";
    struct rota_slice text = ROTA_SLICE("a");
    struct rota_channel_options options = ROTA_CHANNEL_OPTIONS_INIT;
    char address[40], heard[300] = "";
    const struct rota_log log = {.write = hear, .ctx = heard};
    struct broken broken = {0};
    int fd = bare_port(true, address, sizeof(address)), peer = -1;

    (void)unused;
    assert_int_equal(fcntl(fd, F_SETFL, O_NONBLOCK), 0);
    options.log = &log;
    broken.channel = test_channel(loop, address, &options);
    assert_int_equal(rota_unary_start(broken.channel, &test_echo, NULL, &text, on_broken, &broken, NULL), 0);
    while (peer < 0) {
        assert_int_equal(rota_loop_turn(loop), 0);
        peer = accept(fd, NULL, NULL);
    }
    assert_int_equal(send(peer, settings, sizeof(settings), MSG_NOSIGNAL), sizeof(settings));
    while (rota_channel_state(broken.channel) != ROTA_CONN_READY)
        assert_int_equal(rota_loop_turn(loop), 0);
    assert_int_equal(send(peer, data_of_stream_0, sizeof(data_of_stream_0), MSG_NOSIGNAL), sizeof(data_of_stream_0));
    while (!broken.done)
        assert_int_equal(rota_loop_turn(loop), 0);
    assert_int_equal(broken.status.code, ROTA_UNAVAILABLE);
    assert_non_null(strstr(broken.status.message, address));
    assert_int_not_equal(broken.then, ROTA_CONN_READY);
    assert_non_null(strstr(heard, address));
    close(peer);
    rota_channel_free(broken.channel);
    close(fd);
}

static void waiting_for_ready_outlasts_a_restart(void **unused)
{
    struct rota_channel_options channel_options = ROTA_CHANNEL_OPTIONS_INIT;
    struct rota_call_options options = ROTA_CALL_OPTIONS_INIT;
    struct rota_slice text = ROTA_SLICE("a");
    struct rota_channel *channel;
    struct seen seen = {0};
    struct test_server s;
    char bound[ROTA_ADDRESS_TEXT_SIZE];

    (void)unused;
    channel_options.backoff_initial_ms = 1;
    channel_options.backoff_max_ms = 10;
    test_server_open(&s, loop, "127.0.0.1:0", NULL);
    memcpy(bound, s.bound, sizeof(bound));
    channel = test_channel(loop, bound, &channel_options);
    assert_true(test_echoes(channel, "before"));
    test_server_close(&s);
    while (rota_channel_state(channel) == ROTA_CONN_READY)
        assert_int_equal(rota_loop_turn(loop), 0);
    options.wait_for_ready = ROTA_WAIT_FOR_READY;
    options.timeout_ms = 30000;
    assert_int_equal(rota_unary_start(channel, &test_echo, &options, &text, on_done, &seen, NULL), 0);
    for (int i = 0; i < 10; i++)
        assert_int_equal(rota_loop_turn(loop), 0);
    assert_int_equal(seen.n_done, 0);
    test_server_open(&s, loop, bound, NULL);
    while (seen.n_done == 0)
        assert_int_equal(rota_loop_turn(loop), 0);
    assert_int_equal(seen.status.code, ROTA_OK);
    rota_channel_free(channel);
    test_server_close(&s);
}

/* --- Draining --- */

#define N_CALLS 2000
#define N_OUTSTANDING 64

struct load {
    struct rota_channel *channel;
    int n_started, n_open, n_good;
};

static void on_answer(void *arg, const struct rota_status *status, const void *reply)
{
    struct load *load = arg;

    (void)reply;
    load->n_open--;
    load->n_good += status->code == ROTA_OK;
    if (status->code != ROTA_OK)
        print_message("  %s: %s\n", rota_code_name(status->code), status->message);
}

static void keep_up(struct load *load)
{
    struct rota_call_options options = ROTA_CALL_OPTIONS_INIT;
    struct rota_slice text = ROTA_SLICE("2");

    options.timeout_ms = 30000;
    while (load->n_open < N_OUTSTANDING && load->n_started < N_CALLS) {
        const struct rota_method *method = load->n_started % 2 == 0 ? &test_echo : &test_delay;
        assert_int_equal(rota_unary_start(load->channel, method, &options, &text, on_answer, load, NULL), 0);
        load->n_open++;
        load->n_started++;
    }
}

static void set(void *arg)
{
    *(bool *)arg = true;
}

static void no_call_fails_while_a_server_drains(void **unused)
{
    struct rota_channel_options options = ROTA_CHANNEL_OPTIONS_INIT;
    struct test_server first, second;
    struct load load = {0};
    char both[2 * ROTA_ADDRESS_TEXT_SIZE];
    bool drained = false, begun = false;

    (void)unused;
    options.service_config = "{\"loadBalancingConfig\":[{\"round_robin\":{}}]}";
    test_server_open(&first, loop, "127.0.0.1:0", NULL);
    test_server_open(&second, loop, "127.0.0.1:0", NULL);
    snprintf(both, sizeof(both), "%s,%s", first.bound, second.bound);
    load.channel = test_channel(loop, both, &options);
    while (load.n_started < N_CALLS || load.n_open > 0) {
        keep_up(&load);
        if (!begun && load.n_started > N_CALLS / 2 && first.n_calls > 100) {
            begun = true;
            rota_server_drain(first.server, 20000, set, &drained);
        }
        assert_int_equal(rota_loop_turn(loop), 0);
    }
    assert_true(begun);
    while (!drained)
        assert_int_equal(rota_loop_turn(loop), 0);
    assert_int_equal(load.n_good, N_CALLS);
    assert_in_range(first.n_calls, 100, N_CALLS);
    assert_in_range(second.n_calls, 100, N_CALLS);
    assert_int_equal(first.n_cancelled + second.n_cancelled, 0);
    rota_channel_free(load.channel);
    test_server_close(&first);
    test_server_close(&second);
}

static void connections_beyond_the_limit_are_closed(void **unused)
{
    struct rota_server_options options = ROTA_SERVER_OPTIONS_INIT;
    struct rota_channel *first, *second;
    struct test_server s;

    (void)unused;
    options.max_connections = 1;
    test_server_open(&s, loop, "127.0.0.1:0", &options);
    first = test_channel(loop, s.bound, NULL);
    second = test_channel(loop, s.bound, NULL);
    assert_true(test_echoes(first, "in"));
    assert_int_equal(test_unary(second, &test_echo, 10000, "out").code, ROTA_UNAVAILABLE);
    assert_true(test_echoes(first, "still in"));
    rota_channel_free(first);
    rota_channel_free(second);
    test_server_close(&s);
}

static void who_says_nothing_is_sent_away(void **unused)
{
    struct rota_server_options options = ROTA_SERVER_OPTIONS_INIT;
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    struct test_server s;
    char byte;
    ssize_t got = -1;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

    (void)unused;
    options.handshake_timeout_ms = 50;
    test_server_open(&s, loop, "127.0.0.1:0", &options);
    address.sin_port = htons((uint16_t)strtol(strrchr(s.bound, ':') + 1, NULL, 10));
    (void)connect(fd, (struct sockaddr *)&address, sizeof(address));
    /* Our SETTINGS and GOAWAY, then the end. */
    while (got != 0) {
        assert_int_equal(rota_loop_turn(loop), 0);
        got = read(fd, &byte, 1);
    }
    assert_int_equal(rota_server_stats(s.server).connections_accepted, 1);
    close(fd);
    test_server_close(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_refused_connection_is_named, setup, teardown),
        cmocka_unit_test_setup_teardown(a_silent_port_is_left_at_the_deadline, setup, teardown),
        cmocka_unit_test_setup_teardown(without_a_connect_timeout_it_connects, setup, teardown),
        cmocka_unit_test_setup_teardown(a_silent_port_is_left_at_the_connect_timeout, setup, teardown),
        cmocka_unit_test_setup_teardown(a_server_that_dies_is_named, setup, teardown),
        cmocka_unit_test_setup_teardown(a_connection_that_failed_is_ready_no_more, setup, teardown),
        cmocka_unit_test_setup_teardown(waiting_for_ready_outlasts_a_restart, setup, teardown),
        cmocka_unit_test_setup_teardown(no_call_fails_while_a_server_drains, setup, teardown),
        cmocka_unit_test_setup_teardown(who_says_nothing_is_sent_away, setup, teardown),
        cmocka_unit_test_setup_teardown(connections_beyond_the_limit_are_closed, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
