/* config_choice.c - see config_choice.h. */
#include "wire/config_choice.h"

#include "base/alloc.h"
#include "base/errinfo.h"
#include "base/text.h"
#include "wire/json_read.h"
#include <stdlib.h>

#define TXT_START "grpc_config="

/* "c++" is not among them: it stands for C-core, whose configs may name policies that only that has. */
static const char *const our_languages[] = {"c", "rota"};

static bool is_our_language(const char *name, const struct rota_config_client *client)
{
    (void)client;
    for (size_t i = 0; i < sizeof(our_languages) / sizeof(our_languages[0]); i++)
        if (rota_text_equal_nocase(name, our_languages[i]))
            return true;
    return false;
}

static bool is_our_hostname(const char *name, const struct rota_config_client *client)
{
    return strcmp(name, client->hostname) == 0;
}

/* *fits becomes false when there are names, and none is ours. */
static rota_err read_names(struct rota_json_reader *r, const json_t *choice, const char *key, const struct rota_config_client *client,
                           bool (*is_ours)(const char *name, const struct rota_config_client *client), bool *fits)
{
    const json_t *list = NULL;
    bool found = false;
    size_t mark;
    rota_err err = rota_json_array(r, choice, key, &list);

    if (err < 0 || list == NULL || json_array_size(list) == 0)
        return err;
    mark = rota_json_enter(r, key);
    for (size_t i = 0; i < json_array_size(list); i++) {
        const json_t *name = json_array_get(list, i);

        if (!json_is_string(name)) {
            rota_json_enter_index(r, i);
            return rota_json_bad(r, "expected text");
        }
        found |= is_ours(json_string_value(name), client);
    }
    rota_json_leave(r, mark);
    *fits &= found;
    return 0;
}

static rota_err read_choice(struct rota_json_reader *r, const json_t *choice, const struct rota_config_client *client, bool *ret_fits,
                            const json_t **ret_config)
{
    const json_t *config = NULL;
    uint64_t percentage = 0;
    bool fits = true, seen = false;
    rota_err err;

    if (!json_is_object(choice))
        return rota_json_bad(r, "expected an object with a serviceConfig");
    err = read_names(r, choice, "clientLanguage", client, is_our_language, &fits);
    if (err == 0)
        err = read_names(r, choice, "clientHostname", client, is_our_hostname, &fits);
    if (err == 0)
        err = rota_json_uint(r, choice, "percentage", ROTA_CONFIG_DRAWS, &percentage, &seen);
    if (err == 0)
        err = rota_json_object(r, choice, "serviceConfig", &config);
    if (err < 0)
        return err;
    if (config == NULL)
        return rota_json_bad_member(r, "serviceConfig", "expected an object");
    *ret_fits = fits && (!seen || client->draw <= percentage);
    *ret_config = config;
    return 0;
}

static rota_err find(const json_t *top, const struct rota_config_client *client, const json_t **ret_config, struct rota_errinfo *info)
{
    struct rota_json_reader r = {.info = info};
    const json_t *found = NULL;

    if (json_is_object(top)) {
        *ret_config = top;
        return 0;
    }
    for (size_t i = 0; i < json_array_size(top); i++) {
        size_t mark = rota_json_enter_index(&r, i);
        const json_t *config = NULL;
        bool fits = false;
        rota_err err = read_choice(&r, json_array_get(top, i), client, &fits, &config);

        if (err < 0)
            return err;
        rota_json_leave(&r, mark);
        if (fits && found == NULL)
            found = config;
    }
    *ret_config = found;
    return 0;
}

rota_err rota_config_choose(struct rota_slice json, const struct rota_config_client *client, const struct rota_alloc *alloc, char **ret_config,
                            struct rota_errinfo *info)
{
    const json_t *config = NULL;
    char *text = NULL, *copy = NULL;
    json_t *top;
    rota_err err = rota_json_load("the list of service configs", json, &top, info);

    if (err < 0)
        return err;
    err = find(top, client, &config, info);
    if (err == 0 && config != NULL) {
        text = json_dumps(config, JSON_COMPACT);
        copy = text == NULL ? NULL : rota_alloc_text(alloc, rota_slice_str(text));
        free(text);
        if (copy == NULL)
            err = rota_errinfo_set(info, ROTA_ENOMEM, "out of memory for a service config");
    }
    json_decref(top);
    if (err == 0)
        *ret_config = copy;
    return err;
}

bool rota_config_choice_txt(struct rota_slice text, struct rota_slice *ret_json)
{
    size_t size = strlen(TXT_START);

    if (text.size < size || memcmp(text.data, TXT_START, size) != 0)
        return false;
    *ret_json = rota_slice(text.data + size, text.size - size);
    return true;
}
