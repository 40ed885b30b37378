/* outlier_detection.c - leaves endpoints alone for a while whose calls fail more than others' do (gRFC A50, A61).
 *
 * It counts how calls end, by endpoint, and sweeps each interval. An ejected endpoint keeps its connection; its health tells the
 * petiole policies below to pass it over. Calls through a child that has no leaf for each endpoint are not counted.
 *
 * Invariants: `hosts` are those of the newest list, in its order, each with a health; a host with calls under way outlives its
 * place in the list, in `gone`. Elsewhere: who is an outlier (outlier.c), healths (health.c), the child's state (wrapper.c).
 */
#include "lb/outlier_detection.h"
#include "base/alloc.h"
#include "base/assert.h"
#include "base/list.h"
#include "base/log.h"
#include "base/map.h"
#include "lb/identity.h"
#include <math.h>

struct host {
    struct rota_outlier_host stats;
    const struct rota_endpoint *endpoint; /* referenced */
    struct rota_lb_health *health;        /* NULL: gone */
    struct host *same_hash;               /* another one in by_hash */
    struct rota_link gone;
    uint64_t hash;
    uint64_t n_calls;
    uint64_t list; /* the number of the last list that had it */
    bool told_ejected;
    bool fresh; /* made for a list that is not taken over yet */
};

struct outlier_detection {
    struct rota_wrapper wrapper;
    const struct rota_outlier_config *config;
    struct rota_outlier_host **hosts; /* each a struct host */
    size_t n_hosts;
    struct rota_idmap by_hash; /* of hosts */
    struct rota_link gone;
    uint64_t seed, list;
    bool timer_set;
};

static struct host *host_at(const struct outlier_detection *od, size_t i)
{
    return ROTA_CONTAINER(od->hosts[i], struct host, stats);
}

/* --- Hosts --- */

static void host_release(struct outlier_detection *od, struct host *host)
{
    rota_endpoint_unref(host->endpoint);
    rota_alloc_free(od->wrapper.env->alloc, host);
}

static void unhash(struct outlier_detection *od, struct host *host)
{
    struct host *first = rota_idmap_get(&od->by_hash, host->hash);

    if (first != host) {
        while (first->same_hash != host)
            first = first->same_hash;
        first->same_hash = host->same_hash;
    } else if (host->same_hash != NULL) {
        /* Replacing a value needs no memory. */
        ROTA_ASSERT(rota_idmap_set(&od->by_hash, host->hash, host->same_hash) == 0);
    } else {
        rota_idmap_remove(&od->by_hash, host->hash);
    }
}

static void host_drop(struct outlier_detection *od, struct host *host, struct rota_lb_cmds *cmds)
{
    unhash(od, host);
    rota_lb_health_free(cmds, host->health);
    host->health = NULL;
    if (host->n_calls > 0)
        rota_list_append(&od->gone, &host->gone);
    else
        host_release(od, host);
}

static struct host *host_new(struct outlier_detection *od, const struct rota_endpoint *endpoint, uint64_t hash, struct rota_lb_cmds *cmds)
{
    struct host *host = rota_alloc_zero(od->wrapper.env->alloc, 1, sizeof(*host));

    if (host == NULL)
        return NULL;
    host->stats.ejected_ns = INT64_MAX;
    host->fresh = true;
    host->hash = hash;
    host->same_hash = rota_idmap_get(&od->by_hash, hash);
    rota_list_init(&host->gone);
    if (rota_lb_health_new(cmds, endpoint, host, &host->health) < 0) {
        rota_alloc_free(od->wrapper.env->alloc, host);
        return NULL;
    }
    if (rota_idmap_set(&od->by_hash, hash, host) < 0) {
        rota_lb_health_free(cmds, host->health);
        rota_alloc_free(od->wrapper.env->alloc, host);
        return NULL;
    }
    host->endpoint = rota_endpoint_ref(endpoint);
    return host;
}

/* The host of an endpoint, made if need be; NULL without memory. */
static struct host *host_for(struct outlier_detection *od, size_t i, const struct rota_endpoint *endpoint, struct rota_lb_cmds *cmds)
{
    struct host *host = i < od->n_hosts ? host_at(od, i) : NULL;
    uint64_t hash;

    if (host != NULL && host->endpoint == endpoint)
        return host;
    hash = rota_lb_identity_hash(endpoint, od->seed);
    host = rota_idmap_get(&od->by_hash, hash);
    while (host != NULL && !rota_endpoint_same(host->endpoint, endpoint))
        host = host->same_hash;
    return host != NULL ? host : host_new(od, endpoint, hash, cmds);
}

struct roster {
    struct rota_outlier_host **hosts;
    size_t count;
};

/* Undoes make_roster: leaves that heed the healths there are may stay as well. */
static void drop_roster(struct outlier_detection *od, struct roster *roster, struct rota_lb_cmds *cmds)
{
    for (size_t i = 0; i < roster->count; i++) {
        struct host *host = ROTA_CONTAINER(roster->hosts[i], struct host, stats);
        if (host->fresh)
            host_drop(od, host, cmds);
    }
    rota_alloc_free(od->wrapper.env->alloc, roster->hosts);
}

/* Hosts for the list's endpoints, beside those there are. ROTA_ENOMEM: none was made. */
static rota_err make_roster(struct outlier_detection *od, const struct rota_endpoint *const *endpoints, size_t count, struct rota_lb_cmds *cmds,
                            struct roster *ret_roster)
{
    struct roster roster = {.hosts = rota_alloc_zero(od->wrapper.env->alloc, count, sizeof(*roster.hosts))};

    if (roster.hosts == NULL)
        return ROTA_ENOMEM;
    od->list++;
    for (size_t i = 0; i < count; i++) {
        struct host *host = host_for(od, i, endpoints[i], cmds);
        if (host == NULL) {
            drop_roster(od, &roster, cmds);
            return ROTA_ENOMEM;
        }
        if (host->list == od->list)
            continue;
        host->list = od->list;
        rota_endpoint_ref(endpoints[i]);
        rota_endpoint_unref(host->endpoint);
        host->endpoint = endpoints[i];
        roster.hosts[roster.count++] = &host->stats;
    }
    *ret_roster = roster;
    return 0;
}

/* Those that are not in it go. */
static void take_roster(struct outlier_detection *od, const struct roster *roster, struct rota_lb_cmds *cmds)
{
    for (size_t i = 0; i < od->n_hosts; i++)
        if (host_at(od, i)->list != od->list)
            host_drop(od, host_at(od, i), cmds);
    rota_alloc_free(od->wrapper.env->alloc, od->hosts);
    od->hosts = roster->hosts;
    od->n_hosts = roster->count;
    for (size_t i = 0; i < od->n_hosts; i++)
        host_at(od, i)->fresh = false;
}

/* --- Events --- */

/* Leaves look for their healths once: no list goes down without all the new ones, and the old ones stay until it does. */
static rota_err take_list(struct outlier_detection *od, const struct rota_endpoint *const *endpoints, size_t count, struct rota_lb_cmds *cmds)
{
    struct roster roster;
    rota_err err = make_roster(od, endpoints, count, cmds, &roster);

    if (err < 0) {
        rota_wrapper_refused(&od->wrapper, err, cmds);
        return err;
    }
    err = rota_wrapper_endpoints(&od->wrapper, endpoints, count, cmds);
    if (err < 0)
        drop_roster(od, &roster, cmds);
    else
        take_roster(od, &roster, cmds);
    return err;
}

static rota_err on_endpoints(void *state, const struct rota_endpoint *const *endpoints, size_t count, int64_t now_ns,
                             struct rota_lb_cmds *cmds)
{
    struct outlier_detection *od = state;
    bool counting = od->config->success_rate.on || od->config->failures.on;
    rota_err err = counting ? take_list(od, endpoints, count, cmds) : rota_wrapper_endpoints(&od->wrapper, endpoints, count, cmds);

    if (counting && !od->timer_set)
        rota_lb_wake_at(cmds, now_ns + od->config->interval_ns);
    od->timer_set = true;
    return err == 0 && count == 0 ? ROTA_EINVAL : err;
}

/* A91 counts ejections; here they are logged. */
static void tell(struct outlier_detection *od, struct host *host, struct rota_lb_cmds *cmds)
{
    static const struct rota_status ejected = {ROTA_UNAVAILABLE, "ejected by outlier detection"};

    host->told_ejected = rota_outlier_is_ejected(&host->stats);
    rota_lb_health_set(cmds, host->health, host->told_ejected ? &ejected : NULL);
    rota_log_write(od->wrapper.env->log, ROTA_LOG_INFO, "lb", "outlier detection: %s %s (%llu of %llu calls had failed)",
        host->endpoint->addresses[0].text, host->told_ejected ? "is ejected" : "is back", (unsigned long long)host->stats.ejected_failed,
        (unsigned long long)host->stats.ejected_calls);
}

static void on_timer(void *state, int64_t now_ns, struct rota_lb_cmds *cmds)
{
    struct outlier_detection *od = state;

    rota_outlier_sweep(od->config, od->wrapper.env, od->hosts, od->n_hosts, now_ns);
    for (size_t i = 0; i < od->n_hosts; i++)
        if (host_at(od, i)->told_ejected != rota_outlier_is_ejected(od->hosts[i]))
            tell(od, host_at(od, i), cmds);
    rota_lb_wake_at(cmds, now_ns + od->config->interval_ns);
}

static void explain(const struct outlier_detection *od, const struct rota_call_info *call)
{
    size_t n_ejected = 0;

    for (size_t i = 0; i < od->n_hosts; i++) {
        const struct host *host = host_at(od, i);

        if (!rota_outlier_is_ejected(&host->stats))
            continue;
        n_ejected++;
        rota_lb_trace(call, host->endpoint, NAN, "ejected %.1f s ago, %llu of %llu calls had failed", (double)(call->now_ns - host->stats.ejected_ns) / 1e9,
            (unsigned long long)host->stats.ejected_failed, (unsigned long long)host->stats.ejected_calls);
    }
    if (!od->config->success_rate.on && !od->config->failures.on)
        rota_lb_trace(call, NULL, NAN, "neither of its rules is on");
    else
        rota_lb_trace(call, NULL, NAN, "%zu of %zu ejected", n_ejected, od->n_hosts);
}

static enum rota_pick_verdict pick(void *state, const struct rota_call_info *call, struct rota_pick *ret_pick)
{
    enum rota_pick_verdict verdict;

    if (call->trace != NULL)
        explain(state, call);
    verdict = rota_wrapper_pick(state, call, ret_pick);
    if (verdict == ROTA_PICK_OK) {
        struct host *host = rota_lb_pick_health(ret_pick, state);
        if (host != NULL)
            host->n_calls++;
        ret_pick->cookie = (uint64_t)(uintptr_t)host;
    }
    return verdict;
}

static void on_done(void *state, uint64_t cookie, const struct rota_outcome *outcome)
{
    struct host *host = (struct host *)(uintptr_t)cookie;

    if (host == NULL)
        return;
    if (rota_status_ok(&outcome->status))
        host->stats.succeeded++;
    else if (outcome->sent && !outcome->superseded) /* else the server has had no chance to fail */
        host->stats.failed++;
    if (--host->n_calls == 0 && host->health == NULL) {
        rota_list_remove(&host->gone);
        host_release(state, host);
    }
}

static rota_err init(void *state, const struct rota_lb_env *env, const void *config)
{
    struct outlier_detection *od = state;
    const struct rota_outlier_detection_config *c = config;

    rota_wrapper_init(&od->wrapper, env, &c->wrapper);
    od->config = &c->sweep;
    od->seed = rota_lb_random_below(env, UINT32_MAX);
    rota_idmap_init(&od->by_hash, env->alloc);
    rota_list_init(&od->gone);
    return 0;
}

static void fini(void *state)
{
    struct outlier_detection *od = state;

    for (size_t i = 0; i < od->n_hosts; i++)
        host_release(od, host_at(od, i));
    while (!rota_list_empty(&od->gone))
        host_release(od, ROTA_CONTAINER(rota_list_pop(&od->gone), struct host, gone));
    rota_idmap_fini(&od->by_hash);
    rota_alloc_free(od->wrapper.env->alloc, od->hosts);
}

const struct rota_lb_class rota_lb_outlier_detection = {
    .name = "outlier_detection",
    .state_size = sizeof(struct outlier_detection),
    .parse = rota_outlier_detection_parse,
    .free_config = rota_wrapper_free_config,
    .init = init,
    .fini = fini,
    .on_endpoints = on_endpoints,
    .on_resolver_error = rota_wrapper_on_resolver_error,
    .on_child = rota_wrapper_on_child,
    .on_timer = on_timer,
    .on_exit_idle = rota_wrapper_on_exit_idle,
    .pick = pick,
    .on_done = on_done,
};
