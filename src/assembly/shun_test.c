/* shun_test.c - a client that floods: it stands still, and a second later it hears why and is rid of. */
#include "assembly/assembly_fixture.h"
#include "loop/loop.h"
#include "net/certs_fixture.h"
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <openssl/ssl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define PREFACE "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\4\0\0\0\0\0"
#define MS INT64_C(1000000)

enum {
    GOAWAY = 7,
    ENHANCE_YOUR_CALM = 11,
    HEAD_BYTES = 9,
    FLOOD_FRAMES = 2000, /* SETTINGS, twice what is allowed at once */
    SOCKET_BYTES = 16 << 20, /* what the system may hold of one connection, both ends */
    SHUNNED_MAX = 128, /* link.c */
};

struct client {
    struct rota_loop *loop; /* the server's, on this thread */
    int fd;
    SSL_CTX *context; /* NULL: plaintext */
    SSL *ssl;
    uint8_t got[65536]; /* what the server has sent */
    size_t n_got;
    bool warned, ended; /* by GOAWAY; by the end of file, or an error */
};

static void client_open(struct client *c, struct rota_loop *loop, const char *bound, bool tls)
{
    static const uint8_t h2[] = "\2h2";
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};

    *c = (struct client){.loop = loop, .fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)};
    address.sin_port = htons((uint16_t)strtol(strrchr(bound, ':') + 1, NULL, 10));
    assert_int_equal(connect(c->fd, (struct sockaddr *)&address, sizeof(address)), 0);
    assert_int_equal(fcntl(c->fd, F_SETFL, O_NONBLOCK), 0);
    if (!tls)
        return;
    c->context = SSL_CTX_new(TLS_client_method());
    assert_int_equal(SSL_CTX_set_alpn_protos(c->context, h2, 3), 0);
    c->ssl = SSL_new(c->context);
    assert_int_equal(SSL_set_fd(c->ssl, c->fd), 1);
    while (SSL_connect(c->ssl) != 1)
        assert_int_equal(rota_loop_turn(loop), 0);
}

static void client_close(struct client *c)
{
    SSL_free(c->ssl);
    SSL_CTX_free(c->context);
    close(c->fd);
}

/* How much was sent; 0: there is no room now, or nobody. */
static size_t client_try(struct client *c, const void *data, size_t size)
{
    ssize_t n = c->ssl != NULL ? SSL_write(c->ssl, data, (int)size) : send(c->fd, data, size, MSG_NOSIGNAL);

    return n > 0 ? (size_t)n : 0;
}

static void client_send(struct client *c, const void *data, size_t size)
{
    for (size_t sent = 0; sent < size;) {
        sent += client_try(c, (const uint8_t *)data + sent, size - sent);
        assert_int_equal(rota_loop_turn(c->loop), 0);
    }
}

static void client_look(struct client *c)
{
    size_t at = 0;

    while (at + HEAD_BYTES + 8 <= c->n_got) {
        const uint8_t *frame = c->got + at;
        c->warned |= frame[3] == GOAWAY && frame[HEAD_BYTES + 7] == ENHANCE_YOUR_CALM;
        at += HEAD_BYTES + ((size_t)frame[1] << 8 | frame[2]);
    }
}

static void client_read(struct client *c)
{
    uint8_t bytes[4096];
    ssize_t n = c->ssl != NULL ? SSL_read(c->ssl, bytes, sizeof(bytes)) : recv(c->fd, bytes, sizeof(bytes), 0);
    bool later = c->ssl != NULL ? SSL_get_error(c->ssl, (int)n) == SSL_ERROR_WANT_READ : n < 0 && errno == EAGAIN;

    if (n > 0) {
        assert_in_range(c->n_got + (size_t)n, 0, sizeof(c->got));
        memcpy(c->got + c->n_got, bytes, (size_t)n);
        c->n_got += (size_t)n;
        client_look(c);
    } else if (!later) {
        c->ended = true;
    }
}

static void client_flood(struct client *c)
{
    uint8_t settings[FLOOD_FRAMES][HEAD_BYTES] = {{0}};

    for (int i = 0; i < FLOOD_FRAMES; i++)
        settings[i][3] = 4;
    client_send(c, PREFACE, sizeof(PREFACE) - 1);
    client_send(c, settings, sizeof(settings));
    for (int turns = 0; turns < 20; turns++)
        assert_int_equal(rota_loop_turn(c->loop), 0);
}

static void serve(struct test_server *s, struct rota_loop *loop, bool with_tls)
{
    struct rota_server_options options = ROTA_SERVER_OPTIONS_INIT;
    struct rota_tls_options tls = ROTA_TLS_OPTIONS_INIT;

    tls.cert_file = certs_path(certs_dir, "server.pem");
    tls.key_file = certs_path(certs_dir, "server.key");
    options.tls = with_tls ? &tls : NULL;
    test_server_open(s, loop, "127.0.0.1:0", &options);
}

/* Sends on for so long, or until it is ended; how much was taken. */
static size_t go_on(struct client *c, int64_t until_ns)
{
    static const uint8_t more[65536];
    size_t taken = 0;

    while (!c->ended && rota_loop_now_ns(c->loop) < until_ns) {
        taken += client_try(c, more, sizeof(more));
        client_read(c);
        assert_int_equal(rota_loop_turn(c->loop), 0);
    }
    return taken;
}

static void who_floods_stands_still(void **unused)
{
    (void)unused;
    for (int with_tls = 0; with_tls < 2; with_tls++) {
        struct rota_loop *loop;
        struct test_server s;
        struct client c;
        int64_t begun_ns;

        print_message("  %s\n", with_tls ? "TLS" : "plaintext");
        assert_int_equal(rota_loop_new(NULL, &loop), 0);
        serve(&s, loop, with_tls);
        client_open(&c, loop, s.bound, with_tls);
        begun_ns = rota_loop_now_ns(loop);
        client_flood(&c);
        assert_in_range(go_on(&c, begun_ns + 700 * MS), 0, SOCKET_BYTES);
        assert_false(c.warned || c.ended);
        assert_int_equal(rota_server_stats(s.server).connections_open, 1);
        go_on(&c, begun_ns + 10000 * MS);
        assert_true(c.warned && c.ended);
        assert_in_range(rota_loop_now_ns(loop) - begun_ns, 900 * MS, 5000 * MS);
        client_close(&c);
        test_server_close(&s);
        rota_loop_free(loop);
    }
}

static void set(void *arg)
{
    *(bool *)arg = true;
}

static void turn_until(const struct test_server *s, const bool *over, int64_t until_ns)
{
    while (!*over && rota_loop_now_ns(s->loop) < until_ns)
        assert_int_equal(rota_loop_turn(s->loop), 0);
}

static void by_closing(struct test_server *s, struct client *c, bool *over)
{
    (void)c;
    rota_server_close(s->server, set, over);
}

static void by_draining(struct test_server *s, struct client *c, bool *over)
{
    (void)c;
    rota_server_drain(s->server, 10000, set, over);
}

static void by_leaving(struct test_server *s, struct client *c, bool *over)
{
    shutdown(c->fd, SHUT_WR);
    while (rota_server_stats(s->server).connections_open > 0)
        assert_int_equal(rota_loop_turn(s->loop), 0);
    *over = true;
}

static void nobody_waits_for_them(void **unused)
{
    (void)unused;
    static const struct {
        const char *rule;
        void (*end)(struct test_server *s, struct client *c, bool *over);
    } cases[] = {
        {"a server that closes does not wait", by_closing},
        {"nor one that drains", by_draining},
        {"who has gone is forgotten", by_leaving},
    };

    for (size_t i = 0; i < ROTA_COUNT(cases); i++) {
        struct rota_loop *loop;
        struct test_server s;
        struct client c;
        int64_t begun_ns;
        bool over = false;

        print_message("  %s\n", cases[i].rule);
        assert_int_equal(rota_loop_new(NULL, &loop), 0);
        serve(&s, loop, false);
        client_open(&c, loop, s.bound, false);
        client_flood(&c);
        assert_int_equal(rota_server_stats(s.server).connections_open, 1);
        begun_ns = rota_loop_now_ns(loop);
        cases[i].end(&s, &c, &over);
        turn_until(&s, &over, begun_ns + 500 * MS);
        assert_true(over);
        assert_in_range(rota_loop_now_ns(loop) - begun_ns, 0, 500 * MS);
        go_on(&c, begun_ns + 1000 * MS);
        assert_true(c.warned && c.ended);
        client_close(&c);
        if (cases[i].end != by_closing)
            test_server_close(&s);
        rota_loop_free(loop);
    }
}

static bool ends_by(struct client *c, int64_t until_ns)
{
    while (!c->ended && rota_loop_now_ns(c->loop) < until_ns) {
        client_read(c);
        assert_int_equal(rota_loop_turn(c->loop), 0);
    }
    return c->ended;
}

/* Or a crowd of them would hold what the system has for sockets. What takes a second shows nothing, since the first are gone then. */
static void beyond_a_number_they_are_closed(void **unused)
{
    (void)unused;
    static struct client crowd[SHUNNED_MAX + 1];
    struct client *last = &crowd[SHUNNED_MAX];
    bool shown = false;

    for (int tries = 0; tries < 20 && !shown; tries++) {
        struct rota_loop *loop;
        struct test_server s;
        int64_t begun_ns;

        assert_int_equal(rota_loop_new(NULL, &loop), 0);
        serve(&s, loop, false);
        begun_ns = rota_loop_now_ns(loop);
        for (size_t i = 0; i < ROTA_COUNT(crowd); i++) {
            client_open(&crowd[i], loop, s.bound, false);
            client_flood(&crowd[i]);
        }
        shown = ends_by(last, begun_ns + 900 * MS) && last->warned && !ends_by(&crowd[0], rota_loop_now_ns(loop) + 10 * MS) && !crowd[0].warned;
        for (size_t i = 0; i < ROTA_COUNT(crowd); i++)
            client_close(&crowd[i]);
        test_server_close(&s);
        rota_loop_free(loop);
    }
    assert_true(shown);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(who_floods_stands_still),
        cmocka_unit_test(nobody_waits_for_them),
        cmocka_unit_test(beyond_a_number_they_are_closed),
    };
    return cmocka_run_group_tests(tests, certs_setup, certs_teardown);
}
