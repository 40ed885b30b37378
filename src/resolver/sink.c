/* sink.c - what a resolver publishes is compared at once and handed on by a task. */
#include "resolver/sink.h"
#include "base/alloc.h"
#include "base/assert.h"
#include "base/log.h"
#include "resolver/list.h"
#include <stdio.h>

static void deliver_list(struct rota_resolver_sink *sink)
{
    struct rota_resolver_source source = sink->source;

    sink->list_new = false;
    sink->class->on_endpoints(sink->owner, sink->endpoints, sink->n_endpoints, &source);
}

static void deliver_config(struct rota_resolver_sink *sink)
{
    char *config = sink->config;

    sink->config = NULL;
    sink->class->on_service_config(sink->owner, rota_slice(config, sink->config_size));
    rota_alloc_free(sink->alloc, config);
}

static void run(struct rota_host_task *task)
{
    struct rota_resolver_sink *sink = ROTA_CONTAINER(task, struct rota_resolver_sink, task);

    if (sink->closed) {
        sink->class->on_released(sink->owner);
        return;
    }
    /* Each of them may make the owner close the sink; on_released then comes from a later task. */
    if (sink->config != NULL)
        deliver_config(sink);
    if (!sink->closed && sink->list_new)
        deliver_list(sink);
    if (!sink->closed && sink->error_new) {
        struct rota_status error = sink->error;

        sink->error_new = false;
        sink->class->on_error(sink->owner, &error);
    }
}

void rota_resolver_sink_init(struct rota_resolver_sink *sink, const struct rota_resolver_sink_owner *owner_class, void *owner, struct rota_host *host,
    const struct rota_alloc *alloc, const struct rota_log *log)
{
    *sink = (struct rota_resolver_sink){
        .class = owner_class, .owner = owner, .host = host, .alloc = rota_alloc_or_default(alloc), .log = log, .task.run = run};
}

void rota_resolver_sink_fini(struct rota_resolver_sink *sink)
{
    if (sink == NULL || sink->host == NULL)
        return;
    rota_host_unpost(sink->host, &sink->task);
    rota_endpoint_list_free(sink->alloc, sink->endpoints, sink->n_endpoints);
    rota_alloc_free(sink->alloc, sink->config);
    sink->endpoints = NULL;
    sink->n_endpoints = 0;
    sink->config = NULL;
}

static void release_when_free(struct rota_resolver_sink *sink)
{
    if (sink->closed && sink->holds == 0)
        rota_host_post(sink->host, &sink->task);
}

void rota_resolver_sink_close(struct rota_resolver_sink *sink)
{
    ROTA_ASSERT(!sink->closed);
    sink->closed = true;
    rota_host_unpost(sink->host, &sink->task);
    release_when_free(sink);
}

void rota_resolver_sink_hold(struct rota_resolver_sink *sink)
{
    ROTA_ASSERT(!sink->closed || sink->holds > 0);
    sink->holds++;
}

void rota_resolver_sink_release(struct rota_resolver_sink *sink)
{
    ROTA_ASSERT(sink->holds > 0);
    sink->holds--;
    release_when_free(sink);
}

const struct rota_alloc *rota_resolver_sink_alloc(struct rota_resolver_sink *sink)
{
    return sink->alloc;
}

const struct rota_log *rota_resolver_sink_log(struct rota_resolver_sink *sink)
{
    return sink->log;
}

/* --- Publishing --- */

static void set_source(struct rota_resolver_sink *sink, const struct rota_resolver_source *source)
{
    sink->source = source == NULL ? (struct rota_resolver_source){0} : *source;
    if (sink->source.registry != NULL) {
        snprintf(sink->registry, sizeof(sink->registry), "%s", sink->source.registry);
        sink->source.registry = sink->registry;
    }
}

static bool is_last(const struct rota_resolver_sink *sink, const struct rota_endpoint_list *list)
{
    return sink->snapshot > 0 && list->count == sink->n_endpoints &&
           (list->count == 0 || memcmp((const void *)list->endpoints, (const void *)sink->endpoints, list->count * sizeof(*list->endpoints)) == 0);
}

static void note_left_out(const struct rota_resolver_sink *sink, const struct rota_endpoint_list *list)
{
    if (list->n_doubles > 0)
        rota_log_write(sink->log, ROTA_LOG_INFO, "resolver", "%zu of %zu endpoints have the addresses of another and are left out",
            list->n_doubles, list->count + list->n_doubles);
    if (list->n_bad > 0)
        rota_log_write(sink->log, ROTA_LOG_WARN, "resolver", "%zu endpoints without an address are left out", list->n_bad);
}

void rota_resolver_sink_endpoints(struct rota_resolver_sink *sink, const struct rota_endpoint *const *endpoints, size_t count,
    const struct rota_resolver_source *source)
{
    bool was_stale = sink->source.stale;
    struct rota_endpoint_list list;

    if (sink->closed)
        return;
    if (rota_endpoint_list_make(sink->alloc, sink->endpoints, sink->n_endpoints, endpoints, endpoints == NULL ? 0 : count, &list) < 0) {
        rota_status_set(&sink->error, ROTA_RESOURCE_EXHAUSTED, "out of memory for %zu endpoints", count);
        rota_resolver_sink_error(sink, &sink->error);
        return;
    }
    sink->error_new = false;
    set_source(sink, source);
    if (is_last(sink, &list) && sink->source.stale == was_stale) {
        rota_endpoint_list_free(sink->alloc, list.endpoints, list.count);
        return;
    }
    note_left_out(sink, &list);
    rota_endpoint_list_free(sink->alloc, sink->endpoints, sink->n_endpoints);
    sink->endpoints = list.endpoints;
    sink->n_endpoints = list.count;
    sink->snapshot++;
    sink->list_new = true;
    rota_host_post(sink->host, &sink->task);
}

void rota_resolver_sink_error(struct rota_resolver_sink *sink, const struct rota_status *why)
{
    if (sink->closed)
        return;
    if (why == NULL || why->code == ROTA_OK)
        rota_status_set(&sink->error, ROTA_UNAVAILABLE, "the resolver failed and did not say why");
    else
        sink->error = *why;
    sink->error_new = true;
    rota_host_post(sink->host, &sink->task);
}

void rota_resolver_sink_service_config(struct rota_resolver_sink *sink, struct rota_slice json)
{
    char *config;

    if (sink->closed)
        return;
    config = rota_alloc_text(sink->alloc, json);
    if (config == NULL) {
        struct rota_status why;

        rota_status_set(&why, ROTA_RESOURCE_EXHAUSTED, "out of memory for a service config of %zu bytes", json.size);
        rota_resolver_sink_error(sink, &why);
        return;
    }
    rota_alloc_free(sink->alloc, sink->config);
    sink->config = config;
    sink->config_size = json.size;
    rota_host_post(sink->host, &sink->task);
}
