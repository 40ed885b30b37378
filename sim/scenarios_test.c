/* scenarios_test.c - the scenarios that come with the simulator: all can be read and begin; some of them whole, with what is to be expected
 * of the policies there.
 */
#include "base/assert.h"
#include "base/buffer.h"
#include "sim/run.h"
#include "testing/cmocka.h"
#include "testing/lb_policies.h"
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>

static struct rota_sim_scenario *load(const char *file)
{
    struct rota_sim_scenario *scenario;
    struct rota_errinfo info = {""};
    struct rota_buffer text;
    char path[512];
    size_t got;
    FILE *in;

    snprintf(path, sizeof(path), "%s/%s", ROTA_SIM_SCENARIOS, file);
    in = fopen(path, "r");
    assert_non_null(in);
    rota_buffer_init(&text, NULL, 0);
    do {
        uint8_t *room = rota_buffer_reserve(&text, 4096);
        assert_non_null(room);
        got = fread(room, 1, 4096, in);
        rota_buffer_commit(&text, got);
    } while (got > 0);
    fclose(in);
    if (rota_sim_scenario_parse(file, rota_buffer_peek(&text), NULL, &scenario, &info) < 0)
        fail_msg("%s", info.text);
    rota_buffer_fini(&text);
    return scenario;
}

static struct rota_sim_result *run(const struct rota_sim_scenario *s, const struct rota_sim_policy *policy, bool check)
{
    struct rota_sim_run_options options = {.policies = rota_test_policies, .check = check};
    struct rota_sim_result *result = malloc(rota_sim_result_size(s));

    assert_non_null(result);
    if (rota_sim_run(s, policy, &options, result) < 0)
        fail_msg("%s: %s", policy->label, result->error.text);
    return result;
}

/* The large one is made smaller: its policies are what is looked at. */
static void all_begin_with_all_their_policies(void **unused)
{
    DIR *dir = opendir(ROTA_SIM_SCENARIOS);
    struct dirent *entry;
    int count = 0;

    (void)unused;
    assert_non_null(dir);
    while ((entry = readdir(dir)) != NULL) {
        struct rota_sim_scenario *s;
        if (strstr(entry->d_name, ".scenario") == NULL)
            continue;
        print_message("  %s\n", entry->d_name);
        s = load(entry->d_name);
        assert_true(s->title[0] != '\0');
        s->n_clients = s->n_clients > 10 ? 10 : s->n_clients;
        s->duration_ns = INT64_C(20000000);
        s->warmup_ns = INT64_C(10000000);
        s->drain_ns = INT64_C(10000000);
        for (size_t i = 0; i < s->n_policies; i++)
            free(run(s, &s->policies[i], true));
        rota_sim_scenario_free(s);
        count++;
    }
    closedir(dir);
    assert_true(count > 10);
}

/* Upper bounds; p99 has a lower one too. */
static const struct bounds {
    const char *scenario, *policy;
    double p99_low_ms, p99_ms, bad_share, late_share, error_share, attempts_per_call;
} bounds[] = {
    {"tail-a.scenario", "round_robin", 10, 10.5, 0.101, 1, 0, 1},
    {"tail-a.scenario", "least_request", 10, 10.5, 0.05, 1, 0, 1},
    {"tail-a.scenario", "peak_ewma", 1, 2, 0.01, 1, 0, 1},
    {"tail-a.scenario", "adaptive", 1, 2, 0.01, 1, 0, 1},
    {"tail-b.scenario", "adaptive", 1, 5, 0.01, 1, 0, 1},
    {"hung.scenario", "adaptive", 5, 20, 1, 0.005, 0.001, 1},
    {"hung-no-deadline.scenario", "adaptive", 5, 20, 1, 0.005, 0, 1},
    {"hung-half.scenario", "adaptive", 5, 20, 1, 0.005, 0, 1},
    {"failing.scenario", "adaptive", 5, 20, 0.2, 0.005, 0.001, 1},
    {"machine-stall.scenario", "adaptive", 1, 10, 0.015, 1, 0, 1},
    {"busy-machine.scenario", "adaptive", 1, 30, 0.009, 1, 0, 1},
    {"tail-b.scenario", "least_request", 15, 60, 0.022, 1, 0, 1},
    {"tail-b.scenario", "peak_ewma", 1, 8, 0.015, 1, 0, 1},
    {"hung.scenario", "peak_ewma", 5, 20, 1, 0.005, 0.001, 1},
    {"retry-storm.scenario", "least_request", 10, 500, 1, 1, 0.4, 1.1},
    {"rolling-restart.scenario", "least_request", 5, 50, 1, 0.01, 0, 1},
    {"mass-leave.scenario", "round_robin", 5, 30, 1, 0.001, 0, 1},
    {"slow-start.scenario", "round_robin-slow", 5, 30, 1, 1, 0, 1},
    {"half-dead.scenario", "panic", 20, 80, 1, 1, 0.09, 1},
    {"zone-near.scenario", "zones-rr", 20, 80, 1, 1, 0, 1},
};

static struct rota_sim_policy policy_named(const struct rota_sim_scenario *s, const char *label)
{
    for (size_t i = 0; i < s->n_policies; i++)
        if (strcmp(s->policies[i].label, label) == 0)
            return s->policies[i];
    fail_msg("no policy %s", label);
    return s->policies[0];
}

static void at_most(const char *what, double got, double bound)
{
    if (got > bound + 1e-9)
        fail_msg("%s is %g, expected %g at most", what, got, bound);
}

static void policies_stay_within_bounds(void **unused)
{
    (void)unused;
    for (size_t i = 0; i < ROTA_COUNT(bounds); i++) {
        const struct bounds *b = &bounds[i];
        struct rota_sim_scenario *s = load(b->scenario);
        struct rota_sim_policy policy = policy_named(s, b->policy);
        struct rota_sim_result *result = run(s, &policy, false);
        struct rota_sim_summary sum = rota_sim_summarise(result);

        print_message("  %s, %s\n", b->scenario, b->policy);
        assert_true(sum.p99_ms >= b->p99_low_ms);
        at_most("p99", sum.p99_ms, b->p99_ms);
        at_most("bad share", sum.bad_share, b->bad_share);
        at_most("share after a second", sum.late_share, b->late_share);
        at_most("error share", sum.error_share, b->error_share);
        at_most("attempts per call", sum.attempts_per_call, b->attempts_per_call);
        rota_sim_scenario_free(s);
        free(result);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(all_begin_with_all_their_policies), cmocka_unit_test(policies_stay_within_bounds)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
