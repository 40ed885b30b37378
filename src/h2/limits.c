/* limits.c - a peer that makes us work for nothing is sent away.
 *
 * A bad frame that costs the peer one stream costs us a request begun (CVE-2025-8671), and so does a stream opened and
 * reset at once (CVE-2023-44487); empty DATA and repeated SETTINGS carry nothing. Each is legal or at least survivable
 * once, so what is limited is their rate. Resets get the higher one: in an overload every deadline ends with one.
 * Elsewhere: what nghttp2 limits by itself (session.c).
 */
#include "h2/session.h"
#include <stdio.h>

#define SECOND_NS INT64_C(1000000000)
#define FAULTS_BURST 1000
#define FAULTS_PER_S 100
#define RESETS_BURST 5000
#define RESETS_PER_S 1000

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
}

void rota_h2_peer_fault(struct rota_h2 *h2)
{
    if (!within(&h2->faults, h2->now_ns))
        rota_h2_send_away(h2, NGHTTP2_ENHANCE_YOUR_CALM, "the peer sent too many faulty or empty frames");
}

void rota_h2_peer_reset(struct rota_h2 *h2)
{
    if (h2->options.server && !within(&h2->resets, h2->now_ns))
        rota_h2_send_away(h2, NGHTTP2_ENHANCE_YOUR_CALM, "the peer opens streams in vain too fast");
}
