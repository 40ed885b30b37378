/* zone_aware_test.c - calls stay in the own zone while it can take them: states and parameters by rows, shares over many picks.
 * How they are divided: zone_shares_test.c; when the zone is overloaded: zone_spill_test.c.
 */
#include "base/assert.h"
#include "rows_fixture.h"
#include "testing/cmocka.h"
#include "testing/lb_policies.h"
#include "testing/leak_alloc.h"
#include "testing/virtual_host.h"
#include <stdio.h>

#define ZONE(fields, child) "[{\"zone_aware\":{" fields "\"childPolicy\":[{" child "}]}}]"
#define RR "\"round_robin\":{}"
#define IN_X ZONE("\"zone\":\"x\",\"overloadPercent\":0,", RR)
#define PROBING ZONE("\"zone\":\"x\",", RR)

static const struct lb_config_row configs[] = {
    {"a child is enough", ZONE("", RR), NULL},
    {"a child must be there", "[{\"zone_aware\":{}}]", "\"childPolicy\" is missing"},
    {"a zone is a name", ZONE("\"zone\":3,", RR), "\"zone\""},
    {"an overload is more than the others' load", ZONE("\"overloadPercent\":100,", RR), "\"overloadPercent\" must be more than 100"},
    {"or never", ZONE("\"overloadPercent\":0,", RR), NULL},
    {"probes are a percentage", ZONE("\"probePercent\":101,", RR), "\"probePercent\" must be from 0 to 100"},
};

static const struct lb_row rows[] = {
    {"all zones are connected to; the own one serves", IN_X,
        {{"list=a@zone:x,b@zone:y", "get:a get:b connect:a connect:b CONNECTING"}, {"b=R a=R pick pick", "READY READY pick:a pick:a"}}},
    {"another one serves until the own is READY", IN_X,
        {{"list=a@zone:x,b@zone:y", "get:a get:b connect:a connect:b CONNECTING"}, {"b=R pick", "READY pick:b"}, {"a=R pick", "READY pick:a"}}},
    {"and when it has failed", IN_X,
        {{"list=a@zone:x,b@zone:y", "get:a get:b connect:a connect:b CONNECTING"}, {"b=R a=R pick", "READY READY pick:a"}, {"a=I a=C a=F pick", "connect:a READY reresolve connect:a READY reresolve pick:b"}}},
    {"an endpoint without a zone is elsewhere", IN_X,
        {{"list=a@zone:x,b", "get:a get:b connect:a connect:b CONNECTING"}, {"b=R a=R pick pick", "READY READY pick:a pick:a"}}},
    {"all failed: fail with a child's error", IN_X,
        {{"list=a@zone:x,b@zone:y", "get:a get:b connect:a connect:b CONNECTING"}, {"a=F b=F pick", "connect:a CONNECTING reresolve connect:b TF(b refused) reresolve pick:FAIL(b refused)"}}},
    {"a zone that leaves the list is let go", IN_X,
        {{"list=a@zone:x,b@zone:y", "get:a get:b connect:a connect:b CONNECTING"}, {"a=R b=R", "READY READY"}, {"list=b@zone:y", "put:a READY"}, {"pick", "pick:b"}}},
    {"an empty list is a failure", IN_X,
        {{"list=a@zone:x", "get:a connect:a CONNECTING"}, {"list=", "put:a TF(no addresses: name resolution gave an empty list) reresolve ROTA_EINVAL"}}},
};

static void follows_the_rules(void **unused)
{
    (void)unused;
    lb_config_rows_check(configs, ROTA_COUNT(configs));
    lb_rows_check(rows, ROTA_COUNT(rows));
}

/* Children that count no endpoints of their own go by what the list had of them. */
static void a_list_without_memory_takes_nothing_away(void **unused)
{
    unsigned n_refused = 0;

    (void)unused;
    for (uint64_t n = 1; n < 16; n++) {
        struct rota_leak_alloc memory;
        struct rota_fake_lb *f = test_malloc(sizeof(*f));
        rota_err err;
        rota_leak_alloc_init(&memory);
        assert_int_equal(rota_fake_lb_init(f, &memory.alloc, rota_test_policies, ZONE("\"zone\":\"x\",", "\"pick_first\":{}"), 1), 0);
        rota_fake_lb_play(f, "list=a@zone:x a=R");
        rota_leak_alloc_fail_nth(&memory, n);
        err = rota_fake_lb_list(f, "b@zone:y,a@zone:x");
        n_refused += err < 0;
        rota_fake_lb_expect(f, "it serves on", "pick", "pick:a");
        if (err < 0)
            assert_int_equal(rota_fake_lb_list(f, "b@zone:y,a@zone:x"), 0);
        rota_fake_lb_expect(f, "and takes the list", "b=R pick", "READY pick:a");
        rota_fake_lb_fini(f);
        rota_leak_alloc_fini(&memory);
        test_free(f);
    }
    assert_true(n_refused > 3);
}

enum { PICKS = 100000, MAX_ENDPOINTS = 9 };
#define THREES "a@zone:x,b@zone:x,c@zone:x,d@zone:y,e@zone:y,f@zone:y"

static const struct share_row {
    const char *rule, *config, *list;
    double weights[MAX_ENDPOINTS];
} shares[] = {
    {"equal zones: none leaves", IN_X, THREES, {1, 1, 1, 0, 0, 0}},
    {"two in a hundred leave, to see what calls cost there", PROBING, THREES, {98, 98, 98, 2, 2, 2}},
    {"a small zone: every endpoint anywhere would get as much", IN_X, "a@zone:x,b@zone:y,c@zone:y", {2, 0.5, 0.5}},
    {"no zone known: by endpoints", ZONE("", RR), "a@zone:x,b@zone:y,c@zone:y", {1, 1, 1}},
    {"no endpoint in the own zone: by endpoints", ZONE("\"zone\":\"z\",", RR), "a@zone:x,b@zone:y,c@zone:y", {1, 1, 1}},
    {"over pick_first: by a zone's endpoints", ZONE("\"zone\":\"x\",\"overloadPercent\":0,", "\"pick_first\":{}"), "a@zone:x,b@zone:y,c@zone:y", {2, 1, 0}},
    {"over adaptive", ZONE("\"zone\":\"x\",\"overloadPercent\":0,", "\"adaptive\":{}"), "a@zone:x,b@zone:y", {1, 0}},
};

static void calls_are_divided(void **unused)
{
    (void)unused;
    for (size_t i = 0; i < ROTA_COUNT(shares); i++) {
        struct rota_fake_lb *f = lb_open_ready(shares[i].config, shares[i].list, 100 + i);
        uint32_t counts[MAX_ENDPOINTS];
        print_message("  %s\n", shares[i].rule);
        lb_count_picks(f, PICKS, counts);
        lb_shares_check(shares[i].rule, counts, shares[i].weights, f->n_conns, 0.01, true);
        lb_close(f);
    }
}

/* Two of three are gone, by failure or by their own word: the last one would have three times what the others have. */
static void what_is_not_healthy_is_not_counted(void **unused)
{
    static const double want[] = {0, 0, 0.5, 0.5 / 3, 0.5 / 3, 0.5 / 3};

    (void)unused;
    for (int way = 0; way < 2; way++) {
        struct rota_fake_lb *f = lb_open_ready(IN_X, THREES, 3);
        uint32_t counts[MAX_ENDPOINTS];
        for (int i = 0; i < 2; i++) {
            if (way == 1) {
                rota_fake_lb_serving(f, f->by_number[i], ROTA_LB_NOT_SERVING);
                continue;
            }
            rota_fake_lb_conn(f, f->by_number[i], ROTA_CONN_IDLE, NULL);
            rota_fake_lb_conn(f, f->by_number[i], ROTA_CONN_CONNECTING, NULL);
            rota_fake_lb_conn(f, f->by_number[i], ROTA_CONN_TRANSIENT_FAILURE, "refused");
        }
        lb_count_picks(f, PICKS, counts);
        lb_shares_check("half stays", counts, want, 6, 0.01, true);
        lb_close(f);
    }
}

/* Calls that take as long as their endpoint's zone does; now passes by 1 ms a call. */
static double share_of_own(struct rota_fake_lb *f, uint32_t n, int64_t own_ns, int64_t others_ns)
{
    uint32_t own = 0;

    for (uint32_t i = 0; i < n; i++) {
        struct rota_pick pick;
        struct rota_outcome outcome = {.started_ns = f->now_ns, .sent = true};
        bool is_own;
        assert_int_equal(rota_fake_lb_pick(f, &pick), ROTA_PICK_OK);
        is_own = rota_fake_lb_picked(&pick)->text[0] <= 'c';
        own += is_own;
        outcome.ended_ns = f->now_ns + (is_own ? own_ns : others_ns);
        rota_lb_tree_done(f->tree, &pick, &outcome);
        rota_fake_lb_advance(f, ROTA_MS);
    }
    return (double)own / n;
}

static void an_overloaded_zone_is_relieved(void **unused)
{
    struct rota_fake_lb *f = lb_open_ready(PROBING, THREES, 4);

    (void)unused;
    assert_true(share_of_own(f, 5000, 10 * ROTA_MS, 10 * ROTA_MS) > 0.97);
    (void)share_of_own(f, 10000, 100 * ROTA_MS, 10 * ROTA_MS); /* 10 s */
    assert_true(share_of_own(f, 1000, 100 * ROTA_MS, 10 * ROTA_MS) < 0.1);
    (void)share_of_own(f, 40000, 10 * ROTA_MS, 10 * ROTA_MS);
    assert_true(share_of_own(f, 5000, 10 * ROTA_MS, 10 * ROTA_MS) > 0.97);
    lb_close(f);
}

/* A retry that has seen all of the own zone goes elsewhere; one that has not stays. */
static void retries_leave_an_exhausted_zone(void **unused)
{
    struct rota_fake_lb *f = lb_open_ready(IN_X, "a@zone:x,b@zone:y,c@zone:y", 4), *g = lb_open_ready(IN_X, THREES, 4);
    const void *avoid[] = {f->by_number[0]};
    struct rota_call_info call = {.path = "/s/m", .attempt = 1, .now_ns = f->now_ns, .deadline_ns = INT64_MAX, .n_avoid = 1, .avoid = avoid};

    (void)unused;
    for (int i = 0; i < 100; i++) {
        struct rota_pick pick;
        assert_int_equal(rota_lb_tree_pick(f->tree, &call, &pick), ROTA_PICK_OK);
        assert_int_not_equal(rota_fake_lb_picked(&pick)->text[0], 'a');
        rota_fake_lb_done(f, &pick);
        assert_int_equal(rota_lb_tree_pick(g->tree, &call, &pick), ROTA_PICK_OK);
        assert_true(rota_fake_lb_picked(&pick)->text[0] <= 'c');
        rota_fake_lb_done(g, &pick);
    }
    lb_close(f);
    lb_close(g);
}

/* There is room for 30 beside the own one; the rest count as one, which then has more than its clients would need. */
static void many_zones(void **unused)
{
    char list[2048] = "a@zone:x";
    struct rota_fake_lb *f;
    uint32_t counts[64], seen = 0;

    (void)unused;
    for (int i = 0; i < 40; i++)
        sprintf(list + strlen(list), ",n%d@zone:z%d", i, i);
    f = lb_open_ready(IN_X, list, 9);
    lb_count_picks(f, PICKS, counts);
    for (size_t i = 0; i < f->n_conns; i++)
        seen += counts[i] > 0;
    assert_int_equal(seen, 1 + 40 - 30);
    assert_int_equal(rota_fake_lb_list(f, "a@zone:x,new@zone:new"), 0);
    lb_all_ready(f);
    assert_int_equal(f->state, ROTA_CONN_READY);
    lb_close(f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(follows_the_rules),
        cmocka_unit_test(a_list_without_memory_takes_nothing_away),
        cmocka_unit_test(calls_are_divided),
        cmocka_unit_test(what_is_not_healthy_is_not_counted),
        cmocka_unit_test(an_overloaded_zone_is_relieved),
        cmocka_unit_test(retries_leave_an_exhausted_zone),
        cmocka_unit_test(many_zones),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
