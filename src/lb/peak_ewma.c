/* peak_ewma.c - of two READY endpoints chosen by chance the one that promises the faster answer: latency times calls under way.
 *
 * Not gRPC's but Finagle's; its parameter `decayTime` (10 s) says how fast the past is forgotten. What is known of an endpoint stays as long
 * as the endpoint is listed, also while it connects anew. Calls that failed through the server's fault count as slow; those the caller
 * gave up tell only that the server is no faster. Calls with streams count as load, but how long they last says nothing of the server.
 * Elsewhere: the arithmetic (ewma.c).
 */
#include "base/errinfo.h"
#include "base/list.h"
#include "lb/config_json.h"
#include "lb/ewma.h"
#include "lb/petiole_policy.h"
#include <math.h>

#define DECAY_DEFAULT_NS INT64_C(10000000000)

struct peak_ewma_config {
    int64_t decay_ns;
    struct rota_slow_start slow_start;
};

struct ewma_leaf {
    struct rota_leaf leaf;
    struct rota_ewma ewma;
    uint32_t n_timed; /* unary calls under way */
};

struct peak_ewma {
    struct rota_petiole_policy policy;
    double decay_ns;
};

static rota_err read_config(const struct rota_lb_env *env, const json_t *object, void *config, struct rota_errinfo *info)
{
    struct peak_ewma_config *c = config;
    rota_err err;

    (void)env;
    c->decay_ns = DECAY_DEFAULT_NS;
    err = rota_lb_json_duration(object, "decayTime", &c->decay_ns, info);
    if (err == 0 && c->decay_ns == 0)
        return rota_errinfo_set(info, ROTA_EPARSE, "\"decayTime\" must be more than 0");
    return err < 0 ? err : rota_slow_start_read(object, &c->slow_start, info);
}

static rota_err parse(const struct rota_lb_env *env, struct rota_slice json, void **ret_config, struct rota_errinfo *info)
{
    return rota_lb_json_config(env, json, sizeof(struct peak_ewma_config), read_config, rota_lb_json_config_free, ret_config, info);
}

static struct ewma_leaf *ewma_leaf_of(struct rota_leaf *leaf)
{
    return ROTA_CONTAINER(leaf, struct ewma_leaf, leaf);
}

/* One that has streams and was never asked anything else is taken to be as fast as the other one; for a unary call, whose answer will tell,
 * as twice as fast. */
static double guess(const struct peak_ewma *pe, const struct ewma_leaf *leaf, const struct rota_ready *other, const struct rota_call_info *call)
{
    if (leaf->n_timed > 0 || leaf->leaf.n_calls == 0)
        return 0;
    return rota_ewma_read(&ewma_leaf_of(other->leaf)->ewma, call->now_ns, pe->decay_ns) / (call->streaming ? 1 : 2);
}

static void explain(const struct ewma_leaf *leaf, double cost_ns, double load, const struct rota_call_info *call)
{
    rota_lb_trace(call, leaf->leaf.endpoint, load, "latency %.3f ms, %u calls under way", cost_ns / 1e6, (unsigned)leaf->leaf.n_calls);
}

static inline double rate(const struct peak_ewma *pe, const struct rota_ready *ready, const struct rota_ready *other, const struct rota_call_info *call)
{
    struct ewma_leaf *leaf = ewma_leaf_of(ready->leaf);
    double cost_ns = rota_ewma_read(&leaf->ewma, call->now_ns, pe->decay_ns), load;

    if (cost_ns == 0)
        cost_ns = guess(pe, leaf, other, call);
    load = rota_ewma_load(cost_ns, leaf->leaf.n_calls);
    if (call->trace != NULL)
        explain(leaf, cost_ns, load, call);
    return load;
}

static const struct rota_ready *choose(const struct peak_ewma *pe, const struct rota_call_info *call)
{
    const struct rota_petiole *leaves = &pe->policy.leaves;
    const struct rota_ready *one, *other;
    uint32_t first, second;
    double load;

    if (leaves->n_ready == 1)
        return &leaves->ready[0];
    first = rota_petiole_sample(leaves, call->now_ns);
    second = rota_lb_random_below(leaves->env, leaves->n_ready - 1);
    second += second >= first; /* two different ones */
    one = &leaves->ready[first];
    other = &leaves->ready[second];
    load = rate(pe, one, other, call);
    if (!rota_petiole_takes(leaves, other->leaf, call->now_ns)) {
        rota_lb_trace(call, other->leaf->endpoint, NAN, "spared: it has just come up");
        return one;
    }
    return rate(pe, other, one, call) < load ? other : one;
}

/* The cookie is the leaf, odd when the call is timed. */
static uint64_t begin(struct rota_leaf *leaf, const struct rota_call_info *call)
{
    if (call->streaming)
        return rota_leaf_begin(leaf);
    ewma_leaf_of(leaf)->n_timed++;
    return rota_leaf_begin(leaf) | 1;
}

static enum rota_pick_verdict pick(void *state, const struct rota_call_info *call, struct rota_pick *ret_pick)
{
    struct peak_ewma *pe = state;
    const struct rota_ready *winner;
    enum rota_pick_verdict verdict;

    if (pe->policy.leaves.n_ready == 0)
        return rota_petiole_none_ready(&pe->policy);
    winner = choose(pe, call);
    verdict = rota_petiole_ask(&pe->policy.leaves, &winner, call, ret_pick);
    if (verdict == ROTA_PICK_OK)
        ret_pick->cookie = begin(winner->leaf, call);
    return verdict;
}

static void on_done(void *state, uint64_t cookie, const struct rota_outcome *outcome)
{
    struct peak_ewma *pe = state;
    struct rota_leaf *leaf = rota_leaf_of(cookie & ~UINT64_C(1));
    struct ewma_leaf *mine = ewma_leaf_of(leaf);

    if ((cookie & 1) != 0) {
        mine->n_timed--;
        if (outcome->sent)
            (void)rota_ewma_learn(&mine->ewma, outcome, pe->decay_ns, 0);
    }
    rota_petiole_end(&pe->policy.leaves, leaf);
}

static rota_err init(void *state, const struct rota_lb_env *env, const void *config)
{
    static const struct rota_leaf_hooks hooks = {.leaf_size = sizeof(struct ewma_leaf)};
    struct peak_ewma *pe = state;
    const struct peak_ewma_config *c = config;

    pe->decay_ns = (double)c->decay_ns;
    pe->policy.leaves.slow_start = c->slow_start;
    return rota_petiole_policy_init(&pe->policy, env, &hooks);
}

const struct rota_lb_class rota_lb_peak_ewma = {
    .name = "peak_ewma",
    .state_size = sizeof(struct peak_ewma),
    .parse = parse,
    .free_config = rota_lb_json_config_free,
    .init = init,
    .fini = rota_petiole_policy_fini,
    .on_endpoints = rota_petiole_on_endpoints,
    .on_resolver_error = rota_petiole_on_resolver_error,
    .on_child = rota_petiole_on_child,
    .on_exit_idle = rota_petiole_on_exit_idle,
    .pick = pick,
    .on_done = on_done,
};
