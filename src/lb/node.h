/* node.h - a policy in the tree, and the work queue: what tree.c, commands.c and pick.c share.
 *
 * The queue is made of links inside nodes and holds, so that queueing cannot fail. An object is in it at most once;
 * `todo` says what for. Policies see none of this: they include rota/lb.h only.
 */
#ifndef ROTA_LB_NODE_H
#define ROTA_LB_NODE_H

#include "base/heap.h"
#include "base/map.h"
#include "lb/config.h"
#include "lb/tree.h"

enum rota_lb_work_kind { ROTA_LB_WORK_NODE, ROTA_LB_WORK_HOLD };

/* In the order in which they are done. */
enum rota_lb_node_todo {
    ROTA_LB_NODE_FREE = 1,
    ROTA_LB_NODE_UPDATE = 2, /* tell the parent */
    ROTA_LB_NODE_TIMER = 4,
    ROTA_LB_NODE_ENDPOINTS = 8,
    ROTA_LB_NODE_EXIT_IDLE = 16,
};

enum rota_lb_hold_todo {
    ROTA_LB_HOLD_PUT = 1,
    ROTA_LB_HOLD_EVENT = 2,
    ROTA_LB_HOLD_CONNECT = 4,
    ROTA_LB_HOLD_REPORTS = 8,
};

/* A list on its way to a node, referenced; empty when endpoints is NULL. */
struct rota_lb_given {
    const struct rota_endpoint **endpoints; /* &one when there is one */
    const struct rota_endpoint *one;
    size_t count;
};

/* The healths that one node has for endpoints. */
struct rota_lb_healths {
    struct rota_idmap by_hash; /* chained by same_hash */
};

struct rota_lb_health {
    struct rota_lb_child *node; /* whose it is */
    void *tag;
    const struct rota_endpoint *endpoint; /* referenced */
    struct rota_lb_health *same_hash;
    uint64_t hash;
    struct rota_link heeders; /* nodes, by heeding */
    struct rota_lb_health *above; /* the next policy's upwards that has one for the endpoint; NULL: none */
    struct rota_link below, beside; /* those whose `above` it is, by beside */
    bool is_unhealthy;
    bool given_up; /* by its policy; kept for its heeders and those below, should the endpoint come back */
    struct rota_status why; /* when it is */
};

struct rota_lb_child {
    struct rota_lb_tree *tree;
    struct rota_lb_child *parent; /* NULL: the root */
    void *tag;                    /* the parent's */
    struct rota_link link;        /* in the parent's children; a zombie's: in the tree's zombies */
    struct rota_link children, holds;
    struct rota_lb_work work;
    struct rota_heap_node wake;
    struct rota_lb_given given;
    struct rota_lb_healths *healths; /* NULL: none */
    struct rota_lb_health *health;   /* heeded, with all above it; NULL: none */
    struct rota_link heeding;
    int64_t report_ns; /* how often its parent wants load reports; 0: not at all */
    struct rota_status *why; /* of the last update to TRANSIENT_FAILURE; NULL when there was no memory for it */
    uint32_t n_picks;        /* OK picks whose on_done is to come; counted only when it listens */
    uint8_t conn;            /* of the last update */
    uint8_t n_listeners;     /* from the root down to this */
    bool heeds;              /* its parent has it heed health, also the servers' own */
    bool freed;              /* by the parent: no more events */
    bool muted;              /* asks for no re-resolution */
    bool counts;             /* its parent wants the census */
    bool trusted;            /* by its parent */
    bool trusting;           /* of one that heeds health: it, or one above it, is trusted */
    uint8_t standing;        /* of one that heeds health, in the censuses above it */
    struct rota_lb_census census;
    bool finished;           /* a zombie: the policy is gone */
    /* The hot end, next to the policy's state, so that a pick reads few lines of cache. */
    bool listens; /* has on_done */
    const struct rota_lb_class *class;
    enum rota_pick_verdict (*pick)(void *state, const struct rota_call_info *call, struct rota_pick *ret_pick);
    void *state; /* behind this struct, in the same block */
};

struct rota_lb_tree {
    const struct rota_lb_env *env;
    const struct rota_lb_owner *owner_class;
    void *owner;
    struct rota_lb_child *root;
    struct rota_link work;
    struct rota_link zombies; /* finished nodes that picks still name */
    struct rota_heap wakes;   /* every node that has on_timer, always, so that setting a time cannot fail */
    int64_t now_ns;
    int64_t told_wake_ns; /* to the owner */
    int64_t feed_ns;      /* when nodes that keep a list they lacked the memory for get it again; INT64_MAX: there are none */
    rota_err failure;     /* the first of this run */
    bool running;
    bool root_updated, want_reresolve;
    struct rota_status pick_why; /* of a pick that set something going */
};

/* What a policy's function gets. */
struct rota_lb_cmds {
    struct rota_lb_child *node;
};

/* Queues the object's work; nothing happens to what is queued already but that `todo` is added. */
void rota_lb_work_add(struct rota_lb_tree *tree, struct rota_lb_work *work, uint8_t todo);

/* Delivers all that is queued, unless that is going on already. */
void rota_lb_tree_run(struct rota_lb_tree *tree);

rota_err rota_lb_node_new(struct rota_lb_tree *tree, struct rota_lb_child *parent, const struct rota_lb_config *config, void *tag,
                          struct rota_lb_child **ret_node);
/* With all below it; at once. */
void rota_lb_node_free(struct rota_lb_child *node);
void rota_lb_zombie_free(struct rota_lb_child *node);
void rota_lb_hold_free(struct rota_lb_subchannel *hold);

/* Asks for re-resolution once the run is over, unless the node or one above it is muted. */
void rota_lb_node_reresolve(struct rota_lb_child *node);

/* Takes references to the endpoints in place of what is there. ROTA_ENOMEM: that stays. */
rota_err rota_lb_given_set(const struct rota_alloc *alloc, struct rota_lb_given *given, const struct rota_endpoint *const *endpoints,
                           size_t count);
void rota_lb_given_move(struct rota_lb_given *to, struct rota_lb_given *from); /* to: empty; from is empty afterwards */
void rota_lb_given_clear(const struct rota_alloc *alloc, struct rota_lb_given *given);

/* Forgets all that the node has and heeds of health; it is counted no more. */
void rota_lb_health_clear(struct rota_lb_child *node);

/* What the servers of its connections say; the worst counts. */
enum rota_lb_serving rota_lb_node_serving(const struct rota_lb_child *node);

/* What is wrong with the endpoint by the word of the nearest policy that complains; NULL: none does. */
static inline const struct rota_lb_health *rota_lb_node_ailment(const struct rota_lb_child *node)
{
    const struct rota_lb_health *health = node->health;

    while (health != NULL && !health->is_unhealthy)
        health = health->above;
    return health;
}

/* The node's state as others see it: what it heeds stands before its own READY. */
enum rota_conn_state rota_lb_node_conn(const struct rota_lb_child *node);
/* What it heeds may have changed. */
void rota_lb_node_look_again(struct rota_lb_child *node);

/* How it stands may have changed: tells the censuses above it. */
void rota_lb_node_recount(struct rota_lb_child *node);

/* How often somebody wants load reports of the node's subchannels; 0: nobody. */
int64_t rota_lb_node_report_ns(const struct rota_lb_child *node);

/* Whether it or one above it is trusted. */
bool rota_lb_node_is_trusted(const struct rota_lb_child *node);

/* The failure a node stands for; never NULL. */
const struct rota_status *rota_lb_node_why(const struct rota_lb_child *node);

#endif
