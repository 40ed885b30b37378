/* slow_test.c - a client that takes less in a write timeout than the system waits for before it takes more of us: as long as it takes some it
 * is served on, and then it is cut off. (Who never reads over TLS: tls_deaf_test.c.) */
#include "assembly/assembly_fixture.h"
#include "loop/loop.h"
#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define MS INT64_C(1000000)

/* Windows as large as they may be: what holds the server up is its socket. */
#define PREFACE "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\6\4\0\0\0\0\0\0\4\x7f\xff\xff\xff\0\0\4\x8\0\0\0\0\0\x7f\0\0\0"
#define HEADERS "\0\0\x34\1\4\0\0\0\1" "\x83\x86\x04\x10/test.Test/Count\x00\x02te\x08trailers\x0f\x10\x10" "application/grpc"
#define DATA "\0\0\x0f\0\1\0\0\0\1" "\0\0\0\0\x0a" "1000 60000"

enum {
    WRITE_TIMEOUT_MS = 300,
    READ_BYTES = 8192, /* each READ_MS: a tenth of what the system would wait for */
    READ_MS = 20,
    ROOM_BYTES = 65536, /* asked for on the client's side */
};

static int ask(const struct test_server *s)
{
    static const char bytes[] = PREFACE HEADERS DATA;
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), room_bytes = ROOM_BYTES;

    assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &room_bytes, sizeof(room_bytes)), 0);
    address.sin_port = htons((uint16_t)strtol(strrchr(s->bound, ':') + 1, NULL, 10));
    assert_int_equal(connect(fd, (struct sockaddr *)&address, sizeof(address)), 0);
    assert_int_equal(send(fd, bytes, sizeof(bytes) - 1, MSG_NOSIGNAL), sizeof(bytes) - 1);
    return fd;
}

/* Turns the loop so long, and reads meanwhile; how much it got. */
static size_t pass(struct rota_loop *loop, int fd, int64_t ns)
{
    static uint8_t bytes[READ_BYTES];
    int64_t begun_ns = rota_loop_now_ns(loop), read_ns = begun_ns;
    size_t taken = 0;

    while (rota_loop_now_ns(loop) - begun_ns < ns) {
        assert_int_equal(rota_loop_turn(loop), 0);
        if (rota_loop_now_ns(loop) >= read_ns) {
            ssize_t size = recv(fd, bytes, sizeof(bytes), MSG_DONTWAIT);
            assert_true(size > 0 || (size < 0 && errno == EAGAIN));
            taken += size > 0 ? (size_t)size : 0;
            read_ns = rota_loop_now_ns(loop) + READ_MS * MS;
        }
    }
    return taken;
}

static void who_takes_some_is_not_cut_off(void **unused)
{
    struct rota_server_options options = ROTA_SERVER_OPTIONS_INIT;
    struct rota_loop *loop;
    struct test_server s;
    int64_t silent_ns;
    int fd;

    (void)unused;
    options.write_timeout_ms = WRITE_TIMEOUT_MS;
    assert_int_equal(rota_loop_new(NULL, &loop), 0);
    test_server_open(&s, loop, "127.0.0.1:0", &options);
    fd = ask(&s);
    assert_in_range(pass(loop, fd, 6 * WRITE_TIMEOUT_MS * MS), 10 * READ_BYTES, 1 << 20);
    assert_int_equal(rota_server_stats(s.server).connections_open, 1);
    assert_int_equal(rota_server_stats(s.server).calls_open, 1);
    silent_ns = rota_loop_now_ns(loop);
    while (rota_server_stats(s.server).calls_open > 0)
        assert_int_equal(rota_loop_turn(loop), 0);
    assert_in_range(rota_loop_now_ns(loop) - silent_ns, WRITE_TIMEOUT_MS / 2 * MS, 10 * WRITE_TIMEOUT_MS * MS);
    close(fd);
    test_server_close(&s);
    rota_loop_free(loop);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(who_takes_some_is_not_cut_off),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
