/* pick_first_test.c - what pick_first does in answer to lists, connections, time and picks: a rule a row.
 *
 * Rules are numbered as in the summary of gRFC A61, A62, A105, A113 that the names quote. Scripts: testing/fake_lb.h.
 */
#include "base/assert.h"
#include "testing/cmocka.h"
#include "testing/leak_alloc.h"
#include "testing/fake_lb.h"

#define MAX_STEPS 8

static const struct rota_lb_class *const policies[] = {&rota_lb_pick_first, &rota_lb_round_robin, NULL};

struct step {
    const char *script, *trace;
};

struct row {
    const char *rule;
    struct step steps[MAX_STEPS];
};

static const struct row rows[] = {
    {"before any list picks wait", {{"pick", "pick:WAIT"}, {"exit", ""}}},
    {"the first list begins connecting, to its first address",
        {{"list=a,b", "get:a connect:a CONNECTING wake:250"}, {"pick", "pick:WAIT"}}},
    {"the last address has no timer", {{"list=a", "get:a connect:a CONNECTING"}}},
    {"first READY wins", {{"list=a,b", "get:a connect:a CONNECTING wake:250"}, {"a=C a=R", "READY wake:off"}, {"pick pick", "pick:a pick:a"}}},
    {"a failure starts the next address at once",
        {{"list=a,b,c", "get:a connect:a CONNECTING wake:250"}, {"+100 a=C a=F", "get:b connect:b wake:250"}, {"b=R", "put:a READY wake:off"}}},
    {"the timer starts the next address, the attempt before goes on",
        {{"list=a,b,c", "get:a connect:a CONNECTING wake:250"}, {"+249", ""}, {"+1", "get:b connect:b wake:250"}, {"a=R", "put:b READY wake:off"}}},
    {"the timer runs for each attempt but the last",
        {{"list=a,b", "get:a connect:a CONNECTING wake:250"}, {"+250", "get:b connect:b"}, {"+9999", ""}}},
    {"the failure of an attempt that is not the newest starts nothing",
        {{"list=a,b,c", "get:a connect:a CONNECTING wake:250"}, {"+250", "get:b connect:b wake:250"}, {"a=F", ""}, {"b=F", "get:c connect:c wake:off"}}},
    {"the pass ends when every address has failed once: TF with all errors, re-resolution, all reconnecting",
        {{"list=a,b", "get:a connect:a CONNECTING wake:250"}, {"a=F", "get:b connect:b wake:off"},
            {"b=F", "connect:a connect:b TF(a refused; b refused) reresolve"}, {"pick", "pick:FAIL(a refused; b refused)"}}},
    {"errors are told in the order in which they came",
        {{"list=a,b", "get:a connect:a CONNECTING wake:250"}, {"+250 b=F", "get:b connect:b"}, {"a=F", "connect:a connect:b TF(b refused; a refused) reresolve"}}},
    {"after the pass each address reconnects as it leaves backoff or IDLE",
        {{"list=a", "get:a connect:a CONNECTING"}, {"a=F", "connect:a TF(a refused) reresolve"}, {"a=I", "connect:a"}, {"a=C", ""}}},
    {"after every N further failures: re-resolve, refresh the error",
        {{"list=a,b", "get:a connect:a CONNECTING wake:250"}, {"a=F b=F", "get:b connect:b wake:off connect:a connect:b TF(a refused; b refused) reresolve"},
            {"a=C a=F2", "connect:a"}, {"a=C a=F3", "connect:a TF(a refused 2; a refused 3) reresolve"}, {"b=C b=F4", "connect:b"},
            {"pick", "pick:FAIL(a refused 2; a refused 3)"}}},
    {"an error that comes again is told once",
        {{"list=a,b", "get:a connect:a CONNECTING wake:250"}, {"a=F b=F", "get:b connect:b wake:off connect:a connect:b TF(a refused; b refused) reresolve"},
            {"a=C a=F", "connect:a"}, {"a=C a=F", "connect:a TF(a refused) reresolve"}}},
    {"sticky TF: connecting again does not leave it, READY does",
        {{"list=a", "get:a connect:a CONNECTING"}, {"a=F", "connect:a TF(a refused) reresolve"}, {"a=C pick", "pick:FAIL(a refused)"}, {"a=R pick", "READY pick:a"}}},
    {"sticky TF: a new list does not leave it",
        {{"list=a", "get:a connect:a CONNECTING"}, {"a=F", "connect:a TF(a refused) reresolve"}, {"list=b", "get:b put:a connect:b"},
            {"pick", "pick:FAIL(a refused)"}, {"b=R pick", "READY pick:b"}}},
    {"a pass in TF that fails reports the new error",
        {{"list=a", "get:a connect:a CONNECTING"}, {"a=F", "connect:a TF(a refused) reresolve"}, {"list=b", "get:b put:a connect:b"},
            {"b=F", "connect:b TF(b refused) reresolve"}}},
    {"a pass in which all are known to fail says what they failed with",
        {{"list=a,b", "get:a connect:a CONNECTING wake:250"}, {"a=F b=F", "get:b connect:b wake:off connect:a connect:b TF(a refused; b refused) reresolve"},
            {"list=b,a", "connect:b connect:a reresolve"}, {"pick", "pick:FAIL(a refused; b refused)"}, {"list=a", "put:b connect:a reresolve"},
            {"a=C a=F2", "connect:a TF(a refused 2) reresolve"}}},
    {"a list with the selected address changes nothing",
        {{"list=a,b", "get:a connect:a CONNECTING wake:250"}, {"a=R", "READY wake:off"}, {"list=c,a!,d", ""}, {"pick", "pick:a"}}},
    {"a list without the selected address starts a pass",
        {{"list=a", "get:a connect:a CONNECTING"}, {"a=R", "READY"}, {"list=b,c", "get:b put:a connect:b CONNECTING wake:250"}, {"pick", "pick:WAIT"}}},
    {"the same list again does not disturb a pass",
        {{"list=a,b", "get:a connect:a CONNECTING wake:250"}, {"+100 a=C", ""}, {"list=a!,b", ""}, {"+150", "get:b connect:b"}}},
    {"the same list again does not disturb reconnecting",
        {{"list=a", "get:a connect:a CONNECTING"}, {"a=F", "connect:a TF(a refused) reresolve"}, {"list=a!", ""}}},
    {"another list in a pass starts it anew and keeps what is known: TF skipped at once, CONNECTING is the running attempt",
        {{"list=a,b,c", "get:a connect:a CONNECTING wake:250"}, {"+100 a=F b=C", "get:b connect:b wake:250"}, {"+50 list=a,b,d", "wake:250"},
            {"b=F", "get:d connect:d wake:off"}}},
    {"empty list: TF \"no addresses\", everything dropped",
        {{"list=a,b", "get:a connect:a CONNECTING wake:250"}, {"list=", "put:a TF(no addresses: name resolution gave an empty list) reresolve wake:off ROTA_EINVAL"},
            {"pick", "pick:FAIL(no addresses: name resolution gave an empty list)"}}},
    {"an empty list is no failure of connections: the next one leaves TF for CONNECTING",
        {{"list=", "TF(no addresses: name resolution gave an empty list) reresolve ROTA_EINVAL"}, {"list=b", "get:b connect:b CONNECTING"}, {"pick", "pick:WAIT"},
            {"b=R pick", "READY pick:b"}}},
    {"after it TF is as sticky as ever",
        {{"list=a", "get:a connect:a CONNECTING"}, {"a=F list=", "connect:a TF(a refused) reresolve put:a TF(no addresses: name resolution gave an empty list) reresolve ROTA_EINVAL"},
            {"list=b", "get:b connect:b CONNECTING"}, {"b=F", "connect:b TF(b refused) reresolve"}, {"list=c", "get:c put:b connect:c"}, {"pick", "pick:FAIL(b refused)"}}},
    {"empty list while READY: TF too",
        {{"list=a", "get:a connect:a CONNECTING"}, {"a=R", "READY"}, {"list=", "put:a TF(no addresses: name resolution gave an empty list) reresolve ROTA_EINVAL"}}},
    {"the connection is lost: IDLE, re-resolution; connects on the next pick",
        {{"list=a,b", "get:a connect:a CONNECTING wake:250"}, {"a=R", "READY wake:off"}, {"a=I", "IDLE reresolve"}, {"+999", ""},
            {"pick", "connect:a CONNECTING wake:250 pick:WAIT"}, {"a=R", "READY wake:off"}}},
    {"the connection is lost: exit idle connects",
        {{"list=a,b", "get:a connect:a CONNECTING wake:250"}, {"a=F b=R", "get:b connect:b wake:off put:a READY"}, {"b=I", "IDLE reresolve"},
            {"exit", "get:a connect:a CONNECTING wake:250"}}},
    {"exit idle does nothing but in IDLE", {{"list=a", "get:a connect:a CONNECTING"}, {"exit", ""}, {"a=R", "READY"}, {"exit", ""}}},
    {"a list while IDLE is kept for later", {{"list=a", "get:a connect:a CONNECTING"}, {"a=R a=I", "READY IDLE reresolve"}, {"list=b", "put:a"},
        {"pick", "get:b connect:b CONNECTING pick:WAIT"}}},
    {"A105: READY to CONNECTING restarts a pass in CONNECTING",
        {{"list=a,b", "get:a connect:a CONNECTING wake:250"}, {"a=R", "READY wake:off"}, {"a=C", "CONNECTING reresolve wake:250"}, {"pick", "pick:WAIT"},
            {"+250", "get:b connect:b"}}},
    {"A105: READY to TF restarts a pass in CONNECTING, past that address",
        {{"list=a,b", "get:a connect:a CONNECTING wake:250"}, {"a=R", "READY wake:off"}, {"a=F", "get:b connect:b CONNECTING reresolve"}}},
    {"health reported for a kept connection: TF with the reason, READY when it returns",
        {{"list=a", "get:a connect:a CONNECTING"}, {"a=R", "READY"}, {"a=F", "connect:a TF(a refused) reresolve"}, {"a=R pick", "READY pick:a"}}},
    {"an attempt that falls back to IDLE is begun again", {{"list=a", "get:a connect:a CONNECTING"}, {"a=C a=I", "connect:a"}}},
    {"the resolver failed and no list ever came: TF with its error",
        {{"error=dns", "TF(dns)"}, {"pick", "pick:FAIL(dns)"}, {"list=a", "get:a connect:a CONNECTING"}, {"a=R", "READY"}}},
    {"families are interleaved, that of the first address leads; others are a third; duplicates go",
        {{"list=6a+6b+6a+4a,u+4b+6c", "get:6a connect:6a CONNECTING wake:250"}, {"6a=F 4a=F u=F 6b=F 4b=F 6c=R",
            "get:4a connect:4a get:u connect:u get:6b connect:6b get:4b connect:4b get:6c connect:6c wake:off "
            "put:6a put:4a put:u put:6b put:4b READY"}}},
};

static void run_row(const struct row *row, const char *config)
{
    struct rota_leak_alloc memory;
    struct rota_fake_lb *f = test_malloc(sizeof(*f));

    rota_leak_alloc_init(&memory);
    assert_int_equal(rota_fake_lb_init(f, &memory.alloc, policies, config, 1), 0);
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
        run_row(&rows[i], "[{\"pick_first\":{}}]");
}

static void nor_is_a_lack_of_memory(void **unused)
{
    struct rota_leak_alloc memory;
    struct rota_fake_lb *f = test_malloc(sizeof(*f));

    (void)unused;
    rota_leak_alloc_init(&memory);
    assert_int_equal(rota_fake_lb_init(f, &memory.alloc, policies, "[{\"pick_first\":{}}]", 1), 0);
    rota_leak_alloc_fail_nth(&memory, 1);
    rota_fake_lb_expect(f, "no memory for the first list", "list=a", "TF(out of memory while connecting) reresolve ROTA_ENOMEM");
    rota_fake_lb_expect(f, "the next one is taken", "list=a pick", "get:a connect:a CONNECTING pick:WAIT");
    rota_fake_lb_fini(f);
    rota_leak_alloc_fini(&memory);
    test_free(f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(follows_the_rules),
        cmocka_unit_test(nor_is_a_lack_of_memory),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
