/* exact.h - logarithm and exponential from IEEE operations alone, so that a seed gives the same numbers with every libm and
 * optimisation level. Good to about 1e-14, which is far below what a simulation can tell apart.
 */
#ifndef ROTA_SIM_EXACT_H
#define ROTA_SIM_EXACT_H

#include "base/rng.h"

double rota_sim_ln(double x);  /* x > 0 and finite */
double rota_sim_exp(double x); /* 0 below -700; x at most 700 */

double rota_sim_unit_open(struct rota_rng *rng);  /* uniform in (0, 1) */
double rota_sim_exponential(struct rota_rng *rng); /* mean 1 */
double rota_sim_normal(struct rota_rng *rng);      /* mean 0, deviation 1 */

#endif
