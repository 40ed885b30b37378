/* moves.h - a state machine's legal moves as a table, checked and traced at every move. */
#ifndef ROTA_BASE_MOVES_H
#define ROTA_BASE_MOVES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct rota_moves {
    const char *noun;         /* "subchannel" */
    const char *const *names; /* one a state */
    const uint32_t *to;       /* to[a] has bit b set when a may become b; a row a state, 32 states at most */
    uint8_t count;
};

bool rota_moves_legal(const struct rota_moves *moves, uint8_t from, uint8_t to);

/* Sets *state; aborts with noun and names when the table does not allow it. */
void rota_moves_go(const struct rota_moves *moves, uint8_t *state, uint8_t to);

#endif
