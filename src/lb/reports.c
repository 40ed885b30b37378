/* reports.c - who wants load reports, and how often: asked for at a child, counted for every subchannel below it (rota/lb.h).
 *
 * Invariant: a hold's report_ns is the shortest period that its node asks for it, or that a parent on the way up asks for the child on
 * the way down; the owner hears of changes. Elsewhere: a report's way back (tree.c).
 */
#include "base/assert.h"
#include "lb/node.h"

static int64_t shorter(int64_t a_ns, int64_t b_ns)
{
    if (a_ns == 0 || b_ns == 0)
        return a_ns + b_ns;
    return a_ns < b_ns ? a_ns : b_ns;
}

int64_t rota_lb_node_report_ns(const struct rota_lb_child *node)
{
    int64_t period_ns = 0;

    for (; node != NULL; node = node->parent)
        period_ns = shorter(period_ns, node->report_ns);
    return period_ns;
}

static void set_hold(struct rota_lb_subchannel *hold, int64_t node_ns)
{
    int64_t period_ns = shorter(node_ns, hold->own_report_ns);

    if (period_ns == hold->report_ns)
        return;
    hold->report_ns = period_ns;
    rota_lb_work_add(hold->node->tree, &hold->work, ROTA_LB_HOLD_REPORTS);
}

/* Recursion goes down the tree: its depth is the tree's. */
static void set_below(struct rota_lb_child *node, int64_t above_ns)
{
    int64_t node_ns = shorter(above_ns, node->report_ns);

    for (struct rota_link *link = node->holds.next; link != &node->holds; link = link->next)
        set_hold(ROTA_CONTAINER(link, struct rota_lb_subchannel, link), node_ns);
    for (struct rota_link *link = node->children.next; link != &node->children; link = link->next)
        set_below(ROTA_CONTAINER(link, struct rota_lb_child, link), node_ns);
}

void rota_lb_child_reports(struct rota_lb_cmds *cmds, struct rota_lb_child *child, int64_t period_ns)
{
    ROTA_ASSERT("a child of the policy's own, not freed" && child->parent == cmds->node && !child->freed);
    ROTA_ASSERT(period_ns >= 0);
    ROTA_ASSERT(period_ns == 0 || cmds->node->class->on_report != NULL);
    if (child->report_ns == period_ns)
        return;
    child->report_ns = period_ns;
    set_below(child, rota_lb_node_report_ns(cmds->node));
}

void rota_lb_subchannel_reports(struct rota_lb_cmds *cmds, struct rota_lb_subchannel *subchannel, int64_t period_ns)
{
    ROTA_ASSERT("a subchannel of the policy's own, not given back" && subchannel->node == cmds->node && !subchannel->freed);
    ROTA_ASSERT(period_ns >= 0);
    ROTA_ASSERT(period_ns == 0 || cmds->node->class->on_report != NULL);
    subchannel->own_report_ns = period_ns;
    set_hold(subchannel, rota_lb_node_report_ns(cmds->node));
}
