/* literal.c - what comes as more than an index: texts, fields to be added, changes of the table's size (RFC 7541, 5 and 6).
 *
 * A literal is measured before anything is done about it: what is cut costs its few bytes of lengths and leaves no trace.
 */
#include "hpack/decoder.h"
#include "hpack/huffman.h"

#define INTEGER_SHIFT_MAX 28 /* five bytes after the first: enough for 32 bits */

struct cursor {
    const uint8_t *at, *end;
};

struct text {
    struct rota_slice bytes;
    bool huffman;
};

struct literal {
    uint32_t name_index; /* 0: the name is a text */
    struct text name, value;
    bool add;
};

/* 5.1. FIELD: it is whole. */
static enum rota_hpack_result get_integer(struct cursor *c, unsigned prefix_bits, uint32_t *ret_value)
{
    uint32_t mask = (1u << prefix_bits) - 1;
    uint64_t value = *c->at++ & mask;

    for (unsigned shift = 0; value >= mask; shift += 7) {
        uint8_t byte;

        if (shift > INTEGER_SHIFT_MAX)
            return ROTA_HPACK_BAD;
        if (c->at == c->end)
            return ROTA_HPACK_CUT;
        byte = *c->at++;
        value += (uint64_t)(byte & 0x7f) << shift;
        if (byte < 0x80)
            break;
    }
    if (value > UINT32_MAX)
        return ROTA_HPACK_BAD;
    *ret_value = (uint32_t)value;
    return ROTA_HPACK_FIELD;
}

/* 5.2, up to the string's end. */
static enum rota_hpack_result get_text(struct cursor *c, struct text *ret_text)
{
    enum rota_hpack_result result;
    uint32_t size;

    if (c->at == c->end)
        return ROTA_HPACK_CUT;
    ret_text->huffman = *c->at >= 0x80;
    result = get_integer(c, 7, &size);
    if (result != ROTA_HPACK_FIELD)
        return result;
    if (size > ROTA_HPACK_STRING_MAX_BYTES)
        return ROTA_HPACK_BAD;
    if ((size_t)(c->end - c->at) < size)
        return ROTA_HPACK_CUT;
    ret_text->bytes = rota_slice(c->at, size);
    c->at += size;
    return ROTA_HPACK_FIELD;
}

/* 6.2 */
static enum rota_hpack_result get_literal(struct cursor *c, struct literal *ret_literal)
{
    enum rota_hpack_result result;

    ret_literal->add = *c->at >= 0x40;
    result = get_integer(c, ret_literal->add ? 6 : 4, &ret_literal->name_index);
    if (result == ROTA_HPACK_FIELD && ret_literal->name_index == 0)
        result = get_text(c, &ret_literal->name);
    return result == ROTA_HPACK_FIELD ? get_text(c, &ret_literal->value) : result;
}

/* 6.3 */
static enum rota_hpack_result resize(struct rota_hpack_decoder *decoder, struct cursor *c)
{
    uint32_t max_bytes;
    enum rota_hpack_result result;

    if (!decoder->may_resize)
        return ROTA_HPACK_BAD;
    result = get_integer(c, 5, &max_bytes);
    if (result != ROTA_HPACK_FIELD)
        return result;
    if (max_bytes > ROTA_HPACK_TABLE_BYTES)
        return ROTA_HPACK_BAD;
    decoder->max_bytes = max_bytes;
    rota_hpack_evict_to(decoder, max_bytes);
    return ROTA_HPACK_FIELD;
}

/* A text that goes into no table. */
static enum rota_hpack_result take_text(const struct text *text, struct rota_arena *arena, struct rota_slice *ret_slice, bool *ret_borrowed)
{
    size_t size;
    uint8_t *copy;

    *ret_borrowed = !text->huffman;
    *ret_slice = text->bytes;
    if (!text->huffman)
        return ROTA_HPACK_FIELD;
    copy = rota_arena_get(arena, ROTA_HUFFMAN_BOUND(text->bytes.size));
    if (copy == NULL)
        return ROTA_HPACK_NOMEM;
    size = rota_huffman_decode(text->bytes, copy, ROTA_HPACK_STRING_MAX_BYTES);
    if (size == ROTA_HUFFMAN_BAD || size == ROTA_HUFFMAN_LONG)
        return ROTA_HPACK_BAD;
    *ret_slice = rota_slice(copy, size);
    return ROTA_HPACK_FIELD;
}

/* `named` has the name where the literal has an index. */
static enum rota_hpack_result take_plain(
    const struct literal *literal, const struct rota_hpack_field *named, struct rota_arena *arena, struct rota_hpack_field *ret_field)
{
    enum rota_hpack_result result = ROTA_HPACK_FIELD;

    *ret_field = (struct rota_hpack_field){.name = named->name};
    if (literal->name_index == 0)
        result = take_text(&literal->name, arena, &ret_field->name, &ret_field->name_borrowed);
    return result == ROTA_HPACK_FIELD ? take_text(&literal->value, arena, &ret_field->value, &ret_field->value_borrowed) : result;
}

/* 4.4: it empties the table, where its name may have been. */
static enum rota_hpack_result take_too_large(struct rota_hpack_decoder *decoder, const struct literal *literal,
    const struct rota_hpack_field *named, struct rota_arena *arena, struct rota_hpack_field *ret_field)
{
    enum rota_hpack_result result = take_plain(literal, named, arena, ret_field);

    if (result == ROTA_HPACK_FIELD && literal->name_index > ROTA_HPACK_STATICS &&
        rota_arena_slice(arena, named->name, &ret_field->name) != 0)
        result = ROTA_HPACK_NOMEM;
    rota_hpack_evict_to(decoder, 0);
    return result;
}

/* Decodes behind what is in the scratch already. */
static bool fit_text(const struct text *text, uint8_t *scratch, size_t *used, struct rota_slice *ret_slice, enum rota_hpack_result *ret_result)
{
    size_t size;

    *ret_slice = text->bytes;
    if (!text->huffman)
        return true;
    size = rota_huffman_decode(text->bytes, scratch + *used, ROTA_HPACK_TABLE_BYTES - *used);
    if (size == ROTA_HUFFMAN_BAD)
        *ret_result = ROTA_HPACK_BAD;
    if (size == ROTA_HUFFMAN_BAD || size == ROTA_HUFFMAN_LONG)
        return false;
    *ret_slice = rota_slice(scratch + *used, size);
    *used += size;
    return true;
}

static enum rota_hpack_result take_added(struct rota_hpack_decoder *decoder, const struct literal *literal, bool keep,
    const struct rota_hpack_field *named, struct rota_arena *arena, struct rota_hpack_field *ret_field)
{
    uint8_t scratch[ROTA_HPACK_TABLE_BYTES]; /* what fits the table fits here */
    enum rota_hpack_result result = ROTA_HPACK_FIELD;
    struct rota_slice name = named->name, value;
    size_t used = 0;
    bool fits = literal->name_index != 0 || fit_text(&literal->name, scratch, &used, &name, &result);

    fits = fits && fit_text(&literal->value, scratch, &used, &value, &result);
    if (result != ROTA_HPACK_FIELD)
        return result;
    if (!fits || name.size + value.size + ROTA_HPACK_OVERHEAD > decoder->max_bytes)
        return take_too_large(decoder, literal, named, arena, ret_field);
    result = rota_hpack_insert(decoder, name, value);
    if (result == ROTA_HPACK_FIELD) {
        *ret_field = (struct rota_hpack_field){0};
        (void)rota_hpack_look_up(decoder, ROTA_HPACK_STATICS + 1, keep, ret_field);
    }
    return result;
}

static enum rota_hpack_result decode_literal(struct rota_hpack_decoder *decoder, struct rota_slice *bytes, bool keep,
    struct rota_arena *arena, struct rota_hpack_field *ret_field)
{
    struct cursor c = {bytes->data, bytes->data + bytes->size};
    struct rota_hpack_field named = {.name = {NULL, 0}};
    struct literal literal;
    enum rota_hpack_result result = get_literal(&c, &literal);

    if (result != ROTA_HPACK_FIELD)
        return result;
    /* What is added has a name of its own. */
    if (literal.name_index != 0 && !rota_hpack_look_up(decoder, literal.name_index, keep && !literal.add, &named))
        return ROTA_HPACK_BAD;
    decoder->may_resize = false;
    *bytes = rota_slice(c.at, (size_t)(c.end - c.at));
    return literal.add ? take_added(decoder, &literal, keep, &named, arena, ret_field) : take_plain(&literal, &named, arena, ret_field);
}

enum rota_hpack_result rota_hpack_decode_any(struct rota_hpack_decoder *decoder, struct rota_slice *bytes, bool keep, struct rota_arena *arena,
    struct rota_hpack_field *ret_field)
{
    struct cursor c = {bytes->data, bytes->data + bytes->size};
    enum rota_hpack_result result;
    uint32_t index;

    for (; c.at < c.end && (*c.at & 0xe0) == 0x20; *bytes = rota_slice(c.at, (size_t)(c.end - c.at))) {
        result = resize(decoder, &c);
        if (result != ROTA_HPACK_FIELD)
            return result;
    }
    if (c.at == c.end)
        return ROTA_HPACK_END;
    if (*c.at < 0x80)
        return decode_literal(decoder, bytes, keep, arena, ret_field);
    result = get_integer(&c, 7, &index);
    if (result != ROTA_HPACK_FIELD)
        return result;
    return rota_hpack_take_indexed(decoder, index, bytes, (size_t)(c.at - bytes->data), keep, ret_field);
}

