/* cmd_bench.c - `rota bench TARGET SERVICE/METHOD`: what a server, or a whole service behind its policy, does under load. */
#include "connect.h"
#include "foreign.h"
#include "load.h"
#include "lookup.h"
#include "wire/target.h"

#include <jansson.h>
#include <stdlib.h>
#include <unistd.h>

#define MAX_REPEATED 1000 /* of one flag */

static const uint32_t quantiles[] = {500000, 900000, 990000, 999000, 999900}; /* per million */
static const char *const quantile_names[] = {"p50", "p90", "p99", "p99.9", "p99.99"};

struct app {
    const char *target;
    struct rota_lookup lookup;
    const char *data[MAX_REPEATED], *metadata[MAX_REPEATED], *sets[MAX_REPEATED];
    size_t n_data, n_metadata, n_sets;
    struct rota_call_options options;
    struct rota_load load;
    char path[512];
    bool json;
};

/* --- Showing --- */

static double mean_ns(const struct rota_load *load)
{
    return load->latency.count == 0 ? 0 : load->latency.sum_ns / (double)load->latency.count;
}

static void on_second(const struct rota_load *load)
{
    uint64_t ended = rota_load_ended(load);

    if (load->seconds <= 0)
        fprintf(stderr, "warming up\n");
    else
        fprintf(stderr, "%3.0f s: %.0f calls/s, p50 %.0f us, p99 %.0f us, %llu failed\n", load->seconds, (double)ended / load->seconds,
                (double)rota_sim_histogram_at(&load->latency, 500000) / 1e3, (double)rota_sim_histogram_at(&load->latency, 990000) / 1e3,
                (unsigned long long)(ended - load->codes[ROTA_OK]));
}

static json_t *codes_of(const struct rota_load *load)
{
    json_t *codes = json_object();

    for (int i = 0; i < ROTA_LOAD_CODES; i++)
        if (load->codes[i] > 0)
            json_object_set_new(codes, rota_code_name((enum rota_code)i), json_integer((json_int_t)load->codes[i]));
    return codes;
}

static void show_json(const struct app *app)
{
    const struct rota_load *load = &app->load;
    uint64_t ended = rota_load_ended(load);
    json_t *latency = json_object(), *object;
    char shown[ROTA_TARGET_SHOW_SIZE];
    char *text;

    json_object_set_new(latency, "mean", json_real(mean_ns(load) / 1e3));
    for (size_t i = 0; i < sizeof(quantiles) / sizeof(quantiles[0]); i++)
        json_object_set_new(latency, quantile_names[i], json_real((double)rota_sim_histogram_at(&load->latency, quantiles[i]) / 1e3));
    json_object_set_new(latency, "max", json_real((double)load->latency.max_ns / 1e3));
    object = json_pack("{s:s,s:s,s:f,s:I,s:f,s:I,s:I,s:o,s:o,s:f}", "target", rota_target_show(app->target, shown, sizeof(shown)), "method", app->path + 1, "seconds", load->seconds,
                       "calls", (json_int_t)ended, "calls_per_s", (double)ended / load->seconds, "replies", (json_int_t)load->replies,
                       "unfinished", (json_int_t)load->unfinished, "codes", codes_of(load), "latency_us", latency, "client_cpu_us_per_call",
                       ended == 0 ? 0.0 : load->cpu_seconds * 1e6 / (double)ended);
    text = json_dumps(object, JSON_COMPACT | JSON_REAL_PRECISION(6));
    json_decref(object);
    if (text != NULL)
        puts(text);
    free(text);
}

static void show_text(const struct app *app)
{
    const struct rota_load *load = &app->load;
    uint64_t ended = rota_load_ended(load);

    printf("%llu calls in %.2f s: %.0f/s, %llu failed", (unsigned long long)ended, load->seconds, (double)ended / load->seconds,
           (unsigned long long)(ended - load->codes[ROTA_OK]));
    if (load->rate_per_s > 0)
        printf(", %llu unfinished", (unsigned long long)load->unfinished);
    printf("\nlatency, us: mean %.0f", mean_ns(load) / 1e3);
    for (size_t i = 0; i < sizeof(quantiles) / sizeof(quantiles[0]); i++)
        printf(", %s %.0f", quantile_names[i], (double)rota_sim_histogram_at(&load->latency, quantiles[i]) / 1e3);
    printf(", max %.0f%s\n", (double)load->latency.max_ns / 1e3, load->rate_per_s > 0 ? " (from when a call was due)" : "");
    printf("this client's CPU: %.2f us a call\n", ended == 0 ? 0.0 : load->cpu_seconds * 1e6 / (double)ended);
    for (int i = 1; i < ROTA_LOAD_CODES; i++)
        if (load->codes[i] > 0)
            printf("%s: %llu\n", rota_code_name((enum rota_code)i), (unsigned long long)load->codes[i]);
    if (load->first_failure.code != ROTA_OK) {
        printf("the first that failed: %s: ", rota_code_name(load->first_failure.code));
        rota_print_foreign(stdout, rota_slice_str(load->first_failure.message));
        fputc('\n', stdout);
    }
}

/* --- Running --- */

static int run_load(struct app *app, const struct rota_dyn_method *what, const struct rota_requests *requests)
{
    struct rota_method method = {
        .path = app->path,
        .client_streaming = what->client_streaming,
        .server_streaming = what->server_streaming,
        .request = {&rota_codec_bytes, NULL},
        .reply = {&rota_codec_bytes, NULL},
    };
    rota_err err;

    app->options.metadata = app->lookup.reflect.metadata;
    app->load.loop = app->lookup.loop;
    app->load.channel = app->lookup.reflect.channel;
    app->load.method = &method;
    app->load.requests = requests;
    app->load.options = &app->options;
    err = rota_load_run(&app->load);
    if (err < 0)
        return rota_fail("bench", "%s", rota_err_text(err));
    if (app->json)
        show_json(app);
    else
        show_text(app);
    return app->load.codes[ROTA_OK] > 0 ? ROTA_EXIT_OK : ROTA_EXIT_FAILED;
}

static int answer(void *arg)
{
    struct app *app = arg;
    const struct rota_dyn_method *method;
    struct rota_requests requests;
    char *slash = strchr(app->path + 1, '/');
    int code = ROTA_EXIT_USAGE;

    if (!rota_lookup_load(&app->lookup))
        return ROTA_EXIT_FAILED;
    *slash = '\0';
    method = rota_lookup_method(&app->lookup, app->path + 1, slash + 1);
    *slash = '/';
    if (method == NULL)
        return ROTA_EXIT_FAILED;
    if (rota_lookup_requests(&app->lookup, method, app->data, app->n_data, false, &requests))
        code = run_load(app, method, &requests);
    rota_requests_fini(&requests);
    return code;
}

static bool read_numbers(struct app *app, const char *outstanding, const char *rate, const char *duration, const char *warm, const char *timeout)
{
    long long n_outstanding, per_s = 0, seconds, warm_s, timeout_ms;

    if (!rota_flag_number("outstanding", outstanding == NULL ? "64" : outstanding, 1, 1000000, &n_outstanding) || (rate != NULL && !rota_flag_number("rate", rate, 1, 10000000, &per_s)) ||
        !rota_flag_number("duration", duration, 1, 86400, &seconds) || !rota_flag_number("warm-up", warm, 0, 3600, &warm_s) ||
        !rota_flag_number("timeout", timeout, 0, 1000000000, &timeout_ms))
        return false;
    app->load.outstanding = (uint32_t)n_outstanding;
    app->load.rate_per_s = (double)per_s;
    app->load.duration_ns = seconds * INT64_C(1000000000);
    app->load.warm_ns = warm_s * INT64_C(1000000000);
    app->options.timeout_ms = timeout_ms;
    return true;
}

/* Of two flags that say how to do the same thing one would be passed over. */
static bool check_pairs(const char *outstanding, const char *rate, const char *policy, const char *service_config)
{
    if (outstanding != NULL && rate != NULL)
        rota_fail("bench", "--outstanding or --rate, not both");
    else if (policy != NULL && service_config != NULL)
        rota_fail("bench", "--policy or --service-config, not both");
    else
        return true;
    return false;
}

static int run(int argc, char **argv)
{
    static struct app app = {.options = ROTA_CALL_OPTIONS_INIT};
    struct rota_connect connect = {0};
    const char *words[2] = {NULL, NULL}, *outstanding = NULL, *rate = NULL, *duration = "10", *warm = "1", *timeout = "20000";
    const char *policy = NULL;
    char config[256];
    bool quiet = false;
    struct rota_flag flags[9 + ROTA_CONNECT_FLAGS] = {{"outstanding", &outstanding, NULL}, {"rate", &rate, NULL}, {"duration", &duration, NULL},
                                                      {"warm-up", &warm, NULL}, {"timeout", &timeout, NULL}, {"json", NULL, &app.json},
                                                      {"quiet", NULL, &quiet}, {"policy", &policy, NULL},
                                                      {"service-config", &connect.service_config, NULL}};
    size_t n_words;

    rota_connect_flags(&connect, flags + 9);
    if (!rota_flags_take_all(&rota_command_bench, &argc, argv, "-d", app.data, MAX_REPEATED, &app.n_data) ||
        !rota_flags_take_all(&rota_command_bench, &argc, argv, "--metadata", app.metadata, MAX_REPEATED, &app.n_metadata) ||
        !rota_flags_take_all(&rota_command_bench, &argc, argv, "--descriptors", app.sets, MAX_REPEATED, &app.n_sets) ||
        !rota_flags_read(&rota_command_bench, argc, argv, flags, sizeof(flags) / sizeof(flags[0]), words, 2, &n_words) ||
        !check_pairs(outstanding, rate, policy, connect.service_config) || !read_numbers(&app, outstanding, rate, duration, warm, timeout) || !rota_connect_check("bench", &connect))
        return ROTA_EXIT_USAGE;
    if (policy != NULL) {
        snprintf(config, sizeof(config), "{\"loadBalancingConfig\":[{\"%s\":{}}]}", policy);
        connect.service_config = config;
    }
    if (n_words < 2) {
        rota_fail("bench", "TARGET and SERVICE/METHOD are needed; for example 127.0.0.1:8001 proto.HelloService/Say");
        return ROTA_EXIT_USAGE;
    }
    if ((size_t)snprintf(app.path, sizeof(app.path), "/%s", words[1] + (words[1][0] == '/')) >= sizeof(app.path) ||
        strchr(app.path + 1, '/') == NULL) {
        rota_fail("bench", "%s: a method is written SERVICE/METHOD", words[1]);
        return ROTA_EXIT_USAGE;
    }
    app.target = words[0];
    if (!quiet)
        app.load.on_second = on_second;
    app.lookup = (struct rota_lookup){.verb = "bench", .target = app.target, .sets = app.sets, .n_sets = app.n_sets, .metadata = app.metadata,
                                      .n_metadata = app.n_metadata};
    return rota_lookup_run(&app.lookup, &connect, answer, &app);
}

const struct rota_command rota_command_bench = {
    .verb = "bench",
    .summary = "put a method under load",
    .usage = "usage: rota bench TARGET SERVICE/METHOD [-d JSON] [--outstanding N | --rate N] [--duration SECONDS] ...\n\n"
             "Calls the method over and over and says how fast and how often it was answered.\n\n"
             "  --outstanding N     so many calls at a time, each followed by the next; default 64\n"
             "  --rate N            instead: N calls a second at random times (Poisson), whatever becomes of them; a call's time counts\n"
             "                      from when it was due\n"
             "  --duration SECONDS  default 10, after --warm-up SECONDS, default 1\n"
             "  --policy NAME       how calls are spread over the service's servers; default: pick_first\n"
             "  --service-config JSON  instead: the whole of it\n"
             "  -d JSON             what each call sends, as for rota call; default: {}\n"
             "  --metadata KEY:VALUE  sent with each call, and with the questions about its type; of a KEY that ends in -bin the VALUE is\n"
             "                      base64; may be given again\n"
             "  --timeout MS        each call's deadline; default 20000; 0: none\n"
             "  --json              the result as a JSON object\n"
             "  --quiet             no line a second on standard error\n"
             "  --descriptors FILE  what protoc --descriptor_set_out --include_imports has made, for servers without reflection; may be\n"
             "                      given again\n" ROTA_CONNECT_USAGE "\n"
             "TARGET: 127.0.0.1:8001, dns:///host:port, unix:/path, etcd://members/service,...\n"
             "Exit codes: 0 some calls were answered with OK, 1 none was, 2 wrong command line or JSON.\n",
    .run = run,
};
