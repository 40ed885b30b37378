/* goaway.c - how a connection comes to its end in order, or by a fault of the peer.
 *
 * Draining a server takes two steps, so that no stream is lost that the client opened before it heard: GOAWAY(2^31-1)
 * and a ping; when the ping comes back, or after a second, GOAWAY with the last stream served. Streams that come
 * between are served. A client opens no more, and says GOAWAY when its last stream is over, which a server answers with its own.
 * The last GOAWAY is given to the session at the start of a pull, when all that was fed has been seen.
 * Sources: RFC 9113, 5.4, 6.8.
 */
#include "base/text.h"
#include "h2/session.h"
#include <stdio.h>
#include <string.h>

#define SECOND_NS INT64_C(1000000000)
#define NOTICE_WAIT_NS SECOND_NS
#define DEBUG_SHOWN_BYTES 120

static const uint8_t drain_ping[8] = {'r', 'o', 't', 'a', 'd', 'r', 'a', 'i'};

/* The ping stands behind the notice, so its answer says that the notice was read. */
void rota_h2_drain(struct rota_h2 *h2, int64_t now_ns)
{
    h2->now_ns = now_ns;
    if (h2->drain != ROTA_H2_NOT_DRAINING || !rota_h2_fine(h2))
        return;
    if (!h2->options.server) {
        h2->drain = ROTA_H2_DUE;
        return;
    }
    h2->drain = ROTA_H2_NOTICED;
    h2->drain_deadline_ns = now_ns + NOTICE_WAIT_NS;
    rota_h2_tx_goaway(h2, INT32_MAX, ROTA_H2_NO_ERROR, "");
    rota_h2_tx_ping(h2, drain_ping, false);
}

bool rota_h2_may_open(const struct rota_h2 *h2)
{
    return rota_h2_fine(h2) && !h2->refused && h2->drain == ROTA_H2_NOT_DRAINING;
}

void rota_h2_on_ping_ack(struct rota_h2 *h2, const uint8_t *opaque)
{
    if (h2->drain == ROTA_H2_NOTICED && memcmp(opaque, drain_ping, sizeof(drain_ping)) == 0)
        h2->drain = ROTA_H2_DUE;
}

/* A server also says it to a client that goes, when all is served. */
static bool is_left(const struct rota_h2 *h2)
{
    return h2->refused && h2->options.server && !h2->away && h2->n_open == 0 && !h2->block.open;
}

bool rota_h2_goaway_due(const struct rota_h2 *h2)
{
    if (is_left(h2))
        return true;
    return h2->drain == ROTA_H2_DUE && (h2->options.server || rota_h2_slots(h2) == 0);
}

int32_t rota_h2_last_seen(const struct rota_h2 *h2)
{
    if (!h2->options.server)
        return 0; /* no server opens streams here */
    if (h2->drain == ROTA_H2_DRAINED)
        return h2->last_served;
    return h2->newest < 0 ? 0 : h2->newest;
}

void rota_h2_goaway_final(struct rota_h2 *h2)
{
    h2->last_served = rota_h2_last_seen(h2);
    h2->drain = ROTA_H2_DRAINED;
    h2->away = true;
    rota_h2_tx_goaway(h2, h2->last_served, ROTA_H2_NO_ERROR, "");
}

bool rota_h2_finished(const struct rota_h2 *h2)
{
    if (h2->n_open > 0 || rota_h2_events_queued(h2))
        return false;
    if (h2->broken != 0)
        return true;
    /* Our last GOAWAY may name it as served; header_timeout_ns bounds it. */
    if (h2->block.open && h2->block.kind == ROTA_H2_BLOCK_REQUEST && h2->fault == NULL)
        return false;
    return (h2->away || h2->refused) && !rota_h2_wants_write(h2);
}

const char *rota_h2_fault(const struct rota_h2 *h2)
{
    return h2->fault == NULL ? "" : h2->fault;
}

/* --- The peer's --- */

static const char *goaway_detail(struct rota_h2 *h2, uint32_t h2_code, struct rota_slice debug)
{
    size_t size = debug.size < DEBUG_SHOWN_BYTES ? debug.size : DEBUG_SHOWN_BYTES;
    char text[DEBUG_SHOWN_BYTES + 80];
    int n = snprintf(text, sizeof(text), "GOAWAY from the peer: %s%s", rota_h2_code_name(h2_code), size > 0 ? ", " : "");

    for (size_t i = 0; i < size; i++, n++)
        text[n] = (char)(debug.data[i] >= 0x20 && debug.data[i] < 0x7f ? debug.data[i] : '?');
    return rota_arena_text(&h2->arena, rota_slice(text, (size_t)n));
}

/* For those whose streams are lost afterwards: it may be why. */
static void keep_away(struct rota_h2 *h2, uint32_t h2_code, const char *detail)
{
    char *away = h2_code == ROTA_H2_NO_ERROR ? NULL : rota_h2_words(h2, offsetof(struct rota_h2_words, away));

    if (away != NULL)
        snprintf(away, ROTA_H2_WORDS_BYTES, "%s", detail);
}

/* What was not sent never will be; what the peer says it has not seen may go elsewhere too. */
static void close_unserved(struct rota_h2 *h2, int32_t last_id)
{
    struct rota_link *next;

    rota_h2_tx_drop_unsent(h2);
    for (struct rota_link *link = h2->streams.next; link != &h2->streams; link = next) {
        struct rota_h2_stream *stream = ROTA_CONTAINER(link, struct rota_h2_stream, link);

        next = link->next;
        if (rota_h2_stream_is_unsent(stream))
            rota_h2_stream_close_unprocessed(stream, true, "the peer drains the connection; the stream was not sent");
    }
    for (struct rota_link *link = h2->streams.next; link != &h2->streams; link = next) {
        struct rota_h2_stream *stream = ROTA_CONTAINER(link, struct rota_h2_stream, link);

        next = link->next;
        if (stream->id > last_id)
            rota_h2_stream_close_unprocessed(stream, false, "GOAWAY says that the peer has not seen the stream");
    }
}

/* What a client gives as the last id speaks of streams that we would open; most give one of their own, or the highest. */
bool rota_h2_on_goaway(struct rota_h2 *h2, struct rota_slice payload)
{
    int32_t last_id = rota_h2_u31(payload.data);
    struct rota_slice debug = rota_slice(payload.data + 8, payload.size - 8), copy;
    uint32_t h2_code = rota_h2_u32(payload.data + 4);
    const char *detail = goaway_detail(h2, h2_code, debug);
    struct rota_h2_event *event;

    if (!h2->options.server && (last_id > h2->peer_last || (last_id != 0 && last_id % 2 == 0)))
        return rota_h2_broke(h2, ROTA_H2_PROTOCOL_ERROR, "GOAWAY with a last stream id that it cannot have");
    if (detail == NULL || rota_arena_slice(&h2->arena, debug, &copy) < 0)
        return rota_h2_out_of_memory(h2);
    event = rota_h2_event_add(h2, ROTA_H2_GOAWAY, NULL);
    if (event == NULL)
        return false;
    keep_away(h2, h2_code, detail);
    event->h2_code = h2_code;
    event->detail = detail;
    event->data = copy;
    if (h2->refused) { /* a second is usual */
        rota_h2_peer_faults(h2, 1 + (uint32_t)debug.size / ROTA_H2_BYTES_A_CHORE);
        if (!h2->options.server)
            rota_h2_peer_walk(h2);
    }
    h2->refused = true;
    h2->peer_last = last_id;
    if (!h2->options.server)
        close_unserved(h2, last_id);
    return rota_h2_fine(h2);
}

/* --- The end --- */

static const char *keep_words(struct rota_h2 *h2, const char *text)
{
    char *words = rota_h2_words(h2, offsetof(struct rota_h2_words, lost));
    size_t size = strlen(text);

    if (words == NULL)
        return "the connection was lost";
    if (size >= ROTA_H2_WORDS_BYTES)
        size = rota_text_cut(text, ROTA_H2_WORDS_BYTES - 1);
    memcpy(words, text, size);
    words[size] = '\0';
    if (h2->words->away[0] != '\0')
        snprintf(words + size, ROTA_H2_WORDS_BYTES - size, " (%s)", h2->words->away);
    return words;
}

void rota_h2_abort(struct rota_h2 *h2, const char *detail)
{
    const char *why;
    struct rota_link *link;

    if (h2->aborted)
        return;
    h2->aborted = true;
    why = h2->fault != NULL ? h2->fault : keep_words(h2, detail);
    while ((link = h2->streams.next) != &h2->streams) {
        struct rota_h2_stream *stream = ROTA_CONTAINER(link, struct rota_h2_stream, link);

        if (h2->broken == 0 && rota_h2_stream_is_unsent(stream))
            rota_h2_stream_close_unprocessed(stream, true, why);
        else
            rota_h2_stream_close(stream, ROTA_H2_LOST, ROTA_H2_NO_ERROR, why);
    }
    rota_h2_tx_free(h2);
    rota_h2_rx_free(h2);
    if (h2->broken == 0)
        h2->broken = ROTA_ECLOSED;
}
