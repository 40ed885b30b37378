/* list.h - the next list of endpoints against the last one: without doubles, unchanged ones as the objects they were.
 *
 * Endpoints are found by the set of their addresses, in a hash map, so that ten thousand cost what ten thousand cost.
 */
#ifndef ROTA_RESOLVER_LIST_H
#define ROTA_RESOLVER_LIST_H

#include <rota/alloc.h>
#include <rota/endpoint.h>

struct rota_endpoint_list {
    const struct rota_endpoint **endpoints; /* one reference each */
    size_t count;
    size_t n_doubles; /* left out: the same addresses as one before */
    size_t n_bad;     /* left out: NULL or without an address */
};

/* ROTA_ENOMEM. */
rota_err rota_endpoint_list_make(const struct rota_alloc *alloc, const struct rota_endpoint *const *old, size_t n_old,
                                 const struct rota_endpoint *const *next, size_t n_next, struct rota_endpoint_list *ret_list);
void rota_endpoint_list_free(const struct rota_alloc *alloc, const struct rota_endpoint **endpoints, size_t count);

#endif
