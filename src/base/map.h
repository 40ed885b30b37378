/* map.h - hash maps with bytes or 64-bit numbers as keys and pointers as values.
 *
 * Open addressing, seeded hash (peers choose keys), amortised O(1). Byte keys are not copied: they must
 * live as long as their entry (usually inside the value).
 */
#ifndef ROTA_BASE_MAP_H
#define ROTA_BASE_MAP_H

#include <rota/alloc.h>
#include <rota/err.h>
#include <rota/slice.h>

struct rota_map_entry {
    uint64_t hash; /* 0: free */
    struct rota_slice key;
    void *value;
};

struct rota_map {
    const struct rota_alloc *alloc;
    struct rota_map_entry *entries;
    size_t count, cap;
    uint64_t seed;
};

void rota_map_init(struct rota_map *map, const struct rota_alloc *alloc, uint64_t seed);
void rota_map_fini(struct rota_map *map); /* values are the caller's */
void *rota_map_get(const struct rota_map *map, struct rota_slice key); /* NULL when absent */
rota_err rota_map_set(struct rota_map *map, struct rota_slice key, void *value); /* value not NULL; replaces key and value */
void *rota_map_remove(struct rota_map *map, struct rota_slice key); /* the value that was there, or NULL */
struct rota_map_entry *rota_map_next(const struct rota_map *map, struct rota_map_entry *after); /* NULL starts and ends; do not change the map meanwhile */

/* SipHash-1-3 under the key (seed, seed times an odd constant). */
uint64_t rota_hash_bytes(struct rota_slice bytes, uint64_t seed);

/* The same with numbers as keys, unseeded: for numbers that we or a protocol hand out in order (stream ids). Those that
 * a peer may choose freely belong, as bytes, into a rota_map. */
struct rota_idmap_entry {
    uint64_t key;
    void *value; /* NULL: free */
};

struct rota_idmap {
    const struct rota_alloc *alloc;
    struct rota_idmap_entry *entries;
    size_t count, cap;
};

void rota_idmap_init(struct rota_idmap *map, const struct rota_alloc *alloc);
void rota_idmap_fini(struct rota_idmap *map);
void *rota_idmap_get(const struct rota_idmap *map, uint64_t key);
rota_err rota_idmap_set(struct rota_idmap *map, uint64_t key, void *value);
void *rota_idmap_remove(struct rota_idmap *map, uint64_t key);
struct rota_idmap_entry *rota_idmap_next(const struct rota_idmap *map, struct rota_idmap_entry *after);

#endif
