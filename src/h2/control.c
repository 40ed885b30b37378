/* control.c - the frames that carry no part of a message: PRIORITY, RST_STREAM, SETTINGS, PUSH_PROMISE, PING, GOAWAY, WINDOW_UPDATE, and
 * those that nobody knows.
 *
 * Elsewhere: what GOAWAY leads to (goaway.c), what too many of them lead to (limits.c).
 * Source: RFC 9113, 5.5, 6.3 to 6.9; 5.3.1 of RFC 7540.
 */
#include "h2/session.h"

#define SETTING_BYTES 6
#define SETTINGS_A_FAULT 32
#define WINDOW_MAX INT32_MAX
#define FRAME_BYTES_MAX 0xffffff

/* --- Length and stream, before the payload is there --- */

static bool has_length(struct rota_h2 *h2, const struct rota_h2_head *head, uint32_t want, const char *how)
{
    return head->length == want || rota_h2_broke(h2, ROTA_H2_FRAME_SIZE_ERROR, how);
}

static bool of_connection(struct rota_h2 *h2, const struct rota_h2_head *head, const char *how)
{
    return head->id == 0 || rota_h2_broke(h2, ROTA_H2_PROTOCOL_ERROR, how);
}

static bool settings_head(struct rota_h2 *h2, const struct rota_h2_head *head)
{
    if (!of_connection(h2, head, "SETTINGS of a stream"))
        return false;
    if (head->length % SETTING_BYTES != 0 || ((head->flags & ROTA_H2_FLAG_ACK) != 0 && head->length > 0))
        return rota_h2_broke(h2, ROTA_H2_FRAME_SIZE_ERROR, "SETTINGS of a wrong size");
    return true;
}

/* An idle stream cannot be reset. */
static void fail_stream(struct rota_h2 *h2, int32_t id, uint32_t h2_code, const char *why)
{
    struct rota_h2_stream *stream = rota_h2_stream_find(h2, id);

    if (rota_h2_is_idle(h2, id)) {
        rota_h2_broke(h2, h2_code, why);
    } else if (stream != NULL) {
        rota_h2_stream_fail(stream, h2_code, why);
    } else {
        rota_h2_tx_rst(h2, id, h2_code); /* the peer may not know yet that it is over */
        rota_h2_peer_fault(h2);
    }
}

/* The payload will be. */
static void passed_over(struct rota_h2 *h2, const struct rota_h2_head *head)
{
    rota_h2_peer_chores(h2, 1 + head->length / ROTA_H2_BYTES_A_CHORE);
}

/* Of another length only the stream is at fault (6.3). */
static bool priority_head(struct rota_h2 *h2, const struct rota_h2_head *head)
{
    if (head->id == 0)
        return rota_h2_broke(h2, ROTA_H2_PROTOCOL_ERROR, "PRIORITY of stream 0");
    passed_over(h2, head);
    if (head->length != ROTA_H2_PRIORITY_BYTES)
        fail_stream(h2, head->id, ROTA_H2_FRAME_SIZE_ERROR, "PRIORITY of a wrong size");
    return rota_h2_fine(h2);
}

bool rota_h2_control_head(struct rota_h2 *h2, const struct rota_h2_head *head)
{
    switch (head->type) {
    case ROTA_H2_TYPE_PRIORITY:
        return priority_head(h2, head);
    case ROTA_H2_TYPE_RST_STREAM:
        if (rota_h2_is_idle(h2, head->id))
            return rota_h2_broke(h2, ROTA_H2_PROTOCOL_ERROR, "RST_STREAM of an idle stream");
        return has_length(h2, head, 4, "RST_STREAM of a wrong size");
    case ROTA_H2_TYPE_SETTINGS:
        return settings_head(h2, head);
    case ROTA_H2_TYPE_PUSH_PROMISE:
        return rota_h2_broke(h2, ROTA_H2_PROTOCOL_ERROR, "PUSH_PROMISE, which is off");
    case ROTA_H2_TYPE_PING:
        return of_connection(h2, head, "PING of a stream") && has_length(h2, head, 8, "PING of a wrong size");
    case ROTA_H2_TYPE_GOAWAY:
        if (head->length < 8)
            return rota_h2_broke(h2, ROTA_H2_FRAME_SIZE_ERROR, "GOAWAY of a wrong size");
        return of_connection(h2, head, "GOAWAY of a stream");
    case ROTA_H2_TYPE_WINDOW_UPDATE:
        if (head->id != 0 && rota_h2_is_idle(h2, head->id))
            return rota_h2_broke(h2, ROTA_H2_PROTOCOL_ERROR, "WINDOW_UPDATE of an idle stream");
        return has_length(h2, head, 4, "WINDOW_UPDATE of a wrong size");
    default:
        passed_over(h2, head);
        return rota_h2_fine(h2);
    }
}

/* --- What they say --- */

static void on_priority(struct rota_h2 *h2, const struct rota_h2_head *head, struct rota_slice payload)
{
    if (rota_h2_u31(payload.data) == head->id)
        fail_stream(h2, head->id, ROTA_H2_PROTOCOL_ERROR, "a stream that depends on itself");
}

static void on_rst_stream(struct rota_h2 *h2, const struct rota_h2_head *head, struct rota_slice payload)
{
    struct rota_h2_stream *stream = rota_h2_stream_find(h2, head->id);
    uint32_t code = rota_h2_u32(payload.data);

    rota_h2_peer_reset(h2);
    if (stream == NULL)
        return;
    if (stream->headers_sent && !rota_h2_tx_empty(h2))
        rota_h2_tx_count_reset(h2);
    /* Who has answered has processed it, whatever it says. */
    if (!h2->options.server && code == ROTA_H2_REFUSED_STREAM && !stream->headers_seen)
        rota_h2_stream_close_unprocessed(stream, false, "the peer refused the stream");
    else
        rota_h2_stream_close(stream, ROTA_H2_RESET, code, "");
}

/* The windows of the streams follow once all values of the frame are known: nothing is sent between them (6.5.3). */
static bool set_window(struct rota_h2 *h2, uint32_t value, int64_t *highest)
{
    if (value > WINDOW_MAX)
        return rota_h2_broke(h2, ROTA_H2_FLOW_CONTROL_ERROR, "SETTINGS_INITIAL_WINDOW_SIZE above 2^31-1");
    h2->peer_window_bytes = value;
    if (value > *highest)
        *highest = value;
    return true;
}

/* highest: of the value before and those of the frame. A window that it takes too high is an error whatever came after it: values count in
 * their order, and taking one back does not undo that (6.9.2). */
static bool move_windows(struct rota_h2 *h2, int64_t before, int64_t highest)
{
    int64_t more = h2->peer_window_bytes - before;

    if (more == 0 && highest == before)
        return true;
    rota_h2_peer_walk(h2);
    if (!rota_h2_fine(h2))
        return false;
    for (struct rota_link *link = h2->streams.next; link != &h2->streams; link = link->next) {
        struct rota_h2_stream *stream = ROTA_CONTAINER(link, struct rota_h2_stream, link);

        if (stream->send_left + (highest - before) > WINDOW_MAX)
            return rota_h2_broke(h2, ROTA_H2_FLOW_CONTROL_ERROR, "SETTINGS_INITIAL_WINDOW_SIZE overflows the window of a stream");
        stream->send_left += more;
        if (more > 0)
            rota_h2_send_more(h2, stream);
    }
    return true;
}

static bool set(struct rota_h2 *h2, uint16_t id, uint32_t value, int64_t *highest_window)
{
    switch (id) {
    case ROTA_H2_SETTINGS_HEADER_TABLE_SIZE:
        rota_hpack_encoder_resize(&h2->encoder, value); /* each: the smallest must be told, too (RFC 7541, 4.2) */
        return true;
    case ROTA_H2_SETTINGS_ENABLE_PUSH:
        if (value > (h2->options.server ? 1 : 0))
            return rota_h2_broke(h2, ROTA_H2_PROTOCOL_ERROR, "SETTINGS_ENABLE_PUSH with a value that it cannot have");
        return true;
    case ROTA_H2_SETTINGS_MAX_CONCURRENT_STREAMS:
        h2->peer_max_streams = value;
        return true;
    case ROTA_H2_SETTINGS_INITIAL_WINDOW_SIZE:
        return set_window(h2, value, highest_window);
    case ROTA_H2_SETTINGS_MAX_FRAME_SIZE:
        if (value < ROTA_H2_FRAME_MAX_BYTES || value > FRAME_BYTES_MAX)
            return rota_h2_broke(h2, ROTA_H2_PROTOCOL_ERROR, "SETTINGS_MAX_FRAME_SIZE with a value that it cannot have");
        return true; /* ours stay within what everybody takes */
    case ROTA_H2_SETTINGS_MAX_HEADER_LIST_SIZE:
        h2->peer_max_header_bytes = value;
        return true;
    default:
        return true;
    }
}

static bool set_all(struct rota_h2 *h2, struct rota_slice payload)
{
    int64_t before = h2->peer_window_bytes, highest = before;

    for (size_t i = 0; i < payload.size; i += SETTING_BYTES) {
        const uint8_t *entry = payload.data + i;

        if (!set(h2, (uint16_t)(entry[0] << 8 | entry[1]), rota_h2_u32(entry + 2), &highest))
            return false;
    }
    return move_windows(h2, before, highest);
}

static bool on_settings(struct rota_h2 *h2, const struct rota_h2_head *head, struct rota_slice payload)
{
    if ((head->flags & ROTA_H2_FLAG_ACK) != 0) {
        if (h2->n_unacked == 0) {
            rota_h2_peer_chores(h2, 1); /* it answers nothing, and does no harm */
            return true;
        }
        h2->n_unacked--;
        rota_h2_window_acked(h2);
        return true;
    }
    if (!h2->ready_seen)
        h2->peer_max_streams = UINT32_MAX; /* unless it says otherwise now */
    rota_h2_peer_faults(h2, (uint32_t)(payload.size / SETTING_BYTES / SETTINGS_A_FAULT));
    if (!rota_h2_fine(h2) || !set_all(h2, payload))
        return false;
    rota_h2_tx_settings_ack(h2);
    if (h2->ready_seen)
        rota_h2_peer_fault(h2);
    else if (rota_h2_event_add(h2, ROTA_H2_READY, NULL) == NULL)
        return false;
    h2->ready_seen = true;
    return true;
}

static void on_ping(struct rota_h2 *h2, const struct rota_h2_head *head, struct rota_slice payload)
{
    if ((head->flags & ROTA_H2_FLAG_ACK) == 0) {
        rota_h2_peer_ping(h2);
        if (rota_h2_fine(h2))
            rota_h2_tx_ping(h2, payload.data, true);
        return;
    }
    rota_h2_peer_chores(h2, 1); /* ours are far below the rate */
    rota_h2_on_ping_ack(h2, payload.data);
    rota_h2_window_answer(h2, payload.data);
}

static void on_window_update(struct rota_h2 *h2, const struct rota_h2_head *head, struct rota_slice payload)
{
    struct rota_h2_stream *stream = head->id == 0 ? NULL : rota_h2_stream_find(h2, head->id);
    int32_t increment = rota_h2_u31(payload.data);

    rota_h2_peer_chores(h2, 1);
    if (head->id == 0) {
        h2->send_left += increment;
        if (increment == 0)
            rota_h2_broke(h2, ROTA_H2_PROTOCOL_ERROR, "WINDOW_UPDATE by nothing");
        else if (h2->send_left > WINDOW_MAX)
            rota_h2_broke(h2, ROTA_H2_FLOW_CONTROL_ERROR, "WINDOW_UPDATE overflows the connection's window");
        else
            rota_h2_send_more(h2, NULL);
        return;
    }
    if (stream == NULL)
        return;
    stream->send_left += increment;
    if (increment == 0)
        rota_h2_stream_fail(stream, ROTA_H2_PROTOCOL_ERROR, "WINDOW_UPDATE by nothing");
    else if (stream->send_left > WINDOW_MAX)
        rota_h2_stream_fail(stream, ROTA_H2_FLOW_CONTROL_ERROR, "WINDOW_UPDATE overflows its window");
    else
        rota_h2_send_more(h2, stream);
}

bool rota_h2_on_control(struct rota_h2 *h2, const struct rota_h2_head *head, struct rota_slice payload)
{
    switch (head->type) {
    case ROTA_H2_TYPE_PRIORITY:
        on_priority(h2, head, payload);
        break;
    case ROTA_H2_TYPE_RST_STREAM:
        on_rst_stream(h2, head, payload);
        break;
    case ROTA_H2_TYPE_SETTINGS:
        return on_settings(h2, head, payload) && rota_h2_fine(h2);
    case ROTA_H2_TYPE_PING:
        on_ping(h2, head, payload);
        break;
    case ROTA_H2_TYPE_GOAWAY:
        return rota_h2_on_goaway(h2, payload);
    default:
        on_window_update(h2, head, payload);
        break;
    }
    return rota_h2_fine(h2);
}
