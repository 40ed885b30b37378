/* handoff.c - see handoff.h. A blocked caller sleeps on the condition; the loop's thread never waits for anybody. */
#include "assembly/handoff.h"

#include "base/assert.h"
#include "base/list.h"
#include "loop/loop.h"

struct errand {
    struct rota_loop_post post;
    struct rota_handoff *handoff;
    void (*fn)(void *arg);
    void *arg;
    bool done;
};

void rota_handoff_init(struct rota_handoff *h, struct rota_loop *loop)
{
    h->loop = loop;
    ROTA_ASSERT(pthread_mutex_init(&h->mutex, NULL) == 0);
    ROTA_ASSERT(pthread_cond_init(&h->changed, NULL) == 0);
}

void rota_handoff_fini(struct rota_handoff *h)
{
    pthread_cond_destroy(&h->changed);
    pthread_mutex_destroy(&h->mutex);
}

void rota_handoff_lock(struct rota_handoff *h)
{
    pthread_mutex_lock(&h->mutex);
}

void rota_handoff_unlock(struct rota_handoff *h)
{
    pthread_mutex_unlock(&h->mutex);
}

void rota_handoff_signal(struct rota_handoff *h)
{
    pthread_cond_broadcast(&h->changed);
}

void rota_handoff_wait(struct rota_handoff *h)
{
    if (!rota_loop_is_mine(h->loop)) {
        pthread_cond_wait(&h->changed, &h->mutex);
        return;
    }
    pthread_mutex_unlock(&h->mutex);
    (void)rota_loop_wait_turn(h->loop);
    pthread_mutex_lock(&h->mutex);
}

static void run_errand(struct rota_loop_post *post)
{
    struct errand *errand = ROTA_CONTAINER(post, struct errand, post);
    struct rota_handoff *h = errand->handoff;

    errand->fn(errand->arg);
    rota_handoff_lock(h);
    errand->done = true;
    rota_handoff_signal(h);
    rota_handoff_unlock(h);
}

void rota_handoff_run(struct rota_handoff *h, void (*fn)(void *arg), void *arg)
{
    struct errand errand = {.post.run = run_errand, .handoff = h, .fn = fn, .arg = arg};

    if (rota_loop_is_mine(h->loop)) {
        fn(arg);
        return;
    }
    rota_loop_post(h->loop, &errand.post);
    rota_handoff_lock(h);
    while (!errand.done)
        rota_handoff_wait(h);
    rota_handoff_unlock(h);
}
