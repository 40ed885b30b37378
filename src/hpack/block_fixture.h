/* block_fixture.h - blocks as hexadecimal digits, fields as lines "name: value". */
#ifndef ROTA_HPACK_BLOCK_FIXTURE_H
#define ROTA_HPACK_BLOCK_FIXTURE_H

#include "hpack/hpack.h"

#define BLOCK_MAX_BYTES 8192

struct block {
    uint8_t bytes[BLOCK_MAX_BYTES];
    size_t size;
};

struct rota_slice block_slice(const struct block *block);

/* Spaces are passed over. */
void block_set_hex(struct block *block, const char *hex);

/* Decodes all of it, as one block, and appends a line a field to the zero-terminated text; the last result, which is never FIELD. */
enum rota_hpack_result block_decode(struct rota_hpack_decoder *decoder, struct rota_slice bytes, char *text, size_t text_cap);

/* Encodes lines as one block. */
void block_encode(struct rota_hpack_encoder *encoder, const char *lines, enum rota_hpack_index how, struct block *ret_block);

void assert_block(const struct block *block, const char *hex);

#endif
