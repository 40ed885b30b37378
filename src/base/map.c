/* map.c - linear probing; a removal closes the gap, so there are no tombstones and probes stay short.
 *
 * Invariants: cap is 0 or a power of two, at most three quarters full; between an entry's home (hash modulo cap) and
 * its place no entry is free. A hash of 0 means free, so a key that hashes to 0 is given 1.
 * Elsewhere: the hash (hash.c), numbers as keys (idmap.c).
 */
#include "base/map.h"
#include "base/alloc.h"
#include "base/assert.h"

#define FIRST_CAP 8

void rota_map_init(struct rota_map *map, const struct rota_alloc *alloc, uint64_t seed)
{
    *map = (struct rota_map){.alloc = rota_alloc_or_default(alloc), .seed = seed};
}

void rota_map_fini(struct rota_map *map)
{
    if (map == NULL)
        return;
    rota_alloc_free(map->alloc, map->entries);
    map->entries = NULL;
    map->count = map->cap = 0;
}

static uint64_t hash_of(const struct rota_map *map, struct rota_slice key)
{
    uint64_t hash = rota_hash_bytes(key, map->seed);

    return hash == 0 ? 1 : hash;
}

/* The entry of that key, or the free one where it would go. The map must have entries. */
static struct rota_map_entry *probe(const struct rota_map *map, uint64_t hash, struct rota_slice key)
{
    for (size_t i = hash & (map->cap - 1);; i = (i + 1) & (map->cap - 1)) {
        struct rota_map_entry *entry = &map->entries[i];
        if (entry->hash == 0 || (entry->hash == hash && rota_slice_equal(entry->key, key)))
            return entry;
    }
}

void *rota_map_get(const struct rota_map *map, struct rota_slice key)
{
    return map->count == 0 ? NULL : probe(map, hash_of(map, key), key)->value;
}

static rota_err grow(struct rota_map *map)
{
    struct rota_map wider = *map;

    wider.cap = map->cap == 0 ? FIRST_CAP : map->cap * 2;
    wider.entries = rota_alloc_zero(map->alloc, wider.cap, sizeof(*wider.entries));
    if (wider.entries == NULL)
        return ROTA_ENOMEM;
    for (size_t i = 0; i < map->cap; i++) {
        const struct rota_map_entry *entry = &map->entries[i];
        if (entry->hash != 0)
            *probe(&wider, entry->hash, entry->key) = *entry;
    }
    rota_alloc_free(map->alloc, map->entries);
    *map = wider;
    return 0;
}

rota_err rota_map_set(struct rota_map *map, struct rota_slice key, void *value)
{
    uint64_t hash = hash_of(map, key);
    struct rota_map_entry *entry = map->cap == 0 ? NULL : probe(map, hash, key);

    ROTA_ASSERT(value != NULL);
    if (entry == NULL || entry->hash == 0) {
        if (map->count >= map->cap / 4 * 3) {
            if (grow(map) < 0)
                return ROTA_ENOMEM;
            entry = probe(map, hash, key);
        }
        map->count++;
    }
    *entry = (struct rota_map_entry){hash, key, value};
    return 0;
}

/* Moves entries back over the gap at `gap` until one stands at home or a free one ends the run. */
static void close_gap(struct rota_map *map, size_t gap)
{
    size_t mask = map->cap - 1;

    for (size_t i = (gap + 1) & mask; map->entries[i].hash != 0; i = (i + 1) & mask) {
        size_t from_home = (i - map->entries[i].hash) & mask;
        if (from_home < ((i - gap) & mask))
            continue; /* its home lies behind the gap */
        map->entries[gap] = map->entries[i];
        gap = i;
    }
    map->entries[gap] = (struct rota_map_entry){0};
}

void *rota_map_remove(struct rota_map *map, struct rota_slice key)
{
    struct rota_map_entry *entry = map->count == 0 ? NULL : probe(map, hash_of(map, key), key);
    void *value;

    if (entry == NULL || entry->hash == 0)
        return NULL;
    value = entry->value;
    map->count--;
    close_gap(map, (size_t)(entry - map->entries));
    return value;
}

struct rota_map_entry *rota_map_next(const struct rota_map *map, struct rota_map_entry *after)
{
    for (size_t i = after == NULL ? 0 : (size_t)(after - map->entries) + 1; i < map->cap; i++)
        if (map->entries[i].hash != 0)
            return &map->entries[i];
    return NULL;
}
