/* rng.h - random numbers as an argument: xoshiro256** in the library, scripted values in tests. */
#ifndef ROTA_BASE_RNG_H
#define ROTA_BASE_RNG_H

#include <stdint.h>

struct rota_rng {
    uint64_t (*next)(struct rota_rng *rng); /* uniform 64 bits */
    uint64_t s[4];
};

void rota_rng_init(struct rota_rng *rng, uint64_t seed);          /* the same seed gives the same sequence */
uint64_t rota_rng_next(struct rota_rng *rng);

/* Uniform in [0, bound), bound > 0, no modulo bias: a remainder, so a script of small numbers gives those numbers. */
uint32_t rota_rng_below(struct rota_rng *rng, uint32_t bound);
double rota_rng_unit(struct rota_rng *rng);                       /* uniform in [0, 1) */
double rota_rng_between(struct rota_rng *rng, double low, double high);

#endif
