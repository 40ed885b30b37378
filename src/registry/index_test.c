/* index_test.c - the ordered index against a sorted array. */
#include "base/assert.h"
#include "registry/index.h"
#include "testing/cmocka.h"
#include <stdio.h>
#include <stdlib.h>

#define NODES 300

struct entry {
    struct rota_index_node node;
    struct rota_index_node *links[ROTA_INDEX_HEIGHT];
    char text[8];
    bool inside;
};

static void a_prefix_comes_first(void **unused)
{
    static const struct {
        const char *a, *b;
        int want;
    } cases[] = {{"", "", 0}, {"", "a", -1}, {"a", "ab", -1}, {"ab", "b", -1}, {"b", "ab", 1}, {"a", "a", 0}, {"a", "\xff", -1}};

    (void)unused;
    for (size_t i = 0; i < ROTA_COUNT(cases); i++) {
        int got = rota_index_compare(rota_slice_str(cases[i].a), rota_slice_str(cases[i].b));
        assert_int_equal(got < 0 ? -1 : got > 0, cases[i].want);
    }
}

static void check(const struct rota_index *index, const struct entry *entries)
{
    struct rota_index_node *node = index->first[0];
    size_t count = 0;

    for (size_t i = 0; i < NODES; i++) {
        struct rota_slice key = rota_slice_str(entries[i].text);
        assert_ptr_equal(rota_index_find(index, key), entries[i].inside ? &entries[i].node : NULL);
        assert_ptr_equal(rota_index_from(index, key), node);
        if (!entries[i].inside)
            continue;
        assert_ptr_equal(node, &entries[i].node);
        node = node->next[0];
        count++;
    }
    assert_null(node);
    assert_int_equal(count, index->count);
}

static void it_is_as_a_sorted_array(void **unused)
{
    static struct entry entries[NODES];
    struct rota_index index;
    struct rota_rng rng;

    (void)unused;
    rota_index_init(&index, 1);
    rota_rng_init(&rng, 2);
    for (size_t i = 0; i < NODES; i++)
        snprintf(entries[i].text, sizeof(entries[i].text), "%03zu", i);
    for (int step = 0; step < 3000; step++) {
        struct entry *e = &entries[rota_rng_below(&rng, NODES)];
        if (e->inside) {
            rota_index_remove(&index, &e->node);
        } else {
            e->node = (struct rota_index_node){.key = rota_slice_str(e->text), .next = e->links, .height = rota_index_draw_height(&index)};
            rota_index_insert(&index, &e->node);
        }
        e->inside = !e->inside;
        if (step % 50 == 0)
            check(&index, entries);
    }
    check(&index, entries);
}

static void heights_fall_off_by_four(void **unused)
{
    struct rota_index index;
    size_t above[4] = {0};

    (void)unused;
    rota_index_init(&index, 3);
    for (int i = 0; i < 64000; i++) {
        uint8_t height = rota_index_draw_height(&index);
        assert_in_range(height, 1, ROTA_INDEX_HEIGHT);
        for (uint8_t h = 1; h < height && h < 4; h++)
            above[h]++;
    }
    assert_in_range(above[1], 15500, 16500);
    assert_in_range(above[2], 3700, 4300);
    assert_in_range(above[3], 850, 1150);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_prefix_comes_first),
        cmocka_unit_test(it_is_as_a_sorted_array),
        cmocka_unit_test(heights_fall_off_by_four),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
