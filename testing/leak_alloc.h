/* leak_alloc.h - an allocator for tests: counts blocks, fails the n-th allocation, fails the test on a leak.
 *
 * Every resize moves the block and spoils the old one, as freeing does, so that a pointer kept across it is noticed. The sweep proves
 * that running out of memory is an error everywhere: it reruns a scenario failing its 1st, 2nd, ... allocation until
 * one run gets by without the failure.
 */
#ifndef ROTA_TESTING_LEAK_ALLOC_H
#define ROTA_TESTING_LEAK_ALLOC_H

#include <rota/alloc.h>
#include <rota/err.h>
#include <stdbool.h>
#include <stdint.h>

struct rota_leak_block;

struct rota_leak_alloc {
    struct rota_alloc alloc; /* hand out &a->alloc */
    struct rota_leak_block *blocks; /* live, newest first */
    size_t live_blocks, live_bytes;
    uint64_t allocs; /* asked for so far, failed ones and resizes included */
    uint64_t fail_at; /* the value of `allocs` at which one fails; 0: never */
    bool failed;      /* that one has been asked for */
};

void rota_leak_alloc_init(struct rota_leak_alloc *a);

/* Fails the test, naming sizes and sequence numbers, when blocks are still live. Otherwise nothing is left to free. */
void rota_leak_alloc_fini(struct rota_leak_alloc *a);

/* The n-th allocation from now on fails, and only that one. */
void rota_leak_alloc_fail_nth(struct rota_leak_alloc *a, uint64_t n);

/* Returns 0 or ROTA_ENOMEM (anything else fails the test) and has freed everything by then. */
typedef rota_err rota_alloc_scenario(const struct rota_alloc *alloc, void *ctx);

/* Each run whose allocation failed must return ROTA_ENOMEM; the last run must return 0. Returns how many allocations
 * the scenario makes, so that a test can tell a sweep over nothing. */
uint64_t rota_alloc_sweep(rota_alloc_scenario *scenario, void *ctx);

/* The same for scenarios that may get by without a block (return 0). */
uint64_t rota_alloc_sweep_absorbing(rota_alloc_scenario *scenario, void *ctx);

#endif
