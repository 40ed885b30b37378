/* node.c - making and freeing the nodes and holds of a tree.
 *
 * A node's policy state stands behind the node in the same block. A freed node whose picks are still out becomes a
 * zombie: its policy is finished, only its count of picks lives on, until the last one is done.
 */
#include "lb/node.h"
#include "base/alloc.h"
#include "base/assert.h"
#include <stdalign.h>

#define NODE_SIZE ((sizeof(struct rota_lb_child) + alignof(max_align_t) - 1) / alignof(max_align_t) * alignof(max_align_t))

static struct rota_lb_child *node_alloc(struct rota_lb_tree *tree, struct rota_lb_child *parent, const struct rota_lb_class *class)
{
    struct rota_lb_child *node = rota_alloc_zero(tree->env->alloc, 1, NODE_SIZE + class->state_size);

    if (node == NULL)
        return NULL;
    node->tree = tree;
    node->parent = parent;
    node->class = class;
    node->pick = class->pick;
    node->state = (char *)node + NODE_SIZE;
    node->listens = class->on_done != NULL;
    node->n_listeners = (uint8_t)((parent == NULL ? 0 : parent->n_listeners) + node->listens);
    node->conn = ROTA_CONN_IDLE;
    node->work.kind = ROTA_LB_WORK_NODE;
    rota_list_init(&node->work.link);
    rota_list_init(&node->link);
    rota_list_init(&node->children);
    rota_list_init(&node->holds);
    rota_list_init(&node->heeding);
    return node;
}

rota_err rota_lb_node_new(struct rota_lb_tree *tree, struct rota_lb_child *parent, const struct rota_lb_config *config, void *tag,
                          struct rota_lb_child **ret_node)
{
    struct rota_lb_child *node = node_alloc(tree, parent, config->class);
    rota_err err;

    if (node == NULL)
        return ROTA_ENOMEM;
    node->tag = tag;
    if (node->n_listeners > ROTA_PICK_DEPTH) {
        rota_alloc_free(tree->env->alloc, node);
        return ROTA_ELIMIT;
    }
    err = config->class->on_timer == NULL ? 0 : rota_heap_set(&tree->wakes, &node->wake, INT64_MAX);
    if (err == 0) {
        err = config->class->init(node->state, tree->env, config->parsed);
        if (err < 0) {
            config->class->fini(node->state);
            rota_heap_remove(&tree->wakes, &node->wake);
        }
    }
    if (err < 0) {
        rota_alloc_free(tree->env->alloc, node);
        return err;
    }
    if (parent != NULL)
        rota_list_append(&parent->children, &node->link);
    *ret_node = node;
    return 0;
}

void rota_lb_hold_free(struct rota_lb_subchannel *hold)
{
    struct rota_lb_tree *tree = hold->node->tree;

    tree->owner_class->put(tree->owner, hold);
    rota_list_remove(&hold->link);
    rota_list_remove(&hold->work.link);
    rota_alloc_free(tree->env->alloc, hold->why);
    rota_alloc_free(tree->env->alloc, hold->ill);
    rota_alloc_free(tree->env->alloc, hold);
}

void rota_lb_zombie_free(struct rota_lb_child *node)
{
    rota_list_remove(&node->link);
    rota_alloc_free(node->tree->env->alloc, node);
}

void rota_lb_node_free(struct rota_lb_child *node)
{
    struct rota_lb_tree *tree = node->tree;

    /* Children go first: their configs may belong to this policy. */
    while (!rota_list_empty(&node->children))
        rota_lb_node_free(ROTA_CONTAINER(node->children.prev, struct rota_lb_child, link));
    while (!rota_list_empty(&node->holds))
        rota_lb_hold_free(ROTA_CONTAINER(node->holds.prev, struct rota_lb_subchannel, link));
    node->class->fini(node->state);
    rota_lb_health_clear(node);
    rota_heap_remove(&tree->wakes, &node->wake);
    rota_list_remove(&node->work.link);
    rota_list_remove(&node->link);
    rota_lb_given_clear(tree->env->alloc, &node->given);
    rota_alloc_free(tree->env->alloc, node->why);
    node->why = NULL;
    node->freed = node->finished = true;
    if (node->n_picks > 0)
        rota_list_append(&tree->zombies, &node->link);
    else
        rota_alloc_free(tree->env->alloc, node);
}

void rota_lb_node_reresolve(struct rota_lb_child *node)
{
    struct rota_lb_child *at = node;

    while (at != NULL && !at->muted)
        at = at->parent;
    if (at == NULL)
        node->tree->want_reresolve = true;
}

rota_err rota_lb_given_set(const struct rota_alloc *alloc, struct rota_lb_given *given, const struct rota_endpoint *const *endpoints,
                           size_t count)
{
    const struct rota_endpoint **copy = NULL;

    if (count > 1) {
        copy = rota_alloc_zero(alloc, count, sizeof(const struct rota_endpoint *));
        if (copy == NULL)
            return ROTA_ENOMEM;
    }
    if (copy == NULL)
        copy = &given->one;
    for (size_t i = 0; i < count; i++)
        rota_endpoint_ref(endpoints[i]);
    rota_lb_given_clear(alloc, given);
    for (size_t i = 0; i < count; i++)
        copy[i] = endpoints[i];
    given->endpoints = copy;
    given->count = count;
    return 0;
}

void rota_lb_given_move(struct rota_lb_given *to, struct rota_lb_given *from)
{
    *to = *from;
    if (from->endpoints == &from->one)
        to->endpoints = &to->one;
    *from = (struct rota_lb_given){0};
}

void rota_lb_given_clear(const struct rota_alloc *alloc, struct rota_lb_given *given)
{
    for (size_t i = 0; i < given->count; i++)
        rota_endpoint_unref(given->endpoints[i]);
    if (given->endpoints != &given->one)
        rota_alloc_free(alloc, given->endpoints);
    given->endpoints = NULL;
    given->count = 0;
}
