/* given_test.c - a uv_loop_t that the application runs: what its own callbacks begin, outside of ours, does not wait for something else. */
#include "base/assert.h"
#include "loop/loop.h"
#include "testing/cmocka.h"
#include "testing/leak_alloc.h"

#define MS INT64_C(1000000)

struct given {
    struct rota_leak_alloc memory;
    uv_loop_t uv;
    uv_prepare_t prepare; /* started before the loop's own, so that it runs after it, last before the poll */
    uv_timer_t guard;     /* ends a sleep that nobody else does */
    struct rota_loop *loop;
    struct rota_timer *timer;
    struct rota_flush flush;
    struct rota_host_task task;
    void (*begin)(struct given *g);
    bool begun, done, late;
};

static void note(struct given *g)
{
    g->done = true;
    uv_close((uv_handle_t *)&g->guard, NULL);
    uv_close((uv_handle_t *)&g->prepare, NULL);
}

static void on_guard(uv_timer_t *timer)
{
    struct given *g = timer->data;

    g->late = true;
    uv_stop(&g->uv);
}

static void fired(void *arg)
{
    note(arg);
}

static void flushed(struct rota_flush *flush)
{
    note(ROTA_CONTAINER(flush, struct given, flush));
}

static void ran(struct rota_host_task *task)
{
    note(ROTA_CONTAINER(task, struct given, task));
}

static void on_prepare(uv_prepare_t *prepare)
{
    struct given *g = prepare->data;

    if (!g->begun)
        g->begin(g);
    g->begun = true;
}

static void given_init(struct given *g)
{
    struct rota_loop_options options = ROTA_LOOP_OPTIONS_INIT;

    *g = (struct given){.flush.run = flushed, .task.run = ran};
    rota_leak_alloc_init(&g->memory);
    options.alloc = &g->memory.alloc;
    uv_loop_init(&g->uv);
    uv_prepare_init(&g->uv, &g->prepare);
    uv_timer_init(&g->uv, &g->guard);
    g->prepare.data = g->guard.data = g;
    uv_prepare_start(&g->prepare, on_prepare);
    options.uv_loop = &g->uv;
    assert_int_equal(rota_loop_new(&options, &g->loop), 0);
    assert_int_equal(rota_timer_new(g->loop, fired, g, &g->timer), 0);
    rota_loop_hold(g->loop);
    uv_timer_start(&g->guard, on_guard, 2000, 0);
}

static void given_fini(struct given *g)
{
    rota_timer_free(g->timer);
    rota_loop_release(g->loop);
    rota_loop_free(g->loop);
    uv_run(&g->uv, UV_RUN_DEFAULT);
    assert_int_equal(uv_loop_close(&g->uv), 0);
    rota_leak_alloc_fini(&g->memory);
}

static void set_timer(struct given *g)
{
    assert_int_equal(rota_timer_set(g->timer, rota_loop_now_ns(g->loop) + 2 * MS), 0);
}

static void ask_for_flush(struct given *g)
{
    rota_loop_flush(g->loop, &g->flush);
}

static void post_task(struct given *g)
{
    rota_host_post(rota_loop_host(g->loop), &g->task);
}

static const struct given_case {
    const char *rule;
    void (*begin)(struct given *g);
    int sleeps_ms; /* at most */
} cases[] = {
    {"a timer", set_timer, 3},
    {"a flush", ask_for_flush, 0},
    {"a task", post_task, 0},
};

static void what_a_later_prepare_begins_is_done(void **state)
{
    (void)state;
    for (size_t i = 0; i < ROTA_COUNT(cases); i++) {
        struct given g;
        print_message("  %s\n", cases[i].rule);
        given_init(&g);
        g.begin = cases[i].begin;
        while (!g.done && !g.late)
            uv_run(&g.uv, UV_RUN_ONCE);
        assert_true(g.done);
        given_fini(&g);
    }
}

static void what_begins_between_turns_shortens_the_wait(void **state)
{
    (void)state;
    for (size_t i = 0; i < ROTA_COUNT(cases); i++) {
        struct given g;
        print_message("  %s\n", cases[i].rule);
        given_init(&g);
        g.begun = true;
        uv_run(&g.uv, UV_RUN_NOWAIT);
        assert_true(uv_backend_timeout(&g.uv) > 1000); /* the guard */
        assert_true(rota_loop_now_ns(g.loop) > 0);
        assert_true(uv_backend_timeout(&g.uv) > 1000); /* asking begins nothing */
        cases[i].begin(&g);
        uv_update_time(&g.uv);
        assert_in_range(uv_backend_timeout(&g.uv), 0, cases[i].sleeps_ms);
        while (!g.done && !g.late)
            uv_run(&g.uv, UV_RUN_ONCE);
        assert_true(g.done);
        given_fini(&g);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_a_later_prepare_begins_is_done),
        cmocka_unit_test(what_begins_between_turns_shortens_the_wait),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
