/* exact.c - contract in exact.h. Arguments are brought near 1 and near 0, where short series do. */
#include "sim/exact.h"
#include <math.h>
#include <stdint.h>
#include <string.h>

#define LN2 0.69314718055994530942

static double of_bits(uint64_t bits)
{
    double x;

    memcpy(&x, &bits, sizeof(x));
    return x;
}

static uint64_t bits_of(double x)
{
    uint64_t bits;

    memcpy(&bits, &x, sizeof(bits));
    return bits;
}

double rota_sim_ln(double x)
{
    uint64_t bits = bits_of(x);
    int exponent = (int)(bits >> 52 & 0x7ff) - 1023;
    double m = of_bits((bits & UINT64_C(0xfffffffffffff)) | UINT64_C(0x3ff) << 52); /* 1 <= m < 2 */
    double s, s2, sum = 0;

    if (m > 1.4142135623730951) {
        m /= 2;
        exponent++;
    }
    s = (m - 1) / (m + 1); /* ln m = 2 (s + s^3/3 + ...), |s| < 0.172 */
    s2 = s * s;
    for (int k = 19; k >= 1; k -= 2)
        sum = sum * s2 + 1.0 / k;
    return 2 * s * sum + exponent * LN2;
}

double rota_sim_exp(double x)
{
    int64_t n;
    double r, sum = 1;

    if (x < -700)
        return 0;
    n = (int64_t)(x / LN2 + (x < 0 ? -0.5 : 0.5));
    r = x - (double)n * LN2; /* |r| <= 0.35 */
    for (int k = 14; k >= 1; k--)
        sum = sum * r / k + 1;
    return sum * of_bits((uint64_t)(n + 1023) << 52);
}

double rota_sim_unit_open(struct rota_rng *rng)
{
    return ((double)(rota_rng_next(rng) >> 12) + 0.5) / 4503599627370496.0;
}

double rota_sim_exponential(struct rota_rng *rng)
{
    return -rota_sim_ln(rota_sim_unit_open(rng));
}

/* Marsaglia's polar method: needs no sine, and the square root is exact by IEEE. */
double rota_sim_normal(struct rota_rng *rng)
{
    double u, v, s;

    do {
        u = 2 * rota_sim_unit_open(rng) - 1;
        v = 2 * rota_sim_unit_open(rng) - 1;
        s = u * u + v * v;
    } while (s >= 1 || s == 0);
    return u * sqrt(-2 * rota_sim_ln(s) / s);
}
