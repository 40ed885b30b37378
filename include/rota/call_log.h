/* rota/call_log.h - a line to a log for each call that ends: method, peer, status, duration, bytes.
 *
 *     struct rota_client_interceptor interceptors[] = {{&rota_call_log_client, call_log}, {NULL, NULL}};
 *
 * Neither messages nor metadata are written, so nothing of credentials. Outermost, it tells what the application was told.
 * Threading: a call log belongs to one loop, and may serve all channels and servers on it. Ownership: it must outlive them.
 */
#ifndef ROTA_CALL_LOG_H
#define ROTA_CALL_LOG_H

#include <rota/interceptor.h>
#include <rota/log.h>

ROTA_BEGIN_DECLS

struct rota_call_log;

struct rota_call_log_options {
    size_t size;                       /* set by ROTA_CALL_LOG_OPTIONS_INIT */
    const struct rota_log *log;        /* must outlive the call log; default: rota_log_stderr */
    const struct rota_alloc *alloc;    /* default: malloc */
    enum rota_log_level ok_level;      /* of calls that end OK; default ROTA_LOG_DEBUG */
    enum rota_log_level failure_level; /* of all others; default ROTA_LOG_INFO */
    int32_t max_per_second;            /* lines of either sort; how many were left out is said with the next. Default 100; -1: no limit */
};
#define ROTA_CALL_LOG_OPTIONS_INIT ROTA_SIZED(struct rota_call_log_options)

/* options NULL: defaults. ROTA_EINVAL (options.size is 0), ROTA_ENOMEM. */
ROTA_API ROTA_MUST_USE rota_err rota_call_log_new(const struct rota_call_log_options *options, struct rota_call_log **ret_call_log);
ROTA_API void rota_call_log_free(struct rota_call_log *call_log); /* NULL is fine */

/* arg: a struct rota_call_log. */
ROTA_API extern const struct rota_client_interceptor_class rota_call_log_client;
ROTA_API extern const struct rota_server_interceptor_class rota_call_log_server;

ROTA_END_DECLS
#endif
