/* parts.h - divides a list of endpoints among named parts by an attribute: for weighted_target and priority.
 *
 * The name is the attribute's value, or the endpoint's zone or version where the attribute is called that. An endpoint without it
 * goes to the part whose name is empty; one whose part does not exist goes nowhere, as in gRPC.
 */
#ifndef ROTA_LB_PARTS_H
#define ROTA_LB_PARTS_H

#include <rota/lb.h>

struct rota_part {
    const char *name; /* borrowed */
    const struct rota_endpoint **endpoints; /* referenced, in the list's order */
    size_t count;
};

/* ROTA_ENOMEM: all parts are as they were. */
rota_err rota_parts_fill(const struct rota_alloc *alloc, struct rota_part *parts, size_t n_parts, const char *attribute,
                         const struct rota_endpoint *const *endpoints, size_t count);
void rota_part_clear(const struct rota_alloc *alloc, struct rota_part *part);

#endif
