/* heap.c - a four-ary heap of (key, node) slots.
 *
 * Invariants: slots[i].node->place == i + 1 and slots[i].key == slots[i].node->key; no slot comes before its parent,
 * slots[(i - 1) / 4], in the order of (key, order). Timers set for ever later times, as deadlines of one length are,
 * go in without a comparison beyond the first.
 */
#include "base/heap.h"
#include "base/alloc.h"
#include "base/assert.h"

#define FAN 4

void rota_heap_init(struct rota_heap *heap, const struct rota_alloc *alloc)
{
    *heap = (struct rota_heap){.alloc = rota_alloc_or_default(alloc)};
}

void rota_heap_fini(struct rota_heap *heap)
{
    if (heap == NULL)
        return;
    rota_alloc_free(heap->alloc, heap->slots);
    heap->slots = NULL;
    heap->count = heap->cap = 0;
}

static bool before(const struct rota_heap_slot *a, const struct rota_heap_slot *b)
{
    return a->key != b->key ? a->key < b->key : a->node->order < b->node->order;
}

static void put(struct rota_heap *heap, size_t i, struct rota_heap_slot slot)
{
    heap->slots[i] = slot;
    slot.node->place = i + 1;
}

static void sift_up(struct rota_heap *heap, size_t i, struct rota_heap_slot slot)
{
    while (i > 0) {
        size_t parent = (i - 1) / FAN;
        if (!before(&slot, &heap->slots[parent]))
            break;
        put(heap, i, heap->slots[parent]);
        i = parent;
    }
    put(heap, i, slot);
}

static void sift_down(struct rota_heap *heap, size_t i, struct rota_heap_slot slot)
{
    for (;;) {
        size_t best = i * FAN + 1;
        size_t end = heap->count - best > FAN ? best + FAN : heap->count;

        if (best >= heap->count)
            break;
        for (size_t child = best + 1; child < end; child++)
            if (before(&heap->slots[child], &heap->slots[best]))
                best = child;
        if (!before(&heap->slots[best], &slot))
            break;
        put(heap, i, heap->slots[best]);
        i = best;
    }
    put(heap, i, slot);
}

/* Puts the slot at i, or where it belongs above or below. */
static void settle(struct rota_heap *heap, size_t i, struct rota_heap_slot slot)
{
    if (i > 0 && before(&slot, &heap->slots[(i - 1) / FAN]))
        sift_up(heap, i, slot);
    else
        sift_down(heap, i, slot);
}

static size_t index_of(const struct rota_heap *heap, const struct rota_heap_node *node)
{
    /* Fails for a node that stands in another heap, or stood in one that is gone. */
    ROTA_ASSERT(node->place <= heap->count && heap->slots[node->place - 1].node == node);
    return node->place - 1;
}

rota_err rota_heap_set(struct rota_heap *heap, struct rota_heap_node *node, int64_t key)
{
    struct rota_heap_slot slot = {key, node};

    if (node->place != 0) {
        size_t i = index_of(heap, node);
        node->key = key;
        node->order = heap->next_order++;
        settle(heap, i, slot);
        return 0;
    }
    if (rota_alloc_reserve(heap->alloc, &heap->slots, &heap->cap, heap->count + 1, sizeof(slot)) < 0)
        return ROTA_ENOMEM;
    node->key = key;
    node->order = heap->next_order++;
    sift_up(heap, heap->count++, slot);
    return 0;
}

void rota_heap_remove(struct rota_heap *heap, struct rota_heap_node *node)
{
    size_t i;

    if (node->place == 0)
        return;
    i = index_of(heap, node);
    node->place = 0;
    heap->count--;
    if (i < heap->count)
        settle(heap, i, heap->slots[heap->count]);
}

struct rota_heap_node *rota_heap_first(const struct rota_heap *heap)
{
    return heap->count == 0 ? NULL : heap->slots[0].node;
}
