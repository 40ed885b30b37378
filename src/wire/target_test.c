/* target_test.c - target URIs and what is taken for one; hosts and ports; authorities. */
#include "wire/target.h"
#include "base/assert.h"
#include "testing/cmocka.h"
#include "testing/leak_alloc.h"

static const char *const known[] = {"dns", "ipv4", "ipv6", "unix", "unix-abstract", "etcd", NULL};

static const struct target_case {
    const char *rule, *text, *scheme, *authority, *path, *name; /* name: of the :authority */
    size_t n_params;
} targets[] = {
    {"a name alone is dns", "localhost:80", "dns", "", "localhost:80", "localhost:80", 0},
    {"an address alone is dns", "127.0.0.1:80", "dns", "", "127.0.0.1:80", "127.0.0.1:80", 0},
    {"an unknown scheme before a colon is a host", "zk:80", "dns", "", "zk:80", "zk:80", 0},
    {"IPv6 alone is dns", "[::1]:80", "dns", "", "[::1]:80", "[::1]:80", 0},
    {"an unknown scheme before // is a scheme", "zk://a/b", "zk", "a", "b", "b", 0},
    {"dns with an empty authority", "dns:///host:80", "dns", "", "host:80", "host:80", 0},
    {"dns with a server", "dns://8.8.8.8/host", "dns", "8.8.8.8", "host", "host", 0},
    {"dns without slashes", "dns:host:80", "dns", "", "host:80", "host:80", 0},
    {"schemes have no case", "DNS:///host", "dns", "", "host", "host", 0},
    {"ipv4 list", "ipv4:1.2.3.4:80,5.6.7.8:81", "ipv4", "", "1.2.3.4:80,5.6.7.8:81", "1.2.3.4:80", 0},
    {"ipv6 list", "ipv6:[::1]:80,[::2]:81", "ipv6", "", "[::1]:80,[::2]:81", "[::1]:80", 0},
    {"ipv6 escaped", "ipv6:%5B::1%5D:80", "ipv6", "", "[::1]:80", "[::1]:80", 0},
    {"unix path", "unix:run/x", "unix", "", "run/x", "localhost", 0},
    {"unix absolute", "unix:/run/x", "unix", "", "/run/x", "localhost", 0},
    {"unix URI", "unix:///run/x", "unix", "", "run/x", "localhost", 0},
    {"abstract", "unix-abstract:n", "unix-abstract", "", "n", "localhost", 0},
    {"etcd with members", "etcd://a:1,b:2/svc", "etcd", "a:1,b:2", "svc", "svc", 0},
    {"the last part names the authority", "etcd:///a/b/", "etcd", "", "a/b/", "b", 0},
    {"no path, no name", "etcd://a:1", "etcd", "a:1", "", "localhost", 0},
    {"parameters", "etcd:///s?dialect=official&prefix=%2Fa%26b&x", "etcd", "", "s", "s", 3},
    {"parameters without a path", "etcd://a:1?prefix=/x/", "etcd", "a:1", "", "localhost", 1},
    {"empty parameters are passed over", "etcd:///s?&&a=1&", "etcd", "", "s", "s", 1},
    {"odd bytes are escaped in the name", "etcd:///a%20b\xC3\xA9", "etcd", "", "a b\xC3\xA9", "a%20b%C3%A9", 0},
};

static void userinfo_is_kept_out_of_sight(void **state)
{
    static const struct secret_case {
        const char *rule, *given, *text, *userinfo, *authority;
    } rows[] = {
        {"user and password", "etcd://u:p@a:1,b:2/s", "etcd://a:1,b:2/s", "u:p", "a:1,b:2"},
        {"a user alone", "etcd://u@a:1/s", "etcd://a:1/s", "u", "a:1"},
        {"it stays encoded", "etcd://u:%2F%40%3A@a:1/s", "etcd://a:1/s", "u:%2F%40%3A", "a:1"},
        {"the last @ ends it", "etcd://u:p@q@a:1/s", "etcd://a:1/s", "u:p@q", "a:1"},
        {"nothing before the @", "etcd://@a:1/s", "etcd://a:1/s", "", "a:1"},
        {"no members", "etcd://u:p@/s", "etcd:///s", "u:p", ""},
        {"no path", "etcd://u:p@a:1?prefix=/x@y", "etcd://a:1?prefix=/x@y", "u:p", "a:1"},
        {"an @ in the path is none", "etcd://a:1/s@v", "etcd://a:1/s@v", "", "a:1"},
        {"nor one without an authority", "etcd:s@v", "etcd:s@v", "", ""},
        {"nor one of a host's", "user@host:80", "user@host:80", "", ""},
    };

    (void)state;
    for (size_t i = 0; i < ROTA_COUNT(rows); i++) {
        struct rota_target *got;
        char shown[ROTA_TARGET_SHOW_SIZE];

        print_message("  %s\n", rows[i].rule);
        assert_int_equal(rota_target_parse(rows[i].given, known, NULL, &got, NULL), 0);
        assert_string_equal(got->text, rows[i].text);
        assert_string_equal(got->userinfo, rows[i].userinfo);
        assert_string_equal(got->authority, rows[i].authority);
        assert_string_equal(rota_target_show(rows[i].given, shown, sizeof(shown)), rows[i].text);
        rota_target_free(NULL, got);
    }
}

static void no_error_has_userinfo(void **state)
{
    static const char *const bad[] = {"etcd://u:sec#ret@a:1/s", "etcd://u:secret@a:1/s#f", "etcd://u:secret@%zz/s", "etcd://u:secret@a/s?x=%0",
                                      "etcd://u:secret@a/s?x=1&x=2", "etcd://u:secret@a/s?=1", "etcd://u:secret@a/%00"};

    (void)state;
    for (size_t i = 0; i < ROTA_COUNT(bad); i++) {
        struct rota_errinfo info = {{0}};
        struct rota_target *got;

        print_message("  %s\n", bad[i]);
        assert_int_equal(rota_target_parse(bad[i], known, NULL, &got, &info), ROTA_EPARSE);
        assert_true(info.text[0] != '\0');
        assert_null(strstr(info.text, "sec"));
    }
}

static void targets_fall_into_their_parts(void **state)
{
    (void)state;
    for (size_t i = 0; i < ROTA_COUNT(targets); i++) {
        const struct target_case *c = &targets[i];
        struct rota_leak_alloc leak;
        struct rota_target *got;
        char name[64];

        print_message("  %s\n", c->rule);
        rota_leak_alloc_init(&leak);
        assert_int_equal(rota_target_parse(c->text, known, &leak.alloc, &got, NULL), 0);
        assert_string_equal(got->text, c->text);
        assert_string_equal(got->scheme, c->scheme);
        assert_string_equal(got->authority, c->authority);
        assert_string_equal(got->path, c->path);
        assert_int_equal(got->n_params, c->n_params);
        assert_int_equal(rota_target_authority(got, name, sizeof(name)), 0);
        assert_string_equal(name, c->name);
        for (size_t cap = 0; cap <= strlen(c->name); cap++)
            assert_int_equal(rota_target_authority(got, name, cap), ROTA_ELIMIT);
        rota_target_free(&leak.alloc, got);
        rota_leak_alloc_fini(&leak);
    }
}

static const struct bad_case {
    const char *rule, *text, *says;
} bads[] = {
    {"no target", NULL, "empty"},
    {"an empty target", "", "empty"},
    {"a control character", "dns:///a\tb", "0x09 at 8"},
    {"a fragment", "dns:///a#b", "fragment"},
    {"an escape of nothing", "dns:///a%", "\"%\" is no percent escape"},
    {"an escape that is no hex", "dns:///%zz", "\"%zz\" is no percent escape"},
    {"a zero", "dns:///a%00b", "%00"},
    {"a bad escape in the authority", "etcd://%/a", "percent escape"},
    {"a bad escape in a parameter", "etcd:///a?b=%1", "percent escape"},
    {"a parameter without a name", "etcd:///a?=b", "has no name"},
    {"a parameter twice", "etcd:///a?b=1&b=2", "\"b\" is given twice"},
};

static void bad_targets_are_named(void **state)
{
    (void)state;
    for (size_t i = 0; i < ROTA_COUNT(bads); i++) {
        struct rota_leak_alloc leak;
        struct rota_target *got = NULL;
        struct rota_errinfo info = {""};

        print_message("  %s\n", bads[i].rule);
        rota_leak_alloc_init(&leak);
        assert_int_equal(rota_target_parse(bads[i].text, known, &leak.alloc, &got, &info), ROTA_EPARSE);
        assert_non_null(strstr(info.text, bads[i].says));
        assert_null(got);
        rota_leak_alloc_fini(&leak);
    }
}

static void parameters_are_found_decoded(void **state)
{
    struct rota_target *got;

    (void)state;
    assert_int_equal(rota_target_parse("etcd:///s?dialect=official&prefix=%2Fa%26b&x", known, NULL, &got, NULL), 0);
    assert_string_equal(rota_target_param(got, "dialect"), "official");
    assert_string_equal(rota_target_param(got, "prefix"), "/a&b");
    assert_string_equal(rota_target_param(got, "x"), "");
    assert_null(rota_target_param(got, "y"));
    assert_null(rota_target_param(got, NULL));
    assert_null(rota_target_param(NULL, "x"));
    rota_target_free(NULL, got);
    rota_target_free(NULL, NULL);
}

static const struct split_case {
    const char *rule, *text, *host; /* host NULL: refused */
    uint16_t port;
} splits[] = {
    {"host and port", "a:80", "a", 80},
    {"host alone", "a", "a", 443},
    {"IPv6 and port", "[::1]:80", "::1", 80},
    {"IPv6 alone", "[::1]", "::1", 443},
    {"no host", ":80", NULL, 0},
    {"nothing", "", NULL, 0},
    {"empty brackets", "[]:80", NULL, 0},
    {"no brackets", "::1", NULL, 0},
    {"bytes behind the bracket", "[::1]80", NULL, 0},
    {"no digits", "a:", NULL, 0},
    {"no number", "a:b", NULL, 0},
    {"too many digits", "a:000080", NULL, 0},
};

static void hosts_are_split_from_ports(void **state)
{
    (void)state;
    for (size_t i = 0; i < ROTA_COUNT(splits); i++) {
        const struct split_case *c = &splits[i];
        struct rota_slice host = {0};
        uint16_t port = 0;

        print_message("  %s\n", c->rule);
        assert_int_equal(rota_host_port_split(rota_slice_str(c->text), 443, &host, &port, NULL), c->host == NULL ? ROTA_EPARSE : 0);
        assert_true(rota_slice_equal(host, rota_slice_str(c->host)));
        assert_int_equal(port, c->port);
    }
}

static rota_err parse_one(const struct rota_alloc *alloc, void *ctx)
{
    struct rota_target *target;
    rota_err err = rota_target_parse("etcd://a/b?c=d", known, alloc, &target, NULL);

    (void)ctx;
    if (err == 0)
        rota_target_free(alloc, target);
    return err;
}

static void running_out_of_memory_is_an_error(void **state)
{
    (void)state;
    assert_int_equal(rota_alloc_sweep(parse_one, NULL), 1);
}

static void hosts_of_authorities(void **unused)
{
    static const struct {
        const char *authority, *host;
    } rows[] = {
        {"a", "a"}, {"a:1", "a"}, {"a.example:443", "a.example"}, {"10.0.0.1:2", "10.0.0.1"}, {"[::1]:3", "::1"}, {"[::1]", "::1"},
        {"::1", "::1"}, {"", ""}, {":5", ""}, {"[::1", "[::1"},
    };

    (void)unused;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        print_message("  \"%s\"\n", rows[i].authority);
        assert_true(rota_slice_equal(rota_authority_host(rows[i].authority), rota_slice_str(rows[i].host)));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(hosts_of_authorities),
        cmocka_unit_test(userinfo_is_kept_out_of_sight),
        cmocka_unit_test(no_error_has_userinfo),
        cmocka_unit_test(targets_fall_into_their_parts),
        cmocka_unit_test(bad_targets_are_named),
        cmocka_unit_test(parameters_are_found_decoded),
        cmocka_unit_test(hosts_are_split_from_ports),
        cmocka_unit_test(running_out_of_memory_is_an_error),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
