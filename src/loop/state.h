/* state.h - what the files of this folder share: struct rota_loop and the steps of its turn. */
#ifndef ROTA_LOOP_STATE_H
#define ROTA_LOOP_STATE_H

#include "loop/loop.h"
#include "loop/spares.h"
#include <pthread.h>
#include <stdatomic.h>

struct rota_loop {
    struct rota_host host;
    uv_loop_t *uv;
    uv_loop_t own_uv; /* unused when the application gave one */
    bool given;
    unsigned n_forks; /* that led to this process when the loop was made */

    /* None of these keeps libuv running but `async` while something is held, and `nudge` while it is started. */
    uv_prepare_t prepare;
    uv_check_t check;
    uv_timer_t timer;
    uv_async_t async;
    uv_idle_t nudge; /* started: the next poll does not sleep */
    unsigned n_handles; /* of the five above, not yet closed */

    char host_name[UV_MAXHOSTNAMESIZE];
    struct rota_link flushes;
    uint8_t *read_buffer;
    struct rota_spares *spares;

    size_t n_held;    /* rota_loop_hold */
    size_t n_objects; /* timers and signals that must be freed before the loop */
    uint64_t armed_ms; /* when `timer` fires; meaningful while it is active */
    uint64_t polled_ms; /* when it last looked at its sockets; 0: never */
    bool fresh;    /* host.now_ns was read since the loop last slept */
    bool polling;  /* between prepare and check */
    bool one_turn; /* inside rota_loop_wait_turn */
    bool unpolled; /* the last rota_loop_wait_turn returned without polling */
    bool running;  /* inside rota_loop_run */

    _Atomic(struct rota_loop_post *) posts; /* newest first */
    atomic_bool stop;
    atomic_uint n_waking; /* threads inside rota_loop_post or rota_loop_stop, which still touch the loop */
    atomic_uintptr_t owner; /* rota_loop_thread_mark of the thread that ran the loop last, or before that used it first; 0: none yet */
    atomic_bool threaded; /* atomic so that nothing is read ahead of it that belongs to the loop's thread */
    pthread_t thread;
};

/* A value that no two living threads share. */
uintptr_t rota_loop_thread_mark(void);

/* Runs all posts made so far, oldest first. */
void rota_loop_run_posts(struct rota_loop *loop);

/* On any thread: the next poll does not sleep, and what the caller has stored is seen behind it. In n_waking meanwhile. */
void rota_loop_wake(struct rota_loop *loop);

/* Everything that can be done without polling: timers, tasks, flushes. Returns whether there was anything. */
bool rota_loop_settle(struct rota_loop *loop);

void rota_loop_on_prepare(uv_prepare_t *handle);
void rota_loop_on_check(uv_check_t *handle);
void rota_loop_on_timer(uv_timer_t *handle);
void rota_loop_on_wake(struct rota_host *host); /* of a given loop */

/* The body of the loop's thread and of rota_loop_run. */
void rota_loop_run_until_stopped(struct rota_loop *loop);

#endif
