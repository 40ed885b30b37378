/* config_test.c - which policy a service config chooses, with which parameters, and what is refused with which words (gRFC A24, A62). */
#include "base/assert.h"
#include "base/rng.h"
#include "lb/config.h"
#include "lb/pick_first.h"
#include "testing/cmocka.h"
#include "testing/leak_alloc.h"

static const struct rota_lb_class *const policies[] = {&rota_lb_pick_first, &rota_lb_round_robin, NULL};

#define MS INT64_C(1000000)

static const struct {
    const char *rule, *json;
    rota_err err;
    const char *name_or_words; /* the policy chosen, or words of the complaint */
} choices[] = {
    {"the first known name is chosen", "[{\"x\":{}},{\"round_robin\":{}},{\"pick_first\":{}}]", 0, "round_robin"},
    {"unknown parameters are ignored", "[{\"round_robin\":{\"y\":[1]}}]", 0, "round_robin"},
    {"what stands behind the chosen one is not looked at", "[{\"round_robin\":{}},7]", 0, "round_robin"},
    {"nor is a number there that fits no integer", "[{\"round_robin\":{}},{\"x\":{\"y\":9223372036854775808}}]", 0, "round_robin"},
    {"nor in a parameter that is not known", "[{\"pick_first\":{\"y\":-18446744073709551617}}]", 0, "pick_first"},
    {"a parse error of the chosen one is final", "[{\"pick_first\":{\"shuffleAddressList\":1}},{\"round_robin\":{}}]", ROTA_EPARSE,
        "policy pick_first: \"shuffleAddressList\" must be true or false"},
    {"none known: the names tried are listed", "[{\"x\":{}},{\"y\":{}}]", ROTA_EPARSE, "no policy known here among: x, y; there are pick_first, round_robin"},
    {"an empty list names no policy", "[]", ROTA_EPARSE, "names no policy"},
    {"a list it must be", "{\"round_robin\":{}}", ROTA_EPARSE, "expected a list"},
    {"an entry has one field", "[{\"round_robin\":{},\"pick_first\":{}}]", ROTA_EPARSE, "entry 0 must be an object with one field"},
    {"an entry has at least one", "[{\"x\":{}},{}]", ROTA_EPARSE, "entry 1 must be"},
    {"an entry is an object", "[\"round_robin\"]", ROTA_EPARSE, "entry 0 must be"},
    {"parameters are an object", "[{\"round_robin\":null}]", ROTA_EPARSE, "policy round_robin: expected an object"},
    {"a name twice in an entry", "[{\"x\":{},\"x\":{}}]", ROTA_EPARSE, "not JSON"},
    {"names are compared exactly", "[{\"Round_Robin\":{}}]", ROTA_EPARSE, "among: Round_Robin"},
    {"no JSON", "[{\"round_robin\":{}}", ROTA_EPARSE, "not JSON"},
    {"nothing at all", "", ROTA_EPARSE, "not JSON"},
    {"a bad delay", "[{\"pick_first\":{\"connectionAttemptDelay\":\"250ms\"}}]", ROTA_EPARSE, "\"connectionAttemptDelay\" must be a duration"},
    {"a delay that is no text", "[{\"pick_first\":{\"connectionAttemptDelay\":0.25}}]", ROTA_EPARSE, "must be a duration"},
    {"a negative delay", "[{\"pick_first\":{\"connectionAttemptDelay\":\"-1s\"}}]", ROTA_EPARSE, "must be a duration"},
    {"a delay without decimals after its point", "[{\"pick_first\":{\"connectionAttemptDelay\":\"1.s\"}}]", ROTA_EPARSE, "must be a duration"},
    {"a delay beyond all measure", "[{\"pick_first\":{\"connectionAttemptDelay\":\"315576000001s\"}}]", ROTA_EPARSE, "must be a duration"},
    {"that has more digits than any number", "[{\"pick_first\":{\"connectionAttemptDelay\":\"18446744073709551617s\"}}]", ROTA_EPARSE, "must be a duration"},
    {"10,000 years are the measure", "[{\"pick_first\":{\"connectionAttemptDelay\":\"315576000000.999999999s\"}}]", 0, "pick_first"},
};

static void chooses(void **unused)
{
    (void)unused;
    for (size_t i = 0; i < ROTA_COUNT(choices); i++) {
        struct rota_leak_alloc memory;
        struct rota_lb_env env = {.alloc = &memory.alloc, .classes = policies};
        struct rota_lb_config *config = NULL;
        struct rota_errinfo info = {""};
        print_message("  %s\n", choices[i].rule);
        rota_leak_alloc_init(&memory);
        assert_int_equal(rota_lb_config_parse(&env, rota_slice_str(choices[i].json), &config, &info), choices[i].err);
        if (choices[i].err == 0)
            assert_string_equal(rota_lb_config_name(config), choices[i].name_or_words);
        else if (strstr(info.text, choices[i].name_or_words) == NULL)
            fail_msg("expected \"%s\" in: %s", choices[i].name_or_words, info.text);
        rota_lb_config_free(config);
        rota_leak_alloc_fini(&memory);
    }
}

static const struct {
    const char *rule, *json;
    bool shuffle;
    int64_t delay_ns;
} parameters[] = {
    {"defaults: no shuffle, 250 ms", "{}", false, 250 * MS},
    {"null counts as absent", "{\"shuffleAddressList\":null,\"connectionAttemptDelay\":null}", false, 250 * MS},
    {"shuffle", "{\"shuffleAddressList\":true}", true, 250 * MS},
    {"a delay", "{\"connectionAttemptDelay\":\"0.3s\"}", false, 300 * MS},
    {"a delay to the nanosecond", "{\"connectionAttemptDelay\":\"1.000000001s\"}", false, 1000 * MS + 1},
    {"at least 100 ms", "{\"connectionAttemptDelay\":\"0s\"}", false, 100 * MS},
    {"at most 2 s", "{\"connectionAttemptDelay\":\"2.1s\"}", false, 2000 * MS},
};

static void reads_pick_first(void **unused)
{
    (void)unused;
    for (size_t i = 0; i < ROTA_COUNT(parameters); i++) {
        struct rota_lb_env env = {.alloc = NULL, .classes = policies};
        void *parsed;
        const struct rota_pick_first_config *config;
        print_message("  %s\n", parameters[i].rule);
        assert_int_equal(rota_pick_first_parse(&env, rota_slice_str(parameters[i].json), &parsed, NULL), 0);
        config = parsed;
        assert_int_equal(config->shuffle, parameters[i].shuffle);
        assert_int_equal(config->attempt_delay_ns, parameters[i].delay_ns);
        rota_pick_first_free_config(&env, parsed);
    }
}

static rota_err parse_once(const struct rota_alloc *alloc, void *ctx)
{
    struct rota_lb_env env = {.alloc = alloc, .classes = policies};
    struct rota_lb_config *config;
    rota_err err = rota_lb_config_parse(&env, rota_slice_str(ctx), &config, NULL);

    if (err == 0)
        rota_lb_config_free(config);
    return err;
}

static rota_err refuse(const struct rota_lb_env *env, struct rota_slice json, void **ret_config, struct rota_errinfo *info)
{
    (void)env, (void)json, (void)ret_config;
    strcpy(info->text, "never");
    return ROTA_EPARSE;
}

static void parse_always_has_where_to_complain(void **unused)
{
    static const struct rota_lb_class strict = {.name = "strict", .parse = refuse};
    static const struct rota_lb_class *const classes[] = {&strict, NULL};
    struct rota_lb_env env = {.alloc = NULL, .classes = classes};
    struct rota_lb_config *config;

    (void)unused;
    assert_int_equal(rota_lb_config_named(&env, "strict", &config), ROTA_EPARSE);
    assert_int_equal(rota_lb_config_parse(&env, ROTA_SLICE("[{\"strict\":{}}]"), &config, NULL), ROTA_EPARSE);
}

static void memory_and_names(void **unused)
{
    struct rota_lb_env env = {.alloc = NULL, .classes = policies};
    struct rota_lb_config *config;
    char json[] = "[{\"pick_first\":{}}]";

    (void)unused;
    assert_int_equal(rota_alloc_sweep(parse_once, json), 3);
    assert_int_equal(rota_lb_config_named(&env, "round_robin", &config), 0);
    assert_string_equal(rota_lb_config_name(config), "round_robin");
    rota_lb_config_free(config);
    assert_int_equal(rota_lb_config_named(&env, "nobody", &config), ROTA_ENOTFOUND);
    assert_string_equal(rota_conn_state_name(ROTA_CONN_TRANSIENT_FAILURE), "TRANSIENT_FAILURE");
    assert_string_equal(rota_conn_state_name((enum rota_conn_state)99), "UNKNOWN");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(chooses),
        cmocka_unit_test(reads_pick_first),
        cmocka_unit_test(parse_always_has_where_to_complain),
        cmocka_unit_test(memory_and_names),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
