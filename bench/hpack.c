/* hpack.c - what the header fields of a call cost once both tables know them: encoded and decoded, a request's and a response's.
 *
 * usage: hpack [calls]
 */
#include "base/assert.h"
#include "hpack/hpack.h"
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#define BLOCK_BYTES 1024

static const struct {
    struct rota_slice name, value;
    enum rota_hpack_index how;
} fields[] = {
    {ROTA_SLICE(":method"), ROTA_SLICE("POST"), ROTA_HPACK_ADD},
    {ROTA_SLICE(":scheme"), ROTA_SLICE("http"), ROTA_HPACK_ADD},
    {ROTA_SLICE(":path"), ROTA_SLICE("/proto.HelloService/Say"), ROTA_HPACK_ADD},
    {ROTA_SLICE(":authority"), ROTA_SLICE("127.0.0.1:50051"), ROTA_HPACK_ADD},
    {ROTA_SLICE("te"), ROTA_SLICE("trailers"), ROTA_HPACK_ADD},
    {ROTA_SLICE("content-type"), ROTA_SLICE("application/grpc"), ROTA_HPACK_ADD},
    {ROTA_SLICE("user-agent"), ROTA_SLICE("grpc-c-rota/0.1.0"), ROTA_HPACK_ADD},
    {ROTA_SLICE("grpc-accept-encoding"), ROTA_SLICE("identity,gzip,deflate"), ROTA_HPACK_ADD},
    {ROTA_SLICE("grpc-timeout"), ROTA_SLICE("4999873u"), ROTA_HPACK_PLAIN},
    {ROTA_SLICE(":status"), ROTA_SLICE("200"), ROTA_HPACK_ADD},
    {ROTA_SLICE("grpc-status"), ROTA_SLICE("0"), ROTA_HPACK_ADD},
};

/* Of this program alone, so that others disturb it less. */
static int64_t clock_ns(void)
{
    struct timespec t;

    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return t.tv_sec * INT64_C(1000000000) + t.tv_nsec;
}

static size_t encode(struct rota_hpack_encoder *encoder, uint8_t *block)
{
    uint8_t *out = rota_hpack_encode_begin(encoder, block);

    for (size_t i = 0; i < ROTA_COUNT(fields); i++)
        out = rota_hpack_encode(encoder, fields[i].name, fields[i].value, fields[i].how, out);
    return (size_t)(out - block);
}

static void decode(struct rota_hpack_decoder *decoder, struct rota_slice block, struct rota_arena *arena)
{
    struct rota_hpack_field field;
    size_t count = 0;

    rota_hpack_begin(decoder);
    while (rota_hpack_decode(decoder, &block, true, arena, &field) == ROTA_HPACK_FIELD)
        count++;
    ROTA_ASSERT(count == ROTA_COUNT(fields));
    rota_hpack_let_go(decoder);
}

int main(int argc, char **argv)
{
    long calls = argc > 1 ? atol(argv[1]) : 2000000;
    double n_fields = (double)calls * ROTA_COUNT(fields);
    struct rota_hpack_encoder encoder;
    struct rota_hpack_decoder decoder;
    uint8_t block[BLOCK_BYTES];
    struct rota_arena arena;
    int64_t start_ns, encoded_ns, decoded_ns;
    size_t size;

    rota_arena_init(&arena, NULL, 0);
    rota_hpack_encoder_init(&encoder, NULL);
    rota_hpack_decoder_init(&decoder, NULL);
    size = encode(&encoder, block);
    decode(&decoder, rota_slice(block, size), &arena);
    start_ns = clock_ns();
    for (long i = 0; i < calls; i++)
        size = encode(&encoder, block);
    encoded_ns = clock_ns();
    for (long i = 0; i < calls; i++)
        decode(&decoder, rota_slice(block, size), &arena);
    decoded_ns = clock_ns();
    printf("%ld calls of %zu fields in %zu bytes: a field is encoded in %.1f ns and decoded in %.1f ns\n", calls, ROTA_COUNT(fields), size,
        (double)(encoded_ns - start_ns) / n_fields, (double)(decoded_ns - encoded_ns) / n_fields);
    rota_hpack_encoder_fini(&encoder);
    rota_hpack_decoder_fini(&decoder);
    rota_arena_fini(&arena);
    return 0;
}
