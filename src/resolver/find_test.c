/* find_test.c - targets of the resolvers that need no lookup: found, checked, published. */
#include "base/assert.h"
#include "base/alloc.h"
#include "resolver/owner_fixture.h"
#include "resolver/resolvers.h"
#include "testing/cmocka.h"
#include "wire/target.h"

static const struct rota_resolver_class *const classes[] = {
    &rota_resolver_ipv4, &rota_resolver_ipv6, &rota_resolver_unix, &rota_resolver_unix_abstract, NULL};

static const struct good_case {
    const char *target, *heard;
} goods[] = {
    {"ipv4:1.2.3.4:80", "list 1.2.3.4:80;"},
    {"ipv4:///1.2.3.4:80", "list 1.2.3.4:80;"},
    {"ipv4:1.2.3.4:80,5.6.7.8:81,1.2.3.4:80", "list 1.2.3.4:80 5.6.7.8:81;"},
    {"ipv4:1.2.3.4", "list 1.2.3.4:443;"},
    {"IPV4:1.2.3.4:80", "list 1.2.3.4:80;"},
    {"ipv6:[::1]:80,[::2]", "list [::1]:80 [::2]:443;"},
    {"ipv6:%5B::1%5D:80", "list [::1]:80;"},
    {"unix:run/x", "list unix:run/x;"},
    {"unix:/run/x", "list unix:/run/x;"},
    {"unix:///run/x", "list unix:/run/x;"},
    {"unix:/run/a%20b", "list unix:/run/a b;"},
    {"unix-abstract:name", "list unix-abstract:name;"},
    {"unix-abstract:///name", "list unix-abstract:name;"},
};

static void good_targets_are_published(void **state)
{
    (void)state;
    for (size_t i = 0; i < ROTA_COUNT(goods); i++) {
        const struct rota_resolver_class *class;
        struct rota_target *target;
        struct owner_fixture f;

        print_message("  %s\n", goods[i].target);
        owner_init(&f);
        assert_int_equal(rota_resolver_find(goods[i].target, classes, &f.leak.alloc, &target, &class, NULL), 0);
        assert_int_equal(class->state_size, 0);
        assert_int_equal(class->start(NULL, target, NULL, &f.sink), 0);
        owner_expect(&f, goods[i].heard);
        class->refresh(NULL);
        owner_expect(&f, "");
        class->stop(NULL);
        rota_target_free(&f.leak.alloc, target);
        owner_fini(&f);
    }
}

static const struct bad_case {
    const char *target;
    rota_err want;
    const char *says;
} bads[] = {
    {NULL, ROTA_EPARSE, "empty"},
    {"", ROTA_EPARSE, "empty"},
    {"localhost:80", ROTA_ENOTFOUND, "no resolver for \"dns\", only for ipv4, ipv6, unix, unix-abstract"},
    {"zk://a/b", ROTA_ENOTFOUND, "no resolver for \"zk\""},
    {"ipv4:", ROTA_EINVAL, "empty"},
    {"ipv4:1.2.3.4:80,", ROTA_EINVAL, "an address of the list is empty"},
    {"ipv4:1.2.3.4:80,,1.2.3.4:81", ROTA_EINVAL, "an address of the list is empty"},
    {"ipv4:1.2.3.4:80,5.6.7.8:x", ROTA_EINVAL, "\"x\" is no port"},
    {"ipv4:[::1]:80", ROTA_EINVAL, "\"[::1]:80\" is not an IPv4 address"},
    {"ipv4:localhost:80", ROTA_EINVAL, "\"localhost:80\" is not an IPv4 address"},
    {"ipv4:1.2.3.4:0", ROTA_EINVAL, "port 0"},
    {"ipv4://1.2.3.4:80", ROTA_EINVAL, "expected ipv4:ADDRESS:PORT"},
    {"ipv4:1.2.3.4:80?a=b", ROTA_EINVAL, "nothing more"},
    {"ipv6:1.2.3.4:80", ROTA_EINVAL, "not an IPv6 address"},
    {"ipv6:::1", ROTA_EINVAL, "more than one colon"},
    {"unix:", ROTA_EINVAL, "names no socket"},
    {"unix://run/x", ROTA_EINVAL, "an absolute path is unix:///path"},
    {"unix:/run/x?a=b", ROTA_EINVAL, "no parameters"},
    {"unix-abstract:", ROTA_EINVAL, "names no socket"},
    {"unix:/0123456789012345678901234567890123456789012345678901234567890123456789012345678901234567890123456789/1234567", ROTA_EINVAL, "107 at most"},
};

static void bad_targets_are_refused_with_the_reason(void **state)
{
    (void)state;
    for (size_t i = 0; i < ROTA_COUNT(bads); i++) {
        const struct rota_resolver_class *class = NULL;
        struct rota_target *target = NULL;
        struct rota_errinfo info = {""};
        struct rota_leak_alloc leak;

        print_message("  %s\n", bads[i].target == NULL ? "(none)" : bads[i].target);
        rota_leak_alloc_init(&leak);
        assert_int_equal(rota_resolver_find(bads[i].target, classes, &leak.alloc, &target, &class, &info), bads[i].want);
        if (strstr(info.text, bads[i].says) == NULL)
            fail_msg("it says: %s", info.text);
        assert_null(target);
        rota_leak_alloc_fini(&leak);
    }
}

static void without_classes_nothing_is_found(void **state)
{
    const struct rota_resolver_class *class;
    struct rota_errinfo info = {""};
    struct rota_target *target;

    (void)state;
    assert_int_equal(rota_resolver_find("a:1", NULL, NULL, &target, &class, &info), ROTA_ENOTFOUND);
    assert_non_null(strstr(info.text, "only for nothing"));
}

static rota_err refuse(const struct rota_target *target, struct rota_errinfo *info)
{
    (void)target;
    strcpy(info->text, "never");
    return ROTA_EINVAL;
}

static void check_always_has_where_to_complain(void **unused)
{
    static const struct rota_resolver_class strict = {.scheme = "strict", .check = refuse};
    static const struct rota_resolver_class *const ours[] = {&strict, NULL};
    const struct rota_resolver_class *class;
    struct rota_target *target;

    (void)unused;
    assert_int_equal(rota_resolver_find("strict:x", ours, NULL, &target, &class, NULL), ROTA_EINVAL);
}

static rota_err find_and_start(const struct rota_alloc *alloc, void *ctx)
{
    const struct rota_resolver_class *class;
    struct rota_resolver_sink sink;
    struct rota_target *target;
    struct rota_host host;
    rota_err err = rota_resolver_find(ctx, classes, alloc, &target, &class, NULL);

    if (err < 0)
        return err;
    rota_host_init(&host, alloc, NULL, 1);
    rota_resolver_sink_init(&sink, NULL, NULL, &host, alloc, NULL);
    err = class->start(NULL, target, NULL, &sink);
    if (err == 0)
        class->stop(NULL);
    if (sink.error_new)
        err = ROTA_ENOMEM;
    rota_resolver_sink_fini(&sink);
    rota_host_fini(&host);
    rota_target_free(alloc, target);
    return err;
}

static void running_out_of_memory_is_an_error(void **state)
{
    char ipv4[] = "ipv4:1.2.3.4:80,5.6.7.8:81", unix_path[] = "unix:/x";

    (void)state;
    assert_true(rota_alloc_sweep(find_and_start, ipv4) >= 6);
    assert_true(rota_alloc_sweep(find_and_start, unix_path) >= 4);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(good_targets_are_published),
        cmocka_unit_test(bad_targets_are_refused_with_the_reason),
        cmocka_unit_test(without_classes_nothing_is_found),
        cmocka_unit_test(check_always_has_where_to_complain),
        cmocka_unit_test(running_out_of_memory_is_an_error),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
