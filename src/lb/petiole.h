/* petiole.h - what round_robin and its kin share: a pick_first below them for each endpoint, the set of those that are READY, their
 * states counted (gRFC A61: such a policy is a petiole, the stalk that carries leaves).
 *
 * A leaf stays as long as its endpoint is listed: endpoints are matched by pointer from both ends of the list, then by
 * their set of addresses; what was not matched costs, what was does not. Two endpoints with the same
 * addresses are one. Leaves that leave the list while READY serve on (retired) until a listed one is READY or all of those have failed.
 * Connections are begun from a random place of the list, and the READY leaves stand in an order that differs from client to client.
 */
#ifndef ROTA_LB_PETIOLE_H
#define ROTA_LB_PETIOLE_H

#include "base/list.h"
#include "base/map.h"
#include "lb/slow_start.h"
#include <rota/lb.h>

/* The tag of its child. A policy's own per-endpoint data may follow in a struct that begins with this one. */
struct rota_leaf {
    struct rota_lb_child *child; /* NULL: of a lazy petiole, and not woken yet */
    const struct rota_endpoint *endpoint; /* referenced */
    struct rota_leaf *same_hash;          /* another leaf with this identity hash */
    uint64_t hash;
    struct rota_link retired; /* or, of one that is gone, in the list of those */
    int64_t cold_since_ns; /* when it last came up cold; 0: never, or there is no slow start */
    uint32_t ready_place; /* 1 + index in ready; 0: not READY */
    uint8_t conn;         /* as counted: TRANSIENT_FAILURE until READY */
    bool unmatched;       /* in an update: listed so far, not yet met in the new list */
    bool is_retired;
    /* What picks read and write comes last, beside what the policy adds. */
    bool is_gone; /* dropped, and kept only because calls are under way */
    uint32_t n_calls; /* under way, of policies that count them */
};

struct rota_petiole;

/* What a policy adds to its leaves; any but leaf_size may be NULL. None of these may give commands. */
struct rota_leaf_hooks {
    size_t leaf_size; /* of a struct that begins with struct rota_leaf */
    bool lazy; /* a leaf has no child before rota_petiole_wake, and none serves on once it is not listed */
    /* A new leaf, or one whose endpoint is to be another object from now on. ROTA_ENOMEM: nothing has changed. */
    rota_err (*take_endpoint)(struct rota_petiole *p, struct rota_leaf *leaf, const struct rota_endpoint *endpoint);
    void (*come)(struct rota_petiole *p, struct rota_leaf *leaf); /* into `ready` */
    void (*move)(struct rota_petiole *p, struct rota_leaf *leaf); /* to another place of it, since another one comes or leaves */
    void (*leave)(struct rota_petiole *p, struct rota_leaf *leaf); /* is about to leave `ready` */
    void (*drop)(struct rota_petiole *p, struct rota_leaf *leaf); /* undoes take_endpoint; not called by rota_petiole_fini */
};

/* All that most picks read of a leaf: two to a line of cache, where the leaf, its child and that one's state are a line or two each, and seldom at hand when
 * there are thousands. */
struct rota_ready {
    struct rota_lb_subchannel *subchannel; /* of every pick of the child until it changes; NULL: ask it */
    struct rota_lb_child *child;
    struct rota_leaf *leaf;
    uint32_t weight; /* for the policy's use; 0 when it comes in */
};

struct rota_listed {
    const struct rota_endpoint *endpoint; /* the leaf's, so that comparing lists does not touch the leaves */
    struct rota_leaf *leaf;
};

struct rota_petiole {
    /* Read by every pick. */
    struct rota_ready *ready;
    uint32_t n_ready;
    uint32_t cursor; /* whose turn is next */
    bool turned;     /* a turn was taken since ready was empty */
    int64_t cold_until_ns; /* no leaf is cold any more from then on */
    /* Not. */
    const struct rota_lb_env *env;
    struct rota_lb_config *leaf_config;
    const struct rota_leaf_hooks *hooks;
    struct rota_listed *listed; /* in the list's order */
    size_t n_listed;
    uint32_t counts[ROTA_CONN_SHUTDOWN + 1]; /* of listed leaves, by conn */
    struct rota_idmap by_hash;
    struct rota_link retired, gone;
    size_t cap_ready, n_leaves; /* listed and retired */
    uint64_t seed;
    struct rota_slow_start slow_start; /* set before init */
    int64_t report_ns; /* how often the policy wants reports out of band of each leaf; 0: not. Set before init */
    struct rota_status failure; /* the last of any leaf's */
};

/* hooks: NULL for a policy that adds nothing. ROTA_ENOTFOUND: env knows no pick_first. */
rota_err rota_petiole_init(struct rota_petiole *p, const struct rota_lb_env *env, const struct rota_leaf_hooks *hooks);
void rota_petiole_fini(struct rota_petiole *p); /* also after a failed init, or zeroed */

/* ROTA_ENOMEM: endpoints there was no memory for are left out, or, if ret_changed is not written, nothing has changed.
 * ret_changed: `ready` has. */
rota_err rota_petiole_list(struct rota_petiole *p, const struct rota_endpoint *const *endpoints, size_t count, struct rota_lb_cmds *cmds,
                           bool *ret_changed);

/* The on_child of the policy: true when `ready` has changed. The leaf may be gone afterwards. */
bool rota_petiole_child(struct rota_petiole *p, struct rota_leaf *leaf, enum rota_conn_state conn, const struct rota_status *why,
                        struct rota_lb_cmds *cmds);

/* Has a leaf that is IDLE connect. ROTA_ENOMEM: it stays as it is. */
rota_err rota_petiole_wake(struct rota_petiole *p, struct rota_leaf *leaf, struct rota_lb_cmds *cmds);

/* READY if any is; TRANSIENT_FAILURE if all are, or there are none; else CONNECTING: for policies whose leaves are never left IDLE. */
enum rota_conn_state rota_petiole_state(const struct rota_petiole *p);

/* Round robin; n_ready must not be 0. */
static inline const struct rota_ready *rota_petiole_turn(struct rota_petiole *p)
{
    uint32_t at = p->cursor;

    p->cursor = at + 1 < p->n_ready ? at + 1 : 0;
    p->turned = true;
    return &p->ready[at];
}

/* --- Slow start: where the policy has one; else these cost a comparison --- */

/* A child of a policy with slow start is READY: it may be cold. Before rota_petiole_child. */
void rota_petiole_chill(struct rota_petiole *p, struct rota_leaf *leaf, int64_t now_ns);

bool rota_petiole_takes_cold(const struct rota_petiole *p, const struct rota_leaf *leaf, int64_t now_ns);
const struct rota_ready *rota_petiole_turn_cold(struct rota_petiole *p, int64_t now_ns);
uint32_t rota_petiole_sample_cold(const struct rota_petiole *p, int64_t now_ns);

/* Whether the leaf that was chosen is to be taken; if not, choose again, up to ROTA_SLOW_START_TRIES times. */
static inline bool rota_petiole_takes(const struct rota_petiole *p, const struct rota_leaf *leaf, int64_t now_ns)
{
    return now_ns >= p->cold_until_ns || rota_petiole_takes_cold(p, leaf, now_ns);
}

/* Round robin, and a place in `ready` by chance. */
static inline const struct rota_ready *rota_petiole_next(struct rota_petiole *p, int64_t now_ns)
{
    return now_ns >= p->cold_until_ns ? rota_petiole_turn(p) : rota_petiole_turn_cold(p, now_ns);
}

static inline uint32_t rota_petiole_sample(const struct rota_petiole *p, int64_t now_ns)
{
    return now_ns >= p->cold_until_ns ? rota_lb_random_below(p->env, p->n_ready) : rota_petiole_sample_cold(p, now_ns);
}

/* After a pick of the winner's leaf that was OK: if the call has been there before, the first READY leaf from there on where it has
 * not, if there is one. *ret_pick is that leaf's. */
const struct rota_ready *rota_petiole_elsewhere(const struct rota_petiole *p, const struct rota_ready *winner, const struct rota_call_info *call,
                                                struct rota_pick *ret_pick);

/* The subchannel that every pick of this child chooses until its next update; NULL unless it is a pick_first of ours with a connection. (pick.c) */
struct rota_lb_subchannel *rota_lb_child_sole(const struct rota_lb_child *child);

/* Asks the winner's leaf, or one elsewhere; *winner is then who it was. */
static inline enum rota_pick_verdict rota_petiole_ask(const struct rota_petiole *p, const struct rota_ready **winner, const struct rota_call_info *call,
                                                      struct rota_pick *ret_pick)
{
    enum rota_pick_verdict verdict = ROTA_PICK_OK;

    if ((*winner)->subchannel != NULL && call->trace == NULL)
        ret_pick->subchannel = (*winner)->subchannel;
    else
        verdict = rota_lb_child_pick((*winner)->child, call, ret_pick);
    if (call->n_avoid > 0 && verdict == ROTA_PICK_OK)
        *winner = rota_petiole_elsewhere(p, *winner, call, ret_pick);
    if (call->trace != NULL)
        rota_lb_trace_winner(call, (*winner)->leaf->endpoint);
    return verdict;
}

/* Counting calls: what begin returns is the pick's cookie; end undoes it, and the leaf may be gone afterwards. */
static inline uint64_t rota_leaf_begin(struct rota_leaf *leaf)
{
    leaf->n_calls++;
    return (uint64_t)(uintptr_t)leaf;
}

static inline struct rota_leaf *rota_leaf_of(uint64_t cookie)
{
    return (struct rota_leaf *)(uintptr_t)cookie;
}

void rota_petiole_end(struct rota_petiole *p, struct rota_leaf *leaf);

#endif
