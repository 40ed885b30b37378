/* health.c - what a policy says of endpoints' health to policies further down: found by endpoint, heard as a state (rota/lb.h).
 *
 * Invariants: a health stands in its node's map, chained with others of the same hash, until it is freed; a node that heeds one is
 * in its list of heeders. An unhealthy node's picks fail by a pick function put in place of its policy's, so that
 * healthy ones cost nothing. Elsewhere: the state a parent hears (conn_of in tree.c).
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

/* The node's health has changed, or which one it heeds. */
static void look_again(struct rota_lb_child *node)
{
    bool was_unhealthy = node->pick == pick_unhealthy;
    bool is_unhealthy = rota_lb_node_is_unhealthy(node);

    node->pick = is_unhealthy ? pick_unhealthy : node->class->pick;
    if (node->conn == ROTA_CONN_READY && was_unhealthy != is_unhealthy && !node->freed)
        rota_lb_work_add(node->tree, &node->work, ROTA_LB_NODE_UPDATE);
}

static struct rota_lb_health *find(const struct rota_lb_child *node, const struct rota_endpoint *endpoint, uint64_t hash)
{
    struct rota_lb_health *health = node->healths == NULL ? NULL : rota_idmap_get(&node->healths->by_hash, hash);

    while (health != NULL && !rota_endpoint_same(health->endpoint, endpoint))
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
    struct rota_lb_health *health;

    if (make_map(node) < 0)
        return ROTA_ENOMEM;
    health = rota_alloc_zero(alloc, 1, sizeof(*health));
    if (health == NULL)
        return ROTA_ENOMEM;
    health->node = node;
    health->tag = tag;
    health->hash = rota_lb_identity_hash(endpoint, SEED);
    health->same_hash = rota_idmap_get(&node->healths->by_hash, health->hash);
    if (rota_idmap_set(&node->healths->by_hash, health->hash, health) < 0) {
        rota_alloc_free(alloc, health);
        return ROTA_ENOMEM;
    }
    health->endpoint = rota_endpoint_ref(endpoint);
    rota_list_init(&health->heeders);
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

static void ignore(struct rota_lb_child *node)
{
    rota_list_remove(&node->heeding);
    node->health = NULL;
    look_again(node);
}

static void health_free(struct rota_lb_health *health)
{
    while (!rota_list_empty(&health->heeders))
        ignore(ROTA_CONTAINER(health->heeders.next, struct rota_lb_child, heeding));
    unchain(health);
    rota_endpoint_unref(health->endpoint);
    rota_alloc_free(health->node->tree->env->alloc, health);
}

void rota_lb_health_free(struct rota_lb_cmds *cmds, struct rota_lb_health *health)
{
    if (health == NULL)
        return;
    ROTA_ASSERT(health->node == cmds->node);
    health_free(health);
}

void rota_lb_health_clear(struct rota_lb_child *node)
{
    struct rota_idmap_entry *entry;

    rota_list_remove(&node->heeding);
    node->health = NULL;
    if (node->healths == NULL)
        return;
    while ((entry = rota_idmap_next(&node->healths->by_hash, NULL)) != NULL)
        health_free(entry->value);
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
    for (struct rota_link *link = health->heeders.next; link != &health->heeders; link = link->next)
        look_again(ROTA_CONTAINER(link, struct rota_lb_child, heeding));
}

void rota_lb_child_heed(struct rota_lb_cmds *cmds, struct rota_lb_child *child, const struct rota_endpoint *endpoint)
{
    uint64_t hash = 0;
    struct rota_lb_health *health = NULL;

    ROTA_ASSERT(child->parent == cmds->node && !child->freed);
    for (struct rota_lb_child *node = cmds->node; node != NULL && health == NULL; node = node->parent) {
        if (node->healths == NULL)
            continue;
        hash = hash != 0 ? hash : rota_lb_identity_hash(endpoint, SEED);
        health = find(node, endpoint, hash);
    }
    if (child->health == health)
        return;
    rota_list_remove(&child->heeding);
    child->health = health;
    if (health != NULL)
        rota_list_append(&health->heeders, &child->heeding);
    look_again(child);
}

void *rota_lb_pick_health(const struct rota_pick *pick, const void *state)
{
    const struct rota_lb_child *node = pick->subchannel->node;

    while (node != NULL && node->health == NULL)
        node = node->parent;
    return node != NULL && node->health->node->state == state ? node->health->tag : NULL;
}
