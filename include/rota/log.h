/* rota/log.h - where the library tells what happened.
 *
 * The library writes nowhere by itself: it calls the sink given in the options of a loop, or of a channel, server, registrar, registry or call
 * log, and stays silent where none was given (a call log writes to rota_log_stderr).
 * Threading: a sink is called on the thread of the loop in question; one that serves several loops runs on several threads at once.
 * Ownership: text is borrowed until the call returns; the sink must outlive all that it was given to.
 */
#ifndef ROTA_LOG_H
#define ROTA_LOG_H

#include <rota/api.h>

ROTA_BEGIN_DECLS

enum rota_log_level {
    ROTA_LOG_ERROR = 1, /* something asked for will not happen */
    ROTA_LOG_WARN = 2,  /* something is wrong and is being worked around or retried */
    ROTA_LOG_INFO = 3,  /* a change worth knowing: connected, registered, list changed */
    ROTA_LOG_DEBUG = 4, /* each step */
};

struct rota_log {
    /* area: the folder that speaks ("etcd", "channel", ...). text: one line without a newline. */
    void (*write)(void *ctx, enum rota_log_level level, const char *area, const char *text);
    void *ctx;
    enum rota_log_level level; /* nothing above it is written; 0 means ROTA_LOG_INFO */
};

/* A sink that writes lines of "time level area: text" to standard error. */
ROTA_API extern const struct rota_log rota_log_stderr;

ROTA_END_DECLS
#endif
