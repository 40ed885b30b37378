/* complaints_test.c - what a server's log says of clients that are cut off, or lose a stream for what they sent; bytes come from bare sockets. */
#include "assembly/assembly_fixture.h"
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define PREFACE "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\4\0\0\0\0\0"
/* POST, http, path /test.Test/Join, te and content-type, as literals; without END_HEADERS unless the flags say so. */
#define BLOCK "\x83\x86\x04\x0f/test.Test/Join\x00\x02te\x08trailers\x0f\x10\x10" "application/grpc"
#define BLOCK_SIZE "\x33"

struct heard {
    unsigned n;
    char text[300];
};

static void hear(void *ctx, enum rota_log_level level, const char *area, const char *text)
{
    struct heard *heard = ctx;

    if (level != ROTA_LOG_WARN || strcmp(area, "net") != 0)
        return;
    heard->n++;
    snprintf(heard->text, sizeof(heard->text), "%s", text);
}

#define BYTES(text) ROTA_SLICE(text)

static const struct complaint_case {
    const char *rule;
    struct rota_slice bytes;
    const char *want;
} cases[] = {
    {"who says nothing", BYTES(""), "cut off, no HTTP/2 SETTINGS came"},
    {"who begins a header block and does not end it", BYTES(PREFACE "\0\0" BLOCK_SIZE "\1\0\0\0\0\1" BLOCK),
     "cut off, the peer began a header block and did not end it in time"},
    {"who breaks the rules on a stream", BYTES(PREFACE "\0\0" BLOCK_SIZE "\1\4\0\0\0\1" BLOCK "\0\0\4\x08\0\0\0\0\1\0\0\0\0"), "PROTOCOL_ERROR"},
    {"whose request is none", BYTES(PREFACE "\0\0\x45\1\5\0\0\0\1" BLOCK "\x00\x0a" "connection\x05" "close"),
     "request refused: header fields that HTTP/2 does not allow"},
    {"who breaks those of the connection", BYTES(PREFACE "\0\0\7\6\0\0\0\0\0" "1234567"), "FRAME_SIZE_ERROR"},
    {"who speaks something else", BYTES("GET / HTTP/1.1\r\n\r\n"), "the client speaks HTTP/1, not HTTP/2"},
};

static int connect_to(const char *bound)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    assert_true(fd >= 0);
    address.sin_port = htons((uint16_t)strtol(strrchr(bound, ':') + 1, NULL, 10));
    assert_int_equal(connect(fd, (struct sockaddr *)&address, sizeof(address)), 0);
    return fd;
}

static void the_log_says_why(bool servers_own)
{
    for (size_t i = 0; i < ROTA_COUNT(cases); i++) {
        struct heard heard = {0};
        const struct rota_log log = {.write = hear, .ctx = &heard};
        struct rota_loop_options loop_options = ROTA_LOOP_OPTIONS_INIT;
        struct rota_server_options options = ROTA_SERVER_OPTIONS_INIT;
        struct rota_loop *loop;
        struct test_server s;
        int fd;

        print_message("  %s\n", cases[i].rule);
        *(servers_own ? &options.log : &loop_options.log) = &log;
        assert_int_equal(rota_loop_new(&loop_options, &loop), 0);
        options.handshake_timeout_ms = 50;
        test_server_open(&s, loop, "127.0.0.1:0", &options);
        fd = connect_to(s.bound);
        assert_int_equal(send(fd, cases[i].bytes.data, cases[i].bytes.size, MSG_NOSIGNAL), cases[i].bytes.size);
        while (heard.n == 0)
            assert_int_equal(rota_loop_turn(loop), 0);
        assert_non_null(strstr(heard.text, "127.0.0.1:"));
        if (strstr(heard.text, cases[i].want) == NULL)
            fail_msg("\"%s\" lacks \"%s\"", heard.text, cases[i].want);
        close(fd);
        test_server_close(&s);
        assert_int_equal(heard.n, 1);
        rota_loop_free(loop);
    }
}

static void the_loops_log_says_why(void **unused)
{
    (void)unused;
    the_log_says_why(false);
}

static void the_servers_own_log_does(void **unused)
{
    (void)unused;
    the_log_says_why(true);
}

/* --- Over and over --- */

#define GOAWAY "\0\0\x08\7\0\0\0\0\0\0\0\0\0\0\0\0\2"

/* Until the server has closed it. */
static void wait_for_end(struct rota_loop *loop, int fd)
{
    uint8_t bytes[512];
    ssize_t size = 1;

    while (size > 0 || (size < 0 && errno == EAGAIN)) {
        size = recv(fd, bytes, sizeof(bytes), MSG_DONTWAIT);
        assert_int_equal(rota_loop_turn(loop), 0);
    }
    close(fd);
}

static void what_clients_repeat_is_told_once_a_second(void **unused)
{
    struct heard heard = {0};
    const struct rota_log log = {.write = hear, .ctx = &heard};
    struct rota_loop_options loop_options = ROTA_LOOP_OPTIONS_INIT;
    struct rota_slice bytes = BYTES(PREFACE GOAWAY);
    struct rota_loop *loop;
    struct test_server s;
    int64_t begun_ns;

    (void)unused;
    loop_options.log = &log;
    assert_int_equal(rota_loop_new(&loop_options, &loop), 0);
    test_server_open(&s, loop, "127.0.0.1:0", NULL);
    begun_ns = rota_loop_now_ns(loop);
    for (int i = 0; i < 10; i++) {
        int fd = connect_to(s.bound);
        assert_int_equal(send(fd, bytes.data, bytes.size, MSG_NOSIGNAL), bytes.size);
        wait_for_end(loop, fd);
    }
    assert_non_null(strstr(heard.text, "GOAWAY, "));
    assert_in_range(heard.n, 1, 1 + (rota_loop_now_ns(loop) - begun_ns) / 1000000000);
    test_server_close(&s);
    rota_loop_free(loop);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_loops_log_says_why),
        cmocka_unit_test(the_servers_own_log_does),
        cmocka_unit_test(what_clients_repeat_is_told_once_a_second),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
