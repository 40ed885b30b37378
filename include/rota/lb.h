/* rota/lb.h - how a channel chooses a connection for each call: the table a policy fills in.
 *
 * A policy is a state machine without I/O or clock: the channel feeds it events; whatever it wants done it
 * writes as commands into `cmds`, carried out after the function has returned, so a policy is never re-entered.
 * Policies compose: a parent makes children, hands them endpoints and asks them in its own pick; a child reports
 * to its parent by rota_lb_update, delivered to the parent's on_child afterwards.
 * Threading: called on the thread of the channel's loop, one call at a time.
 * Ownership: arguments are borrowed until the function returns. Terms: gRPC (gRFC A61, A62; doc/load-balancing.md).
 */
#ifndef ROTA_LB_H
#define ROTA_LB_H

#include <rota/endpoint.h>
#include <rota/load.h>
#include <rota/log.h>
#include <rota/measure.h>
#include <rota/metadata.h>
#include <rota/status.h>

ROTA_BEGIN_DECLS

enum rota_conn_state {
    ROTA_CONN_IDLE,
    ROTA_CONN_CONNECTING,
    ROTA_CONN_READY,
    ROTA_CONN_TRANSIENT_FAILURE,
    ROTA_CONN_SHUTDOWN,
};

ROTA_API const char *rota_conn_state_name(enum rota_conn_state state);

enum rota_pick_verdict {
    ROTA_PICK_OK,   /* pick->subchannel is filled in */
    ROTA_PICK_WAIT, /* hold the call until the policy's next update */
    ROTA_PICK_FAIL, /* fail the call with pick->why, or hold it if it waits for ready */
    ROTA_PICK_DROP, /* fail the call with pick->why, whatever it asked for; never retried */
};

struct rota_lb_cmds;       /* the commands of the function that is running */
struct rota_lb_subchannel; /* one connection to one address, made by a policy */
struct rota_lb_child;      /* a policy below this one */
struct rota_rng;           /* use rota_lb_random_below, rota_lb_random_unit */
struct rota_pick_trace;    /* rota/explain.h */
struct rota_explained_pick;
typedef void (*rota_explain)(void *arg, const struct rota_explained_pick *pick); /* rota/explain.h */

struct rota_call_info {
    const char *path; /* "/package.Service/Method" */
    int64_t now_ns;
    int64_t deadline_ns; /* INT64_MAX: none */
    const struct rota_metadata *metadata; /* what the application sends; may be NULL */
    uint32_t attempt;                     /* 0 for the first */
    bool streaming; /* in one direction at least: how long it takes says nothing of the server */
    /* Where the call has been already: see rota_lb_pick_avoided. */
    uint32_t n_avoid;
    const void *const *avoid;
    struct rota_pick_trace *trace; /* NULL, unless somebody wants to know why: see rota_lb_trace */
};

#define ROTA_PICK_DEPTH 6

struct rota_pick {
    struct rota_lb_subchannel *subchannel; /* with ROTA_PICK_OK */
    const struct rota_status *why;         /* with FAIL and DROP: lives until the policy's next event; NULL: what it last gave rota_lb_update */
    bool exit_idle; /* with any verdict: call on_exit_idle after this pick */
    /* Policies on the way that want on_done; filled in by rota_lb_child_pick and the channel. */
    uint8_t depth;
    struct {
        void *node;
        uint64_t cookie;
    } path[ROTA_PICK_DEPTH];
    uint64_t cookie; /* set by a policy's pick for its own on_done; after it has asked a child, which may write here too */
};

/* How an attempt ended, as policies learn from it. */
struct rota_outcome {
    struct rota_status status;
    int64_t started_ns, ended_ns;
    bool sent;                             /* it reached the wire */
    const struct rota_metadata *trailers;  /* may be NULL */
    uint32_t attempt; /* as in struct rota_call_info */
    bool superseded;  /* CANCELLED because another attempt of the call won: says nothing about the server but that it took so long */
};

struct rota_lb_env {
    const struct rota_alloc *alloc;
    struct rota_rng *rng;
    const struct rota_log *log;
    const struct rota_lb_class *const *classes; /* what a service config may name; NULL-terminated */
    const char *zone; /* where the program runs; NULL: it was not told */
    void (*measure)(void *arg, enum rota_measure what, double value); /* NULL: nobody wants to know */
    void *measure_arg;
};

struct rota_lb_class {
    const char *name;  /* as in the service config: "round_robin" */
    size_t state_size; /* allocated per instance, zeroed */

    /* Reads the policy's JSON object from a service config into *ret_config (freed by free_config).
     * Both NULL for a policy without parameters. ROTA_EPARSE makes the whole service config invalid; info, never NULL, is for the reason. */
    rota_err (*parse)(const struct rota_lb_env *env, struct rota_slice json, void **ret_config, struct rota_errinfo *info);
    void (*free_config)(const struct rota_lb_env *env, void *config);

    /* config outlives the instance; NULL where parse is NULL. env outlives it too. */
    rota_err (*init)(void *state, const struct rota_lb_env *env, const void *config);
    void (*fini)(void *state); /* also after a failed init. Subchannels and children left are freed by the channel. */

    /* A new list, complete. ROTA_EINVAL: the list cannot be used (empty): the channel asks for re-resolution. */
    rota_err (*on_endpoints)(void *state, const struct rota_endpoint *const *endpoints, size_t count, int64_t now_ns,
                             struct rota_lb_cmds *cmds);
    /* The resolver failed and no list has ever come; why is the error to fail picks with. A channel makes its policies with the first list and
     * answers calls itself until then, so this comes from owners of trees that begin without one (the conformance suite). May be NULL. */
    void (*on_resolver_error)(void *state, const struct rota_status *why, int64_t now_ns, struct rota_lb_cmds *cmds);
    /* A subchannel changed. why: the failure, when conn is TRANSIENT_FAILURE; else NULL. NULL in policies without subchannels. */
    void (*on_conn)(void *state, struct rota_lb_subchannel *subchannel, void *tag, enum rota_conn_state conn,
                    const struct rota_status *why, int64_t now_ns, struct rota_lb_cmds *cmds);
    /* A child called rota_lb_update. NULL in policies without children. */
    void (*on_child)(void *state, struct rota_lb_child *child, void *tag, enum rota_conn_state conn, const struct rota_status *why,
                     int64_t now_ns, struct rota_lb_cmds *cmds);
    /* At or after the time asked for by the last rota_lb_wake_at. May be NULL. */
    void (*on_timer)(void *state, int64_t now_ns, struct rota_lb_cmds *cmds);
    /* Leave IDLE: connect. */
    void (*on_exit_idle)(void *state, int64_t now_ns, struct rota_lb_cmds *cmds);

    /* Hot path: must not allocate. The time is call->now_ns. */
    enum rota_pick_verdict (*pick)(void *state, const struct rota_call_info *call, struct rota_pick *ret_pick);
    /* Exactly once per pick that returned OK, with the cookie it set, unless fini came first. May be NULL. */
    void (*on_done)(void *state, uint64_t cookie, const struct rota_outcome *outcome);
    /* A report asked for with rota_lb_child_reports, by a server that a subchannel below the child leads to; or, child NULL, with
     * rota_lb_subchannel_reports, and tag is the subchannel's. May be NULL in policies that do not ask. */
    void (*on_report)(void *state, struct rota_lb_child *child, void *tag, const struct rota_load_report *report, int64_t now_ns,
                      struct rota_lb_cmds *cmds);
};

/* --- Commands, valid inside the on_ functions --- */

/* A subchannel in IDLE to one address of an endpoint; `tag` comes back in on_conn. The channel shares connections between
 * subchannels of the same address, so the first on_conn may say READY. ROTA_ENOMEM. */
ROTA_API ROTA_MUST_USE rota_err rota_lb_subchannel_new(struct rota_lb_cmds *cmds, const struct rota_endpoint *endpoint, size_t address_index,
                                                       void *tag, struct rota_lb_subchannel **ret_subchannel);
ROTA_API void rota_lb_subchannel_free(struct rota_lb_cmds *cmds, struct rota_lb_subchannel *subchannel); /* no on_conn afterwards; NULL is fine */
ROTA_API void rota_lb_connect(struct rota_lb_cmds *cmds, struct rota_lb_subchannel *subchannel); /* out of IDLE; during backoff: when it ends */
ROTA_API void rota_lb_update(struct rota_lb_cmds *cmds, enum rota_conn_state conn, const struct rota_status *why); /* the policy's own state; picks held are tried again */
ROTA_API void rota_lb_reresolve(struct rota_lb_cmds *cmds);
ROTA_API void rota_lb_wake_at(struct rota_lb_cmds *cmds, int64_t at_ns); /* one timer a policy; INT64_MAX clears it */

/* --- Children --- */

struct rota_lb_config; /* a policy's name and parsed parameters */

/* Reads a loadBalancingConfig list: the first entry whose policy is known; its own error is final (gRFC A24). */
ROTA_API ROTA_MUST_USE rota_err rota_lb_config_parse(const struct rota_lb_env *env, struct rota_slice json_list, struct rota_lb_config **ret_config,
                                                     struct rota_errinfo *info);
/* The policy of that name without parameters. ROTA_ENOTFOUND, ROTA_EPARSE (it needs some). */
ROTA_API ROTA_MUST_USE rota_err rota_lb_config_named(const struct rota_lb_env *env, const char *name, struct rota_lb_config **ret_config);
ROTA_API void rota_lb_config_free(struct rota_lb_config *config);
ROTA_API const char *rota_lb_config_name(const struct rota_lb_config *config);

/* The config must outlive the child. ROTA_ENOMEM, ROTA_ELIMIT (more than ROTA_PICK_DEPTH policies with on_done on one path) or
 * init's own error. */
ROTA_API ROTA_MUST_USE rota_err rota_lb_child_new(struct rota_lb_cmds *cmds, const struct rota_lb_config *config, void *tag, struct rota_lb_child **ret_child);
ROTA_API void rota_lb_child_free(struct rota_lb_cmds *cmds, struct rota_lb_child *child); /* no on_child afterwards; NULL is fine */
/* The child's on_endpoints runs later; should it fail, the channel asks for re-resolution, and for want of memory it runs again each second. ROTA_ENOMEM: nothing was handed on. */
ROTA_API ROTA_MUST_USE rota_err rota_lb_child_endpoints(struct rota_lb_cmds *cmds, struct rota_lb_child *child,
                                                        const struct rota_endpoint *const *endpoints, size_t count);
/* From now on no wish for re-resolution of the child, or of any below it, is passed on. */
ROTA_API void rota_lb_child_mute(struct rota_lb_cmds *cmds, struct rota_lb_child *child);
ROTA_API void rota_lb_child_exit_idle(struct rota_lb_cmds *cmds, struct rota_lb_child *child);

/* --- Load reports out of band (gRFC A51): one stream for each connection, in the shortest of the periods asked for by all its users ---
 * A server may have a longer minimum, 30 s by default; from one that does not have the service nothing comes. Every policy on the way up
 * that asked hears of a report, the lowest first. period_ns 0: no more. */
ROTA_API void rota_lb_child_reports(struct rota_lb_cmds *cmds, struct rota_lb_child *child, int64_t period_ns);
ROTA_API void rota_lb_subchannel_reports(struct rota_lb_cmds *cmds, struct rota_lb_subchannel *subchannel, int64_t period_ns);

/* Only inside pick. A parent that got OK returns OK with that pick; after any other verdict it may ask another child. A child's wish
 * to leave IDLE is seen to here: the parent need not pass it on. */
ROTA_API enum rota_pick_verdict rota_lb_child_pick(struct rota_lb_child *child, const struct rota_call_info *call, struct rota_pick *ret_pick);

/* Whether an earlier attempt of the call went where this pick (OK) would: a policy with another READY endpoint may rather choose that. */
ROTA_API bool rota_lb_pick_avoided(const struct rota_call_info *call, const struct rota_pick *pick);

/* --- Explained picks (rota/explain.h); only inside pick. Without call->trace nothing happens: test it before you gather what to say --- */

/* What was considered: an endpoint, or NULL for a word about the policy as a whole. score: in the policy's own measure, NAN for none. */
ROTA_API void rota_lb_trace(const struct rota_call_info *call, const struct rota_endpoint *endpoint, double score, const char *format, ...) ROTA_PRINTF(4, 5);
/* The one that the policy settles on, noted before or not; the last word counts. */
ROTA_API void rota_lb_trace_winner(const struct rota_call_info *call, const struct rota_endpoint *endpoint);

/* --- Health: what a policy knows of endpoints beyond their connections (gRFC A50, A61) ---
 * A policy makes a health for each endpoint before it hands the list to a child. One further down that has a child of its own for each
 * endpoint (round_robin and its kin) lets that child heed it: while the endpoint is said to be unhealthy the child's READY reaches its
 * parent as TRANSIENT_FAILURE and its picks fail, though the connection stays. Of several policies above that know the endpoint each has its say.
 * Where the service config has a healthCheckConfig (gRFC A17), such a child also heeds what the servers say: its READY reaches its parent as
 * CONNECTING until the server's first answer, and as TRANSIENT_FAILURE while the server says that it does not serve. */

struct rota_lb_health;

/* Healthy. tag comes back from rota_lb_pick_health. ROTA_ENOMEM. */
ROTA_API ROTA_MUST_USE rota_err rota_lb_health_new(struct rota_lb_cmds *cmds, const struct rota_endpoint *endpoint, void *tag,
                                                   struct rota_lb_health **ret_health);
ROTA_API void rota_lb_health_free(struct rota_lb_cmds *cmds, struct rota_lb_health *health); /* as if healthy; NULL is fine */
ROTA_API void rota_lb_health_set(struct rota_lb_cmds *cmds, struct rota_lb_health *health, const struct rota_status *why); /* NULL: healthy */
ROTA_API void rota_lb_child_heed(struct rota_lb_cmds *cmds, struct rota_lb_child *child, const struct rota_endpoint *endpoint);
/* Only inside pick, of a child's pick that was OK: the tag of the health that the policy with this state has for its endpoint. NULL: it has none. */
ROTA_API void *rota_lb_pick_health(const struct rota_pick *pick, const void *state);

/* The endpoints for which policies below a child have a child each that heeds health: how they stand. Those of ring_hash count from their first connection on. */
struct rota_lb_census {
    uint32_t endpoints;
    uint32_t ready; /* connected, healthy, serving as far as is known */
    uint32_t bad;   /* failed to connect, not READY since; or connected but unhealthy, or not serving. The rest is about to be known */
};

/* Has them counted, from the child's beginning: call it with rota_lb_child_new. on_child then also comes, with the child's state as it is, when a count changed. */
ROTA_API void rota_lb_child_count(struct rota_lb_cmds *cmds, struct rota_lb_child *child);
ROTA_API struct rota_lb_census rota_lb_child_census(const struct rota_lb_child *child);
/* trusted: what is said of endpoints' health, by policies or by servers, does not stop those below the child from using them. The census still has it. */
ROTA_API void rota_lb_child_trust(struct rota_lb_cmds *cmds, struct rota_lb_child *child, bool trusted);

/* --- Chance, from the channel's generator (scripted in tests) --- */
ROTA_API uint32_t rota_lb_random_below(const struct rota_lb_env *env, uint32_t bound);
ROTA_API double rota_lb_random_unit(const struct rota_lb_env *env);

/* The built-in policies. */
ROTA_API extern const struct rota_lb_class rota_lb_pick_first;
ROTA_API extern const struct rota_lb_class rota_lb_round_robin;
ROTA_API extern const struct rota_lb_class rota_lb_least_request;
ROTA_API extern const struct rota_lb_class rota_lb_random;
ROTA_API extern const struct rota_lb_class rota_lb_weighted_round_robin;
ROTA_API extern const struct rota_lb_class rota_lb_ring_hash;
ROTA_API extern const struct rota_lb_class rota_lb_random_subsetting;
ROTA_API extern const struct rota_lb_class rota_lb_weighted_target;
ROTA_API extern const struct rota_lb_class rota_lb_priority;
ROTA_API extern const struct rota_lb_class rota_lb_outlier_detection;
ROTA_API extern const struct rota_lb_class rota_lb_panic;
ROTA_API extern const struct rota_lb_class rota_lb_peak_ewma;
ROTA_API extern const struct rota_lb_class rota_lb_zone_aware;
ROTA_API extern const struct rota_lb_class rota_lb_adaptive;

ROTA_END_DECLS
#endif
