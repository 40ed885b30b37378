/* encode.c - fields into a block's bytes (RFC 7541, 4.2 and 6): the smallest form that the tables offer.
 *
 * Huffman coding is for what is sent once and for what is long: a short value that goes out with each request costs both sides more time
 * than the few bytes are worth.
 */
#include "base/assert.h"
#include "hpack/hpack.h"
#include "hpack/huffman.h"
#include "hpack/sent.h"
#include "hpack/static_table.h"

#define HUFFMAN_PLAIN_MIN_BYTES 32

enum form { FORM_PLAIN = 0x00, FORM_SECRET = 0x10, FORM_RESIZE = 0x20, FORM_ADD = 0x40, FORM_INDEXED = 0x80 };

void rota_hpack_encoder_init(struct rota_hpack_encoder *encoder, const struct rota_alloc *alloc)
{
    *encoder = (struct rota_hpack_encoder){.alloc = alloc, .max_bytes = ROTA_HPACK_TABLE_BYTES, .min_bytes = ROTA_HPACK_TABLE_BYTES};
}

void rota_hpack_encoder_fini(struct rota_hpack_encoder *encoder)
{
    if (encoder == NULL)
        return;
    rota_hpack_sent_free(encoder->table, encoder->alloc);
    encoder->table = NULL;
}

void rota_hpack_encoder_resize(struct rota_hpack_encoder *encoder, uint32_t max_bytes)
{
    if (max_bytes > ROTA_HPACK_TABLE_BYTES)
        max_bytes = ROTA_HPACK_TABLE_BYTES;
    if (max_bytes == encoder->max_bytes)
        return;
    encoder->max_bytes = max_bytes;
    if (encoder->min_bytes > max_bytes)
        encoder->min_bytes = max_bytes;
    encoder->resized = true;
    encoder->changes++;
    if (encoder->table != NULL)
        rota_hpack_sent_evict_to(encoder->table, max_bytes);
}

/* Also where the size is 0 and stays it: that may be what the lost block would have said. */
void rota_hpack_encoder_restart(struct rota_hpack_encoder *encoder)
{
    encoder->min_bytes = 0;
    encoder->resized = true;
    encoder->changes++;
    if (encoder->table != NULL)
        rota_hpack_sent_evict_to(encoder->table, 0);
}

/* 5.1 */
static uint8_t *put_integer(uint8_t *out, uint8_t form, unsigned prefix_bits, size_t value)
{
    size_t mask = ((size_t)1 << prefix_bits) - 1;

    if (value < mask) {
        *out++ = (uint8_t)(form | value);
        return out;
    }
    *out++ = (uint8_t)(form | mask);
    for (value -= mask; value >= 0x80; value >>= 7)
        *out++ = (uint8_t)(0x80 | (value & 0x7f));
    *out++ = (uint8_t)value;
    return out;
}

/* 5.2 */
static uint8_t *put_text(uint8_t *out, struct rota_slice text, size_t huffman_min_bytes)
{
    size_t size = text.size < huffman_min_bytes ? text.size : rota_huffman_size(text);

    if (size < text.size)
        return rota_huffman_encode(text, put_integer(out, 0x80, 7, size));
    out = put_integer(out, 0, 7, text.size);
    if (text.size > 0)
        memcpy(out, text.data, text.size);
    return out + text.size;
}

uint8_t *rota_hpack_encode_begin(struct rota_hpack_encoder *encoder, uint8_t *out)
{
    if (!encoder->resized)
        return out;
    if (encoder->min_bytes < encoder->max_bytes)
        out = put_integer(out, FORM_RESIZE, 5, encoder->min_bytes);
    out = put_integer(out, FORM_RESIZE, 5, encoder->max_bytes);
    encoder->min_bytes = encoder->max_bytes;
    encoder->resized = false;
    encoder->changes++;
    return out;
}

/* The index of the whole field, or 0 and *ret_named, that of a field with its name, which may be 0 too. */
static uint32_t find(const struct rota_hpack_encoder *encoder, struct rota_slice name, struct rota_slice value, uint32_t *ret_named)
{
    /* What nearly always is a field of the static table: ":method", ":scheme", ":status". It saves the hash. */
    bool static_first = name.size == 7 && name.data[0] == ':';
    bool whole = false;
    uint32_t index;

    *ret_named = 0;
    if (static_first) {
        *ret_named = rota_hpack_static_find(name, value, &whole);
        if (whole)
            return *ret_named;
    }
    index = rota_hpack_sent_find(encoder->table, name, value);
    if (index != 0)
        return ROTA_HPACK_STATICS + index;
    if (!static_first)
        *ret_named = rota_hpack_static_find(name, value, &whole);
    if (whole)
        return *ret_named;
    if (*ret_named == 0) {
        index = rota_hpack_sent_find_name(encoder->table, name);
        *ret_named = index == 0 ? 0 : ROTA_HPACK_STATICS + index;
    }
    return 0;
}

uint8_t *rota_hpack_encode(struct rota_hpack_encoder *encoder, struct rota_slice name, struct rota_slice value, enum rota_hpack_index how, uint8_t *out)
{
    size_t huffman_min_bytes = how == ROTA_HPACK_ADD ? 0 : HUFFMAN_PLAIN_MIN_BYTES;
    uint32_t named, index = find(encoder, name, value, &named);
    enum form form = how == ROTA_HPACK_SECRET ? FORM_SECRET : FORM_PLAIN;

    if (index != 0 && how != ROTA_HPACK_SECRET)
        return put_integer(out, FORM_INDEXED, 7, index);
    if (index != 0)
        named = index;
    /* The index of the name is from before the addition, which may take that name's field away (4.4). */
    if (how == ROTA_HPACK_ADD && rota_hpack_sent_add(&encoder->table, encoder->alloc, encoder->max_bytes, name, value)) {
        form = FORM_ADD;
        encoder->changes++;
    }
    out = put_integer(out, (uint8_t)form, form == FORM_ADD ? 6 : 4, named);
    if (named == 0)
        out = put_text(out, name, huffman_min_bytes);
    return put_text(out, value, huffman_min_bytes);
}
