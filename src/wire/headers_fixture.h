/* headers_fixture.h - header lists as text, so that a row of a test shows one whole. */
#ifndef ROTA_WIRE_HEADERS_FIXTURE_H
#define ROTA_WIRE_HEADERS_FIXTURE_H

#include "wire/header.h"

/* Fields of lines "name: value"; they point into the text. Returns how many. */
size_t headers_of_lines(const char *lines, struct rota_header *out);

#endif
