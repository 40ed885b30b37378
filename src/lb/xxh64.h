/* xxh64.h - the hash XXH64 (xxHash specification, revision 0.1.1), piece by piece or at once: gRPC's rings and subsets are defined by it.
 *
 * It is fast and spreads well, and anybody can make collisions: for tables that others fill there is rota_hash_bytes.
 */
#ifndef ROTA_LB_XXH64_H
#define ROTA_LB_XXH64_H

#include <rota/slice.h>

struct rota_xxh64 {
    uint64_t lanes[4];
    uint64_t seed, size;
    uint8_t tail[32]; /* size % 32 bytes of it wait for more */
};

void rota_xxh64_init(struct rota_xxh64 *x, uint64_t seed);
void rota_xxh64_add(struct rota_xxh64 *x, struct rota_slice bytes);
uint64_t rota_xxh64_end(const struct rota_xxh64 *x); /* of all added so far */

uint64_t rota_xxh64(struct rota_slice bytes, uint64_t seed);

#endif
