/* timer.c - timers for programs and plug-ins: host timers that keep the loop open while they are set. */
#include "base/alloc.h"
#include "loop/state.h"

struct rota_timer {
    struct rota_loop *loop;
    struct rota_host_timer host_timer;
    void (*fire)(void *arg);
    void *arg;
};

static void fired(struct rota_host_timer *host_timer, int64_t now_ns)
{
    struct rota_timer *timer = ROTA_CONTAINER(host_timer, struct rota_timer, host_timer);

    (void)now_ns;
    rota_loop_release(timer->loop);
    timer->fire(timer->arg); /* may free the timer */
}

rota_err rota_timer_new(struct rota_loop *loop, void (*fire)(void *arg), void *arg, struct rota_timer **ret_timer)
{
    struct rota_timer *timer;
    rota_err err = rota_loop_check_thread(loop, NULL);

    if (err < 0)
        return err;
    timer = rota_alloc_zero(loop->host.alloc, 1, sizeof(*timer));
    if (timer == NULL)
        return ROTA_ENOMEM;
    *timer = (struct rota_timer){.loop = loop, .host_timer.fire = fired, .fire = fire, .arg = arg};
    loop->n_objects++;
    *ret_timer = timer;
    return 0;
}

rota_err rota_timer_set(struct rota_timer *timer, int64_t at_ns)
{
    bool was_set = rota_host_timer_is_set(&timer->host_timer);
    rota_err err;

    rota_host_enter(&timer->loop->host);
    err = rota_host_timer_set(&timer->loop->host, &timer->host_timer, at_ns);
    if (err == 0 && !was_set)
        rota_loop_hold(timer->loop);
    return err;
}

void rota_timer_clear(struct rota_timer *timer)
{
    if (!rota_host_timer_is_set(&timer->host_timer))
        return;
    rota_host_timer_clear(&timer->loop->host, &timer->host_timer);
    rota_loop_release(timer->loop);
}

void rota_timer_free(struct rota_timer *timer)
{
    if (timer == NULL)
        return;
    rota_timer_clear(timer);
    timer->loop->n_objects--;
    rota_alloc_free(timer->loop->host.alloc, timer);
}
