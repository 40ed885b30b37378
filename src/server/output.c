/* output.c - what a handler sends: messages, then one status.
 *
 * Headers go with the first message; a status without any message goes as trailers-only. Whatever cannot be sent for want of memory
 * resets the stream, so the client is never left waiting. Source: doc/PROTOCOL-HTTP2.md "Responses".
 */
#include "server/server.h"

#include "base/assert.h"
#include "base/text.h"
#include <stdarg.h>

#define H2_INTERNAL_ERROR 2
#define H2_CANCEL 8
#define TEXT_MAX_BYTES ((size_t)8 << 10) /* of a status message */
#define LONGEST_CHARACTER 4 /* in UTF-8 */

static rota_err note_refused(struct rota_server_call *call, const struct rota_header *headers, size_t count, rota_err err)
{
    if (err == ROTA_ELIMIT)
        call->refused_bytes = rota_header_list_bytes(headers, count);
    return err;
}

static rota_err send_headers(struct rota_server_call *call)
{
    struct rota_header *headers;
    size_t count;
    rota_err err;

    if (call->headers_sent)
        return 0;
    if (call->refused_bytes > 0)
        return ROTA_ELIMIT; /* built once more they would only fill the arena */
    err = rota_response_head(&call->arena, call->initial, call->gzip, &headers, &count);
    if (err == 0)
        err = note_refused(call, headers, count, call->stream->conn->class->send_headers(call->stream, headers, count, false));
    if (err == 0)
        call->headers_sent = true;
    return err;
}

/* What is sent on a connection that is being ended would only make it hold more. */
static bool is_closed(const struct rota_server_call *call)
{
    return call->answered || call->finished || call->stream == NULL || call->conn->leaving;
}

static size_t packed_size(const struct rota_server_call *call, const void *message)
{
    const struct rota_message_type *type = &call->method->handler->method->reply;

    return type->codec->packed_size(type->type, message);
}

static bool too_long(const struct rota_server_call *call, size_t size)
{
    return size > call->server->options.max_reply_bytes || size > UINT32_MAX;
}

/* False: an interceptor has ended the call. */
static bool let_out(struct rota_server_call *call, const void *message)
{
    struct rota_status status;

    if (rota_server_intercept_send(call, message, &status))
        return true;
    rota_server_call_answer(call, &status);
    return false;
}

/* The last message needs no room in the queue: the handler that sends it does not come back. */
static rota_err send_message(struct rota_server_call *call, const void *message, bool last)
{
    const struct rota_message_type *type;
    struct rota_chunk *chunk;
    size_t size;
    rota_err err;

    rota_host_enter(call->server->parts.host);
    if (is_closed(call))
        return ROTA_ECLOSED;
    type = &call->method->handler->method->reply;
    size = packed_size(call, message);
    if (too_long(call, size))
        return ROTA_ELIMIT;
    if (!last && rota_server_call_full(call))
        return ROTA_EAGAIN;
    if (call->chain != NULL && !let_out(call, message))
        return ROTA_ECLOSED;
    err = send_headers(call);
    if (err < 0)
        return err;
    chunk = rota_chunk_new(size < ROTA_BULK_MIN_BYTES ? call->server->alloc : call->server->bulk, ROTA_FRAME_PREFIX + size);
    if (chunk == NULL)
        return ROTA_ENOMEM;
    rota_frame_put_prefix(chunk->data, false, (uint32_t)size);
    type->codec->pack(type->type, message, chunk->data + ROTA_FRAME_PREFIX);
    chunk->size = ROTA_FRAME_PREFIX + size;
    if (call->compress && rota_zip_frame(&call->server->zip, &chunk) < 0) {
        rota_chunk_unref(chunk);
        return ROTA_ENOMEM;
    }
    call->sent_bytes += chunk->size - ROTA_FRAME_PREFIX;
    err = call->stream->conn->class->send(call->stream, chunk, false);
    rota_server_call_relieve(call);
    return err;
}

rota_err rota_server_call_send(struct rota_server_call *call, const void *message)
{
    return send_message(call, message, false);
}

size_t rota_server_call_queued(const struct rota_server_call *call)
{
    return call->stream == NULL ? 0 : call->stream->conn->class->queued(call->stream);
}

bool rota_server_call_full(struct rota_server_call *call)
{
    bool full = rota_server_call_queued(call) >= call->server->options.send_queue_bytes;

    call->want_writable |= full;
    return full;
}

rota_err rota_server_call_send_initial_metadata(struct rota_server_call *call)
{
    rota_err err;

    rota_host_enter(call->server->parts.host);
    if (is_closed(call))
        return ROTA_ECLOSED;
    err = send_headers(call);
    rota_server_call_relieve(call);
    return err;
}

/* Ends the stream with the status, in trailers or trailers-only. */
static rota_err send_status(struct rota_server_call *call, const struct rota_status *status, struct rota_slice text, const struct rota_metadata *trailing)
{
    const struct rota_conn_class *class = call->stream->conn->class;
    const struct rota_response_end end = {
        .status = status,
        .text = text,
        .trailing = trailing,
        .only = !call->headers_sent,
        .encodings = rota_encoding_of(call->request.encoding) == ROTA_ENCODING_UNKNOWN,
    };
    struct rota_header *headers;
    size_t count;
    rota_err err = rota_response_tail(&end, &call->arena, &headers, &count);

    if (err < 0)
        return err;
    err = call->headers_sent ? class->send_trailers(call->stream, headers, count) : class->send_headers(call->stream, headers, count, true);
    return note_refused(call, headers, count, err);
}

/* The whole of the message of which the status has the beginning, if it is that one's; else nothing. */
static struct rota_slice text_of(const struct rota_server_call *call, const struct rota_status *status)
{
    size_t size = call->text.size == 0 ? 0 : strlen(status->message);

    return size > 0 && size <= call->text.size && memcmp(status->message, call->text.data, size) == 0 ? call->text : (struct rota_slice){0};
}

static void reset(struct rota_server_call *call, uint32_t h2_code)
{
    call->stream->conn->class->reset(call->stream, h2_code);
    rota_server_call_detach(call);
}

/* Status and all that goes before it, on a stream that is there. */
static void send_answer(struct rota_server_call *call, const struct rota_status *status)
{
    static const struct rota_slice cut = {0};
    struct rota_slice text = text_of(call, status);
    /* Initial metadata has its place in response headers only. */
    rota_err err = call->initial != NULL ? send_headers(call) : 0;

    if (err == 0)
        err = send_status(call, status, text, call->trailing);
    if (err == ROTA_ELIMIT && text.size > 0)
        err = send_status(call, status, cut, call->trailing);
    if (err == ROTA_ELIMIT) {
        struct rota_status too_large;
        rota_headers_refused(&too_large, "reply", "client", call->refused_bytes, call->stream->conn->class->max_header_bytes(call->stream->conn));
        err = send_status(call, &too_large, cut, NULL);
    }
    if (err < 0)
        reset(call, H2_INTERNAL_ERROR);
}

void rota_server_call_answer(struct rota_server_call *call, const struct rota_status *status)
{
    struct rota_status changed;

    if (call->answered)
        return;
    if (call->chain != NULL) {
        changed = *status;
        rota_server_intercept_finish(call, &changed);
        status = &changed;
    }
    call->answered = true;
    if (call->stream == NULL)
        return;
    if (call->server->reporter != NULL)
        call->server->reporter->on_answer(call->server->reporter, call, status);
    if (call->conn->leaving && status->code == ROTA_OK)
        return; /* messages that go with it may not have been sent */
    send_answer(call, status);
    rota_server_call_relieve(call);
    /* Behind a reply that the client does not let through, the status would wait without end. */
    if (call->stream == NULL || call->stream->conn->class->queued(call->stream) == 0)
        rota_host_timer_clear(call->server->parts.host, &call->deadline);
}

void rota_server_call_expire(struct rota_server_call *call)
{
    struct rota_status status;

    rota_status_set(&status, ROTA_DEADLINE_EXCEEDED, "the deadline passed on the server");
    /* Trailers would wait behind data that the client does not take, and keep it in memory; or they do. */
    if (call->stream != NULL && call->stream->conn->class->queued(call->stream) > 0)
        reset(call, H2_CANCEL);
    rota_server_call_answer(call, &status);
}

void rota_server_call_finish(struct rota_server_call *call, const struct rota_status *status)
{
    static const struct rota_status ok = {.code = ROTA_OK};

    ROTA_ASSERT(!call->finished);
    rota_host_enter(call->server->parts.host);
    rota_server_call_enter(call);
    rota_server_call_answer(call, status == NULL ? &ok : status);
    call->finished = true;
    rota_server_call_leave(call);
}

void rota_server_call_reply(struct rota_server_call *call, const void *message)
{
    rota_err err = send_message(call, message, true);

    if (err == ROTA_ELIMIT && too_long(call, packed_size(call, message)))
        rota_server_call_fail(call, ROTA_RESOURCE_EXHAUSTED, "reply of %zu bytes not sent: the server's max_reply_bytes is %zu",
                              packed_size(call, message), call->server->options.max_reply_bytes);
    else if (err < 0 && err != ROTA_ECLOSED)
        rota_server_call_fail(call, err == ROTA_ELIMIT || err == ROTA_ENOMEM ? ROTA_RESOURCE_EXHAUSTED : ROTA_INTERNAL, "reply not sent: %s",
                              rota_err_text(err));
    else
        rota_server_call_finish(call, NULL);
}

/* Without memory the beginning will do. */
static void keep_text(struct rota_server_call *call, const char *format, va_list args) ROTA_PRINTF(2, 0);
static void keep_text(struct rota_server_call *call, const char *format, va_list args)
{
    char *text = rota_arena_get(&call->arena, TEXT_MAX_BYTES + 1);

    if (text == NULL)
        return;
    call->text = rota_slice(text, rota_text_format(text, TEXT_MAX_BYTES + 1, format, args));
    rota_text_mend(text, call->text.size);
}

void rota_server_call_fail(struct rota_server_call *call, enum rota_code code, const char *format, ...)
{
    struct rota_status status = {.code = code};
    va_list args;
    size_t size;

    va_start(args, format);
    size = rota_text_format(status.message, sizeof(status.message), format, args);
    va_end(args);
    rota_text_mend(status.message, size);
    if (size + LONGEST_CHARACTER >= sizeof(status.message)) { /* cut, or nearly */
        va_start(args, format);
        keep_text(call, format, args);
        va_end(args);
    }
    rota_server_call_finish(call, &status);
}
