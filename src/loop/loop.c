/* loop.c - making and ending loops, with or without a thread of their own; what keeps them open.
 *
 * Invariants: our five handles are unreferenced, so that libuv goes on only while the application's handles do or
 * something is held: then `async` is referenced. The struct goes when the last of the five has closed: at once on a
 * loop of our own, in a later turn on one that the application runs.
 * Elsewhere: turns (turn.c), posts (post.c), timers (timer.c), signals (signal.c).
 */
#include "base/alloc.h"
#include "base/assert.h"
#include "base/errinfo.h"
#include "base/options.h"
#include "loop/state.h"
#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <stddef.h>
#include <sys/random.h>
#include <time.h>
#include <unistd.h>

uintptr_t rota_loop_thread_mark(void)
{
    static _Thread_local char mark;

    return (uintptr_t)&mark;
}

static atomic_uint n_forks;

static void count_fork(void)
{
    atomic_fetch_add_explicit(&n_forks, 1, memory_order_relaxed);
}

/* Without memory for it a child is not told apart. */
static void watch_forks(void)
{
    (void)pthread_atfork(NULL, NULL, count_fork);
}

bool rota_loop_is_inherited(const struct rota_loop *loop)
{
    return loop->n_forks != atomic_load_explicit(&n_forks, memory_order_relaxed) && !loop->given;
}

static int64_t clock_ns(struct rota_host *host)
{
    (void)host;
    return (int64_t)uv_hrtime();
}

static int64_t wall_clock_ns(struct rota_host *host)
{
    struct timespec now;

    (void)host;
    clock_gettime(CLOCK_REALTIME, &now);
    return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

static int64_t cpu_clock_ns(struct rota_host *host)
{
    struct timespec used;

    (void)host;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &used);
    return (int64_t)used.tv_sec * 1000000000 + used.tv_nsec;
}

static uint32_t count_cpus(void)
{
    cpu_set_t cpus;

    return sched_getaffinity(0, sizeof(cpus), &cpus) == 0 ? (uint32_t)CPU_COUNT(&cpus) : (uint32_t)sysconf(_SC_NPROCESSORS_ONLN);
}

static uint64_t system_seed(void)
{
    uint64_t seed;

    /* Before the system has gathered chance, the clock must do. */
    if (getrandom(&seed, sizeof(seed), GRND_NONBLOCK) != (ssize_t)sizeof(seed))
        seed = uv_hrtime() ^ (uint64_t)(uintptr_t)&seed;
    return seed;
}

static void on_async(uv_async_t *handle)
{
    rota_loop_run_posts(handle->data);
}

static void free_loop(struct rota_loop *loop)
{
    const struct rota_alloc *alloc = loop->host.alloc;

    rota_spares_close(loop->spares);
    rota_host_fini(&loop->host);
    rota_alloc_free(alloc, loop->read_buffer);
    rota_alloc_free(alloc, loop);
}

static void handle_closed(uv_handle_t *handle)
{
    struct rota_loop *loop = handle->data;

    loop->n_handles--;
    if (loop->n_handles == 0 && loop->given)
        free_loop(loop);
}

static rota_err read_options(const struct rota_loop_options *options, struct rota_loop_options *ret_full)
{
    *ret_full = (struct rota_loop_options)ROTA_LOOP_OPTIONS_INIT;
    return rota_options_take(ret_full, sizeof(*ret_full), options, "ROTA_LOOP_OPTIONS_INIT", NULL);
}

static void init_handles(struct rota_loop *loop)
{
    uv_prepare_init(loop->uv, &loop->prepare);
    uv_check_init(loop->uv, &loop->check);
    uv_timer_init(loop->uv, &loop->timer);
    uv_idle_init(loop->uv, &loop->nudge);
    loop->prepare.data = loop->check.data = loop->timer.data = loop->async.data = loop->nudge.data = loop;
    loop->n_handles = 5;
    uv_prepare_start(&loop->prepare, rota_loop_on_prepare);
    uv_check_start(&loop->check, rota_loop_on_check);
    uv_unref((uv_handle_t *)&loop->prepare);
    uv_unref((uv_handle_t *)&loop->check);
    uv_unref((uv_handle_t *)&loop->timer);
    uv_unref((uv_handle_t *)&loop->async);
}

static rota_err err_of_uv(int code)
{
    return code == UV_ENOMEM ? ROTA_ENOMEM : ROTA_EIO;
}

/* The only handles whose making can fail. */
static rota_err open_uv(struct rota_loop *loop, void *given)
{
    int code;

    loop->given = given != NULL;
    loop->uv = loop->given ? given : &loop->own_uv;
    if (!loop->given && (code = uv_loop_init(&loop->own_uv)) < 0)
        return err_of_uv(code);
    code = uv_async_init(loop->uv, &loop->async, on_async);
    if (code < 0 && !loop->given)
        uv_loop_close(&loop->own_uv);
    return code < 0 ? err_of_uv(code) : 0;
}

rota_err rota_loop_new(const struct rota_loop_options *options, struct rota_loop **ret_loop)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    struct rota_loop_options full;
    const struct rota_alloc *alloc;
    struct rota_loop *loop;
    rota_err err = read_options(options, &full);

    if (err < 0)
        return err;
    alloc = rota_alloc_or_default(full.alloc);
    loop = rota_alloc_zero(alloc, 1, sizeof(*loop));
    if (loop == NULL)
        return ROTA_ENOMEM;
    pthread_once(&once, watch_forks);
    loop->n_forks = atomic_load_explicit(&n_forks, memory_order_relaxed);
    rota_host_init(&loop->host, alloc, full.log, full.seed != 0 ? full.seed : system_seed());
    loop->host.clock = clock_ns;
    loop->host.wall_clock = wall_clock_ns;
    loop->host.cpu_clock = cpu_clock_ns;
    loop->host.n_cpus = count_cpus();
    if (uv_os_gethostname(loop->host_name, &(size_t){sizeof(loop->host_name)}) == 0)
        loop->host.name = loop->host_name;
    loop->host.now_ns = clock_ns(&loop->host);
    rota_list_init(&loop->flushes);
    atomic_init(&loop->posts, NULL);
    atomic_init(&loop->stop, false);
    atomic_init(&loop->n_waking, 0);
    atomic_init(&loop->owner, 0);
    loop->read_buffer = rota_alloc_get(alloc, ROTA_LOOP_READ_BYTES);
    loop->spares = rota_spares_new(alloc);
    err = loop->read_buffer == NULL || loop->spares == NULL ? ROTA_ENOMEM : open_uv(loop, full.uv_loop);
    if (err < 0) {
        free_loop(loop);
        return err;
    }
    loop->host.bulk = rota_spares_alloc(loop->spares);
    init_handles(loop);
    if (loop->given)
        loop->host.wake = rota_loop_on_wake;
    *ret_loop = loop;
    return 0;
}

/* Of a loop with a thread of its own. */
static bool is_elsewhere(struct rota_host *host)
{
    return !rota_loop_is_mine(ROTA_CONTAINER(host, struct rota_loop, host));
}

static void *thread_main(void *arg)
{
    struct rota_loop *loop = arg;

    atomic_store_explicit(&loop->owner, rota_loop_thread_mark(), memory_order_relaxed);
    rota_loop_hold(loop);
    rota_loop_run_until_stopped(loop);
    rota_loop_release(loop);
    /* Whoever is not running yet when the loop is freed runs here, where it was promised to. */
    rota_loop_run_posts(loop);
    rota_loop_settle(loop);
    return NULL;
}

/* Signals belong to the application's threads, but a fault of the thread's own ends the process past every handler when it is blocked. */
static void fill_blocked(sigset_t *set)
{
    static const int faults[] = {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGTRAP, SIGSYS};

    sigfillset(set);
    for (size_t i = 0; i < sizeof(faults) / sizeof(faults[0]); i++)
        sigdelset(set, faults[i]);
}

rota_err rota_loop_thread_new(const struct rota_loop_options *options, struct rota_loop **ret_loop)
{
    struct rota_loop_options full;
    struct rota_loop *loop;
    sigset_t blocked, before;
    rota_err err;
    int code;

    if (read_options(options, &full) < 0 || full.uv_loop != NULL)
        return ROTA_EINVAL;
    err = rota_loop_new(options, &loop);
    if (err < 0)
        return err;
    loop->threaded = true;
    loop->host.is_elsewhere = is_elsewhere;
    fill_blocked(&blocked);
    pthread_sigmask(SIG_SETMASK, &blocked, &before);
    code = pthread_create(&loop->thread, NULL, thread_main, loop);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (code != 0) {
        loop->threaded = false;
        rota_loop_free(loop);
        return code == ENOMEM ? ROTA_ENOMEM : ROTA_EIO;
    }
    *ret_loop = loop;
    return 0;
}

static void close_handles(struct rota_loop *loop)
{
    uv_close((uv_handle_t *)&loop->prepare, handle_closed);
    uv_close((uv_handle_t *)&loop->check, handle_closed);
    uv_close((uv_handle_t *)&loop->timer, handle_closed);
    uv_close((uv_handle_t *)&loop->nudge, handle_closed);
    uv_close((uv_handle_t *)&loop->async, handle_closed);
}

static void stop(struct rota_loop *loop)
{
    atomic_fetch_add_explicit(&loop->n_waking, 1, memory_order_relaxed);
    atomic_store_explicit(&loop->stop, true, memory_order_release);
    rota_loop_wake(loop);
    atomic_fetch_sub_explicit(&loop->n_waking, 1, memory_order_release);
}

void rota_loop_free(struct rota_loop *loop)
{
    int code;

    if (loop == NULL || rota_loop_is_inherited(loop))
        return;
    if (loop->threaded) {
        stop(loop);
        pthread_join(loop->thread, NULL);
    }
    while (atomic_load_explicit(&loop->n_waking, memory_order_acquire) > 0)
        sched_yield();
    ROTA_ASSERT(!loop->host.in_turn && !loop->running);
    atomic_store_explicit(&loop->owner, rota_loop_thread_mark(), memory_order_relaxed);
    rota_loop_run_posts(loop);
    rota_loop_settle(loop);
    ROTA_ASSERT(loop->n_held == 0 && loop->n_objects == 0);
    close_handles(loop);
    if (loop->given)
        return;
    uv_run(&loop->own_uv, UV_RUN_DEFAULT);
    code = uv_loop_close(&loop->own_uv);
    ROTA_ASSERT(code == 0);
    free_loop(loop);
}

/* A loop's own thread goes on: who waits for it could not know that it has gone. */
void rota_loop_stop(struct rota_loop *loop)
{
    if (!loop->threaded)
        stop(loop);
}

void rota_loop_hold(struct rota_loop *loop)
{
    if (loop->n_held++ == 0)
        uv_ref((uv_handle_t *)&loop->async);
}

void rota_loop_release(struct rota_loop *loop)
{
    ROTA_ASSERT(loop->n_held > 0);
    if (--loop->n_held == 0)
        uv_unref((uv_handle_t *)&loop->async);
}

struct rota_host *rota_loop_host(struct rota_loop *loop)
{
    return &loop->host;
}

uv_loop_t *rota_loop_uv(struct rota_loop *loop)
{
    return loop->uv;
}

uint8_t *rota_loop_read_buffer(struct rota_loop *loop)
{
    return loop->read_buffer;
}

int64_t rota_loop_now_ns(struct rota_loop *loop)
{
    rota_host_enter(&loop->host);
    return loop->host.now_ns;
}

bool rota_loop_is_mine(struct rota_loop *loop)
{
    uintptr_t owner = atomic_load_explicit(&loop->owner, memory_order_relaxed), mine = rota_loop_thread_mark();

    if (owner == 0 && !loop->threaded && atomic_compare_exchange_strong_explicit(&loop->owner, &owner, mine, memory_order_relaxed, memory_order_relaxed))
        return true;
    return owner == mine;
}

rota_err rota_loop_check_thread(struct rota_loop *loop, struct rota_errinfo *info)
{
    if (rota_host_is_elsewhere(&loop->host))
        return rota_errinfo_set(info, ROTA_ESTATE, "the loop runs on a thread of its own: open this there (rota_loop_post)");
    return 0;
}

bool rota_loop_is_threaded(const struct rota_loop *loop)
{
    return loop->threaded;
}

void rota_loop_flush(struct rota_loop *loop, struct rota_flush *flush)
{
    if (flush->link.next != NULL && !rota_list_empty(&flush->link))
        return;
    rota_list_append(&loop->flushes, &flush->link);
    rota_host_wake(&loop->host);
}

void rota_loop_unflush(struct rota_loop *loop, struct rota_flush *flush)
{
    (void)loop;
    if (flush->link.next != NULL)
        rota_list_remove(&flush->link);
}
