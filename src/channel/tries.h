/* tries.h - the further attempts of a call whose method has a retry or a hedging policy (gRFC A6).
 *
 * Vocabulary: a retry follows a failed attempt, in the same struct; a hedge runs beside the attempts before it, in a struct from the
 * channel's pool; a transparent retry (attempt.c) repeats an attempt that no server has seen and counts as the same one. The call is
 * committed once an attempt has response headers or the outbox is not kept any more: then no attempt follows.
 * Invariants: calls without a policy have no tries. `call->front` is the attempt that the application sees; as long as the call is not
 * committed it is one that runs, if any does. An uncommitted, running call without a running attempt has `timer` set.
 */
#ifndef ROTA_CHANNEL_TRIES_H
#define ROTA_CHANNEL_TRIES_H

#include "channel/attempt.h"
#include "wire/service_config.h"

#define ROTA_TRIES_MAX 10     /* what the option max_attempts may say */
#define ROTA_TRIES_AVOID_MAX 4

struct rota_tries {
    struct rota_call *call;
    struct rota_tries *spare; /* the next in the free-list */
    bool hedges;              /* else retries */
    bool stopped;             /* no further attempt, whatever comes */
    bool held;                /* a hedge is due, hedging_delay after an attempt has found a connection */
    uint8_t max, count;       /* attempts that may be made; that were begun */
    uint8_t n_avoid, next_avoid;
    uint32_t codes; /* retryable, or non-fatal; by bit */
    struct rota_retry_policy retry;
    double backoff_ns; /* the next, without its spread */
    int64_t hedging_delay_ns;
    struct rota_host_timer timer;                     /* the next attempt's */
    struct rota_attempt *hedged[ROTA_TRIES_MAX - 1];  /* the attempts after the first */
    uint8_t n_hedged;
    const void *avoid[ROTA_TRIES_AVOID_MAX]; /* subchannels its attempts were given, as tokens */
};

/* By what the method config says, where the channel allows more than one attempt; else call->tries stays NULL. ROTA_ENOMEM. */
rota_err rota_tries_make(struct rota_call *call, const struct rota_method_config *config);
void rota_tries_free(struct rota_call *call);     /* harmless without tries */
void rota_tries_stop(struct rota_tries *tries);   /* the call is over: no timer from here on */
void rota_tries_begin(struct rota_call *call);    /* the first attempt was started: hedges */
void rota_tries_sent(struct rota_tries *tries);   /* an attempt has a stream, or waits in a connection's room */
void rota_tries_note(struct rota_tries *tries, const void *subchannel); /* an attempt goes there */

/* The attempt is over with response.status: counts it for throttling, and says whether the call goes on with another one. If not,
 * the attempt is the call's front and all others were abandoned. Also for calls without tries. */
bool rota_tries_go_on(struct rota_attempt *attempt);

/* The same for one whose pick failed, or was dropped by a policy, which is no answer of a server's. */
bool rota_tries_refused(struct rota_attempt *attempt, bool dropped);

/* Of the attempts that listen the one that was sent most, the older of equals; NULL: none listens. */
struct rota_attempt *rota_tries_foremost(const struct rota_tries *tries);
void rota_tries_commit(struct rota_attempt *attempt); /* to this one: all others are abandoned */
void rota_tries_abandon(struct rota_tries *tries, const struct rota_status *status, uint32_t h2_code); /* all attempts */
rota_err rota_tries_flush(struct rota_tries *tries); /* as rota_attempt_flush, for every attempt that listens */
bool rota_tries_is_full(const struct rota_tries *tries, size_t limit_bytes); /* no attempt that listens has room */

void rota_tries_free_spares(struct rota_channel *channel);

#endif
