/* config.c - which policy a service config asks for (gRFC A24): the first of the list that is known here.
 *
 * Entries behind that one are not looked at. jansson takes its memory from malloc, not from the environment's allocator; nothing of
 * it stays after a function here has returned.
 */
#include "lb/config.h"
#include "base/alloc.h"
#include "base/errinfo.h"
#include "lb/config_json.h"
#include <jansson.h>
#include <stdio.h>

/* gRPC still calls several policies NAME_experimental. */
static bool is_named(const struct rota_lb_class *class, const char *name)
{
    size_t size = strlen(class->name);

    return strncmp(class->name, name, size) == 0 && (name[size] == '\0' || strcmp(name + size, "_experimental") == 0);
}

static const struct rota_lb_class *class_named(const struct rota_lb_env *env, const char *name)
{
    for (const struct rota_lb_class *const *class = env->classes; *class != NULL; class++)
        if (is_named(*class, name))
            return *class;
    return NULL;
}

static rota_err config_new(const struct rota_lb_env *env, const struct rota_lb_class *class, struct rota_slice json,
                           struct rota_lb_config **ret_config, struct rota_errinfo *info)
{
    struct rota_lb_config *config = rota_alloc_zero(env->alloc, 1, sizeof(*config));
    rota_err err = 0;

    if (config == NULL)
        return ROTA_ENOMEM;
    config->env = env;
    config->class = class;
    if (class->parse != NULL)
        err = class->parse(env, json, &config->parsed, info);
    if (err < 0) {
        rota_alloc_free(env->alloc, config);
        return err;
    }
    *ret_config = config;
    return 0;
}

rota_err rota_lb_config_named(const struct rota_lb_env *env, const char *name, struct rota_lb_config **ret_config)
{
    const struct rota_lb_class *class = class_named(env, name);
    struct rota_errinfo unread = {""}; /* a program's own parse always has where to write */

    return class == NULL ? ROTA_ENOTFOUND : config_new(env, class, ROTA_SLICE("{}"), ret_config, &unread);
}

void rota_lb_config_free(struct rota_lb_config *config)
{
    if (config == NULL)
        return;
    if (config->class->free_config != NULL && config->parsed != NULL)
        config->class->free_config(config->env, config->parsed);
    rota_alloc_free(config->env->alloc, config);
}

const char *rota_lb_config_name(const struct rota_lb_config *config)
{
    return config->class->name;
}

/* The parameters of one entry, as text for the policy's own parser. */
static rota_err entry_config(const struct rota_lb_env *env, const struct rota_lb_class *class, const json_t *parameters,
                             struct rota_lb_config **ret_config, struct rota_errinfo *info)
{
    size_t size = json_dumpb(parameters, NULL, 0, JSON_COMPACT);
    char *text = rota_alloc_get(env->alloc, size);
    struct rota_errinfo detail = {""};
    rota_err err;

    if (text == NULL)
        return ROTA_ENOMEM;
    if (size == 0 || json_dumpb(parameters, text, size, JSON_COMPACT) != size)
        err = ROTA_ENOMEM;
    else
        err = config_new(env, class, rota_slice(text, size), ret_config, &detail);
    rota_alloc_free(env->alloc, text);
    if (err < 0 && err != ROTA_ENOMEM)
        return rota_errinfo_set(info, err, "policy %s: %s", class->name, detail.text[0] != '\0' ? detail.text : rota_err_text(err));
    return err;
}

/* Appends ", name" for the complaint that nothing is known; what does not fit is left out. */
static void add_name(char *names, size_t size, const char *name)
{
    size_t used = strlen(names);

    snprintf(names + used, size - used, "%s%s", used == 0 ? "" : ", ", name);
}

static rota_err choose(const struct rota_lb_env *env, const json_t *list, struct rota_lb_config **ret_config, struct rota_errinfo *info)
{
    char names[ROTA_ERRINFO_SIZE / 4] = "", known[ROTA_ERRINFO_SIZE / 2] = "";
    const json_t *entry;
    size_t i;

    if (!json_is_array(list))
        return rota_errinfo_set(info, ROTA_EPARSE, "loadBalancingConfig: expected a list of objects");
    json_array_foreach (list, i, entry) {
        const struct rota_lb_class *class;
        const char *name;
        void *at;

        if (!json_is_object(entry) || json_object_size(entry) != 1)
            return rota_errinfo_set(info, ROTA_EPARSE, "loadBalancingConfig: entry %zu must be an object with one field, the policy's name", i);
        at = json_object_iter((json_t *)entry);
        name = json_object_iter_key(at);
        class = class_named(env, name);
        if (class == NULL) {
            add_name(names, sizeof(names), name);
            continue;
        }
        if (!json_is_object(json_object_iter_value(at)))
            return rota_errinfo_set(info, ROTA_EPARSE, "loadBalancingConfig: policy %s: expected an object with its parameters", name);
        return entry_config(env, class, json_object_iter_value(at), ret_config, info);
    }
    if (names[0] == '\0')
        return rota_errinfo_set(info, ROTA_EPARSE, "loadBalancingConfig: the list names no policy");
    for (const struct rota_lb_class *const *class = env->classes; *class != NULL; class++)
        add_name(known, sizeof(known), (*class)->name);
    return rota_errinfo_set(info, ROTA_EPARSE, "loadBalancingConfig: no policy known here among: %s; there are %s", names, known);
}

rota_err rota_lb_json_policy(const struct rota_lb_env *env, const json_t *object, const char *field, struct rota_lb_config **ret_config,
                             struct rota_errinfo *info)
{
    const json_t *list = json_object_get(object, field);
    struct rota_errinfo detail = {""};
    rota_err err;

    if (list == NULL)
        return rota_errinfo_set(info, ROTA_EPARSE, "\"%s\" is missing", field);
    err = choose(env, list, ret_config, &detail);
    return err == ROTA_EPARSE ? rota_errinfo_set(info, err, "\"%s\": %s", field, detail.text) : err;
}

rota_err rota_lb_config_parse(const struct rota_lb_env *env, struct rota_slice json_list, struct rota_lb_config **ret_config,
                              struct rota_errinfo *info)
{
    json_error_t error;
    json_t *list = rota_lb_json_parse(json_list, &error);
    rota_err err;

    if (list == NULL && json_error_code(&error) == json_error_out_of_memory)
        return ROTA_ENOMEM;
    if (list == NULL)
        return rota_errinfo_set(info, ROTA_EPARSE, "loadBalancingConfig: not JSON: %s (line %d, column %d)", error.text, error.line,
                                error.column);
    err = choose(env, list, ret_config, info);
    json_decref(list);
    return err;
}
