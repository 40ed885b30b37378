/* target.c - target URIs: what is taken has all its parts, and an authority of allowed bytes. */
#include "wire/target.h"
#include "base/alloc.h"
#include "base/assert.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size_bytes)
{
    static const char *const known[] = {"dns", "ipv4", "ipv6", "unix", "unix-abstract", "etcd", NULL};
    char *text = rota_alloc_text(NULL, rota_slice(data, size_bytes)), name[256];
    struct rota_errinfo info = {""};
    struct rota_target *target;

    if (rota_target_parse(text, known, NULL, &target, &info) < 0) {
        ROTA_ASSERT(info.text[0] != '\0');
    } else {
        ROTA_ASSERT(target->scheme[0] != '\0' && target->authority != NULL && target->path != NULL);
        ROTA_ASSERT(strlen(target->text) + strlen(target->userinfo) + (strlen(target->text) < strlen(text)) == strlen(text));
        for (size_t i = 0; i < target->n_params; i++)
            ROTA_ASSERT(rota_target_param(target, target->params[i].key) == target->params[i].value);
        if (rota_target_authority(target, name, sizeof(name)) == 0)
            for (const char *at = name; *at != '\0'; at++)
                ROTA_ASSERT(*at > ' ' && *at < 0x7f && *at != '/' && *at != '?');
        rota_target_free(NULL, target);
    }
    rota_alloc_free(NULL, text);
    return 0;
}
