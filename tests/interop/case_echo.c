/* case_echo.c - cases in which the server says what it was told to: metadata, status. */
#include "client.h"

#define INITIAL_KEY "x-grpc-test-echo-initial"
#define INITIAL_VALUE "test_initial_metadata_value"
#define TRAILING_KEY "x-grpc-test-echo-trailing-bin"
#define TRAILING_VALUE "\xab\xab\xab"

static bool has(const struct rota_metadata *metadata, const char *where, const char *key, const char *value)
{
    struct rota_slice got;
    char text[2][256];

    if (!expect(metadata != NULL && rota_metadata_get(metadata, key, &got), "no %s in the %s metadata", key, where))
        return false;
    return expect(rota_slice_equal(got, rota_slice_str(value)), "the value of %s is \"%s\", expected \"%s\"", key, printable(got, text[0], sizeof(text[0])),
                  printable(rota_slice_str(value), text[1], sizeof(text[1])));
}

static bool was_echoed(const struct rota_metadata *initial, const struct rota_metadata *trailing)
{
    return has(initial, "initial", INITIAL_KEY, INITIAL_VALUE) && has(trailing, "trailing", TRAILING_KEY, TRAILING_VALUE);
}

static bool metadata_of_unary(struct interop *at, const struct rota_metadata *sent)
{
    struct rota_call_options options = ROTA_CALL_OPTIONS_INIT;
    struct rota_metadata *initial = NULL, *trailing = NULL;
    bool right;

    options.metadata = sent;
    options.ret_initial_metadata = &initial;
    options.ret_trailing_metadata = &trailing;
    right = unary_of(at->channel, &options, LARGE_REQUEST, LARGE_REPLY) && was_echoed(initial, trailing);
    rota_metadata_free(initial);
    rota_metadata_free(trailing);
    return right;
}

static bool metadata_of_stream(struct interop *at, const struct rota_metadata *sent)
{
    struct rota_call_options options = ROTA_CALL_OPTIONS_INIT;
    Grpc__Testing__StreamingOutputCallResponse *reply;
    struct rota_call *call;
    enum step step;

    options.metadata = sent;
    if (!expect(grpc_testing_test_service_full_duplex_call_open(at->channel, &options, &call) == 0, "the call does not open"))
        return false;
    step = ping_pong_once(call, LARGE_REQUEST, LARGE_REPLY);
    if (step != STEP_DONE)
        return finish_call(call, step);
    rota_call_send_end(call);
    while (grpc_testing_test_service_full_duplex_call_recv(call, &reply))
        grpc__testing__streaming_output_call_response__free_unpacked(reply, NULL);
    if (!was_echoed(rota_call_initial_metadata(call), rota_call_trailing_metadata(call)))
        step = STEP_ENDED; /* how it ended may be the reason */
    return finish_call(call, step);
}

bool custom_metadata(struct interop *at)
{
    struct rota_metadata *sent = NULL;
    bool right;

    right = expect(rota_metadata_new(NULL, &sent) == 0 && rota_metadata_add_text(sent, INITIAL_KEY, INITIAL_VALUE) == 0 &&
                       rota_metadata_add_text(sent, TRAILING_KEY, TRAILING_VALUE) == 0,
                   "the metadata cannot be made");
    right = right && metadata_of_unary(at, sent) && metadata_of_stream(at, sent);
    rota_metadata_free(sent);
    return right;
}

static bool status_of_unary(struct interop *at, Grpc__Testing__EchoStatus *wanted)
{
    Grpc__Testing__SimpleRequest request = GRPC__TESTING__SIMPLE_REQUEST__INIT;

    request.response_status = wanted;
    return expect_status(grpc_testing_test_service_unary_call(at->channel, NULL, &request, NULL), (enum rota_code)wanted->code, wanted->message);
}

static bool status_of_stream(struct interop *at, Grpc__Testing__EchoStatus *wanted)
{
    Grpc__Testing__StreamingOutputCallRequest request = GRPC__TESTING__STREAMING_OUTPUT_CALL_REQUEST__INIT;
    Grpc__Testing__StreamingOutputCallResponse *reply;
    struct rota_call *call;
    bool sent;

    request.response_status = wanted;
    if (!expect(grpc_testing_test_service_full_duplex_call_open(at->channel, NULL, &call) == 0, "the call does not open"))
        return false;
    sent = expect(grpc_testing_test_service_full_duplex_call_send(call, &request) == 0, "the call ended before the request");
    rota_call_send_end(call);
    while (grpc_testing_test_service_full_duplex_call_recv(call, &reply))
        grpc__testing__streaming_output_call_response__free_unpacked(reply, NULL);
    return expect_status(rota_call_finish(call), (enum rota_code)wanted->code, wanted->message) && sent;
}

bool status_code_and_message(struct interop *at)
{
    Grpc__Testing__EchoStatus wanted = GRPC__TESTING__ECHO_STATUS__INIT;

    wanted.code = ROTA_UNKNOWN;
    wanted.message = (char *)"test status message";
    return status_of_unary(at, &wanted) && status_of_stream(at, &wanted);
}

bool special_status_message(struct interop *at)
{
    Grpc__Testing__EchoStatus wanted = GRPC__TESTING__ECHO_STATUS__INIT;

    wanted.code = ROTA_UNKNOWN;
    wanted.message = (char *)"\t\ntest with whitespace\r\nand Unicode BMP \u263a and non-BMP \U0001f608\t\n";
    return status_of_unary(at, &wanted);
}
