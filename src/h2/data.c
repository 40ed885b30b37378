/* data.c - DATA: counted against the windows by its head, given to its stream as it comes.
 *
 * A frame counts whole from its head on, padding included; what nobody wants is given back as it comes.
 * Sources: RFC 9113, 5.1, 6.1, 6.9, 8.1 (early responses), 8.1.1 (content-length).
 */
#include "h2/session.h"

static bool of_no_stream(struct rota_h2 *h2, int32_t id)
{
    if (rota_h2_is_idle(h2, id))
        return rota_h2_broke(h2, ROTA_H2_PROTOCOL_ERROR, "DATA on an idle stream");
    return rota_h2_closed_may_come(h2, id);
}

bool rota_h2_data_head(struct rota_h2 *h2, const struct rota_h2_head *head)
{
    struct rota_h2_stream *stream = rota_h2_stream_find(h2, head->id);

    if (h2->rx.pad_due && head->length == 0)
        return rota_h2_broke(h2, ROTA_H2_FRAME_SIZE_ERROR, "DATA without room for its padding");
    if (head->length > h2->view)
        return rota_h2_broke(h2, ROTA_H2_FLOW_CONTROL_ERROR, "more DATA than the connection's window");
    rota_h2_window_used(h2, head->length);
    if (stream == NULL || rota_h2_stream_is_unsent(stream))
        return of_no_stream(h2, head->id);
    if (stream->peer_ended)
        rota_h2_stream_fail(stream, ROTA_H2_STREAM_CLOSED, "DATA after its end");
    else if (!stream->headers_seen)
        rota_h2_stream_fail(stream, ROTA_H2_PROTOCOL_ERROR, "DATA before the header fields");
    else if ((int64_t)head->length > stream->view)
        rota_h2_stream_fail(stream, ROTA_H2_FLOW_CONTROL_ERROR, "more DATA than its window");
    else {
        stream->view -= (int32_t)head->length;
        stream->held += head->length;
    }
    return rota_h2_fine(h2);
}

bool rota_h2_on_data(struct rota_h2 *h2, struct rota_slice bytes)
{
    struct rota_h2_stream *stream = rota_h2_stream_find(h2, h2->rx.head.id);
    struct rota_h2_event *event;

    if (stream == NULL) {
        rota_h2_window_release(h2, NULL, bytes.size);
        return rota_h2_fine(h2);
    }
    if (stream->body_left >= 0) {
        if (bytes.size > (uint64_t)stream->body_left) {
            rota_h2_window_release(h2, NULL, bytes.size);
            rota_h2_stream_fail(stream, ROTA_H2_PROTOCOL_ERROR, "more DATA than its content-length");
            return rota_h2_fine(h2);
        }
        stream->body_left -= (int64_t)bytes.size;
    }
    event = rota_h2_event_add(h2, ROTA_H2_DATA, stream);
    if (event == NULL)
        return false;
    event->data = bytes;
    stream->unconsumed += bytes.size;
    rota_h2_window_arrived(h2, stream, bytes.size);
    return rota_h2_fine(h2);
}

void rota_h2_on_padding(struct rota_h2 *h2, size_t size)
{
    rota_h2_window_release(h2, rota_h2_stream_find(h2, h2->rx.head.id), size);
}

/* A client whose own half is not over has nobody left to send it to. A server's stream ends with its answer. */
void rota_h2_peer_ended(struct rota_h2 *h2, struct rota_h2_stream *stream)
{
    stream->peer_ended = true;
    if (h2->options.server)
        return;
    if (!stream->end_written || stream->end_at > rota_h2_tx_out(h2))
        rota_h2_tx_rst(h2, stream->id, ROTA_H2_NO_ERROR);
    rota_h2_stream_close(stream, ROTA_H2_DONE, ROTA_H2_NO_ERROR, "the stream ended in order");
}

bool rota_h2_on_data_end(struct rota_h2 *h2, const struct rota_h2_head *head)
{
    struct rota_h2_stream *stream;

    if ((head->flags & ROTA_H2_FLAG_END_STREAM) == 0) {
        rota_h2_peer_data(h2, head->id, head->length);
        return rota_h2_fine(h2);
    }
    stream = rota_h2_stream_find(h2, head->id);
    if (stream == NULL) {
        rota_h2_peer_chores(h2, 1);
        return rota_h2_fine(h2);
    }
    if (stream->body_left > 0) {
        rota_h2_stream_fail(stream, ROTA_H2_PROTOCOL_ERROR, "less DATA than its content-length");
        return rota_h2_fine(h2);
    }
    if (rota_h2_event_add(h2, ROTA_H2_END, stream) == NULL)
        return false;
    rota_h2_peer_ended(h2, stream);
    return rota_h2_fine(h2);
}
