/* outlier_test.c - sweeps to the number: who is ejected, who comes back, and when. Source: gRFC A50. */
#include "lb/outlier.h"
#include "base/assert.h"
#include "base/rng.h"
#include "testing/cmocka.h"

#define S INT64_C(1000000000)
#define MAX 12

/* Calls a host finished since the last sweep. */
struct calls {
    uint32_t succeeded, failed;
};

#define RATE {true, 1900, 100, 5, 100}
#define FAILURES {true, 85, 100, 5, 50}
#define OFF {false, 0, 0, 0, 0}

static const struct row {
    const char *rule;
    struct rota_outlier_rule success_rate, failures;
    uint32_t max_percent;
    size_t n_hosts;
    struct calls calls[MAX];
    uint32_t roll;          /* of the dice against the enforcement */
    const char *ejected;    /* a letter a host: x ejected */
} rows[] = {
    {"no rule, no ejection", OFF, OFF, 10, 5, {{0, 100}, {0, 100}, {100, 0}, {100, 0}, {100, 0}}, 0, "....."},
    {"success rate: below the mean less 1.9 deviations", RATE, OFF, 10, 6, {{100, 0}, {100, 0}, {100, 0}, {100, 0}, {100, 0}, {50, 50}}, 0, ".....x"},
    {"success rate: at it is not below", {true, 1000, 100, 2, 100}, OFF, 50, 2, {{100, 0}, {0, 100}}, 0, ".."},
    {"success rate: just below it", {true, 999, 100, 2, 100}, OFF, 50, 2, {{100, 0}, {0, 100}}, 0, ".x"},
    {"success rate: the factor is in thousandths", {true, 2300, 100, 5, 100}, OFF, 10, 6, {{100, 0}, {100, 0}, {100, 0}, {100, 0}, {100, 0}, {50, 50}}, 0, "......"},
    {"success rate: too few hosts with enough calls", RATE, OFF, 10, 6, {{99, 0}, {99, 0}, {100, 0}, {100, 0}, {100, 0}, {50, 50}}, 0, "......"},
    {"success rate: hosts with too few calls do not count", {true, 1500, 100, 4, 100}, OFF, 10, 6, {{0, 99}, {0, 99}, {100, 0}, {100, 0}, {100, 0}, {50, 50}}, 0, ".....x"},
    {"success rate: the enforcement is a chance", {true, 1900, 30, 5, 100}, OFF, 10, 6, {{100, 0}, {100, 0}, {100, 0}, {100, 0}, {100, 0}, {50, 50}}, 29, ".....x"},
    {"success rate: and may go the other way", {true, 1900, 30, 5, 100}, OFF, 10, 6, {{100, 0}, {100, 0}, {100, 0}, {100, 0}, {100, 0}, {50, 50}}, 30, "......"},
    {"failures: more than the threshold", OFF, FAILURES, 10, 5, {{50, 0}, {50, 0}, {50, 0}, {50, 0}, {14, 86}}, 0, "....x"},
    {"failures: at the threshold is not more", OFF, FAILURES, 10, 5, {{50, 0}, {50, 0}, {50, 0}, {50, 0}, {15, 85}}, 0, "....."},
    {"failures: too few hosts with enough calls", OFF, FAILURES, 10, 5, {{49, 0}, {50, 0}, {50, 0}, {50, 0}, {0, 100}}, 0, "....."},
    {"failures: too few calls of the one", OFF, {true, 85, 100, 4, 50}, 10, 5, {{50, 0}, {50, 0}, {50, 0}, {50, 0}, {0, 49}}, 0, "....."},
    {"failures: no enforcement", OFF, {true, 85, 0, 5, 50}, 10, 5, {{50, 0}, {50, 0}, {50, 0}, {50, 0}, {0, 100}}, 0, "....."},
    {"one may go, whatever the percentage", OFF, FAILURES, 10, 5, {{0, 50}, {0, 50}, {0, 50}, {0, 50}, {0, 50}}, 0, "x...."},
    {"none at 0 %", OFF, FAILURES, 0, 5, {{0, 50}, {0, 50}, {0, 50}, {0, 50}, {0, 50}}, 0, "....."},
    {"not while so many percent are ejected", OFF, FAILURES, 40, 5, {{0, 50}, {0, 50}, {0, 50}, {0, 50}, {0, 50}}, 0, "xx..."},
    {"a percentage between two hosts rounds up", OFF, FAILURES, 41, 5, {{0, 50}, {0, 50}, {0, 50}, {0, 50}, {0, 50}}, 0, "xxx.."},
    {"both rules; the first one's ejections count for the second", {true, 500, 100, 5, 50}, FAILURES, 20, 5, {{50, 0}, {50, 0}, {50, 0}, {0, 50}, {0, 50}}, 0, "...x."},
    {"no calls at all: none, though no volume is asked for", {true, 1900, 100, 0, 0}, {true, 0, 100, 0, 0}, 100, 3, {{0, 0}}, 0, "..."},
};

static uint32_t scripted_roll;

static uint64_t roll(struct rota_rng *rng)
{
    (void)rng;
    return scripted_roll;
}

static struct rota_rng dice = {.next = roll};
static const struct rota_lb_env env = {.rng = &dice};

static void ejects(void **unused)
{
    (void)unused;
    for (size_t i = 0; i < ROTA_COUNT(rows); i++) {
        const struct row *row = &rows[i];
        struct rota_outlier_config config = {.base_ejection_ns = 30 * S, .max_ejection_ns = 300 * S, .max_ejection_percent = row->max_percent,
            .success_rate = row->success_rate, .failures = row->failures};
        struct rota_outlier_host hosts[MAX], *list[MAX];
        print_message("  %s\n", row->rule);
        for (size_t k = 0; k < row->n_hosts; k++) {
            hosts[k] = (struct rota_outlier_host){.succeeded = row->calls[k].succeeded, .failed = row->calls[k].failed, .ejected_ns = INT64_MAX};
            list[k] = &hosts[k];
        }
        scripted_roll = row->roll;
        rota_outlier_sweep(&config, &env, list, row->n_hosts, 7 * S);
        for (size_t k = 0; k < row->n_hosts; k++) {
            assert_int_equal(rota_outlier_is_ejected(&hosts[k]), row->ejected[k] == 'x');
            assert_int_equal(hosts[k].multiplier, row->ejected[k] == 'x');
            assert_int_equal(hosts[k].succeeded + hosts[k].failed, 0); /* the buckets were swapped */
            assert_true(row->ejected[k] != 'x' || hosts[k].ejected_ns == 7 * S);
        }
    }
}

/* One host of two fails all its calls in the sweeps marked f; a sweep each 10 s. After each: is it ejected, with which multiplier? */
static const struct term {
    const char *rule;
    int64_t base_s, max_s;
    const char *sweeps, *ejected;
    uint32_t multiplier;
} terms[] = {
    {"ejected for the base time, and back when more than it has passed", 30, 300, "f....", "xxxx.", 1},
    {"the multiplier goes down in each sweep not ejected", 30, 300, "f.....", "xxxx..", 0},
    {"ejected again at once: twice the time", 30, 300, "f....f......", "xxxx.xxxxxxx", 2},
    {"and back after it", 30, 300, "f....f.......", "xxxx.xxxxxxx.", 2},
    {"no longer than the maximum", 30, 40, "f....f.....", "xxxx.xxxxx.", 2},
    {"a maximum below the base is the base", 30, 10, "f....", "xxxx.", 1},
    {"never below zero", 30, 300, "....", "....", 0},
};

static void terms_are_kept(void **unused)
{
    (void)unused;
    scripted_roll = 0;
    for (size_t i = 0; i < ROTA_COUNT(terms); i++) {
        struct rota_outlier_config config = {.base_ejection_ns = terms[i].base_s * S, .max_ejection_ns = terms[i].max_s * S,
            .max_ejection_percent = 50, .failures = {true, 50, 100, 1, 10}};
        struct rota_outlier_host good = {.ejected_ns = INT64_MAX}, bad = {.ejected_ns = INT64_MAX};
        struct rota_outlier_host *hosts[] = {&good, &bad};
        print_message("  %s\n", terms[i].rule);
        for (size_t k = 0; terms[i].sweeps[k] != '\0'; k++) {
            good.succeeded = 100;
            bad.failed = terms[i].sweeps[k] == 'f' ? 100 : 0;
            rota_outlier_sweep(&config, &env, hosts, 2, (int64_t)k * 10 * S);
            assert_int_equal(rota_outlier_is_ejected(&bad), terms[i].ejected[k] == 'x');
            assert_false(rota_outlier_is_ejected(&good));
        }
        assert_int_equal(bad.multiplier, terms[i].multiplier);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(ejects), cmocka_unit_test(terms_are_kept)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
