/* rng.c - xoshiro256** (Blackman, Vigna 2018), its state filled by splitmix64. Not for secrets. */
#include "base/rng.h"
#include "base/assert.h"

static uint64_t splitmix64(uint64_t *state)
{
    uint64_t z = *state += UINT64_C(0x9E3779B97F4A7C15);

    z = (z ^ z >> 30) * UINT64_C(0xBF58476D1CE4E5B9);
    z = (z ^ z >> 27) * UINT64_C(0x94D049BB133111EB);
    return z ^ z >> 31;
}

static uint64_t rotl(uint64_t x, int bits)
{
    return x << bits | x >> (64 - bits);
}

static uint64_t xoshiro256ss(struct rota_rng *rng)
{
    uint64_t *s = rng->s;
    uint64_t result = rotl(s[1] * 5, 7) * 9;
    uint64_t t = s[1] << 17;

    s[2] ^= s[0];
    s[3] ^= s[1];
    s[1] ^= s[2];
    s[0] ^= s[3];
    s[2] ^= t;
    s[3] = rotl(s[3], 45);
    return result;
}

void rota_rng_init(struct rota_rng *rng, uint64_t seed)
{
    rng->next = xoshiro256ss;
    for (int i = 0; i < 4; i++)
        rng->s[i] = splitmix64(&seed);
}

uint64_t rota_rng_next(struct rota_rng *rng)
{
    return rng->next(rng);
}

uint32_t rota_rng_below(struct rota_rng *rng, uint32_t bound)
{
    uint32_t roll, rest;

    ROTA_ASSERT(bound > 0);
    do {
        roll = (uint32_t)rng->next(rng);
        rest = roll % bound;
        /* roll - rest starts a run of `bound` numbers; the last run is rolled again unless it is whole. */
    } while (roll - rest > UINT32_MAX - (bound - 1));
    return rest;
}

double rota_rng_unit(struct rota_rng *rng)
{
    return (double)(rng->next(rng) >> 11) * 0x1p-53;
}

double rota_rng_between(struct rota_rng *rng, double low, double high)
{
    return low + rota_rng_unit(rng) * (high - low);
}
