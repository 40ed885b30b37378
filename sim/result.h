/* result.h - what a run of one policy came to, in one block of memory without pointers, so that a process may hand it to another.
 *
 * Counted are calls started after the warm-up, and attempts begun after it; `windows` and episodes see the whole run.
 * Vocabulary: an attempt is one stream of a call; an episode is a time in which a server was bad (slow, failing, paused, down);
 * its fair share is one of the servers listed at the time.
 */
#ifndef ROTA_SIM_RESULT_H
#define ROTA_SIM_RESULT_H

#include "sim/histogram.h"
#include "sim/scenario.h"

#define ROTA_SIM_CODES 17
#define ROTA_SIM_EPISODES_MAX 256
#define ROTA_SIM_LABEL_SIZE 44

struct rota_sim_episode {
    uint32_t server;
    enum rota_sim_verb verb;  /* what was wrong with it */
    int64_t from_ns, to_ns;   /* of the run; INT64_MAX: to the end */
    int64_t leave_ns;         /* after from: it gets less than a fifth of a fair share for the second that follows; -1: never */
    int64_t return_ns;        /* after to: it has had at least four fifths of a fair share for a second, that second included; -1: never */
    double late_share;        /* of all attempts, from one second after from on */
    uint64_t late_attempts;   /* to it */
};

struct rota_sim_server_result {
    uint64_t attempts, ok, failed;
    bool bad; /* has an episode */
};

struct rota_sim_window {
    uint32_t attempts, bad_attempts; /* bad: to servers that have an episode at any time */
    uint32_t calls, failed;          /* ended in it */
    int64_t worst_ns;                /* latency of a call that ended in it */
};

struct rota_sim_result {
    size_t size; /* of the block */
    char label[ROTA_SIM_LABEL_SIZE];
    rota_err err; /* below 0: `error` says why there is no result */
    struct rota_errinfo error;

    uint64_t calls, ok, unfinished;
    uint64_t codes[ROTA_SIM_CODES]; /* ends by status; OK among them */
    uint64_t attempts, retries;     /* retries: attempts that say so, hedges among them */
    uint64_t events;                /* simulated */
    int64_t measured_ns;
    struct rota_sim_histogram latency; /* of calls that ended OK, and of those not ended so far */

    uint32_t n_servers, n_windows, n_episodes, n_episodes_lost;
    uint32_t servers_at, windows_at; /* in bytes from the struct's start */
    struct rota_sim_episode episodes[ROTA_SIM_EPISODES_MAX];
};

size_t rota_sim_result_size(const struct rota_sim_scenario *scenario);
void rota_sim_result_init(struct rota_sim_result *result, const struct rota_sim_scenario *scenario, const char *label); /* in a block of that size */
struct rota_sim_server_result *rota_sim_result_servers(const struct rota_sim_result *result);
struct rota_sim_window *rota_sim_result_windows(const struct rota_sim_result *result);

/* What the reports show beside the counts. */
struct rota_sim_summary {
    double p50_ms, p90_ms, p99_ms, p999_ms, mean_ms;
    double ok_per_s, error_share, attempts_per_call, retries_per_call;
    double bad_share;                  /* of the attempts, to servers with an episode; the fair one is bad_fair */
    double bad_fair;
    double low_share, high_share;      /* the least and the most loaded of the others, 1 being fair among them */
    int64_t leave_ns, return_ns;       /* the longest of all episodes; -1: one that never did; -2: there was none */
    double late_share;                 /* the greatest of all episodes */
};

struct rota_sim_summary rota_sim_summarise(const struct rota_sim_result *result);

#endif
