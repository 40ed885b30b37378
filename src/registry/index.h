/* index.h - an ordered set of byte strings: a skip list whose nodes live inside what they index.
 *
 * Find, insert and remove take O(log n) on average, the next one O(1). Heights come from the index's own random numbers, so keys
 * chosen by a peer cannot unbalance it. Nothing here allocates.
 */
#ifndef ROTA_REGISTRY_INDEX_H
#define ROTA_REGISTRY_INDEX_H

#include "base/rng.h"
#include <rota/slice.h>
#include <stddef.h>

#define ROTA_INDEX_HEIGHT 16 /* one node in four is on the next level: enough for 4^16 */

struct rota_index_node {
    struct rota_slice key;
    struct rota_index_node **next; /* height of them, in the owner's memory */
    uint8_t height;
};

struct rota_index {
    struct rota_index_node *first[ROTA_INDEX_HEIGHT];
    struct rota_rng rng;
    size_t count;
};

/* Bytes in order, a prefix before what it begins. */
int rota_index_compare(struct rota_slice a, struct rota_slice b);

void rota_index_init(struct rota_index *index, uint64_t seed);
uint8_t rota_index_draw_height(struct rota_index *index); /* for a node about to be made */
void rota_index_insert(struct rota_index *index, struct rota_index_node *node); /* its key must be new */
void rota_index_remove(struct rota_index *index, struct rota_index_node *node);
struct rota_index_node *rota_index_from(const struct rota_index *index, struct rota_slice key); /* the first at or after the key, or NULL */
struct rota_index_node *rota_index_find(const struct rota_index *index, struct rota_slice key); /* or NULL */

#endif
