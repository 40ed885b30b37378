/* servers.c - what the statement `server` says of servers, and distributions of times. */
#include "base/assert.h"
#include "sim/statements.h"

static rota_err read_quantiles(struct rota_sim_words *words, const char *what, struct rota_sim_distribution *d)
{
    d->shape = ROTA_SIM_QUANTILES;
    while (d->n_points == 0 || !rota_sim_words_end(words)) {
        size_t i = d->n_points;
        rota_err err;

        if (i == ROTA_SIM_QUANTILES_MAX)
            return rota_sim_bad(words, "%s: at most %d quantiles", what, ROTA_SIM_QUANTILES_MAX);
        err = rota_sim_percent(words, what, 1, &d->points[i]);
        if (err == 0)
            err = rota_sim_time(words, what, &d->point_ns[i]);
        if (err < 0)
            return err;
        if (i > 0 && (d->points[i] <= d->points[i - 1] || d->point_ns[i] < d->point_ns[i - 1]))
            return rota_sim_bad(words, "%s: quantiles and their times have to grow", what);
        d->n_points++;
    }
    return 0;
}

static rota_err read_bimodal(struct rota_sim_words *words, const char *what, struct rota_sim_distribution *d)
{
    rota_err err = rota_sim_time(words, what, &d->a_ns);

    d->shape = ROTA_SIM_BIMODAL;
    if (err == 0)
        err = rota_sim_percent(words, what, 1, &d->share);
    return err < 0 ? err : rota_sim_time(words, what, &d->b_ns);
}

rota_err rota_sim_read_distribution(struct rota_sim_words *words, const char *what, struct rota_sim_distribution *ret_distribution)
{
    struct rota_sim_distribution d = {.shape = ROTA_SIM_CONSTANT};
    rota_err err;

    if (rota_sim_take(words, "constant")) {
        err = rota_sim_time(words, what, &d.a_ns);
    } else if (rota_sim_take(words, "exponential")) {
        d.shape = ROTA_SIM_EXPONENTIAL;
        err = rota_sim_time(words, what, &d.a_ns);
    } else if (rota_sim_take(words, "lognormal")) {
        d.shape = ROTA_SIM_LOGNORMAL;
        err = rota_sim_time(words, what, &d.a_ns);
        if (err == 0)
            err = rota_sim_number(words, "sigma", 0, 4, &d.sigma);
    } else if (rota_sim_take(words, "bimodal")) {
        err = read_bimodal(words, what, &d);
    } else if (rota_sim_take(words, "quantiles")) {
        err = read_quantiles(words, what, &d);
    } else {
        return rota_sim_bad(words,
                            "%s: expected constant TIME, exponential MEAN, lognormal MEDIAN SIGMA, bimodal TIME SHARE TIME or quantiles SHARE TIME ...", what);
    }
    if (err == 0)
        *ret_distribution = d;
    return err;
}

/* --- Attributes: read once, then copied to all servers of the statement --- */

static rota_err read_service(struct rota_sim_words *words, struct rota_sim_server_spec *spec)
{
    return rota_sim_read_distribution(words, "the service time", &spec->service);
}

static rota_err read_latency(struct rota_sim_words *words, struct rota_sim_server_spec *spec)
{
    return rota_sim_time(words, "the latency", &spec->latency_ns);
}

static rota_err read_count(struct rota_sim_words *words, const char *what, const char *any, uint32_t any_value, uint32_t low, uint32_t *ret_count)
{
    uint64_t number;
    rota_err err;

    if (rota_sim_take(words, any)) {
        *ret_count = any_value;
        return 0;
    }
    err = rota_sim_uint(words, what, low, 1000000000, &number);
    if (err == 0)
        *ret_count = (uint32_t)number;
    return err;
}

static rota_err read_slots(struct rota_sim_words *words, struct rota_sim_server_spec *spec)
{
    return read_count(words, "the number of slots", "unlimited", 0, 1, &spec->slots);
}

static rota_err read_queue(struct rota_sim_words *words, struct rota_sim_server_spec *spec)
{
    return read_count(words, "the length of the queue", "unlimited", UINT32_MAX, 0, &spec->queue);
}

static rota_err read_streams(struct rota_sim_words *words, struct rota_sim_server_spec *spec)
{
    return read_count(words, "the number of streams", "unlimited", UINT32_MAX, 1, &spec->streams);
}

static rota_err read_weight(struct rota_sim_words *words, struct rota_sim_server_spec *spec)
{
    return read_count(words, "the weight", "none", 0, 1, &spec->weight);
}

static rota_err read_zone(struct rota_sim_words *words, struct rota_sim_server_spec *spec)
{
    uint64_t number = 0;
    bool none = rota_sim_take(words, "none");
    rota_err err = none ? 0 : rota_sim_uint(words, "the number of the zone", 0, ROTA_SIM_ZONES_MAX - 1, &number);

    if (err == 0)
        spec->zone = none ? 0 : (uint32_t)number + 1;
    return err;
}

static rota_err read_cold(struct rota_sim_words *words, struct rota_sim_server_spec *spec)
{
    rota_err err = rota_sim_number(words, "how many times slower a cold server is", 1, 1000, &spec->cold.factor);

    return err < 0 ? err : rota_sim_time(words, "the time to warm up", &spec->cold.ns);
}

static rota_err read_absent(struct rota_sim_words *words, struct rota_sim_server_spec *spec)
{
    (void)words;
    spec->absent = true;
    return 0;
}

#define FIELD(name) offsetof(struct rota_sim_server_spec, name), sizeof(((struct rota_sim_server_spec *)NULL)->name)

static const struct attribute {
    const char *keyword;
    size_t offset, size; /* what it writes */
    rota_err (*read)(struct rota_sim_words *words, struct rota_sim_server_spec *spec);
} attributes[] = {
    {"service", FIELD(service), read_service}, {"latency", FIELD(latency_ns), read_latency}, {"slots", FIELD(slots), read_slots},
    {"queue", FIELD(queue), read_queue},       {"streams", FIELD(streams), read_streams},    {"weight", FIELD(weight), read_weight},
    {"cold", FIELD(cold), read_cold},          {"absent", FIELD(absent), read_absent},    {"zone", FIELD(zone), read_zone},
};

rota_err rota_sim_read_attribute(struct rota_sim_reading *r, struct rota_slice keyword, uint32_t first, uint32_t last)
{
    struct rota_sim_scenario *s = r->scenario;
    struct rota_sim_server_spec spec;
    const struct attribute *a = attributes;
    rota_err err;

    while (a < attributes + ROTA_COUNT(attributes) && !rota_slice_equal(keyword, rota_slice_str(a->keyword)))
        a++;
    if (a == attributes + ROTA_COUNT(attributes))
        return ROTA_ENOTFOUND;
    if (s->n_servers == 0)
        return rota_sim_bad(&r->words, "the statement `servers NUMBER` has to come before");
    err = a->read(&r->words, &spec);
    for (uint32_t k = first; err == 0 && k <= last; k++)
        memcpy((char *)&s->servers[k] + a->offset, (const char *)&spec + a->offset, a->size);
    return err;
}

rota_err rota_sim_read_server(struct rota_sim_reading *r)
{
    struct rota_sim_action action = {.for_ns = INT64_MAX};
    struct rota_slice keyword;
    rota_err err;

    if (r->scenario->n_servers == 0)
        return rota_sim_bad(&r->words, "the statement `servers NUMBER` has to come before");
    err = rota_sim_range(&r->words, "server", r->scenario->n_servers, &action.first, &action.last);
    if (err == 0)
        err = rota_sim_word(&r->words, "what the server is like", &keyword);
    if (err < 0)
        return err;
    err = rota_sim_read_attribute(r, keyword, action.first, action.last);
    if (err == ROTA_ENOTFOUND)
        err = rota_sim_read_verb(r, keyword, &action);
    if (err == ROTA_ENOTFOUND)
        return rota_sim_bad(&r->words, "\"%.*s\" is nothing that a server can be", (int)(keyword.size < 40 ? keyword.size : 40),
                            (const char *)keyword.data);
    return err;
}
