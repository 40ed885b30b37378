/* lb_events.c - the conformance suite's events rolled by the fuzzer: the first byte chooses the policy, each further one is a die. */
#include "testing/lb_conformance.h"
#include "testing/lb_policies.h"
#include <rota/slice.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct rota_slice dice_left;

static uint64_t roll(struct rota_rng *rng)
{
    uint64_t value;

    (void)rng;
    if (dice_left.size == 0)
        return 0;
    value = dice_left.data[0];
    dice_left = rota_slice(dice_left.data + 1, dice_left.size - 1);
    return value;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct rota_rng dice = {.next = roll};
    struct rota_lb_conformance c = {.policies = rota_test_policies};
    unsigned n_configs = 0;

    if (size < 2 || size > 4096)
        return 0;
    while (rota_test_lb_configs[n_configs] != NULL)
        n_configs++;
    c.config = rota_test_lb_configs[(data[0] & 127) % n_configs];
    c.decides_by_call = strstr(c.config, "ring_hash") != NULL;
    c.no_memory_at_times = data[0] >= 128;
    c.n_events = (uint32_t)size / 2;
    dice_left = rota_slice(data + 1, size - 1);
    rota_lb_conformance_play(&c, &dice);
    return 0;
}
