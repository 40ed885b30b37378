/* server.c - services, listeners, and how a server ends.
 *
 * Invariants: `methods` and `services` own their values; drain and close are complete when no listener and no connection is
 * left (close: no call either), which is looked at from a task, so on_drained and on_closed never come from inside a call.
 * Elsewhere: two-step GOAWAY (the connection's drain), calls (call.c).
 */
#include "server/server.h"

#include "base/alloc.h"
#include "base/assert.h"
#include "base/errinfo.h"
#include "base/log.h"
#include <stdio.h>

#define NS_PER_MS INT64_C(1000000)

static void on_settle(struct rota_host_task *task);
static void on_grace(struct rota_host_timer *timer, int64_t now_ns);

rota_err rota_server_make(const struct rota_server_options *options, const struct rota_server_parts *parts, struct rota_server **ret_server,
                          struct rota_errinfo *info)
{
    struct rota_server_options full;
    const struct rota_alloc *alloc;
    struct rota_server *s;
    rota_err err;

    err = rota_server_options_read(options, &full, info);
    if (err < 0)
        return err;
    alloc = rota_alloc_or_default(full.alloc != NULL ? full.alloc : parts->host->alloc);
    s = rota_alloc_zero(alloc, 1, sizeof(*s));
    if (s == NULL)
        return rota_errinfo_set(info, ROTA_ENOMEM, "no memory for a server");
    s->options = full;
    s->parts = *parts;
    s->alloc = alloc;
    s->bulk = rota_host_bulk(parts->host, alloc);
    s->log = full.log != NULL ? full.log : parts->host->log;
    rota_map_init(&s->methods, alloc, rota_rng_next(&parts->host->rng));
    rota_map_init(&s->services, alloc, rota_rng_next(&parts->host->rng));
    rota_zip_init(&s->zip, alloc);
    rota_list_init(&s->listeners);
    rota_list_init(&s->conns);
    rota_list_init(&s->calls);
    rota_list_init(&s->spare);
    rota_list_init(&s->companions);
    rota_server_turn_init(s);
    s->settle.run = on_settle;
    s->grace.fire = on_grace;
    if (rota_server_intercept_take(s, full.interceptors) < 0) {
        rota_map_fini(&s->methods);
        rota_map_fini(&s->services);
        rota_alloc_free(alloc, s);
        return rota_errinfo_set(info, ROTA_ENOMEM, "no memory for a server");
    }
    *ret_server = s;
    return 0;
}

const struct rota_server_parts *rota_server_parts(const struct rota_server *server)
{
    return &server->parts;
}

void rota_server_keep(struct rota_server *server, struct rota_server_companion *companion)
{
    rota_list_append(&server->companions, &companion->link);
}

static void remove_methods(struct rota_server *server, const struct rota_service *service, size_t count)
{
    for (size_t i = 0; i < count; i++)
        rota_alloc_free(server->alloc, rota_map_remove(&server->methods, rota_slice_str(service->handlers[i].method->path)));
}

static rota_err add_method(struct rota_server *server, const struct rota_service *service, const struct rota_handler *handler, const void *handlers,
                           void *user)
{
    struct rota_server_method *method;
    rota_err err;

    if (rota_map_get(&server->methods, rota_slice_str(handler->method->path)) != NULL)
        return ROTA_EEXIST;
    method = rota_alloc_zero(server->alloc, 1, sizeof(*method));
    if (method == NULL)
        return ROTA_ENOMEM;
    *method = (struct rota_server_method){.service = service, .handler = handler, .handlers = handlers, .user = user};
    err = rota_map_set(&server->methods, rota_slice_str(handler->method->path), method);
    if (err < 0)
        rota_alloc_free(server->alloc, method);
    return err;
}

static rota_err tell_companions(struct rota_server *server, const struct rota_service *service)
{
    rota_err err = 0;

    for (struct rota_link *link = server->companions.next; err == 0 && link != &server->companions; link = link->next) {
        struct rota_server_companion *companion = ROTA_CONTAINER(link, struct rota_server_companion, link);
        if (companion->on_add != NULL)
            err = companion->on_add(companion, service);
    }
    return err;
}

rota_err rota_server_add(struct rota_server *server, const struct rota_service *service, const void *handlers, void *user)
{
    rota_err err;

    if (rota_map_get(&server->services, rota_slice_str(service->name)) != NULL)
        return ROTA_EEXIST;
    for (size_t i = 0; i < service->n_handlers; i++) {
        err = add_method(server, service, &service->handlers[i], handlers, user);
        if (err < 0) {
            remove_methods(server, service, i);
            return err;
        }
    }
    err = rota_map_set(&server->services, rota_slice_str(service->name), (void *)(uintptr_t)service);
    if (err == 0) {
        err = tell_companions(server, service);
        if (err < 0)
            rota_map_remove(&server->services, rota_slice_str(service->name));
    }
    if (err < 0)
        remove_methods(server, service, service->n_handlers);
    return err;
}

rota_err rota_server_listen(struct rota_server *server, const char *address, char *bound, struct rota_errinfo *info)
{
    struct rota_serve_limits limits = rota_server_limits(server);
    char text[ROTA_ADDRESS_TEXT_SIZE];
    struct rota_server_listener *l;
    struct rota_address parsed;
    rota_err err;

    rota_host_enter(server->parts.host);
    if (server->draining || server->closing)
        return rota_errinfo_set(info, ROTA_ESTATE, "%s: the server is draining or closing", address);
    err = rota_address_parse(rota_slice_str(address), text, &parsed, info);
    if (err < 0)
        return err;
    l = rota_alloc_zero(server->alloc, 1, sizeof(*l));
    if (l == NULL)
        return rota_errinfo_set(info, ROTA_ENOMEM, "%s: out of memory", address);
    /* ":8001" names no host: every address, where a client's address would mean localhost. */
    if (address[0] == ':') {
        memset(parsed.ip, 0, sizeof(parsed.ip));
        parsed.kind = ROTA_ADDRESS_IPV6;
        parsed.text = address;
    }
    l->server = server;
    err = server->parts.acceptor->class->listen(server->parts.acceptor, &parsed, &limits, &rota_server_listener_events, l, bound, &l->listener, info);
    if (err < 0) {
        rota_alloc_free(server->alloc, l);
        return err;
    }
    rota_list_append(&server->listeners, &l->link);
    return 0;
}

static void close_listeners(struct rota_server *server)
{
    struct rota_link *link, *next;

    for (link = server->listeners.next; link != &server->listeners; link = next) {
        struct rota_server_listener *l = ROTA_CONTAINER(link, struct rota_server_listener, link);
        next = link->next;
        if (!l->closing)
            server->parts.acceptor->class->close(l->listener);
        l->closing = true;
    }
}

static void close_conns(struct rota_server *server)
{
    for (struct rota_link *link = server->conns.next; link != &server->conns; link = link->next) {
        struct rota_conn *conn = ROTA_CONTAINER(link, struct rota_server_conn, link)->conn;
        conn->class->close(conn);
    }
}

void rota_server_settle(struct rota_server *server)
{
    if (server->draining || server->closing)
        rota_host_post(server->parts.host, &server->settle);
}

static void destroy(struct rota_server *server)
{
    void (*on_closed)(void *arg) = server->on_closed;
    void *arg = server->closed_arg;
    struct rota_map_entry *entry = NULL;
    struct rota_link *link;

    while ((link = rota_list_pop(&server->spare)) != NULL)
        rota_server_call_destroy(ROTA_CONTAINER(link, struct rota_server_call, link));
    while ((link = rota_list_pop(&server->companions)) != NULL) {
        struct rota_server_companion *companion = ROTA_CONTAINER(link, struct rota_server_companion, link);
        companion->free(companion);
    }
    while ((entry = rota_map_next(&server->methods, entry)) != NULL)
        rota_alloc_free(server->alloc, entry->value);
    rota_zip_fini(&server->zip);
    rota_map_fini(&server->methods);
    rota_map_fini(&server->services);
    rota_host_timer_clear(server->parts.host, &server->grace);
    rota_host_timer_clear(server->parts.host, &server->turn);
    rota_host_unpost(server->parts.host, &server->settle);
    rota_alloc_free(server->alloc, server->interceptors);
    rota_alloc_free(server->alloc, server);
    if (on_closed != NULL)
        on_closed(arg);
}

static void on_settle(struct rota_host_task *task)
{
    struct rota_server *server = ROTA_CONTAINER(task, struct rota_server, settle);
    void (*on_drained)(void *arg) = server->on_drained;

    if (!rota_list_empty(&server->listeners) || !rota_list_empty(&server->conns))
        return;
    rota_host_timer_clear(server->parts.host, &server->grace);
    server->on_drained = NULL;
    if (on_drained != NULL)
        on_drained(server->drained_arg);
    /* Also when on_drained has just asked for it. */
    if (server->closing && rota_list_empty(&server->calls))
        destroy(server);
}

static void on_grace(struct rota_host_timer *timer, int64_t now_ns)
{
    struct rota_server *server = ROTA_CONTAINER(timer, struct rota_server, grace);

    (void)now_ns;
    rota_log_write(server->log, ROTA_LOG_WARN, "server", "drain: the grace period is over: %u calls are reset, %u connections closed",
                   server->stats.calls_open, server->stats.connections_open);
    close_conns(server);
}

void rota_server_drain(struct rota_server *server, int64_t grace_ms, void (*on_drained)(void *arg), void *arg)
{
    int64_t now_ns, grace_ns = 0;

    rota_host_enter(server->parts.host);
    now_ns = server->parts.host->now_ns;
    if (grace_ms > 0)
        grace_ns = grace_ms > (INT64_MAX - now_ns) / NS_PER_MS ? INT64_MAX - now_ns : grace_ms * NS_PER_MS;
    server->on_drained = on_drained;
    server->drained_arg = arg;
    server->draining = true;
    for (struct rota_link *link = server->companions.next; link != &server->companions; link = link->next) {
        struct rota_server_companion *companion = ROTA_CONTAINER(link, struct rota_server_companion, link);
        if (companion->on_drain != NULL)
            companion->on_drain(companion);
    }
    close_listeners(server);
    for (struct rota_link *link = server->conns.next; link != &server->conns; link = link->next) {
        struct rota_conn *conn = ROTA_CONTAINER(link, struct rota_server_conn, link)->conn;
        conn->class->drain(conn);
    }
    /* Without memory for the timer the grace period is over at once: bounded rather than polite. */
    if (rota_host_timer_set(server->parts.host, &server->grace, now_ns + grace_ns) < 0)
        close_conns(server);
    rota_server_settle(server);
}

void rota_server_shut(struct rota_server *server, void (*on_closed)(void *arg), void *arg)
{
    ROTA_ASSERT(!server->closing);
    rota_host_enter(server->parts.host);
    server->on_closed = on_closed;
    server->closed_arg = arg;
    server->closing = true;
    close_listeners(server);
    close_conns(server);
    rota_server_settle(server);
}

struct rota_server_stats rota_server_stats(const struct rota_server *server)
{
    return server->stats;
}
