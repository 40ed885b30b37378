/* bdp.c - the window follows four times what the owner takes in a round trip.
 *
 * As gRPC does it, a ping follows DATA while the window can still grow, and its answer ends a sample. Unlike there, a sample
 * counts what the owner has taken, not what has arrived, and lasts from answer to answer, pauses included. So an owner
 * who holds its calls, or reads slowly, or in bursts after sleep, is given the window that its own speed needs, and no
 * sender's haste makes us keep more. For the same reason the shortest round trip counts: what waits in sockets before a busy
 * owner makes later ones longer. A round trip counts for a quarter of a millisecond at least, which a turn of either side may take.
 * Four times, because the session opens a window again when half of it is taken: who is limited by it takes as little as half a window in a
 * round trip, and must be seen to need more.
 * The window never shrinks: HTTP/2 cannot take back what was granted.
 * A ping needs DATA that came after the last answer, so a server that counts pings (gRFC A9) has sent DATA between any two
 * and counts none.
 */
#include "h2/bdp.h"

#define MS_NS INT64_C(1000000)
#define GAIN 4
#define RTT_MIN_NS (MS_NS / 4)
#define PAUSE_MIN_NS (10 * MS_NS)
#define PAUSE_MAX_NS (1000 * MS_NS)

void rota_h2_bdp_init(struct rota_h2_bdp *bdp, uint32_t window_bytes, uint32_t bound_bytes, int64_t now_ns)
{
    *bdp = (struct rota_h2_bdp){
        .window_bytes = window_bytes,
        .bound_bytes = bound_bytes,
        .since_ns = now_ns,
        .pinged_ns = INT64_MIN,
        .next_ns = INT64_MIN,
        .pause_ns = PAUSE_MIN_NS,
        .rtt_ns = INT64_MAX,
    };
}

bool rota_h2_bdp_ping(struct rota_h2_bdp *bdp, int64_t now_ns)
{
    if (bdp->window_bytes >= bdp->bound_bytes || bdp->pinged_ns != INT64_MIN || now_ns < bdp->next_ns)
        return false;
    bdp->pinged_ns = now_ns;
    return true;
}

/* For what is taken in a round trip at the sample's speed. */
static uint64_t wanted_bytes(const struct rota_h2_bdp *bdp, int64_t elapsed_ns)
{
    int64_t rtt_ns = bdp->rtt_ns < RTT_MIN_NS ? RTT_MIN_NS : bdp->rtt_ns;
    double share = elapsed_ns <= rtt_ns ? 1 : (double)rtt_ns / (double)elapsed_ns;
    double wanted = GAIN * (double)bdp->taken_bytes * share;

    return wanted < bdp->bound_bytes ? (uint64_t)wanted : bdp->bound_bytes;
}

bool rota_h2_bdp_answer(struct rota_h2_bdp *bdp, int64_t now_ns)
{
    uint64_t wanted;
    bool grows;

    if (bdp->pinged_ns == INT64_MIN)
        return false;
    if (now_ns - bdp->pinged_ns < bdp->rtt_ns)
        bdp->rtt_ns = now_ns - bdp->pinged_ns;
    wanted = wanted_bytes(bdp, now_ns - bdp->since_ns);
    /* Each growth is a SETTINGS frame: not for a trifle. */
    grows = wanted >= (uint64_t)bdp->window_bytes + bdp->window_bytes / 4 || (wanted == bdp->bound_bytes && wanted > bdp->window_bytes);
    if (grows)
        bdp->window_bytes = (uint32_t)wanted;
    bdp->pause_ns = grows ? PAUSE_MIN_NS : 2 * bdp->pause_ns;
    if (bdp->pause_ns > PAUSE_MAX_NS)
        bdp->pause_ns = PAUSE_MAX_NS;
    /* Counted from the ping: while windows grow, a round trip longer than the pause is followed by the next at once. */
    bdp->next_ns = bdp->pinged_ns + bdp->pause_ns;
    bdp->pinged_ns = INT64_MIN;
    bdp->since_ns = now_ns;
    bdp->taken_bytes = 0;
    return grows;
}
