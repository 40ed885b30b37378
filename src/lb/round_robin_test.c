/* round_robin_test.c - what round_robin does, and with it the petiole below it: a rule a row. Source: gRFC A61. */
#include "base/assert.h"
#include "testing/cmocka.h"
#include "testing/fake_lb.h"
#include "testing/leak_alloc.h"
#include "testing/script_rng.h"

#define MAX_STEPS 10
#define EMPTY "no addresses: name resolution gave an empty list"

static const struct rota_lb_class *const policies[] = {&rota_lb_pick_first, &rota_lb_round_robin, NULL};

struct step {
    const char *script, *trace;
};

static const struct row {
    const char *rule;
    struct step steps[MAX_STEPS];
} rows[] = {
    {"before any list picks wait", {{"pick", "pick:WAIT"}, {"exit", ""}}},
    {"every endpoint is connected to, one pick_first each", {{"list=a,b+c", "get:a get:b connect:a connect:b CONNECTING wake:250"}, {"pick", "pick:WAIT"}}},
    {"any READY is READY", {{"list=a,b", "get:a get:b connect:a connect:b CONNECTING"}, {"a=F", "connect:a reresolve"}, {"b=R", "READY"}}},
    {"READY ones are picked in turn",
        {{"list=a,b,c", "get:a get:b get:c connect:a connect:b connect:c CONNECTING"}, {"a=R b=R c=F", "READY READY connect:c reresolve"},
            {"pick pick pick pick", "pick:b pick:a pick:b pick:a"}}},
    {"CONNECTING if any is, none READY", {{"list=a,b", "get:a get:b connect:a connect:b CONNECTING"}, {"a=C a=F b=C", "connect:a reresolve"}, {"pick", "pick:WAIT"}}},
    {"TF when all are, with a child's own error",
        {{"list=a,b", "get:a get:b connect:a connect:b CONNECTING"}, {"a=F", "connect:a reresolve"}, {"b=F", "connect:b TF(b refused) reresolve"}, {"pick", "pick:FAIL(b refused)"}}},
    {"in TF the error is the latest", {{"list=a,b", "get:a get:b connect:a connect:b CONNECTING"}, {"a=F b=F", "connect:a reresolve connect:b TF(b refused) reresolve"},
        {"a=C a=F2", "connect:a TF(a refused 2) reresolve"}}},
    {"a child once TF counts as TF until READY",
        {{"list=a,b", "get:a get:b connect:a connect:b CONNECTING"}, {"a=F b=F", "connect:a reresolve connect:b TF(b refused) reresolve"},
            {"a=I a=C", "connect:a"}, {"pick", "pick:FAIL(b refused)"}, {"a=R", "READY"}, {"a=I", "connect:a CONNECTING reresolve"}, {"pick", "pick:WAIT"}}},
    {"a child gone IDLE reconnects at once, asking for re-resolution, and counts as CONNECTING",
        {{"list=a", "get:a connect:a CONNECTING"}, {"a=R", "READY"}, {"a=I", "connect:a CONNECTING reresolve"}, {"pick", "pick:WAIT"}}},
    {"a change of the READY set is an update", {{"list=a,b", "get:a get:b connect:a connect:b CONNECTING"}, {"a=R", "READY"}, {"b=R", "READY"}, {"a=I", "connect:a READY reresolve"}}},
    {"unchanged endpoints keep their children",
        {{"list=a,b,c", "get:a get:b get:c connect:a connect:b connect:c CONNECTING"}, {"a=R b=R c=R", "READY READY READY"},
            {"list=c,d,a", "get:d put:b connect:d READY"}, {"d=R", "READY"}}},
    {"an endpoint is the set of its addresses, in any order and as any object",
        {{"list=a+b,c", "get:a get:c connect:a connect:c CONNECTING wake:250"}, {"a=R", "READY wake:off"}, {"list=c!,b+a", ""}, {"list=a+b!,c!", ""}, {"pick", "pick:a"}}},
    {"one address more is another endpoint", {{"list=a", "get:a connect:a CONNECTING"}, {"list=a+b", "get:a put:a connect:a wake:250"}}},
    {"an endpoint listed twice counts once",
        {{"list=a,b!,a!,b", "get:a get:b connect:a connect:b CONNECTING"}, {"a=R b=R", "READY READY"}, {"pick pick pick", "pick:b pick:a pick:b"}, {"list=b,b,a", ""}, {"list=b", "put:a READY"}}},
    {"empty list: TF, all dropped", {{"list=a", "get:a connect:a CONNECTING"}, {"a=R", "READY"}, {"list=", "put:a TF(" EMPTY ") reresolve ROTA_EINVAL"},
        {"pick", "pick:FAIL(" EMPTY ")"}, {"list=a", "get:a connect:a CONNECTING"}}},
    {"a READY endpoint that left serves on until a listed one is READY",
        {{"list=a,b", "get:a get:b connect:a connect:b CONNECTING"}, {"a=R", "READY"}, {"list=c,d", "get:c get:d put:b connect:c connect:d"},
            {"pick c=F pick", "pick:a connect:c reresolve pick:a"}, {"d=R pick", "put:a READY pick:d"}}},
    {"or until all listed ones have failed",
        {{"list=a", "get:a connect:a CONNECTING"}, {"a=R", "READY"}, {"list=c", "get:c connect:c"}, {"c=F", "connect:c put:a TF(c refused) reresolve"}}},
    {"or until it loses its connection",
        {{"list=a", "get:a connect:a CONNECTING"}, {"a=R", "READY"}, {"list=c", "get:c connect:c"}, {"a=I", "put:a CONNECTING reresolve"}}},
    {"one that left and came back is as it was",
        {{"list=a", "get:a connect:a CONNECTING"}, {"a=R", "READY"}, {"list=c", "get:c connect:c"}, {"list=a", "put:c"}, {"pick", "pick:a"}}},
    {"the resolver failed and no list ever came: TF with its error; a list ends it",
        {{"error=dns", "TF(dns)"}, {"pick", "pick:FAIL(dns)"}, {"list=a", "get:a connect:a CONNECTING"}}},
    {"endpoints may share a connection: READY at once", {{"list=a,a+b", "get:a get:a connect:a connect:a CONNECTING wake:250"}, {"a=R", "READY wake:off READY"}}},
};

/* All dice show 0: connecting begins at the front, a second READY one takes the first place and the turn. */
static void run_row(const struct row *row)
{
    static const uint64_t zeros[64];
    struct rota_leak_alloc memory;
    struct rota_rng dice;
    struct rota_fake_lb *f = test_malloc(sizeof(*f));

    rota_leak_alloc_init(&memory);
    rota_script_rng_init(&dice, zeros, ROTA_COUNT(zeros));
    assert_int_equal(rota_fake_lb_init(f, &memory.alloc, policies, "[{\"round_robin\":{}}]", 1), 0);
    f->env.rng = &dice;
    for (size_t i = 0; i < MAX_STEPS && row->steps[i].script != NULL; i++)
        rota_fake_lb_expect(f, row->rule, row->steps[i].script, row->steps[i].trace);
    rota_fake_lb_fini(f);
    rota_leak_alloc_fini(&memory);
    test_free(f);
}

static void follows_the_rules(void **unused)
{
    (void)unused;
    for (size_t i = 0; i < ROTA_COUNT(rows); i++)
        run_row(&rows[i]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(follows_the_rules),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
