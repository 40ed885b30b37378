/* h2_script.h - an HTTP/2 connection under a script of bytes: what its peer sends and what its owner does, in any order. */
#ifndef ROTA_FUZZ_H2_SCRIPT_H
#define ROTA_FUZZ_H2_SCRIPT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

void h2_script_run(bool server, const uint8_t *data, size_t size_bytes);

#endif
