/* ring.h - a ring of hashes: which of several owners a hash belongs to, so that few change when an owner comes or goes (gRFC A42).
 *
 * Entry i of an owner stands at XXH64(key + "_" + i); owners have entries in proportion to their weights, the lightest at least one if
 * the ring may be that large. A hash belongs to the first entry at or behind it, round the ring. Adding and sorting need no memory.
 */
#ifndef ROTA_LB_RING_H
#define ROTA_LB_RING_H

#include <rota/alloc.h>
#include <rota/err.h>
#include <rota/slice.h>

struct rota_ring_entry {
    uint64_t hash;
    void *owner;
};

struct rota_ring {
    struct rota_ring_entry *entries;
    size_t size, cap;
    double target, per_weight; /* while it is built */
};

/* Room for a ring of so many entries. ROTA_ENOMEM. */
rota_err rota_ring_reserve(struct rota_ring *ring, const struct rota_alloc *alloc, size_t size);
void rota_ring_fini(struct rota_ring *ring, const struct rota_alloc *alloc);

/* How many entries a ring has for these weights, a fraction perhaps. */
double rota_ring_scale(double sum_of_weights, double least_weight, uint32_t min_size, uint32_t max_size);

/* The same where an owner has so many for each unit of its weight, whoever else is there. */
double rota_ring_scale_fixed(double sum_of_weights, uint32_t entries_per_weight, uint32_t max_size);

/* begin, an add for each owner (weight > 0), end. What exceeds the room is left out. */
void rota_ring_begin(struct rota_ring *ring, double sum_of_weights, double scale);
void rota_ring_add(struct rota_ring *ring, struct rota_slice key, double weight, void *owner);
void rota_ring_end(struct rota_ring *ring);

/* The index of the hash's entry; the ring must not be empty. */
size_t rota_ring_find(const struct rota_ring *ring, uint64_t hash);

#endif
