/* plaintext_test.c - plaintext beyond this machine: only when it is asked for by name, on either side. */
#include "assembly/assembly_fixture.h"
#include <arpa/inet.h>
#include <ifaddrs.h>
#include <net/if.h>
#include <stdio.h>
#include <string.h>

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

/* An address of this machine that others might reach, with port 0; false: it has none. */
static bool outer_address(char text[ROTA_ADDRESS_TEXT_SIZE])
{
    struct ifaddrs *all, *at;
    bool found = false;

    assert_int_equal(getifaddrs(&all), 0);
    for (at = all; at != NULL && !found; at = at->ifa_next) {
        char digits[INET_ADDRSTRLEN];
        if (at->ifa_addr == NULL || at->ifa_addr->sa_family != AF_INET || (at->ifa_flags & IFF_LOOPBACK) != 0 || (at->ifa_flags & IFF_UP) == 0)
            continue;
        inet_ntop(AF_INET, &((const struct sockaddr_in *)(const void *)at->ifa_addr)->sin_addr, digits, sizeof(digits));
        snprintf(text, ROTA_ADDRESS_TEXT_SIZE, "%s:0", digits);
        found = true;
    }
    freeifaddrs(all);
    if (!found)
        print_message("this machine has no address but loopback\n");
    return found;
}

static rota_err try_to_listen(const char *address, const struct rota_tls_options *tls, struct rota_errinfo *info)
{
    struct rota_server_options options = ROTA_SERVER_OPTIONS_INIT;
    struct rota_server *server;
    rota_err err;

    options.loop = loop;
    options.tls = tls;
    assert_int_equal(rota_server_new(&options, &server, info), 0);
    err = rota_server_listen(server, address, NULL, info);
    rota_server_free(server);
    return err;
}

static void servers_listen_beyond_this_machine_when_told(void **unused)
{
    static const char *const addresses[] = {":0", "0.0.0.0:0"};

    (void)unused;
    for (size_t i = 0; i < ROTA_COUNT(addresses); i++) {
        struct rota_errinfo info = {{0}};

        assert_int_equal(try_to_listen(addresses[i], &rota_tls_insecure, &info), 0);
        assert_int_equal(try_to_listen(addresses[i], NULL, &info), ROTA_EINVAL);
        assert_non_null(strstr(info.text, "&rota_tls_insecure"));
    }
}

static void channels_dial_beyond_this_machine_when_told(void **unused)
{
    struct rota_server_options server_options = ROTA_SERVER_OPTIONS_INIT;
    struct rota_channel_options options = ROTA_CHANNEL_OPTIONS_INIT;
    char address[ROTA_ADDRESS_TEXT_SIZE];
    struct rota_channel *channel;
    struct rota_status status;
    struct test_server s;

    (void)unused;
    if (!outer_address(address))
        return;
    server_options.tls = &rota_tls_insecure;
    test_server_open(&s, loop, address, &server_options);
    channel = test_channel(loop, s.bound, &options);
    status = test_unary(channel, &test_echo, 10000, "a");
    assert_int_equal(status.code, ROTA_UNAVAILABLE);
    assert_non_null(strstr(status.message, s.bound));
    assert_non_null(strstr(status.message, "&rota_tls_insecure"));
    rota_channel_free(channel);
    options.tls = &rota_tls_insecure;
    channel = test_channel(loop, s.bound, &options);
    assert_true(test_echoes(channel, "a"));
    rota_channel_free(channel);
    test_server_close(&s);
}

static void plaintext_beside_tls_is_refused(void **unused)
{
    const struct rota_tls_options both = {.size = sizeof(both), .plaintext = true, .ca_file = "ca.pem"};
    struct rota_channel_options channel_options = ROTA_CHANNEL_OPTIONS_INIT;
    struct rota_server_options server_options = ROTA_SERVER_OPTIONS_INIT;
    struct rota_channel *channel;
    struct rota_server *server;
    struct rota_errinfo info;

    (void)unused;
    channel_options.tls = server_options.tls = &both;
    channel_options.loop = server_options.loop = loop;
    assert_int_equal(rota_channel_open("ipv4:127.0.0.1:1", &channel_options, &channel, &info), ROTA_EINVAL);
    assert_int_equal(rota_server_new(&server_options, &server, &info), ROTA_EINVAL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(servers_listen_beyond_this_machine_when_told, setup, teardown),
        cmocka_unit_test_setup_teardown(channels_dial_beyond_this_machine_when_told, setup, teardown),
        cmocka_unit_test_setup_teardown(plaintext_beside_tls_is_refused, setup, teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
