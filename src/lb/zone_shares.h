/* zone_shares.h - how a client in one zone divides its calls among all zones, so that every endpoint anywhere gets as many as any other.
 *
 * A client knows the endpoints of each zone, but not the clients; it takes them to be spread evenly: of Z zones each sends 1/Z of all calls. Its own
 * zone, with the share u of all usable endpoints, can then take Z·u of what comes from there. If that is less than all, the rest goes to
 * zones that have more endpoints than their clients need, in proportion to that (Envoy's zone-aware routing).
 */
#ifndef ROTA_LB_ZONE_SHARES_H
#define ROTA_LB_ZONE_SHARES_H

#include <stddef.h>
#include <stdint.h>

#define ROTA_ZONE_NONE SIZE_MAX

/* usable: endpoints, by zone; zones[own] is the client's. ROTA_ZONE_NONE: it is in none of them, or does not know. spill: of what the own zone could
 * take, the share that goes to the others all the same, in proportion to their endpoints. ret_shares sum to 1, or are all 0 if nothing is usable. */
void rota_zone_shares(const uint32_t *usable, size_t n_zones, size_t own, double spill, double *ret_shares);

#endif
