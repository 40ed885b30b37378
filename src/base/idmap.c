/* idmap.c - map.c's scheme with numbers as keys; a value of NULL means free.
 *
 * The home is a multiplicative hash (Knuth, The Art of Computer Programming 3, 6.4), which spreads numbers handed out
 * in order, stream ids say, nearly evenly.
 */
#include "base/alloc.h"
#include "base/assert.h"
#include "base/map.h"

#define FIRST_CAP 8

void rota_idmap_init(struct rota_idmap *map, const struct rota_alloc *alloc)
{
    *map = (struct rota_idmap){.alloc = rota_alloc_or_default(alloc)};
}

void rota_idmap_fini(struct rota_idmap *map)
{
    if (map == NULL)
        return;
    rota_alloc_free(map->alloc, map->entries);
    map->entries = NULL;
    map->count = map->cap = 0;
}

static size_t home_of(const struct rota_idmap *map, uint64_t key)
{
    uint64_t product = key * UINT64_C(0x9E3779B97F4A7C15);

    return (product ^ product >> 32) & (map->cap - 1);
}

static struct rota_idmap_entry *probe(const struct rota_idmap *map, uint64_t key)
{
    for (size_t i = home_of(map, key);; i = (i + 1) & (map->cap - 1)) {
        struct rota_idmap_entry *entry = &map->entries[i];
        if (entry->value == NULL || entry->key == key)
            return entry;
    }
}

void *rota_idmap_get(const struct rota_idmap *map, uint64_t key)
{
    return map->count == 0 ? NULL : probe(map, key)->value;
}

static rota_err grow(struct rota_idmap *map)
{
    struct rota_idmap wider = *map;

    wider.cap = map->cap == 0 ? FIRST_CAP : map->cap * 2;
    wider.entries = rota_alloc_zero(map->alloc, wider.cap, sizeof(*wider.entries));
    if (wider.entries == NULL)
        return ROTA_ENOMEM;
    for (size_t i = 0; i < map->cap; i++)
        if (map->entries[i].value != NULL)
            *probe(&wider, map->entries[i].key) = map->entries[i];
    rota_alloc_free(map->alloc, map->entries);
    *map = wider;
    return 0;
}

rota_err rota_idmap_set(struct rota_idmap *map, uint64_t key, void *value)
{
    struct rota_idmap_entry *entry = map->cap == 0 ? NULL : probe(map, key);

    ROTA_ASSERT(value != NULL);
    if (entry == NULL || entry->value == NULL) {
        if (map->count >= map->cap / 4 * 3) {
            if (grow(map) < 0)
                return ROTA_ENOMEM;
            entry = probe(map, key);
        }
        map->count++;
    }
    *entry = (struct rota_idmap_entry){key, value};
    return 0;
}

static void close_gap(struct rota_idmap *map, size_t gap)
{
    size_t mask = map->cap - 1;

    for (size_t i = (gap + 1) & mask; map->entries[i].value != NULL; i = (i + 1) & mask) {
        size_t from_home = (i - home_of(map, map->entries[i].key)) & mask;
        if (from_home < ((i - gap) & mask))
            continue; /* its home lies behind the gap */
        map->entries[gap] = map->entries[i];
        gap = i;
    }
    map->entries[gap] = (struct rota_idmap_entry){0};
}

void *rota_idmap_remove(struct rota_idmap *map, uint64_t key)
{
    struct rota_idmap_entry *entry = map->count == 0 ? NULL : probe(map, key);
    void *value;

    if (entry == NULL || entry->value == NULL)
        return NULL;
    value = entry->value;
    map->count--;
    close_gap(map, (size_t)(entry - map->entries));
    return value;
}

struct rota_idmap_entry *rota_idmap_next(const struct rota_idmap *map, struct rota_idmap_entry *after)
{
    for (size_t i = after == NULL ? 0 : (size_t)(after - map->entries) + 1; i < map->cap; i++)
        if (map->entries[i].value != NULL)
            return &map->entries[i];
    return NULL;
}
