/* core.h - the inside of struct rota_channel, shared by the files of this folder.
 *
 * Vocabulary: a resolution is one run of the resolver (resolution.c); a balance is one policy tree (balance.c), of which there
 * are two while a new policy warms up; a subchannel is the channel's way to an address (subchannel.c), a connection
 * is a transport connection it has or had (connection.c); an attempt is one stream of a call (attempt.c).
 *
 * Invariants:
 *  - Events of the resolver, of policies and of entry points only record and leave a note in `todo`; the channel's task works
 *    the notes off. So no policy or resolver is re-entered, and applications are called from a turn only.
 *  - `calls` holds every call that has not reported its end.
 *  - The struct goes when all of that has ended and the last call that somebody keeps was dropped (`refs`).
 */
#ifndef ROTA_CHANNEL_CORE_H
#define ROTA_CHANNEL_CORE_H

#include "base/arena.h"
#include "base/map.h"
#include "channel/backoff.h"
#include "channel/channel.h"
#include "channel/chunk_pool.h"
#include "channel/config.h"
#include "channel/retry_budget.h"
#include "channel/throttle.h"
#include "lb/tree.h"
#include "wire/zip.h"

struct rota_attempt;
struct rota_balance;
struct rota_resolution;
struct rota_tries;

enum rota_channel_todo { /* in the order of being done */
    ROTA_TODO_SHUT = 1,      /* begin to close */
    ROTA_TODO_GONE = 2,      /* something ended that closing waits for */
    ROTA_TODO_REFRESH = 4,   /* ask the resolver again */
    ROTA_TODO_BALANCE = 8,   /* config or endpoint list changed, or a tree is to be replaced */
    ROTA_TODO_PICK = 16,     /* waiting attempts may be luckier now */
    ROTA_TODO_STATE = 32,    /* tell the watcher */
};

struct rota_channel_limits {
    size_t max_reply_bytes, max_request_bytes, send_queue_bytes;
    int64_t connect_timeout_ns, backoff_initial_ns, backoff_max_ns;
    int64_t idle_timeout_ns; /* INT64_MAX: never */
    int64_t keepalive_time_ns, keepalive_timeout_ns;
    bool keepalive_without_calls;
    bool no_health_checks;
    enum rota_config_lookup config_lookup;
    bool gzip; /* requests, unless a call says otherwise */
    uint32_t max_attempts;
    uint32_t max_connections; /* of a subchannel */
    size_t retry_buffer_bytes, retry_buffers_bytes; /* a call's, all calls' */
};

/* Whom to tell of picks. */
struct rota_explainer {
    rota_explain tell; /* NULL: nobody */
    void *arg;
};

/* Since the channel was made. */
struct rota_channel_counts {
    uint64_t calls, attempts, retries, transparent_retries, hedges, throttled, over_budget;
};

struct rota_channel {
    struct rota_channel_parts parts;
    struct rota_host *host;
    const struct rota_alloc *alloc;
    const struct rota_log *log;
    struct rota_lb_env env;
    struct rota_channel_limits limits;
    uint32_t refs; /* the channel itself, and each call kept after its end */

    struct rota_target *target;
    const struct rota_resolver_class *resolver;
    char *authority, *user_agent;
    char *zone; /* env's; "": none */
    bool secure; /* TLS, which the dialer speaks */
    struct rota_client_interceptor *interceptors; /* owned; NULL: none */
    size_t n_interceptors;

    struct rota_host_task task;
    uint32_t todo;
    bool shut;       /* closing was asked for: no new calls */
    bool shut_begun; /* calls were cancelled, the rest is on its way out */
    void (*on_closed)(void *arg);
    void *on_closed_arg;

    enum rota_conn_state state;
    void (*on_state)(void *arg, enum rota_conn_state state);
    void *on_state_arg;
    struct rota_host_timer idle_timer; /* looks now and then whether the channel has been without calls for long enough */
    int64_t last_used_ns;

    struct rota_channel_config *own_config; /* of the options, or what gRPC takes without one */
    bool own_config_given;
    struct rota_channel_config *config; /* in use; NULL: the resolver's is bad and there is no other */
    bool config_resolved;               /* config is the resolver's */
    struct rota_host_timer config_timer; /* while config is NULL: asks the resolver again; else at INT64_MAX, but in the heap until the end */
    struct rota_backoff config_backoff;
    uint32_t config_draw; /* of a list of choices (gRFC A2); 0: not drawn yet */

    struct rota_resolution *resolution; /* NULL: idle, as it is when asleep */
    struct rota_link resolutions;       /* also those that are still closing */
    const struct rota_endpoint **endpoints; /* the last list; one reference each */
    size_t n_endpoints, endpoints_cap;
    bool asleep;           /* idle, though the resolver goes on: no trees are made */
    bool listed, list_new; /* a list has come; the trees have not seen it yet */
    bool lost;             /* memory did not suffice for a list or a config: the resolver is to be asked from the beginning */
    bool failed;           /* no list or no config can be had: `failure` says why picks fail */
    struct rota_status failure;
    struct rota_host_timer again_timer; /* repeats what memory did not suffice for; in the heap until the end, at INT64_MAX when not wanted */

    struct rota_balance *slots[2]; /* by slot number, which holds of subchannels are kept under */
    struct rota_balance *current, *pending;
    uint64_t last_balance_number;
    struct rota_map subchannels; /* by address text */
    struct rota_link connections;

    struct rota_link calls;
    struct rota_link waiting; /* attempts without a connection, oldest first */
    struct rota_call *spare_calls;
    struct rota_tries *spare_tries;
    struct rota_attempt *spare_attempts;
    size_t n_spare_calls, n_spare_tries, n_spare_attempts;
    struct rota_explainer explainer; /* told of each explain_every-th call */
    uint32_t explain_every, explain_left; /* 0: none; how many to go */
    struct rota_throttle throttle; /* as config says */
    struct rota_retry_budget retry_budget;
    struct rota_channel_counts counts;
    size_t kept_bytes; /* in the outboxes of all calls */
    const struct rota_alloc *bulk; /* for messages that may be large */
    struct rota_chunk_pool *chunks;
    struct rota_zip zip;
    struct rota_arena scratch; /* request headers, until the transport has copied them */
};

/* The service config that calls go by is known: it has come by the first list, unless it was bad and there is no other. */
static inline bool rota_channel_is_configured(const struct rota_channel *channel)
{
    return channel->listed && channel->config != NULL;
}

/* channel.c */
void rota_channel_note(struct rota_channel *channel, enum rota_channel_todo todo);
void rota_channel_wake(struct rota_channel *channel); /* leaves IDLE */
void rota_channel_used(struct rota_channel *channel); /* the last call has ended */
void rota_channel_review(struct rota_channel *channel); /* works out the state anew */
void rota_channel_fail(struct rota_channel *channel, enum rota_code code, const char *format, ...) ROTA_PRINTF(3, 4);
void rota_channel_try_again(struct rota_channel *channel); /* BALANCE, the sides, and the resolution where it failed, once more in a second */

/* resolution.c */
rota_err rota_resolution_find(struct rota_channel *channel, const char *target, struct rota_errinfo *info); /* target and its resolver */
void rota_resolution_start(struct rota_channel *channel);
void rota_resolution_stop(struct rota_channel *channel);
void rota_resolution_restart(struct rota_channel *channel); /* stays with the last list until there is another */
void rota_resolution_refresh(struct rota_channel *channel);
void rota_resolution_ask_for_config(struct rota_host_timer *timer, int64_t now_ns); /* config_timer fires */

/* balance.c */
void rota_balance_apply(struct rota_channel *channel);
void rota_balance_try_again(struct rota_channel *channel); /* the next apply gives a list that was refused once more */
void rota_balance_drop_all(struct rota_channel *channel);
enum rota_conn_state rota_balance_state(const struct rota_balance *balance);
const char *rota_balance_trouble(const struct rota_channel *channel); /* what stands between calls and connections, or "" */
void rota_balance_exit_idle(struct rota_channel *channel);
/* Asks the current tree; without one, WAIT or FAIL as the resolver's fortune has it. *ret_number: for done. */
enum rota_pick_verdict rota_balance_pick(struct rota_channel *channel, const struct rota_call_info *call, struct rota_pick *ret_pick, uint64_t *ret_number);
/* Whether the tree of that number is still there and wants to hear of the pick's end. */
bool rota_balance_listens(const struct rota_channel *channel, const struct rota_pick *pick, uint64_t number);
void rota_balance_done(struct rota_channel *channel, const struct rota_pick *pick, const struct rota_outcome *outcome);
/* A hold made by the tree in `slot` learns of its subchannel's state. */
void rota_balance_tell(struct rota_channel *channel, unsigned slot, struct rota_lb_subchannel *hold, enum rota_conn_state state, const struct rota_status *why);

/* What the server at its connection says of itself, and of its load. Events of the latter kind only from a stream's. */
void rota_balance_serving(struct rota_channel *channel, unsigned slot, struct rota_lb_subchannel *hold, enum rota_lb_serving serving,
                          const struct rota_status *why);
void rota_balance_report(struct rota_channel *channel, unsigned slot, struct rota_lb_subchannel *hold, const struct rota_load_report *report);

/* queue.c */
void rota_queue_add(struct rota_attempt *attempt);
void rota_queue_run(struct rota_channel *channel);

/* call.c */
void rota_call_cancel_all(struct rota_channel *channel);
void rota_call_free_spares(struct rota_channel *channel);

#endif
