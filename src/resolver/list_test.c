/* list_test.c - matching lists by address sets; ten thousand endpoints; failing memory. */
#include "resolver/list.h"
#include "base/alloc.h"
#include "resolver/owner_fixture.h"
#include "testing/cmocka.h"
#include <stdio.h>

#define MANY 10000

static void order_and_doubles_of_addresses_make_no_difference(void **state)
{
    const struct rota_endpoint *old = owner_endpoint(NULL, "a:1 b:2 c:3", 4);
    const struct rota_endpoint *turned = owner_endpoint(NULL, "c:3 a:1 b:2", 4);
    const struct rota_endpoint *fewer = owner_endpoint(NULL, "a:1 b:2", 4);
    const struct rota_endpoint *alike = owner_endpoint(NULL, "a:1 b:2 c:3", 4);
    const struct rota_endpoint *next[] = {turned, fewer, alike};
    struct rota_endpoint_list list;

    (void)state;
    assert_int_equal(rota_endpoint_list_make(NULL, &old, 1, next, 3, &list), 0);
    assert_int_equal(list.count, 2);
    assert_int_equal(list.n_doubles, 1);
    assert_ptr_equal(list.endpoints[0], turned); /* the same server, but not the same in every field */
    assert_ptr_equal(list.endpoints[1], fewer);
    rota_endpoint_list_free(NULL, list.endpoints, list.count);
    assert_int_equal(rota_endpoint_list_make(NULL, &old, 1, &alike, 1, &list), 0);
    assert_ptr_equal(list.endpoints[0], old);
    rota_endpoint_list_free(NULL, list.endpoints, list.count);
    rota_endpoint_unref(old);
    rota_endpoint_unref(turned);
    rota_endpoint_unref(fewer);
    rota_endpoint_unref(alike);
}

/* Comparing each with each would take minutes; the test program's time limit is one. */
static void ten_thousand_are_matched_fifty_times(void **state)
{
    const struct rota_endpoint **next = rota_alloc_zero(NULL, MANY, sizeof(*next));
    struct rota_endpoint_list list = {0};

    (void)state;
    for (int round = 0; round < 50; round++) {
        struct rota_endpoint_list newer;

        for (size_t i = 0; i < MANY; i++) {
            char text[32];

            snprintf(text, sizeof(text), "10.%zu.%zu.1:80", i / 250, i % 250);
            next[i] = owner_endpoint(NULL, text, 0);
        }
        assert_int_equal(rota_endpoint_list_make(NULL, list.endpoints, list.count, next, MANY, &newer), 0);
        assert_int_equal(newer.count, MANY);
        for (size_t i = 0; i < MANY; i++) {
            assert_true(round == 0 || newer.endpoints[i] == list.endpoints[i]);
            rota_endpoint_unref(next[i]);
        }
        rota_endpoint_list_free(NULL, list.endpoints, list.count);
        list = newer;
    }
    rota_endpoint_list_free(NULL, list.endpoints, list.count);
    rota_alloc_free(NULL, (void *)next);
}

static rota_err make(const struct rota_alloc *alloc, void *ctx)
{
    const struct rota_endpoint *const *endpoints = ctx;
    struct rota_endpoint_list list;
    rota_err err = rota_endpoint_list_make(alloc, endpoints, 2, endpoints, 2, &list);

    if (err == 0)
        rota_endpoint_list_free(alloc, list.endpoints, list.count);
    return err;
}

static void running_out_of_memory_is_an_error(void **state)
{
    const struct rota_endpoint *two[] = {owner_endpoint(NULL, "a:1 b:2", 0), owner_endpoint(NULL, "c:1 d:2", 0)};

    (void)state;
    assert_true(rota_alloc_sweep(make, two) >= 3);
    rota_endpoint_unref(two[0]);
    rota_endpoint_unref(two[1]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(order_and_doubles_of_addresses_make_no_difference),
        cmocka_unit_test(ten_thousand_are_matched_fifty_times),
        cmocka_unit_test(running_out_of_memory_is_an_error),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
