/* turn.c - the steps of one turn, hung into libuv's: prepare settles and arms the timer, libuv polls and calls back, check
 * settles what those callbacks caused.
 *
 * Vocabulary: to settle is to run the host until it has nothing due and to empty the flush list. The loop is fresh while
 * host.now_ns was read after it last woke, so a turn reads the clock once, and not at all when nothing of ours happened.
 * Invariants: in_turn is true exactly inside our callbacks, so that an application's own callbacks on a shared uv_loop_t
 * get the present time from rota_host_enter. Whoever sleeps has settled: work that appears after check (in a closing
 * handle's callback, or on a given loop in a callback of the application's after ours, or between two turns) starts the nudge,
 * which keeps the next poll from sleeping.
 * Elsewhere: posts (post.c), making and ending loops (loop.c).
 */
#include "base/assert.h"
#include "loop/state.h"

enum {
    SETTLE_ROUNDS_MAX = 16, /* then sockets get their turn, however much the work goes on causing more */
    NS_PER_MS = 1000000,
    STALE_NS = 2 * NS_PER_MS, /* since the last poll, of whose time libuv keeps whole milliseconds: one or two */
};

static void nudged(uv_idle_t *handle)
{
    (void)handle;
}

static void nudge(struct rota_loop *loop)
{
    uv_idle_start(&loop->nudge, nudged);
}

static bool has_work(const struct rota_loop *loop)
{
    return !rota_list_empty(&loop->host.tasks) || !rota_list_empty(&loop->flushes);
}

void rota_loop_turn_begin(struct rota_loop *loop)
{
    if (!loop->fresh) {
        loop->host.now_ns = loop->host.clock(&loop->host);
        loop->fresh = true;
    }
    loop->host.in_turn = true;
}

void rota_loop_turn_end(struct rota_loop *loop)
{
    loop->host.in_turn = false;
    if (!loop->polling && has_work(loop))
        nudge(loop);
}

static void run_flushes(struct rota_loop *loop)
{
    struct rota_link due;
    struct rota_link *link;

    rota_list_init(&due);
    rota_list_take(&due, &loop->flushes);
    while ((link = rota_list_pop(&due)) != NULL) {
        struct rota_flush *flush = ROTA_CONTAINER(link, struct rota_flush, link);
        flush->run(flush);
    }
}

/* Sleeping may end at the deadline's millisecond or later, never before it: libuv counts whole ones. */
static void arm(struct rota_loop *loop)
{
    bool armed = uv_is_active((uv_handle_t *)&loop->timer);
    int64_t next_ns = rota_host_next_ns(&loop->host);

    if (has_work(loop) || next_ns <= loop->host.now_ns) {
        nudge(loop);
        return;
    }
    if (next_ns == INT64_MAX) {
        if (armed)
            uv_timer_stop(&loop->timer);
        return;
    }
    uint64_t at_ms = ((uint64_t)next_ns + NS_PER_MS - 1) / NS_PER_MS;
    /* One that fires too early only arms the right one. */
    if (armed && loop->armed_ms <= at_ms)
        return;
    uint64_t now_ms = uv_now(loop->uv);
    uv_timer_start(&loop->timer, rota_loop_on_timer, at_ms > now_ms ? at_ms - now_ms : 0, 0);
    loop->armed_ms = at_ms > now_ms ? at_ms : now_ms;
}

/* Loops of our own need none of it: whoever turns them looks for work first. */
void rota_loop_on_wake(struct rota_host *host)
{
    arm(ROTA_CONTAINER(host, struct rota_loop, host));
}

bool rota_loop_settle(struct rota_loop *loop)
{
    /* now_ns may be old, but what was due then is due. */
    if (!has_work(loop) && rota_host_next_ns(&loop->host) > loop->host.now_ns)
        return false;
    rota_loop_turn_begin(loop);
    for (int round = 0; round < SETTLE_ROUNDS_MAX && (round == 0 || has_work(loop)); round++) {
        rota_host_run(&loop->host);
        run_flushes(loop);
    }
    rota_loop_turn_end(loop);
    return true;
}

void rota_loop_on_timer(uv_timer_t *handle)
{
    struct rota_loop *loop = handle->data;

    rota_loop_turn_begin(loop);
    rota_loop_turn_end(loop);
    rota_loop_settle(loop);
}

void rota_loop_on_prepare(uv_prepare_t *handle)
{
    struct rota_loop *loop = handle->data;
    bool progress = loop->fresh;

    atomic_store_explicit(&loop->owner, rota_loop_thread_mark(), memory_order_relaxed);
    uv_idle_stop(&loop->nudge);
    progress = rota_loop_settle(loop) || progress;
    rota_spares_watch(loop->spares, &loop->host);
    arm(loop);
    if (loop->one_turn && progress)
        nudge(loop);
    loop->fresh = false;
    loop->polling = true;
}

void rota_loop_on_check(uv_check_t *handle)
{
    struct rota_loop *loop = handle->data;

    rota_loop_settle(loop);
    loop->polled_ms = uv_now(loop->uv);
    loop->polling = false;
    loop->fresh = false;
    if (has_work(loop))
        nudge(loop);
    if (loop->running && atomic_load_explicit(&loop->stop, memory_order_acquire))
        uv_stop(loop->uv);
}

/* Outside a run of the uv loop the time must be read to know what is due. */
static bool settle_outside(struct rota_loop *loop)
{
    bool progress;

    loop->host.now_ns = loop->host.clock(&loop->host);
    loop->fresh = true;
    progress = rota_loop_settle(loop);
    loop->fresh = false;
    return progress;
}

void rota_loop_run_until_stopped(struct rota_loop *loop)
{
    loop->running = true;
    do {
        /* uv_run does nothing when nothing is open, but what was asked for before must happen. */
        rota_loop_run_posts(loop);
        settle_outside(loop);
        if (atomic_load_explicit(&loop->stop, memory_order_acquire))
            break;
        uv_run(loop->uv, UV_RUN_DEFAULT);
    } while (!atomic_load_explicit(&loop->stop, memory_order_acquire) && (uv_loop_alive(loop->uv) || has_work(loop)));
    loop->running = false;
    atomic_store_explicit(&loop->stop, false, memory_order_release);
}

/* Of a loop with a thread of its own nothing but `threaded` may be read here. */
static bool may_turn(const struct rota_loop *loop)
{
    return !loop->threaded && !rota_loop_is_inherited(loop) && !loop->running && !loop->host.in_turn && !loop->polling;
}

rota_err rota_loop_run(struct rota_loop *loop)
{
    if (!may_turn(loop))
        return ROTA_ESTATE;
    atomic_store_explicit(&loop->owner, rota_loop_thread_mark(), memory_order_relaxed);
    rota_loop_run_until_stopped(loop);
    return 0;
}

rota_err rota_loop_wait_turn(struct rota_loop *loop)
{
    bool progress;

    ROTA_ASSERT(may_turn(loop));
    atomic_store_explicit(&loop->owner, rota_loop_thread_mark(), memory_order_relaxed);
    progress = settle_outside(loop);
    /* The caller may have what it waits for. But twice in a row without a look at the sockets would starve them. */
    loop->unpolled = progress && !loop->unpolled;
    if (loop->unpolled)
        return 0;
    rota_loop_hold(loop);
    loop->one_turn = true;
    uv_run(loop->uv, progress ? UV_RUN_NOWAIT : UV_RUN_ONCE);
    loop->one_turn = false;
    rota_loop_release(loop);
    return 0;
}

rota_err rota_loop_turn(struct rota_loop *loop)
{
    if (!may_turn(loop))
        return ROTA_ESTATE;
    /* Held, because uv_run does not look at posts and signals when nothing is open. */
    rota_loop_hold(loop);
    uv_run(loop->uv, UV_RUN_NOWAIT);
    rota_loop_release(loop);
    settle_outside(loop);
    return 0;
}

/* An application that runs the uv loop is called from inside of that run, which cannot be run again. */
static void look_unless_fresh(struct rota_loop *loop)
{
    if (loop->host.now_ns - (int64_t)loop->polled_ms * NS_PER_MS <= STALE_NS || loop->given || !may_turn(loop))
        return;
    /* A peer's end of file is read behind what came before it, one turn later. */
    (void)rota_loop_turn(loop);
    (void)rota_loop_turn(loop);
}

void rota_loop_look(struct rota_loop *loop)
{
    rota_host_enter(&loop->host);
    look_unless_fresh(loop);
}

void rota_loop_push(struct rota_loop *loop)
{
    if (!may_turn(loop))
        return;
    (void)settle_outside(loop);
    look_unless_fresh(loop);
}

int rota_loop_fd(struct rota_loop *loop)
{
    return uv_backend_fd(loop->uv);
}

int rota_loop_timeout_ms(struct rota_loop *loop)
{
    int timeout_ms;

    if (rota_loop_is_inherited(loop))
        return -1; /* turning it does nothing */
    if (!may_turn(loop))
        return 0;
    settle_outside(loop);
    uv_update_time(loop->uv);
    uv_idle_stop(&loop->nudge);
    rota_spares_watch(loop->spares, &loop->host);
    arm(loop);
    /* Held, because libuv says 0 when nothing is open, and our timer alone counts for nothing. */
    rota_loop_hold(loop);
    timeout_ms = uv_backend_timeout(loop->uv);
    rota_loop_release(loop);
    return timeout_ms;
}
