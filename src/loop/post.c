/* post.c - work handed over from other threads: a stack without locks, turned over by the loop.
 *
 * Memory order: a push releases the post and what its maker wrote before; the exchange acquires them. Whoever pushes
 * onto an empty stack wakes the loop, all others know that somebody has. What was pushed may have run, and have ended all
 * that was open, before its maker has woken the loop: n_waking keeps the loop until then.
 * No wake is lost: libuv leaves one out while an earlier one is pending, which it looks at with a plain load, and the loop ends
 * that state before it empties the stack. So the exchange releases and the push acquires, too. Both read and write one variable,
 * so one of them is first: if the push, the exchange finds the post; if the exchange, its maker sees that nothing is pending any
 * more. Hence no fence, which ThreadSanitizer would not know. Who wakes for another reason reads and writes the stack's head as well.
 */
#include "loop/state.h"

void rota_loop_post(struct rota_loop *loop, struct rota_loop_post *post)
{
    struct rota_loop_post *head = atomic_load_explicit(&loop->posts, memory_order_relaxed);

    atomic_fetch_add_explicit(&loop->n_waking, 1, memory_order_relaxed);
    do
        post->next = head;
    while (!atomic_compare_exchange_weak_explicit(&loop->posts, &head, post, memory_order_acq_rel, memory_order_relaxed));
    if (head == NULL)
        uv_async_send(&loop->async);
    atomic_fetch_sub_explicit(&loop->n_waking, 1, memory_order_release);
}

void rota_loop_wake(struct rota_loop *loop)
{
    /* Acquire and release would do, but clang takes less than seq_cst for nothing where nothing is added. */
    (void)atomic_fetch_add_explicit(&loop->posts, 0, memory_order_seq_cst);
    uv_async_send(&loop->async);
}

void rota_loop_run_posts(struct rota_loop *loop)
{
    struct rota_loop_post *newest = atomic_exchange_explicit(&loop->posts, NULL, memory_order_acq_rel);
    struct rota_loop_post *oldest = NULL;

    if (newest == NULL)
        return;
    while (newest != NULL) {
        struct rota_loop_post *next = newest->next;
        newest->next = oldest;
        oldest = newest;
        newest = next;
    }
    rota_loop_turn_begin(loop);
    while (oldest != NULL) {
        /* It is the caller's again once it runs. */
        struct rota_loop_post *post = oldest;
        oldest = post->next;
        post->run(post);
    }
    rota_loop_turn_end(loop);
}
