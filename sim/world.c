/* world.c - the run: everything made, events one after the other, everything shut. */
#include "sim/world.h"
#include "base/alloc.h"
#include "base/assert.h"
#include "sim/run.h"

#define SHORTEST_TRIP_NS 1000

void rota_sim_at(struct rota_sim_world *world, struct rota_sim_event *event, int64_t at_ns)
{
    rota_err err = rota_heap_set(&world->queue, &event->node, at_ns < world->now_ns ? world->now_ns : at_ns);

    ROTA_ASSERT(err == 0); /* there is a place for every event that rota_sim_places has counted */
}

rota_err rota_sim_places(struct rota_sim_world *world, size_t count)
{
    struct rota_heap *queue = &world->queue;

    if (rota_alloc_reserve(queue->alloc, &queue->slots, &queue->cap, world->n_places + count, sizeof(*queue->slots)) < 0)
        return ROTA_ENOMEM;
    world->n_places += count;
    return 0;
}

void rota_sim_clear(struct rota_sim_world *world, struct rota_sim_event *event)
{
    rota_heap_remove(&world->queue, &event->node);
}

int64_t rota_sim_trip(struct rota_sim_world *world, const struct rota_sim_server *server)
{
    uint32_t jitter_us = (uint32_t)(world->scenario->jitter_ns / 1000);

    /* Never nothing: a closed loop in no time would have no end. */
    return world->now_ns + (server->spec->latency_ns < SHORTEST_TRIP_NS ? SHORTEST_TRIP_NS : server->spec->latency_ns) + (jitter_us == 0 ? 0 : (int64_t)rota_rng_below(&world->net_rng, jitter_us + 1) * 1000);
}

/* Runs what is due up to that time. */
static void run_to(struct rota_sim_world *world, int64_t to_ns)
{
    struct rota_heap_node *node;

    while ((!world->failed || world->closing) && (node = rota_heap_first(&world->queue)) != NULL && node->key <= to_ns) {
        struct rota_sim_event *event = ROTA_CONTAINER(node, struct rota_sim_event, node);
        ROTA_ASSERT(node->key >= world->now_ns);
        world->now_ns = node->key;
        rota_heap_remove(&world->queue, node);
        world->n_events++;
        event->fire(world, event);
        if (world->check)
            rota_sim_check(world);
    }
    if (world->now_ns < to_ns)
        world->now_ns = to_ns;
}

static void count_unfinished(struct rota_sim_world *world)
{
    for (uint32_t i = 0; i < world->scenario->n_clients; i++) {
        struct rota_link *calls = &world->clients[i].calls;
        for (struct rota_link *link = calls->next; link != calls; link = link->next)
            rota_sim_measure_unfinished(&world->measure, ROTA_CONTAINER(link, struct rota_sim_call, link)->started_ns - ROTA_SIM_START_NS,
                                        world->now_ns - ROTA_SIM_START_NS);
    }
}

/* --- Making and freeing --- */

static rota_err make_servers(struct rota_sim_world *world)
{
    uint32_t n = world->scenario->n_servers, n_listed = 0;
    rota_err err = 0;

    world->servers = rota_alloc_zero(world->alloc, n, sizeof(*world->servers));
    world->listed = rota_alloc_zero(world->alloc, n, sizeof(const struct rota_endpoint *));
    if (world->servers == NULL || world->listed == NULL)
        return ROTA_ENOMEM;
    for (uint32_t i = 0; i < n && err == 0; i++)
        err = rota_sim_server_init(&world->servers[i], world, i);
    for (uint32_t i = 0; i < n && err == 0; i++)
        n_listed += world->servers[i].listed;
    rota_sim_measure_listed(&world->measure, n_listed, 0);
    return err;
}

static rota_err make_clients(struct rota_sim_world *world, const char *service_config, struct rota_errinfo *info)
{
    uint32_t n = world->scenario->n_clients;
    rota_err err = 0;

    world->clients = rota_alloc_zero(world->alloc, n, sizeof(*world->clients));
    if (world->clients == NULL)
        return ROTA_ENOMEM;
    for (uint32_t i = 0; i < n && err == 0; i++)
        err = rota_sim_client_init(&world->clients[i], world, i, service_config, info);
    return err;
}

static void free_spares(struct rota_sim_world *world)
{
    while (world->spare_rpcs != NULL) {
        struct rota_sim_rpc *rpc = world->spare_rpcs;
        world->spare_rpcs = rpc->spare;
        rota_alloc_free(world->alloc, rpc);
    }
    while (world->spare_calls != NULL) {
        struct rota_sim_call *call = world->spare_calls;
        world->spare_calls = call->spare;
        rota_alloc_free(world->alloc, call);
    }
}

static void free_all(struct rota_sim_world *world)
{
    for (uint32_t i = 0; world->clients != NULL && i < world->scenario->n_clients; i++)
        rota_sim_client_fini(&world->clients[i]);
    for (uint32_t i = 0; world->servers != NULL && i < world->scenario->n_servers; i++)
        rota_sim_server_fini(&world->servers[i]);
    free_spares(world);
    rota_alloc_free(world->alloc, world->clients);
    rota_alloc_free(world->alloc, world->servers);
    rota_alloc_free(world->alloc, world->plans);
    rota_alloc_free(world->alloc, world->listed);
    rota_heap_fini(&world->queue);
    rota_sim_measure_fini(&world->measure);
}

/* Channels report closed within a few round trips, and rpcs end when their servers do. */
static void shut_all(struct rota_sim_world *world)
{
    world->closing = true;
    for (uint32_t i = 0; i < world->scenario->n_servers && world->servers != NULL; i++)
        rota_sim_server_kill(&world->servers[i]);
    for (uint32_t i = 0; i < world->scenario->n_clients && world->clients != NULL; i++) {
        world->clients[i].paused_until_ns = 0;
        rota_sim_client_shut(&world->clients[i]);
    }
    for (size_t i = 0; i < world->n_plans; i++)
        rota_sim_clear(world, &world->plans[i].event);
    while (world->queue.count > 0)
        run_to(world, world->now_ns + INT64_C(1000000000));
    ROTA_ASSERT(world->n_open_channels == 0 && world->n_rpcs == 0);
}

static void run(struct rota_sim_world *world)
{
    const struct rota_sim_scenario *s = world->scenario;
    struct rota_sim_result *result = world->measure.result;

    for (uint32_t i = 0; i < s->n_clients; i++)
        rota_sim_client_start(&world->clients[i]);
    run_to(world, world->end_ns + s->drain_ns);
    count_unfinished(world);
    result->events = world->n_events;
    rota_sim_measure_finish(&world->measure, world->now_ns - ROTA_SIM_START_NS);
    shut_all(world);
}

rota_err rota_sim_run(const struct rota_sim_scenario *scenario, const struct rota_sim_policy *policy, const struct rota_sim_run_options *options,
                      struct rota_sim_result *result)
{
    struct rota_sim_world world = {
        .scenario = scenario,
        .alloc = rota_alloc_or_default(options->alloc),
        .policies = options->policies,
        .now_ns = ROTA_SIM_START_NS,
        .end_ns = ROTA_SIM_START_NS + scenario->duration_ns,
        .check = options->check,
        .load_factor = 1,
    };
    rota_err err;

    rota_sim_result_init(result, scenario, policy->label);
    rota_heap_init(&world.queue, world.alloc);
    rota_rng_init(&world.net_rng, scenario->seed ^ UINT64_C(0x6e65742d726e6700));
    err = rota_sim_measure_init(&world.measure, scenario, world.alloc, result);
    if (err == 0)
        err = make_servers(&world);
    if (err == 0)
        err = rota_sim_plan_all(&world);
    if (err == 0)
        err = make_clients(&world, policy->service_config, &result->error);
    if (err == 0)
        run(&world);
    else
        shut_all(&world);
    if (err == 0 && world.failed)
        err = ROTA_ENOMEM;
    free_all(&world);
    if (err < 0 && result->error.text[0] == '\0')
        strcpy(result->error.text, rota_err_text(err));
    result->err = err;
    return err;
}
