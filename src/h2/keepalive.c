/* keepalive.c - the timers of a connection: handshake, keepalive pings, a header block or a frame that does not end, the pause between the two GOAWAYs.
 *
 * A ping goes out when nothing was read for keepalive_time_ns, with streams open (or always, by option). Anything read
 * afterwards proves the peer alive, the ping's answer or not. A turn may be long, or the process may be stopped: the answer's time
 * counts from the write, and when it has run out, or that of what must become whole, what waits in the socket is read before the peer is judged.
 * Source: gRFC A8.
 */
#include "base/errinfo.h"
#include "h2/session.h"

#define LAST_LOOK_NS INT64_C(1000000) /* not at once, so that a poll comes first */

static const uint8_t keepalive_ping[8] = {'r', 'o', 't', 'a', 'l', 'i', 'v', 'e'};

void rota_h2_keepalive_read(struct rota_h2 *h2)
{
    h2->last_read_ns = h2->now_ns;
    h2->ping_deadline_ns = INT64_MAX;
    h2->ping_leaves = h2->ping_late = false;
}

static int64_t later(int64_t at_ns, int64_t after_ns)
{
    return after_ns > INT64_MAX - at_ns ? INT64_MAX : at_ns + after_ns;
}

static int64_t next_ping_ns(const struct rota_h2 *h2)
{
    if (h2->options.keepalive_time_ns == INT64_MAX || !h2->ready_seen || h2->ping_deadline_ns != INT64_MAX || h2->fault != NULL)
        return INT64_MAX;
    if (h2->n_open == 0 && !h2->options.keepalive_without_streams)
        return INT64_MAX;
    return later(h2->last_read_ns, h2->options.keepalive_time_ns);
}

/* Of what is kept until it is whole: a header block, or a frame. */
static int64_t whole_deadline_ns(const struct rota_h2 *h2)
{
    if (h2->options.header_timeout_ns <= 0 || (!h2->block.open && h2->rx.state != ROTA_H2_RX_WHOLE))
        return INT64_MAX;
    if (h2->whole_late)
        return h2->whole_look_ns;
    return later(h2->block.open ? h2->block.since_ns : h2->rx.since_ns, h2->options.header_timeout_ns);
}

int64_t rota_h2_deadline_ns(const struct rota_h2 *h2)
{
    int64_t at_ns = h2->ping_deadline_ns, ping_ns = next_ping_ns(h2);

    if (h2->broken != 0)
        return INT64_MAX;
    if (ping_ns < at_ns)
        at_ns = ping_ns;
    if (!h2->ready_seen && h2->options.handshake_deadline_ns < at_ns)
        at_ns = h2->options.handshake_deadline_ns;
    if (whole_deadline_ns(h2) < at_ns)
        at_ns = whole_deadline_ns(h2);
    if (h2->drain == ROTA_H2_NOTICED && h2->drain_deadline_ns < at_ns)
        at_ns = h2->drain_deadline_ns;
    if (rota_h2_lifetime_deadline_ns(h2) < at_ns)
        at_ns = rota_h2_lifetime_deadline_ns(h2);
    return at_ns;
}

/* A client finds out by itself, and says it in its own words. */
static rota_err dawdles(struct rota_h2 *h2, uint32_t h2_code, const char *why, struct rota_errinfo *info)
{
    if (h2->options.server)
        rota_h2_send_away(h2, h2_code, why);
    return rota_errinfo_set(info, ROTA_ETIMEDOUT, "%s", why);
}

bool rota_h2_ping_leaves(const struct rota_h2 *h2)
{
    return h2->ping_leaves;
}

void rota_h2_ping_left(struct rota_h2 *h2, int64_t now_ns)
{
    h2->ping_leaves = false;
    h2->ping_deadline_ns = later(now_ns, h2->options.keepalive_timeout_ns);
}

static void ping(struct rota_h2 *h2)
{
    rota_h2_tx_ping(h2, keepalive_ping, false);
    rota_h2_ping_left(h2, h2->now_ns); /* should nobody tell */
    h2->ping_leaves = true;
}

static rota_err check_ping(struct rota_h2 *h2, struct rota_errinfo *info)
{
    if (h2->now_ns < h2->ping_deadline_ns)
        return 0;
    if (h2->ping_late)
        return rota_errinfo_set(info, ROTA_ETIMEDOUT, "the peer did not answer a keepalive ping within %lld ms",
            (long long)(h2->options.keepalive_timeout_ns / 1000000));
    h2->ping_late = true;
    h2->ping_deadline_ns = later(h2->now_ns, LAST_LOOK_NS);
    return 0;
}

static rota_err check_whole(struct rota_h2 *h2, struct rota_errinfo *info)
{
    if (h2->now_ns < whole_deadline_ns(h2))
        return 0;
    if (h2->whole_late)
        return dawdles(h2, ROTA_H2_ENHANCE_YOUR_CALM,
            h2->block.open ? "the peer began a header block and did not end it in time" : "the peer began a frame and did not end it in time", info);
    h2->whole_late = true;
    h2->whole_look_ns = later(h2->now_ns, LAST_LOOK_NS);
    return 0;
}

rota_err rota_h2_tick(struct rota_h2 *h2, int64_t now_ns, struct rota_errinfo *info)
{
    h2->now_ns = now_ns;
    if (h2->broken != 0)
        return h2->broken;
    if (!h2->ready_seen && now_ns >= h2->options.handshake_deadline_ns)
        return dawdles(h2, ROTA_H2_SETTINGS_TIMEOUT, "no HTTP/2 SETTINGS came from the peer in time", info);
    if (check_whole(h2, info) < 0 || check_ping(h2, info) < 0)
        return ROTA_ETIMEDOUT;
    if (h2->drain == ROTA_H2_NOTICED && now_ns >= h2->drain_deadline_ns)
        h2->drain = ROTA_H2_DUE;
    if (now_ns >= next_ping_ns(h2))
        ping(h2);
    return rota_h2_lifetime_tick(h2, info);
}
