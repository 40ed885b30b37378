/* parse.c - a scenario from its text: lines, statements, and what can only be known at the end. */
#include "base/alloc.h"
#include "base/errinfo.h"
#include "sim/statements.h"
#include <stdio.h>

#define TEXT_MAX ((size_t)1 << 20)

static bool is_space(char c)
{
    return c == ' ' || c == '\t';
}

/* Comments become blanks, so that places stay. */
static void blank_comments(char *text, size_t size)
{
    bool inside = false;

    for (size_t i = 0; i < size; i++) {
        if (text[i] == '\n')
            inside = false;
        else if (text[i] == '#' && (i == 0 || is_space(text[i - 1]) || text[i - 1] == '\n'))
            inside = true;
        if (inside)
            text[i] = ' ';
    }
}

/* Up to a line that does not begin with a blank. */
static size_t statement_size(const char *text, size_t size)
{
    for (size_t i = 0; i < size; i++)
        if (text[i] == '\n' && (i + 1 == size || !is_space(text[i + 1])))
            return i + 1;
    return size;
}

static rota_err read_statement(struct rota_sim_reading *r)
{
    struct rota_sim_words *words = &r->words;
    struct rota_slice keyword;
    rota_err err;

    if (rota_sim_words_end(words))
        return 0;
    err = rota_sim_word(words, "a statement", &keyword);
    if (err < 0)
        return err;
    if (rota_slice_equal(keyword, ROTA_SLICE("at")))
        err = rota_sim_read_at(r);
    else if (rota_slice_equal(keyword, ROTA_SLICE("server")))
        err = rota_sim_read_server(r);
    else
        err = rota_sim_read_setting(r, keyword);
    if (err == ROTA_ENOTFOUND)
        err = rota_sim_read_attribute(r, keyword, 0, r->scenario->n_servers == 0 ? 0 : r->scenario->n_servers - 1);
    if (err == ROTA_ENOTFOUND)
        err = rota_sim_bad(words, "\"%.*s\" is no statement", (int)(keyword.size < 40 ? keyword.size : 40), (const char *)keyword.data);
    return err < 0 ? err : rota_sim_end(words);
}

static rota_err read_all(struct rota_sim_reading *r, const char *name, char *text, size_t size)
{
    char place[200];

    r->line = 1;
    blank_comments(text, size);
    while (size > 0) {
        size_t statement = statement_size(text, size);
        rota_err err;

        snprintf(place, sizeof(place), "%.150s:%zu", name, r->line);
        r->words.place = place;
        r->words.rest = rota_slice(text, statement);
        err = read_statement(r);
        if (err < 0)
            return err;
        for (size_t i = 0; i < statement; i++)
            r->line += text[i] == '\n';
        text += statement;
        size -= statement;
    }
    return 0;
}

/* --- What is put together at the end --- */

static rota_err add_policy(struct rota_sim_scenario *s, const char *label, const char *service_config, size_t line)
{
    const struct rota_alloc *alloc = &s->arena.as_alloc;

    if (label == NULL || service_config == NULL || rota_alloc_reserve(alloc, &s->policies, &s->policies_cap, s->n_policies + 1, sizeof(*s->policies)) < 0)
        return ROTA_ENOMEM;
    s->policies[s->n_policies++] = (struct rota_sim_policy){.label = label, .service_config = service_config, .line = line};
    return 0;
}

static const char *compose(struct rota_sim_scenario *s, const struct rota_sim_reading *r, const struct rota_sim_policy_text *policy)
{
    size_t size = policy->name.size + policy->params.size + r->method.size + r->throttle.size + 120;
    char *text = rota_arena_get(&s->arena, size);
    int at;

    if (text == NULL)
        return NULL;
    at = snprintf(text, size, "{\"loadBalancingConfig\":[{\"%.*s\":%.*s}]", (int)policy->name.size, (const char *)policy->name.data,
                  (int)policy->params.size, (const char *)policy->params.data);
    if (r->method.size > 0)
        at += snprintf(text + at, size - (size_t)at, ",\"methodConfig\":[%.*s]", (int)r->method.size, (const char *)r->method.data);
    if (r->throttle.size > 0)
        at += snprintf(text + at, size - (size_t)at, ",\"retryThrottling\":%.*s", (int)r->throttle.size, (const char *)r->throttle.data);
    snprintf(text + at, size - (size_t)at, "}");
    return text;
}

static rota_err finish_policies(struct rota_sim_reading *r)
{
    struct rota_sim_scenario *s = r->scenario;
    rota_err err = 0;

    for (size_t i = 0; i < r->n_policies && err == 0; i++) {
        const struct rota_sim_policy_text *policy = &r->policies[i];
        const char *config = policy->service_config.size > 0 ? rota_arena_text(&s->arena, policy->service_config) : compose(s, r, policy);
        err = add_policy(s, rota_arena_text(&s->arena, policy->label), config, policy->line);
    }
    return err;
}

double rota_sim_scenario_capacity(const struct rota_sim_scenario *s)
{
    double capacity = 0;

    for (uint32_t i = 0; i < s->n_servers; i++) {
        double slow = 1, mean_ns = rota_sim_mean_ns(&s->servers[i].service);
        if (s->servers[i].absent)
            continue;
        for (size_t k = 0; k < s->n_actions; k++)
            if (s->actions[k].verb == ROTA_SIM_SLOW && s->actions[k].at_ns == 0 && s->actions[k].first <= i && i <= s->actions[k].last)
                slow = s->actions[k].factor;
        if (s->servers[i].slots == 0 || mean_ns * slow <= 0)
            return 0;
        capacity += s->servers[i].slots * 1e9 / (mean_ns * slow);
    }
    return capacity;
}

static rota_err finish(struct rota_sim_reading *r, const char *name, struct rota_errinfo *info)
{
    struct rota_sim_scenario *s = r->scenario;

    if (s->n_servers == 0)
        return rota_errinfo_set(info, ROTA_EPARSE, "%s: no `servers` statement", name);
    if (r->load_line == 0)
        return rota_errinfo_set(info, ROTA_EPARSE, "%s: no `load` statement", name);
    if (r->n_policies == 0)
        return rota_errinfo_set(info, ROTA_EPARSE, "%s: no `policy` statement", name);
    if (s->warmup_ns >= s->duration_ns)
        return rota_errinfo_set(info, ROTA_EPARSE, "%s:%zu: the warmup is as long as the duration, so nothing would be measured", name, r->warmup_line);
    if (r->load_share > 0) {
        s->rate_per_s = r->load_share * rota_sim_scenario_capacity(s);
        if (s->rate_per_s <= 0 || s->rate_per_s > 1e7)
            return rota_errinfo_set(info, ROTA_EPARSE, "%s:%zu: a load in percent needs servers with slots and a service time above 0", name, r->load_line);
    }
    return finish_policies(r);
}

/* --- From outside --- */

static void set_defaults(struct rota_sim_scenario *s)
{
    s->title = "";
    s->seed = 1;
    s->duration_ns = INT64_C(10000000000);
    s->warmup_ns = INT64_C(1000000000);
    s->drain_ns = INT64_C(5000000000);
    s->window_ns = INT64_C(100000000);
    s->n_clients = 1;
    s->keepalive_timeout_ns = INT64_C(20000000000);
}

rota_err rota_sim_scenario_parse(const char *name, struct rota_slice text, const struct rota_alloc *alloc, struct rota_sim_scenario **ret_scenario,
                                 struct rota_errinfo *info)
{
    struct rota_sim_scenario *s;
    struct rota_sim_reading reading = {.words = {.info = info}};
    char *copy;
    rota_err err = ROTA_ENOMEM;

    if (text.size > TEXT_MAX)
        return rota_errinfo_set(info, ROTA_EPARSE, "%s: longer than %zu bytes", name, TEXT_MAX);
    s = rota_alloc_zero(alloc, 1, sizeof(*s));
    if (s == NULL)
        return rota_errinfo_set(info, ROTA_ENOMEM, "%s: out of memory", name);
    rota_arena_init(&s->arena, alloc, 0);
    set_defaults(s);
    reading.scenario = s;
    copy = rota_arena_text(&s->arena, text);
    if (copy != NULL)
        err = read_all(&reading, name, copy, text.size);
    if (err == 0)
        err = finish(&reading, name, info);
    if (err < 0) {
        if (err == ROTA_ENOMEM)
            (void)rota_errinfo_set(info, err, "%s: out of memory", name);
        rota_sim_scenario_free(s);
        return err;
    }
    *ret_scenario = s;
    return 0;
}

void rota_sim_scenario_free(struct rota_sim_scenario *s)
{
    const struct rota_alloc *alloc;

    if (s == NULL)
        return;
    alloc = s->arena.alloc;
    rota_arena_fini(&s->arena);
    rota_alloc_free(alloc, s);
}

/* --- Other policies than the text's --- */

static rota_err choose_one(struct rota_sim_scenario *s, const struct rota_sim_policy *given, size_t n_given, struct rota_slice name, struct rota_errinfo *info)
{
    struct rota_sim_reading none = {.scenario = s};
    struct rota_sim_policy_text text = {.name = name, .params = ROTA_SLICE("{}")};

    if (s->n_policies == ROTA_SIM_POLICIES_MAX)
        return rota_errinfo_set(info, ROTA_EPARSE, "at most %u policies", ROTA_SIM_POLICIES_MAX);
    for (size_t i = 0; i < n_given; i++)
        if (rota_slice_equal(name, rota_slice_str(given[i].label)))
            return add_policy(s, given[i].label, given[i].service_config, given[i].line);
    if (name.size == 0 || name.size > 60)
        return rota_errinfo_set(info, ROTA_EPARSE, "policies are names separated by commas");
    return add_policy(s, rota_arena_text(&s->arena, name), compose(s, &none, &text), 0);
}

rota_err rota_sim_scenario_choose(struct rota_sim_scenario *s, const char *names, struct rota_errinfo *info)
{
    const struct rota_sim_policy *given = s->policies;
    size_t n_given = s->n_policies;
    rota_err err = 0;

    s->policies = NULL;
    s->n_policies = s->policies_cap = 0;
    do {
        size_t size = strcspn(names, ",");
        err = choose_one(s, given, n_given, rota_slice(names, size), info);
        names += size;
    } while (err == 0 && *names++ == ',');
    return err;
}
