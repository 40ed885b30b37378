/* least_request.c - of a few READY endpoints chosen by chance, the one with the fewest calls under way (gRFC A48).
 *
 * Samples are drawn with replacement and the first of equals wins. A call counts from its pick to its end. Weights play no part. Elsewhere: leaves and
 * their counts, which outlive every change of the list that keeps the endpoint (petiole.c).
 */
#include "base/errinfo.h"
#include "lb/config_json.h"
#include "lb/petiole_policy.h"

#define CHOICES_DEFAULT 2
#define CHOICES_MIN 2
#define CHOICES_MAX 10

struct least_request_config {
    uint32_t choices;
    struct rota_slow_start slow_start;
};

struct least_request {
    struct rota_petiole_policy policy;
    uint32_t choices;
};

static rota_err read_config(const struct rota_lb_env *env, const json_t *object, void *config, struct rota_errinfo *info)
{
    struct least_request_config *c = config;
    rota_err err;

    (void)env;
    c->choices = CHOICES_DEFAULT;
    err = rota_lb_json_u32(object, "choiceCount", &c->choices, info);
    if (err == 0 && c->choices < CHOICES_MIN)
        return rota_errinfo_set(info, ROTA_EPARSE, "\"choiceCount\" must be at least %d", CHOICES_MIN);
    if (c->choices > CHOICES_MAX)
        c->choices = CHOICES_MAX;
    return err < 0 ? err : rota_slow_start_read(object, &c->slow_start, info);
}

static rota_err parse(const struct rota_lb_env *env, struct rota_slice json, void **ret_config, struct rota_errinfo *info)
{
    return rota_lb_json_config(env, json, sizeof(struct least_request_config), read_config, rota_lb_json_config_free, ret_config, info);
}

static const struct rota_ready *sample(const struct rota_petiole *leaves, const struct rota_call_info *call)
{
    const struct rota_ready *ready = &leaves->ready[rota_petiole_sample(leaves, call->now_ns)];

    if (call->trace != NULL)
        rota_lb_trace(call, ready->leaf->endpoint, ready->leaf->n_calls, "calls under way");
    return ready;
}

static enum rota_pick_verdict pick(void *state, const struct rota_call_info *call, struct rota_pick *ret_pick)
{
    struct least_request *lr = state;
    const struct rota_ready *best;
    enum rota_pick_verdict verdict;

    if (lr->policy.leaves.n_ready == 0)
        return rota_petiole_none_ready(&lr->policy);
    best = sample(&lr->policy.leaves, call);
    for (uint32_t i = 1; i < lr->choices; i++) {
        const struct rota_ready *other = sample(&lr->policy.leaves, call);
        if (other->leaf->n_calls < best->leaf->n_calls)
            best = other;
    }
    verdict = rota_petiole_ask(&lr->policy.leaves, &best, call, ret_pick);
    if (verdict == ROTA_PICK_OK)
        ret_pick->cookie = rota_leaf_begin(best->leaf);
    return verdict;
}

static void on_done(void *state, uint64_t cookie, const struct rota_outcome *outcome)
{
    struct least_request *lr = state;

    (void)outcome;
    rota_petiole_end(&lr->policy.leaves, rota_leaf_of(cookie));
}

static rota_err init(void *state, const struct rota_lb_env *env, const void *config)
{
    struct least_request *lr = state;
    const struct least_request_config *c = config;

    lr->choices = c->choices;
    lr->policy.leaves.slow_start = c->slow_start;
    return rota_petiole_policy_init(&lr->policy, env, NULL);
}

const struct rota_lb_class rota_lb_least_request = {
    .name = "least_request",
    .state_size = sizeof(struct least_request),
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
