/* socket_test.c - bytes there and back over every kind of address, slow readers, and the ways a socket ends. */
#include "base/assert.h"
#include "net/net_fixture.h"
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

/* --- Echo --- */

static const struct echo_case {
    const char *rule, *listen, *dial; /* dial: %s is the bound address's port with its colon, or the whole of a unix address */
    const char *peer; /* how both sides' texts of the other begin */
} echo_cases[] = {
    {"IPv4", "127.0.0.1:0", "127.0.0.1%s", "127.0.0.1"},
    {"IPv6", "[::1]:0", "[::1]%s", "[::1]"},
    {"all addresses take IPv6", "[::]:0", "[::1]%s", "[::1]"},
    {"all addresses take IPv4", "[::]:0", "127.0.0.1%s", "127.0.0.1"},
    {"the name localhost", "localhost:0", "localhost%s", "127.0.0.1"},
    {"localhost reaches IPv6 too", "[::1]:0", "localhost%s", "[::1]"},
    {"a unix path", "unix:", "%s", "unix:"},
    {"an abstract name", "unix-abstract:", "%s", "unix-abstract:"},
};

static void make_address(const char *form, char *out, size_t cap)
{
    if (strncmp(form, "unix:", 5) == 0)
        snprintf(out, cap, "unix:/tmp/rota-echo-%d", (int)getpid());
    else if (strncmp(form, "unix-abstract:", 14) == 0)
        snprintf(out, cap, "unix-abstract:rota-echo-%d", (int)getpid());
    else
        snprintf(out, cap, "%s", form);
}

static struct sockaddr_in on_ipv4(const char *bound)
{
    return (struct sockaddr_in){
        .sin_family = AF_INET,
        .sin_port = htons((uint16_t)atoi(strrchr(bound, ':') + 1)),
        .sin_addr.s_addr = htonl(INADDR_LOOPBACK),
    };
}

/* Holds the port of `bound` on 127.0.0.1 without listening there, or returns -1 when somebody has it. */
static int hold_on_ipv4(const char *bound)
{
    struct sockaddr_in address = on_ipv4(bound);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    assert_true(fd >= 0);
    if (bind(fd, (const struct sockaddr *)&address, sizeof(address)) == 0)
        return fd;
    close(fd);
    return -1;
}

/* The port of an IPv6 listener may be a stranger's on 127.0.0.1, who would then answer for localhost. */
static int listen_undisturbed(struct net_fixture *f, const char *address)
{
    for (;;) {
        net_fixture_init(f);
        f->model.echoes = true;
        listen_on(f, address);
        if (strncmp(address, "[::1]", 5) != 0)
            return -1;
        int held = hold_on_ipv4(f->bound);
        if (held >= 0)
            return held;
        net_fixture_fini(f);
    }
}

static void assert_got(const struct peer *peer, const char *want)
{
    struct rota_slice got = rota_buffer_peek(&peer->got);

    assert_true(rota_slice_equal(got, rota_slice_str(want)));
}

static void bytes_come_back_over(struct net_fixture *f, const struct echo_case *c)
{
    char target[ROTA_ADDRESS_TEXT_SIZE + 32];
    struct peer client = {.f = f};

    if (strncmp(f->bound, "unix", 4) == 0)
        snprintf(target, sizeof(target), "%s", f->bound);
    else
        snprintf(target, sizeof(target), "%.*s%s", (int)(strchr(c->dial, '%') - c->dial), c->dial, strrchr(f->bound, ':'));
    connect_to(f, target, &client);
    assert_int_equal(strncmp(rota_socket_peer(client.socket), c->peer, strlen(c->peer)), 0);
    assert_int_equal(strncmp(rota_socket_peer(f->accepted[0].socket), c->peer, strlen(c->peer)), 0);
    assert_int_equal(rota_socket_write(client.socket, ROTA_SLICE("hello")), 0);
    turn_until_count(f, &client.got_bytes, 5);
    assert_got(&client, "hello");
    rota_socket_close(client.socket);
    assert_false(client.closed);
    turn_until(f, &client.closed);
    assert_int_equal(client.err, 0);
    assert_string_equal(client.detail, "closed from here");
    turn_until(f, &f->accepted[0].closed);
    assert_int_equal(f->accepted[0].err, 0);
    assert_string_equal(f->accepted[0].detail, "closed by the peer");
    peer_fini(&client);
}

static void bytes_come_back(void **state)
{
    (void)state;
    for (size_t i = 0; i < ROTA_COUNT(echo_cases); i++) {
        const struct echo_case *c = &echo_cases[i];
        char address[ROTA_ADDRESS_TEXT_SIZE];
        struct net_fixture f;

        print_message("%s\n", c->rule);
        if (lacks_ipv6_for(c->listen) || lacks_ipv6_for(c->dial))
            continue;
        make_address(c->listen, address, sizeof(address));
        int held = listen_undisturbed(&f, address);
        assert_int_not_equal(f.bound[strlen(f.bound) - 2], ':'); /* not port 0 */
        bytes_come_back_over(&f, c);
        net_fixture_fini(&f);
        if (held >= 0)
            close(held);
    }
}

/* --- Much at once --- */

enum { MUCH_BYTES = 20 * 1000 * 1000 };

static void slow_reader_gets_every_byte(void **state)
{
    uint8_t *much = malloc(MUCH_BYTES);
    struct peer client = {.counts_only = true};
    struct net_fixture f;

    (void)state;
    for (size_t i = 0; i < MUCH_BYTES; i++)
        much[i] = (uint8_t)(i * 2654435761u >> 13);
    net_fixture_init(&f);
    listen_on(&f, "127.0.0.1:0");
    connect_to(&f, f.bound, &client);
    struct peer *server = &f.accepted[0];
    rota_socket_pause(server->socket);
    assert_int_equal(rota_socket_write(client.socket, rota_slice(much, MUCH_BYTES / 2)), 0);
    assert_int_equal(rota_socket_write(client.socket, rota_slice(much + MUCH_BYTES / 2, MUCH_BYTES / 2)), 0);
    assert_true(rota_socket_pending(client.socket) > 0);
    assert_false(client.drained);
    rota_socket_resume(server->socket);
    turn_until_count(&f, &server->got_bytes, MUCH_BYTES);
    assert_true(client.drained);
    assert_true(rota_slice_equal(rota_buffer_peek(&server->got), rota_slice(much, MUCH_BYTES)));
    rota_socket_abort(client.socket);
    turn_until(&f, &client.closed);
    peer_fini(&client);
    net_fixture_fini(&f);
    free(much);
}

/* --- Ends --- */

/* A close waits for what is kept, an abort does not. */
static const struct end_case {
    const char *rule;
    bool abort;
} end_cases[] = {
    {"close sends what is kept first", false},
    {"abort does not", true},
};

static void end_follows_the_rules(void **state)
{
    (void)state;
    for (size_t i = 0; i < ROTA_COUNT(end_cases); i++) {
        const struct end_case *c = &end_cases[i];
        uint8_t *much = calloc(1, MUCH_BYTES);
        struct peer client = {.closed = false};
        struct net_fixture f;

        print_message("%s\n", c->rule);
        net_fixture_init(&f);
        f.model.counts_only = true;
        listen_on(&f, "127.0.0.1:0");
        connect_to(&f, f.bound, &client);
        assert_int_equal(rota_socket_write(client.socket, rota_slice(much, MUCH_BYTES)), 0);
        (c->abort ? rota_socket_abort : rota_socket_close)(client.socket);
        assert_false(client.closed);
        turn_until(&f, &client.closed);
        assert_int_equal(client.err, 0);
        turn_until(&f, &f.accepted[0].closed);
        assert_true(c->abort == (f.accepted[0].got_bytes < MUCH_BYTES));
        peer_fini(&client);
        net_fixture_fini(&f);
        free(much);
    }
}

/* Unread bytes at close would make the system reset the connection and lose the answer. */
static void answer_survives_a_close_with_unread_bytes(void **state)
{
    struct peer client = {.closed = false};
    struct net_fixture f;

    (void)state;
    net_fixture_init(&f);
    listen_on(&f, "127.0.0.1:0");
    connect_to(&f, f.bound, &client);
    struct peer *server = &f.accepted[0];
    rota_socket_pause(server->socket);
    assert_int_equal(rota_socket_write(client.socket, ROTA_SLICE("never read")), 0);
    rota_socket_pause(client.socket);
    assert_int_equal(rota_socket_write(server->socket, ROTA_SLICE("answer")), 0);
    rota_socket_close(server->socket);
    assert_int_equal(rota_loop_turn(f.loop), 0);
    rota_socket_resume(client.socket);
    turn_until(&f, &client.closed);
    assert_got(&client, "answer");
    assert_int_equal(client.err, 0);
    turn_until(&f, &server->closed);
    peer_fini(&client);
    net_fixture_fini(&f);
}

static void ends_inside_its_own_callback(void **state)
{
    (void)state;
    for (int abort_it = 0; abort_it <= 1; abort_it++) {
        struct peer client = {.close_on_read = !abort_it, .abort_on_read = abort_it};
        struct net_fixture f;

        net_fixture_init(&f);
        listen_on(&f, "127.0.0.1:0");
        connect_to(&f, f.bound, &client);
        assert_int_equal(rota_socket_write(f.accepted[0].socket, ROTA_SLICE("x")), 0);
        turn_until(&f, &client.closed);
        assert_int_equal(client.err, 0);
        turn_until(&f, &f.accepted[0].closed);
        peer_fini(&client);
        net_fixture_fini(&f);
    }
}

/* The peer neither reads nor closes: one second and no more. */
static void close_does_not_wait_for_ever(void **state)
{
    uint8_t *much = calloc(1, MUCH_BYTES);
    struct peer client = {.closed = false};
    struct net_fixture f;

    (void)state;
    net_fixture_init(&f);
    listen_on(&f, "127.0.0.1:0");
    connect_to(&f, f.bound, &client);
    rota_socket_pause(f.accepted[0].socket);
    assert_int_equal(rota_socket_write(client.socket, rota_slice(much, MUCH_BYTES)), 0);
    int64_t start_ns = rota_loop_now_ns(f.loop);
    rota_socket_close(client.socket);
    turn_until(&f, &client.closed);
    assert_true(rota_loop_now_ns(f.loop) - start_ns >= INT64_C(1000000000));
    peer_fini(&client);
    net_fixture_fini(&f);
    free(much);
}

/* What comes too late is read without being woken for it: left unread it would make the system reset the connection in the end. */
static void late_bytes_reset_nothing(void **state)
{
    int client = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), failure = 0;
    socklen_t size = sizeof(failure);
    struct sockaddr_in address;
    struct net_fixture f;
    char got[16];

    (void)state;
    net_fixture_init(&f);
    listen_on(&f, "127.0.0.1:0");
    address = on_ipv4(f.bound);
    assert_int_equal(connect(client, (const struct sockaddr *)&address, sizeof(address)), 0);
    turn_until_count(&f, &f.n_accepted, 1);
    assert_int_equal(rota_socket_write(f.accepted[0].socket, ROTA_SLICE("answer")), 0);
    rota_socket_close(f.accepted[0].socket);
    assert_int_equal(send(client, "late", 4, MSG_NOSIGNAL), 4);
    turn_until(&f, &f.accepted[0].closed);
    assert_int_equal(recv(client, got, sizeof(got), 0), 6);
    assert_int_equal(recv(client, got, sizeof(got), 0), 0);
    assert_int_equal(getsockopt(client, SOL_SOCKET, SO_ERROR, &failure, &size), 0);
    assert_int_equal(failure, 0);
    close(client);
    net_fixture_fini(&f);
}

/* Whatever it throws away is as much work as what it would read: who never stops stands still, and is gone in a second. */
static void a_flood_is_not_thrown_away_for_long(void **state)
{
    static const uint8_t much[65536];
    int client = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    struct sockaddr_in address;
    struct net_fixture f;
    size_t taken = 0;

    (void)state;
    net_fixture_init(&f);
    listen_on(&f, "127.0.0.1:0");
    address = on_ipv4(f.bound);
    assert_int_equal(connect(client, (const struct sockaddr *)&address, sizeof(address)), 0);
    turn_until_count(&f, &f.n_accepted, 1);
    int64_t start_ns = rota_loop_now_ns(f.loop);
    rota_socket_close(f.accepted[0].socket);
    while (!f.accepted[0].closed) {
        ssize_t size = send(client, much, sizeof(much), MSG_NOSIGNAL | MSG_DONTWAIT);
        taken += size > 0 ? (size_t)size : 0;
        assert_int_equal(rota_loop_turn(f.loop), 0);
    }
    assert_in_range(rota_loop_now_ns(f.loop) - start_ns, INT64_C(900000000), INT64_C(5000000000));
    assert_in_range(taken, 1 << 20, 16 << 20); /* and what the system holds */
    close(client);
    net_fixture_fini(&f);
}

static void write_to_a_gone_peer_is_reported_once(void **state)
{
    struct peer client = {.closed = false};
    struct net_fixture f;

    (void)state;
    net_fixture_init(&f);
    listen_on(&f, "127.0.0.1:0");
    connect_to(&f, f.bound, &client);
    rota_socket_pause(client.socket);
    rota_socket_pause(f.accepted[0].socket);
    assert_int_equal(rota_socket_write(client.socket, ROTA_SLICE("unread")), 0);
    rota_socket_abort(f.accepted[0].socket); /* with unread bytes: a reset */
    turn_until(&f, &f.accepted[0].closed);
    for (int i = 0; i < 100 && !client.closed; i++) {
        assert_int_equal(rota_socket_write(client.socket, ROTA_SLICE("more")), 0);
        assert_int_equal(rota_loop_turn(f.loop), 0);
    }
    turn_until(&f, &client.closed);
    assert_int_equal(client.err, ROTA_ECONN);
    assert_int_equal(strncmp(client.detail, f.bound, strlen(f.bound)), 0);
    peer_fini(&client);
    net_fixture_fini(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(bytes_come_back),
        cmocka_unit_test(slow_reader_gets_every_byte),
        cmocka_unit_test(end_follows_the_rules),
        cmocka_unit_test(answer_survives_a_close_with_unread_bytes),
        cmocka_unit_test(ends_inside_its_own_callback),
        cmocka_unit_test(close_does_not_wait_for_ever),
        cmocka_unit_test(late_bytes_reset_nothing),
        cmocka_unit_test(a_flood_is_not_thrown_away_for_long),
        cmocka_unit_test(write_to_a_gone_peer_is_reported_once),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
