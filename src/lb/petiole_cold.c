/* petiole_cold.c - which leaves are cold: those that came up for the first time, or after a failure, less than a slow start's window ago.
 *
 * A connection that was lost and made again at once, as at the end of its age, leaves its server as warm as it was.
 */
#include "lb/petiole.h"

void rota_petiole_chill(struct rota_petiole *p, struct rota_leaf *leaf, int64_t now_ns)
{
    if (p->slow_start.window_ns == 0 || leaf->is_retired)
        return;
    if (leaf->cold_since_ns != 0 && leaf->conn != ROTA_CONN_TRANSIENT_FAILURE)
        return;
    leaf->cold_since_ns = now_ns;
    p->cold_until_ns = now_ns + p->slow_start.window_ns;
}

bool rota_petiole_takes_cold(const struct rota_petiole *p, const struct rota_leaf *leaf, int64_t now_ns)
{
    double factor = rota_slow_start_factor(&p->slow_start, now_ns - leaf->cold_since_ns);

    return factor >= 1 || rota_lb_random_unit(p->env) < factor;
}

const struct rota_ready *rota_petiole_turn_cold(struct rota_petiole *p, int64_t now_ns)
{
    const struct rota_ready *winner = rota_petiole_turn(p);

    for (int i = 1; i < ROTA_SLOW_START_TRIES && !rota_petiole_takes(p, winner->leaf, now_ns); i++)
        winner = rota_petiole_turn(p);
    return winner;
}

uint32_t rota_petiole_sample_cold(const struct rota_petiole *p, int64_t now_ns)
{
    uint32_t at = rota_lb_random_below(p->env, p->n_ready);

    for (int i = 1; i < ROTA_SLOW_START_TRIES && !rota_petiole_takes(p, p->ready[at].leaf, now_ns); i++)
        at = rota_lb_random_below(p->env, p->n_ready);
    return at;
}
