/* tree.h - runs a tree of policies: delivers events to nodes, carries their commands out afterwards, routes picks.
 *
 * The owner (a channel, a test, the simulator) provides connections through struct rota_lb_owner and feeds their states in.
 * Invariants: no policy function runs inside another's, except pick and on_done down the tree; commands run in the order
 * written, but what is asked of one object twice before it could run is done once, the last word counting (a parent
 * nevertheless sees each state its child had after an event); a freed node or subchannel gets no further event.
 * Nothing allocates in pick; carrying out commands needs no memory either, so none is ever lost.
 */
#ifndef ROTA_LB_TREE_H
#define ROTA_LB_TREE_H

#include "base/list.h"
#include <rota/lb.h>

struct rota_lb_tree;

/* What waits to be done for a node or a hold; the tree's business. */
struct rota_lb_work {
    struct rota_link link;
    uint8_t kind, todo;
};

/* What the server at the other end of a READY connection says of itself (gRFC A17). Of several, the greatest counts. */
enum rota_lb_serving {
    ROTA_LB_UNCHECKED, /* nobody asks it: as good as SERVING */
    ROTA_LB_NOT_SERVING,
    ROTA_LB_ASKED, /* no answer yet */
    ROTA_LB_SERVING,
};

/* One policy's hold on one address. `conn` is the owner's connection object, shared between holds as the owner likes. */
struct rota_lb_subchannel {
    void *conn;                /* the owner's, set by owner->get */
    struct rota_lb_subchannel *next_hold; /* for the owner's use: a list of holds on the same conn */
    int64_t report_ns; /* how often load reports are wanted; 0: not at all. The owner reads it */
    bool heeds;        /* wants to know whether the server serves. The owner reads it */
    bool due;          /* for the owner's use */
    /* The tree's own: */
    struct rota_lb_child *node; /* whose it is */
    void *tag;
    struct rota_link link; /* in the node's list */
    struct rota_lb_work work;
    struct rota_status *why; /* of a queued event */
    struct rota_status *ill; /* of NOT_SERVING; NULL: there was no memory */
    int64_t own_report_ns;   /* asked for by its node for this one */
    uint8_t queued_conn;
    uint8_t serving; /* as told; UNCHECKED while it is not READY */
    bool freed; /* waits for the queue to pass it */
};

struct rota_lb_owner {
    /* Finds or makes the connection for an address and stores it in hold->conn; if it is not IDLE the owner reports its state
     * by rota_lb_tree_conn, from inside this or later. Called inside a policy's function: no picks here. ROTA_ENOMEM. */
    rota_err (*get)(void *owner, const struct rota_endpoint *endpoint, size_t address_index, struct rota_lb_subchannel *hold);
    void (*put)(void *owner, struct rota_lb_subchannel *hold);     /* the hold goes away */
    void (*connect)(void *owner, struct rota_lb_subchannel *hold);
    void (*reports)(void *owner, struct rota_lb_subchannel *hold); /* hold->report_ns is another than it was when get was called. May be NULL */
    void (*reresolve)(void *owner);
    void (*wake_at)(void *owner, int64_t at_ns); /* the earliest of all nodes; INT64_MAX: none */
    /* The root's state. Held picks are to be tried again. */
    void (*update)(void *owner, enum rota_conn_state conn, const struct rota_status *why);
};

/* config and env must outlive the tree. The root is IDLE until its policy says otherwise. */
rota_err rota_lb_tree_new(const struct rota_lb_env *env, const struct rota_lb_config *config, const struct rota_lb_owner *owner_class, void *owner,
                          struct rota_lb_tree **ret_tree);
void rota_lb_tree_free(struct rota_lb_tree *tree); /* puts every hold back; NULL is fine. Not from inside an owner function. */

/* Each of these delivers the event and everything that follows from it before it returns. Called from inside an owner function they
 * only queue: the running one delivers; of several states of one hold queued like that only the last is. */
/* ROTA_EINVAL: the root cannot use the list; the tree has asked for re-resolution. ROTA_ENOMEM: the policies stay as they were
 * as far as they lacked memory; give the list again later. Those below the root that lack it, now or when a call, a time or a failure opens them,
 * try again each second by themselves. */
rota_err rota_lb_tree_endpoints(struct rota_lb_tree *tree, const struct rota_endpoint *const *endpoints, size_t count, int64_t now_ns);
void rota_lb_tree_resolver_error(struct rota_lb_tree *tree, const struct rota_status *why, int64_t now_ns);
void rota_lb_tree_conn(struct rota_lb_tree *tree, struct rota_lb_subchannel *hold, enum rota_conn_state conn, const struct rota_status *why,
                       int64_t now_ns);
/* For holds that heed it, whenever it changes. why: with NOT_SERVING. Of a hold whose connection leaves READY it is forgotten. */
void rota_lb_tree_serving(struct rota_lb_tree *tree, struct rota_lb_subchannel *hold, enum rota_lb_serving serving, const struct rota_status *why,
                          int64_t now_ns);
/* The same, delivered with the hold's next event: of one that is about to be told that it is READY. */
void rota_lb_hold_serving(struct rota_lb_subchannel *hold, enum rota_lb_serving serving, const struct rota_status *why);
/* For holds with report_ns. Not from inside an owner function. */
void rota_lb_tree_report(struct rota_lb_tree *tree, struct rota_lb_subchannel *hold, const struct rota_load_report *report, int64_t now_ns);
void rota_lb_tree_exit_idle(struct rota_lb_tree *tree, int64_t now_ns);
void rota_lb_tree_timer(struct rota_lb_tree *tree, int64_t now_ns);

/* pick->path and depth are handled here; a pick that asks for exit_idle has it done before this returns. ret_pick->why lives until the tree's
 * next pick or event. */
enum rota_pick_verdict rota_lb_tree_pick(struct rota_lb_tree *tree, const struct rota_call_info *call, struct rota_pick *ret_pick);
/* For each pick that returned OK, once, also when the call never started. Does nothing when no policy on the way listens.
 * The tree that picked must still be there: the owner forgets the picks of a tree it frees. */
void rota_lb_tree_done(struct rota_lb_tree *tree, const struct rota_pick *pick, const struct rota_outcome *outcome);
enum rota_conn_state rota_lb_tree_state(const struct rota_lb_tree *tree);

#endif
