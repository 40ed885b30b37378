/* connection.c - what the transport tells of a connection, passed on to the subchannel and to the attempts that wait for room.
 *
 * A connection never fails calls by itself: attempts with a stream hear from the stream, those without one wait for the others in their
 * subchannel's room, or are picked anew after the last (gRFC A105: such calls are eligible for transparent retry).
 */
#include "base/alloc.h"
#include "channel/attempt.h"
#include "channel/sides.h"
#include "wire/target.h"
#include <string.h>

struct rota_connection *rota_connection_ref(struct rota_connection *connection)
{
    connection->refs++;
    return connection;
}

void rota_connection_unref(struct rota_connection *connection)
{
    if (connection == NULL || --connection->refs > 0)
        return;
    rota_sides_free(connection);
    rota_alloc_free(connection->channel->alloc, connection);
}

static void detach(struct rota_connection *connection, const struct rota_status *why)
{
    struct rota_subchannel *sub = connection->subchannel;

    connection->subchannel = NULL;
    rota_sides_stop(connection);
    if (sub != NULL)
        rota_subchannel_on_lost(sub, connection, why);
}

static void on_ready(void *owner)
{
    struct rota_connection *connection = owner;

    connection->up = true;
    if (connection->subchannel == NULL)
        return;
    rota_connection_ref(connection);
    rota_subchannel_on_ready(connection->subchannel, connection);
    rota_attempt_enter_room(connection);
    if (connection->subchannel != NULL)
        rota_subchannel_scale(connection->subchannel);
    rota_connection_unref(connection);
}

static void on_draining(void *owner, const struct rota_status *why)
{
    struct rota_connection *connection = owner;
    struct rota_status no_calls;

    if (connection->subchannel == NULL)
        return;
    if (why == NULL) {
        rota_status_set(&no_calls, ROTA_UNAVAILABLE, "%s: the connection takes no new calls", connection->peer);
        connection->conn->class->drain(connection->conn);
    }
    detach(connection, why == NULL ? &no_calls : why);
}

/* Later connections ping half as often as this one (gRFC A8); others may have said so before it. */
static void on_too_many_pings(void *owner)
{
    const struct rota_connection *connection = owner;
    int64_t *time_ns = &connection->channel->limits.keepalive_time_ns;
    int64_t twice_ns = connection->keepalive_ns > INT64_MAX / 2 ? INT64_MAX : connection->keepalive_ns * 2;

    if (*time_ns < twice_ns)
        *time_ns = twice_ns;
}

static void on_room(void *owner)
{
    struct rota_connection *connection = owner;

    rota_connection_ref(connection);
    rota_sides_on_room(connection);
    rota_attempt_enter_room(connection);
    rota_connection_unref(connection);
}

static void on_closed(void *owner, const struct rota_status *why)
{
    struct rota_connection *connection = owner;
    struct rota_channel *channel = connection->channel;

    connection->conn = NULL;
    rota_list_remove(&connection->link);
    detach(connection, why);
    rota_connection_unref(connection);
    rota_channel_note(channel, ROTA_TODO_GONE);
}

static const struct rota_conn_events conn_events = {
    .on_ready = on_ready,
    .on_draining = on_draining,
    .on_too_many_pings = on_too_many_pings,
    .on_room = on_room,
    .on_closed = on_closed,
};

rota_err rota_connection_dial(struct rota_subchannel *sub, int64_t deadline_ns, struct rota_connection **ret_connection)
{
    struct rota_channel *channel = sub->channel;
    size_t text_size = strlen(sub->text) + 1;
    struct rota_connection *connection = rota_alloc_zero(channel->alloc, 1, sizeof(*connection) + text_size);
    struct rota_dial dial = {
        .address = &sub->address,
        .deadline_ns = deadline_ns,
        .keepalive_time_ns = channel->limits.keepalive_time_ns,
        .keepalive_timeout_ns = channel->limits.keepalive_timeout_ns,
        .keepalive_without_calls = channel->limits.keepalive_without_calls,
        .host = rota_authority_host(channel->authority),
        .high_mark_bytes = channel->limits.send_queue_bytes,
    };
    rota_err err;

    if (connection == NULL)
        return ROTA_ENOMEM;
    connection->channel = channel;
    connection->subchannel = sub;
    connection->refs = 1;
    connection->dialed_ns = channel->host->now_ns;
    connection->keepalive_ns = dial.keepalive_time_ns;
    memcpy(connection->peer, sub->text, text_size);
    err = channel->parts.dialer->class->dial(channel->parts.dialer, &dial, &conn_events, connection, &connection->conn);
    if (err < 0) {
        rota_alloc_free(channel->alloc, connection);
        return err;
    }
    rota_list_append(&channel->connections, &connection->link);
    *ret_connection = connection;
    return 0;
}

void rota_connection_leave(struct rota_connection *connection)
{
    connection->subchannel = NULL;
    rota_sides_stop(connection);
    if (connection->conn == NULL)
        return;
    if (connection->up)
        connection->conn->class->drain(connection->conn);
    else
        connection->conn->class->close(connection->conn);
}
