/* linger_test.c - a connection that is over but for bytes that its client has not taken: who waits a second for them, and no longer. (That they
 * are waited for otherwise: tests/connections_test.py.) */
#include "assembly/assembly_fixture.h"
#include "loop/loop.h"
#include "server/server.h"
#include <errno.h>
#include <linux/sockios.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#define PREFACE "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\4\0\0\0\0\0"
/* POST, http, path /test.Test/Count, te and content-type, as literals; the request: a message of 60000 bytes, which fits into a window. */
#define HEADERS "\0\0\x34\1\4\0\0\0\1" "\x83\x86\x04\x10/test.Test/Count\x00\x02te\x08trailers\x0f\x10\x10" "application/grpc"
#define DATA "\0\0\x0c\0\1\0\0\0\1" "\0\0\0\0\7" "1 60000"
#define GOAWAY "\0\0\x08\7\0\0\0\0\0\0\0\0\0\0\0\0\0"
#define WINDOW_UPDATE "\0\0\4\x8\0\0\0\0\0\0\0\0\1"

/* A call of no method, whose answer is a header block that says its path; it has come to its end. */
#define NO_METHOD "\0\0\x9f\1\5\0\0\0\1" "\x83\x86\x04\x7b/"
#define NO_METHOD_FIELDS "\x00\x02te\x08trailers\x0f\x10\x10" "application/grpc"

enum {
    REPLY_BYTES = 60000,
    NO_METHOD_BYTES = 9 + 159,
    NO_METHODS = 500,
    HELD_FROM_BYTES = 64 << 10, /* by a connection, for what it is to write */
};

/* The server's end of a client's connection. */
static int other_end(int client)
{
    struct sockaddr_in here, peer;
    socklen_t size = sizeof(here);

    assert_int_equal(getsockname(client, (struct sockaddr *)&here, &size), 0);
    for (int fd = 0; fd < 1024; fd++) {
        size = sizeof(peer);
        if (getpeername(fd, (struct sockaddr *)&peer, &size) == 0 && peer.sin_family == AF_INET && peer.sin_port == here.sin_port)
            return fd;
    }
    fail_msg("the server has no such connection");
    return -1;
}

static int join(const struct test_server *s, int room_bytes)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &room_bytes, sizeof(room_bytes)), 0);
    address.sin_port = htons((uint16_t)strtol(strrchr(s->bound, ':') + 1, NULL, 10));
    assert_int_equal(connect(fd, (struct sockaddr *)&address, sizeof(address)), 0);
    while (rota_server_stats(s->server).connections_open == 0)
        assert_int_equal(rota_loop_turn(s->loop), 0);
    return fd;
}

/* And says that it goes, unless it stays. */
static int ask(const struct test_server *s, int room_bytes, bool cramped, bool stays)
{
    static const char bytes[] = PREFACE HEADERS DATA GOAWAY;
    int fd = join(s, room_bytes);
    size_t size = sizeof(bytes) - 1 - (stays ? sizeof(GOAWAY) - 1 : 0);

    /* The server's system takes little to send, so that the rest of a reply waits in the server. */
    if (cramped)
        assert_int_equal(setsockopt(other_end(fd), SOL_SOCKET, SO_SNDBUF, &(int){1}, sizeof(int)), 0);
    assert_int_equal(send(fd, bytes, size, MSG_NOSIGNAL), size);
    return fd;
}

static void set(void *arg)
{
    *(bool *)arg = true;
}

/* As clients do, it gives credit back, which a server that has gone answers with a reset; then takes all there is. */
static void take_the_rest(struct rota_loop *loop, int fd)
{
    static char bytes[REPLY_BYTES];
    size_t n_taken = 0;
    ssize_t size;

    assert_int_equal(send(fd, WINDOW_UPDATE, sizeof(WINDOW_UPDATE) - 1, MSG_NOSIGNAL), sizeof(WINDOW_UPDATE) - 1);
    do {
        assert_int_equal(rota_loop_turn(loop), 0);
        size = recv(fd, bytes, sizeof(bytes), MSG_DONTWAIT);
        if (size < 0)
            assert_int_equal(errno, EAGAIN);
        n_taken += size > 0 ? (size_t)size : 0;
    } while (size != 0);
    assert_in_range(n_taken, REPLY_BYTES, 2 * REPLY_BYTES);
}

static void drain(struct test_server *s, int64_t grace_ms, int fd, bool takes_the_rest)
{
    int64_t over_ns = rota_loop_now_ns(s->loop) + grace_ms * 1000000;
    bool drained = false;

    rota_server_drain(s->server, grace_ms, set, &drained);
    while (rota_loop_now_ns(s->loop) <= over_ns)
        assert_int_equal(rota_loop_turn(s->loop), 0);
    for (int turns = 0; turns < 10; turns++)
        assert_int_equal(rota_loop_turn(s->loop), 0);
    if (takes_the_rest)
        take_the_rest(s->loop, fd);
    while (!drained)
        assert_int_equal(rota_loop_wait_turn(s->loop), 0);
}

static const struct linger_case {
    const char *rule;
    int room_bytes;   /* asked for on the client's side */
    int64_t grace_ms; /* -1: it is freed at once */
    bool takes_the_rest, cramped, stays;
} cases[] = {
    {"who frees the server waits no longer", 1, -1, false, false, false},
    {"who drains it for a time, no longer beyond that", 1, 50, false, false, false},
    {"what is taken in the second after that time arrives", 16384, 50, true, false, false},
    {"also what waited in the server", 4096, 50, true, true, false},
    {"and what waited in the system, of a connection that stays open", 16384, 50, true, false, true},
};

static void a_second_is_waited_for(void **unused)
{
    (void)unused;
    for (size_t i = 0; i < ROTA_COUNT(cases); i++) {
        struct rota_loop *loop;
        struct test_server s;
        int64_t begun_ns;
        int fd;

        print_message("  %s\n", cases[i].rule);
        assert_int_equal(rota_loop_new(NULL, &loop), 0);
        test_server_open(&s, loop, "127.0.0.1:0", NULL);
        fd = ask(&s, cases[i].room_bytes, cases[i].cramped, cases[i].stays);
        while (rota_server_stats(s.server).calls_started == 0 || rota_server_stats(s.server).calls_open > 0)
            assert_int_equal(rota_loop_turn(loop), 0);
        for (int turns = 0; turns < 10; turns++)
            assert_int_equal(rota_loop_turn(loop), 0);
        assert_int_equal(rota_server_stats(s.server).connections_open, 1);
        begun_ns = rota_loop_now_ns(loop);
        if (cases[i].grace_ms >= 0)
            drain(&s, cases[i].grace_ms, fd, cases[i].takes_the_rest);
        test_server_close(&s);
        assert_in_range(rota_loop_now_ns(loop) - begun_ns, 0, INT64_C(5000000000));
        close(fd);
        rota_loop_free(loop);
    }
}

static int left_at(int server_fd)
{
    int left = -1;

    assert_int_equal(ioctl(server_fd, SIOCOUTQ, &left), 0);
    return left;
}

/* Its client never closes, so that it would be waited for. */
static void an_idle_connection_ends_at_once(void **unused)
{
    static uint8_t bytes[2 * REPLY_BYTES];
    struct rota_loop *loop;
    struct test_server s;
    size_t n_taken = 0;
    bool closed = false;
    int fd;

    (void)unused;
    assert_int_equal(rota_loop_new(NULL, &loop), 0);
    test_server_open(&s, loop, "127.0.0.1:0", NULL);
    fd = ask(&s, 16384, false, true);
    while (n_taken < REPLY_BYTES || rota_server_stats(s.server).calls_open > 0 || left_at(other_end(fd)) > 0) {
        ssize_t size = recv(fd, bytes, sizeof(bytes), MSG_DONTWAIT);
        n_taken += size > 0 ? (size_t)size : 0;
        assert_int_equal(rota_loop_turn(loop), 0);
    }
    rota_server_close(s.server, set, &closed);
    for (int turns = 0; turns < 10; turns++)
        assert_int_equal(rota_loop_turn(loop), 0);
    assert_true(closed);
    close(fd);
    rota_loop_free(loop);
}

/* With GOAWAY at the end, in one write. */
static void ask_for_no_methods(int fd)
{
    static char bytes[sizeof(PREFACE) + NO_METHODS * NO_METHOD_BYTES + sizeof(GOAWAY)];
    size_t size = sizeof(PREFACE) - 1;

    memcpy(bytes, PREFACE, size);
    for (unsigned i = 0; i < NO_METHODS; i++, size += NO_METHOD_BYTES) {
        char *head = bytes + size;
        memset(head, '%', NO_METHOD_BYTES);
        memcpy(head, NO_METHOD, sizeof(NO_METHOD) - 1);
        head[7] = (char)((2 * i + 1) >> 8);
        head[8] = (char)(2 * i + 1);
        head[20] = (char)('0' + i / 100);
        head[21] = (char)('0' + i / 10 % 10);
        head[22] = (char)('0' + i % 10);
        memcpy(head + NO_METHOD_BYTES - (sizeof(NO_METHOD_FIELDS) - 1), NO_METHOD_FIELDS, sizeof(NO_METHOD_FIELDS) - 1);
    }
    memcpy(bytes + size, GOAWAY, sizeof(GOAWAY) - 1);
    size += sizeof(GOAWAY) - 1;
    assert_int_equal(send(fd, bytes, size, MSG_NOSIGNAL), size);
}

/* Else others would be refused for it: it may stay for ten seconds and more. */
static void who_is_waited_for_holds_nothing(void **unused)
{
    const int room_bytes = 1 << 20;
    struct rota_loop *loop;
    struct test_server s;
    int fd, turns = 0;

    (void)unused;
    assert_int_equal(rota_loop_new(NULL, &loop), 0);
    test_server_open(&s, loop, "127.0.0.1:0", NULL);
    fd = join(&s, 4096);
    assert_int_equal(setsockopt(other_end(fd), SOL_SOCKET, SO_SNDBUF, &room_bytes, sizeof(room_bytes)), 0);
    ask_for_no_methods(fd);
    while (left_at(other_end(fd)) < HELD_FROM_BYTES)
        assert_int_equal(rota_loop_turn(loop), 0);
    while (s.server->held_bytes > 0 && turns++ < 10)
        assert_int_equal(rota_loop_turn(loop), 0);
    assert_int_equal(s.server->held_bytes, 0);
    assert_int_equal(rota_server_stats(s.server).connections_open, 1);
    close(fd);
    test_server_close(&s);
    rota_loop_free(loop);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(who_is_waited_for_holds_nothing),
        cmocka_unit_test(an_idle_connection_ends_at_once),
        cmocka_unit_test(a_second_is_waited_for),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
