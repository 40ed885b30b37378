/* adaptive_test.c - what the policy promises: slow, failing, hanging and unknown servers get little, healed ones their share again. */
#include "base/assert.h"
#include "rows_fixture.h"
#include "testing/cmocka.h"
#include "testing/lb_policies.h"
#include "testing/virtual_host.h"

#define ADAPTIVE "[{\"adaptive\":{}}]"
#define HANGS UINT32_MAX
#define N_HUNG 4096

static const struct lb_row rows[] = {
    {"no READY endpoint: wait while one may come up, fail when all have failed", ADAPTIVE,
        {{"list=a,b", "get:a get:b connect:a connect:b CONNECTING"}, {"a=F pick", "connect:a reresolve pick:WAIT"},
            {"b=F pick", "connect:b TF(b refused) reresolve pick:FAIL(b refused)"}}},
    {"one READY endpoint is picked", ADAPTIVE, {{"list=a,b", "get:a get:b connect:a connect:b CONNECTING"}, {"a=R pick", "READY pick:a"}}},
};

static const struct lb_config_row configs[] = {
    {"no parameters to know", ADAPTIVE, NULL},
};

static void follows_the_rules(void **unused)
{
    (void)unused;
    lb_rows_check(rows, ROTA_COUNT(rows));
    lb_config_rows_check(configs, ROTA_COUNT(configs));
}

/* How one of several servers, or more of them, are; the others answer within 10 ms. */
struct behaviour {
    uint32_t latency_ms; /* HANGS: never answers */
    uint32_t fails_percent;
};

/* Calls one after the other, so many a second. */
struct traffic {
    struct rota_fake_lb *f;
    uint32_t gap_ms, n_others;
    struct rota_pick hung[N_HUNG];
    int64_t hung_at_ns[N_HUNG];
    uint32_t n_hung;
};

static void finish(struct rota_fake_lb *f, const struct rota_pick *pick, int64_t started_ns, enum rota_code code)
{
    struct rota_outcome outcome = {.status = {code, ""}, .started_ns = started_ns, .ended_ns = f->now_ns, .sent = true};

    rota_lb_tree_done(f->tree, pick, &outcome);
}

static size_t number_of(const struct rota_fake_lb *f, const struct rota_pick *pick)
{
    size_t at = 0;

    while (f->by_number[at] != rota_fake_lb_picked(pick))
        at++;
    return at;
}

/* How many of n calls go to the servers that behave like that. */
static uint32_t call(struct traffic *t, struct behaviour other, uint32_t n)
{
    uint32_t count = 0;

    for (uint32_t i = 0; i < n; i++) {
        int64_t started_ns = t->f->now_ns;
        struct rota_pick pick;
        bool is_other;

        assert_int_equal(rota_fake_lb_pick(t->f, &pick), ROTA_PICK_OK);
        is_other = number_of(t->f, &pick) - 1 < t->n_others; /* 1, 2, ...; not 0 */
        count += is_other;
        if (is_other && other.latency_ms == HANGS) {
            assert_true(t->n_hung < N_HUNG);
            t->hung_at_ns[t->n_hung] = started_ns;
            t->hung[t->n_hung++] = pick;
        } else {
            rota_fake_lb_advance(t->f, (is_other ? other.latency_ms : 10) * ROTA_MS);
            finish(t->f, &pick, started_ns, is_other && i * 37 % 100 < other.fails_percent ? ROTA_UNAVAILABLE : ROTA_OK);
        }
        rota_fake_lb_advance(t->f, t->gap_ms * ROTA_MS);
    }
    return count;
}

static void answer_all(struct traffic *t)
{
    while (t->n_hung > 0) {
        t->n_hung--;
        finish(t->f, &t->hung[t->n_hung], t->hung_at_ns[t->n_hung], ROTA_OK);
    }
}

static const struct {
    const char *rule;
    struct behaviour other;
    uint32_t gap_ms, most_of_2000; /* calls that they may have while they are like that */
    uint32_t healed_within;        /* calls until they have their share again */
    uint32_t n_others, n_servers;
} cases[] = {
    {"ten times slower", {100, 0}, 0, 60, 1000, 1, 3},
    {"ten times slower, few calls", {100, 0}, 400, 100, 200, 1, 3},
    {"half of its calls fail at once", {1, 50}, 0, 40, 1000, 1, 3},
    {"all of its calls fail at once", {1, 100}, 0, 40, 1000, 1, 3},
    {"it hangs", {HANGS, 0}, 0, 8, 1000, 1, 3},
    {"two of three hang: chance that draws nobody else draws again", {HANGS, 0}, 0, 16, 1000, 2, 3},
    {"half of ten hang", {HANGS, 0}, 0, 30, 1000, 5, 10},
    {"all calls of three of ten fail at once", {1, 100}, 0, 80, 2000, 3, 10},
    {"as good as the others", {10, 0}, 0, 900, 100, 1, 3},
};

static void bad_ones_get_little_and_healed_ones_their_share(void **unused)
{
    (void)unused;
    for (size_t i = 0; i < ROTA_COUNT(cases); i++) {
        static struct traffic t;
        uint32_t bad, healed, fair = 900 * cases[i].n_others / cases[i].n_servers;

        t = (struct traffic){.f = lb_open_ready(ADAPTIVE, cases[i].n_servers == 3 ? "a,b,c" : "a,b,c,d,e,f,g,h,i,j", 1), .gap_ms = cases[i].gap_ms, .n_others = cases[i].n_others};
        call(&t, (struct behaviour){10, 0}, 300);
        bad = call(&t, cases[i].other, 2000);
        answer_all(&t);
        call(&t, (struct behaviour){10, 0}, cases[i].healed_within);
        healed = call(&t, (struct behaviour){10, 0}, 900);
        print_message("  %s: %u of 2000, then %u of 900\n", cases[i].rule, bad, healed);
        assert_true(bad <= cases[i].most_of_2000);
        assert_in_range(healed, fair * 2 / 3, fair * 4 / 3);
        lb_close(t.f);
    }
}

static void one_that_has_not_answered_yet_gets_no_second_call(void **unused)
{
    static struct traffic t;

    (void)unused;
    t = (struct traffic){.f = lb_open_ready(ADAPTIVE, "a,b,c", 1), .n_others = 1};
    /* Nothing is known of anybody. */
    assert_int_equal(call(&t, (struct behaviour){HANGS, 0}, 100), 1);
    answer_all(&t);
    lb_close(t.f);
}

/* Streams that last for a minute say nothing of their server, but they are load. */
static void streams_count_as_load_alone(void **unused)
{
    struct rota_fake_lb *f = lb_open_ready(ADAPTIVE, "a,b", 1);
    struct rota_call_info stream = {.path = "/package.Service/Watch", .deadline_ns = INT64_MAX, .streaming = true};
    static struct traffic t;
    struct rota_pick picks[40];
    uint32_t counts[2] = {0};

    (void)unused;
    t = (struct traffic){.f = f, .n_others = 1};
    call(&t, (struct behaviour){10, 0}, 200);
    for (size_t i = 0; i < ROTA_COUNT(picks); i++) {
        stream.now_ns = f->now_ns;
        assert_int_equal(rota_lb_tree_pick(f->tree, &stream, &picks[i]), ROTA_PICK_OK);
        counts[number_of(f, &picks[i])]++;
    }
    assert_in_range(counts[0], 15, 25);
    rota_fake_lb_advance(f, 60000 * ROTA_MS);
    for (size_t i = 0; i < ROTA_COUNT(picks); i++)
        if (number_of(f, &picks[i]) == 0)
            finish(f, &picks[i], f->now_ns - 60000 * ROTA_MS, ROTA_OK);
    /* The one whose streams have ended is the better one by far. */
    assert_true(call(&t, (struct behaviour){10, 0}, 100) < 10);
    for (size_t i = 0; i < ROTA_COUNT(picks); i++)
        if (number_of(f, &picks[i]) == 1)
            finish(f, &picks[i], f->now_ns - 60000 * ROTA_MS, ROTA_OK);
    assert_in_range(call(&t, (struct behaviour){10, 0}, 100), 30, 70);
    lb_close(f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(follows_the_rules),
        cmocka_unit_test(bad_ones_get_little_and_healed_ones_their_share),
        cmocka_unit_test(one_that_has_not_answered_yet_gets_no_second_call),
        cmocka_unit_test(streams_count_as_load_alone),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
