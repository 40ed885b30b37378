/* sink_test.c - what of a resolver's words reaches the owner, when, and what happens at the end. */
#include "resolver/owner_fixture.h"
#include "base/assert.h"
#include "testing/cmocka.h"

static void lists_reach_the_owner_from_a_task(void **state)
{
    struct owner_fixture f;

    (void)state;
    owner_init(&f);
    owner_publish(&f, "a:1 b:2", NULL);
    assert_string_equal(f.heard, "");
    owner_expect(&f, "list a:1 b:2;");
    assert_int_equal(f.sink.snapshot, 1);
    owner_fini(&f);
}

static void only_what_differs_is_passed_on(void **state)
{
    struct owner_fixture f;

    (void)state;
    owner_init(&f);
    owner_publish(&f, "", NULL);
    owner_expect(&f, "list;");
    owner_publish(&f, "", NULL);
    owner_expect(&f, "");
    owner_publish(&f, "a:1 b:2", NULL);
    owner_expect(&f, "list a:1 b:2;");
    owner_publish(&f, "a:1 b:2", NULL);
    owner_expect(&f, "");
    owner_publish(&f, "b:2 a:1", NULL);
    owner_expect(&f, "list b:2 a:1;");
    owner_publish(&f, "b:2", NULL);
    owner_expect(&f, "list b:2;");
    assert_int_equal(f.sink.snapshot, 4);
    owner_fini(&f);
}

static void of_several_lists_in_a_turn_the_last_counts(void **state)
{
    struct owner_fixture f;

    (void)state;
    owner_init(&f);
    owner_publish(&f, "a:1", NULL);
    owner_publish(&f, "b:2", NULL);
    owner_publish(&f, "b:2", NULL);
    owner_expect(&f, "list b:2;");
    owner_fini(&f);
}

static void unchanged_endpoints_stay_the_same_objects(void **state)
{
    const struct rota_endpoint *first, *heavier, *list[2];
    struct owner_fixture f;

    (void)state;
    owner_init(&f);
    owner_publish(&f, "a:1 b:2", NULL);
    owner_expect(&f, "list a:1 b:2;");
    first = f.first;
    owner_publish(&f, "a:1", NULL);
    owner_expect(&f, "list a:1;");
    assert_ptr_equal(f.first, first);

    heavier = owner_endpoint(NULL, "a:1", 7);
    list[0] = list[1] = heavier;
    rota_resolver_sink_endpoints(&f.sink, list, 2, NULL);
    owner_expect(&f, "list a:1;");
    assert_ptr_equal(f.first, heavier);
    rota_endpoint_unref(heavier);
    owner_fini(&f);
}

static void doubles_and_empty_places_are_left_out(void **state)
{
    const struct rota_endpoint *list[4] = {
        owner_endpoint(NULL, "a:1 b:2", 1), NULL, owner_endpoint(NULL, "b:2 a:1 b:2", 2), owner_endpoint(NULL, "b:2", 3)};
    struct owner_fixture f;

    (void)state;
    owner_init(&f);
    rota_resolver_sink_endpoints(&f.sink, list, 4, NULL);
    owner_expect(&f, "list a:1 b:2;");
    assert_ptr_equal(f.first, list[0]);
    rota_resolver_sink_endpoints(&f.sink, NULL, 4, NULL);
    owner_expect(&f, "list;");
    for (int i = 0; i < 4; i++)
        rota_endpoint_unref(list[i]);
    owner_fini(&f);
}

static void the_source_comes_with_the_list(void **state)
{
    char member[] = "127.0.0.1:2379";
    struct rota_resolver_source source = {.revision = 7, .skipped = 2, .registry = member};
    struct owner_fixture f;

    (void)state;
    owner_init(&f);
    owner_publish(&f, "a:1", &source);
    member[0] = 'x';
    owner_expect(&f, "list a:1;");
    assert_int_equal(f.source.revision, 7);
    assert_int_equal(f.source.skipped, 2);
    assert_string_equal(f.source.registry, "127.0.0.1:2379");

    source.revision = 8;
    owner_publish(&f, "a:1", &source);
    owner_expect(&f, "");
    source.stale = true;
    owner_publish(&f, "a:1", &source);
    owner_expect(&f, "list a:1;");
    assert_true(f.source.stale);
    owner_fini(&f);
}

static void configs_lists_and_errors_have_their_order(void **state)
{
    struct rota_status why;
    struct owner_fixture f;

    (void)state;
    owner_init(&f);
    rota_status_set(&why, ROTA_UNAVAILABLE, "no answer");
    rota_resolver_sink_error(&f.sink, &why);
    owner_publish(&f, "a:1", NULL);
    rota_resolver_sink_service_config(&f.sink, ROTA_SLICE("{}"));
    rota_resolver_sink_service_config(&f.sink, ROTA_SLICE("{\"a\":1}"));
    owner_expect(&f, "config {\"a\":1};list a:1;");
    owner_publish(&f, "b:1", NULL);
    rota_resolver_sink_error(&f.sink, &why);
    owner_expect(&f, "list b:1;error UNAVAILABLE no answer;");
    rota_resolver_sink_error(&f.sink, NULL);
    owner_expect(&f, "error UNAVAILABLE the resolver failed and did not say why;");
    owner_fini(&f);
}

static const struct offer_case {
    const char *rule, *first, *second; /* NULL: nothing; "[": a list of choices, "{": a config */
    const char *heard;
} offer_cases[] = {
    {"a choice is made", "[{\"serviceConfig\":{\"a\":1}}]", NULL, "config {\"a\":1};"},
    {"by the host's name", "[{\"clientHostname\":[\"other\"],\"serviceConfig\":{\"a\":1}},{\"clientHostname\":[\"here\"],\"serviceConfig\":{\"a\":2}}]", NULL,
        "config {\"a\":2};"},
    {"nothing for us is none", "[{\"clientHostname\":[\"other\"],\"serviceConfig\":{}}]", NULL, "config ;"},
    {"a bad list is told", "[7]", NULL, "bad config [0]: expected an object with a serviceConfig;"},
    {"withdrawn", "[{\"serviceConfig\":{\"a\":1}}]", "", "config {\"a\":1};config ;"},
    {"the same again is dropped", "[{\"serviceConfig\":{\"a\":1}}]", "[{\"percentage\":100,\"serviceConfig\":{\"a\":1}}]", "config {\"a\":1};"},
    {"none again is dropped", "", "[]", "config ;"},
    {"bad and good again are both told", "[7]", "{\"a\":1}", "bad config [0]: expected an object with a serviceConfig;config {\"a\":1};"},
};

static void offer_config(struct owner_fixture *f, const char *json)
{
    if (json == NULL)
        return;
    if (json[0] == '[')
        rota_resolver_sink_config_choices(&f->sink, rota_slice_str(json), "a test");
    else
        rota_resolver_sink_service_config(&f->sink, rota_slice_str(json));
    rota_virtual_host_run(&f->v);
}

static void configs_are_chosen_and_repeated_ones_dropped(void **state)
{
    (void)state;
    for (size_t i = 0; i < ROTA_COUNT(offer_cases); i++) {
        struct owner_fixture f;

        print_message("  %s\n", offer_cases[i].rule);
        owner_init(&f);
        f.sink.client.hostname = "here";
        offer_config(&f, offer_cases[i].first);
        offer_config(&f, offer_cases[i].second);
        owner_expect(&f, offer_cases[i].heard);
        owner_fini(&f);
    }
}

static void a_config_taken_back_in_the_same_turn_was_never_there(void **state)
{
    struct owner_fixture f;

    (void)state;
    owner_init(&f);
    offer_config(&f, "{\"a\":1}");
    rota_resolver_sink_service_config(&f.sink, ROTA_SLICE("{\"a\":2}"));
    rota_resolver_sink_service_config(&f.sink, ROTA_SLICE("{\"a\":1}"));
    owner_expect(&f, "config {\"a\":1};");
    owner_fini(&f);
}

static void the_draw_is_kept_where_the_owner_says(void **state)
{
    uint32_t kept = 0, first;

    (void)state;
    for (int i = 0; i < 3; i++) {
        struct owner_fixture f;

        owner_init(&f);
        f.sink.draw = &kept;
        offer_config(&f, "[]");
        if (i == 0)
            first = kept;
        assert_true(kept >= 1 && kept <= ROTA_CONFIG_DRAWS);
        assert_int_equal(kept, first);
        owner_expect(&f, "config ;");
        owner_fini(&f);
    }
}

static void whether_to_look_is_the_owners_word(void **state)
{
    static const struct {
        enum rota_config_lookup lookup;
        bool by_default, want;
    } rows[] = {
        {ROTA_CONFIG_LOOKUP_DEFAULT, true, true}, {ROTA_CONFIG_LOOKUP_DEFAULT, false, false}, {ROTA_CONFIG_LOOKUP_ON, false, true},
        {ROTA_CONFIG_LOOKUP_OFF, true, false}};
    struct owner_fixture f;

    (void)state;
    owner_init(&f);
    for (size_t i = 0; i < ROTA_COUNT(rows); i++) {
        f.sink.lookup = rows[i].lookup;
        assert_int_equal(rota_resolver_sink_wants_config(&f.sink, rows[i].by_default), rows[i].want);
    }
    owner_fini(&f);
}

static void the_end_waits_for_the_last_hold(void **state)
{
    struct rota_status why = {.code = ROTA_UNAVAILABLE};
    struct owner_fixture f;

    (void)state;
    owner_init(&f);
    rota_resolver_sink_hold(&f.sink);
    rota_resolver_sink_hold(&f.sink);
    owner_publish(&f, "a:1", NULL);
    rota_resolver_sink_close(&f.sink);
    owner_publish(&f, "b:1", NULL);
    rota_resolver_sink_error(&f.sink, &why);
    rota_resolver_sink_service_config(&f.sink, ROTA_SLICE("{}"));
    owner_expect(&f, "");
    rota_resolver_sink_release(&f.sink);
    owner_expect(&f, "");
    rota_resolver_sink_release(&f.sink);
    assert_string_equal(f.heard, "");
    owner_expect(&f, "released;");
    owner_fini(&f);
}

static void an_owner_may_close_while_it_hears(void **state)
{
    struct rota_status why = {.code = ROTA_UNAVAILABLE};
    struct owner_fixture f;

    (void)state;
    owner_init(&f);
    f.close_on_list = true;
    owner_publish(&f, "a:1", NULL);
    rota_resolver_sink_error(&f.sink, &why);
    owner_expect(&f, "list a:1;released;");
    owner_fini(&f);
}

static void without_memory_the_last_list_stays(void **state)
{
    struct owner_fixture f;

    (void)state;
    owner_init(&f);
    owner_publish(&f, "a:1", NULL);
    owner_expect(&f, "list a:1;");
    for (uint64_t n = 1; n <= 3; n++) {
        rota_leak_alloc_fail_nth(&f.leak, n);
        owner_publish(&f, "a:1 b:2", NULL);
        owner_expect(&f, "error RESOURCE_EXHAUSTED out of memory for 2 endpoints;lost;");
        assert_int_equal(f.sink.n_endpoints, 1);
    }
    rota_leak_alloc_fail_nth(&f.leak, 1);
    rota_resolver_sink_service_config(&f.sink, ROTA_SLICE("{}"));
    owner_expect(&f, "error RESOURCE_EXHAUSTED out of memory for a service config of 2 bytes;lost;");
    rota_leak_alloc_fail_nth(&f.leak, 1);
    rota_resolver_sink_service_config(&f.sink, ROTA_SLICE("{}"));
    owner_publish(&f, "a:1 b:2", NULL); /* takes the error back, but not the loss */
    owner_expect(&f, "list a:1 b:2;lost;");
    rota_resolver_sink_service_config(&f.sink, ROTA_SLICE("{}"));
    owner_expect(&f, "config {};");
    owner_fini(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(lists_reach_the_owner_from_a_task),
        cmocka_unit_test(only_what_differs_is_passed_on),
        cmocka_unit_test(of_several_lists_in_a_turn_the_last_counts),
        cmocka_unit_test(unchanged_endpoints_stay_the_same_objects),
        cmocka_unit_test(doubles_and_empty_places_are_left_out),
        cmocka_unit_test(the_source_comes_with_the_list),
        cmocka_unit_test(configs_lists_and_errors_have_their_order),
        cmocka_unit_test(configs_are_chosen_and_repeated_ones_dropped),
        cmocka_unit_test(a_config_taken_back_in_the_same_turn_was_never_there),
        cmocka_unit_test(the_draw_is_kept_where_the_owner_says),
        cmocka_unit_test(whether_to_look_is_the_owners_word),
        cmocka_unit_test(the_end_waits_for_the_last_hold),
        cmocka_unit_test(an_owner_may_close_while_it_hears),
        cmocka_unit_test(without_memory_the_last_list_stays),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
