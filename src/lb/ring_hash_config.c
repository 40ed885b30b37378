/* ring_hash_config.c - ring_hash's parameters (gRFC A42, A76). Sizes are cut to 4096 entries, as gRPC's clients do by default. `entriesPerWeight`
 * is ours. */
#include "base/alloc.h"
#include "base/errinfo.h"
#include "lb/config_json.h"
#include "lb/ring_hash.h"

#define SIZE_LIMIT 8388608
#define SIZE_CAP 4096

static rota_err read_size(const json_t *object, const char *field, uint32_t *size, struct rota_errinfo *info)
{
    rota_err err = rota_lb_json_u32(object, field, size, info);

    if (err == 0 && (*size == 0 || *size > SIZE_LIMIT))
        return rota_errinfo_set(info, ROTA_EPARSE, "\"%s\" must be from 1 to %d", field, SIZE_LIMIT);
    return err;
}

static bool is_header_name(const char *name)
{
    size_t size = strlen(name);

    return strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789_.-") == size && !(size >= 4 && strcmp(name + size - 4, "-bin") == 0);
}

static rota_err read_header(const struct rota_lb_env *env, const json_t *object, struct rota_ring_hash_config *c, struct rota_errinfo *info)
{
    const char *name = "";
    rota_err err = rota_lb_json_text(object, "requestHashHeader", &name, info);

    if (err < 0 || name[0] == '\0')
        return err;
    if (!is_header_name(name))
        return rota_errinfo_set(info, ROTA_EPARSE, "\"requestHashHeader\" must be a lower-case name that does not end in -bin");
    c->header = rota_alloc_text(env->alloc, rota_slice_str(name));
    return c->header == NULL ? ROTA_ENOMEM : 0;
}

static rota_err read_config(const struct rota_lb_env *env, const json_t *object, void *config, struct rota_errinfo *info)
{
    struct rota_ring_hash_config *c = config;
    rota_err err;

    c->min_size = 1024;
    c->max_size = 4096;
    err = read_size(object, "minRingSize", &c->min_size, info);
    if (err == 0)
        err = read_size(object, "maxRingSize", &c->max_size, info);
    if (err == 0 && c->min_size > c->max_size)
        err = rota_errinfo_set(info, ROTA_EPARSE, "\"minRingSize\" must not exceed \"maxRingSize\"");
    c->min_size = c->min_size > SIZE_CAP ? SIZE_CAP : c->min_size;
    c->max_size = c->max_size > SIZE_CAP ? SIZE_CAP : c->max_size;
    if (err == 0)
        err = rota_lb_json_u32(object, "entriesPerWeight", &c->entries_per_weight, info);
    return err < 0 ? err : read_header(env, object, c, info);
}

void rota_ring_hash_free_config(const struct rota_lb_env *env, void *config)
{
    struct rota_ring_hash_config *c = config;

    rota_alloc_free(env->alloc, c->header);
    rota_alloc_free(env->alloc, c);
}

rota_err rota_ring_hash_parse(const struct rota_lb_env *env, struct rota_slice json, void **ret_config, struct rota_errinfo *info)
{
    return rota_lb_json_config(env, json, sizeof(struct rota_ring_hash_config), read_config, rota_ring_hash_free_config, ret_config, info);
}
