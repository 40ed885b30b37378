/* cmd_sim.c - `rota sim SCENARIO`: policies side by side in virtual time. What happens there is sim's affair. */
#include "command.h"

#include "assembly/builtin.h"
#include "base/buffer.h"
#include "sim/parallel.h"
#include "sim/report.h"
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

struct app {
    const char *path, *policies, *svg_path, *seed, *jobs;
    bool json, markdown, check;
};

static int fail_file(const char *path)
{
    return rota_fail("sim", "%s: %s", path, strerror(errno));
}

static int read_file(const char *path, struct rota_buffer *text)
{
    FILE *file = strcmp(path, "-") == 0 ? stdin : fopen(path, "r");
    size_t got = 1;

    if (file == NULL)
        return fail_file(path);
    while (got > 0) {
        uint8_t *room = rota_buffer_reserve(text, 65536);
        got = room == NULL ? 0 : fread(room, 1, 65536, file);
        if (got > 0)
            rota_buffer_commit(text, got);
    }
    if (ferror(file))
        return fail_file(path);
    if (file != stdin)
        fclose(file);
    return ROTA_EXIT_OK;
}

static int write_svg(const struct app *app, const struct rota_sim_scenario *scenario, const struct rota_sim_results *results)
{
    struct rota_buffer out;
    struct rota_slice text;
    FILE *file = fopen(app->svg_path, "w");
    bool wrong;

    if (file == NULL)
        return fail_file(app->svg_path);
    rota_buffer_init(&out, NULL, 0);
    wrong = rota_sim_report_svg(scenario, results->by_policy, results->count, &out) < 0;
    text = rota_buffer_peek(&out);
    wrong = wrong || fwrite(text.data, 1, text.size, file) != text.size;
    wrong = fclose(file) != 0 || wrong;
    rota_buffer_fini(&out);
    return wrong ? rota_fail("sim", "%s: cannot be written", app->svg_path) : ROTA_EXIT_OK;
}

/* A policy whose statement cannot be carried out is told like any mistake, by its line. */
static int fail_policy(const struct app *app, const struct rota_sim_policy *policy, const struct rota_sim_result *result)
{
    if (policy->line == 0)
        return rota_fail("sim", "%s: policy %s: %s", app->path, policy->label, result->error.text);
    return rota_fail("sim", "%s:%zu: policy %s: %s", app->path, policy->line, policy->label, result->error.text);
}

static int report(const struct app *app, const struct rota_sim_scenario *scenario, const struct rota_sim_results *results)
{
    struct rota_buffer out;
    struct rota_slice text;
    rota_err err;

    for (size_t i = 0; i < results->count; i++)
        if (results->by_policy[i]->err < 0)
            return fail_policy(app, &scenario->policies[i], results->by_policy[i]);
    rota_buffer_init(&out, NULL, 0);
    err = app->json ? rota_sim_report_json(scenario, results->by_policy, results->count, &out)
                    : rota_sim_report_table(scenario, results->by_policy, results->count, app->markdown, &out);
    text = rota_buffer_peek(&out);
    if (err == 0)
        fwrite(text.data, 1, text.size, stdout);
    rota_buffer_fini(&out);
    if (err < 0)
        return rota_fail("sim", "%s", rota_err_text(err));
    return app->svg_path == NULL ? ROTA_EXIT_OK : write_svg(app, scenario, results);
}

static int simulate(const struct app *app, const struct rota_sim_scenario *scenario, unsigned processes)
{
    struct rota_sim_run_options options = {.policies = rota_builtin_policies, .check = app->check};
    struct rota_sim_results results;
    rota_err err;
    int code;

    (void)rota_output_flush();
    err = rota_sim_run_all(scenario, &options, processes, &results);
    if (err < 0)
        return rota_fail("sim", "%s", rota_err_text(err));
    code = report(app, scenario, &results);
    rota_sim_results_free(&results);
    return code;
}

static int run_text(const struct app *app, struct rota_slice text, long long seed, unsigned processes)
{
    struct rota_sim_scenario *scenario;
    struct rota_errinfo info = {.text = ""};
    int code;

    if (rota_sim_scenario_parse(app->path, text, NULL, &scenario, &info) < 0)
        return rota_fail("sim", "%s", info.text);
    if (seed >= 0)
        scenario->seed = (uint64_t)seed;
    if (app->policies != NULL && rota_sim_scenario_choose(scenario, app->policies, &info) < 0)
        code = rota_fail("sim", "--policies: %s", info.text);
    else
        code = simulate(app, scenario, processes);
    rota_sim_scenario_free(scenario);
    return code;
}

static int run(int argc, char **argv)
{
    struct app app = {0};
    const struct rota_flag flags[] = {
        {"policies", &app.policies, NULL}, {"seed", &app.seed, NULL}, {"jobs", &app.jobs, NULL},   {"svg", &app.svg_path, NULL},
        {"json", NULL, &app.json},         {"markdown", NULL, &app.markdown}, {"check", NULL, &app.check},
    };
    long long seed = -1, jobs = sysconf(_SC_NPROCESSORS_ONLN);
    struct rota_buffer text;
    size_t words;
    int code;

    if (!rota_flags_read(&rota_command_sim, argc, argv, flags, sizeof(flags) / sizeof(flags[0]), &app.path, 1, &words))
        return ROTA_EXIT_USAGE;
    if (words == 0) {
        rota_fail("sim", "no SCENARIO; for example sim/scenarios/tail-b.scenario");
        return ROTA_EXIT_USAGE;
    }
    if ((app.seed != NULL && !rota_flag_number("seed", app.seed, 0, 1LL << 53, &seed)) ||
        (app.jobs != NULL && !rota_flag_number("jobs", app.jobs, 1, 64, &jobs)))
        return ROTA_EXIT_USAGE;
    rota_buffer_init(&text, NULL, 0);
    code = read_file(app.path, &text);
    if (code == ROTA_EXIT_OK)
        code = run_text(&app, rota_buffer_peek(&text), seed, jobs < 1 ? 1 : (unsigned)jobs);
    rota_buffer_fini(&text);
    return code;
}

const struct rota_command rota_command_sim = {
    .verb = "sim",
    .summary = "compare balancing policies in simulated situations",
    .usage = "usage: rota sim SCENARIO [--policies A,B,...] [--json | --markdown] [--svg FILE] [--seed N] [--jobs N] [--check]\n\n"
             "Runs the channel, policies and retries of the library in virtual time over modelled servers, as the file SCENARIO (- is standard\n"
             "input) says, once for each policy, and shows them side by side. The same seed gives the same result.\n\n"
             "--policies  these instead of the scenario's: labels of its own, or names of policies without parameters\n"
             "--json      all figures, also over time and by server; --markdown: the table for a document\n"
             "--svg FILE  draws latencies and the share of bad servers over time\n"
             "--seed N    instead of the scenario's\n"
             "--jobs N    policies simulated at a time, in processes of their own; default: one a processor\n"
             "--check     looks at the simulation's invariants after every event, which takes long\n\n"
             "Exit codes: 0 done, 1 the scenario or a policy's parameters are wrong, 2 wrong command line.\n",
    .run = run,
};
