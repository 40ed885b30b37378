/* map.c - the open streams by their id: open addressing with linear probing, at most half full, nothing left behind by what goes.
 *
 * Ids of a side count up by two, and their halves are spread by a multiplication: from its upper half, which is the golden ratio's, those
 * that follow each other come to lie far apart. Its lower half differs between connections, so that a client which leaves out ids
 * does not know which of them have the same home.
 */
#include "base/alloc.h"
#include "h2/session.h"

#define BITS_FIRST 3
#define GOLDEN 0x9e370001u

static uint32_t home(const struct rota_h2 *h2, int32_t id)
{
    return ((uint32_t)id >> 1) * h2->map_mix >> (32 - h2->map_bits);
}

static void put(struct rota_h2 *h2, struct rota_h2_stream *stream)
{
    uint32_t mask = (1u << h2->map_bits) - 1, at = home(h2, stream->id);

    while (h2->map[at] != NULL)
        at = (at + 1) & mask;
    h2->map[at] = stream;
}

static bool grow(struct rota_h2 *h2)
{
    struct rota_h2_stream **old = h2->map;
    uint32_t n_old = old == NULL ? 0 : 1u << h2->map_bits;
    uint8_t bits = (uint8_t)(old == NULL ? BITS_FIRST : h2->map_bits + 1);
    struct rota_h2_stream **map = rota_alloc_zero(h2->alloc, (size_t)1 << bits, sizeof(*map));

    if (map == NULL)
        return false;
    if (old == NULL)
        h2->map_mix = GOLDEN | ((uint32_t)((uintptr_t)h2 >> 5 ^ (uintptr_t)h2 >> 20) & 0xfffe);
    h2->map = map;
    h2->map_bits = bits;
    for (uint32_t i = 0; i < n_old; i++)
        if (old[i] != NULL)
            put(h2, old[i]);
    rota_alloc_free(h2->alloc, old);
    return true;
}

bool rota_h2_map_add(struct rota_h2 *h2, struct rota_h2_stream *stream)
{
    if ((h2->map == NULL || h2->n_map >= (1u << h2->map_bits) / 2) && !grow(h2))
        return false;
    put(h2, stream);
    h2->n_map++;
    return true;
}

/* Each that follows without a hole moves up, if its home lets it. */
static void close_hole(struct rota_h2 *h2, uint32_t hole)
{
    uint32_t mask = (1u << h2->map_bits) - 1;

    for (uint32_t at = (hole + 1) & mask; h2->map[at] != NULL; at = (at + 1) & mask) {
        uint32_t from_home = (at - home(h2, h2->map[at]->id)) & mask;

        if (from_home < ((at - hole) & mask))
            continue;
        h2->map[hole] = h2->map[at];
        hole = at;
    }
    h2->map[hole] = NULL;
}

void rota_h2_map_remove(struct rota_h2 *h2, int32_t id)
{
    uint32_t mask = (1u << h2->map_bits) - 1;

    if (h2->map == NULL)
        return;
    for (uint32_t at = home(h2, id); h2->map[at] != NULL; at = (at + 1) & mask)
        if (h2->map[at]->id == id) {
            h2->n_map--;
            close_hole(h2, at);
            return;
        }
}

struct rota_h2_stream *rota_h2_stream_find(const struct rota_h2 *h2, int32_t id)
{
    uint32_t mask = (1u << h2->map_bits) - 1;

    if (h2->map == NULL)
        return NULL;
    for (uint32_t at = home(h2, id); h2->map[at] != NULL; at = (at + 1) & mask)
        if (h2->map[at]->id == id)
            return h2->map[at];
    return NULL;
}
