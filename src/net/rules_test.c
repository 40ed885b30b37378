/* rules_test.c - the rules that sockets are made by: which addresses plaintext may have, TCP_USER_TIMEOUT, congestion control. */
#include "base/assert.h"
#include "net/address.h"
#include "net/net_fixture.h"
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

static const struct local_case {
    const char *rule, *listen, *dial; /* ends in a colon: the bound port follows */
    bool may;
} local_cases[] = {
    {"127.0.0.1 is this machine", "127.0.0.1:0", "127.0.0.1:", true},
    {"all of 127.0.0.0/8 is", "127.1.2.3:0", "127.1.2.3:", true},
    {"[::1] is", "[::1]:0", "[::1]:", true},
    {"an IPv4 loopback address written as IPv6 is", "127.0.0.1:0", "[::ffff:127.0.0.1]:", true},
    {"localhost is", "127.0.0.1:0", "localhost:", true},
    {"all addresses, dialed, are", "127.0.0.1:0", "0.0.0.0:", true},
    {"abstract sockets are", "unix-abstract:rota-connect-test-local", "unix-abstract:rota-connect-test-local", true},
    {"an address elsewhere is not", "127.0.0.1:0", "192.0.2.1:", false},
    {"nor one of IPv6", "127.0.0.1:0", "[2001:db8::1]:", false},
    {"nor what only begins alike", "127.0.0.1:0", "[::1:1]:", false},
};

static void hang_up(struct net_fixture *f, struct peer *client)
{
    rota_socket_abort(client->socket);
    turn_until(f, &client->closed);
}

static void local_only_dials_no_other_machine(void **state)
{
    (void)state;
    for (size_t i = 0; i < ROTA_COUNT(local_cases); i++) {
        const struct local_case *c = &local_cases[i];
        char target[ROTA_ADDRESS_TEXT_SIZE];
        struct peer client = {.closed = false};
        struct net_fixture f;

        print_message("%s\n", c->rule);
        if (lacks_ipv6_for(c->listen))
            continue;
        net_fixture_init(&f);
        f.rules.local_only = true;
        listen_on(&f, c->listen);
        snprintf(target, sizeof(target), "%s%s", c->dial, c->dial[strlen(c->dial) - 1] == ':' ? strrchr(f.bound, ':') + 1 : "");
        assert_int_equal(dial(&f, target, &client), 0);
        turn_until(&f, c->may ? &client.connected : &client.closed);
        assert_int_equal(client.connected, c->may);
        if (c->may) {
            hang_up(&f, &client);
        } else {
            assert_int_equal(client.err, ROTA_ECONN);
            assert_memory_equal(client.detail, target, strlen(target));
            assert_non_null(strstr(client.detail, "set options.tls"));
        }
        peer_fini(&client);
        net_fixture_fini(&f);
    }
}

static void on_closed(void *owner)
{
    *(bool *)owner = true;
}

static void local_only_listens_for_no_other_machine(void **state)
{
    static const struct {
        const char *address;
        rota_err want;
    } rows[] = {{"127.0.0.1:0", 0}, {"localhost:0", 0}, {"unix-abstract:rota-connect-test-rules", 0}, {"0.0.0.0:0", ROTA_EINVAL}, {"[::]:0", ROTA_EINVAL},
                {"192.0.2.1:0", ROTA_EINVAL}};

    (void)state;
    for (size_t i = 0; i < ROTA_COUNT(rows); i++) {
        const struct rota_listen_events events = {.on_accept = NULL, .on_closed = on_closed};
        struct rota_socket_rules rules = {.local_only = true};
        struct rota_errinfo info = {{0}};
        char text[ROTA_ADDRESS_TEXT_SIZE];
        struct rota_address address = address_of(rows[i].address, text);
        struct rota_listen *listen = NULL;
        struct net_fixture f;
        bool closed = false;

        print_message("%s\n", rows[i].address);
        net_fixture_init(&f);
        assert_int_equal(rota_listen_open(f.loop, &address, &rules, &events, &closed, NULL, &listen, &info), rows[i].want);
        assert_int_equal(strstr(info.text, "set options.tls") != NULL, rows[i].want < 0);
        if (listen != NULL) {
            rota_listen_close(listen);
            turn_until(&f, &closed);
        }
        net_fixture_fini(&f);
    }
}

/* Of this process's sockets with that port at one end or the other, how many have that timeout. */
static size_t count_user_timeouts(uint16_t port, unsigned want_ms)
{
    size_t n = 0;

    for (int fd = 3; fd < 256; fd++) {
        struct sockaddr_in here = {0}, there = {0};
        socklen_t here_size = sizeof(here), there_size = sizeof(there), size = sizeof(unsigned);
        unsigned value = 0;
        if (getsockname(fd, (struct sockaddr *)&here, &here_size) == 0 && getpeername(fd, (struct sockaddr *)&there, &there_size) == 0 &&
            here.sin_family == AF_INET && (ntohs(here.sin_port) == port || ntohs(there.sin_port) == port) &&
            getsockopt(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, &value, &size) == 0)
            n += value == want_ms;
    }
    return n;
}

static void both_sides_get_the_user_timeout(void **state)
{
    static const unsigned timeouts_ms[] = {0, 1, 20000};

    (void)state;
    for (size_t i = 0; i < ROTA_COUNT(timeouts_ms); i++) {
        struct peer client = {.closed = false};
        struct net_fixture f;

        net_fixture_init(&f);
        f.rules.user_timeout_ms = timeouts_ms[i];
        listen_on(&f, "127.0.0.1:0");
        connect_to(&f, f.bound, &client);
        assert_int_equal(count_user_timeouts((uint16_t)atoi(strrchr(f.bound, ':') + 1), timeouts_ms[i]), 2);
        hang_up(&f, &client);
        peer_fini(&client);
        net_fixture_fini(&f);
    }
}

static void set_congestion(int fd, const char *name)
{
    if (setsockopt(fd, IPPROTO_TCP, TCP_CONGESTION, name, (socklen_t)strlen(name)) < 0) {
        print_message("  not done: this kernel has no %s\n", name);
        skip();
    }
}

static void get_congestion(int fd, char ret_name[static 16])
{
    socklen_t size = 16;

    memset(ret_name, 0, 16);
    assert_int_equal(getsockopt(fd, IPPROTO_TCP, TCP_CONGESTION, ret_name, &size), 0);
}

static void what_stays_here_is_not_spaced_out(void **state)
{
    char name[16];
    int fd = rota_stream_socket(AF_INET);

    (void)state;
    assert_true(fd >= 0);
    set_congestion(fd, "reno");
    rota_stream_stays_here(fd, AF_INET);
    get_congestion(fd, name);
    assert_string_equal(name, "reno");
    set_congestion(fd, "bbr");
    rota_stream_stays_here(fd, AF_INET);
    get_congestion(fd, name);
    assert_string_equal(name, "reno");
    close(fd);
}

static void no_socket_of_a_loopback_connection_has_bbr(void **state)
{
    static const char *const addresses[] = {"127.0.0.1:0", "[::1]:0", "0.0.0.0:0", "[::]:0"};

    (void)state;
    for (size_t i = 0; i < ROTA_COUNT(addresses); i++) {
        struct peer client = {.closed = false};
        struct net_fixture f;
        size_t n = 0;

        print_message("  %s\n", addresses[i]);
        net_fixture_init(&f);
        listen_on(&f, addresses[i]);
        connect_to(&f, f.bound, &client);
        for (int fd = 3; fd < 256; fd++) {
            struct sockaddr_storage there;
            socklen_t size = sizeof(there);
            char name[16];
            if (getpeername(fd, (struct sockaddr *)&there, &size) < 0 || there.ss_family == AF_UNIX)
                continue;
            get_congestion(fd, name);
            assert_string_not_equal(name, "bbr");
            n++;
        }
        assert_int_equal(n, 2);
        hang_up(&f, &client);
        peer_fini(&client);
        net_fixture_fini(&f);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(local_only_dials_no_other_machine),
        cmocka_unit_test(local_only_listens_for_no_other_machine),
        cmocka_unit_test(both_sides_get_the_user_timeout),
        cmocka_unit_test(what_stays_here_is_not_spaced_out),
        cmocka_unit_test(no_socket_of_a_loopback_connection_has_bbr),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
