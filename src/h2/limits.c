/* limits.c - a peer that makes us work for nothing is sent away.
 *
 * A bad frame that costs the peer one stream costs us a request begun (CVE-2025-8671), and so does a stream opened and
 * reset at once (CVE-2023-44487); empty DATA and repeated SETTINGS carry nothing. Each is legal or at least survivable
 * once, so what is limited is their rate. Resets get the higher one: in an overload every deadline ends with one.
 * A frame of many settings counts once more for each 32 of them. One that changes the windows of all streams, or a further GOAWAY to a client, counts
 * once more for each 128 streams: a client with a thousand may do it ten times a second. 32 times is the most, since how many calls a client has open
 * is not its server's doing.
 * Pings are counted as gRPC servers count them (A9): two that come too early are forgiven, and all are once we send something
 * of a stream, since who measures bandwidth pings after data.
 * Chores are frames that are right but carry no work: WINDOW_UPDATE, PRIORITY, unknown ones (long ones several), DATA too short for the head of a
 * message. There may be as many as follow from what we send: ten for each DATA or HEADERS frame, where honest peers need two; and
 * a rate of their own for what has other causes. A client counts no short DATA of the streams that it has open: it asked for them, and some servers
 * flush each byte that they have.
 * Elsewhere: answers that the peer does not read (tx.c), which pieces of a header block count (headers.c).
 */
#include "h2/session.h"
#include <stdio.h>

#define SECOND_NS INT64_C(1000000000)
#define CHORES_BURST 10000
#define CHORES_PER_FRAME 10
#define STRIKES_MAX 2
#define IDLE_PING_NS (7200 * SECOND_NS)
#define FLOOD_PING_NS INT64_C(10000000) /* between two pings; keepalive counts in seconds */
#define STREAMS_A_FAULT 128
#define WALK_FAULTS_MAX 32
#define CRUMB_CHORES 4 /* it goes further up than other chores */

struct allowance {
    uint32_t burst, per_s;
};

static const struct allowance faults = {1000, 100}, streams_in_vain = {5000, 1000}, chores = {CHORES_BURST, 1000};

static bool within(struct rota_h2_rate *rate, const struct allowance *allowance, int64_t now_ns)
{
    int64_t seconds = (now_ns - rate->since_ns) / SECOND_NS;

    if (seconds > 0) {
        uint32_t missing = allowance->burst - rate->left;

        rate->since_ns += seconds * SECOND_NS;
        rate->left += seconds >= missing / allowance->per_s + 1 ? missing : (uint32_t)seconds * allowance->per_s;
    }
    if (rate->left == 0)
        return false;
    rate->left--;
    return true;
}

/* All of so many. */
static bool are_within(struct rota_h2_rate *rate, const struct allowance *allowance, int64_t now_ns, uint32_t count)
{
    bool good = true;

    while (count-- > 0)
        good = within(rate, allowance, now_ns);
    return good;
}

bool rota_h2_fine(const struct rota_h2 *h2)
{
    return h2->broken == 0 && h2->fault == NULL;
}

static bool go_away(struct rota_h2 *h2, uint32_t h2_code, const char *fault, const char *debug)
{
    if (!rota_h2_fine(h2))
        return false;
    rota_h2_tx_goaway(h2, rota_h2_last_seen(h2), h2_code, debug);
    h2->last_bytes = ROTA_H2_HEAD_BYTES + 8 + strlen(debug);
    h2->away = true;
    h2->fault = fault;
    return false;
}

bool rota_h2_send_away(struct rota_h2 *h2, uint32_t h2_code, const char *why)
{
    return go_away(h2, h2_code, why, why);
}

bool rota_h2_send_flooder_away(struct rota_h2 *h2, const char *why)
{
    if (rota_h2_fine(h2))
        h2->flooded = true;
    return rota_h2_send_away(h2, ROTA_H2_ENHANCE_YOUR_CALM, why);
}

bool rota_h2_flooded(const struct rota_h2 *h2)
{
    return h2->flooded;
}

size_t rota_h2_last_bytes(const struct rota_h2 *h2)
{
    return h2->last_bytes;
}

void rota_h2_expel(struct rota_h2 *h2, const char *why)
{
    rota_h2_send_away(h2, ROTA_H2_ENHANCE_YOUR_CALM, why);
}

bool rota_h2_broke(struct rota_h2 *h2, uint32_t h2_code, const char *how)
{
    char *words = rota_h2_words(h2, offsetof(struct rota_h2_words, fault));

    if (words == NULL)
        return go_away(h2, h2_code, how, how);
    snprintf(words, ROTA_H2_WORDS_BYTES, "the peer broke HTTP/2 (%s): %s", rota_h2_code_name(h2_code), how);
    return go_away(h2, h2_code, words, how);
}

void rota_h2_limits_init(struct rota_h2 *h2)
{
    h2->faults = (struct rota_h2_rate){h2->now_ns, faults.burst};
    h2->streams_in_vain = (struct rota_h2_rate){h2->now_ns, streams_in_vain.burst};
    h2->chores = (struct rota_h2_rate){h2->now_ns, chores.burst};
}

void rota_h2_peer_fault(struct rota_h2 *h2)
{
    rota_h2_peer_faults(h2, 1);
}

void rota_h2_peer_faults(struct rota_h2 *h2, uint32_t count)
{
    if (!are_within(&h2->faults, &faults, h2->now_ns, count))
        rota_h2_send_flooder_away(h2, "the peer sent too many faulty or empty frames");
}

void rota_h2_peer_walk(struct rota_h2 *h2)
{
    uint32_t count = h2->n_open / STREAMS_A_FAULT;

    rota_h2_peer_faults(h2, count < WALK_FAULTS_MAX ? count : WALK_FAULTS_MAX);
}

void rota_h2_peer_reset(struct rota_h2 *h2)
{
    if (h2->options.server && !within(&h2->streams_in_vain, &streams_in_vain, h2->now_ns))
        rota_h2_send_flooder_away(h2, "the peer opens streams in vain too fast");
}

void rota_h2_peer_chores(struct rota_h2 *h2, uint32_t count)
{
    if (!are_within(&h2->chores, &chores, h2->now_ns, count))
        rota_h2_send_flooder_away(h2, "the peer sends too many frames that bring nothing");
}

void rota_h2_allow_chores(struct rota_h2 *h2)
{
    if (h2->chores.left <= CHORES_BURST - CHORES_PER_FRAME)
        h2->chores.left += CHORES_PER_FRAME;
}

void rota_h2_peer_data(struct rota_h2 *h2, int32_t id, size_t size)
{
    if (size == 0)
        rota_h2_peer_fault(h2);
    else if (size < ROTA_H2_CRUMB_BYTES && (h2->options.server || rota_h2_stream_find(h2, id) == NULL))
        rota_h2_peer_chores(h2, CRUMB_CHORES);
}

void rota_h2_forgive_pings(struct rota_h2 *h2)
{
    h2->pinged_ns = INT64_MIN;
    h2->strikes = 0;
}

void rota_h2_peer_ping(struct rota_h2 *h2)
{
    bool idle = h2->n_open == 0 && !h2->options.pings_without_streams;
    int64_t min_ns = idle ? IDLE_PING_NS : h2->options.min_ping_ns;
    int64_t since_ns = h2->pinged_ns == INT64_MIN ? INT64_MAX : h2->now_ns - h2->pinged_ns;

    if (!h2->options.server || h2->options.min_ping_ns == 0)
        return;
    h2->pinged_ns = h2->now_ns;
    if (since_ns >= min_ns || ++h2->strikes <= STRIKES_MAX)
        return;
    h2->flooded |= since_ns < FLOOD_PING_NS && rota_h2_fine(h2);
    /* Clients look for these very words. */
    go_away(h2, ROTA_H2_ENHANCE_YOUR_CALM, "the peer pings more often than it may", "too_many_pings");
}
