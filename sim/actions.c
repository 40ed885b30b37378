/* actions.c - what happens when: the statement `at`, and its verbs. */
#include "base/alloc.h"
#include "base/assert.h"
#include "sim/statements.h"

static rota_err read_slow(struct rota_sim_words *words, struct rota_sim_action *action)
{
    return rota_sim_number(words, "how many times slower", 0.001, 100000, &action->factor);
}

static rota_err read_fail(struct rota_sim_words *words, struct rota_sim_action *action)
{
    rota_err err = rota_sim_percent(words, "the share of calls that fail", 1, &action->factor);
    struct rota_slice next = rota_sim_peek(words);

    action->code = ROTA_UNAVAILABLE;
    if (err < 0 || next.size == 0 || rota_slice_equal(next, ROTA_SLICE("for")))
        return err;
    return rota_sim_code(words, &action->code);
}

static rota_err read_stall(struct rota_sim_words *words, struct rota_sim_action *action)
{
    rota_err err = rota_sim_percent(words, "the share of calls that stall", 1, &action->factor);

    return err < 0 ? err : rota_sim_time(words, "how long they stall", &action->a_ns);
}

static rota_err read_nothing(struct rota_sim_words *words, struct rota_sim_action *action)
{
    (void)words;
    (void)action;
    return 0;
}

static rota_err read_positive(struct rota_sim_words *words, const char *what, int64_t *ret_ns)
{
    int64_t ns = 0;
    rota_err err = rota_sim_time(words, what, &ns);

    if (err == 0 && ns < 1000000)
        return rota_sim_bad(words, "%s has to be 1ms at least", what);
    if (err == 0)
        *ret_ns = ns;
    return err;
}

static rota_err read_flap(struct rota_sim_words *words, struct rota_sim_action *action)
{
    rota_err err = 0;

    if (!rota_sim_take(words, "down"))
        return rota_sim_bad(words, "flap needs \"down TIME up TIME\"");
    err = read_positive(words, "the time down", &action->a_ns);
    if (err == 0 && !rota_sim_take(words, "up"))
        return rota_sim_bad(words, "flap needs \"up TIME\" after the time down");
    return err < 0 ? err : read_positive(words, "the time up", &action->b_ns);
}

/* restart [leave TIME] [drain TIME] down TIME */
static rota_err read_restart(struct rota_sim_words *words, struct rota_sim_action *action)
{
    rota_err err = 0;

    action->a_ns = INT64_C(1000000000);
    action->b_ns = INT64_C(10000000000);
    if (rota_sim_take(words, "leave"))
        err = rota_sim_time(words, "the time between leaving the list and GOAWAY", &action->a_ns);
    if (err == 0 && rota_sim_take(words, "drain"))
        err = rota_sim_time(words, "the time given to calls under way", &action->b_ns);
    if (err == 0 && !rota_sim_take(words, "down"))
        return rota_sim_bad(words, "restart needs \"[leave TIME] [drain TIME] down TIME\"");
    return err < 0 ? err : rota_sim_time(words, "the time down", &action->c_ns);
}

static const struct verb {
    const char *keyword;
    enum rota_sim_verb verb;
    bool for_time, for_clients; /* may take "for TIME"; may be said of clients */
    rota_err (*read)(struct rota_sim_words *words, struct rota_sim_action *action);
} verbs[] = {
    {"slow", ROTA_SIM_SLOW, true, false, read_slow},
    {"fail", ROTA_SIM_FAIL, true, false, read_fail},
    {"stall", ROTA_SIM_STALL, true, false, read_stall},
    {"pause", ROTA_SIM_PAUSE, true, true, read_nothing},
    {"kill", ROTA_SIM_KILL, true, false, read_nothing},
    {"flap", ROTA_SIM_FLAP, true, false, read_flap},
    {"leave", ROTA_SIM_LEAVE, false, false, read_nothing},
    {"join", ROTA_SIM_JOIN, false, false, read_nothing},
    {"restart", ROTA_SIM_RESTART, false, false, read_restart},
};

static rota_err add(struct rota_sim_reading *r, const struct rota_sim_action *action)
{
    struct rota_sim_scenario *s = r->scenario;

    if (s->n_actions == ROTA_SIM_ACTIONS_MAX)
        return rota_sim_bad(&r->words, "at most %u things may happen", ROTA_SIM_ACTIONS_MAX);
    if (rota_alloc_reserve(&s->arena.as_alloc, &s->actions, &s->actions_cap, s->n_actions + 1, sizeof(*action)) < 0)
        return ROTA_ENOMEM;
    s->actions[s->n_actions++] = *action;
    return 0;
}

rota_err rota_sim_read_verb(struct rota_sim_reading *r, struct rota_slice keyword, struct rota_sim_action *action)
{
    const struct verb *verb = verbs;
    rota_err err;

    while (verb < verbs + ROTA_COUNT(verbs) && !rota_slice_equal(keyword, rota_slice_str(verb->keyword)))
        verb++;
    if (verb == verbs + ROTA_COUNT(verbs) || (action->on_clients && !verb->for_clients))
        return ROTA_ENOTFOUND;
    action->verb = verb->verb;
    err = verb->read(&r->words, action);
    if (err == 0 && verb->for_time && rota_sim_take(&r->words, "for"))
        err = read_positive(&r->words, "how long", &action->for_ns);
    if (err == 0 && action->on_clients && action->for_ns == INT64_MAX)
        return rota_sim_bad(&r->words, "a client's pause needs an end: pause for TIME");
    return err < 0 ? err : add(r, action);
}

static rota_err read_load_change(struct rota_sim_reading *r, struct rota_sim_action *action)
{
    rota_err err = rota_sim_number(&r->words, "how many times the load", 0, 100, &action->factor);

    action->verb = ROTA_SIM_LOAD;
    if (err == 0 && rota_sim_take(&r->words, "for"))
        err = read_positive(&r->words, "how long", &action->for_ns);
    return err < 0 ? err : add(r, action);
}

static rota_err read_whom(struct rota_sim_reading *r, struct rota_sim_action *action)
{
    const struct rota_sim_scenario *s = r->scenario;

    action->on_clients = rota_sim_take(&r->words, "client");
    if (action->on_clients)
        return rota_sim_range(&r->words, "client", s->n_clients, &action->first, &action->last);
    if (!rota_sim_take(&r->words, "server"))
        return rota_sim_bad(&r->words, "expected at TIME [each TIME] followed by server, client or load");
    if (s->n_servers == 0)
        return rota_sim_bad(&r->words, "the statement `servers NUMBER` has to come before");
    return rota_sim_range(&r->words, "server", s->n_servers, &action->first, &action->last);
}

/* at TIME [each TIME] server RANGE VERB ... | client RANGE pause for TIME | load FACTOR [for TIME] */
rota_err rota_sim_read_at(struct rota_sim_reading *r)
{
    struct rota_sim_action action = {.for_ns = INT64_MAX};
    struct rota_slice keyword;
    rota_err err = rota_sim_time(&r->words, "when", &action.at_ns);

    if (err == 0 && rota_sim_take(&r->words, "each"))
        err = rota_sim_time(&r->words, "the time between each", &action.each_ns);
    if (err < 0)
        return err;
    if (rota_sim_take(&r->words, "load"))
        return read_load_change(r, &action);
    err = read_whom(r, &action);
    if (err == 0)
        err = rota_sim_word(&r->words, "what happens", &keyword);
    if (err == 0)
        err = rota_sim_read_verb(r, keyword, &action);
    if (err == ROTA_ENOTFOUND)
        return rota_sim_bad(&r->words, "\"%.*s\" is nothing that can happen to a %s", (int)(keyword.size < 40 ? keyword.size : 40),
                            (const char *)keyword.data, action.on_clients ? "client" : "server");
    return err;
}
