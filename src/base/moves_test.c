/* moves_test.c - a table's moves are made, all others end the program. */
#include "base/moves.h"
#include "base/assert.h"
#include "testing/cmocka.h"
#include "testing/death.h"

enum { IDLE, BUSY, GONE };

static const char *const names[] = {"IDLE", "BUSY", "GONE"};
static const uint32_t to[] = {[IDLE] = 1U << BUSY | 1U << GONE, [BUSY] = 1U << IDLE | 1U << BUSY, [GONE] = 0};
static const struct rota_moves moves = {.noun = "clerk", .names = names, .to = to, .count = 3};

static const struct move_case {
    uint8_t from, to;
    bool legal;
    const char *words;
} cases[] = {
    {IDLE, BUSY, true, NULL},
    {BUSY, IDLE, true, NULL},
    {BUSY, BUSY, true, NULL},
    {IDLE, GONE, true, NULL},
    {IDLE, IDLE, false, "illegal move: clerk from IDLE to IDLE"},
    {GONE, IDLE, false, "illegal move: clerk from GONE to IDLE"},
    {BUSY, 3, false, "illegal move: clerk from BUSY to (no such state)"},
    {200, IDLE, false, "illegal move: clerk from (no such state) to IDLE"},
    {IDLE, 33, false, "illegal move: clerk from IDLE to (no such state)"},
};

static void go(void *ctx)
{
    const struct move_case *c = ctx;
    uint8_t state = c->from;

    rota_moves_go(&moves, &state, c->to);
}

static void only_the_tables_moves_are_made(void **unused)
{
    (void)unused;
    for (size_t i = 0; i < ROTA_COUNT(cases); i++) {
        struct move_case c = cases[i];
        uint8_t state = c.from;
        print_message("  %d to %d\n", c.from, c.to);
        assert_int_equal(rota_moves_legal(&moves, c.from, c.to), c.legal);
        if (!c.legal) {
            rota_assert_aborts(go, &c, c.words);
            continue;
        }
        rota_moves_go(&moves, &state, c.to);
        assert_int_equal(state, c.to);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(only_the_tables_moves_are_made),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
