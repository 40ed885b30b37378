/* goaway.c - how a connection comes to its end in order, or by a fault of the peer.
 *
 * Draining a server takes two steps, so that no stream is lost that the client opened before it heard: GOAWAY(2^31-1)
 * and a ping; when the ping comes back, or after a second, GOAWAY with the last stream served. Streams that come
 * between are served. A client opens no more, and says GOAWAY when its last stream is over.
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

void rota_h2_drain(struct rota_h2 *h2, int64_t now_ns)
{
    h2->now_ns = now_ns;
    if (h2->drain != ROTA_H2_NOT_DRAINING || h2->broken != 0)
        return;
    if (!h2->options.server) {
        h2->drain = ROTA_H2_DUE;
        return;
    }
    h2->drain = ROTA_H2_NOTICED;
    h2->drain_deadline_ns = now_ns + NOTICE_WAIT_NS;
    rota_h2_check(h2, nghttp2_submit_shutdown_notice(h2->session));
}

bool rota_h2_may_open(const struct rota_h2 *h2)
{
    return h2->broken == 0 && h2->fault[0] == '\0' && !h2->refused && h2->drain == ROTA_H2_NOT_DRAINING;
}

void rota_h2_on_ping_ack(struct rota_h2 *h2, const uint8_t *opaque)
{
    if (h2->drain == ROTA_H2_NOTICED && memcmp(opaque, drain_ping, sizeof(drain_ping)) == 0)
        h2->drain = ROTA_H2_DUE;
}

bool rota_h2_goaway_due(const struct rota_h2 *h2)
{
    return h2->drain == ROTA_H2_DUE && (h2->options.server || h2->n_slots == 0);
}

void rota_h2_goaway_final(struct rota_h2 *h2)
{
    h2->drain = ROTA_H2_DRAINED;
    h2->last_served = nghttp2_session_get_last_proc_stream_id(h2->session);
    rota_h2_check(h2,
        nghttp2_submit_goaway(h2->session, NGHTTP2_FLAG_NONE, h2->last_served, NGHTTP2_NO_ERROR, NULL, 0));
}

bool rota_h2_finished(const struct rota_h2 *h2)
{
    if (h2->n_open > 0 || rota_h2_events_queued(h2))
        return false;
    if (h2->broken != 0)
        return true;
    return nghttp2_session_want_read(h2->session) == 0 && !rota_h2_wants_write(h2);
}

const char *rota_h2_fault(const struct rota_h2 *h2)
{
    return h2->fault;
}

/* The session says GOAWAY by itself when the peer breaks the rules for good; its debug data says how. The ping of a drain
 * follows the notice here and not before, since the session lets pings overtake. */
void rota_h2_on_goaway_sent(struct rota_h2 *h2, const nghttp2_goaway *frame)
{
    if (frame->error_code == NGHTTP2_NO_ERROR) {
        if (h2->drain == ROTA_H2_NOTICED)
            rota_h2_check(h2, nghttp2_submit_ping(h2->session, NGHTTP2_FLAG_NONE, drain_ping));
        return;
    }
    if (h2->fault[0] != '\0')
        return;
    snprintf(h2->fault, sizeof(h2->fault), "the peer broke HTTP/2 (%s)%s%.*s", nghttp2_http2_strerror(frame->error_code),
        frame->opaque_data_len > 0 ? ": " : "",
        (int)(frame->opaque_data_len < DEBUG_SHOWN_BYTES ? frame->opaque_data_len : DEBUG_SHOWN_BYTES),
        frame->opaque_data_len > 0 ? (const char *)frame->opaque_data : "");
}

static const char *goaway_detail(struct rota_h2 *h2, const nghttp2_goaway *frame)
{
    size_t size = frame->opaque_data_len < DEBUG_SHOWN_BYTES ? frame->opaque_data_len : DEBUG_SHOWN_BYTES;
    char text[DEBUG_SHOWN_BYTES + 80];
    int n;

    n = snprintf(text, sizeof(text), "GOAWAY from the peer: %s%s", nghttp2_http2_strerror(frame->error_code),
        size > 0 ? ", " : "");
    for (size_t i = 0; i < size; i++, n++)
        text[n] = (char)(frame->opaque_data[i] >= 0x20 && frame->opaque_data[i] < 0x7f ? frame->opaque_data[i] : '?');
    return rota_arena_text(&h2->arena, rota_slice(text, (size_t)n));
}

/* The session makes its stream when it encodes the header fields. After a failure it is not asked: better LOST than told
 * to be safe to send again. */
static bool is_unsent(const struct rota_h2 *h2, const struct rota_h2_stream *stream)
{
    return !h2->options.server && h2->broken == 0 && nghttp2_session_find_stream(h2->session, stream->id) == NULL;
}

static void close_unsent(struct rota_h2 *h2)
{
    struct rota_link *next;

    for (struct rota_link *link = h2->streams.next; link != &h2->streams; link = next) {
        struct rota_h2_stream *stream = ROTA_CONTAINER(link, struct rota_h2_stream, link);

        next = link->next;
        if (is_unsent(h2, stream))
            rota_h2_stream_close_unprocessed(stream, true, "the peer drains the connection; the stream was not sent");
    }
}

int rota_h2_on_goaway(struct rota_h2 *h2, const nghttp2_goaway *frame)
{
    struct rota_h2_event *event = rota_h2_event_add(h2, ROTA_H2_GOAWAY, NULL);

    if (event == NULL)
        return NGHTTP2_ERR_CALLBACK_FAILURE;
    event->h2_code = frame->error_code;
    event->detail = goaway_detail(h2, frame);
    if (event->detail == NULL || rota_arena_slice(&h2->arena, rota_slice(frame->opaque_data, frame->opaque_data_len),
                                     &event->data) < 0) {
        h2->broken = ROTA_ENOMEM;
        return NGHTTP2_ERR_CALLBACK_FAILURE;
    }
    h2->refused = true;
    if (!h2->options.server)
        close_unsent(h2);
    return 0;
}

static void set_lost(struct rota_h2 *h2, const char *text)
{
    size_t size = strlen(text);

    if (size >= sizeof(h2->lost))
        size = rota_text_cut(text, sizeof(h2->lost) - 1);
    memcpy(h2->lost, text, size);
    h2->lost[size] = '\0';
}

void rota_h2_abort(struct rota_h2 *h2, const char *detail)
{
    struct rota_link *link;

    if (h2->aborted)
        return;
    h2->aborted = true;
    set_lost(h2, h2->fault[0] != '\0' ? h2->fault : detail);
    while ((link = h2->streams.next) != &h2->streams) {
        struct rota_h2_stream *stream = ROTA_CONTAINER(link, struct rota_h2_stream, link);

        if (is_unsent(h2, stream))
            rota_h2_stream_close_unprocessed(stream, true, h2->lost);
        else
            rota_h2_stream_close(stream, ROTA_H2_LOST, NGHTTP2_NO_ERROR, h2->lost);
    }
    h2->rest_bytes = 0;
    if (h2->broken == 0)
        h2->broken = ROTA_ECLOSED;
}
