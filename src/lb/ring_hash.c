/* ring_hash.c - calls with the same hash go to the same endpoint, and few move when endpoints come and go (gRFC A42, A61, A76).
 *
 * The hash is that of a header of the call, or by chance for calls without it. Endpoints are connected to when a call wants them; a call
 * whose endpoint has failed goes to the next on the ring. The ring holds every listed endpoint, by its attribute "hash_key" or its
 * first address, in proportion to its weight.
 *
 * Invariants: the ring names listed leaves only; `wanted` holds IDLE leaves that calls are waiting for until they have been woken.
 * Elsewhere: the ring (ring.c), leaves (petiole.c).
 */
#include "lb/ring_hash.h"
#include "lb/petiole.h"
#include "lb/ring.h"
#include "lb/xxh64.h"
#include <inttypes.h>
#include <math.h>

#define AGAIN_NS INT64_C(100000000) /* after a lack of memory */

struct ring_leaf {
    struct rota_leaf leaf;
    struct rota_link wanted;
};

struct ring_hash {
    struct rota_petiole leaves;
    const struct rota_ring_hash_config *config;
    struct rota_ring ring;
    struct rota_link wanted; /* by picks */
    uint8_t state;           /* as last reported */
};

static const struct rota_status no_endpoints = {ROTA_UNAVAILABLE, "no addresses: name resolution gave an empty list"};
static const struct rota_status no_memory = {ROTA_UNAVAILABLE, "out of memory while taking over the list of servers"};

static struct ring_leaf *ring_leaf(struct rota_leaf *leaf)
{
    return ROTA_CONTAINER(leaf, struct ring_leaf, leaf);
}

/* --- Leaves --- */

static rota_err take_endpoint(struct rota_petiole *p, struct rota_leaf *leaf, const struct rota_endpoint *endpoint)
{
    (void)p, (void)endpoint;
    if (ring_leaf(leaf)->wanted.next == NULL)
        rota_list_init(&ring_leaf(leaf)->wanted);
    return 0;
}

static void drop(struct rota_petiole *p, struct rota_leaf *leaf)
{
    (void)p;
    rota_list_remove(&ring_leaf(leaf)->wanted);
}

static const struct rota_leaf_hooks hooks = {
    .leaf_size = sizeof(struct ring_leaf),
    .lazy = true,
    .take_endpoint = take_endpoint,
    .drop = drop,
};

static void wake_wanted(struct ring_hash *rh, int64_t now_ns, struct rota_lb_cmds *cmds)
{
    struct rota_link *link;

    while ((link = rota_list_pop(&rh->wanted)) != NULL) {
        struct rota_leaf *leaf = &ROTA_CONTAINER(link, struct ring_leaf, wanted)->leaf;
        if (leaf->conn != ROTA_CONN_IDLE || rota_petiole_wake(&rh->leaves, leaf, cmds) == 0)
            continue;
        rota_list_append(&rh->wanted, link);
        rota_lb_wake_at(cmds, now_ns + AGAIN_NS);
        return;
    }
}

static void wake_one(struct ring_hash *rh, int64_t now_ns, struct rota_lb_cmds *cmds)
{
    const struct rota_petiole *leaves = &rh->leaves;
    size_t start = leaves->n_listed == 0 ? 0 : rota_lb_random_below(leaves->env, (uint32_t)leaves->n_listed);

    for (size_t i = 0; i < leaves->n_listed; i++) {
        struct ring_leaf *leaf = ring_leaf(leaves->listed[(start + i) % leaves->n_listed].leaf);
        if (leaf->leaf.conn != ROTA_CONN_IDLE)
            continue;
        rota_list_remove(&leaf->wanted);
        rota_list_append(&rh->wanted, &leaf->wanted);
        break;
    }
    wake_wanted(rh, now_ns, cmds);
}

/* --- The whole's state --- */

static enum rota_conn_state aggregate(const struct rota_petiole *leaves)
{
    const uint32_t *counts = leaves->counts;

    if (counts[ROTA_CONN_READY] > 0)
        return ROTA_CONN_READY;
    if (counts[ROTA_CONN_TRANSIENT_FAILURE] >= 2)
        return ROTA_CONN_TRANSIENT_FAILURE;
    if (counts[ROTA_CONN_CONNECTING] > 0)
        return ROTA_CONN_CONNECTING;
    if (counts[ROTA_CONN_TRANSIENT_FAILURE] == 1 && leaves->n_listed > 1)
        return ROTA_CONN_CONNECTING;
    return counts[ROTA_CONN_IDLE] > 0 ? ROTA_CONN_IDLE : ROTA_CONN_TRANSIENT_FAILURE;
}

/* Calls on hold look again at every change of a leaf. */
static void report(struct ring_hash *rh, int64_t now_ns, struct rota_lb_cmds *cmds)
{
    const struct rota_petiole *leaves = &rh->leaves;

    rh->state = (uint8_t)aggregate(leaves);
    rota_lb_update(cmds, rh->state, &leaves->failure);
    /* Recovers without calls: they may all go to endpoints that have failed. */
    if ((rh->state == ROTA_CONN_CONNECTING || rh->state == ROTA_CONN_TRANSIENT_FAILURE) && leaves->counts[ROTA_CONN_CONNECTING] == 0 &&
        leaves->counts[ROTA_CONN_IDLE] > 0)
        wake_one(rh, now_ns, cmds);
}

/* --- Events --- */

static double weight_of(const struct rota_endpoint *endpoint)
{
    return endpoint->weight == 0 ? 1 : endpoint->weight;
}

static struct rota_slice key_of(const struct rota_endpoint *endpoint)
{
    const char *key = rota_endpoint_attribute(endpoint, "hash_key");

    return rota_slice_str(key != NULL && key[0] != '\0' ? key : endpoint->addresses[0].text);
}

static double scale_of(const struct rota_ring_hash_config *c, double sum, double least)
{
    if (c->entries_per_weight > 0)
        return rota_ring_scale_fixed(sum, c->entries_per_weight, c->max_size);
    return rota_ring_scale(sum, least, c->min_size, c->max_size);
}

static void build_ring(struct ring_hash *rh)
{
    const struct rota_petiole *leaves = &rh->leaves;
    double sum = 0, least = 0;

    for (size_t i = 0; i < leaves->n_listed; i++) {
        double weight = weight_of(leaves->listed[i].endpoint);
        sum += weight;
        least = i == 0 || weight < least ? weight : least;
    }
    if (leaves->n_listed == 0) {
        rh->ring.size = 0;
        return;
    }
    rota_ring_begin(&rh->ring, sum, scale_of(rh->config, sum, least));
    for (size_t i = 0; i < leaves->n_listed; i++)
        rota_ring_add(&rh->ring, key_of(leaves->listed[i].endpoint), weight_of(leaves->listed[i].endpoint), leaves->listed[i].leaf);
    rota_ring_end(&rh->ring);
}

static void report_nothing(struct ring_hash *rh, const struct rota_status *why, struct rota_lb_cmds *cmds)
{
    rh->state = ROTA_CONN_TRANSIENT_FAILURE;
    rota_lb_update(cmds, ROTA_CONN_TRANSIENT_FAILURE, why);
}

static rota_err on_endpoints(void *state, const struct rota_endpoint *const *endpoints, size_t count, int64_t now_ns,
                             struct rota_lb_cmds *cmds)
{
    struct ring_hash *rh = state;
    bool changed;
    rota_err err = rota_ring_reserve(&rh->ring, rh->leaves.env->alloc, rh->config->max_size);

    if (err == 0) {
        err = rota_petiole_list(&rh->leaves, endpoints, count, cmds, &changed);
        /* Leaves may have come or gone also when not all could be taken over. */
        build_ring(rh);
    }
    if (rh->leaves.n_listed > 0)
        report(rh, now_ns, cmds);
    else
        report_nothing(rh, err < 0 ? &no_memory : &no_endpoints, cmds);
    return err == 0 && count == 0 ? ROTA_EINVAL : err;
}

static void on_resolver_error(void *state, const struct rota_status *why, int64_t now_ns, struct rota_lb_cmds *cmds)
{
    (void)now_ns;
    report_nothing(state, why, cmds);
}

static void on_child(void *state, struct rota_lb_child *child, void *tag, enum rota_conn_state conn, const struct rota_status *why,
                     int64_t now_ns, struct rota_lb_cmds *cmds)
{
    struct ring_hash *rh = state;
    const struct rota_leaf *leaf = tag;

    /* It was unhealthy as its connection went, and counts as failed until READY: no pick would wake it. */
    if (conn == ROTA_CONN_IDLE && leaf->conn == ROTA_CONN_TRANSIENT_FAILURE)
        rota_lb_child_exit_idle(cmds, child);
    rota_petiole_child(&rh->leaves, tag, conn, why, cmds);
    report(rh, now_ns, cmds);
}

static void on_timer(void *state, int64_t now_ns, struct rota_lb_cmds *cmds)
{
    wake_wanted(state, now_ns, cmds);
}

/* A pick's wish names its leaf; the application's is for any. */
static void on_exit_idle(void *state, int64_t now_ns, struct rota_lb_cmds *cmds)
{
    struct ring_hash *rh = state;

    if (!rota_list_empty(&rh->wanted))
        wake_wanted(rh, now_ns, cmds);
    else if (rh->state == ROTA_CONN_IDLE)
        wake_one(rh, now_ns, cmds);
}

/* --- Picks --- */

static bool is_header(const struct rota_metadatum *pair, struct rota_slice name)
{
    return rota_slice_equal(pair->key, name);
}

/* The values of the header, joined by commas; false where that is nothing, as for calls without it. */
static bool hash_header(const struct rota_ring_hash_config *config, const struct rota_call_info *call, uint64_t *ret_hash)
{
    size_t count = config->header == NULL || call->metadata == NULL ? 0 : rota_metadata_count(call->metadata);
    struct rota_slice name = rota_slice_str(config->header);
    struct rota_xxh64 x;
    size_t n_found = 0, n_bytes = 0;

    rota_xxh64_init(&x, 0);
    for (size_t i = 0; i < count; i++) {
        struct rota_metadatum pair = rota_metadata_at(call->metadata, i);
        if (!is_header(&pair, name))
            continue;
        if (n_found++ > 0)
            rota_xxh64_add(&x, ROTA_SLICE(","));
        rota_xxh64_add(&x, pair.value);
        n_bytes += pair.value.size;
    }
    *ret_hash = rota_xxh64_end(&x);
    return n_bytes > 0 || n_found > 1;
}

static uint64_t hash_by_chance(const struct rota_lb_env *env)
{
    uint64_t high = rota_lb_random_below(env, UINT32_MAX);

    return high << 32 | rota_lb_random_below(env, UINT32_MAX);
}

static void want(struct ring_hash *rh, struct rota_leaf *leaf)
{
    rota_list_remove(&ring_leaf(leaf)->wanted);
    rota_list_append(&rh->wanted, &ring_leaf(leaf)->wanted);
}

static struct rota_leaf *leaf_at(const struct ring_hash *rh, size_t i)
{
    return rh->ring.entries[i < rh->ring.size ? i : i - rh->ring.size].owner;
}

static void explain_hash(const struct ring_hash *rh, bool by_header, uint64_t hash, size_t first, const struct rota_call_info *call)
{
    rota_lb_trace(call, NULL, NAN, "hash %016" PRIx64 " %s%s, entry %zu of %zu", hash, by_header ? "of " : "by chance", by_header ? rh->config->header : "",
        first + 1, rh->ring.size);
}

static enum rota_pick_verdict ask(struct rota_leaf *leaf, const struct rota_call_info *call, struct rota_pick *ret_pick)
{
    if (call->trace != NULL)
        rota_lb_trace_winner(call, leaf->endpoint);
    return rota_lb_child_pick(leaf->child, call, ret_pick);
}

static void explain_leaf(const struct rota_leaf *leaf, size_t steps, const struct rota_call_info *call)
{
    rota_lb_trace(call, leaf->endpoint, NAN, "%s, %zu entries on", rota_conn_state_name(leaf->conn), steps);
}

/* The hash's own endpoint, whatever it takes; the next one only when it has failed. */
static enum rota_pick_verdict pick_by_header(struct ring_hash *rh, size_t first, const struct rota_call_info *call, struct rota_pick *ret_pick)
{
    for (size_t i = 0; i < rh->ring.size; i++) {
        struct rota_leaf *leaf = leaf_at(rh, first + i);
        if (call->trace != NULL)
            explain_leaf(leaf, i, call);
        switch (leaf->conn) {
        case ROTA_CONN_READY:
            return ask(leaf, call, ret_pick);
        case ROTA_CONN_IDLE:
            want(rh, leaf);
            return ROTA_PICK_WAIT;
        case ROTA_CONN_CONNECTING:
            return ROTA_PICK_WAIT;
        default:
            break;
        }
    }
    return rota_lb_child_pick(leaf_at(rh, first)->child, call, ret_pick); /* which says why */
}

/* Any that is READY; at most one is connected to for the call's sake. */
static enum rota_pick_verdict pick_by_chance(struct ring_hash *rh, size_t first, const struct rota_call_info *call, struct rota_pick *ret_pick)
{
    bool coming = rh->leaves.counts[ROTA_CONN_CONNECTING] > 0;

    for (size_t i = 0; i < rh->ring.size; i++) {
        struct rota_leaf *leaf = leaf_at(rh, first + i);
        if (call->trace != NULL)
            explain_leaf(leaf, i, call);
        if (leaf->conn == ROTA_CONN_READY)
            return ask(leaf, call, ret_pick);
        if (leaf->conn == ROTA_CONN_IDLE && !coming) {
            want(rh, leaf);
            coming = true;
        }
    }
    return coming ? ROTA_PICK_WAIT : rota_lb_child_pick(leaf_at(rh, first)->child, call, ret_pick);
}

static enum rota_pick_verdict pick(void *state, const struct rota_call_info *call, struct rota_pick *ret_pick)
{
    struct ring_hash *rh = state;
    enum rota_pick_verdict verdict;
    bool by_header;
    uint64_t hash;
    size_t first;

    if (rh->ring.size == 0)
        return rh->state == ROTA_CONN_TRANSIENT_FAILURE ? ROTA_PICK_FAIL : ROTA_PICK_WAIT;
    by_header = hash_header(rh->config, call, &hash);
    if (!by_header)
        hash = hash_by_chance(rh->leaves.env);
    first = rota_ring_find(&rh->ring, hash);
    if (call->trace != NULL)
        explain_hash(rh, by_header, hash, first, call);
    verdict = by_header ? pick_by_header(rh, first, call, ret_pick) : pick_by_chance(rh, first, call, ret_pick);
    ret_pick->exit_idle = !rota_list_empty(&rh->wanted); /* set last: it would be taken for the child's */
    return verdict;
}

static rota_err init(void *state, const struct rota_lb_env *env, const void *config)
{
    struct ring_hash *rh = state;

    rh->config = config;
    rh->state = ROTA_CONN_IDLE;
    rota_list_init(&rh->wanted);
    return rota_petiole_init(&rh->leaves, env, &hooks);
}

static void fini(void *state)
{
    struct ring_hash *rh = state;

    rota_petiole_fini(&rh->leaves);
    rota_ring_fini(&rh->ring, rh->leaves.env->alloc);
}

const struct rota_lb_class rota_lb_ring_hash = {
    .name = "ring_hash",
    .state_size = sizeof(struct ring_hash),
    .parse = rota_ring_hash_parse,
    .free_config = rota_ring_hash_free_config,
    .init = init,
    .fini = fini,
    .on_endpoints = on_endpoints,
    .on_resolver_error = on_resolver_error,
    .on_child = on_child,
    .on_timer = on_timer,
    .on_exit_idle = on_exit_idle,
    .pick = pick,
};
