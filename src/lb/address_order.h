/* address_order.h - in which order pick_first tries the addresses of its endpoints (gRFC A61, A62, A113; RFC 8305, section 4).
 *
 * Endpoints are shuffled if asked for, their addresses strung together, the families interleaved, duplicates dropped.
 */
#ifndef ROTA_LB_ADDRESS_ORDER_H
#define ROTA_LB_ADDRESS_ORDER_H

#include "base/map.h"
#include <rota/lb.h>

struct rota_lb_address {
    const struct rota_endpoint *endpoint; /* borrowed */
    size_t index;                         /* of the address in it */
    void *slot;                           /* the user's; NULL at first */
};

struct rota_lb_addresses {
    const struct rota_alloc *alloc;
    struct rota_lb_address *items;
    size_t count;
    struct rota_map by_text; /* empty when there is one item */
};

/* ROTA_ENOMEM: nothing is left to be freed. */
rota_err rota_lb_addresses_init(struct rota_lb_addresses *list, const struct rota_lb_env *env, const struct rota_endpoint *const *endpoints,
                                size_t count, bool shuffle);
void rota_lb_addresses_fini(struct rota_lb_addresses *list);

/* The item of that address or NULL. */
struct rota_lb_address *rota_lb_addresses_find(const struct rota_lb_addresses *list, const struct rota_address *address);

#endif
