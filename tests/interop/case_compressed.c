/* case_compressed.c - cases of compression: what is sent compressed arrives so, and what is asked for comes so.
 *
 * A case that rests on the server's looking at the flag first sees that it does: a message that claims wrongly must be refused.
 */
#include "client.h"

static const Grpc__Testing__BoolValue yes = {PROTOBUF_C_MESSAGE_INIT(&grpc__testing__bool_value__descriptor), 1};
static const Grpc__Testing__BoolValue no = {PROTOBUF_C_MESSAGE_INIT(&grpc__testing__bool_value__descriptor), 0};

/* As a field of a message that is only packed. */
static Grpc__Testing__BoolValue *choice(bool value)
{
    return (Grpc__Testing__BoolValue *)(uintptr_t)(value ? &yes : &no);
}

/* --- Ours --- */

static struct rota_status send_unary(struct interop *at, bool compressed, bool claimed, Grpc__Testing__SimpleResponse **ret_reply)
{
    Grpc__Testing__SimpleRequest request = GRPC__TESTING__SIMPLE_REQUEST__INIT;
    Grpc__Testing__Payload payload = zero_payload(LARGE_REQUEST);
    struct rota_call_options options = ROTA_CALL_OPTIONS_INIT;

    options.compression = compressed ? ROTA_COMPRESSION_GZIP : ROTA_COMPRESSION_NONE;
    request.response_size = LARGE_REPLY;
    request.payload = &payload;
    request.expect_compressed = choice(claimed);
    return grpc_testing_test_service_unary_call(at->channel, &options, &request, ret_reply);
}

bool client_compressed_unary(struct interop *at)
{
    Grpc__Testing__SimpleResponse *reply;
    bool right = expect_code(send_unary(at, false, true, NULL), ROTA_INVALID_ARGUMENT);

    for (int compressed = 1; right && compressed >= 0; compressed--) {
        if (!expect_code(send_unary(at, compressed, compressed, &reply), ROTA_OK))
            return false;
        right = expect_zeros(reply->payload, LARGE_REPLY);
        grpc__testing__simple_response__free_unpacked(reply, NULL);
    }
    return right;
}

static bool send_input(struct rota_call *call, size_t size, bool compressed, bool claimed)
{
    Grpc__Testing__StreamingInputCallRequest request = GRPC__TESTING__STREAMING_INPUT_CALL_REQUEST__INIT;
    Grpc__Testing__Payload payload = zero_payload(size);

    if (!expect(rota_call_set_compression(call, compressed ? ROTA_COMPRESSION_GZIP : ROTA_COMPRESSION_NONE) == 0, "compression cannot be set"))
        return false;
    request.payload = &payload;
    request.expect_compressed = choice(claimed);
    return grpc_testing_test_service_streaming_input_call_send(call, &request) == 0;
}

bool client_compressed_streaming(struct interop *at)
{
    struct rota_call_options options = ROTA_CALL_OPTIONS_INIT;
    Grpc__Testing__StreamingInputCallResponse *reply;
    struct rota_call *call;
    bool right;

    options.compression = ROTA_COMPRESSION_GZIP;
    if (!expect(grpc_testing_test_service_streaming_input_call_open(at->channel, &options, &call) == 0, "the call does not open"))
        return false;
    (void)send_input(call, 27182, false, true);
    if (!expect_code(grpc_testing_test_service_streaming_input_call_finish(call, NULL), ROTA_INVALID_ARGUMENT))
        return false;
    if (!expect(grpc_testing_test_service_streaming_input_call_open(at->channel, &options, &call) == 0, "the call does not open"))
        return false;
    right = send_input(call, 27182, true, true) && send_input(call, 45904, false, false);
    if (!expect_code(grpc_testing_test_service_streaming_input_call_finish(call, &reply), ROTA_OK))
        return false;
    right &= expect(reply->aggregated_payload_size == 27182 + 45904, "the size is %d, expected %d", reply->aggregated_payload_size, 27182 + 45904);
    grpc__testing__streaming_input_call_response__free_unpacked(reply, NULL);
    return right;
}

/* --- The server's --- */

static bool came(const struct rota_call *call, bool compressed)
{
    return expect(rota_call_was_compressed(call) == compressed, "a reply came %s", compressed ? "uncompressed" : "compressed");
}

/* Opened rather than made in one go, to have the call that tells. */
static bool ask_unary(struct interop *at, bool compressed)
{
    Grpc__Testing__SimpleRequest request = GRPC__TESTING__SIMPLE_REQUEST__INIT;
    Grpc__Testing__Payload payload = zero_payload(LARGE_REQUEST);
    struct rota_call *call;
    enum step step = STEP_DONE;
    void *reply;
    bool came_one;

    request.response_size = LARGE_REPLY;
    request.payload = &payload;
    request.response_compressed = choice(compressed);
    if (!expect(rota_call_open(at->channel, &grpc_testing_test_service_unary_call_method, NULL, &call) == 0, "the call does not open"))
        return false;
    came_one = rota_call_send(call, &request) == 0 && rota_call_recv(call, &reply);
    if (came_one) {
        if (!came(call, compressed) || !expect_zeros(((Grpc__Testing__SimpleResponse *)reply)->payload, LARGE_REPLY))
            step = STEP_WRONG;
        grpc__testing__simple_response__free_unpacked(reply, NULL);
        while (rota_call_recv(call, &reply))
            grpc__testing__simple_response__free_unpacked(reply, NULL);
    }
    return finish_call(call, step) && expect(came_one, "there is no reply");
}

bool server_compressed_unary(struct interop *at)
{
    return ask_unary(at, true) && ask_unary(at, false);
}

bool server_compressed_streaming(struct interop *at)
{
    static const size_t sizes[] = {31415, 92653};
    Grpc__Testing__StreamingOutputCallRequest request = GRPC__TESTING__STREAMING_OUTPUT_CALL_REQUEST__INIT;
    Grpc__Testing__ResponseParameters parameters[2], *asked[2];
    Grpc__Testing__StreamingOutputCallResponse *reply;
    struct rota_call *call;
    size_t n_replies = 0;
    bool right = true;

    for (size_t i = 0; i < 2; i++) {
        parameters[i] = (Grpc__Testing__ResponseParameters)GRPC__TESTING__RESPONSE_PARAMETERS__INIT;
        parameters[i].size = (int32_t)sizes[i];
        parameters[i].compressed = choice(i == 0);
        asked[i] = &parameters[i];
    }
    request.response_parameters = asked;
    request.n_response_parameters = 2;
    if (!expect(grpc_testing_test_service_streaming_output_call_open(at->channel, NULL, &request, &call) == 0, "the call does not open"))
        return false;
    while (right && grpc_testing_test_service_streaming_output_call_recv(call, &reply)) {
        right = expect(n_replies < 2, "more than two replies") && came(call, n_replies == 0) && expect_zeros(reply->payload, sizes[n_replies]);
        n_replies++;
        grpc__testing__streaming_output_call_response__free_unpacked(reply, NULL);
    }
    if (!right)
        return finish_call(call, STEP_WRONG);
    return finish_call(call, expect(n_replies == 2, "%zu replies, expected 2", n_replies) ? STEP_DONE : STEP_ENDED);
}
