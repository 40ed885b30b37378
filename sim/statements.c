/* statements.c - the settings of a scenario: times, counts, load and policies. */
#include "sim/statements.h"
#include "base/alloc.h"
#include "base/assert.h"
#include "wire/service_config.h"
#include <stdio.h>

#define RATE_MAX 1e7

static rota_err read_time(struct rota_sim_reading *r, const char *what, int64_t low_ns, int64_t *ret_ns)
{
    int64_t ns = 0;
    rota_err err = rota_sim_time(&r->words, what, &ns);

    if (err < 0)
        return err;
    if (ns < low_ns)
        return rota_sim_bad(&r->words, "%s is too short", what);
    *ret_ns = ns;
    return 0;
}

static rota_err read_title(struct rota_sim_reading *r)
{
    r->scenario->title = rota_arena_text(&r->scenario->arena, rota_sim_rest(&r->words));
    return r->scenario->title == NULL ? ROTA_ENOMEM : 0;
}

static rota_err read_seed(struct rota_sim_reading *r)
{
    return rota_sim_uint(&r->words, "the seed", 0, UINT64_C(1) << 53, &r->scenario->seed);
}

static rota_err read_duration(struct rota_sim_reading *r)
{
    r->warmup_line = r->line;
    return read_time(r, "the duration", 1000000, &r->scenario->duration_ns);
}

static rota_err read_warmup(struct rota_sim_reading *r)
{
    r->warmup_line = r->line;
    return read_time(r, "the warmup", 0, &r->scenario->warmup_ns);
}

static rota_err read_drain(struct rota_sim_reading *r)
{
    return read_time(r, "the drain", 0, &r->scenario->drain_ns);
}

static rota_err read_window(struct rota_sim_reading *r)
{
    return read_time(r, "the window", 1000000, &r->scenario->window_ns);
}

static rota_err read_jitter(struct rota_sim_reading *r)
{
    return read_time(r, "the jitter", 0, &r->scenario->jitter_ns);
}

static rota_err read_list_delay(struct rota_sim_reading *r)
{
    return read_time(r, "the list's delay", 0, &r->scenario->list_delay_ns);
}

static rota_err read_orca(struct rota_sim_reading *r)
{
    return read_time(r, "the window of load reports", 1000000, &r->scenario->orca_ns);
}

static rota_err read_deadline(struct rota_sim_reading *r)
{
    int64_t ns = 0;
    rota_err err = read_time(r, "the deadline", 1000000, &ns);

    if (err < 0)
        return err;
    if (ns % 1000000 != 0)
        return rota_sim_bad(&r->words, "the deadline has to be whole milliseconds");
    r->scenario->deadline_ns = ns;
    return 0;
}

static rota_err read_keepalive(struct rota_sim_reading *r)
{
    rota_err err = read_time(r, "the keepalive's time", 1000000, &r->scenario->keepalive_ns);

    if (err == 0)
        err = read_time(r, "the keepalive's timeout", 1000000, &r->scenario->keepalive_timeout_ns);
    return err;
}

static rota_err read_clients(struct rota_sim_reading *r)
{
    uint64_t count;
    rota_err err = rota_sim_uint(&r->words, "the number of clients", 1, ROTA_SIM_CLIENTS_MAX, &count);

    if (err < 0)
        return err;
    r->scenario->n_clients = (uint32_t)count;
    return 0;
}

static rota_err read_client_zones(struct rota_sim_reading *r)
{
    uint64_t count;
    rota_err err = rota_sim_uint(&r->words, "the number of the clients' zones", 1, ROTA_SIM_ZONES_MAX, &count);

    if (err == 0)
        r->scenario->n_client_zones = (uint32_t)count;
    return err;
}

static rota_err read_servers(struct rota_sim_reading *r)
{
    struct rota_sim_scenario *s = r->scenario;
    uint64_t count;
    rota_err err = rota_sim_uint(&r->words, "the number of servers", 1, ROTA_SIM_SERVERS_MAX, &count);

    if (err < 0)
        return err;
    if (s->n_servers > 0)
        return rota_sim_bad(&r->words, "the number of servers was given before");
    s->servers = rota_arena_zero(&s->arena, count, sizeof(*s->servers));
    if (s->servers == NULL)
        return ROTA_ENOMEM;
    s->n_servers = (uint32_t)count;
    for (uint32_t i = 0; i < s->n_servers; i++)
        s->servers[i] = (struct rota_sim_server_spec){
            .service = {.shape = ROTA_SIM_CONSTANT, .a_ns = 1000000},
            .latency_ns = 50000,
            .queue = UINT32_MAX,
            .streams = UINT32_MAX,
            .cold = {.factor = 1},
        };
    return 0;
}

/* --- Load --- */

/* "3000/s", "0.5/s", or "60%" of what the servers can do. */
static rota_err read_rate(struct rota_sim_reading *r)
{
    struct rota_slice word, unit;
    double number;
    rota_err err = rota_sim_word(&r->words, "the rate", &word);

    if (err < 0)
        return err;
    if (rota_sim_split_number(word, &number, &unit) && number > 0 && number <= RATE_MAX) {
        r->load_share = rota_slice_equal(unit, ROTA_SLICE("%")) ? number / 100 : 0;
        r->scenario->rate_per_s = number;
        if (r->load_share > 0 || rota_slice_equal(unit, ROTA_SLICE("/s")))
            return 0;
    }
    return rota_sim_bad(&r->words, "the rate is \"%.*s\"; expected calls a second like 3000/s, or a part of the capacity like 60%%",
                        (int)(word.size < 40 ? word.size : 40), (const char *)word.data);
}

static rota_err read_bursts(struct rota_sim_reading *r)
{
    struct rota_sim_scenario *s = r->scenario;
    int64_t on_ns = 0, off_ns = 0;
    rota_err err = read_rate(r);

    if (err == 0 && !rota_sim_take(&r->words, "on"))
        return rota_sim_bad(&r->words, "bursty needs \"on TIME off TIME\" after the rate");
    if (err == 0)
        err = read_time(r, "the time on", 1000, &on_ns);
    if (err == 0 && !rota_sim_take(&r->words, "off"))
        return rota_sim_bad(&r->words, "bursty needs \"off TIME\" after the time on");
    if (err == 0)
        err = read_time(r, "the time off", 1000, &off_ns);
    if (err < 0)
        return err;
    s->burst_ns = on_ns + off_ns;
    s->burst_on_share = (double)on_ns / (double)s->burst_ns;
    return 0;
}

static rota_err read_closed(struct rota_sim_reading *r)
{
    struct rota_sim_scenario *s = r->scenario;
    uint64_t outstanding;
    rota_err err = rota_sim_uint(&r->words, "the number of calls under way", 1, 100000, &outstanding);

    if (err < 0)
        return err;
    s->outstanding = (uint32_t)outstanding;
    s->think = (struct rota_sim_distribution){.shape = ROTA_SIM_CONSTANT};
    return rota_sim_take(&r->words, "think") ? rota_sim_read_distribution(&r->words, "the time to think", &s->think) : 0;
}

static rota_err read_load(struct rota_sim_reading *r)
{
    r->load_line = r->line;
    r->load_share = 0;
    if (rota_sim_take(&r->words, "poisson")) {
        r->scenario->load = ROTA_SIM_POISSON;
        return read_rate(r);
    }
    if (rota_sim_take(&r->words, "constant")) {
        r->scenario->load = ROTA_SIM_EVEN;
        return read_rate(r);
    }
    if (rota_sim_take(&r->words, "bursty")) {
        r->scenario->load = ROTA_SIM_BURSTY;
        return read_bursts(r);
    }
    if (rota_sim_take(&r->words, "closed")) {
        r->scenario->load = ROTA_SIM_CLOSED;
        return read_closed(r);
    }
    return rota_sim_bad(&r->words, "expected one of: load poisson RATE, load constant RATE, load bursty RATE on TIME off TIME, load closed CALLS");
}

/* --- Policies --- */

static rota_err read_json(struct rota_sim_reading *r, const char *what, struct rota_slice *ret_json)
{
    struct rota_slice json = rota_sim_rest(&r->words);

    if (json.size == 0 || json.data[0] != '{' || json.data[json.size - 1] != '}')
        return rota_sim_bad(&r->words, "%s: expected a JSON object", what);
    *ret_json = json;
    return 0;
}

/* Looked at here, since it goes into every policy's service config, and none of these is to blame for it. */
static rota_err read_part(struct rota_sim_reading *r, const char *what, const char *before, const char *after, struct rota_slice *ret_json)
{
    struct rota_service_config *config;
    struct rota_errinfo info = {""};
    size_t size;
    char *text;
    rota_err err = read_json(r, what, ret_json);

    if (err < 0)
        return err;
    size = strlen(before) + ret_json->size + strlen(after) + 1;
    text = rota_arena_get(&r->scenario->arena, size);
    if (text == NULL)
        return ROTA_ENOMEM;
    snprintf(text, size, "%s%.*s%s", before, (int)ret_json->size, (const char *)ret_json->data, after);
    err = rota_service_config_parse(rota_slice_str(text), &r->scenario->arena.as_alloc, &config, &info);
    if (err == 0)
        rota_service_config_free(&r->scenario->arena.as_alloc, config);
    return err == ROTA_EPARSE ? rota_sim_bad(&r->words, "%s: %s", what, info.text) : err;
}

static rota_err read_method(struct rota_sim_reading *r)
{
    return read_part(r, "method", "{\"methodConfig\":[", "]}", &r->method);
}

static rota_err read_throttle(struct rota_sim_reading *r)
{
    return read_part(r, "throttle", "{\"retryThrottling\":", "}", &r->throttle);
}

static bool is_name(struct rota_slice word)
{
    for (size_t i = 0; i < word.size; i++) {
        uint8_t c = word.data[i];
        if (!((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == '-' || c == '+' || c == '.'))
            return false;
    }
    return word.size > 0 && word.size <= 40;
}

static rota_err check_label(struct rota_sim_reading *r, struct rota_slice label)
{
    if (!is_name(label))
        return rota_sim_bad(&r->words, "a policy's label has letters, digits and _ - + . in it, 40 at most");
    for (size_t i = 0; i < r->n_policies; i++)
        if (rota_slice_equal(label, r->policies[i].label))
            return rota_sim_bad(&r->words, "there is a policy \"%.*s\" already", (int)label.size, (const char *)label.data);
    if (r->n_policies == ROTA_SIM_POLICIES_MAX)
        return rota_sim_bad(&r->words, "at most %u policies", ROTA_SIM_POLICIES_MAX);
    return 0;
}

/* policy LABEL [NAME] [PARAMETERS], policy LABEL service-config JSON; the label is the name where none is given */
static rota_err read_policy(struct rota_sim_reading *r)
{
    struct rota_sim_policy_text policy = {.params = ROTA_SLICE("{}"), .line = r->line};
    rota_err err = rota_sim_word(&r->words, "a policy's name", &policy.label);

    if (err == 0)
        err = check_label(r, policy.label);
    if (err < 0)
        return err;
    policy.name = policy.label;
    if (rota_sim_take(&r->words, "service-config")) {
        err = read_json(r, "service-config", &policy.service_config);
    } else if (!rota_sim_words_end(&r->words)) {
        if (rota_sim_peek(&r->words).data[0] != '{')
            err = rota_sim_word(&r->words, "a policy's name", &policy.name);
        if (err == 0 && !is_name(policy.name))
            return rota_sim_bad(&r->words, "expected the name of a policy after the label");
        if (err == 0 && !rota_sim_words_end(&r->words))
            err = read_json(r, "the policy's parameters", &policy.params);
    }
    if (err == 0)
        r->policies[r->n_policies++] = policy;
    return err;
}

rota_err rota_sim_read_setting(struct rota_sim_reading *r, struct rota_slice keyword)
{
    static const struct {
        const char *keyword;
        rota_err (*read)(struct rota_sim_reading *reading);
    } settings[] = {
        {"title", read_title},       {"seed", read_seed},     {"duration", read_duration},     {"warmup", read_warmup},
        {"drain", read_drain},       {"window", read_window}, {"jitter", read_jitter},         {"list-delay", read_list_delay},
        {"orca", read_orca},         {"load", read_load},     {"deadline", read_deadline},     {"keepalive", read_keepalive},
        {"clients", read_clients},   {"method", read_method}, {"servers", read_servers},       {"throttle", read_throttle},
        {"policy", read_policy},     {"client-zones", read_client_zones},
    };

    for (size_t i = 0; i < ROTA_COUNT(settings); i++)
        if (rota_slice_equal(keyword, rota_slice_str(settings[i].keyword)))
            return settings[i].read(r);
    return ROTA_ENOTFOUND;
}
