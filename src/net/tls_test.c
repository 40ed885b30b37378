/* tls_test.c - two engines: what makes a handshake succeed or fail, and what both sides then say of it. */
#include "base/assert.h"
#include "net/tls_pair_fixture.h"
#include <stdio.h>

enum twist { NONE, CLIENT_TLS12, CLIENT_TLS11, SERVER_TLS12, NO_ALPN, OTHER_ALPN, SERVER_NO_ALPN };

static const struct shake {
    const char *rule;
    const char *host, *server_name;
    const char *client_ca, *client_cert, *server_cert, *server_ca;
    bool require;
    enum twist twist;
    const char *at_client, *at_server; /* NULL: ready; else a part of what it says */
} shakes[] = {
    {.rule = "a name of the certificate", .host = "localhost", .client_ca = "ca", .server_cert = "server"},
    {.rule = "a name under a wildcard", .host = "a.example.test", .client_ca = "ca", .server_cert = "server"},
    {.rule = "a name in capitals, with the last dot", .host = "LOCALHOST.", .client_ca = "ca", .server_cert = "server"},
    {.rule = "an IPv4 address", .host = "127.0.0.1", .client_ca = "ca", .server_cert = "server"},
    {.rule = "an IPv6 address", .host = "::1", .client_ca = "ca", .server_cert = "server"},
    {.rule = "an IPv6 address with a zone", .host = "::1%lo", .client_ca = "ca", .server_cert = "server"},
    {.rule = "names have no zones", .host = "localhost%lo", .client_ca = "ca", .server_cert = "server",
     .at_client = "certificate is not for \"localhost%lo\"", .at_server = "client"},
    {.rule = "server_name takes the host's place", .host = "10.9.8.7", .server_name = "localhost", .client_ca = "ca", .server_cert = "server"},
    {.rule = "TLS 1.2 at the client", .host = "localhost", .client_ca = "ca", .server_cert = "server", .twist = CLIENT_TLS12},
    {.rule = "TLS 1.2 at the server", .host = "localhost", .client_ca = "ca", .server_cert = "server", .twist = SERVER_TLS12},
    {.rule = "a client certificate that is wanted", .host = "localhost", .client_ca = "ca", .client_cert = "client", .server_cert = "server",
     .server_ca = "ca", .require = true},
    {.rule = "a client without a certificate that may have one", .host = "localhost", .client_ca = "ca", .server_cert = "server", .server_ca = "ca"},
    {.rule = "a client certificate nobody wants", .host = "localhost", .client_ca = "ca", .client_cert = "client", .server_cert = "server"},
    {.rule = "expired", .host = "localhost", .client_ca = "ca", .server_cert = "expired",
     .at_client = "certificate has expired (CN=expired, it was valid until 20", .at_server = "our certificate has expired"},
    {.rule = "not yet valid", .host = "localhost", .client_ca = "ca", .server_cert = "early",
     .at_client = "certificate is not yet valid (CN=early, it will be from 20", .at_server = "does not accept our certificate"},
    {.rule = "wrong host", .host = "elsewhere.test", .client_ca = "ca", .server_cert = "server",
     .at_client = "certificate is not for \"elsewhere.test\" (it names localhost, *.example.test, 127.0.0.1, ::1)", .at_server = "client"},
    {.rule = "wrong address", .host = "127.0.0.2", .client_ca = "ca", .server_cert = "server",
     .at_client = "certificate is not for \"127.0.0.2\" (it names localhost, *.example.test, 127.0.0.1, ::1)", .at_server = "client"},
    {.rule = "a wildcard stands for one label", .host = "a.b.example.test", .client_ca = "ca", .server_cert = "server",
     .at_client = "is not for \"a.b.example.test\"", .at_server = "client"},
    {.rule = "a common name is no host", .host = "localhost", .client_ca = "ca", .server_cert = "other",
     .at_client = "is not for \"localhost\" (it names other.test)", .at_server = "client"},
    {.rule = "no name to check", .host = "", .client_ca = "ca", .server_cert = "server", .at_client = "tls.server_name says it", .at_server = ""},
    {.rule = "an issuer that is not trusted", .host = "localhost", .client_ca = "ca", .server_cert = "rogue",
     .at_client = "has an issuer that is not trusted (CN=rogue, issued by CN=Rogue CA; trusted are those in /", .at_server = "does not trust the issuer of our"},
    {.rule = "an issuer that the system does not know", .host = "localhost", .server_cert = "server",
     .at_client = "issued by CN=Test CA; trusted are those in the system's list", .at_server = "does not trust the issuer"},
    {.rule = "a certificate that is its own issuer", .host = "localhost", .client_ca = "ca", .server_cert = "rogue-ca",
     .at_client = "has an issuer that is not trusted (CN=Rogue CA", .at_server = "does not trust the issuer"},
    {.rule = "no client certificate", .host = "localhost", .client_ca = "ca", .server_cert = "server", .server_ca = "ca", .require = true,
     .at_client = "the server wants a client certificate, and none was shown", .at_server = "the client shows no certificate"},
    {.rule = "no client certificate, TLS 1.2", .host = "localhost", .client_ca = "ca", .server_cert = "server", .server_ca = "ca", .require = true,
     .twist = CLIENT_TLS12, .at_client = "it wants a client certificate", .at_server = "the client shows no certificate"},
    {.rule = "a client certificate of nobody", .host = "localhost", .client_ca = "ca", .client_cert = "rogue", .server_cert = "server",
     .server_ca = "ca", .require = true, .at_client = "the server does not trust the issuer of our certificate",
     .at_server = "client certificate has an issuer that is not trusted (CN=rogue"},
    {.rule = "an expired client certificate, optional or not", .host = "localhost", .client_ca = "ca", .client_cert = "expired",
     .server_cert = "server", .server_ca = "ca", .at_client = "the server says that our certificate has expired",
     .at_server = "client certificate has expired (CN=expired"},
    {.rule = "a client's certificate at a server", .host = "localhost", .client_ca = "ca", .server_cert = "for-clients",
     .at_client = "certificate is not meant for servers (CN=for-clients)", .at_server = "the client says that our certificate is not meant for servers"},
    {.rule = "a server's certificate at a client", .host = "localhost", .client_ca = "ca", .client_cert = "for-servers", .server_cert = "server",
     .server_ca = "ca", .require = true, .at_client = "the server says that our certificate is not meant for clients",
     .at_server = "client certificate is not meant for clients (CN=for-servers)"},
    {.rule = "a client older than TLS 1.2", .host = "localhost", .client_ca = "ca", .server_cert = "server", .twist = CLIENT_TLS11,
     .at_client = "", .at_server = "not 1.2 or later"},
    {.rule = "a client without ALPN", .host = "localhost", .client_ca = "ca", .server_cert = "server", .twist = NO_ALPN,
     .at_client = "refuses h2 in ALPN", .at_server = "offers nothing in ALPN"},
    {.rule = "a client that speaks something else", .host = "localhost", .client_ca = "ca", .server_cert = "server", .twist = OTHER_ALPN,
     .at_client = "refuses h2 in ALPN", .at_server = "does not offer h2 in ALPN"},
    {.rule = "a server without ALPN", .host = "localhost", .client_ca = "ca", .server_cert = "server", .twist = SERVER_NO_ALPN,
     .at_client = "the server does not speak HTTP/2 (it does not agree to h2 in ALPN)", .at_server = NULL},
};

static int alpn_of_nobody(SSL *ssl, const unsigned char **ret_protocol, unsigned char *ret_size, const unsigned char *offered, unsigned size, void *arg)
{
    (void)ssl, (void)ret_protocol, (void)ret_size, (void)offered, (void)size, (void)arg;
    return SSL_TLSEXT_ERR_NOACK;
}

static void twist_pair(struct tls_pair *p, enum twist twist)
{
    static const uint8_t http1[] = "\x08http/1.1\x02h3";
    SSL *client = p->client.tls->ssl, *server = p->server.tls->ssl;

    switch (twist) {
    case CLIENT_TLS12: SSL_set_max_proto_version(client, TLS1_2_VERSION); break;
    case SERVER_TLS12: SSL_set_max_proto_version(server, TLS1_2_VERSION); break;
    case CLIENT_TLS11:
        SSL_set_min_proto_version(client, TLS1_VERSION);
        SSL_set_max_proto_version(client, TLS1_1_VERSION);
        SSL_set_cipher_list(client, "ALL:@SECLEVEL=0");
        break;
    case NO_ALPN: assert_int_equal(SSL_set_alpn_protos(client, NULL, 0), 0); break;
    case OTHER_ALPN: assert_int_equal(SSL_set_alpn_protos(client, http1, sizeof(http1) - 1), 0); break;
    default: break;
    }
}

static void check_side(const struct tls_side *side, const char *says)
{
    if (says == NULL) {
        assert_true(rota_tls_ready(side->tls));
        return;
    }
    if (says[0] == '\0')
        return;
    /* A TLS 1.3 client is done before the server has seen its certificate. */
    assert_true(!rota_tls_ready(side->tls) || !side->config->server);
    if (strstr(side->why.text, says) == NULL)
        fail_msg("\"%s\" has no \"%s\"", side->why.text, says);
    assert_int_equal(side->err, ROTA_EPROTO);
}

static const char *file_of(const char *stem, const char *end)
{
    static char names[4][64];
    static unsigned next;
    char *name = names[next++ % 4];

    if (stem == NULL)
        return NULL;
    snprintf(name, sizeof(names[0]), "%s%s", stem, end);
    return name;
}

static void run_shake(const struct shake *row, size_t cut_bytes)
{
    struct rota_tls_options client = tls_files(file_of(row->client_ca, ".pem"), file_of(row->client_cert, ".pem"), file_of(row->client_cert, ".key"));
    struct rota_tls_options server = tls_files(file_of(row->server_ca, ".pem"), file_of(row->server_cert, ".pem"), file_of(row->server_cert, ".key"));
    struct tls_pair p;

    client.server_name = row->server_name;
    server.require_client_cert = row->require;
    tls_pair_init(&p, &client, &server);
    p.cut_bytes = cut_bytes;
    p.cut_at_random = cut_bytes > 1;
    if (row->twist == SERVER_NO_ALPN)
        SSL_CTX_set_alpn_select_cb(p.server.config->context, alpn_of_nobody, NULL);
    tls_pair_connect(&p, row->host, 0);
    twist_pair(&p, row->twist);
    tls_pair_pump(&p);
    check_side(&p.client, row->at_client);
    if (row->twist != SERVER_NO_ALPN)
        check_side(&p.server, row->at_server);
    tls_pair_fini(&p);
}

static void handshakes_succeed_or_say_why(void **unused)
{
    (void)unused;
    for (size_t i = 0; i < ROTA_COUNT(shakes); i++) {
        print_message("  %s\n", shakes[i].rule);
        run_shake(&shakes[i], 0);
        run_shake(&shakes[i], 1);
        run_shake(&shakes[i], 700);
    }
}

static void plain_peers_are_told_apart(void **unused)
{
    static const struct {
        const char *rule, *bytes, *at_client, *at_server;
    } rows[] = {
        {"HTTP/2 without TLS", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", "the server does not speak TLS", "the client does not speak TLS"},
        {"HTTP/1 without TLS", "GET / HTTP/1.1\r\nHost: a\r\n\r\n", "the server does not speak TLS", "the client does not speak TLS but plain HTTP"},
        {"an answer of HTTP/1", "HTTP/1.1 400 Bad Request\r\n\r\n", "the server does not speak TLS", "the client does not speak TLS"},
    };
    struct rota_tls_options client = tls_files("ca.pem", NULL, NULL), server = tls_files(NULL, "server.pem", "server.key");
    struct tls_pair p;

    (void)unused;
    tls_pair_init(&p, &client, &server);
    for (size_t i = 0; i < ROTA_COUNT(rows); i++) {
        uint8_t plain[64];
        size_t size;
        print_message("  %s\n", rows[i].rule);
        for (int at_server = 0; at_server < 2; at_server++) {
            struct tls_side *side = at_server ? &p.server : &p.client;
            tls_pair_connect(&p, "localhost", 0);
            if (!at_server)
                assert_int_equal(rota_tls_read(side->tls, plain, sizeof(plain), &size, NULL), 0);
            rota_tls_feed(side->tls, rota_slice_str(rows[i].bytes));
            assert_int_equal(rota_tls_read(side->tls, plain, sizeof(plain), &size, &side->why), ROTA_EPROTO);
            assert_string_equal(side->why.text, at_server ? rows[i].at_server : rows[i].at_client);
        }
    }
    tls_pair_fini(&p);
}

static void the_identity_is_what_the_certificate_says(void **unused)
{
    struct rota_tls_options client = tls_files("ca.pem", "client.pem", "client.key"), server = tls_files("ca.pem", "server.pem", "server.key");
    const char *const names[] = {"DNS:client.example.test", "URI:spiffe://example.test/zoe", "email:zoe@example.test", "IP:10.0.0.7"};
    const struct rota_identity *identity;
    struct tls_pair p;

    (void)unused;
    tls_pair_init(&p, &client, &server);
    for (int again = 0; again < 2; again++) { /* the second time by a session */
        tls_pair_shake(&p, "localhost");
        assert_int_equal(rota_tls_resumed(p.server.tls), again);
        identity = rota_tls_identity(p.server.tls);
        assert_non_null(identity);
        assert_string_equal(identity->peer.subject, "CN=Zoë,O=Example");
        assert_int_equal(identity->peer.n_names, ROTA_COUNT(names));
        for (size_t i = 0; i < ROTA_COUNT(names); i++)
            assert_string_equal(identity->peer.names[i], names[i]);
        assert_null(rota_tls_identity(p.client.tls));
    }
    tls_pair_fini(&p);
}

static void nobody_is_identified_who_showed_nothing(void **unused)
{
    struct rota_tls_options client = tls_files("ca.pem", NULL, NULL), server = tls_files("ca.pem", "server.pem", "server.key");
    struct tls_pair p;

    (void)unused;
    tls_pair_init(&p, &client, &server);
    tls_pair_shake(&p, "localhost");
    assert_true(rota_tls_ready(p.server.tls));
    assert_null(rota_tls_identity(p.server.tls));
    tls_pair_fini(&p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(handshakes_succeed_or_say_why),
        cmocka_unit_test(plain_peers_are_told_apart),
        cmocka_unit_test(the_identity_is_what_the_certificate_says),
        cmocka_unit_test(nobody_is_identified_who_showed_nothing),
    };

    return cmocka_run_group_tests_name("tls", tests, certs_setup, certs_teardown);
}
