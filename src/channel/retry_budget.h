/* retry_budget.h - how many further attempts, retries and hedges together, a channel may make: a share of its calls.
 *
 * Ours, not gRPC's (the idea is Finagle's RetryBudget): throttling has to be configured, and it lets a storm begin before it acts.
 * Each call that might have a further attempt deposits a ratio of one, which is good for ten seconds. So that a channel with few calls
 * can retry too there is a reserve, ten seconds of the floor, which fills by as much as the deposits stay behind the floor. What is taken
 * from it is owed: the next deposits pay that back first, so that attempts come down to (1 + ratio) x calls also where it was used.
 */
#ifndef ROTA_CHANNEL_RETRY_BUDGET_H
#define ROTA_CHANNEL_RETRY_BUDGET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define ROTA_RETRY_BUDGET_SECONDS 10

struct rota_retry_budget {
    /* All in hundredths of an attempt. */
    int64_t ratio, floor; /* a deposit; the floor of a second */
    int64_t begun_ns;     /* when the window's last second did: the first is that of the first call, or it would seem to have few */
    size_t second;        /* counts them */
    struct {
        int64_t credit; /* deposits, less what was spent of them */
        int64_t spent;
    } seconds[ROTA_RETRY_BUDGET_SECONDS]; /* by second modulo their number */
    int64_t credit, spent; /* sums */
    int64_t income;        /* all deposits of this second */
    int64_t reserve, owed;
};

void rota_retry_budget_init(struct rota_retry_budget *budget, uint32_t ratio_percent, uint32_t floor_per_s);
void rota_retry_budget_call(struct rota_retry_budget *budget, int64_t now_ns); /* a call has begun */
bool rota_retry_budget_spend(struct rota_retry_budget *budget, int64_t now_ns); /* a further attempt, if there is any left */

#endif
