/* connect_test.c - dialing and listening that fails, and says so. */
#include "base/assert.h"
#include "net/net_fixture.h"
#include <fcntl.h>

#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

static void close_listener(struct net_fixture *f)
{
    rota_listen_close(f->listen);
    turn_until(f, &f->listen_closed);
    f->listen_closed = false;
}

/* A port that nobody listens on: it was the system's choice a moment ago. */
static void free_port(struct net_fixture *f, char *ret_colon_port)
{
    listen_on(f, "127.0.0.1:0");
    snprintf(ret_colon_port, 8, "%s", strrchr(f->bound, ':'));
    close_listener(f);
}

/* --- Dialing --- */

static const struct fail_case {
    const char *rule, *dial; /* %s: a free port with its colon */
    rota_err want;
    const char *words; /* in the detail; %s as above */
} fail_cases[] = {
    {"refused, by address", "127.0.0.1%s", ROTA_ECONN, "127.0.0.1%s: connection refused"},
    {"refused, IPv6", "[::1]%s", ROTA_ECONN, "[::1]%s: connection refused"},
    {"refused by all addresses of a name", "localhost%s", ROTA_ECONN, "localhost%s (127.0.0.1%s): connection refused"},
    {"no such unix socket", "unix:/nowhere/at/all", ROTA_ECONN, "unix:/nowhere/at/all: no such file or directory"},
    {"no such abstract socket", "unix-abstract:rota-nobody", ROTA_ECONN, "unix-abstract:rota-nobody: connection refused"},
    {"a unix path too long",
        "unix:/0123456789012345678901234567890123456789012345678901234567890123456789012345678901234567890123456789/too-long", ROTA_ECONN,
        "too-long: name too long"},
};

static void fill(const char *form, const char *port, char *out, size_t cap)
{
    size_t size = 0;

    for (const char *at = form; *at != '\0' && size + 8 < cap;) {
        if (at[0] == '%' && at[1] == 's') {
            size += (size_t)snprintf(out + size, cap - size, "%s", port);
            at += 2;
        } else {
            out[size++] = *at++;
        }
    }
    out[size] = '\0';
}

static void failures_name_the_address(void **state)
{
    (void)state;
    for (size_t i = 0; i < ROTA_COUNT(fail_cases); i++) {
        const struct fail_case *c = &fail_cases[i];
        char port[8], target[ROTA_ADDRESS_TEXT_SIZE], words[512];
        struct peer client = {.closed = false};
        struct net_fixture f;

        print_message("%s\n", c->rule);
        if (lacks_ipv6_for(c->dial))
            continue;
        net_fixture_init(&f);
        free_port(&f, port);
        fill(c->dial, port, target, sizeof(target));
        fill(c->words, port, words, sizeof(words));
        assert_int_equal(dial(&f, target, &client), 0);
        turn_until(&f, &client.closed);
        assert_false(client.connected);
        assert_int_equal(client.err, c->want);
        if (strstr(client.detail, words) == NULL)
            fail_msg("\"%s\" lacks \"%s\"", client.detail, words);
        peer_fini(&client);
        net_fixture_fini(&f);
    }
}

static void dialing_may_be_given_up(void **state)
{
    static const char *const targets[] = {"127.0.0.1:1", "localhost:1", "unix:/nowhere", "some-host.invalid:1"};

    (void)state;
    for (size_t i = 0; i < 2 * ROTA_COUNT(targets); i++) {
        struct peer client = {.closed = false};
        struct net_fixture f;

        net_fixture_init(&f);
        assert_int_equal(dial(&f, targets[i / 2], &client), 0);
        (i % 2 ? rota_socket_close : rota_socket_abort)(client.socket);
        assert_false(client.closed);
        turn_until(&f, &client.closed);
        assert_false(client.connected);
        assert_int_equal(client.err, 0);
        peer_fini(&client);
        net_fixture_fini(&f);
    }
}

static void bytes_written_while_dialing_are_sent(void **state)
{
    struct peer client = {.closed = false};
    struct net_fixture f;

    (void)state;
    net_fixture_init(&f);
    f.model.echoes = true;
    listen_on(&f, "127.0.0.1:0");
    assert_int_equal(dial(&f, f.bound, &client), 0);
    assert_int_equal(rota_socket_write(client.socket, ROTA_SLICE("early")), 0);
    turn_until_count(&f, &client.got_bytes, 5);
    rota_socket_abort(client.socket);
    turn_until(&f, &client.closed);
    peer_fini(&client);
    net_fixture_fini(&f);
}

enum { QUEUE_FILLERS = 8 };

/* Listens and never accepts: when its queue is full, the system leaves attempts without an answer. -1: the port is taken. */
static int silent_listener(const char *bound_v6, int fillers[QUEUE_FILLERS])
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int fd = socket(AF_INET, SOCK_STREAM, 0), on = 1;

    address.sin_port = htons((uint16_t)atoi(strrchr(bound_v6, ':') + 1));
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
    if (bind(fd, (struct sockaddr *)&address, sizeof(address)) < 0 || listen(fd, 0) < 0) {
        close(fd);
        return -1;
    }
    for (int i = 0; i < QUEUE_FILLERS; i++) {
        fillers[i] = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
        (void)!connect(fillers[i], (struct sockaddr *)&address, sizeof(address));
    }
    return fd;
}

static void next_address_joins_one_that_does_not_answer(void **state)
{
    int silent, fillers[QUEUE_FILLERS];
    struct peer client = {.closed = false};
    struct net_fixture f;
    char target[32];

    (void)state;
    if (lacks_ipv6_for("[::1]"))
        skip();
    net_fixture_init(&f);
    listen_on(&f, "[::1]:0");
    /* The port that is free for one family may be somebody's for the other. */
    for (int i = 0; (silent = silent_listener(f.bound, fillers)) < 0; i++) {
        assert_in_range(i, 0, 99);
        close_listener(&f);
        listen_on(&f, "[::1]:0");
    }
    snprintf(target, sizeof(target), "localhost%s", strrchr(f.bound, ':'));
    int64_t start_ns = rota_loop_now_ns(f.loop);
    connect_to(&f, target, &client);
    assert_string_equal(rota_socket_peer(client.socket), f.bound);
    assert_true(rota_loop_now_ns(f.loop) - start_ns >= INT64_C(250000000));
    rota_socket_abort(client.socket);
    turn_until(&f, &client.closed);
    peer_fini(&client);
    net_fixture_fini(&f);
    close(silent);
    for (int i = 0; i < QUEUE_FILLERS; i++)
        close(fillers[i]);
}

/* --- Listening --- */

static void *accept_nobody(void *owner, struct rota_socket *socket, const struct rota_socket_events **ret_events)
{
    (void)owner;
    (void)socket;
    (void)ret_events;
    return NULL;
}

static void refuses(struct net_fixture *f, const char *input, rota_err want, const char *words)
{
    static const struct rota_listen_events events = {accept_nobody, NULL};
    struct rota_errinfo info = {.text = ""};
    struct rota_listen *second = NULL;
    char text[ROTA_ADDRESS_TEXT_SIZE];
    struct rota_address address = address_of(input, text);

    assert_int_equal(rota_listen_open(f->loop, &address, &f->rules, &events, NULL, NULL, &second, &info), want);
    assert_null(second);
    if (strstr(info.text, words) == NULL || strstr(info.text, input) == NULL)
        fail_msg("\"%s\" lacks \"%s\" or the address", info.text, words);
}

static void address_in_use_is_said_at_once(void **state)
{
    char all[32], abstract[64], path[64];
    struct net_fixture f;

    (void)state;
    net_fixture_init(&f);
    listen_on(&f, "127.0.0.1:0");
    refuses(&f, f.bound, ROTA_EADDRINUSE, "address already in use");
    snprintf(all, sizeof(all), "[::]%s", strrchr(f.bound, ':'));
    refuses(&f, all, ROTA_EADDRINUSE, "address already in use");
    net_fixture_fini(&f);

    net_fixture_init(&f);
    snprintf(abstract, sizeof(abstract), "unix-abstract:rota-in-use-%d", (int)getpid());
    listen_on(&f, abstract);
    refuses(&f, abstract, ROTA_EADDRINUSE, "address already in use");
    net_fixture_fini(&f);

    net_fixture_init(&f);
    snprintf(path, sizeof(path), "unix:/tmp/rota-in-use-%d", (int)getpid());
    listen_on(&f, path);
    refuses(&f, path, ROTA_EADDRINUSE, "address already in use"); /* somebody listens: not stale */
    net_fixture_fini(&f);
    assert_int_equal(access(path + 5, F_OK), -1); /* removed at close */

    net_fixture_init(&f);
    refuses(&f, "192.0.2.1:0", ROTA_EIO, "address not available");
    refuses(&f, "unix:/nowhere/at/all", ROTA_EIO, "no such file or directory");
    refuses(&f, "surely-not-in-hosts:80", ROTA_ENOTFOUND, "hosts file");
    net_fixture_fini(&f);
}

static void stale_socket_file_is_replaced(void **state)
{
    struct sockaddr_un system = {.sun_family = AF_UNIX};
    char address[64];
    struct net_fixture f;
    int fd;

    (void)state;
    snprintf(system.sun_path, sizeof(system.sun_path), "/tmp/rota-stale-%d", (int)getpid());
    snprintf(address, sizeof(address), "unix:/tmp/rota-stale-%d", (int)getpid());
    fd = socket(AF_UNIX, SOCK_STREAM, 0);
    assert_int_equal(bind(fd, (struct sockaddr *)&system, sizeof(system)), 0);
    close(fd);
    net_fixture_init(&f);
    listen_on(&f, address);
    net_fixture_fini(&f);

    /* What is no socket was not left by us. */
    fd = open(system.sun_path, O_CREAT | O_WRONLY, 0600);
    close(fd);
    net_fixture_init(&f);
    refuses(&f, address, ROTA_EADDRINUSE, "address already in use");
    net_fixture_fini(&f);
    assert_int_equal(unlink(system.sun_path), 0);
}

static void nobody_takes_over_and_it_is_closed(void **state)
{
    struct peer client = {.closed = false};
    struct net_fixture f;

    (void)state;
    net_fixture_init(&f);
    f.refuse = true;
    listen_on(&f, "127.0.0.1:0");
    assert_int_equal(dial(&f, f.bound, &client), 0);
    turn_until(&f, &client.closed);
    assert_true(client.connected);
    assert_string_equal(client.detail, "closed by the peer");
    peer_fini(&client);
    net_fixture_fini(&f);
}

static int open_descriptors_up_to(int *fds, int cap)
{
    int count = 0;

    while (count < cap && (fds[count] = open("/dev/null", O_RDONLY)) >= 0)
        count++;
    return count;
}

/* The dialing side needs a descriptor too, so one is kept back for it. */
static void accepting_goes_on_after_a_shortage(void **state)
{
    struct rlimit before, few;
    struct peer client = {.closed = false};
    struct net_fixture f;
    int fds[128];

    (void)state;
    net_fixture_init(&f);
    listen_on(&f, "127.0.0.1:0");
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
    few = before;
    few.rlim_cur = 64;
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &few), 0);
    int count = open_descriptors_up_to(fds, 128);
    assert_in_range(count, 2, 127);
    close(fds[--count]);
    assert_int_equal(dial(&f, f.bound, &client), 0);
    turn_until_count(&f, &f.n_logged, 1);
    assert_non_null(strstr(f.log, "too many open files"));
    assert_int_equal(f.n_accepted, 0);
    while (count > 0)
        close(fds[--count]);
    turn_until_count(&f, &f.n_accepted, 1);
    assert_int_equal(f.n_logged, 1);
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
    rota_socket_abort(client.socket);
    turn_until(&f, &client.closed);
    peer_fini(&client);
    net_fixture_fini(&f);
}

static int listening_descriptor(void)
{
    for (int fd = 3; fd < 256; fd++) {
        int listens = 0;
        if (getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &listens, &(socklen_t){sizeof(listens)}) == 0 && listens)
            return fd;
    }
    fail();
    return -1;
}

/* As a socket that was shut down gives EINVAL, a sandbox gives EPERM or ENOSYS: each time, and it is readable all the time. */
static void accepting_goes_on_after_an_error_that_lasts(void **state)
{
    struct sockaddr_in address;
    struct peer client = {.closed = false};
    struct net_fixture f;
    int fd;

    (void)state;
    net_fixture_init(&f);
    listen_on(&f, "127.0.0.1:0");
    fd = listening_descriptor();
    assert_int_equal(shutdown(fd, SHUT_RDWR), 0);
    turn_until_count(&f, &f.n_logged, 1);
    assert_non_null(strstr(f.log, f.bound));
    assert_non_null(strstr(f.log, "invalid argument"));
    assert_true(rota_loop_timeout_ms(f.loop) > 0); /* it sleeps, rather than try without end */
    assert_int_equal(listen(fd, 16), 0); /* on another port */
    assert_int_equal(getsockname(fd, (struct sockaddr *)&address, &(socklen_t){sizeof(address)}), 0);
    snprintf(f.bound, sizeof(f.bound), "127.0.0.1:%d", ntohs(address.sin_port));
    connect_to(&f, f.bound, &client);
    assert_int_equal(f.n_logged, 1);
    rota_socket_abort(client.socket);
    turn_until(&f, &client.closed);
    peer_fini(&client);
    net_fixture_fini(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(accepting_goes_on_after_an_error_that_lasts),
        cmocka_unit_test(failures_name_the_address),
        cmocka_unit_test(dialing_may_be_given_up),
        cmocka_unit_test(bytes_written_while_dialing_are_sent),
        cmocka_unit_test(next_address_joins_one_that_does_not_answer),
        cmocka_unit_test(address_in_use_is_said_at_once),
        cmocka_unit_test(stale_socket_file_is_replaced),
        cmocka_unit_test(nobody_takes_over_and_it_is_closed),
        cmocka_unit_test(accepting_goes_on_after_a_shortage),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
