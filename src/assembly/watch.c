/* watch.c - rota_watch_*: a resolver and a sink without a channel. */
#include "assembly/builtin.h"
#include "base/alloc.h"
#include "base/errinfo.h"
#include "loop/loop.h"
#include "resolver/resolvers.h"
#include "resolver/sink.h"
#include "wire/target.h"

struct rota_watch {
    const struct rota_alloc *alloc;
    struct rota_loop *loop;
    struct rota_target *target;
    const struct rota_resolver_class *class;
    void *state;
    struct rota_resolver_sink sink;
    const struct rota_watch_events *events;
    void *arg;
    bool closing;
    void (*on_closed)(void *arg);
    void *closed_arg;
};

static void on_endpoints(void *owner, const struct rota_endpoint *const *endpoints, size_t count, const struct rota_resolver_source *source)
{
    struct rota_watch *w = owner;

    if (!w->closing)
        w->events->on_endpoints(w->arg, endpoints, count, source);
}

static void on_error(void *owner, const struct rota_status *why)
{
    struct rota_watch *w = owner;

    if (!w->closing && w->events->on_error != NULL)
        w->events->on_error(w->arg, why);
}

static void on_service_config(void *owner, const struct rota_found_config *config)
{
    struct rota_watch *w = owner;

    if (!w->closing && w->events->on_service_config != NULL)
        w->events->on_service_config(w->arg, config->json, config->origin, config->problem);
}

static void destroy(struct rota_watch *w)
{
    rota_alloc_free(w->alloc, w->state);
    rota_target_free(w->alloc, w->target);
    rota_alloc_free(w->alloc, w);
}

static void on_released(void *owner)
{
    struct rota_watch *w = owner;
    struct rota_loop *loop = w->loop;
    void (*on_closed)(void *arg) = w->on_closed;
    void *arg = w->closed_arg;

    rota_resolver_sink_fini(&w->sink);
    destroy(w);
    rota_loop_release(loop);
    if (on_closed != NULL)
        on_closed(arg);
}

static const struct rota_resolver_sink_owner sink_owner = {
    .on_endpoints = on_endpoints, .on_error = on_error, .on_service_config = on_service_config, .on_released = on_released};

static rota_err find(struct rota_watch *w, const char *target, const struct rota_resolver_class *const *resolvers, struct rota_errinfo *info)
{
    const void **classes = rota_builtin_join(w->alloc, (const void *const *)resolvers, (const void *const *)rota_builtin_resolvers);
    rota_err err;

    if (classes == NULL)
        return rota_errinfo_set(info, ROTA_ENOMEM, "out of memory");
    err = rota_resolver_find(target, (const struct rota_resolver_class *const *)(const void *)classes, w->alloc, &w->target, &w->class, info);
    rota_alloc_free(w->alloc, classes);
    if (err < 0)
        return err;
    w->state = rota_alloc_zero(w->alloc, 1, w->class->state_size);
    return w->state == NULL ? rota_errinfo_set(info, ROTA_ENOMEM, "out of memory") : 0;
}

rota_err rota_watch_open(struct rota_loop *loop, const char *target, const struct rota_resolver_class *const *resolvers,
                         const struct rota_watch_events *events, void *arg, struct rota_watch **ret_watch, struct rota_errinfo *info)
{
    struct rota_host *host = rota_loop_host(loop);
    char shown[ROTA_TARGET_SHOW_SIZE];
    rota_err err = rota_loop_check_thread(loop, info);
    struct rota_watch *w;

    if (err < 0)
        return err;
    rota_host_enter(host);
    w = rota_alloc_zero(host->alloc, 1, sizeof(*w));
    if (w == NULL)
        return rota_errinfo_set(info, ROTA_ENOMEM, "out of memory");
    w->alloc = host->alloc;
    w->loop = loop;
    w->events = events;
    w->arg = arg;
    err = find(w, target, resolvers, info);
    if (err < 0) {
        destroy(w);
        return err;
    }
    rota_resolver_sink_init(&w->sink, &sink_owner, w, host, w->alloc, host->log);
    w->sink.lookup = events->on_service_config != NULL ? ROTA_CONFIG_LOOKUP_ON : ROTA_CONFIG_LOOKUP_OFF;
    rota_loop_hold(loop);
    err = w->class->start(w->state, w->target, loop, &w->sink);
    if (err < 0) {
        /* The sink goes in a turn of its own; nobody is told. */
        w->closing = true;
        err = rota_errinfo_set(info, err, "%s: %s", rota_target_show(target, shown, sizeof(shown)), rota_resolver_sink_reason(&w->sink, err));
        rota_resolver_sink_close(&w->sink);
        return err;
    }
    *ret_watch = w;
    return 0;
}

void rota_watch_close(struct rota_watch *watch, void (*on_closed)(void *arg), void *arg)
{
    watch->closing = true;
    watch->on_closed = on_closed;
    watch->closed_arg = arg;
    watch->class->stop(watch->state);
    rota_resolver_sink_close(&watch->sink);
}
