/* side_stream.c - contract in side_stream.h. */
#include "channel/side_stream.h"
#include "base/errinfo.h"
#include "channel/subchannel.h"

#define H2_NO_ERROR 0
#define H2_CANCEL 8
#define ARENA_BYTES 512

static void open_stream(struct rota_side_stream *side);

static struct rota_host *host_of(const struct rota_side_stream *side)
{
    return side->connection->channel->host;
}

/* --- The end, and again --- */

static void again_later(struct rota_side_stream *side)
{
    (void)rota_host_timer_set(host_of(side), &side->timer, side->next_ns); /* it is in the heap, so this is a move */
}

static void on_time(struct rota_host_timer *timer, int64_t now_ns)
{
    struct rota_side_stream *side = ROTA_CONTAINER(timer, struct rota_side_stream, timer);

    (void)now_ns;
    (void)rota_host_timer_set(host_of(side), timer, INT64_MAX); /* it has just left the heap, so there is room for it */
    open_stream(side);
}

static void end(struct rota_side_stream *side, const struct rota_status *status)
{
    side->stream = NULL;
    if (status->code == ROTA_UNIMPLEMENTED) {
        side->refused = true;
        rota_side_stream_stop(side);
    } else {
        again_later(side);
    }
    side->class->on_end(side, status);
}

static void fail(struct rota_side_stream *side, enum rota_code code, const char *text)
{
    struct rota_stream *stream = side->stream;
    struct rota_status status;

    rota_status_set(&status, code, "%s", text);
    if (stream != NULL)
        stream->conn->class->reset(stream, H2_CANCEL);
    end(side, &status);
}

/* --- In --- */

/* The peer has said all. */
static void end_seen(struct rota_side_stream *side, struct rota_stream *stream)
{
    side->ended = true;
    if (stream->conn->class->queued(stream) == 0)
        return; /* on_closed comes */
    stream->conn->class->reset(stream, H2_NO_ERROR);
    end(side, &side->response.status);
}

static void on_headers(void *owner, struct rota_stream *stream, const struct rota_header *headers, size_t count, bool last)
{
    struct rota_side_stream *side = owner;

    if (rota_response_headers(&side->response, &side->arena, headers, count, last) < 0)
        fail(side, ROTA_RESOURCE_EXHAUSTED, "out of memory");
    else if (last)
        end_seen(side, stream);
    else if (side->response.rejected)
        fail(side, side->response.status.code, side->response.status.message);
}

/* The next stream follows this one's end at once, but not sooner than the first period after its opening, so that a peer which answers
 * and ends each time is not stormed. Where the next one says nothing, backoff begins anew with it. */
static void note_served(struct rota_side_stream *side)
{
    int64_t period_ns, next_ns;

    if (side->served)
        return;
    side->served = true;
    rota_backoff_reset(&side->backoff);
    period_ns = rota_backoff_next(&side->backoff, &host_of(side)->rng);
    rota_backoff_reset(&side->backoff);
    next_ns = period_ns > INT64_MAX - side->opened_ns ? INT64_MAX : side->opened_ns + period_ns;
    if (next_ns < side->next_ns)
        side->next_ns = next_ns;
}

/* False: it could not be read. */
static bool show(struct rota_side_stream *side, const struct rota_frame *frame)
{
    struct rota_channel *channel = side->connection->channel;
    struct rota_chunk *plain = NULL;
    struct rota_errinfo info;
    bool read;

    if (frame->compressed && rota_zip_open(&channel->zip, rota_encoding_of(side->response.encoding), frame->message,
                                           channel->limits.max_reply_bytes, &plain, &info) < 0)
        return false;
    read = side->class->on_message(side, plain == NULL ? frame->message : rota_chunk_slice(plain));
    rota_chunk_unref(plain);
    return read;
}

/* What policies make of a message may end the stream: the connection may be nobody's any more. The struct stays until that has closed. */
static void on_data(void *owner, struct rota_stream *stream, struct rota_slice data)
{
    struct rota_side_stream *side = owner;
    struct rota_errinfo info = {""};
    struct rota_slice rest = data;
    struct rota_frame frame;
    int got = 1;

    while (got > 0 && side->stream == stream) {
        got = rota_frame_decode(&side->decoder, &rest, &frame, &info);
        if (got < 0) {
            fail(side, got == ROTA_EPARSE ? ROTA_INTERNAL : ROTA_RESOURCE_EXHAUSTED, got == ROTA_ENOMEM ? "out of memory" : info.text);
        } else if (got > 0) {
            note_served(side);
            if (!show(side, &frame) && side->stream == stream)
                fail(side, ROTA_INTERNAL, "a message that cannot be read");
        }
    }
    if (side->stream == stream)
        stream->conn->class->consumed(stream, data.size);
}

static void on_end(void *owner, struct rota_stream *stream, const struct rota_header *trailers, size_t count)
{
    struct rota_side_stream *side = owner;

    if (rota_response_trailers(&side->response, &side->arena, trailers, count) < 0)
        fail(side, ROTA_RESOURCE_EXHAUSTED, "out of memory");
    else
        end_seen(side, stream);
}

static void on_closed(void *owner, const struct rota_stream_end *how)
{
    struct rota_side_stream *side = owner;
    struct rota_status status;

    side->stream = NULL;
    if (side->ended) {
        end(side, &side->response.status);
    } else if (how->cause == ROTA_STREAM_UNPROCESSED) {
        again_later(side);
    } else if (how->cause != ROTA_STREAM_LOST) {
        rota_status_set(&status, how->cause == ROTA_STREAM_RESET ? rota_code_of_h2(how->h2_code) : ROTA_INTERNAL, "%s", how->detail);
        end(side, &status);
    }
}

/* It comes whenever the one message was longer than a queue should be: nothing waits for the room. */
static void on_writable(void *owner, struct rota_stream *stream)
{
    (void)owner;
    (void)stream;
}

static const struct rota_stream_events stream_events = {
    .on_headers = on_headers,
    .on_data = on_data,
    .on_end = on_end,
    .on_writable = on_writable,
    .on_closed = on_closed,
};

/* --- Out --- */

/* ret_why is written where it says more than the error. */
static rota_err open_and_send(struct rota_side_stream *side, struct rota_status *ret_why)
{
    struct rota_connection *connection = side->connection;
    struct rota_channel *channel = connection->channel;
    const struct rota_conn_class *class = connection->conn->class;
    struct rota_request_head head = {
        .path = rota_slice_str(side->class->path),
        .authority = rota_slice_str(channel->authority),
        .user_agent = rota_slice_str(channel->user_agent),
        .timeout_ns = INT64_MAX,
        .secure = channel->secure,
    };
    struct rota_header *headers;
    size_t count;
    rota_err err;

    rota_arena_reset(&channel->scratch);
    err = rota_request_headers(&head, &channel->scratch, &headers, &count);
    if (err == 0)
        err = class->open(connection->conn, headers, count, false, &stream_events, side, &side->stream);
    if (err == ROTA_ELIMIT)
        rota_headers_refused(ret_why, "call", "server", rota_header_list_bytes(headers, count), class->max_header_bytes(connection->conn));
    if (err < 0)
        return err;
    err = class->send(side->stream, rota_chunk_ref(side->request), true);
    if (err < 0) {
        class->reset(side->stream, H2_CANCEL);
        side->stream = NULL;
    }
    return err;
}

static void open_stream(struct rota_side_stream *side)
{
    struct rota_status why = {.code = ROTA_RESOURCE_EXHAUSTED, .message = "out of memory"};
    rota_err err;

    rota_frame_decoder_fini(&side->decoder);
    rota_frame_decoder_init(&side->decoder, side->connection->channel->alloc, side->connection->channel->limits.max_reply_bytes);
    rota_arena_reset(&side->arena);
    side->response = (struct rota_response){0};
    side->ended = side->served = false;
    side->opened_ns = host_of(side)->now_ns;
    err = open_and_send(side, &why);
    side->wants_room = err == ROTA_EAGAIN;
    if (err == ROTA_EAGAIN || err == ROTA_ECLOSED) /* closing: stop follows */
        return;
    side->next_ns = rota_host_later_ns(host_of(side), rota_backoff_next(&side->backoff, &host_of(side)->rng));
    if (err < 0)
        fail(side, why.code, why.message);
}

void rota_side_stream_on_room(struct rota_side_stream *side)
{
    if (side->wants_room)
        open_stream(side);
}

/* --- Life --- */

static struct rota_chunk *frame_of(const struct rota_alloc *alloc, struct rota_slice request)
{
    struct rota_chunk *chunk = rota_chunk_new(alloc, ROTA_FRAME_PREFIX + request.size);

    if (chunk == NULL)
        return NULL;
    rota_frame_put_prefix(chunk->data, false, (uint32_t)request.size);
    if (request.size > 0)
        memcpy(chunk->data + ROTA_FRAME_PREFIX, request.data, request.size);
    chunk->size = ROTA_FRAME_PREFIX + request.size;
    return chunk;
}

rota_err rota_side_stream_start(struct rota_side_stream *side, const struct rota_side_class *class, struct rota_connection *connection,
                                struct rota_slice request)
{
    struct rota_channel *channel = connection->channel;
    struct rota_chunk *chunk = frame_of(channel->alloc, request);

    if (side->class == NULL)
        rota_arena_init(&side->arena, channel->alloc, ARENA_BYTES);
    side->class = class;
    side->connection = connection;
    side->timer.fire = on_time;
    if (chunk == NULL || rota_host_timer_set(channel->host, &side->timer, INT64_MAX) < 0) {
        rota_chunk_unref(chunk);
        return ROTA_ENOMEM;
    }
    rota_chunk_unref(side->request);
    side->request = chunk;
    side->backoff = (struct rota_backoff){.initial_ns = channel->limits.backoff_initial_ns, .max_ns = channel->limits.backoff_max_ns};
    side->running = true;
    open_stream(side);
    return 0;
}

void rota_side_stream_stop(struct rota_side_stream *side)
{
    struct rota_stream *stream = side->stream;

    if (!side->running)
        return;
    side->running = side->wants_room = false;
    side->stream = NULL;
    rota_host_timer_clear(host_of(side), &side->timer);
    if (stream != NULL)
        stream->conn->class->reset(stream, side->ended ? H2_NO_ERROR : H2_CANCEL);
}

void rota_side_stream_fini(struct rota_side_stream *side)
{
    if (side->class == NULL)
        return;
    rota_chunk_unref(side->request);
    rota_frame_decoder_fini(&side->decoder);
    rota_arena_fini(&side->arena);
}
