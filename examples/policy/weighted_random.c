/* weighted_random.c - see weighted_random.h; docs/writing-a-policy.md explains the rules it follows.
 *
 * Invariants: one slot per endpoint of the last list, each with a subchannel to its first address; ready_weight is the sum of the weights of
 * the slots in READY. A server without a weight counts 1.
 */
#include "weighted_random.h"

#include <stdlib.h>

struct slot {
    const struct rota_endpoint *endpoint; /* one reference */
    struct rota_lb_subchannel *subchannel;
    enum rota_conn_state conn;
    uint32_t weight;
};

struct weighted_random {
    const struct rota_lb_env *env;
    struct slot **slots; /* each its own memory: a slot is the tag of its subchannel and must not move */
    size_t n_slots;
    uint64_t ready_weight;
    enum rota_conn_state conn; /* what rota_lb_update was told last: picks must agree with it */
    struct rota_status why;    /* the last failure, for calls that fail */
};

static rota_err init(void *state, const struct rota_lb_env *env, const void *config)
{
    struct weighted_random *wr = state;

    (void)config;
    wr->env = env;
    rota_status_set(&wr->why, ROTA_UNAVAILABLE, "no servers");
    return 0;
}

static void free_slot(struct slot *slot)
{
    if (slot != NULL)
        rota_endpoint_unref(slot->endpoint);
    free(slot);
}

/* The channel frees the subchannels that are left. */
static void fini(void *state)
{
    struct weighted_random *wr = state;

    for (size_t i = 0; i < wr->n_slots; i++)
        free_slot(wr->slots[i]);
    free(wr->slots);
}

static void tell(struct weighted_random *wr, enum rota_conn_state conn, struct rota_lb_cmds *cmds)
{
    wr->conn = conn;
    rota_lb_update(cmds, conn, conn == ROTA_CONN_TRANSIENT_FAILURE ? &wr->why : NULL);
}

/* What the policy as a whole is: READY as soon as one connection is. */
static void report(struct weighted_random *wr, struct rota_lb_cmds *cmds)
{
    bool hope = false;

    wr->ready_weight = 0;
    for (size_t i = 0; i < wr->n_slots; i++) {
        if (wr->slots[i]->conn == ROTA_CONN_READY)
            wr->ready_weight += wr->slots[i]->weight;
        hope |= wr->slots[i]->conn != ROTA_CONN_TRANSIENT_FAILURE;
    }
    if (wr->ready_weight > 0)
        tell(wr, ROTA_CONN_READY, cmds);
    else if (hope)
        tell(wr, ROTA_CONN_CONNECTING, cmds);
    else
        tell(wr, ROTA_CONN_TRANSIENT_FAILURE, cmds);
}

/* Takes the slot of an endpoint that was in the list before, or NULL. */
static struct slot *take_old(struct weighted_random *wr, const struct rota_endpoint *endpoint)
{
    for (size_t i = 0; i < wr->n_slots; i++) {
        struct slot *slot = wr->slots[i];
        if (slot != NULL && rota_endpoint_same(slot->endpoint, endpoint)) {
            wr->slots[i] = NULL;
            return slot;
        }
    }
    return NULL;
}

static struct slot *make_new(const struct rota_endpoint *endpoint, struct rota_lb_cmds *cmds)
{
    struct slot *slot = calloc(1, sizeof(*slot));

    if (slot == NULL || rota_lb_subchannel_new(cmds, endpoint, 0, slot, &slot->subchannel) < 0) {
        free(slot);
        return NULL;
    }
    slot->conn = ROTA_CONN_IDLE;
    rota_lb_connect(cmds, slot->subchannel);
    return slot;
}

static rota_err on_endpoints(void *state, const struct rota_endpoint *const *endpoints, size_t count, int64_t now_ns, struct rota_lb_cmds *cmds)
{
    struct weighted_random *wr = state;
    struct slot **slots = calloc(count + 1, sizeof(struct slot *));
    size_t n = 0;

    (void)now_ns;
    if (slots == NULL)
        return ROTA_ENOMEM;
    for (size_t i = 0; i < count; i++) {
        struct slot *slot = take_old(wr, endpoints[i]);
        if (slot == NULL)
            slot = make_new(endpoints[i], cmds);
        if (slot == NULL)
            continue; /* no memory: the others still serve */
        (void)rota_endpoint_ref(endpoints[i]);
        rota_endpoint_unref(slot->endpoint);
        slot->endpoint = endpoints[i];
        slot->weight = endpoints[i]->weight > 0 ? endpoints[i]->weight : 1;
        slots[n++] = slot;
    }
    for (size_t i = 0; i < wr->n_slots; i++) {
        if (wr->slots[i] != NULL)
            rota_lb_subchannel_free(cmds, wr->slots[i]->subchannel);
        free_slot(wr->slots[i]);
    }
    free(wr->slots);
    wr->slots = slots;
    wr->n_slots = n;
    if (n == 0)
        rota_status_set(&wr->why, ROTA_UNAVAILABLE, "no servers");
    report(wr, cmds);
    if (count == 0)
        return ROTA_EINVAL;
    return n == 0 ? ROTA_ENOMEM : 0;
}

static void on_resolver_error(void *state, const struct rota_status *why, int64_t now_ns, struct rota_lb_cmds *cmds)
{
    struct weighted_random *wr = state;

    (void)now_ns;
    wr->why = *why;
    tell(wr, ROTA_CONN_TRANSIENT_FAILURE, cmds);
}

static void on_conn(void *state, struct rota_lb_subchannel *subchannel, void *tag, enum rota_conn_state conn, const struct rota_status *why,
                    int64_t now_ns, struct rota_lb_cmds *cmds)
{
    struct weighted_random *wr = state;
    struct slot *slot = tag;

    (void)now_ns;
    slot->conn = conn;
    if (conn == ROTA_CONN_IDLE) /* the connection was lost: make a new one, and ask whether the list still holds */
        rota_lb_connect(cmds, subchannel);
    if (conn == ROTA_CONN_TRANSIENT_FAILURE) {
        wr->why = *why;
        rota_lb_connect(cmds, subchannel); /* when its backoff ends */
    }
    if (conn == ROTA_CONN_IDLE || conn == ROTA_CONN_TRANSIENT_FAILURE)
        rota_lb_reresolve(cmds);
    report(wr, cmds);
}

static void on_exit_idle(void *state, int64_t now_ns, struct rota_lb_cmds *cmds)
{
    struct weighted_random *wr = state;

    (void)now_ns;
    for (size_t i = 0; i < wr->n_slots; i++)
        rota_lb_connect(cmds, wr->slots[i]->subchannel);
}

/* Two draws of 32 bits, since weights may add up to more than one. */
static uint64_t draw(const struct weighted_random *wr)
{
    uint64_t dice = (uint64_t)rota_lb_random_below(wr->env, UINT32_MAX) << 32 | rota_lb_random_below(wr->env, UINT32_MAX);

    return dice % wr->ready_weight;
}

static enum rota_pick_verdict pick(void *state, const struct rota_call_info *call, struct rota_pick *ret_pick)
{
    struct weighted_random *wr = state;
    uint64_t dice;

    (void)call;
    if (wr->conn != ROTA_CONN_READY) /* IDLE, before the first list: wait as well */
        return wr->conn == ROTA_CONN_TRANSIENT_FAILURE ? ROTA_PICK_FAIL : ROTA_PICK_WAIT;
    dice = draw(wr);
    for (size_t i = 0; i < wr->n_slots; i++) {
        if (wr->slots[i]->conn != ROTA_CONN_READY)
            continue;
        ret_pick->subchannel = wr->slots[i]->subchannel;
        if (dice < wr->slots[i]->weight)
            break;
        dice -= wr->slots[i]->weight;
    }
    return ROTA_PICK_OK;
}

const struct rota_lb_class weighted_random = {
    .name = "weighted_random",
    .state_size = sizeof(struct weighted_random),
    .init = init,
    .fini = fini,
    .on_endpoints = on_endpoints,
    .on_resolver_error = on_resolver_error,
    .on_conn = on_conn,
    .on_exit_idle = on_exit_idle,
    .pick = pick,
};
