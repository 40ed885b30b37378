/* sent.h - the encoder's table: what the peer has in its own. Fields come in at one end and fall out at the other. */
#ifndef ROTA_HPACK_SENT_H
#define ROTA_HPACK_SENT_H

#include <rota/alloc.h>
#include <rota/slice.h>

struct rota_hpack_sent;

void rota_hpack_sent_free(struct rota_hpack_sent *table, const struct rota_alloc *alloc);

/* Dynamic indices count from 1, the newest; 0: not there. The table may be NULL. */
uint32_t rota_hpack_sent_find(const struct rota_hpack_sent *table, struct rota_slice name, struct rota_slice value);
uint32_t rota_hpack_sent_find_name(const struct rota_hpack_sent *table, struct rota_slice name);

/* false: it does not fit max_bytes, or there is no memory. The oldest may be gone even then. */
bool rota_hpack_sent_add(struct rota_hpack_sent **table, const struct rota_alloc *alloc, uint32_t max_bytes, struct rota_slice name, struct rota_slice value);

void rota_hpack_sent_evict_to(struct rota_hpack_sent *table, uint32_t limit_bytes);

#endif
