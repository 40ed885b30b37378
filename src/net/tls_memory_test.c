/* tls_memory_test.c - OpenSSL's own allocations fail, one after the other, through configuration, handshake and data: an error each time or
 * none, never a crash, nor a wrong name let in. Apart from the other tests, since OpenSSL takes its allocator before all else. */
#include "net/tls_pair_fixture.h"
#include <openssl/crypto.h>
#include <openssl/err.h>
#include <stdlib.h>

static size_t n_allocs, fail_at; /* 0: none */
static bool failed;

static bool fails(void)
{
    n_allocs++;
    failed = failed || n_allocs == fail_at;
    return n_allocs == fail_at;
}

static void *get(size_t size, const char *file, int line)
{
    (void)file;
    (void)line;
    return size == 0 || fails() ? NULL : malloc(size);
}

static void *resize(void *ptr, size_t size, const char *file, int line)
{
    (void)file;
    (void)line;
    if (size == 0) {
        free(ptr);
        return NULL;
    }
    return fails() ? NULL : realloc(ptr, size);
}

static void release(void *ptr, const char *file, int line)
{
    (void)file;
    (void)line;
    free(ptr);
}

struct ends {
    struct rota_tls_config *configs[2];
    struct rota_tls *tls[2];
    struct rota_buffer out[2];
    bool heard; /* the server has got what the client sent */
};

static rota_err open_ends(struct ends *e, const char *host)
{
    struct rota_tls_options options[2] = {tls_files("ca.pem", "client.pem", "client.key"), tls_files("ca.pem", "server.pem", "server.key")};
    struct rota_errinfo info;
    rota_err err = 0;

    for (int i = 0; err == 0 && i < 2; i++) {
        err = rota_tls_config_new(&options[i], i == 1, NULL, NULL, &e->configs[i], &info);
        if (err == 0)
            err = rota_tls_new(e->configs[i], rota_slice_str(i == 0 ? host : NULL), i == 0 ? "peer" : NULL, &e->out[i], 0, &e->tls[i]);
    }
    return err;
}

/* A handshake takes two turns of each. */
static rota_err talk(struct ends *e)
{
    struct rota_errinfo info;
    uint8_t plain[256];
    size_t size = 0;
    rota_err err = 0;

    for (int turn = 0; err == 0 && turn < 8; turn++) {
        int i = turn % 2;
        struct rota_slice bytes = rota_buffer_peek(&e->out[!i]);
        rota_tls_feed(e->tls[i], bytes);
        err = rota_tls_read(e->tls[i], plain, sizeof(plain), &size, &info);
        rota_buffer_consume(&e->out[!i], bytes.size);
        e->heard = e->heard || (i == 1 && size == 5);
        if (err == 0 && turn == 4 && rota_tls_ready(e->tls[0]))
            err = rota_tls_write(e->tls[0], ROTA_SLICE("hello"), &info);
    }
    return err;
}

static rota_err run(const char *host, bool *ret_heard)
{
    struct ends e = {0};
    rota_err err;

    for (int i = 0; i < 2; i++)
        rota_buffer_init(&e.out[i], NULL, 0);
    err = open_ends(&e, host);
    if (err == 0)
        err = talk(&e);
    for (int i = 0; i < 2; i++) {
        rota_tls_free(e.tls[i]);
        rota_tls_config_unref(e.configs[i]);
        rota_buffer_fini(&e.out[i]);
    }
    *ret_heard = e.heard;
    return err;
}

/* Fails the first allocations one by one, then ever fewer of them. */
static void sweep(const char *host, bool good)
{
    bool heard;
    size_t total;

    (void)run(host, &heard); /* what OpenSSL makes once is there from now on */
    n_allocs = 0;
    assert_int_equal(run(host, &heard), good ? 0 : ROTA_EPROTO);
    assert_int_equal(heard, good);
    total = n_allocs;
    assert_true(total > 1000);
    for (size_t at = 1; at <= total; at += 1 + at / 15) {
        rota_err err;
        n_allocs = 0;
        failed = false;
        fail_at = at;
        err = run(host, &heard);
        fail_at = 0;
        assert_true(good ? err < 0 || heard || failed : err < 0 && !heard);
        if (ERR_peek_error() != 0)
            fail_msg("allocation %zu of %zu: %d, left behind: %s", at, total, err, ERR_error_string(ERR_peek_error(), NULL));
    }
}

static void openssl_without_memory(void **unused)
{
    (void)unused;
    sweep("localhost", true);
}

static void a_wrong_name_gets_in_on_no_account(void **unused)
{
    (void)unused;
    sweep("elsewhere.test", false);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(openssl_without_memory), cmocka_unit_test(a_wrong_name_gets_in_on_no_account)};

    if (CRYPTO_set_mem_functions(get, resize, release) != 1)
        return 1;
    return cmocka_run_group_tests_name("tls_memory", tests, certs_setup, certs_teardown);
}
