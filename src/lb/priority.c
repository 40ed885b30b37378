/* priority.c - all calls to the best group of endpoints that works, the next one while it does not (gRFC A56).
 *
 * Each endpoint belongs to the level that its attribute names (parts.h): "priority", unless the config says another. A level's child is
 * made when all better ones have failed: in TRANSIENT_FAILURE, or not READY within ten seconds. Where none works, calls wait for the
 * first that is still connecting, however long it has been. A level no longer needed is kept for fifteen minutes, connected, then
 * dropped. A level without endpoints counts as failed.
 *
 * Invariants: `current` is the level calls go to; failover_ns is set only while a child is CONNECTING, drop_ns only for levels behind
 * the current one. Elsewhere: dividing the list (parts.c).
 */
#include "lb/priority.h"
#include "base/alloc.h"
#include "lb/parts.h"
#include <math.h>

#define FAILOVER_NS (10 * INT64_C(1000000000))
#define RETENTION_NS (15 * 60 * INT64_C(1000000000))
#define AGAIN_NS INT64_C(100000000) /* after a lack of memory */

struct level {
    struct rota_lb_child *child; /* NULL: not needed yet, or no endpoints */
    uint8_t conn;
    bool worked;                 /* READY or IDLE since it last failed or was too slow, or new */
    bool is_empty;               /* the list the child has */
    int64_t failover_ns, drop_ns; /* INT64_MAX: never */
    struct rota_status why;
};

struct priority {
    const struct rota_lb_env *env;
    const struct rota_priority_config *config;
    struct level *levels;
    struct rota_part *parts;
    size_t current;
    int64_t again_ns, told_ns; /* the timer */
    uint8_t state;             /* as last reported */
    bool had_list;
};

static const struct rota_status no_endpoints = {ROTA_UNAVAILABLE, "no endpoints of this priority"};

/* --- Timers --- */

static int64_t earlier(int64_t a_ns, int64_t b_ns)
{
    return a_ns < b_ns ? a_ns : b_ns;
}

static void set_timer(struct priority *p, struct rota_lb_cmds *cmds)
{
    int64_t at_ns = p->again_ns;

    for (size_t i = 0; i < p->config->n_levels; i++)
        at_ns = earlier(at_ns, earlier(p->levels[i].failover_ns, p->levels[i].drop_ns));
    if (at_ns != p->told_ns)
        rota_lb_wake_at(cmds, at_ns);
    p->told_ns = at_ns;
}

/* --- Levels --- */

/* The next one may be tried. */
static void give_way(struct level *level)
{
    level->worked = false;
    level->failover_ns = INT64_MAX;
}

static void fail(struct level *level, const struct rota_status *why)
{
    level->conn = ROTA_CONN_TRANSIENT_FAILURE;
    level->why = *why;
    give_way(level);
}

static void close_level(struct level *level, struct rota_lb_cmds *cmds)
{
    rota_lb_child_free(cmds, level->child);
    level->child = NULL;
    level->drop_ns = INT64_MAX;
    fail(level, &no_endpoints);
}

static rota_err give(struct priority *p, size_t i, struct rota_lb_cmds *cmds)
{
    struct level *level = &p->levels[i];
    rota_err err;

    if (p->parts[i].count == 0 && level->is_empty)
        return 0; /* its complaint has been heard */
    err = rota_lb_child_endpoints(cmds, level->child, p->parts[i].endpoints, p->parts[i].count);
    if (err == 0)
        level->is_empty = p->parts[i].count == 0;
    return err;
}

static rota_err open_level(struct priority *p, size_t i, int64_t now_ns, struct rota_lb_cmds *cmds)
{
    struct level *level = &p->levels[i];
    rota_err err = rota_lb_child_new(cmds, p->config->levels[i].child, level, &level->child);

    if (err < 0)
        return err;
    level->is_empty = false;
    err = give(p, i, cmds);
    if (err < 0) {
        close_level(level, cmds);
        return err;
    }
    if (p->config->levels[i].muted)
        rota_lb_child_mute(cmds, level->child);
    level->conn = ROTA_CONN_CONNECTING;
    level->worked = true;
    level->failover_ns = now_ns + FAILOVER_NS;
    return 0;
}

static bool works(const struct level *level)
{
    return level->conn == ROTA_CONN_READY || level->conn == ROTA_CONN_IDLE;
}

/* The best level that works or may yet; levels up to it are made and kept. ROTA_ENOMEM: one could not be made. */
static rota_err find_level(struct priority *p, int64_t now_ns, struct rota_lb_cmds *cmds, size_t *ret_level)
{
    size_t n = p->config->n_levels, i = 0;

    for (; i < n; i++) {
        struct level *level = &p->levels[i];
        if (level->child == NULL && p->parts[i].count > 0) {
            rota_err err = open_level(p, i, now_ns, cmds);
            if (err < 0)
                return err;
        }
        level->drop_ns = INT64_MAX;
        if (works(level) || level->failover_ns != INT64_MAX)
            break;
    }
    for (size_t k = 0; i == n && k < n; k++)
        if (p->levels[k].conn == ROTA_CONN_CONNECTING)
            i = k;
    *ret_level = i == n ? n - 1 : i;
    return 0;
}

static void retire_behind(struct priority *p, size_t current, int64_t now_ns)
{
    for (size_t i = current + 1; i < p->config->n_levels; i++)
        if (p->levels[i].child != NULL && p->levels[i].drop_ns == INT64_MAX)
            p->levels[i].drop_ns = now_ns + RETENTION_NS;
}

static rota_err choose(struct priority *p, int64_t now_ns, struct rota_lb_cmds *cmds)
{
    rota_err err = find_level(p, now_ns, cmds, &p->current);
    const struct level *level = &p->levels[p->current];

    p->again_ns = err < 0 ? now_ns + AGAIN_NS : INT64_MAX;
    if (err == 0 && works(level))
        retire_behind(p, p->current, now_ns);
    p->state = level->conn;
    rota_lb_update(cmds, level->conn, &level->why);
    set_timer(p, cmds);
    return err;
}

/* --- Events --- */

static rota_err on_endpoints(void *state, const struct rota_endpoint *const *endpoints, size_t count, int64_t now_ns,
                             struct rota_lb_cmds *cmds)
{
    struct priority *p = state;
    rota_err err = rota_parts_fill(p->env->alloc, p->parts, p->config->n_levels, p->config->attribute, endpoints, count), failure = err;

    for (size_t i = 0; err == 0 && i < p->config->n_levels; i++) {
        rota_err one = p->levels[i].child == NULL ? 0 : give(p, i, cmds);
        if (one < 0)
            failure = one;
    }
    if (err < 0 && !p->had_list)
        return err;
    p->had_list = true;
    err = choose(p, now_ns, cmds);
    if (failure == 0)
        failure = err;
    return failure == 0 && count == 0 ? ROTA_EINVAL : failure;
}

static void on_resolver_error(void *state, const struct rota_status *why, int64_t now_ns, struct rota_lb_cmds *cmds)
{
    struct priority *p = state;

    (void)now_ns;
    p->state = ROTA_CONN_TRANSIENT_FAILURE;
    rota_lb_update(cmds, ROTA_CONN_TRANSIENT_FAILURE, why);
}

static void on_child(void *state, struct rota_lb_child *child, void *tag, enum rota_conn_state conn, const struct rota_status *why,
                     int64_t now_ns, struct rota_lb_cmds *cmds)
{
    struct level *level = tag;

    (void)child;
    level->conn = (uint8_t)conn;
    if (conn == ROTA_CONN_TRANSIENT_FAILURE) {
        fail(level, why);
    } else if (conn == ROTA_CONN_CONNECTING) {
        if (level->worked && level->failover_ns == INT64_MAX)
            level->failover_ns = now_ns + FAILOVER_NS;
    } else {
        level->worked = true;
        level->failover_ns = INT64_MAX;
    }
    (void)choose(state, now_ns, cmds); /* a lack of memory sets the timer */
}

static void on_timer(void *state, int64_t now_ns, struct rota_lb_cmds *cmds)
{
    struct priority *p = state;

    p->told_ns = INT64_MAX;
    for (size_t i = 0; i < p->config->n_levels; i++) {
        struct level *level = &p->levels[i];
        if (level->drop_ns <= now_ns)
            close_level(level, cmds);
        else if (level->failover_ns <= now_ns)
            give_way(level);
    }
    (void)choose(p, now_ns, cmds);
}

static void on_exit_idle(void *state, int64_t now_ns, struct rota_lb_cmds *cmds)
{
    struct priority *p = state;
    struct rota_lb_child *child = p->levels[p->current].child;

    (void)now_ns;
    if (child != NULL)
        rota_lb_child_exit_idle(cmds, child);
}

static void explain(const struct priority *p, const struct rota_call_info *call)
{
    for (size_t i = 0; i <= p->current; i++)
        rota_lb_trace(call, NULL, NAN, "%s \"%s\": %s%s", i == p->current ? "calls go to" : "passed over", p->config->levels[i].name,
            rota_conn_state_name(p->levels[i].conn), p->levels[i].child == NULL ? ", without endpoints" : "");
}

static enum rota_pick_verdict pick(void *state, const struct rota_call_info *call, struct rota_pick *ret_pick)
{
    struct priority *p = state;

    if (p->state == ROTA_CONN_TRANSIENT_FAILURE)
        return ROTA_PICK_FAIL;
    if (!p->had_list || p->state == ROTA_CONN_CONNECTING)
        return ROTA_PICK_WAIT;
    if (call->trace != NULL)
        explain(p, call);
    return rota_lb_child_pick(p->levels[p->current].child, call, ret_pick);
}

static rota_err init(void *state, const struct rota_lb_env *env, const void *config)
{
    struct priority *p = state;

    p->env = env;
    p->config = config;
    p->state = ROTA_CONN_IDLE;
    p->again_ns = p->told_ns = INT64_MAX;
    p->levels = rota_alloc_zero(env->alloc, p->config->n_levels, sizeof(*p->levels));
    p->parts = rota_alloc_zero(env->alloc, p->config->n_levels, sizeof(*p->parts));
    if (p->levels == NULL || p->parts == NULL)
        return ROTA_ENOMEM;
    for (size_t i = 0; i < p->config->n_levels; i++) {
        p->parts[i].name = p->config->levels[i].name;
        p->levels[i].drop_ns = INT64_MAX;
        fail(&p->levels[i], &no_endpoints);
    }
    return 0;
}

static void fini(void *state)
{
    struct priority *p = state;

    for (size_t i = 0; p->parts != NULL && i < p->config->n_levels; i++)
        rota_part_clear(p->env->alloc, &p->parts[i]);
    rota_alloc_free(p->env->alloc, p->parts);
    rota_alloc_free(p->env->alloc, p->levels);
}

const struct rota_lb_class rota_lb_priority = {
    .name = "priority",
    .state_size = sizeof(struct priority),
    .parse = rota_priority_parse,
    .free_config = rota_priority_free_config,
    .init = init,
    .fini = fini,
    .on_endpoints = on_endpoints,
    .on_resolver_error = on_resolver_error,
    .on_child = on_child,
    .on_timer = on_timer,
    .on_exit_idle = on_exit_idle,
    .pick = pick,
};
