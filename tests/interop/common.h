/* common.h - what the interop programs share besides flags: payloads, text of others, the library's log lines, the end of output. */
#ifndef INTEROP_COMMON_H
#define INTEROP_COMMON_H

#include "interop.rota.h"

/* Payloads are zeros and at most this long; a server refuses to send a longer one. */
#define MAX_PAYLOAD_BYTES (64 << 20)

/* A payload of that many zeros; points to memory that is always there. */
Grpc__Testing__Payload zero_payload(size_t size);

/* What others said, fit to be printed: control characters and bytes that are no UTF-8 are written as \xNN; what does not fit is left out. Returns buffer. */
const char *printable(struct rota_slice text, char *buffer, size_t size);
#define PRINTABLE_SIZE(bytes) (4 * (bytes) + 1) /* with room for all of it */

/* The exit code: code, or 1, with a sentence, when not all of standard output could be written. */
int flush_output(int code);

/* Where a file of the test certificates is: in certs/ beside the program. */
#define CERT_PATH_SIZE 1024
void find_cert(const char *name, char ret_path[CERT_PATH_SIZE]);

/* Writes the library's warnings to standard error. */
extern const struct rota_log interop_log;

#endif
