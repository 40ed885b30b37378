/* endpoint_test.c - addresses in all the ways to write them, right and wrong; endpoints compared, counted, copied. */
#include "base/assert.h"
#include "testing/cmocka.h"
#include "testing/leak_alloc.h"
#include <rota/endpoint.h>

static const struct address_case {
    const char *rule, *input, *want; /* want: the canonical text, NULL when it is refused */
    enum rota_address_kind kind;
    uint16_t port;
    const char *says;
} addresses[] = {
    {"IPv4", "127.0.0.1:8001", "127.0.0.1:8001", ROTA_ADDRESS_IPV4, 8001, NULL},
    {"port 0, to listen on any", "0.0.0.0:0", "0.0.0.0:0", ROTA_ADDRESS_IPV4, 0, NULL},
    {"the last port", "1.2.3.4:65535", "1.2.3.4:65535", ROTA_ADDRESS_IPV4, 65535, NULL},
    {"zeros before a port", "1.2.3.4:00080", "1.2.3.4:80", ROTA_ADDRESS_IPV4, 80, NULL},
    {"IPv6", "[::1]:80", "[::1]:80", ROTA_ADDRESS_IPV6, 80, NULL},
    {"IPv6 is shortened", "[2001:DB8:0:0:0:0:0:1]:80", "[2001:db8::1]:80", ROTA_ADDRESS_IPV6, 80, NULL},
    {"IPv6 with a zone", "[fe80::1%2]:80", "[fe80::1%2]:80", ROTA_ADDRESS_IPV6, 80, NULL},
    {"a name", "localhost:8001", "localhost:8001", ROTA_ADDRESS_NAME, 8001, NULL},
    {"names have no case", "Host-1.Example_x.COM:1", "host-1.example_x.com:1", ROTA_ADDRESS_NAME, 1, NULL},
    {"a name may end in a dot", "host.:1", "host.:1", ROTA_ADDRESS_NAME, 1, NULL},
    {"a port alone is localhost's", ":8001", "localhost:8001", ROTA_ADDRESS_NAME, 8001, NULL},
    {"a unix path", "unix:/run/x", "unix:/run/x", ROTA_ADDRESS_UNIX, 0, NULL},
    {"a relative unix path", "unix:x.sock", "unix:x.sock", ROTA_ADDRESS_UNIX, 0, NULL},
    {"a unix URI", "unix:///run/x", "unix:/run/x", ROTA_ADDRESS_UNIX, 0, NULL},
    {"a unix URI of many slashes", "unix://////x", "unix://x", ROTA_ADDRESS_UNIX, 0, NULL},
    {"a unix scheme has no case", "UNIX:x", "unix:x", ROTA_ADDRESS_UNIX, 0, NULL},
    {"an abstract name", "unix-abstract:x", "unix-abstract:x", ROTA_ADDRESS_UNIX_ABSTRACT, 0, NULL},
    {"empty", "", NULL, 0, 0, "empty"},
    {"no port", "localhost", NULL, 0, 0, "has no port"},
    {"IPv6 without a port", "[::1]", NULL, 0, 0, "has no port"},
    {"an empty port", "localhost:", NULL, 0, 0, "\"\" is no port"},
    {"a port too large", "localhost:65536", NULL, 0, 0, "\"65536\" is no port"},
    {"a port with a letter", "localhost:80a", NULL, 0, 0, "\"80a\" is no port"},
    {"a negative port", "localhost:-1", NULL, 0, 0, "\"-1\" is no port"},
    {"a very long port", ":00000000000000000000000000080", NULL, 0, 0, "names no host"},
    {"IPv6 without brackets", "::1:80", NULL, 0, 0, "more than one colon"},
    {"bad IPv6", "[::g]:80", NULL, 0, 0, "no IPv6 address"},
    {"IPv4 in brackets", "[1.2.3.4]:80", NULL, 0, 0, "no IPv6 address"},
    {"an interface by name", "[fe80::1%eth0]:80", NULL, 0, 0, "no IPv6 address"},
    {"an open bracket", "[::1:80", NULL, 0, 0, "expected [IPV6]"},
    {"IPv4 out of range", "1.2.3.256:80", NULL, 0, 0, "neither an IP address nor a host name"},
    {"half an IPv4", "1.2.3:80", NULL, 0, 0, "neither"},
    {"a space", "local host:80", NULL, 0, 0, "neither"},
    {"an empty label", "a..b:80", NULL, 0, 0, "neither"},
    {"a URL", "http://x", NULL, 0, 0, "\"//x\" is no port"},
    {"no unix path", "unix:", NULL, 0, 0, "no path"},
    {"no abstract name", "unix-abstract:", NULL, 0, 0, "no name"},
};

static void addresses_are_read_to_one_text(void **state)
{
    (void)state;
    for (size_t i = 0; i < ROTA_COUNT(addresses); i++) {
        const struct address_case *c = &addresses[i];
        char text[ROTA_ADDRESS_TEXT_SIZE], again[ROTA_ADDRESS_TEXT_SIZE];
        struct rota_address got, second;
        struct rota_errinfo info = {""};
        rota_err err;

        print_message("  %s\n", c->rule);
        err = rota_address_parse(rota_slice_str(c->input), text, &got, &info);
        assert_int_equal(err, c->want == NULL ? ROTA_EPARSE : 0);
        if (c->want == NULL) {
            assert_non_null(strstr(info.text, c->says));
            continue;
        }
        assert_int_equal(got.kind, c->kind);
        assert_int_equal(got.port, c->port);
        assert_ptr_equal(got.text, text);
        assert_string_equal(got.text, c->want);
        assert_int_equal(rota_address_parse(rota_slice_str(text), again, &second, NULL), 0);
        assert_string_equal(again, text);
        assert_memory_equal(second.ip, got.ip, sizeof(got.ip));
    }
}

static void bytes_of_addresses_are_in_network_order(void **state)
{
    char text[ROTA_ADDRESS_TEXT_SIZE];
    struct rota_address got;

    (void)state;
    assert_int_equal(rota_address_parse(ROTA_SLICE("1.2.3.4:5"), text, &got, NULL), 0);
    assert_memory_equal(got.ip, "\1\2\3\4", 4);
    assert_int_equal(rota_address_parse(ROTA_SLICE("[fe80::102%7]:5"), text, &got, NULL), 0);
    assert_memory_equal(got.ip, "\xfe\x80\0\0\0\0\0\0\0\0\0\0\0\0\1\2", 16);
    assert_int_equal(got.scope_id, 7);
}

static void long_parts_are_refused_by_their_bounds(void **state)
{
    char input[400], text[ROTA_ADDRESS_TEXT_SIZE];
    struct rota_address got;

    (void)state;
    for (size_t size = 0; size < 300; size++) {
        memset(input, 'a', size);
        memcpy(input + size, ":1", 3);
        assert_int_equal(rota_address_parse(rota_slice_str(input), text, &got, NULL), size <= 63 ? 0 : ROTA_EPARSE);
        for (size_t i = 9; i < size; i += 10)
            input[i] = '.';
        assert_int_equal(rota_address_parse(rota_slice_str(input), text, &got, NULL), size <= 253 ? 0 : ROTA_EPARSE);
        memcpy(input, "unix:", 5);
        memset(input + 5, 'a', size);
        assert_int_equal(rota_address_parse(rota_slice(input, 5 + size), text, &got, NULL), size >= 1 && size <= 107 ? 0 : ROTA_EPARSE);
    }
    assert_int_equal(rota_address_parse(ROTA_SLICE("unix:a\0b"), text, &got, NULL), ROTA_EPARSE);
    assert_int_equal(rota_address_parse(ROTA_SLICE("a\0b:1"), text, &got, NULL), ROTA_EPARSE);
    assert_int_equal(rota_address_parse(ROTA_SLICE("a:1"), NULL, &got, NULL), ROTA_EINVAL);
}

/* --- Endpoints --- */

static const struct rota_address three[] = {
    {.kind = ROTA_ADDRESS_IPV4, .port = 1, .text = "1.1.1.1:1"},
    {.kind = ROTA_ADDRESS_IPV4, .port = 2, .text = "2.2.2.2:2"},
    {.kind = ROTA_ADDRESS_NAME, .port = 3, .text = "c:3"},
};
static const struct rota_address turned[] = {
    {.kind = ROTA_ADDRESS_NAME, .port = 3, .text = "c:3"},
    {.kind = ROTA_ADDRESS_IPV4, .port = 1, .text = "1.1.1.1:1"},
    {.kind = ROTA_ADDRESS_IPV4, .port = 2, .text = "2.2.2.2:2"},
};
static const struct rota_attribute ab[] = {{"a", "1"}, {"b", "2"}};
static const struct rota_attribute ac[] = {{"a", "1"}, {"b", "3"}};

static const struct compare_case {
    const char *rule;
    struct rota_endpoint a, b;
    bool same, equal;
} compares[] = {
    {"all alike", {three, 3, 5, "z", "v", ab, 2}, {three, 3, 5, "z", "v", ab, 2}, true, true},
    {"another order", {.addresses = three, .n_addresses = 3}, {.addresses = turned, .n_addresses = 3}, true, false},
    {"one address fewer", {.addresses = three, .n_addresses = 3}, {.addresses = three, .n_addresses = 2}, false, false},
    {"one address more", {.addresses = three, .n_addresses = 1}, {.addresses = three, .n_addresses = 3}, false, false},
    {"another address", {.addresses = three, .n_addresses = 1}, {.addresses = turned, .n_addresses = 1}, false, false},
    {"weight", {.addresses = three, .n_addresses = 1, .weight = 1}, {.addresses = three, .n_addresses = 1}, true, false},
    {"zone", {.addresses = three, .n_addresses = 1, .zone = "a"}, {.addresses = three, .n_addresses = 1, .zone = "b"}, true, false},
    {"no zone is not an empty one", {.addresses = three, .n_addresses = 1, .zone = ""}, {.addresses = three, .n_addresses = 1}, true, false},
    {"version", {.addresses = three, .n_addresses = 1, .version = "1"}, {.addresses = three, .n_addresses = 1}, true, false},
    {"an attribute's value", {three, 1, 0, NULL, NULL, ab, 2}, {three, 1, 0, NULL, NULL, ac, 2}, true, false},
    {"an attribute more", {three, 1, 0, NULL, NULL, ab, 1}, {three, 1, 0, NULL, NULL, ab, 2}, true, false},
};

static void endpoints_are_compared_by_address_and_by_all(void **state)
{
    (void)state;
    for (size_t i = 0; i < ROTA_COUNT(compares); i++) {
        const struct compare_case *c = &compares[i];
        const struct rota_endpoint *copy;

        print_message("  %s\n", c->rule);
        assert_int_equal(rota_endpoint_same(&c->a, &c->b), c->same);
        assert_int_equal(rota_endpoint_same(&c->b, &c->a), c->same);
        assert_int_equal(rota_endpoint_equal(&c->a, &c->b), c->equal);
        assert_int_equal(rota_endpoint_new(NULL, &c->a, &copy), 0);
        assert_true(rota_endpoint_equal(copy, &c->a));
        assert_ptr_not_equal(copy->addresses[0].text, c->a.addresses[0].text);
        rota_endpoint_unref(copy);
    }
    assert_true(rota_endpoint_same(NULL, NULL));
    assert_false(rota_endpoint_same(NULL, &compares[0].a));
    assert_false(rota_endpoint_equal(&compares[0].a, NULL));
}

static rota_err copy_and_count(const struct rota_alloc *alloc, void *ctx)
{
    const struct rota_endpoint *copy, *second;

    (void)ctx;
    if (rota_endpoint_new(alloc, &compares[0].a, &copy) < 0)
        return ROTA_ENOMEM;
    second = rota_endpoint_ref(copy);
    assert_ptr_equal(second, copy);
    rota_endpoint_unref(copy);
    assert_string_equal(rota_endpoint_attribute(second, "b"), "2");
    assert_null(rota_endpoint_attribute(second, "c"));
    rota_endpoint_unref(second);
    return 0;
}

static void an_endpoint_lives_while_it_is_referenced(void **state)
{
    (void)state;
    assert_int_equal(rota_alloc_sweep(copy_and_count, NULL), 1);
    rota_endpoint_unref(NULL);
    assert_null(rota_endpoint_ref(NULL));
    assert_null(rota_endpoint_attribute(NULL, "a"));
    assert_null(rota_endpoint_attribute(&compares[0].a, NULL));
}

static void half_an_endpoint_is_refused(void **state)
{
    const struct rota_address no_text = {.kind = ROTA_ADDRESS_IPV4};
    const struct rota_attribute no_value = {"a", NULL};
    const struct rota_endpoint bad[] = {
        {.addresses = three},
        {.n_addresses = 1},
        {.addresses = &no_text, .n_addresses = 1},
        {.addresses = three, .n_addresses = 1, .n_attributes = 1},
        {.addresses = three, .n_addresses = 1, .attributes = &no_value, .n_attributes = 1},
    };
    const struct rota_endpoint *copy;

    (void)state;
    for (size_t i = 0; i < ROTA_COUNT(bad); i++)
        assert_int_equal(rota_endpoint_new(NULL, &bad[i], &copy), ROTA_EINVAL);
    assert_int_equal(rota_endpoint_new(NULL, NULL, &copy), ROTA_EINVAL);
    assert_int_equal(rota_endpoint_new(NULL, &compares[0].a, NULL), ROTA_EINVAL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(addresses_are_read_to_one_text),
        cmocka_unit_test(bytes_of_addresses_are_in_network_order),
        cmocka_unit_test(long_parts_are_refused_by_their_bounds),
        cmocka_unit_test(endpoints_are_compared_by_address_and_by_all),
        cmocka_unit_test(an_endpoint_lives_while_it_is_referenced),
        cmocka_unit_test(half_an_endpoint_is_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
