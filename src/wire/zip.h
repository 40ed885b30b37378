/* zip.h - messages compressed: gzip goes out, gzip and deflate come in and never inflate beyond a limit.
 *
 * A channel or server has one struct rota_zip. Its two states (some 300 KiB together) are made by the first message that needs them
 * and then used for all others: a message goes through in one call, so no two messages share a state.
 * Source: doc/compression.md and doc/PROTOCOL-HTTP2.md ("Message-Encoding") in grpc/grpc; RFC 1950 (what HTTP calls deflate), 1952.
 */
#ifndef ROTA_WIRE_ZIP_H
#define ROTA_WIRE_ZIP_H

#include "base/chunk.h"
#include <rota/err.h>
#include <stdbool.h>

enum rota_encoding {
    ROTA_ENCODING_IDENTITY,
    ROTA_ENCODING_DEFLATE,
    ROTA_ENCODING_GZIP,
    ROTA_ENCODING_UNKNOWN,
};

#define ROTA_ENCODINGS "identity,deflate,gzip" /* what this side reads: the value of grpc-accept-encoding */

enum rota_encoding rota_encoding_of(struct rota_slice name); /* empty: identity */
/* Whether gzip is in a grpc-accept-encoding. */
bool rota_encodings_have_gzip(struct rota_slice list);

struct rota_zip {
    const struct rota_alloc *alloc;
    struct z_stream_s *deflater, *inflater; /* NULL until used */
};

void rota_zip_init(struct rota_zip *zip, const struct rota_alloc *alloc); /* allocates nothing */
void rota_zip_fini(struct rota_zip *zip);

/* Replaces a frame, whose prefix need not have been written, by its gzip frame if that is shorter. Writes the prefix either way.
 * ROTA_ENOMEM: *chunk is as it was. */
rota_err rota_zip_frame(struct rota_zip *zip, struct rota_chunk **chunk);

/* The message that was compressed, in a chunk of its own. ROTA_ELIMIT: longer than max_bytes; ROTA_EPARSE: cut off, corrupt or followed by
 * something else; ROTA_ENOMEM. info says which. */
rota_err rota_zip_open(struct rota_zip *zip, enum rota_encoding encoding, struct rota_slice packed, size_t max_bytes, struct rota_chunk **ret_chunk,
                       struct rota_errinfo *info);

#endif
