/* builtin.c - see builtin.h. A new policy or resolver of the library is added here and nowhere else. */
#include "assembly/builtin.h"

#include "assembly/dns.h"
#include "base/alloc.h"
#include "etcd/etcd.h"
#include "resolver/resolvers.h"

const struct rota_lb_class *const rota_builtin_policies[] = {
    &rota_lb_pick_first,
    &rota_lb_round_robin,
    &rota_lb_least_request,
    &rota_lb_random,
    &rota_lb_weighted_round_robin,
    &rota_lb_ring_hash,
    &rota_lb_random_subsetting,
    &rota_lb_weighted_target,
    &rota_lb_priority,
    &rota_lb_outlier_detection,
    &rota_lb_panic,
    &rota_lb_peak_ewma,
    &rota_lb_adaptive,
    &rota_lb_zone_aware,
    NULL,
};

const struct rota_resolver_class *const rota_builtin_resolvers[] = {
    &rota_resolver_dns, &rota_resolver_ipv4, &rota_resolver_ipv6, &rota_resolver_unix, &rota_resolver_unix_abstract, &rota_resolver_etcd, NULL};

static size_t length(const void *const *list)
{
    size_t n = 0;

    while (list != NULL && list[n] != NULL)
        n++;
    return n;
}

const void **rota_builtin_join(const struct rota_alloc *alloc, const void *const *own, const void *const *builtin)
{
    size_t n = length(own), m = length(builtin);
    const void **joined = rota_alloc_zero(alloc, n + m + 1, sizeof(*joined));

    for (size_t i = 0; joined != NULL && i < n + m; i++)
        joined[i] = i < n ? own[i] : builtin[i - n];
    return joined;
}
