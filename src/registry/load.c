/* load.c - filling a new store with what a journal kept (leases: lease.c). History does not come back: what is loaded is in no log. */
#include "registry/state.h"

rota_err rota_store_load_kv(struct rota_store *store, const struct rota_store_kv *kv)
{
    struct rota_store_change change = {
        .key = kv->key,
        .value = kv->value,
        .lease = rota_store_lease_find(store, kv->lease) == NULL ? 0 : kv->lease,
        .mod_revision = kv->mod_revision,
        .create_revision = kv->create_revision,
        .version = kv->version,
    };

    return rota_store_write(store, &change) == ROTA_FAULT_NONE ? 0 : ROTA_ENOMEM;
}

rota_err rota_store_load_done(struct rota_store *store, int64_t revision, uint64_t cluster_id, uint64_t member_id)
{
    store->revision = revision;
    store->compact_revision = revision;
    /* Puts of the last revision could be told from the keys, its deletes could not. Revision 1 is that of an empty store. */
    store->first_event = revision > 1 ? revision + 1 : 0;
    store->cluster_id = cluster_id;
    store->member_id = member_id;
    return 0;
}
