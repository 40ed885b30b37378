/* map_test.c - bytes as keys: replacing, removing, growing, against a plain array. */
#include "base/map.h"
#include "base/assert.h"
#include "base/rng.h"
#include "testing/cmocka.h"
#include "testing/death.h"
#include "testing/leak_alloc.h"
#include <stdio.h>

static int one = 1, two = 2;

static void keys_are_bytes(void **state)
{
    struct rota_leak_alloc a;
    struct rota_map map;
    char copy[] = "k\0y";

    (void)state;
    rota_leak_alloc_init(&a);
    rota_map_init(&map, &a.alloc, 1);
    assert_null(rota_map_get(&map, ROTA_SLICE("k")));
    assert_null(rota_map_remove(&map, ROTA_SLICE("k")));
    assert_int_equal(a.allocs, 0);
    assert_int_equal(rota_map_set(&map, ROTA_SLICE("k\0x"), &one), 0);
    assert_int_equal(rota_map_set(&map, rota_slice(copy, 3), &two), 0);
    assert_int_equal(rota_map_set(&map, rota_slice(NULL, 0), &one), 0);
    assert_ptr_equal(rota_map_get(&map, ROTA_SLICE("k\0x")), &one);
    assert_ptr_equal(rota_map_get(&map, ROTA_SLICE("k\0y")), &two);
    assert_ptr_equal(rota_map_get(&map, ROTA_SLICE("")), &one);
    assert_null(rota_map_get(&map, ROTA_SLICE("k")));
    assert_int_equal(map.count, 3);
    rota_map_fini(&map);
    rota_leak_alloc_fini(&a);
}

static void setting_replaces_key_and_value(void **state)
{
    char dying[] = "key", lasting[] = "key";
    struct rota_map map;

    (void)state;
    rota_map_init(&map, NULL, 1);
    assert_int_equal(rota_map_set(&map, rota_slice_str(dying), &one), 0);
    assert_int_equal(rota_map_set(&map, rota_slice_str(lasting), &two), 0);
    dying[0] = '?';
    assert_int_equal(map.count, 1);
    assert_ptr_equal(rota_map_get(&map, ROTA_SLICE("key")), &two);
    assert_ptr_equal(rota_map_remove(&map, ROTA_SLICE("key")), &two);
    assert_null(rota_map_remove(&map, ROTA_SLICE("key")));
    assert_null(rota_map_get(&map, ROTA_SLICE("key")));
    rota_map_fini(&map);
}

#define MODEL_KEYS 300

struct model {
    char keys[MODEL_KEYS][8];
    bool there[MODEL_KEYS];
    size_t count;
};

static void assert_matches(const struct rota_map *map, const struct model *model)
{
    struct rota_map_entry *entry = NULL;
    size_t seen = 0;

    while ((entry = rota_map_next(map, entry)) != NULL) {
        size_t i = (size_t)((char(*)[8])entry->value - model->keys);
        assert_true(model->there[i]);
        assert_true(rota_slice_equal(entry->key, rota_slice_str(model->keys[i])));
        seen++;
    }
    assert_int_equal(seen, model->count);
    assert_int_equal(map->count, model->count);
    for (size_t i = 0; i < MODEL_KEYS; i++)
        assert_ptr_equal(rota_map_get(map, rota_slice_str(model->keys[i])), model->there[i] ? model->keys[i] : NULL);
}

static void random_changes_match_the_model(void **state)
{
    struct model model = {.count = 0};
    struct rota_leak_alloc a;
    struct rota_map map;
    struct rota_rng rng;

    (void)state;
    rota_leak_alloc_init(&a);
    rota_map_init(&map, &a.alloc, 3);
    rota_rng_init(&rng, 11);
    for (size_t i = 0; i < MODEL_KEYS; i++)
        snprintf(model.keys[i], sizeof(model.keys[i]), "k%zu", i);
    for (int step = 0; step < 6000; step++) {
        size_t i = rota_rng_below(&rng, MODEL_KEYS);
        struct rota_slice key = rota_slice_str(model.keys[i]);
        if (rota_rng_below(&rng, 2) == 0) {
            assert_int_equal(rota_map_set(&map, key, model.keys[i]), 0);
            model.count += !model.there[i];
            model.there[i] = true;
        } else {
            assert_ptr_equal(rota_map_remove(&map, key), model.there[i] ? model.keys[i] : NULL);
            model.count -= model.there[i];
            model.there[i] = false;
        }
        if (step % 50 == 0)
            assert_matches(&map, &model);
    }
    assert_true(map.cap <= 512);
    rota_map_fini(&map);
    rota_leak_alloc_fini(&a);
}

static rota_err fill(const struct rota_alloc *alloc, void *ctx)
{
    static const char keys[20] = "abcdefghijklmnopqrs";
    struct rota_map map;
    rota_err err = 0;

    (void)ctx;
    rota_map_init(&map, alloc, 1);
    for (size_t i = 0; i < sizeof(keys) && err == 0; i++) {
        err = rota_map_set(&map, rota_slice(&keys[i], 1), &one);
        assert_int_equal(map.count, i + (err == 0));
        for (size_t k = 0; k < map.count; k++)
            assert_ptr_equal(rota_map_get(&map, rota_slice(&keys[k], 1)), &one);
    }
    rota_map_fini(&map);
    return err;
}

static void a_failed_set_changes_nothing(void **state)
{
    (void)state;
    assert_int_equal(rota_alloc_sweep(fill, NULL), 3);
    rota_map_fini(NULL);
}

static void set_nothing(void *ctx)
{
    rota_map_set(ctx, ROTA_SLICE("k"), NULL);
}

static void a_value_is_never_null(void **state)
{
    struct rota_map map;

    (void)state;
    rota_map_init(&map, NULL, 1);
    rota_assert_aborts(set_nothing, &map, "value != NULL");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(keys_are_bytes),
        cmocka_unit_test(setting_replaces_key_and_value),
        cmocka_unit_test(random_changes_match_the_model),
        cmocka_unit_test(a_failed_set_changes_nothing),
        cmocka_unit_test(a_value_is_never_null),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
