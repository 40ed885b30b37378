/* balance.c - the policy trees of a channel: feeds them lists, lends them subchannels, replaces them gracefully.
 *
 * A config that wants another policy gets a tree beside the one in use; that takes over as soon as it is not CONNECTING any more,
 * or when the old one is not READY either (as C-core's and grpc-go's graceful switch). New lists go to the newer of the two.
 * A list that a tree refuses is given again in a second, or a new one; never for an update, which refusing brings about. A new tree
 * that lacks the memory for its list leaves the one in use, if READY, for STARVED_NS; one that refuses for another reason does not: its picks say why.
 * Invariants: picks come from `current` only. A balance stays in its slot, and holds of subchannels are kept by slot. Trees are
 * made, fed and freed in the channel's task, thus never from inside one of them.
 */
#include "base/alloc.h"
#include "base/log.h"
#include "channel/sides.h"
#include "lb/tree.h"

#define STARVED_NS INT64_C(10000000000)

struct rota_balance {
    struct rota_channel *channel;
    struct rota_lb_tree *tree;
    struct rota_channel_config *config;
    struct rota_host_timer timer; /* always in the heap, at INT64_MAX when it is not wanted: a policy's time cannot be lost */
    unsigned slot;
    uint64_t number; /* never used twice: a pick of a tree that is gone is told by it */
    struct rota_status why; /* of the last TRANSIENT_FAILURE */
    bool refused, starved;  /* the last list, for any reason but its being empty; for want of memory */
    int64_t starved_ns;     /* since when */
};

static rota_err get(void *owner, const struct rota_endpoint *endpoint, size_t address_index, struct rota_lb_subchannel *hold)
{
    struct rota_balance *balance = owner;

    return rota_subchannel_get(balance->channel, balance->slot, &endpoint->addresses[address_index], hold);
}

static void put(void *owner, struct rota_lb_subchannel *hold)
{
    rota_subchannel_put(((struct rota_balance *)owner)->slot, hold);
}

static void connect(void *owner, struct rota_lb_subchannel *hold)
{
    (void)owner;
    rota_subchannel_connect(hold->conn);
}

static void reports(void *owner, struct rota_lb_subchannel *hold)
{
    (void)owner;
    rota_sides_review(hold->conn);
}

static void reresolve(void *owner)
{
    rota_channel_note(((struct rota_balance *)owner)->channel, ROTA_TODO_REFRESH);
}

static void wake_at(void *owner, int64_t at_ns)
{
    struct rota_balance *balance = owner;

    (void)rota_host_timer_set(balance->channel->host, &balance->timer, at_ns); /* a move */
}

static void update(void *owner, enum rota_conn_state conn, const struct rota_status *why)
{
    struct rota_balance *balance = owner;
    struct rota_channel *channel = balance->channel;

    if (conn == ROTA_CONN_TRANSIENT_FAILURE && why != NULL)
        balance->why = *why;
    if (channel->pending != NULL)
        rota_channel_note(channel, ROTA_TODO_BALANCE);
    if (balance != channel->current)
        return;
    rota_channel_review(channel);
    rota_channel_note(channel, ROTA_TODO_PICK); /* also when nobody waits: the one whose pick has set this going is about to */
}

static const struct rota_lb_owner owner_class = {
    .get = get, .put = put, .connect = connect, .reports = reports, .reresolve = reresolve, .wake_at = wake_at, .update = update,
};

static void on_timer(struct rota_host_timer *timer, int64_t now_ns)
{
    struct rota_balance *balance = ROTA_CONTAINER(timer, struct rota_balance, timer);

    (void)rota_host_timer_set(balance->channel->host, timer, INT64_MAX); /* it has just left the heap, so there is room for it */
    rota_lb_tree_timer(balance->tree, now_ns);
}

static void drop(struct rota_balance *balance)
{
    struct rota_channel *channel = balance->channel;

    if (channel->current == balance)
        channel->current = NULL;
    if (channel->pending == balance)
        channel->pending = NULL;
    rota_lb_tree_free(balance->tree);
    channel->slots[balance->slot] = NULL;
    rota_host_timer_clear(channel->host, &balance->timer);
    rota_channel_config_unref(balance->config);
    rota_alloc_free(channel->alloc, balance);
}

/* The tree by the channel's config, in a free slot; as current, or as pending where there is one. */
static rota_err add(struct rota_channel *channel)
{
    struct rota_balance *balance = rota_alloc_zero(channel->alloc, 1, sizeof(*balance));
    rota_err err;

    if (balance == NULL)
        return ROTA_ENOMEM;
    balance->channel = channel;
    balance->slot = channel->slots[0] == NULL ? 0 : 1;
    balance->number = ++channel->last_balance_number;
    balance->timer.fire = on_timer;
    balance->config = rota_channel_config_ref(channel->config);
    err = rota_host_timer_set(channel->host, &balance->timer, INT64_MAX);
    if (err == 0)
        err = rota_lb_tree_new(&channel->env, channel->config->lb, &owner_class, balance, &balance->tree);
    if (err < 0) {
        rota_host_timer_clear(channel->host, &balance->timer);
        rota_channel_config_unref(balance->config);
        rota_alloc_free(channel->alloc, balance);
        return err;
    }
    channel->slots[balance->slot] = balance;
    if (channel->current == NULL)
        channel->current = balance;
    else
        channel->pending = balance;
    return 0;
}

static bool fits(const struct rota_channel *channel, const struct rota_balance *balance)
{
    return balance != NULL && rota_channel_config_same_policy(balance->config, channel->config);
}

/* Leaves exactly one tree by the present config as the newest, and says which. */
static rota_err settle_trees(struct rota_channel *channel, struct rota_balance **ret_newest, bool *ret_added)
{
    rota_err err;

    *ret_added = false;
    if (fits(channel, channel->current)) {
        if (channel->pending != NULL) {
            drop(channel->pending);
            *ret_added = true; /* it has missed the lists that went to the other */
        }
    } else if (!fits(channel, channel->pending)) {
        if (channel->pending != NULL)
            drop(channel->pending);
        err = add(channel);
        if (err < 0)
            return err;
        *ret_added = true;
    }
    *ret_newest = channel->pending != NULL ? channel->pending : channel->current;
    return 0;
}

/* The one in use serves on. */
static bool stays(const struct rota_channel *channel)
{
    const struct rota_balance *pending = channel->pending;

    if (rota_balance_state(channel->current) != ROTA_CONN_READY)
        return false;
    return rota_balance_state(pending) == ROTA_CONN_CONNECTING || (pending->starved && channel->host->now_ns - pending->starved_ns < STARVED_NS);
}

static void take_over(struct rota_channel *channel)
{
    struct rota_balance *old = channel->current;

    if (channel->pending == NULL || stays(channel))
        return;
    rota_log_write(channel->log, ROTA_LOG_INFO, "channel", "policy %s takes over from %s", rota_lb_config_name(channel->pending->config->lb),
        rota_lb_config_name(old->config->lb));
    channel->current = channel->pending;
    channel->pending = NULL;
    drop(old);
    rota_channel_note(channel, ROTA_TODO_PICK);
}

static rota_err feed(struct rota_balance *balance)
{
    const struct rota_channel *channel = balance->channel;
    rota_err err = rota_lb_tree_endpoints(balance->tree, channel->endpoints, channel->n_endpoints, channel->host->now_ns);

    if (err == ROTA_EINVAL) /* the policy says so in its state, and the tree has asked for another list */
        err = 0;
    if (err == ROTA_ENOMEM && !balance->starved)
        balance->starved_ns = channel->host->now_ns;
    balance->starved = err == ROTA_ENOMEM;
    balance->refused = err < 0;
    return err;
}

static void complain(struct rota_channel *channel, rota_err err, bool first)
{
    const char *policy = rota_lb_config_name(channel->config->lb);

    if (first)
        rota_log_write(channel->log, ROTA_LOG_WARN, "channel", "%s: policy %s: %s; it is tried again each second",
            channel->target->text, policy, rota_err_text(err));
    rota_channel_fail(channel, err == ROTA_ENOMEM ? ROTA_RESOURCE_EXHAUSTED : ROTA_UNAVAILABLE, "policy %s: %s", policy, rota_err_text(err));
    rota_channel_try_again(channel);
}

void rota_balance_apply(struct rota_channel *channel)
{
    struct rota_balance *newest = NULL;
    bool added, first;
    rota_err err;

    if (!channel->listed || channel->config == NULL || channel->asleep)
        return;
    err = settle_trees(channel, &newest, &added);
    first = newest == NULL ? !channel->failed : !newest->refused;
    if (err == 0 && (added || channel->list_new)) {
        channel->list_new = false;
        err = feed(newest);
    }
    if (err < 0)
        complain(channel, err, first);
    else
        channel->failed = false;
    take_over(channel);
    rota_channel_review(channel);
    rota_channel_note(channel, ROTA_TODO_PICK);
}

void rota_balance_try_again(struct rota_channel *channel)
{
    const struct rota_balance *newest = channel->pending != NULL ? channel->pending : channel->current;

    if (newest != NULL && newest->refused)
        channel->list_new = true;
}

void rota_balance_drop_all(struct rota_channel *channel)
{
    if (channel->pending != NULL)
        drop(channel->pending);
    if (channel->current != NULL)
        drop(channel->current);
}

enum rota_conn_state rota_balance_state(const struct rota_balance *balance)
{
    return rota_lb_tree_state(balance->tree);
}

const char *rota_balance_trouble(const struct rota_channel *channel)
{
    const struct rota_balance *balance = channel->current;

    if (balance != NULL)
        return rota_balance_state(balance) == ROTA_CONN_READY ? "" : balance->why.message;
    return channel->failed ? channel->failure.message : "";
}

void rota_balance_exit_idle(struct rota_channel *channel)
{
    if (channel->current != NULL)
        rota_lb_tree_exit_idle(channel->current->tree, channel->host->now_ns);
}

enum rota_pick_verdict rota_balance_pick(struct rota_channel *channel, const struct rota_call_info *call, struct rota_pick *ret_pick, uint64_t *ret_number)
{
    struct rota_balance *balance = channel->current;

    if (balance != NULL) {
        *ret_number = balance->number;
        return rota_lb_tree_pick(balance->tree, call, ret_pick);
    }
    if (!channel->failed)
        return ROTA_PICK_WAIT;
    ret_pick->why = &channel->failure;
    return ROTA_PICK_FAIL;
}

bool rota_balance_listens(const struct rota_channel *channel, const struct rota_pick *pick, uint64_t number)
{
    return pick->depth > 0 && channel->current != NULL && channel->current->number == number;
}

void rota_balance_done(struct rota_channel *channel, const struct rota_pick *pick, const struct rota_outcome *outcome)
{
    rota_lb_tree_done(channel->current->tree, pick, outcome);
}

void rota_balance_tell(struct rota_channel *channel, unsigned slot, struct rota_lb_subchannel *hold, enum rota_conn_state state, const struct rota_status *why)
{
    rota_lb_tree_conn(channel->slots[slot]->tree, hold, state, why, channel->host->now_ns);
}

void rota_balance_serving(struct rota_channel *channel, unsigned slot, struct rota_lb_subchannel *hold, enum rota_lb_serving serving,
                          const struct rota_status *why)
{
    rota_lb_tree_serving(channel->slots[slot]->tree, hold, serving, why, channel->host->now_ns);
}

void rota_balance_report(struct rota_channel *channel, unsigned slot, struct rota_lb_subchannel *hold, const struct rota_load_report *report)
{
    rota_lb_tree_report(channel->slots[slot]->tree, hold, report, channel->host->now_ns);
}
