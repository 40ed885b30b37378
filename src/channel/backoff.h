/* backoff.h - how long to wait between the starts of connection attempts.
 *
 * Pure arithmetic. A period is 1.6 times the one before, at most max_ns, and then spread by 20 % either way, the very first
 * included: clients that lost one server together must not come back together. Source: doc/connection-backoff.md in grpc/grpc.
 */
#ifndef ROTA_CHANNEL_BACKOFF_H
#define ROTA_CHANNEL_BACKOFF_H

#include "base/rng.h"

struct rota_backoff {
    int64_t initial_ns, max_ns;
    int64_t base_ns; /* the next period before it is spread; 0: initial_ns */
};

/* The next period; counts as used. */
int64_t rota_backoff_next(struct rota_backoff *backoff, struct rota_rng *rng);
void rota_backoff_reset(struct rota_backoff *backoff);

#endif
