/* codec.c - what gRPC's own parts of a call cost, both sides together: headers written and read, a message framed and taken apart, trailers.
 *
 * usage: codec [calls]
 */
#include "base/alloc.h"
#include "base/assert.h"
#include "wire/frame.h"
#include "wire/grpc.h"
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#define MESSAGE_BYTES 20
#define ARENA_BYTES 2048

static struct rota_arena arena;

static int64_t clock_ns(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec * INT64_C(1000000000) + t.tv_nsec;
}

static void request(void)
{
    static const struct rota_request_head head = {
        .path = ROTA_SLICE("/proto.HelloService/Say"), .authority = ROTA_SLICE("127.0.0.1:50051"), .user_agent = ROTA_SLICE("bench/1"),
        .timeout_ns = INT64_C(5000000000)};
    struct rota_request read;
    struct rota_header *headers;
    size_t count;

    ROTA_ASSERT(rota_request_headers(&head, &arena, &headers, &count) == 0);
    ROTA_ASSERT(rota_request_read(&read, &arena, headers, count, 16 << 10) == 0);
    ROTA_ASSERT(read.timeout_ns == head.timeout_ns && read.http_status == 0);
}

static void response(void)
{
    static const struct rota_status ok = {.code = ROTA_OK};
    struct rota_response_end end = {.status = &ok};
    struct rota_response read = {0};
    struct rota_header *headers;
    size_t count;

    ROTA_ASSERT(rota_response_head(&arena, NULL, false, &headers, &count) == 0);
    ROTA_ASSERT(rota_response_headers(&read, &arena, headers, count, false) == 0);
    ROTA_ASSERT(rota_response_tail(&end, &arena, &headers, &count) == 0);
    ROTA_ASSERT(rota_response_trailers(&read, &arena, headers, count) == 0);
    ROTA_ASSERT(read.status_seen && read.status.code == ROTA_OK);
}

static void message(struct rota_frame_decoder *decoder)
{
    static uint8_t bytes[ROTA_FRAME_PREFIX + MESSAGE_BYTES];
    struct rota_slice input = rota_slice(bytes, sizeof(bytes));
    struct rota_frame frame;

    rota_frame_put_prefix(bytes, false, MESSAGE_BYTES);
    ROTA_ASSERT(rota_frame_decode(decoder, &input, &frame, NULL) == 1);
    ROTA_ASSERT(frame.message.size == MESSAGE_BYTES && rota_frame_decode(decoder, &input, &frame, NULL) == 0);
}

int main(int argc, char **argv)
{
    long calls = argc > 1 ? atol(argv[1]) : 2000000;
    struct rota_frame_decoder decoder;
    int64_t start_ns = clock_ns();

    rota_arena_init(&arena, NULL, ARENA_BYTES);
    rota_frame_decoder_init(&decoder, NULL, 1 << 20);
    for (long i = 0; i < calls; i++) {
        request();
        message(&decoder);
        message(&decoder);
        response();
        rota_arena_reset(&arena);
    }
    printf("%ld calls: %.0f ns a call\n", calls, (double)(clock_ns() - start_ns) / (double)calls);
    rota_frame_decoder_fini(&decoder);
    rota_arena_fini(&arena);
    return 0;
}
