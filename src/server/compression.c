/* compression.c - which replies are compressed, and compressed requests.
 *
 * A few kilobytes may be four megabytes, which take milliseconds; what came in one read may be dozens of them. So in one turn of the loop
 * no more than TURN_BYTES are begun; calls beyond that wait, first come first served, while others' bytes are read and answered.
 *
 * Invariants: `compress` only with `gzip`; `gzip` only if the client takes it, and it does not change once the headers are out, because
 * they are what announces it. Source: doc/compression.md in grpc/grpc.
 */
#include "server/server.h"

#define TURN_BYTES ((size_t)1 << 20)

static bool has_time(struct rota_server *server)
{
    int64_t now_ns = server->parts.host->now_ns;

    if (server->inflating_ns != now_ns) {
        server->inflating_ns = now_ns;
        server->inflated_bytes = 0;
    }
    return server->inflated_bytes < TURN_BYTES;
}

static bool set_turn(struct rota_server *server)
{
    struct rota_host *host = server->parts.host;

    return rota_host_timer_set(host, &server->unpack, host->now_ns + 1) == 0;
}

bool rota_server_call_may_inflate(struct rota_server_call *call)
{
    struct rota_server *server = call->server;

    if (has_time(server) || !set_turn(server))
        return true;
    rota_list_remove(&call->turn);
    rota_list_append(&server->packed, &call->turn);
    return false;
}

static void on_turn(struct rota_host_timer *timer, int64_t now_ns)
{
    struct rota_server *server = ROTA_CONTAINER(timer, struct rota_server, unpack);

    (void)now_ns;
    while (!rota_list_empty(&server->packed) && (has_time(server) || !set_turn(server))) {
        struct rota_server_call *call = ROTA_CONTAINER(rota_list_pop(&server->packed), struct rota_server_call, turn);
        rota_server_call_pump(&call->pump);
    }
}

void rota_server_inflate_init(struct rota_server *server)
{
    rota_list_init(&server->packed);
    server->unpack.fire = on_turn;
    server->inflating_ns = INT64_MIN;
}

static bool wants_gzip(const struct rota_server_call *call, enum rota_compression compression)
{
    if (compression == ROTA_COMPRESSION_DEFAULT)
        compression = call->server->options.compression;
    return compression == ROTA_COMPRESSION_GZIP && call->request.accepts_gzip;
}

void rota_server_call_begin_compression(struct rota_server_call *call)
{
    call->gzip = call->compress = wants_gzip(call, ROTA_COMPRESSION_DEFAULT);
}

rota_err rota_server_call_set_compression(struct rota_server_call *call, enum rota_compression compression)
{
    bool wanted = wants_gzip(call, compression);

    if (wanted && !call->gzip && call->headers_sent)
        return ROTA_ESTATE;
    call->gzip |= wanted;
    call->compress = wanted;
    return 0;
}

bool rota_server_call_was_compressed(const struct rota_server_call *call)
{
    return call->came_compressed;
}

bool rota_server_call_decompress(struct rota_server_call *call, struct rota_slice packed, struct rota_chunk **ret_plain, struct rota_status *ret_status)
{
    enum rota_encoding encoding = rota_encoding_of(call->request.encoding);
    struct rota_errinfo info;
    rota_err err;

    if (encoding == ROTA_ENCODING_IDENTITY || encoding == ROTA_ENCODING_UNKNOWN) {
        rota_compressed_status(call->request.encoding, true, ret_status);
        return false;
    }
    err = rota_zip_open(&call->server->zip, encoding, packed, call->server->options.max_request_bytes, ret_plain, &info);
    call->server->inflated_bytes += err == 0 ? (*ret_plain)->size : call->server->options.max_request_bytes;
    if (err < 0)
        rota_status_set(ret_status, err == ROTA_EPARSE ? ROTA_INTERNAL : ROTA_RESOURCE_EXHAUSTED, "%s", info.text);
    return err == 0;
}
