/* identity.c - one block: the struct, the pointers to the names, the texts. */
#include "base/identity.h"

#include "base/alloc.h"

struct rota_identity *rota_identity_new(const struct rota_alloc *alloc, const char *texts, size_t texts_size, size_t n_names)
{
    struct rota_identity *identity = rota_alloc_zero(alloc, 1, sizeof(*identity) + n_names * sizeof(char *) + texts_size);
    const char **names;
    char *text;

    if (identity == NULL)
        return NULL;
    names = (const char **)(void *)(identity + 1);
    text = (char *)(names + n_names);
    memcpy(text, texts, texts_size);
    identity->alloc = alloc;
    identity->refs = 1;
    identity->peer = (struct rota_peer_identity){.subject = text, .names = names, .n_names = n_names};
    for (size_t i = 0; i < n_names; i++) {
        text += strlen(text) + 1;
        names[i] = text;
    }
    return identity;
}

struct rota_identity *rota_identity_ref(struct rota_identity *identity)
{
    if (identity != NULL)
        identity->refs++;
    return identity;
}

void rota_identity_unref(struct rota_identity *identity)
{
    if (identity != NULL && --identity->refs == 0)
        rota_alloc_free(identity->alloc, identity);
}
