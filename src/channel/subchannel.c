/* subchannel.c - the state machine of one address: when to connect, when to wait, whom to tell.
 *
 * IDLE until a policy asks; CONNECTING; READY after the peer's SETTINGS; TRANSIENT_FAILURE until the backoff period, which counts
 * from the start of the attempt, is over. A lost or draining connection makes it IDLE: coming back is the policies' decision.
 * SETTINGS reset the backoff; but where connections come up and go again at once, time after time, without having served anybody,
 * that would be a storm at the speed of the round trip. After SHORT_LIVES of them each is a failed attempt: the backoff stays, and
 * the way back leads through TRANSIENT_FAILURE, so calls that fail fast are told what the matter is.
 *
 * Where the service config allows more than one connection, another is dialed when a call waits in the room, none is being dialed and no
 * period has to be waited out. It is READY as long as it has one; after the last it is where the attempt at another one is: CONNECTING,
 * TRANSIENT_FAILURE in its period, else IDLE.
 * Source: doc/connection-backoff.md, doc/connectivity-semantics-and-api.md in grpc/grpc; gRFC A61, A105.
 */
#include "channel/subchannel.h"
#include "base/alloc.h"
#include "base/log.h"
#include "base/moves.h"
#include "channel/attempt.h"
#include "channel/intercept.h"
#include "channel/sides.h"
#include "lb/tree.h"
#include <string.h>

#define SHORT_LIVES 3
#define HURRY_NS 100e6

#define BIT(state) (1u << ROTA_CONN_##state)

static const char *const state_names[] = {"IDLE", "CONNECTING", "READY", "TRANSIENT_FAILURE", "SHUTDOWN"};
static const uint32_t state_moves[] = {
    [ROTA_CONN_IDLE] = BIT(CONNECTING) | BIT(SHUTDOWN),
    [ROTA_CONN_CONNECTING] = BIT(READY) | BIT(TRANSIENT_FAILURE) | BIT(SHUTDOWN),
    [ROTA_CONN_READY] = BIT(IDLE) | BIT(CONNECTING) | BIT(TRANSIENT_FAILURE) | BIT(SHUTDOWN),
    [ROTA_CONN_TRANSIENT_FAILURE] = BIT(IDLE) | BIT(CONNECTING) | BIT(SHUTDOWN),
    [ROTA_CONN_SHUTDOWN] = 0,
};
static const struct rota_moves moves = {"subchannel", state_names, state_moves, ROTA_CONN_SHUTDOWN + 1};

static const struct rota_status no_memory = {.code = ROTA_UNAVAILABLE, .message = "out of memory"};

static void note_why(struct rota_subchannel *sub, const struct rota_status *why)
{
    if (sub->why == NULL)
        sub->why = rota_alloc_get(sub->channel->alloc, sizeof(*sub->why));
    if (sub->why != NULL && sub->why != why)
        *sub->why = *why;
}

static const struct rota_status *why_of(const struct rota_subchannel *sub)
{
    return sub->why != NULL ? sub->why : &no_memory;
}

static void forget_why(struct rota_subchannel *sub)
{
    rota_alloc_free(sub->channel->alloc, sub->why);
    sub->why = NULL;
}

/* Telling a tree may make it let go of the subchannel that is telling. */
static void hold_on(struct rota_subchannel *sub)
{
    sub->busy++;
}

static void let_go(struct rota_subchannel *sub)
{
    if (--sub->busy > 0 || !sub->dropped)
        return;
    forget_why(sub);
    rota_alloc_free(sub->channel->alloc, sub);
}

static void tell_untold(struct rota_subchannel *sub)
{
    struct rota_lb_subchannel *hold;

    hold_on(sub);
    for (unsigned slot = 0; slot < 2; slot++) {
        while ((hold = sub->untold[slot]) != NULL) {
            sub->untold[slot] = hold->next_hold;
            hold->next_hold = sub->told[slot];
            sub->told[slot] = hold;
            if (sub->state == ROTA_CONN_READY && (hold->heeds || hold->report_ns != 0))
                rota_sides_welcome(sub, hold);
            rota_balance_tell(sub->channel, slot, hold, sub->state, sub->state == ROTA_CONN_TRANSIENT_FAILURE ? why_of(sub) : NULL);
        }
    }
    let_go(sub);
}

static struct rota_lb_subchannel *next_due(const struct rota_subchannel *sub, unsigned slot)
{
    struct rota_lb_subchannel *hold = sub->told[slot];

    while (hold != NULL && !hold->due)
        hold = hold->next_hold;
    return hold;
}

void rota_subchannel_each(struct rota_subchannel *sub, void (*tell)(void *arg, unsigned slot, struct rota_lb_subchannel *hold), void *arg)
{
    struct rota_lb_subchannel *hold;

    hold_on(sub);
    for (unsigned slot = 0; slot < 2; slot++) {
        for (hold = sub->told[slot]; hold != NULL; hold = hold->next_hold)
            hold->due = true;
        while ((hold = next_due(sub, slot)) != NULL) {
            hold->due = false;
            tell(arg, slot, hold);
        }
    }
    let_go(sub);
}

static void run_tell(struct rota_host_task *task)
{
    tell_untold(ROTA_CONTAINER(task, struct rota_subchannel, tell_task));
}

static void go(struct rota_subchannel *sub, enum rota_conn_state state)
{
    rota_moves_go(&moves, &sub->state, (uint8_t)state);
    for (unsigned slot = 0; slot < 2; slot++) {
        struct rota_lb_subchannel **end = &sub->untold[slot];
        while (*end != NULL)
            end = &(*end)->next_hold;
        *end = sub->told[slot];
        sub->told[slot] = NULL;
    }
    /* Policies need not report an update when it is not their own state that changes, but a held attempt may have met this very
     * subchannel in its old state. */
    if (!rota_list_empty(&sub->channel->waiting))
        rota_channel_note(sub->channel, ROTA_TODO_PICK);
    tell_untold(sub);
}

static void fail(struct rota_subchannel *sub, const struct rota_status *why)
{
    struct rota_host *host = sub->channel->host;

    note_why(sub, why);
    sub->wanted = sub->waits = false;
    (void)rota_host_timer_set(host, &sub->timer, sub->next_attempt_ns); /* it is in the heap, so this is a move */
    rota_log_write(sub->channel->log, ROTA_LOG_WARN, "channel", "%s; next attempt in %lld ms", why->message,
        (long long)((sub->next_attempt_ns > host->now_ns ? sub->next_attempt_ns - host->now_ns : 0) / 1000000));
    go(sub, ROTA_CONN_TRANSIENT_FAILURE);
}

/* Fails with sub->why in the next turn: now, a pick may be under way that would not hear of it. */
static void fail_soon(struct rota_subchannel *sub)
{
    (void)rota_host_timer_set(sub->channel->host, &sub->timer, sub->channel->host->now_ns); /* a move, too */
}

/* Errors as rota_connection_dial's; then sub->why tells of it. */
static rota_err dial(struct rota_subchannel *sub, struct rota_connection **ret_connection)
{
    struct rota_channel *channel = sub->channel;
    int64_t period_ns = rota_backoff_next(&sub->backoff, &channel->host->rng);
    int64_t patience_ns = period_ns > channel->limits.connect_timeout_ns ? period_ns : channel->limits.connect_timeout_ns;
    struct rota_status why;
    rota_err err;

    sub->next_attempt_ns = rota_host_later_ns(channel->host, period_ns);
    sub->wanted = false;
    err = rota_connection_dial(sub, rota_host_later_ns(channel->host, patience_ns), ret_connection);
    if (err < 0) {
        rota_status_set(&why, ROTA_UNAVAILABLE, "%s: cannot connect: %s", sub->text, rota_err_text(err));
        note_why(sub, &why);
        rota_channel_measure(channel, ROTA_MEASURE_CONNECT_FAILED);
    }
    return err;
}

static bool is_in_vain(const struct rota_subchannel *sub)
{
    return sub->short_lives >= SHORT_LIVES && sub->channel->host->now_ns < sub->next_attempt_ns;
}

static void start_attempt(struct rota_subchannel *sub)
{
    hold_on(sub);
    go(sub, ROTA_CONN_CONNECTING);
    if (!sub->dropped && (is_in_vain(sub) || dial(sub, &sub->connection) < 0))
        fail_soon(sub);
    let_go(sub);
}

/* --- More than one connection --- */

static bool may_have_more(const struct rota_subchannel *sub)
{
    const struct rota_channel *channel = sub->channel;
    uint32_t most = channel->config == NULL ? 1 : channel->config->service->max_connections;

    if (most > channel->limits.max_connections)
        most = channel->limits.max_connections;
    return 1U + sub->n_extras < most;
}

/* Nothing more is dialed before the period is over. */
static void wait_out(struct rota_subchannel *sub)
{
    sub->waits = true;
    (void)rota_host_timer_set(sub->channel->host, &sub->timer, sub->next_attempt_ns); /* a move, as always */
}

void rota_subchannel_scale(struct rota_subchannel *sub)
{
    const struct rota_log *log = sub->channel->log;

    if (rota_list_empty(&sub->room) || sub->state != ROTA_CONN_READY || sub->dialing != NULL || sub->waits || !may_have_more(sub))
        return;
    if (is_in_vain(sub)) {
        wait_out(sub);
    } else if (dial(sub, &sub->dialing) < 0) {
        rota_log_write(log, ROTA_LOG_WARN, "channel", "%s", why_of(sub)->message);
        wait_out(sub);
    } else {
        rota_log_write(log, ROTA_LOG_INFO, "channel", "%s: calls wait for streams; connects once more, beside %u", sub->text, 1U + sub->n_extras);
    }
}

void rota_subchannel_scale_all(struct rota_channel *channel)
{
    struct rota_map_entry *entry = NULL;

    while ((entry = rota_map_next(&channel->subchannels, entry)) != NULL)
        rota_subchannel_scale(entry->value);
}

/* --- From outside --- */

static void backoff_over(struct rota_host_timer *timer, int64_t now_ns)
{
    struct rota_subchannel *sub = ROTA_CONTAINER(timer, struct rota_subchannel, timer);

    (void)now_ns;
    /* It has just left the heap, so there is room for it. */
    (void)rota_host_timer_set(sub->channel->host, timer, INT64_MAX);
    if (sub->state == ROTA_CONN_CONNECTING && sub->connection == NULL)
        fail(sub, why_of(sub));
    else if (sub->state == ROTA_CONN_TRANSIENT_FAILURE && sub->wanted)
        start_attempt(sub);
    else if (sub->state == ROTA_CONN_TRANSIENT_FAILURE)
        go(sub, ROTA_CONN_IDLE);
    else if (sub->waits) {
        sub->waits = false;
        rota_subchannel_scale(sub);
    }
}

void rota_subchannel_connect(struct rota_subchannel *sub)
{
    if (sub->state == ROTA_CONN_IDLE)
        start_attempt(sub);
    else if (sub->state == ROTA_CONN_TRANSIENT_FAILURE)
        sub->wanted = true;
}

bool rota_subchannel_backs_off(const struct rota_channel *channel, const struct rota_address *address)
{
    const struct rota_subchannel *sub = rota_map_get(&channel->subchannels, rota_slice_str(address->text));

    return sub != NULL && (sub->waits || sub->state == ROTA_CONN_TRANSIENT_FAILURE || (sub->state == ROTA_CONN_CONNECTING && sub->connection == NULL));
}

void rota_subchannel_hurry(struct rota_channel *channel, const struct rota_address *address)
{
    struct rota_subchannel *sub = rota_map_get(&channel->subchannels, rota_slice_str(address->text));
    int64_t at_ns = channel->host->now_ns + (int64_t)(HURRY_NS * rota_rng_unit(&channel->host->rng));

    if (!rota_subchannel_backs_off(channel, address))
        return;
    rota_backoff_reset(&sub->backoff);
    sub->short_lives = 0;
    if (at_ns < sub->next_attempt_ns)
        sub->next_attempt_ns = at_ns;
    (void)rota_host_timer_set(channel->host, &sub->timer, sub->next_attempt_ns); /* it is in the heap, so this is a move */
}

void rota_subchannel_on_ready(struct rota_subchannel *sub, struct rota_connection *connection)
{
    if (sub->short_lives < SHORT_LIVES)
        rota_backoff_reset(&sub->backoff);
    rota_log_write(sub->channel->log, ROTA_LOG_INFO, "channel", "connected to %s", sub->text);
    forget_why(sub);
    rota_channel_measure(sub->channel, ROTA_MEASURE_CONNECTED);
    if (connection == sub->connection) {
        go(sub, ROTA_CONN_READY);
        return;
    }
    sub->dialing = NULL;
    rota_list_append(&sub->extras, &connection->sibling);
    sub->n_extras++;
}

static void judge_life(struct rota_subchannel *sub, const struct rota_connection *lost)
{
    bool short_life = lost->up && !lost->useful && sub->channel->host->now_ns - lost->dialed_ns < sub->backoff.initial_ns;

    if (short_life)
        sub->short_lives++;
    else if (lost->up) {
        sub->short_lives = 0;
        rota_backoff_reset(&sub->backoff);
    }
}

/* There is none left that takes calls. */
static void fall(struct rota_subchannel *sub, const struct rota_status *why)
{
    sub->connection = sub->dialing;
    sub->dialing = NULL;
    rota_attempt_leave_room(sub);
    if (sub->state == ROTA_CONN_CONNECTING || sub->waits) {
        fail(sub, why);
        return;
    }
    rota_log_write(sub->channel->log, ROTA_LOG_INFO, "channel", "%s", why->message);
    note_why(sub, why);
    go(sub, sub->connection != NULL ? ROTA_CONN_CONNECTING : ROTA_CONN_IDLE);
}

static struct rota_connection *take_extra(struct rota_subchannel *sub)
{
    struct rota_link *link = rota_list_pop(&sub->extras);

    if (link == NULL)
        return NULL;
    sub->n_extras--;
    return ROTA_CONTAINER(link, struct rota_connection, sibling);
}

void rota_subchannel_on_lost(struct rota_subchannel *sub, struct rota_connection *lost, const struct rota_status *why)
{
    judge_life(sub, lost);
    rota_channel_measure(sub->channel, lost->up ? ROTA_MEASURE_DISCONNECTED : ROTA_MEASURE_CONNECT_FAILED);
    if (lost == sub->connection && sub->n_extras == 0) {
        fall(sub, why);
        return;
    }
    rota_log_write(sub->channel->log, ROTA_LOG_INFO, "channel", "%s; others are left", why->message);
    hold_on(sub);
    if (lost == sub->dialing) {
        sub->dialing = NULL;
        wait_out(sub);
    } else if (lost != sub->connection) {
        rota_list_remove(&lost->sibling);
        sub->n_extras--;
    } else {
        sub->connection = take_extra(sub);
        rota_sides_move(lost, sub->connection);
    }
    rota_subchannel_scale(sub);
    let_go(sub);
}

static struct rota_subchannel *make(struct rota_channel *channel, const struct rota_address *address)
{
    size_t text_size = strlen(address->text) + 1;
    struct rota_subchannel *sub = rota_alloc_zero(channel->alloc, 1, sizeof(*sub) + text_size);

    if (sub == NULL)
        return NULL;
    sub->channel = channel;
    sub->address = *address;
    memcpy(sub->text, address->text, text_size);
    sub->address.text = sub->text;
    sub->backoff = (struct rota_backoff){.initial_ns = channel->limits.backoff_initial_ns, .max_ns = channel->limits.backoff_max_ns};
    sub->tell_task.run = run_tell;
    sub->timer.fire = backoff_over;
    rota_list_init(&sub->extras);
    rota_list_init(&sub->room);
    if (rota_host_timer_set(channel->host, &sub->timer, INT64_MAX) < 0) {
        rota_alloc_free(channel->alloc, sub);
        return NULL;
    }
    if (rota_map_set(&channel->subchannels, rota_slice(sub->text, text_size - 1), sub) < 0) {
        rota_host_timer_clear(channel->host, &sub->timer);
        rota_alloc_free(channel->alloc, sub);
        return NULL;
    }
    return sub;
}

rota_err rota_subchannel_get(struct rota_channel *channel, unsigned slot, const struct rota_address *address, struct rota_lb_subchannel *hold)
{
    struct rota_subchannel *sub = rota_map_get(&channel->subchannels, rota_slice_str(address->text));

    if (sub == NULL)
        sub = make(channel, address);
    if (sub == NULL)
        return ROTA_ENOMEM;
    hold->conn = sub;
    hold->next_hold = sub->untold[slot];
    sub->untold[slot] = hold;
    if (sub->state != ROTA_CONN_IDLE) /* which a new hold takes for granted */
        rota_host_post(channel->host, &sub->tell_task);
    return 0;
}

static bool unlink_hold(struct rota_lb_subchannel **list, const struct rota_lb_subchannel *hold)
{
    for (; *list != NULL; list = &(*list)->next_hold) {
        if (*list == hold) {
            *list = hold->next_hold;
            return true;
        }
    }
    return false;
}

/* An attempt given up counts as nothing (gRFC A94). */
static void leave_all(struct rota_subchannel *sub)
{
    struct rota_connection *connection = sub->connection;

    rota_attempt_leave_room(sub);
    for (; connection != NULL; connection = take_extra(sub)) {
        if (connection->up)
            rota_channel_measure(sub->channel, ROTA_MEASURE_DISCONNECTED);
        rota_connection_leave(connection);
    }
    if (sub->dialing != NULL)
        rota_connection_leave(sub->dialing);
    sub->connection = sub->dialing = NULL;
}

void rota_subchannel_put(unsigned slot, struct rota_lb_subchannel *hold)
{
    struct rota_subchannel *sub = hold->conn;
    struct rota_channel *channel = sub->channel;

    if (!unlink_hold(&sub->told[slot], hold))
        (void)unlink_hold(&sub->untold[slot], hold);
    if (sub->told[0] != NULL || sub->told[1] != NULL || sub->untold[0] != NULL || sub->untold[1] != NULL) {
        rota_sides_review(sub);
        return;
    }
    rota_moves_go(&moves, &sub->state, ROTA_CONN_SHUTDOWN);
    (void)rota_map_remove(&channel->subchannels, rota_slice_str(sub->text));
    rota_host_timer_clear(channel->host, &sub->timer);
    rota_host_unpost(channel->host, &sub->tell_task);
    leave_all(sub);
    hold_on(sub);
    sub->dropped = true;
    let_go(sub);
}
