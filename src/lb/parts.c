/* parts.c - contract in parts.h. */
#include "lb/parts.h"
#include "base/alloc.h"

static const char *name_of(const struct rota_endpoint *endpoint, const char *attribute)
{
    const char *name;

    if (strcmp(attribute, "zone") == 0)
        name = endpoint->zone;
    else if (strcmp(attribute, "version") == 0)
        name = endpoint->version;
    else
        name = rota_endpoint_attribute(endpoint, attribute);
    return name == NULL ? "" : name;
}

static size_t count_of(const struct rota_part *part, const char *attribute, const struct rota_endpoint *const *endpoints, size_t count)
{
    size_t mine = 0;

    for (size_t i = 0; i < count; i++)
        mine += strcmp(name_of(endpoints[i], attribute), part->name) == 0;
    return mine;
}

void rota_part_clear(const struct rota_alloc *alloc, struct rota_part *part)
{
    for (size_t i = 0; i < part->count; i++)
        rota_endpoint_unref(part->endpoints[i]);
    rota_alloc_free(alloc, part->endpoints);
    part->endpoints = NULL;
    part->count = 0;
}

static void fill(struct rota_part *part, const char *attribute, const struct rota_endpoint *const *endpoints, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (strcmp(name_of(endpoints[i], attribute), part->name) == 0)
            part->endpoints[part->count++] = rota_endpoint_ref(endpoints[i]);
}

rota_err rota_parts_fill(const struct rota_alloc *alloc, struct rota_part *parts, size_t n_parts, const char *attribute,
                         const struct rota_endpoint *const *endpoints, size_t count)
{
    const struct rota_endpoint ***fresh = rota_alloc_zero(alloc, n_parts, sizeof(*fresh));
    size_t i = 0;

    for (; fresh != NULL && i < n_parts; i++) {
        fresh[i] = rota_alloc_zero(alloc, count_of(&parts[i], attribute, endpoints, count), sizeof(const struct rota_endpoint *));
        if (fresh[i] == NULL)
            break;
    }
    if (i < n_parts) {
        while (i-- > 0)
            rota_alloc_free(alloc, fresh[i]);
        rota_alloc_free(alloc, fresh);
        return ROTA_ENOMEM;
    }
    for (i = 0; i < n_parts; i++) {
        rota_part_clear(alloc, &parts[i]);
        parts[i].endpoints = fresh[i];
        fill(&parts[i], attribute, endpoints, count);
    }
    rota_alloc_free(alloc, fresh);
    return 0;
}
