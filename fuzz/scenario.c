/* scenario.c - scenario files: whatever the text, a scenario or a sentence; and small ones run, for some milliseconds of virtual time, with
 * the simulation's invariants looked at after every event.
 */
#include "base/alloc.h"
#include "base/assert.h"
#include "sim/run.h"
#include "testing/lb_policies.h"

#define MS INT64_C(1000000)

static int64_t at_most(int64_t ns, int64_t most_ns)
{
    return ns < most_ns ? ns : most_ns;
}

/* What is looked for needs no masses. */
static void shrink(struct rota_sim_scenario *s)
{
    s->duration_ns = at_most(s->duration_ns, 20 * MS);
    s->warmup_ns = at_most(s->warmup_ns, MS);
    s->drain_ns = at_most(s->drain_ns, 20 * MS);
    s->rate_per_s = s->rate_per_s > 5000 ? 5000 : s->rate_per_s;
    s->burst_on_share = s->burst_on_share < 0.05 ? 0.05 : s->burst_on_share; /* a short burst has the rate of a long pause */
    s->outstanding = s->outstanding > 4 ? 4 : s->outstanding;
    for (uint32_t i = 0; i < s->n_servers; i++)
        s->servers[i].latency_ns = s->servers[i].latency_ns < MS / 5 ? MS / 5 : s->servers[i].latency_ns;
    for (size_t i = 0; i < s->n_actions; i++) {
        struct rota_sim_action *a = &s->actions[i];
        a->at_ns /= 1000; /* so that something happens */
        a->for_ns = a->for_ns == INT64_MAX ? INT64_MAX : a->for_ns / 100;
        a->factor = a->verb == ROTA_SIM_LOAD && a->factor > 4 ? 4 : a->factor;
    }
}

static void run(const struct rota_sim_scenario *s)
{
    struct rota_sim_run_options options = {.policies = rota_test_policies, .check = true};
    struct rota_sim_result *result = rota_alloc_get(NULL, rota_sim_result_size(s));
    rota_err err = rota_sim_run(s, &s->policies[0], &options, result);

    ROTA_ASSERT(err == 0 || result->error.text[0] != '\0');
    rota_alloc_free(NULL, result);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size_bytes)
{
    struct rota_sim_scenario *s;
    struct rota_errinfo info = {""};

    if (size_bytes > 4096)
        return 0;
    if (rota_sim_scenario_parse("x", rota_slice(data, size_bytes), NULL, &s, &info) < 0) {
        ROTA_ASSERT(info.text[0] == 'x' && info.text[1] == ':');
        return 0;
    }
    ROTA_ASSERT(s->n_servers > 0 && s->n_clients > 0 && s->n_policies > 0 && s->warmup_ns < s->duration_ns);
    ROTA_ASSERT(s->load == ROTA_SIM_CLOSED ? s->outstanding > 0 : s->rate_per_s > 0);
    for (size_t i = 0; i < s->n_actions; i++)
        ROTA_ASSERT(s->actions[i].first <= s->actions[i].last);
    if (s->n_servers <= 6 && s->n_clients <= 3 && s->n_actions <= 20) {
        shrink(s);
        run(s);
    }
    rota_sim_scenario_free(s);
    return 0;
}
