/* static_table.h - the 61 fields that both sides know from the start (RFC 7541, Appendix A). */
#ifndef ROTA_HPACK_STATIC_TABLE_H
#define ROTA_HPACK_STATIC_TABLE_H

#include <rota/slice.h>

#define ROTA_HPACK_STATICS 61 /* indices count from 1; the first dynamic one follows */

/* index is 1 to ROTA_HPACK_STATICS. */
void rota_hpack_static_get(uint32_t index, struct rota_slice *ret_name, struct rota_slice *ret_value);

/* The index of the field, or of one with its name, or 0; *ret_whole: the value is the same too. */
uint32_t rota_hpack_static_find(struct rota_slice name, struct rota_slice value, bool *ret_whole);

#endif
