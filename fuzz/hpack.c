/* hpack.c - blocks from a stranger: the same fields come out whole and in pieces; those that came out go through our encoder and back.
 *
 * The first byte cuts: the pieces grow by its low bits; its top bit says whether fields are kept.
 */
#include "hpack/hpack.h"
#include "base/assert.h"
#include <stdlib.h>

#define BLOCK_MAX_BYTES 48 /* several blocks to an input, so that sizes change in between */
#define FIELD_MAX_BYTES 200000

struct result {
    uint64_t sum;
    size_t n_fields;
    enum rota_hpack_result last;
};

static void add(struct result *result, struct rota_slice text)
{
    result->sum = result->sum * 31 + text.size;
    for (size_t i = 0; i < text.size; i++)
        result->sum = result->sum * 31 + text.data[i];
}

struct echo {
    struct rota_hpack_encoder encoder;
    struct rota_hpack_decoder decoder;
};

/* Through our encoder and a decoder of its own. */
static void send_back(struct echo *echo, const struct rota_hpack_field *field, size_t n_fields)
{
    uint8_t *bytes = malloc(ROTA_HPACK_BLOCK_BOUND + ROTA_HPACK_FIELD_BOUND + field->name.size + field->value.size), *out;
    struct rota_hpack_field got;
    struct rota_arena arena;
    struct rota_slice block;

    ROTA_ASSERT(field->name.size + field->value.size < FIELD_MAX_BYTES);
    if (n_fields % 8 == 7)
        rota_hpack_encoder_resize(&echo->encoder, (uint32_t)field->value.size * 16);
    out = rota_hpack_encode_begin(&echo->encoder, bytes);
    out = rota_hpack_encode(&echo->encoder, field->name, field->value, (enum rota_hpack_index)(field->name.size % 3), out);
    block = rota_slice(bytes, (size_t)(out - bytes));
    rota_arena_init(&arena, NULL, 0);
    rota_hpack_begin(&echo->decoder);
    ROTA_ASSERT(rota_hpack_decode(&echo->decoder, &block, false, &arena, &got) == ROTA_HPACK_FIELD);
    ROTA_ASSERT(rota_slice_equal(got.name, field->name) && rota_slice_equal(got.value, field->value) && block.size == 0);
    rota_arena_fini(&arena);
    free(bytes);
}

/* Decodes what there is of a block; the bytes that are left. */
static size_t decode(struct rota_hpack_decoder *decoder, struct rota_slice bytes, bool keep, struct echo *echo, struct result *result)
{
    struct rota_hpack_field field;
    struct rota_arena arena;

    rota_arena_init(&arena, NULL, 0);
    while ((result->last = rota_hpack_decode(decoder, &bytes, keep, &arena, &field)) == ROTA_HPACK_FIELD) {
        add(result, field.name);
        add(result, field.value);
        if (field.kind != NULL)
            ++*field.kind;
        if (echo != NULL)
            send_back(echo, &field, result->n_fields);
        result->n_fields++;
    }
    ROTA_ASSERT(decoder->used_bytes <= decoder->max_bytes && decoder->max_bytes <= ROTA_HPACK_TABLE_BYTES);
    rota_arena_fini(&arena);
    return bytes.size;
}

/* In pieces that have memory of their own. */
static void decode_pieces(struct rota_hpack_decoder *decoder, struct rota_slice block, size_t step, bool keep, struct result *result)
{
    size_t at = 0;

    for (size_t end = 0; end < block.size && (end == 0 || result->last != ROTA_HPACK_BAD);) {
        uint8_t *piece;

        end = block.size - end < step ? block.size : end + step;
        piece = malloc(end - at);
        memcpy(piece, block.data + at, end - at);
        at = end - decode(decoder, rota_slice(piece, end - at), keep, NULL, result);
        free(piece);
        rota_hpack_let_go(decoder);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size_bytes)
{
    size_t step = size_bytes == 0 ? 1 : 1 + data[0] % 16u;
    bool keep = size_bytes > 0 && data[0] >= 0x80;
    struct rota_hpack_decoder whole, pieces;
    struct result a = {.last = ROTA_HPACK_END}, b = {.last = ROTA_HPACK_END};
    struct echo echo;

    rota_hpack_decoder_init(&whole, NULL);
    rota_hpack_decoder_init(&pieces, NULL);
    rota_hpack_encoder_init(&echo.encoder, NULL);
    rota_hpack_decoder_init(&echo.decoder, NULL);
    for (size_t at = 1; at < size_bytes && a.last == ROTA_HPACK_END;) {
        size_t left = size_bytes - at, size = left < 2 * BLOCK_MAX_BYTES ? left : BLOCK_MAX_BYTES;

        rota_hpack_begin(&whole);
        rota_hpack_begin(&pieces);
        (void)decode(&whole, rota_slice(data + at, size), keep, &echo, &a);
        rota_hpack_let_go(&whole);
        decode_pieces(&pieces, rota_slice(data + at, size), step, !keep, &b);
        at += size;
        ROTA_ASSERT(a.last == b.last && a.n_fields == b.n_fields && a.sum == b.sum);
        ROTA_ASSERT(whole.used_bytes == pieces.used_bytes && whole.max_bytes == pieces.max_bytes && whole.count == pieces.count);
    }
    rota_hpack_decoder_fini(&whole);
    rota_hpack_decoder_fini(&pieces);
    rota_hpack_encoder_fini(&echo.encoder);
    rota_hpack_decoder_fini(&echo.decoder);
    return 0;
}
