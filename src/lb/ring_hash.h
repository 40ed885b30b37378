/* ring_hash.h - what ring_hash's files share: its parameters. */
#ifndef ROTA_LB_RING_HASH_H
#define ROTA_LB_RING_HASH_H

#include <rota/lb.h>

struct rota_ring_hash_config {
    uint32_t min_size, max_size;
    uint32_t entries_per_weight; /* entriesPerWeight, an extension of ours; 0: as A42 has it */
    char *header; /* NULL: each call has a hash by chance */
};

rota_err rota_ring_hash_parse(const struct rota_lb_env *env, struct rota_slice json, void **ret_config, struct rota_errinfo *info);
void rota_ring_hash_free_config(const struct rota_lb_env *env, void *config);

#endif
