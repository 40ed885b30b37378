/* throttle.h - retry throttling: a bucket of tokens that failures empty and successes fill (gRFC A6 "Throttling Retry Attempts and
 * Hedged RPCs").
 *
 * One for each channel, that is for each target a program opens: channels share nothing, so two channels to one server each have a
 * bucket. Tokens are counted in thousandths, which is all the precision a config can give.
 */
#ifndef ROTA_CHANNEL_THROTTLE_H
#define ROTA_CHANNEL_THROTTLE_H

#include <stdbool.h>
#include <stdint.h>

struct rota_throttle {
    uint32_t max_milli; /* 0: nothing is throttled */
    uint32_t ratio_milli, tokens_milli;
};

/* As a new service config says; a bucket that was in use stays as full as it was. 0, 0: none. */
void rota_throttle_set(struct rota_throttle *throttle, uint32_t max_milli, uint32_t ratio_milli);
void rota_throttle_failure(struct rota_throttle *throttle); /* takes a token */
void rota_throttle_success(struct rota_throttle *throttle); /* gives a ratio of one back */
bool rota_throttle_allows(const struct rota_throttle *throttle); /* another attempt: more than half is left */

#endif
