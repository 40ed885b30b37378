/* decoder.h - the decoder's table, for the two files that decode.
 *
 * An entry is one allocation. One that was handed out to be kept since the last let_go is pinned: it carries the decoder's generation, and
 * when it falls out of the table it waits in `dropped`. Its field's bytes are all that is needed by then, so the link lies over the rest.
 * Invariant: used_bytes is the sum of the entries' sizes (RFC 7541, 4.1) and at most max_bytes whenever a call from outside returns.
 */
#ifndef ROTA_HPACK_DECODER_H
#define ROTA_HPACK_DECODER_H

#include "hpack/hpack.h"
#include "hpack/static_table.h"

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

void rota_hpack_evict_to(struct rota_hpack_decoder *decoder, uint32_t limit_bytes);

/* FIELD or NOMEM. The field fits max_bytes; its name may lie in an entry that has to go for it (4.4). */
enum rota_hpack_result rota_hpack_insert(struct rota_hpack_decoder *decoder, struct rota_slice name, struct rota_slice value);

/* Everything but an indexed field in a byte. There is a byte at least. */
enum rota_hpack_result rota_hpack_decode_any(struct rota_hpack_decoder *decoder, struct rota_slice *bytes, bool keep, struct rota_arena *arena,
    struct rota_hpack_field *ret_field);

/* false: there is nothing with this index. */
static inline bool rota_hpack_look_up(struct rota_hpack_decoder *decoder, uint32_t index, bool keep, struct rota_hpack_field *ret_field)
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

static inline enum rota_hpack_result rota_hpack_take_indexed(struct rota_hpack_decoder *decoder, uint32_t index, struct rota_slice *bytes,
    size_t used_bytes, bool keep, struct rota_hpack_field *ret_field)
{
    ret_field->name_borrowed = ret_field->value_borrowed = false;
    if (!rota_hpack_look_up(decoder, index, keep, ret_field))
        return ROTA_HPACK_BAD;
    decoder->may_resize = false;
    *bytes = rota_slice(bytes->data + used_bytes, bytes->size - used_bytes);
    return ROTA_HPACK_FIELD;
}

#endif
