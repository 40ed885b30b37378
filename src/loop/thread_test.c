/* thread_test.c - what other threads may do to a loop: post, stop; loops with a thread of their own. */
#include "base/assert.h"
#include "loop/loop_fixture.h"
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>

enum { POSTERS = 4, POSTS_EACH = 2000 };

struct tally {
    struct rota_loop *loop;
    unsigned next[POSTERS]; /* by thread: which of its posts is expected */
    unsigned count, out_of_order, outside_turn;
    bool all;
};

struct numbered_post {
    struct rota_loop_post post;
    struct tally *tally;
    unsigned thread, number;
};

struct poster {
    struct tally *tally;
    unsigned thread;
    struct numbered_post posts[POSTS_EACH];
};

static void count_post(struct rota_loop_post *post)
{
    struct numbered_post *numbered = post->arg;
    struct tally *tally = numbered->tally;

    tally->out_of_order += tally->next[numbered->thread]++ != numbered->number;
    tally->outside_turn += !rota_loop_host(tally->loop)->in_turn || !rota_loop_is_mine(tally->loop);
    tally->all = ++tally->count == POSTERS * POSTS_EACH;
}

static void *post_many(void *arg)
{
    struct poster *poster = arg;

    for (unsigned i = 0; i < POSTS_EACH; i++) {
        struct numbered_post *numbered = &poster->posts[i];
        *numbered = (struct numbered_post){{count_post, numbered, NULL}, poster->tally, poster->thread, i};
        rota_loop_post(poster->tally->loop, &numbered->post);
    }
    return NULL;
}

static void start_posters(struct poster *posters, struct tally *tally, pthread_t threads[POSTERS])
{
    for (unsigned i = 0; i < POSTERS; i++) {
        posters[i].tally = tally;
        posters[i].thread = i;
        assert_int_equal(pthread_create(&threads[i], NULL, post_many, &posters[i]), 0);
    }
}

static void join(pthread_t threads[POSTERS])
{
    for (unsigned i = 0; i < POSTERS; i++)
        pthread_join(threads[i], NULL);
}

static struct poster posters[POSTERS];

static void posts_of_a_thread_run_in_their_order(void **state)
{
    pthread_t threads[POSTERS];
    struct loop_fixture f;

    (void)state;
    loop_fixture_init(&f);
    struct tally tally = {.loop = f.loop};
    start_posters(posters, &tally, threads);
    turn_until(f.loop, &tally.all);
    join(threads);
    assert_int_equal(tally.out_of_order, 0);
    assert_int_equal(tally.outside_turn, 0);
    loop_fixture_fini(&f);
}

static void posts_made_before_free_run(void **state)
{
    pthread_t threads[POSTERS];
    struct tally tally = {.count = 0};

    (void)state;
    for (int threaded = 0; threaded <= 1; threaded++) {
        tally = (struct tally){.count = 0};
        assert_int_equal((threaded ? rota_loop_thread_new : rota_loop_new)(NULL, &tally.loop), 0);
        assert_true(rota_loop_is_threaded(tally.loop) == (threaded == 1));
        assert_true(rota_loop_is_mine(tally.loop) == (threaded == 0));
        start_posters(posters, &tally, threads);
        join(threads);
        rota_loop_free(tally.loop);
        assert_true(tally.all);
        assert_int_equal(tally.out_of_order, 0);
        assert_int_equal(tally.outside_turn, 0);
    }
}

/* --- Stop --- */

static void never(void *arg)
{
    (void)arg;
}

static void *stop_it(void *arg)
{
    rota_loop_stop(arg);
    return NULL;
}

static void stop_ends_run_from_another_thread(void **state)
{
    struct rota_timer *timer;
    struct loop_fixture f;
    pthread_t thread;

    (void)state;
    loop_fixture_init(&f);
    assert_int_equal(rota_timer_new(f.loop, never, NULL, &timer), 0);
    assert_int_equal(rota_timer_set(timer, INT64_MAX - 1), 0); /* would run for ever */
    for (int i = 0; i < 50; i++) {
        /* Before or during the run, the race decides: it ends either way. */
        assert_int_equal(pthread_create(&thread, NULL, stop_it, f.loop), 0);
        assert_int_equal(rota_loop_run(f.loop), 0);
        pthread_join(thread, NULL);
    }
    rota_timer_free(timer);
    loop_fixture_fini(&f);
}

/* --- Memory order --- */

/* What wakes a loop must not act on what it knew of it before the loop last looked for posts, or the wake may be left out (post.c).
 * That is what the thread reads here; without the order it is a race, which ThreadSanitizer tells of. */
struct late_waker {
    struct rota_loop *loop;
    struct rota_loop_post post;
    bool stops;
    atomic_bool may_wake; /* relaxed: orders nothing */
    int64_t looked; /* written by the loop's thread; alone in its eight bytes, or ThreadSanitizer forgets who wrote it */
    int64_t seen;
};

static void do_nothing(struct rota_loop_post *post)
{
    (void)post;
}

static void *wake_late(void *arg)
{
    struct late_waker *waker = arg;

    while (!atomic_load_explicit(&waker->may_wake, memory_order_relaxed))
        sched_yield();
    if (waker->stops)
        rota_loop_stop(waker->loop);
    else
        rota_loop_post(waker->loop, &waker->post);
    waker->seen = waker->looked;
    return NULL;
}

static void who_wakes_a_loop_knows_what_it_did_before_it_looked(void **state)
{
    (void)state;
    for (int stops = 0; stops <= 1; stops++) {
        struct rota_loop_post before = {.run = do_nothing};
        struct late_waker waker = {.post.run = do_nothing, .stops = stops};
        struct loop_fixture f;
        pthread_t thread;
        print_message("  %s\n", stops ? "rota_loop_stop" : "rota_loop_post");
        loop_fixture_init(&f);
        waker.loop = f.loop;
        assert_int_equal(pthread_create(&thread, NULL, wake_late, &waker), 0);
        waker.looked = 1;
        rota_loop_post(f.loop, &before);
        assert_int_equal(rota_loop_turn(f.loop), 0);
        atomic_store_explicit(&waker.may_wake, true, memory_order_relaxed);
        pthread_join(thread, NULL);
        assert_int_equal(waker.seen, 1);
        assert_int_equal(rota_loop_turn(f.loop), 0);
        loop_fixture_fini(&f);
    }
}

/* --- Whose it is --- */

static void *ask(void *arg)
{
    return rota_loop_is_mine(arg) ? arg : NULL;
}

static bool is_anothers(struct rota_loop *loop)
{
    void *answer;
    pthread_t thread;

    assert_int_equal(pthread_create(&thread, NULL, ask, loop), 0);
    pthread_join(thread, &answer);
    return answer != NULL;
}

static void a_loop_belongs_to_who_uses_it_first(void **state)
{
    struct rota_loop *loop;

    (void)state;
    assert_int_equal(rota_loop_new(NULL, &loop), 0);
    assert_true(is_anothers(loop));
    assert_int_equal(rota_loop_turn(loop), 0);
    assert_true(rota_loop_is_mine(loop));
    assert_false(is_anothers(loop));
    rota_loop_free(loop);

    assert_int_equal(rota_loop_new(NULL, &loop), 0);
    assert_true(rota_loop_is_mine(loop));
    assert_false(is_anothers(loop));
    rota_loop_free(loop);
}

/* --- A thread of its own --- */

struct errand {
    struct rota_loop_post post;
    struct rota_loop *loop;
    struct rota_timer *timer;
    pthread_mutex_t lock;
    pthread_cond_t done_changed;
    bool done, mine;
};

static void errand_done(void *arg)
{
    struct errand *errand = arg;

    rota_timer_free(errand->timer);
    pthread_mutex_lock(&errand->lock);
    errand->mine = rota_loop_is_mine(errand->loop);
    errand->done = true;
    pthread_cond_signal(&errand->done_changed);
    pthread_mutex_unlock(&errand->lock);
}

static void begin_errand(struct rota_loop_post *post)
{
    struct errand *errand = post->arg;

    assert_int_equal(rota_timer_new(errand->loop, errand_done, errand, &errand->timer), 0);
    assert_int_equal(rota_timer_set(errand->timer, rota_loop_now_ns(errand->loop) + 1000000), 0);
}

static void loop_runs_on_its_own_thread(void **state)
{
    struct errand errand = {.post.run = begin_errand, .lock = PTHREAD_MUTEX_INITIALIZER, .done_changed = PTHREAD_COND_INITIALIZER};
    struct rota_signal *signal_handle;

    (void)state;
    assert_int_equal(rota_loop_thread_new(NULL, &errand.loop), 0);
    assert_false(rota_loop_is_mine(errand.loop));
    assert_int_equal(rota_loop_run(errand.loop), ROTA_ESTATE);
    assert_int_equal(rota_loop_turn(errand.loop), ROTA_ESTATE);
    rota_loop_stop(errand.loop); /* is not for these */
    assert_int_equal(rota_timer_new(errand.loop, errand_done, &errand, &errand.timer), ROTA_ESTATE);
    assert_int_equal(rota_signal_new(errand.loop, SIGUSR2, NULL, NULL, &signal_handle), ROTA_ESTATE);
    errand.post.arg = &errand;
    rota_loop_post(errand.loop, &errand.post);
    pthread_mutex_lock(&errand.lock);
    while (!errand.done)
        pthread_cond_wait(&errand.done_changed, &errand.lock);
    pthread_mutex_unlock(&errand.lock);
    assert_true(errand.mine);
    rota_loop_free(errand.loop);
}

/* --- Signals --- */

static const struct signal_case {
    const char *rule;
    int signum;
    bool blocked;
} signal_cases[] = {
    {"signals to the program are not for it", SIGTERM, true},
    {"nor timers", SIGALRM, true},
    {"a fault of its own gets to a handler: memory", SIGSEGV, false},
    {"a fault of its own: mapping", SIGBUS, false},
    {"a fault of its own: arithmetic", SIGFPE, false},
    {"a fault of its own: instruction", SIGILL, false},
    {"a fault of its own: breakpoint", SIGTRAP, false},
    {"a fault of its own: system call", SIGSYS, false},
};

static void note_mask(struct rota_loop_post *post)
{
    pthread_sigmask(SIG_SETMASK, NULL, post->arg);
}

static void thread_blocks_all_but_its_own_faults(void **state)
{
    struct rota_loop_post post = {.run = note_mask};
    struct rota_loop *loop;
    sigset_t mask, before, after;

    (void)state;
    pthread_sigmask(SIG_SETMASK, NULL, &before);
    assert_int_equal(rota_loop_thread_new(NULL, &loop), 0);
    pthread_sigmask(SIG_SETMASK, NULL, &after);
    post.arg = &mask;
    rota_loop_post(loop, &post);
    rota_loop_free(loop); /* what was posted before runs */
    for (size_t i = 0; i < ROTA_COUNT(signal_cases); i++) {
        const struct signal_case *c = &signal_cases[i];
        print_message("  %s\n", c->rule);
        assert_int_equal(sigismember(&mask, c->signum), c->blocked);
        assert_int_equal(sigismember(&before, c->signum), sigismember(&after, c->signum));
    }
}

static void thread_cannot_be_given_a_uv_loop(void **state)
{
    struct rota_loop_options options = ROTA_LOOP_OPTIONS_INIT;
    struct rota_loop *loop;

    (void)state;
    options.uv_loop = uv_default_loop();
    assert_int_equal(rota_loop_thread_new(&options, &loop), ROTA_EINVAL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(posts_of_a_thread_run_in_their_order),
        cmocka_unit_test(posts_made_before_free_run),
        cmocka_unit_test(stop_ends_run_from_another_thread),
        cmocka_unit_test(who_wakes_a_loop_knows_what_it_did_before_it_looked),
        cmocka_unit_test(a_loop_belongs_to_who_uses_it_first),
        cmocka_unit_test(loop_runs_on_its_own_thread),
        cmocka_unit_test(thread_blocks_all_but_its_own_faults),
        cmocka_unit_test(thread_cannot_be_given_a_uv_loop),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
