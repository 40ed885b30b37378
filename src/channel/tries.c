/* tries.c - when a failed attempt is followed by another, when a hedge is sent, who wins (gRFC A6).
 *
 * The order of the checks is that of C-core and grpc-go: a failure counts for throttling also where nothing could follow it; then
 * the server's word, the number of attempts, the throttle, and last the channel's budget, which is spent only by what is really done.
 * Whatever ends the call in here is reported later: `inside` is set while an attempt is started.
 */
#include "channel/tries.h"
#include "base/alloc.h"
#include "channel/call.h"

#define NS_PER_MS INT64_C(1000000)
#define H2_CANCEL 8
#define SPREAD 0.2
#define SPARE_MAX 256

static const struct rota_status superseded = {ROTA_CANCELLED, "another attempt of the call was faster"};

/* --- Structs --- */

static void fire(struct rota_host_timer *timer, int64_t now_ns);

static struct rota_tries *take_tries(struct rota_channel *channel)
{
    struct rota_tries *tries = channel->spare_tries;

    if (tries == NULL)
        return rota_alloc_zero(channel->alloc, 1, sizeof(*tries));
    channel->spare_tries = tries->spare;
    channel->n_spare_tries--;
    *tries = (struct rota_tries){0};
    return tries;
}

static struct rota_attempt *take_attempt(struct rota_channel *channel)
{
    struct rota_attempt *attempt = channel->spare_attempts;

    if (attempt == NULL)
        return rota_alloc_zero(channel->alloc, 1, sizeof(*attempt));
    channel->spare_attempts = attempt->spare;
    channel->n_spare_attempts--;
    return attempt;
}

static void give_attempt(struct rota_channel *channel, struct rota_attempt *attempt)
{
    rota_attempt_fini(attempt);
    if (channel->n_spare_attempts >= SPARE_MAX || channel->shut) {
        rota_alloc_free(channel->alloc, attempt);
        return;
    }
    attempt->spare = channel->spare_attempts;
    channel->spare_attempts = attempt;
    channel->n_spare_attempts++;
}

void rota_tries_free_spares(struct rota_channel *channel)
{
    while (channel->spare_tries != NULL) {
        struct rota_tries *tries = channel->spare_tries;
        channel->spare_tries = tries->spare;
        rota_alloc_free(channel->alloc, tries);
    }
    while (channel->spare_attempts != NULL) {
        struct rota_attempt *attempt = channel->spare_attempts;
        channel->spare_attempts = attempt->spare;
        rota_alloc_free(channel->alloc, attempt);
    }
    channel->n_spare_tries = channel->n_spare_attempts = 0;
}

rota_err rota_tries_make(struct rota_call *call, const struct rota_method_config *config)
{
    struct rota_channel *channel = call->channel;
    bool hedges = config->hedging.max_attempts > 0;
    uint32_t max = hedges ? config->hedging.max_attempts : config->retry.max_attempts;
    struct rota_tries *tries;

    if (max > channel->limits.max_attempts)
        max = channel->limits.max_attempts;
    if (max < 2)
        return 0;
    tries = take_tries(channel);
    if (tries == NULL)
        return ROTA_ENOMEM;
    tries->call = call;
    tries->hedges = hedges;
    tries->max = (uint8_t)max;
    tries->count = 1;
    tries->retry = config->retry;
    tries->backoff_ns = (double)config->retry.initial_backoff_ns;
    tries->hedging_delay_ns = config->hedging.hedging_delay_ns;
    tries->codes = hedges ? config->hedging.non_fatal_codes : config->retry.retryable_codes;
    tries->timer.fire = fire;
    call->tries = tries;
    rota_retry_budget_call(&channel->retry_budget, channel->host->now_ns);
    return 0;
}

void rota_tries_stop(struct rota_tries *tries)
{
    tries->held = false;
    rota_host_timer_clear(tries->call->channel->host, &tries->timer);
}

void rota_tries_free(struct rota_call *call)
{
    struct rota_channel *channel = call->channel;
    struct rota_tries *tries = call->tries;

    if (tries == NULL)
        return;
    call->tries = NULL;
    while (tries->n_hedged > 0)
        give_attempt(channel, tries->hedged[--tries->n_hedged]);
    if (channel->n_spare_tries >= SPARE_MAX || channel->shut) {
        rota_alloc_free(channel->alloc, tries);
        return;
    }
    tries->spare = channel->spare_tries;
    channel->spare_tries = tries;
    channel->n_spare_tries++;
}

void rota_tries_note(struct rota_tries *tries, const void *subchannel)
{
    for (uint8_t i = 0; i < tries->n_avoid; i++)
        if (tries->avoid[i] == subchannel)
            return;
    tries->avoid[tries->next_avoid] = subchannel;
    tries->next_avoid = (uint8_t)((tries->next_avoid + 1) % ROTA_TRIES_AVOID_MAX);
    if (tries->n_avoid < ROTA_TRIES_AVOID_MAX)
        tries->n_avoid++;
}

/* --- All attempts of a call --- */

static struct rota_attempt *attempt_at(const struct rota_tries *tries, uint8_t i)
{
    return i == 0 ? &tries->call->attempt : tries->hedged[i - 1];
}

/* Has got a connection at least, so that a hedge may overtake something. */
static bool is_sent(const struct rota_tries *tries)
{
    for (uint8_t i = 0; i <= tries->n_hedged; i++)
        if (attempt_at(tries, i)->state == ROTA_ATTEMPT_ROOM || attempt_at(tries, i)->state == ROTA_ATTEMPT_OPEN)
            return true;
    return false;
}

static struct rota_attempt *running(const struct rota_tries *tries)
{
    for (uint8_t i = 0; i <= tries->n_hedged; i++)
        if (attempt_at(tries, i)->state != ROTA_ATTEMPT_OVER)
            return attempt_at(tries, i);
    return NULL;
}

static bool is_before(const struct rota_attempt *a, const struct rota_attempt *b)
{
    return a->n_sent > b->n_sent || (a->n_sent == b->n_sent && a->started_ns < b->started_ns);
}

struct rota_attempt *rota_tries_foremost(const struct rota_tries *tries)
{
    struct rota_attempt *foremost = NULL;

    for (uint8_t i = 0; i <= tries->n_hedged; i++)
        if (rota_attempt_listens(attempt_at(tries, i)) && (foremost == NULL || is_before(attempt_at(tries, i), foremost)))
            foremost = attempt_at(tries, i);
    return foremost;
}

void rota_tries_abandon(struct rota_tries *tries, const struct rota_status *status, uint32_t h2_code)
{
    rota_tries_stop(tries);
    for (uint8_t i = 0; i <= tries->n_hedged; i++)
        rota_attempt_abandon(attempt_at(tries, i), status, h2_code);
}

/* The call is this attempt's. */
static void settle(struct rota_tries *tries, struct rota_attempt *winner)
{
    rota_tries_stop(tries);
    tries->call->front = winner;
    for (uint8_t i = 0; i <= tries->n_hedged; i++) {
        struct rota_attempt *attempt = attempt_at(tries, i);
        if (attempt == winner || attempt->state == ROTA_ATTEMPT_OVER)
            continue;
        attempt->superseded = true;
        rota_attempt_abandon(attempt, &superseded, H2_CANCEL);
    }
}

void rota_tries_commit(struct rota_attempt *attempt)
{
    settle(attempt->call->tries, attempt);
}

/* All are sent it before one is chosen, or the first would always be the foremost. */
rota_err rota_tries_flush(struct rota_tries *tries)
{
    struct rota_attempt *foremost;
    rota_err err = 0;

    for (uint8_t i = 0; i <= tries->n_hedged && err == 0; i++)
        if (rota_attempt_listens(attempt_at(tries, i)))
            err = rota_attempt_send(attempt_at(tries, i));
    foremost = err < 0 ? NULL : rota_tries_foremost(tries);
    if (foremost != NULL)
        rota_attempt_after_send(foremost);
    return err;
}

bool rota_tries_is_full(const struct rota_tries *tries, size_t limit_bytes)
{
    bool open = false;

    for (uint8_t i = 0; i <= tries->n_hedged; i++) {
        const struct rota_attempt *attempt = attempt_at(tries, i);
        if (!rota_attempt_listens(attempt))
            continue;
        if (rota_attempt_queued(attempt) < limit_bytes)
            return false;
        open = true;
    }
    return open || tries->call->outbox.size_bytes >= limit_bytes;
}

/* --- May there be another? --- */

/* Asked when everything else speaks for it. */
static bool spend(struct rota_tries *tries)
{
    struct rota_channel *channel = tries->call->channel;

    if (!rota_throttle_allows(&channel->throttle)) {
        channel->counts.throttled++;
        return false;
    }
    if (!rota_retry_budget_spend(&channel->retry_budget, channel->host->now_ns)) {
        channel->counts.over_budget++;
        return false;
    }
    return true;
}

static bool is_last(const struct rota_tries *tries)
{
    return tries->stopped || tries->call->committed || tries->count >= tries->max;
}

static rota_err set_timer(struct rota_tries *tries, int64_t delay_ns)
{
    struct rota_host *host = tries->call->channel->host;

    return rota_host_timer_set(host, &tries->timer, rota_host_later_ns(host, delay_ns));
}

/* --- Retries --- */

static int64_t next_backoff(struct rota_tries *tries)
{
    double max_ns = (double)tries->retry.max_backoff_ns;
    double base_ns = tries->backoff_ns < max_ns ? tries->backoff_ns : max_ns;

    tries->backoff_ns = base_ns * tries->retry.backoff_multiplier;
    base_ns *= rota_rng_between(&tries->call->channel->host->rng, 1 - SPREAD, 1 + SPREAD);
    return base_ns >= (double)INT64_MAX ? INT64_MAX : (int64_t)base_ns;
}

static bool retry(struct rota_tries *tries, const struct rota_response *response)
{
    int64_t delay_ns;

    if (is_last(tries) || !spend(tries))
        return false;
    if (response->pushback_seen) {
        delay_ns = response->pushback_ms * NS_PER_MS;
        tries->backoff_ns = (double)tries->retry.initial_backoff_ns;
    } else {
        delay_ns = next_backoff(tries);
    }
    return set_timer(tries, delay_ns) == 0;
}

static void start_retry(struct rota_tries *tries)
{
    struct rota_attempt *attempt = &tries->call->attempt;

    tries->call->channel->counts.retries++;
    attempt->number = tries->count++;
    rota_attempt_restart(attempt);
}

/* --- Hedges --- */

/* In a hedgingDelay, but not at once: nothing may have changed. */
static void look_again(struct rota_tries *tries)
{
    tries->stopped = set_timer(tries, tries->hedging_delay_ns < NS_PER_MS ? NS_PER_MS : tries->hedging_delay_ns) < 0;
}

/* Starts one more, and sees to the next; false: none may be, or not yet. The call may have ended afterwards. */
static bool start_hedge(struct rota_tries *tries)
{
    struct rota_call *call = tries->call;
    struct rota_attempt *attempt;
    bool was_inside = call->inside;

    if (is_last(tries))
        return false;
    if (rota_call_keeps_too_much(call) && rota_tries_foremost(tries) != NULL) { /* which the call would be committed to */
        if (tries->hedging_delay_ns > 0)
            look_again(tries);
        return false;
    }
    attempt = spend(tries) ? take_attempt(call->channel) : NULL;
    if (attempt == NULL) {
        tries->stopped = true;
        return false;
    }
    call->channel->counts.hedges++;
    rota_attempt_init(attempt, call);
    attempt->number = tries->count++;
    tries->hedged[tries->n_hedged++] = attempt;
    if (call->front->state == ROTA_ATTEMPT_OVER)
        call->front = attempt;
    if (!is_last(tries) && tries->hedging_delay_ns > 0 && set_timer(tries, tries->hedging_delay_ns) < 0)
        tries->stopped = true;
    call->inside = true;
    rota_attempt_start(attempt);
    call->inside = was_inside;
    return true;
}

/* As many as there may be at once, where there is no delay between them. */
static void start_all(struct rota_tries *tries)
{
    struct rota_call *call = tries->call;
    bool was_inside = call->inside;

    call->inside = true;
    while (call->state == ROTA_CALL_RUNNING && start_hedge(tries)) {
    }
    call->inside = was_inside;
}

void rota_tries_sent(struct rota_tries *tries)
{
    if (!tries->held)
        return;
    tries->held = false;
    look_again(tries);
}

void rota_tries_begin(struct rota_call *call)
{
    struct rota_tries *tries = call->tries;

    if (!tries->hedges || call->state != ROTA_CALL_RUNNING || is_last(tries))
        return;
    if (tries->hedging_delay_ns == 0)
        start_all(tries);
    else if (!rota_host_timer_is_set(&tries->timer) && set_timer(tries, tries->hedging_delay_ns) < 0)
        tries->stopped = true;
}

/* A failure that is not fatal: the next one goes at once, or when the server says. */
static bool hedge_on(struct rota_tries *tries, struct rota_attempt *attempt)
{
    struct rota_call *call = tries->call;
    const struct rota_response *response = &attempt->response;
    struct rota_attempt *other;

    if (!is_last(tries)) {
        rota_tries_stop(tries);
        if (!response->pushback_seen)
            (void)start_hedge(tries);
        else if (set_timer(tries, response->pushback_ms * NS_PER_MS) < 0)
            tries->stopped = true;
    }
    if (call->state != ROTA_CALL_RUNNING)
        return true;
    other = running(tries);
    if (other == NULL)
        call->front = attempt;
    else if (call->front->state == ROTA_ATTEMPT_OVER)
        call->front = other;
    return other != NULL || rota_host_timer_is_set(&tries->timer);
}

/* --- What an end means --- */

/* For throttling. True: it is worth another attempt, as far as its code and the server say. */
static bool weigh(struct rota_channel *channel, const struct rota_tries *tries, const struct rota_response *response, enum rota_code code)
{
    bool forbidden = response->pushback_seen && response->pushback_ms < 0;
    bool curable = tries != NULL && (tries->codes >> code & 1) != 0;

    if (code == ROTA_OK) {
        rota_throttle_success(&channel->throttle);
        return false;
    }
    if (curable || forbidden)
        rota_throttle_failure(&channel->throttle);
    return curable && !forbidden;
}

static bool hedge_go_on(struct rota_attempt *attempt, bool curable)
{
    struct rota_tries *tries = attempt->call->tries;

    if ((tries->codes >> attempt->response.status.code & 1) == 0)
        return false;
    if (!curable) {
        tries->stopped = true;
        rota_tries_stop(tries);
    }
    return hedge_on(tries, attempt);
}

bool rota_tries_go_on(struct rota_attempt *attempt)
{
    struct rota_call *call = attempt->call;
    struct rota_tries *tries = call->tries;
    enum rota_code code = attempt->response.status.code;
    bool curable = weigh(call->channel, tries, &attempt->response, code);
    bool goes_on = false;

    if (tries == NULL)
        return false;
    if (code != ROTA_OK && !call->committed)
        goes_on = tries->hedges ? hedge_go_on(attempt, curable) : curable && retry(tries, &attempt->response);
    if (!goes_on)
        settle(tries, attempt);
    return goes_on;
}

bool rota_tries_refused(struct rota_attempt *attempt, bool dropped)
{
    struct rota_tries *tries = attempt->call->tries;
    struct rota_attempt *other = running(tries);

    if (other != NULL) {
        if (attempt->call->front == attempt)
            attempt->call->front = other;
        return true;
    }
    if (!dropped)
        return rota_tries_go_on(attempt);
    settle(tries, attempt);
    return false;
}

static void fire(struct rota_host_timer *timer, int64_t now_ns)
{
    struct rota_tries *tries = ROTA_CONTAINER(timer, struct rota_tries, timer);
    struct rota_call *call = tries->call;
    bool alone = running(tries) == NULL;

    if (call->state != ROTA_CALL_RUNNING || call->deadline_ns <= now_ns)
        return; /* the deadline's timer sees to it */
    if (!tries->hedges)
        start_retry(tries);
    else if (!alone && !is_sent(tries))
        tries->held = true; /* there is nothing that a hedge could overtake */
    else if (!start_hedge(tries) && alone)
        rota_call_end(call, &call->front->response.status);
}
