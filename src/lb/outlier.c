/* outlier.c - contract in outlier.h. The steps and their order are those of gRFC A50, "Ejection algorithm". */
#include "lb/outlier.h"
#include <math.h>

struct sweep {
    const struct rota_outlier_config *config;
    const struct rota_lb_env *env;
    struct rota_outlier_host *const *hosts;
    size_t count;
    int64_t now_ns;
    size_t n_ejected;
};

static uint64_t volume(const struct rota_outlier_host *host)
{
    return host->sweep_succeeded + host->sweep_failed;
}

static double success_rate(const struct rota_outlier_host *host)
{
    return (double)host->sweep_succeeded / (double)volume(host);
}

static bool counts(const struct rota_outlier_host *host, const struct rota_outlier_rule *rule)
{
    return volume(host) > 0 && volume(host) >= rule->request_volume;
}

/* Tested before each ejection, so that one may always go, whatever the percentage. */
static bool is_full(const struct sweep *s)
{
    return (double)s->n_ejected * 100 >= (double)s->config->max_ejection_percent * (double)s->count;
}

static void eject(struct sweep *s, struct rota_outlier_host *host, const struct rota_outlier_rule *rule)
{
    if (rota_outlier_is_ejected(host) || rota_lb_random_below(s->env, 100) >= rule->enforcement_percent)
        return;
    host->ejected_ns = s->now_ns;
    host->ejected_failed = host->sweep_failed;
    host->ejected_calls = volume(host);
    host->multiplier++;
    s->n_ejected++;
}

static size_t count_hosts(const struct sweep *s, const struct rota_outlier_rule *rule)
{
    size_t enough = 0;

    for (size_t i = 0; i < s->count; i++)
        enough += counts(s->hosts[i], rule);
    return enough;
}

/* The mean less so many population standard deviations. */
static double least_success_rate(const struct sweep *s, const struct rota_outlier_rule *rule, size_t enough)
{
    double sum = 0, squares = 0, mean;

    for (size_t i = 0; i < s->count; i++)
        sum += counts(s->hosts[i], rule) ? success_rate(s->hosts[i]) : 0;
    mean = sum / (double)enough;
    for (size_t i = 0; i < s->count; i++) {
        double off = counts(s->hosts[i], rule) ? success_rate(s->hosts[i]) - mean : 0;
        squares += off * off;
    }
    return mean - sqrt(squares / (double)enough) * (rule->limit / 1000.0);
}

static void eject_by_success_rate(struct sweep *s)
{
    const struct rota_outlier_rule *rule = &s->config->success_rate;
    size_t enough = count_hosts(s, rule);
    double least;

    if (enough == 0 || enough < rule->minimum_hosts)
        return;
    least = least_success_rate(s, rule, enough);
    for (size_t i = 0; i < s->count && !is_full(s); i++)
        if (counts(s->hosts[i], rule) && success_rate(s->hosts[i]) < least)
            eject(s, s->hosts[i], rule);
}

static void eject_by_failures(struct sweep *s)
{
    const struct rota_outlier_rule *rule = &s->config->failures;

    if (count_hosts(s, rule) < rule->minimum_hosts)
        return;
    for (size_t i = 0; i < s->count && !is_full(s); i++)
        if (counts(s->hosts[i], rule) && s->hosts[i]->sweep_failed * 100 > rule->limit * volume(s->hosts[i]))
            eject(s, s->hosts[i], rule);
}

static int64_t term_ns(const struct rota_outlier_config *config, uint32_t multiplier)
{
    int64_t most_ns = config->max_ejection_ns > config->base_ejection_ns ? config->max_ejection_ns : config->base_ejection_ns;

    /* Divided, so that nothing overflows. */
    return config->base_ejection_ns > most_ns / multiplier ? most_ns : config->base_ejection_ns * multiplier;
}

static void bring_back(const struct sweep *s, struct rota_outlier_host *host)
{
    if (!rota_outlier_is_ejected(host)) {
        host->multiplier -= host->multiplier > 0;
        return;
    }
    if (s->now_ns - host->ejected_ns > term_ns(s->config, host->multiplier))
        host->ejected_ns = INT64_MAX;
}

void rota_outlier_sweep(const struct rota_outlier_config *config, const struct rota_lb_env *env, struct rota_outlier_host *const *hosts,
                        size_t count, int64_t now_ns)
{
    struct sweep s = {config, env, hosts, count, now_ns, 0};

    for (size_t i = 0; i < count; i++) {
        hosts[i]->sweep_succeeded = hosts[i]->succeeded;
        hosts[i]->sweep_failed = hosts[i]->failed;
        hosts[i]->succeeded = hosts[i]->failed = 0;
        s.n_ejected += rota_outlier_is_ejected(hosts[i]);
    }
    if (config->success_rate.on)
        eject_by_success_rate(&s);
    if (config->failures.on)
        eject_by_failures(&s);
    for (size_t i = 0; i < count; i++)
        bring_back(&s, hosts[i]);
}
