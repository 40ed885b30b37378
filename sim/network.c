/* network.c - connections: dialed, refused, reset, drained, and silent when the server stands still.
 *
 * One round trip for TCP and one more until the server's SETTINGS are here. A server that stands still accepts in its kernel and says
 * nothing, so the dial runs into its deadline. Keepalive is what HTTP/2 would do with it: silence for the time and the timeout
 * together ends the connection.
 */
#include "base/alloc.h"
#include "base/assert.h"
#include "sim/world.h"
#include <rota/endpoint.h>

#define CONN_EVENTS 4

/* --- The end --- */

static void free_conn(struct rota_sim_conn *conn)
{
    struct rota_sim_world *world = conn->client->world;

    rota_sim_clear(world, &conn->step);
    rota_sim_clear(world, &conn->timer);
    rota_sim_clear(world, &conn->goaway);
    rota_sim_clear(world, &conn->room);
    rota_list_remove(&conn->step.link);
    world->n_places -= CONN_EVENTS;
    rota_alloc_free(world->alloc, conn);
}

static void fire_end(struct rota_sim_world *world, struct rota_sim_event *event)
{
    struct rota_sim_conn *conn = ROTA_CONTAINER(event, struct rota_sim_conn, step);
    struct rota_sim_client *client = conn->client;
    struct rota_stream_end end = {.cause = ROTA_STREAM_LOST, .detail = conn->why == NULL ? "closed" : conn->why};
    struct rota_status status;
    struct rota_link *link;

    (void)world;
    if (rota_sim_client_holds(client, event))
        return;
    if (conn->why == NULL)
        rota_status_set(&status, ROTA_OK, "%s", "");
    else
        rota_status_set(&status, ROTA_UNAVAILABLE, "%s: %s", conn->server->endpoint->addresses[0].text, conn->why);
    rota_sim_client_enter(client);
    while ((link = conn->streams.next) != &conn->streams)
        rota_sim_stream_lose(ROTA_CONTAINER(link, struct rota_sim_rpc, link), &end);
    conn->events->on_closed(conn->owner, &status);
    free_conn(conn);
    rota_sim_client_leave(client);
}

void rota_sim_conn_break(struct rota_sim_conn *conn, int64_t at_ns, const char *why)
{
    struct rota_sim_world *world = conn->client->world;

    if (conn->state == ROTA_SIM_CLOSING && conn->step.node.key <= at_ns)
        return;
    conn->state = ROTA_SIM_CLOSING;
    conn->why = why;
    rota_list_remove(&conn->server_link);
    rota_list_remove(&conn->step.link);
    rota_sim_clear(world, &conn->timer);
    rota_sim_clear(world, &conn->goaway);
    rota_sim_clear(world, &conn->room);
    conn->step.fire = fire_end;
    rota_sim_at(world, &conn->step, at_ns);
}

/* --- Notices --- */

static void fire_goaway(struct rota_sim_world *world, struct rota_sim_event *event)
{
    struct rota_sim_conn *conn = ROTA_CONTAINER(event, struct rota_sim_conn, goaway);
    struct rota_sim_client *client = conn->client;

    if (conn->state == ROTA_SIM_DIALING) /* SETTINGS come first */
        rota_sim_at(world, event, conn->step.node.key);
    else if (conn->state == ROTA_SIM_UP && !conn->draining && !rota_sim_client_holds(client, event)) {
        rota_sim_client_enter(client);
        conn->events->on_draining(conn->owner, NULL);
        rota_sim_client_leave(client);
    }
}

static void fire_room(struct rota_sim_world *world, struct rota_sim_event *event)
{
    struct rota_sim_conn *conn = ROTA_CONTAINER(event, struct rota_sim_conn, room);
    struct rota_sim_client *client = conn->client;

    (void)world;
    if (!conn->starved || conn->n_streams >= conn->server->spec->streams || rota_sim_client_holds(client, event))
        return;
    conn->starved = false;
    rota_sim_client_enter(client);
    conn->events->on_room(conn->owner);
    rota_sim_client_leave(client);
}

/* The dial's deadline, or a look at whether anybody is there. */
static void fire_timer(struct rota_sim_world *world, struct rota_sim_event *event)
{
    struct rota_sim_conn *conn = ROTA_CONTAINER(event, struct rota_sim_conn, timer);

    if (rota_sim_client_holds(conn->client, event))
        return;
    if (conn->state == ROTA_SIM_DIALING)
        rota_sim_conn_break(conn, world->now_ns, "connecting timed out");
    else if (conn->state == ROTA_SIM_UP && conn->server->paused && (conn->n_streams > 0 || conn->keepalive_idle))
        rota_sim_conn_break(conn, world->now_ns, "keepalive timed out");
}

/* --- Dialing --- */

static void fire_ready(struct rota_sim_world *world, struct rota_sim_event *event)
{
    struct rota_sim_conn *conn = ROTA_CONTAINER(event, struct rota_sim_conn, step);
    struct rota_sim_client *client = conn->client;

    if (rota_sim_client_holds(client, event))
        return;
    conn->state = ROTA_SIM_UP;
    rota_sim_clear(world, &conn->timer);
    if (conn->server->paused)
        rota_sim_conn_watch(conn);
    rota_sim_client_enter(client);
    conn->events->on_ready(conn->owner);
    rota_sim_client_leave(client);
}

static void fire_knock(struct rota_sim_world *world, struct rota_sim_event *event)
{
    struct rota_sim_conn *conn = ROTA_CONTAINER(event, struct rota_sim_conn, step);
    struct rota_sim_server *server = conn->server;

    if (!server->up) {
        rota_sim_conn_break(conn, rota_sim_trip(world, server), "connection refused");
        return;
    }
    if (rota_sim_server_holds(server, event)) {
        rota_sim_at(world, &conn->timer, conn->deadline_ns);
        return;
    }
    conn->generation = server->generation;
    rota_list_append(&server->conns, &conn->server_link);
    conn->step.fire = fire_ready;
    rota_sim_at(world, &conn->step, rota_sim_trip(world, server) + 2 * server->spec->latency_ns);
}

void rota_sim_conn_watch(struct rota_sim_conn *conn)
{
    struct rota_sim_world *world = conn->client->world;

    if (conn->state == ROTA_SIM_UP && conn->keepalive_ns != INT64_MAX && conn->timer.node.place == 0)
        rota_sim_at(world, &conn->timer, world->now_ns + conn->keepalive_ns);
}

/* "10.a.b.c:1": the number is the index. */
static struct rota_sim_server *server_at(struct rota_sim_world *world, const struct rota_address *address)
{
    uint32_t index = (uint32_t)address->ip[1] << 16 | (uint32_t)address->ip[2] << 8 | address->ip[3];

    ROTA_ASSERT(address->kind == ROTA_ADDRESS_IPV4 && index < world->scenario->n_servers);
    return &world->servers[index];
}

static rota_err dial(struct rota_dialer *dialer, const struct rota_dial *options, const struct rota_conn_events *events, void *owner,
                     struct rota_conn **ret_conn)
{
    struct rota_sim_client *client = ROTA_CONTAINER(dialer, struct rota_sim_client, dialer);
    struct rota_sim_world *world = client->world;
    struct rota_sim_conn *conn = rota_alloc_zero(world->alloc, 1, sizeof(*conn));

    if (conn == NULL || rota_sim_places(world, CONN_EVENTS) < 0) {
        rota_alloc_free(world->alloc, conn);
        return ROTA_ENOMEM;
    }
    conn->conn.class = &rota_sim_conn_class;
    conn->client = client;
    conn->server = server_at(world, options->address);
    conn->events = events;
    conn->owner = owner;
    conn->step.fire = fire_knock;
    conn->timer.fire = fire_timer;
    conn->goaway.fire = fire_goaway;
    conn->room.fire = fire_room;
    conn->keepalive_ns = options->keepalive_time_ns == INT64_MAX ? INT64_MAX : options->keepalive_time_ns + options->keepalive_timeout_ns;
    conn->keepalive_idle = options->keepalive_without_calls;
    rota_list_init(&conn->server_link);
    rota_list_init(&conn->step.link);
    rota_list_init(&conn->streams);
    rota_sim_at(world, &conn->step, rota_sim_trip(world, conn->server));
    conn->deadline_ns = options->deadline_ns;
    /* Where an answer is sure to come before it, the deadline needs no place in the queue. */
    if (options->deadline_ns < world->now_ns + 5 * (conn->server->spec->latency_ns + world->scenario->jitter_ns))
        rota_sim_at(world, &conn->timer, options->deadline_ns);
    *ret_conn = &conn->conn;
    return 0;
}

const struct rota_dialer_class rota_sim_dialer_class = {.dial = dial};
