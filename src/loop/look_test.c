/* look_test.c - what blocking calls that need not wait do to a loop that nobody else turns: look and push, neither of which may block. */
#include "base/assert.h"
#include "loop/loop_fixture.h"
#include <unistd.h>

#define MS INT64_C(1000000)

struct world {
    struct loop_fixture f;
    uv_poll_t poll;
    int ends[2];
    struct rota_flush flush;
    struct rota_host_task task;
    struct rota_timer *timer;
    bool heard, flushed, fired, inside;
};

static int64_t said_ns; /* by the clock */

static int64_t fixed_clock(struct rota_host *host)
{
    (void)host;
    return said_ns;
}

static void on_pipe(uv_poll_t *handle, int status, int events)
{
    struct world *w = handle->data;

    (void)events;
    assert_int_equal(status, 0);
    w->heard = true;
    uv_poll_stop(handle);
}

static void note_flush(struct rota_flush *flush)
{
    ROTA_CONTAINER(flush, struct world, flush)->flushed = true;
}

static void note_timer(void *arg)
{
    ((struct world *)arg)->fired = true;
}

/* The loop has looked at its sockets, and then there was something to read; by its clock that was so long ago. */
static void world_init(struct world *w, int64_t ago_ns)
{
    *w = (struct world){.flush.run = note_flush};
    loop_fixture_init(&w->f);
    assert_int_equal(pipe(w->ends), 0);
    assert_int_equal(rota_timer_new(w->f.loop, note_timer, w, &w->timer), 0);
    uv_poll_init(rota_loop_uv(w->f.loop), &w->poll, w->ends[0]);
    w->poll.data = w;
    uv_poll_start(&w->poll, UV_READABLE, on_pipe);
    assert_int_equal(rota_loop_turn(w->f.loop), 0);
    assert_int_equal(write(w->ends[1], "x", 1), 1);
    said_ns = (int64_t)uv_now(rota_loop_uv(w->f.loop)) * MS + ago_ns;
    rota_loop_host(w->f.loop)->clock = fixed_clock;
}

static void world_fini(struct world *w)
{
    rota_timer_free(w->timer);
    uv_close((uv_handle_t *)&w->poll, NULL);
    loop_fixture_fini(&w->f);
    close(w->ends[0]);
    close(w->ends[1]);
}

static const struct look_case {
    const char *rule;
    int64_t ago_ns;
    void (*act)(struct rota_loop *loop);
    bool hears, flushes;
} cases[] = {
    {"a look soon after the last is none", 2 * MS, rota_loop_look, false, false},
    {"later it is a turn", 2 * MS + 1, rota_loop_look, true, true},
    {"a push soon after the last look only does what is due", 2 * MS, rota_loop_push, false, true},
    {"later it looks as well", 2 * MS + 1, rota_loop_push, true, true},
};

static void a_loop_looks_when_it_has_not(void **unused)
{
    (void)unused;
    for (size_t i = 0; i < ROTA_COUNT(cases); i++) {
        const struct look_case *c = &cases[i];
        struct world w;

        print_message("  %s\n", c->rule);
        world_init(&w, c->ago_ns);
        assert_int_equal(rota_timer_set(w.timer, said_ns), 0);
        rota_loop_flush(w.f.loop, &w.flush);
        c->act(w.f.loop);
        assert_int_equal(w.heard, c->hears);
        assert_int_equal(w.flushed, c->flushes);
        assert_int_equal(w.fired, c->flushes);
        assert_true(rota_loop_host(w.f.loop)->now_ns == said_ns);
        rota_loop_unflush(w.f.loop, &w.flush);
        world_fini(&w);
    }
}

static void act_inside(struct rota_host_task *task)
{
    struct world *w = ROTA_CONTAINER(task, struct world, task);

    rota_loop_flush(w->f.loop, &w->flush);
    rota_loop_look(w->f.loop);
    rota_loop_push(w->f.loop);
    w->inside = true;
    assert_false(w->heard || w->flushed);
}

static void inside_a_callback_nothing_turns(void **unused)
{
    struct world w;

    (void)unused;
    world_init(&w, 1000 * MS);
    w.task.run = act_inside;
    rota_host_post(rota_loop_host(w.f.loop), &w.task);
    assert_int_equal(rota_loop_turn(w.f.loop), 0);
    assert_true(w.inside && w.flushed);
    world_fini(&w);
}

/* uv_run is not for callbacks, and who runs it now and then needs no look. */
static void a_given_loop_is_left_to_who_runs_it(void **unused)
{
    struct rota_loop_options options = ROTA_LOOP_OPTIONS_INIT;
    struct world w = {.flush.run = note_flush};
    uv_loop_t uv;

    (void)unused;
    uv_loop_init(&uv);
    options.uv_loop = &uv;
    assert_int_equal(rota_loop_new(&options, &w.f.loop), 0);
    assert_int_equal(pipe(w.ends), 0);
    uv_poll_init(&uv, &w.poll, w.ends[0]);
    w.poll.data = &w;
    uv_poll_start(&w.poll, UV_READABLE, on_pipe);
    assert_int_equal(write(w.ends[1], "x", 1), 1);
    rota_loop_flush(w.f.loop, &w.flush);
    rota_loop_look(w.f.loop); /* it never was */
    rota_loop_push(w.f.loop);
    assert_true(w.flushed);
    assert_false(w.heard);
    uv_run(&uv, UV_RUN_NOWAIT);
    assert_true(w.heard);
    uv_close((uv_handle_t *)&w.poll, NULL);
    rota_loop_free(w.f.loop);
    uv_run(&uv, UV_RUN_DEFAULT);
    assert_int_equal(uv_loop_close(&uv), 0);
    close(w.ends[0]);
    close(w.ends[1]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_loop_looks_when_it_has_not),
        cmocka_unit_test(inside_a_callback_nothing_turns),
        cmocka_unit_test(a_given_loop_is_left_to_who_runs_it),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
