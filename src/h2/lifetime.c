/* lifetime.c - connections that have had their time: old ones and idle ones are drained, and closed when the drain takes too long; those
 * that are quiet give back the memory that only streams need.
 *
 * That a connection became idle is noted, not timed: one look per max_idle_ns sees for how long it has been so, and calls that come
 * and go cost nothing.
 * Sources: gRFC A9 (MAX_CONNECTION_AGE, its grace, MAX_CONNECTION_IDLE). The age's jitter is the server's.
 */
#include "base/errinfo.h"
#include "h2/session.h"

#define REST_AFTER_NS INT64_C(1000000000)

static int64_t later(int64_t at_ns, int64_t after_ns)
{
    return after_ns == 0 || after_ns > INT64_MAX - at_ns ? INT64_MAX : at_ns + after_ns;
}

void rota_h2_lifetime_init(struct rota_h2 *h2)
{
    h2->idle_since_ns = h2->now_ns;
    h2->idle_check_ns = later(h2->now_ns, h2->options.max_idle_ns);
    h2->age_at_ns = later(h2->now_ns, h2->options.max_age_ns);
    h2->grace_at_ns = INT64_MAX;
    h2->rest_check_ns = INT64_MAX;
}

void rota_h2_lifetime_idle(struct rota_h2 *h2)
{
    h2->idle_since_ns = h2->now_ns;
    h2->idle_anew = true;
    if (h2->rest_check_ns == INT64_MAX)
        h2->rest_check_ns = later(h2->now_ns, REST_AFTER_NS);
}

static void check_rest(struct rota_h2 *h2)
{
    h2->rest_check_ns = INT64_MAX;
    if (h2->n_open > 0)
        return;
    if (h2->now_ns - h2->idle_since_ns < REST_AFTER_NS)
        h2->rest_check_ns = later(h2->idle_since_ns, REST_AFTER_NS);
    else
        rota_h2_rest(h2);
}

int64_t rota_h2_lifetime_deadline_ns(const struct rota_h2 *h2)
{
    int64_t at_ns = h2->grace_at_ns < h2->rest_check_ns ? h2->grace_at_ns : h2->rest_check_ns;

    if (h2->age_at_ns < at_ns)
        at_ns = h2->age_at_ns;
    return h2->drain == ROTA_H2_NOT_DRAINING && h2->idle_check_ns < at_ns ? h2->idle_check_ns : at_ns;
}

static void check_idle(struct rota_h2 *h2)
{
    int64_t idle_at_ns = later(h2->n_open > 0 ? h2->now_ns : h2->idle_since_ns, h2->options.max_idle_ns);

    if (h2->now_ns >= idle_at_ns)
        rota_h2_drain(h2, h2->now_ns);
    else
        h2->idle_check_ns = idle_at_ns;
}

/* Also what drains for another reason: an idle connection may have got a call before its peer knew. */
static void grow_old(struct rota_h2 *h2)
{
    h2->age_at_ns = INT64_MAX;
    h2->grace_at_ns = later(h2->now_ns, h2->options.max_age_grace_ns);
    if (h2->drain == ROTA_H2_NOT_DRAINING)
        rota_h2_drain(h2, h2->now_ns);
}

rota_err rota_h2_lifetime_tick(struct rota_h2 *h2, struct rota_errinfo *info)
{
    if (h2->now_ns >= h2->grace_at_ns && h2->broken == 0)
        return rota_errinfo_set(info, ROTA_ETIMEDOUT, "the connection was too old, and its calls did not end in time");
    if (h2->now_ns >= h2->rest_check_ns)
        check_rest(h2);
    if (h2->now_ns >= h2->age_at_ns)
        grow_old(h2);
    else if (h2->drain == ROTA_H2_NOT_DRAINING && h2->now_ns >= h2->idle_check_ns)
        check_idle(h2);
    return h2->broken;
}
