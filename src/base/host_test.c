/* host_test.c - a script of timers and tasks, and the order in which they ran.
 *
 * Each actor notes its letter when it runs and may then do one thing to another; a row says which, and what a run and
 * the one after it note.
 */
#include "base/host.h"
#include "base/assert.h"
#include "testing/cmocka.h"
#include "testing/leak_alloc.h"
#include <ctype.h>
#include <string.h>

#define START_NS 100

struct actor {
    struct rota_host_timer timer;
    struct rota_host_task task;
    struct fixture *f;
    char name;
};

struct fixture {
    struct rota_leak_alloc a;
    struct rota_host host;
    struct actor actors[4]; /* a, b, c, d */
    const char *script;
    char notes[32];
};

static struct actor *actor_named(struct fixture *f, char name)
{
    return &f->actors[tolower((unsigned char)name) - 'a'];
}

/* "!a110" sets a's timer for 110, "-a" clears it, "+a" posts a's task, "~a" takes it back. */
static const char *carry_out(struct fixture *f, const char *step)
{
    struct actor *actor = actor_named(f, step[1]);
    int64_t at_ns = 0;
    const char *rest = step + 2;

    for (; isdigit((unsigned char)*rest); rest++)
        at_ns = at_ns * 10 + (*rest - '0');
    switch (step[0]) {
    case '!':
        assert_int_equal(rota_host_timer_set(&f->host, &actor->timer, at_ns), 0);
        break;
    case '-':
        rota_host_timer_clear(&f->host, &actor->timer);
        break;
    case '+':
        rota_host_post(&f->host, &actor->task);
        break;
    case '~':
        rota_host_unpost(&f->host, &actor->task);
        break;
    default:
        fail_msg("no such step: %s", step);
    }
    return rest;
}

/* What the script says after "<name>:" is done once, by the first run of that name. */
static void act(struct actor *actor, char name)
{
    const char label[] = {name, ':', '\0'};
    struct fixture *f = actor->f;
    bool again = strchr(f->notes, name) != NULL;
    const char *step = strstr(f->script, label);

    assert_true(f->host.in_turn);
    assert_true(strlen(f->notes) + 1 < sizeof(f->notes));
    f->notes[strlen(f->notes)] = name;
    if (again || step == NULL)
        return;
    for (step += 2; *step != ' ' && *step != '\0';)
        step = carry_out(f, step);
}

static void fire(struct rota_host_timer *timer, int64_t now_ns)
{
    struct actor *actor = ROTA_CONTAINER(timer, struct actor, timer);

    assert_int_equal(now_ns, actor->f->host.now_ns);
    assert_false(rota_host_timer_is_set(timer));
    act(actor, actor->name);
}

static void run(struct rota_host_task *task)
{
    struct actor *actor = ROTA_CONTAINER(task, struct actor, task);

    act(actor, (char)toupper((unsigned char)actor->name));
}

static void fixture_init(struct fixture *f, const char *script)
{
    *f = (struct fixture){.script = script};
    rota_leak_alloc_init(&f->a);
    rota_host_init(&f->host, &f->a.alloc, NULL, 1);
    f->host.now_ns = START_NS;
    for (size_t i = 0; i < ROTA_COUNT(f->actors); i++)
        f->actors[i] = (struct actor){.timer.fire = fire, .task.run = run, .f = f, .name = (char)('a' + i)};
    for (const char *step = script; *step != ' ' && *step != '\0';)
        step = carry_out(f, step);
}

static void fixture_fini(struct fixture *f)
{
    rota_host_fini(&f->host);
    rota_leak_alloc_fini(&f->a);
}

static const struct run_case {
    const char *rule, *script; /* steps before the run, then "x:steps" when timer x (or task X) runs */
    const char *first, *second; /* notes of two runs at the same time */
    int64_t next_ns; /* after both */
} cases[] = {
    {"nothing to do", "", "", "", INT64_MAX},
    {"what is due fires, once", "!a100", "a", "", INT64_MAX},
    {"what is not due waits", "!a101", "", "", 101},
    {"timers fire in order of time", "!a100!b98!c99", "abc", "", INT64_MAX},
    {"of one time in the order set", "!b100!a100!c100", "bac", "", INT64_MAX},
    {"moving changes the order", "!a100!b100!a100", "ba", "", INT64_MAX},
    {"moved away it does not fire", "!a100!a200", "", "", 200},
    {"cleared it does not fire", "!a100!b100-a", "b", "", INT64_MAX},
    {"clearing twice is harmless", "!a100-a-a", "", "", INT64_MAX},
    {"one timer may clear the next", "!a100!b100 a:-b", "a", "", INT64_MAX},
    {"a timer set for now waits for the next run", "!a100 a:!b100", "a", "b", INT64_MAX},
    {"so does one set for the past", "!a100!c100 a:!b1", "ac", "b", INT64_MAX},
    {"so does one that sets itself", "!a100!b100 a:!a100", "ab", "a", INT64_MAX},
    {"due timers moved to now wait, too", "!a100!b100 a:!b100", "a", "b", INT64_MAX},
    {"tasks run as posted", "+b+a+c", "BAC", "", INT64_MAX},
    {"posting twice is posting once", "+a+b+a", "AB", "", INT64_MAX},
    {"what was taken back does not run", "+a+b~a", "B", "", INT64_MAX},
    {"taking back what was not posted is harmless", "~a+b~c~c", "B", "", INT64_MAX},
    {"a task's task runs in the same run", "+a A:+b B:+c", "ABC", "", INT64_MAX},
    {"a task may post itself again", "+a+b A:+a", "ABA", "", INT64_MAX},
    {"a task may take another back", "+a+b+c A:~b", "AC", "", INT64_MAX},
    {"tasks come after timers", "+a!b100!c100 b:+d", "bcAD", "", INT64_MAX},
    {"a task's timer waits for the next run", "+a A:!b100", "A", "b", INT64_MAX},
};

static void runs_follow_the_rules(void **state)
{
    (void)state;
    for (size_t i = 0; i < ROTA_COUNT(cases); i++) {
        struct fixture f;
        print_message("  %s\n", cases[i].rule);
        fixture_init(&f, cases[i].script);
        assert_string_equal(f.notes, "");
        rota_host_run(&f.host);
        assert_string_equal(f.notes, cases[i].first);
        rota_host_run(&f.host);
        assert_string_equal(f.notes + strlen(cases[i].first), cases[i].second);
        assert_int_equal(rota_host_next_ns(&f.host), cases[i].next_ns);
        assert_false(f.host.in_turn);
        fixture_fini(&f);
    }
}

struct endless {
    struct rota_host *host;
    struct rota_host_task task;
    size_t n_runs;
};

static void run_again(struct rota_host_task *task)
{
    struct endless *e = ROTA_CONTAINER(task, struct endless, task);

    e->n_runs++;
    rota_host_post(e->host, &e->task);
}

static void a_run_ends_whatever_tasks_post(void **state)
{
    struct fixture f;
    struct endless e = {.host = &f.host, .task.run = run_again};

    (void)state;
    fixture_init(&f, "!a0");
    rota_host_post(&f.host, &e.task);
    rota_host_run(&f.host);
    assert_string_equal(f.notes, "a");
    assert_int_equal(rota_host_next_ns(&f.host), 0);
    size_t n_runs = e.n_runs;
    rota_host_run(&f.host);
    assert_int_equal(e.n_runs, 2 * n_runs);
    rota_host_unpost(&f.host, &e.task);
    fixture_fini(&f);
}

static void next_is_now_while_tasks_wait(void **state)
{
    struct fixture f;

    (void)state;
    fixture_init(&f, "!a500+b");
    assert_int_equal(rota_host_next_ns(&f.host), 0);
    rota_host_unpost(&f.host, &f.actors[1].task);
    assert_int_equal(rota_host_next_ns(&f.host), 500);
    assert_true(rota_host_timer_is_set(&f.actors[0].timer));
    fixture_fini(&f);
}

static int64_t later_clock(struct rota_host *host)
{
    return host->now_ns + 7;
}

static void entering_refreshes_the_time_outside_a_turn(void **state)
{
    struct fixture f;

    (void)state;
    fixture_init(&f, "");
    assert_int_equal(f.host.clock(&f.host), START_NS);
    assert_int_equal(f.host.wall_clock(&f.host), START_NS);
    f.host.clock = later_clock;
    rota_host_enter(&f.host);
    assert_int_equal(f.host.now_ns, START_NS + 7);
    f.host.in_turn = true;
    rota_host_enter(&f.host);
    assert_int_equal(f.host.now_ns, START_NS + 7);
    rota_host_run(&f.host);
    assert_true(f.host.in_turn);
    fixture_fini(&f);
}

static rota_err set_two(const struct rota_alloc *alloc, void *ctx)
{
    struct rota_host_timer timer = {.fire = fire};
    struct rota_host host;
    rota_err err;

    (void)ctx;
    rota_host_init(&host, alloc, NULL, 1);
    err = rota_host_timer_set(&host, &timer, 5);
    assert_int_equal(rota_host_timer_is_set(&timer), err == 0);
    rota_host_timer_clear(&host, &timer);
    rota_host_fini(&host);
    return err;
}

static void only_timers_need_memory(void **state)
{
    struct rota_host zeroed = {0};

    (void)state;
    assert_int_equal(rota_alloc_sweep(set_two, NULL), 1);
    rota_host_fini(&zeroed);
    rota_host_fini(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(runs_follow_the_rules),
        cmocka_unit_test(a_run_ends_whatever_tasks_post),
        cmocka_unit_test(next_is_now_while_tasks_wait),
        cmocka_unit_test(entering_refreshes_the_time_outside_a_turn),
        cmocka_unit_test(only_timers_need_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
