/* map_test.c - streams by id: what is added is found until it is removed, however ids collide. */
#include "base/alloc.h"
#include "base/assert.h"
#include "base/rng.h"
#include "h2/session.h"
#include "testing/cmocka.h"
#include "testing/leak_alloc.h"

#define STREAMS 200
#define STEPS 20000

static struct rota_h2_stream streams[STREAMS];
static bool is_in[STREAMS];

/* The i-th id. */
typedef int32_t ids_fn(uint32_t i);

static int32_t in_a_row(uint32_t i)
{
    return (int32_t)(2 * i + 1);
}

static uint32_t mix; /* the map's */

static int32_t at_one_home(uint32_t i)
{
    static uint32_t half;

    if (i == 0)
        half = 0;
    do {
        half++;
    } while (half * mix >> 23 != 0); /* of 2^9, and of every smaller map */
    return (int32_t)(half << 1 | 1);
}

static int32_t far_apart(uint32_t i)
{
    return (int32_t)(i << 23 | 1);
}

static int32_t in_runs(uint32_t i)
{
    return (int32_t)((i / 8 << 16) + 2 * (i % 8) + 1);
}

static int32_t at_the_end(uint32_t i)
{
    return INT32_MAX - 2 * (int32_t)i;
}

static const struct {
    const char *rule;
    ids_fn *ids;
} cases[] = {
    {"ids in a row", in_a_row},
    {"ids that all have the same home", at_one_home},
    {"ids that differ in few bits", far_apart},
    {"runs of ids", in_runs},
    {"the highest ids", at_the_end},
};

static void check(const struct rota_h2 *h2)
{
    uint32_t n = 0;

    for (uint32_t i = 0; i < STREAMS; i++) {
        assert_ptr_equal(rota_h2_stream_find(h2, streams[i].id), is_in[i] ? &streams[i] : NULL);
        n += is_in[i];
    }
    assert_int_equal(h2->n_map, n);
}

static void what_is_added_is_found_until_it_is_removed(void **state)
{
    (void)state;
    for (size_t i = 0; i < ROTA_COUNT(cases); i++) {
        struct rota_leak_alloc alloc;
        struct rota_h2 h2 = {.alloc = &alloc.alloc};
        struct rota_rng rng;

        print_message("  %s\n", cases[i].rule);
        rota_leak_alloc_init(&alloc);
        rota_rng_init(&rng, i + 1);
        assert_null(rota_h2_stream_find(&h2, 1));
        rota_h2_map_remove(&h2, 1);
        streams[0] = (struct rota_h2_stream){.id = 1};
        assert_true(rota_h2_map_add(&h2, &streams[0]));
        rota_h2_map_remove(&h2, 1);
        mix = h2.map_mix;
        for (uint32_t k = 0; k < STREAMS; k++) {
            streams[k] = (struct rota_h2_stream){.id = cases[i].ids(k)};
            is_in[k] = false;
        }
        for (int step = 0; step < STEPS; step++) {
            uint32_t k = rota_rng_below(&rng, STREAMS);

            if (is_in[k])
                rota_h2_map_remove(&h2, streams[k].id);
            else
                assert_true(rota_h2_map_add(&h2, &streams[k]));
            is_in[k] = !is_in[k];
            if (step % 50 == 0)
                check(&h2);
        }
        rota_h2_map_remove(&h2, 2); /* nobody's */
        check(&h2);
        rota_alloc_free(h2.alloc, h2.map);
        rota_leak_alloc_fini(&alloc);
    }
}

static void without_memory_nothing_is_lost(void **state)
{
    struct rota_leak_alloc alloc;
    struct rota_h2 h2 = {.alloc = &alloc.alloc};
    uint32_t n = 0;

    (void)state;
    rota_leak_alloc_init(&alloc);
    for (uint32_t k = 0; k < STREAMS; k++) {
        streams[k] = (struct rota_h2_stream){.id = in_a_row(k)};
        is_in[k] = false;
    }
    for (uint32_t k = 0; k < STREAMS; k++) {
        rota_leak_alloc_fail_nth(&alloc, 1);
        if (rota_h2_map_add(&h2, &streams[k]))
            is_in[k] = ++n > 0;
        else
            assert_true(alloc.failed);
        check(&h2);
        rota_leak_alloc_fail_nth(&alloc, 0);
        if (!is_in[k])
            is_in[k] = rota_h2_map_add(&h2, &streams[k]);
        check(&h2);
    }
    assert_in_range(n, STREAMS / 2, STREAMS - 2);
    rota_alloc_free(h2.alloc, h2.map);
    rota_leak_alloc_fini(&alloc);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_added_is_found_until_it_is_removed),
        cmocka_unit_test(without_memory_nothing_is_lost),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
