/* peak_ewma_test.c - choosing by latency and calls under way: a rule a row, then servers of different kinds. The arithmetic: ewma_test.c. */
#include "base/assert.h"
#include "rows_fixture.h"
#include "testing/cmocka.h"
#include "testing/lb_policies.h"
#include "testing/script_rng.h"
#include "testing/virtual_host.h"

#define PEAK "[{\"peak_ewma\":{}}]"

static const struct lb_row rows[] = {
    {"no READY endpoint: wait while one may come up, fail when all have failed", PEAK,
        {{"list=a,b", "get:a get:b connect:a connect:b CONNECTING"}, {"a=F pick", "connect:a reresolve pick:WAIT"},
            {"b=F pick", "connect:b TF(b refused) reresolve pick:FAIL(b refused)"}}},
    {"one READY endpoint is picked without dice", PEAK, {{"list=a,b", "get:a get:b connect:a connect:b CONNECTING"}, {"b=R pick", "READY pick:b"}}},
};

static const struct lb_config_row configs[] = {
    {"no parameters", PEAK, NULL},
    {"a decay time", "[{\"peak_ewma\":{\"decayTime\":\"2.5s\"}}]", NULL},
    {"more than 0", "[{\"peak_ewma\":{\"decayTime\":\"0s\"}}]", "\"decayTime\" must be more than 0"},
    {"a duration", "[{\"peak_ewma\":{\"decayTime\":10}}]", "must be a duration"},
};

static void follows_the_rules(void **unused)
{
    (void)unused;
    lb_rows_check(rows, ROTA_COUNT(rows));
    lb_config_rows_check(configs, ROTA_COUNT(configs));
}

/* Dice index the READY set, which is [c, a, b]; the second die skips the first one's. */
enum { C, A, B };

struct history {
    uint32_t latency_ms; /* of one call; 0: none */
    enum rota_code code;
    uint32_t calls; /* under way */
};

static const struct choice {
    const char *rule;
    struct history of[3]; /* C, A, B */
    uint64_t dice[2];
    const char *want;
} choices[] = {
    {"the faster of two wins", {{9, ROTA_OK, 0}, {3, ROTA_OK, 0}, {0}}, {C, 0}, "a"},
    {"calls under way count: cost times one more than they are", {{9, ROTA_OK, 0}, {3, ROTA_OK, 3}, {0}}, {C, 0}, "c"},
    {"equal loads: the first sampled", {{9, ROTA_OK, 0}, {3, ROTA_OK, 2}, {0}}, {A, 0}, "a"},
    {"the second sample is another one", {{9, ROTA_OK, 0}, {3, ROTA_OK, 0}, {1, ROTA_OK, 0}}, {A, 1}, "b"},
    {"one never tried is tried", {{9, ROTA_OK, 0}, {0}, {0}}, {C, 0}, "a"},
    {"one tried without answer yet is left alone", {{9, ROTA_OK, 0}, {0, ROTA_OK, 1}, {0}}, {A, 0}, "c"},
    {"failing fast is slow", {{9, ROTA_OK, 0}, {1, ROTA_UNAVAILABLE, 0}, {0}}, {A, 0}, "c"},
    {"so is a deadline missed", {{9, ROTA_OK, 0}, {6, ROTA_DEADLINE_EXCEEDED, 0}, {0}}, {A, 0}, "c"},
    {"an error of the application is an answer", {{9, ROTA_OK, 0}, {1, ROTA_NOT_FOUND, 0}, {0}}, {C, 0}, "a"},
};

static struct rota_pick pick_with(struct rota_fake_lb *f, const uint64_t *values)
{
    struct rota_rng dice;
    struct rota_pick pick;

    rota_script_rng_init(&dice, values, 2);
    f->env.rng = &dice;
    assert_int_equal(rota_fake_lb_pick(f, &pick), ROTA_PICK_OK);
    f->env.rng = &f->rng;
    return pick;
}

static struct rota_fake_lb *open_abc(void)
{
    static const uint64_t zeros[64];
    struct rota_rng dice;
    struct rota_fake_lb *f = test_malloc(sizeof(*f));

    rota_script_rng_init(&dice, zeros, ROTA_COUNT(zeros));
    assert_int_equal(rota_fake_lb_init(f, NULL, rota_test_policies, PEAK, 1), 0);
    f->env.rng = &dice;
    rota_fake_lb_play(f, "list=a,b,c a=R b=R c=R");
    f->env.rng = &f->rng;
    return f;
}

static void finish(struct rota_fake_lb *f, const struct rota_pick *pick, uint32_t latency_ms, enum rota_code code)
{
    struct rota_outcome outcome = {.status = {code, ""}, .started_ns = f->now_ns - latency_ms * ROTA_MS, .ended_ns = f->now_ns, .sent = true};

    rota_lb_tree_done(f->tree, pick, &outcome);
}

/* A pick of this one, by trying until it comes. */
static struct rota_pick pick_named(struct rota_fake_lb *f, char name)
{
    struct rota_outcome unsent = {.status = {ROTA_UNAVAILABLE, "not this one"}};

    for (int i = 0; i < 1000; i++) {
        struct rota_pick pick;
        assert_int_equal(rota_fake_lb_pick(f, &pick), ROTA_PICK_OK);
        if (rota_fake_lb_picked(&pick)->text[0] == name)
            return pick;
        rota_lb_tree_done(f->tree, &pick, &unsent); /* nothing is learned of it */
    }
    fail_msg("%c is never picked", name);
    return (struct rota_pick){0};
}

static void give_history(struct rota_fake_lb *f, const struct history *of)
{
    static const char names[] = "cab";
    struct rota_pick picks[3];

    /* All are picked before anything is known, then end. */
    for (int i = 0; i < 3; i++)
        picks[i] = pick_named(f, names[i]);
    for (int i = 0; i < 3; i++) {
        struct rota_outcome unsent = {.status = {ROTA_UNAVAILABLE, "no history"}};
        if (of[i].latency_ms == 0)
            rota_lb_tree_done(f->tree, &picks[i], &unsent);
        else
            finish(f, &picks[i], of[i].latency_ms, of[i].code);
    }
    for (int i = 0; i < 3; i++)
        for (uint32_t k = 0; k < of[i].calls; k++) {
            struct rota_pick pick = pick_with(f, (uint64_t[]){(uint64_t)i, 0}); /* first sampled, so it wins ties */
            assert_int_equal(rota_fake_lb_picked(&pick)->text[0], names[i]);
        }
}

static void chooses(void **unused)
{
    (void)unused;
    for (size_t i = 0; i < ROTA_COUNT(choices); i++) {
        struct rota_fake_lb *f = open_abc();
        struct rota_pick pick;
        print_message("  %s\n", choices[i].rule);
        give_history(f, choices[i].of);
        pick = pick_with(f, choices[i].dice);
        assert_string_equal(rota_fake_lb_picked(&pick)->text, choices[i].want);
        lb_close(f);
    }
}

static void make_calls(struct rota_fake_lb *f, const uint32_t *latencies_ms, const enum rota_code *codes, uint32_t n, uint32_t *ret_counts)
{
    memset(ret_counts, 0, 3 * sizeof(*ret_counts));
    for (uint32_t i = 0; i < n; i++) {
        struct rota_pick pick;
        size_t at = 0;
        assert_int_equal(rota_fake_lb_pick(f, &pick), ROTA_PICK_OK);
        while (f->by_number[at] != rota_fake_lb_picked(&pick))
            at++;
        ret_counts[at]++;
        rota_fake_lb_advance(f, latencies_ms[at] * ROTA_MS);
        finish(f, &pick, latencies_ms[at], codes[at]);
    }
}

static void slow_and_failing_ones_get_little(void **unused)
{
    static const enum rota_code fine[3], failing[3] = {[1] = ROTA_UNAVAILABLE};
    struct rota_fake_lb *f = lb_open_ready(PEAK, "a,b,c", 1);
    uint32_t counts[3];

    (void)unused;
    make_calls(f, (uint32_t[]){10, 100, 10}, fine, 10000, counts);
    print_message("  ten times slower: %u of 10000\n", counts[1]);
    assert_true(counts[1] > 0 && counts[1] < 100);
    /* What is known survives a new list with new objects. */
    assert_int_equal(rota_fake_lb_list(f, "c!,b!,a!"), 0);
    make_calls(f, (uint32_t[]){10, 100, 10}, fine, 100, counts);
    assert_true(counts[1] <= 1);
    /* Healed, it gets its share again once the past is forgotten. */
    make_calls(f, (uint32_t[]){10, 10, 10}, fine, 5000, counts);
    make_calls(f, (uint32_t[]){10, 10, 10}, fine, 3000, counts);
    assert_true(counts[1] > 500);
    make_calls(f, (uint32_t[]){10, 1, 10}, failing, 10000, counts);
    print_message("  failing in a tenth of the time: %u of 10000\n", counts[1]);
    assert_true(counts[1] < 200);
    lb_close(f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(follows_the_rules),
        cmocka_unit_test(chooses),
        cmocka_unit_test(slow_and_failing_ones_get_little),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
