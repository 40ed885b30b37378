/* address_order.c - contract in address_order.h.
 *
 * Two addresses are the same when their canonical texts are.
 */
#include "lb/address_order.h"
#include "base/alloc.h"
#include <math.h>
#include <stdlib.h>

enum { FAMILY_IPV4, FAMILY_IPV6, FAMILY_OTHER, N_FAMILIES };

struct dealt {
    double key;
    size_t place; /* in the list as it came, so that equal keys keep their order */
    const struct rota_endpoint *endpoint;
};

static const struct rota_address *address_of(const struct rota_lb_address *item)
{
    return &item->endpoint->addresses[item->index];
}

/* --- A113: sorted by u^(1/weight), largest first --- */

static int by_key(const void *a_void, const void *b_void)
{
    const struct dealt *a = a_void, *b = b_void;

    if (a->key != b->key)
        return a->key > b->key ? -1 : 1;
    return a->place < b->place ? -1 : a->place > b->place;
}

static void deal(const struct rota_lb_env *env, const struct rota_endpoint *const *endpoints, size_t count, struct dealt *ret_dealt)
{
    for (size_t i = 0; i < count; i++) {
        double u = rota_lb_random_unit(env);
        double weight = endpoints[i]->weight == 0 ? 1 : endpoints[i]->weight;

        /* ln(u)/weight orders like u^(1/weight) and does not round to 1 for large weights; half of the
         * generator's step stands for a u of 0. */
        ret_dealt[i] = (struct dealt){log(u > 0 ? u : 0x1p-54) / weight, i, endpoints[i]};
    }
    qsort(ret_dealt, count, sizeof(*ret_dealt), by_key);
}

/* --- The list --- */

static size_t append(struct rota_lb_address *items, size_t count, const struct rota_endpoint *endpoint)
{
    for (size_t i = 0; i < endpoint->n_addresses; i++)
        items[count++] = (struct rota_lb_address){.endpoint = endpoint, .index = i};
    return count;
}

static rota_err string_together(struct rota_lb_addresses *list, const struct rota_lb_env *env, const struct rota_endpoint *const *endpoints,
                                size_t count, bool shuffle)
{
    struct dealt *dealt;

    if (!shuffle || count < 2) {
        for (size_t i = 0; i < count; i++)
            list->count = append(list->items, list->count, endpoints[i]);
        return 0;
    }
    dealt = rota_alloc_zero(env->alloc, count, sizeof(*dealt));
    if (dealt == NULL)
        return ROTA_ENOMEM;
    deal(env, endpoints, count, dealt);
    for (size_t i = 0; i < count; i++)
        list->count = append(list->items, list->count, dealt[i].endpoint);
    rota_alloc_free(env->alloc, dealt);
    return 0;
}

static int family_of(const struct rota_lb_address *item)
{
    switch (address_of(item)->kind) {
    case ROTA_ADDRESS_IPV4:
        return FAMILY_IPV4;
    case ROTA_ADDRESS_IPV6:
        return FAMILY_IPV6;
    default:
        return FAMILY_OTHER;
    }
}

/* Takes one address of each family in turn, families in the order in which they first appear. */
static rota_err interleave(struct rota_lb_addresses *list)
{
    struct rota_lb_address *from = list->items, *to;
    int order[N_FAMILIES], n_families = 0;
    size_t next[N_FAMILIES], filled = 0;
    bool seen[N_FAMILIES] = {false};

    for (size_t i = 0; i < list->count && n_families < N_FAMILIES; i++) {
        int family = family_of(&from[i]);
        if (!seen[family]) {
            seen[family] = true;
            order[n_families] = family;
            next[n_families++] = i;
        }
    }
    if (n_families < 2)
        return 0;
    to = rota_alloc_zero(list->alloc, list->count, sizeof(*to));
    if (to == NULL)
        return ROTA_ENOMEM;
    for (int turn = 0; filled < list->count; turn = (turn + 1) % n_families) {
        size_t *at = &next[turn];
        while (*at < list->count && family_of(&from[*at]) != order[turn])
            ++*at;
        if (*at < list->count)
            to[filled++] = from[(*at)++];
    }
    list->items = to;
    rota_alloc_free(list->alloc, from);
    return 0;
}

static rota_err drop_duplicates(struct rota_lb_addresses *list)
{
    size_t kept = 0;

    for (size_t i = 0; i < list->count; i++) {
        struct rota_slice text = rota_slice_str(address_of(&list->items[i])->text);
        if (rota_map_get(&list->by_text, text) != NULL)
            continue;
        list->items[kept] = list->items[i];
        if (rota_map_set(&list->by_text, text, &list->items[kept]) < 0)
            return ROTA_ENOMEM;
        kept++;
    }
    list->count = kept;
    return 0;
}

rota_err rota_lb_addresses_init(struct rota_lb_addresses *list, const struct rota_lb_env *env, const struct rota_endpoint *const *endpoints,
                                size_t count, bool shuffle)
{
    size_t total = 0;
    rota_err err;

    for (size_t i = 0; i < count; i++)
        total += endpoints[i]->n_addresses;
    *list = (struct rota_lb_addresses){.alloc = env->alloc};
    list->items = rota_alloc_zero(env->alloc, total, sizeof(*list->items));
    rota_map_init(&list->by_text, env->alloc, 0);
    if (list->items == NULL)
        return ROTA_ENOMEM;
    err = string_together(list, env, endpoints, count, shuffle);
    if (err == 0)
        err = interleave(list);
    if (err == 0 && list->count > 1) {
        list->by_text.seed = rota_lb_random_below(env, UINT32_MAX);
        err = drop_duplicates(list);
    }
    if (err < 0)
        rota_lb_addresses_fini(list);
    return err;
}

void rota_lb_addresses_fini(struct rota_lb_addresses *list)
{
    rota_map_fini(&list->by_text);
    rota_alloc_free(list->alloc, list->items);
    list->items = NULL;
    list->count = 0;
}

struct rota_lb_address *rota_lb_addresses_find(const struct rota_lb_addresses *list, const struct rota_address *address)
{
    if (list->by_text.count > 0)
        return rota_map_get(&list->by_text, rota_slice_str(address->text));
    if (list->count == 1 && strcmp(address_of(&list->items[0])->text, address->text) == 0)
        return &list->items[0];
    return NULL;
}
