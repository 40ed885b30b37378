/* scenario.h - what is simulated: servers, clients, load, what happens when, and the policies to compare; read from text.
 *
 * The text is a line a statement, "#" starts a comment, an indented line goes on with the one before it; docs/simulator.md lists the
 * statements. Reading is pure: bytes in, a scenario or one sentence with the line's number out.
 */
#ifndef ROTA_SIM_SCENARIO_H
#define ROTA_SIM_SCENARIO_H

#include "base/arena.h"
#include "sim/distribution.h"
#include <rota/err.h>
#include <rota/status.h>

#define ROTA_SIM_SERVERS_MAX 10000u
#define ROTA_SIM_CLIENTS_MAX 10000u
#define ROTA_SIM_POLICIES_MAX 24u
#define ROTA_SIM_ZONES_MAX 1000u
#define ROTA_SIM_ACTIONS_MAX 1000u
#define ROTA_SIM_DURATION_MAX_NS INT64_C(3600000000000)

enum rota_sim_load {
    ROTA_SIM_POISSON,
    ROTA_SIM_EVEN,   /* one call after the other at equal distances */
    ROTA_SIM_BURSTY, /* Poisson while on, nothing while off; the rate is the mean of both */
    ROTA_SIM_CLOSED, /* every client keeps a number of calls under way */
};

struct rota_sim_server_spec {
    struct rota_sim_distribution service;
    int64_t latency_ns; /* one way */
    uint32_t slots;     /* calls served at a time; 0: any number */
    uint32_t queue;     /* calls that may wait for a slot; UINT32_MAX: any number */
    uint32_t streams;   /* MAX_CONCURRENT_STREAMS of a connection; UINT32_MAX: any number */
    uint32_t weight;    /* as registered; 0: none */
    uint32_t zone;      /* the same, and 1; 0: none */
    struct {
        double factor; /* of the service time at first, going down to 1. 1: never cold */
        int64_t ns;    /* how long that takes */
    } cold;
    bool absent;        /* not running and not listed at first */
};

enum rota_sim_verb {
    ROTA_SIM_SLOW,    /* factor */
    ROTA_SIM_FAIL,    /* share of calls that end at once with `code` */
    ROTA_SIM_STALL,   /* share of calls that take a_ns longer */
    ROTA_SIM_PAUSE,   /* SIGSTOP; on clients too */
    ROTA_SIM_KILL,    /* connections reset, dials refused */
    ROTA_SIM_FLAP,    /* killed for a_ns, up for b_ns, again and again */
    ROTA_SIM_LEAVE,   /* the list */
    ROTA_SIM_JOIN,    /* the list, starting the server if it does not run */
    ROTA_SIM_RESTART, /* leave, a_ns later GOAWAY, down b_ns later, back as new after c_ns */
    ROTA_SIM_LOAD,    /* factor; on the load as a whole */
};

struct rota_sim_action {
    int64_t at_ns;
    int64_t for_ns;  /* INT64_MAX: for good */
    int64_t each_ns; /* the second of several begins that much later, and so on */
    enum rota_sim_verb verb;
    uint32_t first, last; /* servers, or clients */
    bool on_clients;
    enum rota_code code;
    double factor; /* or a share */
    int64_t a_ns, b_ns, c_ns;
};

struct rota_sim_policy {
    const char *label;
    const char *service_config; /* JSON */
    size_t line;                /* of its statement; 0: it has none */
};

struct rota_sim_scenario {
    struct rota_arena arena; /* holds all text and arrays */
    const char *title;
    uint64_t seed;
    int64_t duration_ns; /* calls are started for so long */
    int64_t warmup_ns;   /* of that, not measured */
    int64_t drain_ns;    /* afterwards, for what is still under way */
    int64_t window_ns;   /* of what is shown over time */
    uint32_t n_clients, n_servers;
    uint32_t n_client_zones; /* client i is in zone i modulo this; 0: in none */
    struct rota_sim_server_spec *servers;
    int64_t jitter_ns;     /* a delivery takes up to that much longer */
    int64_t list_delay_ns; /* a client learns of a new list up to that much later */
    int64_t orca_ns;       /* load reports over such a time in every reply; 0: none */
    int64_t deadline_ns;   /* of a call; 0: none */
    int64_t keepalive_ns, keepalive_timeout_ns; /* 0: none */

    enum rota_sim_load load;
    double rate_per_s; /* of all clients together */
    double burst_on_share;
    int64_t burst_ns;      /* on and off together */
    uint32_t outstanding;  /* CLOSED: for each client */
    struct rota_sim_distribution think;

    struct rota_sim_action *actions;
    size_t n_actions, actions_cap;
    struct rota_sim_policy *policies;
    size_t n_policies, policies_cap;
};

/* name: for the sentence, "NAME:LINE: what is wrong". ROTA_EPARSE, ROTA_ENOMEM. The scenario is to be freed by rota_sim_scenario_free. */
ROTA_MUST_USE rota_err rota_sim_scenario_parse(const char *name, struct rota_slice text, const struct rota_alloc *alloc,
                                               struct rota_sim_scenario **ret_scenario, struct rota_errinfo *info);
void rota_sim_scenario_free(struct rota_sim_scenario *scenario); /* NULL is fine */

/* Puts other policies in place of the scenario's: names, separated by commas, each a label of the scenario's or a policy without parameters.
 * ROTA_EPARSE, ROTA_ENOMEM. */
ROTA_MUST_USE rota_err rota_sim_scenario_choose(struct rota_sim_scenario *scenario, const char *names, struct rota_errinfo *info);

/* Calls a second that the servers can serve at the start, all slots busy; 0: without bound. */
double rota_sim_scenario_capacity(const struct rota_sim_scenario *scenario);

#endif
