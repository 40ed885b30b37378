/* parallel.c - contract in parallel.h. A result is a block without pointers, so that a child writes it where the parent reads it. */
#include "sim/parallel.h"
#include "base/errinfo.h"
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

struct jobs {
    const struct rota_sim_scenario *scenario;
    const struct rota_sim_run_options *options;
    struct rota_sim_result *blocks[ROTA_SIM_POLICIES_MAX];
    pid_t pids[ROTA_SIM_POLICIES_MAX]; /* 0: not running */
    unsigned running;
};

static void run_one(const struct jobs *jobs, size_t i)
{
    (void)rota_sim_run(jobs->scenario, &jobs->scenario->policies[i], jobs->options, jobs->blocks[i]);
}

static rota_err start(struct jobs *jobs, size_t i)
{
    pid_t pid;

    rota_sim_result_init(jobs->blocks[i], jobs->scenario, jobs->scenario->policies[i].label);
    jobs->blocks[i]->err = rota_errinfo_set(&jobs->blocks[i]->error, ROTA_EIO, "the process that simulates it died");
    pid = fork();
    if (pid < 0)
        return ROTA_EIO;
    if (pid == 0) {
        run_one(jobs, i);
        _exit(0);
    }
    jobs->pids[i] = pid;
    jobs->running++;
    return 0;
}

/* Only our own children, by their ids: the process may have others. */
static void wait_for_one(struct jobs *jobs)
{
    for (;;) {
        for (size_t i = 0; i < jobs->scenario->n_policies; i++) {
            if (jobs->pids[i] == 0 || waitpid(jobs->pids[i], NULL, WNOHANG) == 0)
                continue;
            jobs->pids[i] = 0;
            jobs->running--;
            return;
        }
        usleep(2000);
    }
}

static rota_err run_forked(struct jobs *jobs, unsigned processes)
{
    rota_err err = 0;

    for (size_t i = 0; i < jobs->scenario->n_policies && err == 0; i++) {
        if (jobs->running == processes)
            wait_for_one(jobs);
        err = start(jobs, i);
    }
    while (jobs->running > 0)
        wait_for_one(jobs);
    return err;
}

rota_err rota_sim_run_all(const struct rota_sim_scenario *scenario, const struct rota_sim_run_options *options, unsigned processes,
                          struct rota_sim_results *ret_results)
{
    struct jobs jobs = {.scenario = scenario, .options = options};
    size_t size = (rota_sim_result_size(scenario) + 63) / 64 * 64;
    struct rota_sim_results results = {.count = scenario->n_policies, .memory_bytes = size * scenario->n_policies};
    rota_err err = 0;

    results.memory = mmap(NULL, results.memory_bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (results.memory == MAP_FAILED)
        return ROTA_ENOMEM;
    for (size_t i = 0; i < scenario->n_policies; i++)
        results.by_policy[i] = jobs.blocks[i] = (struct rota_sim_result *)(void *)((char *)results.memory + i * size);
    if (processes > 1 && scenario->n_policies > 1)
        err = run_forked(&jobs, processes);
    else
        for (size_t i = 0; i < scenario->n_policies; i++)
            run_one(&jobs, i);
    if (err < 0) {
        rota_sim_results_free(&results);
        return err;
    }
    *ret_results = results;
    return 0;
}

void rota_sim_results_free(struct rota_sim_results *results)
{
    if (results->memory != NULL)
        munmap(results->memory, results->memory_bytes);
    *results = (struct rota_sim_results){0};
}
