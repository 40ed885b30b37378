/* commands.c - what a policy may ask for inside its on_ functions: noted here, carried out by tree.c when the function has returned.
 *
 * Only what can fail is done at once: making a subchannel (the owner's get) or a child (its init).
 */
#include "base/alloc.h"
#include "base/assert.h"
#include "lb/node.h"

rota_err rota_lb_subchannel_new(struct rota_lb_cmds *cmds, const struct rota_endpoint *endpoint, size_t address_index, void *tag,
                                struct rota_lb_subchannel **ret_subchannel)
{
    struct rota_lb_tree *tree = cmds->node->tree;
    struct rota_lb_subchannel *hold = rota_alloc_zero(tree->env->alloc, 1, sizeof(*hold));
    rota_err err;

    ROTA_ASSERT(address_index < endpoint->n_addresses && cmds->node->class->on_conn != NULL);
    if (hold == NULL)
        return ROTA_ENOMEM;
    hold->node = cmds->node;
    hold->tag = tag;
    hold->heeds = cmds->node->heeds;
    hold->report_ns = rota_lb_node_report_ns(cmds->node);
    hold->work.kind = ROTA_LB_WORK_HOLD;
    rota_list_init(&hold->work.link);
    rota_list_append(&cmds->node->holds, &hold->link);
    err = tree->owner_class->get(tree->owner, endpoint, address_index, hold);
    if (err < 0) {
        rota_list_remove(&hold->link);
        rota_list_remove(&hold->work.link);
        rota_alloc_free(tree->env->alloc, hold->why);
        rota_alloc_free(tree->env->alloc, hold);
        return err;
    }
    *ret_subchannel = hold;
    return 0;
}

void rota_lb_subchannel_free(struct rota_lb_cmds *cmds, struct rota_lb_subchannel *subchannel)
{
    if (subchannel == NULL)
        return;
    ROTA_ASSERT("a subchannel of the policy's own, not given back" && subchannel->node == cmds->node && !subchannel->freed);
    subchannel->freed = true;
    rota_lb_work_add(cmds->node->tree, &subchannel->work, ROTA_LB_HOLD_PUT);
}

void rota_lb_connect(struct rota_lb_cmds *cmds, struct rota_lb_subchannel *subchannel)
{
    ROTA_ASSERT("a subchannel of the policy's own, not given back" && subchannel->node == cmds->node && !subchannel->freed);
    rota_lb_work_add(cmds->node->tree, &subchannel->work, ROTA_LB_HOLD_CONNECT);
}

static void keep_why(struct rota_lb_child *node, const struct rota_status *why)
{
    const struct rota_alloc *alloc = node->tree->env->alloc;

    if (why == NULL) {
        rota_alloc_free(alloc, node->why);
        node->why = NULL;
    } else if (why != node->why) {
        if (node->why == NULL)
            node->why = rota_alloc_get(alloc, sizeof(*node->why));
        if (node->why != NULL)
            *node->why = *why;
    }
}

void rota_lb_update(struct rota_lb_cmds *cmds, enum rota_conn_state conn, const struct rota_status *why)
{
    struct rota_lb_child *node = cmds->node;

    keep_why(node, conn == ROTA_CONN_TRANSIENT_FAILURE ? why : NULL);
    node->conn = (uint8_t)conn;
    rota_lb_node_recount(node);
    if (node->parent == NULL)
        node->tree->root_updated = true;
    else
        rota_lb_work_add(node->tree, &node->work, ROTA_LB_NODE_UPDATE);
}

void rota_lb_reresolve(struct rota_lb_cmds *cmds)
{
    rota_lb_node_reresolve(cmds->node);
}

void rota_lb_wake_at(struct rota_lb_cmds *cmds, int64_t at_ns)
{
    struct rota_lb_child *node = cmds->node;

    ROTA_ASSERT(node->class->on_timer != NULL);
    (void)rota_heap_set(&node->tree->wakes, &node->wake, at_ns); /* it is inside since the node was made, so this cannot fail */
}

rota_err rota_lb_child_new(struct rota_lb_cmds *cmds, const struct rota_lb_config *config, void *tag, struct rota_lb_child **ret_child)
{
    ROTA_ASSERT(cmds->node->class->on_child != NULL);
    return rota_lb_node_new(cmds->node->tree, cmds->node, config, tag, ret_child);
}

void rota_lb_child_free(struct rota_lb_cmds *cmds, struct rota_lb_child *child)
{
    if (child == NULL)
        return;
    ROTA_ASSERT("a child of the policy's own, not freed" && child->parent == cmds->node && !child->freed);
    child->freed = true;
    rota_lb_node_recount(child);
    rota_lb_work_add(child->tree, &child->work, ROTA_LB_NODE_FREE);
}

rota_err rota_lb_child_endpoints(struct rota_lb_cmds *cmds, struct rota_lb_child *child, const struct rota_endpoint *const *endpoints,
                                 size_t count)
{
    rota_err err = rota_lb_given_set(child->tree->env->alloc, &child->given, endpoints, count);

    ROTA_ASSERT("a child of the policy's own, not freed" && child->parent == cmds->node && !child->freed);
    if (err == 0)
        rota_lb_work_add(child->tree, &child->work, ROTA_LB_NODE_ENDPOINTS);
    return err;
}

void rota_lb_child_mute(struct rota_lb_cmds *cmds, struct rota_lb_child *child)
{
    ROTA_ASSERT("a child of the policy's own, not freed" && child->parent == cmds->node && !child->freed);
    child->muted = true;
}

void rota_lb_child_exit_idle(struct rota_lb_cmds *cmds, struct rota_lb_child *child)
{
    ROTA_ASSERT("a child of the policy's own, not freed" && child->parent == cmds->node && !child->freed);
    rota_lb_work_add(child->tree, &child->work, ROTA_LB_NODE_EXIT_IDLE);
}
