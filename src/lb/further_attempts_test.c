/* further_attempts_test.c - retries and hedges as policies see them: where a call has been, and outcomes that say nothing of the server. */
#include "base/assert.h"
#include "lb/rows_fixture.h"
#include "testing/cmocka.h"

#define S INT64_C(1000000000)

static const char *const elsewhere[] = {
    "[{\"round_robin\":{}}]",
    "[{\"random\":{}}]",
    "[{\"least_request\":{}}]",
    "[{\"peak_ewma\":{}}]",
    "[{\"weighted_round_robin\":{}}]",
    "[{\"outlier_detection\":{\"childPolicy\":[{\"round_robin\":{}}]}}]",
    "[{\"priority\":{\"priorities\":[\"\"],\"children\":{\"\":{\"config\":[{\"least_request\":{}}]}}}}]",
};

static const void *pick_avoiding(struct rota_fake_lb *f, const void *const *avoid, uint32_t n_avoid)
{
    struct rota_call_info call = {
        .path = "/s/m", .now_ns = f->now_ns, .deadline_ns = INT64_MAX, .attempt = n_avoid, .avoid = avoid, .n_avoid = n_avoid};
    struct rota_pick pick;

    assert_int_equal(rota_lb_tree_pick(f->tree, &call, &pick), ROTA_PICK_OK);
    rota_fake_lb_done(f, &pick);
    return pick.subchannel->conn;
}

static bool is_among(const void *conn, const void *const *conns, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++)
        if (conns[i] == conn)
            return true;
    return false;
}

static void a_further_attempt_goes_elsewhere(void **unused)
{
    (void)unused;
    for (size_t i = 0; i < ROTA_COUNT(elsewhere); i++) {
        struct rota_fake_lb *f = lb_open_ready(elsewhere[i], "a,b,c", 1);
        print_message("  %s\n", elsewhere[i]);
        for (int n = 0; n < 200; n++) {
            const void *been[3];
            for (uint32_t k = 0; k < 3; k++) {
                been[k] = pick_avoiding(f, been, k);
                assert_false(is_among(been[k], been, k));
            }
            assert_true(is_among(pick_avoiding(f, been, 3), been, 3)); /* everywhere: anywhere */
        }
        lb_close(f);
    }
}

static void only_ready_ones_are_elsewhere(void **unused)
{
    (void)unused;
    for (size_t i = 0; i < ROTA_COUNT(elsewhere); i++) {
        struct rota_fake_lb *f = lb_open_ready(elsewhere[i], "a,b,c", 1);
        const void *only;
        print_message("  %s\n", elsewhere[i]);
        rota_fake_lb_play(f, "b=F c=F");
        only = pick_avoiding(f, NULL, 0);
        for (int n = 0; n < 20; n++)
            assert_ptr_equal(pick_avoiding(f, &only, 1), only);
        lb_close(f);
    }
}

/* least_request, all idle: were the one that was avoided counted as busy, it would be chosen less and less. */
static void calls_are_counted_where_they_went(void **unused)
{
    struct rota_fake_lb *f = lb_open_ready("[{\"least_request\":{\"choiceCount\":10}}]", "a,b,c", 1);
    const void *been = pick_avoiding(f, NULL, 0);
    uint32_t there = 0;

    (void)unused;
    for (int n = 0; n < 300; n++)
        (void)pick_avoiding(f, &been, 1);
    for (int n = 0; n < 300; n++)
        there += pick_avoiding(f, NULL, 0) == been;
    assert_in_range(there, 60, 140);
    lb_close(f);
}

static unsigned n_ends;

static void count_end(void *state, uint64_t cookie, const struct rota_outcome *outcome)
{
    (void)state, (void)cookie, (void)outcome;
    n_ends++;
}

/* To ask another one after it would be a pick more, and one that did not go there. */
static void a_pick_first_that_listens_is_asked_once(void **unused)
{
    struct rota_lb_class listening = rota_lb_pick_first;
    const struct rota_lb_class *const classes[] = {&listening, &rota_lb_round_robin, NULL};
    struct rota_fake_lb *f = test_malloc(sizeof(*f));
    const void *been;

    (void)unused;
    listening.on_done = count_end;
    assert_int_equal(rota_fake_lb_init(f, NULL, classes, "[{\"round_robin\":{}}]", 1), 0);
    rota_fake_lb_play(f, "list=a,b,c a=R b=R c=R");
    been = pick_avoiding(f, NULL, 0);
    n_ends = 0;
    for (unsigned n = 1; n < 10; n++) {
        (void)pick_avoiding(f, &been, 1);
        assert_int_equal(n_ends, n);
    }
    rota_fake_lb_fini(f);
    test_free(f);
}

static const struct outcome_case {
    const char *rule;
    struct rota_outcome outcome;
    bool ejects;
} outcome_cases[] = {
    {"a failure of the server's ejects it", {.status = {ROTA_UNAVAILABLE, ""}, .sent = true}, true},
    {"an attempt that lost to another does not", {.status = {ROTA_CANCELLED, ""}, .sent = true, .superseded = true}, false},
    {"nor one that was never sent", {.status = {ROTA_UNAVAILABLE, ""}}, false},
};

static void outlier_detection_counts_what_the_server_did(void **unused)
{
    (void)unused;
    for (size_t i = 0; i < ROTA_COUNT(outcome_cases); i++) {
        struct rota_fake_lb *f = lb_open_ready("[{\"outlier_detection\":{\"failurePercentageEjection\":{\"threshold\":50,\"minimumHosts\":2,"
                                                   "\"requestVolume\":10},\"childPolicy\":[{\"round_robin\":{}}]}}]",
            "a,b,c", 1);
        bool ejected = true;
        print_message("  %s\n", outcome_cases[i].rule);
        for (int n = 0; n < 60; n++) {
            static const struct rota_outcome fine = {.sent = true};
            struct rota_pick pick;
            assert_int_equal(rota_fake_lb_pick(f, &pick), ROTA_PICK_OK);
            rota_lb_tree_done(f->tree, &pick, rota_fake_lb_picked(&pick)->text[0] == 'a' ? &outcome_cases[i].outcome : &fine);
        }
        rota_fake_lb_advance(f, 10 * S);
        for (int n = 0; n < 6; n++) {
            struct rota_pick pick;
            assert_int_equal(rota_fake_lb_pick(f, &pick), ROTA_PICK_OK);
            ejected = ejected && rota_fake_lb_picked(&pick)->text[0] != 'a';
            rota_fake_lb_done(f, &pick);
        }
        assert_int_equal(ejected, outcome_cases[i].ejects);
        lb_close(f);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_further_attempt_goes_elsewhere),
        cmocka_unit_test(only_ready_ones_are_elsewhere),
        cmocka_unit_test(calls_are_counted_where_they_went),
        cmocka_unit_test(a_pick_first_that_listens_is_asked_once),
        cmocka_unit_test(outlier_detection_counts_what_the_server_did),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
