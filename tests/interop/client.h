/* client.h - the cases of the interop client, and what they share (expect.c).
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
    char uri[300]; /* of both */
    const struct rota_tls_options *tls; /* NULL: plaintext */
    const char *service_config;         /* NULL: none */
    const struct rota_client_interceptor *interceptors; /* NULL: none */
    long oob_patience_s; /* how long reports out of band are waited for */
    struct {
        long threads, iterations, max_failures, max_latency_ms, overall_timeout_s, min_ms_between, request_bytes, reply_bytes;
    } soak;
};

/* A new channel to the server; NULL when that failed, which has been printed. */
struct rota_channel *open_channel(const struct interop *at);

/* The policy of the load report cases, which every channel knows by name. */
extern const struct rota_lb_class orca_listener;

/* Prints the sentence unless it holds. Returns whether it does. What a server said goes in printable. */
bool expect(bool holds, const char *format, ...) __attribute__((format(printf, 2, 3)));
bool expect_code(struct rota_status status, enum rota_code code);
/* message as well, byte for byte */
bool expect_status(struct rota_status status, enum rota_code code, const char *message);

/* Whether the payload is that many zeros; if not, *ret_why says what it is instead. None counts as an empty one. */
#define WHY_SIZE 128
bool are_zeros(const Grpc__Testing__Payload *payload, size_t size, char ret_why[WHY_SIZE]);
bool expect_zeros(const Grpc__Testing__Payload *payload, size_t size);

/* How far a call got. */
enum step {
    STEP_DONE,
    STEP_WRONG, /* something that came was wrong, which has been printed */
    STEP_ENDED, /* the call ended too soon, which has been printed; finish says how */
};

/* Ends the call, which must be OK. After what was wrong that is by cancelling, and of that nothing is told. */
bool finish_call(struct rota_call *call, enum step step);

/* UnaryCall with that much asked for; OK means the right reply came as well. */
bool unary_of(struct rota_channel *channel, const struct rota_call_options *options, size_t request_bytes, size_t reply_bytes);

/* One message of a FullDuplexCall: a payload, and one reply asked for, which is waited for. */
enum step ping_pong_once(struct rota_call *call, size_t request_bytes, size_t reply_bytes);
/* Waits for such a reply. */
enum step pong(struct rota_call *call, size_t reply_bytes);

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
