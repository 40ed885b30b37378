/* throttle.c - contract in throttle.h. */
#include "channel/throttle.h"

#define TOKEN_MILLI 1000

void rota_throttle_set(struct rota_throttle *throttle, uint32_t max_milli, uint32_t ratio_milli)
{
    uint64_t tokens = max_milli;

    if (throttle->max_milli > 0)
        tokens = (uint64_t)throttle->tokens_milli * max_milli / throttle->max_milli;
    throttle->max_milli = max_milli;
    throttle->ratio_milli = ratio_milli;
    throttle->tokens_milli = (uint32_t)tokens;
}

void rota_throttle_failure(struct rota_throttle *throttle)
{
    throttle->tokens_milli -= throttle->tokens_milli < TOKEN_MILLI ? throttle->tokens_milli : TOKEN_MILLI;
}

void rota_throttle_success(struct rota_throttle *throttle)
{
    uint32_t missing_milli = throttle->max_milli - throttle->tokens_milli;

    throttle->tokens_milli += missing_milli < throttle->ratio_milli ? missing_milli : throttle->ratio_milli;
}

bool rota_throttle_allows(const struct rota_throttle *throttle)
{
    return throttle->max_milli == 0 || (uint64_t)throttle->tokens_milli * 2 > throttle->max_milli;
}
