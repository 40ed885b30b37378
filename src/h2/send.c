/* send.c - what a stream sends: headers at once to the session, data from a queue of chunk references when it is pulled,
 * trailers after the data.
 *
 * The session asks for data frame by frame, as windows allow (on_read_data). Bytes go from the chunk straight into the
 * caller's buffer where a whole frame fits there, else through the session's.
 * Sources: RFC 9113, 8.1.
 */
#include "base/assert.h"
#include "h2/session.h"
#include <string.h>

#define FIELDS_ON_STACK 32
#define FRAME_HEAD_BYTES 9
#define CRUMB_BYTES 5 /* less is sent where the peer opens its window by so little; that earns it nothing */
#define DIRECT_MIN_BYTES 512 /* below, one more callback costs more than the copy */
/* nghttp2 refuses to encode a header block above this; it counts 12 bytes a field, and 17 a block. */
#define BLOCK_MAX_BYTES 65536
#define FIELD_BOUND_BYTES 12
#define BLOCK_BOUND_BYTES 17
#define FIELD_OVERHEAD_BYTES 32 /* as the peer counts: RFC 9113, 6.5.2 */

struct rota_h2_trailers {
    size_t count;
    nghttp2_nv fields[]; /* the bytes they point at follow */
};

/* --- Header fields --- */

struct fields {
    struct rota_h2_pool *pool;
    nghttp2_nv *all;
    nghttp2_nv on_stack[FIELDS_ON_STACK];
};

static rota_err check_size(const struct rota_h2 *h2, const struct rota_header *headers, size_t count)
{
    size_t bytes = 0;

    for (size_t i = 0; i < count; i++)
        bytes += headers[i].name.size + headers[i].value.size;
    if (bytes + count * FIELD_BOUND_BYTES + BLOCK_BOUND_BYTES > BLOCK_MAX_BYTES ||
        bytes + count * FIELD_OVERHEAD_BYTES > h2->peer_max_header_bytes)
        return ROTA_ELIMIT;
    return 0;
}

/* A timeout deserves a place in the compression table only when it comes again: one that is new in each call would
 * drive out what does. */
static uint8_t timeout_flag(struct rota_h2 *h2, struct rota_slice value)
{
    if (value.size == 0 || value.size > sizeof(h2->last_timeout))
        return NGHTTP2_NV_FLAG_NO_INDEX;
    if (value.size == h2->last_timeout_size && memcmp(value.data, h2->last_timeout, value.size) == 0)
        return NGHTTP2_NV_FLAG_NONE;
    memcpy(h2->last_timeout, value.data, value.size);
    h2->last_timeout_size = (uint8_t)value.size;
    return NGHTTP2_NV_FLAG_NO_INDEX;
}

static uint8_t index_flag(struct rota_h2 *h2, const struct rota_header *header)
{
    static const char timeout[] = "grpc-timeout";

    if (header->name.size != sizeof(timeout) - 1 || memcmp(header->name.data, timeout, sizeof(timeout) - 1) != 0)
        return NGHTTP2_NV_FLAG_NONE;
    return timeout_flag(h2, header->value);
}

static void to_fields(struct rota_h2 *h2, const struct rota_header *headers, size_t count, nghttp2_nv *ret_fields)
{
    for (size_t i = 0; i < count; i++)
        ret_fields[i] = (nghttp2_nv){
            .name = (uint8_t *)(uintptr_t)headers[i].name.data,
            .value = (uint8_t *)(uintptr_t)headers[i].value.data,
            .namelen = headers[i].name.size,
            .valuelen = headers[i].value.size,
            .flags = index_flag(h2, &headers[i]),
        };
}

static rota_err fields_init(struct fields *fields, struct rota_h2 *h2, const struct rota_header *headers, size_t count)
{
    rota_err err = check_size(h2, headers, count);

    if (err < 0)
        return err;
    fields->pool = &h2->pool;
    fields->all = fields->on_stack;
    if (count > FIELDS_ON_STACK)
        fields->all = rota_h2_pool_get(&h2->pool, count * sizeof(*fields->all));
    if (fields->all == NULL)
        return ROTA_ENOMEM;
    to_fields(h2, headers, count, fields->all);
    return 0;
}

static void fields_fini(struct fields *fields)
{
    if (fields->all != fields->on_stack)
        rota_h2_pool_put(fields->pool, fields->all);
}

static rota_err trailers_new(struct rota_h2 *h2, const struct rota_header *headers, size_t count,
    struct rota_h2_trailers **ret_trailers)
{
    struct rota_h2_trailers *trailers;
    size_t bytes = 0;
    uint8_t *copy;

    for (size_t i = 0; i < count; i++)
        bytes += headers[i].name.size + headers[i].value.size;
    trailers = rota_h2_pool_get(&h2->pool, sizeof(*trailers) + count * sizeof(trailers->fields[0]) + bytes);
    if (trailers == NULL)
        return ROTA_ENOMEM;
    trailers->count = count;
    to_fields(h2, headers, count, trailers->fields);
    copy = (uint8_t *)&trailers->fields[count];
    for (size_t i = 0; i < count; i++) {
        nghttp2_nv *field = &trailers->fields[i];

        memcpy(copy, field->name, field->namelen);
        field->name = copy;
        copy += field->namelen;
        if (field->valuelen > 0)
            memcpy(copy, field->value, field->valuelen);
        field->value = copy;
        copy += field->valuelen;
    }
    *ret_trailers = trailers;
    return 0;
}

/* --- The queue --- */

/* More, or by a negative number less. */
static void count_queued(const struct rota_h2 *h2, size_t bytes)
{
    if (h2->options.queued_total != NULL)
        *h2->options.queued_total += bytes;
    if (h2->options.queued_here != NULL)
        *h2->options.queued_here += bytes;
}

static void queue_pop(struct rota_h2_stream *stream)
{
    struct rota_h2_piece *piece = stream->first;

    stream->first = piece->next;
    rota_chunk_unref(piece->chunk);
    rota_h2_pool_put(&stream->h2->pool, piece);
}

void rota_h2_queue_clear(struct rota_h2_stream *stream)
{
    while (stream->first != NULL)
        queue_pop(stream);
    count_queued(stream->h2, -stream->queued);
    stream->queued = 0;
    rota_h2_pool_put(&stream->h2->pool, stream->trailers);
    stream->trailers = NULL;
}

/* Takes the reference. */
static rota_err queue_push(struct rota_h2_stream *stream, struct rota_chunk *chunk)
{
    struct rota_h2_piece *piece;

    if (chunk->size == 0) {
        rota_chunk_unref(chunk);
        return 0;
    }
    piece = rota_h2_pool_get(&stream->h2->pool, sizeof(*piece));
    if (piece == NULL) {
        rota_chunk_unref(chunk);
        return ROTA_ENOMEM;
    }
    *piece = (struct rota_h2_piece){.chunk = chunk};
    if (stream->first == NULL)
        stream->first = piece;
    else
        stream->last->next = piece;
    stream->last = piece;
    stream->queued += chunk->size;
    count_queued(stream->h2, chunk->size);
    if (stream->queued >= stream->h2->options.high_mark_bytes)
        stream->was_high = true;
    return 0;
}

static void queue_take(struct rota_h2_stream *stream, uint8_t *out, size_t size)
{
    stream->queued -= size;
    count_queued(stream->h2, -size);
    while (size > 0) {
        struct rota_h2_piece *piece = stream->first;
        size_t left = piece->chunk->size - piece->offset;
        size_t n = left < size ? left : size;

        memcpy(out, piece->chunk->data + piece->offset, n);
        out += n;
        size -= n;
        piece->offset += n;
        if (n == left)
            queue_pop(stream);
    }
}

/* --- Called by the session while it is pulled --- */

ssize_t rota_h2_on_read_data(nghttp2_session *session, int32_t id, uint8_t *buf, size_t length, uint32_t *flags,
    nghttp2_data_source *source, void *user)
{
    struct rota_h2 *h2 = user;
    struct rota_h2_stream *stream = source->ptr;
    size_t size = stream->queued < length ? stream->queued : length;
    bool last = stream->ended && size == stream->queued;

    if (size == 0 && !last) {
        stream->deferred = true;
        return NGHTTP2_ERR_DEFERRED;
    }
    if (last) {
        *flags |= NGHTTP2_DATA_FLAG_EOF;
        if (stream->trailers != NULL) {
            *flags |= NGHTTP2_DATA_FLAG_NO_END_STREAM;
            rota_h2_check(h2, nghttp2_submit_trailer(session, id, stream->trailers->fields, stream->trailers->count));
        }
    }
    if (stream->was_high && stream->queued - size < h2->options.high_mark_bytes / 2) {
        stream->was_high = false;
        rota_h2_event_add(h2, ROTA_H2_WRITABLE, stream);
    }
    if (h2->broken != 0)
        return NGHTTP2_ERR_CALLBACK_FAILURE;
    if (size >= DIRECT_MIN_BYTES && h2->out_cap - h2->out_used >= FRAME_HEAD_BYTES + size)
        *flags |= NGHTTP2_DATA_FLAG_NO_COPY;
    else
        queue_take(stream, buf, size);
    return (ssize_t)size;
}

/* Follows on_read_data at once, so the room found there is there. */
int rota_h2_on_send_data(nghttp2_session *session, nghttp2_frame *frame, const uint8_t *framehd, size_t length,
    nghttp2_data_source *source, void *user)
{
    struct rota_h2 *h2 = user;

    (void)session;
    (void)frame;
    memcpy(h2->out + h2->out_used, framehd, FRAME_HEAD_BYTES);
    queue_take(source->ptr, h2->out + h2->out_used + FRAME_HEAD_BYTES, length);
    h2->out_used += FRAME_HEAD_BYTES + length;
    return 0;
}

/* A server that has answered in full does not wait for the rest of the request (RFC 9113, 8.1). */
static int on_end_stream_sent(struct rota_h2 *h2, int32_t id)
{
    if (h2->options.server && nghttp2_session_get_stream_remote_close(h2->session, id) == 0)
        rota_h2_check(h2, nghttp2_submit_rst_stream(h2->session, NGHTTP2_FLAG_NONE, id, NGHTTP2_NO_ERROR));
    return h2->broken == 0 ? 0 : NGHTTP2_ERR_CALLBACK_FAILURE;
}

int rota_h2_on_frame_send(nghttp2_session *session, const nghttp2_frame *frame, void *user)
{
    struct rota_h2 *h2 = user;

    (void)session;
    switch (frame->hd.type) {
    case NGHTTP2_DATA:
    case NGHTTP2_HEADERS:
        rota_h2_forgive_pings(h2);
        if (frame->hd.type == NGHTTP2_HEADERS || frame->hd.length >= CRUMB_BYTES)
            rota_h2_allow_chores(h2);
        return (frame->hd.flags & NGHTTP2_FLAG_END_STREAM) == 0 ? 0 : on_end_stream_sent(h2, frame->hd.stream_id);
    case NGHTTP2_RST_STREAM:
        rota_h2_closed_note_reset(h2, frame->hd.stream_id);
        return 0;
    case NGHTTP2_GOAWAY:
        rota_h2_on_goaway_sent(h2, &frame->goaway);
        return h2->broken == 0 ? 0 : NGHTTP2_ERR_CALLBACK_FAILURE;
    default:
        return 0;
    }
}

int rota_h2_on_frame_not_send(nghttp2_session *session, const nghttp2_frame *frame, int error, void *user)
{
    struct rota_h2 *h2 = user;
    struct rota_h2_stream *stream;

    (void)error;
    if (frame->hd.type != NGHTTP2_HEADERS)
        return 0;
    stream = rota_h2_stream_find(h2, frame->hd.stream_id);
    if (stream == NULL)
        return 0;
    if (frame->headers.cat == NGHTTP2_HCAT_REQUEST) {
        rota_h2_stream_close_unprocessed(stream, true, "the connection drained before the stream was sent");
    } else {
        rota_h2_check(
            h2, nghttp2_submit_rst_stream(session, NGHTTP2_FLAG_NONE, stream->id, NGHTTP2_INTERNAL_ERROR));
        rota_h2_stream_close(stream, ROTA_H2_LOST, NGHTTP2_INTERNAL_ERROR, "its header fields could not be sent");
    }
    return h2->broken == 0 ? 0 : NGHTTP2_ERR_CALLBACK_FAILURE;
}

/* --- Called by the owner --- */

rota_err rota_h2_open(struct rota_h2 *h2, const struct rota_header *headers, size_t count, bool end, void *user,
    struct rota_h2_stream **ret_stream)
{
    nghttp2_data_provider provider = {.read_callback = rota_h2_on_read_data};
    struct rota_h2_stream *stream;
    struct fields fields;
    int32_t id;
    rota_err err;

    ROTA_ASSERT(!h2->options.server);
    if (!rota_h2_may_open(h2))
        return ROTA_ECLOSED;
    if (h2->n_slots >= h2->peer_max_streams) {
        h2->want_room = true;
        return ROTA_EAGAIN;
    }
    err = fields_init(&fields, h2, headers, count);
    if (err < 0)
        return err;
    stream = rota_h2_stream_new(h2, 0, user);
    if (stream == NULL) {
        fields_fini(&fields);
        return ROTA_ENOMEM;
    }
    provider.source.ptr = stream;
    id = nghttp2_submit_request(h2->session, NULL, fields.all, count, end ? NULL : &provider, stream);
    fields_fini(&fields);
    if (id < 0) {
        rota_h2_stream_free(stream);
        return id == NGHTTP2_ERR_NOMEM ? ROTA_ENOMEM : ROTA_ECLOSED;
    }
    stream->id = id;
    stream->attached = true;
    stream->ended = end;
    h2->n_slots++;
    *ret_stream = stream;
    return 0;
}

static rota_err state_to_send(const struct rota_h2_stream *stream)
{
    if (stream->closed || stream->h2->broken != 0)
        return ROTA_ECLOSED;
    return stream->ended ? ROTA_ESTATE : 0;
}

rota_err rota_h2_send_headers(struct rota_h2_stream *stream, const struct rota_header *headers, size_t count, bool end)
{
    struct rota_h2 *h2 = stream->h2;
    struct fields fields;
    rota_err err = state_to_send(stream);
    int rc;

    ROTA_ASSERT(h2->options.server);
    if (err == 0 && stream->headers_sent)
        err = ROTA_ESTATE;
    if (err == 0)
        err = fields_init(&fields, h2, headers, count);
    if (err < 0)
        return err;
    rc = nghttp2_submit_headers(
        h2->session, end ? NGHTTP2_FLAG_END_STREAM : 0, stream->id, NULL, fields.all, count, NULL);
    fields_fini(&fields);
    if (rc < 0)
        return ROTA_ENOMEM;
    stream->headers_sent = true;
    stream->ended = end;
    return 0;
}

/* Has the session ask for data, if it does not anyway. */
static rota_err wake(struct rota_h2_stream *stream)
{
    struct rota_h2 *h2 = stream->h2;

    if (!stream->attached) {
        nghttp2_data_provider provider = {.source.ptr = stream, .read_callback = rota_h2_on_read_data};

        if (nghttp2_submit_data(h2->session, NGHTTP2_FLAG_END_STREAM, stream->id, &provider) < 0)
            return ROTA_ENOMEM;
        stream->attached = true;
    } else if (stream->deferred) {
        if (nghttp2_session_resume_data(h2->session, stream->id) == NGHTTP2_ERR_NOMEM)
            return ROTA_ENOMEM;
        stream->deferred = false;
    }
    return 0;
}

rota_err rota_h2_send(struct rota_h2_stream *stream, struct rota_chunk *chunk, bool end)
{
    rota_err err = state_to_send(stream);

    if (err == 0 && stream->h2->options.server && !stream->headers_sent)
        err = ROTA_ESTATE;
    if (err < 0) {
        rota_chunk_unref(chunk);
        return err;
    }
    /* Woken first: should there be no memory for the chunk's place, the session merely finds nothing. */
    if (end || (chunk != NULL && chunk->size > 0))
        err = wake(stream);
    if (err < 0)
        rota_chunk_unref(chunk);
    else if (chunk != NULL)
        err = queue_push(stream, chunk);
    if (err == 0)
        stream->ended = end;
    return err;
}

rota_err rota_h2_send_trailers(struct rota_h2_stream *stream, const struct rota_header *headers, size_t count)
{
    struct rota_h2 *h2 = stream->h2;
    rota_err err = state_to_send(stream);
    struct fields fields;
    int rc;

    if (err == 0 && !stream->headers_sent)
        err = ROTA_ESTATE;
    if (err == 0)
        err = check_size(h2, headers, count);
    if (err < 0)
        return err;
    if (stream->queued > 0) {
        err = trailers_new(h2, headers, count, &stream->trailers);
        stream->ended = err == 0;
        /* Data whose sending failed for want of memory is queued all the same, and would wait for ever. */
        return err < 0 ? err : wake(stream);
    }
    /* No data before them: they need not wait for the window. The session's reading of the queue ends with the stream. */
    err = fields_init(&fields, h2, headers, count);
    if (err < 0)
        return err;
    rc = nghttp2_submit_trailer(h2->session, stream->id, fields.all, count);
    fields_fini(&fields);
    if (rc < 0)
        return ROTA_ENOMEM;
    stream->ended = true;
    return 0;
}
