/* pick.c - the hot path: asks the policies for a connection, notes who wants to hear how the call ended.
 *
 * Nothing here allocates. A policy is noted on the pick's path only when it has on_done, after its own pick has
 * returned OK, so the path lists the deepest policy first. Elsewhere: events and commands (tree.c).
 */
#include "base/assert.h"
#include "lb/node.h"
#include "lb/petiole.h"
#include "lb/pick_first.h"
#include <math.h>
#include <rota/explain.h>

/* What is rare: failures, listeners, a wish to leave IDLE. */
static enum rota_pick_verdict settle(struct rota_lb_child *node, enum rota_pick_verdict verdict, struct rota_pick *pick)
{
    if (pick->exit_idle) {
        pick->exit_idle = false;
        rota_lb_work_add(node->tree, &node->work, ROTA_LB_NODE_EXIT_IDLE);
    }
    if (verdict == ROTA_PICK_OK && node->listens) {
        /* rota_lb_node_new keeps paths short enough; a parent that asks on after an OK does not. */
        ROTA_ASSERT(pick->depth < ROTA_PICK_DEPTH);
        pick->path[pick->depth].node = node;
        pick->path[pick->depth].cookie = pick->cookie;
        pick->depth++;
        pick->cookie = 0;
        node->n_picks++;
    } else if ((verdict == ROTA_PICK_FAIL || verdict == ROTA_PICK_DROP) && pick->why == NULL) {
        pick->why = rota_lb_node_why(node);
    }
    return verdict;
}

/* Notes are the policy's own while its pick runs. */
static enum rota_pick_verdict traced_pick(struct rota_lb_child *node, const struct rota_call_info *call, struct rota_pick *pick)
{
    struct rota_pick_trace *trace = call->trace;
    const char *policy = trace->policy;
    enum rota_pick_verdict verdict;

    trace->depth += policy != NULL;
    trace->policy = node->class->name;
    verdict = node->pick(node->state, call, pick);
    if (verdict != ROTA_PICK_OK)
        rota_lb_trace(call, NULL, NAN, "%s: %s", rota_pick_verdict_name(verdict), rota_conn_state_name(node->conn));
    trace->policy = policy;
    trace->depth -= policy != NULL;
    return verdict;
}

static inline enum rota_pick_verdict node_pick(struct rota_lb_child *node, const struct rota_call_info *call, struct rota_pick *pick)
{
    enum rota_pick_verdict verdict;

    pick->why = NULL;
    verdict = call->trace == NULL ? node->pick(node->state, call, pick) : traced_pick(node, call, pick);
    if (verdict == ROTA_PICK_OK && !node->listens && !pick->exit_idle)
        return ROTA_PICK_OK;
    return settle(node, verdict, pick);
}

enum rota_pick_verdict rota_lb_child_pick(struct rota_lb_child *child, const struct rota_call_info *call, struct rota_pick *ret_pick)
{
    return node_pick(child, call, ret_pick);
}

struct rota_lb_subchannel *rota_lb_child_sole(const struct rota_lb_child *child)
{
    return child->class == &rota_lb_pick_first ? rota_pick_first_selected(child->state) : NULL;
}

/* What the pick has set going may take its reason back. */
static void keep_reason(struct rota_lb_tree *tree, enum rota_pick_verdict verdict, struct rota_pick *pick)
{
    if (verdict != ROTA_PICK_FAIL && verdict != ROTA_PICK_DROP)
        return;
    tree->pick_why = *pick->why;
    pick->why = &tree->pick_why;
}

enum rota_pick_verdict rota_lb_tree_pick(struct rota_lb_tree *tree, const struct rota_call_info *call, struct rota_pick *ret_pick)
{
    enum rota_pick_verdict verdict;

    ret_pick->depth = 0;
    ret_pick->exit_idle = false;
    ret_pick->cookie = 0;
    verdict = node_pick(tree->root, call, ret_pick);
    if (!rota_list_empty(&tree->work) && !tree->running) {
        keep_reason(tree, verdict, ret_pick);
        tree->now_ns = call->now_ns;
        rota_lb_tree_run(tree);
    }
    return verdict;
}

bool rota_lb_pick_avoided(const struct rota_call_info *call, const struct rota_pick *pick)
{
    for (uint32_t i = 0; i < call->n_avoid; i++)
        if (call->avoid[i] == pick->subchannel->conn)
            return true;
    return false;
}

void rota_lb_tree_done(struct rota_lb_tree *tree, const struct rota_pick *pick, const struct rota_outcome *outcome)
{
    (void)tree;
    for (uint8_t i = 0; i < pick->depth; i++) {
        struct rota_lb_child *node = pick->path[i].node;

        ROTA_ASSERT(node->n_picks > 0);
        node->n_picks--;
        if (!node->finished)
            node->class->on_done(node->state, pick->path[i].cookie, outcome);
        else if (node->n_picks == 0)
            rota_lb_zombie_free(node);
    }
}
