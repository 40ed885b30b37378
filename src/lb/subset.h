/* subset.h - rendezvous hashing: which k of n endpoints a client keeps, changing as little as the list does (gRFC A68). */
#ifndef ROTA_LB_SUBSET_H
#define ROTA_LB_SUBSET_H

#include <rota/lb.h>

/* Orders the list by XXH64(first address, seed), ascending, and returns how many of it make the subset: the first `size`, or all.
 * A list that is no longer than that keeps its order. ROTA_ENOMEM: 0 is returned, and the list is as it was. */
size_t rota_subset(const struct rota_alloc *alloc, const struct rota_endpoint **endpoints, size_t count, size_t size, uint64_t seed);

#endif
