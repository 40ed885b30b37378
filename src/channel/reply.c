/* reply.c - what a stream brings: headers, messages, the end, and what each means for the call.
 *
 * Flow control: bytes are credited once they have gone through the frame decoder, that is when their message was shown to the
 * application or when they are part of the one message being gathered (which max_reply_bytes bounds). While the call is held nothing
 * is decoded or credited, so that at most a window's worth waits in the backlog. An end that comes meanwhile waits behind it.
 * Sources: doc/PROTOCOL-HTTP2.md "Responses", "Errors" in grpc/grpc; RFC 9113 section 7 (codes).
 */
#include "base/alloc.h"
#include "channel/call.h"

#define H2_NO_ERROR 0
#define H2_CANCEL 8
#define H2_ENHANCE_YOUR_CALM 11

static bool is_waiting(const struct rota_call *call)
{
    return rota_buffer_peek(&call->backlog).size > 0;
}

/* --- The end --- */

/* The server's OK is not one, and its text is no longer the message. */
static void contradict(struct rota_response *response, const char *why)
{
    rota_status_set(&response->status, ROTA_INTERNAL, "%s", why);
    response->message = (struct rota_slice){0};
}

/* The attempt's status, unless the messages contradict it. */
static void judge(struct rota_attempt *attempt)
{
    struct rota_call *call = attempt->call;
    struct rota_response *response = &attempt->response;

    if (response->status.code != ROTA_OK)
        return;
    if (!rota_frame_decoder_clean(&attempt->decoder))
        contradict(response, "the server ended the stream inside a message");
    else if (!call->method->server_streaming && call->n_replies == 0)
        contradict(response, "the server sent OK without a reply to a unary call");
}

/* All messages were shown and the attempt is over: its end is the call's, unless another attempt follows. */
static void conclude(struct rota_attempt *attempt)
{
    struct rota_call *call = attempt->call;
    bool weighed = call->tries != NULL || call->channel->throttle.max_milli > 0;

    if (!weighed || !rota_tries_go_on(attempt))
        rota_call_end(call, &attempt->response.status);
}

/* The stream is gone and response.status says how it went. A writer that was refused will hear nothing of the stream any more, and
 * the reader that is waited for may be the same thread. */
static void finish(struct rota_attempt *attempt)
{
    struct rota_call *call = attempt->call;
    bool waiting = is_waiting(call);

    if (!waiting)
        judge(attempt);
    rota_attempt_over(attempt, &attempt->response.status);
    if (!waiting)
        conclude(attempt);
    else if (call->want_writable)
        rota_call_later(call);
}

/* The peer has said all. If we have not, nobody listens any more. */
static void end_seen(struct rota_attempt *attempt)
{
    struct rota_stream *stream = attempt->stream;

    attempt->end_seen = true;
    if (attempt->end_sent && rota_attempt_queued(attempt) == 0)
        return; /* on_closed comes */
    attempt->stream = NULL;
    stream->conn->class->reset(stream, H2_NO_ERROR);
    finish(attempt);
}

static void on_end(void *owner, struct rota_stream *stream, const struct rota_header *trailers, size_t count)
{
    struct rota_attempt *attempt = owner;
    struct rota_call *call = attempt->call;

    if (rota_response_trailers(&attempt->response, &call->arena, trailers, count) < 0) {
        rota_call_fail(call, ROTA_RESOURCE_EXHAUSTED, "out of memory for the reply's trailers"); /* credits the backlog itself */
        return;
    }
    if (is_waiting(call))
        stream->conn->class->consumed(stream, rota_buffer_peek(&call->backlog).size); /* no more can follow */
    end_seen(attempt);
}

static void read_reset(struct rota_attempt *attempt, const struct rota_stream_end *end)
{
    struct rota_call *call = attempt->call;
    struct rota_status *status = &attempt->response.status;
    const char *peer = attempt->connection->peer;

    /* A server's own clock may be a little faster than ours. */
    if (end->h2_code == H2_CANCEL && call->deadline_ns <= call->channel->host->now_ns)
        rota_status_set(status, ROTA_DEADLINE_EXCEEDED, "%s cancelled the stream at its deadline", peer);
    else
        rota_status_set(status, rota_code_of_h2(end->h2_code), "%s reset the stream: %s", peer, end->detail);
}

static void on_closed(void *owner, const struct rota_stream_end *end)
{
    struct rota_attempt *attempt = owner;
    struct rota_status *status = &attempt->response.status;
    const char *peer = attempt->connection->peer;

    attempt->stream = NULL;
    if (!attempt->end_seen) {
        switch (end->cause) {
        case ROTA_STREAM_DONE:
            rota_status_set(status, ROTA_INTERNAL, "%s ended the stream without trailers", peer);
            break;
        case ROTA_STREAM_RESET:
            read_reset(attempt, end);
            break;
        case ROTA_STREAM_UNPROCESSED:
            attempt->sent = !end->unsent;
            if (rota_attempt_try_again(attempt, end->unsent))
                return;
            rota_status_set(status, ROTA_UNAVAILABLE, "%s did not take the call: %s", peer, end->detail);
            break;
        case ROTA_STREAM_PROTOCOL:
            /* Of what we reset streams for, only our own limit is of that kind. */
            rota_status_set(status, end->h2_code == H2_ENHANCE_YOUR_CALM ? ROTA_RESOURCE_EXHAUSTED : ROTA_INTERNAL, "%s broke the protocol: %s",
                peer, end->detail);
            break;
        case ROTA_STREAM_LOST:
            rota_status_set(status, ROTA_UNAVAILABLE, "connection to %s lost: %s", peer, end->detail);
            break;
        }
    }
    finish(attempt);
}

void rota_call_overrule(struct rota_call *call, const struct rota_status *status)
{
    call->own_status = *status;
    call->result = &call->own_status;
}

/* --- Headers --- */

static void reject(struct rota_attempt *attempt)
{
    struct rota_status *status = &attempt->response.status;

    rota_attempt_abandon(attempt, status, H2_CANCEL);
    conclude(attempt);
}

static void on_headers(void *owner, struct rota_stream *stream, const struct rota_header *headers, size_t count, bool end)
{
    struct rota_attempt *attempt = owner;
    struct rota_call *call = attempt->call;

    (void)stream;
    attempt->connection->useful = true;
    if (rota_response_headers(&attempt->response, &call->arena, headers, count, end) < 0) {
        rota_call_fail(call, ROTA_RESOURCE_EXHAUSTED, "out of memory for the reply's headers");
    } else if (end) {
        end_seen(attempt);
    } else if (attempt->response.rejected) {
        reject(attempt);
    } else {
        if (!call->committed)
            rota_call_commit(call, attempt);
        if (call->chain != NULL && !rota_intercept_headers(call))
            return;
        if (call->kind != ROTA_CALL_UNARY && call->events->on_headers != NULL)
            call->events->on_headers(call, call->arg);
    }
}

/* --- Messages --- */

static void fail_unpack(struct rota_call *call, rota_err err, const struct rota_errinfo *info)
{
    if (err == ROTA_ENOMEM)
        rota_call_fail(call, ROTA_RESOURCE_EXHAUSTED, "out of memory for a reply");
    else
        rota_call_fail(call, err == ROTA_ELIMIT ? ROTA_RESOURCE_EXHAUSTED : ROTA_INTERNAL, "reply cannot be read: %s", info->text);
}

/* To interceptors, which see messages only unpacked; false: the call is over. */
static bool show_interceptors(struct rota_call *call, struct rota_slice bytes)
{
    const struct rota_message_type *type = &call->method->reply;
    struct rota_errinfo info;
    void *message;
    rota_err err;
    bool passed;

    if (!rota_intercept_wants_messages(call))
        return true;
    info.text[0] = '\0';
    err = type->codec->unpack(type->type, bytes, &call->message_arena.as_alloc, &message, &info);
    if (err < 0) {
        fail_unpack(call, err, &info);
        return false;
    }
    passed = rota_intercept_message(call, message);
    rota_arena_reset(&call->message_arena);
    return passed;
}

/* A message unpacked into an arena goes with the arena. */
static void show_typed(struct rota_call *call, struct rota_slice bytes)
{
    const struct rota_message_type *type = &call->method->reply;
    struct rota_errinfo info;
    void *message;
    rota_err err;

    info.text[0] = '\0';
    if (call->kind == ROTA_CALL_UNARY) {
        err = type->codec->unpack(type->type, bytes, &call->arena.as_alloc, &call->reply, &info);
        if (err < 0)
            fail_unpack(call, err, &info);
        else if (call->chain == NULL || rota_intercept_message(call, call->reply))
            call->n_replies++;
        return;
    }
    err = type->codec->unpack(type->type, bytes, &call->message_arena.as_alloc, &message, &info);
    if (err < 0) {
        fail_unpack(call, err, &info);
        return;
    }
    if (call->chain == NULL || rota_intercept_message(call, message)) {
        call->n_replies++;
        call->events->on_message(call, call->arg, message);
    }
    rota_arena_reset(&call->message_arena);
}

static void show_packed(struct rota_call *call, struct rota_slice bytes, struct rota_chunk **holder)
{
    if (call->chain != NULL && !show_interceptors(call, bytes))
        return;
    call->n_replies++;
    call->shown = holder;
    call->events->on_message(call, call->arg, &bytes);
    call->shown = NULL;
}

struct rota_chunk *rota_call_take_packed(struct rota_call *call)
{
    struct rota_chunk *chunk = *call->shown;

    *call->shown = NULL;
    return chunk;
}

static void show(struct rota_attempt *attempt, const struct rota_frame *frame)
{
    struct rota_call *call = attempt->call;
    struct rota_slice bytes = frame->message;
    struct rota_chunk *plain = NULL;

    if (!call->method->server_streaming && call->n_replies > 0) {
        rota_call_fail(call, ROTA_INTERNAL, "the server sent more than one reply to a unary call");
        return;
    }
    call->received_bytes += bytes.size;
    if (frame->compressed) {
        if (!rota_reply_decompress(call, bytes, &plain))
            return;
        bytes = rota_chunk_slice(plain);
    }
    call->came_compressed = frame->compressed;
    if (call->kind != ROTA_CALL_PACKED)
        show_typed(call, bytes);
    else
        show_packed(call, bytes, plain != NULL ? &plain : &attempt->decoder.ready);
    rota_chunk_unref(plain);
}

static void fail_decode(struct rota_call *call, rota_err err, const struct rota_errinfo *info)
{
    if (err == ROTA_ENOMEM)
        rota_call_fail(call, ROTA_RESOURCE_EXHAUSTED, "out of memory for a reply");
    else
        rota_call_fail(call, err == ROTA_ELIMIT ? ROTA_RESOURCE_EXHAUSTED : ROTA_INTERNAL, "reply: %s", info->text);
}

/* Returns how many bytes went in, which is less than all when the call was held or ended by what it saw. The call must be looked
 * at anew afterwards: a report from here may have given it back, and then `*ret_alive` is false. */
static size_t feed(struct rota_attempt *attempt, struct rota_slice data, bool *ret_alive)
{
    struct rota_call *call = attempt->call;
    struct rota_slice rest = data;
    struct rota_frame frame;
    struct rota_errinfo info;
    int got = 1;

    /* What ends the call in here must not give it back under our feet. */
    call->inside = true;
    while (call->state == ROTA_CALL_RUNNING && !call->held && got > 0) {
        got = rota_frame_decode(&attempt->decoder, &rest, &frame, &info);
        if (got > 0)
            show(attempt, &frame);
        else if (got < 0)
            fail_decode(call, got, &info);
    }
    call->inside = false;
    *ret_alive = call->state == ROTA_CALL_RUNNING;
    return data.size - rest.size;
}

static void on_data(void *owner, struct rota_stream *stream, struct rota_slice data)
{
    struct rota_attempt *attempt = owner;
    struct rota_call *call = attempt->call;
    bool alive = true;
    size_t used = is_waiting(call) ? 0 : feed(attempt, data, &alive);

    if (!alive)
        return;
    if (used > 0)
        stream->conn->class->consumed(stream, used);
    if (used < data.size && rota_buffer_append(&call->backlog, rota_slice(data.data + used, data.size - used)) < 0)
        rota_call_fail(call, ROTA_RESOURCE_EXHAUSTED, "out of memory for replies that are held back");
}

void rota_reply_resume(struct rota_call *call)
{
    struct rota_attempt *attempt = call->front;
    struct rota_stream *stream;
    bool alive;
    size_t used;

    if (call->held || !is_waiting(call))
        return;
    used = feed(attempt, rota_buffer_peek(&call->backlog), &alive);
    if (!alive)
        return;
    rota_buffer_consume(&call->backlog, used);
    stream = attempt->stream;
    if (stream != NULL && !attempt->end_seen)
        stream->conn->class->consumed(stream, used);
    if (!is_waiting(call) && attempt->state == ROTA_ATTEMPT_OVER) {
        judge(attempt);
        conclude(attempt);
    }
}

static void on_writable(void *owner, struct rota_stream *stream)
{
    struct rota_attempt *attempt = owner;

    (void)stream;
    rota_call_on_room(attempt->call);
}

const struct rota_stream_events rota_attempt_stream_events = {
    .on_headers = on_headers,
    .on_data = on_data,
    .on_end = on_end,
    .on_writable = on_writable,
    .on_closed = on_closed,
};
