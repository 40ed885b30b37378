/* random.c - each call goes to a READY endpoint by chance, in proportion to the endpoints' weights.
 *
 * An endpoint without a weight has weight 1 (as in gRFC A113). Picks are independent of each other and of the past. Elsewhere: the draw (weighted_set.c).
 */
#include "lb/petiole_policy.h"
#include "base/list.h"
#include "lb/weighted_set.h"

struct random_leaf {
    struct rota_leaf leaf;
    struct rota_weighted item;
};

struct random {
    struct rota_petiole_policy policy;
    struct rota_weighted_set set;
};

static struct rota_weighted_set *set_of(struct rota_petiole *p)
{
    return &ROTA_CONTAINER(p, struct random, policy.leaves)->set;
}

static struct rota_weighted *item_of(struct rota_leaf *leaf)
{
    return &ROTA_CONTAINER(leaf, struct random_leaf, leaf)->item;
}

static rota_err take_endpoint(struct rota_petiole *p, struct rota_leaf *leaf, const struct rota_endpoint *endpoint)
{
    return rota_weighted_know(set_of(p), item_of(leaf), endpoint->weight == 0 ? 1 : endpoint->weight);
}

static void come(struct rota_petiole *p, struct rota_leaf *leaf)
{
    rota_weighted_add(set_of(p), item_of(leaf));
}

static void leave(struct rota_petiole *p, struct rota_leaf *leaf)
{
    rota_weighted_remove(set_of(p), item_of(leaf));
}

static void drop(struct rota_petiole *p, struct rota_leaf *leaf)
{
    rota_weighted_forget(set_of(p), item_of(leaf));
}

static const struct rota_leaf_hooks hooks = {
    .leaf_size = sizeof(struct random_leaf),
    .take_endpoint = take_endpoint,
    .come = come,
    .leave = leave,
    .drop = drop,
};

static enum rota_pick_verdict pick(void *state, const struct rota_call_info *call, struct rota_pick *ret_pick)
{
    struct random *r = state;
    const struct rota_ready *winner;
    struct random_leaf *drawn;

    if (r->policy.leaves.n_ready == 0)
        return rota_petiole_none_ready(&r->policy);
    drawn = ROTA_CONTAINER(rota_weighted_draw(&r->set), struct random_leaf, item);
    winner = &r->policy.leaves.ready[drawn->leaf.ready_place - 1];
    return rota_petiole_ask(&r->policy.leaves, &winner, call, ret_pick);
}

static rota_err init(void *state, const struct rota_lb_env *env, const void *config)
{
    struct random *r = state;

    (void)config;
    rota_weighted_init(&r->set, env);
    return rota_petiole_policy_init(&r->policy, env, &hooks);
}

static void fini(void *state)
{
    struct random *r = state;

    rota_petiole_policy_fini(&r->policy);
    rota_weighted_fini(&r->set);
}

const struct rota_lb_class rota_lb_random = {
    .name = "random",
    .state_size = sizeof(struct random),
    .init = init,
    .fini = fini,
    .on_endpoints = rota_petiole_on_endpoints,
    .on_resolver_error = rota_petiole_on_resolver_error,
    .on_child = rota_petiole_on_child,
    .on_exit_idle = rota_petiole_on_exit_idle,
    .pick = pick,
};
