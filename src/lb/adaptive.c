/* adaptive.c - the policy for whoever does not want to choose one: of a few READY endpoints the one that promises the fastest answer.
 *
 * What an endpoint promises is its latency times the calls it has from here and one more. Its latency is the greater of two: a moving average
 * that jumps to a peak and comes down within a second, or ten samples (ewma.c), and the mean age of the calls that it has not answered, so that a server that
 * hangs is left alone before any call of it ends. Nothing is ever ejected, so nobody can be ejected wrongly: a server that was bad is
 * asked again when its average has come down, by a call or two. Failures through the server's fault count as slow, and for some seconds more
 * make it FAULT_FACTOR times as dear by their share of its calls: who fails at once would else look the fastest.
 * Where several are bad chance may draw nobody else: if the best of those drawn is DEAR times as dear as a good choice usually is, they are drawn again.
 * When the machine stands still for a moment, calls to good servers look slow, all together: who answers fast again is believed by his samples, not
 * by the clock, or a slow one, of whom nothing new is known, would look as good as they do for most of a second after each such moment.
 * How fast the past is forgotten follows the traffic: FORGET_MIN_NS, or longer where fewer calls than SAMPLES come to an endpoint in that time.
 * Calls with streams count as load, but how long they last says nothing of the server. Measured in docs/lb/choosing.md.
 */
#include "base/list.h"
#include "lb/config_json.h"
#include "lb/ewma.h"
#include "lb/petiole_policy.h"
#include <math.h>

#define CHOICES 3
#define FORGET_MIN_NS 500e6
#define FORGET_MAX_NS 10e9
#define SAMPLES 4.0
#define SAMPLE_WEIGHT 0.1
#define GAP_WEIGHT 0.02
#define FAULT_WEIGHT 0.3
#define FAULT_FACTOR 50
#define FAULT_MEMORY 4
#define DRAWS 6
#define DEAR 100
#define LOAD_UNKNOWN 1e15 /* of one with calls and no answer yet */
#define COST_GUESSED 1 /* below any that is measured */
#define USUAL_MIN_NS 1e3
#define USUAL_UP 1.01
#define USUAL_DOWN 0.97

struct adaptive_leaf {
    struct rota_leaf leaf;
    struct rota_ewma ewma;
    double fault;          /* of its calls lately the share that failed through its fault, as of fault_ns */
    int64_t fault_ns;
    uint32_t n_timed;      /* unary calls under way */
    int64_t since_us; /* the sum of when they began */
};

struct adaptive {
    struct rota_petiole_policy policy;
    double forget_ns;
    double gap_ns; /* between picks, on average */
    int64_t last_pick_ns;
    double usual; /* a load that a quarter of the chosen stay below; 0: not known */
};

static struct adaptive_leaf *adaptive_leaf_of(struct rota_leaf *leaf)
{
    return ROTA_CONTAINER(leaf, struct adaptive_leaf, leaf);
}

static double fault_of(const struct adaptive *a, const struct adaptive_leaf *leaf, int64_t now_ns)
{
    if (leaf->fault == 0)
        return 0;
    return leaf->fault * exp(-(double)(now_ns - leaf->fault_ns) / (FAULT_MEMORY * a->forget_ns));
}

/* Who were drawn for a pick. */
struct draw {
    const struct rota_ready *ready[CHOICES];
    uint32_t n;
};

/* One that has streams and was never asked anything else is taken to be as fast as the fastest known of those it is compared with; for a unary call,
 * whose answer will tell, as twice as fast. */
static double guess(const struct adaptive *a, const struct draw *d, const struct rota_call_info *call)
{
    double least_ns = 0;

    for (uint32_t i = 0; i < d->n; i++) {
        double cost_ns = rota_ewma_read(&adaptive_leaf_of(d->ready[i]->leaf)->ewma, call->now_ns, a->forget_ns);
        if (cost_ns > 0 && (least_ns == 0 || cost_ns < least_ns))
            least_ns = cost_ns;
    }
    if (least_ns == 0)
        return COST_GUESSED;
    return call->streaming ? least_ns : least_ns / 2;
}

static double load_of(const struct adaptive *a, const struct draw *d, struct adaptive_leaf *leaf, const struct rota_call_info *call)
{
    double cost_ns = rota_ewma_read(&leaf->ewma, call->now_ns, a->forget_ns);

    if (cost_ns == 0 && leaf->n_timed == 0 && leaf->leaf.n_calls > 0) {
        cost_ns = guess(a, d, call);
    } else if (leaf->n_timed > 0 && cost_ns > 0) {
        double age_ns = ((double)(call->now_ns / 1000) - (double)leaf->since_us / leaf->n_timed) * 1000;
        cost_ns = age_ns > cost_ns ? age_ns : cost_ns;
    }
    return rota_ewma_load(cost_ns * (1 + FAULT_FACTOR * fault_of(a, leaf, call->now_ns)), leaf->leaf.n_calls);
}

static double rate(const struct adaptive *a, const struct draw *d, const struct rota_ready *ready, const struct rota_call_info *call)
{
    struct adaptive_leaf *leaf = adaptive_leaf_of(ready->leaf);
    double load = load_of(a, d, leaf, call);

    if (call->trace != NULL)
        rota_lb_trace(call, leaf->leaf.endpoint, load, "latency %.3f ms, %u calls under way, %.0f %% faults",
            rota_ewma_read(&leaf->ewma, call->now_ns, a->forget_ns) / 1e6, (unsigned)leaf->leaf.n_calls, fault_of(a, leaf, call->now_ns) * 100);
    return load;
}

/* Who is considered: the first by chance, the others by chance among the rest. What is known of them is on its way from memory when it is read. */
static void draw(const struct rota_petiole *leaves, int64_t now_ns, struct draw *ret_drawn)
{
    uint32_t n = leaves->n_ready < CHOICES ? leaves->n_ready : CHOICES, at = rota_petiole_sample(leaves, now_ns);

    ret_drawn->n = n;
    ret_drawn->ready[0] = &leaves->ready[at];
    for (uint32_t i = 1; i < n; i++)
        ret_drawn->ready[i] = &leaves->ready[(at + 1 + rota_lb_random_below(leaves->env, leaves->n_ready - 1)) % leaves->n_ready];
    for (uint32_t i = 0; i < n; i++) {
        __builtin_prefetch(&ret_drawn->ready[i]->leaf->n_calls, 1);
        __builtin_prefetch(&adaptive_leaf_of(ret_drawn->ready[i]->leaf)->since_us, 1);
    }
}

static const struct rota_ready *best_of_drawn(const struct adaptive *a, const struct rota_call_info *call, double *ret_load)
{
    const struct rota_petiole *leaves = &a->policy.leaves;
    const struct rota_ready *best;
    struct draw d;
    double least;

    draw(leaves, call->now_ns, &d);
    best = d.ready[0];
    *ret_load = 0;
    if (d.n == 1 && call->trace == NULL)
        return best;
    least = rate(a, &d, best, call);
    for (uint32_t i = 1; i < d.n; i++) {
        double load;
        if (!rota_petiole_takes(leaves, d.ready[i]->leaf, call->now_ns)) {
            rota_lb_trace(call, d.ready[i]->leaf->endpoint, NAN, "spared: it has just come up");
            continue;
        }
        load = rate(a, &d, d.ready[i], call);
        if (load < least) {
            least = load;
            best = d.ready[i];
        }
    }
    *ret_load = least;
    return best;
}

/* One up for three down: settles where a quarter of the loads are below, so that three quarters of them may be bad ones. */
static void keep_usual(struct adaptive *a, double load)
{
    if (a->usual == 0)
        a->usual = load > USUAL_MIN_NS && load < LOAD_UNKNOWN ? load : 0;
    else if (load > a->usual)
        a->usual *= USUAL_UP;
    else if (a->usual > USUAL_MIN_NS)
        a->usual *= USUAL_DOWN;
}

/* A moment in which the whole machine stands still makes nobody DEAR times as dear, so that then as ever nobody looks at all servers at once. */
static const struct rota_ready *choose(struct adaptive *a, const struct rota_call_info *call)
{
    double load, other_load;
    const struct rota_ready *best = best_of_drawn(a, call, &load);

    for (int i = 1; i < DRAWS && a->usual > 0 && load > DEAR * a->usual && a->policy.leaves.n_ready > 2; i++) {
        const struct rota_ready *other = best_of_drawn(a, call, &other_load);
        if (other_load < load) {
            load = other_load;
            best = other;
        }
    }
    keep_usual(a, load);
    return best;
}

/* Bursts of one turn have the same time; on average the gaps are right all the same. */
static void keep_pace(struct adaptive *a, int64_t now_ns)
{
    double gap_ns = now_ns > a->last_pick_ns && a->last_pick_ns > 0 ? (double)(now_ns - a->last_pick_ns) : 0, forget_ns;

    if (gap_ns > FORGET_MAX_NS)
        gap_ns = FORGET_MAX_NS;
    a->last_pick_ns = now_ns;
    a->gap_ns += (gap_ns - a->gap_ns) * GAP_WEIGHT;
    forget_ns = a->gap_ns * SAMPLES * a->policy.leaves.n_ready;
    a->forget_ns = forget_ns < FORGET_MIN_NS ? FORGET_MIN_NS : forget_ns > FORGET_MAX_NS ? FORGET_MAX_NS : forget_ns;
}

/* The cookie is the leaf, odd when the call is timed. */
static uint64_t begin(struct rota_leaf *leaf, const struct rota_call_info *call)
{
    struct adaptive_leaf *mine = adaptive_leaf_of(leaf);

    if (call->streaming)
        return rota_leaf_begin(leaf);
    mine->n_timed++;
    mine->since_us += call->now_ns / 1000;
    return rota_leaf_begin(leaf) | 1;
}

static enum rota_pick_verdict pick(void *state, const struct rota_call_info *call, struct rota_pick *ret_pick)
{
    struct adaptive *a = state;
    const struct rota_ready *winner;
    enum rota_pick_verdict verdict;

    if (a->policy.leaves.n_ready == 0)
        return rota_petiole_none_ready(&a->policy);
    keep_pace(a, call->now_ns);
    winner = choose(a, call);
    verdict = rota_petiole_ask(&a->policy.leaves, &winner, call, ret_pick);
    if (verdict == ROTA_PICK_OK)
        ret_pick->cookie = begin(winner->leaf, call);
    return verdict;
}

static void learn(struct adaptive *a, struct adaptive_leaf *leaf, const struct rota_outcome *outcome)
{
    bool fault = rota_ewma_learn(&leaf->ewma, outcome, a->forget_ns, SAMPLE_WEIGHT);

    if (!fault && leaf->fault == 0)
        return;
    leaf->fault = fault_of(a, leaf, outcome->ended_ns);
    leaf->fault += ((fault ? 1 : 0) - leaf->fault) * FAULT_WEIGHT;
    if (leaf->fault < 0.001)
        leaf->fault = 0;
    leaf->fault_ns = outcome->ended_ns;
}

static void on_done(void *state, uint64_t cookie, const struct rota_outcome *outcome)
{
    struct adaptive *a = state;
    struct rota_leaf *leaf = rota_leaf_of(cookie & ~UINT64_C(1));
    struct adaptive_leaf *mine = adaptive_leaf_of(leaf);

    if ((cookie & 1) != 0) {
        mine->n_timed--;
        mine->since_us -= outcome->started_ns / 1000;
        if (mine->n_timed == 0)
            mine->since_us = 0;
        if (outcome->sent)
            learn(a, mine, outcome);
    }
    rota_petiole_end(&a->policy.leaves, leaf);
}

static rota_err init(void *state, const struct rota_lb_env *env, const void *config)
{
    static const struct rota_leaf_hooks hooks = {.leaf_size = sizeof(struct adaptive_leaf)};
    struct adaptive *a = state;

    a->policy.leaves.slow_start = *(const struct rota_slow_start *)config;
    a->forget_ns = FORGET_MIN_NS;
    return rota_petiole_policy_init(&a->policy, env, &hooks);
}

const struct rota_lb_class rota_lb_adaptive = {
    .name = "adaptive",
    .state_size = sizeof(struct adaptive),
    .parse = rota_slow_start_parse,
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
