/* case_unary.c - cases of one request and one reply. */
#include "client.h"

#include <stdio.h>
#include <stdlib.h>

#define N_CONCURRENT 1000

bool empty_unary(struct interop *at)
{
    Grpc__Testing__Empty request = GRPC__TESTING__EMPTY__INIT;
    Grpc__Testing__Empty *reply;

    if (!expect_code(grpc_testing_test_service_empty_call(at->channel, NULL, &request, &reply), ROTA_OK))
        return false;
    grpc__testing__empty__free_unpacked(reply, NULL);
    return true;
}

bool unary_of(struct rota_channel *channel, const struct rota_call_options *options, size_t request_bytes, size_t reply_bytes)
{
    Grpc__Testing__SimpleRequest request = GRPC__TESTING__SIMPLE_REQUEST__INIT;
    Grpc__Testing__Payload payload = zero_payload(request_bytes);
    Grpc__Testing__SimpleResponse *reply;
    bool right;

    request.response_size = (int32_t)reply_bytes;
    request.payload = &payload;
    if (!expect_code(grpc_testing_test_service_unary_call(channel, options, &request, &reply), ROTA_OK))
        return false;
    right = expect_zeros(reply->payload, reply_bytes);
    grpc__testing__simple_response__free_unpacked(reply, NULL);
    return right;
}

bool large_unary(struct interop *at)
{
    return unary_of(at->channel, NULL, LARGE_REQUEST, LARGE_REPLY);
}

/* --- Many at once, so asynchronously --- */

struct many {
    struct rota_loop *loop;
    int left, right;
};

static void on_reply(void *arg, const struct rota_status *status, const Grpc__Testing__SimpleResponse *reply)
{
    struct many *many = arg;

    if (expect_code(*status, ROTA_OK) && expect_zeros(reply->payload, LARGE_REPLY))
        many->right++;
    if (--many->left == 0)
        rota_loop_stop(many->loop);
}

bool concurrent_large_unary(struct interop *at)
{
    Grpc__Testing__SimpleRequest request = GRPC__TESTING__SIMPLE_REQUEST__INIT;
    Grpc__Testing__Payload payload = zero_payload(LARGE_REQUEST);
    struct many many = {.loop = at->loop};

    request.response_size = LARGE_REPLY;
    request.payload = &payload;
    for (int i = 0; i < N_CONCURRENT; i++)
        many.left += grpc_testing_test_service_unary_call_start(at->channel, NULL, &request, on_reply, &many, NULL) == 0;
    if (many.left > 0)
        rota_loop_run(at->loop);
    return expect(many.right == N_CONCURRENT, "%d of %d calls succeeded", many.right, N_CONCURRENT);
}

/* --- What no server has --- */

bool unimplemented_method(struct interop *at)
{
    Grpc__Testing__Empty request = GRPC__TESTING__EMPTY__INIT;

    return expect_code(grpc_testing_test_service_unimplemented_call(at->channel, NULL, &request, NULL), ROTA_UNIMPLEMENTED);
}

bool unimplemented_service(struct interop *at)
{
    Grpc__Testing__Empty request = GRPC__TESTING__EMPTY__INIT;

    return expect_code(grpc_testing_unimplemented_service_unimplemented_call(at->channel, NULL, &request, NULL), ROTA_UNIMPLEMENTED);
}
