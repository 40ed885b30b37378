/* retry_budget.h - how many further attempts, retries and hedges together, a channel may make: a share of its calls.
 *
 * Ours, not gRPC's (the idea is Finagle's RetryBudget): throttling has to be configured, and it lets a storm begin before it acts.
 * Over the last ten seconds, further attempts are never more than ratio x calls, or floor x ten where that is more, so that a channel
 * with few calls can retry too. What the floor gives and the calls do not is given second by second: a channel that was quiet has not saved
 * it up for the moment a storm begins. Only calls that might have a further attempt count.
 */
#ifndef ROTA_CHANNEL_RETRY_BUDGET_H
#define ROTA_CHANNEL_RETRY_BUDGET_H

#include <stdbool.h>
#include <stdint.h>

#define ROTA_RETRY_BUDGET_SECONDS 10

struct rota_retry_budget {
    uint32_t ratio_percent, floor_per_s;
    int64_t second; /* of the host's clock, the last of the window */
    struct {
        uint32_t calls, spent;
    } seconds[ROTA_RETRY_BUDGET_SECONDS]; /* by second modulo their number */
    uint64_t calls, spent; /* sums */
};

void rota_retry_budget_init(struct rota_retry_budget *budget, uint32_t ratio_percent, uint32_t floor_per_s);
void rota_retry_budget_call(struct rota_retry_budget *budget, int64_t now_ns); /* a call has begun */
bool rota_retry_budget_spend(struct rota_retry_budget *budget, int64_t now_ns); /* a further attempt, if there is any left */

#endif
