/* case_orca.c - load reports, as a policy gets them: in the trailers of calls, and out of band.
 *
 * The policy is pick_first that writes down what it hears. The values are those of gRPC's description of the cases; a report has to have
 * them and nothing else, so all that it says is read from its bytes.
 */
#include "client.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <xds/data/orca/v3/orca_load_report.pb-c.h>

#define REPORT_NS INT64_C(1000000000)
#define MAX_ENTRIES 64
#define CPU 0
#define MEMORY 1
#define UTILIZATION 2
#define COST 3

struct entry {
    char name[128]; /* as printed */
    double value;
};

struct heard {
    bool any;
    size_t n_entries; /* what comes after the last that fits is left out: there are too many anyway */
    struct entry entries[MAX_ENTRIES];
};

struct wanted {
    const char *name;
    double value;
};

static struct heard of_call, out_of_band;

/* --- What a report says --- */

static void add(struct heard *heard, const char *map, const char *key, double value)
{
    char text[100];
    struct entry *entry;

    if (heard->n_entries == MAX_ENTRIES)
        return;
    entry = &heard->entries[heard->n_entries++];
    snprintf(entry->name, sizeof(entry->name), key == NULL ? "%s" : "%s.%s", map, key == NULL ? "" : printable(rota_slice_str(key), text, sizeof(text)));
    entry->value = value;
}

static void add_said(struct heard *heard, const char *name, double value)
{
    if (value != 0)
        add(heard, name, NULL, value);
}

/* Maps' entries are alike but for their types. */
#define ADD_MAP(heard, report, map) \
    for (size_t i_ = 0; i_ < (report)->n_##map; i_++) \
        add(heard, #map, (report)->map[i_]->key, (report)->map[i_]->value)

static void hear(const struct rota_load_report *report, struct heard *heard)
{
    Xds__Data__Orca__V3__OrcaLoadReport *said = xds__data__orca__v3__orca_load_report__unpack(NULL, report->bytes.size, report->bytes.data);

    *heard = (struct heard){.any = said != NULL};
    if (said == NULL)
        return;
    add_said(heard, "cpu_utilization", said->cpu_utilization);
    add_said(heard, "mem_utilization", said->mem_utilization);
    add_said(heard, "rps_fractional", report->requests_per_s);
    add_said(heard, "eps", said->eps);
    add_said(heard, "application_utilization", said->application_utilization);
    ADD_MAP(heard, said, request_cost);
    ADD_MAP(heard, said, utilization);
    ADD_MAP(heard, said, named_metrics);
    xds__data__orca__v3__orca_load_report__free_unpacked(said, NULL);
}

/* --- The policy --- */

struct listener {
    struct rota_lb_config *child_config;
    struct rota_lb_child *child;
};

static rota_err init(void *state, const struct rota_lb_env *env, const void *config)
{
    (void)config;
    return rota_lb_config_named(env, "pick_first", &((struct listener *)state)->child_config);
}

static void fini(void *state)
{
    rota_lb_config_free(((struct listener *)state)->child_config);
}

static rota_err on_endpoints(void *state, const struct rota_endpoint *const *endpoints, size_t count, int64_t now_ns, struct rota_lb_cmds *cmds)
{
    struct listener *listener = state;
    rota_err err = listener->child != NULL ? 0 : rota_lb_child_new(cmds, listener->child_config, listener, &listener->child);

    (void)now_ns;
    if (err < 0)
        return err;
    rota_lb_child_reports(cmds, listener->child, REPORT_NS);
    return rota_lb_child_endpoints(cmds, listener->child, endpoints, count);
}

static void on_child(void *state, struct rota_lb_child *child, void *tag, enum rota_conn_state conn, const struct rota_status *why, int64_t now_ns,
                     struct rota_lb_cmds *cmds)
{
    (void)state, (void)child, (void)tag, (void)now_ns;
    rota_lb_update(cmds, conn, why);
}

static void on_exit_idle(void *state, int64_t now_ns, struct rota_lb_cmds *cmds)
{
    (void)now_ns;
    rota_lb_child_exit_idle(cmds, ((struct listener *)state)->child);
}

static enum rota_pick_verdict pick(void *state, const struct rota_call_info *call, struct rota_pick *ret_pick)
{
    return rota_lb_child_pick(((struct listener *)state)->child, call, ret_pick);
}

static void on_done(void *state, uint64_t cookie, const struct rota_outcome *outcome)
{
    struct rota_load_report report;

    (void)state, (void)cookie;
    if (rota_load_report_of(outcome->trailers, &report))
        hear(&report, &of_call);
}

static void on_report(void *state, struct rota_lb_child *child, void *tag, const struct rota_load_report *report, int64_t now_ns,
                      struct rota_lb_cmds *cmds)
{
    (void)state, (void)child, (void)tag, (void)now_ns, (void)cmds;
    hear(report, &out_of_band);
}

const struct rota_lb_class orca_listener = {
    .name = "test_backend_metrics_load_balancer",
    .state_size = sizeof(struct listener),
    .init = init,
    .fini = fini,
    .on_endpoints = on_endpoints,
    .on_child = on_child,
    .on_exit_idle = on_exit_idle,
    .pick = pick,
    .on_done = on_done,
    .on_report = on_report,
};

/* The case's own channel, unless the command line says what the channel's policy is. */
static struct rota_channel *open_listening(const struct interop *at)
{
    struct interop own = *at;

    if (at->service_config != NULL)
        return at->channel;
    own.service_config = "{\"loadBalancingConfig\":[{\"test_backend_metrics_load_balancer\":{}}]}";
    return open_channel(&own);
}

static bool close_listening(const struct interop *at, struct rota_channel *channel, bool right)
{
    if (channel != at->channel)
        rota_channel_free(channel);
    return right;
}

/* --- The cases --- */

static const struct entry *find(const struct heard *heard, const char *name)
{
    for (size_t i = 0; i < heard->n_entries; i++)
        if (strcmp(heard->entries[i].name, name) == 0)
            return &heard->entries[i];
    return NULL;
}

static bool is_as_told(const struct heard *heard, const struct wanted *wanted, size_t count)
{
    bool same = heard->any && heard->n_entries == count;

    for (size_t i = 0; same && i < count; i++) {
        const struct entry *entry = find(heard, wanted[i].name);
        same = entry != NULL && entry->value == wanted[i].value;
    }
    return same;
}

static void tell_extra(const char *where, const struct entry *entry, const struct wanted *wanted, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (strcmp(wanted[i].name, entry->name) == 0)
            return;
    printf("%s: %s is %g, expected none\n", where, entry->name, entry->value);
}

static bool expect_heard(const char *where, const struct heard *heard, const struct wanted *wanted, size_t count)
{
    if (is_as_told(heard, wanted, count))
        return true;
    if (!expect(heard->any, "%s: there is no report", where))
        return false;
    for (size_t i = 0; i < count; i++) {
        const struct entry *entry = find(heard, wanted[i].name);
        if (entry == NULL)
            printf("%s: %s is not there, expected %g\n", where, wanted[i].name, wanted[i].value);
        else if (entry->value != wanted[i].value)
            printf("%s: %s is %g, expected %g\n", where, wanted[i].name, entry->value, wanted[i].value);
    }
    for (size_t i = 0; i < heard->n_entries; i++)
        tell_extra(where, &heard->entries[i], wanted, count);
    return false;
}

/* entry: where the report keeps its one utilization. */
static void fill(Grpc__Testing__TestOrcaReport *report, Grpc__Testing__TestOrcaReport__UtilizationEntry **entry, const struct wanted *wanted)
{
    report->cpu_utilization = wanted[CPU].value;
    report->memory_utilization = wanted[MEMORY].value;
    (*entry)->key = (char *)"util";
    (*entry)->value = wanted[UTILIZATION].value;
    report->utilization = entry;
    report->n_utilization = 1;
}

bool orca_per_rpc(struct interop *at)
{
    static const struct wanted wanted[] = {
        [CPU] = {"cpu_utilization", 0.8210}, [MEMORY] = {"mem_utilization", 0.5847}, [UTILIZATION] = {"utilization.util", 0.30499},
        [COST] = {"request_cost.cost", 3456.32}};
    Grpc__Testing__TestOrcaReport__RequestCostEntry cost = GRPC__TESTING__TEST_ORCA_REPORT__REQUEST_COST_ENTRY__INIT, *costs = &cost;
    Grpc__Testing__TestOrcaReport__UtilizationEntry util = GRPC__TESTING__TEST_ORCA_REPORT__UTILIZATION_ENTRY__INIT, *utils = &util;
    Grpc__Testing__TestOrcaReport report = GRPC__TESTING__TEST_ORCA_REPORT__INIT;
    Grpc__Testing__SimpleRequest request = GRPC__TESTING__SIMPLE_REQUEST__INIT;
    struct rota_channel *channel = open_listening(at);

    if (channel == NULL)
        return false;
    fill(&report, &utils, wanted);
    cost.key = (char *)"cost";
    cost.value = wanted[COST].value;
    report.request_cost = &costs;
    report.n_request_cost = 1;
    request.orca_per_query_report = &report;
    return close_listening(at, channel,
                           expect_code(grpc_testing_test_service_unary_call(channel, NULL, &request, NULL), ROTA_OK) &&
                               expect_heard("trailer", &of_call, wanted, sizeof(wanted) / sizeof(wanted[0])));
}

static void wait_a_little(void)
{
    struct timespec pause = {.tv_nsec = 100000000};

    nanosleep(&pause, NULL);
}

#define N_OOB (UTILIZATION + 1)

/* Tells the server what to report from now on, and waits until it is heard. */
static enum step told(const struct interop *at, struct rota_channel *channel, struct rota_call *call, const struct wanted *wanted)
{
    Grpc__Testing__StreamingOutputCallRequest request = GRPC__TESTING__STREAMING_OUTPUT_CALL_REQUEST__INIT;
    Grpc__Testing__TestOrcaReport__UtilizationEntry util = GRPC__TESTING__TEST_ORCA_REPORT__UTILIZATION_ENTRY__INIT, *utils = &util;
    Grpc__Testing__ResponseParameters one = GRPC__TESTING__RESPONSE_PARAMETERS__INIT, *ones = &one;
    Grpc__Testing__TestOrcaReport report = GRPC__TESTING__TEST_ORCA_REPORT__INIT;
    Grpc__Testing__Empty empty = GRPC__TESTING__EMPTY__INIT;
    time_t until = time(NULL) + at->oob_patience_s;
    enum step step;

    fill(&report, &utils, wanted);
    request.orca_oob_report = &report;
    one.size = 1;
    request.response_parameters = &ones;
    request.n_response_parameters = 1;
    if (!expect(grpc_testing_test_service_full_duplex_call_send(call, &request) == 0, "the call ended before the request"))
        return STEP_ENDED;
    step = pong(call, 1);
    if (step != STEP_DONE)
        return step;
    while (!is_as_told(&out_of_band, wanted, N_OOB) && time(NULL) < until) {
        wait_a_little();
        /* Reports come while calls turn the loop. */
        if (!expect_code(grpc_testing_test_service_empty_call(channel, NULL, &empty, NULL), ROTA_OK))
            return STEP_WRONG;
    }
    return expect_heard("out of band", &out_of_band, wanted, N_OOB) ? STEP_DONE : STEP_WRONG;
}

bool orca_oob(struct interop *at)
{
    static const struct wanted reports[2][N_OOB] = {
        {[CPU] = {"cpu_utilization", 0.8210}, [MEMORY] = {"mem_utilization", 0.5847}, [UTILIZATION] = {"utilization.util", 0.30499}},
        {[CPU] = {"cpu_utilization", 0.29309}, [MEMORY] = {"mem_utilization", 0.2}, [UTILIZATION] = {"utilization.util", 0.2039}}};
    Grpc__Testing__StreamingOutputCallResponse *reply;
    struct rota_channel *channel = open_listening(at);
    enum step step = STEP_DONE;
    struct rota_call *call;

    if (channel == NULL)
        return false;
    if (!expect(grpc_testing_test_service_full_duplex_call_open(channel, NULL, &call) == 0, "the call does not open"))
        return close_listening(at, channel, false);
    for (int i = 0; step == STEP_DONE && i < 2; i++)
        step = told(at, channel, call, reports[i]);
    if (step == STEP_DONE) {
        rota_call_send_end(call);
        while (grpc_testing_test_service_full_duplex_call_recv(call, &reply))
            grpc__testing__streaming_output_call_response__free_unpacked(reply, NULL);
    }
    return close_listening(at, channel, finish_call(call, step));
}
