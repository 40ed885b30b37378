/* hash.c - SipHash-1-3 (Aumasson, Bernstein 2012, with one round a word and three at the end).
 *
 * Peers choose header names and registry keys; without the seed nobody can choose ones that collide.
 */
#include "base/map.h"

/* Any odd number will do: it makes the second half of the key differ from the first. */
#define SECOND_HALF UINT64_C(0x9E3779B97F4A7C15)

struct sip {
    uint64_t v0, v1, v2, v3;
};

static inline uint64_t rotl(uint64_t x, int bits)
{
    return x << bits | x >> (64 - bits);
}

static inline void sip_round(struct sip *s)
{
    s->v0 += s->v1;
    s->v2 += s->v3;
    s->v1 = rotl(s->v1, 13) ^ s->v0;
    s->v3 = rotl(s->v3, 16) ^ s->v2;
    s->v0 = rotl(s->v0, 32);
    s->v2 += s->v1;
    s->v0 += s->v3;
    s->v1 = rotl(s->v1, 17) ^ s->v2;
    s->v3 = rotl(s->v3, 21) ^ s->v0;
    s->v2 = rotl(s->v2, 32);
}

static inline void sip_word(struct sip *s, uint64_t word)
{
    s->v3 ^= word;
    sip_round(s);
    s->v0 ^= word;
}

/* Compilers make one load of these where the machine is little-endian. */
static inline uint64_t load_4(const uint8_t *p)
{
    return p[0] | (uint64_t)p[1] << 8 | (uint64_t)p[2] << 16 | (uint64_t)p[3] << 24;
}

static inline uint64_t load_8(const uint8_t *p)
{
    return load_4(p) | load_4(p + 4) << 32;
}

/* The last size % 8 bytes, the first of them lowest: loads that overlap instead of a loop over bytes. */
static inline uint64_t load_tail(const uint8_t *data, size_t size)
{
    size_t left = size % 8;
    const uint8_t *p;

    if (left == 0)
        return 0;
    p = data + (size - left);
    if (size > 8)
        return load_8(p + left - 8) >> (64 - 8 * left);
    if (left >= 4)
        return load_4(p) | load_4(p + left - 4) << (8 * (left - 4));
    return p[0] | (uint64_t)p[left / 2] << (8 * (left / 2)) | (uint64_t)p[left - 1] << (8 * (left - 1));
}

uint64_t rota_hash_bytes(struct rota_slice bytes, uint64_t seed)
{
    uint64_t k0 = seed, k1 = seed * SECOND_HALF;
    struct sip s = {
        k0 ^ UINT64_C(0x736F6D6570736575),
        k1 ^ UINT64_C(0x646F72616E646F6D),
        k0 ^ UINT64_C(0x6C7967656E657261),
        k1 ^ UINT64_C(0x7465646279746573),
    };

    for (size_t i = 0; i + 8 <= bytes.size; i += 8)
        sip_word(&s, load_8(bytes.data + i));
    sip_word(&s, (uint64_t)bytes.size << 56 | load_tail(bytes.data, bytes.size));
    s.v2 ^= 0xFF;
    sip_round(&s);
    sip_round(&s);
    sip_round(&s);
    return s.v0 ^ s.v1 ^ s.v2 ^ s.v3;
}
