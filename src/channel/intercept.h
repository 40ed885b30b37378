/* intercept.h - where a channel's interceptors stand around a call (rota/interceptor.h).
 *
 * Everything but rota_intercept_take, begin and holds, and rota_channel_measure, is only for calls that have a chain.
 */
#ifndef ROTA_CHANNEL_INTERCEPT_H
#define ROTA_CHANNEL_INTERCEPT_H

#include <rota/credentials.h>
#include <rota/interceptor.h>

struct rota_chain;

extern const struct rota_client_interceptor_class rota_credentials_interceptor; /* credentials.c; arg: struct rota_call_credentials */

/* Copies the options for interceptors, and that for credentials behind them. ROTA_EINVAL (credentials: info says what they lack), ROTA_ENOMEM. */
rota_err rota_intercept_take(struct rota_channel *channel, const struct rota_channel_options *options, struct rota_errinfo *info);

/* Not of a call: told to those that want to know. */
void rota_channel_measure(const struct rota_channel *channel, enum rota_measure what);

/* Makes the call's chain, with its own credentials at the end (NULL: none), and runs the on_starts, which may end the call. `inside` must be set.
 * ROTA_EINVAL (credentials), ROTA_ENOMEM: none has run. */
rota_err rota_intercept_begin(struct rota_call *call, const struct rota_call_credentials *credentials);
/* Whether one of them holds the start. */
bool rota_intercept_holds(const struct rota_call *call);

/* Each: false when the call is over, so that the application is not to be told. */
bool rota_intercept_send(struct rota_call *call, const void *message);
bool rota_intercept_headers(struct rota_call *call);
bool rota_intercept_message(struct rota_call *call, const void *message);
bool rota_intercept_wants_messages(const struct rota_call *call);

void rota_intercept_done(struct rota_call *call);  /* may replace call->result */
void rota_intercept_abort(struct rota_call *call); /* the same for a call that cannot be started for want of memory */

#endif
