/* text.h - the small codecs of gRPC's headers: timeouts, percent-encoding, base64.
 *
 * Source: doc/PROTOCOL-HTTP2.md in grpc/grpc ("Timeout", "Status-Message", "Custom-Metadata"), RFC 4648.
 */
#ifndef ROTA_WIRE_TEXT_H
#define ROTA_WIRE_TEXT_H

#include <rota/err.h>
#include <rota/slice.h>

#define ROTA_TIMEOUT_TEXT 10 /* 8 digits, unit, zero */

/* The shortest unit that fits 8 digits, rounded up; not positive: "1n". Returns the length. */
size_t rota_timeout_format(int64_t timeout_ns, char *out);
/* ROTA_EPARSE: not 1 to 8 digits and one of H M S m u n. Too large for int64: INT64_MAX. */
rota_err rota_timeout_parse(struct rota_slice text, int64_t *ret_timeout_ns);

/* Bytes outside space..~ and '%' become %XX. Returns the length needed; writes at most cap bytes, never half an escape. */
size_t rota_percent_encode(struct rota_slice text, char *out, size_t cap);
/* Never fails: a bad escape stands for itself. out may be as small as text.size. Returns the length. */
size_t rota_percent_decode(struct rota_slice text, char *out);

size_t rota_base64_encoded_size(size_t size); /* without padding, as gRPC sends it */
void rota_base64_encode(struct rota_slice bytes, char *out);
/* With or without padding. out: at least text.size * 3 / 4 + 3. ROTA_EPARSE. */
rota_err rota_base64_decode(struct rota_slice text, uint8_t *out, size_t *ret_size);

#endif
