/* weighted_set.c - contract in weighted_set.h. */
#include "lb/weighted_set.h"
#include "base/alloc.h"
#include "base/assert.h"

void rota_weighted_init(struct rota_weighted_set *set, const struct rota_lb_env *env)
{
    set->env = env;
}

void rota_weighted_fini(struct rota_weighted_set *set)
{
    for (int i = 0; set->env != NULL && i < ROTA_WEIGHTED_LEVELS; i++)
        rota_alloc_free(set->env->alloc, set->levels[i].entries);
}

static unsigned level_of(uint32_t weight)
{
    unsigned level = 0;

    while (level < ROTA_WEIGHTED_LEVELS - 1 && UINT64_C(1) << level < weight)
        level++;
    return level;
}

void rota_weighted_add(struct rota_weighted_set *set, struct rota_weighted *item, uint32_t tag)
{
    unsigned at = level_of(item->weight);
    struct rota_weighted_level *level = &set->levels[at];

    ROTA_ASSERT(item->place == 0 && level->count < level->n_known);
    level->entries[level->count++] = (struct rota_weighted_entry){item, item->weight, tag};
    item->place = level->count;
    level->sum += item->weight;
    set->sum += item->weight;
    set->levels_in_use |= UINT64_C(1) << at;
}

void rota_weighted_remove(struct rota_weighted_set *set, struct rota_weighted *item)
{
    unsigned at = level_of(item->weight);
    struct rota_weighted_level *level = &set->levels[at];
    struct rota_weighted_entry last = level->entries[level->count - 1];

    level->entries[item->place - 1] = last;
    last.item->place = item->place;
    item->place = 0;
    level->sum -= item->weight;
    set->sum -= item->weight;
    if (--level->count == 0)
        set->levels_in_use &= ~(UINT64_C(1) << at);
}

void rota_weighted_retag(struct rota_weighted_set *set, const struct rota_weighted *item, uint32_t tag)
{
    set->levels[level_of(item->weight)].entries[item->place - 1].tag = tag;
}

rota_err rota_weighted_know(struct rota_weighted_set *set, struct rota_weighted *item, uint32_t weight)
{
    struct rota_weighted_level *level = &set->levels[level_of(weight)];
    bool inside = item->place != 0;
    uint32_t tag = 0;
    rota_err err = rota_alloc_reserve(set->env->alloc, &level->entries, &level->cap, level->n_known + 1, sizeof(*level->entries));

    if (err < 0)
        return err;
    if (inside) {
        tag = set->levels[level_of(item->weight)].entries[item->place - 1].tag;
        rota_weighted_remove(set, item);
    }
    if (item->weight != 0)
        rota_weighted_forget(set, item);
    level->n_known++;
    item->weight = weight;
    if (inside)
        rota_weighted_add(set, item, tag);
    return 0;
}

void rota_weighted_forget(struct rota_weighted_set *set, struct rota_weighted *item)
{
    ROTA_ASSERT(item->place == 0 && item->weight != 0);
    set->levels[level_of(item->weight)].n_known--;
    item->weight = 0;
}

/* The heaviest level is most often the one, so the walk down is short. */
static unsigned draw_level(const struct rota_weighted_set *set)
{
    uint64_t roll = (uint64_t)(rota_lb_random_unit(set->env) * (double)set->sum);
    unsigned at = 0;

    for (uint64_t left = set->levels_in_use; left != 0; left &= ~(UINT64_C(1) << at)) {
        at = 63 - (unsigned)__builtin_clzll(left);
        if (roll < set->levels[at].sum)
            break;
        roll -= set->levels[at].sum;
    }
    return at; /* the last level should rounding have carried the roll past it */
}

const struct rota_weighted_entry *rota_weighted_draw(const struct rota_weighted_set *set)
{
    unsigned at = draw_level(set);
    const struct rota_weighted_level *level = &set->levels[at];
    double bound = (double)(UINT64_C(1) << at);

    for (;;) {
        const struct rota_weighted_entry *entry = &level->entries[level->count == 1 ? 0 : rota_lb_random_below(set->env, level->count)];
        if (level->count == 1 || (double)entry->weight == bound || rota_lb_random_unit(set->env) * bound < entry->weight)
            return entry;
    }
}
