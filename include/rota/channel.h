/* rota/channel.h - a client's view of a service: finds its servers, keeps connections, balances calls.
 *
 * Threading: a channel belongs to its loop. With options.loop NULL it makes a loop on a thread of its own; then, and on one of
 * rota_loop_thread_new, rota_channel_open, rota_channel_close, rota_channel_free and the blocking calls may be used from any thread, the
 * asynchronous ones only on the loop's: in callbacks, and in what rota_loop_post runs.
 * Ownership: target and options are copied; class tables, loop and log must outlive the channel.
 */
#ifndef ROTA_CHANNEL_H
#define ROTA_CHANNEL_H

#include <rota/lb.h>
#include <rota/loop.h>
#include <rota/message.h>
#include <rota/resolver.h>
#include <rota/tls.h>

ROTA_BEGIN_DECLS

struct rota_channel;
struct rota_client_interceptor;
struct rota_call_credentials;

struct rota_channel_options {
    size_t size;            /* set by ROTA_CHANNEL_OPTIONS_INIT */
    struct rota_loop *loop; /* NULL: a loop on a thread of its own */
    const struct rota_alloc *alloc; /* default: the loop's */
    const struct rota_log *log;     /* default: the loop's */
    const char *service_config;     /* gRPC's JSON; used unless the resolver brings one. Bad JSON: open fails with ROTA_EPARSE. */
    const struct rota_lb_class *const *policies;        /* NULL-terminated, in addition to the built-in ones and before them */
    const struct rota_resolver_class *const *resolvers; /* NULL-terminated, in addition to the built-in ones and before them */
    const char *authority;  /* of :authority; default: from the target */
    const char *user_agent; /* put before "rota-c/VERSION" */
    size_t max_reply_bytes; /* default 4 MiB; a longer message ends its call RESOURCE_EXHAUSTED */
    size_t max_request_bytes; /* default: none */
    size_t send_queue_bytes;  /* per call, before a write says ROTA_EAGAIN; default 64 KiB */
    int64_t connect_timeout_ms;  /* minimum given to a connection attempt; default 20 s; INT64_MAX: no end */
    int64_t backoff_initial_ms;  /* default 1 s, x 1.6 each failure, +-20 % */
    int64_t backoff_max_ms;      /* default 120 s */
    int64_t idle_timeout_ms;     /* without calls: connections are dropped; default 30 min, -1: never. Lists out of etcd are followed on */
    int64_t keepalive_time_ms;   /* gRFC A8; default: never; at least 10 s, see frequent_keepalive; doubled when a server says "too_many_pings" */
    int64_t keepalive_timeout_ms; /* default 20 s; with keepalive TCP_USER_TIMEOUT too (gRFC A18) */
    bool keepalive_without_calls;
    /* To every address, unix: too. NULL: plaintext to addresses of this machine (127.0.0.0/8, ::1, unix sockets), and calls that need
     * another one fail UNAVAILABLE; &rota_tls_insecure: plaintext to any. */
    const struct rota_tls_options *tls;
    enum rota_compression compression;  /* of requests, unless a call says otherwise */
    const struct rota_client_interceptor *interceptors; /* rota/interceptor.h; until one without hooks; default: none */
    const struct rota_call_credentials *credentials;    /* rota/credentials.h; of every call; default: none */
    bool no_health_checks; /* a service config's healthCheckConfig (gRFC A17) is not followed */
    /* Further attempts, which a service config's retryPolicy and hedgingPolicy ask for (docs/calls.md). The budget holds for both together:
     * over ten seconds they are at most that share of the calls that have such a policy, or the floor where that is more. */
    int32_t max_attempts;         /* of a call, the first included: default 5, 1 to 10; 1: neither retries nor hedges */
    int32_t retry_ratio_percent;  /* default 10, at most 1000; -1: none */
    int32_t retry_floor_per_s;    /* default 10, at most 1000000; -1: none */
    size_t retry_buffer_bytes;    /* of requests that a call keeps to send again; default 256 KiB. A call with more is not tried again. */
    size_t retry_buffers_bytes;   /* the same for all calls of the channel together; default 16 MiB */
    size_t max_window_bytes; /* flow control: a call's window grows with what the program takes up to this, a connection's to twice this; default 16 MiB;
                              * 1: they stay at 64 KiB and 1 MiB */
    rota_explain explain; /* rota/explain.h; told of every explain_every-th call's picks; default: none */
    void *explain_arg;
    uint32_t explain_every; /* 1: all calls; default 0: none */
    enum rota_config_lookup service_config_lookup; /* rota/resolver.h; what is found comes before service_config above */
    bool no_proxy; /* the HTTP proxies of the environment (docs/proxies.md) are not used */
    /* Default 10, 1 to 100; a service config's connectionScaling (gRFC A105), without which each address has one, may say less. */
    int32_t max_connections_per_subchannel;
    /* Where the program runs, as servers register it; "": nowhere. Default: ROTA_ZONE of the environment, but in a program with more rights than
     * its caller (set-user-ID, file capabilities), where that counts as not set. */
    const char *zone;
    bool frequent_keepalive; /* the servers allow it, as etcd's do: keepalive_time_ms may be as low as 1 s */
};
#define ROTA_CHANNEL_OPTIONS_INIT ROTA_SIZED(struct rota_channel_options)

/* Opens without connecting: the first call or rota_channel_connect does that. options NULL: defaults.
 * ROTA_EPARSE, ROTA_EINVAL (target, service config, option: info says which), ROTA_ENOTFOUND (no resolver for the scheme),
 * ROTA_EUNSUPPORTED (options.tls, and OpenSSL 3 cannot be loaded), ROTA_EIO (no loop or thread of its own), ROTA_ESTATE (options.loop was
 * made before a fork, docs/threading.md), ROTA_ENOMEM. Targets: docs/getting-started.md. */
ROTA_API ROTA_MUST_USE rota_err rota_channel_open(const char *target, const struct rota_channel_options *options, struct rota_channel **ret_channel,
                                                  struct rota_errinfo *info);

/* Ends every call with CANCELLED, closes connections, then frees; on_closed (may be NULL) comes last. With a loop of its own it comes from
 * another thread, which has ended the loop, maybe before this returns. */
ROTA_API void rota_channel_close(struct rota_channel *channel, void (*on_closed)(void *arg), void *arg);

/* The same, and waits until it is done (turning the loop when it is the caller's). NULL is fine. Not from a callback.
 * With a loop of its own that includes that other threads finish the calls they have opened (rota_call_finish). Finish your own calls first:
 * one that nobody finishes is waited for without end, after a warning in the log. */
ROTA_API void rota_channel_free(struct rota_channel *channel);

/* The three on the loop's thread. */
ROTA_API enum rota_conn_state rota_channel_state(const struct rota_channel *channel);
ROTA_API void rota_channel_connect(struct rota_channel *channel); /* leaves IDLE */
/* Calls once at the next change of state. One at a time; NULL takes it back. SHUTDOWN is not told: on_closed is. */
ROTA_API void rota_channel_watch_state(struct rota_channel *channel, void (*on_state)(void *arg, enum rota_conn_state state), void *arg);

/* On the loop's thread. */
struct rota_channel_stats {
    uint32_t subchannels, ready; /* addresses that a policy holds: how many there are, and how many of them are connected */
    /* Since the channel was opened. */
    uint64_t calls;               /* started */
    uint64_t attempts;            /* streams opened for them */
    uint64_t retries;             /* attempts by a retryPolicy */
    uint64_t transparent_retries; /* attempts that no server has seen, repeated */
    uint64_t hedges;              /* attempts by a hedgingPolicy, the first of each call left out */
    uint64_t retries_throttled;   /* retries and hedges not made: retryThrottling */
    uint64_t retries_over_budget; /* the same: retry_ratio_percent and retry_floor_per_s */
    uint32_t connections;         /* now: up and open to new calls, of all addresses */
};
ROTA_API struct rota_channel_stats rota_channel_stats(const struct rota_channel *channel);

/* Any thread, while the channel lives. */
ROTA_API struct rota_loop *rota_channel_loop(const struct rota_channel *channel);
ROTA_API const char *rota_channel_target(const struct rota_channel *channel); /* as it was opened */

ROTA_END_DECLS
#endif
