/* block_fixture.c - see block_fixture.h. */
#include "hpack/block_fixture.h"
#include "testing/cmocka.h"
#include <stdio.h>

struct rota_slice block_slice(const struct block *block)
{
    return rota_slice(block->bytes, block->size);
}

void block_set_hex(struct block *block, const char *hex)
{
    static const char digits[] = "0123456789abcdef";
    size_t n_digits = 0;

    for (; *hex != '\0'; hex++) {
        const char *digit = strchr(digits, *hex);

        if (*hex == ' ')
            continue;
        assert_non_null(digit);
        assert_true(n_digits / 2 < BLOCK_MAX_BYTES);
        if (n_digits % 2 == 0)
            block->bytes[n_digits / 2] = (uint8_t)((digit - digits) << 4);
        else
            block->bytes[n_digits / 2] |= (uint8_t)(digit - digits);
        n_digits++;
    }
    assert_int_equal(n_digits % 2, 0);
    block->size = n_digits / 2;
}

static void append(char *text, size_t text_cap, struct rota_slice name, struct rota_slice value)
{
    size_t at = strlen(text);

    assert_true(at + name.size + value.size + 4 <= text_cap);
    snprintf(text + at, text_cap - at, "%.*s: %.*s\n", (int)name.size, name.size == 0 ? "" : (const char *)name.data, (int)value.size,
        value.size == 0 ? "" : (const char *)value.data);
}

enum rota_hpack_result block_decode(struct rota_hpack_decoder *decoder, struct rota_slice bytes, char *text, size_t text_cap)
{
    struct rota_hpack_field field;
    enum rota_hpack_result result;
    struct rota_arena arena;

    rota_arena_init(&arena, decoder->alloc, 0);
    rota_hpack_begin(decoder);
    while ((result = rota_hpack_decode(decoder, &bytes, false, &arena, &field)) == ROTA_HPACK_FIELD) {
        append(text, text_cap, field.name, field.value);
        rota_arena_reset(&arena);
    }
    rota_arena_fini(&arena);
    return result;
}

void block_encode(struct rota_hpack_encoder *encoder, const char *lines, enum rota_hpack_index how, struct block *ret_block)
{
    uint8_t *out = rota_hpack_encode_begin(encoder, ret_block->bytes);

    while (*lines != '\0') {
        const char *colon = strstr(lines, ": "), *end = strchr(lines, '\n');

        assert_non_null(colon);
        assert_non_null(end);
        assert_true((size_t)(out - ret_block->bytes) + (size_t)(end - lines) + ROTA_HPACK_FIELD_BOUND <= BLOCK_MAX_BYTES);
        out = rota_hpack_encode(
            encoder, rota_slice(lines, (size_t)(colon - lines)), rota_slice(colon + 2, (size_t)(end - colon - 2)), how, out);
        lines = end + 1;
    }
    ret_block->size = (size_t)(out - ret_block->bytes);
}

void assert_block(const struct block *block, const char *hex)
{
    static struct block want;

    block_set_hex(&want, hex);
    if (want.size != block->size || memcmp(want.bytes, block->bytes, want.size) != 0) {
        for (size_t i = 0; i < block->size; i++)
            print_error("%02x", block->bytes[i]);
        print_error(" instead of %s\n", hex);
    }
    assert_int_equal(block->size, want.size);
    assert_memory_equal(block->bytes, want.bytes, want.size);
}
