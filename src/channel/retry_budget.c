/* retry_budget.c - a window of ten buckets of one second; contract in retry_budget.h. */
#include "channel/retry_budget.h"
#include <string.h>

#define NS_PER_S INT64_C(1000000000)
#define SECONDS ROTA_RETRY_BUDGET_SECONDS

void rota_retry_budget_init(struct rota_retry_budget *budget, uint32_t ratio_percent, uint32_t floor_per_s)
{
    *budget = (struct rota_retry_budget){.ratio_percent = ratio_percent, .floor_per_s = floor_per_s};
}

/* Leaves out what is older than the window. */
static void move_to(struct rota_retry_budget *budget, int64_t second)
{
    if (second - budget->second >= SECONDS) {
        memset(budget->seconds, 0, sizeof(budget->seconds));
        budget->calls = budget->spent = 0;
        budget->second = second;
    }
    while (budget->second < second) {
        int64_t i = ++budget->second % SECONDS;
        budget->calls -= budget->seconds[i].calls;
        budget->spent -= budget->seconds[i].spent;
        budget->seconds[i].calls = budget->seconds[i].spent = 0;
    }
}

void rota_retry_budget_call(struct rota_retry_budget *budget, int64_t now_ns)
{
    move_to(budget, now_ns / NS_PER_S);
    budget->seconds[budget->second % SECONDS].calls++;
    budget->calls++;
}

bool rota_retry_budget_spend(struct rota_retry_budget *budget, int64_t now_ns)
{
    uint32_t *this_second;
    bool by_ratio, by_floor;

    move_to(budget, now_ns / NS_PER_S);
    this_second = &budget->seconds[budget->second % SECONDS].spent;
    by_ratio = budget->spent < budget->calls * budget->ratio_percent / 100;
    by_floor = *this_second < budget->floor_per_s && budget->spent < (uint64_t)budget->floor_per_s * SECONDS;
    if (!by_ratio && !by_floor)
        return false;
    ++*this_second;
    budget->spent++;
    return true;
}
