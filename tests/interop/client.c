/* client.c - the interop client: runs one case of gRPC's interop tests against a server.
 *
 * Exit code: 0 passed, 1 failed or standard output could not be written, 2 wrong arguments or a case that is not supported.
 */
#include "client.h"
#include "additional.h"
#include "flags.h"

#include <stdio.h>
#include <stdlib.h>

static const char usage[] =
    "usage: client --server_host=HOST --server_port=PORT --test_case=CASE\n"
    "  --server_host_override=NAME  the :authority; default: from host and port\n"
    "  --use_tls=false              whether to speak TLS, trusting --ca_file=FILE, or with --use_test_ca the authority of the tests,\n"
    "                               else the system's\n"
    "  --soak_iterations=10 --soak_max_failures=0 --soak_per_iteration_max_acceptable_latency_ms=1000\n"
    "  --soak_overall_timeout_seconds=10 --soak_min_time_ms_between_rpcs=0 --soak_request_size=271828\n"
    "  --soak_response_size=314159 --soak_num_threads=1\n"
    "  --additional_metadata=KEY:VALUE;KEY:VALUE  sent with every call; keys are made lower-case\n"
    "  --service_config_json=JSON   what calls and balancing follow; orca_per_rpc and orca_oob name their policy unless told otherwise\n"
    "  --orca_oob_patience_seconds=30  how long orca_oob waits for each report\n"
    "  CASE: list shows them\n";

static const struct {
    const char *name;
    bool (*run)(struct interop *at);
} cases[] = {
    {"empty_unary", empty_unary},
    {"large_unary", large_unary},
    {"client_streaming", client_streaming},
    {"server_streaming", server_streaming},
    {"ping_pong", ping_pong},
    {"empty_stream", empty_stream},
    {"custom_metadata", custom_metadata},
    {"status_code_and_message", status_code_and_message},
    {"special_status_message", special_status_message},
    {"unimplemented_method", unimplemented_method},
    {"unimplemented_service", unimplemented_service},
    {"cancel_after_begin", cancel_after_begin},
    {"cancel_after_first_response", cancel_after_first_response},
    {"timeout_on_sleeping_server", timeout_on_sleeping_server},
    {"concurrent_large_unary", concurrent_large_unary},
    {"rpc_soak", rpc_soak},
    {"channel_soak", channel_soak},
    {"client_compressed_unary", client_compressed_unary},
    {"server_compressed_unary", server_compressed_unary},
    {"client_compressed_streaming", client_compressed_streaming},
    {"server_compressed_streaming", server_compressed_streaming},
    {"orca_per_rpc", orca_per_rpc},
    {"orca_oob", orca_oob},
};

#define N_CASES (sizeof(cases) / sizeof(cases[0]))

struct rota_channel *open_channel(const struct interop *at)
{
    struct rota_channel_options options = ROTA_CHANNEL_OPTIONS_INIT;
    static const struct rota_lb_class *const policies[] = {&orca_listener, NULL};
    struct rota_channel *channel;
    struct rota_errinfo info;
    char target[512];

    snprintf(target, sizeof(target), "dns:///%s", at->uri);
    options.loop = at->loop;
    options.authority = at->authority;
    options.tls = at->tls;
    options.policies = policies;
    options.service_config = at->service_config;
    options.interceptors = at->interceptors;
    if (rota_channel_open(target, &options, &channel, &info) == 0)
        return channel;
    printf("%s: %s\n", target, info.text);
    return NULL;
}

static int run(struct interop *at, bool (*run_case)(struct interop *at))
{
    struct rota_loop_options options = ROTA_LOOP_OPTIONS_INIT;
    bool passed = false;

    options.log = &interop_log;
    if (rota_loop_new(&options, &at->loop) < 0) {
        printf("no loop\n");
        return 1;
    }
    at->channel = open_channel(at);
    if (at->channel != NULL)
        passed = run_case(at);
    rota_channel_free(at->channel);
    rota_loop_free(at->loop);
    return passed ? 0 : 1;
}

static size_t find_case(const char *name)
{
    if (name == NULL)
        flags_refuse("--test_case is missing; --test_case=list shows what there is");
    for (size_t i = 0; i < N_CASES; i++) {
        if (strcmp(name, "list") == 0)
            printf("%s\n", cases[i].name);
        else if (strcmp(cases[i].name, name) == 0)
            return i;
    }
    if (strcmp(name, "list") == 0)
        exit(flush_output(0));
    flags_refuse("the case %s is not supported; --test_case=list shows those that are", name);
}

/* What the flags say besides what a case gets. Text that is empty counts as none. */
struct given {
    const char *test_case, *ca_file, *metadata, *credentials;
    bool use_tls, use_test_ca, use_alts;
};

static const char *unless_empty(const char *text)
{
    return text != NULL && text[0] != '\0' ? text : NULL;
}

static void read_flags(struct interop *at, struct given *given, int argc, char **argv)
{
    const struct flag flags[] = {
        {"server_host", &at->host, NULL, NULL},
        {"server_port", NULL, &at->port, NULL},
        {"server_host_override", &at->authority, NULL, NULL},
        {"test_case", &given->test_case, NULL, NULL},
        {"use_tls", NULL, NULL, &given->use_tls},
        {"use_test_ca", NULL, NULL, &given->use_test_ca},
        {"ca_file", &given->ca_file, NULL, NULL},
        {"use_alts", NULL, NULL, &given->use_alts},
        {"custom_credentials_type", &given->credentials, NULL, NULL},
        {"service_config_json", &at->service_config, NULL, NULL},
        {"additional_metadata", &given->metadata, NULL, NULL},
        {"orca_oob_patience_seconds", NULL, &at->oob_patience_s, NULL},
        {"soak_num_threads", NULL, &at->soak.threads, NULL},
        {"soak_iterations", NULL, &at->soak.iterations, NULL},
        {"soak_max_failures", NULL, &at->soak.max_failures, NULL},
        {"soak_per_iteration_max_acceptable_latency_ms", NULL, &at->soak.max_latency_ms, NULL},
        {"soak_overall_timeout_seconds", NULL, &at->soak.overall_timeout_s, NULL},
        {"soak_min_time_ms_between_rpcs", NULL, &at->soak.min_ms_between, NULL},
        {"soak_request_size", NULL, &at->soak.request_bytes, NULL},
        {"soak_response_size", NULL, &at->soak.reply_bytes, NULL},
        /* Of cases in Google's cloud, and of single other clients. */
        {"default_service_account", NULL, NULL, NULL},
        {"oauth_scope", NULL, NULL, NULL},
        {"service_account_key_file", NULL, NULL, NULL},
        {"alts_handshaker_service_address", NULL, NULL, NULL},
        {"google_c2p_universe_domain", NULL, NULL, NULL},
        {"do_not_abort_on_transient_failures", NULL, NULL, NULL},
        {"log_metadata_and_status", NULL, NULL, NULL},
        {"enable_observability", NULL, NULL, NULL},
    };

    flags_read(flags, sizeof(flags) / sizeof(flags[0]), usage, argc, argv);
    at->authority = unless_empty(at->authority);
    at->service_config = unless_empty(at->service_config);
    given->ca_file = unless_empty(given->ca_file);
    given->metadata = unless_empty(given->metadata);
    given->credentials = unless_empty(given->credentials);
}

static void check_flags(const struct interop *at, const struct given *given)
{
    if (at->port == 0 || at->port > 65535)
        flags_refuse("--server_port: expected a number from 1 to 65535");
    if (given->use_alts)
        flags_refuse("--use_alts: there is no ALTS here");
    if (given->credentials != NULL)
        flags_refuse("--custom_credentials_type: there are no %s here", given->credentials);
    if (at->soak.iterations < 1)
        flags_refuse("--soak_iterations: at least 1");
    if (at->soak.request_bytes > MAX_PAYLOAD_BYTES)
        flags_refuse("--soak_request_size: at most %d", MAX_PAYLOAD_BYTES);
    if (at->soak.threads < 1 || at->soak.threads > MAX_SOAK_THREADS)
        flags_refuse("--soak_num_threads: from 1 to %d", MAX_SOAK_THREADS);
}

int main(int argc, char **argv)
{
    struct interop at = {.host = "localhost", .oob_patience_s = 30, .soak = {1, 10, 0, 1000, 10, 0, LARGE_REQUEST, LARGE_REPLY}};
    struct given given = {0};
    struct rota_tls_options tls = ROTA_TLS_OPTIONS_INIT;
    char test_ca[CERT_PATH_SIZE];
    struct rota_client_interceptor adding[] = {{&additional_metadata, NULL}, {NULL, NULL}};
    size_t chosen;
    int code;

    read_flags(&at, &given, argc, argv);
    chosen = find_case(given.test_case);
    check_flags(&at, &given);
    find_cert("ca.pem", test_ca);
    tls.ca_file = given.ca_file == NULL && given.use_test_ca ? test_ca : given.ca_file;
    at.tls = given.use_tls ? &tls : &rota_tls_insecure;
    snprintf(at.uri, sizeof(at.uri), strchr(at.host, ':') != NULL && at.host[0] != '[' ? "[%s]:%ld" : "%s:%ld", at.host, at.port);
    if (given.metadata != NULL) {
        adding[0].arg = additional_read(given.metadata);
        at.interceptors = adding;
    }
    code = run(&at, cases[chosen].run);
    free(adding[0].arg);
    printf("%s: %s\n", given.test_case, code == 0 ? "passed" : "failed");
    return flush_output(code);
}
