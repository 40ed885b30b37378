/* config_choice_test.c - which service config of a list a client takes: a row for each rule of gRFC A2. */
#include "wire/config_choice.h"
#include "base/alloc.h"
#include "base/assert.h"
#include "testing/cmocka.h"
#include "testing/leak_alloc.h"
#include <stdio.h>

#define FOR_ALL "{\"serviceConfig\":{\"for\":\"all\"}}"
#define ALL "{\"for\":\"all\"}"
#define FEW "\"serviceConfig\":{\"for\":\"few\"}}"
#define OURS "{\"for\":\"few\"}"

static const struct choice_case {
    const char *rule, *json;
    uint32_t draw;
    const char *want; /* NULL: none */
} choice_cases[] = {
    {"a choice without criteria fits everybody", "[" FOR_ALL "]", 1, ALL},
    {"the first that fits is taken", "[{" FEW "," FOR_ALL "]", 1, OURS},
    {"an empty list has nothing for anybody", "[]", 1, NULL},
    {"none fits: none is taken", "[{\"clientLanguage\":[\"java\"]," FEW "]", 1, NULL},
    {"a language that is ours", "[{\"clientLanguage\":[\"go\",\"c\"]," FEW "," FOR_ALL "]", 1, OURS},
    {"our own name as language", "[{\"clientLanguage\":[\"rota\"]," FEW "," FOR_ALL "]", 1, OURS},
    {"languages have no case", "[{\"clientLanguage\":[\"C\"]," FEW "," FOR_ALL "]", 1, OURS},
    {"c++ is another language", "[{\"clientLanguage\":[\"c++\"]," FEW "," FOR_ALL "]", 1, ALL},
    {"no languages are all languages", "[{\"clientLanguage\":[]," FEW "," FOR_ALL "]", 1, OURS},
    {"null is absent", "[{\"clientLanguage\":null,\"percentage\":null,\"clientHostname\":null," FEW "]", 100, OURS},
    {"a host by its name", "[{\"clientHostname\":[\"a\",\"canary\"]," FEW "," FOR_ALL "]", 1, OURS},
    {"another host", "[{\"clientHostname\":[\"a\",\"CANARY\",\"canary.\"]," FEW "," FOR_ALL "]", 1, ALL},
    {"a draw within the percentage", "[{\"percentage\":10," FEW "," FOR_ALL "]", 10, OURS},
    {"a draw above it", "[{\"percentage\":10," FEW "," FOR_ALL "]", 11, ALL},
    {"0 percent is nobody", "[{\"percentage\":0," FEW "," FOR_ALL "]", 1, ALL},
    {"100 percent is everybody", "[{\"percentage\":100," FEW "," FOR_ALL "]", 100, OURS},
    {"all criteria must fit", "[{\"percentage\":10,\"clientHostname\":[\"canary\"],\"clientLanguage\":[\"c\"]," FEW "," FOR_ALL "]", 11, ALL},
    {"unknown fields are ignored", "[{\"moonPhase\":{\"full\":true}," FEW "]", 1, OURS},
    {"an object is a config for everybody", "{\"loadBalancingConfig\":[{\"round_robin\":{}}],\"percentage\":-1}", 100,
     "{\"loadBalancingConfig\":[{\"round_robin\":{}}],\"percentage\":-1}"},
    {"a config keeps the order of what it says", "[{\"serviceConfig\":{\"z\":1.5,\"a\":[true]}}]", 1, "{\"z\":1.5,\"a\":[true]}"},
};

static void the_first_choice_that_fits_is_taken(void **state)
{
    (void)state;
    for (size_t i = 0; i < ROTA_COUNT(choice_cases); i++) {
        const struct choice_case *c = &choice_cases[i];
        struct rota_config_client client = {.hostname = "canary", .draw = c->draw};
        struct rota_errinfo info = {""};
        struct rota_leak_alloc leak;
        char *config = NULL;

        print_message("  %s\n", c->rule);
        rota_leak_alloc_init(&leak);
        if (rota_config_choose(rota_slice_str(c->json), &client, &leak.alloc, &config, &info) < 0)
            fail_msg("it says: %s", info.text);
        if (c->want == NULL)
            assert_null(config);
        else
            assert_string_equal(config, c->want);
        rota_alloc_free(&leak.alloc, config);
        rota_leak_alloc_fini(&leak);
    }
}

static const struct bad_case {
    const char *json, *says;
} bad_cases[] = {
    {"", "the list of service configs is not JSON: line 1"},
    {"[", "is not JSON"},
    {"[{\"serviceConfig\":{},\"serviceConfig\":{}}]", "is not JSON"},
    {"[]x", "is not JSON"},
    {"7", "is not JSON"},
    {"[1]", "[0]: expected an object"},
    {"[" FOR_ALL ",{}]", "[1].serviceConfig: expected an object"},
    {"[" FOR_ALL ",{\"serviceConfig\":[]}]", "[1].serviceConfig"},
    {"[{\"percentage\":101," FEW "]", "[0].percentage"},
    {"[{\"percentage\":-1," FEW "]", "[0].percentage"},
    {"[{\"percentage\":1.5," FEW "]", "[0].percentage"},
    {"[{\"clientLanguage\":\"c\"," FEW "]", "[0].clientLanguage"},
    {"[{\"clientLanguage\":[\"c\",1]," FEW "]", "[0].clientLanguage[1]: expected text"},
    {"[{\"clientHostname\":{}," FEW "]", "[0].clientHostname"},
};

static void one_bad_choice_makes_the_list_invalid(void **state)
{
    const struct rota_config_client client = {.hostname = "canary", .draw = 1};

    (void)state;
    for (size_t i = 0; i < ROTA_COUNT(bad_cases); i++) {
        struct rota_errinfo info = {""};
        char *config = NULL;

        print_message("  %s\n", bad_cases[i].json);
        assert_int_equal(rota_config_choose(rota_slice_str(bad_cases[i].json), &client, NULL, &config, &info), ROTA_EPARSE);
        assert_null(config);
        if (strstr(info.text, bad_cases[i].says) == NULL)
            fail_msg("it says: %s", info.text);
    }
}

static void a_greater_percentage_loses_no_client(void **state)
{
    (void)state;
    for (uint32_t draw = 1; draw <= ROTA_CONFIG_DRAWS; draw++) {
        const struct rota_config_client client = {.hostname = "h", .draw = draw};
        bool was_in = false;

        for (uint32_t percentage = 0; percentage <= 100; percentage++) {
            char json[80], *config = NULL;

            snprintf(json, sizeof(json), "[{\"percentage\":%u,\"serviceConfig\":{}}]", percentage);
            assert_int_equal(rota_config_choose(rota_slice_str(json), &client, NULL, &config, NULL), 0);
            assert_int_equal(config != NULL, percentage >= draw);
            assert_true(config != NULL || !was_in);
            was_in = config != NULL;
            rota_alloc_free(NULL, config);
        }
    }
}

static const struct txt_case {
    const char *text, *json; /* NULL: of something else */
} txt_cases[] = {
    {"grpc_config=[]", "[]"}, {"grpc_config=", ""}, {"grpc_config", NULL}, {"v=spf1 -all", NULL}, {"", NULL}, {" grpc_config=[]", NULL},
};

static void a_txt_value_says_that_it_is_one(void **state)
{
    (void)state;
    for (size_t i = 0; i < ROTA_COUNT(txt_cases); i++) {
        const struct txt_case *c = &txt_cases[i];
        struct rota_slice json;

        print_message("  \"%s\"\n", c->text);
        assert_int_equal(rota_config_choice_txt(rota_slice_str(c->text), &json), c->json != NULL);
        if (c->json != NULL) {
            assert_int_equal(json.size, strlen(c->json));
            assert_memory_equal(json.data, c->json, json.size);
        }
    }
}

static void out_of_memory_is_an_error(void **state)
{
    const struct rota_config_client client = {.hostname = "canary", .draw = 1};
    struct rota_errinfo info = {""};
    struct rota_leak_alloc leak;
    char *config = NULL;

    (void)state;
    rota_leak_alloc_init(&leak);
    rota_leak_alloc_fail_nth(&leak, 1);
    assert_int_equal(rota_config_choose(ROTA_SLICE("[" FOR_ALL "]"), &client, &leak.alloc, &config, &info), ROTA_ENOMEM);
    assert_null(config);
    rota_leak_alloc_fini(&leak);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_first_choice_that_fits_is_taken),
        cmocka_unit_test(one_bad_choice_makes_the_list_invalid),
        cmocka_unit_test(a_greater_percentage_loses_no_client),
        cmocka_unit_test(a_txt_value_says_that_it_is_one),
        cmocka_unit_test(out_of_memory_is_an_error),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
