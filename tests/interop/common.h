/* common.h - what the interop programs share besides flags: payloads, the library's log lines. */
#ifndef INTEROP_COMMON_H
#define INTEROP_COMMON_H

#include "interop.rota.h"

/* Payloads are zeros and at most this long; a server refuses to send a longer one. */
#define MAX_PAYLOAD_BYTES (64 << 20)

/* A payload of that many zeros; points to memory that is always there. */
Grpc__Testing__Payload zero_payload(size_t size);

/* Whether it is there and holds that many bytes, all of them zero. */
bool is_zero_payload(const Grpc__Testing__Payload *payload, size_t size);

/* Where a file of the test certificates is: in certs/ beside the program. */
#define CERT_PATH_SIZE 1024
void find_cert(const char *name, char ret_path[CERT_PATH_SIZE]);

/* Writes the library's warnings to standard error. */
extern const struct rota_log interop_log;

#endif
