/* dialect_test.c - values as anybody may write them, read; endpoints written, and read back as they were. */
#include "etcd/dialect.h"

#include "base/alloc.h"
#include "base/assert.h"
#include "testing/cmocka.h"
#include "testing/leak_alloc.h"
#include <stdio.h>
#include <string.h>

#define KEY "10.0.0.9:90"

static const struct read_case {
    const char *rule;
    bool official;
    const char *value, *address, *zone, *version, *attributes;
    uint32_t weight;
} reads[] = {
    {"a bare address", false, "10.0.0.1:80", "10.0.0.1:80", NULL, NULL, "", 0},
    {"IPv6", false, "[::1]:80", "[::1]:80", NULL, NULL, "", 0},
    {"a name", false, "host:80", "host:80", NULL, NULL, "", 0},
    {"a path", false, "unix:/run/x", "unix:/run/x", NULL, NULL, "", 0},
    {"digits alone are the weight of the key's address", false, "5", KEY, NULL, NULL, "", 5},
    {"weight zero is none", false, "0", KEY, NULL, NULL, "", 0},
    {"JSON with all", false, "{\"addr\":\"10.0.0.1:80\",\"weight\":5,\"zone\":\"a\",\"version\":\"1\",\"metadata\":{\"k\":\"v\"}}", "10.0.0.1:80", "a", "1",
     "k=v ", 5},
    {"address in other words", false, "{\"Address\":\"10.0.0.1:80\"}", "10.0.0.1:80", NULL, NULL, "", 0},
    {"no address in the JSON: the key's", false, "{\"weight\":2}", KEY, NULL, NULL, "", 2},
    {"members have no case", false, "{\"ADDR\":\"10.0.0.1:80\",\"Weight\":2,\"ZONE\":\"b\"}", "10.0.0.1:80", "b", NULL, "", 2},
    {"weight as a string", false, "{\"weight\":\"7\"}", KEY, NULL, NULL, "", 7},
    {"weight as a whole real", false, "{\"weight\":7.0}", KEY, NULL, NULL, "", 7},
    {"the largest weight", false, "{\"weight\":4294967295}", KEY, NULL, NULL, "", UINT32_MAX},
    {"weight inside the metadata wins", false, "{\"weight\":1,\"metadata\":{\"weight\":\"9\"}}", KEY, NULL, NULL, "", 9},
    {"scalars become attributes, others do not", false,
     "{\"metadata\":{\"i\":-1,\"r\":0.5,\"t\":true,\"f\":false,\"n\":null,\"o\":{},\"l\":[]}}", KEY, NULL, NULL, "i=-1 r=0.5 t=true f=false ", 0},
    {"integers of any size", false, "{\"weight\":3,\"metadata\":{\"id\":18446744073709551615,\"n\":-2}}", KEY, NULL, NULL, "id=1.8446744073709552e+19 n=-2 ", 3},
    {"a zone that is no text is none", false, "{\"zone\":3}", KEY, NULL, NULL, "", 0},
    {"metadata that is no object is none", false, "{\"metadata\":\"x\"}", KEY, NULL, NULL, "", 0},
    {"space around the JSON's parts", false, "{ \"addr\" : \"10.0.0.1:80\" }\n", "10.0.0.1:80", NULL, NULL, "", 0},
    {"official", true, "{\"Op\":0,\"Addr\":\"10.0.0.1:80\",\"Metadata\":null}", "10.0.0.1:80", NULL, NULL, "", 0},
    {"official with metadata", true, "{\"Op\":0,\"Addr\":\"10.0.0.1:80\",\"Metadata\":{\"weight\":3,\"zone\":\"z\",\"k\":\"v\"}}", "10.0.0.1:80", "z", NULL,
     "k=v ", 3},
    {"official without Op", true, "{\"Addr\":\"10.0.0.1:80\"}", "10.0.0.1:80", NULL, NULL, "", 0},
    {"official with metadata that is a text", true, "{\"Op\":0,\"Addr\":\"10.0.0.1:80\",\"Metadata\":\"x\"}", "10.0.0.1:80", NULL, NULL, "", 0},
};

static const struct rota_etcd_dialect *dialect(bool official)
{
    return official ? &rota_etcd_official : &rota_etcd_grpclb;
}

static void assert_text(const char *got, const char *want)
{
    if (want == NULL)
        assert_null(got);
    else
        assert_string_equal(got, want);
}

static void values_are_read(void **state)
{
    (void)state;
    for (size_t i = 0; i < ROTA_COUNT(reads); i++) {
        const struct read_case *c = &reads[i];
        const struct rota_endpoint *e;
        struct rota_leak_alloc leak;
        char attributes[256] = "";

        print_message("  %s\n", c->rule);
        rota_leak_alloc_init(&leak);
        assert_int_equal(dialect(c->official)->read(&leak.alloc, rota_slice_str(KEY), rota_slice_str(c->value), &e, NULL), 0);
        assert_int_equal(e->n_addresses, 1);
        assert_string_equal(e->addresses[0].text, c->address);
        assert_int_equal(e->weight, c->weight);
        assert_text(e->zone, c->zone);
        assert_text(e->version, c->version);
        for (size_t a = 0; a < e->n_attributes; a++) {
            strcat(strcat(attributes, e->attributes[a].key), "=");
            strcat(strcat(attributes, e->attributes[a].value), " ");
        }
        assert_string_equal(attributes, c->attributes);
        rota_endpoint_unref(e);
        rota_leak_alloc_fini(&leak);
    }
}

static const struct refuse_case {
    const char *rule;
    bool official;
    struct rota_slice value;
    rota_err err;
    const char *words;
} refusals[] = {
    {"nothing", false, ROTA_SLICE(""), ROTA_EPARSE, ""},
    {"no address", false, ROTA_SLICE("hello"), ROTA_EPARSE, "hello"},
    {"port 0", false, ROTA_SLICE("10.0.0.1:0"), ROTA_EPARSE, "port 0"},
    {"port 65536", false, ROTA_SLICE("10.0.0.1:65536"), ROTA_EPARSE, "65536"},
    {"no host", false, ROTA_SLICE(":80"), ROTA_EPARSE, "a host is missing"},
    {"a zero among the bytes", false, ROTA_SLICE("10.0.0.1\0:80"), ROTA_EPARSE, ""},
    {"bytes that are no text", false, ROTA_SLICE("\xff\xfe\x80:80"), ROTA_EPARSE, ""},
    {"ten digits are no weight", false, ROTA_SLICE("1234567890"), ROTA_EPARSE, "1234567890"},
    {"JSON cut off", false, ROTA_SLICE("{\"addr\":\"10.0.0.1:80\""), ROTA_EPARSE, "bad JSON at byte"},
    {"JSON with more behind it", false, ROTA_SLICE("{} x"), ROTA_EPARSE, "bad JSON at byte"},
    {"JSON that is no UTF-8", false, ROTA_SLICE("{\"addr\":\"\xff\"}"), ROTA_EPARSE, "bad JSON"},
    {"a member twice", false, ROTA_SLICE("{\"addr\":\"10.0.0.1:80\",\"addr\":\"10.0.0.2:80\"}"), ROTA_EPARSE, "duplicate"},
    {"an address that is no text", false, ROTA_SLICE("{\"addr\":80}"), ROTA_EPARSE, "names no address"},
    {"an address without a host in JSON", false, ROTA_SLICE("{\"addr\":\":80\"}"), ROTA_EPARSE, "a host is missing"},
    {"an escaped zero", false, ROTA_SLICE("{\"addr\":\"10.0.0.1:80\\u0000\"}"), ROTA_EPARSE, "bad JSON"},
    {"a weight below zero", false, ROTA_SLICE("{\"weight\":-1}"), ROTA_EPARSE, "weight must be"},
    {"a weight of a half", false, ROTA_SLICE("{\"weight\":0.5}"), ROTA_EPARSE, "weight must be"},
    {"a weight too large", false, ROTA_SLICE("{\"weight\":4294967296}"), ROTA_EPARSE, "weight must be"},
    {"a weight too large as a real", false, ROTA_SLICE("{\"weight\":1e300}"), ROTA_EPARSE, "weight must be"},
    {"a weight in words", false, ROTA_SLICE("{\"weight\":\"many\"}"), ROTA_EPARSE, "weight must be"},
    {"a weight with something behind it", false, ROTA_SLICE("{\"weight\":\"5x\"}"), ROTA_EPARSE, "weight must be"},
    {"a weight that is a list", false, ROTA_SLICE("{\"weight\":[]}"), ROTA_EPARSE, "weight must be"},
    {"a bad weight inside the metadata", false, ROTA_SLICE("{\"metadata\":{\"weight\":\"x\"}}"), ROTA_EPARSE, "weight must be"},
    {"official: a bare address", true, ROTA_SLICE("10.0.0.1:80"), ROTA_EPARSE, "no JSON object"},
    {"official: nothing", true, ROTA_SLICE(""), ROTA_EPARSE, "no JSON object"},
    {"official: no address, whatever the key", true, ROTA_SLICE("{\"Op\":0}"), ROTA_EPARSE, "names no address"},
    {"official: deleted", true, ROTA_SLICE("{\"Op\":1,\"Addr\":\"10.0.0.1:80\"}"), ROTA_ENOTFOUND, "deleted"},
    {"official: deleted, whatever else there is", true, ROTA_SLICE("{\"Op\":1,\"Addr\":\"10.0.0.1:80\",\"Metadata\":{\"id\":18446744073709551615}}"),
     ROTA_ENOTFOUND, "deleted"},
};

static void others_are_refused_with_a_sentence(void **state)
{
    (void)state;
    for (size_t i = 0; i < ROTA_COUNT(refusals); i++) {
        const struct refuse_case *c = &refusals[i];
        const struct rota_endpoint *e = NULL;
        struct rota_errinfo info = {""};
        struct rota_leak_alloc leak;

        print_message("  %s\n", c->rule);
        rota_leak_alloc_init(&leak);
        assert_int_equal(dialect(c->official)->read(&leak.alloc, rota_slice_str(KEY), c->value, &e, &info), c->err);
        assert_null(e);
        assert_true(info.text[0] != '\0');
        if (strstr(info.text, c->words) == NULL)
            fail_msg("\"%s\" does not say \"%s\"", info.text, c->words);
        rota_leak_alloc_fini(&leak);
    }
}

static void the_bound_on_json_is_exact(void **state)
{
    enum { LIMIT = 64 << 10 };
    static char text[LIMIT + 2];
    const struct rota_endpoint *e = NULL;
    struct rota_errinfo info = {""};

    (void)state;
    memset(text, ' ', sizeof(text));
    memcpy(text, "{\"weight\":1}", 12);
    assert_int_equal(rota_etcd_grpclb.read(NULL, rota_slice_str(KEY), rota_slice(text, LIMIT), &e, &info), 0);
    rota_endpoint_unref(e);
    assert_int_equal(rota_etcd_grpclb.read(NULL, rota_slice_str(KEY), rota_slice(text, LIMIT + 1), &e, &info), ROTA_EPARSE);
    assert_non_null(strstr(info.text, "65537 bytes of JSON, at most 65536"));
}

static void attributes_beyond_the_32nd_are_left_out(void **state)
{
    char text[1024] = "{\"metadata\":{";
    const struct rota_endpoint *e;

    (void)state;
    for (int i = 0; i < 40; i++)
        sprintf(text + strlen(text), "%s\"k%d\":%d", i == 0 ? "" : ",", i, i);
    strcat(text, "}}");
    assert_int_equal(rota_etcd_grpclb.read(NULL, rota_slice_str(KEY), rota_slice_str(text), &e, NULL), 0);
    assert_int_equal(e->n_attributes, 32);
    assert_string_equal(e->attributes[31].value, "31");
    rota_endpoint_unref(e);
}

/* --- Writing --- */

static const struct rota_attribute attribute = {"addr", "a trap"};

static const struct write_case {
    const char *rule;
    bool official;
    uint32_t weight;
    const char *zone, *version;
    size_t n_attributes;
    const char *value;
} writes[] = {
    {"an address alone is the plain value", false, 0, NULL, NULL, 0, "10.0.0.1:80"},
    {"a weight makes it JSON", false, 5, NULL, NULL, 0, "{\"addr\":\"10.0.0.1:80\",\"weight\":5}"},
    {"zone and version", false, 0, "a\"b", "1.2", 0, "{\"addr\":\"10.0.0.1:80\",\"zone\":\"a\\\"b\",\"version\":\"1.2\"}"},
    {"attributes go into the metadata", false, 0, NULL, NULL, 1, "{\"addr\":\"10.0.0.1:80\",\"metadata\":{\"addr\":\"a trap\"}}"},
    {"official", true, 0, NULL, NULL, 0, "{\"Op\":0,\"Addr\":\"10.0.0.1:80\",\"Metadata\":null}"},
    {"official with all", true, 5, "z", "1", 1,
     "{\"Op\":0,\"Addr\":\"10.0.0.1:80\",\"Metadata\":{\"addr\":\"a trap\",\"weight\":5,\"zone\":\"z\",\"version\":\"1\"}}"},
};

static struct rota_endpoint endpoint_of(const struct write_case *c)
{
    static const struct rota_address address = {.kind = ROTA_ADDRESS_IPV4, .port = 80, .ip = {10, 0, 0, 1}, .text = "10.0.0.1:80"};

    return (struct rota_endpoint){.addresses = &address, .n_addresses = 1, .weight = c->weight, .zone = c->zone, .version = c->version,
                                  .attributes = &attribute, .n_attributes = c->n_attributes};
}

static void endpoints_are_written_and_read_back(void **state)
{
    (void)state;
    for (size_t i = 0; i < ROTA_COUNT(writes); i++) {
        const struct write_case *c = &writes[i];
        struct rota_endpoint e = endpoint_of(c);
        const struct rota_endpoint *back;
        struct rota_leak_alloc leak;
        char *text;

        print_message("  %s\n", c->rule);
        rota_leak_alloc_init(&leak);
        text = dialect(c->official)->write(&leak.alloc, &e);
        assert_string_equal(text, c->value);
        assert_int_equal(dialect(c->official)->read(&leak.alloc, rota_slice_str(KEY), rota_slice_str(text), &back, NULL), 0);
        assert_true(rota_endpoint_equal(back, &e));
        rota_endpoint_unref(back);
        rota_alloc_free(&leak.alloc, text);
        rota_leak_alloc_fini(&leak);
    }
}

static rota_err there_and_back(const struct rota_alloc *alloc, void *ctx)
{
    const struct write_case *c = ctx;
    struct rota_endpoint e = endpoint_of(c);
    const struct rota_endpoint *back;
    char *text = dialect(c->official)->write(alloc, &e);
    rota_err err;

    if (text == NULL)
        return ROTA_ENOMEM;
    err = dialect(c->official)->read(alloc, rota_slice_str(KEY), rota_slice_str(text), &back, NULL);
    if (err == 0)
        rota_endpoint_unref(back);
    rota_alloc_free(alloc, text);
    return err;
}

static void out_of_memory_is_an_error(void **state)
{
    (void)state;
    for (size_t i = 0; i < ROTA_COUNT(writes); i++)
        assert_true(rota_alloc_sweep(there_and_back, (void *)(uintptr_t)&writes[i]) >= 2);
}

static void a_service_below_another_is_told_from_it(void **state)
{
    static const struct foreign_case {
        const char *rule, *key_tail;
        bool foreign;
    } tails[] = {
        {"an address", "10.0.0.1:80", false},
        {"any name", "name", false},
        {"nothing", "", false},
        {"another service's address", "b/10.0.0.1:80", true},
        {"or its socket", "b/unix:/run/x", true},
        {"a socket", "unix:/run/x", false},
        {"its URI", "unix:///run/x", false},
        {"an abstract one", "unix-abstract:a/b", false},
        {"a service that is only called so", "unix/10.0.0.1:80", true},
    };

    (void)state;
    for (size_t i = 0; i < ROTA_COUNT(tails); i++) {
        print_message("  %s\n", tails[i].rule);
        assert_int_equal(rota_etcd_grpclb.foreign(rota_slice_str(tails[i].key_tail)), tails[i].foreign);
    }
    assert_null(rota_etcd_official.foreign);
}

static void dialects_have_names_and_prefixes(void **state)
{
    static const struct prefix_case {
        const char *name, *service, *prefix;
    } prefixes[] = {{"grpclb", "hello", "/grpclb/hello/"}, {"official", "hello", "hello/"}, {"official", "a/b", "a/b/"}};
    char out[64];

    (void)state;
    for (size_t i = 0; i < ROTA_COUNT(prefixes); i++) {
        const struct rota_etcd_dialect *d = rota_etcd_dialect_named(prefixes[i].name);
        assert_non_null(d);
        assert_non_null(strstr(rota_etcd_dialect_names(), d->name));
        assert_int_equal(d->prefix(prefixes[i].service, out, sizeof(out)), 0);
        assert_string_equal(out, prefixes[i].prefix);
        assert_int_equal(d->prefix(prefixes[i].service, out, strlen(prefixes[i].prefix)), ROTA_ELIMIT);
    }
    assert_null(rota_etcd_dialect_named("Grpclb"));
    assert_null(rota_etcd_dialect_named(""));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(values_are_read),
        cmocka_unit_test(others_are_refused_with_a_sentence),
        cmocka_unit_test(the_bound_on_json_is_exact),
        cmocka_unit_test(attributes_beyond_the_32nd_are_left_out),
        cmocka_unit_test(endpoints_are_written_and_read_back),
        cmocka_unit_test(out_of_memory_is_an_error),
        cmocka_unit_test(a_service_below_another_is_told_from_it),
        cmocka_unit_test(dialects_have_names_and_prefixes),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
