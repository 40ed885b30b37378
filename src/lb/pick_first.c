/* pick_first.c - one connection, to the first address that lets itself be connected (gRFC A61, A62, A105).
 *
 * A pass goes through the addresses in order: each gets an attempt, started when the newest attempt has failed or has been
 * running for the attempt delay; attempts started earlier go on. It ends with the first READY, or when every
 * address has failed once; from then on all addresses are kept reconnecting. TRANSIENT_FAILURE of connections is left for READY
 * only, so a pass may run in it; that of having no addresses is over with the next list. An address gets its subchannel when its turn comes.
 *
 * Invariants: in READY only the selected address has a subchannel; `passing` implies CONNECTING or TRANSIENT_FAILURE; the
 * timer is set only while an address is left to try, or after a pass one lacks the memory for a subchannel. Under a petiole policy the list is one endpoint.
 * Elsewhere: the order of addresses (address_order.c), backoff (the channel's subchannel).
 */
#include "lb/pick_first.h"
#include "base/alloc.h"
#include "base/moves.h"
#include "lb/address_order.h"
#include <math.h>

struct address {
    struct address *next;
    const struct rota_endpoint *endpoint; /* referenced */
    size_t index;
    struct rota_lb_subchannel *subchannel; /* NULL: none yet */
    uint8_t conn;                          /* the subchannel's; IDLE when there is none */
    bool tried, failed;                    /* in this pass */
    bool listed;                           /* by the newest list; used while that is taken over */
};

struct pick_first {
    struct rota_lb_subchannel *subchannel; /* the selected address's; NULL unless READY */
    uint8_t state;                         /* enum rota_conn_state, moved by the table */
    bool passing, timer_set, had_list;
    const struct rota_lb_env *env;
    const struct rota_pick_first_config *config;
    struct address *addresses; /* in order */
    struct address *selected;  /* in READY */
    struct address *next;      /* in a pass: whose turn is next */
    struct address *newest;    /* in a pass: the attempt whose failure ends its turn; NULL when no turn is left */
    uint32_t n_addresses;
    uint32_t n_failed;          /* in a pass: addresses; after one: failures since the last re-resolution */
    struct rota_status *reason; /* of the failures so far that are not told yet; NULL: none, or no memory for it */
};

#define FEED_AGAIN_NS INT64_C(1000000000)
#define TO(state) (1u << ROTA_CONN_##state)

static const char *const state_names[] = {"IDLE", "CONNECTING", "READY", "TRANSIENT_FAILURE"};
static const uint32_t legal_moves[] = {
    [ROTA_CONN_IDLE] = TO(CONNECTING) | TO(TRANSIENT_FAILURE),
    [ROTA_CONN_CONNECTING] = TO(READY) | TO(TRANSIENT_FAILURE),
    [ROTA_CONN_READY] = TO(IDLE) | TO(CONNECTING) | TO(TRANSIENT_FAILURE),
    [ROTA_CONN_TRANSIENT_FAILURE] = TO(CONNECTING) | TO(READY) | TO(TRANSIENT_FAILURE), /* CONNECTING: there were no addresses */
};
static const struct rota_moves moves = {"pick_first", state_names, legal_moves, 4};

static const struct rota_status no_addresses = {ROTA_UNAVAILABLE, "no addresses: name resolution gave an empty list"};
static const struct rota_status all_failed = {ROTA_UNAVAILABLE, "no address could be connected to"};
static const struct rota_status no_memory = {ROTA_UNAVAILABLE, "out of memory while connecting"};

static void move_to(struct pick_first *pf, enum rota_conn_state state, const struct rota_status *why, struct rota_lb_cmds *cmds)
{
    rota_moves_go(&moves, &pf->state, (uint8_t)state);
    rota_lb_update(cmds, state, why);
}

static void set_timer(struct pick_first *pf, int64_t at_ns, struct rota_lb_cmds *cmds)
{
    if (at_ns == INT64_MAX && !pf->timer_set)
        return;
    pf->timer_set = at_ns != INT64_MAX;
    rota_lb_wake_at(cmds, at_ns);
}

static void forget_reasons(struct pick_first *pf)
{
    rota_alloc_free(pf->env->alloc, pf->reason);
    pf->reason = NULL;
}

/* One after the other, each once: who dials localhost, where one family is not listened to, wants to hear of the other one's certificate. */
static void keep_reason(struct pick_first *pf, const struct rota_status *why)
{
    if (pf->reason != NULL) {
        if (strstr(pf->reason->message, why->message) == NULL)
            rota_status_set(pf->reason, pf->reason->code, "%s; %s", pf->reason->message, why->message);
        return;
    }
    pf->reason = rota_alloc_get(pf->env->alloc, sizeof(*pf->reason));
    if (pf->reason != NULL)
        *pf->reason = *why;
}

/* What has failed, now and before. why: now; may be NULL. */
static const struct rota_status *all_reasons(struct pick_first *pf, const struct rota_status *why)
{
    if (why == NULL)
        why = &all_failed;
    else if (pf->reason != NULL)
        keep_reason(pf, why);
    return pf->reason != NULL ? pf->reason : why;
}

static void drop_subchannel(struct address *a, struct rota_lb_cmds *cmds)
{
    rota_lb_subchannel_free(cmds, a->subchannel);
    a->subchannel = NULL;
    a->conn = ROTA_CONN_IDLE;
}

static void address_free(struct pick_first *pf, struct address *a)
{
    rota_endpoint_unref(a->endpoint);
    rota_alloc_free(pf->env->alloc, a);
}

/* --- A pass --- */

static void stop_pass(struct pick_first *pf, struct rota_lb_cmds *cmds)
{
    pf->passing = false;
    pf->next = pf->newest = NULL;
    pf->n_failed = 0;
    set_timer(pf, INT64_MAX, cmds);
}

static void select_address(struct pick_first *pf, struct address *winner, struct rota_lb_cmds *cmds)
{
    stop_pass(pf, cmds);
    forget_reasons(pf);
    for (struct address *a = pf->addresses; a != NULL; a = a->next)
        if (a != winner)
            drop_subchannel(a, cmds);
    pf->selected = winner;
    pf->subchannel = winner->subchannel;
    move_to(pf, ROTA_CONN_READY, NULL, cmds);
}

static void count_failure(struct pick_first *pf, struct address *a)
{
    pf->n_failed += !a->failed;
    a->failed = true;
}

/* Starts or recognises the attempt at one address; false when it has failed already. */
static bool try_address(struct address *a, struct rota_lb_cmds *cmds)
{
    a->tried = true;
    if (a->subchannel == NULL && rota_lb_subchannel_new(cmds, a->endpoint, a->index, a, &a->subchannel) < 0)
        return false;
    if (a->conn == ROTA_CONN_IDLE)
        rota_lb_connect(cmds, a->subchannel);
    return a->conn != ROTA_CONN_TRANSIENT_FAILURE;
}

/* A pass is over and an address did not even get a subchannel. */
static bool is_starved(const struct pick_first *pf)
{
    const struct address *a = pf->addresses;

    if (pf->state != ROTA_CONN_TRANSIENT_FAILURE || pf->passing)
        return false;
    while (a != NULL && a->subchannel != NULL)
        a = a->next;
    return a != NULL;
}

/* Every address has failed: say so, and keep all of them reconnecting. */
static void end_pass(struct pick_first *pf, const struct rota_status *why, int64_t now_ns, struct rota_lb_cmds *cmds)
{
    stop_pass(pf, cmds);
    /* Where all were in backoff before, what was said of them holds. */
    if (why != NULL || pf->reason != NULL || pf->state != ROTA_CONN_TRANSIENT_FAILURE)
        move_to(pf, ROTA_CONN_TRANSIENT_FAILURE, all_reasons(pf, why), cmds);
    forget_reasons(pf);
    rota_lb_reresolve(cmds);
    for (struct address *a = pf->addresses; a != NULL; a = a->next)
        if (a->subchannel != NULL)
            rota_lb_connect(cmds, a->subchannel);
    if (is_starved(pf))
        set_timer(pf, now_ns + FEED_AGAIN_NS, cmds);
}

/* After a pass: those that did not even get a subchannel. */
static void feed_again(struct pick_first *pf, int64_t now_ns, struct rota_lb_cmds *cmds)
{
    for (struct address *a = pf->addresses; a != NULL; a = a->next)
        if (a->subchannel == NULL)
            (void)try_address(a, cmds);
    if (is_starved(pf))
        set_timer(pf, now_ns + FEED_AGAIN_NS, cmds);
}

/* Gives addresses their turns up to one whose attempt runs. why: what the last one failed with; NULL: nothing has failed just now. */
static void next_turn(struct pick_first *pf, const struct rota_status *why, int64_t now_ns, struct rota_lb_cmds *cmds)
{
    set_timer(pf, INT64_MAX, cmds);
    pf->newest = NULL;
    while (pf->next != NULL && pf->newest == NULL) {
        struct address *a = pf->next;
        pf->next = a->next;
        if (try_address(a, cmds)) {
            pf->newest = a;
        } else {
            count_failure(pf, a);
            if (a->subchannel == NULL)
                why = &no_memory;
        }
    }
    if (pf->newest != NULL && pf->next != NULL)
        set_timer(pf, now_ns + pf->config->attempt_delay_ns, cmds);
    if (pf->n_failed == pf->n_addresses)
        end_pass(pf, why, now_ns, cmds);
    else if (why != NULL)
        keep_reason(pf, why);
}

static struct address *find_ready(struct pick_first *pf)
{
    struct address *a = pf->addresses;

    while (a != NULL && a->conn != ROTA_CONN_READY)
        a = a->next;
    return a;
}

static void start_pass(struct pick_first *pf, int64_t now_ns, struct rota_lb_cmds *cmds)
{
    struct address *ready = find_ready(pf);

    for (struct address *a = pf->addresses; a != NULL; a = a->next)
        a->tried = a->failed = false;
    pf->passing = true;
    pf->n_failed = 0;
    pf->next = pf->addresses;
    pf->selected = NULL;
    pf->subchannel = NULL;
    if (pf->state == ROTA_CONN_IDLE || pf->state == ROTA_CONN_READY)
        move_to(pf, ROTA_CONN_CONNECTING, NULL, cmds);
    if (ready != NULL)
        select_address(pf, ready, cmds);
    else
        next_turn(pf, NULL, now_ns, cmds);
}

/* --- A new list --- */

static struct address *address_new(struct pick_first *pf, const struct rota_lb_address *item)
{
    struct address *a = rota_alloc_zero(pf->env->alloc, 1, sizeof(*a));

    if (a == NULL)
        return NULL;
    a->endpoint = rota_endpoint_ref(item->endpoint);
    a->index = item->index;
    return a;
}

/* Fills every item's slot with the address we have or a new one. ROTA_ENOMEM: nothing has changed. */
static rota_err match(struct pick_first *pf, struct rota_lb_addresses *list)
{
    size_t i = 0;

    for (struct address *a = pf->addresses; a != NULL; a = a->next) {
        struct rota_lb_address *item = rota_lb_addresses_find(list, &a->endpoint->addresses[a->index]);
        a->listed = item != NULL;
        if (item != NULL)
            item->slot = a;
    }
    for (; i < list->count; i++) {
        if (list->items[i].slot != NULL)
            continue;
        list->items[i].slot = address_new(pf, &list->items[i]);
        if (list->items[i].slot == NULL)
            break;
    }
    if (i == list->count)
        return 0;
    while (i-- > 0) {
        struct address *a = list->items[i].slot;
        if (!a->listed)
            address_free(pf, a);
    }
    return ROTA_ENOMEM;
}

static void drop_unlisted(struct pick_first *pf, struct rota_lb_cmds *cmds)
{
    struct address *next;

    for (struct address *a = pf->addresses; a != NULL; a = next) {
        next = a->next;
        if (a->listed)
            continue;
        if (a == pf->selected)
            pf->selected = NULL;
        drop_subchannel(a, cmds);
        address_free(pf, a);
    }
}

/* True when the list is what we have, in this order, and no address lacks its subchannel for want of memory. */
static bool is_ours(const struct pick_first *pf, const struct rota_lb_addresses *list)
{
    const struct address *a = pf->addresses;
    size_t i = 0;

    for (; i < list->count && a == list->items[i].slot && (a->subchannel != NULL || pf->passing); i++)
        a = a->next;
    return i == list->count && a == NULL;
}

/* The addresses become those of the list, whose slots are filled. */
static void take_over(struct pick_first *pf, const struct rota_lb_addresses *list, struct rota_lb_cmds *cmds)
{
    struct address **link = &pf->addresses;

    drop_unlisted(pf, cmds);
    for (size_t i = 0; i < list->count; i++) {
        const struct rota_lb_address *item = &list->items[i];
        struct address *a = item->slot;
        rota_endpoint_ref(item->endpoint);
        rota_endpoint_unref(a->endpoint);
        a->endpoint = item->endpoint;
        a->index = item->index;
        *link = a;
        link = &a->next;
    }
    *link = NULL;
    pf->n_addresses = (uint32_t)list->count;
}

static rota_err take_empty(struct pick_first *pf, struct rota_lb_cmds *cmds)
{
    for (struct address *a = pf->addresses; a != NULL; a = a->next)
        a->listed = false;
    drop_unlisted(pf, cmds);
    pf->addresses = pf->selected = NULL;
    pf->subchannel = NULL;
    pf->n_addresses = 0;
    stop_pass(pf, cmds);
    forget_reasons(pf);
    move_to(pf, ROTA_CONN_TRANSIENT_FAILURE, &no_addresses, cmds);
    return ROTA_EINVAL;
}

static rota_err take_list(struct pick_first *pf, const struct rota_endpoint *const *endpoints, size_t count, struct rota_lb_cmds *cmds,
                          bool *ret_changed)
{
    struct rota_lb_addresses list;
    rota_err err = rota_lb_addresses_init(&list, pf->env, endpoints, count, pf->config->shuffle);

    if (err < 0)
        return err;
    err = match(pf, &list);
    if (err == 0) {
        *ret_changed = !is_ours(pf, &list);
        take_over(pf, &list, cmds);
    }
    rota_lb_addresses_fini(&list);
    return err;
}

static rota_err on_endpoints(void *state, const struct rota_endpoint *const *endpoints, size_t count, int64_t now_ns,
                             struct rota_lb_cmds *cmds)
{
    struct pick_first *pf = state;
    bool first = !pf->had_list, none = pf->n_addresses == 0, changed;
    rota_err err;

    pf->had_list = true;
    if (count == 0)
        return take_empty(pf, cmds);
    err = take_list(pf, endpoints, count, cmds, &changed);
    if (err < 0) {
        /* With nothing to go on with, calls should hear of it. */
        if (pf->n_addresses == 0)
            move_to(pf, ROTA_CONN_TRANSIENT_FAILURE, &no_memory, cmds);
        return err;
    }
    if (pf->selected != NULL || !changed || (pf->state == ROTA_CONN_IDLE && !first))
        return 0;
    if (none && pf->state == ROTA_CONN_TRANSIENT_FAILURE)
        move_to(pf, ROTA_CONN_CONNECTING, NULL, cmds);
    start_pass(pf, now_ns, cmds);
    return is_starved(pf) ? ROTA_ENOMEM : 0;
}

static void on_resolver_error(void *state, const struct rota_status *why, int64_t now_ns, struct rota_lb_cmds *cmds)
{
    (void)now_ns;
    move_to(state, ROTA_CONN_TRANSIENT_FAILURE, why, cmds);
}

/* --- Connections --- */

static void on_lost(struct pick_first *pf, enum rota_conn_state conn, const struct rota_status *why, int64_t now_ns,
                    struct rota_lb_cmds *cmds)
{
    rota_lb_reresolve(cmds);
    if (conn != ROTA_CONN_IDLE) {
        if (why != NULL)
            keep_reason(pf, why); /* should all the others be known to fail */
        start_pass(pf, now_ns, cmds); /* A105: the subchannel is at it again by itself */
        return;
    }
    pf->selected = NULL;
    pf->subchannel = NULL;
    move_to(pf, ROTA_CONN_IDLE, NULL, cmds);
}

static void on_failed(struct pick_first *pf, struct address *a, const struct rota_status *why, int64_t now_ns, struct rota_lb_cmds *cmds)
{
    if (pf->passing) {
        if (!a->tried)
            return; /* it is skipped when its turn comes */
        count_failure(pf, a);
        if (a == pf->newest)
            next_turn(pf, why, now_ns, cmds);
        else if (pf->n_failed == pf->n_addresses)
            end_pass(pf, why, now_ns, cmds);
        else
            keep_reason(pf, why);
        return;
    }
    rota_lb_connect(cmds, a->subchannel);
    if (++pf->n_failed < pf->n_addresses) {
        if (why != NULL)
            keep_reason(pf, why);
        return;
    }
    pf->n_failed = 0;
    move_to(pf, ROTA_CONN_TRANSIENT_FAILURE, all_reasons(pf, why), cmds);
    forget_reasons(pf);
    rota_lb_reresolve(cmds);
}

static void on_conn(void *state, struct rota_lb_subchannel *subchannel, void *tag, enum rota_conn_state conn,
                    const struct rota_status *why, int64_t now_ns, struct rota_lb_cmds *cmds)
{
    struct pick_first *pf = state;
    struct address *a = tag;

    a->conn = (uint8_t)conn;
    if (pf->state == ROTA_CONN_IDLE)
        return; /* a pick or exit_idle will look at it */
    if (pf->state == ROTA_CONN_READY) {
        if (conn != ROTA_CONN_READY)
            on_lost(pf, conn, why, now_ns, cmds);
    } else if (conn == ROTA_CONN_READY) {
        select_address(pf, a, cmds);
    } else if (conn == ROTA_CONN_TRANSIENT_FAILURE) {
        on_failed(pf, a, why, now_ns, cmds);
    } else if (conn == ROTA_CONN_IDLE && (!pf->passing || (a->tried && !a->failed))) {
        rota_lb_connect(cmds, subchannel);
    }
}

static void on_timer(void *state, int64_t now_ns, struct rota_lb_cmds *cmds)
{
    struct pick_first *pf = state;

    if (pf->passing && pf->next != NULL)
        next_turn(pf, NULL, now_ns, cmds);
    else if (is_starved(pf))
        feed_again(pf, now_ns, cmds);
}

static void on_exit_idle(void *state, int64_t now_ns, struct rota_lb_cmds *cmds)
{
    struct pick_first *pf = state;

    if (pf->state == ROTA_CONN_IDLE && pf->n_addresses > 0)
        start_pass(pf, now_ns, cmds);
}

static enum rota_pick_verdict pick(void *state, const struct rota_call_info *call, struct rota_pick *ret_pick)
{
    struct pick_first *pf = state;

    if (pf->subchannel != NULL) {
        if (call->trace != NULL)
            rota_lb_trace(call, NULL, NAN, "the connection it has, to one of %u address%s", (unsigned)pf->n_addresses, pf->n_addresses == 1 ? "" : "es");
        ret_pick->subchannel = pf->subchannel;
        return ROTA_PICK_OK;
    }
    ret_pick->exit_idle = pf->state == ROTA_CONN_IDLE;
    return pf->state == ROTA_CONN_TRANSIENT_FAILURE ? ROTA_PICK_FAIL : ROTA_PICK_WAIT;
}

struct rota_lb_subchannel *rota_pick_first_selected(const void *state)
{
    return ((const struct pick_first *)state)->subchannel;
}

static rota_err init(void *state, const struct rota_lb_env *env, const void *config)
{
    struct pick_first *pf = state;

    pf->env = env;
    pf->config = config;
    pf->state = ROTA_CONN_IDLE;
    return 0;
}

static void fini(void *state)
{
    struct pick_first *pf = state;
    struct address *next;

    for (struct address *a = pf->addresses; a != NULL; a = next) {
        next = a->next;
        address_free(pf, a);
    }
    rota_alloc_free(pf->env->alloc, pf->reason);
}

const struct rota_lb_class rota_lb_pick_first = {
    .name = "pick_first",
    .state_size = sizeof(struct pick_first),
    .parse = rota_pick_first_parse,
    .free_config = rota_pick_first_free_config,
    .init = init,
    .fini = fini,
    .on_endpoints = on_endpoints,
    .on_resolver_error = on_resolver_error,
    .on_conn = on_conn,
    .on_timer = on_timer,
    .on_exit_idle = on_exit_idle,
    .pick = pick,
};
