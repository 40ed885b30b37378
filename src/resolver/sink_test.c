/* sink_test.c - what of a resolver's words reaches the owner, when, and what happens at the end. */
#include "resolver/owner_fixture.h"
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
        owner_expect(&f, "error RESOURCE_EXHAUSTED out of memory for 2 endpoints;");
        assert_int_equal(f.sink.n_endpoints, 1);
    }
    rota_leak_alloc_fail_nth(&f.leak, 1);
    rota_resolver_sink_service_config(&f.sink, ROTA_SLICE("{}"));
    owner_expect(&f, "error RESOURCE_EXHAUSTED out of memory for a service config of 2 bytes;");
    owner_publish(&f, "a:1 b:2", NULL);
    owner_expect(&f, "list a:1 b:2;");
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
        cmocka_unit_test(the_end_waits_for_the_last_hold),
        cmocka_unit_test(an_owner_may_close_while_it_hears),
        cmocka_unit_test(without_memory_the_last_list_stays),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
