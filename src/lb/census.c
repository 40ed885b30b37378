/* census.c - how many endpoints there are below a child, and how they stand; and trust, by which health is not heeded (rota/lb.h).
 *
 * Counted are the nodes that heed health, each as it stands by itself: trust makes no difference. Changes are told upwards as they come, so that
 * reading costs nothing and nobody has to look for them.
 */
#include "base/assert.h"
#include "lb/node.h"

enum standing { NOT_COUNTED, UNKNOWN, GOOD, BAD };

static enum standing standing_of(const struct rota_lb_child *node)
{
    enum rota_lb_serving serving;

    if (!node->heeds || node->freed)
        return NOT_COUNTED;
    if (node->conn != ROTA_CONN_READY)
        return node->conn == ROTA_CONN_TRANSIENT_FAILURE ? BAD : UNKNOWN;
    serving = rota_lb_node_serving(node);
    if (rota_lb_node_ailment(node) != NULL || serving == ROTA_LB_NOT_SERVING)
        return BAD;
    return serving == ROTA_LB_ASKED ? UNKNOWN : GOOD;
}

static void count(struct rota_lb_census *census, enum standing standing, uint32_t one)
{
    census->endpoints += standing != NOT_COUNTED ? one : 0;
    census->ready += standing == GOOD ? one : 0;
    census->bad += standing == BAD ? one : 0;
}

void rota_lb_node_recount(struct rota_lb_child *node)
{
    enum standing is = standing_of(node), was = node->standing;

    /* As with connections: what was bad is bad until it is good. */
    if (is == was || (was == BAD && is == UNKNOWN))
        return;
    node->standing = (uint8_t)is;
    for (struct rota_lb_child *at = node; at != NULL; at = at->parent) {
        if (!at->counts)
            continue;
        count(&at->census, was, UINT32_MAX); /* one less */
        count(&at->census, is, 1);
        if (!at->freed)
            rota_lb_work_add(at->tree, &at->work, ROTA_LB_NODE_UPDATE);
    }
}

void rota_lb_child_count(struct rota_lb_cmds *cmds, struct rota_lb_child *child)
{
    ROTA_ASSERT(child->parent == cmds->node && rota_list_empty(&child->children));
    child->counts = true;
}

struct rota_lb_census rota_lb_child_census(const struct rota_lb_child *child)
{
    return child->census;
}

bool rota_lb_node_is_trusted(const struct rota_lb_child *node)
{
    while (node != NULL && !node->trusted)
        node = node->parent;
    return node != NULL;
}

/* Recursion goes down the tree: its depth is the tree's. */
static void pass_on(struct rota_lb_child *node, bool trusted)
{
    trusted = trusted || node->trusted;
    if (node->heeds && node->trusting != trusted) {
        node->trusting = trusted;
        rota_lb_node_look_again(node);
    }
    for (struct rota_link *link = node->children.next; link != &node->children; link = link->next)
        pass_on(ROTA_CONTAINER(link, struct rota_lb_child, link), trusted);
}

void rota_lb_child_trust(struct rota_lb_cmds *cmds, struct rota_lb_child *child, bool trusted)
{
    ROTA_ASSERT("a child of the policy's own, not freed" && child->parent == cmds->node && !child->freed);
    child->trusted = trusted;
    pass_on(child, rota_lb_node_is_trusted(child->parent));
}
