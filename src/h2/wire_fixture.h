/* wire_fixture.h - frames put together by hand, for peers that break the rules. */
#ifndef ROTA_H2_WIRE_FIXTURE_H
#define ROTA_H2_WIRE_FIXTURE_H

#include <rota/slice.h>

enum wire_type { WIRE_DATA, WIRE_HEADERS, WIRE_PRIORITY, WIRE_RST, WIRE_SETTINGS, WIRE_PUSH, WIRE_PING, WIRE_GOAWAY, WIRE_WINDOW, WIRE_CONT };

#define WIRE_END_STREAM 0x1
#define WIRE_ACK 0x1
#define WIRE_END_HEADERS 0x4

struct wire {
    uint8_t bytes[1024 * 1024];
    size_t size;
};

void wire_raw(struct wire *wire, const void *bytes, size_t size);
void wire_magic(struct wire *wire); /* the client's preface and an empty SETTINGS */
void wire_frame(struct wire *wire, enum wire_type type, uint8_t flags, uint32_t stream, const void *payload, size_t size);
void wire_number(struct wire *wire, enum wire_type type, uint32_t stream, uint32_t number); /* RST_STREAM, WINDOW_UPDATE */
/* HEADERS of literal fields: "name=value|name=value". */
void wire_headers(struct wire *wire, uint8_t flags, uint32_t stream, const char *fields);
/* The fields of a plain request. */
#define WIRE_REQUEST ":method=POST|:scheme=http|:path=/a/b|:authority=x"

#endif
