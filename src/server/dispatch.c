/* dispatch.c - from a stream's headers to the handler of its method, or to the right refusal.
 *
 * Order of refusals as gRPC servers have it: not HTTP POST or not gRPC (an HTTP status), headers gRPC cannot accept, unknown
 * method, a deadline already past. An HTTP status is said when the request has come to its end, which is what clients that know no
 * gRPC expect, or has let us wait for HTTP_PATIENCE_NS. Source: doc/PROTOCOL-HTTP2.md, doc/statuscodes.md in grpc/grpc.
 */
#include "server/server.h"

#include "base/assert.h"
#include "base/log.h"
#include <stdio.h>

#define H2_REFUSED_STREAM 7
#define HTTP_PATIENCE_NS INT64_C(1000000000)

/* For the person who has pointed a browser or curl at the port. */
static const char explanation[] = "This is a gRPC server: it takes POST with content-type application/grpc and te trailers.\n";

static rota_err send_http(struct rota_server_call *call)
{
    const struct rota_conn_class *class = call->stream->conn->class;
    struct rota_slice text = rota_slice(explanation, sizeof(explanation) - 1);
    char digits[12];
    struct rota_header headers[] = {{ROTA_SLICE(":status"), {0}}, {ROTA_SLICE("content-type"), ROTA_SLICE("text/plain")}, {ROTA_SLICE("allow"), ROTA_SLICE("POST")}};
    size_t count = ROTA_COUNT(headers) - (call->request.http_status != 405); /* which has to say what is allowed (RFC 9110, 15.5.6) */
    struct rota_chunk *chunk;
    rota_err err;

    headers[0].value = rota_slice(digits, (size_t)snprintf(digits, sizeof(digits), "%d", call->request.http_status));
    err = class->send_headers(call->stream, headers, count, call->head_only);
    if (err < 0 || call->head_only)
        return err;
    chunk = rota_chunk_new(call->server->alloc, text.size);
    if (chunk == NULL)
        return ROTA_ENOMEM;
    memcpy(chunk->data, text.data, text.size);
    chunk->size = text.size;
    return class->send(call->stream, chunk, true);
}

void rota_server_call_answer_http(struct rota_server_call *call)
{
    if (call->answered || call->stream == NULL)
        return;
    call->answered = true;
    call->finished = true;
    rota_host_timer_clear(call->server->parts.host, &call->deadline);
    if (send_http(call) < 0) {
        call->stream->conn->class->reset(call->stream, H2_REFUSED_STREAM);
        rota_server_call_detach(call);
    }
    rota_server_call_relieve(call);
}

/* The timer of a call's deadline serves here too. */
static void await_end(struct rota_server_call *call)
{
    struct rota_host *host = call->server->parts.host;

    if (rota_host_timer_set(host, &call->deadline, host->now_ns + HTTP_PATIENCE_NS) < 0)
        rota_server_call_answer_http(call);
}

static bool is_head(const struct rota_header *headers, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (rota_slice_equal(headers[i].name, ROTA_SLICE(":method")))
            return rota_slice_equal(headers[i].value, ROTA_SLICE("HEAD"));
    }
    return false;
}

void rota_server_call_refuse(struct rota_server_call *call, const struct rota_status *status)
{
    call->finished = true;
    rota_server_call_answer(call, status);
}

static void refuse_with(struct rota_server_call *call, enum rota_code code, const char *text)
{
    struct rota_status status;

    rota_status_set(&status, code, "%s", text);
    rota_server_call_refuse(call, &status);
}

static void refuse_unknown(struct rota_server_call *call)
{
    struct rota_slice path = call->request.path, service;
    const uint8_t *slash = path.size < 2 ? NULL : memchr(path.data + 1, '/', path.size - 1);
    struct rota_status status;

    if (slash == NULL) {
        rota_status_set(&status, ROTA_UNIMPLEMENTED, "malformed method name: \"%.*s\"", (int)path.size, (const char *)path.data);
    } else {
        service = rota_slice(path.data + 1, (size_t)(slash - path.data) - 1);
        if (rota_map_get(&call->server->services, service) == NULL)
            rota_status_set(&status, ROTA_UNIMPLEMENTED, "unknown service %.*s", (int)service.size, (const char *)service.data);
        else
            rota_status_set(&status, ROTA_UNIMPLEMENTED, "unknown method %.*s for service %.*s",
                            (int)(path.data + path.size - slash - 1), (const char *)slash + 1, (int)service.size, (const char *)service.data);
    }
    rota_server_call_refuse(call, &status);
}

/* False: there is no memory to watch the deadline with. */
static bool set_deadline(struct rota_server_call *call)
{
    int64_t now_ns = call->server->parts.host->now_ns;

    call->deadline_ns = INT64_MAX;
    if (call->request.timeout_ns == INT64_MAX || call->request.timeout_ns > INT64_MAX - now_ns)
        return true;
    call->deadline_ns = now_ns + call->request.timeout_ns;
    return rota_host_timer_set(call->server->parts.host, &call->deadline, call->deadline_ns) == 0;
}

/* Looks whether the server has room, and makes some. False: at this call's connection's cost. */
static bool may_stay(const struct rota_server_call *call)
{
    if (call->conn->leaving)
        return false;
    return rota_server_has_room(call->server) || rota_server_make_room(call->server, call->conn);
}

void rota_server_call_proceed(struct rota_server_call *call)
{
    const struct rota_handler *handler;

    if (call->method == NULL) {
        refuse_unknown(call);
        return;
    }
    if (call->request.timeout_ns <= 0) {
        refuse_with(call, ROTA_DEADLINE_EXCEEDED, "the deadline had passed when the call arrived");
        return;
    }
    if (call->conn != NULL && call->conn->pending_bytes + call->conn->conn->queued_bytes > call->server->options.max_pending_bytes) {
        refuse_with(call, ROTA_RESOURCE_EXHAUSTED, "what waits on the connection takes too much memory");
        return;
    }
    if (call->conn != NULL && !may_stay(call)) {
        refuse_with(call, ROTA_RESOURCE_EXHAUSTED, "the server's unfinished messages take too much memory");
        return;
    }
    handler = call->method->handler;
    if (handler->on_start != NULL) {
        call->shown = true;
        handler->on_start(call, call->method->handlers, call->method->user);
    }
}

static void start(struct rota_server_call *call)
{
    call->method = rota_map_get(&call->server->methods, call->request.path);
    call->decoder.max_bytes = call->server->options.max_request_bytes;
    rota_server_call_begin_compression(call);
    if (call->request.timeout_ns > 0 && !set_deadline(call))
        refuse_with(call, ROTA_RESOURCE_EXHAUSTED, "server out of memory");
    else if (call->server->n_interceptors == 0 || rota_server_intercept_start(call))
        rota_server_call_proceed(call);
}

void rota_server_dispatch(struct rota_server_conn *conn, struct rota_stream *stream, const struct rota_header *headers, size_t count, bool end)
{
    struct rota_server *server = conn->server;
    struct rota_server_call *call = rota_server_call_make(server);

    if (call == NULL) {
        rota_log_write(server->log, ROTA_LOG_ERROR, "server", "%s: call refused, out of memory", conn->peer);
        stream->conn->class->reset(stream, H2_REFUSED_STREAM);
        return;
    }
    call->conn = conn;
    call->stream = stream;
    memcpy(call->peer, conn->peer, sizeof(call->peer));
    if (stream->conn->class->identity != NULL)
        call->identity = rota_identity_ref(stream->conn->class->identity(stream->conn));
    stream->conn->class->adopt(stream, &rota_server_stream_events, call);
    rota_server_call_enter(call);
    if (rota_request_read(&call->request, &call->arena, headers, count, server->options.max_header_bytes) < 0) {
        stream->conn->class->reset(stream, H2_REFUSED_STREAM);
        call->answered = call->finished = true;
        rota_server_call_detach(call);
        rota_server_call_leave(call);
        return;
    }
    rota_server_call_count_head(call);
    /* Also for a call that is refused: its answer waits for as long as the client likes. */
    if (call->head_bytes > 0)
        (void)may_stay(call);
    if (call->request.http_status != 0) {
        call->head_only = is_head(headers, count);
        if (!end)
            await_end(call);
    } else if (call->request.reject.code != ROTA_OK) {
        rota_server_call_refuse(call, &call->request.reject);
    } else {
        start(call);
    }
    if (end && (call->method != NULL || call->request.http_status != 0))
        rota_server_call_end_input(call);
    rota_server_call_leave(call);
}
