/* sides_test.c - a channel's own streams (health checks) on real connections. What their answers mean: channel/sides_health_test.c. */
#include "assembly/assembly_fixture.h"

#define CHECKED "{\"loadBalancingConfig\":[{\"round_robin\":{}}],\"healthCheckConfig\":{\"serviceName\":\"shop\"}}"

static const struct row {
    const char *rule;
    size_t send_queue_bytes;
    enum rota_health_status health;
    bool served;
} rows[] = {
    {"a server that serves gets the calls", 0, ROTA_HEALTH_SERVING, true},
    {"one that does not serve does not", 0, ROTA_HEALTH_NOT_SERVING, false},
    {"a queue shorter than the request for health", 8, ROTA_HEALTH_SERVING, true},
    {"the same, and no health", 8, ROTA_HEALTH_NOT_SERVING, false},
};

static void a_server_is_asked_for_its_health(void **unused)
{
    (void)unused;
    for (size_t i = 0; i < ROTA_COUNT(rows); i++) {
        struct rota_channel_options options = ROTA_CHANNEL_OPTIONS_INIT;
        struct rota_channel *channel;
        struct rota_health *health;
        struct rota_loop *loop;
        struct test_server s;

        print_message("  %s\n", rows[i].rule);
        assert_int_equal(rota_loop_new(NULL, &loop), 0);
        test_server_open(&s, loop, "127.0.0.1:0", NULL);
        assert_int_equal(rota_health_add(s.server, NULL, &health), 0);
        assert_int_equal(rota_health_set(health, "shop", rows[i].health), 0);
        options.send_queue_bytes = rows[i].send_queue_bytes;
        options.service_config = CHECKED;
        channel = test_channel(loop, s.bound, &options);
        assert_true(test_echoes(channel, "hello") == rows[i].served);
        rota_channel_free(channel);
        test_server_close(&s);
        rota_loop_free(loop);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(a_server_is_asked_for_its_health)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
