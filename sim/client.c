/* client.c - one process that calls: a real channel on a host in virtual time, a resolver that publishes the simulation's list, and
 * the load.
 *
 * A pause stops the process, not the kernel: what arrives meanwhile is delivered when it goes on, all of it before the timers that have
 * become due, as a turn of the loop does it.
 */
#include "sim/world.h"
#include "base/alloc.h"
#include "base/assert.h"
#include "sim/exact.h"
#include <rota/call.h>
#include <rota/resolver.h>
#include <stdio.h>

#define NS_PER_S 1e9
#define SHORTEST_CALL_NS 10000

/* --- Turns --- */

static void set_wake(struct rota_sim_client *client)
{
    int64_t next_ns = rota_host_next_ns(&client->host);

    if (next_ns == INT64_MAX)
        rota_sim_clear(client->world, &client->wake);
    else if (client->wake.node.place == 0 || client->wake.node.key != next_ns)
        rota_sim_at(client->world, &client->wake, next_ns);
}

void rota_sim_client_enter(struct rota_sim_client *client)
{
    client->host.now_ns = client->world->now_ns;
    client->host.in_turn = true;
}

void rota_sim_client_leave(struct rota_sim_client *client)
{
    client->host.in_turn = false;
    if (client->paused_until_ns == client->world->now_ns && !client->thawed) { /* more may have piled up */
        rota_sim_at(client->world, &client->wake, client->world->now_ns);
        return;
    }
    while (rota_host_next_ns(&client->host) <= client->world->now_ns)
        rota_host_run(&client->host);
    set_wake(client);
}

bool rota_sim_client_holds(struct rota_sim_client *client, struct rota_sim_event *event)
{
    if (client->paused_until_ns <= client->world->now_ns)
        return false;
    rota_sim_at(client->world, event, client->paused_until_ns);
    return true;
}

static void fire_wake(struct rota_sim_world *world, struct rota_sim_event *event)
{
    struct rota_sim_client *client = ROTA_CONTAINER(event, struct rota_sim_client, wake);

    if (rota_sim_client_holds(client, event))
        return;
    if (client->paused_until_ns == world->now_ns && !client->thawed) { /* once more, behind all that has piled up */
        client->thawed = true;
        rota_sim_at(world, event, world->now_ns);
        return;
    }
    rota_sim_client_enter(client);
    rota_sim_client_leave(client);
}

/* --- The list --- */

static rota_err resolver_start(void *state, const struct rota_target *target, struct rota_loop *loop, struct rota_resolver_sink *sink)
{
    struct rota_sim_client *client = (struct rota_sim_client *)(void *)loop; /* as handed through by the channel, unread */

    (void)target;
    *(struct rota_sim_client **)state = client;
    client->sink = sink;
    rota_sim_client_news(client);
    return 0;
}

static void resolver_stop(void *state)
{
    struct rota_sim_client *client = *(struct rota_sim_client **)state;

    rota_sim_clear(client->world, &client->list);
    client->sink = NULL;
}

static void resolver_refresh(void *state)
{
    (void)state;
}

static const struct rota_resolver_class resolver = {
    .scheme = "sim", .state_size = sizeof(struct rota_sim_client *), .start = resolver_start, .refresh = resolver_refresh, .stop = resolver_stop};
static const struct rota_resolver_class *const resolvers[] = {&resolver, NULL};

void rota_sim_client_news(struct rota_sim_client *client)
{
    struct rota_sim_world *world = client->world;
    uint32_t spread_us = (uint32_t)(world->scenario->list_delay_ns / 1000);

    if (client->sink != NULL && client->list.node.place == 0) /* news under way will bring this too */
        rota_sim_at(world, &client->list, world->now_ns + (spread_us == 0 ? 0 : (int64_t)rota_rng_below(&client->rng, spread_us + 1) * 1000));
}

static void fire_list(struct rota_sim_world *world, struct rota_sim_event *event)
{
    struct rota_sim_client *client = ROTA_CONTAINER(event, struct rota_sim_client, list);
    size_t count = 0;

    if (rota_sim_client_holds(client, event))
        return;
    for (uint32_t i = 0; i < world->scenario->n_servers; i++)
        if (world->servers[i].listed)
            world->listed[count++] = world->servers[i].endpoint;
    rota_sim_client_enter(client);
    rota_resolver_sink_endpoints(client->sink, world->listed, count, NULL);
    rota_sim_client_leave(client);
}

/* --- Calls --- */

static size_t packed_size(const void *type, const void *message)
{
    (void)type;
    (void)message;
    return 0;
}

static void pack(const void *type, const void *message, uint8_t *out)
{
    (void)type;
    (void)message;
    (void)out;
}

static rota_err unpack(const void *type, struct rota_slice bytes, const struct rota_alloc *alloc, void **ret_message, struct rota_errinfo *info)
{
    static int nothing;

    (void)type;
    (void)bytes;
    (void)alloc;
    (void)info;
    *ret_message = &nothing;
    return 0;
}

static void free_message(const void *type, void *message, const struct rota_alloc *alloc)
{
    (void)type;
    (void)message;
    (void)alloc;
}

static const struct rota_codec empty_codec = {.packed_size = packed_size, .pack = pack, .unpack = unpack, .free = free_message};
static const struct rota_method method = {.path = ROTA_SIM_METHOD, .request = {&empty_codec, NULL}, .reply = {&empty_codec, NULL}};

static void start_call(struct rota_sim_client *client);

/* Where no server can be reached a call fails in no time, and so would the next: a closed loop would have no end. */
static int64_t pause_after(struct rota_sim_client *client, int64_t started_ns)
{
    int64_t think_ns = rota_sim_sample(&client->world->scenario->think, &client->rng);

    return started_ns == client->world->now_ns && think_ns < SHORTEST_CALL_NS ? SHORTEST_CALL_NS : think_ns;
}

static void on_done(void *arg, const struct rota_status *status, const void *reply)
{
    struct rota_sim_call *call = arg;
    struct rota_sim_client *client = call->client;
    struct rota_sim_world *world = client->world;
    int64_t started_ns = call->started_ns;

    (void)reply;
    ROTA_ASSERT(started_ns >= 0 && client->inflight > 0); /* it ends once */
    client->inflight--;
    rota_list_remove(&call->link);
    if (!world->closing)
        rota_sim_measure_call(&world->measure, started_ns - ROTA_SIM_START_NS, world->now_ns - ROTA_SIM_START_NS, status->code);
    call->started_ns = -1;
    call->spare = world->spare_calls;
    world->spare_calls = call;
    if (world->scenario->load == ROTA_SIM_CLOSED && !world->closing && client->arrival.node.place == 0)
        rota_sim_at(world, &client->arrival, world->now_ns + pause_after(client, started_ns));
}

static struct rota_sim_call *take_call(struct rota_sim_world *world)
{
    struct rota_sim_call *call = world->spare_calls;

    if (call == NULL)
        return rota_alloc_zero(world->alloc, 1, sizeof(*call));
    world->spare_calls = call->spare;
    return call;
}

static void start_call(struct rota_sim_client *client)
{
    struct rota_sim_world *world = client->world;
    struct rota_call_options options = ROTA_CALL_OPTIONS_INIT;
    struct rota_sim_call *call = take_call(world);

    if (call == NULL) {
        world->failed = true;
        return;
    }
    call->client = client;
    call->started_ns = world->now_ns;
    client->inflight++;
    rota_list_append(&client->calls, &call->link);
    options.timeout_ms = world->scenario->deadline_ns / 1000000;
    if (rota_unary_start(client->channel, &method, &options, &method, on_done, call, NULL) == 0)
        return;
    world->failed = true;
    client->inflight--;
    rota_list_remove(&call->link);
    rota_alloc_free(world->alloc, call);
}

/* --- Load --- */

/* From the time that passes while a burst is on to the time that passes. */
static int64_t skip_silence(const struct rota_sim_scenario *s, int64_t run_ns, double gap_ns)
{
    double on_ns = (double)s->burst_ns * s->burst_on_share;
    double into_ns = (double)(run_ns % s->burst_ns), left_ns = on_ns > into_ns ? on_ns - into_ns : 0;
    double silences;

    if (gap_ns < left_ns)
        return (int64_t)gap_ns;
    gap_ns -= left_ns;
    silences = (double)(int64_t)(gap_ns / on_ns);
    return (int64_t)((double)s->burst_ns - into_ns + silences * (double)s->burst_ns + (gap_ns - silences * on_ns));
}

static void set_next_arrival(struct rota_sim_client *client)
{
    struct rota_sim_world *world = client->world;
    const struct rota_sim_scenario *s = world->scenario;
    double mean_ns = NS_PER_S * s->n_clients / (s->rate_per_s * world->load_factor), gap_ns;
    int64_t wait_ns;

    if (world->load_factor <= 0) {
        rota_sim_clear(world, &client->arrival);
        return;
    }
    gap_ns = s->load == ROTA_SIM_EVEN ? mean_ns : mean_ns * rota_sim_exponential(&client->rng);
    if (gap_ns > 1e15)
        gap_ns = 1e15;
    wait_ns = s->load == ROTA_SIM_BURSTY ? skip_silence(s, world->now_ns - ROTA_SIM_START_NS, gap_ns * s->burst_on_share) : (int64_t)gap_ns;
    if (world->now_ns + wait_ns < world->end_ns)
        rota_sim_at(world, &client->arrival, world->now_ns + wait_ns);
    else
        rota_sim_clear(world, &client->arrival);
}

static void fire_arrival(struct rota_sim_world *world, struct rota_sim_event *event)
{
    struct rota_sim_client *client = ROTA_CONTAINER(event, struct rota_sim_client, arrival);
    bool closed = world->scenario->load == ROTA_SIM_CLOSED;

    if (world->now_ns >= world->end_ns || rota_sim_client_holds(client, event))
        return;
    rota_sim_client_enter(client);
    do
        start_call(client);
    while (closed && client->inflight < world->scenario->outstanding && !world->failed);
    rota_sim_client_leave(client);
    if (!closed)
        set_next_arrival(client);
}

void rota_sim_client_load(struct rota_sim_client *client)
{
    if (client->world->scenario->load != ROTA_SIM_CLOSED)
        set_next_arrival(client);
}

/* --- Life --- */

/* Streams of numbers that have nothing to do with each other. */
static uint64_t seed_for(const struct rota_sim_world *world, uint32_t index, uint64_t kind)
{
    return (world->scenario->seed * UINT64_C(0x9e3779b97f4a7c15)) ^ (kind << 56) ^ ((uint64_t)index << 8);
}

rota_err rota_sim_client_init(struct rota_sim_client *client, struct rota_sim_world *world, uint32_t index, const char *service_config,
                              struct rota_errinfo *info)
{
    struct rota_channel_parts parts = {.host = &client->host, .loop = (struct rota_loop *)(void *)client, .dialer = &client->dialer,
                                       .policies = world->policies, .resolvers = resolvers};
    struct rota_channel_options options = ROTA_CHANNEL_OPTIONS_INIT;
    char zone[12];
    rota_err err;

    client->world = world;
    client->index = index;
    client->dialer.class = &rota_sim_dialer_class;
    client->wake.fire = fire_wake;
    client->arrival.fire = fire_arrival;
    client->list.fire = fire_list;
    rota_list_init(&client->calls);
    rota_rng_init(&client->rng, seed_for(world, index, 1));
    rota_host_init(&client->host, world->alloc, NULL, seed_for(world, index, 2));
    client->host.now_ns = world->now_ns;
    options.service_config = service_config;
    options.idle_timeout_ms = -1;
    options.keepalive_time_ms = world->scenario->keepalive_ns / 1000000;
    options.keepalive_timeout_ms = world->scenario->keepalive_timeout_ns / 1000000;
    if (world->scenario->n_client_zones > 0) {
        snprintf(zone, sizeof(zone), "%u", index % world->scenario->n_client_zones);
        options.zone = zone;
    }
    err = rota_sim_places(world, 3);
    if (err == 0)
        err = rota_channel_make("sim:///servers", &options, &parts, &client->channel, info);
    if (err == 0)
        world->n_open_channels++;
    return err;
}

void rota_sim_client_start(struct rota_sim_client *client)
{
    struct rota_sim_world *world = client->world;

    rota_sim_client_enter(client);
    rota_channel_connect(client->channel);
    rota_sim_client_leave(client);
    if (world->scenario->load == ROTA_SIM_CLOSED)
        rota_sim_at(world, &client->arrival, world->now_ns);
    else
        set_next_arrival(client);
    if (world->scenario->load == ROTA_SIM_EVEN) /* clients take turns */
        rota_sim_at(world, &client->arrival,
                    world->now_ns + (int64_t)(NS_PER_S * (client->index + 1) / (world->scenario->rate_per_s * world->load_factor)));
}

static void on_closed(void *arg)
{
    struct rota_sim_client *client = arg;

    client->channel = NULL;
    client->world->n_open_channels--;
}

void rota_sim_client_shut(struct rota_sim_client *client)
{
    if (client->channel == NULL)
        return;
    rota_sim_clear(client->world, &client->arrival);
    rota_sim_client_enter(client);
    rota_channel_shut(client->channel, on_closed, client);
    rota_sim_client_leave(client);
}

void rota_sim_client_fini(struct rota_sim_client *client)
{
    if (client->world == NULL)
        return;
    ROTA_ASSERT(client->channel == NULL && client->inflight == 0);
    rota_host_fini(&client->host);
}
