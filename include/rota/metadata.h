/* rota/metadata.h - the key-value pairs that travel with a call, in either direction.
 *
 * A list in order; a key may occur several times. Keys are lower-case ASCII [0-9a-z_.-]; a key that ends in
 * "-bin" carries any bytes (base64 on the wire is done here), any other printable ASCII without spaces at either end.
 * Keys that begin with "grpc-" or ":" are the library's own and refused, but for grpc-status-details-bin and
 * grpc-retry-pushback-ms, which a server sets; so are fields of HTTP itself (content-type, te, user-agent, host,
 * connection, ...).
 * Threading: one thread at a time. Ownership: add copies; slices got are borrowed until the list changes or goes.
 * Source: gRPC over HTTP/2 (doc/PROTOCOL-HTTP2.md in grpc/grpc), "Custom-Metadata".
 */
#ifndef ROTA_METADATA_H
#define ROTA_METADATA_H

#include <rota/alloc.h>
#include <rota/err.h>
#include <rota/slice.h>

ROTA_BEGIN_DECLS

struct rota_metadata;

struct rota_metadatum {
    struct rota_slice key;
    struct rota_slice value; /* raw bytes, also for "-bin" keys */
};

/* ROTA_ENOMEM. */
ROTA_API ROTA_MUST_USE rota_err rota_metadata_new(const struct rota_alloc *alloc, struct rota_metadata **ret_metadata);
ROTA_API void rota_metadata_free(struct rota_metadata *metadata);

/* Appends a pair. ROTA_EINVAL: a key or value the protocol does not allow (info names it), or metadata is NULL; ROTA_ENOMEM. */
ROTA_API ROTA_MUST_USE rota_err rota_metadata_add(struct rota_metadata *metadata, struct rota_slice key, struct rota_slice value,
                                                  struct rota_errinfo *info);

/* The same for zero-terminated text. */
ROTA_API ROTA_MUST_USE rota_err rota_metadata_add_text(struct rota_metadata *metadata, const char *key, const char *value);

ROTA_API size_t rota_metadata_count(const struct rota_metadata *metadata); /* NULL: 0 */
ROTA_API struct rota_metadatum rota_metadata_at(const struct rota_metadata *metadata, size_t index);

/* The value of the first pair with that key; false when there is none. */
ROTA_API bool rota_metadata_get(const struct rota_metadata *metadata, const char *key, struct rota_slice *ret_value);

ROTA_END_DECLS
#endif
