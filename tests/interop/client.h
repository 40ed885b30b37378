/* client.h - the cases of the interop client, and what they share.
 *
 * A case gets a channel that has made no call yet. It returns whether the server did what it should; what it did instead
 * has been printed by then. Calls have no deadline of their own: who runs the client bounds it.
 */
#ifndef INTEROP_CLIENT_H
#define INTEROP_CLIENT_H

#include "common.h"

#define LARGE_REQUEST 271828
#define LARGE_REPLY 314159
#define MAX_SOAK_THREADS 64

struct interop {
    struct rota_loop *loop; /* the program's own: blocking calls turn it */
    struct rota_channel *channel;
    const char *host, *authority; /* authority may be NULL */
    long port;
    const struct rota_tls_options *tls; /* NULL: plaintext */
    const struct rota_lb_class *const *policies; /* of a case's own; NULL: none */
    const char *service_config;                  /* NULL: none */
    const struct rota_client_interceptor *interceptors; /* NULL: none */
    struct {
        long threads, iterations, max_failures, max_latency_ms, overall_timeout_s, min_ms_between, request_bytes, reply_bytes;
    } soak;
};

/* A new channel to the server; NULL when that failed, which has been printed. */
struct rota_channel *open_channel(const struct interop *at);

/* Prints the sentence unless it holds. Returns whether it does. */
bool expect(bool holds, const char *format, ...) __attribute__((format(printf, 2, 3)));
bool expect_code(struct rota_status status, enum rota_code code);
/* message as well, byte for byte */
bool expect_status(struct rota_status status, enum rota_code code, const char *message);

/* UnaryCall with that much asked for; OK means the right reply came as well. */
bool unary_of(struct rota_channel *channel, const struct rota_call_options *options, size_t request_bytes, size_t reply_bytes);

/* One message of a FullDuplexCall: a payload, and one reply asked for; the call has ended when it fails. */
bool ping(struct rota_call *call, size_t request_bytes, size_t reply_bytes);
/* Waits for that reply. */
bool pong(struct rota_call *call, size_t reply_bytes);

bool empty_unary(struct interop *at);
bool large_unary(struct interop *at);
bool concurrent_large_unary(struct interop *at);
bool unimplemented_method(struct interop *at);
bool unimplemented_service(struct interop *at);
bool client_streaming(struct interop *at);
bool server_streaming(struct interop *at);
bool ping_pong(struct interop *at);
bool empty_stream(struct interop *at);
bool cancel_after_begin(struct interop *at);
bool cancel_after_first_response(struct interop *at);
bool timeout_on_sleeping_server(struct interop *at);
bool custom_metadata(struct interop *at);
bool status_code_and_message(struct interop *at);
bool special_status_message(struct interop *at);
bool client_compressed_unary(struct interop *at);
bool client_compressed_streaming(struct interop *at);
bool server_compressed_unary(struct interop *at);
bool server_compressed_streaming(struct interop *at);
bool orca_per_rpc(struct interop *at);
bool orca_oob(struct interop *at);
bool rpc_soak(struct interop *at);
bool channel_soak(struct interop *at);

#endif
