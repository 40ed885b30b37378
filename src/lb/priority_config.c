/* priority_config.c - priority's parameters (gRFC A56), and the attribute that names an endpoint's priority, an extension of ours. */
#include "base/alloc.h"
#include "base/errinfo.h"
#include "lb/config_json.h"
#include "lb/priority.h"

static rota_err read_child(const struct rota_lb_env *env, const json_t *children, const char *name, struct rota_priority_level *level,
                           struct rota_errinfo *info)
{
    const json_t *child = json_object_get(children, name);
    struct rota_errinfo detail = {""};
    rota_err err;

    if (!json_is_object(child))
        return rota_errinfo_set(info, ROTA_EPARSE, "\"children\" must have an object for priority \"%s\"", name);
    err = rota_lb_json_bool(child, "ignoreReresolutionRequests", &level->muted, &detail);
    if (err == 0)
        err = rota_lb_json_policy(env, child, "config", &level->child, &detail);
    return err == ROTA_EPARSE ? rota_errinfo_set(info, err, "child \"%s\": %s", name, detail.text) : err;
}

static rota_err read_level(const struct rota_lb_env *env, const json_t *children, const json_t *entry, struct rota_priority_level *level,
                           struct rota_errinfo *info)
{
    const char *name = json_string_value(entry);

    if (name == NULL)
        return rota_errinfo_set(info, ROTA_EPARSE, "\"priorities\" must be a list of names");
    level->name = rota_alloc_text(env->alloc, rota_slice_str(name));
    return level->name == NULL ? ROTA_ENOMEM : read_child(env, children, name, level, info);
}

static bool is_listed(const struct rota_priority_config *c, const char *name)
{
    for (size_t i = 0; i < c->n_levels; i++)
        if (strcmp(c->levels[i].name, name) == 0)
            return true;
    return false;
}

/* Children that no priority names are not used, but like all that is known of a config they have to be right. */
static rota_err check_others(const struct rota_lb_env *env, const json_t *children, const struct rota_priority_config *c, struct rota_errinfo *info)
{
    const char *name;
    json_t *child;

    json_object_foreach ((json_t *)(uintptr_t)children, name, child) {
        struct rota_priority_level unused = {0};
        rota_err err;

        if (is_listed(c, name))
            continue;
        err = read_child(env, children, name, &unused, info);
        rota_lb_config_free(unused.child);
        if (err < 0)
            return err;
    }
    return 0;
}

static rota_err read_levels(const struct rota_lb_env *env, const json_t *object, struct rota_priority_config *c, struct rota_errinfo *info)
{
    const json_t *list = json_object_get(object, "priorities"), *children = NULL, *entry;
    rota_err err = rota_lb_json_object(object, "children", &children, info);
    size_t i;

    if (err < 0)
        return err;
    if (json_array_size(list) == 0)
        return rota_errinfo_set(info, ROTA_EPARSE, "\"priorities\" must be a list of at least one name");
    c->levels = rota_alloc_zero(env->alloc, json_array_size(list), sizeof(*c->levels));
    if (c->levels == NULL)
        return ROTA_ENOMEM;
    json_array_foreach (list, i, entry) {
        err = read_level(env, children, entry, &c->levels[c->n_levels++], info);
        for (size_t k = 0; err == 0 && k < i; k++)
            if (strcmp(c->levels[k].name, c->levels[i].name) == 0)
                err = rota_errinfo_set(info, ROTA_EPARSE, "\"priorities\" names \"%s\" twice", c->levels[i].name);
        if (err < 0)
            return err;
    }
    return check_others(env, children, c, info);
}

static rota_err read_config(const struct rota_lb_env *env, const json_t *object, void *config, struct rota_errinfo *info)
{
    struct rota_priority_config *c = config;
    const char *attribute = "priority";
    rota_err err = rota_lb_json_text(object, "attribute", &attribute, info);

    if (err < 0)
        return err;
    c->attribute = rota_alloc_text(env->alloc, rota_slice_str(attribute));
    return c->attribute == NULL ? ROTA_ENOMEM : read_levels(env, object, c, info);
}

void rota_priority_free_config(const struct rota_lb_env *env, void *config)
{
    struct rota_priority_config *c = config;

    for (size_t i = 0; i < c->n_levels; i++) {
        rota_alloc_free(env->alloc, c->levels[i].name);
        rota_lb_config_free(c->levels[i].child);
    }
    rota_alloc_free(env->alloc, c->levels);
    rota_alloc_free(env->alloc, c->attribute);
    rota_alloc_free(env->alloc, c);
}

rota_err rota_priority_parse(const struct rota_lb_env *env, struct rota_slice json, void **ret_config, struct rota_errinfo *info)
{
    return rota_lb_json_config(env, json, sizeof(struct rota_priority_config), read_config, rota_priority_free_config, ret_config, info);
}
