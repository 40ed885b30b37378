/* statements.h - the statements of a scenario: what parse.c collects while it reads, and the functions that read one statement each. */
#ifndef ROTA_SIM_STATEMENTS_H
#define ROTA_SIM_STATEMENTS_H

#include "sim/scenario.h"
#include "sim/words.h"

/* A policy as written; the service config is put together when all has been read. */
struct rota_sim_policy_text {
    struct rota_slice label, name, params, service_config; /* the last instead of the two before */
    size_t line;
};

struct rota_sim_reading {
    struct rota_sim_scenario *scenario;
    struct rota_sim_words words;
    size_t line;       /* where it is */
    double load_share; /* of the capacity; 0: a rate was given */
    size_t load_line, warmup_line; /* of the last statement about it; 0: none. The duration sets warmup_line too */
    struct rota_slice method, throttle; /* JSON; empty: none */
    struct rota_sim_policy_text policies[ROTA_SIM_POLICIES_MAX];
    size_t n_policies;
};

/* statements.c: everything but servers and actions. ROTA_ENOTFOUND: it is none of these. */
rota_err rota_sim_read_setting(struct rota_sim_reading *reading, struct rota_slice keyword);

/* servers.c. For the statement `server` and its short form for all of them. ROTA_ENOTFOUND as above. */
rota_err rota_sim_read_server(struct rota_sim_reading *reading);
rota_err rota_sim_read_attribute(struct rota_sim_reading *reading, struct rota_slice keyword, uint32_t first, uint32_t last);

/* actions.c. After `at`; and a verb that holds from the start. ROTA_ENOTFOUND: no verb. */
rota_err rota_sim_read_at(struct rota_sim_reading *reading);
rota_err rota_sim_read_verb(struct rota_sim_reading *reading, struct rota_slice keyword, struct rota_sim_action *action);

/* servers.c */
rota_err rota_sim_read_distribution(struct rota_sim_words *words, const char *what, struct rota_sim_distribution *ret_distribution);

#endif
