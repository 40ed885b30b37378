/* ring_test.c - the ring to the number: its size, each owner's entries, whose a hash is, how little moves. Source: gRFC A42. */
#include "lb/ring.h"
#include "base/assert.h"
#include "lb/xxh64.h"
#include "testing/cmocka.h"
#include <stdio.h>

enum { MAX = 12, KEYS = 20000 };

static const struct {
    const char *rule;
    double weights[MAX];
    size_t count;
    uint32_t min, max;
    double scale;
    size_t entries[MAX];
} rows[] = {
    {"one owner has the least size", {7}, 1, 1024, 4096, 1024, {1024}},
    {"equal owners have whole and equal numbers", {1, 1, 1}, 3, 1024, 4096, 1026, {342, 342, 342}},
    {"entries in proportion to weights", {1, 2}, 2, 1024, 4096, 1026, {342, 684}},
    {"the lightest rounds up", {1, 1000}, 2, 1024, 4096, 2002, {2, 2000}},
    {"no larger than the greatest size", {1, 10000}, 2, 1024, 4096, 4096, {1, 4095}},
    {"fractions are carried over", {1, 1, 1}, 3, 1, 4, 3, {1, 1, 1}},
    {"an owner may get nothing in a ring too small", {1, 1, 1, 1}, 4, 2, 2, 2, {1, 0, 1, 0}},
    {"fractions of unequal ones", {1, 3, 5}, 3, 1, 5, 5, {1, 2, 2}},
};

static void build(struct rota_ring *ring, size_t *owners, const double *weights, size_t count, uint32_t min, uint32_t max)
{
    double sum = 0, least = weights[0];

    for (size_t i = 0; i < count; i++) {
        sum += weights[i];
        least = weights[i] < least ? weights[i] : least;
        owners[i] = i;
    }
    assert_int_equal(rota_ring_reserve(ring, NULL, max), 0);
    rota_ring_begin(ring, sum, rota_ring_scale(sum, least, min, max));
    for (size_t i = 0; i < count; i++) {
        char key[32];
        snprintf(key, sizeof(key), "10.0.0.%zu:1", i);
        rota_ring_add(ring, rota_slice_str(key), weights[i], &owners[i]);
    }
    rota_ring_end(ring);
}

static void has_the_right_entries(void **unused)
{
    (void)unused;
    for (size_t i = 0; i < ROTA_COUNT(rows); i++) {
        struct rota_ring ring = {0};
        size_t owners[MAX], counts[MAX] = {0};
        double sum = 0, least = rows[i].weights[0];
        print_message("  %s\n", rows[i].rule);
        for (size_t k = 0; k < rows[i].count; k++) {
            sum += rows[i].weights[k];
            least = rows[i].weights[k] < least ? rows[i].weights[k] : least;
        }
        assert_true(rota_ring_scale(sum, least, rows[i].min, rows[i].max) == rows[i].scale);
        build(&ring, owners, rows[i].weights, rows[i].count, rows[i].min, rows[i].max);
        for (size_t k = 0; k < ring.size; k++) {
            counts[*(size_t *)ring.entries[k].owner]++;
            assert_true(k == 0 || ring.entries[k - 1].hash <= ring.entries[k].hash);
        }
        for (size_t k = 0; k < rows[i].count; k++)
            assert_int_equal(counts[k], rows[i].entries[k]);
        rota_ring_fini(&ring, NULL);
    }
}

static void entries_stand_at_their_hashes(void **unused)
{
    struct rota_ring ring = {0};
    size_t owners[MAX], found = 0;

    (void)unused;
    build(&ring, owners, (double[]){1, 2}, 2, 10, 100);
    for (size_t owner = 0; owner < 2; owner++)
        for (size_t i = 0; i < (owner + 1) * ring.size / 3; i++) {
            char text[32];
            uint64_t hash;
            snprintf(text, sizeof(text), "10.0.0.%zu:1_%zu", owner, i);
            hash = rota_xxh64(rota_slice_str(text), 0);
            assert_int_equal(ring.entries[rota_ring_find(&ring, hash)].hash, hash);
            assert_ptr_equal(ring.entries[rota_ring_find(&ring, hash)].owner, &owners[owner]);
            found++;
        }
    assert_int_equal(found, ring.size);
    rota_ring_fini(&ring, NULL);
}

static const struct {
    const char *rule;
    uint64_t hash;
    size_t want;
} finds[] = {
    {"the first entry at the hash", 20, 1},
    {"the next behind it", 21, 2},
    {"below the first", 0, 0},
    {"of equal entries the first", 30, 2},
    {"behind the last: round to the first", 41, 0},
    {"at the last", 40, 4},
    {"the greatest hash", UINT64_MAX, 0},
};

static void finds_the_entry(void **unused)
{
    struct rota_ring_entry entries[] = {{10, NULL}, {20, NULL}, {30, NULL}, {30, NULL}, {40, NULL}};
    struct rota_ring ring = {.entries = entries, .size = ROTA_COUNT(entries)};

    (void)unused;
    for (size_t i = 0; i < ROTA_COUNT(finds); i++) {
        print_message("  %s\n", finds[i].rule);
        assert_int_equal(rota_ring_find(&ring, finds[i].hash), finds[i].want);
    }
}

/* --- What moves --- */

static void build_by(struct rota_ring *ring, size_t *owners, size_t count, size_t but, uint32_t entries)
{
    size_t n = count - (but < count);

    assert_int_equal(rota_ring_reserve(ring, NULL, 4096), 0);
    rota_ring_begin(ring, (double)n, entries > 0 ? rota_ring_scale_fixed((double)n, entries, 4096) : rota_ring_scale((double)n, 1, 1024, 4096));
    for (size_t i = 0; i < count; i++) {
        char key[32];
        owners[i] = i;
        snprintf(key, sizeof(key), "10.0.0.%zu:1", i);
        if (i != but)
            rota_ring_add(ring, rota_slice_str(key), 1, &owners[i]);
    }
    rota_ring_end(ring);
}

static size_t owner_of(const struct rota_ring *ring, uint32_t key)
{
    return *(size_t *)ring->entries[rota_ring_find(ring, rota_xxh64(rota_slice(&key, sizeof(key)), 0))].owner;
}

static const struct {
    const char *rule;
    size_t count;
    uint32_t entries; /* for each of equal weights; 0: A42's sizes */
    double most;      /* of the keys may move, in n-ths: whoever of the n goes */
    double average;   /* that move at the least; 0: exactly the leaver's */
} leavers[] = {
    {"three owners of a thousand entries", 3, 1000, 1.2, 0},
    {"ten of four hundred", 10, 400, 1.2, 0},
    {"forty of a hundred: shares differ more", 40, 100, 1.4, 0},
    {"ten in a ring of the least size: the others get more entries, which draw as much again", 10, 0, 2.4, 1.5},
    {"thirty-three there: the others keep their 32 entries", 33, 0, 1.5, 0},
    {"sixty-four there: the others have 17 entries instead of 16", 64, 0, 6, 4.5},
};

/* On average exactly the leaver's share moves where the others keep their entries. */
static void little_moves(void **unused)
{
    (void)unused;
    for (size_t i = 0; i < ROTA_COUNT(leavers); i++) {
        struct rota_ring all = {0}, fewer = {0};
        size_t owners[64], n = leavers[i].count, sum = 0, most = 0;
        build_by(&all, owners, n, SIZE_MAX, leavers[i].entries);
        for (size_t leaver = 0; leaver < n; leaver++) {
            size_t moved = 0;
            build_by(&fewer, owners, n, leaver, leavers[i].entries);
            for (uint32_t key = 0; key < KEYS; key++) {
                size_t before = owner_of(&all, key);
                bool is_elsewhere = owner_of(&fewer, key) != before;
                moved += is_elsewhere;
                assert_true(leavers[i].average > 0 || is_elsewhere == (before == leaver));
            }
            sum += moved;
            most = moved > most ? moved : most;
        }
        print_message("  %s: %.2f / n on average, %.2f / n at the most\n", leavers[i].rule, (double)sum / KEYS, (double)(most * n) / KEYS);
        assert_true((double)(most * n) <= leavers[i].most * KEYS);
        assert_true(leavers[i].average > 0 ? sum > leavers[i].average * KEYS : sum == KEYS);
        rota_ring_fini(&all, NULL);
        rota_ring_fini(&fewer, NULL);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(has_the_right_entries),
        cmocka_unit_test(entries_stand_at_their_hashes),
        cmocka_unit_test(finds_the_entry),
        cmocka_unit_test(little_moves),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
