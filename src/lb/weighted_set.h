/* weighted_set.h - drawing by chance in proportion to weights, from a set that changes: draw, add and remove are all O(1).
 *
 * Items stand in levels by the magnitude of their weight; a draw chooses a level by its sum, then an item of it by rejection, which
 * accepts at least every second roll (Matias, Vitter, Ni 1993, cut to one stage). Items are embedded in what they stand for; a draw reads
 * none of them, only the entries of the levels: among thousands they would seldom be at hand.
 */
#ifndef ROTA_LB_WEIGHTED_SET_H
#define ROTA_LB_WEIGHTED_SET_H

#include <rota/lb.h>

#define ROTA_WEIGHTED_LEVELS 33 /* level k: 2^(k-1) < weight <= 2^k */

struct rota_weighted {
    uint32_t weight; /* 0: not known to the set */
    uint32_t place;  /* 1 + index in its level; 0: not in the set */
};

struct rota_weighted_entry {
    struct rota_weighted *item;
    uint32_t weight; /* the item's */
    uint32_t tag;    /* the user's */
};

struct rota_weighted_level {
    struct rota_weighted_entry *entries;
    size_t cap, n_known; /* n_known <= cap items may come into the set at this level */
    uint32_t count;
    uint64_t sum;
};

struct rota_weighted_set {
    const struct rota_lb_env *env;
    uint64_t sum;
    uint64_t levels_in_use; /* a bit a level whose count is not 0 */
    struct rota_weighted_level levels[ROTA_WEIGHTED_LEVELS];
};

void rota_weighted_init(struct rota_weighted_set *set, const struct rota_lb_env *env);
void rota_weighted_fini(struct rota_weighted_set *set); /* zeroed is fine */

/* Gives the item, in the set or not, this weight (not 0), and makes room for it. ROTA_ENOMEM: nothing has changed. */
rota_err rota_weighted_know(struct rota_weighted_set *set, struct rota_weighted *item, uint32_t weight);
void rota_weighted_forget(struct rota_weighted_set *set, struct rota_weighted *item); /* of an item not in the set */

void rota_weighted_add(struct rota_weighted_set *set, struct rota_weighted *item, uint32_t tag);
void rota_weighted_remove(struct rota_weighted_set *set, struct rota_weighted *item);
void rota_weighted_retag(struct rota_weighted_set *set, const struct rota_weighted *item, uint32_t tag); /* of an item in the set */

/* Good until the set changes; the set must not be empty. */
const struct rota_weighted_entry *rota_weighted_draw(const struct rota_weighted_set *set);

#endif
