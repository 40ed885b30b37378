/* weighted_target.c - divides calls among children by chance and weight: so many in a hundred to the canary, say (gRFC A28).
 *
 * Each endpoint belongs to the target that its attribute names (parts.h): "target", unless the config says another. Calls go to
 * children that are READY. READY if any child is, else CONNECTING if any may come up, else TRANSIENT_FAILURE.
 * Elsewhere: the draw (weighted_set.c), how a child's state counts (branches.c).
 */
#include "base/alloc.h"
#include "base/errinfo.h"
#include "base/list.h"
#include "lb/branches.h"
#include "lb/config_json.h"
#include "lb/parts.h"
#include "lb/weighted_set.h"
#include <math.h>

struct target_config {
    char *name;
    uint32_t weight;
    struct rota_lb_config *child;
};

struct weighted_target_config {
    char *attribute;
    struct target_config *targets;
    size_t n_targets;
};

struct target {
    struct rota_lb_child *child; /* NULL: it has had no endpoint */
    struct rota_weighted item;   /* in the set while READY */
    uint8_t conn;
    bool is_empty; /* the list it has */
};

struct weighted_target {
    struct rota_branches branches;
    const struct rota_lb_env *env;
    const struct weighted_target_config *config;
    struct target *targets;
    struct rota_part *parts;
    struct rota_weighted_set ready;
};

/* --- Parameters --- */

static rota_err read_target(const struct rota_lb_env *env, const char *name, const json_t *object, struct target_config *t, struct rota_errinfo *info)
{
    struct rota_errinfo detail = {""};
    rota_err err;

    if (!json_is_object(object))
        return rota_errinfo_set(info, ROTA_EPARSE, "target \"%s\" must be an object", name);
    t->name = rota_alloc_text(env->alloc, rota_slice_str(name));
    if (t->name == NULL)
        return ROTA_ENOMEM;
    err = rota_lb_json_u32(object, "weight", &t->weight, &detail);
    if (err == 0 && t->weight == 0)
        err = rota_errinfo_set(&detail, ROTA_EPARSE, "\"weight\" must be there, and more than 0");
    if (err == 0)
        err = rota_lb_json_policy(env, object, "childPolicy", &t->child, &detail);
    return err == ROTA_EPARSE ? rota_errinfo_set(info, err, "target \"%s\": %s", name, detail.text) : err;
}

static rota_err read_config(const struct rota_lb_env *env, const json_t *object, void *config, struct rota_errinfo *info)
{
    struct weighted_target_config *c = config;
    const char *attribute = "target", *name;
    const json_t *targets = NULL;
    json_t *target;
    rota_err err = rota_lb_json_text(object, "attribute", &attribute, info);

    if (err == 0)
        err = rota_lb_json_object(object, "targets", &targets, info);
    if (err < 0)
        return err;
    if (json_object_size(targets) == 0)
        return rota_errinfo_set(info, ROTA_EPARSE, "\"targets\" must name at least one");
    c->attribute = rota_alloc_text(env->alloc, rota_slice_str(attribute));
    c->targets = rota_alloc_zero(env->alloc, json_object_size(targets), sizeof(*c->targets));
    if (c->attribute == NULL || c->targets == NULL)
        return ROTA_ENOMEM;
    json_object_foreach ((json_t *)targets, name, target) {
        err = read_target(env, name, target, &c->targets[c->n_targets++], info);
        if (err < 0)
            return err;
    }
    return 0;
}

static void free_config(const struct rota_lb_env *env, void *config)
{
    struct weighted_target_config *c = config;

    for (size_t i = 0; i < c->n_targets; i++) {
        rota_alloc_free(env->alloc, c->targets[i].name);
        rota_lb_config_free(c->targets[i].child);
    }
    rota_alloc_free(env->alloc, c->targets);
    rota_alloc_free(env->alloc, c->attribute);
    rota_alloc_free(env->alloc, c);
}

static rota_err parse(const struct rota_lb_env *env, struct rota_slice json, void **ret_config, struct rota_errinfo *info)
{
    return rota_lb_json_config(env, json, sizeof(struct weighted_target_config), read_config, free_config, ret_config, info);
}

/* --- Events --- */

static enum rota_conn_state aggregate(const struct weighted_target *wt)
{
    if (wt->ready.sum > 0)
        return ROTA_CONN_READY;
    for (size_t i = 0; i < wt->config->n_targets; i++)
        if (wt->targets[i].conn == ROTA_CONN_CONNECTING)
            return ROTA_CONN_CONNECTING;
    return ROTA_CONN_TRANSIENT_FAILURE;
}

static rota_err give(struct weighted_target *wt, size_t i, struct rota_lb_cmds *cmds)
{
    struct target *t = &wt->targets[i];
    const struct rota_part *part = &wt->parts[i];
    rota_err err;

    if (part->count == 0 && t->is_empty)
        return 0; /* its complaint has been heard */
    if (t->child == NULL) {
        err = rota_lb_child_new(cmds, wt->config->targets[i].child, t, &t->child);
        if (err < 0)
            return err;
        t->conn = ROTA_CONN_CONNECTING;
    }
    err = rota_lb_child_endpoints(cmds, t->child, part->endpoints, part->count);
    t->is_empty = err == 0 && part->count == 0;
    return err;
}

static rota_err on_endpoints(void *state, const struct rota_endpoint *const *endpoints, size_t count, int64_t now_ns,
                             struct rota_lb_cmds *cmds)
{
    struct weighted_target *wt = state;
    size_t n_targets = wt->config->n_targets;
    rota_err err = rota_parts_fill(wt->env->alloc, wt->parts, n_targets, wt->config->attribute, endpoints, count), failure = err;

    (void)now_ns;
    for (size_t i = 0; err == 0 && i < n_targets; i++) {
        rota_err one = give(wt, i, cmds);
        if (one < 0)
            failure = one;
    }
    rota_branches_report(&wt->branches, aggregate(wt), cmds);
    return failure == 0 && count == 0 ? ROTA_EINVAL : failure;
}

static void on_child(void *state, struct rota_lb_child *child, void *tag, enum rota_conn_state conn, const struct rota_status *why,
                     int64_t now_ns, struct rota_lb_cmds *cmds)
{
    struct weighted_target *wt = state;
    struct target *t = tag;

    (void)now_ns;
    if (!rota_branches_child(&wt->branches, &t->conn, child, conn, why, cmds))
        return;
    if ((conn == ROTA_CONN_READY) != (t->item.place != 0)) {
        if (conn == ROTA_CONN_READY)
            rota_weighted_add(&wt->ready, &t->item, 0);
        else
            rota_weighted_remove(&wt->ready, &t->item);
    }
    rota_branches_report(&wt->branches, aggregate(wt), cmds);
}

static enum rota_pick_verdict pick(void *state, const struct rota_call_info *call, struct rota_pick *ret_pick)
{
    struct weighted_target *wt = state;
    struct target *drawn;

    if (wt->ready.sum == 0)
        return rota_branches_none_ready(&wt->branches);
    drawn = ROTA_CONTAINER(rota_weighted_draw(&wt->ready)->item, struct target, item);
    if (call->trace != NULL)
        rota_lb_trace(call, NULL, NAN, "target \"%s\", weight %u of %llu READY", wt->config->targets[drawn - wt->targets].name,
            (unsigned)drawn->item.weight, (unsigned long long)wt->ready.sum);
    return rota_lb_child_pick(drawn->child, call, ret_pick);
}

static rota_err init(void *state, const struct rota_lb_env *env, const void *config)
{
    struct weighted_target *wt = state;
    rota_err err = 0;

    wt->env = env;
    wt->config = config;
    rota_branches_init(&wt->branches, "no target is connected");
    rota_weighted_init(&wt->ready, env);
    wt->targets = rota_alloc_zero(env->alloc, wt->config->n_targets, sizeof(*wt->targets));
    wt->parts = rota_alloc_zero(env->alloc, wt->config->n_targets, sizeof(*wt->parts));
    if (wt->targets == NULL || wt->parts == NULL)
        return ROTA_ENOMEM;
    for (size_t i = 0; err == 0 && i < wt->config->n_targets; i++) {
        wt->targets[i].conn = ROTA_CONN_TRANSIENT_FAILURE;
        wt->targets[i].is_empty = true;
        wt->parts[i].name = wt->config->targets[i].name;
        err = rota_weighted_know(&wt->ready, &wt->targets[i].item, wt->config->targets[i].weight);
    }
    return err;
}

static void fini(void *state)
{
    struct weighted_target *wt = state;

    for (size_t i = 0; wt->parts != NULL && i < wt->config->n_targets; i++)
        rota_part_clear(wt->env->alloc, &wt->parts[i]);
    rota_alloc_free(wt->env->alloc, wt->parts);
    rota_alloc_free(wt->env->alloc, wt->targets);
    rota_weighted_fini(&wt->ready);
}

const struct rota_lb_class rota_lb_weighted_target = {
    .name = "weighted_target",
    .state_size = sizeof(struct weighted_target),
    .parse = parse,
    .free_config = free_config,
    .init = init,
    .fini = fini,
    .on_endpoints = on_endpoints,
    .on_resolver_error = rota_branches_on_resolver_error,
    .on_child = on_child,
    .on_exit_idle = rota_branches_on_exit_idle,
    .pick = pick,
};
