/* sink.c - what a resolver publishes, less what its owner knows already.
 *
 * Invariant: endpoints[0..n_endpoints) is the last list passed on, as long as `listed` is set. It is forgotten when memory does not
 * suffice to keep it: then the next list is passed on, even if it is the same.
 */
#include "resolver/sink.h"
#include "base/alloc.h"
#include "base/assert.h"

static void forget_list(struct rota_resolver_sink *sink)
{
    while (sink->n_endpoints > 0)
        rota_endpoint_unref(sink->endpoints[--sink->n_endpoints]);
    sink->listed = false;
}

static void release(struct rota_host_task *task)
{
    struct rota_resolver_sink *sink = ROTA_CONTAINER(task, struct rota_resolver_sink, released);

    sink->class->on_released(sink->owner);
}

void rota_resolver_sink_init(struct rota_resolver_sink *sink, const struct rota_resolver_sink_owner *owner_class, void *owner, struct rota_host *host,
                             const struct rota_alloc *alloc, const struct rota_log *log)
{
    *sink = (struct rota_resolver_sink){
        .class = owner_class,
        .owner = owner,
        .host = host,
        .alloc = rota_alloc_or_default(alloc),
        .log = log,
        .released.run = release,
        .holds = 1, /* until close */
    };
}

void rota_resolver_sink_fini(struct rota_resolver_sink *sink)
{
    forget_list(sink);
    rota_alloc_free(sink->alloc, sink->endpoints);
    sink->endpoints = NULL;
    sink->cap = 0;
    rota_host_unpost(sink->host, &sink->released);
}

void rota_resolver_sink_close(struct rota_resolver_sink *sink)
{
    ROTA_ASSERT(!sink->closed);
    sink->closed = true;
    rota_resolver_sink_release(sink);
}

void rota_resolver_sink_hold(struct rota_resolver_sink *sink)
{
    ROTA_ASSERT(sink->holds > 0);
    sink->holds++;
}

void rota_resolver_sink_release(struct rota_resolver_sink *sink)
{
    ROTA_ASSERT(sink->holds > 0);
    if (--sink->holds == 0)
        rota_host_post(sink->host, &sink->released);
}

static bool is_last(const struct rota_resolver_sink *sink, const struct rota_endpoint *const *endpoints, size_t count)
{
    if (!sink->listed || sink->n_endpoints != count)
        return false;
    for (size_t i = 0; i < count; i++)
        if (sink->endpoints[i] != endpoints[i] && !rota_endpoint_equal(sink->endpoints[i], endpoints[i]))
            return false;
    return true;
}

static void remember(struct rota_resolver_sink *sink, const struct rota_endpoint *const *endpoints, size_t count)
{
    bool room = rota_alloc_reserve(sink->alloc, &sink->endpoints, &sink->cap, count, sizeof(*sink->endpoints)) == 0;

    if (room)
        for (size_t i = 0; i < count; i++)
            (void)rota_endpoint_ref(endpoints[i]); /* before the last list goes: it may have the same ones */
    forget_list(sink);
    if (!room)
        return;
    for (size_t i = 0; i < count; i++)
        sink->endpoints[i] = endpoints[i];
    sink->n_endpoints = count;
    sink->listed = true;
}

void rota_resolver_sink_endpoints(struct rota_resolver_sink *sink, const struct rota_endpoint *const *endpoints, size_t count,
                                  const struct rota_resolver_source *source)
{
    if (sink->closed || is_last(sink, endpoints, count))
        return;
    remember(sink, endpoints, count);
    sink->class->on_endpoints(sink->owner, endpoints, count, source);
}

void rota_resolver_sink_error(struct rota_resolver_sink *sink, const struct rota_status *why)
{
    if (!sink->closed)
        sink->class->on_error(sink->owner, why);
}

void rota_resolver_sink_service_config(struct rota_resolver_sink *sink, struct rota_slice json)
{
    if (!sink->closed)
        sink->class->on_service_config(sink->owner, json);
}

const struct rota_alloc *rota_resolver_sink_alloc(struct rota_resolver_sink *sink)
{
    return sink->alloc;
}

const struct rota_log *rota_resolver_sink_log(struct rota_resolver_sink *sink)
{
    return sink->log;
}
