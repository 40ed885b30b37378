/* share_test.c - servers that share a port, each on a loop and a thread of its own. */
#include "assembly/assembly_fixture.h"

#define CHANNELS 40

static void connections_are_spread_over_the_servers(void **unused)
{
    struct rota_server_options options = ROTA_SERVER_OPTIONS_INIT;
    struct rota_loop *loops[3];
    struct test_server servers[2], stranger;

    (void)unused;
    for (int i = 0; i < 3; i++)
        assert_int_equal(rota_loop_thread_new(NULL, &loops[i]), 0);
    options.reuse_port = true;
    test_server_open(&servers[0], loops[0], "127.0.0.1:0", &options);
    test_server_open(&servers[1], loops[1], servers[0].bound, &options);
    assert_string_equal(servers[1].bound, servers[0].bound);
    assert_int_equal(test_server_try(&stranger, loops[2], servers[0].bound, NULL), ROTA_EADDRINUSE);
    for (int i = 0; i < CHANNELS; i++) {
        struct rota_channel *channel = test_channel(NULL, servers[0].bound, NULL);
        assert_true(test_echoes(channel, "hello"));
        rota_channel_free(channel);
    }
    /* By chance all could go to one: once in 2^39. */
    assert_int_equal(servers[0].n_calls + servers[1].n_calls, CHANNELS);
    assert_true(servers[0].n_calls > 0 && servers[1].n_calls > 0);
    for (int i = 0; i < 2; i++)
        test_server_close(&servers[i]);
    for (int i = 0; i < 3; i++)
        rota_loop_free(loops[i]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(connections_are_spread_over_the_servers),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
