/* config_key.h - the one key under which a service's config stands: what of it is known. Pure.
 *
 * For a watch (watch.h) that follows this key alone. A registry that was replaced, and does not have it, has forgotten it rather than
 * withdrawn it: then the value stays until the key is put again or deleted,
 * whatever lists come after, be it from the same registry at the next reconnect.
 */
#ifndef ROTA_ETCD_CONFIG_KEY_H
#define ROTA_ETCD_CONFIG_KEY_H

#include "etcd/watch.h"

struct rota_etcd_config_key {
    const struct rota_alloc *alloc;
    struct rota_slice key; /* borrowed */
    char *value;           /* NULL: the key is not there */
    size_t size;
    int64_t mod_revision;
    bool listed, doubtful; /* of the list under way */
    bool orphan;           /* the value is one that a replaced registry has forgotten */
    bool changed;          /* since whoever reads it made it false */
};

extern const struct rota_etcd_keep_class rota_etcd_config_keep;

void rota_etcd_config_key_init(struct rota_etcd_config_key *c, const struct rota_alloc *alloc, struct rota_slice key);
void rota_etcd_config_key_fini(struct rota_etcd_config_key *c);

#endif
