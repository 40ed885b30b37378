/* link_stream.c - the operations of wire/transport.h on a real connection: each goes to the session and marks the link for its flush. */
#include "assembly/link_inside.h"

#include "base/alloc.h"

static struct rota_net_link *link_of(const struct rota_stream *stream)
{
    return ROTA_CONTAINER(stream->conn, struct rota_net_link, conn);
}

static struct rota_net_stream *inside(const struct rota_stream *stream)
{
    return (struct rota_net_stream *)(uintptr_t)stream;
}

struct rota_net_stream *rota_net_stream_make(struct rota_net_link *link, struct rota_h2_stream *h2)
{
    struct rota_link *spare = rota_list_pop(&link->spare);
    struct rota_net_stream *stream = spare != NULL ? ROTA_CONTAINER(spare, struct rota_net_stream, link) : rota_alloc_get(link->alloc, sizeof(*stream));

    if (stream == NULL)
        return NULL;
    *stream = (struct rota_net_stream){.stream.conn = &link->conn, .h2 = h2};
    rota_list_init(&stream->link);
    if (h2 != NULL)
        rota_h2_set_user(h2, stream);
    return stream;
}

void rota_net_stream_drop(struct rota_net_link *link, struct rota_net_stream *stream)
{
    rota_list_append(&link->spare, &stream->link);
}

void rota_net_streams_forget(struct rota_net_link *link)
{
    struct rota_link *spare;

    while ((spare = rota_list_pop(&link->spare)) != NULL)
        rota_alloc_free(link->alloc, ROTA_CONTAINER(spare, struct rota_net_stream, link));
}

static rota_err open_stream(struct rota_conn *conn, const struct rota_header *headers, size_t count, bool end, const struct rota_stream_events *events,
                     void *owner, struct rota_stream **ret_stream)
{
    struct rota_net_link *link = ROTA_CONTAINER(conn, struct rota_net_link, conn);
    struct rota_net_stream *stream;
    rota_err err;

    if (link->closing || link->h2 == NULL)
        return ROTA_ECLOSED;
    stream = rota_net_stream_make(link, NULL);
    if (stream == NULL)
        return ROTA_ENOMEM;
    stream->events = events;
    stream->owner = owner;
    err = rota_h2_open(link->h2, headers, count, end, stream, &stream->h2);
    if (err < 0) {
        rota_net_stream_drop(link, stream);
        return err;
    }
    rota_net_link_touch(link);
    *ret_stream = &stream->stream;
    return 0;
}

static void adopt(struct rota_stream *stream, const struct rota_stream_events *events, void *owner)
{
    link_of(stream)->offered = NULL;
    inside(stream)->events = events;
    inside(stream)->owner = owner;
}

static rota_err send_headers(struct rota_stream *stream, const struct rota_header *headers, size_t count, bool end)
{
    rota_net_link_touch(link_of(stream));
    return rota_h2_send_headers(inside(stream)->h2, headers, count, end);
}

static rota_err send_data(struct rota_stream *stream, struct rota_chunk *chunk, bool end)
{
    rota_net_link_touch(link_of(stream));
    return rota_h2_send(inside(stream)->h2, chunk, end);
}

static rota_err send_trailers(struct rota_stream *stream, const struct rota_header *headers, size_t count)
{
    rota_net_link_touch(link_of(stream));
    return rota_h2_send_trailers(inside(stream)->h2, headers, count);
}

static void reset(struct rota_stream *stream, uint32_t h2_code)
{
    struct rota_net_link *link = link_of(stream);

    rota_net_link_touch(link);
    if (link->offered == inside(stream))
        link->offered = NULL;
    rota_h2_reset(inside(stream)->h2, h2_code);
    rota_net_stream_drop(link, inside(stream));
}

static void consumed(struct rota_stream *stream, size_t bytes)
{
    rota_net_link_touch(link_of(stream));
    rota_h2_consumed(inside(stream)->h2, bytes);
}

static size_t queued(const struct rota_stream *stream)
{
    return rota_h2_queued(inside(stream)->h2);
}

static size_t max_header_bytes(const struct rota_conn *conn)
{
    const struct rota_net_link *link = ROTA_CONTAINER(conn, struct rota_net_link, conn);

    return link->h2 == NULL ? ROTA_HEADER_SENT_BYTES : rota_h2_max_header_bytes(link->h2);
}

static const char *peer(const struct rota_conn *conn)
{
    return ROTA_CONTAINER(conn, struct rota_net_link, conn)->peer;
}

/* Nobody waits for a flooder. */
static void end_at_once(struct rota_net_link *link)
{
    rota_net_link_leave(link);
    rota_socket_abort(link->socket);
}

static void drain(struct rota_conn *conn)
{
    struct rota_net_link *link = ROTA_CONTAINER(conn, struct rota_net_link, conn);

    if (link->shunned)
        end_at_once(link);
    if (link->closing)
        return;
    if (link->h2 == NULL && link->shaking && !link->client) {
        link->drain_at_once = true;
        return;
    }
    if (link->h2 == NULL) {
        conn->class->close(conn);
        return;
    }
    rota_h2_drain(link->h2, link->host->now_ns);
    rota_net_link_touch(link);
}

static struct rota_identity *identity(const struct rota_conn *conn)
{
    struct rota_net_link *link = ROTA_CONTAINER(conn, struct rota_net_link, conn);

    return link->tls == NULL ? NULL : rota_tls_identity(link->tls);
}

static void expel(struct rota_conn *conn, const char *why)
{
    struct rota_net_link *link = ROTA_CONTAINER(conn, struct rota_net_link, conn);

    if (link->closing)
        return;
    if (link->h2 == NULL) {
        conn->class->close(conn);
        return;
    }
    rota_h2_expel(link->h2, why);
    link->expelled = true;
    rota_net_link_touch(link);
}

/* A server's last replies, all put together, wait in the socket or in the system, which drops them when the peer sends on to a closed
 * one: for these too the peer has a second. */
static bool has_last_words(const struct rota_net_link *link)
{
    return !link->client && link->h2 != NULL && rota_h2_streams(link->h2) == 0 &&
           (rota_net_link_pending(link) > 0 || rota_socket_left(link->socket) > 0);
}

static void close_conn(struct rota_conn *conn)
{
    struct rota_net_link *link = ROTA_CONTAINER(conn, struct rota_net_link, conn);

    if (link->lingering) {
        link->closed_here = true;
        rota_socket_hurry(link->socket);
        return;
    }
    if (link->shunned)
        end_at_once(link);
    if (link->closing)
        return;
    link->closing = true;
    link->closed_here = true;
    if (!has_last_words(link)) {
        rota_socket_abort(link->socket);
        return;
    }
    rota_net_link_bye(link);
    rota_socket_close(link->socket);
}

const struct rota_conn_class rota_net_conn_class = {
    .open = open_stream,
    .adopt = adopt,
    .send_headers = send_headers,
    .send = send_data,
    .send_trailers = send_trailers,
    .reset = reset,
    .consumed = consumed,
    .queued = queued,
    .max_header_bytes = max_header_bytes,
    .peer = peer,
    .drain = drain,
    .identity = identity,
    .expel = expel,
    .close = close_conn,
};
