/* receive.c - what nghttp2 reports while bytes are fed, turned into events.
 *
 * Decides: what is a response, what trailers, what is left out (1xx, empty data); how a stream ends. A stream is closed
 * here as soon as its end is certain, and the session's later report of it finds nobody.
 * Sources: RFC 9113, 5.1, 5.1.1, 8.1 (early responses), 10.5.1 (header limits).
 */
#include "h2/session.h"

/* The rest of a header list that is too large must be decoded all the same, a field a byte at worst. */
#define TOO_LARGE_FAULTS 8
#define TOO_LARGE_BYTES_A_FAULT 128
#define CRUMB_CHORES 4 /* it goes further up than other chores */
#define CRUMB_BYTES 5      /* less than the head of a message: it comes of full windows and of splitting for its own sake */

static int out_of_memory(struct rota_h2 *h2)
{
    h2->broken = ROTA_ENOMEM;
    return NGHTTP2_ERR_CALLBACK_FAILURE;
}

/* What callbacks return: anything that broke h2 stops the session. */
static int verdict(const struct rota_h2 *h2)
{
    return h2->broken == 0 ? 0 : NGHTTP2_ERR_CALLBACK_FAILURE;
}

/* HEADERS with a lower number than the newest are to the session trailers of a stream it has forgotten, and dropped. What
 * closed.c says is a stream that has ended is an error, and so is a number that the peer left out (5.1.1). The last gap is remembered. */
static void look_at_number(struct rota_h2 *h2, const nghttp2_frame_hd *hd)
{
    if (!h2->options.server || hd->stream_id % 2 == 0)
        return;
    if (hd->stream_id > h2->newest) {
        if (hd->stream_id > h2->newest + 2) {
            h2->gap_first = h2->newest + 2;
            h2->gap_last = hd->stream_id - 2;
        }
        h2->newest = hd->stream_id;
    } else if (hd->stream_id >= h2->gap_first && hd->stream_id <= h2->gap_last) {
        rota_h2_send_away(h2, NGHTTP2_PROTOCOL_ERROR, "the peer broke HTTP/2 (PROTOCOL_ERROR): HEADERS: stream id lower than the last");
    } else {
        rota_h2_check_closed(h2, hd->stream_id);
        if (nghttp2_session_find_stream(h2->session, hd->stream_id) == NULL)
            rota_h2_peer_chores(h2, 1);
    }
}

int rota_h2_on_begin_frame(nghttp2_session *session, const nghttp2_frame_hd *hd, void *user)
{
    struct rota_h2 *h2 = user;

    (void)session;
    switch (hd->type) {
    case NGHTTP2_HEADERS:
        look_at_number(h2, hd);
        return verdict(h2);
    case NGHTTP2_DATA: /* on_data_frame */
    case NGHTTP2_RST_STREAM:
    case NGHTTP2_SETTINGS:
    case NGHTTP2_PUSH_PROMISE:
    case NGHTTP2_PING:
    case NGHTTP2_GOAWAY:
    case NGHTTP2_CONTINUATION:
        return 0;
    default: /* PRIORITY, WINDOW_UPDATE, and what has no name */
        rota_h2_peer_chores(h2, 1);
        return verdict(h2);
    }
}

int rota_h2_on_extension(nghttp2_session *session, void **payload, const nghttp2_frame_hd *hd, void *user)
{
    (void)session;
    (void)payload;
    (void)hd;
    (void)user;
    return NGHTTP2_ERR_CANCEL; /* no more of it */
}

int rota_h2_on_begin_headers(nghttp2_session *session, const nghttp2_frame *frame, void *user)
{
    struct rota_h2 *h2 = user;

    rota_h2_block_begin(h2);
    rota_h2_fields_begin(h2, frame->headers.cat != NGHTTP2_HCAT_REQUEST);
    /* Our last GOAWAY may wait in the session's queue: what it rules out must not be begun meanwhile. */
    if (h2->options.server && h2->drain == ROTA_H2_DRAINED && frame->headers.cat == NGHTTP2_HCAT_REQUEST &&
        frame->hd.stream_id > h2->last_served)
        rota_h2_check(
            h2, nghttp2_submit_rst_stream(session, NGHTTP2_FLAG_NONE, frame->hd.stream_id, NGHTTP2_REFUSED_STREAM));
    return verdict(h2);
}

/* ENHANCE_YOUR_CALM becomes RESOURCE_EXHAUSTED at a gRPC client, which is what the limit means; the peer is not told
 * more, since an answer would cost us more than the request costs it. */
static int headers_too_large(struct rota_h2 *h2, int32_t id, size_t frame_bytes)
{
    struct rota_h2_stream *stream = rota_h2_stream_find(h2, id);

    h2->block_open = false;
    rota_h2_check(h2, nghttp2_submit_rst_stream(h2->session, NGHTTP2_FLAG_NONE, id, NGHTTP2_ENHANCE_YOUR_CALM));
    if (stream != NULL)
        rota_h2_stream_close(stream, ROTA_H2_PROTOCOL, NGHTTP2_ENHANCE_YOUR_CALM,
            "the peer's header list is larger than the limit announced to it");
    rota_h2_peer_faults(h2, TOO_LARGE_FAULTS + (uint32_t)frame_bytes / TOO_LARGE_BYTES_A_FAULT);
    return h2->broken == 0 ? NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE : NGHTTP2_ERR_CALLBACK_FAILURE;
}

/* A request that breaks the rules of HTTP: its stream is reset. */
static void refuse_request(struct rota_h2 *h2, int32_t id)
{
    struct rota_h2_stream *stream = rota_h2_stream_find(h2, id);

    h2->block_open = false;
    rota_h2_check(h2, nghttp2_submit_rst_stream(h2->session, NGHTTP2_FLAG_NONE, id, NGHTTP2_PROTOCOL_ERROR));
    if (stream != NULL)
        rota_h2_stream_close(stream, ROTA_H2_PROTOCOL, NGHTTP2_PROTOCOL_ERROR, "the peer broke the protocol on it");
    rota_h2_peer_fault(h2);
}

static struct rota_slice slice_of(nghttp2_rcbuf *buf)
{
    nghttp2_vec vec = nghttp2_rcbuf_get_buf(buf);

    return rota_slice(vec.base, vec.len);
}

/* Of a server everything is checked here, of a client by the session. */
static enum rota_h2_field check(struct rota_h2 *h2, const struct rota_h2_known_field *known, struct rota_h2_known_field *field)
{
    if (!h2->options.server) {
        field->kind = 1;
        return ROTA_H2_FIELD_KEEP;
    }
    return known != NULL ? rota_h2_field_again(h2, known->kind) : rota_h2_field_check(h2, field->name, field->value, &field->kind);
}

int rota_h2_on_header(nghttp2_session *session, const nghttp2_frame *frame, nghttp2_rcbuf *name, nghttp2_rcbuf *value, uint8_t flags,
    void *user)
{
    struct rota_h2 *h2 = user;
    const struct rota_h2_known_field *known = rota_h2_known_find(h2, name, value);
    struct rota_h2_known_field field;

    (void)session;
    (void)flags;
    if (known != NULL)
        field = *known;
    else
        field = (struct rota_h2_known_field){slice_of(name), slice_of(value), 0};
    switch (check(h2, known, &field)) {
    case ROTA_H2_FIELD_REFUSE:
        refuse_request(h2, frame->hd.stream_id);
        return h2->broken == 0 ? NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE : NGHTTP2_ERR_CALLBACK_FAILURE;
    case ROTA_H2_FIELD_DROP:
        return 0;
    default:
        break;
    }
    switch (rota_h2_block_add(h2, field.name, field.value, known == NULL)) {
    case ROTA_H2_BLOCK_OK:
        return known == NULL && field.kind != 0 && rota_h2_known_add(h2, name, value, &field) < 0 ? out_of_memory(h2) : 0;
    case ROTA_H2_BLOCK_TOO_LARGE:
        return headers_too_large(h2, frame->hd.stream_id, frame->hd.length);
    default:
        return out_of_memory(h2);
    }
}

/* The peer's half is over. A client whose own half is not has nobody left to send it to (RFC 9113, 8.1). */
static void peer_ended(struct rota_h2 *h2, struct rota_h2_stream *stream)
{
    stream->peer_ended = true;
    if (h2->options.server || nghttp2_session_get_stream_local_close(h2->session, stream->id) != 0)
        return;
    rota_h2_check(h2, nghttp2_submit_rst_stream(h2->session, NGHTTP2_FLAG_NONE, stream->id, NGHTTP2_NO_ERROR));
    rota_h2_stream_close(stream, ROTA_H2_DONE, NGHTTP2_NO_ERROR, "the stream ended in order");
}

static int on_request(struct rota_h2 *h2, const nghttp2_frame *frame)
{
    bool end = (frame->hd.flags & NGHTTP2_FLAG_END_STREAM) != 0;
    struct rota_h2_stream *stream;
    struct rota_h2_event *event;

    if (!rota_h2_fields_complete(h2, end)) {
        refuse_request(h2, frame->hd.stream_id);
        return verdict(h2);
    }
    stream = rota_h2_stream_new(h2, frame->hd.stream_id, NULL);
    if (stream == NULL)
        return out_of_memory(h2);
    nghttp2_session_set_stream_user_data(h2->session, stream->id, stream);
    stream->headers_seen = true;
    stream->body_left = h2->body_bytes;
    event = rota_h2_event_add(h2, ROTA_H2_REQUEST, stream);
    if (event == NULL || !rota_h2_block_take(h2, event))
        return NGHTTP2_ERR_CALLBACK_FAILURE;
    event->end = end;
    stream->peer_ended = end;
    return 0;
}

static bool is_informational(const struct rota_h2 *h2)
{
    /* nghttp2 lets a response pass only with :status in front of all other fields and three digits long. */
    return h2->block_count > 0 && h2->block[0].value.size == 3 && h2->block[0].value.data[0] == '1';
}

static int on_response(struct rota_h2 *h2, struct rota_h2_stream *stream, bool end)
{
    bool first = !stream->headers_seen;
    struct rota_h2_event *event;

    if (first && is_informational(h2)) {
        h2->block_open = false;
        return 0;
    }
    stream->headers_seen = true;
    event = rota_h2_event_add(h2, first ? ROTA_H2_HEADERS : ROTA_H2_END, stream);
    if (event == NULL || !rota_h2_block_take(h2, event))
        return NGHTTP2_ERR_CALLBACK_FAILURE;
    event->end = end;
    if (end)
        peer_ended(h2, stream);
    return verdict(h2);
}

static int on_headers(struct rota_h2 *h2, const nghttp2_frame *frame)
{
    struct rota_h2_stream *stream;

    if (frame->headers.cat == NGHTTP2_HCAT_REQUEST)
        return on_request(h2, frame);
    stream = rota_h2_stream_find(h2, frame->hd.stream_id);
    if (stream == NULL) {
        h2->block_open = false;
        return 0;
    }
    if (h2->options.server && ((frame->hd.flags & NGHTTP2_FLAG_END_STREAM) == 0 || stream->body_left > 0)) {
        refuse_request(h2, frame->hd.stream_id);
        return verdict(h2);
    }
    return on_response(h2, stream, (frame->hd.flags & NGHTTP2_FLAG_END_STREAM) != 0);
}

void rota_h2_count_data(struct rota_h2 *h2, size_t size)
{
    if (size == 0)
        rota_h2_peer_fault(h2);
    else if (size < CRUMB_BYTES)
        rota_h2_peer_chores(h2, CRUMB_CHORES);
}

static int on_data_frame(struct rota_h2 *h2, const nghttp2_frame *frame)
{
    struct rota_h2_stream *stream;

    if ((frame->hd.flags & NGHTTP2_FLAG_END_STREAM) == 0) {
        rota_h2_count_data(h2, frame->hd.length - frame->data.padlen);
        return verdict(h2);
    }
    stream = rota_h2_stream_find(h2, frame->hd.stream_id);
    if (stream == NULL)
        return 0;
    if (h2->options.server && stream->body_left > 0) {
        refuse_request(h2, frame->hd.stream_id);
        return verdict(h2);
    }
    if (rota_h2_event_add(h2, ROTA_H2_END, stream) == NULL)
        return NGHTTP2_ERR_CALLBACK_FAILURE;
    peer_ended(h2, stream);
    return verdict(h2);
}

static int on_rst_stream(struct rota_h2 *h2, const nghttp2_frame *frame)
{
    struct rota_h2_stream *stream = rota_h2_stream_find(h2, frame->hd.stream_id);
    uint32_t code = frame->rst_stream.error_code;

    rota_h2_peer_reset(h2);
    if (stream == NULL)
        return verdict(h2);
    if (!h2->options.server && code == NGHTTP2_REFUSED_STREAM)
        rota_h2_stream_close_unprocessed(stream, false, "the peer refused the stream");
    else
        rota_h2_stream_close(stream, ROTA_H2_RESET, code, "");
    return verdict(h2);
}

static int on_settings(struct rota_h2 *h2, const nghttp2_frame *frame)
{
    if ((frame->hd.flags & NGHTTP2_FLAG_ACK) != 0)
        return 0;
    h2->peer_max_streams =
        nghttp2_session_get_remote_settings(h2->session, NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS);
    h2->peer_max_header_bytes =
        nghttp2_session_get_remote_settings(h2->session, NGHTTP2_SETTINGS_MAX_HEADER_LIST_SIZE);
    if (h2->ready) {
        rota_h2_peer_fault(h2);
        return verdict(h2);
    }
    h2->ready = true;
    return rota_h2_event_add(h2, ROTA_H2_READY, NULL) == NULL ? NGHTTP2_ERR_CALLBACK_FAILURE : 0;
}

int rota_h2_on_frame_recv(nghttp2_session *session, const nghttp2_frame *frame, void *user)
{
    struct rota_h2 *h2 = user;

    (void)session;
    switch (frame->hd.type) {
    case NGHTTP2_HEADERS:
        return on_headers(h2, frame);
    case NGHTTP2_DATA:
        return on_data_frame(h2, frame);
    case NGHTTP2_RST_STREAM:
        return on_rst_stream(h2, frame);
    case NGHTTP2_SETTINGS:
        return on_settings(h2, frame);
    case NGHTTP2_PING:
        if ((frame->hd.flags & NGHTTP2_FLAG_ACK) == 0) {
            rota_h2_peer_ping(h2);
        } else {
            rota_h2_peer_chores(h2, 1); /* ours are far below the rate */
            rota_h2_on_ping_ack(h2, frame->ping.opaque_data);
            rota_h2_window_answer(h2, frame->ping.opaque_data);
        }
        return verdict(h2);
    case NGHTTP2_GOAWAY:
        return rota_h2_on_goaway(h2, &frame->goaway);
    default:
        return 0;
    }
}

int rota_h2_on_data(nghttp2_session *session, uint8_t flags, int32_t id, const uint8_t *data, size_t size, void *user)
{
    struct rota_h2 *h2 = user;
    struct rota_h2_stream *stream = rota_h2_stream_find(h2, id);
    struct rota_h2_event *event;

    (void)session;
    (void)flags;
    if (stream == NULL) {
        rota_h2_credit(h2, size);
        return verdict(h2);
    }
    if (h2->options.server && stream->body_left >= 0) {
        if (size > (uint64_t)stream->body_left) {
            rota_h2_credit(h2, size);
            refuse_request(h2, id);
            return verdict(h2);
        }
        stream->body_left -= (int64_t)size;
    }
    event = rota_h2_event_add(h2, ROTA_H2_DATA, stream);
    if (event == NULL)
        return NGHTTP2_ERR_CALLBACK_FAILURE;
    event->data = rota_slice(data, size);
    stream->unconsumed += size;
    rota_h2_window_arrived(h2, stream, size);
    return verdict(h2);
}

/* What is closed by a reset from the peer or by a bad frame has been dealt with before; here are the streams that ended
 * in order, those that a GOAWAY rules out, and those that the session itself has reset. */
int rota_h2_on_stream_close(nghttp2_session *session, int32_t id, uint32_t h2_code, void *user)
{
    struct rota_h2 *h2 = user;
    struct rota_h2_stream *stream = rota_h2_stream_find(h2, id);

    (void)session;
    if (!h2->options.server && id % 2 == 1)
        h2->n_slots--;
    if (stream == NULL)
        return 0;
    if (h2_code == NGHTTP2_NO_ERROR) {
        rota_h2_stream_close(stream, ROTA_H2_DONE, h2_code, "the stream ended in order");
    } else if (h2_code == NGHTTP2_REFUSED_STREAM) {
        rota_h2_stream_close_unprocessed(stream, false, "GOAWAY says that the peer has not seen the stream");
    } else {
        rota_h2_stream_close(stream, ROTA_H2_PROTOCOL, h2_code, "the peer broke the protocol on it");
        rota_h2_peer_fault(h2);
    }
    return verdict(h2);
}

static uint32_t code_of_error(int error)
{
    switch (error) {
    case NGHTTP2_ERR_STREAM_CLOSED:
        return NGHTTP2_STREAM_CLOSED;
    case NGHTTP2_ERR_FLOW_CONTROL:
        return NGHTTP2_FLOW_CONTROL_ERROR;
    case NGHTTP2_ERR_FRAME_SIZE_ERROR:
        return NGHTTP2_FRAME_SIZE_ERROR;
    case NGHTTP2_ERR_HEADER_COMP:
        return NGHTTP2_COMPRESSION_ERROR;
    default:
        return NGHTTP2_PROTOCOL_ERROR;
    }
}

int rota_h2_on_invalid_frame(nghttp2_session *session, const nghttp2_frame *frame, int error, void *user)
{
    struct rota_h2 *h2 = user;
    struct rota_h2_stream *stream = frame->hd.stream_id > 0 ? rota_h2_stream_find(h2, frame->hd.stream_id) : NULL;

    (void)session;
    h2->block_open = false;
    if (stream != NULL)
        rota_h2_stream_close(stream, ROTA_H2_PROTOCOL, code_of_error(error), nghttp2_strerror(error));
    /* A stream over the limit may have been sent before the limit was known, but not so often. */
    if (error == NGHTTP2_ERR_REFUSED_STREAM) {
        rota_h2_closed_note_reset(h2, frame->hd.stream_id); /* its DATA may be looked at before the reset goes out */
        rota_h2_peer_reset(h2);
    } else {
        rota_h2_peer_fault(h2);
    }
    return verdict(h2);
}
