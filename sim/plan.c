/* plan.c - what the scenario's actions do, and when. An action on several servers, or clients, is a plan for each. */
#include "sim/world.h"
#include "base/alloc.h"

static void again(struct rota_sim_plan *plan, struct rota_sim_world *world, int64_t after_ns)
{
    plan->phase++;
    rota_sim_at(world, &plan->event, world->now_ns + after_ns);
}

/* The end of an action that lasts: true when this is it, and else it will be. */
static bool is_over(struct rota_sim_plan *plan, struct rota_sim_world *world)
{
    if (plan->phase > 0)
        return true;
    if (plan->action->for_ns != INT64_MAX)
        again(plan, world, plan->action->for_ns);
    return false;
}

static void do_flap(struct rota_sim_plan *plan, struct rota_sim_world *world, struct rota_sim_server *server)
{
    const struct rota_sim_action *a = plan->action;
    int64_t since_ns = world->now_ns - ROTA_SIM_START_NS - a->at_ns - (int64_t)(plan->index - a->first) * a->each_ns;

    if (plan->phase % 2 == 1) {
        rota_sim_server_start(server);
        again(plan, world, a->b_ns);
    } else if (since_ns < a->for_ns) {
        rota_sim_server_kill(server);
        again(plan, world, a->a_ns);
    }
}

static void do_restart(struct rota_sim_plan *plan, struct rota_sim_world *world, struct rota_sim_server *server)
{
    const struct rota_sim_action *a = plan->action;

    switch (plan->phase) {
    case 0:
        rota_sim_server_list(server, false);
        again(plan, world, a->a_ns);
        break;
    case 1:
        rota_sim_server_goaway(server);
        again(plan, world, a->b_ns);
        break;
    case 2:
        rota_sim_server_kill(server);
        again(plan, world, a->c_ns);
        break;
    default:
        rota_sim_server_start(server);
        rota_sim_server_list(server, true);
        break;
    }
}

static void do_load(struct rota_sim_plan *plan, struct rota_sim_world *world)
{
    world->load_factor = is_over(plan, world) ? 1 : plan->action->factor;
    for (uint32_t i = 0; i < world->scenario->n_clients; i++)
        rota_sim_client_load(&world->clients[i]);
}

static void fire_client(struct rota_sim_world *world, struct rota_sim_event *event)
{
    struct rota_sim_plan *plan = ROTA_CONTAINER(event, struct rota_sim_plan, event);
    struct rota_sim_client *client = &world->clients[plan->index];

    client->paused_until_ns = world->now_ns + plan->action->for_ns;
    client->thawed = false;
    rota_sim_at(world, &client->wake, client->paused_until_ns);
}

static void fire_load(struct rota_sim_world *world, struct rota_sim_event *event)
{
    do_load(ROTA_CONTAINER(event, struct rota_sim_plan, event), world);
}

/* What is on for a time, and off afterwards. */
static void do_lasting(struct rota_sim_plan *plan, struct rota_sim_world *world, struct rota_sim_server *server)
{
    const struct rota_sim_action *a = plan->action;
    bool over = is_over(plan, world);

    if (a->verb == ROTA_SIM_SLOW)
        rota_sim_server_slow(server, over ? 1 : a->factor);
    else if (a->verb == ROTA_SIM_FAIL)
        rota_sim_server_fail(server, over ? 0 : a->factor, a->code);
    else if (a->verb == ROTA_SIM_STALL)
        rota_sim_server_stall(server, over ? 0 : a->factor, a->a_ns);
    else if (a->verb == ROTA_SIM_PAUSE && over)
        rota_sim_server_resume(server);
    else if (a->verb == ROTA_SIM_PAUSE)
        rota_sim_server_pause(server, a->for_ns);
    else if (over)
        rota_sim_server_start(server);
    else
        rota_sim_server_kill(server);
}

static void fire_server(struct rota_sim_world *world, struct rota_sim_event *event)
{
    struct rota_sim_plan *plan = ROTA_CONTAINER(event, struct rota_sim_plan, event);
    struct rota_sim_server *server = &world->servers[plan->index];

    switch (plan->action->verb) {
    case ROTA_SIM_LEAVE:
        rota_sim_server_list(server, false);
        break;
    case ROTA_SIM_JOIN:
        rota_sim_server_start(server);
        rota_sim_server_list(server, true);
        break;
    case ROTA_SIM_RESTART:
        do_restart(plan, world, server);
        break;
    case ROTA_SIM_FLAP:
        do_flap(plan, world, server);
        break;
    default:
        do_lasting(plan, world, server);
        break;
    }
}

rota_err rota_sim_plan_all(struct rota_sim_world *world)
{
    const struct rota_sim_scenario *s = world->scenario;
    size_t count = 0;

    for (size_t i = 0; i < s->n_actions; i++)
        count += s->actions[i].last - s->actions[i].first + 1;
    if (count > 0)
        world->plans = rota_alloc_zero(world->alloc, count, sizeof(*world->plans));
    if ((count > 0 && world->plans == NULL) || rota_sim_places(world, count) < 0)
        return ROTA_ENOMEM;
    for (size_t i = 0; i < s->n_actions; i++) {
        const struct rota_sim_action *a = &s->actions[i];
        for (uint32_t k = a->first; k <= a->last; k++) {
            struct rota_sim_plan *plan = &world->plans[world->n_plans++];
            plan->action = a;
            plan->index = k;
            plan->event.fire = a->verb == ROTA_SIM_LOAD ? fire_load : a->on_clients ? fire_client : fire_server;
            rota_sim_at(world, &plan->event, ROTA_SIM_START_NS + a->at_ns + (int64_t)(k - a->first) * a->each_ns);
        }
    }
    return 0;
}
