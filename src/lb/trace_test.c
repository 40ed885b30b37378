/* trace_test.c - what every policy says of its picks: a row each, and what becomes of notes that are too many or too long. */
#include "base/assert.h"
#include "rows_fixture.h"
#include "testing/cmocka.h"
#include "testing/lb_policies.h"
#include <math.h>
#include <rota/explain.h>
#include <stdio.h>

static const struct explain_case {
    const char *rule, *config, *list, *events;
    const char *header; /* a row for calls that carry "key: header" */
    const char *want[8]; /* parts of the text, in their order; the one with "* " won */
} explain_cases[] = {
    {"pick_first: the connection it has", "[{\"pick_first\":{}}]", "a+b", "", NULL, {"OK /package", "pick_first: the connection it has, to one of 2 addresses"}},
    {"round_robin: the turn", "[{\"round_robin\":{}}]", "a,b", "", NULL, {"* round_robin ", "turn 2 of 2", "\n      pick_first: "}},
    {"least_request: the samples and their calls", "[{\"least_request\":{}}]", "a,b", "", NULL, {"least_request ", " 0 calls under way", "least_request ", " 0 calls under way"}},
    {"adaptive: latency, calls and faults of each sampled", "[{\"adaptive\":{}}]", "a,b,c", "", NULL,
        {"adaptive ", "latency 0.000 ms, 0 calls under way, 0 % faults", "adaptive ", "adaptive "}},
    {"adaptive: also of the only one", "[{\"adaptive\":{}}]", "a", "", NULL, {"* adaptive a", "latency"}},
    {"peak_ewma: latency and calls of two", "[{\"peak_ewma\":{}}]", "a,b", "", NULL, {"peak_ewma ", "latency 0.000 ms, 0 calls under way", "peak_ewma "}},
    {"random: weight and sum", "[{\"random\":{}}]", "a*3,a2*3", "", NULL, {"* random ", " 3 weight, of 6 in all"}},
    {"weighted_round_robin: weights", "[{\"weighted_round_robin\":{}}]", "a*1,b*3", "", NULL, {"weighted_round_robin ", "weight of 65535, as listed"}},
    {"weighted_round_robin: equal ones", "[{\"weighted_round_robin\":{}}]", "a,b", "", NULL, {"* weighted_round_robin ", "no weights differ: in turn"}},
    {"ring_hash: by header, where on the ring", "[{\"ring_hash\":{\"requestHashHeader\":\"key\",\"minRingSize\":4}}]", "a", "pick=x a=C a=R", "x",
        {"ring_hash: hash ", " of key, entry ", "* ring_hash a READY, 0 entries on"}},
    {"ring_hash: by chance", "[{\"ring_hash\":{}}]", "a", "pick a=C a=R", NULL, {"ring_hash: hash ", "by chance, entry ", "* ring_hash a READY"}},
    {"priority: which, and who was passed over", "[{\"priority\":{\"children\":{\"p0\":{\"config\":[{\"round_robin\":{}}]},\"p1\":{\"config\":[{\"round_robin\":{}}]}},"
        "\"priorities\":[\"p0\",\"p1\"]}}]", "a@priority:p0,b@priority:p1", "a=F b=C b=R", NULL,
        {"priority: passed over \"p0\": TRANSIENT_FAILURE", "priority: calls go to \"p1\": READY", "* round_robin b"}},
    {"weighted_target: which and its weight", "[{\"weighted_target\":{\"targets\":{\"x\":{\"weight\":7,\"childPolicy\":[{\"round_robin\":{}}]}}}}]", "a@target:x", "", NULL,
        {"weighted_target: target \"x\", weight 7 of 7 READY", "* round_robin a"}},
    {"random_subsetting: how many of how many", "[{\"random_subsetting\":{\"subsetSize\":1,\"childPolicy\":[{\"round_robin\":{}}]}}]", "a,b,c", "", NULL,
        {"random_subsetting: a subset of 1 of 3 endpoints", "* round_robin "}},
    {"outlier_detection: how many are ejected", "[{\"outlier_detection\":{\"failurePercentageEjection\":{},\"childPolicy\":[{\"round_robin\":{}}]}}]", "a,b", "", NULL,
        {"outlier_detection: 0 of 2 ejected", "* round_robin "}},
    {"panic: how many are healthy", "[{\"panic\":{\"childPolicy\":[{\"round_robin\":{}}]}}]", "a,b", "a~N", NULL, {"panic: 1 of 2 healthy", "* round_robin b"}},
    {"panic: that health is not heeded", "[{\"panic\":{\"childPolicy\":[{\"round_robin\":{}}]}}]", "a", "a~N", NULL,
        {"panic: 0 of 1 healthy: too few, health is not heeded", "* round_robin a"}},
    {"zone_aware: what each zone gets", "[{\"zone_aware\":{\"zone\":\"x\",\"overloadPercent\":0,\"childPolicy\":[{\"round_robin\":{}}]}}]", "a@zone:x,b@zone:y", "", NULL,
        {"zone_aware: own zone \"x\": 1 of 1 endpoints usable, gets 100.0 % of the calls", "zone_aware: zone \"y\": 1 of 1 endpoints usable, gets 0.0 %", "* round_robin a"}},
    {"zone_aware: no zone", "[{\"zone_aware\":{\"childPolicy\":[{\"round_robin\":{}}]}}]", "a", "", NULL, {"zone_aware: the own zone is not known", "* round_robin a"}},
    {"no endpoint: the verdict and the state", "[{\"round_robin\":{}}]", "a", "a=F", NULL, {"FAIL /package", "a refused", "round_robin: FAIL: TRANSIENT_FAILURE"}},
    {"a connection lost: it is waited for", "[{\"round_robin\":{}}]", "a", "a=I", NULL, {"WAIT /package", "round_robin: WAIT: CONNECTING"}},
};

static void text_of(struct rota_fake_lb *f, enum rota_pick_verdict verdict, const struct rota_pick *pick, char *out, size_t cap)
{
    const struct rota_explained_pick explained = {
        .path = "/package.Service/Method",
        .verdict = verdict,
        .address = verdict == ROTA_PICK_OK ? rota_fake_lb_picked(pick)->text : NULL,
        .why = verdict == ROTA_PICK_FAIL ? pick->why : NULL,
        .notes = f->pick_trace->notes,
        .n_notes = f->pick_trace->n_notes,
        .n_left_out = f->pick_trace->n_left_out,
    };
    size_t size = rota_explained_pick_text(&explained, out, cap);

    assert_int_equal(strlen(out), size);
}

static void check_case(const struct explain_case *c)
{
    struct rota_fake_lb *f = lb_open_ready(c->config, c->list, 3);
    struct rota_metadata *metadata = NULL;
    struct rota_pick_trace trace = {0};
    struct rota_pick pick = {0};
    enum rota_pick_verdict verdict;
    char text[4096];
    const char *at = text;

    rota_fake_lb_play(f, c->events);
    if (c->header != NULL) {
        assert_int_equal(rota_metadata_new(NULL, &metadata), 0);
        assert_int_equal(rota_metadata_add_text(metadata, "key", c->header), 0);
        f->metadata = metadata;
    }
    f->pick_trace = &trace;
    verdict = rota_fake_lb_pick(f, &pick);
    text_of(f, verdict, &pick, text, sizeof(text));
    for (size_t i = 0; i < ROTA_COUNT(c->want) && c->want[i] != NULL; i++) {
        at = strstr(at, c->want[i]);
        if (at == NULL)
            fail_msg("no \"%s\" where it should be in:\n%s", c->want[i], text);
        at += strlen(c->want[i]);
    }
    assert_null(trace.policy);
    assert_int_equal(trace.depth, 0);
    if (verdict == ROTA_PICK_OK)
        rota_fake_lb_done(f, &pick);
    f->metadata = NULL;
    f->pick_trace = NULL;
    rota_metadata_free(metadata);
    lb_close(f);
}

static void every_policy_says_why(void **state)
{
    (void)state;
    for (size_t i = 0; i < ROTA_COUNT(explain_cases); i++) {
        print_message("  %s\n", explain_cases[i].rule);
        check_case(&explain_cases[i]);
    }
}

static void who_is_ejected_is_named(void **state)
{
    struct rota_fake_lb *f = lb_open_ready("[{\"outlier_detection\":{\"interval\":\"1s\",\"maxEjectionPercent\":50,\"failurePercentageEjection\":"
        "{\"threshold\":50,\"minimumHosts\":2,\"requestVolume\":2},\"childPolicy\":[{\"round_robin\":{}}]}}]", "a,b", 3);
    struct rota_pick_trace trace = {0};
    struct rota_pick pick;
    char text[4096];

    (void)state;
    for (int i = 0; i < 8; i++) {
        assert_int_equal(rota_fake_lb_pick(f, &pick), ROTA_PICK_OK);
        f->call_code = strcmp(rota_fake_lb_picked(&pick)->text, "a") == 0 ? ROTA_UNAVAILABLE : ROTA_OK;
        rota_fake_lb_done(f, &pick);
    }
    rota_fake_lb_play(f, "+1000 +500");
    f->pick_trace = &trace;
    assert_int_equal(rota_fake_lb_pick(f, &pick), ROTA_PICK_OK);
    text_of(f, ROTA_PICK_OK, &pick, text, sizeof(text));
    if (strstr(text, "outlier_detection a ejected 0.5 s ago, 4 of 4 calls had failed") == NULL || strstr(text, "1 of 2 ejected") == NULL ||
        strstr(text, "* round_robin b turn 1 of 1") == NULL)
        fail_msg("it says: %s", text);
    rota_fake_lb_done(f, &pick);
    /* Later sweeps, which have no calls of its to look at, do not change why. */
    rota_fake_lb_play(f, "+3000");
    trace.n_notes = 0;
    assert_int_equal(rota_fake_lb_pick(f, &pick), ROTA_PICK_OK);
    text_of(f, ROTA_PICK_OK, &pick, text, sizeof(text));
    if (strstr(text, "outlier_detection a ejected 3.5 s ago, 4 of 4 calls had failed") == NULL)
        fail_msg("it says: %s", text);
    rota_fake_lb_done(f, &pick);
    f->pick_trace = NULL;
    lb_close(f);
}

/* The winner is the sampled one with the lower score, and where the pick goes. */
static void the_winner_has_the_best_score(void **state)
{
    static const char *const configs[] = {"[{\"least_request\":{\"choiceCount\":5}}]", "[{\"peak_ewma\":{}}]", "[{\"adaptive\":{}}]"};

    (void)state;
    for (size_t i = 0; i < ROTA_COUNT(configs); i++) {
        struct rota_fake_lb *f = lb_open_ready(configs[i], "a,b,c,d", 5);
        struct rota_pick picks[40];

        print_message("  %s\n", configs[i]);
        for (size_t k = 0; k < ROTA_COUNT(picks); k++) {
            struct rota_pick_trace trace = {0};
            const struct rota_pick_note *winner = NULL;
            double least = INFINITY;

            f->pick_trace = &trace;
            assert_int_equal(rota_fake_lb_pick(f, &picks[k]), ROTA_PICK_OK);
            for (uint32_t n = 0; n < trace.n_notes; n++) {
                if (trace.notes[n].won) {
                    assert_null(winner);
                    winner = &trace.notes[n];
                }
                if (trace.notes[n].depth == 0 && trace.notes[n].score < least)
                    least = trace.notes[n].score;
            }
            assert_non_null(winner);
            assert_true(winner->score == least);
            assert_string_equal(winner->endpoint, rota_fake_lb_picked(&picks[k])->text);
        }
        f->pick_trace = NULL;
        for (size_t k = 0; k < ROTA_COUNT(picks); k++)
            rota_fake_lb_done(f, &picks[k]);
        lb_close(f);
    }
}

static void tracing_changes_no_pick(void **state)
{
    static const char *const configs[] = {"[{\"round_robin\":{}}]", "[{\"least_request\":{}}]", "[{\"adaptive\":{}}]", "[{\"random\":{}}]",
        "[{\"peak_ewma\":{}}]", "[{\"weighted_round_robin\":{}}]"};

    (void)state;
    for (size_t i = 0; i < ROTA_COUNT(configs); i++) {
        struct rota_fake_lb *with = lb_open_ready(configs[i], "a*1,b*2,c*3", 9), *without = lb_open_ready(configs[i], "a*1,b*2,c*3", 9);
        struct rota_pick_trace trace = {0};

        print_message("  %s\n", configs[i]);
        with->pick_trace = &trace;
        for (int k = 0; k < 200; k++) {
            struct rota_pick a, b;

            assert_int_equal(rota_fake_lb_pick(with, &a), ROTA_PICK_OK);
            assert_int_equal(rota_fake_lb_pick(without, &b), ROTA_PICK_OK);
            assert_string_equal(rota_fake_lb_picked(&a)->text, rota_fake_lb_picked(&b)->text);
            if (k % 2 == 0) {
                rota_fake_lb_done(with, &a);
                rota_fake_lb_done(without, &b);
            }
        }
        lb_close(with);
        lb_close(without);
    }
}

/* --- The notes themselves --- */

static void too_many_notes_are_counted_and_the_winner_stays(void **state)
{
    struct rota_fake_lb *f = lb_open_ready("[{\"round_robin\":{}}]", "a,b", 1);
    const struct rota_endpoint *a = rota_fake_lb_endpoint(f, "a"), *b = rota_fake_lb_endpoint(f, "b");
    struct rota_pick_trace trace = {.policy = "mine"};
    struct rota_call_info call = {.path = "/s/m", .trace = &trace};

    (void)state;
    for (int i = 0; i < ROTA_PICK_NOTES + 5; i++)
        rota_lb_trace(&call, a, i, "number %d", i);
    assert_int_equal(trace.n_notes, ROTA_PICK_NOTES);
    assert_int_equal(trace.n_left_out, 5);
    rota_lb_trace_winner(&call, a);
    assert_true(trace.notes[0].won);
    rota_lb_trace_winner(&call, b);
    assert_int_equal(trace.n_notes, ROTA_PICK_NOTES);
    assert_int_equal(trace.n_left_out, 6);
    assert_false(trace.notes[0].won);
    assert_true(trace.notes[ROTA_PICK_NOTES - 1].won);
    assert_string_equal(trace.notes[ROTA_PICK_NOTES - 1].endpoint, b->addresses[0].text);
    lb_close(f);
}

static void without_a_trace_nothing_happens(void **state)
{
    struct rota_call_info call = {.path = "/s/m"};

    (void)state;
    rota_lb_trace(&call, NULL, NAN, "unheard");
    rota_lb_trace_winner(&call, NULL);
    assert_null(call.trace);
}

static void the_text_is_cut_at_its_room(void **state)
{
    struct rota_pick_note note = {.policy = "mine", .score = 1.5, .endpoint = "1.2.3.4:5", .text = "because", .won = true};
    struct rota_status why = {ROTA_UNAVAILABLE, "no luck"};
    struct rota_explained_pick pick = {.path = "/s/m", .attempt = 1, .verdict = ROTA_PICK_DROP, .why = &why, .notes = &note, .n_notes = 1, .n_left_out = 2};
    static const char whole[] = "DROP /s/m attempt 2: no luck\n  * mine 1.2.3.4:5 1.5 because\n  and 2 more";
    char text[sizeof(whole)];

    (void)state;
    assert_int_equal(rota_explained_pick_text(&pick, text, sizeof(text)), sizeof(whole) - 1);
    assert_string_equal(text, whole);
    for (size_t cap = 1; cap < sizeof(text); cap++) {
        assert_int_equal(rota_explained_pick_text(&pick, text, cap), cap - 1);
        assert_int_equal(strncmp(text, whole, cap - 1), 0);
    }
    assert_int_equal(rota_explained_pick_text(&pick, text, 0), 0);
    assert_string_equal(rota_pick_verdict_name((enum rota_pick_verdict)99), "UNKNOWN");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_policy_says_why),
        cmocka_unit_test(who_is_ejected_is_named),
        cmocka_unit_test(the_winner_has_the_best_score),
        cmocka_unit_test(tracing_changes_no_pick),
        cmocka_unit_test(too_many_notes_are_counted_and_the_winner_stays),
        cmocka_unit_test(without_a_trace_nothing_happens),
        cmocka_unit_test(the_text_is_cut_at_its_room),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
