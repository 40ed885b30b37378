/* tls_flood_test.c - handshake messages after the handshake, which OpenSSL answers by itself: how many are taken, and how much may be answered; a
 * message that is half in. */
#include "base/assert.h"
#include "net/tls12_fixture.h"
#include "net/tls_pair_fixture.h"
#include <stdio.h>

#define WHY "the peer sends one handshake message after the other, and hardly any data"
enum { MESSAGES_MAX = 32 };

static void init_usual(struct tls_pair *p, int version)
{
    struct rota_tls_options client = tls_files("ca.pem", "client.pem", "client.key"), server = tls_files("ca.pem", "server.pem", "server.key");

    tls_pair_init(p, &client, &server);
    assert_int_equal(SSL_CTX_set_max_proto_version(p->client.config->context, version), 1);
    assert_int_equal(SSL_CTX_set_cipher_list(p->client.config->context, TLS12_CIPHER), 1);
    tls_pair_shake(p, "localhost");
    assert_true(rota_tls_ready(p->client.tls) && rota_tls_ready(p->server.tls));
}

/* --- What floods --- */

struct flood {
    struct tls_pair p;
    struct tls12_sealer sealer;
};

static void put_record(struct flood *f, uint8_t type, const void *data, size_t size)
{
    uint8_t record[TLS12_RECORD_BYTES + TLS12_OVERHEAD_BYTES];
    size_t sealed = tls12_seal(&f->sealer, type, rota_slice(data, size), record);

    assert_int_equal(rota_buffer_append(&f->p.client.out, rota_slice(record, sealed)), 0);
}

static void put_hellos(struct flood *f, size_t count)
{
    uint8_t hellos[TLS12_RECORD_BYTES] = {0};

    for (size_t i = 0; i < count; i++)
        hellos[4 * i] = SSL3_MT_CLIENT_HELLO;
    put_record(f, SSL3_RT_HANDSHAKE, hellos, 4 * count);
}

static void one_hello(struct flood *f)
{
    put_hellos(f, 1);
}

static void many_hellos(struct flood *f)
{
    put_hellos(f, 10);
}

static void hello_and_data(struct flood *f)
{
    put_hellos(f, 1);
    put_record(f, SSL3_RT_APPLICATION_DATA, "x", 1);
}

static void hello_and_much_data(struct flood *f)
{
    static const uint8_t zeros[TLS12_RECORD_BYTES];

    put_hellos(f, MESSAGES_MAX);
    put_record(f, SSL3_RT_APPLICATION_DATA, zeros, sizeof(zeros));
}

static void key_update(struct flood *f)
{
    assert_int_equal(SSL_key_update(f->p.client.tls->ssl, SSL_KEY_UPDATE_REQUESTED), 1);
    assert_int_equal(SSL_do_handshake(f->p.client.tls->ssl), 1);
}

static void key_update_and_data(struct flood *f)
{
    key_update(f);
    tls_pair_send(&f->p.client, ROTA_SLICE("x"));
}

static void ticket_and_data(struct flood *f)
{
    assert_int_equal(SSL_new_session_ticket(f->p.server.tls->ssl), 1);
    tls_pair_send(&f->p.server, ROTA_SLICE("x"));
}

static void hello_request(struct flood *f)
{
    assert_int_equal(SSL_clear_options(f->p.server.tls->ssl, SSL_OP_NO_RENEGOTIATION) & SSL_OP_NO_RENEGOTIATION, 0);
    assert_int_equal(SSL_renegotiate(f->p.server.tls->ssl), 1);
    assert_int_equal(SSL_do_handshake(f->p.server.tls->ssl), 1);
}

static const struct flood_case {
    const char *rule;
    int version;
    bool of_server;
    void (*put)(struct flood *f);
    int at_most; /* rounds; 0: it goes on */
} cases[] = {
    {"a client may not begin handshakes over and over", TLS1_2_VERSION, false, one_hello, MESSAGES_MAX + 1},
    {"nor several in a record", TLS1_2_VERSION, false, many_hellos, MESSAGES_MAX / 10 + 1},
    {"nor with a byte of data between", TLS1_2_VERSION, false, hello_and_data, MESSAGES_MAX + 1},
    {"a record of data makes up for some", TLS1_2_VERSION, false, hello_and_much_data, 0},
    {"a server may not ask for handshakes over and over", TLS1_2_VERSION, true, hello_request, MESSAGES_MAX + 1},
    {"keys may not be renewed over and over", TLS1_3_VERSION, false, key_update, MESSAGES_MAX + 1},
    {"nor with a byte of data between", TLS1_3_VERSION, false, key_update_and_data, MESSAGES_MAX + 1},
    {"nor sessions be given", TLS1_3_VERSION, true, ticket_and_data, MESSAGES_MAX + 1},
};

/* What the flooded side answers is not carried back: who floods does not read. */
static int rounds_until_broken(const struct flood_case *c, struct flood *f)
{
    struct tls_side *from = c->of_server ? &f->p.server : &f->p.client, *to = c->of_server ? &f->p.client : &f->p.server;
    int rounds = 0;

    while (rounds < 100 && to->err == 0) {
        c->put(f);
        tls_pair_carry(&f->p, from, to);
        rounds++;
    }
    assert_string_equal(to->why.text, to->err == 0 ? "" : WHY);
    assert_in_range(rota_buffer_peek(&to->out).size, 0, rounds < 100 ? (MESSAGES_MAX + 10) * 64 : 100 * MESSAGES_MAX * 31);
    return rounds;
}

static void floods_end_the_connection(void **unused)
{
    (void)unused;
    for (size_t i = 0; i < ROTA_COUNT(cases); i++) {
        const struct flood_case *c = &cases[i];
        struct flood f;
        print_message("  %s\n", c->rule);
        init_usual(&f.p, c->version);
        if (c->version == TLS1_2_VERSION)
            tls12_sealer_init(&f.sealer, f.p.client.tls->ssl);
        if (c->at_most == 0)
            assert_int_equal(rounds_until_broken(c, &f), 100);
        else
            assert_in_range(rounds_until_broken(c, &f), 3, c->at_most);
        tls_pair_fini(&f.p);
    }
}

/* All that has been read is looked at again when the first of it is too much: the rest is not answered. */
static void a_flood_is_not_answered_to_its_end(void **unused)
{
    struct flood f;

    (void)unused;
    init_usual(&f.p, TLS1_2_VERSION);
    tls12_sealer_init(&f.sealer, f.p.client.tls->ssl);
    for (int i = 0; i < 2000; i++)
        put_hellos(&f, 1);
    tls_pair_carry(&f.p, &f.p.client, &f.p.server);
    assert_string_equal(f.p.server.why.text, WHY);
    assert_in_range(rota_buffer_peek(&f.p.server.out).size, 0, (MESSAGES_MAX + 10) * 31);
    tls_pair_fini(&f.p);
}

/* --- A message that is half in --- */

/* A session ticket with the client's certificate in it is longer than the shortest record that may be asked for. */
static void what_is_written_meanwhile_goes_behind(void **unused)
{
    struct tls_pair p;
    char wanted[8192];
    size_t n_sent = 0;
    bool waited = false;

    (void)unused;
    init_usual(&p, TLS1_3_VERSION);
    assert_int_equal(SSL_set_max_send_fragment(p.server.tls->ssl, 512), 1);
    assert_int_equal(SSL_new_session_ticket(p.server.tls->ssl), 1);
    tls_pair_send(&p.server, ROTA_SLICE("behind it"));
    p.cut_bytes = 1;
    while (tls_pair_carry(&p, &p.server, &p.client)) {
        assert_true(n_sent < sizeof(wanted));
        wanted[n_sent] = (char)('a' + n_sent % 26);
        tls_pair_send(&p.client, rota_slice(&wanted[n_sent++], 1));
        waited = waited || rota_tls_pending(p.client.tls) > 0;
        if (rota_tls_pending(p.client.tls) > 0)
            assert_in_range(rota_tls_pending(p.client.tls), 1, n_sent);
    }
    assert_true(waited);
    assert_int_equal(rota_tls_pending(p.client.tls), 0);
    assert_int_equal(rota_buffer_peek(&p.client.got).size, strlen("behind it"));
    p.cut_bytes = 0;
    tls_pair_pump(&p);
    assert_int_equal(p.client.err, 0);
    assert_int_equal(p.server.err, 0);
    assert_int_equal(rota_buffer_peek(&p.server.got).size, n_sent);
    assert_memory_equal(rota_buffer_peek(&p.server.got).data, wanted, n_sent);
    tls_pair_fini(&p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(floods_end_the_connection),
        cmocka_unit_test(a_flood_is_not_answered_to_its_end),
        cmocka_unit_test(what_is_written_meanwhile_goes_behind),
    };

    return cmocka_run_group_tests_name("tls_flood", tests, certs_setup, certs_teardown);
}
