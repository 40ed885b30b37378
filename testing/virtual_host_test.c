/* virtual_host_test.c - time goes from timer to timer, and what is left over is noticed. */
#include "testing/virtual_host.h"
#include "testing/cmocka.h"
#include "testing/death.h"

struct noted_timer {
    struct rota_host_timer timer;
    struct rota_host *host;
    int64_t fired_ns[4];
    int fired;
    int64_t again_ns; /* set anew for so much later, 4 times at most; negative: not */
};

static void note(struct rota_host_timer *timer, int64_t now_ns)
{
    struct noted_timer *t = ROTA_CONTAINER(timer, struct noted_timer, timer);

    assert_true(t->host->in_turn);
    assert_int_equal(t->host->clock(t->host), now_ns);
    t->fired_ns[t->fired++ % 4] = now_ns;
    if (t->again_ns >= 0)
        assert_int_equal(rota_host_timer_set(t->host, timer, now_ns + t->again_ns), 0);
}

static struct noted_timer noted(struct rota_virtual_host *v, int64_t again_ns)
{
    return (struct noted_timer){.timer.fire = note, .host = &v->host, .again_ns = again_ns};
}

static void each_timer_fires_at_its_own_time(void **state)
{
    struct rota_virtual_host v;
    struct noted_timer t;

    (void)state;
    rota_virtual_host_init(&v, NULL, 1);
    t = noted(&v, 10 * ROTA_MS);
    assert_int_equal(rota_host_timer_set(&v.host, &t.timer, ROTA_VIRTUAL_START_NS + 5 * ROTA_MS), 0);
    rota_virtual_host_advance(&v, 30 * ROTA_MS);
    assert_int_equal(t.fired, 3);
    assert_int_equal(t.fired_ns[0], ROTA_VIRTUAL_START_NS + 5 * ROTA_MS);
    assert_int_equal(t.fired_ns[2], ROTA_VIRTUAL_START_NS + 25 * ROTA_MS);
    assert_int_equal(v.host.now_ns, ROTA_VIRTUAL_START_NS + 30 * ROTA_MS);
    assert_int_equal(v.host.wall_clock(&v.host), ROTA_VIRTUAL_WALL_START_NS + 30 * ROTA_MS);
    t.again_ns = -1;
    rota_virtual_host_run_out(&v, ROTA_S);
    assert_int_equal(t.fired, 4);
    assert_int_equal(v.host.now_ns, ROTA_VIRTUAL_START_NS + 35 * ROTA_MS);
    rota_virtual_host_fini(&v);
}

static void spins(void **state)
{
    struct rota_virtual_host v;
    struct noted_timer t;

    (void)state;
    rota_virtual_host_init(&v, NULL, 1);
    t = noted(&v, 0);
    assert_int_equal(rota_host_timer_set(&v.host, &t.timer, 0), 0);
    rota_virtual_host_run(&v);
}

static void leaves_a_timer(void **state)
{
    struct rota_virtual_host v;
    struct noted_timer t;

    (void)state;
    rota_virtual_host_init(&v, NULL, 1);
    t = noted(&v, ROTA_MS);
    assert_int_equal(rota_host_timer_set(&v.host, &t.timer, 0), 0);
    rota_virtual_host_run_out(&v, 10 * ROTA_MS);
}

static void leaves_a_task(void **state)
{
    struct rota_virtual_host v;
    struct rota_host_task task = {0};

    (void)state;
    rota_virtual_host_init(&v, NULL, 1);
    rota_host_post(&v.host, &task);
    rota_virtual_host_assert_idle(&v);
}

static void turns_back(void **state)
{
    struct rota_virtual_host v;

    (void)state;
    rota_virtual_host_init(&v, NULL, 1);
    rota_virtual_host_advance(&v, -1);
}

static const struct guard_case {
    const char *rule;
    void (*test)(void **state);
    const char *words;
} guards[] = {
    {"what is due for ever is noticed", spins, "still something due at 1000000000 ns"},
    {"a timer left set is noticed", leaves_a_timer, "1 timers are still set"},
    {"a task left posted is noticed", leaves_a_task, "a task is still posted"},
    {"time does not run back", turns_back, "time runs forward"},
};

static void guards_bite(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(guards) / sizeof(guards[0]); i++) {
        print_message("  %s\n", guards[i].rule);
        rota_assert_test_fails(guards[i].test, guards[i].words);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_timer_fires_at_its_own_time),
        cmocka_unit_test(guards_bite),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
