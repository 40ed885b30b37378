/* script_rng.h - a struct rota_rng that plays back what the test wrote down.
 *
 * rota_rng_below takes a remainder, so a small number in the script is the number rolled; rota_rng_unit wants
 * rota_script_unit. The script is borrowed. The struct may be copied, into a host's rng for one.
 */
#ifndef ROTA_TESTING_SCRIPT_RNG_H
#define ROTA_TESTING_SCRIPT_RNG_H

#include "base/rng.h"
#include <stddef.h>

/* Rolling beyond the end fails the test and prints the script. */
void rota_script_rng_init(struct rota_rng *rng, const uint64_t *values, size_t count);

/* How many values have not been rolled yet. */
size_t rota_script_rng_left(const struct rota_rng *rng);

/* The 64 bits from which rota_rng_unit makes `unit` (in [0, 1), to 53 bits). */
uint64_t rota_script_unit(double unit);

#endif
