/* retry_budget.c - a window of ten buckets of one second; contract in retry_budget.h. */
#include "channel/retry_budget.h"
#include <string.h>

#define NS_PER_S INT64_C(1000000000)
#define SECONDS ROTA_RETRY_BUDGET_SECONDS
#define FORGET_NS (2 * SECONDS * NS_PER_S)
#define ONE 100 /* attempt */

void rota_retry_budget_init(struct rota_retry_budget *budget, uint32_t ratio_percent, uint32_t floor_per_s)
{
    *budget = (struct rota_retry_budget){.ratio = ratio_percent, .floor = (int64_t)floor_per_s * ONE};
    budget->begun_ns = -FORGET_NS - 1;
}

static int64_t lesser(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

/* A second is over: what the deposits stayed behind the floor fills the reserve and pays debts. */
static void end_second(struct rota_retry_budget *budget)
{
    int64_t missing = budget->income < budget->floor ? budget->floor - budget->income : 0;
    size_t i = ++budget->second % SECONDS;

    budget->begun_ns += NS_PER_S;
    budget->reserve = lesser(budget->reserve + missing, budget->floor * SECONDS);
    budget->owed -= lesser(budget->owed, missing);
    budget->income = 0;
    budget->credit -= budget->seconds[i].credit;
    budget->spent -= budget->seconds[i].spent;
    budget->seconds[i].credit = budget->seconds[i].spent = 0;
}

static void move_to(struct rota_retry_budget *budget, int64_t now_ns)
{
    if (now_ns - budget->begun_ns > FORGET_NS) { /* the first use, or long enough to forget everything */
        memset(budget->seconds, 0, sizeof(budget->seconds));
        budget->credit = budget->spent = budget->income = budget->owed = 0;
        budget->reserve = budget->floor * SECONDS;
        budget->begun_ns = now_ns;
    }
    while (now_ns - budget->begun_ns >= NS_PER_S)
        end_second(budget);
}

void rota_retry_budget_call(struct rota_retry_budget *budget, int64_t now_ns)
{
    int64_t paid;

    move_to(budget, now_ns);
    paid = lesser(budget->owed, budget->ratio);
    budget->income += budget->ratio;
    budget->owed -= paid;
    budget->seconds[budget->second % SECONDS].credit += budget->ratio - paid;
    budget->credit += budget->ratio - paid;
}

bool rota_retry_budget_spend(struct rota_retry_budget *budget, int64_t now_ns)
{
    size_t i;

    move_to(budget, now_ns);
    i = budget->second % SECONDS;
    if (budget->credit >= ONE) {
        budget->credit -= ONE;
        budget->seconds[i].credit -= ONE;
    } else if (budget->reserve >= ONE && budget->spent < budget->floor * SECONDS) {
        budget->reserve -= ONE;
        budget->owed += ONE;
    } else {
        return false;
    }
    budget->seconds[i].spent += ONE;
    budget->spent += ONE;
    return true;
}
