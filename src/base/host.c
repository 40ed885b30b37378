/* host.c - timers and tasks of one thread.
 *
 * What ends a run: a timer is due when its key is at most now_ns and it was set before the run began, which its order
 * in the heap tells. Times that have passed are raised to now_ns when set, so a timer set during a run never stands
 * in front of one that is due. Tasks that always post another (a program that starts a call whenever one has failed, where all fail at once)
 * end a run by their number, or sockets and timers would never have their turn.
 */
#include "base/host.h"
#include "base/alloc.h"

enum { TASKS_MAX = 1024 };

static int64_t standing_clock(struct rota_host *host)
{
    return host->now_ns;
}

void rota_host_init(struct rota_host *host, const struct rota_alloc *alloc, const struct rota_log *log, uint64_t seed)
{
    *host = (struct rota_host){
        .clock = standing_clock,
        .wall_clock = standing_clock,
        .cpu_clock = standing_clock,
        .n_cpus = 1,
        .name = "",
        .alloc = rota_alloc_or_default(alloc),
        .log = log,
    };
    host->bulk = host->alloc;
    rota_heap_init(&host->timers, host->alloc);
    rota_list_init(&host->tasks);
    rota_rng_init(&host->rng, seed);
}

void rota_host_fini(struct rota_host *host)
{
    if (host == NULL || host->alloc == NULL)
        return;
    rota_heap_fini(&host->timers);
    rota_list_init(&host->tasks);
}

rota_err rota_host_timer_set(struct rota_host *host, struct rota_host_timer *timer, int64_t at_ns)
{
    rota_err err = rota_heap_set(&host->timers, &timer->node, at_ns < host->now_ns ? host->now_ns : at_ns);

    if (err == 0 && rota_heap_first(&host->timers) == &timer->node)
        rota_host_wake(host);
    return err;
}

void rota_host_timer_clear(struct rota_host *host, struct rota_host_timer *timer)
{
    rota_heap_remove(&host->timers, &timer->node);
}

void rota_host_post(struct rota_host *host, struct rota_host_task *task)
{
    if (task->link.next != NULL && !rota_list_empty(&task->link))
        return;
    rota_list_append(&host->tasks, &task->link);
    rota_host_wake(host);
}

void rota_host_unpost(struct rota_host *host, struct rota_host_task *task)
{
    (void)host;
    if (task->link.next != NULL)
        rota_list_remove(&task->link);
}

static void fire_timers(struct rota_host *host)
{
    uint64_t set_before = host->timers.next_order;
    int64_t now_ns = host->now_ns;
    struct rota_heap_node *node;

    while ((node = rota_heap_first(&host->timers)) != NULL && node->key <= now_ns && node->order < set_before) {
        struct rota_host_timer *timer = ROTA_CONTAINER(node, struct rota_host_timer, node);
        rota_heap_remove(&host->timers, node);
        timer->fire(timer, now_ns);
    }
}

void rota_host_run(struct rota_host *host)
{
    bool was_in_turn = host->in_turn;
    struct rota_link *link;

    host->in_turn = true;
    fire_timers(host);
    for (int i = 0; i < TASKS_MAX && (link = rota_list_pop(&host->tasks)) != NULL; i++) {
        struct rota_host_task *task = ROTA_CONTAINER(link, struct rota_host_task, link);
        task->run(task);
    }
    host->in_turn = was_in_turn;
}

int64_t rota_host_next_ns(const struct rota_host *host)
{
    const struct rota_heap_node *first = rota_heap_first(&host->timers);

    if (!rota_list_empty(&host->tasks))
        return 0;
    return first == NULL ? INT64_MAX : first->key;
}
