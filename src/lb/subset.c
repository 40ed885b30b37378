/* subset.c - contract in subset.h. */
#include "lb/subset.h"
#include "base/alloc.h"
#include "lb/xxh64.h"
#include <stdlib.h>

struct candidate {
    uint64_t hash;
    const struct rota_endpoint *endpoint;
};

static int by_hash(const void *a, const void *b)
{
    const struct candidate *x = a, *y = b;

    return (x->hash > y->hash) - (x->hash < y->hash);
}

size_t rota_subset(const struct rota_alloc *alloc, const struct rota_endpoint **endpoints, size_t count, size_t size, uint64_t seed)
{
    struct candidate *candidates;

    if (count <= size)
        return count;
    candidates = rota_alloc_zero(alloc, count, sizeof(*candidates));
    if (candidates == NULL)
        return 0;
    for (size_t i = 0; i < count; i++)
        candidates[i] = (struct candidate){rota_xxh64(rota_slice_str(endpoints[i]->addresses[0].text), seed), endpoints[i]};
    qsort(candidates, count, sizeof(*candidates), by_hash);
    for (size_t i = 0; i < count; i++)
        endpoints[i] = candidates[i].endpoint;
    rota_alloc_free(alloc, candidates);
    return size;
}
