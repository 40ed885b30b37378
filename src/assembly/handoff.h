/* handoff.h - running something on a loop's thread from another thread and waiting for it: the one place with a lock.
 *
 * On the loop's own thread nothing is posted: the function runs at once, and waiting turns the loop.
 */
#ifndef ROTA_ASSEMBLY_HANDOFF_H
#define ROTA_ASSEMBLY_HANDOFF_H

#include <pthread.h>
#include <rota/loop.h>

/* Something that becomes true once, on the loop's thread, and is waited for on another (or on the loop's own, by turning it). */
struct rota_handoff {
    struct rota_loop *loop;
    pthread_mutex_t mutex;
    pthread_cond_t changed;
};

void rota_handoff_init(struct rota_handoff *h, struct rota_loop *loop);
void rota_handoff_fini(struct rota_handoff *h);

/* Runs fn(arg) on the loop's thread and returns when it has returned. */
void rota_handoff_run(struct rota_handoff *h, void (*fn)(void *arg), void *arg);

/* The lock guards what both threads read; on the loop's own thread alone it costs an uncontended lock. */
void rota_handoff_lock(struct rota_handoff *h);
void rota_handoff_unlock(struct rota_handoff *h);
void rota_handoff_signal(struct rota_handoff *h); /* locked */
void rota_handoff_wait(struct rota_handoff *h);   /* locked; returns locked after a signal or a turn: look again */

#endif
