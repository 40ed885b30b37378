/* random.c - each call goes to a READY endpoint by chance, in proportion to the endpoints' weights.
 *
 * An endpoint without a weight has weight 1 (as in gRFC A113). Picks are independent of each other and of the past.
 * Invariant: the tag of a leaf in the set is its place in `ready`. Elsewhere: the draw (weighted_set.c).
 */
#include "base/list.h"
#include "lb/config_json.h"
#include "lb/petiole_policy.h"
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
    rota_weighted_add(set_of(p), item_of(leaf), leaf->ready_place - 1);
}

static void move(struct rota_petiole *p, struct rota_leaf *leaf)
{
    rota_weighted_retag(set_of(p), item_of(leaf), leaf->ready_place - 1);
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
    .move = move,
    .leave = leave,
    .drop = drop,
};

static const struct rota_ready *draw(const struct random *r, int64_t now_ns)
{
    const struct rota_petiole *leaves = &r->policy.leaves;
    const struct rota_ready *drawn = NULL;

    for (int i = 0; i < ROTA_SLOW_START_TRIES; i++) {
        drawn = &leaves->ready[rota_weighted_draw(&r->set)->tag];
        if (rota_petiole_takes(leaves, drawn->leaf, now_ns))
            break;
    }
    return drawn;
}

static enum rota_pick_verdict pick(void *state, const struct rota_call_info *call, struct rota_pick *ret_pick)
{
    struct random *r = state;
    const struct rota_ready *winner;

    if (r->policy.leaves.n_ready == 0)
        return rota_petiole_none_ready(&r->policy);
    winner = draw(r, call->now_ns);
    if (call->trace != NULL)
        rota_lb_trace(call, winner->leaf->endpoint, item_of(winner->leaf)->weight, "weight, of %llu in all", (unsigned long long)r->set.sum);
    return rota_petiole_ask(&r->policy.leaves, &winner, call, ret_pick);
}

static rota_err init(void *state, const struct rota_lb_env *env, const void *config)
{
    struct random *r = state;

    r->policy.leaves.slow_start = *(const struct rota_slow_start *)config;
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
    .parse = rota_slow_start_parse,
    .free_config = rota_lb_json_config_free,
    .init = init,
    .fini = fini,
    .on_endpoints = rota_petiole_on_endpoints,
    .on_resolver_error = rota_petiole_on_resolver_error,
    .on_child = rota_petiole_on_child,
    .on_exit_idle = rota_petiole_on_exit_idle,
    .pick = pick,
};
