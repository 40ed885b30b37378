/* forever_test.c - a server's times that no clock will see mean never, rather than the past. */
#include "assembly/assembly_fixture.h"
#include <stddef.h>
#include <string.h>

#define NS_PER_MS INT64_C(1000000)

static const struct forever_case {
    const char *rule;
    size_t option;
} cases[] = {
    {"handshakes", offsetof(struct rota_server_options, handshake_timeout_ms)},
    {"keepalive", offsetof(struct rota_server_options, keepalive_time_ms)},
    {"its answers", offsetof(struct rota_server_options, keepalive_timeout_ms)},
    {"writes", offsetof(struct rota_server_options, write_timeout_ms)},
    {"age", offsetof(struct rota_server_options, max_connection_age_ms)},
    {"the grace after it", offsetof(struct rota_server_options, max_connection_age_grace_ms)},
    {"idleness", offsetof(struct rota_server_options, max_connection_idle_ms)},
};

/* The largest there is, the largest that nanoseconds count, and what the present time alone carries beyond that. */
static const int64_t times_ms[] = {INT64_MAX, INT64_MAX / NS_PER_MS, INT64_MAX / NS_PER_MS - 1};

static void no_clock_sees_it(void **unused)
{
    (void)unused;
    for (size_t i = 0; i < ROTA_COUNT(cases) * ROTA_COUNT(times_ms); i++) {
        const struct forever_case *c = &cases[i / ROTA_COUNT(times_ms)];
        struct rota_server_options options = ROTA_SERVER_OPTIONS_INIT;
        struct rota_channel *channel;
        struct rota_loop *loop;
        struct test_server s;

        print_message("  %s, %lld\n", c->rule, (long long)times_ms[i % ROTA_COUNT(times_ms)]);
        memcpy((char *)&options + c->option, &times_ms[i % ROTA_COUNT(times_ms)], sizeof(int64_t));
        assert_int_equal(rota_loop_new(NULL, &loop), 0);
        test_server_open(&s, loop, "127.0.0.1:0", &options);
        channel = test_channel(loop, s.bound, NULL);
        for (int again = 0; again < 3; again++)
            assert_true(test_echoes(channel, "a"));
        /* The age varies by a tenth: only the first connection may have been made. */
        assert_int_equal(rota_server_stats(s.server).connections_accepted, 1);
        rota_channel_free(channel);
        test_server_close(&s);
        rota_loop_free(loop);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(no_clock_sees_it)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
