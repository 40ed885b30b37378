/* frame.h - gRPC's length-prefixed messages: one flag byte, four bytes of length, the message.
 *
 * The decoder is fed data in any pieces. A message that lies whole inside a piece is returned in place; one that spans
 * pieces is gathered in a chunk. Source: doc/PROTOCOL-HTTP2.md "Length-Prefixed-Message".
 */
#ifndef ROTA_WIRE_FRAME_H
#define ROTA_WIRE_FRAME_H

#include "base/chunk.h"
#include <rota/err.h>

#define ROTA_FRAME_PREFIX 5

struct rota_frame_decoder {
    const struct rota_alloc *alloc;
    size_t max_bytes; /* a longer message is ROTA_ELIMIT, before anything of it is stored */
    uint8_t prefix[ROTA_FRAME_PREFIX];
    uint8_t have_prefix;
    struct rota_chunk *partial; /* grows as bytes arrive, not by what the prefix claims */
    size_t want;                /* message length by the prefix */
    struct rota_chunk *ready;   /* last gathered message and nothing else, kept until the next call unless taken; NULL: the message lies in the input */
};

struct rota_frame {
    bool compressed;
    struct rota_slice message; /* valid until the next call of the decoder or the end of the input */
};

void rota_frame_decoder_init(struct rota_frame_decoder *d, const struct rota_alloc *alloc, size_t max_bytes);
void rota_frame_decoder_fini(struct rota_frame_decoder *d);

/* Takes bytes from *input and returns 1 with a message, 0 when the input is used up, ROTA_ELIMIT (info: size and limit),
 * ROTA_EPARSE (flag byte neither 0 nor 1), ROTA_ENOMEM. */
int rota_frame_decode(struct rota_frame_decoder *d, struct rota_slice *input, struct rota_frame *ret_frame, struct rota_errinfo *info);

/* Whether the stream may end here: no message is half received. */
bool rota_frame_decoder_clean(const struct rota_frame_decoder *d);

/* Memory that waits for the rest of a message. */
size_t rota_frame_decoder_held(const struct rota_frame_decoder *d);

void rota_frame_put_prefix(uint8_t *out, bool compressed, uint32_t size);

#endif
