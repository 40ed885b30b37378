/* hoard_test.c - clients that read nothing and have the server keep their answers, or begin what they do not end: beyond max_total_bytes their
 * calls are lost and what was kept is free, however much waits in front of the GOAWAY that says so. (Who goes first: server/relief_test.c.)
 */
#include "assembly/assembly_fixture.h"
#include "server/server.h"
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/* SETTINGS_INITIAL_WINDOW_SIZE is 0. */
#define PREFACE "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\6\4\0\0\0\0\0\0\4\0\0\0\0"
#define FIELDS "\x00\x02te\x08trailers\x0f\x10\x10" "application/grpc"
#define SECOND_NS INT64_C(1000000000)

enum {
    MAX_TOTAL_BYTES = 2 << 20,
    PATH_BYTES = 500, /* of which an answer says the first half in three times as many */
    BACKLOG_BYTES = 600 << 10, /* header blocks: more than what a GOAWAY is put behind */
    BODY_BYTES = 16384,
    HALF_TOTAL_BYTES = 1 << 20,
    HALF_CLIENTS = 20,
    HALF_BYTES = 256 << 10, /* what a field of HALF_FIELD_BYTES takes, but for its last byte */
    HALF_FIELD_BYTES = 2 * 65536 + 8,
    PIECE_BYTES = 16000,
    ECHO_BYTES = BODY_BYTES + 200,
    CROWD_TOTAL_BYTES = 4 * BODY_BYTES,
    CROWD_CLIENTS = 8,
    CROWD_CALLS = 7, /* in one read */
    ONE_CALL_BYTES = 4 * BODY_BYTES, /* its request and its reply, and how far buffers run ahead */
};

struct deaf {
    const struct test_server *s;
    int fd;
    uint32_t next_id;
    bool gone;
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

static void deaf_say(struct deaf *d, const void *data, size_t size)
{
    size_t sent = 0;

    while (sent < size && !d->gone) {
        ssize_t n = send(d->fd, (const uint8_t *)data + sent, size - sent, MSG_NOSIGNAL | MSG_DONTWAIT);
        d->gone = n < 0 && errno != EAGAIN;
        sent += n > 0 ? (size_t)n : 0;
        assert_int_equal(rota_loop_turn(d->s->loop), 0);
    }
}

static void deaf_open(struct deaf *d, const struct test_server *s)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    uint32_t n_open = rota_server_stats(s->server).connections_open;
    int little = 1;

    *d = (struct deaf){.s = s, .fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), .next_id = 1};
    assert_int_equal(setsockopt(d->fd, SOL_SOCKET, SO_RCVBUF, &little, sizeof(little)), 0);
    assert_int_equal(setsockopt(d->fd, IPPROTO_TCP, TCP_NODELAY, &little, sizeof(little)), 0); /* each call is answered before its reset comes */
    address.sin_port = htons((uint16_t)strtol(strrchr(s->bound, ':') + 1, NULL, 10));
    assert_int_equal(connect(d->fd, (struct sockaddr *)&address, sizeof(address)), 0);
    while (rota_server_stats(s->server).connections_open == n_open)
        assert_int_equal(rota_loop_turn(s->loop), 0);
    assert_int_equal(setsockopt(other_end(d->fd), SOL_SOCKET, SO_SNDBUF, &little, sizeof(little)), 0);
    deaf_say(d, PREFACE, sizeof(PREFACE) - 1);
}

static uint8_t *put_head(uint8_t *out, size_t length, uint8_t type, uint8_t flags, uint32_t id)
{
    const uint8_t head[] = {0, (uint8_t)(length >> 8), (uint8_t)length, type, flags, 0, 0, (uint8_t)(id >> 8), (uint8_t)id};

    memcpy(out, head, sizeof(head));
    return out + sizeof(head);
}

/* A call of no method, whose answer is nothing but a header block, and one that no table has; it is not waited for. */
static void deaf_ask_nothing(struct deaf *d)
{
    static const uint8_t begin[] = {0x83, 0x86, 0x04, 127, (PATH_BYTES - 127) % 128 + 128, (PATH_BYTES - 127) / 128, '/'};
    uint8_t bytes[1000], *out = put_head(bytes, sizeof(begin) + PATH_BYTES - 1 + sizeof(FIELDS) - 1, 1, 5, d->next_id);

    memcpy(out, begin, sizeof(begin));
    memset(out + sizeof(begin), '%', PATH_BYTES - 1);
    out[sizeof(begin)] = (uint8_t)('A' + d->next_id / 2 % 50);
    out[sizeof(begin) + 1] = (uint8_t)('A' + d->next_id / 100);
    out[sizeof(begin) + PATH_BYTES - 2] = '/';
    out += sizeof(begin) + PATH_BYTES - 1;
    memcpy(out, FIELDS, sizeof(FIELDS) - 1);
    deaf_say(d, bytes, (size_t)(out - bytes) + sizeof(FIELDS) - 1);
    out = put_head(bytes, 4, 3, 0, d->next_id);
    memcpy(out, "\0\0\0\x08", 4);
    d->next_id += 2;
    deaf_say(d, bytes, (size_t)(out - bytes) + 4);
}

/* One whose reply is as long, and which it does not let through; its size. */
static size_t put_echo(struct deaf *d, uint8_t bytes[static ECHO_BYTES])
{
    static const char block[] = "\x83\x86\x04\x0f/test.Test/Echo" FIELDS;
    uint8_t *out = put_head(bytes, sizeof(block) - 1, 1, 4, d->next_id);

    memcpy(out, block, sizeof(block) - 1);
    out = put_head(out + sizeof(block) - 1, BODY_BYTES, 0, 1, d->next_id);
    d->next_id += 2;
    memset(out, 0, BODY_BYTES);
    memcpy(out, (const uint8_t[]){0, 0, 0, (BODY_BYTES - 5) >> 8, (BODY_BYTES - 5) & 255}, 5);
    return (size_t)(out - bytes) + BODY_BYTES;
}

static void deaf_ask_echo(struct deaf *d)
{
    static uint8_t bytes[ECHO_BYTES];

    deaf_say(d, bytes, put_echo(d, bytes));
}

/* Until it is being ended, then silence: what was held at the most. */
static size_t hoard(struct deaf *d)
{
    const struct rota_server *server = d->s->server;
    int64_t begun_ns = rota_loop_now_ns(d->s->loop);
    size_t most = 0;

    while (server->held_bytes < BACKLOG_BYTES && d->next_id < 8000)
        deaf_ask_nothing(d);
    assert_in_range(server->held_bytes, BACKLOG_BYTES, MAX_TOTAL_BYTES);
    while (server->held_bytes >= BACKLOG_BYTES && rota_loop_now_ns(d->s->loop) - begun_ns < 2 * SECOND_NS) {
        if (server->leaving_bytes == 0)
            deaf_ask_echo(d);
        assert_int_equal(rota_loop_turn(d->s->loop), 0);
        if (server->held_bytes > most)
            most = server->held_bytes;
    }
    return most;
}

static void who_reads_nothing_is_ended_all_the_same(void **unused)
{
    struct rota_server_options options = ROTA_SERVER_OPTIONS_INIT;
    struct rota_channel *channel;
    struct deaf deaf[3];
    struct test_server s;
    struct rota_loop *loop;

    (void)unused;
    options.max_total_bytes = MAX_TOTAL_BYTES;
    assert_int_equal(rota_loop_new(NULL, &loop), 0);
    test_server_open(&s, loop, "127.0.0.1:0", &options);
    channel = test_channel(loop, s.bound, NULL);
    for (size_t i = 0; i < ROTA_COUNT(deaf); i++) {
        deaf_open(&deaf[i], &s);
        assert_in_range(hoard(&deaf[i]), BACKLOG_BYTES, MAX_TOTAL_BYTES + ONE_CALL_BYTES);
        assert_true(test_echoes(channel, "beside it"));
        assert_int_equal(s.server->held_bytes, 0);
        assert_int_equal(rota_server_stats(s.server).calls_open, 0);
    }
    for (size_t i = 0; i < ROTA_COUNT(deaf); i++)
        close(deaf[i].fd);
    rota_channel_free(channel);
    test_server_close(&s);
    rota_loop_free(loop);
}

/* The longest field that there may be, but for its last byte; no call comes of it. */
static void say_half(struct deaf *d)
{
    static uint8_t field[HALF_FIELD_BYTES] = {0, 0x7f, 0x81, 0xff, 3}, bytes[HALF_FIELD_BYTES + 1000];
    uint8_t *out = bytes;

    memset(field + 5, 'x', 65536);
    memcpy(field + 5 + 65536, (const uint8_t[]){0x7f, 0x80, 0xff, 3}, 4); /* 65535 */
    for (size_t at = 0; at < sizeof(field) - 1; at += PIECE_BYTES) {
        size_t size = sizeof(field) - at < PIECE_BYTES ? sizeof(field) - at : PIECE_BYTES;
        out = put_head(out, size, at == 0 ? 1 : 9, 0, d->next_id);
        memcpy(out, field + at, size);
        out += size;
    }
    deaf_say(d, bytes, (size_t)(out - bytes) - 1);
}

/* All of it has come, or more than the server will have of it. */
static bool has_half(const struct rota_server *server)
{
    const struct rota_server_conn *newest = ROTA_CONTAINER(server->conns.prev, struct rota_server_conn, link);

    return rota_list_empty(&server->conns) || newest->leaving || newest->conn->queued_bytes > HALF_FIELD_BYTES;
}

static void half_of_a_field_is_looked_at_too(void **unused)
{
    struct rota_server_options options = ROTA_SERVER_OPTIONS_INIT;
    struct deaf deaf[HALF_CLIENTS];
    struct test_server s;
    struct rota_loop *loop;

    (void)unused;
    options.max_total_bytes = HALF_TOTAL_BYTES;
    assert_int_equal(rota_loop_new(NULL, &loop), 0);
    test_server_open(&s, loop, "127.0.0.1:0", &options);
    for (size_t i = 0; i < HALF_CLIENTS; i++) {
        deaf_open(&deaf[i], &s);
        say_half(&deaf[i]);
        while (!has_half(s.server))
            assert_int_equal(rota_loop_turn(loop), 0);
        assert_in_range(s.server->held_bytes, 0, HALF_TOTAL_BYTES + HALF_BYTES);
        assert_in_range(s.server->leaving_bytes, 0, HALF_BYTES);
    }
    assert_in_range(s.server->held_bytes, HALF_TOTAL_BYTES / 2, HALF_TOTAL_BYTES + HALF_BYTES);
    for (size_t i = 0; i < HALF_CLIENTS; i++)
        close(deaf[i].fd);
    test_server_close(&s);
    rota_loop_free(loop);
}

static void deaf_ask_many(struct deaf *d)
{
    static uint8_t bytes[CROWD_CALLS * ECHO_BYTES];
    size_t size = 0;

    for (size_t i = 0; i < CROWD_CALLS; i++)
        size += put_echo(d, bytes + size);
    assert_int_equal(send(d->fd, bytes, size, MSG_NOSIGNAL), size);
}

/* All that has come is read before the first of them is gone: what they hold together is still no more than the bound, and a reply. */
static void many_at_once_are_not_served_beyond_the_bound(void **unused)
{
    struct rota_server_options options = ROTA_SERVER_OPTIONS_INIT;
    struct deaf deaf[CROWD_CLIENTS];
    struct rota_channel *channel;
    struct test_server s;
    struct rota_loop *loop;

    (void)unused;
    options.max_total_bytes = CROWD_TOTAL_BYTES;
    assert_int_equal(rota_loop_new(NULL, &loop), 0);
    test_server_open(&s, loop, "127.0.0.1:0", &options);
    channel = test_channel(loop, s.bound, NULL);
    assert_true(test_echoes(channel, "before"));
    for (size_t i = 0; i < CROWD_CLIENTS; i++)
        deaf_open(&deaf[i], &s);
    for (size_t i = 0; i < CROWD_CLIENTS; i++)
        deaf_ask_many(&deaf[i]);
    assert_int_equal(rota_loop_turn(loop), 0);
    assert_in_range(rota_server_stats(s.server).calls_started, 2, 1 + CROWD_CALLS);
    assert_in_range(s.server->held_bytes, 0, CROWD_TOTAL_BYTES);
    assert_true(test_echoes(channel, "beside them"));
    for (size_t i = 0; i < CROWD_CLIENTS; i++)
        close(deaf[i].fd);
    rota_channel_free(channel);
    test_server_close(&s);
    rota_loop_free(loop);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(many_at_once_are_not_served_beyond_the_bound),
        cmocka_unit_test(half_of_a_field_is_looked_at_too),
        cmocka_unit_test(who_reads_nothing_is_ended_all_the_same),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
