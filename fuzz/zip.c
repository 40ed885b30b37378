/* zip.c - compressed messages (first byte: gzip or deflate): bounded whatever they claim, the same from a used state, and round trips. */
#include "wire/zip.h"
#include "base/assert.h"
#include "wire/frame.h"

#define MAX_BYTES 4096

static rota_err open_bounded(struct rota_zip *zip, enum rota_encoding encoding, struct rota_slice packed, struct rota_chunk **ret_chunk)
{
    struct rota_errinfo info = {{0}};
    rota_err err = rota_zip_open(zip, encoding, packed, MAX_BYTES, ret_chunk, &info);

    ROTA_ASSERT(err == 0 || err == ROTA_ELIMIT || err == ROTA_EPARSE);
    ROTA_ASSERT(err == 0 || info.text[0] != '\0');
    ROTA_ASSERT(err < 0 || ((*ret_chunk)->size <= MAX_BYTES && (*ret_chunk)->cap <= MAX_BYTES));
    return err;
}

static void compare(struct rota_chunk *a, struct rota_chunk *b)
{
    ROTA_ASSERT(rota_slice_equal(rota_chunk_slice(a), rota_chunk_slice(b)));
    rota_chunk_unref(a);
    rota_chunk_unref(b);
}

static void go_round(struct rota_zip *zip, struct rota_slice message)
{
    struct rota_chunk *frame = rota_chunk_new(NULL, ROTA_FRAME_PREFIX + message.size), *opened;

    frame->size = frame->cap;
    if (message.size > 0)
        memcpy(frame->data + ROTA_FRAME_PREFIX, message.data, message.size);
    ROTA_ASSERT(rota_zip_frame(zip, &frame) == 0);
    ROTA_ASSERT(frame->size <= ROTA_FRAME_PREFIX + message.size);
    ROTA_ASSERT((frame->data[0] == 1) == (frame->size < ROTA_FRAME_PREFIX + message.size));
    if (frame->data[0] == 1) {
        struct rota_slice packed = rota_slice(frame->data + ROTA_FRAME_PREFIX, frame->size - ROTA_FRAME_PREFIX);
        ROTA_ASSERT(rota_zip_open(zip, ROTA_ENCODING_GZIP, packed, message.size, &opened, NULL) == 0);
        ROTA_ASSERT(rota_slice_equal(rota_chunk_slice(opened), message));
        rota_chunk_unref(opened);
    }
    rota_chunk_unref(frame);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size_bytes)
{
    enum rota_encoding encoding = size_bytes > 0 && data[0] % 2 == 1 ? ROTA_ENCODING_DEFLATE : ROTA_ENCODING_GZIP;
    struct rota_slice packed = size_bytes == 0 ? (struct rota_slice){0} : rota_slice(data + 1, size_bytes - 1);
    struct rota_chunk *first, *again;
    struct rota_zip fresh, used;
    rota_err err;

    rota_zip_init(&fresh, NULL);
    rota_zip_init(&used, NULL);
    go_round(&used, packed);
    err = open_bounded(&fresh, encoding, packed, &first);
    ROTA_ASSERT(open_bounded(&used, encoding, packed, &again) == err);
    if (err == 0)
        compare(first, again);
    (void)rota_encodings_have_gzip(packed);
    rota_zip_fini(&fresh);
    rota_zip_fini(&used);
    return 0;
}
