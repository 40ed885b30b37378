/* idmap_test.c - numbers as keys, against a plain array. */
#include "base/assert.h"
#include "base/map.h"
#include "base/rng.h"
#include "testing/cmocka.h"
#include "testing/death.h"
#include "testing/leak_alloc.h"

static int one = 1, two = 2;

static void any_number_is_a_key(void **state)
{
    static const uint64_t keys[] = {0, 1, 2, UINT32_MAX, UINT64_C(1) << 63, UINT64_MAX};
    struct rota_leak_alloc a;
    struct rota_idmap map;

    (void)state;
    rota_leak_alloc_init(&a);
    rota_idmap_init(&map, &a.alloc);
    for (size_t i = 0; i < ROTA_COUNT(keys); i++) {
        assert_null(rota_idmap_get(&map, keys[i]));
        assert_null(rota_idmap_remove(&map, keys[i]));
        assert_int_equal(rota_idmap_set(&map, keys[i], &one), 0);
        assert_int_equal(rota_idmap_set(&map, keys[i], &two), 0);
        assert_int_equal(map.count, i + 1);
    }
    for (size_t i = 0; i < ROTA_COUNT(keys); i++) {
        assert_ptr_equal(rota_idmap_get(&map, keys[i]), &two);
        assert_ptr_equal(rota_idmap_remove(&map, keys[i]), &two);
        assert_null(rota_idmap_remove(&map, keys[i]));
    }
    assert_null(rota_idmap_next(&map, NULL));
    rota_idmap_fini(&map);
    rota_leak_alloc_fini(&a);
}

#define MODEL_KEYS 300

struct model {
    uint64_t stride;
    int values[MODEL_KEYS];
    bool there[MODEL_KEYS];
    size_t count;
};

static void assert_matches(const struct rota_idmap *map, const struct model *model)
{
    struct rota_idmap_entry *entry = NULL;
    size_t seen = 0;

    while ((entry = rota_idmap_next(map, entry)) != NULL) {
        assert_true(model->there[entry->key / model->stride]);
        seen++;
    }
    assert_int_equal(seen, model->count);
    assert_int_equal(map->count, model->count);
    for (size_t i = 0; i < MODEL_KEYS; i++)
        assert_ptr_equal(rota_idmap_get(map, i * model->stride), model->there[i] ? &model->values[i] : NULL);
}

static void check_stride(uint64_t stride)
{
    struct model model = {.stride = stride};
    struct rota_idmap map;
    struct rota_rng rng;

    rota_idmap_init(&map, NULL);
    rota_rng_init(&rng, stride);
    for (int step = 0; step < 6000; step++) {
        size_t i = rota_rng_below(&rng, MODEL_KEYS);
        if (rota_rng_below(&rng, 2) == 0) {
            assert_int_equal(rota_idmap_set(&map, i * stride, &model.values[i]), 0);
            model.count += !model.there[i];
            model.there[i] = true;
        } else {
            assert_ptr_equal(rota_idmap_remove(&map, i * stride), model.there[i] ? &model.values[i] : NULL);
            model.count -= model.there[i];
            model.there[i] = false;
        }
        if (step % 50 == 0)
            assert_matches(&map, &model);
    }
    assert_true(map.cap <= 512);
    rota_idmap_fini(&map);
}

static void random_changes_match_the_model(void **state)
{
    static const uint64_t strides[] = {1, 2, 64, UINT64_C(1) << 32, UINT64_C(1) << 52};

    (void)state;
    for (size_t i = 0; i < ROTA_COUNT(strides); i++)
        check_stride(strides[i]);
}

static rota_err fill(const struct rota_alloc *alloc, void *ctx)
{
    struct rota_idmap map;
    rota_err err = 0;

    (void)ctx;
    rota_idmap_init(&map, alloc);
    for (uint64_t i = 0; i < 20 && err == 0; i++) {
        err = rota_idmap_set(&map, i, &one);
        assert_int_equal(map.count, i + (err == 0));
        for (uint64_t k = 0; k < map.count; k++)
            assert_ptr_equal(rota_idmap_get(&map, k), &one);
    }
    rota_idmap_fini(&map);
    return err;
}

static void a_failed_set_changes_nothing(void **state)
{
    (void)state;
    assert_int_equal(rota_alloc_sweep(fill, NULL), 3);
    rota_idmap_fini(NULL);
}

static void set_nothing(void *ctx)
{
    rota_idmap_set(ctx, 1, NULL);
}

static void a_value_is_never_null(void **state)
{
    struct rota_idmap map;

    (void)state;
    rota_idmap_init(&map, NULL);
    rota_assert_aborts(set_nothing, &map, "value != NULL");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(any_number_is_a_key),
        cmocka_unit_test(random_changes_match_the_model),
        cmocka_unit_test(a_failed_set_changes_nothing),
        cmocka_unit_test(a_value_is_never_null),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
