/* list.c - matching two lists of endpoints by address set.
 *
 * An endpoint's key is its address, or, where it has several, all of them sorted and without doubles. Keys and slots lie
 * in an arena that goes when the list is made.
 */
#include "resolver/list.h"
#include "base/alloc.h"
#include "base/arena.h"
#include "base/map.h"
#include <stdlib.h>

/* What is known of one set of addresses. */
struct slot {
    const struct rota_endpoint *old; /* NULL: not in the old list */
    bool taken;                      /* in the new list already */
};

struct matching {
    struct rota_arena arena;
    struct rota_map slots;
};

static int by_text(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* The texts end with their zeros, so that no two sets give the same bytes. */
static rota_err key_of_many(struct rota_arena *arena, const struct rota_endpoint *endpoint, struct rota_slice *ret_key)
{
    const char **texts = rota_arena_zero(arena, endpoint->n_addresses, sizeof(*texts));
    size_t size = 0;
    char *key;

    if (texts == NULL)
        return ROTA_ENOMEM;
    for (size_t i = 0; i < endpoint->n_addresses; i++) {
        texts[i] = endpoint->addresses[i].text;
        size += strlen(texts[i]) + 1;
    }
    qsort(texts, endpoint->n_addresses, sizeof(*texts), by_text);
    key = rota_arena_get(arena, size);
    if (key == NULL)
        return ROTA_ENOMEM;
    size = 0;
    for (size_t i = 0; i < endpoint->n_addresses; i++) {
        size_t text_size = strlen(texts[i]) + 1;

        if (i > 0 && strcmp(texts[i], texts[i - 1]) == 0)
            continue;
        memcpy(key + size, texts[i], text_size);
        size += text_size;
    }
    *ret_key = rota_slice(key, size);
    return 0;
}

static rota_err key_of(struct rota_arena *arena, const struct rota_endpoint *endpoint, struct rota_slice *ret_key)
{
    if (endpoint->n_addresses > 1)
        return key_of_many(arena, endpoint, ret_key);
    *ret_key = rota_slice(endpoint->addresses[0].text, strlen(endpoint->addresses[0].text) + 1);
    return 0;
}

/* The endpoint's slot, made when there is none. NULL: out of memory. */
static struct slot *slot_of(struct matching *m, const struct rota_endpoint *endpoint)
{
    struct rota_slice key;
    struct slot *slot;

    if (key_of(&m->arena, endpoint, &key) < 0)
        return NULL;
    slot = rota_map_get(&m->slots, key);
    if (slot != NULL)
        return slot;
    slot = rota_arena_zero(&m->arena, 1, sizeof(*slot));
    return slot == NULL || rota_map_set(&m->slots, key, slot) < 0 ? NULL : slot;
}

static rota_err match(struct matching *m, const struct rota_endpoint *const *next, size_t n_next, struct rota_endpoint_list *list)
{
    for (size_t i = 0; i < n_next; i++) {
        struct slot *slot;

        if (next[i] == NULL || next[i]->n_addresses == 0) {
            list->n_bad++;
            continue;
        }
        slot = slot_of(m, next[i]);
        if (slot == NULL)
            return ROTA_ENOMEM;
        if (slot->taken) {
            list->n_doubles++;
            continue;
        }
        slot->taken = true;
        list->endpoints[list->count++] = rota_endpoint_ref(rota_endpoint_equal(slot->old, next[i]) ? slot->old : next[i]);
    }
    return 0;
}

rota_err rota_endpoint_list_make(const struct rota_alloc *alloc, const struct rota_endpoint *const *old, size_t n_old,
    const struct rota_endpoint *const *next, size_t n_next, struct rota_endpoint_list *ret_list)
{
    struct rota_endpoint_list list = {.endpoints = rota_alloc_zero(alloc, n_next, sizeof(*list.endpoints))};
    struct matching m;
    rota_err err = list.endpoints == NULL ? ROTA_ENOMEM : 0;

    rota_arena_init(&m.arena, alloc, 0);
    rota_map_init(&m.slots, alloc, (uint64_t)(uintptr_t)list.endpoints);
    for (size_t i = 0; i < n_old && err == 0; i++) {
        struct slot *slot = slot_of(&m, old[i]);

        if (slot == NULL)
            err = ROTA_ENOMEM;
        else
            slot->old = old[i];
    }
    if (err == 0)
        err = match(&m, next, n_next, &list);
    rota_map_fini(&m.slots);
    rota_arena_fini(&m.arena);
    if (err < 0) {
        rota_endpoint_list_free(alloc, list.endpoints, list.count);
        return err;
    }
    *ret_list = list;
    return 0;
}

void rota_endpoint_list_free(const struct rota_alloc *alloc, const struct rota_endpoint **endpoints, size_t count)
{
    for (size_t i = 0; i < count; i++)
        rota_endpoint_unref(endpoints[i]);
    rota_alloc_free(alloc, (void *)endpoints);
}
