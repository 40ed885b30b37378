/* tree.c - delivers events to the policies of a tree and carries out the commands they leave.
 *
 * One queue, drained in order by the outermost entry point; events that come meanwhile are queued too. Before a policy
 * gets an event, its parent hears of the state that the event before left it in; so a parent misses no state although
 * a node is queued only once. The root's owner hears only the last state of a run. Elsewhere: the commands
 * themselves (commands.c, reports.c), picks (pick.c), health (health.c), making and freeing nodes (node.c).
 */
#include "lb/tree.h"
#include "base/alloc.h"
#include "base/assert.h"
#include "lb/node.h"

#define FEED_AGAIN_NS INT64_C(1000000000)

void rota_lb_work_add(struct rota_lb_tree *tree, struct rota_lb_work *work, uint8_t todo)
{
    if (work->todo == 0)
        rota_list_append(&tree->work, &work->link);
    work->todo |= todo;
}

/* --- Events --- */

static const struct rota_status *why_of(const struct rota_lb_child *node)
{
    return rota_lb_node_conn(node) == ROTA_CONN_TRANSIENT_FAILURE ? rota_lb_node_why(node) : NULL;
}

/* Recursion goes up the tree only: its depth is the tree's. */
static bool may_deliver(struct rota_lb_child *node)
{
    struct rota_lb_child *parent = node->parent;

    if (parent != NULL && !node->freed && (node->work.todo & ROTA_LB_NODE_UPDATE) != 0) {
        node->work.todo &= (uint8_t)~ROTA_LB_NODE_UPDATE;
        if (node->work.todo == 0)
            rota_list_remove(&node->work.link);
        /* The parent may free the node here, which is only marked then. */
        if (may_deliver(parent)) {
            struct rota_lb_cmds cmds = {parent};
            parent->class->on_child(parent->state, node, node->tag, rota_lb_node_conn(node), why_of(node), node->tree->now_ns, &cmds);
        }
    }
    return !node->freed;
}

static void deliver_conn(struct rota_lb_subchannel *hold, enum rota_conn_state conn, const struct rota_status *why)
{
    struct rota_lb_child *node = hold->node;
    struct rota_lb_cmds cmds = {node};

    if (may_deliver(node) && !hold->freed)
        node->class->on_conn(node->state, hold, hold->tag, conn, conn == ROTA_CONN_TRANSIENT_FAILURE ? why : NULL, node->tree->now_ns,
                             &cmds);
    /* Not before: the node was READY, and would seem to serve. */
    if (conn != ROTA_CONN_READY && hold->serving != ROTA_LB_UNCHECKED) {
        hold->serving = ROTA_LB_UNCHECKED;
        rota_lb_node_look_again(node);
    }
}

static rota_err deliver_endpoints(struct rota_lb_child *node, const struct rota_endpoint *const *endpoints, size_t count)
{
    struct rota_lb_cmds cmds = {node};
    rota_err err = 0;

    if (may_deliver(node))
        err = node->class->on_endpoints(node->state, endpoints, count, node->tree->now_ns, &cmds);
    if (err < 0)
        rota_lb_node_reresolve(node);
    if (err < 0 && err != ROTA_EINVAL && node->tree->failure == 0)
        node->tree->failure = err;
    return err;
}

static void deliver_given(struct rota_lb_child *node)
{
    const struct rota_alloc *alloc = node->tree->env->alloc;
    struct rota_lb_given given;

    rota_lb_given_move(&given, &node->given);
    if (deliver_endpoints(node, given.endpoints, given.count) == ROTA_ENOMEM && node->given.endpoints == NULL) {
        rota_lb_given_move(&node->given, &given);
        if (node->tree->feed_ns == INT64_MAX)
            node->tree->feed_ns = node->tree->now_ns + FEED_AGAIN_NS;
    }
    rota_lb_given_clear(alloc, &given);
}

/* Nodes that lacked the memory for their last list get it again, with the tree's next one or in a second: lists also travel on
 * when a call, a time or a child's end opens something, and then there is nobody to tell. */
static void feed_again(struct rota_lb_child *node)
{
    if (node->given.endpoints != NULL)
        rota_lb_work_add(node->tree, &node->work, ROTA_LB_NODE_ENDPOINTS);
    for (struct rota_link *link = node->children.next; link != &node->children; link = link->next)
        feed_again(ROTA_CONTAINER(link, struct rota_lb_child, link));
}

static void feed_starved(struct rota_lb_tree *tree)
{
    if (tree->feed_ns == INT64_MAX)
        return;
    tree->feed_ns = INT64_MAX;
    feed_again(tree->root);
}

static void deliver_exit_idle(struct rota_lb_child *node)
{
    struct rota_lb_cmds cmds = {node};

    if (may_deliver(node))
        node->class->on_exit_idle(node->state, node->tree->now_ns, &cmds);
}

static void deliver_timer(struct rota_lb_child *node)
{
    struct rota_lb_cmds cmds = {node};

    if (may_deliver(node))
        node->class->on_timer(node->state, node->tree->now_ns, &cmds);
}

/* --- The queue --- */

static void run_node(struct rota_lb_child *node, uint8_t todo)
{
    if ((todo & ROTA_LB_NODE_FREE) != 0) {
        rota_lb_node_free(node);
        return;
    }
    if ((todo & ROTA_LB_NODE_UPDATE) != 0) {
        rota_lb_work_add(node->tree, &node->work, ROTA_LB_NODE_UPDATE);
        (void)may_deliver(node);
    }
    if ((todo & ROTA_LB_NODE_TIMER) != 0)
        deliver_timer(node);
    if ((todo & ROTA_LB_NODE_ENDPOINTS) != 0)
        deliver_given(node);
    if ((todo & ROTA_LB_NODE_EXIT_IDLE) != 0)
        deliver_exit_idle(node);
}

static void run_hold(struct rota_lb_subchannel *hold, uint8_t todo)
{
    struct rota_lb_tree *tree = hold->node->tree;
    static const struct rota_status no_memory = {ROTA_UNAVAILABLE, "connection failed, and no memory left to say why"};

    if ((todo & ROTA_LB_HOLD_PUT) != 0) {
        rota_lb_hold_free(hold);
        return;
    }
    if ((todo & ROTA_LB_HOLD_EVENT) != 0) {
        struct rota_status *why = hold->why;
        hold->why = NULL;
        deliver_conn(hold, hold->queued_conn, why != NULL ? why : &no_memory);
        rota_alloc_free(tree->env->alloc, why);
    }
    if ((todo & ROTA_LB_HOLD_CONNECT) != 0 && !hold->freed)
        tree->owner_class->connect(tree->owner, hold);
    if ((todo & ROTA_LB_HOLD_REPORTS) != 0 && !hold->freed && tree->owner_class->reports != NULL)
        tree->owner_class->reports(tree->owner, hold);
}

static void run_queue(struct rota_lb_tree *tree)
{
    struct rota_link *link;

    while ((link = rota_list_pop(&tree->work)) != NULL) {
        struct rota_lb_work *work = ROTA_CONTAINER(link, struct rota_lb_work, link);
        uint8_t todo = work->todo;
        work->todo = 0;
        if (work->kind == ROTA_LB_WORK_NODE)
            run_node(ROTA_CONTAINER(work, struct rota_lb_child, work), todo);
        else
            run_hold(ROTA_CONTAINER(work, struct rota_lb_subchannel, work), todo);
    }
}

static int64_t next_wake_ns(const struct rota_lb_tree *tree)
{
    const struct rota_heap_node *first = rota_heap_first(&tree->wakes);

    return first == NULL || first->key > tree->feed_ns ? tree->feed_ns : first->key;
}

/* What the owner is told once a run. True when it was told something, which may have brought new events. */
static bool tell_owner(struct rota_lb_tree *tree)
{
    int64_t wake_ns = next_wake_ns(tree);

    if (tree->root_updated) {
        tree->root_updated = false;
        tree->owner_class->update(tree->owner, tree->root->conn, why_of(tree->root));
        return true;
    }
    if (tree->want_reresolve) {
        tree->want_reresolve = false;
        tree->owner_class->reresolve(tree->owner);
        return true;
    }
    if (wake_ns != tree->told_wake_ns) {
        tree->told_wake_ns = wake_ns;
        tree->owner_class->wake_at(tree->owner, wake_ns);
        return true;
    }
    return false;
}

void rota_lb_tree_run(struct rota_lb_tree *tree)
{
    tree->running = true;
    do
        run_queue(tree);
    while (tell_owner(tree));
    tree->running = false;
}

/* --- Entry points --- */

rota_err rota_lb_tree_new(const struct rota_lb_env *env, const struct rota_lb_config *config, const struct rota_lb_owner *owner_class, void *owner,
                          struct rota_lb_tree **ret_tree)
{
    struct rota_lb_tree *tree = rota_alloc_zero(env->alloc, 1, sizeof(*tree));
    rota_err err;

    if (tree == NULL)
        return ROTA_ENOMEM;
    tree->env = env;
    tree->owner_class = owner_class;
    tree->owner = owner;
    tree->told_wake_ns = tree->feed_ns = INT64_MAX;
    rota_list_init(&tree->work);
    rota_list_init(&tree->zombies);
    rota_heap_init(&tree->wakes, env->alloc);
    err = rota_lb_node_new(tree, NULL, config, NULL, &tree->root);
    if (err < 0) {
        rota_heap_fini(&tree->wakes);
        rota_alloc_free(env->alloc, tree);
        return err;
    }
    *ret_tree = tree;
    return 0;
}

void rota_lb_tree_free(struct rota_lb_tree *tree)
{
    if (tree == NULL)
        return;
    ROTA_ASSERT(!tree->running);
    tree->running = true; /* what put brings about is queued, and forgotten with the nodes */
    rota_lb_node_free(tree->root);
    while (!rota_list_empty(&tree->zombies))
        rota_lb_zombie_free(ROTA_CONTAINER(tree->zombies.prev, struct rota_lb_child, link));
    rota_heap_fini(&tree->wakes);
    rota_alloc_free(tree->env->alloc, tree);
}

rota_err rota_lb_tree_endpoints(struct rota_lb_tree *tree, const struct rota_endpoint *const *endpoints, size_t count, int64_t now_ns)
{
    rota_err err;

    if (tree->running) {
        err = rota_lb_given_set(tree->env->alloc, &tree->root->given, endpoints, count);
        if (err == 0)
            rota_lb_work_add(tree, &tree->root->work, ROTA_LB_NODE_ENDPOINTS);
        return err;
    }
    tree->now_ns = now_ns;
    tree->failure = 0;
    tree->running = true;
    err = deliver_endpoints(tree->root, endpoints, count);
    feed_starved(tree);
    rota_lb_tree_run(tree);
    return tree->failure < 0 ? tree->failure : err;
}

void rota_lb_tree_resolver_error(struct rota_lb_tree *tree, const struct rota_status *why, int64_t now_ns)
{
    struct rota_lb_cmds cmds = {tree->root};

    ROTA_ASSERT(!tree->running);
    tree->now_ns = now_ns;
    tree->running = true;
    if (tree->root->class->on_resolver_error != NULL)
        tree->root->class->on_resolver_error(tree->root->state, why, now_ns, &cmds);
    rota_lb_tree_run(tree);
}

static void queue_conn(struct rota_lb_subchannel *hold, enum rota_conn_state conn, const struct rota_status *why)
{
    struct rota_lb_tree *tree = hold->node->tree;

    if (conn == ROTA_CONN_TRANSIENT_FAILURE && why != NULL) {
        if (hold->why == NULL)
            hold->why = rota_alloc_get(tree->env->alloc, sizeof(*hold->why));
        if (hold->why != NULL)
            *hold->why = *why;
    }
    hold->queued_conn = (uint8_t)conn;
    rota_lb_work_add(tree, &hold->work, ROTA_LB_HOLD_EVENT);
}

void rota_lb_tree_conn(struct rota_lb_tree *tree, struct rota_lb_subchannel *hold, enum rota_conn_state conn, const struct rota_status *why,
                       int64_t now_ns)
{
    if (hold->freed)
        return;
    if (tree->running) {
        queue_conn(hold, conn, why);
        return;
    }
    tree->now_ns = now_ns;
    tree->running = true;
    deliver_conn(hold, conn, why);
    rota_lb_tree_run(tree);
}

static void deliver_report(struct rota_lb_child *node, struct rota_lb_child *child, void *tag, const struct rota_load_report *report)
{
    struct rota_lb_cmds cmds = {node};

    if (may_deliver(node) && node->class->on_report != NULL)
        node->class->on_report(node->state, child, tag, report, node->tree->now_ns, &cmds);
}

void rota_lb_tree_report(struct rota_lb_tree *tree, struct rota_lb_subchannel *hold, const struct rota_load_report *report, int64_t now_ns)
{
    ROTA_ASSERT(!tree->running);
    if (hold->freed)
        return;
    tree->now_ns = now_ns;
    tree->running = true;
    if (hold->own_report_ns != 0)
        deliver_report(hold->node, NULL, hold->tag, report);
    /* What one of them frees is only marked until the queue runs. */
    for (struct rota_lb_child *node = hold->node; node->parent != NULL; node = node->parent)
        if (node->report_ns != 0 && !node->freed)
            deliver_report(node->parent, node, node->tag, report);
    rota_lb_tree_run(tree);
}

void rota_lb_tree_exit_idle(struct rota_lb_tree *tree, int64_t now_ns)
{
    rota_lb_work_add(tree, &tree->root->work, ROTA_LB_NODE_EXIT_IDLE);
    if (tree->running)
        return;
    tree->now_ns = now_ns;
    rota_lb_tree_run(tree);
}

void rota_lb_tree_timer(struct rota_lb_tree *tree, int64_t now_ns)
{
    struct rota_heap_node *first;

    /* All that are due leave the heap before any of them runs, so one that asks for the same time again waits its turn. */
    while ((first = rota_heap_first(&tree->wakes)) != NULL && first->key <= now_ns) {
        struct rota_lb_child *node = ROTA_CONTAINER(first, struct rota_lb_child, wake);
        (void)rota_heap_set(&tree->wakes, first, INT64_MAX); /* moving one cannot fail */
        rota_lb_work_add(tree, &node->work, ROTA_LB_NODE_TIMER);
    }
    if (tree->feed_ns <= now_ns)
        feed_starved(tree);
    if (tree->running)
        return;
    tree->now_ns = now_ns;
    tree->told_wake_ns = INT64_MAX; /* the owner's timer has fired */
    rota_lb_tree_run(tree);
}

enum rota_conn_state rota_lb_tree_state(const struct rota_lb_tree *tree)
{
    return tree->root->conn;
}
