/* heap.h - intrusive min-heap keyed by int64 (timers, expiries). Ties come out in the order they went in.
 *
 * Four children a node, and the keys beside the pointers, so that one level down costs one cache line.
 */
#ifndef ROTA_BASE_HEAP_H
#define ROTA_BASE_HEAP_H

#include <rota/alloc.h>
#include <rota/err.h>
#include <stdbool.h>
#include <stdint.h>

struct rota_heap_node {
    int64_t key;
    uint64_t order;
    size_t place; /* 1 + index in the heap; 0: not in one */
};

struct rota_heap_slot {
    int64_t key; /* the node's */
    struct rota_heap_node *node;
};

struct rota_heap {
    const struct rota_alloc *alloc;
    struct rota_heap_slot *slots;
    size_t count, cap;
    uint64_t next_order;
};

void rota_heap_init(struct rota_heap *heap, const struct rota_alloc *alloc);
void rota_heap_fini(struct rota_heap *heap); /* nodes still inside are simply forgotten */
rota_err rota_heap_set(struct rota_heap *heap, struct rota_heap_node *node, int64_t key); /* inserts or moves; only an insert can fail (ROTA_ENOMEM) */
void rota_heap_remove(struct rota_heap *heap, struct rota_heap_node *node); /* not inside: nothing happens */
struct rota_heap_node *rota_heap_first(const struct rota_heap *heap); /* NULL when empty */

static inline bool rota_heap_holds(const struct rota_heap_node *node)
{
    return node->place != 0;
}

#endif
