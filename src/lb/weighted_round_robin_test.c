/* weighted_round_robin_test.c - from reports to weights to turns: a rule a row. Source: gRFC A58, A114. The schedule: stride_test.c. */
#include "lb/weighted_round_robin.h"
#include "base/assert.h"
#include "rows_fixture.h"
#include "testing/cmocka.h"
#include "testing/comma_locale.h"
#include "testing/virtual_host.h"
#include <math.h>
#include <stdio.h>

#define S (1000 * ROTA_MS)
#define WRR(fields) "[{\"weighted_round_robin\":{" fields "}}]"

/* --- Parameters --- */

static const struct lb_config_row configs[] = {
    {"no parameters", WRR(""), NULL},
    {"all of gRPC's", WRR("\"enableOobLoadReport\":true,\"oobReportingPeriod\":\"10s\",\"blackoutPeriod\":\"1s\",\"weightExpirationPeriod\":\"5s\","
        "\"weightUpdatePeriod\":\"0.2s\",\"errorUtilizationPenalty\":0.5,\"metricNamesForComputingUtilization\":[\"utilization.a\"]"), NULL},
    {"a negative penalty is invalid", WRR("\"errorUtilizationPenalty\":-0.1"), "\"errorUtilizationPenalty\" must not be negative"},
    {"a penalty is a number", WRR("\"errorUtilizationPenalty\":\"much\""), "must be a number"},
    {"a period is a duration", WRR("\"blackoutPeriod\":10"), "\"blackoutPeriod\" must be a duration"},
    {"names are a list", WRR("\"metricNamesForComputingUtilization\":\"a\""), "must be a list"},
    {"of text", WRR("\"metricNamesForComputingUtilization\":[\"a\",1]"), "must be a list of names"},
};

static const struct {
    const char *rule, *json;
    int64_t blackout_ns, expiration_ns, update_ns;
    double penalty;
} parameters[] = {
    {"defaults: 10 s, 3 min, 1 s, 1", "{}", 10 * S, 180 * S, S, 1},
    {"as given", "{\"blackoutPeriod\":\"0s\",\"weightExpirationPeriod\":\"4s\",\"weightUpdatePeriod\":\"3s\",\"errorUtilizationPenalty\":0}", 0, 4 * S, 3 * S, 0},
    {"a number as text", "{\"errorUtilizationPenalty\":\"0.5\"}", 10 * S, 180 * S, S, 0.5},
    {"an update at most each 100 ms", "{\"weightUpdatePeriod\":\"0.01s\"}", 10 * S, 180 * S, 100 * ROTA_MS, 1},
};

static void reads_parameters(void **unused)
{
    (void)unused;
    lb_config_rows_check(configs, ROTA_COUNT(configs));
    for (size_t i = 0; i < ROTA_COUNT(parameters); i++) {
        struct rota_lb_env env = {0};
        const struct rota_wrr_config *c;
        void *config;
        print_message("  %s\n", parameters[i].rule);
        assert_int_equal(rota_wrr_parse(&env, rota_slice_str(parameters[i].json), &config, NULL), 0);
        c = config;
        assert_int_equal(c->blackout_ns, parameters[i].blackout_ns);
        assert_int_equal(c->expiration_ns, parameters[i].expiration_ns);
        assert_int_equal(c->update_ns, parameters[i].update_ns);
        assert_true(c->error_penalty == parameters[i].penalty);
        rota_wrr_free_config(&env, config);
    }
}

static void whatever_the_locale(void **unused)
{
    rota_comma_locale_enter();
    reads_parameters(unused);
    rota_comma_locale_leave();
}

/* --- Weights --- */

static const struct {
    const char *rule;
    double penalty;
    struct rota_orca_report report;
    double weight;
} weights[] = {
    {"queries per utilization", 1, {.requests_per_s = 100, .application_utilization = 0.5}, 200},
    {"application utilization goes first", 1, {.requests_per_s = 100, .application_utilization = 0.5, .cpu_utilization = 0.1, .named = 0.2}, 200},
    {"then the greatest of the metrics named", 1, {.requests_per_s = 100, .named = 0.25, .cpu_utilization = 0.1}, 400},
    {"then CPU utilization", 1, {.requests_per_s = 100, .cpu_utilization = 0.1}, 1000},
    {"a utilization that is NaN is none", 1, {.requests_per_s = 100, .application_utilization = NAN, .cpu_utilization = 0.1}, 1000},
    {"errors count as utilization, by the penalty", 1, {.requests_per_s = 100, .errors_per_s = 50, .application_utilization = 0.5}, 100},
    {"half the penalty", 0.5, {.requests_per_s = 100, .errors_per_s = 50, .application_utilization = 0.5}, 100 / 0.75},
    {"no penalty", 0, {.requests_per_s = 100, .errors_per_s = 50, .application_utilization = 0.5}, 200},
    {"utilization may exceed 1", 1, {.requests_per_s = 100, .application_utilization = 4}, 25},
    {"no queries: ignored", 1, {.application_utilization = 0.5}, 0},
    {"negative queries: ignored", 1, {.requests_per_s = -1, .application_utilization = 0.5}, 0},
    {"no utilization: ignored", 1, {.requests_per_s = 100}, 0},
    {"negative utilization: ignored", 1, {.requests_per_s = 100, .cpu_utilization = -0.5}, 0},
    {"NaN: ignored", 1, {.requests_per_s = NAN, .cpu_utilization = 0.5}, 0},
    {"infinite: ignored", 1, {.requests_per_s = INFINITY, .cpu_utilization = 0.5}, 0},
    {"next to no queries: ignored", 1, {.requests_per_s = 1e-310, .cpu_utilization = 0.5}, 0},
    {"next to infinitely many errors: ignored", 1, {.requests_per_s = 1, .cpu_utilization = 0.5, .errors_per_s = 1e308}, 0},
    {"few of either are heeded", 1, {.requests_per_s = 1e-200, .cpu_utilization = 0.5}, 2e-200},
};

static void weights_are_computed(void **unused)
{
    (void)unused;
    for (size_t i = 0; i < ROTA_COUNT(weights); i++) {
        struct rota_wrr_config config = {.error_penalty = weights[i].penalty};
        print_message("  %s\n", weights[i].rule);
        assert_true(rota_wrr_weight_of(&config, &weights[i].report) == weights[i].weight);
    }
}

/* Times in s: reports (weight 7 each) come at these, and is the weight usable then? */
static const struct {
    const char *rule;
    int64_t blackout_s, reports_s[4], restart_s, ask_s;
    double want;
} usable[] = {
    {"never reported", 10, {-1}, -1, 100, 0},
    {"never reported, and no blackout", 0, {-1}, -1, 100, 0},
    {"in the blackout", 10, {5, 14, -1}, -1, 14, 0},
    {"after it", 10, {5, 14, -1}, -1, 15, 7},
    {"no blackout", 0, {5, -1}, -1, 5, 7},
    {"until it expires", 10, {5, -1}, -1, 184, 7},
    {"expired", 10, {5, -1}, -1, 185, 0},
    {"the blackout begins anew after expiry", 10, {5, 185, 190, -1}, -1, 194, 0},
    {"and ends", 10, {5, 185, 190, -1}, -1, 195, 7},
    {"connected anew: unusable until a report comes", 10, {5, -1}, 20, 40, 0},
    {"and for a blackout after it", 10, {5, 41, -1}, 20, 50, 0},
    {"then usable", 10, {5, 41, -1}, 20, 51, 7},
    {"connected anew without blackouts: the old weight holds", 0, {5, -1}, 20, 40, 7},
};

static void weights_are_usable_at_times(void **unused)
{
    (void)unused;
    for (size_t i = 0; i < ROTA_COUNT(usable); i++) {
        struct rota_wrr_config config = {.blackout_ns = usable[i].blackout_s * S, .expiration_ns = 180 * S};
        struct rota_wrr_weight w = {0};
        const int64_t *report_s = usable[i].reports_s;
        print_message("  %s\n", usable[i].rule);
        for (int64_t t_s = 0; t_s <= usable[i].ask_s; t_s++) {
            if (t_s == usable[i].restart_s)
                rota_wrr_restart(&w);
            if (t_s < usable[i].ask_s)
                rota_wrr_usable(&w, &config, t_s * S);
            if (*report_s == t_s) {
                rota_wrr_report(&w, 7, t_s * S);
                rota_wrr_report(&w, 0, t_s * S); /* ignored */
                report_s++;
            }
        }
        assert_true(rota_wrr_usable(&w, &config, usable[i].ask_s * S) == usable[i].want);
    }
}

/* --- Turns --- */

static size_t put_double(uint8_t *to, uint8_t tag, double value)
{
    uint64_t bits;

    memcpy(&bits, &value, sizeof(bits));
    *to++ = tag;
    for (int i = 0; i < 8; i++)
        to[i] = (uint8_t)(bits >> (8 * i));
    return 9;
}

/* One call to each connection, by number; it reports so many queries at full utilization. 0: no report. */
static void report(struct rota_fake_lb *f, const double *qps)
{
    for (size_t told = 0, tries = 0; told < f->n_conns; tries++) {
        struct rota_outcome outcome = {.started_ns = f->now_ns, .ended_ns = f->now_ns, .sent = true};
        struct rota_metadata *trailers;
        struct rota_pick pick;
        uint8_t bytes[18];
        size_t size;
        assert_true(tries < 100000);
        assert_int_equal(rota_fake_lb_pick(f, &pick), ROTA_PICK_OK);
        if (rota_fake_lb_picked(&pick) != f->by_number[told]) {
            rota_fake_lb_done(f, &pick);
            continue;
        }
        size = put_double(bytes, 0x31, qps[told]);
        size += put_double(bytes + size, 0x49, 1);
        assert_int_equal(rota_metadata_new(NULL, &trailers), 0);
        assert_int_equal(rota_metadata_add(trailers, ROTA_SLICE("endpoint-load-metrics-bin"), rota_slice(bytes, size), NULL), 0);
        outcome.trailers = qps[told] == 0 ? NULL : trailers;
        rota_lb_tree_done(f->tree, &pick, &outcome);
        rota_metadata_free(trailers);
        told++;
    }
}

static const struct {
    const char *rule, *list;
    double qps[4]; /* reported at 0 s and again at 9 s */
    int64_t count_at_ms;
    double shares[4];
} turns[] = {
    {"weights follow the reports after the blackout", "a,b,c", {10, 20, 40}, 11001, {10, 20, 40}},
    {"in the blackout turns are plain", "a,b,c", {10, 20, 40}, 9500, {1, 1, 1}},
    {"an endpoint without report has the mean", "a,b,c", {10, 0, 30}, 11001, {10, 20, 30}},
    {"one report is too few: plain turns", "a,b,c", {10, 0, 0}, 11001, {1, 1, 1}},
    {"reports expire", "a,b,c", {10, 20, 40}, 190001, {1, 1, 1}},
    {"static weights where no report comes", "a*1,b*2,c*5", {0, 0, 0}, 10, {1, 2, 5}},
    {"reports go before static weights", "a*5,b*2,c*1", {10, 20, 40}, 11001, {10, 20, 40}},
    {"until they come static weights hold", "a*5,b*2,c*1", {10, 20, 40}, 9500, {5, 2, 1}},
    {"and after they have expired", "a*5,b*2,c*1", {10, 20, 40}, 190001, {5, 2, 1}},
    {"a missing static weight is the mean", "a*2,b,c*4", {0, 0, 0}, 10, {2, 3, 4}},
    {"five orders of magnitude, clamped", "a*1,b*1000,c*100000", {0, 0, 0}, 10, {221, 655, 65535}},
};

static void turns_follow_the_weights(void **unused)
{
    enum { PICKS = 1000000 };

    (void)unused;
    for (size_t i = 0; i < ROTA_COUNT(turns); i++) {
        struct rota_fake_lb *f = lb_open_ready(WRR(""), turns[i].list, i + 1);
        int64_t start_ns = f->now_ns;
        uint32_t counts[4];
        print_message("  %s\n", turns[i].rule);
        report(f, turns[i].qps);
        if (turns[i].count_at_ms > 9000) {
            rota_fake_lb_advance(f, 9 * S);
            report(f, turns[i].qps);
        }
        rota_fake_lb_advance(f, start_ns + turns[i].count_at_ms * ROTA_MS - f->now_ns);
        lb_count_picks(f, PICKS, counts);
        lb_shares_check(turns[i].rule, counts, turns[i].shares, f->n_conns, 0.001, false);
        lb_close(f);
    }
}

/* What the one schedule between half a second before that time and then measures (gRFC A78). */
static const struct {
    const char *rule;
    double qps[3]; /* reported at 0 s and again at 9 s */
    int64_t at_ms;
    double want[ROTA_MEASURES], n_weights;
} measured[] = {
    {"no reports: none usable yet, and turns are plain", {0, 0, 0}, 2001, {[ROTA_MEASURE_WRR_FALLBACK] = 1, [ROTA_MEASURE_WRR_NOT_YET_USABLE] = 3}, 3},
    {"in the blackout the same", {10, 20, 40}, 9501, {[ROTA_MEASURE_WRR_FALLBACK] = 1, [ROTA_MEASURE_WRR_NOT_YET_USABLE] = 3}, 3},
    {"weights after it", {10, 20, 40}, 11001, {[ROTA_MEASURE_WRR_WEIGHT] = 70}, 3},
    {"one without a report weighs 0", {10, 20, 0}, 11001, {[ROTA_MEASURE_WRR_WEIGHT] = 30, [ROTA_MEASURE_WRR_NOT_YET_USABLE] = 1}, 3},
    {"one report is too few", {10, 0, 0}, 11001, {[ROTA_MEASURE_WRR_WEIGHT] = 10, [ROTA_MEASURE_WRR_NOT_YET_USABLE] = 2, [ROTA_MEASURE_WRR_FALLBACK] = 1}, 3},
    {"expired ones are stale", {10, 20, 0}, 190001, {[ROTA_MEASURE_WRR_STALE] = 2, [ROTA_MEASURE_WRR_NOT_YET_USABLE] = 1, [ROTA_MEASURE_WRR_FALLBACK] = 1}, 3},
};

struct sums {
    double of[ROTA_MEASURES], n_weights;
};

static void sum_up(void *arg, enum rota_measure what, double value)
{
    struct sums *sums = arg;

    sums->of[what] += value;
    sums->n_weights += what == ROTA_MEASURE_WRR_WEIGHT;
}

static void schedules_are_measured(void **unused)
{
    (void)unused;
    for (size_t i = 0; i < ROTA_COUNT(measured); i++) {
        struct rota_fake_lb *f = lb_open_ready(WRR(""), "a,b,c", i + 1);
        int64_t start_ns = f->now_ns;
        struct sums sums = {{0}, 0};
        print_message("  %s\n", measured[i].rule);
        report(f, measured[i].qps);
        if (measured[i].at_ms > 10000) {
            rota_fake_lb_advance(f, 9 * S);
            report(f, measured[i].qps);
        }
        rota_fake_lb_advance(f, start_ns + (measured[i].at_ms - 600) * ROTA_MS - f->now_ns);
        f->env.measure = sum_up;
        f->env.measure_arg = &sums;
        rota_fake_lb_advance(f, 600 * ROTA_MS);
        for (int what = 0; what < ROTA_MEASURES; what++)
            assert_true(sums.of[what] == measured[i].want[what]);
        assert_true(sums.n_weights == measured[i].n_weights);
        lb_close(f);
    }
}

/* 300 endpoints are more than are scheduled at once: newcomers have the mean until the period is over. */
static void many_endpoints(void **unused)
{
    enum { MANY = 300 };
    char list[MANY * 12] = "";
    uint32_t counts[MANY];
    struct rota_fake_lb *f;
    double want[MANY];
    size_t size = 0;

    (void)unused;
    for (int i = 0; i < MANY; i++) {
        size += (size_t)sprintf(list + size, "%sn%d*%d", i == 0 ? "" : ",", i, 1 + i % 3);
        want[i] = 1 + i % 3;
    }
    f = lb_open_ready(WRR(""), list, 1);
    rota_fake_lb_advance(f, S);
    lb_count_picks(f, 600000, counts);
    lb_shares_check("many", counts, want, MANY, 0.01, false);
    /* All of the greatest weight leave, one by one. */
    for (int i = 2; i < MANY; i += 3)
        rota_fake_lb_conn(f, f->by_number[i], ROTA_CONN_IDLE, NULL);
    for (int i = 2; i < MANY; i += 3)
        want[i] = 0;
    lb_count_picks(f, 600000, counts);
    lb_shares_check("many without the greatest", counts, want, MANY, 0.01, false);
    lb_close(f);
}

/* Turns are found ahead of their time: an update must neither lose nor repeat any, wherever it falls. */
static void an_update_changes_no_turn(void **unused)
{
    enum { PICKS = 2000 };

    (void)unused;
    for (int64_t gap = 1; gap <= 40; gap++) {
        struct rota_fake_lb *still = lb_open_ready(WRR(""), "a*1,b*5,c*10,d*3", 1);
        struct rota_fake_lb *updated = lb_open_ready(WRR(""), "a*1,b*5,c*10,d*3", 1);
        for (int64_t i = 0; i < PICKS; i++) {
            struct rota_pick a, b;
            assert_int_equal(rota_fake_lb_pick(still, &a), ROTA_PICK_OK);
            assert_int_equal(rota_fake_lb_pick(updated, &b), ROTA_PICK_OK);
            assert_string_equal(rota_fake_lb_picked(&a)->text, rota_fake_lb_picked(&b)->text);
            rota_fake_lb_done(still, &a);
            rota_fake_lb_done(updated, &b);
            if (i % gap == 0)
                rota_fake_lb_advance(updated, S);
        }
        lb_close(still);
        lb_close(updated);
    }
}

static void updates_have_a_period(void **unused)
{
    static const struct lb_row rows[] = {
        {"weights are computed each period, READY or not", WRR("\"weightUpdatePeriod\":\"2s\""),
            {{"list=a", "get:a connect:a CONNECTING wake:2000"}, {"+2000", "wake:2000"}, {"a=R", "READY"}, {"+4100", "wake:2000 wake:2000"}}},
        {"no READY endpoint: wait while one may come up, then fail with its error", WRR(""),
            {{"pick", "pick:WAIT"}, {"list=a", "get:a connect:a CONNECTING wake:1000"}, {"pick a=F pick", "pick:WAIT connect:a TF(a refused) reresolve pick:FAIL(a refused)"}}},
        {"two known weights: their turns evenly spaced, from a random one on", WRR(""),
            {{"list=a*2,b*1", "get:a get:b connect:a connect:b CONNECTING wake:1000"}, {"a=R b=R", "READY READY"}, {"pick pick pick pick pick pick", "pick:a pick:a pick:b pick:a pick:a pick:b"}}},
    };

    (void)unused;
    lb_rows_check(rows, ROTA_COUNT(rows));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reads_parameters),
        cmocka_unit_test(whatever_the_locale),
        cmocka_unit_test(weights_are_computed),
        cmocka_unit_test(weights_are_usable_at_times),
        cmocka_unit_test(turns_follow_the_weights),
        cmocka_unit_test(schedules_are_measured),
        cmocka_unit_test(many_endpoints),
        cmocka_unit_test(an_update_changes_no_turn),
        cmocka_unit_test(updates_have_a_period),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
