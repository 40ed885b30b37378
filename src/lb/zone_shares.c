/* zone_shares.c - contract in zone_shares.h. */
#include "lb/zone_shares.h"

static double sum_of(const uint32_t *usable, size_t n_zones)
{
    double sum = 0;

    for (size_t i = 0; i < n_zones; i++)
        sum += usable[i];
    return sum;
}

/* What a zone has more than its own clients need, of all that is usable. */
static double spare(uint32_t usable, double sum, size_t n_zones)
{
    double spare = usable / sum - 1.0 / (double)n_zones;

    return spare > 0 ? spare : 0;
}

void rota_zone_shares(const uint32_t *usable, size_t n_zones, size_t own, double spill, double *ret_shares)
{
    double sum = sum_of(usable, n_zones), elsewhere, can_take, short_of, spares = 0;

    if (own == ROTA_ZONE_NONE || sum == 0 || usable[own] == 0) {
        for (size_t i = 0; i < n_zones; i++)
            ret_shares[i] = sum == 0 ? 0 : usable[i] / sum;
        return;
    }
    elsewhere = sum - usable[own];
    can_take = (double)n_zones * usable[own] / sum;
    if (can_take > 1 || elsewhere == 0)
        can_take = 1;
    if (elsewhere == 0)
        spill = 0;
    short_of = 1 - can_take;
    for (size_t i = 0; i < n_zones; i++)
        spares += i == own ? 0 : spare(usable[i], sum, n_zones);
    for (size_t i = 0; i < n_zones; i++) {
        double of_others = elsewhere == 0 ? 0 : usable[i] / elsewhere;
        ret_shares[i] = can_take * spill * of_others + short_of * (spares > 0 ? spare(usable[i], sum, n_zones) / spares : of_others);
    }
    ret_shares[own] = can_take * (1 - spill);
}
