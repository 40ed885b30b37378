/* decode.c - a block's bytes into fields, and the table they fill on the way (RFC 7541, 2.3.2, 3 and 6).
 *
 * A literal is measured before anything is done about it: what is cut costs its few bytes of lengths and leaves no trace.
 * An entry is one allocation. One that was handed out to be kept since the last let_go is `pinned`: it carries the decoder's generation, and
 * when it falls out of the table it waits in `dropped`. Its field's bytes are all that is needed by then, so the link lies over the rest.
 * Invariant: used_bytes is the sum of entry_bytes over the ring and at most max_bytes whenever a call returns.
 */
#include "base/alloc.h"
#include "hpack/hpack.h"
#include "hpack/huffman.h"
#include "hpack/static_table.h"

#define FIRST_CAP 8
#define ENTRY_OVERHEAD 32 /* 4.1 */
#define INTEGER_SHIFT_MAX 28 /* five bytes after the first: enough for 32 bits */

struct rota_hpack_entry {
    union {
        struct {
            uint32_t generation; /* the decoder's when it was kept last */
            uint16_t name_size, value_size;
        };
        struct rota_hpack_entry *next; /* in dropped */
    };
    uint8_t kind;
    uint8_t bytes[]; /* name, value */
};

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

void rota_hpack_decoder_init(struct rota_hpack_decoder *decoder, const struct rota_alloc *alloc)
{
    *decoder = (struct rota_hpack_decoder){.alloc = alloc, .max_bytes = ROTA_HPACK_TABLE_BYTES, .generation = 1};
}

static uint32_t entry_bytes(const struct rota_hpack_entry *entry)
{
    return (uint32_t)entry->name_size + entry->value_size + ENTRY_OVERHEAD;
}

static void evict_to(struct rota_hpack_decoder *decoder, uint32_t limit_bytes)
{
    while (decoder->used_bytes > limit_bytes) {
        struct rota_hpack_entry *oldest = decoder->entries[decoder->first];

        decoder->first = (decoder->first + 1) & (decoder->cap - 1);
        decoder->count--;
        decoder->used_bytes -= entry_bytes(oldest);
        if (oldest->generation == decoder->generation) {
            oldest->next = decoder->dropped;
            decoder->dropped = oldest;
        } else {
            rota_alloc_free(decoder->alloc, oldest);
        }
    }
}

void rota_hpack_let_go(struct rota_hpack_decoder *decoder)
{
    /* After 2^32 turns an old number is met again: that entry is freed at the next let_go instead of at once. */
    decoder->generation++;
    while (decoder->dropped != NULL) {
        struct rota_hpack_entry *entry = decoder->dropped;

        decoder->dropped = entry->next;
        rota_alloc_free(decoder->alloc, entry);
    }
}

void rota_hpack_decoder_fini(struct rota_hpack_decoder *decoder)
{
    if (decoder == NULL)
        return;
    rota_hpack_let_go(decoder);
    evict_to(decoder, 0);
    rota_alloc_free(decoder->alloc, decoder->entries);
    decoder->entries = NULL;
    decoder->cap = 0;
}

void rota_hpack_begin(struct rota_hpack_decoder *decoder)
{
    decoder->may_resize = true;
}

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
    evict_to(decoder, max_bytes);
    return ROTA_HPACK_FIELD;
}

static bool look_up(struct rota_hpack_decoder *decoder, uint32_t index, bool keep, struct rota_hpack_field *ret_field)
{
    uint32_t age = index - ROTA_HPACK_STATICS - 1;
    struct rota_hpack_entry *entry;

    if (index - 1 < ROTA_HPACK_STATICS) {
        rota_hpack_static_get(index, &ret_field->name, &ret_field->value);
        ret_field->kind = &decoder->static_kinds[index];
        return true;
    }
    if (index == 0 || age >= decoder->count)
        return false;
    entry = decoder->entries[(decoder->first + decoder->count - 1 - age) & (decoder->cap - 1)];
    if (keep)
        entry->generation = decoder->generation;
    ret_field->name = rota_slice(entry->bytes, entry->name_size);
    ret_field->value = rota_slice(entry->bytes + entry->name_size, entry->value_size);
    ret_field->kind = &entry->kind;
    return true;
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
    evict_to(decoder, 0);
    return result;
}

static bool make_room(struct rota_hpack_decoder *decoder)
{
    uint32_t cap = decoder->cap == 0 ? FIRST_CAP : decoder->cap * 2;
    struct rota_hpack_entry **entries;

    if (decoder->count < decoder->cap)
        return true;
    entries = rota_alloc_get(decoder->alloc, cap * sizeof(struct rota_hpack_entry *));
    if (entries == NULL)
        return false;
    for (uint32_t i = 0; i < decoder->count; i++)
        entries[i] = decoder->entries[(decoder->first + i) & (decoder->cap - 1)];
    rota_alloc_free(decoder->alloc, decoder->entries);
    decoder->entries = entries;
    decoder->cap = cap;
    decoder->first = 0;
    return true;
}

/* The name may lie in an entry that has to go for this one (4.4). */
static enum rota_hpack_result insert(struct rota_hpack_decoder *decoder, struct rota_slice name, struct rota_slice value, bool keep)
{
    size_t block_bytes = offsetof(struct rota_hpack_entry, bytes) + name.size + value.size;
    struct rota_hpack_entry *entry;

    if (block_bytes < sizeof(*entry))
        block_bytes = sizeof(*entry);
    entry = rota_alloc_get(decoder->alloc, block_bytes);
    if (entry == NULL)
        return ROTA_HPACK_NOMEM;
    entry->generation = keep ? decoder->generation : decoder->generation - 1;
    entry->name_size = (uint16_t)name.size;
    entry->value_size = (uint16_t)value.size;
    entry->kind = 0;
    if (name.size > 0)
        memcpy(entry->bytes, name.data, name.size);
    if (value.size > 0)
        memcpy(entry->bytes + name.size, value.data, value.size);
    evict_to(decoder, decoder->max_bytes - entry_bytes(entry));
    if (!make_room(decoder)) {
        rota_alloc_free(decoder->alloc, entry);
        return ROTA_HPACK_NOMEM;
    }
    decoder->entries[(decoder->first + decoder->count++) & (decoder->cap - 1)] = entry;
    decoder->used_bytes += entry_bytes(entry);
    return ROTA_HPACK_FIELD;
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
    if (!fits || name.size + value.size + ENTRY_OVERHEAD > decoder->max_bytes)
        return take_too_large(decoder, literal, named, arena, ret_field);
    result = insert(decoder, name, value, keep);
    if (result == ROTA_HPACK_FIELD) {
        *ret_field = (struct rota_hpack_field){0};
        (void)look_up(decoder, ROTA_HPACK_STATICS + 1, keep, ret_field);
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
    if (literal.name_index != 0 && !look_up(decoder, literal.name_index, keep && !literal.add, &named))
        return ROTA_HPACK_BAD;
    decoder->may_resize = false;
    *bytes = rota_slice(c.at, (size_t)(c.end - c.at));
    return literal.add ? take_added(decoder, &literal, keep, &named, arena, ret_field) : take_plain(&literal, &named, arena, ret_field);
}

enum rota_hpack_result rota_hpack_decode(struct rota_hpack_decoder *decoder, struct rota_slice *bytes, bool keep, struct rota_arena *arena,
    struct rota_hpack_field *ret_field)
{
    struct cursor c;
    enum rota_hpack_result result;
    uint32_t index;

    if (bytes->size == 0)
        return ROTA_HPACK_END;
    c = (struct cursor){bytes->data, bytes->data + bytes->size};
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
    ret_field->name_borrowed = ret_field->value_borrowed = false;
    if (!look_up(decoder, index, keep, ret_field))
        return ROTA_HPACK_BAD;
    decoder->may_resize = false;
    *bytes = rota_slice(c.at, (size_t)(c.end - c.at));
    return ROTA_HPACK_FIELD;
}
