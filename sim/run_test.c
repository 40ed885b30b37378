/* run_test.c - whole simulations, small ones: what policies are expected to make of a situation, with the invariants looked at after every
 * event; the same seed, the same bytes.
 */
#include "sim/run.h"
#include "base/assert.h"
#include "sim/report.h"
#include "testing/cmocka.h"
#include "testing/lb_policies.h"
#include "testing/leak_alloc.h"
#include <stdlib.h>

static struct rota_sim_result *run(const char *text, const char *policy, const struct rota_alloc *alloc)
{
    struct rota_sim_run_options options = {.alloc = alloc, .policies = rota_test_policies, .check = true};
    struct rota_sim_scenario *s;
    struct rota_sim_result *result;
    struct rota_errinfo info = {""};

    if (rota_sim_scenario_parse("x", rota_slice_str(text), NULL, &s, &info) < 0 || (policy != NULL && rota_sim_scenario_choose(s, policy, &info) < 0))
        fail_msg("%s", info.text);
    result = malloc(rota_sim_result_size(s));
    assert_non_null(result);
    if (rota_sim_run(s, &s->policies[0], &options, result) < 0)
        print_message("%s\n", result->error.text);
    rota_sim_scenario_free(s);
    return result;
}

/* --- What is expected of policies: a row an expectation; an upper bound of 0 is no bound --- */

#define TEN "servers 10\nduration 4s\nwarmup 1s\nlatency 100us\npolicy p\n"
#define TAIL_A TEN "service constant 1ms\nload poisson 1000/s\nserver 3 slow 10\n"
#define TAIL_B TEN "service constant 1ms\nslots 1\nload poisson 60%\nserver 3 slow 10\norca 200ms\n"
#define HUNG "servers 3\nclients 2\nduration 9s\nwarmup 1s\nservice exponential 2ms\ndeadline 500ms\nload poisson 600/s\npolicy p\n" \
             "at 2s server 1 pause for 3s\n"
#define KILLED "servers 4\nclients 2\nduration 9s\nwarmup 1s\nservice exponential 2ms\nload poisson 1000/s\npolicy p\nat 2s server 1 kill for 2s\n"
#define FULL "servers 1\nduration 6s\nwarmup 1s\nservice constant 1ms\nstreams 1\ndeadline 10ms\nload constant 200/s\npolicy p\n" \
             "at 2s server 0 pause for 1s\n"
#define GRACEFUL "servers 4\nclients 2\nduration 9s\nwarmup 1s\nservice exponential 2ms\nload poisson 1000/s\nlist-delay 20ms\npolicy p\n" \
                 "at 2s each 1s server 0-3 restart leave 200ms drain 500ms down 100ms\n"

static const struct expectation {
    const char *what, *text, *policy;
    double p50_ms[2], p99_ms[2], bad_share[2], error_share[2]; /* from, to */
} expectations[] = {
    {"round_robin gives the slow one its tenth", TAIL_A, "round_robin", {1.1, 1.3}, {10, 10.5}, {0.098, 0.102}, {0, 0}},
    {"least_request gives it less", TAIL_A, "least_request", {1.1, 1.3}, {10, 10.5}, {0.01, 0.08}, {0, 0}},
    {"peak_ewma leaves it", TAIL_A, "peak_ewma", {1.1, 1.3}, {1.1, 2}, {0, 0.01}, {0, 0}},
    {"where calls queue, round_robin has no end", TAIL_B, "round_robin", {1, 3}, {1000, 9000}, {0.095, 0.105}, {0, 0}},
    {"and least_request has one", TAIL_B, "least_request", {1, 2}, {10, 60}, {0.012, 0.025}, {0, 0}},
    {"a hung server takes a third of the calls from round_robin", HUNG, "round_robin", {1, 3}, {0, 510}, {0.3, 0.36}, {0.08, 0.16}},
    {"but not from peak_ewma", HUNG, "peak_ewma", {1, 3}, {0, 100}, {0, 0.3}, {0, 0.01}},
    {"a crash fails what is under way, and nothing else", KILLED, "round_robin", {1, 3}, {1, 30}, {0.1, 0.24}, {0, 0.002}},
    {"a connection full of calls that were given up has room again", FULL, "round_robin", {1, 2}, {1, 2}, {0, 1}, {0.19, 0.21}},
    {"a graceful restart fails nothing", GRACEFUL, "round_robin", {1, 3}, {1, 30}, {0, 1}, {0, 0}},
};

static void expect(const char *what, double got, const double *bounds)
{
    if (got < bounds[0] - 1e-9 || got > bounds[1] + 1e-9)
        fail_msg("%s is %g, expected %g to %g", what, got, bounds[0], bounds[1]);
}

static void policies_do_what_is_expected(void **unused)
{
    (void)unused;
    for (size_t i = 0; i < ROTA_COUNT(expectations); i++) {
        const struct expectation *e = &expectations[i];
        struct rota_leak_alloc leaks;
        struct rota_sim_result *result;
        struct rota_sim_summary sum;

        print_message("  %s\n", e->what);
        rota_leak_alloc_init(&leaks);
        result = run(e->text, e->policy, &leaks.alloc);
        rota_leak_alloc_fini(&leaks);
        assert_int_equal(result->err, 0);
        sum = rota_sim_summarise(result);
        expect("p50", sum.p50_ms, e->p50_ms);
        expect("p99", sum.p99_ms, e->p99_ms);
        expect("bad share", sum.bad_share, e->bad_share);
        expect("error share", sum.error_share, e->error_share);
        free(result);
    }
}

static void leaving_and_returning_are_timed(void **unused)
{
    struct rota_sim_result *result = run(KILLED, "round_robin", NULL);

    (void)unused;
    assert_int_equal(result->n_episodes, 1);
    assert_int_equal(result->episodes[0].server, 1);
    assert_int_equal(result->episodes[0].from_ns, 2000000000);
    assert_int_equal(result->episodes[0].to_ns, 4000000000);
    assert_int_equal(result->episodes[0].leave_ns, 0); /* a reset is noticed at once */
    assert_true(result->episodes[0].return_ns >= 1000000000 && result->episodes[0].return_ns < 4000000000); /* the backoff, and a second of share */
    assert_int_equal(result->episodes[0].late_attempts, 0);
    free(result);
    result = run(HUNG, "round_robin", NULL);
    assert_int_equal(result->episodes[0].leave_ns, -1);
    assert_true(result->episodes[0].late_share > 0.3);
    free(result);
}

/* --- Load and servers --- */

static const struct load {
    const char *what, *text;
    uint64_t low, high; /* calls measured */
} loads[] = {
    {"constant", "servers 1\nduration 2s\nload constant 1000/s\npolicy round_robin\n", 999, 1001},
    {"constant, three clients taking turns", "servers 1\nclients 3\nduration 2s\nload constant 1000/s\npolicy round_robin\n", 995, 1005},
    {"poisson", "servers 1\nduration 2s\nload poisson 1000/s\npolicy round_robin\n", 900, 1100},
    {"bursts keep the mean", "servers 1\nduration 4s\nload bursty 1000/s on 10ms off 40ms\npolicy round_robin\n", 2700, 3300},
    {"closed: as many as servers allow", "servers 1\nduration 2s\nservice constant 10ms\nlatency 0\nload closed 4\npolicy round_robin\n", 390, 410},
    {"closed, with time to think", "servers 1\nduration 2s\nservice constant 10ms\nlatency 0\nload closed 1 think constant 10ms\npolicy round_robin\n", 48, 52},
    {"closed: a call that fails at once takes 10us", "servers 1\nduration 2s\nload closed 1\nat 1500ms server 0 kill for 10ms\npolicy round_robin\n", 30000, 51000},
    {"twice the load for a while", "servers 1\nduration 3s\nload constant 1000/s\nat 1s load 2 for 1s\npolicy round_robin\n", 2990, 3010},
    {"a refused stream waits for room", "servers 1\nduration 2s\nstreams 2\nservice constant 1ms\nload constant 1500/s\npolicy round_robin\n", 1495, 1505},
    {"keepalive ends what is silent",
     "servers 2\nduration 30s\nkeepalive 10s 1s\nload constant 100/s\nat 2s server 0 pause for 20s\npolicy round_robin\n", 2800, 2950},
    {"a client stands still", "servers 2\nduration 3s\ndeadline 50ms\nload constant 1000/s\nat 2s client 0 pause for 500ms\npolicy round_robin\n", 1400, 1600},
    {"flapping", "servers 2\nduration 5s\nload constant 1000/s\nat 1s server 0 flap down 200ms up 300ms for 2s\npolicy round_robin\n", 3990, 4010},
    {"an absent server joins", "servers 2\nduration 5s\nload constant 1000/s\nserver 1 absent\nat 2s server 1 join\npolicy round_robin\n", 3990, 4010},
    {"all servers are gone", "servers 2\nduration 5s\nload constant 1000/s\nat 2s server all leave\nat 3s server all join\npolicy round_robin\n", 3990, 4010},
};

static void loads_are_as_asked(void **unused)
{
    (void)unused;
    for (size_t i = 0; i < ROTA_COUNT(loads); i++) {
        struct rota_leak_alloc leaks;
        struct rota_sim_result *result;

        print_message("  %s\n", loads[i].what);
        rota_leak_alloc_init(&leaks);
        result = run(loads[i].text, NULL, &leaks.alloc);
        rota_leak_alloc_fini(&leaks);
        assert_int_equal(result->err, 0);
        assert_in_range(result->calls, loads[i].low, loads[i].high);
        free(result);
    }
}

/* --- The same again --- */

static void json_of(const char *policy, struct rota_buffer *out)
{
    struct rota_sim_scenario s = {.title = "t", .duration_ns = 1, .window_ns = 1};
    struct rota_sim_result *result = run("servers 5\nclients 3\nduration 3s\nservice lognormal 2ms 1\nslots 2\njitter 50us\nload bursty 800/s on 5ms off 5ms\n"
                                         "deadline 40ms\nserver 2 fail 10%\nserver 3 stall 2% 30ms\nat 1s server 1 kill for 500ms\npolicy p\n",
                                         policy, NULL);
    const struct rota_sim_result *const results[] = {result};

    rota_buffer_init(out, NULL, 0);
    assert_int_equal(rota_sim_report_json(&s, results, 1, out), 0);
    free(result);
}

static void a_seed_gives_one_result(void **unused)
{
    static const char *const policies[] = {"round_robin", "random", "least_request", "weighted_round_robin", "ring_hash", "peak_ewma", "adaptive"};

    (void)unused;
    for (size_t i = 0; i < ROTA_COUNT(policies); i++) {
        struct rota_buffer a, b;

        print_message("  %s\n", policies[i]);
        json_of(policies[i], &a);
        json_of(policies[i], &b);
        assert_true(rota_slice_equal(rota_buffer_peek(&a), rota_buffer_peek(&b)));
        rota_buffer_fini(&a);
        rota_buffer_fini(&b);
    }
}

static void bad_parameters_are_told(void **unused)
{
    struct rota_sim_result *result = run("servers 1\nload closed 1\npolicy least_request {\"choiceCount\":1}\n", NULL, NULL);

    (void)unused;
    assert_int_equal(result->err, ROTA_EPARSE);
    assert_non_null(strstr(result->error.text, "choiceCount"));
    free(result);
}

/* --- Without memory --- */

static rota_err run_small(const struct rota_alloc *alloc, void *unused)
{
    struct rota_sim_result *result = run("servers 2\nduration 20ms\nwarmup 1ms\ndrain 20ms\norca 1ms\nload constant 500/s\nserver 1 slow 2\npolicy round_robin\n",
                                         NULL, alloc);
    rota_err err = result->err;

    (void)unused;
    free(result);
    return err;
}

static void no_memory_is_an_error_or_survived(void **unused)
{
    (void)unused;
    assert_true(rota_alloc_sweep_absorbing(run_small, NULL) > 50);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(policies_do_what_is_expected), cmocka_unit_test(leaving_and_returning_are_timed), cmocka_unit_test(loads_are_as_asked),
        cmocka_unit_test(a_seed_gives_one_result),      cmocka_unit_test(bad_parameters_are_told),         cmocka_unit_test(no_memory_is_an_error_or_survived),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
