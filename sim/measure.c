/* measure.c - contract in measure.h; what an episode is stands in result.h. */
#include "sim/measure.h"
#include "base/alloc.h"

#define SECOND_NS INT64_C(1000000000)
#define LEFT_SHARE 0.2
#define BACK_SHARE 0.8

static uint32_t window_of(const struct rota_sim_measure *m, int64_t now_ns)
{
    int64_t window = now_ns / m->scenario->window_ns;

    return window < m->result->n_windows ? (uint32_t)window : m->result->n_windows - 1;
}

static uint32_t *attempts_at(const struct rota_sim_measure *m, uint32_t window, uint32_t server)
{
    return &m->attempts[(size_t)window * m->result->n_servers + server];
}

rota_err rota_sim_measure_init(struct rota_sim_measure *m, const struct rota_sim_scenario *scenario, const struct rota_alloc *alloc,
                               struct rota_sim_result *result)
{
    *m = (struct rota_sim_measure){.scenario = scenario, .alloc = alloc, .result = result};
    m->attempts = rota_alloc_zero(alloc, (size_t)result->n_windows * result->n_servers, sizeof(*m->attempts));
    m->listed = rota_alloc_zero(alloc, result->n_windows, sizeof(*m->listed));
    result->measured_ns = scenario->duration_ns - scenario->warmup_ns;
    return m->attempts == NULL || m->listed == NULL ? ROTA_ENOMEM : 0;
}

void rota_sim_measure_fini(struct rota_sim_measure *m)
{
    rota_alloc_free(m->alloc, m->attempts);
    rota_alloc_free(m->alloc, m->listed);
    m->attempts = m->listed = NULL;
}

static bool counts(const struct rota_sim_measure *m, int64_t at_ns)
{
    return at_ns >= m->scenario->warmup_ns;
}

void rota_sim_measure_attempt(struct rota_sim_measure *m, uint32_t server, bool retry, int64_t now_ns)
{
    uint32_t window = window_of(m, now_ns);

    ++*attempts_at(m, window, server);
    rota_sim_result_windows(m->result)[window].attempts++;
    if (!counts(m, now_ns))
        return;
    m->result->attempts++;
    m->result->retries += retry;
    rota_sim_result_servers(m->result)[server].attempts++;
}

void rota_sim_measure_served(struct rota_sim_measure *m, uint32_t server, bool ok, int64_t now_ns)
{
    struct rota_sim_server_result *s = &rota_sim_result_servers(m->result)[server];

    if (!counts(m, now_ns))
        return;
    if (ok)
        s->ok++;
    else
        s->failed++;
}

void rota_sim_measure_call(struct rota_sim_measure *m, int64_t started_ns, int64_t now_ns, enum rota_code code)
{
    struct rota_sim_window *w = &rota_sim_result_windows(m->result)[window_of(m, now_ns)];
    struct rota_sim_result *r = m->result;

    w->calls++;
    w->failed += code != ROTA_OK;
    if (now_ns - started_ns > w->worst_ns)
        w->worst_ns = now_ns - started_ns;
    if (!counts(m, started_ns))
        return;
    r->calls++;
    r->codes[(unsigned)code < ROTA_SIM_CODES ? (unsigned)code : ROTA_UNKNOWN]++;
    if (code == ROTA_OK) {
        r->ok++;
        rota_sim_histogram_add(&r->latency, now_ns - started_ns);
    }
}

/* It counts with the latency that it has at least. */
void rota_sim_measure_unfinished(struct rota_sim_measure *m, int64_t started_ns, int64_t now_ns)
{
    if (!counts(m, started_ns))
        return;
    m->result->calls++;
    m->result->unfinished++;
    rota_sim_histogram_add(&m->result->latency, now_ns - started_ns);
}

void rota_sim_measure_listed(struct rota_sim_measure *m, uint32_t n_listed, int64_t now_ns)
{
    uint32_t window = window_of(m, now_ns);

    while (m->last_window < window)
        m->listed[m->last_window++] = m->n_listed;
    m->n_listed = n_listed;
}

/* --- Episodes --- */

uint32_t rota_sim_measure_bad(struct rota_sim_measure *m, uint32_t server, enum rota_sim_verb verb, int64_t now_ns)
{
    struct rota_sim_result *r = m->result;

    rota_sim_result_servers(r)[server].bad = true;
    if (r->n_episodes == ROTA_SIM_EPISODES_MAX) {
        r->n_episodes_lost++;
        return 0;
    }
    r->episodes[r->n_episodes++] = (struct rota_sim_episode){
        .server = server,
        .verb = verb,
        .from_ns = now_ns,
        .to_ns = INT64_MAX,
        .leave_ns = -1,
        .return_ns = -1,
    };
    return r->n_episodes;
}

void rota_sim_measure_good(struct rota_sim_measure *m, uint32_t episode, int64_t now_ns)
{
    if (episode > 0)
        m->result->episodes[episode - 1].to_ns = now_ns;
}

/* The server's part of the attempts in windows [from, to), 1 being a fair share; -1 when there were none. */
static double share_of_fair(const struct rota_sim_measure *m, uint32_t server, uint32_t from, uint32_t to)
{
    double fair = 0, got = 0, all = 0;

    for (uint32_t w = from; w < to; w++) {
        double attempts = rota_sim_result_windows(m->result)[w].attempts;
        all += attempts;
        got += *attempts_at(m, w, server);
        fair += attempts / (m->listed[w] == 0 ? 1 : m->listed[w]);
    }
    return all == 0 ? -1 : got / fair;
}

static uint32_t window_from(const struct rota_sim_measure *m, int64_t at_ns)
{
    int64_t window = (at_ns + m->scenario->window_ns - 1) / m->scenario->window_ns;

    return window < m->result->n_windows ? (uint32_t)window : m->result->n_windows;
}

/* When the server was bad next, or the end of the load. */
static int64_t next_bad_ns(const struct rota_sim_measure *m, const struct rota_sim_episode *e)
{
    int64_t next_ns = m->scenario->duration_ns;

    for (uint32_t i = 0; i < m->result->n_episodes; i++) {
        const struct rota_sim_episode *other = &m->result->episodes[i];
        if (other->server == e->server && other->from_ns >= e->to_ns && other->from_ns < next_ns)
            next_ns = other->from_ns;
    }
    return next_ns;
}

static void finish_leave(const struct rota_sim_measure *m, struct rota_sim_episode *e, uint32_t second)
{
    int64_t to_ns = e->to_ns < m->scenario->duration_ns ? e->to_ns : m->scenario->duration_ns;
    uint32_t end = (uint32_t)(to_ns / m->scenario->window_ns), late = window_from(m, e->from_ns + SECOND_NS);
    uint64_t all = 0;

    for (uint32_t w = window_from(m, e->from_ns); w + second <= end && e->leave_ns < 0; w++) {
        double share = share_of_fair(m, e->server, w, w + second);
        if (share >= 0 && share < LEFT_SHARE)
            e->leave_ns = w * m->scenario->window_ns - e->from_ns;
    }
    for (uint32_t w = late; w < end; w++) {
        e->late_attempts += *attempts_at(m, w, e->server);
        all += rota_sim_result_windows(m->result)[w].attempts;
    }
    e->late_share = all == 0 ? 0 : (double)e->late_attempts / (double)all;
    if (window_from(m, e->from_ns) + second > end)
        e->leave_ns = -2;
}

static void finish_return(const struct rota_sim_measure *m, struct rota_sim_episode *e, uint32_t second)
{
    int64_t limit_ns;
    uint32_t end;

    if (e->to_ns >= m->scenario->duration_ns) {
        e->return_ns = -2;
        return;
    }
    limit_ns = next_bad_ns(m, e);
    end = (uint32_t)(limit_ns / m->scenario->window_ns);
    for (uint32_t w = window_from(m, e->to_ns); w + second <= end && e->return_ns < 0; w++)
        if (share_of_fair(m, e->server, w, w + second) >= BACK_SHARE)
            e->return_ns = (int64_t)(w + second) * m->scenario->window_ns - e->to_ns;
    if (window_from(m, e->to_ns) + second > end)
        e->return_ns = -2;
}

void rota_sim_measure_finish(struct rota_sim_measure *m, int64_t now_ns)
{
    struct rota_sim_result *r = m->result;
    int64_t second = (SECOND_NS + m->scenario->window_ns - 1) / m->scenario->window_ns;

    rota_sim_measure_listed(m, m->n_listed, now_ns);
    while (m->last_window < r->n_windows)
        m->listed[m->last_window++] = m->n_listed;
    for (uint32_t w = 0; w < r->n_windows; w++)
        for (uint32_t s = 0; s < r->n_servers; s++)
            if (rota_sim_result_servers(r)[s].bad)
                rota_sim_result_windows(r)[w].bad_attempts += *attempts_at(m, w, s);
    for (uint32_t i = 0; i < r->n_episodes; i++) {
        finish_leave(m, &r->episodes[i], (uint32_t)second);
        finish_return(m, &r->episodes[i], (uint32_t)second);
    }
}
