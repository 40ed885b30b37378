/* user_timeout_test.c - connections with keepalive have its timeout as TCP_USER_TIMEOUT (gRFC A18), a server's no less than its write timeout. */
#include "assembly/assembly_fixture.h"
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

/* Of the end whose own port it is (server), or of the other (client): the sum over such sockets of this process. */
static unsigned timeout_of(uint16_t port, bool server)
{
    unsigned sum = 0;

    for (int fd = 3; fd < 256; fd++) {
        struct sockaddr_in here = {0}, there = {0};
        socklen_t here_size = sizeof(here), there_size = sizeof(there), size = sizeof(unsigned);
        unsigned value = 0;
        if (getsockname(fd, (struct sockaddr *)&here, &here_size) == 0 && getpeername(fd, (struct sockaddr *)&there, &there_size) == 0 &&
            here.sin_family == AF_INET && ntohs(server ? here.sin_port : there.sin_port) == port &&
            getsockopt(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, &value, &size) == 0)
            sum += value;
    }
    return sum;
}

static const struct timeout_case {
    const char *rule;
    int64_t channel_time_ms, channel_timeout_ms, server_time_ms, server_timeout_ms, write_timeout_ms;
    unsigned want_client, want_server;
} cases[] = {
    {"a channel's is off by default, a server's on", 0, 0, 0, 0, 0, 0, 60000},
    {"a channel with keepalive has the default timeout", 10000, 0, 0, 0, 0, 20000, 60000},
    {"or the one given", 10000, 3000, 0, 70000, 0, 3000, 70000},
    {"a server's slow readers have as long as they may take", 0, 0, 0, 7000, 30000, 0, 30000},
    {"a shorter time to take something is not the system's", 0, 0, 0, 7000, 3000, 0, 7000},
    {"for ever, if they may", 0, 0, 0, 7000, -1, 0, 0},
    {"a server without keepalive has none", 0, 3000, -1, 7000, 0, 0, 0},
};

static void keepalive_sets_it(void **unused)
{
    (void)unused;
    for (size_t i = 0; i < ROTA_COUNT(cases); i++) {
        const struct timeout_case *c = &cases[i];
        struct rota_channel_options options = ROTA_CHANNEL_OPTIONS_INIT;
        struct rota_server_options server_options = ROTA_SERVER_OPTIONS_INIT;
        struct rota_channel *channel;
        struct rota_loop *loop;
        struct test_server s;
        uint16_t port;

        print_message("  %s\n", c->rule);
        assert_int_equal(rota_loop_new(NULL, &loop), 0);
        options.keepalive_time_ms = c->channel_time_ms;
        options.keepalive_timeout_ms = c->channel_timeout_ms;
        server_options.keepalive_time_ms = c->server_time_ms;
        server_options.keepalive_timeout_ms = c->server_timeout_ms;
        server_options.write_timeout_ms = c->write_timeout_ms;
        test_server_open(&s, loop, "127.0.0.1:0", &server_options);
        channel = test_channel(loop, s.bound, &options);
        assert_true(test_echoes(channel, "a"));
        port = (uint16_t)atoi(strrchr(s.bound, ':') + 1);
        assert_int_equal(timeout_of(port, false), c->want_client);
        assert_int_equal(timeout_of(port, true), c->want_server);
        rota_channel_free(channel);
        test_server_close(&s);
        rota_loop_free(loop);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(keepalive_sets_it)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
