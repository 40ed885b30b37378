/* case_orca.c - load reports, as a policy gets them: in the trailers of calls, and out of band.
 *
 * The policy is pick_first that writes down what it hears. The values are those of gRPC's description of the cases.
 */
#include "client.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#define REPORT_NS INT64_C(1000000000)
#define PATIENCE_S 30
#define N_METRICS 5

static const char *const metrics[N_METRICS] = {"cpu_utilization", "mem_utilization", "utilization.util", "request_cost.cost", "request_cost.other"};

struct heard {
    bool any;
    double values[N_METRICS]; /* 0: not said */
};

static struct heard of_call, out_of_band;

static void hear(const struct rota_load_report *report, struct heard *heard)
{
    *heard = (struct heard){.any = true};
    for (int i = 0; i < N_METRICS; i++)
        if (!rota_load_report_get(report, metrics[i], &heard->values[i]))
            heard->values[i] = 0;
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

static const struct rota_lb_class listener = {
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

static struct rota_channel *open_listening(struct interop *at)
{
    static const struct rota_lb_class *const policies[] = {&listener, NULL};

    at->policies = policies;
    at->service_config = "{\"loadBalancingConfig\":[{\"test_backend_metrics_load_balancer\":{}}]}";
    return open_channel(at);
}

/* --- The cases --- */

static bool is_as_told(const struct heard *heard, const double *want)
{
    bool same = heard->any;

    for (int i = 0; i < N_METRICS; i++)
        same = same && heard->values[i] == want[i];
    return same;
}

static bool expect_heard(const char *where, const struct heard *heard, const double *want)
{
    if (is_as_told(heard, want))
        return true;
    for (int i = 0; i < N_METRICS; i++)
        printf("%s: %s is %g, expected %g\n", where, metrics[i], heard->values[i], want[i]);
    return expect(heard->any, "there is no report");
}

/* entry: where the report keeps its one utilization. */
static void fill(Grpc__Testing__TestOrcaReport *report, Grpc__Testing__TestOrcaReport__UtilizationEntry **entry, double cpu, double memory, double utilization)
{
    report->cpu_utilization = cpu;
    report->memory_utilization = memory;
    (*entry)->key = (char *)"util";
    (*entry)->value = utilization;
    report->utilization = entry;
    report->n_utilization = 1;
}

bool orca_per_rpc(struct interop *at)
{
    static const double want[N_METRICS] = {0.8210, 0.5847, 0.30499, 3456.32, 0};
    Grpc__Testing__TestOrcaReport__RequestCostEntry cost = GRPC__TESTING__TEST_ORCA_REPORT__REQUEST_COST_ENTRY__INIT, *costs = &cost;
    Grpc__Testing__TestOrcaReport__UtilizationEntry util = GRPC__TESTING__TEST_ORCA_REPORT__UTILIZATION_ENTRY__INIT, *utils = &util;
    Grpc__Testing__TestOrcaReport report = GRPC__TESTING__TEST_ORCA_REPORT__INIT;
    Grpc__Testing__SimpleRequest request = GRPC__TESTING__SIMPLE_REQUEST__INIT;
    struct rota_channel *channel = open_listening(at);
    bool right;

    if (channel == NULL)
        return false;
    fill(&report, &utils, want[0], want[1], want[2]);
    cost.key = (char *)"cost";
    cost.value = want[3];
    report.request_cost = &costs;
    report.n_request_cost = 1;
    request.orca_per_query_report = &report;
    right = expect_code(grpc_testing_test_service_unary_call(channel, NULL, &request, NULL), ROTA_OK) && expect_heard("trailer", &of_call, want);
    rota_channel_free(channel);
    return right;
}

static void wait_a_little(void)
{
    struct timespec pause = {.tv_nsec = 100000000};

    nanosleep(&pause, NULL);
}

/* Tells the server what to report from now on, and waits until it is heard. */
static bool told(struct rota_channel *channel, struct rota_call *call, const double *want)
{
    Grpc__Testing__StreamingOutputCallRequest request = GRPC__TESTING__STREAMING_OUTPUT_CALL_REQUEST__INIT;
    Grpc__Testing__TestOrcaReport__UtilizationEntry util = GRPC__TESTING__TEST_ORCA_REPORT__UTILIZATION_ENTRY__INIT, *utils = &util;
    Grpc__Testing__ResponseParameters one = GRPC__TESTING__RESPONSE_PARAMETERS__INIT, *ones = &one;
    Grpc__Testing__TestOrcaReport report = GRPC__TESTING__TEST_ORCA_REPORT__INIT;
    Grpc__Testing__Empty empty = GRPC__TESTING__EMPTY__INIT;
    time_t until = time(NULL) + PATIENCE_S;

    fill(&report, &utils, want[0], want[1], want[2]);
    request.orca_oob_report = &report;
    one.size = 1;
    request.response_parameters = &ones;
    request.n_response_parameters = 1;
    if (!expect(grpc_testing_test_service_full_duplex_call_send(call, &request) == 0, "the call has ended") || !pong(call, 1))
        return false;
    while (!is_as_told(&out_of_band, want) && time(NULL) < until) {
        wait_a_little();
        /* Reports come while calls turn the loop. */
        if (!expect_code(grpc_testing_test_service_empty_call(channel, NULL, &empty, NULL), ROTA_OK))
            return false;
    }
    return expect_heard("out of band", &out_of_band, want);
}

bool orca_oob(struct interop *at)
{
    static const double first[N_METRICS] = {0.8210, 0.5847, 0.30499, 0, 0}, second[N_METRICS] = {0.29309, 0.2, 0.2039, 0, 0};
    Grpc__Testing__StreamingOutputCallResponse *reply;
    struct rota_channel *channel = open_listening(at);
    struct rota_call *call;
    bool right = channel != NULL;

    if (!right || !expect(grpc_testing_test_service_full_duplex_call_open(channel, NULL, &call) == 0, "the call does not open")) {
        rota_channel_free(channel);
        return false;
    }
    right = told(channel, call, first) && told(channel, call, second);
    rota_call_send_end(call);
    while (grpc_testing_test_service_full_duplex_call_recv(call, &reply))
        grpc__testing__streaming_output_call_response__free_unpacked(reply, NULL);
    right = expect_code(rota_call_finish(call), ROTA_OK) && right;
    rota_channel_free(channel);
    return right;
}
