/* ring.c - contract in ring.h. */
#include "lb/ring.h"
#include "base/alloc.h"
#include "lb/xxh64.h"
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

rota_err rota_ring_reserve(struct rota_ring *ring, const struct rota_alloc *alloc, size_t size)
{
    return rota_alloc_reserve(alloc, &ring->entries, &ring->cap, size, sizeof(*ring->entries));
}

void rota_ring_fini(struct rota_ring *ring, const struct rota_alloc *alloc)
{
    rota_alloc_free(alloc, ring->entries);
}

double rota_ring_scale(double sum_of_weights, double least_weight, uint32_t min_size, uint32_t max_size)
{
    double least = least_weight / sum_of_weights;

    return fmin(ceil(least * min_size) / least, max_size);
}

double rota_ring_scale_fixed(double sum_of_weights, uint32_t entries_per_weight, uint32_t max_size)
{
    return fmin(sum_of_weights * entries_per_weight, max_size);
}

void rota_ring_begin(struct rota_ring *ring, double sum_of_weights, double scale)
{
    ring->size = 0;
    ring->target = 0;
    ring->per_weight = scale / sum_of_weights;
}

void rota_ring_add(struct rota_ring *ring, struct rota_slice key, double weight, void *owner)
{
    struct rota_xxh64 prefix;

    rota_xxh64_init(&prefix, 0);
    rota_xxh64_add(&prefix, key);
    rota_xxh64_add(&prefix, ROTA_SLICE("_"));
    /* Fractions are carried over to the next owner, so that the whole has the right size. */
    ring->target += weight * ring->per_weight;
    for (uint32_t i = 0; (double)ring->size < ring->target && ring->size < ring->cap; i++) {
        struct rota_xxh64 x = prefix;
        char number[16];
        snprintf(number, sizeof(number), "%u", (unsigned)i);
        rota_xxh64_add(&x, rota_slice_str(number));
        ring->entries[ring->size++] = (struct rota_ring_entry){rota_xxh64_end(&x), owner};
    }
}

static int by_hash(const void *a, const void *b)
{
    const struct rota_ring_entry *x = a, *y = b;

    return (x->hash > y->hash) - (x->hash < y->hash);
}

void rota_ring_end(struct rota_ring *ring)
{
    if (ring->size > 0)
        qsort(ring->entries, ring->size, sizeof(*ring->entries), by_hash);
}

size_t rota_ring_find(const struct rota_ring *ring, uint64_t hash)
{
    size_t from = 0, to = ring->size;

    while (from < to) {
        size_t middle = from + (to - from) / 2;
        if (ring->entries[middle].hash < hash)
            from = middle + 1;
        else
            to = middle;
    }
    return from == ring->size ? 0 : from;
}
