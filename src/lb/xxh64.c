/* xxh64.c - contract in xxh64.h. Stripes of 32 bytes go into four lanes; the lanes and what is left over are folded into one number. */
#include "lb/xxh64.h"

#define PRIME_1 UINT64_C(0x9E3779B185EBCA87)
#define PRIME_2 UINT64_C(0xC2B2AE3D27D4EB4F)
#define PRIME_3 UINT64_C(0x165667B19E3779F9)
#define PRIME_4 UINT64_C(0x85EBCA77C2B2AE63)
#define PRIME_5 UINT64_C(0x27D4EB2F165667C5)
#define STRIPE 32

static uint64_t rotl(uint64_t x, int bits)
{
    return x << bits | x >> (64 - bits);
}

static uint64_t load(const uint8_t *p, int size)
{
    uint64_t value = 0;

    for (int i = size; i-- > 0;)
        value = value << 8 | p[i];
    return value;
}

static uint64_t mix(uint64_t lane, uint64_t word)
{
    return rotl(lane + word * PRIME_2, 31) * PRIME_1;
}

static void eat_stripe(struct rota_xxh64 *x, const uint8_t *stripe)
{
    for (int i = 0; i < 4; i++)
        x->lanes[i] = mix(x->lanes[i], load(stripe + 8 * i, 8));
}

void rota_xxh64_init(struct rota_xxh64 *x, uint64_t seed)
{
    *x = (struct rota_xxh64){.lanes = {seed + PRIME_1 + PRIME_2, seed + PRIME_2, seed, seed - PRIME_1}, .seed = seed};
}

void rota_xxh64_add(struct rota_xxh64 *x, struct rota_slice bytes)
{
    size_t waiting = x->size % STRIPE, at = 0;

    x->size += bytes.size;
    if (waiting > 0 && waiting + bytes.size >= STRIPE) {
        at = STRIPE - waiting;
        memcpy(x->tail + waiting, bytes.data, at);
        eat_stripe(x, x->tail);
        waiting = 0;
    }
    if (waiting == 0)
        for (; bytes.size - at >= STRIPE; at += STRIPE)
            eat_stripe(x, bytes.data + at);
    if (bytes.size > at)
        memcpy(x->tail + waiting, bytes.data + at, bytes.size - at);
}

static uint64_t fold_lanes(const struct rota_xxh64 *x)
{
    const uint64_t *lanes = x->lanes;
    uint64_t h = rotl(lanes[0], 1) + rotl(lanes[1], 7) + rotl(lanes[2], 12) + rotl(lanes[3], 18);

    for (int i = 0; i < 4; i++)
        h = (h ^ mix(0, lanes[i])) * PRIME_1 + PRIME_4;
    return h;
}

uint64_t rota_xxh64_end(const struct rota_xxh64 *x)
{
    uint64_t h = (x->size >= STRIPE ? fold_lanes(x) : x->seed + PRIME_5) + x->size;
    size_t size = x->size % STRIPE, at = 0;

    for (; size - at >= 8; at += 8)
        h = rotl(h ^ mix(0, load(x->tail + at, 8)), 27) * PRIME_1 + PRIME_4;
    if (size - at >= 4) {
        h = rotl(h ^ load(x->tail + at, 4) * PRIME_1, 23) * PRIME_2 + PRIME_3;
        at += 4;
    }
    for (; at < size; at++)
        h = rotl(h ^ x->tail[at] * PRIME_5, 11) * PRIME_1;
    h = (h ^ h >> 33) * PRIME_2;
    h = (h ^ h >> 29) * PRIME_3;
    return h ^ h >> 32;
}

uint64_t rota_xxh64(struct rota_slice bytes, uint64_t seed)
{
    struct rota_xxh64 x;

    rota_xxh64_init(&x, seed);
    rota_xxh64_add(&x, bytes);
    return rota_xxh64_end(&x);
}
