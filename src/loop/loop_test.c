/* loop_test.c - turns, timers, flushes, what keeps a loop open, and the loop inside another one. */
#include "base/assert.h"
#include "loop/loop_fixture.h"
#include "testing/death.h"
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <unistd.h>

#define MS INT64_C(1000000)

/* --- Timers --- */

struct record;

struct named_timer {
    struct record *record;
    char name;
    int64_t at_ns;
    struct rota_timer *timer;
};

struct record {
    struct rota_loop *loop;
    const int *at_ms;
    struct rota_host_task begin;
    struct named_timer timers[3];
    char fired[16];
    size_t count;
};

static void fire_named(void *arg)
{
    struct named_timer *timer = arg;

    assert_true(rota_loop_host(timer->record->loop)->in_turn);
    assert_true(rota_loop_now_ns(timer->record->loop) >= timer->at_ns);
    timer->record->fired[timer->record->count++] = timer->name;
}

static const struct timer_case {
    const char *rule;
    int at_ms[3]; /* relative to now, of a, b and c; -1: cleared again */
    const char *want;
} timer_cases[] = {
    {"the earliest fires first", {3, 1, 2}, "bca"},
    {"equal times fire in the order set", {1, 1, 1}, "abc"},
    {"a past time fires in the next turn", {2, -5000, 1}, "bca"},
    {"a cleared timer never fires", {1, -1, 2}, "ac"},
};

/* Inside a turn, where time stands still: else a slow machine would decide what is past. */
static void set_timers(struct rota_host_task *task)
{
    struct record *record = ROTA_CONTAINER(task, struct record, begin);
    int64_t now_ns = rota_loop_now_ns(record->loop);

    for (size_t k = 0; k < 3; k++) {
        struct named_timer *timer = &record->timers[k];
        *timer = (struct named_timer){record, (char)('a' + k), now_ns + record->at_ms[k] * MS, NULL};
        assert_int_equal(rota_timer_new(record->loop, fire_named, timer, &timer->timer), 0);
        assert_int_equal(rota_timer_set(timer->timer, timer->at_ns), 0);
        if (record->at_ms[k] == -1)
            rota_timer_clear(timer->timer);
    }
    assert_int_equal(record->count, 0);
}

static void timers_fire_in_order(void **state)
{
    (void)state;
    for (size_t i = 0; i < ROTA_COUNT(timer_cases); i++) {
        const struct timer_case *c = &timer_cases[i];
        struct loop_fixture f;

        print_message("%s\n", c->rule);
        loop_fixture_init(&f);
        struct record record = {.loop = f.loop, .at_ms = c->at_ms, .begin.run = set_timers};
        rota_host_post(rota_loop_host(f.loop), &record.begin);
        assert_int_equal(rota_loop_run(f.loop), 0); /* returns because no timer is left */
        assert_string_equal(record.fired, c->want);
        for (size_t k = 0; k < 3; k++)
            rota_timer_free(record.timers[k].timer);
        loop_fixture_fini(&f);
    }
}

struct again {
    struct rota_loop *loop;
    struct rota_timer *timer;
    int left;
};

static void fire_again(void *arg)
{
    struct again *again = arg;

    if (--again->left > 0)
        assert_int_equal(rota_timer_set(again->timer, 0), 0);
    else
        rota_timer_free(again->timer);
}

static void timer_may_be_set_and_freed_by_its_callback(void **state)
{
    struct loop_fixture f;
    struct again again = {.left = 100};

    (void)state;
    loop_fixture_init(&f);
    again.loop = f.loop;
    assert_int_equal(rota_timer_new(f.loop, fire_again, &again, &again.timer), 0);
    assert_int_equal(rota_timer_set(again.timer, 0), 0);
    assert_int_equal(rota_loop_run(f.loop), 0);
    assert_int_equal(again.left, 0);
    loop_fixture_fini(&f);
}

/* A timer that never rests must not keep the loop from looking at the rest of the world. */
struct restless {
    struct rota_timer *timer;
    struct rota_host_task task;
    struct rota_loop *loop;
    int fd;
    bool heard;
};

static void fire_restless(void *arg)
{
    struct restless *restless = arg;

    assert_int_equal(rota_timer_set(restless->timer, 0), 0);
}

static void run_restless(struct rota_host_task *task)
{
    struct restless *restless = ROTA_CONTAINER(task, struct restless, task);

    rota_host_post(rota_loop_host(restless->loop), task);
}

static void on_pipe(uv_poll_t *handle, int status, int events)
{
    struct restless *restless = handle->data;

    (void)events;
    assert_int_equal(status, 0);
    restless->heard = true;
    uv_poll_stop(handle);
}

/* A timer that is always due, or a task that always posts itself. */
static void sockets_have_their_turn_beside(bool a_task)
{
    struct restless restless = {.task.run = run_restless};
    struct loop_fixture f;
    uv_poll_t poll_handle;
    int ends[2];

    loop_fixture_init(&f);
    restless.loop = f.loop;
    assert_int_equal(pipe(ends), 0);
    assert_int_equal(rota_timer_new(f.loop, fire_restless, &restless, &restless.timer), 0);
    if (a_task)
        rota_host_post(rota_loop_host(f.loop), &restless.task);
    else
        assert_int_equal(rota_timer_set(restless.timer, 0), 0);
    uv_poll_init(rota_loop_uv(f.loop), &poll_handle, ends[0]);
    poll_handle.data = &restless;
    uv_poll_start(&poll_handle, UV_READABLE, on_pipe);
    assert_int_equal(write(ends[1], "x", 1), 1);
    turn_until(f.loop, &restless.heard);
    rota_host_unpost(rota_loop_host(f.loop), &restless.task);
    rota_timer_free(restless.timer);
    uv_close((uv_handle_t *)&poll_handle, NULL);
    loop_fixture_fini(&f);
    close(ends[0]);
    close(ends[1]);
}

static void sockets_have_their_turn(void **state)
{
    (void)state;
    sockets_have_their_turn_beside(false);
    sockets_have_their_turn_beside(true);
}

/* --- Flushes --- */

struct flusher {
    struct rota_flush flush;
    struct rota_host_task task;
    struct rota_loop *loop;
    int runs, task_runs;
    bool again;
};

static void count_flush(struct rota_flush *flush)
{
    struct flusher *flusher = ROTA_CONTAINER(flush, struct flusher, flush);

    assert_true(rota_loop_host(flusher->loop)->in_turn);
    flusher->runs++;
    if (flusher->again) {
        flusher->again = false;
        rota_host_post(rota_loop_host(flusher->loop), &flusher->task);
    }
}

static void ask_for_flush(struct rota_host_task *task)
{
    struct flusher *flusher = ROTA_CONTAINER(task, struct flusher, task);

    flusher->task_runs++;
    for (int i = 0; i < 3; i++)
        rota_loop_flush(flusher->loop, &flusher->flush);
}

static void flush_runs_once_a_turn(void **state)
{
    struct flusher flusher = {.flush.run = count_flush, .task.run = ask_for_flush};
    struct loop_fixture f;

    (void)state;
    loop_fixture_init(&f);
    flusher.loop = f.loop;
    rota_host_post(rota_loop_host(f.loop), &flusher.task);
    assert_int_equal(rota_loop_turn(f.loop), 0);
    assert_int_equal(flusher.runs, 1);

    /* What a flush causes is done in the same turn. */
    flusher.again = true;
    rota_loop_flush(f.loop, &flusher.flush);
    assert_int_equal(rota_loop_turn(f.loop), 0);
    assert_int_equal(flusher.runs, 3);
    assert_int_equal(flusher.task_runs, 2);

    rota_loop_flush(f.loop, &flusher.flush);
    rota_loop_unflush(f.loop, &flusher.flush);
    rota_loop_unflush(f.loop, &flusher.flush);
    assert_int_equal(rota_loop_turn(f.loop), 0);
    assert_int_equal(flusher.runs, 3);
    loop_fixture_fini(&f);
}

/* --- What keeps it open --- */

struct keeper {
    struct rota_loop *loop;
    struct rota_host_task task;
    int runs;
};

static void release_it(struct rota_host_task *task)
{
    struct keeper *keeper = ROTA_CONTAINER(task, struct keeper, task);

    keeper->runs++;
    rota_loop_release(keeper->loop);
}

static void run_returns_when_nothing_is_open(void **state)
{
    struct keeper keeper = {.task.run = release_it};
    struct rota_signal *signal_handle;
    struct loop_fixture f;

    (void)state;
    loop_fixture_init(&f);
    keeper.loop = f.loop;
    assert_int_equal(rota_loop_run(f.loop), 0);
    rota_loop_hold(f.loop);
    rota_host_post(rota_loop_host(f.loop), &keeper.task);
    assert_int_equal(rota_signal_new(f.loop, SIGUSR2, NULL, NULL, &signal_handle), 0);
    assert_int_equal(rota_loop_run(f.loop), 0); /* the signal alone does not keep it */
    assert_int_equal(keeper.runs, 1);
    rota_signal_free(signal_handle);
    loop_fixture_fini(&f);
}

static void free_with_something_open(void *ctx)
{
    struct rota_loop *loop;
    struct rota_timer *timer;

    assert_int_equal(rota_loop_new(NULL, &loop), 0);
    if (ctx == NULL)
        rota_loop_hold(loop);
    else
        assert_int_equal(rota_timer_new(loop, fire_again, NULL, &timer), 0);
    rota_loop_free(loop);
}

static void wait_inside_a_callback(struct rota_host_task *task)
{
    struct keeper *keeper = ROTA_CONTAINER(task, struct keeper, task);

    (void)rota_loop_wait_turn(keeper->loop);
}

static void block_in_callback(void *ctx)
{
    struct keeper keeper = {.task.run = wait_inside_a_callback};

    (void)ctx;
    assert_int_equal(rota_loop_new(NULL, &keeper.loop), 0);
    rota_host_post(rota_loop_host(keeper.loop), &keeper.task);
    (void)rota_loop_turn(keeper.loop);
}

static void callers_bugs_abort(void **state)
{
    bool with_timer = true;

    (void)state;
    rota_assert_aborts(free_with_something_open, NULL, "n_held");
    rota_assert_aborts(free_with_something_open, &with_timer, "n_objects");
    rota_assert_aborts(block_in_callback, NULL, "may_turn");
}

struct in_run {
    struct rota_loop *loop;
    struct rota_host_task task;
    rota_err run, turn;
};

static void run_inside(struct rota_host_task *task)
{
    struct in_run *in_run = ROTA_CONTAINER(task, struct in_run, task);

    in_run->run = rota_loop_run(in_run->loop);
    in_run->turn = rota_loop_turn(in_run->loop);
}

static void running_loop_cannot_be_run(void **state)
{
    struct in_run in_run = {.task.run = run_inside};
    struct loop_fixture f;

    (void)state;
    loop_fixture_init(&f);
    in_run.loop = f.loop;
    rota_host_post(rota_loop_host(f.loop), &in_run.task);
    assert_int_equal(rota_loop_run(f.loop), 0);
    assert_int_equal(in_run.run, ROTA_ESTATE);
    assert_int_equal(in_run.turn, ROTA_ESTATE);
    loop_fixture_fini(&f);
}

/* --- Signals --- */

struct hearing {
    struct rota_signal *handle;
    bool heard;
    int signum;
};

static void hear(void *arg, int signum)
{
    struct hearing *hearing = arg;

    hearing->heard = true;
    hearing->signum = signum;
    rota_signal_free(hearing->handle);
}

static void signal_arrives_on_the_loop(void **state)
{
    struct hearing hearing = {.heard = false};
    struct loop_fixture f;

    (void)state;
    loop_fixture_init(&f);
    assert_int_equal(rota_signal_new(f.loop, SIGUSR1, hear, &hearing, &hearing.handle), 0);
    raise(SIGUSR1);
    turn_until(f.loop, &hearing.heard);
    assert_int_equal(hearing.signum, SIGUSR1);
    assert_int_equal(rota_signal_new(f.loop, 9999, hear, &hearing, &hearing.handle), ROTA_EIO);
    loop_fixture_fini(&f);
}

/* --- Inside another loop --- */

static void set_flag(void *arg)
{
    *(bool *)arg = true;
}

static void set_flag_by_poll(uv_poll_t *handle, int status, int events)
{
    (void)status;
    (void)events;
    *(bool *)handle->data = true;
    uv_poll_stop(handle);
}

static void poll_once(struct rota_loop *loop)
{
    struct pollfd one = {.fd = rota_loop_fd(loop), .events = POLLIN};
    int timeout_ms = rota_loop_timeout_ms(loop);

    /* Never for ever: what is waited for must be announced by the timeout or by the descriptor. */
    assert_true(poll(&one, 1, timeout_ms < 0 ? 20000 : timeout_ms) >= 0);
    assert_int_equal(rota_loop_turn(loop), 0);
}

static void loop_lives_inside_poll(void **state)
{
    bool fired = false, readable = false;
    struct rota_timer *timer;
    struct loop_fixture f;
    uv_poll_t poll_handle;
    int ends[2], turns = 0;

    (void)state;
    loop_fixture_init(&f);
    poll_once(f.loop); /* lets libuv watch its own descriptors */
    assert_int_equal(rota_loop_timeout_ms(f.loop), -1);
    assert_int_equal(rota_timer_new(f.loop, set_flag, &fired, &timer), 0);
    assert_int_equal(rota_timer_set(timer, rota_loop_now_ns(f.loop) + 5 * MS), 0);
    assert_in_range(rota_loop_timeout_ms(f.loop), 0, 6);
    for (; !fired && turns < 100; turns++)
        poll_once(f.loop);
    assert_true(fired);
    assert_in_range(turns, 1, 8); /* it sleeps and does not spin, however slow the machine */
    assert_int_equal(rota_loop_timeout_ms(f.loop), -1);

    /* A descriptor that is watched from outside a turn. */
    assert_int_equal(pipe(ends), 0);
    uv_poll_init(rota_loop_uv(f.loop), &poll_handle, ends[0]);
    poll_handle.data = &readable;
    uv_poll_start(&poll_handle, UV_READABLE, set_flag_by_poll);
    assert_int_equal(write(ends[1], "x", 1), 1);
    for (turns = 0; !readable && turns < 8; turns++)
        poll_once(f.loop);
    assert_true(readable);
    uv_close((uv_handle_t *)&poll_handle, NULL);
    rota_timer_free(timer);
    loop_fixture_fini(&f);
    close(ends[0]);
    close(ends[1]);
}

static void given_uv_loop_is_run_by_the_application(void **state)
{
    struct rota_loop_options options = ROTA_LOOP_OPTIONS_INIT;
    struct rota_leak_alloc memory;
    struct rota_timer *timer;
    struct rota_loop *loop;
    bool fired = false;
    uv_loop_t uv;

    (void)state;
    rota_leak_alloc_init(&memory);
    uv_loop_init(&uv);
    options.alloc = &memory.alloc;
    options.uv_loop = &uv;
    assert_int_equal(rota_loop_new(&options, &loop), 0);
    assert_int_equal(uv_run(&uv, UV_RUN_DEFAULT), 0); /* nothing of ours keeps it */
    assert_int_equal(rota_timer_new(loop, set_flag, &fired, &timer), 0);
    assert_int_equal(rota_timer_set(timer, rota_loop_now_ns(loop) + 2 * MS), 0);
    uv_run(&uv, UV_RUN_DEFAULT);
    assert_true(fired);
    rota_timer_free(timer);
    rota_loop_free(loop);
    uv_run(&uv, UV_RUN_DEFAULT); /* lets go of the handles */
    assert_int_equal(uv_loop_close(&uv), 0);
    rota_leak_alloc_fini(&memory);
}

/* --- Making --- */

static rota_err make_and_free(const struct rota_alloc *alloc, void *ctx)
{
    struct rota_loop_options options = ROTA_LOOP_OPTIONS_INIT;
    struct rota_timer *timer = NULL;
    struct rota_loop *loop;
    rota_err err;

    (void)ctx;
    options.alloc = alloc;
    err = rota_loop_new(&options, &loop);
    if (err < 0)
        return err;
    err = rota_timer_new(loop, fire_again, NULL, &timer);
    if (err == 0)
        err = rota_timer_set(timer, INT64_MAX);
    rota_timer_free(timer);
    rota_loop_free(loop);
    return err;
}

static void out_of_memory_is_an_error(void **state)
{
    (void)state;
    assert_true(rota_alloc_sweep(make_and_free, NULL) >= 4);
    rota_loop_free(NULL);
    rota_timer_free(NULL);
    rota_signal_free(NULL);
}

static void seed_decides_chance(void **state)
{
    struct loop_fixture a, b;

    (void)state;
    loop_fixture_init(&a);
    loop_fixture_init(&b);
    assert_true(rota_rng_next(&rota_loop_host(a.loop)->rng) == rota_rng_next(&rota_loop_host(b.loop)->rng));
    loop_fixture_fini(&a);
    loop_fixture_fini(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(timers_fire_in_order),
        cmocka_unit_test(timer_may_be_set_and_freed_by_its_callback),
        cmocka_unit_test(sockets_have_their_turn),
        cmocka_unit_test(flush_runs_once_a_turn),
        cmocka_unit_test(run_returns_when_nothing_is_open),
        cmocka_unit_test(callers_bugs_abort),
        cmocka_unit_test(running_loop_cannot_be_run),
        cmocka_unit_test(signal_arrives_on_the_loop),
        cmocka_unit_test(loop_lives_inside_poll),
        cmocka_unit_test(given_uv_loop_is_run_by_the_application),
        cmocka_unit_test(out_of_memory_is_an_error),
        cmocka_unit_test(seed_decides_chance),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
