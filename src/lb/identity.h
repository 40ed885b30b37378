/* identity.h - a hash of which endpoint it is: the same for its addresses in any order (gRFC A61). */
#ifndef ROTA_LB_IDENTITY_H
#define ROTA_LB_IDENTITY_H

#include "base/map.h"
#include <rota/endpoint.h>

static inline uint64_t rota_lb_identity_hash(const struct rota_endpoint *endpoint, uint64_t seed)
{
    uint64_t sum = 0;

    for (size_t i = 0; i < endpoint->n_addresses; i++)
        sum += rota_hash_bytes(rota_slice_str(endpoint->addresses[i].text), seed);
    return sum;
}

#endif
