/* stream.c - streams as the channel drives them, and rpcs on their way between client and server. */
#include "base/alloc.h"
#include "base/assert.h"
#include "sim/world.h"
#include <stdio.h>

#define HEADER(name, value) {{(const uint8_t *)(name), sizeof(name) - 1}, {(const uint8_t *)(value), sizeof(value) - 1}}

static struct rota_sim_conn *conn_of(const struct rota_sim_rpc *rpc)
{
    return ROTA_CONTAINER(rpc->stream.conn, struct rota_sim_conn, conn);
}

/* --- Life of an rpc --- */

static void fire_rpc(struct rota_sim_world *world, struct rota_sim_event *event);

static struct rota_sim_rpc *take_rpc(struct rota_sim_world *world)
{
    struct rota_sim_rpc *rpc = world->spare_rpcs;

    if (rpc != NULL) {
        world->spare_rpcs = rpc->spare;
    } else {
        if (rota_sim_places(world, 1) < 0)
            return NULL;
        rpc = rota_alloc_get(world->alloc, sizeof(*rpc));
        if (rpc == NULL) {
            world->n_places--;
            return NULL;
        }
    }
    *rpc = (struct rota_sim_rpc){.event.fire = fire_rpc};
    rota_list_init(&rpc->event.link);
    rota_list_init(&rpc->work_link);
    rota_list_init(&rpc->link);
    world->n_rpcs++;
    return rpc;
}

/* When neither side wants it any more. */
static void let_go(struct rota_sim_world *world, struct rota_sim_rpc *rpc)
{
    if (!rpc->client_done || rpc->place != ROTA_SIM_NOWHERE)
        return;
    ROTA_ASSERT(rpc->event.node.place == 0 && rota_list_empty(&rpc->event.link) && rota_list_empty(&rpc->work_link));
    rpc->spare = world->spare_rpcs;
    world->spare_rpcs = rpc;
    world->n_rpcs--;
}

/* The stream has ended for the client, by an answer, a reset or a loss; the connection may have waited for that. Who waits for room is told
 * next: the channel may be in the middle of a reset. */
static void detach(struct rota_sim_rpc *rpc)
{
    struct rota_sim_conn *conn = conn_of(rpc);
    struct rota_sim_world *world = conn->client->world;

    ROTA_ASSERT(!rpc->client_done);
    rpc->client_done = true;
    rota_list_remove(&rpc->link);
    conn->n_streams--;
    if (conn->draining && conn->n_streams == 0 && conn->state == ROTA_SIM_UP)
        rota_sim_conn_break(conn, world->now_ns, NULL);
    if (conn->starved && conn->state == ROTA_SIM_UP)
        rota_sim_at(world, &conn->room, world->now_ns);
}

void rota_sim_stream_lose(struct rota_sim_rpc *rpc, const struct rota_stream_end *end)
{
    struct rota_sim_world *world = conn_of(rpc)->client->world;

    detach(rpc);
    rpc->events->on_closed(rpc->owner, end);
    if (rpc->place == ROTA_SIM_AT_CLIENT)
        rpc->place = ROTA_SIM_NOWHERE;
    let_go(world, rpc);
}

void rota_sim_rpc_die(struct rota_sim_rpc *rpc)
{
    struct rota_sim_world *world = rpc->server->world;

    rota_sim_clear(world, &rpc->event);
    rota_list_remove(&rpc->event.link);
    rota_list_remove(&rpc->work_link);
    rpc->place = ROTA_SIM_NOWHERE;
    let_go(world, rpc);
}

void rota_sim_rpc_reply(struct rota_sim_rpc *rpc)
{
    struct rota_sim_world *world = rpc->server->world;

    rpc->place = ROTA_SIM_TO_CLIENT;
    rota_sim_at(world, &rpc->event, rota_sim_trip(world, rpc->server));
}

/* --- Delivery --- */

static const struct rota_header response[] = {HEADER(":status", "200"), HEADER("content-type", "application/grpc")};
static const uint8_t empty_message[5];

static void deliver_ok(struct rota_sim_rpc *rpc)
{
    struct rota_header trailers[] = {HEADER("grpc-status", "0"), HEADER("endpoint-load-metrics-bin", "")};

    trailers[1].value = rota_slice_str(rpc->report);
    rpc->events->on_headers(rpc->owner, &rpc->stream, response, ROTA_COUNT(response), false);
    if (!rpc->client_done)
        rpc->events->on_data(rpc->owner, &rpc->stream, rota_slice(empty_message, sizeof(empty_message)));
    if (!rpc->client_done)
        rpc->events->on_end(rpc->owner, &rpc->stream, trailers, rpc->report[0] == '\0' ? 1 : 2);
}

static void deliver_error(struct rota_sim_rpc *rpc)
{
    char code[12];
    struct rota_header headers[] = {HEADER(":status", "200"), HEADER("content-type", "application/grpc"), HEADER("grpc-status", ""),
                                    HEADER("endpoint-load-metrics-bin", "")};

    snprintf(code, sizeof(code), "%d", (int)rpc->code);
    headers[2].value = rota_slice_str(code);
    headers[3].value = rota_slice_str(rpc->report);
    rpc->events->on_headers(rpc->owner, &rpc->stream, headers, rpc->report[0] == '\0' ? 3 : 4, true);
}

static void deliver(struct rota_sim_world *world, struct rota_sim_rpc *rpc)
{
    static const struct rota_stream_end done = {.cause = ROTA_STREAM_DONE, .detail = ""};
    struct rota_sim_client *client = conn_of(rpc)->client;

    rota_sim_client_enter(client);
    if (rpc->code == ROTA_OK)
        deliver_ok(rpc);
    else
        deliver_error(rpc);
    if (!rpc->client_done) {
        detach(rpc);
        rpc->events->on_closed(rpc->owner, &done);
    }
    rpc->place = ROTA_SIM_NOWHERE;
    let_go(world, rpc);
    rota_sim_client_leave(client);
}

static void fire_rpc(struct rota_sim_world *world, struct rota_sim_event *event)
{
    struct rota_sim_rpc *rpc = ROTA_CONTAINER(event, struct rota_sim_rpc, event);
    struct rota_sim_server *server = rpc->server;

    if (rpc->place == ROTA_SIM_TO_CLIENT) {
        if (!rpc->client_done && rota_sim_client_holds(conn_of(rpc)->client, event))
            return;
        if (rpc->client_done) {
            rpc->place = ROTA_SIM_NOWHERE;
            let_go(world, rpc);
        } else {
            deliver(world, rpc);
        }
        return;
    }
    if (rota_sim_server_holds(server, event))
        return;
    if (rpc->place == ROTA_SIM_RUNNING)
        rota_sim_server_done(server, rpc);
    else if (rpc->generation != server->generation || !server->up)
        rota_sim_rpc_die(rpc);
    else
        rota_sim_server_take(server, rpc);
}

/* --- For the channel --- */

/* What channels ask of servers besides calls, health and load reports, these do not have. */
static bool is_known(const struct rota_header *headers, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (rota_slice_equal(headers[i].name, ROTA_SLICE(":path")))
            return rota_slice_equal(headers[i].value, ROTA_SLICE(ROTA_SIM_METHOD));
    return false;
}

static bool says_retry(const struct rota_header *headers, size_t count)
{
    for (size_t i = count; i-- > 0;)
        if (rota_slice_equal(headers[i].name, ROTA_SLICE("grpc-previous-rpc-attempts")))
            return true;
    return false;
}

static void depart(struct rota_sim_rpc *rpc)
{
    struct rota_sim_world *world = rpc->server->world;

    rpc->place = ROTA_SIM_TO_SERVER;
    rota_sim_at(world, &rpc->event, rota_sim_trip(world, rpc->server));
}

static rota_err open_stream(struct rota_conn *base, const struct rota_header *headers, size_t count, bool end, const struct rota_stream_events *events,
                            void *owner, struct rota_stream **ret_stream)
{
    struct rota_sim_conn *conn = ROTA_CONTAINER(base, struct rota_sim_conn, conn);
    struct rota_sim_world *world = conn->client->world;
    struct rota_sim_rpc *rpc;

    if (conn->state != ROTA_SIM_UP || conn->draining)
        return ROTA_ECLOSED;
    if (conn->n_streams >= conn->server->spec->streams) {
        conn->starved = true;
        return ROTA_EAGAIN;
    }
    rpc = take_rpc(world);
    if (rpc == NULL)
        return ROTA_ENOMEM;
    rpc->stream.conn = base;
    rpc->server = conn->server;
    rpc->events = events;
    rpc->owner = owner;
    rpc->generation = conn->generation;
    rota_list_append(&conn->streams, &rpc->link);
    conn->n_streams++;
    rpc->unknown = !is_known(headers, count);
    if (!world->closing && !rpc->unknown)
        rota_sim_measure_attempt(&world->measure, conn->server->index, says_retry(headers, count), world->now_ns - ROTA_SIM_START_NS);
    if (conn->server->paused)
        rota_sim_conn_watch(conn);
    if (end)
        depart(rpc);
    *ret_stream = &rpc->stream;
    return 0;
}

static rota_err send_data(struct rota_stream *stream, struct rota_chunk *chunk, bool end)
{
    rota_chunk_unref(chunk);
    if (end)
        depart(ROTA_CONTAINER(stream, struct rota_sim_rpc, stream));
    return 0;
}

/* The server is not told before it looks: what waits is then passed over, what runs goes on for nothing. */
static void reset(struct rota_stream *stream, uint32_t h2_code)
{
    struct rota_sim_rpc *rpc = ROTA_CONTAINER(stream, struct rota_sim_rpc, stream);
    struct rota_sim_world *world = rpc->server->world;

    (void)h2_code;
    detach(rpc);
    if (rpc->place == ROTA_SIM_AT_CLIENT)
        rpc->place = ROTA_SIM_NOWHERE;
    let_go(world, rpc);
}

static void consumed(struct rota_stream *stream, size_t bytes)
{
    (void)stream;
    (void)bytes;
}

static size_t queued(const struct rota_stream *stream)
{
    (void)stream;
    return 0;
}

static const char *peer(const struct rota_conn *base)
{
    return ROTA_CONTAINER(base, struct rota_sim_conn, conn)->server->endpoint->addresses[0].text;
}

static void drain(struct rota_conn *base)
{
    struct rota_sim_conn *conn = ROTA_CONTAINER(base, struct rota_sim_conn, conn);

    conn->draining = true;
    if (conn->n_streams == 0 && conn->state == ROTA_SIM_UP)
        rota_sim_conn_break(conn, conn->client->world->now_ns, NULL);
}

static void close_conn(struct rota_conn *base)
{
    struct rota_sim_conn *conn = ROTA_CONTAINER(base, struct rota_sim_conn, conn);

    rota_sim_conn_break(conn, conn->client->world->now_ns, NULL);
}

const struct rota_conn_class rota_sim_conn_class = {
    .open = open_stream,
    .send = send_data,
    .reset = reset,
    .consumed = consumed,
    .queued = queued,
    .peer = peer,
    .drain = drain,
    .close = close_conn,
};
