/* heap_test.c - the order of things out, against a plain search for the least. */
#include "base/heap.h"
#include "base/assert.h"
#include "base/rng.h"
#include "testing/cmocka.h"
#include "testing/death.h"
#include "testing/leak_alloc.h"

static const struct order_case {
    const char *rule;
    int64_t keys[8]; /* 0 ends */
    const char *want; /* indices as they come out */
} orders[] = {
    {"nothing in, nothing out", {0}, ""},
    {"one", {5}, "0"},
    {"already sorted", {1, 2, 3, 4, 5, 6}, "012345"},
    {"backwards", {6, 5, 4, 3, 2, 1}, "543210"},
    {"ties come out as they went in", {7, 7, 7, 3, 3, 7, 7}, "3401256"},
    {"extremes", {INT64_MAX, INT64_MIN, -1, 1}, "1230"},
};

static void the_least_comes_first(void **state)
{
    (void)state;
    for (size_t i = 0; i < ROTA_COUNT(orders); i++) {
        struct rota_heap_node nodes[8] = {0};
        struct rota_leak_alloc a;
        struct rota_heap heap;
        print_message("  %s\n", orders[i].rule);
        rota_leak_alloc_init(&a);
        rota_heap_init(&heap, &a.alloc);
        for (size_t k = 0; orders[i].keys[k] != 0; k++)
            assert_int_equal(rota_heap_set(&heap, &nodes[k], orders[i].keys[k]), 0);
        for (const char *want = orders[i].want; *want != '\0'; want++) {
            struct rota_heap_node *first = rota_heap_first(&heap);
            assert_int_equal(first - nodes, *want - '0');
            assert_true(rota_heap_holds(first));
            rota_heap_remove(&heap, first);
            assert_false(rota_heap_holds(first));
            rota_heap_remove(&heap, first);
        }
        assert_null(rota_heap_first(&heap));
        rota_heap_fini(&heap);
        rota_leak_alloc_fini(&a);
    }
}

static void moving_goes_behind_its_ties(void **state)
{
    struct rota_heap_node nodes[3] = {0};
    struct rota_heap heap;

    (void)state;
    rota_heap_init(&heap, NULL);
    for (int i = 0; i < 3; i++)
        assert_int_equal(rota_heap_set(&heap, &nodes[i], 10), 0);
    assert_int_equal(rota_heap_set(&heap, &nodes[0], 10), 0);
    assert_ptr_equal(rota_heap_first(&heap), &nodes[1]);
    assert_int_equal(rota_heap_set(&heap, &nodes[2], 9), 0);
    assert_ptr_equal(rota_heap_first(&heap), &nodes[2]);
    assert_int_equal(rota_heap_set(&heap, &nodes[2], 11), 0);
    assert_ptr_equal(rota_heap_first(&heap), &nodes[1]);
    rota_heap_fini(&heap);
}

#define MODEL_NODES 200

static struct rota_heap_node *least(struct rota_heap_node *nodes)
{
    struct rota_heap_node *best = NULL;

    for (size_t i = 0; i < MODEL_NODES; i++) {
        if (!rota_heap_holds(&nodes[i]))
            continue;
        if (best == NULL || nodes[i].key < best->key || (nodes[i].key == best->key && nodes[i].order < best->order))
            best = &nodes[i];
    }
    return best;
}

static void random_moves_keep_the_order(void **state)
{
    struct rota_heap_node nodes[MODEL_NODES] = {0};
    struct rota_heap heap;
    struct rota_rng rng;

    (void)state;
    rota_heap_init(&heap, NULL);
    rota_rng_init(&rng, 7);
    for (int step = 0; step < 20000; step++) {
        struct rota_heap_node *node = &nodes[rota_rng_below(&rng, MODEL_NODES)];
        if (rota_rng_below(&rng, 3) == 0)
            rota_heap_remove(&heap, node);
        else
            assert_int_equal(rota_heap_set(&heap, node, rota_rng_below(&rng, 50)), 0);
        assert_ptr_equal(rota_heap_first(&heap), least(nodes));
    }
    rota_heap_fini(&heap);
}

static rota_err fill(const struct rota_alloc *alloc, void *ctx)
{
    struct rota_heap_node nodes[20] = {0};
    struct rota_heap heap;
    rota_err err = 0;

    (void)ctx;
    rota_heap_init(&heap, alloc);
    for (size_t i = 0; i < ROTA_COUNT(nodes) && err == 0; i++) {
        err = rota_heap_set(&heap, &nodes[i], 100 - (int64_t)i);
        assert_int_equal(rota_heap_holds(&nodes[i]), err == 0);
        if (err == 0)
            assert_int_equal(rota_heap_set(&heap, &nodes[i], 50), 0); /* moving needs no memory */
    }
    rota_heap_fini(&heap);
    return err;
}

static void only_an_insert_needs_memory(void **state)
{
    (void)state;
    assert_int_equal(rota_alloc_sweep(fill, NULL), 3);
    rota_heap_fini(NULL);
}

static void remove_from_another(void *ctx)
{
    struct rota_heap other;

    rota_heap_init(&other, NULL);
    rota_heap_remove(&other, ctx);
}

static void a_node_of_another_heap_is_noticed(void **state)
{
    struct rota_heap_node node = {0};
    struct rota_heap heap;

    (void)state;
    rota_heap_init(&heap, NULL);
    assert_int_equal(rota_heap_set(&heap, &node, 1), 0);
    rota_assert_aborts(remove_from_another, &node, "node->place <= heap->count");
    rota_heap_fini(&heap);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_least_comes_first),
        cmocka_unit_test(moving_goes_behind_its_ties),
        cmocka_unit_test(random_moves_keep_the_order),
        cmocka_unit_test(only_an_insert_needs_memory),
        cmocka_unit_test(a_node_of_another_heap_is_noticed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
