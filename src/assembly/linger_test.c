/* linger_test.c - a connection that is over but for bytes that its client has not taken: who need not wait for them. (That they are waited for:
 * tests/connections_test.py.) */
#include "assembly/assembly_fixture.h"
#include "loop/loop.h"
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define PREFACE "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\4\0\0\0\0\0"
/* POST, http, path /test.Test/Count, te and content-type, as literals; the request: a message of 60000 bytes, which fits into a window. */
#define HEADERS "\0\0\x34\1\4\0\0\0\1" "\x83\x86\x04\x10/test.Test/Count\x00\x02te\x08trailers\x0f\x10\x10" "application/grpc"
#define DATA "\0\0\x0c\0\1\0\0\0\1" "\0\0\0\0\7" "1 60000"
#define GOAWAY "\0\0\x08\7\0\0\0\0\0\0\0\0\0\0\0\0\0"

static int ask_and_go(const char *bound)
{
    static const char bytes[] = PREFACE HEADERS DATA GOAWAY;
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), small = 1;

    assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &small, sizeof(small)), 0);
    address.sin_port = htons((uint16_t)strtol(strrchr(bound, ':') + 1, NULL, 10));
    assert_int_equal(connect(fd, (struct sockaddr *)&address, sizeof(address)), 0);
    assert_int_equal(send(fd, bytes, sizeof(bytes) - 1, MSG_NOSIGNAL), sizeof(bytes) - 1);
    return fd;
}

static void set(void *arg)
{
    *(bool *)arg = true;
}

static const struct linger_case {
    const char *rule;
    int64_t grace_ms; /* -1: it is freed at once */
} cases[] = {
    {"who frees the server", -1},
    {"who drains it for a time, when that is over", 50},
};

static void some_do_not_wait(void **unused)
{
    (void)unused;
    for (size_t i = 0; i < ROTA_COUNT(cases); i++) {
        struct rota_loop *loop;
        struct test_server s;
        bool drained = false;
        int64_t begun_ns;
        int fd;

        print_message("  %s\n", cases[i].rule);
        assert_int_equal(rota_loop_new(NULL, &loop), 0);
        test_server_open(&s, loop, "127.0.0.1:0", NULL);
        fd = ask_and_go(s.bound);
        while (rota_server_stats(s.server).calls_started == 0 || rota_server_stats(s.server).calls_open > 0)
            assert_int_equal(rota_loop_turn(loop), 0);
        for (int turns = 0; turns < 10; turns++)
            assert_int_equal(rota_loop_turn(loop), 0);
        assert_int_equal(rota_server_stats(s.server).connections_open, 1);
        begun_ns = rota_loop_now_ns(loop);
        if (cases[i].grace_ms >= 0) {
            rota_server_drain(s.server, cases[i].grace_ms, set, &drained);
            while (!drained)
                assert_int_equal(rota_loop_wait_turn(loop), 0);
        }
        test_server_close(&s);
        assert_in_range(rota_loop_now_ns(loop) - begun_ns, 0, INT64_C(5000000000));
        close(fd);
        rota_loop_free(loop);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(some_do_not_wait),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
