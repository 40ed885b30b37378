/* weighted_round_robin.c - READY endpoints in turn, in proportion to weights that their own load reports tell (gRFC A58).
 *
 * A report comes in the trailers of a call, or out of band where the parameters say so. Each update period all weights are computed anew; where fewer than two endpoints have a
 * usable one, the weights that the resolver gave count (our extension), and without those turns are plain round robin. The schedule
 * is made anew at once when the READY set of up to SMALL_SET endpoints changes; in a larger one a newcomer gets the mean until the
 * next period, so that thousands coming up cost no thousands of schedules.
 * Elsewhere: reading reports (orca.c), a report's weight (weighted_round_robin_weight.c), the schedule (stride.c).
 */
#include "lb/weighted_round_robin.h"
#include "lb/petiole_policy.h"
#include "lb/stride.h"
#include <math.h>

#define SMALL_SET 256

struct wrr_leaf {
    struct rota_leaf leaf;
    struct rota_wrr_weight reported;
};

#define AHEAD 16

/* Turns found before they are due: whether a candidate is passed over is no more predictable than dice, so asking one by one would cost a mispredicted
 * branch or two a pick. They hold until the schedule or the READY set changes. */
struct ahead {
    uint32_t next, count;
    uint32_t place[AHEAD]; /* in `ready` */
    uint64_t turn[AHEAD];
};

struct weighted_round_robin {
    struct rota_petiole_policy policy;
    const struct rota_wrr_config *config;
    struct rota_stride stride; /* behind the turns in `ahead` */
    struct ahead ahead;
    uint32_t newcomer; /* the scaled weight of one that has just come */
    bool weighted;     /* false: plain turns */
    bool changed, lost_greatest; /* in the READY set since the last schedule */
    bool timer_set;
};

static struct weighted_round_robin *wrr_of(struct rota_petiole *p)
{
    return ROTA_CONTAINER(p, struct weighted_round_robin, policy.leaves);
}

static struct wrr_leaf *wrr_leaf(struct rota_leaf *leaf)
{
    return ROTA_CONTAINER(leaf, struct wrr_leaf, leaf);
}

/* --- Turns --- */

/* AHEAD candidates at a time, without a branch on the answer. The greatest weight takes every turn it is asked for, so this ends. */
static void look_ahead(struct weighted_round_robin *wrr)
{
    const struct rota_ready *ready = wrr->policy.leaves.ready;
    struct ahead *a = &wrr->ahead;
    struct rota_stride s = wrr->stride;
    uint32_t count = 0;

    do
        for (int i = 0; i < AHEAD; i++) {
            a->place[count] = s.at;
            a->turn[count] = s.turn;
            count += rota_stride_takes(&s, ready[s.at].weight);
            rota_stride_step(&s);
        }
    while (count == 0);
    wrr->stride = s;
    a->count = count;
    a->next = 0;
}

/* Back to behind the last turn taken; rota_stride_resize must follow. */
static void look_again(struct weighted_round_robin *wrr)
{
    struct ahead *a = &wrr->ahead;

    if (a->next > 0)
        wrr->stride.turn = a->turn[a->next - 1] + 1;
    a->next = a->count = 0;
}

static const struct rota_ready *turn(struct weighted_round_robin *wrr)
{
    if (wrr->ahead.next == wrr->ahead.count)
        look_ahead(wrr);
    return &wrr->policy.leaves.ready[wrr->ahead.place[wrr->ahead.next++]];
}

/* --- The schedule --- */

static double weight_now(struct weighted_round_robin *wrr, struct rota_leaf *leaf, bool reported, int64_t now_ns)
{
    return reported ? rota_wrr_usable(&wrr_leaf(leaf)->reported, wrr->config, now_ns) : leaf->endpoint->weight;
}

static struct rota_stride_sums sum_up(struct weighted_round_robin *wrr, bool reported, int64_t now_ns)
{
    struct rota_stride_sums sums = {0};

    for (uint32_t i = 0; i < wrr->policy.leaves.n_ready; i++)
        rota_stride_sum_add(&sums, weight_now(wrr, wrr->policy.leaves.ready[i].leaf, reported, now_ns));
    return sums;
}

/* What gRFC A78 wants to know of each schedule. */
static void measure(struct weighted_round_robin *wrr, bool reported, int64_t now_ns)
{
    const struct rota_petiole *leaves = &wrr->policy.leaves;
    const struct rota_lb_env *env = leaves->env;
    uint32_t early = 0, stale = 0;

    if (env->measure == NULL || leaves->n_ready == 0)
        return;
    for (uint32_t i = 0; i < leaves->n_ready; i++) {
        struct rota_wrr_weight *w = &wrr_leaf(leaves->ready[i].leaf)->reported;
        double weight = rota_wrr_usable(w, wrr->config, now_ns);
        if (weight == 0)
            (*(rota_wrr_is_stale(w) ? &stale : &early))++;
        env->measure(env->measure_arg, ROTA_MEASURE_WRR_WEIGHT, weight);
    }
    if (!reported)
        env->measure(env->measure_arg, ROTA_MEASURE_WRR_FALLBACK, 1);
    if (early > 0)
        env->measure(env->measure_arg, ROTA_MEASURE_WRR_NOT_YET_USABLE, early);
    if (stale > 0)
        env->measure(env->measure_arg, ROTA_MEASURE_WRR_STALE, stale);
}

static void schedule(struct weighted_round_robin *wrr, int64_t now_ns)
{
    struct rota_petiole *leaves = &wrr->policy.leaves;
    struct rota_stride_sums sums = sum_up(wrr, true, now_ns);
    struct rota_stride_scale scale;
    bool reported = sums.count >= 2;

    measure(wrr, reported, now_ns);
    look_again(wrr);
    if (!reported)
        sums = sum_up(wrr, false, now_ns);
    wrr->weighted = rota_stride_scale(&sums, &scale);
    if (!wrr->weighted)
        return;
    for (uint32_t i = 0; i < leaves->n_ready; i++)
        leaves->ready[i].weight = rota_stride_weight(&scale, weight_now(wrr, leaves->ready[i].leaf, reported, now_ns));
    wrr->newcomer = scale.mean;
    rota_stride_resize(&wrr->stride, leaves->n_ready);
}

/* After the READY set or a static weight may have changed. */
static void settle(struct weighted_round_robin *wrr, int64_t now_ns, struct rota_lb_cmds *cmds)
{
    uint32_t n_ready = wrr->policy.leaves.n_ready;

    if (!wrr->timer_set)
        rota_lb_wake_at(cmds, now_ns + wrr->config->update_ns);
    wrr->timer_set = true;
    if (!wrr->changed)
        return;
    if (n_ready <= SMALL_SET || (wrr->weighted && wrr->lost_greatest)) {
        schedule(wrr, now_ns);
    } else if (wrr->weighted) {
        look_again(wrr);
        rota_stride_resize(&wrr->stride, n_ready);
    }
    wrr->changed = wrr->lost_greatest = false;
}

/* --- Leaves --- */

static rota_err take_endpoint(struct rota_petiole *p, struct rota_leaf *leaf, const struct rota_endpoint *endpoint)
{
    (void)leaf, (void)endpoint;
    wrr_of(p)->changed = true; /* its static weight, perhaps */
    return 0;
}

static void come(struct rota_petiole *p, struct rota_leaf *leaf)
{
    struct weighted_round_robin *wrr = wrr_of(p);

    rota_wrr_restart(&wrr_leaf(leaf)->reported);
    p->ready[leaf->ready_place - 1].weight = wrr->newcomer;
    wrr->changed = true;
}

static void leave(struct rota_petiole *p, struct rota_leaf *leaf)
{
    struct weighted_round_robin *wrr = wrr_of(p);

    wrr->changed = true;
    if (p->ready[leaf->ready_place - 1].weight == ROTA_STRIDE_MAX)
        wrr->lost_greatest = true; /* the others alone would be passed over many times a turn */
}

static const struct rota_leaf_hooks hooks = {
    .leaf_size = sizeof(struct wrr_leaf),
    .take_endpoint = take_endpoint,
    .come = come,
    .leave = leave,
};

/* --- Events --- */

static rota_err on_endpoints(void *state, const struct rota_endpoint *const *endpoints, size_t count, int64_t now_ns,
                             struct rota_lb_cmds *cmds)
{
    rota_err err = rota_petiole_on_endpoints(state, endpoints, count, now_ns, cmds);

    settle(state, now_ns, cmds);
    return err;
}

static void on_child(void *state, struct rota_lb_child *child, void *tag, enum rota_conn_state conn, const struct rota_status *why,
                     int64_t now_ns, struct rota_lb_cmds *cmds)
{
    rota_petiole_on_child(state, child, tag, conn, why, now_ns, cmds);
    settle(state, now_ns, cmds);
}

static void on_timer(void *state, int64_t now_ns, struct rota_lb_cmds *cmds)
{
    struct weighted_round_robin *wrr = state;

    schedule(wrr, now_ns);
    wrr->changed = wrr->lost_greatest = false;
    rota_lb_wake_at(cmds, now_ns + wrr->config->update_ns);
}

static const char *weight_kind(struct weighted_round_robin *wrr, struct rota_leaf *leaf, int64_t now_ns)
{
    if (!wrr->weighted)
        return "no weights differ: in turn";
    if (rota_wrr_usable(&wrr_leaf(leaf)->reported, wrr->config, now_ns) > 0)
        return "weight of 65535, as reported";
    return leaf->endpoint->weight > 0 ? "weight of 65535, as listed or the mean" : "weight of 65535, the mean of the others";
}

static void explain(struct weighted_round_robin *wrr, const struct rota_ready *ready, bool passed, const struct rota_call_info *call)
{
    rota_lb_trace(call, ready->leaf->endpoint, wrr->weighted ? (double)ready->weight : NAN, "%s%s", weight_kind(wrr, ready->leaf, call->now_ns),
        passed ? "; passed over this turn" : "");
}

/* The same turn, one candidate after the other. */
static const struct rota_ready *turn_explained(struct weighted_round_robin *wrr, const struct rota_call_info *call)
{
    const struct rota_ready *ready = wrr->policy.leaves.ready;
    const struct rota_ready *winner;

    look_again(wrr);
    rota_stride_resize(&wrr->stride, wrr->policy.leaves.n_ready);
    while (!rota_stride_takes(&wrr->stride, ready[wrr->stride.at].weight)) {
        explain(wrr, &ready[wrr->stride.at], true, call);
        rota_stride_step(&wrr->stride);
    }
    winner = &ready[wrr->stride.at];
    rota_stride_step(&wrr->stride);
    return winner;
}

static const struct rota_ready *take_turn(struct weighted_round_robin *wrr, const struct rota_call_info *call)
{
    struct rota_petiole *leaves = &wrr->policy.leaves;
    const struct rota_ready *winner;

    if (!wrr->weighted)
        return rota_petiole_next(leaves, call->now_ns);
    for (int i = 0; i < ROTA_SLOW_START_TRIES; i++) {
        winner = call->trace == NULL ? turn(wrr) : turn_explained(wrr, call);
        if (rota_petiole_takes(leaves, winner->leaf, call->now_ns))
            break;
    }
    return winner;
}

static enum rota_pick_verdict pick(void *state, const struct rota_call_info *call, struct rota_pick *ret_pick)
{
    struct weighted_round_robin *wrr = state;
    struct rota_petiole *leaves = &wrr->policy.leaves;
    const struct rota_ready *winner;
    enum rota_pick_verdict verdict;

    if (leaves->n_ready == 0)
        return rota_petiole_none_ready(&wrr->policy);
    winner = take_turn(wrr, call);
    if (call->trace != NULL)
        explain(wrr, winner, false, call);
    verdict = rota_petiole_ask(leaves, &winner, call, ret_pick);
    if (verdict == ROTA_PICK_OK)
        ret_pick->cookie = rota_leaf_begin(winner->leaf);
    return verdict;
}

static void take_report(struct weighted_round_robin *wrr, struct rota_leaf *leaf, struct rota_slice bytes, int64_t now_ns)
{
    struct rota_orca_report report;

    if (rota_orca_decode(bytes, wrr->config->metrics, wrr->config->n_metrics, &report))
        rota_wrr_report(&wrr_leaf(leaf)->reported, rota_wrr_weight_of(wrr->config, &report), now_ns);
}

static void on_done(void *state, uint64_t cookie, const struct rota_outcome *outcome)
{
    struct weighted_round_robin *wrr = state;
    struct rota_leaf *leaf = rota_leaf_of(cookie);
    struct rota_slice bytes;

    if (wrr->config->report_ns == 0 && outcome->trailers != NULL && rota_metadata_get(outcome->trailers, "endpoint-load-metrics-bin", &bytes))
        take_report(wrr, leaf, bytes, outcome->ended_ns);
    rota_petiole_end(&wrr->policy.leaves, leaf);
}

static void on_report(void *state, struct rota_lb_child *child, void *tag, const struct rota_load_report *report, int64_t now_ns,
                      struct rota_lb_cmds *cmds)
{
    (void)child, (void)cmds;
    take_report(state, tag, report->bytes, now_ns);
}

static rota_err init(void *state, const struct rota_lb_env *env, const void *config)
{
    struct weighted_round_robin *wrr = state;

    wrr->config = config;
    wrr->stride.turn = rota_lb_random_below(env, UINT32_MAX);
    wrr->policy.leaves.report_ns = wrr->config->report_ns;
    wrr->policy.leaves.slow_start = wrr->config->slow_start;
    return rota_petiole_policy_init(&wrr->policy, env, &hooks);
}

const struct rota_lb_class rota_lb_weighted_round_robin = {
    .name = "weighted_round_robin",
    .state_size = sizeof(struct weighted_round_robin),
    .parse = rota_wrr_parse,
    .free_config = rota_wrr_free_config,
    .init = init,
    .fini = rota_petiole_policy_fini,
    .on_endpoints = on_endpoints,
    .on_resolver_error = rota_petiole_on_resolver_error,
    .on_child = on_child,
    .on_timer = on_timer,
    .on_exit_idle = rota_petiole_on_exit_idle,
    .pick = pick,
    .on_done = on_done,
    .on_report = on_report,
};
