/* write.c - messages from the application to the call's outbox and streams, and when it has to wait.
 *
 * The queue is full when every stream has send_queue_bytes waiting (or, while there is none, the outbox has). Connections are
 * dialed with that same number as their streams' high mark, so that the transport reports when there is room again.
 */
#include "channel/call.h"

bool rota_call_is_full(const struct rota_call *call)
{
    size_t limit_bytes = call->channel->limits.send_queue_bytes;

    if (call->tries != NULL)
        return rota_tries_is_full(call->tries, limit_bytes);
    if (rota_attempt_listens(&call->attempt))
        return rota_attempt_queued(&call->attempt) >= limit_bytes;
    return call->outbox.size_bytes >= limit_bytes;
}

void rota_call_on_room(struct rota_call *call)
{
    if (!call->want_writable)
        return;
    call->want_writable = false;
    if (call->kind != ROTA_CALL_UNARY && call->events->on_writable != NULL)
        call->events->on_writable(call, call->arg);
}

rota_err rota_call_check_size(struct rota_call *call, size_t size_bytes)
{
    size_t limit_bytes = call->max_request_bytes < UINT32_MAX ? call->max_request_bytes : UINT32_MAX;

    if (size_bytes <= limit_bytes)
        return 0;
    rota_call_fail(call, ROTA_RESOURCE_EXHAUSTED, "request of %zu bytes is larger than the limit of %zu", size_bytes, limit_bytes);
    return ROTA_ELIMIT;
}

/* Completes a frame whose message is in place; takes the reference, also on failure. ROTA_ENOMEM. */
static rota_err frame(struct rota_call *call, struct rota_chunk *chunk, struct rota_chunk **ret_chunk)
{
    if (!call->compress) {
        rota_frame_put_prefix(chunk->data, false, (uint32_t)(chunk->size - ROTA_FRAME_PREFIX));
    } else if (rota_zip_frame(&call->channel->zip, &chunk) < 0) {
        rota_chunk_unref(chunk);
        return ROTA_ENOMEM;
    }
    *ret_chunk = chunk;
    return 0;
}

rota_err rota_call_pack(struct rota_call *call, const void *message, struct rota_chunk **ret_chunk)
{
    const struct rota_message_type *type = &call->method->request;
    size_t size_bytes = type->codec->packed_size(type->type, message);
    struct rota_chunk *chunk;
    rota_err err = rota_call_check_size(call, size_bytes);

    if (err < 0)
        return err;
    if (call->chain != NULL && !rota_intercept_send(call, message))
        return ROTA_ELIMIT;
    chunk = rota_chunk_pool_get(call->channel->chunks, ROTA_FRAME_PREFIX + size_bytes);
    if (chunk == NULL)
        return ROTA_ENOMEM;
    type->codec->pack(type->type, message, chunk->data + ROTA_FRAME_PREFIX);
    chunk->size = ROTA_FRAME_PREFIX + size_bytes;
    return frame(call, chunk, ret_chunk);
}

static rota_err flush_all(struct rota_call *call)
{
    if (call->tries != NULL)
        return rota_tries_flush(call->tries);
    return rota_attempt_listens(&call->attempt) ? rota_attempt_flush(&call->attempt) : 0;
}

/* A stream that missed a message is of no use any more, so the call ends with it. */
static rota_err flush(struct rota_call *call)
{
    if (flush_all(call) == 0)
        return 0;
    rota_call_fail(call, ROTA_RESOURCE_EXHAUSTED, "out of memory while sending");
    return ROTA_ENOMEM;
}

rota_err rota_call_send_chunk(struct rota_call *call, struct rota_chunk *chunk)
{
    size_t size_bytes = chunk->size - ROTA_FRAME_PREFIX;
    rota_err err = rota_outbox_add(&call->outbox, chunk);

    if (err < 0)
        return err;
    call->sent_bytes += size_bytes;
    if (!call->method->client_streaming)
        call->half_closed = true; /* there is no second message: the end travels with the first */
    return flush(call);
}

bool rota_call_is_deaf(const struct rota_call *call)
{
    return call->committed && (call->front->state == ROTA_ATTEMPT_OVER || call->front->end_seen || call->front->deaf);
}

static rota_err may_write(struct rota_call *call)
{
    if (call->state != ROTA_CALL_RUNNING || call->half_closed || rota_call_is_deaf(call))
        return ROTA_ECLOSED;
    if (!rota_call_is_full(call))
        return 0;
    call->want_writable = true;
    return ROTA_EAGAIN;
}

rota_err rota_call_write(struct rota_call *call, const void *message)
{
    struct rota_chunk *chunk;
    rota_err err = may_write(call);
    bool was_inside = call->inside;

    if (err < 0)
        return err;
    rota_host_enter(call->channel->host);
    call->inside = true;
    err = rota_call_pack(call, message, &chunk);
    if (err == 0)
        err = rota_call_send_chunk(call, chunk);
    call->inside = was_inside;
    return err == ROTA_ELIMIT ? ROTA_ECLOSED : err;
}

rota_err rota_call_write_packed(struct rota_call *call, struct rota_chunk *chunk, const void *message)
{
    rota_err err = may_write(call);
    bool was_inside = call->inside;

    rota_host_enter(call->channel->host);
    call->inside = true;
    if (err == 0)
        err = rota_call_check_size(call, chunk->size - ROTA_FRAME_PREFIX);
    if (err == 0 && call->chain != NULL && !rota_intercept_send(call, message))
        err = ROTA_ELIMIT;
    if (err < 0) {
        rota_chunk_unref(chunk);
    } else {
        err = frame(call, chunk, &chunk);
        if (err == 0)
            err = rota_call_send_chunk(call, chunk);
    }
    call->inside = was_inside;
    return err == ROTA_ELIMIT ? ROTA_ECLOSED : err;
}

rota_err rota_call_write_end(struct rota_call *call)
{
    bool was_inside = call->inside;
    rota_err err;

    if (call->state != ROTA_CALL_RUNNING || call->half_closed)
        return 0;
    rota_host_enter(call->channel->host);
    call->half_closed = true;
    if (rota_call_is_deaf(call))
        return 0;
    call->inside = true;
    err = flush(call);
    call->inside = was_inside;
    return err;
}
