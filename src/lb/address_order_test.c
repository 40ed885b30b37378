/* address_order_test.c - the shuffle by weight (gRFC A62, A113), to the draw and in the long run; the rest of the order is in pick_first_test.c. */
#include "lb/address_order.h"
#include "base/assert.h"
#include "testing/cmocka.h"
#include "testing/leak_alloc.h"
#include "testing/script_rng.h"
#include <math.h>

static const struct rota_address places[] = {{.text = "a"}, {.text = "b"}, {.text = "c"}};

struct set {
    struct rota_endpoint endpoints[3];
    const struct rota_endpoint *list[3];
};

static void set_init(struct set *set, const uint32_t *weights)
{
    for (size_t i = 0; i < 3; i++) {
        set->endpoints[i] = (struct rota_endpoint){.addresses = &places[i], .n_addresses = 1, .weight = weights[i]};
        set->list[i] = &set->endpoints[i];
    }
}

static const struct {
    const char *rule;
    uint32_t weights[3];
    double u[3];
    bool shuffle;
    const char *order;
} draws[] = {
    {"without shuffling: as listed", {1, 5, 9}, {0}, false, "abc"},
    {"equal weights: the larger u first", {1, 1, 1}, {0.2, 0.9, 0.5}, true, "bca"},
    {"no weight counts as 1", {0, 1, 0}, {0.2, 0.9, 0.5}, true, "bca"},
    {"keys are u^(1/weight)", {1, 4, 2}, {0.5, 0.1, 0.2}, true, "bac"}, /* 0.5, 0.562, 0.447 */
    {"equal keys keep the order of the list", {3, 3, 3}, {0.5, 0.5, 0.5}, true, "abc"},
    {"a u of 0 comes last but counts", {1, 1, 1}, {0, 0.1, 0.2}, true, "cba"},
    {"large weights keep apart", {4294967295u, 4294967295u, 4294967295u}, {0.3, 0.2, 0.4}, true, "cab"},
};

static void draws_decide(void **unused)
{
    (void)unused;
    for (size_t i = 0; i < ROTA_COUNT(draws); i++) {
        uint64_t script[4] = {rota_script_unit(draws[i].u[0]), rota_script_unit(draws[i].u[1]), rota_script_unit(draws[i].u[2]), 0};
        struct rota_leak_alloc memory;
        struct rota_rng dice;
        struct rota_lb_env env = {.alloc = &memory.alloc, .rng = &dice};
        struct rota_lb_addresses list;
        struct set set;
        char order[4] = "";
        print_message("  %s\n", draws[i].rule);
        rota_leak_alloc_init(&memory);
        set_init(&set, draws[i].weights);
        /* Not shuffling rolls for the seed of its map only. */
        rota_script_rng_init(&dice, draws[i].shuffle ? script : script + 3, draws[i].shuffle ? 4 : 1);
        assert_int_equal(rota_lb_addresses_init(&list, &env, set.list, 3, draws[i].shuffle), 0);
        for (size_t k = 0; k < list.count; k++)
            order[k] = list.items[k].endpoint->addresses[0].text[0];
        assert_string_equal(order, draws[i].order);
        assert_ptr_equal(rota_lb_addresses_find(&list, &places[1])->endpoint, &set.endpoints[1]);
        rota_lb_addresses_fini(&list);
        rota_leak_alloc_fini(&memory);
    }
}

/* The probability to come first is the weight's share. */
static void shares_follow_weights(void **unused)
{
    enum { DRAWS = 100000 };
    static const uint32_t weights[3] = {1, 3, 6};
    int first[3] = {0};
    struct rota_rng rng;
    struct rota_lb_env env = {.rng = &rng};
    struct set set;

    (void)unused;
    rota_rng_init(&rng, 42);
    set_init(&set, weights);
    for (int i = 0; i < DRAWS; i++) {
        struct rota_lb_addresses list;
        assert_int_equal(rota_lb_addresses_init(&list, &env, set.list, 3, true), 0);
        first[list.items[0].endpoint - set.endpoints]++;
        rota_lb_addresses_fini(&list);
    }
    for (int i = 0; i < 3; i++)
        assert_true(fabs(first[i] / (double)DRAWS - weights[i] / 10.0) < 0.01);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(draws_decide),
        cmocka_unit_test(shares_follow_weights),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
