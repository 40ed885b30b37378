/* case_stream.c - cases of streams: what comes is what was asked for, and nothing after a call has ended. */
#include "client.h"

static const size_t request_sizes[] = {27182, 8, 1828, 45904};
static const size_t reply_sizes[] = {31415, 9, 2653, 58979};

#define N_SIZES (sizeof(request_sizes) / sizeof(request_sizes[0]))

bool client_streaming(struct interop *at)
{
    Grpc__Testing__StreamingInputCallRequest request = GRPC__TESTING__STREAMING_INPUT_CALL_REQUEST__INIT;
    Grpc__Testing__StreamingInputCallResponse *reply;
    struct rota_call *call;
    int32_t total = 0;
    bool right;

    if (!expect(grpc_testing_test_service_streaming_input_call_open(at->channel, NULL, &call) == 0, "the call does not open"))
        return false;
    for (size_t i = 0; i < N_SIZES; i++) {
        Grpc__Testing__Payload payload = zero_payload(request_sizes[i]);
        request.payload = &payload;
        total += (int32_t)request_sizes[i];
        if (grpc_testing_test_service_streaming_input_call_send(call, &request) < 0)
            break; /* finishing tells why */
    }
    if (!expect_code(grpc_testing_test_service_streaming_input_call_finish(call, &reply), ROTA_OK))
        return false;
    right = expect(reply->aggregated_payload_size == total, "the size is %d, expected %d", reply->aggregated_payload_size, total);
    grpc__testing__streaming_input_call_response__free_unpacked(reply, NULL);
    return right;
}

bool server_streaming(struct interop *at)
{
    Grpc__Testing__StreamingOutputCallRequest request = GRPC__TESTING__STREAMING_OUTPUT_CALL_REQUEST__INIT;
    Grpc__Testing__ResponseParameters parameters[N_SIZES], *asked[N_SIZES];
    Grpc__Testing__StreamingOutputCallResponse *reply;
    struct rota_call *call;
    size_t n_replies = 0;
    bool right = true;

    for (size_t i = 0; i < N_SIZES; i++) {
        parameters[i] = (Grpc__Testing__ResponseParameters)GRPC__TESTING__RESPONSE_PARAMETERS__INIT;
        parameters[i].size = (int32_t)reply_sizes[i];
        asked[i] = &parameters[i];
    }
    request.response_parameters = asked;
    request.n_response_parameters = N_SIZES;
    if (!expect(grpc_testing_test_service_streaming_output_call_open(at->channel, NULL, &request, &call) == 0, "the call does not open"))
        return false;
    while (right && grpc_testing_test_service_streaming_output_call_recv(call, &reply)) {
        right = expect(n_replies < N_SIZES, "more than %zu replies", N_SIZES) && expect_zeros(reply->payload, reply_sizes[n_replies]);
        n_replies++;
        grpc__testing__streaming_output_call_response__free_unpacked(reply, NULL);
    }
    if (!right)
        return finish_call(call, STEP_WRONG);
    return finish_call(call, expect(n_replies == N_SIZES, "%zu replies, expected %zu", n_replies, N_SIZES) ? STEP_DONE : STEP_ENDED);
}

/* --- Both directions --- */

enum step ping_pong_once(struct rota_call *call, size_t request_bytes, size_t reply_bytes)
{
    Grpc__Testing__StreamingOutputCallRequest request = GRPC__TESTING__STREAMING_OUTPUT_CALL_REQUEST__INIT;
    Grpc__Testing__ResponseParameters parameters = GRPC__TESTING__RESPONSE_PARAMETERS__INIT, *asked = &parameters;
    Grpc__Testing__Payload payload = zero_payload(request_bytes);

    parameters.size = (int32_t)reply_bytes;
    request.response_parameters = &asked;
    request.n_response_parameters = 1;
    request.payload = &payload;
    if (!expect(grpc_testing_test_service_full_duplex_call_send(call, &request) == 0, "the call ended before the request"))
        return STEP_ENDED;
    return pong(call, reply_bytes);
}

enum step pong(struct rota_call *call, size_t reply_bytes)
{
    Grpc__Testing__StreamingOutputCallResponse *reply;
    bool right;

    if (!expect(grpc_testing_test_service_full_duplex_call_recv(call, &reply), "the stream ended without the reply asked for"))
        return STEP_ENDED;
    right = expect_zeros(reply->payload, reply_bytes);
    grpc__testing__streaming_output_call_response__free_unpacked(reply, NULL);
    return right ? STEP_DONE : STEP_WRONG;
}

/* Half-closes; no reply may come, and the call must end well. */
static bool end_well(struct rota_call *call)
{
    Grpc__Testing__StreamingOutputCallResponse *reply;

    rota_call_send_end(call);
    if (!grpc_testing_test_service_full_duplex_call_recv(call, &reply))
        return finish_call(call, STEP_DONE);
    grpc__testing__streaming_output_call_response__free_unpacked(reply, NULL);
    expect(false, "a reply that nobody asked for");
    return finish_call(call, STEP_WRONG);
}

static bool open_duplex(struct interop *at, const struct rota_call_options *options, struct rota_call **ret_call)
{
    return expect(grpc_testing_test_service_full_duplex_call_open(at->channel, options, ret_call) == 0, "the call does not open");
}

bool ping_pong(struct interop *at)
{
    enum step step = STEP_DONE;
    struct rota_call *call;

    if (!open_duplex(at, NULL, &call))
        return false;
    for (size_t i = 0; step == STEP_DONE && i < N_SIZES; i++)
        step = ping_pong_once(call, request_sizes[i], reply_sizes[i]);
    return step == STEP_DONE ? end_well(call) : finish_call(call, step);
}

bool empty_stream(struct interop *at)
{
    struct rota_call *call;

    return open_duplex(at, NULL, &call) && end_well(call);
}

/* --- Ended by us --- */

/* Another call on the same channel. When it has ended, the connection stands, and what earlier calls had to send has been sent. */
static bool reach_server(struct interop *at)
{
    Grpc__Testing__Empty request = GRPC__TESTING__EMPTY__INIT;

    return expect_code(grpc_testing_test_service_empty_call(at->channel, NULL, &request, NULL), ROTA_OK);
}

bool cancel_after_begin(struct interop *at)
{
    struct rota_call *call;

    if (!expect(grpc_testing_test_service_streaming_input_call_open(at->channel, NULL, &call) == 0, "the call does not open"))
        return false;
    if (!reach_server(at))
        return finish_call(call, STEP_WRONG);
    return expect_code(rota_call_finish(call), ROTA_CANCELLED);
}

bool cancel_after_first_response(struct interop *at)
{
    struct rota_call *call;
    enum step step;

    if (!open_duplex(at, NULL, &call))
        return false;
    step = ping_pong_once(call, request_sizes[0], reply_sizes[0]);
    return step == STEP_DONE ? expect_code(rota_call_finish(call), ROTA_CANCELLED) : finish_call(call, step);
}

bool timeout_on_sleeping_server(struct interop *at)
{
    Grpc__Testing__StreamingOutputCallRequest request = GRPC__TESTING__STREAMING_OUTPUT_CALL_REQUEST__INIT;
    Grpc__Testing__Payload payload = zero_payload(request_sizes[0]);
    struct rota_call_options options = ROTA_CALL_OPTIONS_INIT;
    Grpc__Testing__StreamingOutputCallResponse *reply;
    struct rota_call *call;

    options.timeout_ms = 1;
    request.payload = &payload;
    if (!reach_server(at) || !open_duplex(at, &options, &call))
        return false;
    /* May fail: the millisecond may be over. */
    rota_err ignored = grpc_testing_test_service_full_duplex_call_send(call, &request);
    (void)ignored;
    while (grpc_testing_test_service_full_duplex_call_recv(call, &reply))
        grpc__testing__streaming_output_call_response__free_unpacked(reply, NULL);
    return expect_code(rota_call_finish(call), ROTA_DEADLINE_EXCEEDED);
}
