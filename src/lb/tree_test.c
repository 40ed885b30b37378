/* tree_test.c - policies composed: a user's own parent (failover_fixture.c, written from rota/lb.h alone) over the built-in ones. */
#include "lb/tree.h"
#include "base/assert.h"
#include "failover_fixture.h"
#include "testing/cmocka.h"
#include "testing/fake_lb.h"
#include "testing/lb_conformance.h"
#include "testing/leak_alloc.h"
#include <stdio.h>

#define MAX_STEPS 8
#define ROUND_ROBIN "[{\"failover\":{\"child\":[{\"round_robin\":{}}]}}]"
#define PICK_FIRST "[{\"failover\":{\"child\":[{\"pick_first\":{}}]}}]"
#define NESTED "[{\"failover\":{\"child\":[{\"failover\":{\"child\":[{\"round_robin\":{}}]}}]}}]"

/* --- A policy that fails a call and gets better through it --- */

static rota_err grudging_init(void *state, const struct rota_lb_env *env, const void *config)
{
    (void)state, (void)env, (void)config;
    return 0;
}

static void grudging_fini(void *state)
{
    (void)state;
}

static rota_err grudging_endpoints(void *state, const struct rota_endpoint *const *endpoints, size_t count, int64_t now_ns, struct rota_lb_cmds *cmds)
{
    static const struct rota_status why = {ROTA_UNAVAILABLE, "out of sorts"};

    (void)state, (void)endpoints, (void)count, (void)now_ns;
    rota_lb_update(cmds, ROTA_CONN_TRANSIENT_FAILURE, &why);
    return 0;
}

static void grudging_exit_idle(void *state, int64_t now_ns, struct rota_lb_cmds *cmds)
{
    (void)state, (void)now_ns;
    rota_lb_update(cmds, ROTA_CONN_CONNECTING, NULL); /* forgets what it gave before */
}

static enum rota_pick_verdict grudging_pick(void *state, const struct rota_call_info *call, struct rota_pick *ret_pick)
{
    (void)state, (void)call;
    ret_pick->exit_idle = true;
    return ROTA_PICK_FAIL;
}

static const struct rota_lb_class grudging = {
    .name = "grudging", .init = grudging_init, .fini = grudging_fini, .on_endpoints = grudging_endpoints, .on_exit_idle = grudging_exit_idle, .pick = grudging_pick,
};

static const struct rota_lb_class *const policies[] = {&failover_policy, &grudging, &rota_lb_pick_first, &rota_lb_round_robin, NULL};

static const struct row {
    const char *rule, *config;
    struct {
        const char *script, *trace;
    } steps[MAX_STEPS];
} rows[] = {
    {"a parent hands its children their parts of the list", ROUND_ROBIN,
        {{"list=a,b*9", "get:a connect:a CONNECTING wake:1000"}, {"a=R", "READY wake:off"}, {"pick", "pick:a"}}},
    {"a parent's timer", ROUND_ROBIN, {{"list=a,b*9", "get:a connect:a CONNECTING wake:1000"}, {"+1000", "get:b connect:b CONNECTING"}, {"b=R pick", "READY pick:b"}}},
    {"a parent hears of a child's failure", ROUND_ROBIN,
        {{"list=a,b*9", "get:a connect:a CONNECTING wake:1000"}, {"a=F", "connect:a get:b connect:b CONNECTING reresolve"},
            {"pick b=F pick", "pick:WAIT connect:b TF(b refused) reresolve pick:FAIL(b refused)"}}},
    {"a child freed gives its connections back", ROUND_ROBIN,
        {{"list=a,b*9", "get:a connect:a CONNECTING wake:1000"}, {"+1000 b=R", "get:b connect:b CONNECTING READY"}, {"a=R pick", "put:b READY pick:a"}}},
    {"timers of several nodes, each at its time", PICK_FIRST,
        {{"list=a,b,c*9", "get:a connect:a CONNECTING wake:250"}, {"+250", "get:b connect:b wake:750"}, {"+750", "get:c connect:c CONNECTING"}}},
    {"a pick's wish to leave IDLE reaches the child that had it", PICK_FIRST,
        {{"list=a", "get:a connect:a CONNECTING wake:1000"}, {"a=R a=I", "READY wake:off IDLE reresolve wake:1000"},
            {"pick", "connect:a CONNECTING pick:WAIT"}}},
    {"a pick's reason outlives what the pick sets going", "[{\"grudging\":{}}]", {{"list=a pick", "TF(out of sorts) CONNECTING pick:FAIL(out of sorts)"}}},
    {"a policy below a policy of its kind", NESTED, {{"list=a,b*9", "get:a connect:a CONNECTING wake:1000"}, {"a=R pick pick", "READY wake:off pick:a pick:a"}}},
    {"an unusable list of a child asks for re-resolution", ROUND_ROBIN,
        {{"list=b*9", "get:b connect:b CONNECTING reresolve wake:1000"}, {"b=R pick", "READY pick:b"}}},
};

static void policies_compose(void **unused)
{
    (void)unused;
    for (size_t i = 0; i < ROTA_COUNT(rows); i++) {
        struct rota_leak_alloc memory;
        struct rota_fake_lb *f = test_malloc(sizeof(*f));
        rota_leak_alloc_init(&memory);
        assert_int_equal(rota_fake_lb_init(f, &memory.alloc, policies, rows[i].config, 1), 0);
        for (size_t k = 0; k < MAX_STEPS && rows[i].steps[k].script != NULL; k++)
            rota_fake_lb_expect(f, rows[i].rule, rows[i].steps[k].script, rows[i].steps[k].trace);
        assert_int_equal(failover_calls_out, 0);
        rota_fake_lb_fini(f);
        rota_leak_alloc_fini(&memory);
        test_free(f);
    }
}

static void composed_policies_conform(void **unused)
{
    static const char *const configs[] = {ROUND_ROBIN, PICK_FIRST, NESTED};

    (void)unused;
    for (size_t i = 0; i < ROTA_COUNT(configs); i++)
        for (int no_memory = 0; no_memory < 2; no_memory++)
            rota_lb_conformance_run(&(struct rota_lb_conformance){.policies = policies, .config = configs[i], .no_memory_at_times = no_memory}, 1, 200);
}

/* A child freed while its call is out: the parent hears of the end, the child is past hearing. */
static void a_call_outlives_its_policy(void **unused)
{
    struct rota_leak_alloc memory;
    struct rota_fake_lb *f = test_malloc(sizeof(*f));
    struct rota_pick pick;

    (void)unused;
    failover_calls_out = 0;
    rota_leak_alloc_init(&memory);
    assert_int_equal(rota_fake_lb_init(f, &memory.alloc, policies, NESTED, 1), 0);
    rota_fake_lb_play(f, "list=a,b*9 +1000");
    /* The reserve's own reserve: b has weight 9 there too. */
    rota_fake_lb_play(f, "+1000 b=R");
    assert_int_equal(rota_fake_lb_pick(f, &pick), ROTA_PICK_OK);
    assert_int_equal(pick.depth, 2);
    assert_int_equal(failover_calls_out, 2);
    rota_fake_lb_expect(f, "the reserve is dismissed", "a=R", "put:b READY");
    rota_fake_lb_done(f, &pick);
    assert_int_equal(failover_calls_out, 1);
    rota_fake_lb_fini(f);
    rota_leak_alloc_fini(&memory);
    test_free(f);
}

static void depth_has_a_limit(void **unused)
{
    char config[1024] = "[{\"round_robin\":{}}]", wider[1024];
    struct rota_fake_lb *f = test_malloc(sizeof(*f));

    (void)unused;
    for (int depth = 1; depth <= ROTA_PICK_DEPTH + 1; depth++) {
        snprintf(wider, sizeof(wider), "[{\"failover\":{\"child\":%s}}]", config);
        memcpy(config, wider, sizeof(config));
        assert_int_equal(rota_fake_lb_init(f, NULL, policies, config, 1), 0);
        rota_fake_lb_play(f, "list=a");
        if (depth <= ROTA_PICK_DEPTH)
            rota_fake_lb_expect(f, "as deep as it may be", "a=R pick", "READY wake:off pick:a");
        else
            assert_int_equal(f->n_gets, 0);
        rota_fake_lb_fini(f);
    }
    test_free(f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(policies_compose),
        cmocka_unit_test(composed_policies_conform),
        cmocka_unit_test(a_call_outlives_its_policy),
        cmocka_unit_test(depth_has_a_limit),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
