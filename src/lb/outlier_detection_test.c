/* outlier_detection_test.c - ejection as the policies below hear it, calls counted by endpoint, parameters. Source: gRFC A50, A61.
 * Who is an outlier: outlier_test.c. */
#include "lb/outlier_detection.h"
#include "base/assert.h"
#include "rows_fixture.h"
#include "testing/cmocka.h"
#include "testing/lb_policies.h"
#include "testing/leak_alloc.h"
#include "testing/virtual_host.h"

#define S (1000 * ROTA_MS)
#define OD(fields, child) "[{\"outlier_detection\":{" fields "\"childPolicy\":[{" child "}]}}]"
#define RULE "\"failurePercentageEjection\":{\"threshold\":50,\"minimumHosts\":2,\"requestVolume\":10},"
#define RR "\"round_robin\":{}"
#define OVER_RR OD(RULE, RR)

/* --- Parameters --- */

static const struct lb_config_row configs[] = {
    {"a child is enough", OD("", RR), NULL},
    {"gRPC's name for it is understood", "[{\"outlier_detection_experimental\":{\"childPolicy\":[{" RR "}]}}]", NULL},
    {"a child must be there", "[{\"outlier_detection\":{}}]", "\"childPolicy\" is missing"},
    {"an interval is more than 0", OD("\"interval\":\"0s\",", RR), "\"interval\" must be more than 0"},
    {"times are durations", OD("\"baseEjectionTime\":30,", RR), "\"baseEjectionTime\" must be a duration"},
    {"and not negative", OD("\"maxEjectionTime\":\"-1s\",", RR), "\"maxEjectionTime\" must be a duration"},
    {"a percentage is at most 100", OD("\"maxEjectionPercent\":101,", RR), "\"maxEjectionPercent\" must be from 0 to 100"},
    {"a threshold too", OD("\"failurePercentageEjection\":{\"threshold\":101},", RR), "\"threshold\" must be from 0 to 100"},
    {"and an enforcement", OD("\"successRateEjection\":{\"enforcementPercentage\":101},", RR), "\"enforcementPercentage\" must be from 0 to 100"},
    {"a factor may be any", OD("\"successRateEjection\":{\"stdevFactor\":5000},", RR), NULL},
    {"rules are objects", OD("\"successRateEjection\":true,", RR), "\"successRateEjection\" must be an object"},
};

struct expected {
    const char *rule, *json;
    struct rota_outlier_config want;
};

#define DEFAULTS .interval_ns = 10 * S, .base_ejection_ns = 30 * S, .max_ejection_ns = 300 * S, .max_ejection_percent = 10

static const struct expected parameters[] = {
    {"defaults: no rule", "{\"childPolicy\":[{" RR "}]}", {DEFAULTS}},
    {"an empty rule has its defaults", "{\"successRateEjection\":{},\"failurePercentageEjection\":{},\"childPolicy\":[{" RR "}]}",
        {DEFAULTS, .success_rate = {true, 1900, 100, 5, 100}, .failures = {true, 85, 100, 5, 50}}},
    {"a small cluster", "{\"smallCluster\":true,\"childPolicy\":[{" RR "}]}", {DEFAULTS, .failures = {true, 40, 100, 2, 10}}},
    {"a rule of one's own goes before", "{\"smallCluster\":true,\"failurePercentageEjection\":{},\"childPolicy\":[{" RR "}]}", {DEFAULTS, .failures = {true, 85, 100, 5, 50}}},
    {"all given", "{\"interval\":\"1s\",\"baseEjectionTime\":\"2s\",\"maxEjectionTime\":\"3s\",\"maxEjectionPercent\":4,"
        "\"successRateEjection\":{\"stdevFactor\":5,\"enforcementPercentage\":6,\"minimumHosts\":7,\"requestVolume\":8},"
        "\"failurePercentageEjection\":{\"threshold\":9,\"enforcementPercentage\":10,\"minimumHosts\":11,\"requestVolume\":12},\"childPolicy\":[{" RR "}]}",
        {S, 2 * S, 3 * S, 4, {true, 5, 6, 7, 8}, {true, 9, 10, 11, 12}}},
};

static void check_rule(const struct rota_outlier_rule *got, const struct rota_outlier_rule *want)
{
    assert_int_equal(got->on, want->on);
    assert_int_equal(got->limit, want->limit);
    assert_int_equal(got->enforcement_percent, want->enforcement_percent);
    assert_int_equal(got->minimum_hosts, want->minimum_hosts);
    assert_int_equal(got->request_volume, want->request_volume);
}

static void reads_parameters(void **unused)
{
    (void)unused;
    lb_config_rows_check(configs, ROTA_COUNT(configs));
    for (size_t i = 0; i < ROTA_COUNT(parameters); i++) {
        struct rota_lb_env env = {.classes = rota_test_policies};
        const struct rota_outlier_config *got, *want = &parameters[i].want;
        void *config;
        print_message("  %s\n", parameters[i].rule);
        assert_int_equal(rota_outlier_detection_parse(&env, rota_slice_str(parameters[i].json), &config, NULL), 0);
        got = &((struct rota_outlier_detection_config *)config)->sweep;
        assert_int_equal(got->interval_ns, want->interval_ns);
        assert_int_equal(got->base_ejection_ns, want->base_ejection_ns);
        assert_int_equal(got->max_ejection_ns, want->max_ejection_ns);
        assert_int_equal(got->max_ejection_percent, want->max_ejection_percent);
        check_rule(&got->success_rate, &want->success_rate);
        check_rule(&got->failures, &want->failures);
        rota_wrapper_free_config(&env, config);
    }
}

/* --- As a policy --- */

static const struct lb_row rows[] = {
    {"the child's state and picks are the policy's", OVER_RR,
        {{"pick", "pick:WAIT"}, {"list=a", "get:a connect:a CONNECTING wake:10000"}, {"a=F pick", "connect:a TF(a refused) reresolve pick:FAIL(a refused)"}, {"a=R pick", "READY pick:a"}}},
    {"no rule: no timer", OD("", RR), {{"list=a", "get:a connect:a CONNECTING"}, {"a=R pick", "READY pick:a"}}},
    {"it sweeps each interval", OD(RULE "\"interval\":\"2s\",", RR), {{"list=a", "get:a connect:a CONNECTING wake:2000"}, {"+4000", "wake:2000 wake:2000"}}},
    {"an empty list", OVER_RR, {{"list=", "TF(no addresses: name resolution gave an empty list) reresolve wake:10000 ROTA_EINVAL"}}},
    {"the resolver failed", OVER_RR, {{"error=dns pick", "TF(dns) pick:FAIL(dns)"}}},
};

static void follows_the_rules(void **unused)
{
    (void)unused;
    lb_rows_check(rows, ROTA_COUNT(rows));
}

/* 20 picks for each endpoint in turn; those that go to `bad` fail. Returns how many went there. */
static uint32_t make_calls(struct rota_fake_lb *f, const char *bad)
{
    uint32_t to_bad = 0;

    for (size_t i = 0; i < 20 * f->n_conns; i++) {
        struct rota_outcome outcome = {.started_ns = f->now_ns, .ended_ns = f->now_ns, .sent = true};
        struct rota_pick pick;
        assert_int_equal(rota_fake_lb_pick(f, &pick), ROTA_PICK_OK);
        if (strcmp(rota_fake_lb_picked(&pick)->text, bad) == 0) {
            outcome.status.code = ROTA_UNAVAILABLE;
            to_bad++;
        }
        rota_lb_tree_done(f->tree, &pick, &outcome);
    }
    return to_bad;
}

static const char *const children[] = {
    OVER_RR,
    OD(RULE, "\"least_request\":{}"),
    OD(RULE, "\"random\":{}"),
    OD(RULE, "\"weighted_round_robin\":{}"),
    OD("\"smallCluster\":true,", RR),
    OD(RULE, "\"priority\":{\"priorities\":[\"\"],\"children\":{\"\":{\"config\":[{" RR "}]}}}"),
    OD(RULE, "\"outlier_detection\":{\"childPolicy\":[{" RR "}]}"),
    OD(RULE, "\"outlier_detection\":{\"successRateEjection\":{\"minimumHosts\":100},\"childPolicy\":[{" RR "}]}"), /* which knows the endpoints too */
    OD("\"successRateEjection\":{\"minimumHosts\":100},", "\"outlier_detection\":{" RULE "\"childPolicy\":[{" RR "}]}"),
};

static void an_ejected_endpoint_gets_no_calls_and_keeps_its_connection(void **unused)
{
    (void)unused;
    for (size_t i = 0; i < ROTA_COUNT(children); i++) {
        struct rota_fake_lb *f = lb_open_ready(children[i], "a,b,c", 1);
        print_message("  %s\n", children[i]);
        assert_true(make_calls(f, "b") > 10);
        rota_fake_lb_advance(f, 10 * S); /* the sweep */
        assert_int_equal(f->n_puts, 0);
        assert_int_equal(f->by_number[1]->state, ROTA_CONN_READY);
        assert_int_equal(make_calls(f, "b"), 0);
        rota_fake_lb_advance(f, 30 * S); /* it may return after more than 30 s */
        assert_int_equal(make_calls(f, "b"), 0);
        rota_fake_lb_advance(f, 10 * S);
        assert_true(make_calls(f, "") == 0 && f->state == ROTA_CONN_READY);
        assert_true(make_calls(f, "b") > 10);
        assert_int_equal(f->n_puts, 0);
        lb_close(f);
    }
}

static void ejected_while(void (*meanwhile)(struct rota_fake_lb *f), bool ejected_after)
{
    struct rota_fake_lb *f = lb_open_ready(OVER_RR, "a,b,c", 1);

    make_calls(f, "b");
    rota_fake_lb_advance(f, 10 * S);
    assert_int_equal(make_calls(f, "b"), 0);
    meanwhile(f);
    assert_int_equal(make_calls(f, "b") == 0, ejected_after);
    lb_close(f);
}

static void reconnects(struct rota_fake_lb *f)
{
    rota_fake_lb_conn(f, f->by_number[1], ROTA_CONN_IDLE, NULL);
    rota_fake_lb_conn(f, f->by_number[1], ROTA_CONN_CONNECTING, NULL);
    rota_fake_lb_conn(f, f->by_number[1], ROTA_CONN_READY, NULL);
}

static void is_listed_anew(struct rota_fake_lb *f)
{
    assert_int_equal(rota_fake_lb_list(f, "c,b!,d,a"), 0);
}

static void leaves_and_returns(struct rota_fake_lb *f)
{
    assert_int_equal(rota_fake_lb_list(f, "a,c"), 0);
    assert_int_equal(rota_fake_lb_list(f, "a,b,c"), 0);
    lb_all_ready(f);
}

static void ejection_follows_the_endpoint(void **unused)
{
    (void)unused;
    ejected_while(reconnects, true);
    ejected_while(is_listed_anew, true);
    ejected_while(leaves_and_returns, false);
}

static void all_ejected_is_a_failure(void **unused)
{
    struct rota_fake_lb *f = lb_open_ready(OD(RULE "\"maxEjectionPercent\":100,", RR), "a,b", 1);
    struct rota_pick pick;

    (void)unused;
    for (int i = 0; i < 40; i++) {
        struct rota_outcome outcome = {.status = {ROTA_INTERNAL, "x"}, .sent = true};
        assert_int_equal(rota_fake_lb_pick(f, &pick), ROTA_PICK_OK);
        rota_lb_tree_done(f->tree, &pick, &outcome);
    }
    rota_fake_lb_advance(f, 10 * S);
    assert_int_equal(f->state, ROTA_CONN_TRANSIENT_FAILURE);
    assert_int_equal(rota_fake_lb_pick(f, &pick), ROTA_PICK_FAIL);
    assert_string_equal(pick.why->message, "ejected by outlier detection");
    rota_fake_lb_advance(f, 40 * S);
    assert_int_equal(f->state, ROTA_CONN_READY);
    lb_close(f);
}

/* Whatever lacks memory while b leaves: as long as the list does not go down b stays ejected, and when it is back at once it may be
 * ejected again, though it may never have left for the policy below. */
static void check_lists_without_memory(const char *config, uint64_t above, uint64_t below)
{
    uint64_t n_failed = 0;

    for (uint64_t n = 1; n < below; n++) {
        struct rota_leak_alloc memory;
        struct rota_fake_lb *f = test_malloc(sizeof(*f));
        bool refused;
        rota_leak_alloc_init(&memory);
        assert_int_equal(rota_fake_lb_init(f, &memory.alloc, rota_test_policies, config, 1), 0);
        f->quiet = true;
        assert_int_equal(rota_fake_lb_list(f, "a,b,c"), 0);
        lb_all_ready(f);
        make_calls(f, "b");
        rota_fake_lb_advance(f, 10 * S);
        rota_leak_alloc_fail_nth(&memory, n);
        refused = rota_fake_lb_list(f, "a,d,c") == ROTA_ENOMEM;
        n_failed += refused;
        assert_true(refused || n > above);
        rota_leak_alloc_fail_nth(&memory, 0);
        if (n <= above && make_calls(f, "b") > 0)
            fail_msg("b is back since allocation %u has failed", (unsigned)n);
        assert_int_equal(rota_fake_lb_list(f, "a,b,c"), 0);
        lb_all_ready(f);
        rota_fake_lb_advance(f, 50 * S);
        assert_true(make_calls(f, "b") > 10);
        rota_fake_lb_advance(f, 10 * S);
        if (make_calls(f, "b") > 0)
            fail_msg("b is not ejected after allocation %u has failed", (unsigned)n);
        rota_fake_lb_fini(f);
        rota_leak_alloc_fini(&memory);
        test_free(f);
    }
    assert_true(n_failed > 5);
}

static void a_list_without_memory_changes_no_health(void **unused)
{
    (void)unused;
    check_lists_without_memory(OVER_RR, 4, 40); /* so many allocations are outlier_detection's own */
    check_lists_without_memory(OD(RULE, "\"outlier_detection\":{\"successRateEjection\":{\"minimumHosts\":100},\"childPolicy\":[{" RR "}]}"), 4, 60);
}

/* ring_hash passes an ejected endpoint's calls on to the next of the ring. */
static void a_ring_goes_round_the_ejected(void **unused)
{
    struct rota_fake_lb *f = lb_open_ready(OD(RULE, "\"ring_hash\":{}"), "a,b,c", 1);

    (void)unused;
    while (f->n_conns < 3 || f->by_number[2]->state != ROTA_CONN_READY) {
        struct rota_pick pick;
        if (rota_fake_lb_pick(f, &pick) == ROTA_PICK_OK)
            rota_fake_lb_done(f, &pick);
        lb_all_ready(f);
    }
    for (int i = 0; i < 3; i++)
        make_calls(f, f->by_number[1]->text);
    rota_fake_lb_advance(f, 10 * S);
    assert_int_equal(make_calls(f, f->by_number[1]->text), 0);
    lb_close(f);
}

/* A call may end after its endpoint has left. */
static void calls_outlive_their_endpoint(void **unused)
{
    struct rota_fake_lb *f = lb_open_ready(OVER_RR, "a,b", 1);
    struct rota_pick picks[4];

    (void)unused;
    for (int i = 0; i < 4; i++)
        assert_int_equal(rota_fake_lb_pick(f, &picks[i]), ROTA_PICK_OK);
    assert_int_equal(rota_fake_lb_list(f, "b,c"), 0);
    rota_fake_lb_done(f, &picks[0]);
    rota_fake_lb_done(f, &picks[1]);
    rota_fake_lb_advance(f, 20 * S);
    rota_fake_lb_done(f, &picks[2]);
    lb_close(f); /* with one call still out */
}

/* Without a leaf for each endpoint nothing is counted, and nothing breaks. */
static void pick_first_is_left_alone(void **unused)
{
    struct rota_fake_lb *f = lb_open_ready(OD(RULE, "\"pick_first\":{}"), "a,b", 1);

    (void)unused;
    make_calls(f, "a");
    rota_fake_lb_advance(f, 10 * S);
    assert_int_equal(f->state, ROTA_CONN_READY);
    lb_close(f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reads_parameters),
        cmocka_unit_test(follows_the_rules),
        cmocka_unit_test(an_ejected_endpoint_gets_no_calls_and_keeps_its_connection),
        cmocka_unit_test(ejection_follows_the_endpoint),
        cmocka_unit_test(all_ejected_is_a_failure),
        cmocka_unit_test(a_list_without_memory_changes_no_health),
        cmocka_unit_test(a_ring_goes_round_the_ejected),
        cmocka_unit_test(calls_outlive_their_endpoint),
        cmocka_unit_test(pick_first_is_left_alone),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
