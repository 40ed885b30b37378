/* call.c - a call's life on the server, from its headers to the moment that handler and stream are both done with it.
 *
 * Vocabulary: answered, the status has gone out or nobody is left to get it; finished, the handler has said its last word. A call
 * is freed when it is finished, its stream has closed and no callback of it is running; what a large one has in its arena goes as soon as it is
 * finished, since its client may take the reply as slowly as it likes. The stream may go first (client gone,
 * deadline: cancelled, the handler is told and must still finish) or last (trailers on their way).
 */
#include "server/server.h"

#include "base/alloc.h"
#include "base/assert.h"

#define SPARE_CALLS 256

static void on_deadline(struct rota_host_timer *timer, int64_t now_ns);

struct rota_server_call *rota_server_call_make(struct rota_server *server)
{
    struct rota_link *link = rota_list_pop(&server->spare);
    struct rota_server_call *call;

    if (link != NULL) {
        call = ROTA_CONTAINER(link, struct rota_server_call, link);
        server->n_spare--;
    } else {
        call = rota_alloc_zero(server->alloc, 1, sizeof(*call));
        if (call == NULL)
            return NULL;
        call->server = server;
        rota_list_init(&call->turn);
        rota_arena_init(&call->arena, server->alloc, ROTA_SERVER_CALL_ARENA_BYTES);
        call->arena.bulk = server->bulk;
        rota_buffer_init(&call->pending, server->alloc, 0);
        rota_frame_decoder_init(&call->decoder, server->bulk, server->options.max_request_bytes);
        call->deadline.fire = on_deadline;
        call->pump.run = rota_server_call_pump;
    }
    call->deadline_ns = INT64_MAX;
    rota_list_append(&server->calls, &call->link);
    server->stats.calls_started++;
    server->stats.calls_open++;
    return call;
}

void rota_server_call_destroy(struct rota_server_call *call)
{
    rota_chunk_unref(call->packed);
    rota_arena_fini(&call->arena);
    rota_buffer_fini(&call->pending);
    rota_frame_decoder_fini(&call->decoder);
    rota_alloc_free(call->server->alloc, call);
}

/* Back to how rota_server_call_make hands it out; memory is kept for the next call. */
static void recycle(struct rota_server_call *call)
{
    struct rota_server *server = call->server;

    rota_host_timer_clear(server->parts.host, &call->deadline);
    rota_host_unpost(server->parts.host, &call->pump);
    rota_list_remove(&call->link);
    server->stats.calls_open--;
    server->stats.calls_ended++;
    rota_identity_unref(call->identity);
    call->identity = NULL;
    if (call->orphan_of != NULL) {
        call->orphan_of->n_orphans--;
        rota_server_conn_release(call->orphan_of);
        call->orphan_of = NULL;
    }
    if (server->n_spare >= SPARE_CALLS) {
        rota_server_call_destroy(call);
        return;
    }
    rota_arena_reset(&call->arena);
    rota_buffer_fini(&call->pending);
    rota_buffer_init(&call->pending, server->alloc, 0);
    rota_frame_decoder_fini(&call->decoder);
    rota_frame_decoder_init(&call->decoder, server->bulk, server->options.max_request_bytes);
    call->method = NULL;
    call->chain = NULL;
    call->sent_bytes = call->received_bytes = 0;
    call->initial = call->trailing = NULL;
    call->message = call->data = call->load = NULL;
    rota_chunk_unref(call->packed);
    call->packed = NULL;
    call->message_bytes = call->refused_bytes = 0;
    call->starting = call->shown = call->input_end = call->end_delivered = call->headers_sent = call->answered = call->finished = false;
    call->cancelled = call->held = call->want_writable = false;
    call->gzip = call->compress = call->came_compressed = false;
    call->text = (struct rota_slice){0};
    rota_list_append(&server->spare, &call->link);
    server->n_spare++;
}

void rota_server_call_enter(struct rota_server_call *call)
{
    call->busy++;
}

void rota_server_call_leave(struct rota_server_call *call)
{
    struct rota_server *server = call->server;

    ROTA_ASSERT(call->busy > 0);
    if (--call->busy > 0)
        return;
    if (call->answered && call->pending_bytes > call->head_bytes)
        rota_server_call_drop_input(call); /* or its credit would be missing until the client takes the reply */
    if (!call->finished)
        return;
    if (call->stream != NULL) {
        if (call->arena.used_bytes > ROTA_SERVER_CALL_ARENA_BYTES)
            rota_server_call_let_go(call);
        return;
    }
    recycle(call);
    rota_server_settle(server);
}

void rota_server_call_cancel_default(struct rota_server_call *call)
{
    const struct rota_server_method *m = call->method;
    const struct rota_handler *handler = m->handler;

    if (call->want_writable && handler->on_writable != NULL) {
        call->want_writable = false;
        handler->on_writable(call, m->handlers, m->user);
    } else if (!call->end_delivered && handler->on_end != NULL) {
        call->end_delivered = true;
        handler->on_end(call, m->handlers, m->user);
    }
}

/* A handler without on_cancel learns of it by the event it waits for: what it then sends goes nowhere and it finishes. */
static void tell_cancelled(struct rota_server_call *call)
{
    const struct rota_server_method *m = call->method;

    if (m->handler->on_cancel != NULL)
        m->handler->on_cancel(call, m->handlers, m->user);
    else
        rota_server_call_cancel_default(call);
}

void rota_server_call_detach(struct rota_server_call *call)
{
    struct rota_server_conn *conn = call->conn;

    rota_server_call_uncount(call);
    rota_list_remove(&call->turn);
    if (conn != NULL && !call->finished) {
        call->orphan_of = conn;
        call->orphan_of->n_orphans++;
    }
    call->stream = NULL;
    call->conn = NULL;
    if (conn != NULL && conn->leaving)
        rota_server_conn_left(conn);
}

void rota_server_call_cancel(struct rota_server_call *call)
{
    if (call->chain != NULL && !call->answered) {
        struct rota_status status = {.code = ROTA_CANCELLED, .message = "the client has gone"};
        rota_server_intercept_finish(call, &status);
    }
    call->answered = true;
    if (call->cancelled || call->finished)
        return;
    call->cancelled = true;
    if (call->stream == NULL)
        rota_host_timer_clear(call->server->parts.host, &call->deadline);
    if (call->shown)
        tell_cancelled(call);
    else
        call->finished = true;
}

static void on_deadline(struct rota_host_timer *timer, int64_t now_ns)
{
    struct rota_server_call *call = ROTA_CONTAINER(timer, struct rota_server_call, deadline);

    (void)now_ns;
    rota_server_call_enter(call);
    if (call->request.http_status != 0) {
        rota_server_call_answer_http(call);
    } else {
        rota_server_call_expire(call);
        rota_server_call_cancel(call);
    }
    rota_server_call_leave(call);
}

static void on_data(void *owner, struct rota_stream *stream, struct rota_slice data)
{
    struct rota_server_call *call = owner;

    (void)stream;
    rota_server_call_enter(call);
    rota_server_call_feed(call, data);
    rota_server_call_leave(call);
}

static void on_end(void *owner, struct rota_stream *stream, const struct rota_header *trailers, size_t count)
{
    struct rota_server_call *call = owner;

    (void)stream;
    (void)trailers;
    (void)count;
    rota_server_call_enter(call);
    rota_server_call_end_input(call);
    rota_server_call_leave(call);
}

static void on_writable(void *owner, struct rota_stream *stream)
{
    struct rota_server_call *call = owner;
    const struct rota_server_method *method = call->method;

    (void)stream;
    if (!call->want_writable || call->answered || method == NULL)
        return;
    call->want_writable = false;
    rota_server_call_enter(call);
    if (method->handler->on_writable != NULL)
        method->handler->on_writable(call, method->handlers, method->user);
    rota_server_call_leave(call);
}

static void on_closed(void *owner, const struct rota_stream_end *end)
{
    struct rota_server_call *call = owner;

    (void)end;
    rota_server_call_enter(call);
    rota_server_call_detach(call);
    rota_server_call_cancel(call);
    rota_server_call_leave(call);
}

const struct rota_stream_events rota_server_stream_events = {
    .on_data = on_data, .on_end = on_end, .on_writable = on_writable, .on_closed = on_closed};

/* --- What handlers ask of a call --- */

void rota_server_call_hold(struct rota_server_call *call)
{
    call->held = true;
}

void rota_server_call_resume(struct rota_server_call *call)
{
    call->held = false;
    rota_host_post(call->server->parts.host, &call->pump);
}

bool rota_server_call_cancelled(const struct rota_server_call *call)
{
    return call->cancelled;
}

int64_t rota_server_call_deadline_ns(const struct rota_server_call *call)
{
    return call->deadline_ns;
}

const struct rota_peer_identity *rota_server_call_peer_identity(const struct rota_server_call *call)
{
    return call->identity == NULL ? NULL : &call->identity->peer;
}

const char *rota_server_call_peer(const struct rota_server_call *call)
{
    return call->peer;
}

const char *rota_server_call_path(const struct rota_server_call *call)
{
    return call->method == NULL ? rota_server_intercept_path(call) : call->method->handler->method->path;
}

const struct rota_method *rota_server_call_method(const struct rota_server_call *call)
{
    return call->method == NULL ? NULL : call->method->handler->method;
}

int64_t rota_server_call_now_ns(const struct rota_server_call *call)
{
    return call->server->parts.host->clock(call->server->parts.host);
}

uint64_t rota_server_call_sent_bytes(const struct rota_server_call *call)
{
    return call->sent_bytes;
}

uint64_t rota_server_call_received_bytes(const struct rota_server_call *call)
{
    return call->received_bytes;
}

struct rota_loop *rota_server_call_loop(const struct rota_server_call *call)
{
    return call->server->parts.loop;
}

const struct rota_metadata *rota_server_call_metadata(const struct rota_server_call *call)
{
    return call->request.metadata;
}

struct rota_metadata *rota_server_call_initial_metadata(struct rota_server_call *call)
{
    if (call->initial == NULL)
        call->initial = rota_metadata_in(&call->arena);
    return call->initial;
}

struct rota_metadata *rota_server_call_trailing_metadata(struct rota_server_call *call)
{
    if (call->trailing == NULL)
        call->trailing = rota_metadata_in(&call->arena);
    return call->trailing;
}

void rota_server_call_set_data(struct rota_server_call *call, void *data)
{
    call->data = data;
}

void *rota_server_call_data(const struct rota_server_call *call)
{
    return call->data;
}
