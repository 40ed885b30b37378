/* lb_conformance_test.c - a policy that makes the mistakes one makes, and what the suite says of each. */
#include "testing/lb_conformance.h"
#include "base/alloc.h"
#include "base/assert.h"
#include "testing/cmocka.h"
#include "testing/death.h"

enum mistake {
    NONE,
    PICKS_WHAT_IS_NOT_READY,
    PICKS_WHAT_IS_GONE,
    PICKS_NOTHING,
    PICKS_NO_VERDICT,
    ALLOCATES,
    NEVER_UPDATES,
    NEVER_CONNECTS,
    HOLDS_CALLS,
    FAILS_WITH_OK,
    FAILS_WITH_RUBBISH,
    LEAKS,
    TAKES_EMPTY_LISTS,
    REFUSES_LISTS,
    FREES_TWICE,
    CONNECTS_WHAT_IS_GONE,
};

static enum mistake mistake;

/* Connects to the first address of each list. */
struct first {
    const struct rota_lb_env *env;
    struct rota_lb_subchannel *subchannel, *gone;
    enum rota_conn_state conn, told;
    struct rota_status why;
};

static rota_err init(void *state, const struct rota_lb_env *env, const void *config)
{
    struct first *f = state;

    (void)config;
    f->env = env;
    f->told = ROTA_CONN_IDLE;
    rota_status_set(&f->why, ROTA_UNAVAILABLE, "no servers");
    return 0;
}

static void fini(void *state)
{
    (void)state;
}

static void tell(struct first *f, enum rota_conn_state conn, struct rota_lb_cmds *cmds)
{
    f->conn = f->told = conn;
    if (mistake != NEVER_UPDATES)
        rota_lb_update(cmds, conn, conn == ROTA_CONN_TRANSIENT_FAILURE ? &f->why : NULL);
}

static void let_go(struct first *f, struct rota_lb_cmds *cmds)
{
    f->gone = f->subchannel;
    f->subchannel = NULL;
    rota_lb_subchannel_free(cmds, f->gone);
    if (mistake == FREES_TWICE)
        rota_lb_subchannel_free(cmds, f->gone);
    if (mistake == CONNECTS_WHAT_IS_GONE && f->gone != NULL)
        rota_lb_connect(cmds, f->gone);
}

static rota_err on_endpoints(void *state, const struct rota_endpoint *const *endpoints, size_t count, int64_t now_ns, struct rota_lb_cmds *cmds)
{
    struct first *f = state;

    (void)now_ns;
    let_go(f, cmds);
    if (mistake == LEAKS && rota_alloc_get(f->env->alloc, 8) == NULL)
        return ROTA_ENOMEM;
    if (count == 0) {
        tell(f, ROTA_CONN_TRANSIENT_FAILURE, cmds);
        return mistake == TAKES_EMPTY_LISTS ? 0 : ROTA_EINVAL;
    }
    if (rota_lb_subchannel_new(cmds, endpoints[0], 0, f, &f->subchannel) < 0)
        return ROTA_ENOMEM;
    if (mistake != NEVER_CONNECTS)
        rota_lb_connect(cmds, f->subchannel);
    tell(f, ROTA_CONN_CONNECTING, cmds);
    return mistake == REFUSES_LISTS ? ROTA_ESTATE : 0;
}

static void on_resolver_error(void *state, const struct rota_status *why, int64_t now_ns, struct rota_lb_cmds *cmds)
{
    struct first *f = state;

    (void)now_ns;
    f->why = *why;
    tell(f, ROTA_CONN_TRANSIENT_FAILURE, cmds);
}

static void on_conn(void *state, struct rota_lb_subchannel *subchannel, void *tag, enum rota_conn_state conn, const struct rota_status *why,
                    int64_t now_ns, struct rota_lb_cmds *cmds)
{
    struct first *f = state;

    (void)tag, (void)now_ns;
    if (why != NULL)
        f->why = *why;
    if (mistake != NEVER_CONNECTS && conn != ROTA_CONN_READY)
        rota_lb_connect(cmds, subchannel);
    tell(f, conn == ROTA_CONN_IDLE ? ROTA_CONN_CONNECTING : conn, cmds);
}

static void on_exit_idle(void *state, int64_t now_ns, struct rota_lb_cmds *cmds)
{
    (void)state, (void)now_ns, (void)cmds;
}

static enum rota_pick_verdict pick(void *state, const struct rota_call_info *call, struct rota_pick *ret_pick)
{
    struct first *f = state;

    (void)call;
    ret_pick->subchannel = mistake == PICKS_NOTHING ? NULL : mistake == PICKS_WHAT_IS_GONE && f->gone != NULL ? f->gone : f->subchannel;
    if (mistake == ALLOCATES)
        rota_alloc_free(f->env->alloc, rota_alloc_get(f->env->alloc, 8));
    if (mistake == PICKS_WHAT_IS_NOT_READY && f->subchannel != NULL && f->told == ROTA_CONN_CONNECTING)
        return ROTA_PICK_OK;
    if (mistake == PICKS_NO_VERDICT)
        return (enum rota_pick_verdict)7;
    if (mistake == NEVER_UPDATES)
        return ROTA_PICK_WAIT;
    if (mistake == FAILS_WITH_OK)
        f->why.code = ROTA_OK;
    if (mistake == FAILS_WITH_RUBBISH)
        memset(f->why.message, 'x', sizeof(f->why.message));
    ret_pick->why = &f->why;
    if (f->told == ROTA_CONN_TRANSIENT_FAILURE)
        return ROTA_PICK_FAIL;
    return f->told == ROTA_CONN_READY && mistake != HOLDS_CALLS ? ROTA_PICK_OK : ROTA_PICK_WAIT;
}

static const struct rota_lb_class first = {
    .name = "first",
    .state_size = sizeof(struct first),
    .init = init,
    .fini = fini,
    .on_endpoints = on_endpoints,
    .on_resolver_error = on_resolver_error,
    .on_conn = on_conn,
    .on_exit_idle = on_exit_idle,
    .pick = pick,
};

static void run(void *ctx)
{
    static const struct rota_lb_class *const policies[] = {&first, NULL};

    (void)ctx;
    rota_lb_conformance_run(&(struct rota_lb_conformance){.policies = policies, .config = "[{\"first\":{}}]"}, 1, 20);
}

static void conforms(void **unused)
{
    (void)unused;
    run(NULL);
}

static void one_without_mistakes_passes(void **unused)
{
    mistake = NONE;
    conforms(unused);
}

static void a_mistake_is_named(void **unused)
{
    static const struct {
        const char *rule;
        enum mistake mistake;
        const char *words;
    } rows[] = {
        {"it picks a connection that is not READY", PICKS_WHAT_IS_NOT_READY, "OK names a connection that is READY, but the one a pick named, to "},
        {"it picks a subchannel that it has given back", PICKS_WHAT_IS_GONE, "a pick named a subchannel that had been given back"},
        {"it picks none", PICKS_NOTHING, "a pick said OK without a subchannel"},
        {"it answers with a number that is no verdict", PICKS_NO_VERDICT, "a pick said 7, which is no verdict"},
        {"its pick allocates", ALLOCATES, "a pick allocates nothing, but one asked for memory 1 times"},
        {"it never says what it is", NEVER_UPDATES, "a policy becomes READY, but this one said IDLE last"},
        {"it never connects", NEVER_CONNECTS, "a policy becomes READY, but this one said CONNECTING last"},
        {"it holds calls though it is READY", HOLDS_CALLS, "READY gives OK, but a pick said WAIT while the policy was READY"},
        {"it fails calls with OK", FAILS_WITH_OK, "FAIL and DROP say why, but a pick's reason was OK"},
        {"it fails calls with what is no text", FAILS_WITH_RUBBISH, "FAIL and DROP say why, but a pick's reason was no text"},
        {"it keeps memory", LEAKS, "leaked: allocation"},
        {"it takes an empty list", TAKES_EMPTY_LISTS, "an empty list is refused with ROTA_EINVAL, but on_endpoints returned 0"},
        {"it refuses a good list", REFUSES_LISTS, "a list of servers is taken, but on_endpoints returned ROTA_ESTATE"},
    };

    (void)unused;
    for (size_t i = 0; i < ROTA_COUNT(rows); i++) {
        print_message("  %s\n", rows[i].rule);
        mistake = rows[i].mistake;
        rota_assert_test_fails(conforms, rows[i].words);
    }
}

static void commands_on_what_is_gone_abort(void **unused)
{
    (void)unused;
    mistake = FREES_TWICE;
    rota_assert_aborts(run, NULL, "a subchannel of the policy's own, not given back");
    rota_assert_aborts(run, NULL, "[{\"first\":{}}] failed with seed ");
    mistake = CONNECTS_WHAT_IS_GONE;
    rota_assert_aborts(run, NULL, "a subchannel of the policy's own, not given back");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_without_mistakes_passes),
        cmocka_unit_test(a_mistake_is_named),
        cmocka_unit_test(commands_on_what_is_gone_abort),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
