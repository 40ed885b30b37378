/* tls_life_test.c - after the handshake: data, keys, closing, sessions; files that change; options; no memory. */
#include "base/assert.h"
#include "net/tls_pair_fixture.h"
#include <openssl/err.h>
#include <openssl/pem.h>
#include <stdio.h>
#include <stdlib.h>

#define NS_PER_S INT64_C(1000000000)

static void init_usual(struct tls_pair *p)
{
    struct rota_tls_options client = tls_files("ca.pem", NULL, NULL), server = tls_files(NULL, "server.pem", "server.key");

    tls_pair_init(p, &client, &server);
}

static void use_tls12(struct tls_pair *p)
{
    assert_int_equal(SSL_CTX_set_max_proto_version(p->client.config->context, TLS1_2_VERSION), 1);
}

static void send_much(struct tls_pair *p, struct tls_side *from, struct tls_side *to, size_t size)
{
    uint8_t *bytes = malloc(size);

    for (size_t i = 0; i < size; i++)
        bytes[i] = (uint8_t)(i * 7 + i / 251);
    for (size_t at = 0; at < size; at += 50000) {
        tls_pair_send(from, rota_slice(bytes + at, size - at < 50000 ? size - at : 50000));
        tls_pair_pump(p);
    }
    assert_int_equal(rota_buffer_peek(&to->got).size, size);
    assert_memory_equal(rota_buffer_peek(&to->got).data, bytes, size);
    free(bytes);
}

static void data_arrives_as_it_was_sent(void **unused)
{
    static const size_t cuts[] = {0, 1, 7, 4000, 40000};

    (void)unused;
    for (int old = 0; old < 2; old++) {
        for (size_t i = 0; i < ROTA_COUNT(cuts); i++) {
            size_t size = cuts[i] == 1 ? 40000 : 1000000;
            struct tls_pair p;
            init_usual(&p);
            if (old)
                use_tls12(&p);
            p.cut_bytes = cuts[i];
            p.cut_at_random = cuts[i] > 1;
            tls_pair_shake(&p, "localhost");
            send_much(&p, &p.client, &p.server, size);
            send_much(&p, &p.server, &p.client, size);
            tls_pair_fini(&p);
        }
    }
}

static void keys_are_renewed_by_either_side(void **unused)
{
    struct tls_pair p;

    (void)unused;
    init_usual(&p);
    p.client.config->records_per_key = p.server.config->records_per_key = 3;
    tls_pair_shake(&p, "localhost");
    send_much(&p, &p.client, &p.server, 1000000);
    assert_true(p.client.tls->records < 3);
    send_much(&p, &p.server, &p.client, 1000000);
    /* Asked to renew its own as well, the other side does with its next data. */
    assert_int_equal(SSL_key_update(p.client.tls->ssl, SSL_KEY_UPDATE_REQUESTED), 1);
    tls_pair_send(&p.client, ROTA_SLICE("x"));
    tls_pair_pump(&p);
    tls_pair_send(&p.server, ROTA_SLICE("y"));
    tls_pair_pump(&p);
    assert_int_equal(p.client.err, 0);
    assert_int_equal(p.server.err, 0);
    tls_pair_fini(&p);
}

static void renewing_keys_without_end_is_a_fault(void **unused)
{
    struct tls_pair p;
    int rounds;

    (void)unused;
    init_usual(&p);
    tls_pair_shake(&p, "localhost");
    for (rounds = 0; rounds < 100 && p.server.err == 0; rounds++) {
        assert_int_equal(SSL_key_update(p.client.tls->ssl, SSL_KEY_UPDATE_NOT_REQUESTED), 1);
        assert_int_equal(SSL_do_handshake(p.client.tls->ssl), 1);
        tls_pair_pump(&p);
    }
    assert_in_range(rounds, 30, 40);
    assert_string_equal(p.server.why.text, "the peer sends one handshake message after the other, and hardly any data");
    tls_pair_fini(&p);
}

static void closing_is_told_and_final(void **unused)
{
    struct tls_pair p;

    (void)unused;
    init_usual(&p);
    tls_pair_connect(&p, "localhost", 0);
    rota_tls_close(p.client.tls); /* before the handshake: nothing */
    assert_int_equal(rota_buffer_peek(&p.client.out).size, 0);
    tls_pair_pump(&p);
    tls_pair_send(&p.server, ROTA_SLICE("last words"));
    rota_tls_close(p.server.tls);
    tls_pair_pump(&p);
    assert_int_equal(rota_buffer_peek(&p.client.got).size, 10);
    assert_int_equal(p.client.err, ROTA_ECLOSED);
    assert_string_equal(p.client.why.text, "closed by the peer");
    rota_tls_close(p.client.tls);
    tls_pair_pump(&p);
    assert_int_equal(p.server.err, ROTA_ECLOSED);
    tls_pair_fini(&p);
}

static void a_forged_record_ends_it(void **unused)
{
    struct tls_pair p;
    struct rota_errinfo info;

    (void)unused;
    init_usual(&p);
    tls_pair_shake(&p, "localhost");
    tls_pair_send(&p.client, ROTA_SLICE("to be changed on its way"));
    p.client.out.data[p.client.out.tail - 1] ^= 1;
    tls_pair_pump(&p);
    assert_int_equal(p.server.err, ROTA_EPROTO);
    assert_int_equal(rota_tls_write(p.server.tls, ROTA_SLICE("x"), &info), ROTA_EPROTO);
    assert_int_equal(rota_buffer_peek(&p.server.got).size, 0);
    assert_int_equal(p.client.err, ROTA_EPROTO); /* the alert */
    tls_pair_fini(&p);
}

/* --- Sessions --- */

static void sessions_are_resumed(void **unused)
{
    (void)unused;
    for (int old = 0; old < 2; old++) {
        struct tls_pair p;
        init_usual(&p);
        if (old)
            use_tls12(&p);
        tls_pair_shake(&p, "localhost");
        assert_false(rota_tls_resumed(p.client.tls));
        for (int again = 0; again < 3; again++) {
            tls_pair_shake(&p, "localhost");
            assert_true(rota_tls_ready(p.client.tls) && rota_tls_ready(p.server.tls));
            assert_true(rota_tls_resumed(p.client.tls) && rota_tls_resumed(p.server.tls));
        }
        /* Another name is checked by a handshake of its own. */
        tls_pair_shake(&p, "a.example.test");
        assert_false(rota_tls_resumed(p.client.tls));
        tls_pair_shake(&p, "elsewhere.test");
        assert_false(rota_tls_ready(p.client.tls));
        tls_pair_fini(&p);
    }
}

static void a_failed_connection_is_not_resumed(void **unused)
{
    struct tls_pair p;

    (void)unused;
    init_usual(&p);
    tls_pair_shake(&p, "localhost");
    tls_pair_send(&p.server, ROTA_SLICE("x"));
    p.server.out.data[p.server.out.tail - 1] ^= 1;
    tls_pair_pump(&p);
    assert_int_equal(p.client.err, ROTA_EPROTO);
    tls_pair_shake(&p, "localhost");
    assert_true(rota_tls_ready(p.client.tls));
    assert_false(rota_tls_resumed(p.client.tls));
    tls_pair_fini(&p);
}

static void sessions_kept_are_bounded(void **unused)
{
    struct tls_pair p;
    char host[64];

    (void)unused;
    init_usual(&p);
    for (int i = 0; i < 260; i++) {
        snprintf(host, sizeof(host), "h%d.example.test", i);
        tls_pair_shake(&p, host);
    }
    assert_int_equal(p.client.config->n_sessions, 256);
    tls_pair_shake(&p, "h3.example.test");
    assert_false(rota_tls_resumed(p.client.tls));
    tls_pair_shake(&p, "h259.example.test");
    assert_true(rota_tls_resumed(p.client.tls));
    tls_pair_fini(&p);
}

static int accept_any(int good, X509_STORE_CTX *store)
{
    (void)good;
    (void)store;
    return 1;
}

/* Makes a connection whose certificates are not looked at, as if they were still valid; what follows looks again. */
static void shake_before_expiry(struct tls_pair *p)
{
    SSL_CTX *contexts[] = {p->client.config->context, p->server.config->context};
    SSL_verify_cb checks[2];

    for (int i = 0; i < 2; i++) {
        checks[i] = SSL_CTX_get_verify_callback(contexts[i]);
        SSL_CTX_set_verify(contexts[i], SSL_CTX_get_verify_mode(contexts[i]), accept_any);
    }
    tls_pair_shake(p, "localhost");
    assert_true(rota_tls_ready(p->client.tls) && rota_tls_ready(p->server.tls));
    assert_int_equal(p->client.config->n_sessions, 1);
    for (int i = 0; i < 2; i++)
        SSL_CTX_set_verify(contexts[i], SSL_CTX_get_verify_mode(contexts[i]), checks[i]);
}

static void an_expired_certificate_is_not_resumed(void **unused)
{
    static const struct {
        const char *rule, *client_cert, *server_cert, *at_client, *at_server;
        bool old;
    } rows[] = {
        {"a client's", "expired.pem", "server.pem", "our certificate has expired", "client certificate has expired (CN=expired", false},
        {"a client's, TLS 1.2", "expired.pem", "server.pem", "our certificate has expired", "client certificate has expired (CN=expired", true},
        {"a server's", "client.pem", "expired.pem", "certificate has expired (CN=expired", "our certificate has expired", false},
        {"a server's, TLS 1.2", "client.pem", "expired.pem", "certificate has expired (CN=expired", "our certificate has expired", true},
    };

    (void)unused;
    for (size_t i = 0; i < ROTA_COUNT(rows); i++) {
        bool at_server = strcmp(rows[i].client_cert, "expired.pem") == 0;
        struct rota_tls_options client = tls_files("ca.pem", rows[i].client_cert, at_server ? "expired.key" : "client.key");
        struct rota_tls_options server = tls_files("ca.pem", rows[i].server_cert, at_server ? "server.key" : "expired.key");
        struct tls_pair p;
        print_message("  %s\n", rows[i].rule);
        server.require_client_cert = true;
        tls_pair_init(&p, &client, &server);
        if (rows[i].old)
            use_tls12(&p);
        shake_before_expiry(&p);
        tls_pair_shake(&p, "localhost");
        assert_false(rota_tls_ready(at_server ? p.server.tls : p.client.tls));
        assert_non_null(strstr(p.client.why.text, rows[i].at_client));
        assert_non_null(strstr(p.server.why.text, rows[i].at_server));
        /* A TLS 1.2 session is not used up; the server goes on refusing it. */
        assert_int_equal(p.client.config->n_sessions, at_server && rows[i].old ? 1 : 0);
        tls_pair_fini(&p);
    }
}

/* --- Files that change --- */

static void init_swapping(struct tls_pair *p, int64_t reload_ms)
{
    struct rota_tls_options client, server;

    certs_copy(certs_dir, "server.pem", "swap.pem");
    certs_copy(certs_dir, "server.key", "swap.key");
    client = tls_files("ca.pem", NULL, NULL);
    server = tls_files(NULL, "swap.pem", "swap.key");
    server.reload_ms = reload_ms;
    tls_pair_init(p, &client, &server);
}

static void shake_at(struct tls_pair *p, const char *host, int64_t now_ns)
{
    tls_pair_connect(p, host, now_ns);
    tls_pair_pump(p);
}

static void changed_files_serve_new_connections(void **unused)
{
    struct tls_pair p;
    struct tls_side old;

    (void)unused;
    init_swapping(&p, 0);
    shake_at(&p, "localhost", 0);
    certs_copy(certs_dir, "other.pem", "swap.pem");
    certs_copy(certs_dir, "other.key", "swap.key");
    shake_at(&p, "localhost", 9 * NS_PER_S); /* not looked at yet */
    assert_true(rota_tls_ready(p.client.tls));
    old = p.server;
    p.server.tls = NULL; /* stays open beside the next one */
    rota_tls_free(p.client.tls);
    p.client.tls = NULL;
    shake_at(&p, "other.test", 10 * NS_PER_S);
    assert_true(rota_tls_ready(p.client.tls));
    assert_false(rota_tls_resumed(p.client.tls));
    assert_int_equal(p.n_logged, 1);
    assert_non_null(strstr(p.log, "swap.pem is used for new connections"));
    p.server.out = (struct rota_buffer){.alloc = &p.memory.alloc};
    old.tls->out = &p.server.out;
    tls_pair_send(&old, ROTA_SLICE("still there"));
    rota_tls_free(old.tls);
    rota_buffer_fini(&old.out);
    tls_pair_fini(&p);
}

static void broken_files_leave_the_old_in_use(void **unused)
{
    /* With keys of the same kind, and of another, between which OpenSSL sees no contradiction by itself. */
    static const char *const certs[] = {"other.pem", "edwards.pem"}, *const keys[] = {"other.key", "edwards.key"};

    (void)unused;
    for (size_t i = 0; i < ROTA_COUNT(certs); i++) {
        struct tls_pair p;
        init_swapping(&p, 1000);
        shake_at(&p, "localhost", 0);
        certs_copy(certs_dir, certs[i], "swap.pem"); /* the key is still the old one's */
        shake_at(&p, "localhost", 1 * NS_PER_S);
        assert_true(rota_tls_ready(p.client.tls));
        assert_non_null(strstr(p.log, "swap.key is not the key of the certificate; the certificates of before stay in use"));
        certs_copy(certs_dir, keys[i], "swap.key");
        shake_at(&p, "other.test", 2 * NS_PER_S);
        assert_true(rota_tls_ready(p.client.tls));
        assert_int_equal(p.n_logged, 2);
        tls_pair_fini(&p);
    }
}

static void never_means_never(void **unused)
{
    struct tls_pair p;

    (void)unused;
    init_swapping(&p, -1);
    certs_copy(certs_dir, "other.pem", "swap.pem");
    certs_copy(certs_dir, "other.key", "swap.key");
    shake_at(&p, "localhost", 1000000 * NS_PER_S);
    assert_true(rota_tls_ready(p.client.tls));
    assert_int_equal(p.n_logged, 0);
    tls_pair_fini(&p);
}

/* --- Options --- */

static void write_file(const char *name, const char *text)
{
    FILE *file = fopen(certs_path(certs_dir, name), "w");

    assert_non_null(file);
    fputs(text, file);
    fclose(file);
}

static void write_encrypted_key(void)
{
    FILE *plain = fopen(certs_path(certs_dir, "server.key"), "r"), *secret = fopen(certs_path(certs_dir, "secret.key"), "w");
    EVP_PKEY *key = PEM_read_PrivateKey(plain, NULL, NULL, NULL);

    assert_int_equal(PEM_write_PKCS8PrivateKey(secret, key, EVP_aes_256_cbc(), "secret", 6, NULL, NULL), 1);
    EVP_PKEY_free(key);
    fclose(plain);
    fclose(secret);
}

static void wrong_options_are_named(void **unused)
{
    static const struct {
        const char *rule;
        bool server;
        const char *ca, *cert, *key, *server_name;
        bool require;
        int64_t reload_ms;
        const char *says;
    } rows[] = {
        {"a server needs a certificate", true, NULL, NULL, NULL, NULL, false, 0, "tls.cert_file is missing; a server needs a certificate"},
        {"no key without a certificate", false, "ca.pem", NULL, "server.key", NULL, false, 0, "tls.cert_file is missing"},
        {"no wanting without an authority", true, NULL, "server.pem", "server.key", NULL, true, 0, "tls.require_client_cert needs tls.ca_file"},
        {"clients want no client certificates", false, "ca.pem", NULL, NULL, NULL, true, 0, "tls.require_client_cert is for servers"},
        {"servers check no server's name", true, NULL, "server.pem", "server.key", "a", false, 0, "tls.server_name is for clients"},
        {"an empty name", false, "ca.pem", NULL, NULL, "", false, 0, "tls.server_name has 0 bytes; expected 1 to 255"},
        {"a negative time", false, "ca.pem", NULL, NULL, NULL, false, -2, "tls.reload_ms is -2; expected at least -1"},
        {"no such certificate", true, NULL, "nowhere.pem", "server.key", NULL, false, 0, "nowhere.pem: no such file"},
        {"no such key", true, NULL, "server.pem", "nowhere.key", NULL, false, 0, "nowhere.key: no such file"},
        {"no such authority", false, "nowhere.pem", NULL, NULL, NULL, false, 0, "tls.ca_file: "},
        {"another one's key", true, NULL, "server.pem", "client.key", NULL, false, 0, "client.key is not the key of the certificate"},
        {"another one's key of another kind", true, NULL, "server.pem", "edwards.key", NULL, false, 0, "edwards.key is not the key of the certificate"},
        {"that key's certificate", true, NULL, "edwards.pem", "server.key", NULL, false, 0, "server.key is not the key of the certificate"},
        {"a client's key of another kind", false, "ca.pem", "client.pem", "edwards.key", NULL, false, 0, "edwards.key is not the key of the certificate"},
        {"a key for a certificate", true, NULL, "server.key", "server.key", NULL, false, 0, "server.key has no PEM block of that kind"},
        {"a certificate without its key", true, NULL, "server.pem", NULL, NULL, false, 0, "tls.key_file: "},
        {"an empty file", false, "empty.pem", NULL, NULL, NULL, false, 0, "empty.pem"},
        {"no PEM at all", true, NULL, "garbage.pem", "server.key", NULL, false, 0, "garbage.pem has no PEM block of that kind"},
        {"PEM with garbage in it", true, NULL, "half.pem", "server.key", NULL, false, 0, "half.pem is damaged or cut off"},
        {"a certificate that is cut off", true, NULL, "cut.pem", "server.key", NULL, false, 0, "cut.pem is damaged or cut off"},
        {"a key that is cut off", true, NULL, "server.pem", "cut.key", NULL, false, 0, "cut.key has no private key that can be read"},
        {"a certificate for a key", true, NULL, "server.pem", "client.pem", NULL, false, 0, "client.pem has no private key that can be read"},
        {"a key that is encrypted", true, NULL, "server.pem", "secret.key", NULL, false, 0, "secret.key is encrypted"},
    };

    (void)unused;
    write_file("empty.pem", "");
    write_file("garbage.pem", "hello\n");
    write_file("half.pem", "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n");
    write_file("cut.pem", "-----BEGIN CERTIFICATE-----\nMIIB\n");
    write_file("cut.key", "-----BEGIN PRIVATE KEY-----\nMIIB\n");
    write_encrypted_key();
    for (size_t i = 0; i < ROTA_COUNT(rows); i++) {
        struct rota_tls_options o = tls_files(rows[i].ca, rows[i].cert, rows[i].key);
        struct rota_errinfo info = {{0}};
        struct rota_tls_config *config;
        struct rota_leak_alloc memory;
        print_message("  %s\n", rows[i].rule);
        o.server_name = rows[i].server_name;
        o.require_client_cert = rows[i].require;
        o.reload_ms = rows[i].reload_ms;
        rota_leak_alloc_init(&memory);
        assert_int_equal(rota_tls_config_new(&o, rows[i].server, &memory.alloc, NULL, &config, &info), ROTA_EINVAL);
        rota_leak_alloc_fini(&memory);
        if (strstr(info.text, rows[i].says) == NULL)
            fail_msg("\"%s\" has no \"%s\"", info.text, rows[i].says);
        assert_int_equal(ERR_peek_error(), 0);
    }
}

static void one_file_may_have_certificate_and_key(void **unused)
{
    struct rota_tls_options client = tls_files("ca.pem", NULL, NULL), server = tls_files(NULL, "both.pem", NULL);
    char command[1024];
    struct tls_pair p;

    (void)unused;
    snprintf(command, sizeof(command), "cat %s %s > %s", certs_path(certs_dir, "server.pem"), certs_path(certs_dir, "server.key"),
             certs_path(certs_dir, "both.pem"));
    assert_int_equal(system(command), 0);
    tls_pair_init(&p, &client, &server);
    tls_pair_shake(&p, "localhost");
    assert_true(rota_tls_ready(p.client.tls) && rota_tls_ready(p.server.tls));
    tls_pair_fini(&p);
}

/* --- Memory --- */

struct ends {
    struct rota_tls_config *configs[2];
    struct rota_tls *tls[2];
    struct rota_buffer out[2];
};

static rota_err talk(struct ends *e)
{
    struct rota_errinfo info = {{0}};
    uint8_t plain[256];
    size_t size, idle = 0;
    rota_err err = 0;

    for (int i = 0; err == 0 && idle < 2; i = !i) {
        struct rota_slice bytes = rota_buffer_peek(&e->out[!i]);
        rota_tls_feed(e->tls[i], bytes);
        err = rota_tls_read(e->tls[i], plain, sizeof(plain), &size, &info);
        rota_buffer_consume(&e->out[!i], bytes.size);
        idle = bytes.size == 0 ? idle + 1 : 0;
        if (i == 0 && bytes.size == 0 && idle == 1)
            idle = 0; /* the client's first turn */
        if (rota_tls_ready(e->tls[0]) && rota_tls_ready(e->tls[1]))
            break;
    }
    return err;
}

static rota_err scenario(const struct rota_alloc *alloc, void *ctx)
{
    struct rota_tls_options options[2] = {tls_files("ca.pem", "client.pem", "client.key"), tls_files("ca.pem", "server.pem", "server.key")};
    struct rota_errinfo info;
    struct ends e = {0};
    rota_err err = 0;

    (void)ctx;
    for (int i = 0; i < 2; i++)
        rota_buffer_init(&e.out[i], alloc, 0);
    for (int i = 0; err == 0 && i < 2; i++) {
        err = rota_tls_config_new(&options[i], i == 1, alloc, NULL, &e.configs[i], &info);
        if (err == 0)
            err = rota_tls_new(e.configs[i], rota_slice_str(i == 0 ? "localhost" : NULL), i == 0 ? "peer" : NULL, &e.out[i], 0, &e.tls[i]);
    }
    if (err == 0)
        err = talk(&e);
    if (err == 0)
        err = rota_tls_write(e.tls[0], ROTA_SLICE("hello"), &info);
    for (int i = 0; i < 2; i++) {
        rota_tls_free(e.tls[i]);
        rota_tls_config_unref(e.configs[i]);
        rota_buffer_fini(&e.out[i]);
    }
    return err;
}

static void no_memory_is_an_error(void **unused)
{
    (void)unused;
    assert_in_range(rota_alloc_sweep(scenario, NULL), 10, 1000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(data_arrives_as_it_was_sent),
        cmocka_unit_test(keys_are_renewed_by_either_side),
        cmocka_unit_test(renewing_keys_without_end_is_a_fault),
        cmocka_unit_test(closing_is_told_and_final),
        cmocka_unit_test(a_forged_record_ends_it),
        cmocka_unit_test(sessions_are_resumed),
        cmocka_unit_test(a_failed_connection_is_not_resumed),
        cmocka_unit_test(sessions_kept_are_bounded),
        cmocka_unit_test(an_expired_certificate_is_not_resumed),
        cmocka_unit_test(changed_files_serve_new_connections),
        cmocka_unit_test(broken_files_leave_the_old_in_use),
        cmocka_unit_test(never_means_never),
        cmocka_unit_test(wrong_options_are_named),
        cmocka_unit_test(one_file_may_have_certificate_and_key),
        cmocka_unit_test(no_memory_is_an_error),
    };

    return cmocka_run_group_tests_name("tls_life", tests, certs_setup, certs_teardown);
}
