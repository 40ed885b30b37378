/* server.c - a modelled server: slots and a queue before them, service times, and what may be wrong with it.
 *
 * A call that fails does so without taking its service time; one that stalls keeps its slot. What a pause stops are accepting, starting
 * and answering: services under way are over when their time is, but are answered after it.
 */
#include "sim/world.h"
#include "base/alloc.h"
#include "base/assert.h"
#include "sim/exact.h"
#include "sim/gauge.h"
#include <stdio.h>

#define HICCUP_NS INT64_C(1000000000) /* a pause shorter than that is no reason to leave */

/* --- Episodes --- */

static void review(struct rota_sim_server *server, enum rota_sim_verb verb)
{
    struct rota_sim_measure *m = &server->world->measure;
    int64_t run_ns = server->world->now_ns - ROTA_SIM_START_NS;
    bool bad = !server->listed || !server->up || (server->paused && !server->hiccup) || server->slow > 1 || server->fail_share > 0 || server->stall_share > 0;

    if (server->world->closing || bad == (server->episode != 0))
        return;
    if (bad) {
        server->episode = rota_sim_measure_bad(m, server->index, verb, run_ns);
    } else {
        rota_sim_measure_good(m, server->episode, run_ns);
        server->episode = 0;
    }
}

void rota_sim_server_slow(struct rota_sim_server *server, double factor)
{
    server->slow = factor;
    review(server, ROTA_SIM_SLOW);
}

void rota_sim_server_fail(struct rota_sim_server *server, double share, enum rota_code code)
{
    server->fail_share = share;
    server->fail_code = code;
    review(server, ROTA_SIM_FAIL);
}

void rota_sim_server_stall(struct rota_sim_server *server, double share, int64_t stall_ns)
{
    server->stall_share = share;
    server->stall_ns = stall_ns;
    review(server, ROTA_SIM_STALL);
}

/* --- Serving --- */

static bool has_slot(const struct rota_sim_server *server)
{
    return server->spec->slots == 0 || server->n_running < server->spec->slots;
}

static int64_t service_ns(struct rota_sim_server *server)
{
    struct rota_sim_world *world = server->world;
    double ns = (double)rota_sim_sample(&server->spec->service, &server->rng) * server->slow;
    int64_t age_ns = world->now_ns - server->started_ns;

    if (server->spec->cold.factor > 1 && age_ns < server->spec->cold.ns)
        ns *= 1 + (server->spec->cold.factor - 1) * (1 - (double)age_ns / (double)server->spec->cold.ns);
    if (server->stall_share > 0 && rota_sim_unit_open(&server->rng) < server->stall_share)
        ns += (double)server->stall_ns;
    return ns > 1e15 ? INT64_C(1000000000000000) : (int64_t)ns;
}

static void set_running(struct rota_sim_server *server, uint32_t running)
{
    server->n_running = running;
    if (server->gauge != NULL)
        rota_sim_gauge_running(server->gauge, running, server->world->now_ns);
}

static void answer(struct rota_sim_server *server, struct rota_sim_rpc *rpc, enum rota_code code)
{
    struct rota_sim_world *world = server->world;

    if (!world->closing)
        rota_sim_measure_served(&world->measure, server->index, code == ROTA_OK, world->now_ns - ROTA_SIM_START_NS);
    if (server->gauge != NULL) {
        rota_sim_gauge_served(server->gauge, code != ROTA_OK, world->now_ns);
        memcpy(rpc->report, server->gauge->report, sizeof(rpc->report));
    }
    rpc->code = code;
    rota_sim_rpc_reply(rpc);
}

static void serve(struct rota_sim_server *server, struct rota_sim_rpc *rpc)
{
    if (server->fail_share > 0 && rota_sim_unit_open(&server->rng) < server->fail_share) {
        answer(server, rpc, server->fail_code);
        return;
    }
    set_running(server, server->n_running + 1);
    rota_list_append(&server->running, &rpc->work_link);
    rpc->place = ROTA_SIM_RUNNING;
    rota_sim_at(server->world, &rpc->event, server->world->now_ns + service_ns(server));
}

/* Whom nobody waits for any more is passed over. */
static void serve_waiting(struct rota_sim_server *server)
{
    struct rota_link *link;

    while (has_slot(server) && (link = rota_list_pop(&server->waiting)) != NULL) {
        struct rota_sim_rpc *rpc = ROTA_CONTAINER(link, struct rota_sim_rpc, event.link);
        server->n_waiting--;
        if (rpc->client_done)
            rota_sim_rpc_die(rpc);
        else
            serve(server, rpc);
    }
}

void rota_sim_server_take(struct rota_sim_server *server, struct rota_sim_rpc *rpc)
{
    if (rpc->client_done) {
        rota_sim_rpc_die(rpc);
    } else if (rpc->unknown) {
        rpc->code = ROTA_UNIMPLEMENTED;
        rota_sim_rpc_reply(rpc);
    } else if (has_slot(server)) {
        serve(server, rpc);
    } else if (server->n_waiting < server->spec->queue) {
        rpc->place = ROTA_SIM_WAITING;
        rota_list_append(&server->waiting, &rpc->event.link);
        server->n_waiting++;
    } else {
        answer(server, rpc, ROTA_UNAVAILABLE);
    }
}

void rota_sim_server_done(struct rota_sim_server *server, struct rota_sim_rpc *rpc)
{
    rota_list_remove(&rpc->work_link);
    set_running(server, server->n_running - 1);
    answer(server, rpc, ROTA_OK);
    serve_waiting(server);
}

/* --- The process --- */

bool rota_sim_server_holds(struct rota_sim_server *server, struct rota_sim_event *event)
{
    if (!server->paused)
        return false;
    rota_list_append(&server->held, &event->link);
    return true;
}

static void release_held(struct rota_sim_server *server)
{
    struct rota_link *link;

    while ((link = rota_list_pop(&server->held)) != NULL)
        rota_sim_at(server->world, ROTA_CONTAINER(link, struct rota_sim_event, link), server->world->now_ns);
}

void rota_sim_server_start(struct rota_sim_server *server)
{
    if (server->up)
        return;
    server->up = true;
    server->generation++;
    server->started_ns = server->world->now_ns;
    review(server, ROTA_SIM_KILL);
}

void rota_sim_server_kill(struct rota_sim_server *server)
{
    struct rota_sim_world *world = server->world;
    struct rota_link *link;

    if (!server->up)
        return;
    server->up = server->paused = false;
    while ((link = server->waiting.next) != &server->waiting)
        rota_sim_rpc_die(ROTA_CONTAINER(link, struct rota_sim_rpc, event.link));
    while ((link = server->running.next) != &server->running)
        rota_sim_rpc_die(ROTA_CONTAINER(link, struct rota_sim_rpc, work_link));
    server->n_waiting = 0;
    set_running(server, 0);
    release_held(server);
    while ((link = server->conns.next) != &server->conns)
        rota_sim_conn_break(ROTA_CONTAINER(link, struct rota_sim_conn, server_link), rota_sim_trip(world, server), "connection reset");
    review(server, ROTA_SIM_KILL);
}

void rota_sim_server_pause(struct rota_sim_server *server, int64_t for_ns)
{
    if (!server->up || server->paused)
        return;
    server->paused = true;
    server->hiccup = for_ns < HICCUP_NS;
    for (struct rota_link *link = server->conns.next; link != &server->conns; link = link->next)
        rota_sim_conn_watch(ROTA_CONTAINER(link, struct rota_sim_conn, server_link));
    review(server, ROTA_SIM_PAUSE);
}

void rota_sim_server_resume(struct rota_sim_server *server)
{
    struct rota_sim_world *world = server->world;

    if (!server->paused)
        return;
    server->paused = false;
    for (struct rota_link *link = server->conns.next; link != &server->conns; link = link->next) {
        struct rota_sim_conn *conn = ROTA_CONTAINER(link, struct rota_sim_conn, server_link);
        if (conn->state == ROTA_SIM_UP)
            rota_sim_clear(world, &conn->timer);
    }
    release_held(server);
    review(server, ROTA_SIM_PAUSE);
}

void rota_sim_server_goaway(struct rota_sim_server *server)
{
    for (struct rota_link *link = server->conns.next; link != &server->conns; link = link->next)
        rota_sim_at(server->world, &ROTA_CONTAINER(link, struct rota_sim_conn, server_link)->goaway, rota_sim_trip(server->world, server));
}

void rota_sim_server_list(struct rota_sim_server *server, bool listed)
{
    struct rota_sim_world *world = server->world;
    uint32_t n_listed = 0;

    if (server->listed == listed)
        return;
    server->listed = listed;
    for (uint32_t i = 0; i < world->scenario->n_servers; i++)
        n_listed += world->servers[i].listed;
    rota_sim_measure_listed(&world->measure, n_listed, world->now_ns - ROTA_SIM_START_NS);
    for (uint32_t i = 0; i < world->scenario->n_clients && world->clients != NULL; i++)
        rota_sim_client_news(&world->clients[i]);
    review(server, ROTA_SIM_LEAVE);
}

/* --- Making --- */

static rota_err make_endpoint(struct rota_sim_server *server)
{
    char text[ROTA_ADDRESS_TEXT_SIZE], zone[12];
    uint8_t ip[4] = {10, (uint8_t)(server->index >> 16), (uint8_t)(server->index >> 8), (uint8_t)server->index};
    struct rota_address address = {.kind = ROTA_ADDRESS_IPV4, .port = 1, .text = text};
    struct rota_endpoint from = {.addresses = &address, .n_addresses = 1, .weight = server->spec->weight};

    snprintf(text, sizeof(text), "%u.%u.%u.%u:1", ip[0], ip[1], ip[2], ip[3]);
    memcpy(address.ip, ip, sizeof(ip));
    if (server->spec->zone > 0) {
        snprintf(zone, sizeof(zone), "%u", server->spec->zone - 1);
        from.zone = zone;
    }
    return rota_endpoint_new(server->world->alloc, &from, &server->endpoint);
}

rota_err rota_sim_server_init(struct rota_sim_server *server, struct rota_sim_world *world, uint32_t index)
{
    const struct rota_sim_scenario *s = world->scenario;

    server->world = world;
    server->index = index;
    server->spec = &s->servers[index];
    server->slow = 1;
    server->started_ns = -server->spec->cold.ns; /* those that are there at the start are warm */
    rota_list_init(&server->waiting);
    rota_list_init(&server->running);
    rota_list_init(&server->held);
    rota_list_init(&server->conns);
    rota_rng_init(&server->rng, (s->seed * UINT64_C(0x9e3779b97f4a7c15)) ^ (UINT64_C(3) << 56) ^ ((uint64_t)index << 8));
    if (s->orca_ns > 0) {
        server->gauge = rota_alloc_get(world->alloc, sizeof(*server->gauge));
        if (server->gauge == NULL)
            return ROTA_ENOMEM;
        rota_sim_gauge_init(server->gauge, s->orca_ns, server->spec->slots, world->now_ns);
    }
    server->up = server->listed = !server->spec->absent;
    review(server, ROTA_SIM_LEAVE);
    return make_endpoint(server);
}

void rota_sim_server_fini(struct rota_sim_server *server)
{
    if (server->world == NULL)
        return;
    rota_endpoint_unref(server->endpoint);
    rota_alloc_free(server->world->alloc, server->gauge);
}
