/* dns_test.c - when names are looked up and what is made of the answers, in virtual time, with answers by the test. */
#include "resolver/dns.h"
#include "base/alloc.h"
#include "base/assert.h"
#include "resolver/owner_fixture.h"
#include "testing/cmocka.h"
#include "wire/target.h"
#include <stdio.h>

static const char *const known[] = {"dns", NULL};

/* The lookups of the test that runs. */
static struct lookups {
    rota_dns_done done; /* of the one that runs; NULL: none does */
    void *arg;
    char asked[64];
    size_t n_started, n_canceled;
    rota_err start_err; /* what the next start returns */
    rota_dns_txt_done txt_done; /* of the TXT lookup that runs; NULL: none does */
    void *txt_arg;
    char txt_asked[300];
    size_t n_txt;
    rota_err txt_start_err;
} lookups;

static rota_err start(struct rota_loop *loop, struct rota_slice host, uint16_t port, rota_dns_done done, void *arg, void **ret_lookup)
{
    (void)loop;
    lookups.n_started++;
    if (lookups.start_err < 0)
        return lookups.start_err;
    assert_null(lookups.done);
    lookups.done = done;
    lookups.arg = arg;
    snprintf(lookups.asked, sizeof(lookups.asked), "%.*s %u", (int)host.size, (const char *)host.data, (unsigned)port);
    *ret_lookup = &lookups;
    return 0;
}

static rota_err start_txt(struct rota_loop *loop, const char *name, rota_dns_txt_done done, void *arg, void **ret_lookup)
{
    (void)loop;
    lookups.n_txt++;
    if (lookups.txt_start_err < 0)
        return lookups.txt_start_err;
    assert_null(lookups.txt_done);
    lookups.txt_done = done;
    lookups.txt_arg = arg;
    snprintf(lookups.txt_asked, sizeof(lookups.txt_asked), "%s", name);
    *ret_lookup = &lookups.txt_done;
    return 0;
}

static void cancel(void *lookup)
{
    if (lookup == &lookups.txt_done) {
        assert_non_null(lookups.txt_done);
        lookups.txt_done = NULL;
        return;
    }
    assert_ptr_equal(lookup, &lookups);
    assert_non_null(lookups.done);
    lookups.done = NULL;
    lookups.n_canceled++;
}

static const struct rota_dns_lookup_class lookup_class = {.start = start, .start_txt = start_txt, .cancel = cancel};

/* Answers the running lookup: "1.1.1.1:1 2.2.2.2:2", or an error. */
static void answer(const char *addresses, rota_err err, const char *detail)
{
    const struct rota_endpoint *endpoint = addresses[0] == '\0' ? NULL : owner_endpoint(NULL, addresses, 0);
    rota_dns_done done = lookups.done;

    assert_non_null(done);
    lookups.done = NULL;
    done(lookups.arg, err, detail, endpoint == NULL ? NULL : endpoint->addresses, endpoint == NULL ? 0 : endpoint->n_addresses);
    rota_endpoint_unref(endpoint);
}

/* Answers the running TXT lookup: values, NULL ends them; or an error. */
static void answer_txt(const char *a, const char *b, rota_err err)
{
    const struct rota_slice values[] = {rota_slice_str(a), rota_slice_str(b)};
    rota_dns_txt_done done = lookups.txt_done;

    assert_non_null(done);
    lookups.txt_done = NULL;
    done(lookups.txt_arg, err, err < 0 ? "trouble" : "", values, b != NULL ? 2 : a != NULL);
}

struct fixture {
    struct owner_fixture owner;
    struct rota_target *target;
    struct rota_dns dns;
};

static void init(struct fixture *f, const char *target)
{
    memset(&lookups, 0, sizeof(lookups));
    owner_init(&f->owner);
    assert_int_equal(rota_target_parse(target, known, NULL, &f->target, NULL), 0);
    assert_int_equal(rota_dns_check(f->target, NULL), 0);
    assert_int_equal(rota_dns_start(&f->dns, f->target, NULL, &f->owner.sink, &lookup_class, ROTA_DNS_MIN_INTERVAL_NS), 0);
}

/* The same, looking for a service config. */
static void init_config(struct fixture *f, const char *target, rota_err txt_start_err)
{
    memset(&lookups, 0, sizeof(lookups));
    lookups.txt_start_err = txt_start_err;
    owner_init(&f->owner);
    f->owner.sink.lookup = ROTA_CONFIG_LOOKUP_ON;
    assert_int_equal(rota_target_parse(target, known, NULL, &f->target, NULL), 0);
    assert_int_equal(rota_dns_start(&f->dns, f->target, NULL, &f->owner.sink, &lookup_class, ROTA_DNS_MIN_INTERVAL_NS), 0);
}

static void fini(struct fixture *f)
{
    rota_dns_stop(&f->dns);
    rota_virtual_host_assert_idle(&f->owner.v);
    owner_fini(&f->owner);
    rota_target_free(NULL, f->target);
}

static const struct ask_case {
    const char *target, *asked, *heard;
} asks[] = {
    {"dns:///localhost:8001", "localhost 8001", ""},
    {"dns:localhost:8001", "localhost 8001", ""},
    {"localhost:8001", "localhost 8001", ""},
    {"dns:///localhost", "localhost 443", ""},
    {"dns:///1.2.3.4:80", "", "list 1.2.3.4:80;"},
    {"dns:///1.2.3.4", "", "list 1.2.3.4:443;"},
    {"dns:///[::1]:80", "", "list [::1]:80;"},
    {"[::1]:80", "", "list [::1]:80;"},
};

static void names_are_asked_for_and_addresses_are_not(void **state)
{
    (void)state;
    for (size_t i = 0; i < ROTA_COUNT(asks); i++) {
        struct fixture f;

        print_message("  %s\n", asks[i].target);
        init(&f, asks[i].target);
        assert_string_equal(lookups.asked, asks[i].asked);
        owner_expect(&f.owner, asks[i].heard);
        rota_dns_refresh(&f.dns);
        assert_int_equal(lookups.n_started, asks[i].asked[0] == '\0' ? 0 : 1);
        fini(&f);
        assert_int_equal(lookups.n_canceled, lookups.n_started);
    }
}

static const struct bad_case {
    const char *target, *says;
} bads[] = {
    {"dns:///", "names no host"},
    {"dns:///:80", "names no host"},
    {"dns:///a:b", "\"b\" is no port"},
    {"dns:///a:0", "port 0"},
    {"dns:///a b:80", "\"a b\" is neither an IP address nor a host name"},
    {"dns:///[1.2.3.4]:80", "neither"},
    {"dns:///1.2.3:80", "neither"},
    {"dns:///::1", "more than one colon"},
    {"dns://8.8.8.8/a:80", "naming a DNS server"},
    {"dns:///a:80?b=c", "no parameters"},
    {"etcd/a", "\"etcd/a\" is neither"},
};

static void bad_targets_are_refused_with_the_reason(void **state)
{
    (void)state;
    for (size_t i = 0; i < ROTA_COUNT(bads); i++) {
        struct rota_errinfo info = {""};
        struct rota_target *target;

        print_message("  %s\n", bads[i].target);
        assert_int_equal(rota_target_parse(bads[i].target, known, NULL, &target, NULL), 0);
        assert_int_equal(rota_dns_check(target, &info), ROTA_EINVAL);
        if (strstr(info.text, bads[i].says) == NULL)
            fail_msg("it says: %s", info.text);
        rota_target_free(NULL, target);
    }
}

static void answers_keep_their_order(void **state)
{
    struct fixture f;

    (void)state;
    init(&f, "dns:///h:1");
    answer("2.2.2.2:1 1.1.1.1:1", 0, NULL);
    owner_expect(&f.owner, "list 2.2.2.2:1 1.1.1.1:1;");
    rota_virtual_host_advance(&f.owner.v, 3600 * ROTA_S);
    assert_int_equal(lookups.n_started, 1);
    fini(&f);
}

static void hints_are_taken_every_thirty_seconds(void **state)
{
    struct fixture f;

    (void)state;
    init(&f, "dns:///h:1");
    rota_dns_refresh(&f.dns); /* one is running */
    answer("1.1.1.1:1", 0, NULL);
    rota_dns_refresh(&f.dns);
    rota_dns_refresh(&f.dns);
    rota_virtual_host_advance(&f.owner.v, 30 * ROTA_S - 1);
    assert_int_equal(lookups.n_started, 1);
    rota_virtual_host_advance(&f.owner.v, 1);
    assert_int_equal(lookups.n_started, 2);
    answer("2.2.2.2:1", 0, NULL);
    owner_expect(&f.owner, "list 1.1.1.1:1;list 2.2.2.2:1;");
    rota_virtual_host_advance(&f.owner.v, 31 * ROTA_S);
    assert_int_equal(lookups.n_started, 2);
    rota_dns_refresh(&f.dns);
    assert_int_equal(lookups.n_started, 3);
    fini(&f);
}

static void failures_are_retried_with_growing_pauses_for_ever(void **state)
{
    double expected_s = 1;
    struct fixture f;

    (void)state;
    init(&f, "dns:///h:1");
    for (size_t round = 1; round <= 20; round++) {
        answer("", ROTA_ENOTFOUND, "no such host");
        owner_expect(&f.owner, "error UNAVAILABLE cannot resolve dns:///h:1: no such host;");
        rota_dns_refresh(&f.dns); /* does not shorten the pause */
        rota_virtual_host_advance(&f.owner.v, (int64_t)(expected_s * 0.8 * 1e9) - 1);
        assert_int_equal(lookups.n_started, round);
        rota_virtual_host_advance(&f.owner.v, (int64_t)(expected_s * 0.4 * 1e9) + 2);
        assert_int_equal(lookups.n_started, round + 1);
        expected_s = expected_s * 1.6 > 120 ? 120 : expected_s * 1.6;
    }
    answer("1.1.1.1:1", 0, NULL);
    owner_expect(&f.owner, "list 1.1.1.1:1;");
    rota_dns_refresh(&f.dns);
    rota_virtual_host_advance(&f.owner.v, 30 * ROTA_S);
    answer("", 0, NULL);
    owner_expect(&f.owner, "error UNAVAILABLE cannot resolve dns:///h:1: the name has no addresses;");
    rota_virtual_host_advance(&f.owner.v, 2 * ROTA_S); /* back to the first pause */
    assert_int_equal(lookups.n_started, 23);
    fini(&f);
}

static void a_lookup_that_does_not_start_is_a_failure(void **state)
{
    struct fixture f;

    (void)state;
    init(&f, "dns:///h:1");
    answer("", ROTA_EIO, NULL);
    owner_expect(&f.owner, "error UNAVAILABLE cannot resolve dns:///h:1: input/output error;");
    lookups.start_err = ROTA_ENOMEM;
    rota_virtual_host_advance(&f.owner.v, 2 * ROTA_S);
    owner_expect(&f.owner, "error UNAVAILABLE cannot resolve dns:///h:1: out of memory;");
    lookups.start_err = 0;
    rota_virtual_host_advance(&f.owner.v, 2 * ROTA_S);
    assert_non_null(lookups.done);
    fini(&f);
}

static void an_answer_without_memory_is_a_failure(void **state)
{
    (void)state;
    for (uint64_t n = 1; n <= 3; n++) {
        struct fixture f;

        init(&f, "dns:///h:1");
        rota_leak_alloc_fail_nth(&f.owner.leak, n);
        answer("1.1.1.1:1 2.2.2.2:1", 0, NULL);
        owner_expect(&f.owner, "error UNAVAILABLE cannot resolve dns:///h:1: out of memory;");
        rota_virtual_host_advance(&f.owner.v, 2 * ROTA_S);
        answer("1.1.1.1:1", 0, NULL);
        owner_expect(&f.owner, "list 1.1.1.1:1;");
        fini(&f);
    }
}

static void without_memory_for_a_timer_the_next_hint_looks_up(void **state)
{
    struct fixture f;

    (void)state;
    init(&f, "dns:///h:1");
    rota_leak_alloc_fail_nth(&f.owner.leak, 1); /* the heap's first block */
    answer("", ROTA_EIO, NULL);
    assert_true(f.owner.leak.failed);
    rota_dns_refresh(&f.dns);
    assert_int_equal(lookups.n_started, 2);
    owner_expect(&f.owner, "error UNAVAILABLE cannot resolve dns:///h:1: input/output error;");
    fini(&f);
}

/* --- Service configs in TXT records (gRFC A2) --- */

#define CHOICES "grpc_config=[{\"serviceConfig\":{\"a\":1}}]"

static const struct txt_case {
    const char *rule, *first, *second; /* NULL: no such record */
    rota_err err;
    const char *heard;
} txt_cases[] = {
    {"a record", CHOICES, NULL, 0, "config {\"a\":1};list 1.1.1.1:1;"},
    {"among others", "v=spf1 -all", CHOICES, 0, "config {\"a\":1};list 1.1.1.1:1;"},
    {"only others: none", "v=spf1 -all", NULL, 0, "config ;list 1.1.1.1:1;"},
    {"no record: none", NULL, NULL, ROTA_ENOTFOUND, "config ;list 1.1.1.1:1;"},
    {"nothing for us: none", "grpc_config=[{\"clientLanguage\":[\"java\"],\"serviceConfig\":{}}]", NULL, 0, "config ;list 1.1.1.1:1;"},
    {"a bad record is told, and the addresses are used", "grpc_config=[7]", NULL, 0,
        "bad config [0]: expected an object with a serviceConfig;list 1.1.1.1:1;"},
    {"that it cannot be looked up says nothing, and the addresses are used", NULL, NULL, ROTA_ETIMEDOUT, "list 1.1.1.1:1;"},
};

static void configs_come_from_txt_records(void **state)
{
    (void)state;
    for (size_t i = 0; i < ROTA_COUNT(txt_cases); i++) {
        const struct txt_case *c = &txt_cases[i];
        struct fixture f;

        print_message("  %s\n", c->rule);
        init_config(&f, "dns:///h.example:1", 0);
        assert_string_equal(lookups.txt_asked, "_grpc_config.h.example");
        answer("1.1.1.1:1", 0, NULL);
        owner_expect(&f.owner, ""); /* the policy is not known yet */
        answer_txt(c->first, c->second, c->err);
        owner_expect(&f.owner, c->heard);
        fini(&f);

        print_message("  %s, before the addresses\n", c->rule);
        init_config(&f, "dns:///h.example:1", 0);
        answer_txt(c->first, c->second, c->err);
        answer("1.1.1.1:1", 0, NULL);
        owner_expect(&f.owner, c->heard);
        fini(&f);
    }
}

static void configs_are_looked_up_when_addresses_are(void **state)
{
    struct fixture f;

    (void)state;
    init_config(&f, "dns:///h:1", 0);
    answer_txt(CHOICES, NULL, 0);
    answer("1.1.1.1:1", 0, NULL);
    owner_expect(&f.owner, "config {\"a\":1};list 1.1.1.1:1;");
    rota_virtual_host_advance(&f.owner.v, 31 * ROTA_S);
    assert_int_equal(lookups.n_txt, 1);
    rota_dns_refresh(&f.dns);
    assert_int_equal(lookups.n_txt, 2);
    answer_txt(NULL, NULL, ROTA_ETIMEDOUT); /* the last one stays */
    answer("2.2.2.2:1", 0, NULL);
    owner_expect(&f.owner, "list 2.2.2.2:1;");
    rota_virtual_host_advance(&f.owner.v, 31 * ROTA_S);
    rota_dns_refresh(&f.dns);
    answer("2.2.2.2:1", 0, NULL);
    answer_txt(NULL, NULL, ROTA_ENOTFOUND);
    owner_expect(&f.owner, "config ;");
    fini(&f);
}

static void addresses_fail_by_themselves(void **state)
{
    struct fixture f;

    (void)state;
    init_config(&f, "dns:///h:1", 0);
    answer("", ROTA_ENOTFOUND, "no such host");
    owner_expect(&f.owner, "error UNAVAILABLE cannot resolve dns:///h:1: no such host;");
    answer_txt(CHOICES, NULL, 0);
    owner_expect(&f.owner, "config {\"a\":1};");
    fini(&f);
}

static void a_config_that_is_not_wanted_is_not_looked_up(void **state)
{
    struct fixture f;

    (void)state;
    init(&f, "dns:///h:1");
    assert_int_equal(lookups.n_txt, 0);
    fini(&f);
    init_config(&f, "dns:///1.2.3.4:1", 0);
    assert_int_equal(lookups.n_txt, 0);
    owner_expect(&f.owner, "list 1.2.3.4:1;");
    fini(&f);
}

static void a_txt_lookup_that_does_not_start_keeps_nothing_back(void **state)
{
    struct fixture f;

    (void)state;
    init_config(&f, "dns:///h:1", ROTA_ENOMEM);
    assert_int_equal(lookups.n_txt, 1);
    answer("1.1.1.1:1", 0, NULL);
    owner_expect(&f.owner, "list 1.1.1.1:1;");
    fini(&f);
}

static void stopping_drops_what_waits(void **state)
{
    struct fixture f;

    (void)state;
    init_config(&f, "dns:///h:1", 0);
    answer("1.1.1.1:1", 0, NULL);
    rota_dns_stop(&f.dns);
    assert_null(lookups.txt_done);
    owner_expect(&f.owner, "");
    fini(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(configs_come_from_txt_records),
        cmocka_unit_test(configs_are_looked_up_when_addresses_are),
        cmocka_unit_test(addresses_fail_by_themselves),
        cmocka_unit_test(a_config_that_is_not_wanted_is_not_looked_up),
        cmocka_unit_test(a_txt_lookup_that_does_not_start_keeps_nothing_back),
        cmocka_unit_test(stopping_drops_what_waits),
        cmocka_unit_test(names_are_asked_for_and_addresses_are_not),
        cmocka_unit_test(bad_targets_are_refused_with_the_reason),
        cmocka_unit_test(answers_keep_their_order),
        cmocka_unit_test(hints_are_taken_every_thirty_seconds),
        cmocka_unit_test(failures_are_retried_with_growing_pauses_for_ever),
        cmocka_unit_test(a_lookup_that_does_not_start_is_a_failure),
        cmocka_unit_test(an_answer_without_memory_is_a_failure),
        cmocka_unit_test(without_memory_for_a_timer_the_next_hint_looks_up),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
