/* metadata.h - the inside of struct rota_metadata (rota/metadata.h), and its way to and from header fields. */
#ifndef ROTA_WIRE_METADATA_H
#define ROTA_WIRE_METADATA_H

#include "base/arena.h"
#include "wire/header.h"
#include <rota/metadata.h>

struct rota_metadata {
    struct rota_arena *arena; /* where copies go: its own, or a call's */
    struct rota_arena own;
    struct rota_metadatum *pairs;
    size_t count, cap;
    size_t size_bytes; /* as HTTP/2 counts header lists: name + value + 32 each */
    size_t split_bytes; /* by how much received "-bin" values are longer so, each part the field that it stands for */
};

/* An empty list that lives and dies with the arena. NULL: out of memory. */
struct rota_metadata *rota_metadata_in(struct rota_arena *arena);

/* Appends a received field; a "-bin" value is split at commas and decoded, each part a pair. ROTA_EPARSE: undecodable; ROTA_ELIMIT: split_bytes
 * would exceed max_bytes, and nothing of it is appended; ROTA_ENOMEM. */
rota_err rota_metadata_add_received(struct rota_metadata *metadata, struct rota_slice name, struct rota_slice value, size_t max_bytes);

/* Whether the list of fields that it was received in is longer than that once "-bin" values are split; false where none was. */
bool rota_metadata_exceeds(const struct rota_metadata *metadata, const struct rota_header *headers, size_t count, size_t max_bytes);

/* Copies every pair of `from`. */
rota_err rota_metadata_copy(struct rota_metadata *metadata, const struct rota_metadata *from);

/* Writes the pairs as fields at `out` (count of them), "-bin" values encoded into the arena. */
rota_err rota_metadata_fields(const struct rota_metadata *metadata, struct rota_arena *arena, struct rota_header *out);

#endif
