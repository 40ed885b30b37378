/* zone_aware.c - calls stay in the client's own zone while it can take them, and go to others by what those can take beyond that.
 *
 * A child for each zone, all alike, each with the zone's endpoints; so it works over any policy. What a zone can take is its number of READY
 * endpoints, counted as they come and go. The own zone is the config's, else what the channel was told (ROTA_ZONE); without one, or
 * without an endpoint in it, calls are divided by endpoints. A retry of a call that has seen all of the own zone goes elsewhere.
 * Invariants: zones[OWN] and zones[REST] are always there; zones beyond the number there is room for are part of REST, as are endpoints without one;
 * a zone has a child while it has endpoints; shares sum to 1 while a zone is READY.
 * Elsewhere: how calls are divided (zone_shares.c), when the own zone is overloaded (zone_spill.c), counting (census.c), how a child's state counts
 * (branches.c).
 */
#include "base/alloc.h"
#include "base/errinfo.h"
#include "lb/branches.h"
#include "lb/config_json.h"
#include "lb/zone_shares.h"
#include "lb/zone_spill.h"
#include <math.h>

#define OVERLOAD_DEFAULT_PERCENT 200
#define PROBE_DEFAULT_PERCENT 2

enum { OWN, REST, MAX_ZONES = 32 };
enum { COOKIE_OWN = 1, COOKIE_TIMED = 2 };

struct zone_config {
    char *zone; /* NULL: the environment's */
    uint32_t overload_percent, probe_percent;
    struct rota_lb_config *child;
};

struct zone {
    char *name;
    struct rota_lb_child *child; /* NULL: it has no endpoints */
    size_t listed;
    double share; /* of the calls */
    uint32_t usable;
    uint8_t conn;
};

struct zone_aware {
    struct rota_branches branches;
    struct zone zones[MAX_ZONES];
    uint32_t n_zones;
    double probe;
    struct rota_zone_spill spill;
    const struct rota_lb_env *env;
    const struct zone_config *config;
    const char *own; /* NULL: none */
};

/* --- Parameters --- */

static rota_err read_numbers(const json_t *object, struct zone_config *c, struct rota_errinfo *info)
{
    rota_err err;

    c->overload_percent = OVERLOAD_DEFAULT_PERCENT;
    c->probe_percent = PROBE_DEFAULT_PERCENT;
    err = rota_lb_json_u32(object, "overloadPercent", &c->overload_percent, info);
    if (err == 0 && c->overload_percent != 0 && c->overload_percent <= 100)
        err = rota_errinfo_set(info, ROTA_EPARSE, "\"overloadPercent\" must be more than 100, or 0");
    if (err == 0)
        err = rota_lb_json_u32(object, "probePercent", &c->probe_percent, info);
    if (err == 0 && c->probe_percent > 100)
        err = rota_errinfo_set(info, ROTA_EPARSE, "\"probePercent\" must be from 0 to 100");
    return err;
}

static rota_err read_config(const struct rota_lb_env *env, const json_t *object, void *config, struct rota_errinfo *info)
{
    struct zone_config *c = config;
    const char *zone = "";
    rota_err err = rota_lb_json_text(object, "zone", &zone, info);

    if (err == 0)
        err = read_numbers(object, c, info);
    if (err == 0 && zone[0] != '\0') {
        c->zone = rota_alloc_text(env->alloc, rota_slice_str(zone));
        err = c->zone == NULL ? ROTA_ENOMEM : 0;
    }
    return err < 0 ? err : rota_lb_json_policy(env, object, "childPolicy", &c->child, info);
}

static void free_config(const struct rota_lb_env *env, void *config)
{
    struct zone_config *c = config;

    rota_alloc_free(env->alloc, c->zone);
    rota_lb_config_free(c->child);
    rota_alloc_free(env->alloc, c);
}

static rota_err parse(const struct rota_lb_env *env, struct rota_slice json, void **ret_config, struct rota_errinfo *info)
{
    return rota_lb_json_config(env, json, sizeof(struct zone_config), read_config, free_config, ret_config, info);
}

/* --- Shares --- */

/* A child without an endpoint counted, like pick_first, can use all it has; one that is READY by trust alone has little to offer. */
static uint32_t usable_of(const struct zone *z)
{
    struct rota_lb_census census;

    if (z->child == NULL || z->conn != ROTA_CONN_READY)
        return 0;
    census = rota_lb_child_census(z->child);
    if (census.endpoints == 0)
        return (uint32_t)z->listed;
    return census.ready > 0 ? census.ready : 1;
}

/* At least so much of the calls leaves the own zone: else nobody would know what they would cost elsewhere. */
static double spill_of(const struct zone_aware *za)
{
    return za->spill.spill > za->probe ? za->spill.spill : za->probe;
}

static void share_out(struct zone_aware *za)
{
    struct zone *with[MAX_ZONES];
    uint32_t usable[MAX_ZONES] = {0};
    double shares[MAX_ZONES];
    size_t n = 0, own = ROTA_ZONE_NONE;

    for (uint32_t i = 0; i < za->n_zones; i++) {
        struct zone *z = &za->zones[i];
        z->share = 0;
        if (z->child == NULL)
            continue;
        if (i == OWN)
            own = n;
        z->usable = usable_of(z);
        with[n] = z;
        usable[n++] = z->usable;
    }
    rota_zone_shares(usable, n, own, spill_of(za), shares);
    for (size_t i = 0; i < n; i++)
        with[i]->share = shares[i];
}

static enum rota_conn_state aggregate(const struct zone_aware *za)
{
    enum rota_conn_state state = ROTA_CONN_TRANSIENT_FAILURE;

    for (uint32_t i = 0; i < za->n_zones; i++) {
        const struct zone *z = &za->zones[i];
        if (z->child != NULL && z->conn == ROTA_CONN_READY)
            return ROTA_CONN_READY;
        if (z->child != NULL && z->conn == ROTA_CONN_CONNECTING)
            state = ROTA_CONN_CONNECTING;
    }
    return state;
}

static void report(struct zone_aware *za, struct rota_lb_cmds *cmds)
{
    share_out(za);
    rota_branches_report(&za->branches, aggregate(za), cmds);
}

/* --- A new list --- */

/* The zone of that name; a new one if there is room. counts: of the list so far, by zone. NULL: no memory. */
static struct zone *zone_named(struct zone_aware *za, const char *name, const size_t *counts)
{
    struct zone *free_one = NULL;
    char *copy;

    for (uint32_t i = 0; i < za->n_zones; i++) {
        struct zone *z = &za->zones[i];
        if (z->name != NULL && strcmp(z->name, name) == 0)
            return z;
        if (i > REST && z->child == NULL && counts[i] == 0)
            free_one = z;
    }
    if (free_one == NULL && za->n_zones == MAX_ZONES)
        return &za->zones[REST];
    copy = rota_alloc_text(za->env->alloc, rota_slice_str(name));
    if (copy == NULL)
        return NULL;
    if (free_one == NULL)
        free_one = &za->zones[za->n_zones++];
    rota_alloc_free(za->env->alloc, free_one->name);
    *free_one = (struct zone){.name = copy, .conn = ROTA_CONN_CONNECTING};
    return free_one;
}

/* Which zone each endpoint belongs to. */
static rota_err assign(struct zone_aware *za, const struct rota_endpoint *const *endpoints, size_t count, uint8_t *zone_of)
{
    size_t counts[MAX_ZONES] = {0};

    for (size_t i = 0; i < count; i++) {
        const char *name = za->own == NULL || endpoints[i]->zone == NULL ? "" : endpoints[i]->zone;
        struct zone *z = zone_named(za, name, counts);
        if (z == NULL)
            return ROTA_ENOMEM;
        counts[z - za->zones]++;
        zone_of[i] = (uint8_t)(z - za->zones);
    }
    return 0;
}

/* ROTA_ENOMEM: the zone is as it was. */
static rota_err give(struct zone_aware *za, struct zone *z, const struct rota_endpoint *const *endpoints, size_t count, struct rota_lb_cmds *cmds)
{
    rota_err err;

    if (count == 0) {
        rota_lb_child_free(cmds, z->child);
        z->child = NULL;
        z->listed = 0;
        return 0;
    }
    if (z->child == NULL) {
        err = rota_lb_child_new(cmds, za->config->child, z, &z->child);
        if (err < 0)
            return err;
        rota_lb_child_count(cmds, z->child);
        z->conn = ROTA_CONN_CONNECTING;
    }
    err = rota_lb_child_endpoints(cmds, z->child, endpoints, count);
    if (err == 0)
        z->listed = count;
    return err;
}

static rota_err divide(struct zone_aware *za, const struct rota_endpoint *const *endpoints, size_t count, struct rota_lb_cmds *cmds)
{
    const struct rota_alloc *alloc = za->env->alloc;
    uint8_t *zone_of = rota_alloc_zero(alloc, count, 1);
    const struct rota_endpoint **mine = rota_alloc_zero(alloc, count, sizeof(const struct rota_endpoint *));
    rota_err err = zone_of == NULL || mine == NULL ? ROTA_ENOMEM : assign(za, endpoints, count, zone_of);

    for (uint32_t z = 0; err == 0 && z < za->n_zones; z++) {
        size_t n = 0;
        for (size_t i = 0; i < count; i++)
            if (zone_of[i] == z)
                mine[n++] = endpoints[i];
        err = give(za, &za->zones[z], mine, n, cmds);
    }
    rota_alloc_free(alloc, mine);
    rota_alloc_free(alloc, zone_of);
    return err;
}

static rota_err on_endpoints(void *state, const struct rota_endpoint *const *endpoints, size_t count, int64_t now_ns,
                             struct rota_lb_cmds *cmds)
{
    struct zone_aware *za = state;
    rota_err err = divide(za, endpoints, count, cmds);

    (void)now_ns;
    if (count == 0)
        rota_status_set(&za->branches.failure, ROTA_UNAVAILABLE, "no addresses: name resolution gave an empty list");
    report(za, cmds);
    return err == 0 && count == 0 ? ROTA_EINVAL : err;
}

/* --- Events --- */

static void on_child(void *state, struct rota_lb_child *child, void *tag, enum rota_conn_state conn, const struct rota_status *why,
                     int64_t now_ns, struct rota_lb_cmds *cmds)
{
    struct zone_aware *za = state;
    struct zone *z = tag;

    (void)now_ns;
    (void)rota_branches_child(&za->branches, &z->conn, child, conn, why, cmds);
    report(za, cmds); /* in any case: how many it can use is news too */
}

/* --- Picks --- */

/* The last zone that is READY should rounding have carried the roll past it. */
static struct zone *draw(struct zone_aware *za, uint32_t first, double roll)
{
    struct zone *drawn = NULL;

    for (uint32_t i = first; i < za->n_zones && roll >= 0; i++) {
        struct zone *z = &za->zones[i];
        if (z->share > 0) {
            drawn = z;
            roll -= z->share;
        }
    }
    return drawn;
}

static struct zone *choose(struct zone_aware *za, const struct rota_call_info *call)
{
    struct zone *own = &za->zones[OWN], *elsewhere;

    if (own->share >= 1)
        return own;
    if (call->n_avoid > 0 && own->share > 0 && call->n_avoid >= own->usable) {
        elsewhere = draw(za, REST, rota_lb_random_unit(za->env) * (1 - own->share));
        return elsewhere != NULL ? elsewhere : own;
    }
    return draw(za, OWN, rota_lb_random_unit(za->env));
}

static void explain(const struct zone_aware *za, const struct rota_call_info *call)
{
    for (uint32_t i = 0; i < za->n_zones; i++) {
        const struct zone *z = &za->zones[i];
        if (z->child != NULL)
            rota_lb_trace(call, NULL, NAN, "%s \"%s\": %u of %zu endpoints usable, gets %.1f %% of the calls", i == OWN ? "own zone" : "zone", z->name, z->usable, z->listed,
                z->share * 100);
    }
    if (za->own == NULL)
        rota_lb_trace(call, NULL, NAN, "the own zone is not known");
    else if (za->spill.spill > 0)
        rota_lb_trace(call, NULL, NAN, "the own zone is overloaded: %.0f %% of its calls go elsewhere", za->spill.spill * 100);
}

static enum rota_pick_verdict pick(void *state, const struct rota_call_info *call, struct rota_pick *ret_pick)
{
    struct zone_aware *za = state;
    struct zone *z;
    enum rota_pick_verdict verdict;

    if (call->now_ns >= za->spill.next_ns && rota_zone_compare(&za->spill, call->now_ns))
        share_out(za);
    if (call->trace != NULL)
        explain(za, call);
    z = choose(za, call);
    if (z == NULL)
        return rota_branches_none_ready(&za->branches);
    verdict = rota_lb_child_pick(z->child, call, ret_pick);
    if (verdict != ROTA_PICK_OK)
        return verdict;
    ret_pick->cookie = z == &za->zones[OWN] ? COOKIE_OWN : 0;
    if (!call->streaming) {
        ret_pick->cookie |= COOKIE_TIMED;
        rota_zone_begin(z == &za->zones[OWN] ? &za->spill.own : &za->spill.others, call->now_ns);
    }
    return ROTA_PICK_OK;
}

static enum rota_zone_end end_of(const struct rota_outcome *outcome)
{
    switch (outcome->status.code) {
    case ROTA_UNAVAILABLE:
    case ROTA_INTERNAL:
    case ROTA_RESOURCE_EXHAUSTED:
    case ROTA_DEADLINE_EXCEEDED:
        return outcome->sent ? ROTA_ZONE_FAILED : ROTA_ZONE_UNTOLD;
    case ROTA_CANCELLED:
        return ROTA_ZONE_UNTOLD;
    default:
        return outcome->sent ? ROTA_ZONE_ANSWERED : ROTA_ZONE_UNTOLD;
    }
}

static void on_done(void *state, uint64_t cookie, const struct rota_outcome *outcome)
{
    struct zone_aware *za = state;

    if ((cookie & COOKIE_TIMED) != 0)
        rota_zone_end((cookie & COOKIE_OWN) != 0 ? &za->spill.own : &za->spill.others, outcome->started_ns, outcome->ended_ns, end_of(outcome));
}

/* --- Instances --- */

static rota_err init(void *state, const struct rota_lb_env *env, const void *config)
{
    struct zone_aware *za = state;
    const struct zone_config *c = config;

    za->env = env;
    za->config = c;
    za->own = c->zone != NULL ? c->zone : env->zone;
    za->spill.factor = c->overload_percent / 100.0;
    za->probe = c->overload_percent == 0 ? 0 : c->probe_percent / 100.0;
    za->n_zones = REST + 1;
    rota_branches_init(&za->branches, "no zone is connected");
    za->zones[REST].name = rota_alloc_text(env->alloc, ROTA_SLICE(""));
    if (za->own != NULL)
        za->zones[OWN].name = rota_alloc_text(env->alloc, rota_slice_str(za->own));
    return za->zones[REST].name == NULL || (za->own != NULL && za->zones[OWN].name == NULL) ? ROTA_ENOMEM : 0;
}

static void fini(void *state)
{
    struct zone_aware *za = state;

    for (uint32_t i = 0; i < za->n_zones; i++)
        rota_alloc_free(za->env->alloc, za->zones[i].name);
}

const struct rota_lb_class rota_lb_zone_aware = {
    .name = "zone_aware",
    .state_size = sizeof(struct zone_aware),
    .parse = parse,
    .free_config = free_config,
    .init = init,
    .fini = fini,
    .on_endpoints = on_endpoints,
    .on_resolver_error = rota_branches_on_resolver_error,
    .on_child = on_child,
    .on_exit_idle = rota_branches_on_exit_idle,
    .pick = pick,
    .on_done = on_done,
};
