/* slow_start_test.c - how cold an endpoint is, by its age; and what share it gets of picks while it is, whatever the policy. */
#include "lb/slow_start.h"
#include "base/assert.h"
#include "rows_fixture.h"
#include "testing/cmocka.h"
#include "testing/virtual_host.h"
#include <math.h>

static const struct factor_row {
    const char *rule;
    struct rota_slow_start slow;
    int64_t age_ns;
    double want;
} factors[] = {
    {"no window: always its whole weight", {0, 1, 0.1}, 0, 1},
    {"it begins at the least factor", {30 * ROTA_S, 1, 0.1}, 0, 0.1},
    {"the least factor counts until the ramp has reached it", {30 * ROTA_S, 1, 0.1}, 2 * ROTA_S, 0.1},
    {"aggression 1: in proportion to its age", {30 * ROTA_S, 1, 0.1}, 15 * ROTA_S, 0.5},
    {"aggression 2: the square root of its age's share", {40 * ROTA_S, 2, 0.1}, 10 * ROTA_S, 0.5},
    {"aggression 0.5: its square", {40 * ROTA_S, 0.5, 0.1}, 20 * ROTA_S, 0.25},
    {"at the end of the window: its whole weight", {30 * ROTA_S, 1, 0.1}, 30 * ROTA_S, 1},
    {"a time before it came counts as its beginning", {30 * ROTA_S, 0.5, 0}, -1, 0},
};

static void factors_follow_the_age(void **unused)
{
    (void)unused;
    for (size_t i = 0; i < ROTA_COUNT(factors); i++) {
        double got = rota_slow_start_factor(&factors[i].slow, factors[i].age_ns);
        if (fabs(got - factors[i].want) > 1e-9)
            fail_msg("%s: %f", factors[i].rule, got);
    }
}

#define SLOW(parameters) "[{\"random\":{\"slowStartConfig\":" parameters "}}]"

static const struct lb_config_row configs[] = {
    {"all of it has defaults", SLOW("{}"), NULL},
    {"null is none", SLOW("null"), NULL},
    {"an object", SLOW("3"), "slowStartConfig"},
    {"a window is a duration", SLOW("{\"slowStartWindow\":30}"), "slowStartWindow"},
    {"a window of nothing turns it off", SLOW("{\"slowStartWindow\":\"0s\"}"), NULL},
    {"aggression above 0", SLOW("{\"aggression\":0}"), "aggression"},
    {"the least factor is a percentage", SLOW("{\"minWeightPercent\":101}"), "minWeightPercent"},
    {"round_robin has it", "[{\"round_robin\":{\"slowStartConfig\":3}}]", "slowStartConfig"},
    {"least_request has it", "[{\"least_request\":{\"slowStartConfig\":3}}]", "slowStartConfig"},
    {"weighted_round_robin has it", "[{\"weighted_round_robin\":{\"slowStartConfig\":3}}]", "slowStartConfig"},
    {"peak_ewma has it", "[{\"peak_ewma\":{\"slowStartConfig\":3}}]", "slowStartConfig"},
    {"adaptive has it", "[{\"adaptive\":{\"slowStartConfig\":3}}]", "slowStartConfig"},
};

static void parameters_are_checked(void **unused)
{
    (void)unused;
    lb_config_rows_check(configs, ROTA_COUNT(configs));
}

#define WITH(policy) "[{\"" policy "\":{\"slowStartConfig\":{}}}]"
enum { PICKS = 100000 };

/* a and b have been there for a minute when c comes; its age when calls are counted. */
static const struct share_row {
    const char *rule, *config, *list;
    int64_t age_ns;
    double weights[3];
} shares[] = {
    {"random: a tenth of a share at first", WITH("random"), "a,b,c", 0, {1, 1, 0.1}},
    {"random: weights are multiplied", WITH("random"), "a,b*2,c*4", 15 * ROTA_S, {1, 2, 2}},
    {"random: all of it after 30 s", WITH("random"), "a,b,c", 30 * ROTA_S, {1, 1, 1}},
    {"random: none of it without the parameter", "[{\"random\":{}}]", "a,b,c", 0, {1, 1, 1}},
    {"round_robin", WITH("round_robin"), "a,b,c", 15 * ROTA_S, {1, 1, 0.5}},
    {"weighted_round_robin: static weights", WITH("weighted_round_robin"), "a*1,b*2,c*4", 15 * ROTA_S, {1, 2, 2}},
    {"weighted_round_robin: no weights", WITH("weighted_round_robin"), "a,b,c", 3 * ROTA_S, {1, 1, 0.1}},
    {"least_request: as often among those it chooses from", WITH("least_request"), "a,b,c", 6 * ROTA_S, {1, 1, 0.2}},
};

static void a_newcomer_gets_its_share(void **unused)
{
    (void)unused;
    for (size_t i = 0; i < ROTA_COUNT(shares); i++) {
        const struct share_row *row = &shares[i];
        struct rota_fake_lb *f = lb_open_ready(row->config, "a,b", 100 + i);
        uint32_t counts[3];
        rota_fake_lb_advance(f, 60 * ROTA_S);
        assert_int_equal(rota_fake_lb_list(f, row->list), 0);
        lb_all_ready(f);
        rota_fake_lb_advance(f, row->age_ns);
        lb_count_picks(f, PICKS, counts);
        lb_shares_check(row->rule, counts, row->weights, 3, 0.01, true);
        lb_close(f);
    }
}

/* Without load, of several candidates the first that is warm wins, so the newcomer's share is below its factor's. */
static void latency_aware_policies_spare_it_too(void **unused)
{
    static const char *const configs_[] = {WITH("peak_ewma"), WITH("adaptive")};

    (void)unused;
    for (size_t i = 0; i < ROTA_COUNT(configs_); i++) {
        struct rota_fake_lb *f = lb_open_ready(configs_[i], "a,b", 7);
        uint32_t early[3], late[3];
        rota_fake_lb_advance(f, 60 * ROTA_S);
        assert_int_equal(rota_fake_lb_list(f, "a,b,c"), 0);
        lb_all_ready(f);
        lb_count_picks(f, PICKS, early);
        rota_fake_lb_advance(f, 30 * ROTA_S);
        lb_count_picks(f, PICKS, late);
        assert_true(early[2] > 0 && early[2] < PICKS / 10);
        assert_true(late[2] > PICKS / 4);
        lb_close(f);
    }
}

static uint32_t share_of_b(struct rota_fake_lb *f)
{
    uint32_t counts[2];

    lb_count_picks(f, PICKS, counts);
    return counts[1] * 100 / PICKS;
}

static void move_b(struct rota_fake_lb *f, enum rota_conn_state state)
{
    rota_fake_lb_conn(f, f->by_number[1], state, "b refused");
}

static void who_is_cold(void **unused)
{
    struct rota_fake_lb *f = lb_open_ready(WITH("random"), "a,b", 3);

    (void)unused;
    assert_in_range(share_of_b(f), 48, 51); /* all as cold as each other: even */
    rota_fake_lb_advance(f, 60 * ROTA_S);

    move_b(f, ROTA_CONN_IDLE); /* its connection was lost, and is made again at once */
    move_b(f, ROTA_CONN_CONNECTING);
    move_b(f, ROTA_CONN_READY);
    assert_in_range(share_of_b(f), 48, 51);

    move_b(f, ROTA_CONN_IDLE); /* its server was down */
    move_b(f, ROTA_CONN_CONNECTING);
    move_b(f, ROTA_CONN_TRANSIENT_FAILURE);
    move_b(f, ROTA_CONN_IDLE);
    move_b(f, ROTA_CONN_CONNECTING);
    move_b(f, ROTA_CONN_READY);
    assert_in_range(share_of_b(f), 8, 10);
    lb_close(f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(factors_follow_the_age),
        cmocka_unit_test(parameters_are_checked),
        cmocka_unit_test(a_newcomer_gets_its_share),
        cmocka_unit_test(latency_aware_policies_spare_it_too),
        cmocka_unit_test(who_is_cold),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
