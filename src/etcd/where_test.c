/* where_test.c - etcd URIs taken apart; what is wrong with others is said. Also the ends of prefixes. */
#include "etcd/where.h"

#include "base/alloc.h"
#include "base/assert.h"
#include "testing/cmocka.h"
#include "testing/leak_alloc.h"
#include "wire/target.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define VARIABLE "ETCDCTL_ENDPOINTS"

static rota_err read_text(const char *text, const struct rota_alloc *alloc, struct rota_etcd_where *ret_where, struct rota_errinfo *info)
{
    static const char *const known[] = {"etcd", NULL};
    struct rota_target *target;
    rota_err err = rota_target_parse(text, known, NULL, &target, info);

    assert_int_equal(err, 0);
    err = rota_etcd_where_read(target, alloc, ret_where, info);
    rota_target_free(NULL, target);
    return err;
}

static void set_variable(const char *name, const char *value)
{
    assert_int_equal(value == NULL ? unsetenv(name) : setenv(name, value, 1), 0);
}

static void set_environment(const char *members)
{
    if (members == NULL)
        assert_int_equal(unsetenv(VARIABLE), 0);
    else
        assert_int_equal(setenv(VARIABLE, members, 1), 0);
}

static const struct where_case {
    const char *rule, *environment, *target, *members, *prefix, *dialect;
} cases[] = {
    {"one member", NULL, "etcd://127.0.0.1:2379/s", "127.0.0.1:2379", "/grpclb/s/", "grpclb"},
    {"several", NULL, "etcd://a:1,b:2,c:3/s", "a:1,b:2,c:3", "/grpclb/s/", "grpclb"},
    {"members without a port", NULL, "etcd://a,10.0.0.1/s", "a:2379,10.0.0.1:2379", "/grpclb/s/", "grpclb"},
    {"IPv6", NULL, "etcd://[::1]:5,[::2]/s", "[::1]:5,[::2]:2379", "/grpclb/s/", "grpclb"},
    {"no members", NULL, "etcd:///s", "127.0.0.1:2379", "/grpclb/s/", "grpclb"},
    {"no authority", NULL, "etcd:s", "127.0.0.1:2379", "/grpclb/s/", "grpclb"},
    {"members of the environment", "http://a:1,b", "etcd:///s", "a:1,b:2379", "/grpclb/s/", "grpclb"},
    {"with last slashes", "http://a:1/,http://b/", "etcd:///s", "a:1,b:2379", "/grpclb/s/", "grpclb"},
    {"an empty variable is none", "", "etcd:///s", "127.0.0.1:2379", "/grpclb/s/", "grpclb"},
    {"the URI's members win", "a:1", "etcd://b:2/s", "b:2", "/grpclb/s/", "grpclb"},
    {"and hide what is wrong with the others", "https://a:1", "etcd://b:2/s", "b:2", "/grpclb/s/", "grpclb"},
    {"dialect official", NULL, "etcd:///s?dialect=official", "127.0.0.1:2379", "s/", "official"},
    {"dialect grpclb by name", NULL, "etcd:///s?dialect=grpclb", "127.0.0.1:2379", "/grpclb/s/", "grpclb"},
    {"a prefix takes the service's place", NULL, "etcd:///s?prefix=/my/place/", "127.0.0.1:2379", "/my/place/", "grpclb"},
    {"no service with a prefix", NULL, "etcd://a:1?prefix=/p/&dialect=official", "a:1", "/p/", "official"},
    {"an empty prefix is none", NULL, "etcd:///s?prefix=", "127.0.0.1:2379", "/grpclb/s/", "grpclb"},
    {"slashes around the service", NULL, "etcd:////s//", "127.0.0.1:2379", "/grpclb/s/", "grpclb"},
    {"slashes inside it", NULL, "etcd:///a/b", "127.0.0.1:2379", "/grpclb/a/b/", "grpclb"},
};

static void uris_are_taken_apart(void **state)
{
    (void)state;
    for (size_t i = 0; i < ROTA_COUNT(cases); i++) {
        const struct where_case *c = &cases[i];
        struct rota_leak_alloc leak;
        struct rota_etcd_where where;

        print_message("  %s\n", c->rule);
        rota_leak_alloc_init(&leak);
        set_environment(c->environment);
        assert_int_equal(read_text(c->target, &leak.alloc, &where, NULL), 0);
        assert_string_equal(where.members, c->members);
        assert_string_equal(where.prefix, c->prefix);
        assert_string_equal(where.dialect->name, c->dialect);
        rota_etcd_where_fini(&where);
        rota_leak_alloc_fini(&leak);
    }
    set_environment(NULL);
}

static const struct secure_case {
    const char *rule, *environment, *target;
    bool secure;
    const char *ca, *cert, *key, *name;
} secures[] = {
    {"plain by default, whatever files are in the environment", NULL, "etcd://a/s", false, NULL, NULL, NULL, NULL},
    {"an authority", NULL, "etcd://a/s?cacert=/my/ca", true, "/my/ca", "/env/cert", "/env/key", NULL},
    {"a certificate and its key", NULL, "etcd://a/s?cert=/c&key=/k", true, "/env/ca", "/c", "/k", NULL},
    {"a name", NULL, "etcd://a/s?servername=etcd.example", true, "/env/ca", "/env/cert", "/env/key", "etcd.example"},
    {"in so many words", NULL, "etcd://a/s?tls=true", true, "/env/ca", "/env/cert", "/env/key", NULL},
    {"not in so many words", NULL, "etcd://a/s?tls=false", false, NULL, NULL, NULL, NULL},
    {"members that are https", "https://a:1,https://b/", "etcd:///s", true, "/env/ca", "/env/cert", "/env/key", NULL},
    {"the first says it for all", "https://a:1,b", "etcd:///s", true, "/env/ca", "/env/cert", "/env/key", NULL},
    {"empty is not given", NULL, "etcd://a/s?cacert=", true, "/env/ca", "/env/cert", "/env/key", NULL},
};

static const struct config_case {
    const char *rule, *target, *key;
} config_cases[] = {
    {"outside the prefix, named after it", "etcd://a/orders", "/rota/config/grpclb/orders"},
    {"of another dialect", "etcd://a/orders?dialect=official", "/rota/config/orders"},
    {"of a prefix named outright", "etcd://a/?prefix=//x/y/", "/rota/config/x/y"},
    {"of everything", "etcd://a/?prefix=/", "/rota/config/"},
    {"a key named outright", "etcd://a/orders?config=/mine", "/mine"},
    {"none", "etcd://a/orders?config=", ""},
};

static void a_service_config_has_a_key(void **state)
{
    (void)state;
    for (size_t i = 0; i < ROTA_COUNT(config_cases); i++) {
        const struct config_case *c = &config_cases[i];
        struct rota_etcd_where where;

        print_message("  %s\n", c->rule);
        assert_int_equal(read_text(c->target, NULL, &where, NULL), 0);
        assert_string_equal(where.config_key, c->key);
        rota_etcd_where_fini(&where);
    }
}

static void check_text(const char *got, const char *want)
{
    if (want == NULL)
        assert_null(got);
    else
        assert_string_equal(got, want);
}

static void tls_is_asked_for(void **state)
{
    (void)state;
    setenv("ETCDCTL_CACERT", "/env/ca", 1);
    setenv("ETCDCTL_CERT", "/env/cert", 1);
    setenv("ETCDCTL_KEY", "/env/key", 1);
    for (size_t i = 0; i < ROTA_COUNT(secures); i++) {
        const struct secure_case *c = &secures[i];
        struct rota_leak_alloc leak;
        struct rota_etcd_where where;

        print_message("  %s\n", c->rule);
        rota_leak_alloc_init(&leak);
        set_environment(c->environment);
        assert_int_equal(read_text(c->target, &leak.alloc, &where, NULL), 0);
        assert_int_equal(where.secure, c->secure);
        check_text(where.ca_file, c->ca);
        check_text(where.cert_file, c->cert);
        check_text(where.key_file, c->key);
        check_text(where.server_name, c->name);
        rota_etcd_where_fini(&where);
        rota_leak_alloc_fini(&leak);
    }
    set_environment(NULL);
    unsetenv("ETCDCTL_CACERT");
    unsetenv("ETCDCTL_CERT");
    unsetenv("ETCDCTL_KEY");
}

#define EIGHT "a,b,c,d,e,f,g,h"

static const struct refuse_case {
    const char *rule, *environment, *target, *words;
} refusals[] = {
    {"no service", NULL, "etcd://a:1", "no service; expected etcd://members/service"},
    {"slashes alone are none", NULL, "etcd://a:1///", "no service"},
    {"an unknown parameter", NULL, "etcd:///s?dialct=official", "unknown parameter \"dialct\"; there are dialect, prefix, config, tls, cacert, cert, key, servername"},
    {"an unknown dialect", NULL, "etcd:///s?dialect=zk", "unknown dialect \"zk\"; there are grpclb, official"},
    {"an empty dialect", NULL, "etcd:///s?dialect=", "unknown dialect \"\""},
    {"an empty member", NULL, "etcd://a,,b/s", "an empty name between commas"},
    {"a last comma", NULL, "etcd://a,/s", "an empty name between commas"},
    {"a port that is none", NULL, "etcd://a:x/s", "\"a:x\" is no host:port"},
    {"port 0", NULL, "etcd://a:0/s", "\"a:0\" is no host:port"},
    {"a port too large", NULL, "etcd://a:65536/s", "\"a:65536\" is no host:port"},
    {"https after others", "a:1,https://b:1", "etcd:///s", "etcd member \"https://b:1\" after one without https"},
    {"http after https", "https://a:1,http://b:1", "etcd:///s", "etcd member \"http://b:1\" beside TLS; expected https"},
    {"http with a file", "http://b:1", "etcd:///s?cacert=/ca", "beside TLS; expected https"},
    {"neither true nor false", NULL, "etcd:///s?tls=yes", "tls=yes; expected true, or false and none of cacert"},
    {"false with a file", NULL, "etcd:///s?tls=false&cert=/c", "tls=false; expected true"},
    {"a bad member of the environment", "a:x", "etcd:///s", "ETCDCTL_ENDPOINTS in the environment: etcd member \"a:x\""},
    {"another scheme", "ftp://a:1", "etcd:///s", "is no host:port"},
    {"33 members", NULL, "etcd://" EIGHT "," EIGHT "," EIGHT "," EIGHT ",i/s", "33 etcd members, at most 32"},
};

static void others_are_refused_with_a_sentence(void **state)
{
    (void)state;
    for (size_t i = 0; i < ROTA_COUNT(refusals); i++) {
        const struct refuse_case *c = &refusals[i];
        struct rota_etcd_where where;
        struct rota_errinfo info = {""};
        struct rota_leak_alloc leak;

        print_message("  %s\n", c->rule);
        rota_leak_alloc_init(&leak);
        set_environment(c->environment);
        assert_int_equal(read_text(c->target, &leak.alloc, &where, &info), ROTA_EINVAL);
        if (strstr(info.text, c->words) == NULL)
            fail_msg("\"%s\" does not say \"%s\"", info.text, c->words);
        rota_leak_alloc_fini(&leak);
    }
    set_environment(NULL);
}

static void long_parts_are_refused(void **state)
{
    static const struct long_case {
        const char *rule, *head;
        int size;
        const char *tail, *words;
        rota_err err;
    } longs[] = {
        {"a member of 256 bytes", "etcd://", 252, "b:22/s", "is no host:port", ROTA_EINVAL},
        {"a member of 257 bytes", "etcd://", 257, "/s", "a name of 257 bytes", ROTA_EINVAL},
        {"members of 4100 bytes", "etcd://", 4100, "/s", "a list of 4100 bytes", ROTA_EINVAL},
        {"a service of 1014 bytes", "etcd:///", 1014, "", "", 0},
        {"a service of 1015 bytes", "etcd:///", 1015, "", "the service's name is too long", ROTA_EINVAL},
        {"a service of 2000 bytes", "etcd:///", 2000, "", "the service's name is too long", ROTA_EINVAL},
    };

    (void)state;
    for (size_t i = 0; i < ROTA_COUNT(longs); i++) {
        struct rota_errinfo info = {""};
        struct rota_etcd_where where;
        char text[4200];

        print_message("  %s\n", longs[i].rule);
        snprintf(text, sizeof(text), "%s%0*d%s", longs[i].head, longs[i].size, 0, longs[i].tail);
        assert_int_equal(read_text(text, NULL, &where, &info), longs[i].err);
        if (longs[i].err == 0)
            rota_etcd_where_fini(&where);
        else if (longs[i].words[0] != '\0' && strstr(info.text, longs[i].words) == NULL)
            fail_msg("\"%s\" does not say \"%s\"", info.text, longs[i].words);
    }
}

static void logins_are_read(void **state)
{
    static const struct login_case {
        const char *rule, *target, *user_variable, *password_variable, *user, *password; /* user NULL: none */
    } rows[] = {
        {"nobody", "etcd://a:1/s", NULL, NULL, NULL, NULL},
        {"of the URI", "etcd://zoe:pass@a:1,b:2/s", NULL, NULL, "zoe", "pass"},
        {"percent-decoded", "etcd://z%3Aoe:p%40%2F%25%3As@a:1/s", NULL, NULL, "z:oe", "p@/%:s"},
        {"the first colon divides", "etcd://zoe:a:b@a:1/s", NULL, NULL, "zoe", "a:b"},
        {"an empty password", "etcd://zoe:@a:1/s", NULL, "other", "zoe", ""},
        {"the environment's", "etcd://a:1/s", "zoe:pa%40s:s", NULL, "zoe", "pa%40s:s"},
        {"the environment's, apart", "etcd://a:1/s", "zoe", "pa:ss", "zoe", "pa:ss"},
        {"the URI's user, the environment's password", "etcd://zoe@a:1/s", "other:x", "pa%40ss", "zoe", "pa%40ss"},
        {"the URI's before the environment's", "etcd://zoe:pass@a:1/s", "other:x", "y", "zoe", "pass"},
        {"an empty variable is none", "etcd://a:1/s", "", "x", NULL, NULL},
        {"a password for nobody", "etcd://a:1/s", NULL, "x", NULL, NULL},
    };

    (void)state;
    for (size_t i = 0; i < ROTA_COUNT(rows); i++) {
        struct rota_etcd_where where;

        print_message("  %s\n", rows[i].rule);
        set_variable("ETCDCTL_USER", rows[i].user_variable);
        set_variable("ETCDCTL_PASSWORD", rows[i].password_variable);
        assert_int_equal(read_text(rows[i].target, NULL, &where, NULL), 0);
        assert_int_equal(where.user != NULL, rows[i].user != NULL);
        if (rows[i].user != NULL) {
            assert_string_equal(where.user, rows[i].user);
            assert_string_equal(where.password, rows[i].password);
        }
        rota_etcd_where_fini(&where);
    }
    set_variable("ETCDCTL_USER", NULL);
    set_variable("ETCDCTL_PASSWORD", NULL);
}

static void passwords_are_not_told(void **state)
{
    static const char *const bad[] = {"etcd://zoe:secret@a:1/", "etcd://zoe:secret@a:1/s?dialect=x", "etcd://zoe:secret@a:1/s?x=1", "etcd://zoe:secret@/s?tls=1",
                                      "etcd://zoe:secret@a:b/s", "etcd://zoe:se/cret@a:1/s", "etcd://:secret@a:1/s", "etcd://zoe:secret%ff@a:1/s"};

    (void)state;
    for (size_t i = 0; i < ROTA_COUNT(bad); i++) {
        struct rota_errinfo info = {""};
        struct rota_etcd_where where;

        print_message("  %s\n", bad[i]);
        assert_int_equal(read_text(bad[i], NULL, &where, &info), ROTA_EINVAL);
        assert_true(info.text[0] != '\0');
        assert_null(strstr(info.text, "secret"));
        assert_null(strstr(info.text, "zoe:se"));
    }
}

static void members_come_through_a_target(void **state)
{
    static const char *const known[] = {ROTA_ETCD_MEMBERS_SCHEME, NULL};
    static const struct member_case {
        const char *rule, *uri, *members;
    } rows[] = {
        {"names and addresses", "etcd://a,10.0.0.1:5,[::1]/s", "a:2379,10.0.0.1:5,[::1]:2379"},
        {"a zone of one digit", "etcd://[fe80::1%252]/s", "[fe80::1%2]:2379"},
        {"zones that look like escapes", "etcd://[fe80::1%2541],[fe80::1%2510]:5/s", "[fe80::1%41]:2379,[fe80::1%10]:5"},
    };

    (void)state;
    for (size_t i = 0; i < ROTA_COUNT(rows); i++) {
        struct rota_etcd_where where;
        struct rota_target *target;
        struct rota_leak_alloc leak;
        char *text;

        print_message("  %s\n", rows[i].rule);
        rota_leak_alloc_init(&leak);
        assert_int_equal(read_text(rows[i].uri, NULL, &where, NULL), 0);
        text = rota_etcd_where_members_target(&where, &leak.alloc);
        assert_int_equal(rota_target_parse(text, known, &leak.alloc, &target, NULL), 0);
        assert_string_equal(target->scheme, ROTA_ETCD_MEMBERS_SCHEME);
        assert_string_equal(target->path, rows[i].members);
        rota_target_free(&leak.alloc, target);
        rota_alloc_free(&leak.alloc, text);
        rota_leak_alloc_fail_nth(&leak, 1);
        assert_null(rota_etcd_where_members_target(&where, &leak.alloc));
        rota_leak_alloc_fini(&leak);
        rota_etcd_where_fini(&where);
    }
}

static rota_err one_read(const struct rota_alloc *alloc, void *ctx)
{
    struct rota_etcd_where where;
    rota_err err = read_text(ctx, alloc, &where, NULL);

    if (err == 0)
        rota_etcd_where_fini(&where);
    return err;
}

static void out_of_memory_is_an_error(void **state)
{
    (void)state;
    assert_int_equal(rota_alloc_sweep(one_read, (void *)(uintptr_t) "etcd://a:1,b/s"), 3);
    assert_int_equal(rota_alloc_sweep(one_read, (void *)(uintptr_t) "etcd://a?prefix=p"), 3);
    assert_int_equal(rota_alloc_sweep(one_read, (void *)(uintptr_t) "etcd://zoe:pass@a?prefix=p"), 5);
}

static void ranges_end_behind_the_prefix(void **state)
{
    static const struct range_case {
        const char *rule;
        struct rota_slice prefix, end;
    } ranges[] = {
        {"the last byte is one larger", ROTA_SLICE("/a/"), ROTA_SLICE("/a0")},
        {"0xff at the end is cut off", ROTA_SLICE("a\xff\xff"), ROTA_SLICE("b")},
        {"nothing but 0xff: everything", ROTA_SLICE("\xff\xff"), ROTA_SLICE("\0")},
        {"no prefix: everything", ROTA_SLICE(""), ROTA_SLICE("\0")},
    };

    (void)state;
    for (size_t i = 0; i < ROTA_COUNT(ranges); i++) {
        uint8_t out[8];

        print_message("  %s\n", ranges[i].rule);
        assert_int_equal(rota_etcd_range_end(ranges[i].prefix, out), ranges[i].end.size);
        assert_memory_equal(out, ranges[i].end.data, ranges[i].end.size);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(uris_are_taken_apart),
        cmocka_unit_test(a_service_config_has_a_key),         cmocka_unit_test(others_are_refused_with_a_sentence),
        cmocka_unit_test(long_parts_are_refused),       cmocka_unit_test(out_of_memory_is_an_error),
        cmocka_unit_test(ranges_end_behind_the_prefix), cmocka_unit_test(tls_is_asked_for),
        cmocka_unit_test(logins_are_read),              cmocka_unit_test(passwords_are_not_told),
        cmocka_unit_test(members_come_through_a_target),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
