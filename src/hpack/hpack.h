/* hpack.h - HPACK: header fields into bytes and back, with a table on each side. No frames, no meaning of fields.
 *
 * A decoder's fields need no copying where they lie in a table: they are kept, also when they fall out of it, until
 * rota_hpack_let_go. Each table's place has a byte of the owner's (`kind`), so that a field which comes again and again is looked at once.
 * A connection that was never used has no table: each side allocates with its first field.
 * Source: RFC 7541.
 */
#ifndef ROTA_HPACK_HPACK_H
#define ROTA_HPACK_HPACK_H

#include "base/arena.h"
#include <rota/alloc.h>
#include <rota/slice.h>

#define ROTA_HPACK_TABLE_BYTES 4096 /* SETTINGS_HEADER_TABLE_SIZE where nothing else is said; also our encoder's bound */
#define ROTA_HPACK_OVERHEAD 32 /* what a field counts beside its name and value (4.1) */
#define ROTA_HPACK_STRING_MAX_BYTES 65536 /* a longer name or value is an error */

/* --- Decoding --- */

struct rota_hpack_entry;

struct rota_hpack_decoder {
    const struct rota_alloc *alloc;
    struct rota_hpack_entry **entries; /* a ring; NULL: nothing was added yet */
    uint32_t cap, first, count;        /* of the ring; cap is a power of 2 */
    uint32_t used_bytes, max_bytes;    /* as RFC 7541, 4.1 counts; max_bytes: what the peer chose last */
    bool may_resize;                   /* at the beginning of a block */
    struct rota_hpack_entry *dropped;  /* fell out while kept */
    uint32_t generation;
    uint8_t static_kinds[62];
};

struct rota_hpack_field {
    struct rota_slice name, value;
    bool name_borrowed, value_borrowed; /* lies in the bytes that were given, else in a table or in the arena */
    uint8_t *kind; /* of the table's place that the field came from or went to, 0 in a new one; NULL: it is in no table. Until the next call */
};

enum rota_hpack_result {
    ROTA_HPACK_FIELD,
    ROTA_HPACK_END,   /* no bytes are left */
    ROTA_HPACK_CUT,   /* those that are left are the beginning of a field */
    ROTA_HPACK_BAD,   /* COMPRESSION_ERROR: the tables no longer agree */
    ROTA_HPACK_NOMEM, /* the same; nothing else may be decoded */
};

/* We announce ROTA_HPACK_TABLE_BYTES. Allocates nothing. */
void rota_hpack_decoder_init(struct rota_hpack_decoder *decoder, const struct rota_alloc *alloc);
void rota_hpack_decoder_fini(struct rota_hpack_decoder *decoder);

/* A block begins: only before its first field may the peer change the table's size. */
void rota_hpack_begin(struct rota_hpack_decoder *decoder);

/* One field off the front of *bytes, which is moved on (at CUT only past changes of the table's size: the owner gives those that are left
 * again, with more behind them; looking at a field that is cut costs no more than its first few bytes, however long it is to become).
 * keep: the field is wanted until rota_hpack_let_go. Without, the slices are good until the next call.
 * arena: for Huffman-coded strings that go into no table. */
enum rota_hpack_result rota_hpack_decode(struct rota_hpack_decoder *decoder, struct rota_slice *bytes, bool keep, struct rota_arena *arena,
    struct rota_hpack_field *ret_field);

/* Nobody looks at fields handed out so far any more. Cheap when nothing fell out. */
void rota_hpack_let_go(struct rota_hpack_decoder *decoder);

/* --- Encoding --- */

struct rota_hpack_encoder {
    const struct rota_alloc *alloc;
    struct rota_hpack_sent *table; /* NULL: nothing was added yet */
    uint32_t max_bytes;            /* in use now: min(ROTA_HPACK_TABLE_BYTES, what the peer allows) */
    uint32_t min_bytes;            /* the least it was since the last block; both are said at the next one's beginning */
    bool resized;
    uint32_t changes;              /* grows with everything that changes the peer's table: fields added, sizes said */
};

enum rota_hpack_index {
    ROTA_HPACK_ADD,    /* worth a place in the table (one too large for it gets none) */
    ROTA_HPACK_PLAIN,  /* sent as it is, the name by its index where it has one; a field that is in the table already is sent by index */
    ROTA_HPACK_SECRET, /* as PLAIN, but never in anybody's table (7.1.3) */
};

void rota_hpack_encoder_init(struct rota_hpack_encoder *encoder, const struct rota_alloc *alloc);
void rota_hpack_encoder_fini(struct rota_hpack_encoder *encoder);
void rota_hpack_encoder_resize(struct rota_hpack_encoder *encoder, uint32_t max_bytes); /* the peer's SETTINGS_HEADER_TABLE_SIZE */
void rota_hpack_encoder_restart(struct rota_hpack_encoder *encoder); /* the last block was not sent: the next one begins with empty tables */

#define ROTA_HPACK_BLOCK_BOUND 12  /* bytes that the beginning of a block takes at most */
#define ROTA_HPACK_FIELD_BOUND 12  /* that a field takes at most beside its name and value */

/* Each writes at out, where there is room for the bound, and returns the end. They cannot fail: without memory a field is not added. */
uint8_t *rota_hpack_encode_begin(struct rota_hpack_encoder *encoder, uint8_t *out);
uint8_t *rota_hpack_encode(struct rota_hpack_encoder *encoder, struct rota_slice name, struct rota_slice value, enum rota_hpack_index how, uint8_t *out);

#endif
