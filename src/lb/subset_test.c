/* subset_test.c - which endpoints a subset keeps, and what a change of the list changes in it. Source: gRFC A68. */
#include "lb/subset.h"
#include "base/assert.h"
#include "lb/xxh64.h"
#include "testing/cmocka.h"
#include "testing/leak_alloc.h"
#include <stdio.h>
#include <stdlib.h>

enum { N = 100, K = 10, SEEDS = 2000 };

static const struct rota_endpoint *all[N + 1];

static int open_endpoints(void **unused)
{
    (void)unused;
    for (size_t i = 0; i <= N; i++) {
        char text[32];
        struct rota_address address = {.kind = ROTA_ADDRESS_NAME, .port = 1, .text = text};
        struct rota_endpoint from = {.addresses = &address, .n_addresses = 1};
        snprintf(text, sizeof(text), "n%zu:1", i);
        assert_int_equal(rota_endpoint_new(NULL, &from, &all[i]), 0);
    }
    return 0;
}

static int close_endpoints(void **unused)
{
    (void)unused;
    for (size_t i = 0; i <= N; i++)
        rota_endpoint_unref(all[i]);
    return 0;
}

static size_t choose(const struct rota_endpoint **list, size_t count, size_t size, uint64_t seed)
{
    memcpy(list, all, count * sizeof(*list));
    return rota_subset(NULL, list, count, size, seed);
}

static uint64_t hash_of(const struct rota_endpoint *endpoint, uint64_t seed)
{
    return rota_xxh64(rota_slice_str(endpoint->addresses[0].text), seed);
}

static void keeps_the_least_hashes(void **unused)
{
    const struct rota_endpoint *list[N];

    (void)unused;
    assert_int_equal(choose(list, N, K, 42), K);
    for (size_t i = 1; i < N; i++)
        assert_true(hash_of(list[i - 1], 42) <= hash_of(list[i], 42));
}

static void short_lists_stay(void **unused)
{
    const struct rota_endpoint *list[N];

    (void)unused;
    for (size_t count = 0; count <= K; count++) {
        assert_int_equal(choose(list, count, K, 42), count);
        for (size_t i = 0; i < count; i++)
            assert_ptr_equal(list[i], all[i]);
    }
}

static size_t common(const struct rota_endpoint **a, const struct rota_endpoint **b)
{
    size_t count = 0;

    for (size_t i = 0; i < K; i++)
        for (size_t k = 0; k < K; k++)
            count += a[i] == b[k];
    return count;
}

/* A newcomer takes one place or none; and every endpoint is chosen by about as many clients. */
static void is_stable_and_even(void **unused)
{
    const struct rota_endpoint *before[N], *after[N + 1];
    size_t chosen[N] = {0}, kept_all = 0;

    (void)unused;
    for (uint64_t seed = 1; seed <= SEEDS; seed++) {
        size_t same;
        choose(before, N, K, seed);
        memcpy(after, all, sizeof(after));
        rota_subset(NULL, after, N + 1, K, seed);
        same = common(before, after);
        assert_true(same == K || same == K - 1);
        kept_all += same == K;
        for (size_t i = 0; i < N; i++)
            for (size_t k = 0; k < K; k++)
                chosen[i] += before[k] == all[i];
    }
    assert_true(kept_all > SEEDS * 85 / 100 && kept_all < SEEDS * 95 / 100);
    for (size_t i = 0; i < N; i++)
        assert_true(labs((long)chosen[i] - SEEDS * K / N) < 65); /* more than four sigma */
}

static void out_of_memory_changes_nothing(void **unused)
{
    const struct rota_endpoint *list[N];
    struct rota_leak_alloc memory;

    (void)unused;
    rota_leak_alloc_init(&memory);
    rota_leak_alloc_fail_nth(&memory, 1);
    memcpy(list, all, sizeof(list));
    assert_int_equal(rota_subset(&memory.alloc, list, N, K, 1), 0);
    assert_memory_equal(list, all, sizeof(list));
    rota_leak_alloc_fini(&memory);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(keeps_the_least_hashes),
        cmocka_unit_test(short_lists_stay),
        cmocka_unit_test(is_stable_and_even),
        cmocka_unit_test(out_of_memory_changes_nothing),
    };

    return cmocka_run_group_tests(tests, open_endpoints, close_endpoints);
}
