/* moves.c - the one place where a state machine's state changes. */
#include "base/moves.h"
#include <stdio.h>
#include <stdlib.h>

bool rota_moves_legal(const struct rota_moves *moves, uint8_t from, uint8_t to)
{
    return from < moves->count && to < moves->count && (moves->to[from] >> to & 1) != 0;
}

static const char *state_name(const struct rota_moves *moves, uint8_t state)
{
    return state < moves->count ? moves->names[state] : "(no such state)";
}

void rota_moves_go(const struct rota_moves *moves, uint8_t *state, uint8_t to)
{
    if (!rota_moves_legal(moves, *state, to)) {
        fprintf(stderr, "rota: illegal move: %s from %s to %s\n", moves->noun, state_name(moves, *state),
                state_name(moves, to));
        abort();
    }
    *state = to;
}
