/* index.c - see index.h. Invariant: level l links, in order, exactly the nodes whose height is above l. */
#include "registry/index.h"

#include "base/assert.h"

int rota_index_compare(struct rota_slice a, struct rota_slice b)
{
    size_t common = a.size < b.size ? a.size : b.size;
    int order = common == 0 ? 0 : memcmp(a.data, b.data, common);

    if (order != 0)
        return order;
    return a.size < b.size ? -1 : a.size > b.size;
}

void rota_index_init(struct rota_index *index, uint64_t seed)
{
    *index = (struct rota_index){.count = 0};
    rota_rng_init(&index->rng, seed);
}

uint8_t rota_index_draw_height(struct rota_index *index)
{
    uint64_t bits = rota_rng_next(&index->rng);
    uint8_t height = 1;

    while (height < ROTA_INDEX_HEIGHT && (bits & 3) == 0) {
        height++;
        bits >>= 2;
    }
    return height;
}

/* Fills in, for each level, the link that leads to the first node at or after the key. */
static void seek(struct rota_index *index, struct rota_slice key, struct rota_index_node **ret_links[ROTA_INDEX_HEIGHT])
{
    struct rota_index_node **links = index->first;

    for (size_t level = ROTA_INDEX_HEIGHT; level-- > 0;) {
        while (links[level] != NULL && rota_index_compare(links[level]->key, key) < 0)
            links = links[level]->next;
        ret_links[level] = &links[level];
    }
}

void rota_index_insert(struct rota_index *index, struct rota_index_node *node)
{
    struct rota_index_node **links[ROTA_INDEX_HEIGHT];

    seek(index, node->key, links);
    ROTA_ASSERT(*links[0] == NULL || rota_index_compare((*links[0])->key, node->key) != 0);
    for (size_t level = 0; level < node->height; level++) {
        node->next[level] = *links[level];
        *links[level] = node;
    }
    index->count++;
}

void rota_index_remove(struct rota_index *index, struct rota_index_node *node)
{
    struct rota_index_node **links[ROTA_INDEX_HEIGHT];

    seek(index, node->key, links);
    for (size_t level = 0; level < node->height; level++) {
        ROTA_ASSERT(*links[level] == node);
        *links[level] = node->next[level];
    }
    index->count--;
}

struct rota_index_node *rota_index_from(const struct rota_index *index, struct rota_slice key)
{
    struct rota_index_node *const *links = index->first;

    for (size_t level = ROTA_INDEX_HEIGHT; level-- > 0;)
        while (links[level] != NULL && rota_index_compare(links[level]->key, key) < 0)
            links = links[level]->next;
    return links[0];
}

struct rota_index_node *rota_index_find(const struct rota_index *index, struct rota_slice key)
{
    struct rota_index_node *node = rota_index_from(index, key);

    return node != NULL && rota_slice_equal(node->key, key) ? node : NULL;
}
