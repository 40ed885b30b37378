/* frame.c - the frame decoder: the same messages come out whole and byte by byte, and what it keeps is bounded by what has come of a message,
 * whatever its prefix claims: GAIN times that, or MIN_BYTES. */
#include "wire/frame.h"
#include "base/assert.h"

#define MAX_BYTES 65536
#define MIN_BYTES 4096
#define GAIN 8

struct result {
    uint64_t sum;
    size_t n_messages, came; /* bytes since the last message */
    int last;
};

static void check_memory(const struct rota_frame_decoder *d, size_t came)
{
    size_t held = rota_frame_decoder_held(d);

    ROTA_ASSERT(held <= MAX_BYTES && (held <= MIN_BYTES || held <= GAIN * came));
    ROTA_ASSERT(held == 0 || held <= d->want);
}

static void decode(struct rota_frame_decoder *d, struct rota_slice input, struct result *result)
{
    struct rota_frame frame;

    result->came += input.size;
    while ((result->last = rota_frame_decode(d, &input, &frame, NULL)) > 0) {
        result->n_messages++;
        result->sum = result->sum * 31 + frame.message.size + frame.compressed;
        for (size_t i = 0; i < frame.message.size; i++)
            result->sum = result->sum * 31 + frame.message.data[i];
        ROTA_ASSERT(frame.message.size <= MAX_BYTES);
        result->came = input.size;
    }
    check_memory(d, result->came);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size_bytes)
{
    struct rota_frame_decoder whole, bytes;
    struct result a = {0}, b = {0};

    rota_frame_decoder_init(&whole, NULL, MAX_BYTES);
    rota_frame_decoder_init(&bytes, NULL, MAX_BYTES);
    decode(&whole, rota_slice(data, size_bytes), &a);
    for (size_t i = 0; i < size_bytes && b.last >= 0; i++)
        decode(&bytes, rota_slice(data + i, 1), &b);
    ROTA_ASSERT(a.sum == b.sum && a.n_messages == b.n_messages && a.last == b.last);
    ROTA_ASSERT(rota_frame_decoder_clean(&whole) == rota_frame_decoder_clean(&bytes));
    rota_frame_decoder_fini(&whole);
    rota_frame_decoder_fini(&bytes);
    return 0;
}
