/* limits.c - a peer that makes us work for nothing is sent away.
 *
 * A bad frame that costs the peer one stream costs us a request begun (CVE-2025-8671), and so does a stream opened and
 * reset at once (CVE-2023-44487); empty DATA and repeated SETTINGS carry nothing. Each is legal or at least survivable
 * once, so what is limited is their rate. Resets get the higher one: in an overload every deadline ends with one.
 * Pings are counted as gRPC servers count them (A9): two that come too early are forgiven, and all are once we send something
 * of a stream, since who measures bandwidth pings after data.
 * Chores are frames that are right but carry no work: WINDOW_UPDATE, PRIORITY, unknown ones, DATA too short for the head of a
 * message. There may be as many as follow from what we send: ten for each DATA or HEADERS frame, where honest peers need two; and
 * a rate of their own for what has other causes.
 * Elsewhere: what nghttp2 limits by itself (session.c).
 */
#include "h2/session.h"
#include <stdio.h>

#define SECOND_NS INT64_C(1000000000)
#define FAULTS_BURST 1000
#define FAULTS_PER_S 100
#define RESETS_BURST 5000
#define RESETS_PER_S 1000
#define CHORES_BURST 10000
#define CHORES_PER_S 1000
#define CHORES_PER_FRAME 10
#define STRIKES_MAX 2
#define IDLE_PING_NS (7200 * SECOND_NS)

static bool within(struct rota_h2_rate *rate, int64_t now_ns)
{
    int64_t seconds = (now_ns - rate->since_ns) / SECOND_NS;

    if (seconds > 0) {
        uint32_t missing = rate->burst - rate->left;

        rate->since_ns += seconds * SECOND_NS;
        rate->left += seconds >= missing / rate->per_s + 1 ? missing : (uint32_t)seconds * rate->per_s;
    }
    if (rate->left == 0)
        return false;
    rate->left--;
    return true;
}

void rota_h2_send_away(struct rota_h2 *h2, uint32_t h2_code, const char *why)
{
    if (h2->fault[0] == '\0')
        snprintf(h2->fault, sizeof(h2->fault), "%s", why);
    rota_h2_check(h2, nghttp2_session_terminate_session(h2->session, h2_code));
}

void rota_h2_limits_init(struct rota_h2 *h2)
{
    h2->faults = (struct rota_h2_rate){h2->now_ns, FAULTS_BURST, FAULTS_PER_S, FAULTS_BURST};
    h2->resets = (struct rota_h2_rate){h2->now_ns, RESETS_BURST, RESETS_PER_S, RESETS_BURST};
    h2->chores = (struct rota_h2_rate){h2->now_ns, CHORES_BURST, CHORES_PER_S, CHORES_BURST};
}

void rota_h2_peer_fault(struct rota_h2 *h2)
{
    rota_h2_peer_faults(h2, 1);
}

void rota_h2_peer_faults(struct rota_h2 *h2, uint32_t count)
{
    bool good = true;

    while (count-- > 0)
        good = within(&h2->faults, h2->now_ns);
    if (!good)
        rota_h2_send_away(h2, NGHTTP2_ENHANCE_YOUR_CALM, "the peer sent too many faulty or empty frames");
}

void rota_h2_peer_reset(struct rota_h2 *h2)
{
    if (h2->options.server && !within(&h2->resets, h2->now_ns))
        rota_h2_send_away(h2, NGHTTP2_ENHANCE_YOUR_CALM, "the peer opens streams in vain too fast");
}

void rota_h2_peer_chores(struct rota_h2 *h2, uint32_t count)
{
    bool good = true;

    while (count-- > 0)
        good = within(&h2->chores, h2->now_ns);
    if (!good)
        rota_h2_send_away(h2, NGHTTP2_ENHANCE_YOUR_CALM, "the peer sends too many frames that bring nothing");
}

void rota_h2_allow_chores(struct rota_h2 *h2)
{
    if (h2->chores.left <= CHORES_BURST - CHORES_PER_FRAME)
        h2->chores.left += CHORES_PER_FRAME;
}

void rota_h2_forgive_pings(struct rota_h2 *h2)
{
    h2->pinged_ns = INT64_MIN;
    h2->strikes = 0;
}

void rota_h2_peer_ping(struct rota_h2 *h2)
{
    static const char too_many[] = "too_many_pings"; /* clients look for these very words */
    bool idle = h2->n_open == 0 && !h2->options.pings_without_streams;
    int64_t min_ns = idle ? IDLE_PING_NS : h2->options.min_ping_ns;
    bool early = h2->pinged_ns != INT64_MIN && h2->now_ns - h2->pinged_ns < min_ns;

    if (!h2->options.server || h2->options.min_ping_ns == 0 || h2->fault[0] != '\0')
        return;
    h2->pinged_ns = h2->now_ns;
    if (!early || ++h2->strikes <= STRIKES_MAX)
        return;
    snprintf(h2->fault, sizeof(h2->fault), "the peer pings more often than it may");
    rota_h2_check(h2, nghttp2_submit_goaway(h2->session, NGHTTP2_FLAG_NONE, nghttp2_session_get_last_proc_stream_id(h2->session),
                          NGHTTP2_ENHANCE_YOUR_CALM, (const uint8_t *)too_many, sizeof(too_many) - 1));
}
