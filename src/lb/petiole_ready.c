/* petiole_ready.c - contract in petiole_ready.h.
 *
 * Before anybody has had a turn, a newcomer takes a random place and the turn goes to a random one, so that clients differ. Later
 * a newcomer stands where the turn is: it serves at once, and whoever served last is not next, whatever comes
 * and goes between two picks. While the set stays as it is, any n_ready turns in a row go to n_ready different leaves.
 */
#include "lb/petiole_ready.h"
#include "lb/config.h"
#include <math.h>

static void move(struct rota_petiole *p, uint32_t from, uint32_t to)
{
    struct rota_leaf *leaf = p->ready[from].leaf;

    p->ready[to] = p->ready[from];
    leaf->ready_place = to + 1;
    if (p->hooks->move != NULL)
        p->hooks->move(p, leaf);
}

void rota_petiole_ready_add(struct rota_petiole *p, struct rota_leaf *leaf)
{
    uint32_t last = p->n_ready++;
    uint32_t place = p->cursor;

    if (last == 0) {
        p->turned = false;
        place = p->cursor = 0;
    } else if (!p->turned) {
        place = rota_lb_random_below(p->env, p->n_ready);
        p->cursor = rota_lb_random_below(p->env, p->n_ready);
    }
    if (place != last)
        move(p, place, last);
    p->ready[place] = (struct rota_ready){rota_lb_child_sole(leaf->child), leaf->child, leaf, 0};
    leaf->ready_place = place + 1;
}

void rota_petiole_ready_remove(struct rota_petiole *p, struct rota_leaf *leaf)
{
    uint32_t place = leaf->ready_place - 1;
    uint32_t last;

    if (leaf->ready_place == 0)
        return;
    last = --p->n_ready;
    leaf->ready_place = 0;
    if (place != last)
        move(p, last, place);
    if (p->cursor == 0 && place == 0 && last > 1)
        p->cursor = 1; /* who served last has just moved to where the turn is */
    else if (p->cursor >= last)
        p->cursor = 0;
}

/* A leaf's child is a pick_first: ours does not listen, so that asking another one undoes nothing. A program's own that does keeps the pick. */
const struct rota_ready *rota_petiole_elsewhere(const struct rota_petiole *p, const struct rota_ready *winner, const struct rota_call_info *call,
                                                struct rota_pick *ret_pick)
{
    uint32_t at = (uint32_t)(winner - p->ready);
    uint32_t tries = call->n_avoid < p->n_ready ? call->n_avoid : p->n_ready - 1;

    if (!rota_lb_pick_avoided(call, ret_pick) || p->leaf_config->class->on_done != NULL)
        return winner;
    if (call->trace != NULL)
        rota_lb_trace(call, NULL, NAN, "the call has been to %s already", winner->leaf->endpoint->addresses[0].text);
    for (uint32_t i = 0; i < tries; i++) {
        at = at + 1 < p->n_ready ? at + 1 : 0;
        if (rota_lb_child_pick(p->ready[at].child, call, ret_pick) == ROTA_PICK_OK && !rota_lb_pick_avoided(call, ret_pick))
            return &p->ready[at];
    }
    (void)rota_lb_child_pick(winner->child, call, ret_pick); /* the call has been everywhere near */
    return winner;
}
