/* health.c - what a policy says of endpoints' health to policies further down: found by endpoint, heard as a state (rota/lb.h); and
 * what servers say of themselves, which nodes that heed health hear of too (gRFC A17, A61).
 *
 * Invariants: a health stands in its node's map, chained with others of the same hash, until it is freed and nobody heeds it any more; a
 * node that heeds one is in its list of heeders, and heeds those of policies further up for the same endpoint with it: each knows the next, by
 * `above`. An unhealthy node's picks fail, or wait, by a pick function put in place of its policy's, so that
 * healthy ones cost nothing. Elsewhere: how many there are, and whether that is to be heeded at all (census.c).
 */
#include "base/alloc.h"
#include "base/assert.h"
#include "lb/identity.h"
#include "lb/node.h"

#define SEED 1 /* endpoints come from the program's own resolver */

static enum rota_pick_verdict pick_unhealthy(void *state, const struct rota_call_info *call, struct rota_pick *ret_pick)
{
    (void)state, (void)call, (void)ret_pick;
    return ROTA_PICK_FAIL;
}

static enum rota_pick_verdict pick_asked(void *state, const struct rota_call_info *call, struct rota_pick *ret_pick)
{
    (void)state, (void)call, (void)ret_pick;
    return ROTA_PICK_WAIT;
}

enum rota_lb_serving rota_lb_node_serving(const struct rota_lb_child *node)
{
    enum rota_lb_serving serving = ROTA_LB_UNCHECKED;

    if (!node->heeds)
        return serving;
    for (struct rota_link *link = node->holds.next; link != &node->holds; link = link->next) {
        const struct rota_lb_subchannel *hold = ROTA_CONTAINER(link, struct rota_lb_subchannel, link);
        if (!hold->freed && hold->serving > serving)
            serving = hold->serving;
    }
    return serving;
}

static bool is_shunned(const struct rota_lb_child *node, enum rota_lb_serving serving)
{
    return !node->trusting && (rota_lb_node_ailment(node) != NULL || serving == ROTA_LB_NOT_SERVING);
}

enum rota_conn_state rota_lb_node_conn(const struct rota_lb_child *node)
{
    enum rota_lb_serving serving;

    if (node->conn != ROTA_CONN_READY)
        return node->conn;
    serving = rota_lb_node_serving(node);
    if (is_shunned(node, serving))
        return ROTA_CONN_TRANSIENT_FAILURE;
    return serving == ROTA_LB_ASKED ? ROTA_CONN_CONNECTING : ROTA_CONN_READY;
}

void rota_lb_node_look_again(struct rota_lb_child *node)
{
    enum rota_pick_verdict (*was)(void *state, const struct rota_call_info *call, struct rota_pick *ret_pick) = node->pick;
    enum rota_lb_serving serving = rota_lb_node_serving(node);

    if (is_shunned(node, serving))
        node->pick = pick_unhealthy;
    else
        node->pick = serving == ROTA_LB_ASKED ? pick_asked : node->class->pick;
    if (node->conn == ROTA_CONN_READY && was != node->pick && !node->freed)
        rota_lb_work_add(node->tree, &node->work, ROTA_LB_NODE_UPDATE);
    rota_lb_node_recount(node);
}

static const struct rota_status *ill_of(const struct rota_lb_child *node)
{
    static const struct rota_status ill = {ROTA_UNAVAILABLE, "the server does not serve"};

    for (struct rota_link *link = node->holds.next; link != &node->holds; link = link->next) {
        const struct rota_lb_subchannel *hold = ROTA_CONTAINER(link, struct rota_lb_subchannel, link);
        if (!hold->freed && hold->serving == ROTA_LB_NOT_SERVING && hold->ill != NULL)
            return hold->ill;
    }
    return &ill;
}

const struct rota_status *rota_lb_node_why(const struct rota_lb_child *node)
{
    static const struct rota_status no_detail = {ROTA_UNAVAILABLE, "no connection to any server"};
    const struct rota_lb_health *ailment = rota_lb_node_ailment(node);

    if (node->why != NULL)
        return node->why;
    if (ailment != NULL)
        return &ailment->why;
    return node->pick == pick_unhealthy ? ill_of(node) : &no_detail;
}

void rota_lb_hold_serving(struct rota_lb_subchannel *hold, enum rota_lb_serving serving, const struct rota_status *why)
{
    const struct rota_alloc *alloc = hold->node->tree->env->alloc;

    if (hold->freed || !hold->heeds)
        return;
    if (why != NULL && hold->ill == NULL)
        hold->ill = rota_alloc_get(alloc, sizeof(*hold->ill));
    if (why != NULL && hold->ill != NULL)
        *hold->ill = *why;
    hold->serving = (uint8_t)serving;
    rota_lb_node_look_again(hold->node);
}

void rota_lb_tree_serving(struct rota_lb_tree *tree, struct rota_lb_subchannel *hold, enum rota_lb_serving serving, const struct rota_status *why,
                          int64_t now_ns)
{
    rota_lb_hold_serving(hold, serving, why);
    if (tree->running)
        return;
    tree->now_ns = now_ns;
    rota_lb_tree_run(tree);
}

static struct rota_lb_health *find(const struct rota_lb_child *node, const struct rota_endpoint *endpoint, uint64_t hash, bool given_up)
{
    struct rota_lb_health *health = node->healths == NULL ? NULL : rota_idmap_get(&node->healths->by_hash, hash);

    while (health != NULL && (health->given_up != given_up || !rota_endpoint_same(health->endpoint, endpoint)))
        health = health->same_hash;
    return health;
}

static rota_err make_map(struct rota_lb_child *node)
{
    const struct rota_alloc *alloc = node->tree->env->alloc;

    if (node->healths != NULL)
        return 0;
    node->healths = rota_alloc_zero(alloc, 1, sizeof(*node->healths));
    if (node->healths == NULL)
        return ROTA_ENOMEM;
    rota_idmap_init(&node->healths->by_hash, alloc);
    return 0;
}

rota_err rota_lb_health_new(struct rota_lb_cmds *cmds, const struct rota_endpoint *endpoint, void *tag, struct rota_lb_health **ret_health)
{
    struct rota_lb_child *node = cmds->node;
    const struct rota_alloc *alloc = node->tree->env->alloc;
    uint64_t hash = rota_lb_identity_hash(endpoint, SEED);
    struct rota_lb_health *health = find(node, endpoint, hash, true);

    if (health != NULL) {
        health->given_up = false;
        health->tag = tag;
        *ret_health = health;
        return 0;
    }
    if (make_map(node) < 0)
        return ROTA_ENOMEM;
    health = rota_alloc_zero(alloc, 1, sizeof(*health));
    if (health == NULL)
        return ROTA_ENOMEM;
    health->node = node;
    health->tag = tag;
    health->hash = hash;
    health->same_hash = rota_idmap_get(&node->healths->by_hash, health->hash);
    if (rota_idmap_set(&node->healths->by_hash, health->hash, health) < 0) {
        rota_alloc_free(alloc, health);
        return ROTA_ENOMEM;
    }
    health->endpoint = rota_endpoint_ref(endpoint);
    rota_list_init(&health->heeders);
    rota_list_init(&health->below);
    rota_list_init(&health->beside);
    *ret_health = health;
    return 0;
}

static void unchain(struct rota_lb_health *health)
{
    struct rota_idmap *by_hash = &health->node->healths->by_hash;
    struct rota_lb_health *first = rota_idmap_get(by_hash, health->hash);

    if (first != health) {
        while (first->same_hash != health)
            first = first->same_hash;
        first->same_hash = health->same_hash;
    } else if (health->same_hash != NULL) {
        /* Replacing a value needs no memory. */
        ROTA_ASSERT(rota_idmap_set(by_hash, health->hash, health->same_hash) == 0);
    } else {
        rota_idmap_remove(by_hash, health->hash);
    }
}

static bool is_wanted(const struct rota_lb_health *health)
{
    return !health->given_up || !rota_list_empty(&health->heeders) || !rota_list_empty(&health->below);
}

/* With those above it that were kept for its sake. */
static void health_free(struct rota_lb_health *health)
{
    while (health != NULL) {
        struct rota_lb_health *above = health->above;
        rota_list_remove(&health->beside);
        unchain(health);
        rota_endpoint_unref(health->endpoint);
        rota_alloc_free(health->node->tree->env->alloc, health);
        health = above == NULL || is_wanted(above) ? NULL : above;
    }
}

static void ignore(struct rota_lb_child *node)
{
    struct rota_lb_health *health = node->health;

    if (health == NULL)
        return;
    node->health = NULL;
    rota_list_remove(&node->heeding);
    if (!is_wanted(health))
        health_free(health);
}

/* Recursion goes down the tree: its depth is the tree's. */
static void look_again(struct rota_lb_health *health)
{
    for (struct rota_link *link = health->below.next; link != &health->below; link = link->next)
        look_again(ROTA_CONTAINER(link, struct rota_lb_health, beside));
    for (struct rota_link *link = health->heeders.next; link != &health->heeders; link = link->next)
        rota_lb_node_look_again(ROTA_CONTAINER(link, struct rota_lb_child, heeding));
}

/* Leaves that heed it go next, unless there is no memory for the list without them: they would not look for another one. */
void rota_lb_health_free(struct rota_lb_cmds *cmds, struct rota_lb_health *health)
{
    if (health == NULL)
        return;
    ROTA_ASSERT(health->node == cmds->node && !health->given_up);
    health->given_up = true;
    health->tag = NULL;
    health->is_unhealthy = false;
    if (!is_wanted(health))
        health_free(health);
    else
        look_again(health);
}

void rota_lb_health_clear(struct rota_lb_child *node)
{
    struct rota_idmap_entry *entry;

    ignore(node);
    node->heeds = false;
    rota_lb_node_recount(node);
    if (node->healths == NULL)
        return;
    while ((entry = rota_idmap_next(&node->healths->by_hash, NULL)) != NULL) {
        struct rota_lb_health *health = entry->value;
        ROTA_ASSERT("those that heed it are below, thus gone" && rota_list_empty(&health->heeders) && rota_list_empty(&health->below));
        health_free(health);
    }
    rota_idmap_fini(&node->healths->by_hash);
    rota_alloc_free(node->tree->env->alloc, node->healths);
    node->healths = NULL;
}

void rota_lb_health_set(struct rota_lb_cmds *cmds, struct rota_lb_health *health, const struct rota_status *why)
{
    ROTA_ASSERT(health->node == cmds->node);
    health->is_unhealthy = why != NULL;
    if (why != NULL)
        health->why = *why;
    look_again(health);
}

static void set_above(struct rota_lb_health *health, struct rota_lb_health *above)
{
    struct rota_lb_health *was = health->above;

    if (was == above)
        return;
    rota_list_remove(&health->beside);
    health->above = above;
    if (above != NULL)
        rota_list_append(&above->below, &health->beside);
    if (was != NULL && !is_wanted(was))
        health_free(was);
    look_again(health);
}

/* Links all that policies from `node` upwards have for the endpoint. Returns the nearest; NULL: none. */
static struct rota_lb_health *join(struct rota_lb_child *node, const struct rota_endpoint *endpoint)
{
    struct rota_lb_health *nearest = NULL, *last = NULL;
    uint64_t hash = 0;

    for (; node != NULL; node = node->parent) {
        struct rota_lb_health *health;
        if (node->healths == NULL)
            continue;
        hash = hash != 0 ? hash : rota_lb_identity_hash(endpoint, SEED);
        health = find(node, endpoint, hash, false);
        if (health == NULL)
            continue;
        if (last == NULL)
            nearest = health;
        else
            set_above(last, health);
        last = health;
    }
    if (last != NULL)
        set_above(last, NULL);
    return nearest;
}

void rota_lb_child_heed(struct rota_lb_cmds *cmds, struct rota_lb_child *child, const struct rota_endpoint *endpoint)
{
    struct rota_lb_health *health;

    ROTA_ASSERT("a child of the policy's own, not freed" && child->parent == cmds->node && !child->freed);
    child->heeds = true;
    child->trusting = rota_lb_node_is_trusted(child);
    rota_lb_node_recount(child);
    health = join(cmds->node, endpoint);
    if (child->health == health)
        return;
    ignore(child);
    child->health = health;
    if (health != NULL)
        rota_list_append(&health->heeders, &child->heeding);
    rota_lb_node_look_again(child);
}

void *rota_lb_pick_health(const struct rota_pick *pick, const void *state)
{
    const struct rota_lb_child *node = pick->subchannel->node;
    const struct rota_lb_health *health;

    while (node != NULL && node->health == NULL)
        node = node->parent;
    health = node == NULL ? NULL : node->health;
    while (health != NULL && health->node->state != state)
        health = health->above;
    return health == NULL ? NULL : health->tag;
}
