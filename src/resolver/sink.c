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

static bool is_bad(const struct rota_resolver_sink *sink)
{
    return sink->problem.text[0] != '\0';
}

static void deliver_config(struct rota_resolver_sink *sink)
{
    struct rota_errinfo problem = sink->problem;
    struct rota_found_config found = {
        .json = is_bad(sink) ? rota_slice(NULL, 0) : rota_slice(sink->config, sink->config_size),
        .origin = sink->origin[0] == '\0' ? NULL : sink->origin,
        .problem = is_bad(sink) ? problem.text : NULL,
    };

    rota_alloc_free(sink->alloc, sink->last_config);
    sink->last_config = sink->config;
    sink->last_size = sink->config_size;
    sink->config = NULL;
    sink->class->on_service_config(sink->owner, &found);
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
    if (!sink->closed && sink->lost && sink->class->on_lost != NULL)
        sink->class->on_lost(sink->owner);
    sink->lost = false;
}

void rota_resolver_sink_init(struct rota_resolver_sink *sink, const struct rota_resolver_sink_owner *owner_class, void *owner, struct rota_host *host,
    const struct rota_alloc *alloc, const struct rota_log *log)
{
    *sink = (struct rota_resolver_sink){
        .class = owner_class, .owner = owner, .host = host, .alloc = rota_alloc_or_default(alloc), .log = log, .task.run = run,
        .client.hostname = host->name};
}

void rota_resolver_sink_fini(struct rota_resolver_sink *sink)
{
    if (sink == NULL || sink->host == NULL)
        return;
    rota_host_unpost(sink->host, &sink->task);
    rota_endpoint_list_free(sink->alloc, sink->endpoints, sink->n_endpoints);
    rota_alloc_free(sink->alloc, sink->config);
    rota_alloc_free(sink->alloc, sink->last_config);
    sink->endpoints = NULL;
    sink->n_endpoints = 0;
    sink->config = sink->last_config = NULL;
}

static void release_when_free(struct rota_resolver_sink *sink)
{
    if (sink->closed && sink->holds == 0)
        rota_host_post(sink->host, &sink->task);
}

const char *rota_resolver_sink_reason(const struct rota_resolver_sink *sink, rota_err err)
{
    return sink->error_new ? sink->error.message : rota_err_text(err);
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
        sink->lost = true;
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

/* --- Service configs --- */

static void no_memory(struct rota_resolver_sink *sink, size_t size_bytes)
{
    struct rota_status why;

    rota_status_set(&why, ROTA_RESOURCE_EXHAUSTED, "out of memory for a service config of %zu bytes", size_bytes);
    sink->lost = true;
    rota_resolver_sink_error(sink, &why);
}

static bool is_last_config(const struct rota_resolver_sink *sink, struct rota_slice json)
{
    if (sink->last_config == NULL)
        return false;
    return json.size == sink->last_size && (json.size == 0 || memcmp(json.data, sink->last_config, json.size) == 0);
}

/* json: good, or what the problem is with. */
static void offer(struct rota_resolver_sink *sink, struct rota_slice json, const char *origin, const struct rota_errinfo *problem)
{
    char *config;

    if (is_last_config(sink, json)) {
        rota_alloc_free(sink->alloc, sink->config); /* what came in between is taken back */
        sink->config = NULL;
        return;
    }
    config = rota_alloc_text(sink->alloc, json);
    if (config == NULL) {
        no_memory(sink, json.size);
        return;
    }
    rota_alloc_free(sink->alloc, sink->config);
    sink->config = config;
    sink->config_size = json.size;
    sink->problem = *problem;
    snprintf(sink->origin, sizeof(sink->origin), "%s", origin);
    rota_host_post(sink->host, &sink->task);
}

void rota_resolver_sink_service_config(struct rota_resolver_sink *sink, struct rota_slice json)
{
    static const struct rota_errinfo none = {""};

    if (!sink->closed)
        offer(sink, json, "", &none);
}

static void draw(struct rota_resolver_sink *sink)
{
    uint32_t *kept = sink->draw != NULL ? sink->draw : &sink->client.draw;

    if (*kept == 0)
        *kept = rota_rng_below(&sink->host->rng, ROTA_CONFIG_DRAWS) + 1;
    sink->client.draw = *kept;
}

void rota_resolver_sink_config_choices(struct rota_resolver_sink *sink, struct rota_slice json, const char *origin)
{
    struct rota_errinfo problem = {""};
    char *config = NULL;
    rota_err err;

    if (sink->closed)
        return;
    draw(sink);
    err = rota_config_choose(json, &sink->client, sink->alloc, &config, &problem);
    if (err == ROTA_ENOMEM)
        no_memory(sink, json.size);
    else if (err < 0)
        offer(sink, json, origin, &problem);
    else
        offer(sink, config == NULL ? rota_slice(NULL, 0) : rota_slice_str(config), origin, &problem);
    rota_alloc_free(sink->alloc, config);
}

bool rota_resolver_sink_wants_config(const struct rota_resolver_sink *sink, bool by_default)
{
    return sink->lookup == ROTA_CONFIG_LOOKUP_DEFAULT ? by_default : sink->lookup == ROTA_CONFIG_LOOKUP_ON;
}
