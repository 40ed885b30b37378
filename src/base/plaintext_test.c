/* plaintext_test.c - what counts as having asked for plaintext. */
#include "base/assert.h"
#include "base/plaintext.h"
#include "testing/cmocka.h"
#include <stddef.h>

static const struct rota_tls_options tls = ROTA_TLS_OPTIONS_INIT;
static const struct rota_tls_options said = {.size = sizeof(said), .plaintext = true};
static const struct rota_tls_options with_ca = {.size = sizeof(with_ca), .plaintext = true, .ca_file = "ca.pem"};
static const struct rota_tls_options with_cert = {.size = sizeof(with_cert), .plaintext = true, .cert_file = "cert.pem"};
static const struct rota_tls_options with_key = {.size = sizeof(with_key), .plaintext = true, .key_file = "key.pem"};
static const struct rota_tls_options with_name = {.size = sizeof(with_name), .plaintext = true, .server_name = "a.example"};
static const struct rota_tls_options demanding = {.size = sizeof(demanding), .plaintext = true, .require_client_cert = true};
static const struct rota_tls_options checking = {.size = sizeof(checking), .plaintext = true, .check_address = true};
static const struct rota_tls_options old = {.size = offsetof(struct rota_tls_options, plaintext), .plaintext = true};

static const struct plaintext_case {
    const char *rule;
    const struct rota_tls_options *tls;
    rota_err want;
    bool asked;
} cases[] = {
    {"nothing given is not asked for", NULL, 0, false},
    {"TLS is not plaintext", &tls, 0, false},
    {"the constant", &rota_tls_insecure, 0, true},
    {"options that say the same", &said, 0, true},
    {"options from before the field", &old, 0, false},
    {"not with authorities", &with_ca, ROTA_EINVAL, false},
    {"not with a certificate", &with_cert, ROTA_EINVAL, false},
    {"not with a key", &with_key, ROTA_EINVAL, false},
    {"not with a name to check", &with_name, ROTA_EINVAL, false},
    {"not with a demand for certificates", &demanding, ROTA_EINVAL, false},
    {"not with a check of addresses", &checking, ROTA_EINVAL, false},
};

static void plaintext_is_asked_for_by_name(void **unused)
{
    (void)unused;
    for (size_t i = 0; i < ROTA_COUNT(cases); i++) {
        struct rota_errinfo info = {{0}};
        bool asked = false;

        print_message("  %s\n", cases[i].rule);
        assert_int_equal(rota_plaintext_asked(cases[i].tls, &asked, &info), cases[i].want);
        assert_int_equal(asked, cases[i].asked);
        assert_int_equal(info.text[0] != '\0', cases[i].want < 0);
    }
}

/* A program has a copy of the constant, as long as it was when the program was linked. */
static void the_constant_counts_no_later_field(void **unused)
{
    (void)unused;
    assert_int_equal(rota_tls_insecure.size, offsetof(struct rota_tls_options, plaintext) + sizeof(bool));
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(plaintext_is_asked_for_by_name), cmocka_unit_test(the_constant_counts_no_later_field)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
