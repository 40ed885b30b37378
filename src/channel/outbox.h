/* outbox.h - the messages a call has written, kept for as long as another attempt might have to send them again.
 *
 * Messages are framed chunks, one reference each. Once the call is committed to an attempt nothing is kept beyond what that
 * attempt has not taken. Source: gRFC A6 (buffered RPCs).
 */
#ifndef ROTA_CHANNEL_OUTBOX_H
#define ROTA_CHANNEL_OUTBOX_H

#include "base/chunk.h"
#include <rota/err.h>

struct rota_outbox {
    const struct rota_alloc *alloc;
    struct rota_chunk **chunks; /* few, or an array of its own */
    struct rota_chunk *few[2];
    size_t count, cap;
    size_t size_bytes; /* of all chunks, their headers included */
    size_t *total_bytes; /* of all outboxes of the channel */
};

void rota_outbox_init(struct rota_outbox *outbox, const struct rota_alloc *alloc, size_t *total_bytes);
void rota_outbox_fini(struct rota_outbox *outbox);
rota_err rota_outbox_add(struct rota_outbox *outbox, struct rota_chunk *chunk); /* takes the reference, also on failure. ROTA_ENOMEM */
void rota_outbox_forget(struct rota_outbox *outbox, size_t n_oldest); /* drops that many */

#endif
