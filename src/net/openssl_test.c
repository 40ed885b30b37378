/* openssl_test.c - OpenSSL from a library that is loaded: all that is used of it, or a sentence that says why not. */
#include "base/assert.h"
#include "net/openssl.h"
#include "testing/cmocka.h"
#include <string.h>

static const struct library_case {
    const char *rule, *library;
    rota_err want;
    const char *says;
} libraries[] = {
    {"what TLS is built for is found", "libssl.so.3", 0, ""},
    {"a library that is not there", "librota-no-such.so.3", ROTA_EUNSUPPORTED, "OpenSSL, which cannot be loaded: librota-no-such.so.3"},
    {"a library that is another one", "libz.so.1", ROTA_EUNSUPPORTED, "the libz.so.1 that was found has no ASN1_STRING_get0_data"},
};

static void all_of_it_or_a_sentence(void **unused)
{
    (void)unused;
    for (size_t i = 0; i < ROTA_COUNT(libraries); i++) {
        const struct library_case *c = &libraries[i];
        struct rota_openssl calls, before;
        struct rota_errinfo info = {{0}};

        print_message("  %s\n", c->rule);
        memset(&calls, 0, sizeof(calls));
        before = calls;
        assert_int_equal(rota_openssl_read(c->library, &calls, &info), c->want);
        assert_non_null(strstr(info.text, c->says));
        if (c->want < 0) {
            assert_memory_equal(&calls, &before, sizeof(calls));
            continue;
        }
        for (size_t at = 0; at < sizeof(calls); at += sizeof(void *)) {
            static const void *const nothing;
            assert_memory_not_equal((const char *)&calls + at, &nothing, sizeof(nothing));
        }
    }
}

static void what_is_loaded_is_what_the_program_links(void **unused)
{
    struct rota_errinfo info = {{0}};

    (void)unused;
    assert_int_equal(rota_openssl_load(&info), 0);
    assert_int_equal(rota_openssl_load(&info), 0);
#ifndef ROTA_LINK_OPENSSL
#undef OPENSSL_sk_num
    assert_true(rota_openssl.OPENSSL_sk_num == OPENSSL_sk_num);
#undef SSL_new
    assert_true(rota_openssl.SSL_new == SSL_new);
#endif
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(all_of_it_or_a_sentence),
        cmocka_unit_test(what_is_loaded_is_what_the_program_links),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
