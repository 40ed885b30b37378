/* huffman.h - the code of RFC 7541, Appendix B. */
#ifndef ROTA_HPACK_HUFFMAN_H
#define ROTA_HPACK_HUFFMAN_H

#include <rota/slice.h>

#define ROTA_HUFFMAN_BAD SIZE_MAX        /* no code, or padded wrongly (5.2) */
#define ROTA_HUFFMAN_LONG (SIZE_MAX - 1) /* does not fit */
#define ROTA_HUFFMAN_BOUND(size_bytes) ((size_bytes) * 8 / 5) /* what so many bytes of code may decode to: no code is shorter than 5 bits */

size_t rota_huffman_size(struct rota_slice text); /* of its code, in bytes */
uint8_t *rota_huffman_encode(struct rota_slice text, uint8_t *out); /* the end */

/* The number of bytes written, or one of those above. */
size_t rota_huffman_decode(struct rota_slice code, uint8_t *out, size_t cap);

#endif
