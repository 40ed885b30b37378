/* additional.c - metadata that the command line adds to every call: "key:value;key:value", a value up to the next semicolon. */
#include "additional.h"
#include "flags.h"

#include <string.h>

/* The pair at *rest, which goes to the next one; false: there is none. */
static bool take(const char **rest, struct rota_slice *ret_key, struct rota_slice *ret_value)
{
    const char *end = *rest + strcspn(*rest, ";"), *colon = memchr(*rest, ':', (size_t)(end - *rest));

    if (**rest == '\0')
        return false;
    if (colon == NULL)
        flags_refuse("--additional_metadata: \"%.*s\" is no key:value", (int)(end - *rest), *rest);
    *ret_key = rota_slice(*rest, (size_t)(colon - *rest));
    *ret_value = rota_slice(colon + 1, (size_t)(end - colon) - 1);
    *rest = *end == '\0' ? end : end + 1;
    return true;
}

static rota_err add(const char *pairs, struct rota_metadata *metadata, struct rota_errinfo *info)
{
    struct rota_slice key, value;
    rota_err err = 0;

    while (err == 0 && take(&pairs, &key, &value))
        err = rota_metadata_add(metadata, key, value, info);
    return err;
}

/* Other implementations take keys in any case, and send them so. */
static void lower_keys(char *pairs)
{
    bool in_key = true;

    for (char *at = pairs; *at != '\0'; at++) {
        if (*at == ';')
            in_key = true;
        else if (*at == ':')
            in_key = false;
        else if (in_key && *at >= 'A' && *at <= 'Z')
            *at += 'a' - 'A';
    }
}

char *additional_read(const char *pairs)
{
    struct rota_metadata *metadata;
    struct rota_errinfo info = {{0}};
    char *read = strdup(pairs);

    if (read == NULL || rota_metadata_new(NULL, &metadata) < 0)
        flags_refuse("out of memory");
    lower_keys(read);
    if (add(read, metadata, &info) < 0)
        flags_refuse("--additional_metadata: %s", info.text);
    rota_metadata_free(metadata);
    return read;
}

static enum rota_intercept on_start(void *state, void *arg, struct rota_call *call, struct rota_status *ret_status)
{
    struct rota_metadata *metadata = rota_call_metadata(call);

    (void)state;
    if (metadata != NULL && add(arg, metadata, NULL) == 0)
        return ROTA_INTERCEPT_PASS;
    rota_status_set(ret_status, ROTA_RESOURCE_EXHAUSTED, "no memory for metadata");
    return ROTA_INTERCEPT_END;
}

const struct rota_client_interceptor_class additional_metadata = {.name = "additional_metadata", .on_start = on_start};
