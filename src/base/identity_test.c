/* identity_test.c - texts are where they belong, and live as long as a reference. */
#include "base/identity.h"
#include "testing/cmocka.h"
#include "testing/leak_alloc.h"

static void texts_are_split_at_their_zeros(void **unused)
{
    static const char texts[] = "CN=a\0DNS:b\0IP:1.2.3.4";
    struct rota_leak_alloc memory;
    struct rota_identity *identity;

    (void)unused;
    rota_leak_alloc_init(&memory);
    identity = rota_identity_new(&memory.alloc, texts, sizeof(texts), 2);
    assert_ptr_equal(rota_identity_ref(identity), identity);
    rota_identity_unref(identity);
    assert_string_equal(identity->peer.subject, "CN=a");
    assert_int_equal(identity->peer.n_names, 2);
    assert_string_equal(identity->peer.names[0], "DNS:b");
    assert_string_equal(identity->peer.names[1], "IP:1.2.3.4");
    rota_identity_unref(identity);
    rota_leak_alloc_fini(&memory);
}

static void nothing_is_fine(void **unused)
{
    struct rota_leak_alloc memory;

    (void)unused;
    assert_null(rota_identity_ref(NULL));
    rota_identity_unref(NULL);
    rota_leak_alloc_init(&memory);
    rota_leak_alloc_fail_nth(&memory, 1);
    assert_null(rota_identity_new(&memory.alloc, "", 1, 0));
    rota_leak_alloc_fini(&memory);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(texts_are_split_at_their_zeros),
        cmocka_unit_test(nothing_is_fine),
    };

    return cmocka_run_group_tests_name("identity", tests, NULL, NULL);
}
