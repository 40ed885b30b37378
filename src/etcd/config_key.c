/* config_key.c - see config_key.h. */
#include "etcd/config_key.h"

#include "base/alloc.h"

void rota_etcd_config_key_init(struct rota_etcd_config_key *c, const struct rota_alloc *alloc, struct rota_slice key)
{
    *c = (struct rota_etcd_config_key){.alloc = alloc, .key = key, .changed = true};
}

void rota_etcd_config_key_fini(struct rota_etcd_config_key *c)
{
    rota_alloc_free(c->alloc, c->value);
    c->value = NULL;
}

static rota_err put(void *keep, const struct rota_etcd_kv *kv)
{
    struct rota_etcd_config_key *c = keep;
    char *value;

    if (!rota_slice_equal(kv->key, c->key))
        return 0;
    c->listed = true;
    c->orphan = false;
    if (c->value != NULL && kv->mod_revision == c->mod_revision && kv->value.size == c->size &&
        (c->size == 0 || memcmp(kv->value.data, c->value, c->size) == 0))
        return 0;
    value = rota_alloc_text(c->alloc, kv->value);
    if (value == NULL)
        return ROTA_ENOMEM;
    rota_alloc_free(c->alloc, c->value);
    c->value = value;
    c->size = kv->value.size;
    c->mod_revision = kv->mod_revision;
    c->changed = true;
    return 0;
}

static void forget(struct rota_etcd_config_key *c)
{
    c->changed |= c->value != NULL;
    rota_etcd_config_key_fini(c);
}

static void delete(void *keep, struct rota_slice key)
{
    struct rota_etcd_config_key *c = keep;

    if (!rota_slice_equal(key, c->key))
        return;
    c->orphan = false;
    forget(c);
}

static void doubt(void *keep)
{
    ((struct rota_etcd_config_key *)keep)->doubtful = true;
}

static void list_begin(void *keep)
{
    ((struct rota_etcd_config_key *)keep)->listed = false;
}

static bool list_end(void *keep, int64_t now_ns)
{
    struct rota_etcd_config_key *c = keep;
    bool missing = false;

    (void)now_ns;
    if (!c->listed && c->doubtful)
        c->orphan = true;
    if (!c->listed && !c->orphan) {
        missing = c->value != NULL;
        forget(c);
    }
    c->doubtful = false;
    return missing;
}

const struct rota_etcd_keep_class rota_etcd_config_keep = {.put = put, .delete = delete, .doubt = doubt, .list_begin = list_begin, .list_end = list_end};
