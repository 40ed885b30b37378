/* tls_deaf_test.c - clients that make a server's TLS answer and never read: what waits for them is bounded, and for how long. */
#include "assembly/assembly_fixture.h"
#include "loop/loop.h"
#include "net/certs_fixture.h"
#include "net/tls12_fixture.h"
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define PREFACE "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\4\0\0\0\0\0"
/* A call of a method that is not there, which is over at once: DATA that was on its way counts for nothing. */
#define CALL "\0\0\x1b\1\4\0\0\0\1\x83\x86\x04\4/a/b\x0f\x10\x10" "application/grpc"
/* Of the answers, 31 bytes for each ClientHello, those for a record of data; and what the system may keep of them once told to keep little. */
enum { HELLOS = 32, ROUND_BYTES = HELLOS * 31, SYSTEM_BYTES = 256 << 10 };

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

struct client {
    struct rota_loop *loop; /* the server's, on this thread */
    SSL_CTX *context;
    SSL *ssl;
    struct tls12_sealer sealer;
    int fd;
};

/* The system is to keep as little as it can: at the server's end, which is the other socket of this process with that port. */
static void keep_little(int client_fd, uint16_t port)
{
    int small = 1;

    for (int fd = 3; fd < 256; fd++) {
        struct sockaddr_in here = {0}, there = {0};
        socklen_t here_size = sizeof(here), there_size = sizeof(there);
        if (getsockname(fd, (struct sockaddr *)&here, &here_size) == 0 && getpeername(fd, (struct sockaddr *)&there, &there_size) == 0 &&
            here.sin_family == AF_INET && ntohs(here.sin_port) == port)
            assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &small, sizeof(small)), 0);
    }
    assert_int_equal(setsockopt(client_fd, SOL_SOCKET, SO_RCVBUF, &small, sizeof(small)), 0);
}

static void client_open(struct client *c, struct rota_loop *loop, const char *bound)
{
    static const uint8_t h2[] = "\2h2";
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    uint16_t port = (uint16_t)strtol(strrchr(bound, ':') + 1, NULL, 10);

    c->loop = loop;
    c->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    address.sin_port = htons(port);
    assert_int_equal(connect(c->fd, (struct sockaddr *)&address, sizeof(address)), 0);
    assert_int_equal(fcntl(c->fd, F_SETFL, O_NONBLOCK), 0);
    c->context = SSL_CTX_new(TLS_client_method());
    assert_int_equal(SSL_CTX_set_max_proto_version(c->context, TLS1_2_VERSION), 1);
    assert_int_equal(SSL_CTX_set_cipher_list(c->context, TLS12_CIPHER), 1);
    assert_int_equal(SSL_CTX_set_alpn_protos(c->context, h2, 3), 0);
    c->ssl = SSL_new(c->context);
    assert_int_equal(SSL_set_fd(c->ssl, c->fd), 1);
    while (SSL_connect(c->ssl) != 1)
        assert_int_equal(rota_loop_turn(loop), 0);
    tls12_sealer_init(&c->sealer, c->ssl);
    keep_little(c->fd, port);
}

static void client_close(struct client *c)
{
    SSL_free(c->ssl);
    SSL_CTX_free(c->context);
    close(c->fd);
}

static void client_send(struct client *c, uint8_t type, const void *data, size_t size)
{
    uint8_t record[TLS12_RECORD_BYTES + TLS12_OVERHEAD_BYTES];
    size_t sealed = tls12_seal(&c->sealer, type, rota_slice(data, size), record), sent = 0;

    while (sent < sealed) {
        ssize_t n = send(c->fd, record + sent, sealed - sent, MSG_NOSIGNAL);
        if (n < 0 && errno != EAGAIN)
            return; /* it has been ended */
        sent += n > 0 ? (size_t)n : 0;
        assert_int_equal(rota_loop_turn(c->loop), 0);
    }
}

/* As many handshakes as a record of data allows, and that record. */
static void client_flood(struct client *c)
{
    static const uint8_t frame[TLS12_RECORD_BYTES] = {0, 0x3f, 0xf7, 0, 0, 0, 0, 0, 1};
    uint8_t hellos[4 * HELLOS] = {0};

    for (int i = 0; i < HELLOS; i++)
        hellos[4 * i] = SSL3_MT_CLIENT_HELLO;
    client_send(c, SSL3_RT_HANDSHAKE, hellos, sizeof(hellos));
    client_send(c, SSL3_RT_APPLICATION_DATA, frame, sizeof(frame));
}

static const struct deaf_case {
    const char *rule;
    int64_t write_timeout_ms;
    int rounds; /* of the flood; what follows is silence */
    int at_least;
    const char *want;
} cases[] = {
    {"who lets half a megabyte wait", 600000, 5000, (512 << 10) / ROUND_BYTES, "TLS: the peer reads nothing of what is answered"},
    {"who takes nothing for too long", 50, SYSTEM_BYTES / ROUND_BYTES, 1, "cut off, it reads nothing of what is sent to it"},
};

static void who_never_reads_is_cut_off(void **unused)
{
    (void)unused;
    for (size_t i = 0; i < ROTA_COUNT(cases); i++) {
        const struct deaf_case *row = &cases[i];
        struct heard heard = {0};
        const struct rota_log log = {.write = hear, .ctx = &heard};
        struct rota_loop_options loop_options = ROTA_LOOP_OPTIONS_INIT;
        struct rota_server_options options = ROTA_SERVER_OPTIONS_INIT;
        struct rota_tls_options tls = ROTA_TLS_OPTIONS_INIT;
        struct rota_loop *loop;
        struct test_server s;
        struct client c;
        int rounds = 0;

        print_message("  %s\n", row->rule);
        loop_options.log = &log;
        assert_int_equal(rota_loop_new(&loop_options, &loop), 0);
        tls.cert_file = certs_path(certs_dir, "server.pem");
        tls.key_file = certs_path(certs_dir, "server.key");
        options.tls = &tls;
        options.write_timeout_ms = row->write_timeout_ms;
        test_server_open(&s, loop, "127.0.0.1:0", &options);
        client_open(&c, loop, s.bound);
        client_send(&c, SSL3_RT_APPLICATION_DATA, PREFACE CALL, sizeof(PREFACE CALL) - 1);
        for (; rounds < row->rounds && heard.n == 0; rounds++)
            client_flood(&c);
        while (heard.n == 0 && rounds < 5000)
            assert_int_equal(rota_loop_wait_turn(loop), 0);
        if (strstr(heard.text, row->want) == NULL)
            fail_msg("\"%s\" lacks \"%s\"", heard.text, row->want);
        assert_in_range(rounds, row->at_least, row->at_least + 1 + SYSTEM_BYTES / ROUND_BYTES);
        client_close(&c);
        test_server_close(&s);
        rota_loop_free(loop);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(who_never_reads_is_cut_off),
    };
    return cmocka_run_group_tests(tests, certs_setup, certs_teardown);
}
