/* script_rng.c - the script lives in the generator's four words: where it is, its length, the next place. */
#include "testing/script_rng.h"
#include "testing/cmocka.h"

enum { WORD_VALUES, WORD_COUNT, WORD_NEXT };

static uint64_t play(struct rota_rng *rng)
{
    const uint64_t *values = (const uint64_t *)(uintptr_t)rng->s[WORD_VALUES];

    if (rng->s[WORD_NEXT] == rng->s[WORD_COUNT]) {
        for (uint64_t i = 0; i < rng->s[WORD_COUNT]; i++)
            print_error("  script[%llu] = %llu\n", (unsigned long long)i, (unsigned long long)values[i]);
        fail_msg("the script of %llu values has run out", (unsigned long long)rng->s[WORD_COUNT]);
    }
    return values[rng->s[WORD_NEXT]++];
}

void rota_script_rng_init(struct rota_rng *rng, const uint64_t *values, size_t count)
{
    *rng = (struct rota_rng){.next = play};
    rng->s[WORD_VALUES] = (uint64_t)(uintptr_t)values;
    rng->s[WORD_COUNT] = count;
}

size_t rota_script_rng_left(const struct rota_rng *rng)
{
    return (size_t)(rng->s[WORD_COUNT] - rng->s[WORD_NEXT]);
}

uint64_t rota_script_unit(double unit)
{
    return (uint64_t)(unit * 0x1p53) << 11;
}
