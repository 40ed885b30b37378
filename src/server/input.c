/* input.c - a call's incoming bytes: messages decoded, unpacked and handed to the handler, window credit given back.
 *
 * Invariants: credit is given back for a byte when the decoder has taken it, or nobody will, so a held call stops its client after one window,
 * while a message longer than the window still comes in. A method without client streaming is shown its request when the
 * client's half has ended and exactly one message came (the reply then never overtakes the request); one that came compressed stays so
 * until then. What a call keeps meanwhile is counted against its connection and the server, and freed when the handler is done; the call
 * that exceeds max_pending_bytes is ended, and beyond max_total_bytes the connections that hold most (relief.c): credit cannot bound it,
 * since each message must come in whole before the handler can take it.
 */
#include "server/server.h"

#include "base/errinfo.h"

static void fail_with(struct rota_server_call *call, const struct rota_status *status)
{
    rota_server_call_answer(call, status);
    rota_server_call_cancel(call);
}

static void fail(struct rota_server_call *call, enum rota_code code, const char *text)
{
    struct rota_status status;

    rota_status_set(&status, code, "%s", text);
    fail_with(call, &status);
}

static void fail_read(struct rota_server_call *call, rota_err err, const struct rota_errinfo *info)
{
    if (err == ROTA_ENOMEM)
        fail(call, ROTA_RESOURCE_EXHAUSTED, "server out of memory for a request message");
    else
        fail(call, err == ROTA_ELIMIT ? ROTA_RESOURCE_EXHAUSTED : ROTA_INTERNAL, info->text);
}

void rota_server_call_uncount(struct rota_server_call *call)
{
    if (call->conn != NULL) {
        call->conn->pending_bytes -= call->pending_bytes;
        call->server->held_bytes -= call->pending_bytes;
    }
    call->pending_bytes = 0;
}

void rota_server_call_count_head(struct rota_server_call *call)
{
    call->head_bytes = call->arena.used_bytes > ROTA_SERVER_CALL_ARENA_BYTES ? call->arena.used_bytes : 0;
    call->pending_bytes = call->head_bytes;
    call->conn->pending_bytes += call->head_bytes;
    call->server->held_bytes += call->head_bytes;
}

static void give_credit(struct rota_server_call *call, size_t bytes)
{
    if (bytes > 0 && call->stream != NULL)
        call->stream->conn->class->consumed(call->stream, bytes);
}

/* What has come and nobody will take. */
static void drop(struct rota_server_call *call)
{
    give_credit(call, rota_buffer_peek(&call->pending).size);
    rota_buffer_fini(&call->pending);
    rota_buffer_init(&call->pending, call->server->alloc, 0);
    rota_frame_decoder_fini(&call->decoder);
    rota_chunk_unref(call->packed);
    call->packed = NULL;
}

static void count(struct rota_server_call *call)
{
    if (call->conn == NULL)
        return;
    rota_server_call_uncount(call);
    call->pending_bytes = call->head_bytes + rota_buffer_peek(&call->pending).size + rota_frame_decoder_held(&call->decoder);
    if (!call->end_delivered)
        call->pending_bytes += call->message_bytes + (call->packed == NULL ? 0 : call->packed->cap);
    call->conn->pending_bytes += call->pending_bytes;
    call->server->held_bytes += call->pending_bytes;
    if (call->pending_bytes == call->head_bytes || call->answered)
        return;
    if (call->conn->pending_bytes > call->server->options.max_pending_bytes)
        fail(call, ROTA_RESOURCE_EXHAUSTED, "the connection's unfinished requests take too much memory");
    else if (!rota_server_has_room(call->server) && !rota_server_make_room(call->server, call->conn))
        fail(call, ROTA_RESOURCE_EXHAUSTED, "the server's unfinished messages take too much memory");
    else
        return;
    drop(call);
    rota_server_call_uncount(call);
}

void rota_server_call_drop_input(struct rota_server_call *call)
{
    drop(call);
    count(call);
}

/* What the client has yet to take is with the transport. */
void rota_server_call_let_go(struct rota_server_call *call)
{
    rota_arena_reset(&call->arena);
    call->request = (struct rota_request){.http_status = call->request.http_status};
    call->initial = call->trailing = NULL;
    call->message = call->load = NULL;
    call->chain = NULL;
    call->text = (struct rota_slice){0};
    call->head_bytes = call->message_bytes = 0;
    count(call);
}

static bool streams(const struct rota_server_call *call)
{
    return call->method->handler->method->client_streaming;
}

/* False: the call was failed. */
static bool unpack(struct rota_server_call *call, const struct rota_frame *frame, const struct rota_alloc *alloc, void **ret_message)
{
    const struct rota_message_type *type = &call->method->handler->method->request;
    struct rota_slice bytes = frame->message;
    struct rota_errinfo info = {{0}};
    struct rota_chunk *plain = NULL;
    rota_err err;

    call->came_compressed = frame->compressed;
    if (frame->compressed) {
        struct rota_status status;
        if (!rota_server_call_decompress(call, bytes, &plain, &status)) {
            fail(call, status.code, status.message);
            return false;
        }
        bytes = rota_chunk_slice(plain);
    }
    err = type->codec->unpack(type->type, bytes, alloc, ret_message, &info);
    rota_chunk_unref(plain);
    if (err < 0) {
        fail_read(call, err, &info);
        return false;
    }
    return true;
}

/* False: an interceptor has ended the call. */
static bool let_in(struct rota_server_call *call, const void *message)
{
    struct rota_status status;

    if (call->chain == NULL || rota_server_intercept_message(call, message, &status))
        return true;
    fail_with(call, &status);
    return false;
}

/* The one request of a method without client streaming. */
static void take_request(struct rota_server_call *call, const struct rota_frame *frame)
{
    size_t before_bytes = call->arena.used_bytes;

    if (unpack(call, frame, &call->arena.as_alloc, &call->message))
        (void)let_in(call, call->message);
    call->message_bytes = call->arena.used_bytes - before_bytes;
}

/* Until the client's half has ended nobody can use it, and it may become a thousand times as long. */
static void keep_packed(struct rota_server_call *call, struct rota_slice message)
{
    call->packed = rota_chunk_new(call->server->alloc, message.size);
    if (call->packed == NULL) {
        fail(call, ROTA_RESOURCE_EXHAUSTED, "server out of memory for a request message");
        return;
    }
    if (message.size > 0)
        memcpy(call->packed->data, message.data, message.size);
    call->packed->size = message.size;
}

static void take_message(struct rota_server_call *call, const struct rota_frame *frame)
{
    const struct rota_server_method *m = call->method;
    void *message;

    call->received_bytes += frame->message.size;
    if (!streams(call)) {
        if (call->message != NULL || call->packed != NULL)
            fail(call, ROTA_INTERNAL, "more than one request message for a method that takes one");
        else if (frame->compressed)
            keep_packed(call, frame->message);
        else
            take_request(call, frame);
        return;
    }
    if (!unpack(call, frame, call->server->alloc, &message))
        return;
    if (let_in(call, message)) {
        call->shown = true;
        m->handler->on_message(call, message, m->handlers, m->user);
    }
    m->handler->method->request.codec->free(m->handler->method->request.type, message, call->server->alloc);
}

/* Of a connection that is being ended some has been thrown away (feed), so what is there is not taken for the whole. */
static bool may_read(const struct rota_server_call *call)
{
    return !call->held && !call->starting && !call->answered && !call->finished && !call->conn->leaving;
}

/* False: it waits for its turn, and pump goes on. A unary request is kept as it came, which takes no time. */
static bool may_decode(struct rota_server_call *call, const struct rota_slice *data)
{
    if (data->size == 0)
        return true;
    if (!streams(call))
        return !rota_server_is_over(call->server) || !rota_server_call_wait(call);
    return rota_server_call_goes_on(call) && (call->request.encoding.size == 0 || rota_server_call_may_inflate(call));
}

/* Decodes as much of *data as may be read now. */
static void decode(struct rota_server_call *call, struct rota_slice *data)
{
    while (may_read(call) && may_decode(call, data)) {
        struct rota_errinfo info = {{0}};
        struct rota_frame frame;
        size_t before = data->size;
        int got = rota_frame_decode(&call->decoder, data, &frame, &info);

        give_credit(call, before - data->size);
        if (got == 0)
            return;
        if (got < 0)
            fail_read(call, got, &info);
        else
            take_message(call, &frame);
    }
}

/* False: the call was failed. */
static bool take_packed(struct rota_server_call *call)
{
    struct rota_frame frame = {.compressed = true, .message = rota_chunk_slice(call->packed)};

    take_request(call, &frame);
    rota_chunk_unref(call->packed);
    call->packed = NULL;
    return may_read(call);
}

static void deliver_end(struct rota_server_call *call)
{
    const struct rota_server_method *m = call->method;

    if (!call->input_end || call->end_delivered || !may_read(call))
        return;
    if (!rota_frame_decoder_clean(&call->decoder)) {
        fail(call, ROTA_INTERNAL, "the stream ended inside a message");
        return;
    }
    if (!rota_server_call_goes_on(call))
        return;
    if (call->packed != NULL && (!rota_server_call_may_inflate(call) || !take_packed(call)))
        return;
    if (!streams(call) && call->message == NULL) {
        fail(call, ROTA_INTERNAL, "no request message for a method that takes one");
        return;
    }
    call->end_delivered = true;
    call->shown = true;
    if (!streams(call))
        m->handler->on_message(call, call->message, m->handlers, m->user);
    if (m->handler->on_end != NULL && !call->finished)
        m->handler->on_end(call, m->handlers, m->user);
}

void rota_server_call_feed(struct rota_server_call *call, struct rota_slice data)
{
    struct rota_slice waiting = rota_buffer_peek(&call->pending);

    if (call->answered || call->finished || call->method == NULL || call->conn->leaving) {
        give_credit(call, data.size);
        return;
    }
    if (waiting.size == 0)
        decode(call, &data);
    if (call->answered || call->finished)
        give_credit(call, data.size);
    else if (data.size > 0 && rota_buffer_append(&call->pending, data) < 0)
        fail(call, ROTA_RESOURCE_EXHAUSTED, "server out of memory");
    count(call);
}

void rota_server_call_end_input(struct rota_server_call *call)
{
    call->input_end = true;
    if (call->request.http_status != 0)
        rota_server_call_answer_http(call);
    else if (rota_buffer_peek(&call->pending).size == 0 && call->method != NULL)
        deliver_end(call);
    count(call);
}

void rota_server_call_pump(struct rota_host_task *task)
{
    struct rota_server_call *call = ROTA_CONTAINER(task, struct rota_server_call, pump);
    struct rota_slice waiting = rota_buffer_peek(&call->pending), left = waiting;

    rota_server_call_enter(call);
    decode(call, &left);
    rota_buffer_consume(&call->pending, waiting.size - left.size);
    if (left.size == 0 && call->method != NULL)
        deliver_end(call);
    count(call);
    rota_server_call_leave(call);
}
