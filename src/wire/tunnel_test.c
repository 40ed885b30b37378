/* tunnel_test.c - what is said to a proxy, and its answers: whole, byte by byte, cut in two. */
#include "wire/tunnel.h"

#include "base/assert.h"
#include "testing/cmocka.h"
#include <stdlib.h>

static void requests_name_the_host(void **state)
{
    char out[256], small[8];
    size_t size = rota_tunnel_request("a.example:443", "", out, sizeof(out));

    (void)state;
    assert_string_equal(out, "CONNECT a.example:443 HTTP/1.1\r\nHost: a.example:443\r\n\r\n");
    assert_int_equal(size, strlen(out));
    assert_int_equal(rota_tunnel_request("a.example:443", "", small, sizeof(small)), size);
    size = rota_tunnel_request("[::1]:80", "dTpw", out, sizeof(out));
    assert_string_equal(out, "CONNECT [::1]:80 HTTP/1.1\r\nHost: [::1]:80\r\nProxy-Authorization: Basic dTpw\r\n\r\n");
    assert_int_equal(size, strlen(out));
}

static const struct answer_case {
    const char *rule, *answer, *rest; /* rest: what is left when the tunnel is open; NULL: it does not open */
    const char *says;                 /* of a refusal; NULL: none */
} answers[] = {
    {"200 opens it", "HTTP/1.1 200 OK\r\n\r\n", "", NULL},
    {"any 2xx does", "HTTP/1.1 204 No Content\r\n\r\n", "", NULL},
    {"HTTP/1.0 too", "HTTP/1.0 200 Connection established\r\n\r\n", "", NULL},
    {"without a reason", "HTTP/1.1 200\r\n\r\n", "", NULL},
    {"with an empty one", "HTTP/1.1 200 \r\n\r\n", "", NULL},
    {"fields are passed over", "HTTP/1.1 200 OK\r\nVia: x\r\nContent-Length: 5\r\n\r\n", "", NULL},
    {"what follows is the server's", "HTTP/1.1 200 OK\r\n\r\n\r\nPRI", "\r\nPRI", NULL},
    {"lines may end in LF alone", "HTTP/1.1 200 OK\nVia: x\n\nrest", "rest", NULL},
    {"interim answers are passed over", "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early\r\nLink: x\r\n\r\nHTTP/1.1 200 OK\r\n\r\nrest", "rest", NULL},
    {"no end yet", "HTTP/1.1 200 OK\r\nVia: x\r\n", NULL, NULL},
    {"403 is a refusal", "HTTP/1.1 403 Forbidden\r\n\r\n", NULL, "the proxy refuses the connection: \"HTTP/1.1 403 Forbidden\""},
    {"it need not be whole", "HTTP/1.1 502 Bad Gateway\r\n", NULL, "\"HTTP/1.1 502 Bad Gateway\""},
    {"407 says where a login goes", "HTTP/1.1 407 Proxy Authentication Required\r\n\r\n", NULL, "go into the proxy's URL"},
    {"a redirect is none", "HTTP/1.1 302 Found\r\n\r\n", NULL, "302 Found"},
    {"101 is none", "HTTP/1.1 101 Switching Protocols\r\n\r\n", NULL, "101 Switching"},
    {"no HTTP", "SSH-2.0-OpenSSH\r\n", NULL, "is no HTTP/1.1: \"S\""},
    {"HTTP/2 is another thing", "HTTP/2 200\r\n\r\n", NULL, "is no HTTP/1.1"},
    {"TLS at once", "\x16\x03\x01", NULL, "is no HTTP/1.1: \"?\""},
    {"an empty line first", "\r\nHTTP/1.1 200 OK\r\n\r\n", NULL, "is no HTTP/1.1"},
    {"a code of two digits", "HTTP/1.1 20 OK\r\n\r\n", NULL, "is no HTTP/1.1: \"HTTP/1.1 20 OK\""},
    {"a code of four", "HTTP/1.1 2000 OK\r\n\r\n", NULL, "is no HTTP/1.1"},
    {"codes are digits", "HTTP/1.1 2x0 OK\r\n\r\n", NULL, "is no HTTP/1.1"},
    {"odd bytes are not shown", "HTTP/1.1 500 \x1b[31m\xff\r\n\r\n", NULL, "\"HTTP/1.1 500 ?[31m?\""},
};

/* Feeds the answer in pieces of that size, the first of which is `first`. */
static void feed(const struct answer_case *c, size_t first, size_t piece)
{
    struct rota_tunnel tunnel = {0};
    struct rota_errinfo info = {{0}};
    size_t size = strlen(c->answer), at = 0, n = first, used;
    bool open = false;
    rota_err err = 0;

    while (err == 0 && !open && at < size) {
        n = n < size - at ? n : size - at;
        err = rota_tunnel_feed(&tunnel, rota_slice(c->answer + at, n), &used, &open, &info);
        at += err == 0 ? used : 0;
        n = piece;
    }
    assert_int_equal(err, c->says != NULL ? ROTA_EPROTO : 0);
    assert_int_equal(open, c->rest != NULL);
    if (c->rest != NULL)
        assert_string_equal(c->answer + at, c->rest);
    if (c->says != NULL && strstr(info.text, c->says) == NULL)
        fail_msg("\"%s\" does not say \"%s\"", info.text, c->says);
}

static void answers_are_understood(void **state)
{
    (void)state;
    for (size_t i = 0; i < ROTA_COUNT(answers); i++) {
        size_t size = strlen(answers[i].answer);

        print_message("  %s\n", answers[i].rule);
        feed(&answers[i], size, size);
        feed(&answers[i], 1, 1);
        for (size_t cut = 1; cut < size; cut++)
            feed(&answers[i], cut, size);
    }
}

static void answers_have_an_end(void **state)
{
    struct rota_tunnel tunnel = {0};
    struct rota_errinfo info = {{0}};
    struct rota_slice field = ROTA_SLICE("X-Long: 0123456789\r\n");
    rota_err err;
    size_t used, total = 17;
    bool open;

    (void)state;
    assert_int_equal(rota_tunnel_feed(&tunnel, ROTA_SLICE("HTTP/1.1 200 OK\r\n"), &used, &open, &info), 0);
    while ((err = rota_tunnel_feed(&tunnel, field, &used, &open, &info)) == 0)
        total += field.size;
    assert_int_equal(err, ROTA_EPROTO);
    assert_non_null(strstr(info.text, "no end within 8192 bytes"));
    assert_in_range(total, ROTA_TUNNEL_HEAD_MAX - field.size, ROTA_TUNNEL_HEAD_MAX);
}

static void a_long_status_line_is_cut(void **state)
{
    struct rota_tunnel tunnel = {0};
    struct rota_errinfo info = {{0}};
    char line[1000];
    size_t used;
    bool open;

    (void)state;
    memset(line, 'x', sizeof(line));
    memcpy(line, "HTTP/1.1 403 ", 13);
    line[sizeof(line) - 1] = '\n';
    assert_int_equal(rota_tunnel_feed(&tunnel, rota_slice(line, sizeof(line)), &used, &open, &info), ROTA_EPROTO);
    assert_non_null(strstr(info.text, "403 xxx"));
    assert_true(strlen(info.text) < 200);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(requests_name_the_host),
        cmocka_unit_test(answers_are_understood),
        cmocka_unit_test(answers_have_an_end),
        cmocka_unit_test(a_long_status_line_is_cut),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
