/* decode.c - the decoder's table (RFC 7541, 2.3.2 and 4), and the way of most fields: an index that is a byte. The others: literal.c. */
#include "base/alloc.h"
#include "hpack/decoder.h"

#define FIRST_CAP 8

void rota_hpack_decoder_init(struct rota_hpack_decoder *decoder, const struct rota_alloc *alloc)
{
    *decoder = (struct rota_hpack_decoder){.alloc = alloc, .max_bytes = ROTA_HPACK_TABLE_BYTES, .generation = 1};
}

static uint32_t entry_bytes(const struct rota_hpack_entry *entry)
{
    return (uint32_t)entry->name_size + entry->value_size + ROTA_HPACK_OVERHEAD;
}

void rota_hpack_evict_to(struct rota_hpack_decoder *decoder, uint32_t limit_bytes)
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
    rota_hpack_evict_to(decoder, 0);
    rota_alloc_free(decoder->alloc, decoder->entries);
    decoder->entries = NULL;
    decoder->cap = 0;
}

void rota_hpack_begin(struct rota_hpack_decoder *decoder)
{
    decoder->may_resize = true;
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

enum rota_hpack_result rota_hpack_insert(struct rota_hpack_decoder *decoder, struct rota_slice name, struct rota_slice value)
{
    size_t block_bytes = offsetof(struct rota_hpack_entry, bytes) + name.size + value.size;
    struct rota_hpack_entry *entry;

    if (block_bytes < sizeof(*entry))
        block_bytes = sizeof(*entry);
    entry = rota_alloc_get(decoder->alloc, block_bytes);
    if (entry == NULL)
        return ROTA_HPACK_NOMEM;
    entry->generation = decoder->generation - 1;
    entry->name_size = (uint16_t)name.size;
    entry->value_size = (uint16_t)value.size;
    entry->kind = 0;
    if (name.size > 0)
        memcpy(entry->bytes, name.data, name.size);
    if (value.size > 0)
        memcpy(entry->bytes + name.size, value.data, value.size);
    rota_hpack_evict_to(decoder, decoder->max_bytes - entry_bytes(entry));
    if (!make_room(decoder)) {
        rota_alloc_free(decoder->alloc, entry);
        return ROTA_HPACK_NOMEM;
    }
    decoder->entries[(decoder->first + decoder->count++) & (decoder->cap - 1)] = entry;
    decoder->used_bytes += entry_bytes(entry);
    return ROTA_HPACK_FIELD;
}

enum rota_hpack_result rota_hpack_decode(struct rota_hpack_decoder *decoder, struct rota_slice *bytes, bool keep, struct rota_arena *arena,
    struct rota_hpack_field *ret_field)
{
    if (bytes->size == 0)
        return ROTA_HPACK_END;
    /* What nearly all fields of a busy connection are. */
    if (bytes->data[0] >= 0x80 && bytes->data[0] < 0xff)
        return rota_hpack_take_indexed(decoder, bytes->data[0] & 0x7f, bytes, 1, keep, ret_field);
    return rota_hpack_decode_any(decoder, bytes, keep, arena, ret_field);
}
