/* proxied_test.c - channels with a proxy in the environment: which have it, silence, lack of memory. What is said to proxies is in tests/proxy_test.py. */
#include "assembly/assembly_fixture.h"
#include "assembly/builtin.h"
#include "assembly/proxied.h"
#include "base/alloc.h"
#include "testing/leak_alloc.h"
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

static struct rota_loop *loop;

static int setup(void **unused)
{
    static const char *const names[] = {"grpc_proxy", "http_proxy", "no_grpc_proxy", "no_proxy", "GRPC_PROXY", "HTTPS_PROXY", "HTTP_PROXY", "NO_GRPC_PROXY", "NO_PROXY"};

    (void)unused;
    for (size_t i = 0; i < ROTA_COUNT(names); i++)
        unsetenv(names[i]);
    assert_int_equal(setenv("https_proxy", "http://user:pass@127.0.0.1:1", 1), 0);
    assert_int_equal(rota_loop_new(NULL, &loop), 0);
    return 0;
}

static int teardown(void **unused)
{
    (void)unused;
    unsetenv("https_proxy");
    rota_loop_free(loop);
    return 0;
}

static void names_go_through_the_proxy(void **unused)
{
    static const struct choice_case {
        const char *rule, *target;
        bool proxied;
    } rows[] = {
        {"a name", "svc.test:80", true},
        {"a dns: target", "dns:///svc.test", true},
        {"an address as one", "dns:///192.0.2.1:80", true},
        {"one of IPv6", "dns:///[2001:db8::1]:80", true},
        {"localhost", "localhost:80", false},
        {"a loopback address", "dns:///[::1]:80", false},
        {"an ipv4: target", "ipv4:192.0.2.1:80", false},
        {"a unix: target", "unix:/run/x", false},
        {"an etcd: target", "etcd://192.0.2.1/s", false},
        {"one without a resolver", "zk://a/b", false},
        {"one that is none", "dns:///a:b:c", false},
    };

    (void)unused;
    for (size_t i = 0; i < ROTA_COUNT(rows); i++) {
        struct rota_proxy *proxy;

        print_message("  %s\n", rows[i].rule);
        assert_int_equal(rota_proxied_choose(rows[i].target, rota_builtin_resolvers, NULL, NULL, &proxy), 0);
        assert_int_equal(proxy != NULL, rows[i].proxied);
        if (proxy != NULL)
            assert_string_equal(proxy->address.text, "127.0.0.1:1");
        rota_alloc_free(NULL, proxy);
    }
}

static rota_err choose(const struct rota_alloc *alloc, void *ctx)
{
    struct rota_proxy *proxy;
    rota_err err = rota_proxied_choose(ctx, rota_builtin_resolvers, alloc, NULL, &proxy);

    if (err == 0)
        rota_alloc_free(alloc, proxy);
    return err;
}

static void out_of_memory_is_no_way_around_it(void **unused)
{
    (void)unused;
    assert_true(rota_alloc_sweep(choose, (void *)(uintptr_t) "svc.test:80") >= 3);
}

static rota_err open_and_free(const struct rota_alloc *alloc, void *ctx)
{
    struct rota_channel_options options = ROTA_CHANNEL_OPTIONS_INIT;
    struct rota_channel *channel;
    rota_err err;

    options.alloc = alloc;
    options.loop = loop;
    options.tls = &rota_tls_insecure;
    err = rota_channel_open(ctx, &options, &channel, NULL);
    if (err == 0)
        rota_channel_free(channel);
    return err;
}

static void opening_frees_all(void **unused)
{
    (void)unused;
    assert_true(rota_alloc_sweep(open_and_free, (void *)(uintptr_t) "svc.test:80") >= 5);
}

static void a_silent_proxy_is_left_at_the_connect_timeout(void **unused)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    struct rota_channel_options options = ROTA_CHANNEL_OPTIONS_INIT;
    socklen_t length = sizeof(address);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    struct rota_channel *channel;
    struct rota_status status;
    char url[64];

    (void)unused;
    assert_true(fd >= 0 && bind(fd, (struct sockaddr *)&address, sizeof(address)) == 0 && listen(fd, 8) == 0 &&
                getsockname(fd, (struct sockaddr *)&address, &length) == 0);
    snprintf(url, sizeof(url), "http://127.0.0.1:%d", ntohs(address.sin_port));
    assert_int_equal(setenv("https_proxy", url, 1), 0);
    options.loop = loop;
    options.tls = &rota_tls_insecure;
    options.connect_timeout_ms = 100;
    assert_int_equal(rota_channel_open("svc.test:80", &options, &channel, NULL), 0);
    status = test_unary(channel, &test_echo, 10000, "a");
    assert_int_equal(status.code, ROTA_UNAVAILABLE);
    assert_non_null(strstr(status.message, "svc.test:80: timed out waiting for the proxy"));
    rota_channel_free(channel);
    close(fd);
}

static void an_option_turns_it_off(void **unused)
{
    struct rota_channel_options options = ROTA_CHANNEL_OPTIONS_INIT;
    struct rota_channel *channel;
    struct rota_status status;

    (void)unused;
    options.loop = loop;
    for (int off = 0; off < 2; off++) {
        options.no_proxy = off == 1;
        assert_int_equal(rota_channel_open("dns:///192.0.2.1:80", &options, &channel, NULL), 0);
        status = test_unary(channel, &test_echo, 10000, "a");
        assert_int_equal(status.code, ROTA_UNAVAILABLE);
        /* Not dialed without having been asked to speak plaintext. */
        assert_int_equal(strstr(status.message, "the proxy that the environment names") != NULL, off == 0);
        assert_int_equal(strstr(status.message, "192.0.2.1:80: beyond this machine") != NULL, off == 1);
        rota_channel_free(channel);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(names_go_through_the_proxy, setup, teardown),
        cmocka_unit_test_setup_teardown(out_of_memory_is_no_way_around_it, setup, teardown),
        cmocka_unit_test_setup_teardown(opening_frees_all, setup, teardown),
        cmocka_unit_test_setup_teardown(a_silent_proxy_is_left_at_the_connect_timeout, setup, teardown),
        cmocka_unit_test_setup_teardown(an_option_turns_it_off, setup, teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
