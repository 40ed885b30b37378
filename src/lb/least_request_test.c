/* least_request_test.c - power of d choices: a rule a row, with the dice that the row says. Source: gRFC A48. */
#include "base/assert.h"
#include "rows_fixture.h"
#include "testing/cmocka.h"
#include "testing/lb_policies.h"
#include "testing/script_rng.h"

#define TWO "[{\"least_request\":{}}]"
#define THREE "[{\"least_request\":{\"choiceCount\":3}}]"
#define TEN "[{\"least_request\":{\"choiceCount\":4000000000}}]"

static const struct lb_row rows[] = {
    {"no READY endpoint: wait while one may come up", TWO, {{"list=a,b", "get:a get:b connect:a connect:b CONNECTING"}, {"a=F pick", "connect:a reresolve pick:WAIT"}}},
    {"all failed: fail with a child's error", TWO,
        {{"list=a,b", "get:a get:b connect:a connect:b CONNECTING"}, {"a=F b=F pick", "connect:a reresolve connect:b TF(b refused) reresolve pick:FAIL(b refused)"}}},
    {"duplicates are merged", TWO, {{"list=a,a!,a", "get:a connect:a CONNECTING"}}},
    {"only READY endpoints are sampled", TWO,
        {{"list=a,b", "get:a get:b connect:a connect:b CONNECTING"}, {"a=F b=R", "connect:a reresolve READY"}, {"pick pick", "pick:b pick:b"}}},
};

static const struct lb_config_row configs[] = {
    {"no choice count: the default", TWO, NULL},
    {"two choices are the least", "[{\"least_request\":{\"choiceCount\":2}}]", NULL},
    {"fewer than two choices are invalid", "[{\"least_request\":{\"choiceCount\":1}}]", "policy least_request: \"choiceCount\" must be at least 2"},
    {"more than ten choices are ten", TEN, NULL},
    {"gRPC's name for it is understood", "[{\"least_request_experimental\":{\"choiceCount\":\"5\"}}]", NULL},
    {"a choice count is a whole number", "[{\"least_request\":{\"choiceCount\":2.5}}]", "\"choiceCount\" must be a whole number"},
    {"and not negative", "[{\"least_request\":{\"choiceCount\":-2}}]", "must be a whole number"},
    {"and below 2^32", "[{\"least_request\":{\"choiceCount\":4294967296}}]", "must be a whole number"},
    {"and no word", "[{\"least_request\":{\"choiceCount\":\"two\"}}]", "must be a whole number"},
};

static void follows_the_rules(void **unused)
{
    (void)unused;
    lb_rows_check(rows, ROTA_COUNT(rows));
    lb_config_rows_check(configs, ROTA_COUNT(configs));
}

/* Dice index the READY set, which is [c, a, b] once a, b, c became READY under dice that show 0. */
enum { C, A, B };

static const struct choice {
    const char *rule, *config;
    uint32_t calls[3]; /* under way at C, A, B */
    uint64_t dice[10];
    size_t n_dice; /* as many as must be rolled */
    const char *want;
} choices[] = {
    {"the less loaded of two wins", TWO, {5, 1, 0}, {C, A}, 2, "a"},
    {"wherever it comes", TWO, {0, 1, 0}, {C, A}, 2, "c"},
    {"a tie goes to the first sampled", TWO, {2, 2, 0}, {A, C}, 2, "a"},
    {"samples are drawn with replacement", TWO, {9, 0, 0}, {C, C}, 2, "c"},
    {"the unsampled do not count", TWO, {3, 2, 0}, {C, A}, 2, "a"},
    {"three choices", THREE, {3, 2, 1}, {C, A, B}, 3, "b"},
    {"a tie among three goes to the first of the least", THREE, {3, 1, 1}, {C, B, A}, 3, "b"},
    {"ten choices at most", TEN, {3, 2, 1}, {C, C, C, C, C, C, C, C, C, A}, 10, "a"},
};

static struct rota_fake_lb *open_abc(const char *config)
{
    static const uint64_t zeros[64];
    struct rota_rng dice;
    struct rota_fake_lb *f = test_malloc(sizeof(*f));

    rota_script_rng_init(&dice, zeros, ROTA_COUNT(zeros));
    assert_int_equal(rota_fake_lb_init(f, NULL, rota_test_policies, config, 1), 0);
    f->env.rng = &dice;
    rota_fake_lb_play(f, "list=a,b,c a=R b=R c=R");
    f->env.rng = &f->rng;
    return f;
}

static struct rota_pick pick_with(struct rota_fake_lb *f, const uint64_t *values, size_t n_values)
{
    struct rota_rng dice;
    struct rota_pick pick;

    rota_script_rng_init(&dice, values, n_values);
    f->env.rng = &dice;
    assert_int_equal(rota_fake_lb_pick(f, &pick), ROTA_PICK_OK);
    assert_int_equal(rota_script_rng_left(&dice), 0);
    f->env.rng = &f->rng;
    return pick;
}

static void chooses_the_least(void **unused)
{
    (void)unused;
    for (size_t i = 0; i < ROTA_COUNT(choices); i++) {
        const struct choice *c = &choices[i];
        struct rota_fake_lb *f = open_abc(c->config);
        struct rota_pick pick;
        print_message("  %s\n", c->rule);
        for (uint64_t at = 0; at < 3; at++)
            for (uint32_t k = 0; k < c->calls[at]; k++)
                pick_with(f, (uint64_t[]){at, at, at, at, at, at, at, at, at, at}, c->n_dice);
        pick = pick_with(f, c->dice, c->n_dice);
        assert_string_equal(rota_fake_lb_picked(&pick)->text, c->want);
        lb_close(f);
    }
}

/* Counts go down at a call's end, also of one never sent, and survive new lists and lost connections. */
static void counts_live_as_long_as_their_endpoint(void **unused)
{
    struct rota_fake_lb *f = open_abc(TWO);
    struct rota_outcome unsent = {.status = {ROTA_UNAVAILABLE, "never sent"}};
    struct rota_pick busy, pick;

    (void)unused;
    busy = pick_with(f, (uint64_t[]){A, A}, 2);
    rota_fake_lb_play(f, "list=c,a!,b,d");
    pick = pick_with(f, (uint64_t[]){A, C}, 2);
    assert_string_equal(rota_fake_lb_picked(&pick)->text, "c");
    rota_fake_lb_done(f, &pick);
    rota_lb_tree_done(f->tree, &busy, &unsent);
    pick = pick_with(f, (uint64_t[]){A, C}, 2);
    assert_string_equal(rota_fake_lb_picked(&pick)->text, "a");
    /* A call may end after its endpoint has left, and must not touch one that came in its place. */
    rota_fake_lb_play(f, "list=b,c");
    rota_fake_lb_play(f, "list=a,b,c");
    rota_fake_lb_done(f, &pick);
    lb_close(f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(follows_the_rules),
        cmocka_unit_test(chooses_the_least),
        cmocka_unit_test(counts_live_as_long_as_their_endpoint),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
