/* conn.c - accepted connections: counted, bounded, handed their streams' requests.
 *
 * A stream that is reset makes room for the next one while the handler of its call may go on for a while. Such calls are orphans, of
 * which a connection may have as many as streams; beyond that new streams are refused (CVE-2023-44487, on the handlers' side).
 */
#include "server/server.h"

#include "base/alloc.h"
#include "base/log.h"
#include <stdio.h>

#define H2_REFUSED_STREAM 7
#define QUIET_NS INT64_C(1000000000)

/* Beyond the bound nothing is begun, nor kept, until those who are being ended have gone: clients try again by themselves, since nobody has seen it. */
static bool may_begin(const struct rota_server_conn *conn)
{
    struct rota_server *server = conn->server;

    if (!rota_server_is_over(server))
        return !conn->leaving && conn->n_orphans < server->options.max_concurrent_streams;
    if (!rota_server_has_room(server))
        (void)rota_server_make_room(server, conn);
    return false;
}

static void on_stream(void *owner, struct rota_stream *stream, const struct rota_header *headers, size_t count, bool end)
{
    struct rota_server_conn *conn = owner;

    if (may_begin(conn))
        rota_server_dispatch(conn, stream, headers, count, end);
    else
        stream->conn->class->reset(stream, H2_REFUSED_STREAM);
}

void rota_server_conn_release(struct rota_server_conn *conn)
{
    if (conn->closed && conn->n_orphans == 0)
        rota_alloc_free(conn->server->alloc, conn);
}

static void on_closed(void *owner, const struct rota_status *why)
{
    struct rota_server_conn *conn = owner;
    struct rota_server *server = conn->server;

    if (why->code != ROTA_OK)
        rota_log_write(server->log, ROTA_LOG_DEBUG, "server", "%s: %s", conn->peer, why->message);
    rota_list_remove(&conn->link);
    rota_list_remove(&conn->turn);
    server->stats.connections_open--;
    conn->closed = true;
    rota_server_conn_left(conn);
    rota_server_conn_release(conn);
    rota_server_settle(server);
}

static void on_ready(void *owner)
{
    (void)owner;
}

/* Half frames, and the resets of requests that nobody here has heard of, are queued without a call that could ask for room. */
static void on_room(void *owner)
{
    struct rota_server_conn *conn = owner;

    if (conn->leaving)
        rota_server_conn_left(conn);
    if (!rota_server_has_room(conn->server))
        (void)rota_server_make_room(conn->server, conn);
}

static void on_draining(void *owner, const struct rota_status *why)
{
    (void)owner;
    (void)why;
}

static const struct rota_conn_events conn_events = {
    .on_ready = on_ready, .on_draining = on_draining, .on_room = on_room, .on_stream = on_stream, .on_closed = on_closed};

bool rota_server_tell(const struct rota_server *server, struct rota_server_tale *tale, char more[static ROTA_SERVER_MORE_SIZE])
{
    int64_t now_ns = server->parts.host->now_ns;

    if (now_ns < tale->quiet_until_ns) {
        tale->n_untold++;
        return false;
    }
    more[0] = '\0';
    if (tale->n_untold > 0)
        snprintf(more, ROTA_SERVER_MORE_SIZE, " (and %u more like it)", tale->n_untold);
    *tale = (struct rota_server_tale){.quiet_until_ns = now_ns + QUIET_NS};
    return true;
}

static void tell_refused(struct rota_server *server, const struct rota_conn *conn)
{
    char more[ROTA_SERVER_MORE_SIZE];

    if (rota_server_tell(server, &server->refused, more))
        rota_log_write(server->log, ROTA_LOG_WARN, "server", "%s: refused, %u connections are open%s", conn->class->peer(conn),
                       server->stats.connections_open, more);
}

static bool on_accept(void *owner, struct rota_conn *conn, const struct rota_conn_events **ret_events, void **ret_owner)
{
    struct rota_server *server = ((struct rota_server_listener *)owner)->server;
    struct rota_server_conn *c;

    if (server->draining || server->closing)
        return false;
    if (server->stats.connections_open >= server->options.max_connections) {
        tell_refused(server, conn);
        return false;
    }
    c = rota_alloc_zero(server->alloc, 1, sizeof(*c));
    if (c == NULL)
        return false;
    c->server = server;
    c->conn = conn;
    snprintf(c->peer, sizeof(c->peer), "%s", conn->class->peer(conn));
    rota_list_init(&c->waiting);
    rota_list_init(&c->turn);
    rota_list_append(&server->conns, &c->link);
    server->stats.connections_open++;
    server->stats.connections_accepted++;
    *ret_events = &conn_events;
    *ret_owner = c;
    return true;
}

static void on_listener_closed(void *owner, struct rota_listener *listener)
{
    struct rota_server_listener *l = owner;
    struct rota_server *server = l->server;

    (void)listener;
    rota_list_remove(&l->link);
    rota_alloc_free(server->alloc, l);
    rota_server_settle(server);
}

const struct rota_listener_events rota_server_listener_events = {.on_accept = on_accept, .on_closed = on_listener_closed};
