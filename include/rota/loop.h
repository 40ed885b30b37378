/* rota/loop.h - the event loop that channels, servers and registrars live on.
 *
 * Threading: a loop belongs to the thread that runs it (before that, to the one that first opens something on it or makes a blocking call,
 * whichever made it), with all that was opened on it. From other threads only rota_loop_post and rota_loop_stop may be used, and, on a loop of
 * rota_loop_thread_new, rota_channel_open, rota_channel_close, rota_channel_free and blocking calls, which are handed over to its thread.
 * Four ways to run one: rota_loop_run; blocking calls, which turn it until they are done; a file descriptor and a
 * timeout inside another event loop; rota_loop_thread_new, which runs it on a thread of its own.
 * Callbacks come from inside a turn, never before the function that started the work has returned (but for rota_channel_close of a channel
 * with a loop of its own).
 * Units: times are monotonic nanoseconds, one value for a whole turn.
 */
#ifndef ROTA_LOOP_H
#define ROTA_LOOP_H

#include <rota/alloc.h>
#include <rota/err.h>
#include <rota/log.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

ROTA_BEGIN_DECLS

struct rota_loop;

struct rota_loop_options {
    size_t size;                    /* set by ROTA_LOOP_OPTIONS_INIT */
    const struct rota_alloc *alloc; /* default: malloc */
    const struct rota_log *log;     /* default: silence */
    void *uv_loop; /* a uv_loop_t to live on, which the application runs itself; default: one of its own */
    uint64_t seed; /* of all random choices on this loop; default 0: from the system */
};
#define ROTA_LOOP_OPTIONS_INIT ROTA_SIZED(struct rota_loop_options)

/* options NULL: defaults. ROTA_EINVAL (options.size is 0), ROTA_ENOMEM, ROTA_EIO. */
ROTA_API ROTA_MUST_USE rota_err rota_loop_new(const struct rota_loop_options *options, struct rota_loop **ret_loop);

/* A loop that a new thread, with all signals blocked but those of its own faults (SIGSEGV and the like), runs until rota_loop_free, which joins
 * it. ROTA_EINVAL (options.uv_loop is set, or options.size is 0), ROTA_ENOMEM, ROTA_EIO. */
ROTA_API ROTA_MUST_USE rota_err rota_loop_thread_new(const struct rota_loop_options *options, struct rota_loop **ret_loop);

/* Everything opened on the loop must have reported closed (it aborts otherwise). NULL is fine. Not from a callback.
 * Posts made before are run. A given uv_loop must be run once more afterwards, which lets go of our handles. */
ROTA_API void rota_loop_free(struct rota_loop *loop);

/* Turns until rota_loop_stop, or until nothing is open on the loop: a timer that is set counts, a signal does not. ROTA_ESTATE:
 * it runs elsewhere, or is another process's (docs/threading.md, fork). */
ROTA_API rota_err rota_loop_run(struct rota_loop *loop);

/* Ends rota_loop_run after the present turn; when it is not running, the next one returns at once. Any thread. Does nothing to a loop of
 * rota_loop_thread_new, which runs until rota_loop_free. */
ROTA_API void rota_loop_stop(struct rota_loop *loop);

/* For another event loop: poll the fd for reading, at most timeout_ms long (-1: for ever), then call turn, which never blocks.
 * timeout_ms does what is due first, so callbacks may come from it. ROTA_ESTATE from turn: inside a callback, or it runs elsewhere. */
ROTA_API int rota_loop_fd(struct rota_loop *loop);
ROTA_API int rota_loop_timeout_ms(struct rota_loop *loop);
ROTA_API rota_err rota_loop_turn(struct rota_loop *loop);

/* The turn's time; outside of a turn read anew. On the loop's thread. */
ROTA_API int64_t rota_loop_now_ns(struct rota_loop *loop);

/* --- From other threads --- */

/* Memory is the caller's: it must stay until run is called, and is the caller's to use again from then on. */
struct rota_loop_post {
    void (*run)(struct rota_loop_post *post);
    void *arg;
    struct rota_loop_post *next; /* the library's */
};
/* Calls run on the loop's thread, from a turn, in the order posted. Posting one that has not run yet is a bug. */
ROTA_API void rota_loop_post(struct rota_loop *loop, struct rota_loop_post *post);

/* --- For programs and plug-ins on the loop --- */

struct rota_timer;
/* Not set yet. ROTA_ENOMEM, ROTA_ESTATE (the loop has a thread of its own, and this is another). */
ROTA_API ROTA_MUST_USE rota_err rota_timer_new(struct rota_loop *loop, void (*fire)(void *arg), void *arg, struct rota_timer **ret_timer);
ROTA_API ROTA_MUST_USE rota_err rota_timer_set(struct rota_timer *timer, int64_t at_ns); /* again: moves it. A past time: next turn. ROTA_ENOMEM */
ROTA_API void rota_timer_clear(struct rota_timer *timer);
ROTA_API void rota_timer_free(struct rota_timer *timer); /* NULL is fine; also from its own callback */

/* Calls on_signal on the loop for each arrival of the signal until the returned handle is freed. ROTA_EIO, ROTA_ENOMEM, ROTA_ESTATE (as a
 * timer). */
struct rota_signal;
ROTA_API ROTA_MUST_USE rota_err rota_signal_new(struct rota_loop *loop, int signum, void (*on_signal)(void *arg, int signum), void *arg,
                                                struct rota_signal **ret_signal);
ROTA_API void rota_signal_free(struct rota_signal *signal); /* NULL is fine; also from its own callback */

ROTA_END_DECLS
#endif
