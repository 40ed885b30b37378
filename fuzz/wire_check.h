/* wire_check.h - holds what one side of an HTTP/2 connection writes against the protocol and against what its peer has said.
 *
 * It is given the bytes that the side was fed and those that it wrote, in any pieces, and aborts at the first frame that no peer has to take:
 * - sizes, types, flags and streams that the frame cannot have; CONTINUATION anywhere but behind its HEADERS;
 * - anything of a stream that is idle, or ended or reset from this side (but WINDOW_UPDATE and RST_STREAM after an end, RST_STREAM after a reset,
 *   and a client's RST_STREAM of an idle one that the peer has sent frames of);
 * - a body before the headers, headers after the trailers;
 * - more DATA than the windows of stream and connection hold, more streams than the peer allows;
 * - header blocks that a decoder of its own cannot read, with a larger table than the peer allows, or with fields that HTTP/2 does not have;
 * - answers to SETTINGS and PING that did not come; windows opened beyond 2^31-1;
 * - a GOAWAY that takes back more than the one before did; anything after one with an error.
 *
 * The peer may send whatever it likes: what is wrong there only allows more. What its SETTINGS take away counts from the ACK on, what they
 * give at once.
 * Source: RFC 9113; RFC 7541.
 */
#ifndef ROTA_FUZZ_WIRE_CHECK_H
#define ROTA_FUZZ_WIRE_CHECK_H

#include <rota/slice.h>

struct wire_check;

struct wire_check *wire_check_new(bool server); /* is the side that is checked one? */
void wire_check_free(struct wire_check *w);     /* NULL is fine */
void wire_check_in(struct wire_check *w, struct rota_slice bytes);  /* before the side sees them */
void wire_check_out(struct wire_check *w, struct rota_slice bytes);
size_t wire_check_requests(const struct wire_check *w); /* of a server: those that came and are neither answered in full nor reset by either side */
uint32_t wire_check_newest(const struct wire_check *w); /* highest stream that the side has written HEADERS of */

#endif
