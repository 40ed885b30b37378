/* check.c - the invariants of world.h, looked at after every event. Costs time in proportion to all that is under way. */
#include "base/assert.h"
#include "sim/world.h"

static void check_conn(const struct rota_sim_server *server, const struct rota_sim_conn *conn)
{
    uint32_t streams = 0;

    for (const struct rota_link *at = conn->streams.next; at != &conn->streams; at = at->next)
        streams++;
    ROTA_ASSERT(conn->server == server && conn->generation == server->generation && conn->state != ROTA_SIM_CLOSING);
    ROTA_ASSERT(streams == conn->n_streams && streams <= server->spec->streams);
}

static void check_server(const struct rota_sim_server *server)
{
    uint32_t running = 0, waiting = 0;

    for (const struct rota_link *link = server->running.next; link != &server->running; link = link->next) {
        const struct rota_sim_rpc *rpc = ROTA_CONTAINER(link, struct rota_sim_rpc, work_link);
        ROTA_ASSERT(rpc->place == ROTA_SIM_RUNNING && rpc->server == server && rpc->generation == server->generation);
        running++;
    }
    for (const struct rota_link *link = server->waiting.next; link != &server->waiting; link = link->next) {
        const struct rota_sim_rpc *rpc = ROTA_CONTAINER(link, struct rota_sim_rpc, event.link);
        ROTA_ASSERT(rpc->place == ROTA_SIM_WAITING && rpc->server == server && rpc->event.node.place == 0);
        waiting++;
    }
    ROTA_ASSERT(running == server->n_running && waiting == server->n_waiting);
    ROTA_ASSERT(server->up || (running == 0 && waiting == 0 && rota_list_empty(&server->conns) && !server->paused));
    ROTA_ASSERT(server->spec->slots == 0 || running <= server->spec->slots);
    ROTA_ASSERT(waiting <= server->spec->queue);
    ROTA_ASSERT(waiting == 0 || running == server->spec->slots); /* nobody waits beside a free slot */
}

static void check_client(const struct rota_sim_client *client)
{
    int64_t deadline_ns = client->world->scenario->deadline_ns, now_ns = client->world->now_ns;
    uint32_t calls = 0;

    for (const struct rota_link *link = client->calls.next; link != &client->calls; link = link->next) {
        const struct rota_sim_call *call = ROTA_CONTAINER(link, struct rota_sim_call, link);
        ROTA_ASSERT(call->client == client && call->started_ns >= ROTA_SIM_START_NS);
        ROTA_ASSERT(deadline_ns == 0 || now_ns <= call->started_ns + deadline_ns || now_ns <= client->paused_until_ns);
        calls++;
    }
    ROTA_ASSERT(calls == client->inflight);
    ROTA_ASSERT(!client->host.in_turn && (rota_host_next_ns(&client->host) >= now_ns || now_ns <= client->paused_until_ns));
}

void rota_sim_check(const struct rota_sim_world *world)
{
    const struct rota_heap_node *next = rota_heap_first(&world->queue);

    ROTA_ASSERT(next == NULL || next->key >= world->now_ns);
    ROTA_ASSERT(world->queue.count <= world->n_places);
    for (uint32_t i = 0; i < world->scenario->n_servers; i++) {
        const struct rota_link *conns = &world->servers[i].conns;
        check_server(&world->servers[i]);
        for (const struct rota_link *link = conns->next; link != conns; link = link->next)
            check_conn(&world->servers[i], ROTA_CONTAINER(link, struct rota_sim_conn, server_link));
    }
    for (uint32_t i = 0; i < world->scenario->n_clients; i++)
        check_client(&world->clients[i]);
}
