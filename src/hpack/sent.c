/* sent.c - a ring of fields over one run of text, with chains by field and by name.
 *
 * Fields leave in the order they came in, so their text does too: it is appended, and moved down when the end is reached and half is free.
 * A chain holds ring positions + 1, newest first, 0 ends it; hence the oldest field is the last one of its chains. There are as many chains
 * as places in the ring. A chain is never longer than the ring, which ends at 128 fields: values that collide on purpose make a look slower,
 * but not without bound.
 * Losing fields that the peer still has does no harm: indices count from the newest, and what we keep is always the end of what it keeps.
 */
#include "hpack/sent.h"
#include "base/alloc.h"
#include "hpack/hpack.h"
#include "hpack/same.h"

#define FIRST_CAP 8
#define FIRST_TEXT_BYTES 128

struct sent_field {
    uint32_t hash; /* of name and value */
    uint16_t at, name_size, value_size;
    uint8_t next, next_named; /* in its chains */
};

struct rota_hpack_sent {
    uint8_t *text;
    uint32_t text_cap, text_end;
    uint32_t used_bytes;
    uint16_t cap, first, count; /* of the ring; cap is a power of 2 */
    struct sent_field fields[]; /* behind them the heads: cap by field, cap by name */
};

static uint8_t *chains_by_field(const struct rota_hpack_sent *table)
{
    return (uint8_t *)(table->fields + table->cap);
}

static uint8_t *chains_by_name(const struct rota_hpack_sent *table)
{
    return chains_by_field(table) + table->cap;
}

/* Of the beginning and the end; a shorter text is in it whole. */
static uint64_t gist(struct rota_slice text)
{
    uint64_t last;

    if (text.size >= 8) {
        last = rota_get_8(text.data + text.size - 8);
        return rota_get_8(text.data) + (last << 19 | last >> 45);
    }
    if (text.size >= 4)
        return rota_get_4(text.data) | (uint64_t)rota_get_4(text.data + text.size - 4) << 32;
    return text.size == 0 ? 0 : (uint32_t)text.data[0] << 16 | (uint32_t)text.data[text.size / 2] << 8 | text.data[text.size - 1];
}

/* Equal gists of different sizes are no reason to differ: who looks compares. */
static uint32_t hash_name(struct rota_slice name)
{
    return (uint32_t)(gist(name) * UINT64_C(0xff51afd7ed558ccd) >> 32);
}

static uint32_t hash_field(struct rota_slice name, struct rota_slice value)
{
    uint64_t mixed = gist(name) * UINT64_C(0xff51afd7ed558ccd) ^ (gist(value) + value.size) * UINT64_C(0xc4ceb9fe1a85ec53);

    return (uint32_t)(mixed >> 32);
}

static uint32_t index_of(const struct rota_hpack_sent *table, uint32_t position)
{
    return table->count - ((position - table->first) & (table->cap - 1u));
}

uint32_t rota_hpack_sent_find(const struct rota_hpack_sent *table, struct rota_slice name, struct rota_slice value)
{
    const struct sent_field *field;
    uint32_t hash;

    if (table == NULL)
        return 0;
    hash = hash_field(name, value);
    for (uint8_t link = chains_by_field(table)[hash & (table->cap - 1u)]; link != 0; link = field->next) {
        field = &table->fields[link - 1];
        if (field->hash == hash && field->name_size == name.size && field->value_size == value.size &&
            rota_same(table->text + field->at, name.data, name.size) && rota_same(table->text + field->at + name.size, value.data, value.size))
            return index_of(table, link - 1u);
    }
    return 0;
}

uint32_t rota_hpack_sent_find_name(const struct rota_hpack_sent *table, struct rota_slice name)
{
    const struct sent_field *field;

    if (table == NULL)
        return 0;
    for (uint8_t link = chains_by_name(table)[hash_name(name) & (table->cap - 1u)]; link != 0; link = field->next_named) {
        field = &table->fields[link - 1];
        if (field->name_size == name.size && rota_same(table->text + field->at, name.data, name.size))
            return index_of(table, link - 1u);
    }
    return 0;
}

static struct rota_slice name_of(const struct rota_hpack_sent *table, const struct sent_field *field)
{
    return rota_slice(table->text + field->at, field->name_size);
}

/* Puts the field, whose text is there, at the front of its chains. */
static void chain(struct rota_hpack_sent *table, uint32_t position)
{
    struct sent_field *field = &table->fields[position];
    uint8_t *by_field = &chains_by_field(table)[field->hash & (table->cap - 1u)];
    uint8_t *by_name = &chains_by_name(table)[hash_name(name_of(table, field)) & (table->cap - 1u)];

    field->next = *by_field;
    *by_field = (uint8_t)(position + 1);
    field->next_named = *by_name;
    *by_name = (uint8_t)(position + 1);
}

static void unchain_oldest(struct rota_hpack_sent *table)
{
    const struct sent_field *field = &table->fields[table->first];
    uint8_t *link = &chains_by_field(table)[field->hash & (table->cap - 1u)];

    while (*link != table->first + 1)
        link = &table->fields[*link - 1].next;
    *link = 0;
    link = &chains_by_name(table)[hash_name(name_of(table, field)) & (table->cap - 1u)];
    while (*link != table->first + 1)
        link = &table->fields[*link - 1].next_named;
    *link = 0;
}

void rota_hpack_sent_evict_to(struct rota_hpack_sent *table, uint32_t limit_bytes)
{
    while (table->used_bytes > limit_bytes) {
        const struct sent_field *oldest = &table->fields[table->first];

        unchain_oldest(table);
        table->used_bytes -= (uint32_t)oldest->name_size + oldest->value_size + ROTA_HPACK_OVERHEAD;
        table->first = (table->first + 1u) & (table->cap - 1u);
        table->count--;
    }
}

static struct rota_hpack_sent *new_ring(const struct rota_alloc *alloc, uint16_t cap)
{
    struct rota_hpack_sent *table = rota_alloc_zero(alloc, 1, sizeof(*table) + cap * (sizeof(struct sent_field) + 2));

    if (table != NULL)
        table->cap = cap;
    return table;
}

/* Room for one field more. */
static bool grow_ring(struct rota_hpack_sent **table, const struct rota_alloc *alloc)
{
    struct rota_hpack_sent *old = *table, *grown;

    if (old != NULL && old->count < old->cap)
        return true;
    grown = new_ring(alloc, old == NULL ? FIRST_CAP : old->cap * 2u);
    if (grown == NULL)
        return false;
    *table = grown;
    if (old == NULL)
        return true;
    grown->text = old->text;
    grown->text_cap = old->text_cap;
    grown->text_end = old->text_end;
    grown->used_bytes = old->used_bytes;
    for (; grown->count < old->count; grown->count++) {
        grown->fields[grown->count] = old->fields[(old->first + grown->count) & (old->cap - 1u)];
        chain(grown, grown->count);
    }
    rota_alloc_free(alloc, old);
    return true;
}

/* Room for so much text. All of it is less than ROTA_HPACK_TABLE_BYTES, so that it grows to three times that at most. */
static bool make_text_room(struct rota_hpack_sent *table, const struct rota_alloc *alloc, uint32_t need_bytes)
{
    uint32_t start = table->count == 0 ? 0 : table->fields[table->first].at;
    uint32_t live = table->count == 0 ? 0 : table->text_end - start, cap = table->text_cap;
    uint8_t *text = table->text;

    if (text != NULL && cap - start - live >= need_bytes) {
        table->text_end = start + live;
        return true;
    }
    if (text == NULL || live + need_bytes > cap / 2) {
        cap = text == NULL ? FIRST_TEXT_BYTES : cap + cap / 2;
        while (cap - live < need_bytes)
            cap += cap / 2;
        text = rota_alloc_get(alloc, cap);
        if (text == NULL)
            return false;
    }
    if (live > 0)
        memmove(text, table->text + start, live);
    if (text != table->text)
        rota_alloc_free(alloc, table->text);
    table->text = text;
    table->text_cap = cap;
    table->text_end = live;
    for (uint32_t i = 0; i < table->count; i++)
        table->fields[(table->first + i) & (table->cap - 1u)].at -= (uint16_t)start;
    return true;
}

bool rota_hpack_sent_add(struct rota_hpack_sent **table, const struct rota_alloc *alloc, uint32_t max_bytes, struct rota_slice name, struct rota_slice value)
{
    struct rota_hpack_sent *t = *table;
    struct sent_field *field;
    uint32_t position, size_bytes;

    if (name.size > max_bytes || value.size > max_bytes || name.size + value.size + ROTA_HPACK_OVERHEAD > max_bytes)
        return false;
    size_bytes = (uint32_t)(name.size + value.size + ROTA_HPACK_OVERHEAD);
    if (t != NULL)
        rota_hpack_sent_evict_to(t, max_bytes - size_bytes);
    if (!grow_ring(table, alloc) || !make_text_room(*table, alloc, (uint32_t)(name.size + value.size)))
        return false;
    t = *table;
    position = (t->first + t->count) & (t->cap - 1u);
    field = &t->fields[position];
    *field = (struct sent_field){
        .hash = hash_field(name, value), .at = (uint16_t)t->text_end, .name_size = (uint16_t)name.size, .value_size = (uint16_t)value.size};
    if (name.size > 0)
        memcpy(t->text + t->text_end, name.data, name.size);
    if (value.size > 0)
        memcpy(t->text + t->text_end + name.size, value.data, value.size);
    t->text_end += (uint32_t)(name.size + value.size);
    t->used_bytes += size_bytes;
    t->count++;
    chain(t, position);
    return true;
}

void rota_hpack_sent_free(struct rota_hpack_sent *table, const struct rota_alloc *alloc)
{
    if (table == NULL)
        return;
    rota_alloc_free(alloc, table->text);
    rota_alloc_free(alloc, table);
}
